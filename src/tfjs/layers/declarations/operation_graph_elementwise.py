"""Operations of `keras.ops` on one element at a time, as graphs.

Dtypes and formulas are those of keras/src/backend/tensorflow/numpy.py.
"""

from __future__ import annotations

import math

import numpy as np

from tfjs.ir.graph import Value
from tfjs.layers.declarations.operation_graph import Operands, computes

# Two tensors ---------------------------------------------------------------------------------

_BINARY = {
    "Add": "AddV2",
    "Subtract": "Sub",
    "Multiply": "Mul",
    "Maximum": "Maximum",
    "Minimum": "Minimum",
    "Power": "Pow",
}
_WHOLE = {"Mod": "FloorMod", "FloorDivide": "FloorDiv", "Fmod": "TruncateMod"}
_FLOATING = {
    "Divide": "RealDiv",
    "TrueDivide": "RealDiv",
    "DivideNoNan": "DivNoNan",
    "Arctan2": "Atan2",
}
_COMPARISONS = {
    "Equal": "Equal",
    "NotEqual": "NotEqual",
    "Greater": "Greater",
    "GreaterEqual": "GreaterEqual",
    "Less": "Less",
    "LessEqual": "LessEqual",
}
_LOGIC = {"LogicalAnd": "LogicalAnd", "LogicalOr": "LogicalOr", "LogicalXor": "NotEqual"}
_BITS = {
    "BitwiseAnd": "BitwiseAnd",
    "BitwiseOr": "BitwiseOr",
    "BitwiseXor": "BitwiseXor",
    "BitwiseLeftShift": "LeftShift",
    "LeftShift": "LeftShift",
    "BitwiseRightShift": "RightShift",
    "RightShift": "RightShift",
}
# What arithmetic is on booleans.
_BOOLEAN = {
    "AddV2": "LogicalOr",
    "Mul": "LogicalAnd",
    "Maximum": "LogicalOr",
    "Minimum": "LogicalAnd",
    "BitwiseAnd": "LogicalAnd",
    "BitwiseOr": "LogicalOr",
    "BitwiseXor": "NotEqual",
}


def _name(given: Operands) -> str:
    return given.build.layer.class_name


def _two(given: Operands, op: str, x: Value, y: Value) -> Value:
    return given.build.op(_BOOLEAN.get(op, op) if x.dtype == "bool" else op, x, y)


@computes(*_BINARY, given="x1 x2")
def _binary(given: Operands) -> Value:
    return _two(given, _BINARY[_name(given)], *given.together("x1", "x2"))


@computes(*_WHOLE, given="x1 x2")
def _whole(given: Operands) -> Value:
    return given.build.op(_WHOLE[_name(given)], *given.together("x1", "x2", least="int32"))


@computes(*_FLOATING, given="x1 x2")
def _floating(given: Operands) -> Value:
    return given.build.op(_FLOATING[_name(given)], *given.together("x1", "x2", least="float32"))


@computes(*_COMPARISONS, given="x1 x2")
def _comparison(given: Operands) -> Value:
    op, (x, y) = _COMPARISONS[_name(given)], given.together("x1", "x2")
    if x.dtype == "bool" and op not in ("Equal", "NotEqual"):
        x, y = (given.build.cast(item, "int32") for item in (x, y))
    return given.build.op(op, x, y)


@computes(*_LOGIC, given="x1 x2")
def _logic(given: Operands) -> Value:
    x, y = given.tensor("x1", "bool"), given.tensor("x2", "bool")
    return given.build.op(_LOGIC[_name(given)], x, y)


@computes(*_BITS, given="x y")
def _bits(given: Operands) -> Value:
    return _two(given, _BITS[_name(given)], *given.together("x", "y"))


@computes("Fmax", "Fmin", given="x1 x2")
def _without_nan(given: Operands) -> Value:
    """The greater or smaller of two, or the one that is a number."""
    op = "Maximum" if _name(given) == "Fmax" else "Minimum"
    x, y = given.together("x1", "x2")
    made = _two(given, op, x, y)
    if x.dtype != "float32":
        return made
    build = given.build
    made = build.op("SelectV2", build.op("IsNan", y), x, made)
    return build.op("SelectV2", build.op("IsNan", x), y, made)


@computes("Hypot", given="x1 x2")
def _hypot(given: Operands) -> Value:
    """Scaled by the greater, so that no square overflows."""
    build, (x, y) = given.build, given.together("x1", "x2", least="float32")
    x, y = build.op("Abs", x), build.op("Abs", y)
    most, least = build.op("Maximum", x, y), build.op("Minimum", x, y)
    square = build.op("Square", build.op("DivNoNan", least, most))
    return build.op("Mul", most, build.op("Sqrt", build.op("AddV2", square, 1.0)))


