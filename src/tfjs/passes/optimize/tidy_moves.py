"""Transposes and reshapes behind steps that treat each number alike.

They are moved only to where they meet others, and cancel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfjs.ir.graph import Node, Value, constant_of
from tfjs.ir.tensor import Array
from tfjs.ops.shapes import partial_scalar, partial_shape
from tfjs.passes.optimize.engine import Match, Rules
from tfjs.passes.optimize.fusion import FUSED
from tfjs.passes.optimize.scales import BATCH_NORMS
from tfjs.passes.optimize.tidy_noops import adds_no_size
from tfjs.passes.optimize.tidy_shapes import RESHAPES, composed, is_plain, order_of

RULES = Rules()

# Steps that treat each number alike: of one value, and of two.
ALONE = (
    *("Abs", "Cast", "Ceil", "Cos", "Elu", "Erf", "Exp", "Expm1", "Floor", "LeakyRelu", "Log"),
    *("Log1p", "LogicalNot", "Neg", "Reciprocal", "Relu", "Relu6", "Round", "Rsqrt", "Selu"),
    *("Sigmoid", "Sign", "Sin", "Softplus", "Sqrt", "Square", "Tanh"),
)
PAIRS = (
    *("Add", "AddV2", "Sub", "Mul", "Div", "RealDiv", "Maximum", "Minimum", "Pow"),
    *("SquaredDifference", "Prelu"),
)
_STEPS = (*ALONE, *PAIRS)
# What takes scales, biases and activations in.
_TAKES_STEPS = frozenset({*FUSED, *FUSED.values(), *BATCH_NORMS})
# A longer way is not followed.
_MOST_STEPS = 16


# Transposes --------------------------------------------------------------------------------------


@RULES.rule("tidy/sink-transpose", *_STEPS)
def sink_transpose(node: Node, match: Match) -> Sequence[Value] | None:
    """A Transpose behind steps that end in another one, which it cancels or merges with."""
    readers = [_turned(reader, index) for reader, index in node.output.uses]
    orders = [order for order in readers if order is not None]
    if not orders:
        return None
    steps, turn = _way(node, match, "Transpose")
    first = None if turn is None else order_of(turn)
    if turn is None or first is None:
        return None
    only = len(readers) == 1 and not match.graph.is_output(node)
    same = [order for order in orders if len(order) == len(first)]
    if not any(only or is_plain(composed(first, order)) for order in same):
        return None
    back = [first.index(axis) for axis in range(len(first))]
    given = [_laid(step, back) for step in steps]
    if any(numbers is None for numbers in given):
        return None
    value = _again(match, steps, turn.inputs[0], [item for item in given if item is not None])
    return [match.transpose(value, first)]


def _turned(reader: Node, index: int) -> list[int] | None:
    return order_of(reader) if reader.op == "Transpose" and index == 0 else None


def _way(node: Node, match: Match, *ends: str) -> tuple[list[Node], Node | None]:
    """The steps from a node back to one of `ends`, none of them read by others; last step first."""
    steps = [node]
    while len(steps) <= _MOST_STEPS:
        value = steps[-1].inputs[_data(steps[-1])]
        end = match.inner(value, *ends)
        if end is not None:
            return steps, end
        step = match.inner(value, *_STEPS)
        if step is None:
            break
        steps.append(step)
    return steps, None


def _data(step: Node) -> int:
    """Which input of a step is no constant, as far as there is one."""
    if len(step.inputs) < 2 or constant_of(step.inputs[0]) is None:
        return 0
    return 1


def _laid(step: Node, order: Sequence[int]) -> list[Value | Array] | None:
    """What a step reads beside its data, with the axes in another order; None if that is no
    small constant.
    """
    if len(step.inputs) == 1:
        return []
    given = step.inputs[1 - _data(step)]
    numbers = Match.numbers(given)
    if numbers is None or numbers.ndim > len(order):
        return None
    if numbers.size == 1:
        return [given]
    wide = numbers.reshape((1,) * (len(order) - numbers.ndim) + numbers.shape)
    return [np.ascontiguousarray(wide.transpose(order))]


def _again(
    match: Match, steps: Sequence[Node], value: Value, given: Sequence[list[Value | Array]]
) -> Value:
    """Do steps with another value; the last comes first."""
    for step, others in zip(reversed(steps), reversed(given), strict=True):
        inputs = [value, *others] if not _data(step) else [*others, value]
        value = match.op(step.op, *inputs, attrs=step.attrs)
    return value


@RULES.rule("tidy/join-transposes", *PAIRS, "AddN")
def join_transposes(node: Node, match: Match) -> Sequence[Value] | None:
    """Values that are turned the same way are turned once, behind the step that joins them."""
    found = _turns(node.inputs, match)
    if found is None or not any(value.shape == node.output.shape for value in node.inputs):
        return None
    if node.output.shape is None:
        return None
    sources, order = found
    return [match.transpose(match.op(node.op, *sources, attrs=node.attrs), order)]


@RULES.rule("tidy/join-transposes", "ConcatV2")
def join_turned_parts(node: Node, match: Match) -> Sequence[Value] | None:
    """Parts that are turned the same way are turned once, when they are one."""
    told = match.numbers(node.inputs[-1])
    found = _turns(node.inputs[:-1], match)
    if found is None or told is None or told.size != 1:
        return None
    sources, order = found
    axis = order[int(told.reshape(-1)[0]) % len(order)]
    attrs = {**node.attrs, "Tidx": "int32"}
    joined = match.op("ConcatV2", *sources, np.int32(axis), attrs=attrs)
    return [match.transpose(joined, order)]


def _turns(values: Sequence[Value], match: Match) -> tuple[list[Value], list[int]] | None:
    """What values are before all of them are turned the same way, and which way."""
    if len(values) < 2:
        return None
    sources, order = [], None
    for value in values:
        turn = match.inner(value, "Transpose")
        told = None if turn is None else order_of(turn)
        if turn is None or told is None or told != (order or told):
            return None
        order = told
        sources.append(turn.inputs[0])
    return None if order is None else (sources, order)


# Reshapes ----------------------------------------------------------------------------------------


@RULES.rule("tidy/sink-reshape", *_STEPS)
def sink_reshape(node: Node, match: Match) -> Sequence[Value] | None:
    """A Reshape behind steps that end in another one, with which it is one or none."""
    readers = list(node.output.uses)
    if len(readers) != 1 or match.graph.is_output(node):
        return None
    reader, index = readers[0]
    if reader.op not in RESHAPES or index:
        return None
    steps, inner = _way(node, match, *RESHAPES)
    if inner is None:
        return None
    given: list[list[Value | Array]] = []
    for step in steps:
        numbers = _scalar(step)
        if numbers is None:
            return None
        given.append(numbers)
    value = _again(match, steps, inner.inputs[0], given)
    return [match.op(inner.op, value, *inner.inputs[1:], attrs={**inner.attrs, "T": value.dtype})]


def _scalar(step: Node) -> list[Value | Array] | None:
    """The one number that a step reads beside its data, without axes."""
    if len(step.inputs) == 1:
        return []
    given = step.inputs[1 - _data(step)]
    numbers = Match.numbers(given)
    shape = step.inputs[_data(step)].shape
    if numbers is None or numbers.size != 1 or shape is None or numbers.ndim > len(shape):
        return None
    return [numbers.reshape(())]


# Sizes -------------------------------------------------------------------------------------------


@RULES.rule("tidy/shape-before", "Shape", "Rank", "Size")
def shape_before(node: Node, match: Match) -> Sequence[Value] | None:
    """The shape of what steps change is that of what they make: they have a reader less.

    Not where they would become part of a product, which nothing else may read then.
    """
    source = node.inputs[0]
    for _ in range(_MOST_STEPS):
        data = _same_shape(source, match)
        if data is None:
            break
        source = data
    if source is node.inputs[0] or source.node.op in _TAKES_STEPS:
        return None
    return [match.op(node.op, source, attrs={**node.attrs, "T": source.dtype})]


def _same_shape(value: Value, match: Match) -> Value | None:
    """What a step makes a value of that has the same shape."""
    step = match.maker(value, *_STEPS, "BiasAdd", "Softmax", "LogSoftmax")
    if step is None:
        return None
    at = 0 if step.op == "BiasAdd" else _data(step)
    data = step.inputs[at]
    others = [other for index, other in enumerate(step.inputs) if index != at]
    keeps = step.op == "BiasAdd" or all(adds_no_size(data.shape, each.shape) for each in others)
    return data if keeps else None


@RULES.rule("tidy/known-sizes", "StridedSlice", "Slice", "GatherV2", "Pack", "ConcatV2", "Prod")
def known_sizes(node: Node, match: Match) -> Sequence[Value] | None:
    """What is picked from a shape, where the sizes in question are known and others are not."""
    made = node.output
    if made.dtype != "int32" or made.shape is None or len(made.shape) > 1:
        return None
    found = partial_shape(made) if made.shape else (partial_scalar(made),)
    if found is None or None in found:
        return None
    numbers = np.array(found, np.int32)
    return [match.constant(numbers if made.shape else numbers[0])]
