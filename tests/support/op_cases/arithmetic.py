"""Cases of `tfjs.ops.arithmetic`."""

from __future__ import annotations

import numpy as np

from tests.support.op_cases.case import Case, Numbers, case, float32, int32, int64, uint8
from tfjs.ir.tensor import Array

_n = Numbers(2)
_FLOATS = ("float16", "float32", "float64")
_INTS = ("int32", "int64")


def _nonzero(dtype: str, *shape: int) -> Array:
    numbers = _n.any(dtype, *shape)
    return np.where(numbers == 0, np.array(3, numbers.dtype), numbers)


_PAIRS = {
    "Add": (*_FLOATS, *_INTS, "int8", "uint8", "complex64", "string"),
    "AddV2": (*_FLOATS, *_INTS, "int16", "uint8", "complex64"),
    "Atan2": _FLOATS[1:],
    "Maximum": (*_FLOATS, *_INTS, "uint8"),
    "Minimum": (*_FLOATS, *_INTS, "uint8"),
    "Mul": (*_FLOATS, *_INTS, "int8", "complex64"),
    "MulNoNan": _FLOATS[1:],
    "SquaredDifference": (*_FLOATS, *_INTS, "complex64"),
    "Sub": (*_FLOATS, *_INTS, "uint8", "complex64"),
    "BitwiseAnd": ("int32", "uint8"),
    "BitwiseOr": ("int32", "uint8"),
    "BitwiseXor": ("int32", "int64"),
}
_DIVISIONS = {
    "Div": (*_FLOATS, *_INTS, "uint8", "int8"),
    "DivNoNan": _FLOATS,
    "FloorDiv": (*_FLOATS, *_INTS, "uint8", "int8"),
    "FloorMod": (*_FLOATS[1:], *_INTS),
    "Mod": (*_FLOATS[1:], *_INTS),
    "RealDiv": (*_FLOATS, "complex64"),
    "TruncateDiv": (*_INTS, "int16"),
    "TruncateMod": (*_FLOATS[1:], *_INTS),
}
_EDGES = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 3.5, -3.5, 0.1], np.float32)
_COMPARED = ("Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual")
_SEVENS = np.array([7, -7, 7, -7, 6, -6], np.int32)
_THREES = np.array([3, 3, -3, -3, 3, -3], np.int32)

