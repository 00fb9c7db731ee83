"""Convolutional LSTMs. TF.js has the one over planes; that over lines is it on one column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tfjs.ir.layers_model import Config, Layer, TensorRef, Weight
from tfjs.layers.base import Apply, Shape, Slot, dim
from tfjs.layers.declarations import gates, kernels, recurrent, recurrent_graph
from tfjs.layers.declarations.compose import reshape
from tfjs.layers.declarations.convolution_graph import convolved, kernel_of
from tfjs.layers.declarations.space import (
    Space,
    data_format,
    dilated,
    is_first,
    number,
    numbers,
    window_length,
    word,
)
from tfjs.layers.declarations.space_graph import check_rank, order_axes

if TYPE_CHECKING:
    from tfjs.ir.graph import Value
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

# TF.js throws on `unroll`, which changes nothing.
_CHANGES: Config = {**recurrent.UNREAD, "unroll": False}
_LARGEST = 1 << 31
_WINDOWS = ("kernel_size", "strides", "dilation_rate")


class _ConvLSTM(gates.Gated):
    """A convolutional LSTM over `rank` axes of space."""

    rank: ClassVar[int]
    gates = gates.LSTM
    supports_masking = True
    uses_mask = True
    takes_initial_state = True

    def normalize(self, config: Config, dialect: str) -> None:
        data_format(config)
        word(config, "padding", ("valid", "same"), "valid")
        config["filters"] = number(config.get("filters"), "filters")
        for key in _WINDOWS:
            config[key] = numbers(config.get(key, 1), self.rank, key)
            if max(config[key]) > _LARGEST:
                raise ValueError(f"{key} is {config[key]}")

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        filters, window = layer.config["filters"], layer.config["kernel_size"]
        shape = inputs[0] if inputs else None
        channels = dim(shape, 2 if is_first(layer.config) else -1)
        slots = [
            Slot("kernel", (*window, channels, 4 * filters), holder="cell"),
            Slot("recurrent_kernel", (*window, filters, 4 * filters), holder="cell"),
        ]
        if layer.config.get("use_bias", True):
            slots.append(Slot("bias", (4 * filters,), holder="cell"))
        return slots

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        config, shape = layer.config, inputs[0] if inputs else None
        returned = 2 if config.get("return_state") else 0
        space = self.step(layer, shape)
        if space is None:
            return [None] * (1 + returned)
        state = space.shape()
        whole = (state[0], dim(shape, 1), *state[1:])
        return [whole if config.get("return_sequences") else state, *[state] * returned]

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        check_rank(build, build.inputs[0], self.rank + 3)
        return recurrent_graph.run_layer(build, [_Cell(build)])

    def step(self, layer: Layer, shape: Shape | None) -> Space | None:
        """The state after a step for an input of that shape; None where it is unknown."""
        config = layer.config
        space = Space.of(None if shape is None else (*shape[:1], *shape[2:]), self.rank, config)
        if space is None:
            return None
        windows = zip(space.sizes, *(config[key] for key in _WINDOWS), strict=True)
        sizes = [
            window_length(size, dilated(window, gap), stride, config["padding"])
            for size, window, stride, gap in windows
        ]
        return space.resized(sizes).recoloured(config["filters"])


class ConvLSTM2D(_ConvLSTM):
    name = "ConvLSTM2D"
    rank = 2

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        why = _obstacle(layer, build)
        if why:
            return build.refuse(layer, why)
        changes, weights = gates.for_tfjs(layer, build)
        return build.keep(layer, {**_CHANGES, **changes}, weights=weights)


class ConvLSTM1D(_ConvLSTM):
    name = "ConvLSTM1D"
    rank = 1

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        shape = build.input_shape(layer)
        state = self.step(layer, shape)
        why = _obstacle(layer, build)
        if state is None or shape is None or None in state.inner():
            why = why or "the size of its input is unknown, which its rewriting as 2D asks for"
        if why or state is None or shape is None:
            return build.refuse(layer, str(why))
        return _on_one_column(layer, build, shape, state)


class ConvLSTM3D(_ConvLSTM):
    name = "ConvLSTM3D"
    rank = 3

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        return build.refuse(layer, "TF.js has no convolutional LSTM over volumes")


class _Cell(recurrent_graph.Cell):
    """A step of a convolutional LSTM, channels last; that over lines works on images of one row."""

    count = 2

    def __init__(self, build: Lowering) -> None:
        super().__init__(build)
        self._owner = build
        self._rank = len(build.config["kernel_size"])
        self._kernel = kernel_of(build, "kernel", self._rank)
        self._recurrent = kernel_of(build, "recurrent_kernel", self._rank)
        self._bias = build.weight("bias") if build.config.get("use_bias", True) else None

    def enter(self, build: Lowering, value: Value) -> Value:
        if is_first(build.config):
            axes = list(range(build.rank(value)))
            place = len(axes) - 1 - self._rank
            value = order_axes(build, value, [*axes[:place], *axes[place + 1 :], place])
        if self._rank == 1:
            return build.op("ExpandDims", value, np.array(build.rank(value) - 2, np.int32))
        return value

    def leave(self, build: Lowering, value: Value) -> Value:
        if self._rank == 1:
            value = build.op("Squeeze", value, attrs={"squeeze_dims": [build.rank(value) - 3]})
        if not is_first(build.config):
            return value
        axes = list(range(build.rank(value)))
        place = len(axes) - 1 - self._rank
        return order_axes(build, value, [*axes[:place], axes[-1], *axes[place:-1]])

    def project(self, build: Lowering, x: Value) -> list[Value]:
        sizes = [build.size(x, axis) for axis in range(2, build.rank(x))]
        result = convolved(self._owner, build.reshaped(x, [-1, *sizes]), self._kernel)
        if self._bias is not None:
            result = build.op("BiasAdd", result, self._bias)
        inner = [build.size(result, axis) for axis in range(1, build.rank(result))]
        return [build.reshaped(result, [*recurrent_graph.leading(build, x), *inner])]

    def step(self, build: Lowering, parts: Sequence[Value], states: Sequence[Value]) -> list[Value]:
        rank = build.rank(states[0])
        attrs = {"strides": [1] * rank, "padding": b"SAME"}
        op = "Conv3D" if rank == 5 else "Conv2D"
        total = build.op("AddV2", parts[0], build.op(op, states[0], self._recurrent, attrs=attrs))
        return recurrent_graph.remembered(build, total, states[1], self._gate, self._activation)

    def sizes(self, build: Lowering, parts: Sequence[Value]) -> list[list[int | Value]]:
        space = [build.size(parts[0], axis) for axis in range(2, build.rank(parts[0]) - 1)]
        return [[*space, build.config["filters"]]] * self.count


def _obstacle(layer: Layer, build: Builder) -> str | None:
    if recurrent.has_initial_state(layer, build):
        return "it is called with an initial state, with which TF.js cannot load a ConvLSTM2D"
    return recurrent.obstacle(layer, build)


def _on_one_column(layer: Layer, build: Builder, shape: Shape, state: Space) -> Apply:
    first, config = is_first(layer.config), layer.config
    sizes = [size or -1 for size in shape[1:]]
    column = [*sizes, 1] if first else [*sizes[:-1], 1, sizes[-1]]
    before = build.apply(reshape(build, column, suffix="column"), 1)
    changes, weights = gates.for_tfjs(layer, build)
    changes |= {key: [*config[key], 1] for key in _WINDOWS}
    kept = build.keep(
        layer,
        {**_CHANGES, **changes},
        class_name="ConvLSTM2D",
        weights=[_with_width(weight) for weight in weights],
    )
    build.note(layer, "ConvLSTM1D as ConvLSTM2D on one column")
    inner = [size or -1 for size in state.inner()]
    steps = [shape[1] or -1] if config.get("return_sequences") else []
    after = build.apply(reshape(build, [*steps, *inner], suffix="line"), 1)
    leave = build.apply(reshape(build, inner, suffix="state_line"), 1)

    def call(tensors: list[TensorRef]) -> list[TensorRef]:
        output, *states = kept(before(tensors[:1]))
        return [*after([output]), *(leave([ref])[0] for ref in states)]

    return call


def _with_width(weight: Weight) -> Weight:
    if weight.name == "bias":
        return weight
    length, *rest = weight.tensor.shape
    return kernels.reshaped(weight, (length, 1, *rest))
