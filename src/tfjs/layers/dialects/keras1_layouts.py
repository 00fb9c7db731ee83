"""Keras 1 (1.0 to 1.2): the arrays that its files have for each layer.

Gates of RNNs are arrays of their own, one-dimensional convolutions have a second axis of size 1,
and kernels in Theano's order have the filters first.
Facts: `build` of keras/layers/*.py of the tags 1.0.0 to 1.2.2, and what
`preprocess_weights_for_loading` of keras/engine/saving.py (2.2.4) does with each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tfjs.ir.layers_model import Layer
from tfjs.ir.tensor import Array, Tensor
from tfjs.layers.base import Shape, Slot
from tfjs.layers.dialects.layouts import Layout, StoredArray, derived, transposed, turned

# The order in which Keras 1 has the gates, and where Keras 2 puts them.
_GATES = {"LSTM": "icfo", "ConvLSTM2D": "icfo", "GRU": "zrh"}
_ORDER = {"LSTM": (0, 2, 1, 3), "ConvLSTM2D": (0, 2, 1, 3), "GRU": (0, 1, 2)}
_ONE_MATRIX = 2  # Keras 2's `implementation` for Keras 1's consume_less="gpu"

_Build = Callable[[list[Tensor]], list[Tensor]]


def layout(layer: Layer, slots: Sequence[Slot], backend: str | None = None) -> Layout:
    """The arrays of a layer in a file of Keras 1, and how they make the variables of today.

    Args:
        layer: the layer, its configuration brought into the normal form.
        slots: its own variables.
        backend: the backend that Keras ran on when it wrote the file, where told.
    """
    arrays, build = _layout(layer, slots)

    def build_all(tensors: list[Tensor]) -> list[Tensor]:
        variables = build(tensors)
        return turned(layer, slots, variables) if backend == "theano" else variables

    return Layout(tuple(arrays), build_all)


def _layout(layer: Layer, slots: Sequence[Slot]) -> tuple[list[StoredArray], _Build]:
    name = layer.class_name
    if name == "ConvLSTM2D" or (
        name in _GATES and layer.config.get("implementation") != _ONE_MATRIX
    ):
        return _gates(layer, slots)
    arrays = [StoredArray((), (slot.shape,), slot.trainable) for slot in slots]
    axes = _kernel_axes(layer)
    if name == "Conv1D":
        return [_conv1d(slots[0]), *arrays[1:]], _build_conv1d(slots[0])
    if axes is None:
        return arrays, _as_they_are
    count = 2 if name == "SeparableConv2D" else 1
    for index in range(count):
        shape = slots[index].shape
        arrays[index] = StoredArray((), (_before(shape, axes),), slots[index].trainable)

    def build(tensors: list[Tensor]) -> list[Tensor]:
        kernels = [transposed(tensor, axes) for tensor in tensors[:count]]
        return [*kernels, *tensors[count:]]

    return arrays, build


def _as_they_are(tensors: list[Tensor]) -> list[Tensor]:
    return tensors


def _kernel_axes(layer: Layer) -> tuple[int, ...] | None:
    """The transposition from Keras 1's kernel to Keras 2's; None where they are alike."""
    first = layer.config.get("data_format") == "channels_first"
    if layer.class_name == "Conv2DTranspose":
        return (2, 3, 0, 1) if first else (0, 1, 3, 2)
    if first and layer.class_name in ("Conv2D", "SeparableConv2D"):
        return (2, 3, 1, 0)
    if first and layer.class_name == "Conv3D":
        return (2, 3, 4, 1, 0)
    return None


def _before(shape: Shape, axes: Sequence[int]) -> Shape:
    """The shape that has become `shape` by a transposition."""
    result: list[int | None] = [None] * len(axes)
    for size, axis in zip(shape, axes, strict=True):
        result[axis] = size
    return tuple(result)


def _conv1d(slot: Slot) -> StoredArray:
    length, size, filters = slot.shape
    # Releases before 1.2 have the filters first.
    shapes = ((length, 1, size, filters), (filters, size, length, 1))
    return StoredArray((), shapes, slot.trainable)


def _build_conv1d(slot: Slot) -> _Build:
    def build(tensors: list[Tensor]) -> list[Tensor]:
        kernel = tensors[0]
        length, _, filters = slot.shape
        shape = kernel.shape
        if shape[:2] != (length, 1) or shape[3] != filters:
            kernel = transposed(kernel, (2, 3, 1, 0))
        squeezed = (kernel.shape[0], *kernel.shape[2:])
        return [derived([kernel], squeezed, lambda array: array[:, 0]), *tensors[1:]]

    return build


def _gates(layer: Layer, slots: Sequence[Slot]) -> tuple[list[StoredArray], _Build]:
    """An array for each gate: kernel, recurrent kernel and bias of the first, then the next."""
    name = layer.class_name
    count = len(_GATES[name])
    axes = (
        (2, 3, 1, 0)
        if name == "ConvLSTM2D" and layer.config.get("data_format") == "channels_first"
        else None
    )
    one_gate = []
    for slot in slots:
        last = slot.shape[-1]
        shape: Shape = (*slot.shape[:-1], None if last is None else last // count)
        if axes is not None and len(shape) == len(axes):
            shape = _before(shape, axes)
        one_gate.append(StoredArray((), (shape,), slot.trainable))

    def build(tensors: list[Tensor]) -> list[Tensor]:
        variables = []
        for position in range(len(slots)):
            gates = tensors[position :: len(slots)]
            if axes is not None and len(gates[0].shape) == len(axes):
                gates = [transposed(gate, axes) for gate in gates]
            variables.append(_joined([gates[index] for index in _ORDER[name]]))
        return variables

    return one_gate * count, build


def _joined(gates: list[Tensor]) -> Tensor:
    shape = (*gates[0].shape[:-1], sum(gate.shape[-1] for gate in gates))

    def join(*arrays: Array) -> Array:
        return np.concatenate(arrays, axis=-1)

    return derived(gates, shape, join)