@computes("Logaddexp", "Logaddexp2", given="x1 x2")
def _logaddexp(given: Operands) -> Value:
    build, (x, y) = given.build, given.together("x1", "x2", least="float32")
    of_two = _name(given) == "Logaddexp2"
    if of_two:
        x, y = build.op("Mul", x, math.log(2)), build.op("Mul", y, math.log(2))
    apart = build.op("Sub", x, y)
    more = build.op("Softplus", build.op("Neg", build.op("Abs", apart)))
    made = build.op("AddV2", build.op("Maximum", x, y), more)
    # Two infinities of one sign have no difference.
    made = build.op("SelectV2", build.op("IsNan", apart), build.op("AddV2", x, y), made)
    return build.op("Mul", made, 1.0 / math.log(2)) if of_two else made


@computes("Heaviside", given="x1 x2")
def _heaviside(given: Operands) -> Value:
    build, (x, y) = given.build, given.together("x1", "x2", least="float32")
    above = build.op("SelectV2", build.op("Greater", x, 0.0), np.float32(1), y)
    return build.op("SelectV2", build.op("Less", x, 0.0), np.float32(0), above)


@computes("Ldexp", given="x1 x2")
def _ldexp(given: Operands) -> Value:
    build = given.build
    return build.op("Mul", given.floats("x1"), build.op("Pow", np.float32(2), given.floats("x2")))


@computes("Isclose", given="x1 x2 rtol atol")
def _isclose(given: Operands) -> Value:
    return close(given)


@computes("AllClose", given="x1 x2")
def _allclose(given: Operands) -> Value:
    each = close(given)
    axes = np.arange(given.build.rank(each), dtype=np.int32)
    return given.build.op("All", each, axes)


def close(given: Operands) -> Value:
    """Where two tensors differ by no more than tolerances."""
    build, (x, y) = given.build, given.together("x1", "x2", least="float32")
    most = build.op("Mul", build.op("Abs", y), float(given.get("rtol", 1e-5)))
    most = build.op("AddV2", most, float(given.get("atol", 1e-8)))
    near = build.op("LessEqual", build.op("Abs", build.op("Sub", x, y)), most)
    # An infinite bound lets all through that is no number.
    near = build.op("LogicalAnd", near, build.op("IsFinite", y))
    made = build.op("LogicalOr", near, build.op("Equal", x, y))
    if not given.get("equal_nan", False):
        return made
    nothing = build.op("LogicalAnd", build.op("IsNan", x), build.op("IsNan", y))
    return build.op("LogicalOr", made, nothing)


# One tensor ----------------------------------------------------------------------------------

_UNARY = {
    "Arccos": "Acos",
    "Arccosh": "Acosh",
    "Arcsin": "Asin",
    "Arcsinh": "Asinh",
    "Arctan": "Atan",
    "Arctanh": "Atanh",
    "Cos": "Cos",
    "Cosh": "Cosh",
    "Erf": "Erf",
    "Erfc": "Erfc",
    "Erfinv": "Erfinv",
    "Exp": "Exp",
    "Expm1": "Expm1",
    "Log": "Log",
    "Log1p": "Log1p",
    "Reciprocal": "Reciprocal",
    "Rsqrt": "Rsqrt",
    "Sin": "Sin",
    "Sinh": "Sinh",
    "Sqrt": "Sqrt",
    "Tan": "Tan",
}
_FACTORS = {"Deg2rad": math.pi / 180, "Rad2deg": 180 / math.pi}
_LOGARITHMS = {"Log10": math.log(10), "Log2": math.log(2)}


@computes(*_UNARY)
def _unary(given: Operands) -> Value:
    return given.build.op(_UNARY[_name(given)], given.floats())


@computes(*_FACTORS)
def _scaled(given: Operands) -> Value:
    return given.build.op("Mul", given.floats(), _FACTORS[_name(given)])


@computes(*_LOGARITHMS)
def _logarithm(given: Operands) -> Value:
    logarithm = given.build.op("Log", given.floats())
    return given.build.op("Mul", logarithm, 1.0 / _LOGARITHMS[_name(given)])


@computes("Exp2")
def _exp2(given: Operands) -> Value:
    return given.build.op("Pow", np.float32(2), given.floats())


@computes("Cbrt")
def _cbrt(given: Operands) -> Value:
    build, x = given.build, given.floats()
    root = build.op("Pow", build.op("Abs", x), 1.0 / 3.0)
    return build.op("Mul", build.op("Sign", x), root)


@computes("Sinc")
def _sinc(given: Operands) -> Value:
    build, x = given.build, given.floats()
    angle = build.op("Mul", x, math.pi)
    none = build.op("Equal", x, 0.0)
    ratio = build.op("RealDiv", build.op("Sin", angle), angle)
    return build.op("SelectV2", none, np.float32(1), ratio)


