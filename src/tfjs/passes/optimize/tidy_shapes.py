"""Reshapes and transposes of one another, and those that change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from tfjs.ir.graph import Node, Shape, Value
from tfjs.passes.optimize.engine import Match, Rules

RULES = Rules()

RESHAPES = ("Reshape", "ExpandDims", "Squeeze")


@RULES.rule("tidy/reshape", *RESHAPES)
def reshape(node: Node, match: Match) -> Sequence[Value] | None:
    """Reshapes, new axes and axes left out: a chain of them is one, and may be none."""
    value, made = node.inputs[0], node.output
    if keeps_shape(value.shape, made.shape) or _asks_for_its_own(node):
        return [value]
    inner = match.maker(value, *RESHAPES)
    if inner is None:
        return None
    source = inner.inputs[0]
    if keeps_shape(source.shape, made.shape):
        return [source]
    if node.op == "Reshape":
        return [match.op("Reshape", source, node.inputs[1], attrs=node.attrs)]
    target = target_of(made.shape)
    if target is not None:
        return [match.reshape(source, target)]
    return _by_axes(node, inner, match)


def keeps_shape(given: Shape, made: Shape) -> bool:
    """Whether a Reshape from one shape to the other does nothing, whatever is fed."""
    if given is None or given != made:
        return False
    # The number of elements stays, so one free size is what it was, unless it is free of others.
    return None not in given or (given.count(None) == 1 and 0 not in given)


def target_of(shape: Shape) -> list[int] | None:
    """What a Reshape is told to make a shape; None where that is not known before it runs."""
    if shape is None:
        return None
    if shape.count(None) > 1 or (None in shape and 0 in shape):
        return None
    return [-1 if size is None else size for size in shape]


def _asks_for_its_own(node: Node) -> bool:
    """Whether a Reshape asks for the shape that its input has."""
    if node.op != "Reshape":
        return False
    asked = node.inputs[1]
    return asked.node.op == "Shape" and asked.node.inputs[0] is node.inputs[0]


def _by_axes(node: Node, inner: Node, match: Match) -> Sequence[Value] | None:
    """New axes and axes left out, where several sizes are free."""
    source = inner.inputs[0]
    if source.shape is None:
        return None
    axes: list[int | None] | None = list(range(len(source.shape)))
    for step in (inner, node):
        axes = None if axes is None else _stepped(step, axes)
    if axes is None:
        return None
    left = [axis for axis in axes if axis is not None]
    rank = len(source.shape)
    if len(left) == rank == len(axes):
        return [source]
    if len(left) == len(axes):
        gone = [axis for axis in range(rank) if axis not in left]
        return [match.op("Squeeze", source, attrs={"T": source.dtype, "squeeze_dims": gone})]
    return None


def _stepped(step: Node, axes: list[int | None]) -> list[int | None] | None:
    """Axes by their place before, None for new ones, behind a further step."""
    if step.op == "ExpandDims":
        told = Match.numbers(step.inputs[1])
        if told is None:
            return None
        at = int(told.reshape(-1)[0]) % (len(axes) + 1)
        return [*axes[:at], None, *axes[at:]]
    if step.op == "Squeeze" and step.attrs.get("squeeze_dims"):
        gone = {axis % len(axes) for axis in step.attrs["squeeze_dims"]}
        return [axis for at, axis in enumerate(axes) if at not in gone]
    return None


# Order of axes -----------------------------------------------------------------------------------


@RULES.rule("tidy/transpose", "Transpose")
def transpose(node: Node, match: Match) -> Sequence[Value] | None:
    """Two transposes are one, or none; one that moves no numbers is a Reshape."""
    value, order = node.inputs[0], order_of(node)
    if order is None:
        return None
    if is_plain(order):
        return [value]
    inner = match.maker(value, "Transpose")
    first = None if inner is None else order_of(inner)
    if inner is not None and first is not None and len(first) == len(order):
        both, source = composed(first, order), inner.inputs[0]
        return [source if is_plain(both) else match.transpose(source, both)]
    target = target_of(node.output.shape)
    if target is None or not moves_nothing(value.shape, order):
        return None
    return [match.reshape(value, target)]


def moves_nothing(shape: Shape, order: Sequence[int]) -> bool:
    """Whether a Transpose of a value of some shape leaves all numbers where they are."""
    if shape is None or len(shape) != len(order):
        return False
    moved = [axis for axis in order if shape[axis] != 1]
    return all(one < two for one, two in pairwise(moved))


def order_of(node: Node) -> list[int] | None:
    """The order in which a Transpose puts the axes, counted from the front."""
    told = Match.numbers(node.inputs[1])
    if told is None or told.dtype.kind != "i" or told.ndim != 1 or not told.size:
        return None
    order = [int(axis) % told.size for axis in told]
    return order if sorted(order) == list(range(told.size)) else None


def is_plain(order: Sequence[int]) -> bool:
    """Whether axes stay in their order."""
    return all(at == axis for at, axis in enumerate(order))


def composed(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """The order of two transposes, one behind the other."""
    return [first[axis] for axis in second]
