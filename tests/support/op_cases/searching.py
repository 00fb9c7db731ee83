"""Cases of `tfjs.ops.searching`."""

from __future__ import annotations

import numpy as np

from tests.support.op_cases.case import Case, Numbers, case, float32, int32, int64

_n = Numbers(18)
_NONE = np.zeros(0, np.int32)
_TIES = int32([[3, 1, 3, 2], [0, 0, 0, 0]])

CASES: list[Case] = [
    *(case("TopKV2", _n.any(d, 2, 3, 5), 3, fixed=[1]) for d in ("float32", "int32", "uint8")),
    case("TopKV2", _TIES, 3, fixed=[1]),
    case("TopKV2", _n.floats(4), 4, fixed=[1]),
    case("TopKV2", _n.floats(2, 4), 0, fixed=[1]),
    case("TopKV2", _n.floats(2, 4), int64(2), index_type="int64", fixed=[1]),
    case("TopKV2", int32([-(2**31), 5, 2**31 - 1]), 3, fixed=[1]),
    case("InTopK", _n.floats(4, 5), [0, 2, 4, 7], k=2),
    case("InTopKV2", float32([[1, 2, 2], [np.nan, 1, 2]]), [1, 1], 1),
    *(
        case("NthElement", _n.floats(2, 5), 1, reverse=rev, fixed=[1], label=f"{rev}")
        for rev in (False, True)
    ),
    # Each once.
    *(
        case(op, items, dynamic=True)
        for op in ("Unique", "UniqueWithCounts")
        for items in (int32([3, 1, 3, 2, 1]), float32([0.5, 0.5]), _n.strings(4), _NONE)
    ),
    case("Unique", int64([3, 1, 3]), out_idx="int64", dynamic=True),
    *(
        case(op, int32([[1, 2, 1], [3, 4, 3], [1, 2, 1]]), int64(axis), fixed=[1], dynamic=True)
        for op in ("UniqueV2", "UniqueWithCountsV2")
        for axis in ([0], [1], [-1])
    ),
    case("UniqueV2", int32([3, 1, 3]), _NONE, fixed=[1], dynamic=True),
    case("ListDiff", [1, 2, 3, 4, 2], [2, 5], dynamic=True),
    case("ListDiff", ["a", "b", "c"], ["b"], out_idx="int64", dynamic=True),
    *(
        case("Where", items, dynamic=True)
        for items in (_n.bools(2, 3), _n.bools(4, 2, 2), _n.ints(5))
    ),
    case("Where", np.zeros((0, 3), bool), dynamic=True),
    # Counting.
    case("Bincount", [1, 3, 1, 9], 5, np.zeros(0, np.float32), fixed=[1]),
    case("Bincount", [1, 3, 1, 9], 5, _n.floats(4), fixed=[1]),
    case("Bincount", [[1, 3], [1, 0]], 5, _NONE, fixed=[1]),
    case("DenseBincount", [1, 3, 1, 9], 5, _NONE, fixed=[1]),
    case("DenseBincount", [[1, 3, 1], [0, 0, 8]], 5, np.zeros(0, np.float32), fixed=[1]),
    case("DenseBincount", [[1, 3, 1], [0, 0, 8]], 5, _n.floats(2, 3), fixed=[1]),
    case("DenseBincount", [[1, 3, 1], [0, 0, 8]], 5, _NONE, binary_output=True, fixed=[1]),
    case("DenseBincount", [1, 3, 1], 5, np.zeros(0, np.float32), binary_output=True, fixed=[1]),
    case("DenseBincount", int32(3), 5, _NONE, fixed=[1]),
    case("HistogramFixedWidth", _n.floats(20), float32([-1, 1.5]), 5, fixed=[2]),
    case("HistogramFixedWidth", _n.ints(20), int32([-5, 5]), 4, dtype="int64", fixed=[2]),
    case("Bucketize", _n.floats(2, 4), boundaries=[-1.0, 0.0, 1.5]),
    case("Bucketize", int32([0, 1, 2, 3]), boundaries=[1.0, 2.0]),
    *(
        case(op, np.sort(_n.ints(2, 6)), _n.ints(2, 4), out_type=dtype, label=dtype)
        for op in ("LowerBound", "UpperBound")
        for dtype in ("int32", "int64")
    ),
    *(case(op, np.sort(_n.floats(1, 6)), _n.floats(1, 3)) for op in ("LowerBound", "UpperBound")),
]
