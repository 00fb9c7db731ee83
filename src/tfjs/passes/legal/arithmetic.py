"""Arithmetic that TF.js does in another way, or not at all.

Source of what TF.js does: `runtime_contract.md` 1.11 and D4, D5, D9 of section 7.
"""

from __future__ import annotations

import math

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.ops.base import broadcast_shapes
from tfjs.ops.build import Builder
from tfjs.passes.legal.common import constant, make, shape_of
from tfjs.passes.ranges import range_of
from tfjs.passes.rules import RuleSet

RULES = RuleSet()

# TF.js's cpu backend multiplies integers in float64, wasm divides them in float32: whole numbers
# are exact up to here.
MOST_IN_DOUBLE = 1 << 53
MOST_IN_SINGLE = 1 << 24
# A second division makes up for what the first loses by divisors up to here: what is left of
# 2^31 then lies within 2^24.
_MOST_DIVISOR = 1 << 22


def truncated_quotient(build: Builder, x: Value, y: Value) -> Value:
    """x / y of int32 towards zero, from TF.js's quotient towards minus infinity."""
    quotient = make(build, "FloorDiv", x, y)
    rest = make(build, "Sub", x, make(build, "Mul", quotient, y))
    negative = make(build, "Less", quotient, 0)
    inexact = make(build, "NotEqual", rest, 0)
    one_more = build.cast(make(build, "LogicalAnd", negative, inexact), "int32")
    return make(build, "AddV2", quotient, one_more)


@RULES.rule("Div", "TruncateDiv")
def integer_division(node: Node, build: Builder) -> list[Value] | None:
    """C's division of integers; of floats `TruncateDiv` has no kernel. Exact."""
    x, y = node.inputs
    if x.dtype == "int32":
        return [truncated_quotient(build, x, y)]
    return None if node.op == "Div" else [make(build, "RealDiv", x, y)]


@RULES.rule("RealDiv")
def integer_real_division(node: Node, build: Builder) -> list[Value] | None:
    """On integers TF.js would round down. Exact."""
    x, y = node.inputs
    return [truncated_quotient(build, x, y)] if x.dtype == "int32" else None


@RULES.rule("FloorDiv")
def float_floor_division(node: Node, build: Builder) -> list[Value] | None:
    """TF.js gives integers for it. Exact."""
    if node.inputs[0].dtype != "float32":
        return None
    return [make(build, "Floor", make(build, "RealDiv", *node.inputs))]


@RULES.rule("FloorDiv")
def division_of_large_integers(node: Node, build: Builder) -> list[Value] | None:
    """wasm divides in float32: what is left behind the first quotient is divided again. Exact."""
    x, y = node.inputs
    divisor = constant(y)
    if x.dtype != "int32" or divisor is None or divisor.size == 0:
        return None
    sizes = np.abs(divisor.astype(np.int64))
    if sizes.min() == 0 or sizes.max() > _MOST_DIVISOR:
        return None
    if range_of(x).most <= MOST_IN_SINGLE or divides_well(node):
        return None
    quotient = make(build, "FloorDiv", x, y)
    rest = make(build, "Sub", x, make(build, "Mul", quotient, y))
    return [make(build, "AddV2", quotient, make(build, "FloorDiv", rest, y))]


def divides_well(node: Node) -> bool:
    """Whether an integer quotient is one of the two that `division_of_large_integers` makes."""
    return _is_divided_again(node) or _divides_again(node)


def _is_divided_again(node: Node) -> bool:
    """Whether what an integer quotient leaves, x - quotient * y, is divided by y in turn."""
    x, y = node.inputs
    for product, _ in node.output.uses:
        if product.op != "Mul" or product.inputs != [node.output, y]:
            continue
        for rest, _ in product.output.uses:
            if rest.op == "Sub" and rest.inputs == [x, product.output]:
                again = (user for user, _ in rest.output.uses)
                return any(user.op == "FloorDiv" and user.inputs[1] is y for user in again)
    return False


def _divides_again(node: Node) -> bool:
    """Whether an integer quotient is that of what another leaves."""
    rest = node.inputs[0].node
    product = rest.inputs[1].node if rest.op == "Sub" else None
    quotient = product.inputs[0].node if product is not None and product.op == "Mul" else None
    return quotient is not None and quotient.op == "FloorDiv" and _is_divided_again(quotient)


@RULES.rule("Mul")
def product_of_large_integers(node: Node, build: Builder) -> list[Value] | None:
    """cpu multiplies in float64: a large constant by its halves of 16 bits. Exact."""
    if node.output.dtype != "int32" or constant(node.output) is not None:
        return None
    for x, y in (node.inputs, node.inputs[::-1]):
        factor = constant(y)
        if factor is None or factor.size == 0 or np.abs(factor.astype(np.int64)).max() < 1 << 16:
            continue
        if range_of(x).most * range_of(y).most <= MOST_IN_DOUBLE:
            return None
        high = make(build, "Mul", x, factor.astype(np.int32) >> 16)
        low = make(build, "Mul", x, factor.astype(np.int32) & 0xFFFF)
        return [make(build, "AddV2", make(build, "Mul", high, 1 << 16), low)]
    return None


