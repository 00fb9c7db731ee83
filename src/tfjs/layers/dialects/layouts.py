"""How HDF5 files lay out the variables of a layer, where it is not as Keras keeps them today.

Two things differ even between files of the same dialect: the weights of the cuDNN layers, and the
convolution kernels of models trained with Theano, whose convolution turns the kernel around.
Source: tf_keras/src/saving/legacy/hdf5_format.py, keras/engine/saving.py (2.2.4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tfjs.ir.layers_model import Layer
from tfjs.ir.tensor import Array, DerivedTensor, Tensor
from tfjs.layers.base import Shape, Slot

_GATES = {"LSTM": 4, "GRU": 3}
_TURNED_BY_THEANO = {
    "Conv1D": ("kernel",),
    "Conv2D": ("kernel",),
    "Conv3D": ("kernel",),
    "Conv2DTranspose": ("kernel",),
    "ConvLSTM2D": ("kernel", "recurrent_kernel"),
}


@dataclass(frozen=True, slots=True)
class StoredArray:
    """One array of a layer as a file has it.

    Attributes:
        names: what it may be called, the last component only; empty where names tell nothing.
        shapes: it must have one of these; None stands for any size.
        trainable: whether it is among the trainable weights.
    """

    names: tuple[str, ...]
    shapes: tuple[Shape, ...]
    trainable: bool = True

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether an array of that shape can be this one."""
        return any(
            len(expected) == len(shape)
            and all(
                want is None or want == size for want, size in zip(expected, shape, strict=True)
            )
            for expected in self.shapes
        )


@dataclass(frozen=True, slots=True)
class Layout:
    """The arrays of one layer, and the variables that they make.

    Attributes:
        arrays: the arrays in the order of the layer.
        build: gives the variables, in the order of the layer's slots.
    """

    arrays: tuple[StoredArray, ...]
    build: Callable[[list[Tensor]], list[Tensor]]


def plain_layout(layer: Layer, slots: Sequence[Slot], backend: str | None = None) -> Layout:
    """The layout of Keras 2 and 3.

    Args:
        layer: the layer.
        slots: its own variables.
        backend: the backend that Keras ran on when it wrote the file, where told.
    """
    arrays = tuple(_stored(layer, slot) for slot in slots)

    def build(tensors: list[Tensor]) -> list[Tensor]:
        if backend == "theano":
            tensors = turned(layer, slots, tensors)
        return _from_cudnn(layer, tensors)

    return Layout(arrays, build)


def last_component(name: str) -> str:
    """`kernel` of `lstm/lstm_cell/kernel`."""
    return name.rsplit("/", 1)[-1]


def turned(layer: Layer, slots: Sequence[Slot], tensors: list[Tensor]) -> list[Tensor]:
    """Convolution kernels of Theano, turned around in space, as others have them."""
    names = _TURNED_BY_THEANO.get(layer.class_name, ())
    return [
        derived([tensor], tensor.shape, _turn) if slot.name in names else tensor
        for slot, tensor in zip(slots, tensors, strict=True)
    ]


def derived(
    sources: Sequence[Tensor], shape: Sequence[int], compute: Callable[..., Array]
) -> DerivedTensor:
    """A tensor computed from the arrays of others when it is read."""
    dtype = sources[0].dtype
    # Arrays of bfloat16 come widened.
    result = "float32" if dtype == "bfloat16" else dtype
    return DerivedTensor(result, shape, lambda: compute(*(source.array() for source in sources)))


def transposed(tensor: Tensor, axes: Sequence[int]) -> Tensor:
    """A tensor with its axes in another order."""
    shape = [tensor.shape[axis] for axis in axes]
    return derived([tensor], shape, lambda array: np.transpose(array, axes))


def _turn(kernel: Array) -> Array:
    return np.flip(kernel, tuple(range(kernel.ndim - 2)))


def _stored(layer: Layer, slot: Slot) -> StoredArray:
    names = (last_component(slot.name), last_component(slot.legacy_name))
    shapes = [slot.shape]
    units = layer.config.get("units")
    if layer.class_name in _GATES and slot.name == "bias" and isinstance(units, int):
        shapes.append((2 * _GATES[layer.class_name] * units,))
    return StoredArray(tuple(dict.fromkeys(names)), tuple(shapes), slot.trainable)


def _from_cudnn(layer: Layer, tensors: list[Tensor]) -> list[Tensor]:
    """What CuDNNLSTM and CuDNNGRU have as LSTM and GRU have it; told by the shape of the bias."""
    gates = _GATES.get(layer.class_name, 0)
    if not gates or len(tensors) != 3:
        return tensors
    kernel, recurrent, bias = tensors
    units = recurrent.shape[0]
    if bias.shape != (2 * gates * units,):
        return tensors

    def from_columns(array: Array) -> Array:
        # cuDNN keeps the matrix of each gate with the other axis first, in the same memory.
        parts = np.split(array, gates, axis=-1)
        return np.concatenate([part.reshape(part.shape[::-1]).T for part in parts], axis=-1)

    def transpose_gates(array: Array) -> Array:
        return np.concatenate([part.T for part in np.split(array, gates, axis=-1)], axis=-1)

    if layer.class_name == "LSTM":
        shape: tuple[int, ...] = (gates * units,)
        biases = derived([bias], shape, lambda array: array.reshape(2, -1).sum(axis=0))
    else:
        shape = (2, gates * units)
        biases = derived([bias], shape, lambda array: array.reshape(shape))
    return [
        derived([kernel], kernel.shape, from_columns),
        derived([recurrent], recurrent.shape, transpose_gates),
        biases,
    ]
