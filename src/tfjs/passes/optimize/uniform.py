"""Constants beside a value in the smallest shape that gives the same.

Measured in Node with 200,000 numbers: beside a constant of shape [1] or [1, 1, 1, 1], wasm takes
2.6 ms for a `Maximum` where it takes 40 ms else, as for all that XNNPACK has not; cpu takes 2 ms
for any arithmetic where it takes 30 ms. Both go from place to place of what is spread along an axis
that it has, and not of what has fewer axes. Less is written, too, and other rules see one number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tfjs.ir.graph import Node, Shape, Value, constant_of
from tfjs.ir.tensor import Array, DerivedTensor, Tensor, reshaped
from tfjs.passes.optimize.engine import Match, Rules
from tfjs.passes.optimize.tidy_noops import adds_no_size

RULES = Rules()

_BINARY = (
    *("Add", "AddV2", "Sub", "Mul", "Div", "RealDiv", "DivNoNan", "FloorDiv", "Mod", "FloorMod"),
    *("Maximum", "Minimum", "Pow", "SquaredDifference", "Atan2", "LogicalAnd", "LogicalOr"),
    *("Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual"),
)
_FILLED = {"ZerosLike": 0, "OnesLike": 1, "Fill": None}
_DTYPES = ("float32", "int32", "bool")
_MOST_READ = 1 << 20
_SHORT = 64
_MOST_DERIVED = 1 << 16
# So many bytes are read at a time: of most constants the first ones tell.
_BLOCK = 1 << 14
_MOST_READERS = 64


@RULES.rule("tidy/uniform", *_BINARY)
def uniform(node: Node, match: Match) -> Sequence[Value] | None:
    """A constant of equal numbers is one number, where its shape makes no difference."""
    for index, value in enumerate(node.inputs):
        tensor = constant_of(value)
        if tensor is None or not tensor.shape or tensor.dtype not in _DTYPES:
            continue
        if not _may_change(value, match, adds_no_size) or not _is_uniform(tensor):
            continue
        number = next(tensor.blocks(_BLOCK))[:1].reshape(())
        return [_with(node, match, index, match.constant(number))]
    return None


@RULES.rule("tidy/leading-axes", *_BINARY)
def leading_axes(node: Node, match: Match) -> Sequence[Value] | None:
    """A constant leaves out the axes of one element that it begins with."""
    for index, value in enumerate(node.inputs):
        tensor = constant_of(value)
        if tensor is None or not tensor.shape or tensor.shape[0] != 1:
            continue
        first = next((at for at, size in enumerate(tensor.shape) if size != 1), len(tensor.shape))
        shape = tensor.shape[first:]
        if _may_change(value, match, _has_as_many_axes):
            return [_with(node, match, index, match.constant(reshaped(tensor, shape)))]
    return None


@RULES.rule("tidy/filled", *_BINARY)
def filled(node: Node, match: Match) -> Sequence[Value] | None:
    """What is filled with one number, to be as large as what it stands beside, is that number."""
    for index, value in enumerate(node.inputs):
        made, other = match.maker(value, *_FILLED), node.inputs[1 - index]
        number = None if made is None else _filler(made)
        if made is None or number is None or constant_of(other) is not None:
            continue
        source = made.inputs[0]
        if made.op == "Fill" and source.node.op == "Shape":
            source = source.node.inputs[0]
        if source is other or adds_no_size(other.shape, value.shape):
            return [_with(node, match, index, match.constant(number))]
    return None


def _filler(node: Node) -> Array | None:
    """The number that a value is filled with."""
    if node.output.dtype not in _DTYPES:
        return None
    if node.op != "Fill":
        return np.array(_FILLED[node.op], node.output.dtype)
    numbers = Match.numbers(node.inputs[1])
    return numbers.reshape(()) if numbers is not None and numbers.size == 1 else None


def _may_change(value: Value, match: Match, fits: Callable[[Shape, Shape], bool]) -> bool:
    """Whether another shape of a constant changes nothing for all that read it.

    What another reader needs as it is would be written beside the new one.

    Args:
        value: the constant.
        match: the match.
        fits: whether that is so beside a value of a shape, given the shape of the constant.
    """
    if match.graph.is_output(value) or len(value.uses) > _MOST_READERS:
        return False
    return all(
        reader.op in _BINARY
        and constant_of(reader.inputs[1 - index]) is None
        and fits(reader.inputs[1 - index].shape, value.shape)
        for reader, index in value.uses
    )


def _has_as_many_axes(shape: Shape, other: Shape) -> bool:
    return shape is not None and other is not None and len(shape) >= len(other)


def _is_uniform(tensor: Tensor) -> bool:
    """Whether all elements are the same, sign of zero included; a short vector costs nothing."""
    if not 0 < tensor.size <= _MOST_READ or (len(tensor.shape) == 1 and 1 < tensor.size < _SHORT):
        return False
    if isinstance(tensor, DerivedTensor) and tensor.size > _MOST_DERIVED:
        return False
    first = None
    for block in tensor.blocks(_BLOCK):
        first = block[0] if first is None else first
        if (block != first).any():
            return False
        if block.dtype.kind == "f" and not first and (np.signbit(block) != np.signbit(first)).any():
            return False
    return True


def _with(node: Node, match: Match, index: int, value: Value) -> Value:
    """A node that reads another constant, and gives as much as is known of it."""
    inputs = list(node.inputs)
    inputs[index] = value
    made = match.op(node.op, *inputs, attrs=node.attrs)
    if node.output.shape is not None:
        made.shape = node.output.shape
    return made
