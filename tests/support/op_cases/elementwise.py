"""Cases of `tfjs.ops.elementwise`."""

from __future__ import annotations

import numpy as np

from tests.support.op_cases.case import Case, Numbers, case, float32

_n = Numbers(1)
_FLOATS = ("float16", "float32", "float64")
_inf, _nan = np.inf, np.nan
_EDGES = np.array([0.0, -0.0, 1.0, -1.0, _inf, -_inf, _nan, 1e30, -1e30, 1e-30], np.float32)
_HALVES = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4, -2.6, 0.0], np.float32)

# Operation -> where its numbers lie.
_UNARY = {
    "Abs": (-2, 2),
    "Acos": (-1, 1),
    "Acosh": (1, 9),
    "Asin": (-1, 1),
    "Asinh": (-9, 9),
    "Atan": (-9, 9),
    "Atanh": (-0.99, 0.99),
    "Ceil": (-9, 9),
    "Cos": (-9, 9),
    "Cosh": (-3, 3),
    "Elu": (-3, 3),
    "Erf": (-3, 3),
    "Erfc": (-3, 3),
    "Exp": (-3, 3),
    "Expm1": (-3, 3),
    "Floor": (-9, 9),
    "Inv": (0.1, 3),
    "Lgamma": (0.2, 9),
    "Log": (0.01, 9),
    "Log1p": (-0.9, 9),
    "Neg": (-2, 2),
    "Reciprocal": (0.1, 3),
    "Relu": (-2, 2),
    "Relu6": (-2, 9),
    "Rint": (-9, 9),
    "Round": (-9, 9),
    "Rsqrt": (0.01, 9),
    "Selu": (-3, 3),
    "Sigmoid": (-9, 9),
    "Sign": (-2, 2),
    "Sin": (-9, 9),
    "Sinh": (-3, 3),
    "Softplus": (-9, 9),
    "Softsign": (-9, 9),
    "Sqrt": (0, 9),
    "Square": (-3, 3),
    "Tan": (-1.5, 1.5),
    "Tanh": (-3, 3),
}
_INTEGERS = {
    "Abs": ("int8", "int32", "int64"),
    "Neg": ("int8", "int32", "int64"),
    "Relu": ("int8", "uint8", "int32", "int64"),
    "Relu6": ("int8", "uint8", "int32"),
    "Sign": ("int32", "int64"),
    "Square": ("uint8", "int32", "int64"),
}
_COMPLEX = ("Conj", "Cos", "Exp", "Expm1", "Log", "Neg", "Reciprocal", "Rsqrt", "Sigmoid", "Sign")
_EDGED = (
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Ceil", "Cos", "Cosh", "Elu", "Erf", "Exp"),
    *("Floor", "Log", "Log1p", "Neg", "Reciprocal", "Relu", "Relu6", "Rint", "Round", "Rsqrt"),
    *("Selu", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Square", "Tan", "Tanh"),
)

CASES: list[Case] = [
    *(
        case(op, _n.floats(2, 3, low=low, high=high, dtype=dtype))
        for op, (low, high) in _UNARY.items()
        for dtype in (_FLOATS[1:] if op == "Rint" else _FLOATS)
    ),
    *(case(op, _n.any(dtype, 2, 3)) for op, dtypes in _INTEGERS.items() for dtype in dtypes),
    *(case(op, _n.complexes(4)) for op in _COMPLEX),
    *(case(op, _EDGES, label="edges") for op in _EDGED),
    *(case(op, float32(0.3)) for op in ("Exp", "Sigmoid", "Erf", "Selu", "Relu6")),
    *(case(op, np.zeros((0, 2), np.float32)) for op in ("Exp", "Erf", "Softplus")),
    *(case(op, _HALVES, label="halves") for op in ("Round", "Rint", "Floor", "Ceil")),
    *(case("Erfinv", _n.floats(7, low=-0.99, high=0.99, dtype=d)) for d in _FLOATS[1:]),
    case("Erfinv", np.array([1e-3, -1e-7, 1, -1, 2], np.float32)),
    *(case("Ndtri", _n.floats(7, low=0.01, high=0.99, dtype=d)) for d in _FLOATS[1:]),
    case("Abs", np.array([-128, 127], np.int8), label="wraps"),
    case("Square", np.array([70000, -3], np.int32), label="wraps"),
    *(case(op, _EDGES) for op in ("IsFinite", "IsInf", "IsNan")),
    case("LogicalNot", _n.bools(2, 3)),
    *(case("Invert", _n.any(dtype, 5)) for dtype in ("int8", "uint8", "int32", "uint16")),
    *(case("PopulationCount", _n.any(dtype, 5)) for dtype in ("int8", "uint8", "int32", "int64")),
    *(case("LeakyRelu", _n.floats(2, 3, dtype=dtype), alpha=0.3) for dtype in _FLOATS),
    case("LeakyRelu", _EDGES),
    case("Real", _n.complexes(3)),
    case("Real", _n.complexes(3, dtype="complex128"), Tout="float64"),
    case("Imag", _n.complexes(3)),
    case("Angle", _n.complexes(3)),
    case("ComplexAbs", _n.complexes(2, 2)),
    # Casts: where C tells what comes out.
    *(
        case("Cast", _n.any(source, 2, 3), DstT=target, label=target)
        for source in ("float32", "int32", "int64", "uint8", "bool", "float64", "int8")
        for target in ("float32", "int32", "int64", "bool", "float16", "int16", "int8", "uint16")
    ),
    case("Cast", _HALVES, DstT="int32", label="halves"),
    case("Cast", np.array([0, 1e-30, _nan, _inf, -0.0], np.float32), DstT="bool"),
    case("Cast", np.array([300, -1, 65536, 1 << 31], np.int64), DstT="uint8", label="wraps"),
    case("Cast", np.array([1 << 31, -(1 << 40), 5], np.int64), DstT="int32", label="wraps"),
    case("Cast", np.array([1e40, -1e-50, 1.1], np.float64), DstT="float32"),
    case("Cast", np.array([70000, 1e-8, 1.1], np.float32), DstT="float16"),
    case(
        "Cast", np.array([1.0, 1.00390625, 1.01171875, -3.1415, _inf], np.float32), DstT="bfloat16"
    ),
    case("Cast", np.array([1.01171875, -3.1415], np.float32), DstT="bfloat16", Truncate=True),
    case("Cast", _n.complexes(3), DstT="float32"),
    case("Cast", _n.floats(3), DstT="complex64"),
    case("Bitcast", _n.floats(2, 3), type="int32"),
    case("Bitcast", _n.floats(2, 3), type="uint8"),
    case("Bitcast", _n.any("uint8", 3, 4), type="float32"),
    case("Bitcast", _n.any("int16", 3, 2, 2), type="int32"),
    # Fake quantization.
    case("FakeQuantWithMinMaxArgs", _n.floats(9, low=-8, high=8)),
    case("FakeQuantWithMinMaxArgs", _n.floats(9, low=-8, high=8), min=0.1, max=4.0, num_bits=4),
    case("FakeQuantWithMinMaxVars", _n.floats(9), -1.5, 1.0),
    case("FakeQuantWithMinMaxVars", _n.floats(9), -1.5, 1.0, narrow_range=True, num_bits=5),
    case("FakeQuantWithMinMaxVars", _n.floats(9), 0.5, 1.0),
    case("FakeQuantWithMinMaxVars", _n.floats(9), 0.0, 0.0),
    case("FakeQuantWithMinMaxVarsPerChannel", _n.floats(4, 3), [-1.0, -2.0, 0.0], [1.0, 0.5, 3.0]),
]
