"""What lists and arrays of tensors hold, as far as it is known before a graph runs.

Lists of TF 2 (`TensorList...`) are values: each operation gives a new one. Of arrays of TF1
(`TensorArray...V3`) the same holds for their flow, which every operation takes and gives.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tfjs.ir.graph import Node, Shape, Value
from tfjs.ops.base import constant_array
from tfjs.ops.build import Builder

# A list beyond this is data, not what an unrolled loop makes.
MOST_ITEMS = 1 << 12
# Zeros for a slot that nothing was written to are a constant up to this many elements.
_MOST_ZEROS = 1 << 16


@dataclass(frozen=True)
class Items:
    """The items of a list at one point of the graph.

    Attributes:
        values: each item; None where nothing was written.
        dtype: the dtype of all.
        shape: the shape of each, as far as the list tells.
        whole: the tensor that the items are the rows of, where they are.
    """

    values: tuple[Value | None, ...]
    dtype: str
    shape: Shape = None
    whole: Value | None = None

    def with_item(self, index: int, value: Value) -> Items:
        """With another item in one place; raises IndexError where there is no such place."""
        if not 0 <= index < len(self.values):
            raise IndexError(index)
        values = (*self.values[:index], value, *self.values[index + 1 :])
        return replace(self, values=values, whole=None)

    def resized(self, size: int) -> Items:
        """With fewer items, or more to be written."""
        kept = self.values[:size]
        return replace(self, values=kept + (None,) * (size - len(kept)), whole=None)


def item(build: Builder, items: Items, index: int, shape: Shape = None) -> Value | None:
    """The item of an index, zeros where none was written; None where their shape is not known."""
    if not 0 <= index < len(items.values):
        return None
    found = items.values[index]
    if found is not None:
        return found
    written = [value for value in items.values if value is not None]
    known = items.shape
    for other in (shape, *(value.shape for value in written)):
        known = merged(known, other)
    if known is not None and None not in known and items.dtype not in ("string", "variant"):
        sizes = [size for size in known if size is not None]
        if math.prod(sizes) > _MOST_ZEROS:
            return None
        dtype = "float32" if items.dtype == "bfloat16" else items.dtype
        return build.constant(np.zeros(sizes, dtype))
    if written and items.dtype not in ("string", "variant"):
        return build.op("ZerosLike", written[0], attrs={"T": items.dtype})
    return None


def stacked(build: Builder, items: Items, indices: Sequence[int], shape: Shape) -> Value | None:
    """Some items on a new first axis; None where that is not known."""
    everything = list(indices) == list(range(len(items.values)))
    if everything and items.whole is not None:
        return items.whole
    if not indices:
        known = merged(items.shape, shape)
        if known is None or None in known or items.dtype in ("string", "variant"):
            return None
        return build.constant(np.zeros((0, *known), items.dtype))
    found = filled(build, items, shape, indices)
    if found is None:
        return None
    attrs = {"N": len(found), "T": items.dtype, "axis": 0}
    return build.op("Pack", *found, attrs=attrs)


def filled(
    build: Builder, items: Items, shape: Shape, indices: Sequence[int] | None = None
) -> list[Value] | None:
    """Some items, or all, with zeros where nothing was written; None where that is not known."""
    chosen = range(len(items.values)) if indices is None else indices
    values = [item(build, items, index, shape) for index in chosen]
    found = [value for value in values if value is not None]
    return found if len(found) == len(values) else None


def joined(build: Builder, dtype: str, values: Sequence[Value]) -> Value:
    """Values one behind the other on their first axis."""
    if len(values) == 1:
        return values[0]
    attrs = {"N": len(values), "T": dtype, "Tidx": "int32"}
    return build.op("ConcatV2", *values, np.array(0, np.int32), attrs=attrs)


def lengths(build: Builder, values: Sequence[Value]) -> Value | None:
    """The size of each value's first axis; None where that is not known."""
    sizes = [value.shape[0] if value.shape else None for value in values]
    if any(size is None for size in sizes):
        return None
    return build.constant(np.array(sizes, np.int64))


def rows(build: Builder, tensor: Value, count: int, shape: Shape) -> Items:
    """A tensor taken apart along its first axis."""
    if count == 0:
        return Items((), tensor.dtype or "float32", shape, tensor)
    attrs = {"num": count, "T": tensor.dtype, "axis": 0}
    values = build.ops("Unpack", tensor, attrs=attrs)
    return Items(tuple(values), tensor.dtype or "float32", shape, tensor)


def parts(build: Builder, tensor: Value, sizes: Sequence[int], shape: Shape) -> Items:
    """A tensor cut along its first axis into pieces of some sizes."""
    dtype = tensor.dtype or "float32"
    attrs = {"num_split": len(sizes), "T": dtype, "Tlen": "int32"}
    cuts = np.array(sizes, np.int32)
    pieces = build.ops("SplitV", tensor, cuts, np.array(0, np.int32), attrs=attrs)
    return Items(tuple(pieces), dtype, shape)


def first_size(value: Value) -> int | None:
    """The size of a value's first axis where it is known and small enough for items."""
    size = value.shape[0] if value.shape else None
    return size if size is not None and size <= MOST_ITEMS else None


def number(value: Value) -> int | None:
    """What a constant scalar is."""
    array = constant_array(value)
    return int(array.reshape(-1)[0]) if array is not None and array.size == 1 else None


def numbers(value: Value) -> list[int] | None:
    """What a constant vector of indices or sizes holds."""
    array = constant_array(value)
    if array is None or array.ndim != 1 or array.size > MOST_ITEMS:
        return None
    return [int(entry) for entry in array]


def element_shape(node: Node, index: int) -> Shape:
    """The shape that an input of a list operation tells: -1 is free, a scalar is any rank."""
    array = constant_array(node.inputs[index]) if index < len(node.inputs) else None
    if array is None or array.ndim != 1:
        return None
    return tuple(None if size < 0 else int(size) for size in array)


def merged(one: Shape, other: Shape) -> Shape:
    """What two statements about a shape say together; the first where they contradict."""
    if one is None:
        return other
    if other is None or len(other) != len(one):
        return one
    return tuple(a if a is not None else b for a, b in zip(one, other, strict=True))
