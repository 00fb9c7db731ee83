"""Activations and powers that are spelled out, as the operations that TF.js has for them.

What is recognised has a kernel of its own on cpu, wasm and webgl and was measured in Node, with
200,000 numbers: wasm takes 20 to 70 times as long for `Maximum`, `Minimum`, `Greater` or `Select`
with a number as for `Relu`, `ClipByValue` or `Elu`, and 40 times as long for `Pow` as for products.

Left alone, for it is slower on one of the three, or the same kernels: Softplus and Reciprocal on
wasm, Mean on cpu (it divides each element first), LogSoftmax (TF.js has its parts only), a softmax
without its shift (cpu and webgl would compute the maximum), GELU, swish and hard swish.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np

from tfjs.ir.graph import Node, Value, constant_of
from tfjs.ir.tensor import Array
from tfjs.passes.optimize.engine import Match, Rules

RULES = Rules()

_SUMS = ("Add", "AddV2")
_QUOTIENTS = ("RealDiv", "Div")
_SELU = (1.0507009873554805, 1.6732632423543772)
_MOST_SLOPES = 1 << 22
_FEW = 4096
_MOST_READERS = 64
_T = {"T": "float32"}


# Bounds ------------------------------------------------------------------------------------------


@RULES.rule("recognise/clip", "Minimum", "Maximum", "Relu")
def clip(node: Node, match: Match) -> Sequence[Value] | None:
    """A value between two bounds."""
    outer = _bounded(node)
    if outer is None:
        return None
    inner = match.inner(outer[0], *(("Maximum", "Relu") if node.op == "Minimum" else ("Minimum",)))
    found = None if inner is None else _bounded(inner)
    if found is None:
        return None
    low, high = (found[1], outer[1]) if node.op == "Minimum" else (outer[1], found[1])
    # Where the bounds are the wrong way round, the last one wins.
    return [_clipped(match, found[0], low, high)] if low <= high else None


@RULES.rule("recognise/relu", "Maximum")
def relu(node: Node, match: Match) -> Sequence[Value] | None:
    """The larger of a value and zero."""
    found = _bounded(node)
    if found is None or found[1] != 0:
        return None
    return [_unary(match, "Relu", found[0])]


def _bounded(node: Node) -> tuple[Value, float] | None:
    """What a node bounds, and the bound."""
    if node.op != "Relu":
        return _with_number(*node.inputs)
    return (node.inputs[0], 0.0) if _is_float(node.inputs[0]) else None


@RULES.rule("recognise/relu6", "ClipByValue")
def relu6(node: Node, match: Match) -> Sequence[Value] | None:
    """Bounds of 0 and 6, which convolutions and products can take."""
    bounds = [_number(value) for value in node.inputs[1:]]
    if bounds != [0.0, 6.0] or not _is_float(node.inputs[0]):
        return None
    return [_unary(match, "Relu6", node.inputs[0])]


def _clipped(match: Match, value: Value, low: float, high: float) -> Value:
    if (low, high) == (0.0, 6.0):
        return _unary(match, "Relu6", value)
    bounds = (np.float32(low), np.float32(high))
    return match.op("ClipByValue", value, *bounds, attrs=_T)


# Slopes ------------------------------------------------------------------------------------------


@RULES.rule("recognise/leaky-maximum", "Maximum")
def leaky_maximum(node: Node, match: Match) -> Sequence[Value] | None:
    """The larger of a value and a part of it."""
    for value, part in (node.inputs, node.inputs[::-1]):
        slope = _scaled(match, part, value)
        if slope is not None and ((slope >= 0) & (slope <= 1)).all():
            return _sloped(match, value, slope)
    return None


@RULES.rule("recognise/leaky-select", "Select", "SelectV2")
def leaky_select(node: Node, match: Match) -> Sequence[Value] | None:
    """A value where it is positive, and a part of it where it is not."""
    found = _branches(node, match)
    if found is None:
        return None
    value, other = found
    slope = _scaled(match, other, value)
    return None if slope is None else _sloped(match, value, slope)


@RULES.rule("recognise/prelu", "Add", "AddV2", "Sub")
def prelu(node: Node, match: Match) -> Sequence[Value] | None:
    """What is positive of a value, and a part of what is negative."""
    orders = [node.inputs] if node.op == "Sub" else [node.inputs, node.inputs[::-1]]
    for first, second in orders:
        above = match.inner(first, "Relu")
        if above is None or not _is_float(above.inputs[0]):
            continue
        value = above.inputs[0]
        slope = _of_negative(match, second, value)
        if slope is not None:
            return _sloped(match, value, -slope if node.op == "Sub" else slope)
    return None


def _of_negative(match: Match, part: Value, value: Value) -> Array | None:
    """The numbers that the negative side of a value is multiplied with."""
    sign = 1.0
    turned = match.inner(part, "Neg")
    if turned is not None:
        part, sign = turned.inputs[0], -1.0
    numbers: Array = np.ones((), np.float32)
    product = match.inner(part, "Mul")
    if product is not None:
        found = _with_numbers(*product.inputs)
        if found is None:
            return None
        part, numbers = found
    turned = match.inner(part, "Neg")
    if turned is not None:
        part, sign = turned.inputs[0], -sign
    below = match.inner(part, "Minimum")
    if below is not None:
        bounded = _with_number(*below.inputs)
        return numbers * np.float32(sign) if bounded == (value, 0.0) else None
    positive = match.inner(part, "Relu")
    negative = None if positive is None else match.inner(positive.inputs[0], "Neg")
    if negative is None or negative.inputs[0] is not value:
        return None
    return numbers * np.float32(-sign)


def _scaled(match: Match, part: Value, value: Value) -> Array | None:
    """The numbers that a value is multiplied with to give a part of it."""
    product = match.inner(part, "Mul")
    found = None if product is None else _with_numbers(*product.inputs)
    return None if found is None or found[0] is not value else found[1]


def _sloped(match: Match, value: Value, slope: Array) -> Sequence[Value] | None:
    """A value, times the slope where it is negative.

    One slope is that of `LeakyRelu`: wasm takes seven times as long for a `Prelu` of one number.
    Several must lie as the last axes of the value do, for wasm starts again where they end.
    """
    if not _is_float(value) or not slope.size or not np.isfinite(slope).all():
        return None
    if slope.size == 1:
        alpha = float(slope.reshape(-1)[0])
        if alpha == 0:
            return [_unary(match, "Relu", value)]
        return [match.op("LeakyRelu", value, attrs={"T": "float32", "alpha": alpha})]
    axes = slope.ndim - next(axis for axis, size in enumerate(slope.shape) if size > 1)
    last = (value.shape or ())[-axes:]
    sizes = [size for size in last if size is not None]
    if len(sizes) < axes or np.prod(sizes, dtype=np.int64) > max(slope.size, _MOST_SLOPES):
        return None
    try:
        laid = np.broadcast_to(slope.reshape(slope.shape[-axes:]), sizes)
    except ValueError:  # the value is spread along the slope
        return None
    return [match.op("Prelu", value, np.ascontiguousarray(laid), attrs=_T)]


# Exponentials ------------------------------------------------------------------------------------


@RULES.rule("recognise/elu", "Select", "SelectV2", numerics="reassociating")
def elu(node: Node, match: Match) -> Sequence[Value] | None:
    """A value where it is positive, and one less than its exponential where it is not."""
    value = _elu(node, match, 1.0)
    return None if value is None else [_unary(match, "Elu", value)]


@RULES.rule("recognise/selu", "Mul", numerics="reassociating")
def selu(node: Node, match: Match) -> Sequence[Value] | None:
    """The exponential unit with the two factors that SELU has."""
    found = _with_number(*node.inputs)
    if found is None or not _close(found[1], _SELU[0]):
        return None
    choice = match.inner(found[0], "Select", "SelectV2")
    value = None if choice is None else _elu(choice, match, _SELU[1])
    return None if value is None else [_unary(match, "Selu", value)]


def _elu(node: Node, match: Match, factor: float) -> Value | None:
    """The value of an exponential unit whose negative side has a factor."""
    found = _branches(node, match)
    if found is None:
        return None
    value, other = found
    if factor != 1:
        product = match.inner(other, "Mul")
        scaled = None if product is None else _with_number(*product.inputs)
        if scaled is None or not _close(scaled[1], factor):
            return None
        other = scaled[0]
    inside = _exponential_less_one(match, other)
    if inside is None:
        return None
    return value if inside is value or _is_below(inside, value) else None


def _exponential_less_one(match: Match, value: Value) -> Value | None:
    whole = match.inner(value, "Expm1")
    if whole is not None:
        return whole.inputs[0]
    less = match.inner(value, "Sub", *_SUMS)
    if less is None:
        return None
    found = _with_number(*less.inputs)
    if found is None or found[1] != (1.0 if less.op == "Sub" else -1.0):
        return None
    if less.op == "Sub" and found[0] is not less.inputs[0]:
        return None
    exponential = match.inner(found[0], "Exp")
    return None if exponential is None else exponential.inputs[0]


def _is_below(inside: Value, value: Value) -> bool:
    """Whether a value is another where that is negative, and zero elsewhere."""
    node = inside.node
    if node.op == "Minimum":
        return _with_number(*node.inputs) == (value, 0.0)
    if node.op not in ("Select", "SelectV2"):
        return False
    found = _sides(node)
    return found is not None and found[0] is value and found[2] is value and _number(found[1]) == 0


@RULES.rule("recognise/sigmoid", *_QUOTIENTS, "Reciprocal", numerics="reassociating")
def sigmoid(node: Node, match: Match) -> Sequence[Value] | None:
    """One by one more than the exponential of the opposite."""
    if node.op != "Reciprocal" and _number(node.inputs[0]) != 1:
        return None
    total = match.inner(node.inputs[-1], *_SUMS)
    found = None if total is None else _with_number(*total.inputs)
    if found is None or found[1] != 1:
        return None
    exponential = match.inner(found[0], "Exp")
    opposite = None if exponential is None else match.inner(exponential.inputs[0], "Neg")
    if opposite is None or not _is_float(opposite.inputs[0]):
        return None
    if node.op != "Reciprocal" and not _keeps_rank(node.inputs[0], opposite.inputs[0]):
        return None
    return [_unary(match, "Sigmoid", opposite.inputs[0])]


@RULES.rule("recognise/softmax", *_QUOTIENTS, numerics="reassociating")
def softmax(node: Node, match: Match) -> Sequence[Value] | None:
    """Exponentials by their sum along the last axis, shifted so that none is too large."""
    total = match.inner(node.inputs[1], "Sum")
    if total is None or total.inputs[0] is not node.inputs[0]:
        return None
    exponential = match.inner(node.inputs[0], "Exp", reads=2)
    shifted = None if exponential is None else match.inner(exponential.inputs[0], "Sub")
    largest = None if shifted is None else match.inner(shifted.inputs[1], "Max")
    if shifted is None or largest is None or largest.inputs[0] is not shifted.inputs[0]:
        return None
    value = shifted.inputs[0]
    if not _is_float(value) or not all(_is_along_last(item, value) for item in (total, largest)):
        return None
    return [_unary(match, "Softmax", value)]


def _is_along_last(node: Node, value: Value) -> bool:
    """Whether a reduction of a value is along its last axis, which stays with a size of 1."""
    axes = Match.numbers(node.inputs[1])
    if axes is None or axes.size != 1 or value.shape is None or not node.attrs.get("keep_dims"):
        return False
    return int(axes.reshape(-1)[0]) in (-1, len(value.shape) - 1)


# Powers ------------------------------------------------------------------------------------------

_POWERS: dict[float, Callable[[Match, Value], Value]] = {
    2.0: lambda match, value: _unary(match, "Square", value),
    3.0: lambda match, value: match.op("Mul", value, _unary(match, "Square", value), attrs=_T),
    4.0: lambda match, value: _unary(match, "Square", _unary(match, "Square", value)),
    0.5: lambda match, value: _unary(match, "Sqrt", value),
    -0.5: lambda match, value: _unary(match, "Rsqrt", value),
    -1.0: lambda match, value: _unary(match, "Reciprocal", value),
}


@RULES.rule("recognise/power", "Pow", numerics="reassociating")
def power(node: Node, match: Match) -> Sequence[Value] | None:
    """A power that is a product or a root."""
    value, exponent = node.inputs[0], _number(node.inputs[1])
    make = None if exponent is None else _POWERS.get(exponent)
    if make is None or not _is_float(value) or not _keeps_rank(node.inputs[1], value):
        return None
    return [make(match, value)]


@RULES.rule("recognise/square", "Mul")
def square(node: Node, match: Match) -> Sequence[Value] | None:
    """A value times itself."""
    if node.inputs[0] is not node.inputs[1] or not _is_float(node.inputs[0]):
        return None
    return [_unary(match, "Square", node.inputs[0])]


@RULES.rule("recognise/squared-difference", "Square")
def squared_difference(node: Node, match: Match) -> Sequence[Value] | None:
    """The square of a difference."""
    difference = match.inner(node.inputs[0], "Sub")
    if difference is None or not all(_is_float(value) for value in difference.inputs):
        return None
    return [match.op("SquaredDifference", *difference.inputs, attrs=_T)]


@RULES.rule("recognise/deviation", "SquaredDifference")
def deviation(node: Node, match: Match) -> Sequence[Value] | None:
    """The square of a difference that is computed anyway."""
    first, second = node.inputs
    if not _is_float(first):
        return None
    for reader, index in islice(first.uses, _MOST_READERS):
        if reader.op == "Sub" and not index and reader.inputs[1] is second and not reader.controls:
            return [_unary(match, "Square", reader.output)]
    return None


@RULES.rule("recognise/rsqrt", *_QUOTIENTS, "Reciprocal", numerics="reassociating")
def rsqrt(node: Node, match: Match) -> Sequence[Value] | None:
    """One by a root of few numbers; for many, wasm is slower at it than at its parts."""
    if node.op != "Reciprocal" and _number(node.inputs[0]) != 1:
        return None
    root = match.inner(node.inputs[-1], "Sqrt")
    value = None if root is None else root.inputs[0]
    if value is None or value.shape is None or not _is_float(value):
        return None
    if math.prod(size or 1 for size in value.shape) > _FEW:
        return None
    if node.op != "Reciprocal" and not _keeps_rank(node.inputs[0], value):
        return None
    return [_unary(match, "Rsqrt", value)]


# Parts -------------------------------------------------------------------------------------------


def _branches(node: Node, match: Match) -> tuple[Value, Value] | None:
    """The value that a selection takes where it is positive, and what it takes elsewhere."""
    found = _sides(node)
    if found is None or found[0] is not found[1] or not _is_float(found[0]):
        return None
    return found[0], found[2]


def _sides(node: Node) -> tuple[Value, Value, Value] | None:
    """What a selection compares with zero, what it takes where that is larger, and elsewhere.

    A condition that others read too stays for them.
    """
    condition = node.inputs[0].node
    if condition.op not in ("Greater", "GreaterEqual", "Less", "LessEqual"):
        return None
    found = _with_number(*condition.inputs)
    if found is None or found[1] != 0:
        return None
    value = found[0]
    larger = (condition.op in ("Greater", "GreaterEqual")) is (value is condition.inputs[0])
    first, second = node.inputs[1:]
    return (value, first, second) if larger else (value, second, first)


def _number(value: Value) -> float | None:
    """The one element of a constant of float32."""
    tensor = constant_of(value)
    if tensor is None or tensor.dtype != "float32" or tensor.size != 1:
        return None
    return float(tensor.array().reshape(-1)[0])


def _with_number(first: Value, second: Value) -> tuple[Value, float] | None:
    """A value of float32, and the number that stands beside it and leaves its shape as it is."""
    for value, other in ((first, second), (second, first)):
        number = _number(other)
        if number is not None and _is_float(value) and _keeps_rank(other, value):
            return value, number
    return None


def _with_numbers(first: Value, second: Value) -> tuple[Value, Array] | None:
    """A value, and the constant that stands beside it and may be spread along it."""
    for value, other in ((first, second), (second, first)):
        tensor = constant_of(other)
        if tensor is None or not _is_float(value) or not _keeps_rank(other, value):
            continue
        if tensor.dtype == "float32" and tensor.size <= _MOST_SLOPES:
            return value, tensor.array()
    return None


def _keeps_rank(constant: Value, value: Value) -> bool:
    """Whether a constant has no more axes than a value."""
    rank = len(constant.shape or ())
    return rank == 0 or (value.shape is not None and rank <= len(value.shape))


def _is_float(value: Value) -> bool:
    return value.dtype == "float32"


def _close(number: float, wanted: float) -> bool:
    return abs(number - wanted) <= 1e-6 * wanted


def _unary(match: Match, op: str, value: Value) -> Value:
    return match.op(op, value, attrs=_T)
