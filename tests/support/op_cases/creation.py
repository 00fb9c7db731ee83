"""Cases of `tfjs.ops.creation`."""

from __future__ import annotations

import numpy as np

from tests.support.op_cases.case import Case, Numbers, case, float32, int32

_n = Numbers(4)
_ALL = (0, 1, 2)


def _range(start: float, limit: float, delta: float, dtype: str) -> Case:
    bounds = [np.array(item, dtype) for item in (start, limit, delta)]
    return case("Range", *bounds, fixed=_ALL, label=f"{start},{limit},{delta}")


CASES: list[Case] = [
    case("Fill", [2, 3], 1.5, fixed=[0]),
    case("Fill", np.array([2, 3], np.int64), int32(4), fixed=[0]),
    case("Fill", np.array([], np.int32), float32(2), fixed=[0]),
    case("Fill", [0, 3], np.array(b"ab", object), fixed=[0]),
    case("Fill", [2], np.array(b"ab", object), fixed=[0]),
    case("Fill", [3], np.array(True), fixed=[0]),
    *(case(op, _n.any(d, 2, 3)) for op in ("OnesLike", "ZerosLike") for d in ("float32", "int32")),
    *(case(op, _n.bools(3)) for op in ("OnesLike", "ZerosLike")),
    case("ZerosLike", _n.strings(3)),
    *(
        _range(*bounds, dtype=dtype)
        for dtype in ("int32", "int64", "float32", "float64")
        for bounds in [(0, 5, 1), (3, 18, 4), (10, 1, -3), (2, 2, 1), (-5, 5, 5)]
    ),
    _range(0, 1, 0.1, "float32"),
    _range(0, 1, 0.1, "float64"),
    _range(1.5, -2.5, -0.7, "float32"),
    _range(0, 100, 0.3, "float32"),
    *(
        case("LinSpace", np.array(a, d), np.array(b, d), int32(n), fixed=[2], label=f"{a},{b}")
        for d in ("float32", "float64")
        for a, b, n in [(0, 1, 5), (3, -2, 4), (1, 9, 1), (2, 2, 3), (-1, 1, 7)]
    ),
    case("OneHot", _n.ints(2, 3, low=-1, high=5), 4, 1.0, 0.0, fixed=[1]),
    case("OneHot", _n.ints(2, 3, low=0, high=4), 4, 5.0, -1.0, axis=0, fixed=[1]),
    case("OneHot", _n.ints(2, 3, low=0, high=4), 4, int32(3), int32(7), axis=1, fixed=[1]),
    case("OneHot", int32(2), 4, np.array(True), np.array(False), fixed=[1]),
    case("OneHot", _n.ints(3, dtype="int64", low=0), 0, 1.0, 0.0, fixed=[1]),
    case("OneHot", _n.ints(3, dtype="uint8", low=0), 4, 1.0, 0.0, fixed=[1]),
    # Random numbers: only shapes.
    *(
        case(op, [2, 3], dtype="float32", fixed=[0])
        for op in ("RandomStandardNormal", "RandomUniform", "TruncatedNormal")
    ),
    case("RandomUniformInt", [2, 3], int32(0), int32(9), fixed=[0]),
    case("RandomGamma", [2, 3], _n.floats(4, low=0.5), fixed=[0]),
    case("RandomPoissonV2", [2], _n.floats(4, 1, low=0.5), fixed=[0]),
    case("RandomShuffle", _n.floats(5, 2)),
    case("Multinomial", _n.floats(2, 4), 3, fixed=[1]),
    *(
        case(op, [2, 3], [1, 2], fixed=[0])
        for op in ("StatelessRandomNormal", "StatelessRandomUniform", "StatelessTruncatedNormal")
    ),
    case("StatelessRandomUniformInt", [4], [1, 2], int32(0), int32(9), fixed=[0]),
    case("StatelessMultinomial", _n.floats(2, 4), 3, [1, 2], fixed=[1]),
    case("StatelessRandomGetKeyCounter", [1, 2]),
    case("StatelessRandomGetAlg"),
    case(
        "StatelessRandomUniformV2",
        [2, 3],
        np.array([1], np.uint64),
        np.array([1, 2], np.uint64),
        1,
        fixed=[0],
    ),
]
