"""Parts that are taken, put together, padded and repeated, where nothing changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfjs.ir.graph import Node, Shape, Value
from tfjs.ir.tensor import Array
from tfjs.ops.base import MOST_IN_AXIS
from tfjs.ops.slicing import Axis, slice_plan
from tfjs.passes.optimize.engine import Match, Rules
from tfjs.passes.optimize.tidy_noops import adds_no_size

RULES = Rules()

# More parts are not put together in one step, so that a chain of steps costs no square of them.
_MOST_PARTS = 64


# Put together ------------------------------------------------------------------------------------


@RULES.rule("tidy/concat", "ConcatV2")
def concat(node: Node, match: Match) -> Sequence[Value] | None:
    """One part, the parts that something was split into, and parts put together before."""
    parts, axis = node.inputs[:-1], _number(node.inputs[-1])
    if len(parts) == 1:
        return [parts[0]]
    if axis is None:
        return None
    whole = _split_whole(parts, axis)
    if whole is not None:
        return [whole]
    flat: list[Value] = []
    for part in parts:
        inner = match.inner(part, "ConcatV2")
        told = None if inner is None else _number(inner.inputs[-1])
        if inner is None or told is None or not _is_same_axis(told, axis, part.shape):
            flat.append(part)
        else:
            flat += inner.inputs[:-1]
    if len(flat) == len(parts) or len(flat) > _MOST_PARTS:
        return None
    attrs = {**node.attrs, "N": len(flat)}
    return [match.op("ConcatV2", *flat, node.inputs[-1], attrs=attrs)]


def _split_whole(parts: Sequence[Value], axis: int) -> Value | None:
    """What was split along an axis into just these parts."""
    split = parts[0].node
    if split.op not in ("Split", "SplitV") or list(parts) != split.outputs:
        return None
    whole, told = split.inputs[1 if split.op == "Split" else 0], _split_axis(split)
    return whole if told is not None and _is_same_axis(told, axis, whole.shape) else None


def _split_axis(split: Node) -> int | None:
    return _number(split.inputs[0 if split.op == "Split" else 2])


@RULES.rule("tidy/split", "Split", "SplitV")
def split(node: Node, match: Match) -> Sequence[Value] | None:
    """Into one part, and into the parts that it was put together of."""
    whole = node.inputs[1 if node.op == "Split" else 0]
    if len(node.outputs) == 1:
        return [whole]
    joined, axis = match.maker(whole, "ConcatV2"), _split_axis(node)
    if joined is None or axis is None or whole.shape is None:
        return None
    told, parts = _number(joined.inputs[-1]), joined.inputs[:-1]
    if (
        told is None
        or not _is_same_axis(told, axis, whole.shape)
        or len(parts) != len(node.outputs)
    ):
        return None
    at = axis % len(whole.shape)
    for part, output in zip(parts, node.outputs, strict=True):
        if part.shape is None or output.shape is None or part.shape[at] is None:
            return None
        if part.shape[at] != output.shape[at]:
            return None
    return parts


@RULES.rule("tidy/pack", "Pack")
def pack(node: Node, match: Match) -> Sequence[Value] | None:
    """What was taken apart."""
    apart = node.inputs[0].node if node.inputs else None
    if apart is None or apart.op != "Unpack" or node.inputs != apart.outputs:
        return None
    whole = apart.inputs[0]
    return [whole] if _is_same_axis(_axis(apart), _axis(node), whole.shape) else None


@RULES.rule("tidy/unpack", "Unpack")
def unpack(node: Node, match: Match) -> Sequence[Value] | None:
    """What was put together."""
    joined = match.maker(node.inputs[0], "Pack")
    if joined is None or len(joined.inputs) != len(node.outputs):
        return None
    shape = node.inputs[0].shape
    return joined.inputs if _is_same_axis(_axis(joined), _axis(node), shape) else None


def _axis(node: Node) -> int:
    return int(node.attrs.get("axis", 0))


def _is_same_axis(first: int, second: int, shape: Shape) -> bool:
    if first == second:
        return True
    return bool(shape) and shape is not None and first % len(shape) == second % len(shape)


def _number(value: Value) -> int | None:
    """The one number of a constant."""
    numbers = Match.numbers(value)
    return int(numbers.reshape(-1)[0]) if numbers is not None and numbers.size == 1 else None


# Padded ------------------------------------------------------------------------------------------


@RULES.rule("tidy/pad", "Pad", "PadV2", "MirrorPad")
def pad(node: Node, match: Match) -> Sequence[Value] | None:
    """Paddings of no elements, and two with the same number."""
    value, sizes = node.inputs[0], integers(node.inputs[1])
    if sizes is None or sizes.ndim != 2:
        return None
    if not sizes.any():
        return [value]
    inner = match.inner(value, "Pad", "PadV2")
    if inner is None or node.op == "MirrorPad":
        return None
    before, filler = integers(inner.inputs[1]), _filler(node)
    if before is None or before.shape != sizes.shape or filler is None:
        return None
    if filler != _filler(inner) or (sizes < 0).any() or (before < 0).any():
        return None
    both = match.constant((sizes.astype(np.int64) + before).astype(np.int32))
    attrs = {"T": value.dtype, "Tpaddings": "int32"}
    if filler == 0:
        return [match.op("Pad", inner.inputs[0], both, attrs=attrs)]
    return [match.op("PadV2", inner.inputs[0], both, node.inputs[2], attrs=attrs)]


def _filler(node: Node) -> Any:
    """The number that a padding is made of; None where it is not known."""
    if node.op == "Pad":
        return 0
    numbers = Match.numbers(node.inputs[2])
    return numbers.item() if numbers is not None and numbers.size == 1 else None


def integers(value: Value) -> Array | None:
    """The numbers of a small constant of integers; None for any other value."""
    numbers = Match.numbers(value)
    return numbers if numbers is not None and numbers.dtype.kind == "i" else None


# Taken, repeated, turned -------------------------------------------------------------------------


@RULES.rule("tidy/slice", "Slice")
def take(node: Node, match: Match) -> Sequence[Value] | None:
    """A slice of everything."""
    value = node.inputs[0]
    begin, sizes = (integers(item) for item in node.inputs[1:3])
    if begin is None or sizes is None or value.shape is None or begin.any():
        return None
    if len(value.shape) != sizes.size:
        return None
    pairs = zip(value.shape, sizes.reshape(-1).tolist(), strict=True)
    return [value] if all(size in (-1, known) for known, size in pairs) else None


@RULES.rule("tidy/slice", "StridedSlice")
def take_strided(node: Node, match: Match) -> Sequence[Value] | None:
    """A strided slice of everything."""
    plan = whole_slice(node)
    if plan is None or any(item.kind != "take" for item in plan):
        return None
    return [node.inputs[0]]


def whole_slice(node: Node) -> list[Axis] | None:
    """What a StridedSlice that takes everything does with each axis; None for any other."""
    value = node.inputs[0]
    begins, ends, strides = (integers(item) for item in node.inputs[1:4])
    if begins is None or ends is None or strides is None or value.shape is None:
        return None
    if not len(begins) == len(ends) == len(strides) or (strides != 1).any():
        return None
    plan = slice_plan(node.attrs, len(begins), len(value.shape))
    return plan if all(takes_all(node, item, begins, ends) for item in plan) else None


def takes_all(node: Node, item: Axis, begins: Array, ends: Array) -> bool:
    """Whether a StridedSlice takes all of an axis."""
    if item.kind == "new" or item.entry is None:
        return True
    at, size = item.entry, (node.inputs[0].shape or ())[item.axis]
    begin, end = int(begins[at]), int(ends[at])
    if item.kind == "pick":
        return size == 1 and begin in (0, -1)
    starts = node.attrs.get("begin_mask", 0) >> at & 1 or begin == 0
    starts = starts or (size is not None and begin <= -size)
    stops = node.attrs.get("end_mask", 0) >> at & 1
    return bool(starts and (stops or end >= (MOST_IN_AXIS if size is None else size)))


@RULES.rule("tidy/repeat", "Tile")
def repeat(node: Node, match: Match) -> Sequence[Value] | None:
    """Once."""
    counts = integers(node.inputs[1])
    return [node.inputs[0]] if counts is not None and (counts == 1).all() else None


@RULES.rule("tidy/repeat", "BroadcastTo")
def broadcast(node: Node, match: Match) -> Sequence[Value] | None:
    """To the shape that it has."""
    value, asked, made = node.inputs[0], node.inputs[1], node.output.shape
    if asked.node.op == "Shape" and asked.node.inputs[0] is value:
        return [value]
    if value.shape is None or made is None or len(made) != len(value.shape):
        return None
    return [value] if adds_no_size(value.shape, made) else None


@RULES.rule("tidy/reverse", "ReverseV2")
def reverse(node: Node, match: Match) -> Sequence[Value] | None:
    """Along axes that have one element, and twice along the same."""
    value = node.inputs[0]
    axes = _axes(node)
    if axes is None or value.shape is None:
        return None
    if all(value.shape[axis] == 1 for axis in axes):
        return [value]
    inner = match.maker(value, "ReverseV2")
    return None if inner is None or _axes(inner) != axes else [inner.inputs[0]]


def _axes(node: Node) -> set[int] | None:
    told, shape = integers(node.inputs[1]), node.inputs[0].shape
    if told is None or shape is None or (told.size and not shape):
        return None
    return {int(axis) % len(shape) for axis in told.reshape(-1)}
