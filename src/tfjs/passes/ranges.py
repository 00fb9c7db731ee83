"""Between which numbers the integers of a graph lie, as far as a short look back tells."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.ops.base import constant_array

# How far the walk goes back: what lies behind it is any integer.
_MOST_STEPS = 12
_MOST_NODES = 64
# No size of an axis is told to be above it. Whoever has larger tensors than products of two such
# sizes divides no numbers of elements.
_MOST_IN_SIZE = 1 << 12


class Range(NamedTuple):
    """Integers from `low` to `high`, both among them."""

    low: int
    high: int

    @property
    def most(self) -> int:
        """The largest magnitude."""
        return max(abs(self.low), abs(self.high))


_LIMITS = np.iinfo(np.int32)
_ANY = Range(int(_LIMITS.min), int(_LIMITS.max))
# What hands elements of its first input on, as they are.
_PASSING = frozenset(
    {"Identity", "Reshape", "Squeeze", "ExpandDims", "StridedSlice", "Slice", "Transpose"}
    | {"Gather", "GatherV2", "GatherNd", "Tile", "BroadcastTo", "ReverseV2", "SplitV", "Unpack"}
    | {"Max", "Min"}
)
# What hands elements of several inputs on: which.
_JOINING: dict[str, slice] = {
    "Pack": slice(None),
    "Split": slice(1, None),
    "ConcatV2": slice(0, -1),
    "Select": slice(1, None),
    "SelectV2": slice(1, None),
    "Fill": slice(1, None),
    "Range": slice(None),
    "PadV2": slice(0, None, 2),
}
_SIZES = frozenset({"Shape", "ShapeN", "Size", "Rank", "ArgMax", "ArgMin"})


def range_of(value: Value) -> Range:
    """Between which numbers an int32 value lies; any integers where that is not told.

    What is a size, or made of sizes, is taken for less than 4096: a model that counts its own
    elements is no model of large integers.
    """
    return _Look().back(value, _MOST_STEPS)


class _Look:
    """One walk back through a graph."""

    def __init__(self) -> None:
        self._left = _MOST_NODES

    def back(self, value: Value, steps: int) -> Range:
        node = value.node
        self._left -= 1
        if value.dtype == "bool":
            return Range(0, 1)
        if node.op == "Const":
            return _of_constant(value)
        if node.op in _SIZES:
            return Range(0, _MOST_IN_SIZE)
        if steps == 0 or self._left < 0 or value.dtype != "int32":
            return _ANY
        if node.op in _PASSING:
            return self.back(node.inputs[0], steps - 1)
        read = node.inputs[_JOINING[node.op]] if node.op in _JOINING else []
        if read:
            found = [self.back(item, steps - 1) for item in read[:_MOST_NODES]]
            return _hull(*found) if len(found) == len(read) else _ANY
        reckon = _RECKONED.get(node.op)
        if reckon is None:
            return _ANY
        return _fitting(reckon(node, [self.back(item, steps - 1) for item in node.inputs]))


def _of_constant(value: Value) -> Range:
    array = constant_array(value)
    if array is None or array.dtype.kind not in "iu":
        return _ANY
    return Range(int(array.min()), int(array.max())) if array.size else Range(0, 0)


def _hull(*ranges: Range) -> Range:
    return Range(min(item.low for item in ranges), max(item.high for item in ranges))


def _fitting(found: Range) -> Range:
    """What leaves int32 wraps around, to any number."""
    return found if found.low >= _ANY.low and found.high <= _ANY.high else _ANY


def _sum(node: Node, found: list[Range]) -> Range:
    return Range(sum(item.low for item in found), sum(item.high for item in found))


def _difference(node: Node, found: list[Range]) -> Range:
    return Range(found[0].low - found[1].high, found[0].high - found[1].low)


def _product(node: Node, found: list[Range]) -> Range:
    corners = [x * y for x in found[0] for y in found[1]]
    return Range(min(corners), max(corners))


def _cast(node: Node, found: list[Range]) -> Range:
    return found[0] if node.inputs[0].dtype in ("bool", "int32") else _ANY


def _remainder(node: Node, found: list[Range]) -> Range:
    divisor = found[1]
    return Range(min(divisor.low + 1, 0), max(divisor.high - 1, 0))


def _quotient(node: Node, found: list[Range]) -> Range:
    x, y = found
    if y.low <= 0:
        return Range(-x.most, x.most)
    corners = [number // by for number in x for by in y]
    return Range(min(corners), max(corners))


def _size(node: Node, found: list[Range]) -> Range:
    x = found[0]
    return Range(0 if x.low <= 0 <= x.high else min(abs(x.low), abs(x.high)), x.most)


def _total(node: Node, found: list[Range]) -> Range:
    """A sum over axes, at most of all elements."""
    shape = node.inputs[0].shape
    if shape is None or None in shape:
        return _ANY
    count = math.prod(size or 0 for size in shape)
    return Range(min(found[0].low * count, 0), max(found[0].high * count, 0))


_RECKONED: dict[str, Callable[[Node, list[Range]], Range]] = {
    "Add": _sum,
    "AddV2": _sum,
    "AddN": _sum,
    "Sub": _difference,
    "Mul": _product,
    "Minimum": lambda _, found: Range(*map(min, *found)),
    "Maximum": lambda _, found: Range(*map(max, *found)),
    "Cast": _cast,
    "FloorMod": _remainder,
    "FloorDiv": _quotient,
    "Neg": lambda _, found: Range(-found[0].high, -found[0].low),
    "Abs": _size,
    "Sum": _total,
    "Sign": lambda _, found: Range(-1, 1),
    "OneHot": lambda _, found: _hull(*found[2:]),
}