CASES: list[Case] = [
    *(
        case(op, _n.any(dtype, 2, 3), _n.any(dtype, 3))
        for op, dtypes in _PAIRS.items()
        for dtype in dtypes
    ),
    *(
        case(op, _n.any(dtype, 2, 3), _nonzero(dtype, 2, 1))
        for op, dtypes in _DIVISIONS.items()
        for dtype in dtypes
    ),
    *(case(op, _SEVENS, _THREES) for op in _DIVISIONS if op not in ("DivNoNan", "RealDiv")),
    *(
        case(op, _EDGES[:, np.newaxis], _EDGES, label="edges")
        for op in ("Add", "Atan2", "DivNoNan", "FloorDiv", "FloorMod", "Mod", "MulNoNan")
    ),
    *(
        case(op, _EDGES[:, np.newaxis], _EDGES, label="edges")
        for op in ("Pow", "RealDiv", "Xdivy", "Xlogy", "Xlog1py", *_COMPARED)
    ),
    case("FloorDiv", float32([1.0, -1.0, 5.5]), float32([0.1, 0.1, -0.5])),
    *(case(op, _n.any("float32", 4, 1, 3), _n.any("float32", 1, 5, 1)) for op in ("Add", "Mul")),
    *(case(op, float32(2.5), float32(-1.5)) for op in ("Add", "Pow", "FloorMod", "RealDiv")),
    *(case(op, np.zeros((0, 3), np.float32), np.ones(3, np.float32)) for op in ("Add", "Less")),
    # Integers wrap around.
    case("Add", int32([2**31 - 1]), int32([1]), label="wraps"),
    case("AddV2", uint8([250]), uint8([10]), label="wraps"),
    case("Sub", uint8([3]), uint8([10]), label="wraps"),
    case("Mul", int32([70000]), int32([70000]), label="wraps"),
    case("Mul", int64([1 << 40]), int64([1 << 40]), label="wraps"),
    case("Pow", int32([3, -2, 0, 0]), int32([25, 3, 0, 2]), label="wraps"),
    case("Pow", _n.floats(2, 3, low=0.1), _n.floats(3)),
    case("Pow", _n.floats(2, 3, low=0.1, dtype="float64"), _n.floats(3, dtype="float64")),
    case("Pow", _n.complexes(3), _n.complexes(3), rtol=1e-4),
    *(case(op, _n.floats(2, 3, low=0), _n.floats(2, 3, low=0.1)) for op in ("Xdivy", "Xlogy")),
    case("Xlog1py", _n.floats(2, 3), _n.floats(2, 3, low=-0.5)),
    case("NextAfter", _n.floats(5), _n.floats(5)),
    case("LeftShift", int32([1, -1, 5, 1]), int32([3, 2, 0, 31])),
    case("RightShift", int32([64, -64, 5, -1]), int32([3, 2, 0, 31])),
    case("RightShift", uint8([200, 255]), uint8([3, 7])),
    case("Complex", _n.floats(2, 3), _n.floats(3)),
    case(
        "Complex", _n.floats(2, dtype="float64"), _n.floats(2, dtype="float64"), Tout="complex128"
    ),
    case("AddN", [_n.floats(2, 3), _n.floats(2, 3), _n.floats(2, 3)]),
    case("AddN", [_n.ints(2)]),
    case("ClipByValue", _n.floats(2, 3), -0.5, 1.0),
    case("ClipByValue", _n.ints(2, 3), -4, 5),
    case("ClipByValue", _n.ints(2, 3), 5, -4, label="crossed"),
    case("ClipByValue", _n.floats(2, 3), _n.floats(2, 3, high=0), _n.floats(2, 3, low=0)),
    case("BiasAdd", _n.floats(2, 3, 4), _n.floats(4)),
    case("BiasAdd", _n.floats(2, 3), _n.floats(3)),
    case("BiasAdd", _n.floats(2, 3, 4, 4), _n.floats(3), data_format=b"NCHW"),
    case("BiasAdd", _n.ints(2, 3, 4, 4, 2), _n.ints(2)),
    case("BiasAddV1", _n.floats(2, 3), _n.floats(3)),
    # Comparisons, logic.
    *(
        case(op, _n.any(dtype, 2, 5), _n.any(dtype, 5))
        for op in _COMPARED
        for dtype in ("float32", "int32", "uint8", "int64")
    ),
    *(case(op, _n.bools(2, 5), _n.bools(5)) for op in ("Equal", "NotEqual")),
    *(case(op, ["a", "b", ""], ["a", "c", ""]) for op in ("Equal", "NotEqual")),
    *(case(op, _n.complexes(3), _n.complexes(3)) for op in ("Equal", "NotEqual")),
    *(
        case(op, _n.floats(2), _n.floats(3), incompatible_shape_error=False, label="apart")
        for op in ("Equal", "NotEqual")
    ),
    *(
        case(op, _n.floats(2, 1), _n.floats(3), incompatible_shape_error=False, label="together")
        for op in ("Equal", "NotEqual")
    ),
    *(case(op, _n.bools(2, 5), _n.bools(5)) for op in ("LogicalAnd", "LogicalOr")),
    case("ApproximateEqual", float32([1, 1, 1]), float32([1.1, 1.2, 1]), tolerance=0.15),
    case("Select", _n.bools(2, 3), _n.floats(2, 3), _n.floats(2, 3)),
    case("Select", np.array(True), _n.floats(2, 3), _n.floats(2, 3)),
    case("Select", _n.bools(2), _n.ints(2, 3), _n.ints(2, 3)),
    case("Select", _n.bools(3), _n.strings(3), _n.strings(3)),
    case("SelectV2", _n.bools(2, 1), _n.floats(3), _n.floats(2, 3)),
    case("SelectV2", np.array(False), _n.ints(3), int32(4)),
]
