"""Cases of `tfjs.ops.segments`."""

from __future__ import annotations

import numpy as np

from tests.support.op_cases.case import Case, Numbers, case, int64

_n = Numbers(10)
_SORTED = ("SegmentMax", "SegmentMin", "SegmentProd", "SegmentSum")
_UNSORTED = tuple(f"Unsorted{op}" for op in _SORTED)

CASES: list[Case] = [
    *(case(op, _n.floats(5, 2), [0, 0, 1, 3, 3], fixed=[1]) for op in (*_SORTED, "SegmentMean")),
    *(case(op, _n.ints(4), int64([0, 1, 1, 1]), fixed=[1]) for op in _SORTED),
    *(case(op, np.zeros((0, 2), np.float32), np.zeros(0, np.int32), fixed=[1]) for op in _SORTED),
    *(case(op, _n.floats(5, 2), [3, 0, -1, 3, 1], 5, fixed=[2]) for op in _UNSORTED),
    *(case(op, _n.ints(2, 2), [[0, 1], [1, 3]], int64(4), fixed=[2]) for op in _UNSORTED),
    *(case(op, _n.any("uint8", 3), [0, 0, 2], 3, fixed=[2]) for op in _UNSORTED),
    case("UnsortedSegmentSum", _n.floats(2, 3), [1, 0], 2, fixed=[2]),
    *(
        case(f"SparseSegment{how}", _n.floats(4, 2), [0, 3, 1, 1], [0, 0, 1, 2], fixed=[2])
        for how in ("Sum", "Mean", "SqrtN")
    ),
    *(
        case(
            f"SparseSegment{how}WithNumSegments",
            _n.floats(4, 2),
            [0, 3, 1],
            [0, 0, 2],
            5,
            fixed=[3],
        )
        for how in ("Sum", "Mean", "SqrtN")
    ),
]
