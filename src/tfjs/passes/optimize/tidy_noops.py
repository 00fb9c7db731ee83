"""Arithmetic that does nothing, or twice what once is enough."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfjs.ir.graph import Node, Shape, Value, constant_of
from tfjs.ir.tensor import Array
from tfjs.passes.optimize.engine import Match, Rules

RULES = Rules()

_SUMS = ("Add", "AddV2", "Sub")
_COMMUTES = ("Add", "AddV2", "Mul")
# They tell 0.0 from -0.0, as others that read it do not.
_TELLING = frozenset({"Div", "RealDiv", "Reciprocal", "Inv", "Rsqrt", "Atan2", "Pow"})
_TWICE = ("Neg", "LogicalNot")
# An operation behind another that changes nothing more.
_NO_MORE = {
    "Relu": ("Relu", "Relu6", "Abs", "Square"),
    "Relu6": ("Relu6",),
    "Abs": ("Abs", "Relu", "Relu6", "Square"),
    "Floor": ("Floor", "Ceil", "Round"),
    "Ceil": ("Floor", "Ceil", "Round"),
    "Round": ("Floor", "Ceil", "Round"),
    "Sign": ("Sign",),
}
# An operation behind another that changes nothing for it.
_NO_LESS = {"Relu6": ("Relu",), "Abs": ("Neg",), "Square": ("Neg", "Abs")}
_LIMITS = {"Maximum": np.maximum, "Minimum": np.minimum}
# Which dtypes hold all values of another.
_WIDER = {"bool": ("int32", "float32"), "int32": (), "float32": ()}


def adds_no_size(shape: Shape, other: Shape) -> bool:
    """Whether a value keeps its shape when it is broadcast with another, whatever is fed."""
    if other == ():
        return True
    if shape is None or other is None or len(other) > len(shape):
        return False
    pairs = zip(reversed(shape), reversed(other), strict=False)
    return all(wide == 1 or (wide is not None and wide == size) for size, wide in pairs)


@RULES.rule("tidy/identity", "Identity", "IdentityN", "StopGradient", "PreventGradient", "Snapshot")
def identity(node: Node, match: Match) -> Sequence[Value] | None:
    """What gives its inputs on."""
    return node.inputs


@RULES.rule("tidy/identity-sum", "AddN")
def one_summand(node: Node, match: Match) -> Sequence[Value] | None:
    """A sum of one."""
    return node.inputs if len(node.inputs) == 1 else None


@RULES.rule("tidy/neutral", *_SUMS, "BiasAdd", "Mul", "Div", "RealDiv", "Pow")
def neutral(node: Node, match: Match) -> Sequence[Value] | None:
    """Zero added or taken away; a factor, divisor or power of one."""
    value, given = node.inputs
    if node.op in _COMMUTES and constant_of(given) is None:
        value, given = given, value
    if node.op == "BiasAdd":
        fits = value.shape is not None and given.shape is not None
    else:
        fits = adds_no_size(value.shape, given.shape)
    if not fits or value.dtype != given.dtype or value.dtype != node.output.dtype:
        return None
    numbers = match.numbers(given)
    if numbers is None or numbers.dtype.kind not in "fi":
        return None
    sums = node.op in (*_SUMS, "BiasAdd")
    nothing = 0 if sums else 1
    # Of nearly all constants the first number tells.
    if (numbers.size and numbers.item(0) != nothing) or (numbers != nothing).any():
        return None
    if sums and _turns_a_sign(node, numbers) and _is_told_signs(node.output):
        return None
    return [value]


def _turns_a_sign(node: Node, zeros: Array) -> bool:
    """Whether zeros make 0.0 of -0.0; a zero of the other sign changes nothing at all."""
    if zeros.dtype.kind != "f":
        return False
    negative = np.signbit(zeros)
    return bool(negative.any() if node.op == "Sub" else not negative.all())


def _is_told_signs(value: Value) -> bool:
    return any(reader.op in _TELLING for reader, _ in value.uses)


@RULES.rule("tidy/twice", *_TWICE)
def twice(node: Node, match: Match) -> Sequence[Value] | None:
    """What undoes itself."""
    inner = match.maker(node.inputs[0], node.op)
    return None if inner is None else [inner.inputs[0]]


@RULES.rule("tidy/again", *_NO_MORE)
def again(node: Node, match: Match) -> Sequence[Value] | None:
    """What finds nothing left to do behind another."""
    value = node.inputs[0]
    # Of integers a square may have become negative, and so may the amount of the least.
    if value.dtype != "float32" or match.maker(value, *_NO_MORE[node.op]) is None:
        return None
    return [value]


@RULES.rule("tidy/before", *_NO_LESS)
def before(node: Node, match: Match) -> Sequence[Value] | None:
    """What is done before something that does it as well."""
    inner = match.maker(node.inputs[0], *_NO_LESS[node.op])
    if inner is None or inner.output.dtype != "float32":
        return None
    return [match.op(node.op, inner.inputs[0], attrs=node.attrs)]


@RULES.rule("tidy/limits", *_LIMITS)
def limits(node: Node, match: Match) -> Sequence[Value] | None:
    """Two constant bounds on the same side are one."""
    told = _bounded(node)
    if told is None:
        return None
    first, outer = told
    inner = match.inner(first, node.op)
    below = None if inner is None else _bounded(inner)
    if below is None:
        return None
    value, given = below
    numbers = [match.numbers(bound) for bound in (given, outer)]
    one, two = numbers
    if one is None or two is None or one.dtype != two.dtype:
        return None
    if np.isnan(one).any() or np.isnan(two).any():
        return None
    if not (adds_no_size(one.shape, two.shape) or adds_no_size(two.shape, one.shape)):
        return None
    bound = match.constant(_LIMITS[node.op](one, two))
    return [match.op(node.op, value, bound, attrs=node.attrs)]


def _bounded(node: Node) -> tuple[Value, Value] | None:
    """What a Maximum or Minimum bounds, and its constant bound."""
    first, second = node.inputs
    if constant_of(second) is None:
        first, second = second, first
    return None if constant_of(second) is None else (first, second)


@RULES.rule("tidy/select", "Select", "SelectV2")
def select(node: Node, match: Match) -> Sequence[Value] | None:
    """A choice that is made already."""
    condition, chosen, other = node.inputs
    numbers = match.numbers(condition)
    if numbers is None or not numbers.size or numbers.dtype != np.bool_:
        return None
    if not numbers.all():
        if numbers.any():
            return None
        chosen, other = other, chosen
    # In a branch of TF1 a constant would be there even where the branch is not taken.
    if constant_of(chosen) is not None and constant_of(other) is None:
        return None
    if node.op == "SelectV2":
        told = (condition.shape, other.shape)
        if not all(adds_no_size(chosen.shape, shape) for shape in told):
            return None
    return [chosen]


@RULES.rule("tidy/cast", "Cast")
def cast(node: Node, match: Match) -> Sequence[Value] | None:
    """A Cast to the dtype that is there, and two of which the first loses nothing."""
    value, dtype = node.inputs[0], node.output.dtype
    if value.dtype == dtype and dtype is not None:
        return [value]
    inner = match.maker(value, "Cast")
    if inner is None or value.dtype is None or dtype is None:
        return None
    source = inner.inputs[0]
    kept = value.dtype in _WIDER.get(source.dtype or "", ())
    # All numbers but 0 stay other than 0.
    if not kept and (source.dtype, value.dtype, dtype) != ("int32", "float32", "bool"):
        return None
    return [match.cast(source, dtype)]
