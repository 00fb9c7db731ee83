"""Convolutions as graphs: ordinary, in groups, depthwise, separable and transposed ones.

What is padded by `same` is the same in TensorFlow's operations and in Keras on any backend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfjs.ir.graph import Value
from tfjs.ir.layers_model import Config
from tfjs.ir.tensor import DerivedTensor
from tfjs.layers.base import CannotLower
from tfjs.layers.declarations import kernels
from tfjs.layers.declarations.compose import weight_of
from tfjs.layers.declarations.space import dilated, is_first
from tfjs.layers.declarations.space_graph import (
    as_image,
    as_steps,
    channels_first,
    channels_last,
    check_rank,
    cut,
    pad,
)

if TYPE_CHECKING:
    from tfjs.layers.lowering import Lowering

# Activations that look along an axis: it matters which one is the last.
_ALONG_AXIS = frozenset({"softmax", "log_softmax", "glu", "sparsemax"})
# What a convolution over `rank` axes of space is called.
_FORMATS = {2: b"NHWC", 3: b"NDHWC"}


def over_space(
    build: Lowering, rank: int, change: Callable[[Value], Value], *, bias: str = "bias"
) -> list[Value]:
    """A convolution with what all have: channels brought last, a bias, an activation.

    Args:
        build: the builder.
        rank: the number of axes of space.
        change: the convolution, of tensors with two or three axes of space.
        bias: the name of its bias.
    """
    config, x = build.config, build.floats(build.inputs[0])
    check_rank(build, x, rank + 2)
    first = is_first(config)
    if first:
        x = channels_last(build, x)
    if rank == 1:
        x = as_image(build, x)
    x = change(x)
    if config["use_bias"]:
        x = build.op("BiasAdd", x, build.weight(bias))
    activation = config.get("activation")
    late = isinstance(activation, dict) or (first and activation in _ALONG_AXIS)
    if not late:
        x = build.activate(x, activation)
    if rank == 1:
        x = as_steps(build, x)
    if first:
        x = channels_first(build, x)
    return [build.activate(x, activation) if late else x]


def kernel_of(build: Lowering, name: str, rank: int) -> Value:
    """A kernel; one over a single axis gets the axis of the row too."""
    kernel = build.weight(name)
    return build.op("ExpandDims", kernel, np.array(0, np.int32)) if rank == 1 else kernel


def convolved(build: Lowering, x: Value, kernel: Value, *, depthwise: bool = False) -> Value:
    """A convolution as the configuration tells, whose groups the shapes tell."""
    config = build.config
    strides, dilations = _inner(config, "strides"), _inner(config, "dilation_rate")
    if depthwise and len(config["strides"]) == 1:
        # TensorFlow takes equal strides only; along the one row any stride gives the one row.
        strides = strides[1:] * 2
    attrs: dict[str, Any] = {
        "strides": [1, *strides, 1],
        "dilations": [1, *dilations, 1],
        "padding": str(config["padding"]).upper().encode(),
    }
    if config["padding"] == "causal":
        before = (config["kernel_size"][0] - 1) * config["dilation_rate"][0]
        attrs["padding"] = b"EXPLICIT"
        attrs["explicit_paddings"] = [0, 0, 0, 0, before, 0, 0, 0]
    if depthwise:
        return build.op("DepthwiseConv2dNative", x, kernel, attrs=attrs)
    if len(strides) == 2:
        return build.op("Conv2D", x, kernel, attrs=attrs)
    return _in_groups(build, _unskipped(build, x, attrs), kernel, attrs)


def _inner(config: Config, key: str) -> list[int]:
    found = [int(item) for item in config[key]]
    return [1, *found] if len(found) == 1 else found


def _unskipped(build: Lowering, x: Value, attrs: dict[str, Any]) -> Value:
    """Zeros for the padding `same` where strides exceed windows; `attrs` lose it then.

    Over three axes TF.js would pad by less than 0.
    """
    config, gaps = build.config, build.config["dilation_rate"]
    windows = [dilated(*pair) for pair in zip(config["kernel_size"], gaps, strict=True)]
    strides = config["strides"]
    wide = any(stride > window for stride, window in zip(strides, windows, strict=True))
    if attrs["padding"] != b"SAME" or not wide:
        return x
    pads = []
    for axis, (window, stride) in enumerate(zip(windows, strides, strict=True), 1):
        size = build.fixed(x, axis)
        total = max(0, (-(-size // stride) - 1) * stride + window - size)
        pads.append((total // 2, total - total // 2))
    attrs["padding"] = b"VALID"
    return pad(build, x, [(0, 0), *pads, (0, 0)])


def _in_groups(build: Lowering, x: Value, kernel: Value, attrs: dict[str, Any]) -> Value:
    """Over three axes, where TensorFlow convolves no groups on a processor, one after another."""
    groups = int(build.config.get("groups", 1))
    if groups == 1:
        return build.op("Conv3D", x, kernel, attrs=attrs)
    axis = np.array(4, np.int32)
    split = {"num_split": groups}
    parts = zip(
        build.ops("Split", axis, x, attrs={**split, "T": x.dtype}),
        build.ops("Split", axis, kernel, attrs={**split, "T": kernel.dtype}),
        strict=True,
    )
    made = [build.op("Conv3D", *pair, attrs=attrs) for pair in parts]
    return build.op("ConcatV2", *made, axis)


def separable(build: Lowering, x: Value, rank: int) -> Value:
    """A depthwise convolution and one across channels."""
    x = convolved(build, x, kernel_of(build, "depthwise_kernel", rank), depthwise=True)
    attrs = {"strides": [1] * 4, "padding": b"VALID"}
    return build.op("Conv2D", x, kernel_of(build, "pointwise_kernel", rank), attrs=attrs)


# Transposed -----------------------------------------------------------------------------------


def transposed(
    build: Lowering, x: Value, kernel: Value, extra: Sequence[int], left: Sequence[int]
) -> Value:
    """A transposed convolution.

    Args:
        build: the builder.
        x: what goes in, channels last, with two or three axes of space.
        kernel: its kernel, zeros in its gaps.
        extra: for each axis, what comes out is `(size - 1) * stride + extra`.
        left: what is cut off before the first element along each, where it is no plain `same`.
    """
    config = build.config
    strides = _inner(config, "strides")
    if len(config["strides"]) == 1:
        extra, left = [1, *extra], [0, *left]
    reach = [build.fixed(kernel, axis) for axis in range(len(strides))]
    same = config["padding"] == "same"
    # The sizes from which a convolution with that padding makes the size of the input.
    fits = [
        1 <= more <= stride if same else reach[at] <= more < reach[at] + stride
        for at, (more, stride) in enumerate(zip(extra, strides, strict=True))
    ]
    if all(fits):
        return _backwards(build, x, kernel, strides, extra, same=same)
    whole = _backwards(build, x, kernel, strides, reach, same=False)
    over = [at + more - end for at, more, end in zip(left, extra, reach, strict=True)]
    pads = [(0, max(0, item)) for item in over]
    cuts = {axis: (left[axis - 1], max(0, -over[axis - 1])) for axis in range(1, len(strides) + 1)}
    return cut(build, pad(build, whole, [(0, 0), *pads, (0, 0)]), cuts)


def _backwards(
    build: Lowering,
    x: Value,
    kernel: Value,
    strides: Sequence[int],
    extra: Sequence[int],
    *,
    same: bool,
) -> Value:
    rank = len(strides)
    sizes: list[int | Value] = [build.size(x, 0)]
    for axis, (stride, more) in enumerate(zip(strides, extra, strict=True), 1):
        sizes.append(_grown(build, build.size(x, axis), stride, more - stride))
    sizes.append(build.fixed(kernel, rank))
    attrs = {
        "strides": [1, *strides, 1],
        "padding": b"SAME" if same else b"VALID",
        "data_format": _FORMATS[rank],
    }
    op = "Conv2DBackpropInput" if rank == 2 else "Conv3DBackpropInputV2"
    return build.op(op, build.sizes(sizes), kernel, x, attrs={**attrs, "T": x.dtype})


def _grown(build: Lowering, size: int | Value, factor: int, more: int) -> int | Value:
    if not isinstance(size, Value):
        return size * factor + more
    scaled = size if factor == 1 else build.op("Mul", size, factor)
    return scaled if not more else build.op("AddV2", scaled, more)


def spread_kernel(build: Lowering, rank: int) -> Value:
    """A kernel with zeros in its gaps: TensorFlow and TF.js transpose no dilated one."""
    dilations = [int(step) for step in build.config["dilation_rate"]]
    if max(dilations) == 1:
        return kernel_of(build, "kernel", rank)
    weight = weight_of(build.layer, "kernel")
    none = [0] * rank
    if not kernels.fits(kernels.spread_shape(weight.tensor.shape, dilations, none)):
        raise CannotLower("its kernel would be too large with the zeros of its dilation")
    whole = kernels.spread(weight, dilations, none).tensor
    shape = (1, *whole.shape) if rank == 1 else whole.shape
    return build.constant(
        DerivedTensor("float32", shape, lambda: whole.array().astype(np.float32).reshape(shape))
    )


def check_groups(channels: int | None, config: Config) -> None:
    """Refuse channels that do not go into groups."""
    groups, filters = int(config.get("groups", 1)), int(config["filters"])
    if channels is not None and (channels % groups or filters % groups):
        raise CannotLower(f"{channels} channels and {filters} filters are no {groups} groups")