@computes("Absolute", "Abs", "Fabs", "Negative", "Square", "Sign")
def _kept(given: Operands) -> Value:
    x, name = given.tensor(), _name(given)
    if x.dtype == "bool":
        if name in ("Absolute", "Abs", "Fabs"):
            return x
        x = given.build.cast(x, "int32")
    if x.dtype == "complex64" and name in ("Absolute", "Abs"):
        return given.build.op("ComplexAbs", x)
    op = {"Negative": "Neg", "Square": "Square", "Sign": "Sign"}.get(name, "Abs")
    return given.build.op(op, x)


@computes("Floor", "Ceil", "Trunc")
def _whole_numbers(given: Operands) -> Value:
    build, x, name = given.build, given.tensor(), _name(given)
    if name != "Trunc":
        return build.op(name, given.floats())
    if x.dtype != "float32":
        return x
    towards = build.op("Floor", build.op("Abs", x))
    return build.op("Mul", build.op("Sign", x), towards)


@computes("Round")
def _round(given: Operands) -> Value:
    build, x, decimals = given.build, given.tensor(), int(given.get("decimals", 0))
    if x.dtype != "float32":
        if decimals >= 0:
            return build.cast(x, "int32") if x.dtype == "bool" else x
        rounded = build.op("Round", build.op("Mul", build.floats(x), 10.0**decimals))
        return build.cast(build.op("Mul", rounded, 10.0**-decimals), str(x.dtype))
    if not decimals:
        return build.op("Round", x)
    factor = 10.0**decimals
    return build.op("RealDiv", build.op("Round", build.op("Mul", x, factor)), factor)


@computes("LogicalNot", "BitwiseInvert", "BitwiseNot")
def _not(given: Operands) -> Value:
    x = given.tensor()
    if _name(given) == "LogicalNot" or x.dtype == "bool":
        return given.build.op("LogicalNot", given.build.cast(x, "bool"))
    return given.build.op("Invert", x)


@computes("Isfinite", "Isinf", "Isnan", "Isneginf", "Isposinf")
def _is(given: Operands) -> Value:
    build, x, name = given.build, given.tensor(), _name(given)
    if x.dtype != "float32":
        like = build.op("ZerosLike", build.cast(x, "bool"))
        return build.op("LogicalNot", like) if name == "Isfinite" else like
    if name in ("Isneginf", "Isposinf"):
        return build.op("Equal", x, np.float32(-np.inf if name == "Isneginf" else np.inf))
    return build.op({"Isfinite": "IsFinite", "Isinf": "IsInf", "Isnan": "IsNan"}[name], x)


@computes("Signbit")
def _signbit(given: Operands) -> Value:
    build, x = given.build, given.tensor()
    if x.dtype != "float32":
        return build.op("Less", build.cast(x, "int32"), np.int32(0))
    # Of both zeros, the inverse of the negative one is below 0.
    none = build.op("Equal", x, 0.0)
    inverse = build.op("Reciprocal", x)
    return build.op("Less", build.op("SelectV2", none, inverse, x), 0.0)


@computes("NanToNum")
def _nan_to_num(given: Operands) -> Value:
    build, x = given.build, given.tensor()
    if x.dtype != "float32":
        return x
    most = np.finfo(np.float32).max
    ends = {np.inf: given.get("posinf", most), -np.inf: given.get("neginf", -most)}
    made = build.op("SelectV2", build.op("IsNan", x), np.float32(given.get("nan", 0.0)), x)
    for end, number in ends.items():
        at = build.op("Equal", x, np.float32(end))
        made = build.op("SelectV2", at, np.float32(number), made)
    return made


@computes("Clip", given="x x_min x_max")
def _clip(given: Operands) -> Value:
    build = given.build
    low, high = given.named.get("x_min"), given.named.get("x_max")
    low = None if isinstance(low, float) and low == -math.inf else low
    high = None if isinstance(high, float) and high == math.inf else high
    ends = [item for item in (low, high) if item is not None]
    x, *limits = given.alike([given["x"], *ends], least="int32")
    if len(limits) == 2 and all(build.shape(item) == () for item in limits):
        return build.op("ClipByValue", x, *limits)
    if low is not None:
        x = build.op("Maximum", x, limits[0])
    return x if high is None else build.op("Minimum", x, limits[-1])


@computes("Where", given="condition x1 x2")
def _where(given: Operands) -> Value | list[Value]:
    build, condition = given.build, given.tensor("condition", "bool")
    if given.get("x1") is None or given.get("x2") is None:
        return _places(given, condition)
    return build.op("SelectV2", condition, *given.together("x1", "x2"))


