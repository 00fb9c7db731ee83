"""Cases of `tfjs.ops.reduction`."""

from __future__ import annotations

import numpy as np

from tests.support.op_cases.case import Case, Numbers, case, float32, int32, int64

_n = Numbers(8)
_DTYPES = {
    "Sum": ("float16", "float32", "float64", "int32", "int64", "int8", "complex64"),
    "Mean": ("float16", "float32", "float64", "int32", "int64", "uint8"),
    "Max": ("float16", "float32", "int32", "int64", "uint8"),
    "Min": ("float32", "int32", "int8"),
    "Prod": ("float32", "float64", "int32", "int64"),
    "EuclideanNorm": ("float32", "float64"),
    "All": ("bool",),
    "Any": ("bool",),
}
_AXES = [[0], [1, 2], [-1, 0], [], [0, 1, 2]]
_EMPTY = np.zeros(0, np.int32)


def _axes(axes: list[int]) -> np.ndarray:
    return np.array(axes, np.int32)


CASES: list[Case] = [
    *(
        case(
            op,
            _n.any(dtypes[0], 2, 3, 4),
            _axes(axes),
            keep_dims=keep,
            fixed=[1],
            label=f"{axes}{keep}",
        )
        for op, dtypes in _DTYPES.items()
        for axes in _AXES
        for keep in (False, True)
    ),
    *(
        case(op, _n.any(dtype, 4, 5), int64([0]), fixed=[1])
        for op, dtypes in _DTYPES.items()
        for dtype in dtypes
    ),
    *(case(op, _n.any(dtypes[0], 3, 2), 1, fixed=[1]) for op, dtypes in _DTYPES.items()),
    *(case(op, np.zeros((0, 3), dtypes[0]), [0], fixed=[1]) for op, dtypes in _DTYPES.items()),
    *(
        case(op, float32(3), _EMPTY, fixed=[1], label="scalar")
        for op in ("Sum", "Mean", "Max", "EuclideanNorm")
    ),
    case("Sum", int32([2**31 - 1, 5]), [0], fixed=[1], label="wraps"),
    case("Prod", int32([70000, 70000]), [0], fixed=[1], label="wraps"),
    case("Mean", int32([-7, 0]), [0], fixed=[1], label="truncates"),
    case("L2Loss", _n.floats(2, 3)),
    *(
        case(op, _n.any(dtype, 3, 4), axis, fixed=[1], label=f"{axis}")
        for op in ("ArgMax", "ArgMin")
        for dtype in ("float32", "int32", "uint8")
        for axis in (0, -1)
    ),
    *(case(op, float32([[1, 3, 3], [2, 2, 2]]), 1, fixed=[1]) for op in ("ArgMax", "ArgMin")),
    case("ArgMax", _n.floats(2, 3, 2), int64(1), output_type="int32", fixed=[1]),
    case("ArgMax", _n.bools(4), 0, fixed=[1]),
    *(
        case(
            op, _n.any(dtype, 3, 4), axis, exclusive=ex, reverse=rev, fixed=[1], label=f"{ex}{rev}"
        )
        for op in ("Cumsum", "Cumprod")
        for dtype, axis in (("float32", 0), ("int32", -1), ("float16", 1))
        for ex in (False, True)
        for rev in (False, True)
    ),
    *(
        case("CumulativeLogsumexp", _n.floats(3, 4), 1, reverse=rev, fixed=[1], label=f"{rev}")
        for rev in (False, True)
    ),
    case("CumulativeLogsumexp", _n.floats(3, 4), 0, exclusive=True, fixed=[1]),
    case("Cumsum", int32([2**31 - 1, 1]), 0, fixed=[1], label="wraps"),
]
