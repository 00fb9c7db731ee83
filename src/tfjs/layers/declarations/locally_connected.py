"""LocallyConnected1D and LocallyConnected2D of Keras 1 and 2: convolutions that share no kernel.

TF.js has none. What a window holds becomes one column for each place of the output; a depthwise
convolution over these columns, with a channel for each place, is the same sum of products, and
needs no number that the layer does not have.

How the kernels lie: `tf_keras/src/layers/locally_connected/`, `conv_connected_inputs` and
`conv_kernel_idxs` of `tf_keras/src/utils/conv_utils.py`, `local_conv` of `backend.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tfjs.ir.layers_model import Config, Layer, Weight
from tfjs.ir.tensor import Array, DerivedTensor
from tfjs.layers.base import CannotLower, Shape, Slot
from tfjs.layers.declarations import kernels
from tfjs.layers.declarations.compose import constant, derived, weight_of
from tfjs.layers.declarations.convolution import Convolution
from tfjs.layers.declarations.rewriting import ALONG_AXIS, Rewriting
from tfjs.layers.declarations.space import (
    Piece,
    Size,
    is_first,
    number,
    permute,
    product,
    reshape,
    window_length,
)
from tfjs.layers.declarations.space_graph import check_rank

if TYPE_CHECKING:
    from tfjs.ir.graph import Value
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

# A whole kernel a place; a matrix of all places in and out; only its numbers that are not zero.
_BY_PLACE, _MATRIX, _SPARSE = 1, 2, 3
# Sizes beyond it are not counted through.
_MOST = 1 << 20


@dataclass(frozen=True, slots=True)
class _WithKernel(Piece):
    """A layer with a kernel that training leaves alone."""

    kernel: Weight

    def make(self, build: Builder, name: str | None = None) -> Layer:
        config = {**self.config, "trainable": False}
        return build.new(
            self.class_name, config, suffix=self.suffix, name=name, weights=[self.kernel]
        )


class _LocallyConnected(Convolution):
    def normalize(self, config: Config, dialect: str) -> None:
        super().normalize(config, dialect)
        del config["dilation_rate"]
        found = config.get("implementation")
        config["implementation"] = number(_BY_PLACE if found is None else found, "implementation")
        if config["implementation"] > _SPARSE:
            raise ValueError(f"implementation is {found!r}, 1, 2 or 3 was expected")
        if config["implementation"] == _BY_PLACE and config["padding"] != "valid":
            raise ValueError("implementation 1 takes no padding")

    def sizes_out(self, config: Config, sizes: Sequence[Size]) -> list[Size]:
        windows = zip(sizes, config["kernel_size"], config["strides"], strict=True)
        return [window_length(size, k, step, config["padding"]) for size, k, step in windows]

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        config, space = layer.config, self.space(layer, inputs)
        sizes = [None] * self.rank if space is None else list(space.sizes)
        channels = None if space is None else space.channels
        places, filters = self.sizes_out(config, sizes), int(config["filters"])
        shape: Shape
        if config["implementation"] == _BY_PLACE:
            shape = (product(places), product([*config["kernel_size"], channels]), filters)
        elif config["implementation"] == _SPARSE:
            shape = (product([_links(config, sizes), channels, filters]),)
        elif is_first(config):
            shape = (channels, *sizes, filters, *places)
        else:
            shape = (*sizes, channels, *places, filters)
        found = [Slot("kernel", shape)]
        return [*found, Slot("bias", (*places, filters))] if config["use_bias"] else found

    def is_plain(self, config: Config) -> bool:
        return False

    def rewrite(self, form: Rewriting) -> str | None:
        config, first = form.config, is_first(form.config)
        sizes, places, channels = form.space.sizes, form.outcome.sizes, form.space.channels
        count, filters = product(places), int(config["filters"])
        if count is None or channels is None or _links(config, sizes) is None:
            return "the sizes of its input are not known, or beyond reason"
        if not count * filters * channels:
            return "none of its windows fits in, or it gives nothing"
        plan = _Plan([size or 0 for size in sizes], channels, config)
        window = plan.window * channels
        if not kernels.fits([window, plan.window]):
            return "its window holds too many numbers to be taken apart into columns"
        shape = (window, 1, count, filters)
        if "kernel" in form.weights and not _is_small(shape, form.weights["kernel"]):
            return "most of its window lies outside of its input"
        form.channels_last()
        form.before += plan.columns(count)
        form.behind.insert(0, reshape([*places, filters], "places"))
        form.change("kernel", lambda weight: derived(weight, "kernel", shape, plan.by_window))
        size = count * filters
        form.change("bias", lambda w: derived(w, "bias", [size], lambda b: _biases(b, first)))
        _as_depthwise(form, window)
        if not first and config["activation"] in ALONG_AXIS:
            form.behind.append(Piece("Activation", {"activation": config["activation"]}, "along"))
            config["activation"] = "linear"
        form.note(f"{form.layer.class_name} as DepthwiseConv2D on a column for each window")
        return None

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        config, x = layer.config, build.floats(build.inputs[0])
        check_rank(build, x, self.rank + 2)
        first = is_first(config)
        start, channels = (2, build.fixed(x, 1)) if first else (1, build.fixed(x, -1))
        sizes = [build.fixed(x, axis) for axis in range(start, start + self.rank)]
        places = [size or 0 for size in self.sizes_out(config, sizes)]
        count, filters = math.prod(places), int(config["filters"])
        if not count * filters * channels or _links(config, sizes) is None:
            raise CannotLower("the sizes of its input are beyond reason, or it gives nothing")
        plan = _Plan(sizes, channels, config)
        if not kernels.fits([count, plan.window, channels]):
            raise CannotLower("its windows hold too many numbers to be taken apart")
        flat = build.reshaped(x, [-1, math.prod(sizes) * channels])
        windows = build.op("GatherV2", flat, plan.elements(), np.array(1, np.int32))
        kernel = self._lowered_kernel(layer, build, plan)
        result = build.op("Einsum", windows, kernel, attrs={"equation": b"bpw,pwf->bpf"})
        if config["use_bias"]:
            result = build.op("AddV2", result, _lowered_biases(build, count, filters))
        if first:
            result = build.transpose(result, [0, 2, 1])
        shape = [filters, *places] if first else [*places, filters]
        return [build.activate(build.reshaped(result, [-1, *shape]), config.get("activation"))]

    def _lowered_kernel(self, layer: Layer, build: Lowering, plan: _Plan) -> Value:
        """[places, numbers of a window, filters], the numbers as `_Plan.elements` has them."""
        if layer.config["implementation"] == _BY_PLACE:
            return build.weight("kernel")
        weight = weight_of(layer, "kernel")
        slot = self.slots(layer, [build.inputs[0].shape])[0]
        kernels.check(weight, slot.shape, f"layer {layer.name!r}")
        places, window, filters = *plan.elements().shape, int(layer.config["filters"])
        if not _is_small((places, window, filters), weight):
            raise CannotLower("most of its window lies outside of its input")
        array = weight.tensor.array
        shape = (places, window, filters)
        return build.constant(DerivedTensor("float32", shape, lambda: plan.by_element(array())))


class LocallyConnected1D(_LocallyConnected):
    name = "LocallyConnected1D"
    rank = 1


class LocallyConnected2D(_LocallyConnected):
    name = "LocallyConnected2D"
    rank = 2


def _as_depthwise(form: Rewriting, window: int) -> None:
    """The configuration of the DepthwiseConv2D that does the multiplying."""
    config = form.config
    config["depth_multiplier"] = config.pop("filters")
    config.pop("implementation")
    for key in ("initializer", "regularizer", "constraint"):
        config[f"depthwise_{key}"] = config.pop(f"kernel_{key}", None)
    config |= {"kernel_size": [window, 1], "strides": [1, 1], "dilation_rate": [1, 1]}
    config["padding"] = "valid"
    form.class_name = "DepthwiseConv2D"


def _biases(bias: Array, first: bool) -> Array:
    """The bias by place, then filter; `channels_first` has it in memory the other way round."""
    if not first:
        return bias.ravel()
    return bias.reshape(bias.shape[-1], -1).T.ravel()


def _lowered_biases(build: Lowering, count: int, filters: int) -> Value:
    """The bias by place, then filter; see `_biases`."""
    bias = build.weight("bias")
    if is_first(build.config):
        bias = build.transpose(build.reshaped(bias, [filters, count]), [1, 0])
    return build.reshaped(bias, [count, filters])


def _is_small(shape: Sequence[int], stored: Weight) -> bool:
    """Whether a kernel of that shape is hardly larger than the stored one, or small at all."""
    return kernels.fits(shape) or math.prod(shape) <= 2 * stored.tensor.size


def _first(window: int, config: Config) -> int:
    """How far the first window begins before the input."""
    return window // 2 if config["padding"] == "same" else 0


def _links(config: Config, sizes: Sequence[Size]) -> Size:
    """How many pairs of a place and an element in its window there are."""
    links = 1
    for size, window, step in zip(sizes, config["kernel_size"], config["strides"], strict=True):
        places = window_length(size, window, step, config["padding"])
        if size is None or places is None or max(size, window, step) > _MOST:
            return None
        begins = np.arange(places) * step - _first(window, config)
        found = np.minimum(begins + window, size) - np.maximum(begins, 0)
        links *= int(np.maximum(found, 0).sum())
    return links


class _Plan:
    """Which element of the input each place of the output sees at each point of its window.

    Attributes:
        window: how many points a window has, without channels.
    """

    def __init__(self, sizes: Sequence[int], channels: int, config: Config) -> None:
        self._sizes, self._channels, self._config = sizes, channels, dict(config)
        self._kernel, self._strides = config["kernel_size"], config["strides"]
        self._first = is_first(config)
        self.window = math.prod(self._kernel)

    def columns(self, count: int) -> list[Piece]:
        """Layers that make `[window * channels, 1, count]` of the input, its channels last."""
        kernel, strides, sizes = list(self._kernel), list(self._strides), list(self._sizes)
        pads = []
        for size, window, step in zip(sizes, kernel, strides, strict=True):
            before = _first(window, self._config)
            places = window_length(size, window, step, self._config["padding"]) or 0
            after = max(0, (places - 1) * step - before + window - size)
            pads.append([before, after])
        made = []
        if len(sizes) == 1:
            made.append(reshape([sizes[0], 1, self._channels], "rows"))
            kernel, strides, pads = [*kernel, 1], strides * 2, [*pads, [0, 0]]
        if any(any(pair) for pair in pads):
            config = {"padding": pads, "data_format": "channels_last"}
            made.append(Piece("ZeroPadding2D", config, "pad"))
        return [
            *made,
            self._windows(kernel, strides),
            reshape([count, 1, self._channels * self.window], "windows_flat"),
            permute([3, 2, 1], "columns"),
        ]

    def _windows(self, kernel: list[int], strides: list[int]) -> Piece:
        """A depthwise convolution that copies each window into the channels: channel, point."""
        points = np.eye(self.window, dtype=np.float32).reshape(*kernel, 1, self.window)
        shape = (*kernel, self._channels, self.window)
        config = {
            "kernel_size": kernel,
            "strides": strides,
            "dilation_rate": [1, 1],
            "padding": "valid",
            "depth_multiplier": self.window,
            "data_format": "channels_last",
            "activation": "linear",
            "use_bias": False,
        }
        copies = constant("kernel", np.broadcast_to(points, shape), trainable=False)
        return _WithKernel("DepthwiseConv2D", config, "windows", copies)

    def _seen(self) -> tuple[Array, Array]:
        """For each place and point: the element of the input, and whether it is one at all."""
        index, inside = np.zeros((1, 1), np.int64), np.ones((1, 1), bool)
        for size, window, step in zip(self._sizes, self._kernel, self._strides, strict=True):
            places = window_length(size, window, step, self._config["padding"]) or 0
            begins = np.arange(places) * step - _first(window, self._config)
            at = (begins[:, None] + np.arange(window))[None, :, None, :]
            index = index[:, None, :, None] * size + at
            inside = inside[:, None, :, None] & (at >= 0) & (at < size)
            shape = (index.shape[0] * places, index.shape[2] * window)
            index, inside = index.reshape(shape), inside.reshape(shape)
        return np.where(inside, index, 0), inside

    def elements(self) -> Array:
        """[places, numbers of a window]: which number of the flat input each is."""
        index, _ = self._seen()
        places, channels = len(index), np.arange(self._channels)
        if self._first:
            found = channels[:, None] * math.prod(self._sizes) + index[:, None, :]
        else:
            found = index[:, :, None] * self._channels + channels
        return found.reshape(places, -1).astype(np.int32)

    def by_element(self, kernel: Array) -> Array:
        """The kernel as `[places, numbers of a window, filters]`, in the order of `elements`."""
        whole = self.by_window(kernel)
        filters = whole.shape[-1]
        parts = whole.reshape(self._channels, self.window, -1, filters)
        ordered = parts.transpose((2, 0, 1, 3) if self._first else (2, 1, 0, 3))
        found = ordered.reshape(ordered.shape[0], -1, filters)
        return np.ascontiguousarray(found, np.float32)

    def by_window(self, kernel: Array) -> Array:
        """The kernel as `[channels * window, 1, places, filters]`, whatever the implementation."""
        filters = int(self._config["filters"])
        if self._config["implementation"] == _BY_PLACE:
            split = (self._channels, self.window) if self._first else (self.window, self._channels)
            parts = kernel.reshape(-1, *split, filters)
            ordered = parts.transpose((1, 2, 0, 3) if self._first else (2, 1, 0, 3))
        elif self._config["implementation"] == _MATRIX:
            ordered = self._from_matrix(kernel, filters)
        else:
            ordered = self._from_sparse(kernel, filters)
        return ordered.reshape(self._channels * self.window, 1, -1, filters)

    def _from_matrix(self, kernel: Array, filters: int) -> Array:
        index, inside = self._seen()
        places, elements = len(index), math.prod(self._sizes)
        if self._first:
            whole = kernel.reshape(self._channels, elements, filters, places)
            whole = whole.transpose(1, 0, 3, 2)
        else:
            whole = kernel.reshape(elements, self._channels, places, filters)
        # Of each place, each point: [places, window, channels, filters].
        found = whole[index, :, np.arange(places)[:, None], :]
        found = np.where(inside[:, :, None, None], found, 0)
        return found.transpose(2, 1, 0, 3)

    def _from_sparse(self, kernel: Array, filters: int) -> Array:
        """The numbers are listed by element of the output, then by element of the input."""
        _, inside = self._seen()
        places, window, channels = *inside.shape, self._channels
        if self._first:
            found = np.zeros((filters, places, channels, window), kernel.dtype)
            found[np.broadcast_to(inside[None, :, None, :], found.shape)] = kernel
            return found.transpose(2, 3, 1, 0)
        found = np.zeros((places, filters, window, channels), kernel.dtype)
        found[np.broadcast_to(inside[:, None, :, None], found.shape)] = kernel
        return found.transpose(3, 2, 0, 1)