@RULES.rule("Mod", "TruncateMod")
def truncated_remainder(node: Node, build: Builder) -> list[Value]:
    """C's remainder has the sign of x; TF.js's has that of y. Exact."""
    x, y = node.inputs
    rest = make(build, "FloorMod", make(build, "Abs", x), make(build, "Abs", y))
    return [make(build, "Mul", make(build, "Sign", x), rest)]


@RULES.rule("Softsign")
def softsign(node: Node, build: Builder) -> list[Value]:
    """x / (1 + |x|), as TensorFlow's kernel."""
    x = node.inputs[0]
    return [make(build, "RealDiv", x, make(build, "AddV2", make(build, "Abs", x), 1.0))]


@RULES.rule("Xlogy", "Xlog1py", "Xdivy")
def nothing_times_anything(node: Node, build: Builder) -> list[Value]:
    """x log y, x log(1 + y) or x / y, and 0 where x is 0. Exact."""
    x, y = node.inputs
    if node.op == "Xdivy":
        value = make(build, "RealDiv", x, y)
    else:
        log = make(build, "Log" if node.op == "Xlogy" else "Log1p", y)
        value = make(build, "Mul", x, log)
    return [_unless_zero(build, x, value)]


@RULES.rule("MulNoNan")
def product_without_nan(node: Node, build: Builder) -> list[Value]:
    """x y, and 0 where y is 0. Exact."""
    return [_unless_zero(build, node.inputs[1], make(build, "Mul", *node.inputs))]


def _unless_zero(build: Builder, x: Value, value: Value) -> Value:
    return make(build, "SelectV2", make(build, "Equal", x, 0.0), 0.0, value)


@RULES.rule("Inv")
def inverse(node: Node, build: Builder) -> list[Value]:
    """The old name of Reciprocal. Exact."""
    return [make(build, "Reciprocal", node.inputs[0])]


@RULES.rule("Rint")
def round_to_even(node: Node, build: Builder) -> list[Value]:
    """TF.js's Round rounds halves to even numbers. Exact."""
    return [make(build, "Round", node.inputs[0])]


@RULES.rule("L2Loss")
def half_of_squares(node: Node, build: Builder) -> list[Value]:
    """Half the sum of squares; the sum may be taken in another order."""
    x = node.inputs[0]
    axes = list(range(len(shape_of(x))))
    return [make(build, "Mul", make(build, "Sum", make(build, "Square", x), axes), 0.5)]


@RULES.rule("Square", "SquaredDifference")
def integer_square(node: Node, build: Builder) -> list[Value] | None:
    """TF.js rounds squares of integers beyond 2^24. Exact."""
    if node.output.dtype != "int32":
        return None
    x = node.inputs[0] if node.op == "Square" else make(build, "Sub", *node.inputs)
    return [make(build, "Mul", x, x)]


@RULES.rule("Equal", "NotEqual")
def never_equal(node: Node, build: Builder) -> list[Value] | None:
    """Shapes that do not go together make tensors differ, where the attribute says so. Exact."""
    shapes = [value.shape for value in node.inputs]
    if node.attrs.get("incompatible_shape_error", True) or None in shapes:
        return None
    try:
        broadcast_shapes(shapes)
    except ValueError:
        return [build.constant(np.array(node.op == "NotEqual"))]
    return None


@RULES.rule("Abs", "Neg")
def integer_sign(node: Node, build: Builder) -> list[Value] | None:
    """TF.js rounds integers beyond 2^24. Exact."""
    x = node.inputs[0]
    if x.dtype != "int32":
        return None
    negative = make(build, "Sub", 0, x)
    return [negative if node.op == "Neg" else make(build, "Maximum", x, negative)]


@RULES.rule("Sign")
def sign(node: Node, build: Builder) -> list[Value] | None:
    """wasm takes small numbers for 0, and both backends NaN. Exact."""
    x = node.inputs[0]
    if x.dtype != "float32":
        return None
    below = make(build, "SelectV2", make(build, "Less", x, 0.0), np.float32(-1), x)
    return [make(build, "SelectV2", make(build, "Greater", x, 0.0), np.float32(1), below)]


@RULES.rule("ApproximateEqual")
def nearly_equal(node: Node, build: Builder) -> list[Value]:
    """|x - y| < tolerance. Exact."""
    distance = make(build, "Abs", make(build, "Sub", *node.inputs))
    return [make(build, "Less", distance, node.attrs["tolerance"])]


@RULES.rule("AccumulateNV2")
def sum_of_all(node: Node, build: Builder) -> list[Value]:
    """AddN by another name. Exact."""
    return [make(build, "AddN", *node.inputs)]


