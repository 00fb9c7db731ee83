"""Arrays of tensors of TF1, which change in place; their flow only orders what is done to them.

Source: tensorflow/core/kernels/tensor_array.{h,cc}; what TF.js does otherwise: tfjs-converter 4.22,
executor/tensor_array.ts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.passing import attr_shape
from tfjs.runtime.lists import MOST_ITEMS, pieces, rows
from tfjs.runtime.values import (
    Handle,
    Kernel,
    dtype_of,
    known,
    merged,
    must_know,
    number,
    numbers,
    shown,
    zeros,
)

_FLOW = np.zeros((), np.float32)
_FLOW.flags.writeable = False
_READ: Any = object()


class TensorArray(Handle):
    """An array of tensors.

    Args:
        size: how many items it has; with `dynamic` it grows.
        dtype: the dtype of all items.
        shape: the shape of each, as far as it is known.
        dynamic: whether writing behind its end makes it longer.
        once: whether an item can be read once only.
        as_tfjs: whether its length is that of what was written, as TF.js has it.
    """

    __slots__ = ("as_tfjs", "dtype", "dynamic", "items", "once", "shape", "size", "written")

    def __init__(
        self, size: int, dtype: str, shape: Shape, *, dynamic: bool, once: bool, as_tfjs: bool
    ) -> None:
        if not 0 <= size <= MOST_ITEMS:
            raise ValueError(f"an array of {size} items")
        self.size = size
        self.dtype = dtype
        self.shape = shape
        self.dynamic = dynamic
        self.once = once
        self.as_tfjs = as_tfjs
        self.items: dict[int, Any] = {}
        self.written = 0

    def __len__(self) -> int:
        return self.written if self.as_tfjs else self.size

    def read(self, index: int) -> Array:
        """An item; raises ValueError where there is none, or where it was read before."""
        if not 0 <= index < len(self):
            raise ValueError(f"item {index} of an array of {len(self)}")
        item = self.items.get(index)
        if item is _READ:
            raise ValueError(f"item {index} was read before, which has cleared it")
        if item is None:
            shape = None if self.as_tfjs else known(self.shape)
            if shape is None:
                raise ValueError(f"item {index} was never written")
            item = zeros(shape, self.dtype)
        if self.once:
            self.items[index] = _READ
        return np.asarray(item)

    def write(self, index: int, item: Array) -> None:
        """Write an item; raises ValueError where there is no place, or an item already."""
        if not 0 <= index < (MOST_ITEMS if self.dynamic else self.size):
            raise ValueError(f"item {index} of an array of {self.size}")
        if index in self.items:
            raise ValueError(f"item {index} was written or read before")
        if self.as_tfjs:
            if dtype_of(item) != self.dtype:
                raise ValueError(f"a {dtype_of(item)} is written to an array of {self.dtype}")
            if not self.items and not self.shape:
                self.shape = item.shape
        merged(self.shape, item.shape)
        self.items[index] = item
        self.written = max(self.written, index + 1)
        self.size = max(self.size, self.written)


def array_kernels(*, as_tfjs: bool) -> dict[str, Kernel]:
    """What operations on arrays compute."""

    def make(attrs: Attrs, size: Array) -> tuple[TensorArray, Array]:
        made = TensorArray(
            number(size),
            attrs["dtype"],
            attr_shape(attrs, "element_shape"),
            dynamic=bool(attrs.get("dynamic_size", False)),
            once=bool(attrs.get("clear_after_read", True)),
            as_tfjs=as_tfjs,
        )
        return made, _FLOW

    return {
        "TensorArrayV3": make,
        "TensorArrayCloseV3": _close,
        "TensorArrayConcatV3": _concat,
        "TensorArrayGatherV3": _gather_tfjs if as_tfjs else _gather,
        "TensorArrayReadV3": _read,
        "TensorArrayScatterV3": _scatter,
        "TensorArraySizeV3": _size,
        "TensorArraySplitV3": _split_tfjs if as_tfjs else _split,
        "TensorArrayWriteV3": _write,
    }


def _read(attrs: Attrs, array: TensorArray, index: Array, flow: Array) -> Array:
    return array.read(number(index))


def _write(attrs: Attrs, array: TensorArray, index: Array, item: Array, flow: Array) -> Array:
    array.write(number(index), item)
    return _FLOW


def _size(attrs: Attrs, array: TensorArray, flow: Array) -> Array:
    return np.array(len(array), np.int32)


def _close(attrs: Attrs, array: TensorArray) -> tuple[Any, ...]:
    array.items.clear()
    return ()


def _gather(attrs: Attrs, array: TensorArray, indices: Array, flow: Array) -> Array:
    return _stacked(array, numbers(indices), attr_shape(attrs, "element_shape"))


def _gather_tfjs(attrs: Attrs, array: TensorArray, indices: Array, flow: Array) -> Array:
    """No more items than the array has; of none it makes float32."""
    places = numbers(indices)[: len(array)]
    if not places:
        return np.zeros((0, *must_know(array.shape)), np.float32)
    return _stacked(array, places, None)


def _stacked(array: TensorArray, places: list[int], told: Shape) -> Array:
    shape = merged(array.shape, told)
    if not places:
        return zeros((0, *must_know(shape)), array.dtype)
    return np.stack([array.read(place) for place in places])


def _concat(attrs: Attrs, array: TensorArray, flow: Array) -> tuple[Array, Array]:
    found = [array.read(place) for place in range(len(array))]
    if any(item.ndim < 1 for item in found):
        raise ValueError("items that are scalars have no rows to put together")
    lengths = np.array([len(item) for item in found], np.int64)
    if not found:
        rest = attr_shape(attrs, "element_shape_except0")
        return zeros((0, *must_know(rest)), array.dtype), lengths
    return np.concatenate(found), lengths


def _scatter(attrs: Attrs, array: TensorArray, indices: Array, tensor: Array, flow: Array) -> Array:
    places = numbers(indices)
    if tensor.ndim < 1 or len(places) != len(tensor):
        raise ValueError(f"{len(places)} places for a tensor of shape {shown(tensor.shape)}")
    for place, item in zip(places, rows(tensor), strict=True):
        array.write(place, item)
    return _FLOW


def _split(attrs: Attrs, array: TensorArray, tensor: Array, lengths: Array, flow: Array) -> Array:
    for place, item in enumerate(pieces(tensor, numbers(lengths))):
        array.write(place, item)
    return _FLOW


def _split_tfjs(
    attrs: Attrs, array: TensorArray, tensor: Array, lengths: Array, flow: Array
) -> Array:
    """Each piece takes the shape that the array tells."""
    if array.shape is None:
        raise ValueError("TF.js needs to know the shape of the items")
    shape = [-1 if size is None else size for size in array.shape]
    for place, item in enumerate(pieces(tensor, numbers(lengths))):
        array.write(place, item.reshape(shape))
    return _FLOW
