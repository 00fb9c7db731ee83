"""What is known of sizes that a graph computes, and small helps for the inference of shapes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tfjs.ir.graph import Node, Shape, Value, constant_of
from tfjs.ops.base import constant_input

# Longer vectors are no shapes: TensorFlow's tensors have at most 254 axes.
MOST_AXES = 254
# How far, and over how many values, one question looks back.
_MOST_DEPTH = 24
_MOST_VALUES = 256

Sizes = tuple[int | None, ...]


# Shapes ------------------------------------------------------------------------------------------


def free(rank: int) -> Sizes:
    """A shape of which only the rank is known.

    Raises:
        ValueError: there is no tensor of such a rank.
    """
    if not 0 <= rank <= MOST_AXES:
        raise ValueError(f"there are no tensors of rank {rank}")
    return (None,) * rank


def with_rank(shape: Shape, rank: int) -> Sizes:
    """The shape, which must have a rank; free sizes where nothing is known.

    Raises:
        ValueError: the rank is another.
    """
    if shape is None:
        return free(rank)
    if len(shape) != rank:
        raise ValueError(f"shape {list(shape)} should have rank {rank}")
    return shape


def at_least(shape: Shape, rank: int) -> Shape:
    """The shape, which must have some rank or more; raises ValueError where it has less."""
    if shape is not None and len(shape) < rank:
        raise ValueError(f"shape {list(shape)} should have rank {rank} or more")
    return shape


def axis_in(axis: int, rank: int) -> int:
    """An axis counted from the front; raises ValueError where it lies outside."""
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} lies outside of rank {rank}")
    return axis % rank


def same_size(first: int | None, second: int | None) -> int | None:
    """A size told twice; raises ValueError where the two differ."""
    if first is not None and second is not None and first != second:
        raise ValueError(f"sizes {first} and {second} should be equal")
    return second if first is None else first


def same_shape(first: Shape, second: Shape) -> Shape:
    """A shape told twice; raises ValueError where the two differ."""
    if first is None or second is None:
        return second if first is None else first
    if len(first) != len(second):
        raise ValueError(f"shapes {list(first)} and {list(second)} should be equal")
    return tuple(map(same_size, first, second))


def common_shape(shapes: Sequence[Shape]) -> Shape:
    """What is known of a value that has one of several shapes."""
    if not shapes or any(shape is None for shape in shapes):
        return None
    known = [shape for shape in shapes if shape is not None]
    if len({len(shape) for shape in known}) > 1:
        return None
    return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*known, strict=True))


def product(sizes: Sequence[int | None]) -> int | None:
    """How many elements sizes make; None where one is free (and no other is 0)."""
    result: int | None = 1
    for size in sizes:
        if size == 0:
            return 0
        result = None if result is None or size is None else result * size
    return result


def times(first: int | None, second: int | None) -> int | None:
    """The product of two sizes; None where one is free."""
    return None if first is None or second is None else first * second


def plus(first: int | None, second: int | None) -> int | None:
    """The sum of two sizes; None where one is free."""
    return None if first is None or second is None else first + second


# Inputs that hold numbers ------------------------------------------------------------------------


def scalar_input(node: Node, index: int) -> int | None:
    """The number of an input that is one constant integer; None where it is not known.

    Raises:
        ValueError: it is a constant, but no integer or not one.
    """
    array = constant_input(node, index)
    if array is None:
        return partial_scalar(node.inputs[index]) if index < len(node.inputs) else None
    if array.size != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"input {index} should be one integer")
    return int(array.reshape(())[()])


def sizes_input(node: Node, index: int) -> Shape:
    """The shape that an input asks for, as far as it is known.

    Raises:
        ValueError: it holds a negative size.
    """
    sizes = partial_shape(node.inputs[index])
    if sizes is not None and any(size is not None and size < 0 for size in sizes):
        raise ValueError(f"shape {list(sizes)} has a negative size")
    return sizes


def asked_shape(node: Node, index: int) -> Shape:
    """The shape that an input asks for, in which a negative number stands for any size.

    A scalar stands for any shape.
    """
    sizes = partial_shape(node.inputs[index])
    if sizes is None:
        return None
    return tuple(None if size is None or size < 0 else size for size in sizes)


def partial_shape(value: Value) -> Sizes | None:
    """The numbers of a vector of integers, as far as they are known before anything runs.

    Follows constants, and what is picked from, joined to and computed of the shapes of other
    values.

    Returns:
        One entry an element, None for one that is not known; None where not even the number of
        elements is known, or the value is no vector.
    """
    known = _Look().at(value, _MOST_DEPTH)
    return None if known is None or known.scalar else known.items


def partial_scalar(value: Value) -> int | None:
    """The number of a scalar integer, where it is known before anything runs; see above."""
    known = _Look().at(value, _MOST_DEPTH)
    return known.items[0] if known is not None and known.scalar else None


class _Known(NamedTuple):
    """The elements of a vector, or the one of a scalar."""

    items: Sizes
    scalar: bool = False


def _single(item: int | None) -> _Known:
    return _Known((item,), scalar=True)


_ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "Add": operator.add,
    "AddV2": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "FloorDiv": operator.floordiv,
    "FloorMod": operator.mod,
    "Maximum": max,
    "Minimum": min,
}
_REDUCTIONS: dict[str, Callable[[Sequence[int]], int]] = {
    "Prod": lambda items: int(np.prod(np.array(items, object))),
    "Sum": sum,
    "Max": max,
    "Min": min,
}
_PASSING = frozenset(
    {"Identity", "StopGradient", "PreventGradient", "Snapshot", "EnsureShape", "GuaranteeConst"}
)
_RANGES = {"int32": range(-(1 << 31), 1 << 31), "int64": range(-(1 << 63), 1 << 63)}


class _Look:
    """One look back from a value; bounded in depth and in the number of values."""

    def __init__(self) -> None:
        self.seen: dict[Value, _Known | None] = {}

    def at(self, value: Value, depth: int) -> _Known | None:
        if value in self.seen:
            return self.seen[value]
        if not depth or len(self.seen) >= _MOST_VALUES:
            return _of_shape(value)
        self.seen[value] = None
        found = self._found(value, depth - 1)
        if found is None or len(found.items) > MOST_AXES or not _fits(found, value.dtype):
            found = _of_shape(value)
        self.seen[value] = found
        return found

    def _found(self, value: Value, depth: int) -> _Known | None:
        node = value.node
        if node.op in ("Const", "Shape", "ShapeN", "Size", "Rank"):
            return _of_leaf(value)
        if node.op in ("Pack", "ConcatV2", "Concat"):
            return self._joined(node, depth)
        if node.op in ("StridedSlice", "Slice", "GatherV2", "Gather", "Unpack"):
            known = self.at(node.inputs[0], depth)
            if known is None or known.scalar:
                return None
            return _picked(value, known)
        if node.op in _ARITHMETIC:
            return self._computed(node, depth)
        if node.op in _REDUCTIONS:
            return self._reduced(value, depth)
        if node.op == "Fill":
            dims, item = self.at(node.inputs[0], depth), self.at(node.inputs[1], depth)
            return _filled(dims, item)
        return self._reshaped(value, depth)

    def _reshaped(self, value: Value, depth: int) -> _Known | None:
        node = value.node
        if node.op in _PASSING or node.op == "Cast":
            return self.at(node.inputs[0], depth)
        if node.op in ("ExpandDims", "Squeeze", "Reshape"):
            known = self.at(node.inputs[0], depth)
            if known is None or value.shape is None or len(value.shape) > 1:
                return None
            if not value.shape:
                return _single(known.items[0]) if len(known.items) == 1 else None
            return _Known(known.items)
        return None

    def _joined(self, node: Node, depth: int) -> _Known | None:
        parts = node.inputs
        if node.op == "Concat":
            parts = parts[1:]
        elif node.op == "ConcatV2":
            parts = parts[:-1]
        if len(parts) > MOST_AXES:
            return None
        known = [self.at(part, depth) for part in parts]
        if node.op == "Pack":
            # One scalar among them tells that all are.
            if not any(part is not None and part.scalar for part in known):
                return None
            return _Known(tuple(part.items[0] if part else None for part in known))
        if any(part is None or part.scalar for part in known):
            return None
        return _Known(tuple(item for part in known if part for item in part.items))

    def _computed(self, node: Node, depth: int) -> _Known | None:
        first, second = (self.at(value, depth) for value in node.inputs)
        if first is None or second is None:
            return None
        count = max(len(first.items), len(second.items))
        if {len(first.items), len(second.items)} - {1, count}:
            return None
        compute = _ARITHMETIC[node.op]
        items: list[int | None] = []
        for index in range(count):
            a = first.items[index % len(first.items)]
            b = second.items[index % len(second.items)]
            divides = node.op in ("FloorDiv", "FloorMod")
            items.append(None if a is None or b is None or (divides and not b) else compute(a, b))
        return _Known(tuple(items), first.scalar and second.scalar)

    def _reduced(self, value: Value, depth: int) -> _Known | None:
        known = self.at(value.node.inputs[0], depth)
        if known is None or known.scalar or value.shape != () or not known.items:
            return None
        items = [item for item in known.items if item is not None]
        if len(items) < len(known.items):
            return None
        return _single(_REDUCTIONS[value.node.op](items))


def _of_shape(value: Value) -> _Known | None:
    """What the shape of a value tells: how many elements there are."""
    if value.shape == ():
        return _single(None)
    if value.shape is None or len(value.shape) > 1:
        return None
    size = value.shape[0]
    return None if size is None or size > MOST_AXES else _Known((None,) * size)


def _fits(known: _Known, dtype: str | None) -> bool:
    # Arithmetic beyond the dtype wraps around, which is not followed here.
    limits = _RANGES.get(dtype or "int32")
    return limits is not None and all(item is None or item in limits for item in known.items)


def _of_leaf(value: Value) -> _Known | None:
    node = value.node
    if node.op == "Const":
        tensor = constant_of(value)
        if tensor is None or tensor.size > MOST_AXES or len(tensor.shape) > 1:
            return None
        array = tensor.array()
        if array.dtype.kind not in "iu":
            return None
        return _Known(tuple(int(item) for item in array.reshape(-1)), scalar=not tensor.shape)
    shape = node.inputs[value.index].shape
    if node.op == "Rank":
        return _single(None if shape is None else len(shape))
    if node.op == "Size":
        return _single(None if shape is None else product(shape))
    return None if shape is None else _Known(shape)


def _picked(value: Value, known: _Known) -> _Known | None:
    node, items = value.node, known.items
    if node.op == "Unpack":
        return _single(items[value.index]) if value.index < len(items) else None
    if node.op in ("GatherV2", "Gather"):
        where = constant_input(node, 1)
        if where is None or where.ndim > 1 or where.dtype.kind not in "iu":
            return None
        places = [int(place) for place in where.reshape(-1)]
        if any(not 0 <= place < len(items) for place in places) or node.attrs.get("batch_dims"):
            return None
        return _Known(tuple(items[place] for place in places), scalar=not where.ndim)
    begin, other = constant_input(node, 1), constant_input(node, 2)
    if begin is None or begin.size != 1 or other is None or other.size != 1:
        return None
    first, second = int(begin.reshape(())), int(other.reshape(()))
    if node.op == "Slice":
        if first < 0:
            return None
        return _Known(items[first:] if second < 0 else items[first : first + second])
    return _strided(node, items, first, second)


def _strided(node: Node, items: Sizes, begin: int, end: int) -> _Known | None:
    stride = constant_input(node, 3)
    masks = {
        key: bool(node.attrs.get(f"{key}_mask", 0) & 1)
        for key in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    if stride is None or stride.size != 1 or not int(stride.reshape(())):
        return None
    if masks["ellipsis"]:
        return _Known(items)
    if masks["new_axis"]:
        return None
    if masks["shrink_axis"]:
        return _single(items[begin]) if -len(items) <= begin < len(items) else None
    step = int(stride.reshape(()))
    return _Known(items[None if masks["begin"] else begin : None if masks["end"] else end : step])


def _filled(dims: _Known | None, item: _Known | None) -> _Known | None:
    if dims is None or dims.scalar or item is None or len(dims.items) > 1:
        return None
    if not dims.items:
        return _single(item.items[0])
    count = dims.items[0]
    if count is None or not 0 <= count <= MOST_AXES:
        return None
    return _Known(item.items[:1] * count)