@RULES.rule("ClipByValue")
def clip(node: Node, build: Builder) -> list[Value] | None:
    """Integers (wrong on wasm), and what TF.js takes no bounds of, by Minimum and Maximum. Exact.

    Its bounds are scalars, the lower one below the upper one.
    """
    x, low, high = node.inputs
    if x.dtype == "float32" and low.shape == () and high.shape == ():
        bounds = constant(low), constant(high)
        if bounds[0] is None or bounds[1] is None or bool(bounds[0] <= bounds[1]):
            return None
    return [make(build, "Maximum", make(build, "Minimum", x, high), low)]


@RULES.rule("Mean")
def integer_mean(node: Node, build: Builder) -> list[Value] | None:
    """The mean of integers is an integer, rounded towards zero. Exact."""
    x, axes = node.inputs
    if x.dtype != "int32":
        return None
    keep = node.attrs.get("keep_dims", False)
    total = make(build, "Sum", x, axes, keep_dims=keep)
    known = constant(axes)
    sizes = (
        [None]
        if known is None or x.shape is None
        else [x.shape[axis] for axis in {int(item) % len(x.shape) for item in known.reshape(-1)}]
    )
    if None in sizes:
        count = make(build, "Sum", make(build, "OnesLike", x), axes, keep_dims=keep)
    else:
        count = build.constant(np.int32(math.prod(size or 0 for size in sizes)))
    return [truncated_quotient(build, total, count)]


@RULES.rule("ArgMax", "ArgMin")
def position_among_booleans(node: Node, build: Builder) -> list[Value] | None:
    """Booleans as integers. Exact."""
    x, axis = node.inputs
    if x.dtype != "bool":
        return None
    return [make(build, node.op, build.cast(x, "int32"), axis, output_type="int32")]


@RULES.rule("Cast")
def booleans_of_floats(node: Node, build: Builder) -> list[Value] | None:
    """wasm cuts floats off to integers first. Exact."""
    x = node.inputs[0]
    if x.dtype != "float32" or node.output.dtype != "bool":
        return None
    return [make(build, "NotEqual", x, 0.0)]


@RULES.rule("EuclideanNorm")
def euclidean_norm(node: Node, build: Builder) -> list[Value]:
    """TF.js's norm takes two axes at most, and floats only: the root of the sum of squares."""
    x, axes = node.inputs
    dtype = str(x.dtype)
    size = make(build, "ComplexAbs", x) if dtype == "complex64" else build.cast(x, "float32")
    keep = node.attrs.get("keep_dims", False)
    total = make(build, "Sum", make(build, "Square", size), axes, keep_dims=keep)
    return [build.cast(make(build, "Sqrt", total), dtype)]


@RULES.rule("Cumsum", "Cumprod")
def running_sum_from_behind(node: Node, build: Builder) -> list[Value] | None:
    """TF.js loses its way where the axis is counted from behind. Exact."""
    x, axis = node.inputs
    known = constant(axis)
    if known is None or int(known) >= 0:
        return None
    attrs = {name: node.attrs.get(name, False) for name in ("exclusive", "reverse")}
    return [make(build, node.op, x, np.int32(int(known) + len(shape_of(x))), **attrs)]


@RULES.rule("Angle")
def angle(node: Node, build: Builder) -> list[Value]:
    """The angle of complex numbers."""
    return [make(build, "Atan2", _part(build, node, "Imag"), _part(build, node, "Real"))]


@RULES.rule("Conj")
def conjugate(node: Node, build: Builder) -> list[Value]:
    """The conjugate of complex numbers; real ones as they are. Exact."""
    if node.inputs[0].dtype != "complex64":
        return [node.inputs[0]]
    imaginary = make(build, "Neg", _part(build, node, "Imag"))
    return [make(build, "Complex", _part(build, node, "Real"), imaginary, Tout="complex64")]


def _part(build: Builder, node: Node, op: str) -> Value:
    return make(build, op, node.inputs[0], Tout="float32")


# A Chebyshev fit: Numerical Recipes in C (2nd edition), section 6.2, its "erfcc"; the
# relative error is below 1.2e-7 everywhere.
_ERFC = (
    *(0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807),
    *(-0.18628806, 0.09678418, 0.37409196, 1.00002368, -1.26551223),
)


@RULES.rule("Erfc")
def complementary_error(node: Node, build: Builder) -> list[Value]:
    """By a fit with a relative error of 1.2e-7: 1 - Erf would lose the small numbers."""
    x = node.inputs[0]
    size = make(build, "Abs", x)
    t = make(build, "Reciprocal", make(build, "AddV2", make(build, "Mul", size, 0.5), 1.0))
    power = make(build, "Mul", t, _ERFC[0])
    for number in _ERFC[1:-1]:
        power = make(build, "Mul", make(build, "AddV2", power, number), t)
    power = make(build, "AddV2", power, _ERFC[-1])
    power = make(build, "Sub", power, make(build, "Square", x))
    right = make(build, "Mul", t, make(build, "Exp", power))
    left = make(build, "Sub", 2.0, right)
    return [make(build, "SelectV2", make(build, "Less", x, np.float32(0)), left, right)]