@computes("Nonzero")
def _nonzero(given: Operands) -> list[Value]:
    return _places(given, given.tensor("x", "bool"))


def _places(given: Operands, condition: Value) -> list[Value]:
    """Where a tensor is true, the places along each axis apart; how many, only the run tells."""
    build, rank = given.build, given.build.rank(condition)
    at = build.cast(build.op("Where", condition, attrs={"T": "bool"}), "int32")
    return build.ops("Unpack", at, attrs={"num": rank, "axis": 1})


@computes("Select", given="condlist choicelist default")
def _select(given: Operands) -> Value:
    build, conditions = given.build, given["condlist"]
    default = given.get("default", 0)
    *choices, made = given.alike([*given["choicelist"], default])
    for condition, choice in reversed(list(zip(conditions, choices, strict=True))):
        made = build.op("SelectV2", given.value(condition, "bool"), choice, made)
    return made


# Dtypes --------------------------------------------------------------------------------------


def _cast(given: Operands, x: Value, dtype: str) -> Value:
    return given.build.cast(x, {"float16": "float32", "bfloat16": "float32"}.get(dtype, dtype))


@computes("Cast")
def _cast_to(given: Operands) -> Value:
    dtype = _dtype(given)
    return given.tensor() if dtype is None else _cast(given, given.tensor(), dtype)


@computes("ConvertToTensor", "Array")
def _converted(given: Operands) -> Value:
    return _cast_to(given)


@computes("SaturateCast")
def _saturated(given: Operands) -> Value:
    """Brought within what the dtype holds first."""
    build, x, dtype = given.build, given.tensor(), _dtype(given) or "float32"
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        low, high = max(limits.min, -(2**31)), min(limits.max, 2**31 - 1)
        if x.dtype == "float32":
            # The greatest float32 below 2^31.
            high = min(high, 2**31 - 128)
            x = build.op("ClipByValue", x, np.float32(low), np.float32(high))
        elif x.dtype != "bool":
            x = build.cast(x, "int32")
            x = build.op("ClipByValue", x, np.int32(low), np.int32(high))
    return _cast(given, x, dtype)


def _dtype(given: Operands) -> str | None:
    dtype = given.get("dtype")
    if isinstance(dtype, dict):
        return None
    if dtype is None:
        return None
    return {"float": "float32", "int": "int32", "float64": "float32"}.get(str(dtype), str(dtype))


@computes("Copy", given="x")
def _copy(given: Operands) -> Value:
    return given.tensor()


@computes("StopGradient", given="variable")
def _stop_gradient(given: Operands) -> Value:
    return given.tensor("variable")


# Complex numbers -----------------------------------------------------------------------------


@computes("Real")
def _real(given: Operands) -> Value:
    x = given.tensor()
    return given.build.op("Real", x) if x.dtype == "complex64" else x


@computes("Imag")
def _imag(given: Operands) -> Value:
    x = given.tensor()
    return given.build.op("Imag" if x.dtype == "complex64" else "ZerosLike", x)


@computes("Conj", "Conjugate")
def _conj(given: Operands) -> Value:
    x = given.tensor()
    return given.build.op("Conj", x) if x.dtype == "complex64" else x


@computes("Angle")
def _angle(given: Operands) -> Value:
    build, x = given.build, given.floats()
    if x.dtype == "complex64":
        return build.op("Angle", x)
    below = build.op("Less", x, 0.0)
    return build.op("SelectV2", below, np.float32(math.pi), build.op("ZerosLike", x))


@computes("Isreal")
def _isreal(given: Operands) -> Value:
    build, x = given.build, given.tensor()
    if x.dtype == "complex64":
        return build.op("Equal", build.op("Imag", x), 0.0)
    return build.op("OnesLike", build.cast(x, "bool"))


@computes("Polar", given="abs_ angle")
def _polar(given: Operands) -> Value:
    build, length, angle = given.build, given.floats("abs_"), given.floats("angle")
    parts = [build.op("Mul", length, build.op(op, angle)) for op in ("Cos", "Sin")]
    return build.op("Complex", *parts)


@computes("ViewAsComplex")
def _view_as_complex(given: Operands) -> Value:
    build, x = given.build, given.floats()
    attrs = {"axis": build.rank(x) - 1, "num": 2}
    return build.op("Complex", *build.ops("Unpack", x, attrs=attrs))


@computes("ViewAsReal")
def _view_as_real(given: Operands) -> Value:
    build, x = given.build, given.tensor("x", "complex64")
    parts = [build.op(op, x) for op in ("Real", "Imag")]
    return build.op("Pack", *parts, attrs={"axis": build.rank(x), "N": 2})
