"""Cases of `tfjs.ops.gathering`."""

from __future__ import annotations

import numpy as np

from tests.support.op_cases.case import Case, Numbers, case, int32, int64

_n = Numbers(9)
_NONE = np.zeros((0, 1), np.int32)

CASES: list[Case] = [
    case("Gather", _n.floats(4, 3), [2, 0, 2]),
    case("Gather", _n.strings(4), int64([[1], [3]])),
    case("GatherV2", _n.floats(4, 3, 2), [2, 0], 0, fixed=[2]),
    case("GatherV2", _n.floats(4, 3, 2), [[1, 0], [2, 2]], 1, fixed=[2]),
    case("GatherV2", _n.floats(4, 3, 2), int32(1), -1, fixed=[2]),
    case("GatherV2", _n.ints(4), np.zeros(0, np.int64), int64(0), fixed=[2]),
    case("GatherV2", _n.floats(2, 3, 4), [[2, 0], [1, 1]], 1, batch_dims=1, fixed=[2]),
    case("GatherV2", _n.floats(2, 3, 4), [[2, 0], [1, 1]], 2, batch_dims=1, fixed=[2]),
    case(
        "GatherV2",
        _n.floats(2, 3, 4, 2),
        [[[1], [0]], [[2], [3]]][:1] * 2,
        2,
        batch_dims=1,
        fixed=[2],
    ),
    case("GatherV2", _n.floats(2, 3, 4), [[2, 0, 1], [1, 1, 3]], 2, batch_dims=2, fixed=[2]),
    case(
        "GatherV2",
        _n.floats(2, 3, 4),
        [[2, 0, 1], [1, 1, 3]],
        2,
        batch_dims=-1,
        fixed=[2],
        label="-1",
    ),
    case("GatherNd", _n.floats(4, 3, 2), [[2, 0], [1, 1]]),
    case("GatherNd", _n.floats(4, 3, 2), [[[2]], [[0]]]),
    case("GatherNd", _n.strings(4, 3), int64([2, 0])),
    case("GatherNd", _n.floats(4, 3), np.zeros((2, 0), np.int32)),
    case("ScatterNd", [[1], [3], [1]], _n.floats(3), [5], fixed=[2]),
    case("ScatterNd", [[1, 0], [3, 1]], _n.ints(2), [4, 2], fixed=[2]),
    case("ScatterNd", [[1], [0]], _n.floats(2, 3), [3, 3], fixed=[2]),
    case("ScatterNd", int64([[[0]], [[2]]]), _n.floats(2, 1, 2), int64([3, 2]), fixed=[2]),
    case("ScatterNd", _NONE, np.zeros((0, 2), np.float32), [3, 2], fixed=[2]),
    *(
        case(f"TensorScatter{how}", _n.floats(4, 2), [[1], [3], [1]], _n.floats(3, 2))
        for how in ("Add", "Sub", "Max", "Min")
    ),
    case("TensorScatterUpdate", _n.floats(4, 2), [[1], [3]], _n.floats(2, 2)),
    case("TensorScatterUpdate", _n.ints(4, 2), [[1, 1], [3, 0]], _n.ints(2)),
    case("TensorScatterUpdate", _n.strings(4), [[1], [3]], _n.strings(2)),
    case("TensorScatterAdd", _n.ints(3), _NONE, np.zeros(0, np.int32)),
    case("ScatterNdNonAliasingAdd", _n.floats(4), [[1], [1]], _n.floats(2)),
    case("InplaceUpdate", _n.floats(4, 2), [3, 0], _n.floats(2, 2)),
    case("InplaceAdd", _n.floats(4, 2), [3, 0], _n.floats(2, 2)),
    case("InplaceSub", _n.floats(4, 2), [3, 0], _n.floats(2, 2)),
    case("SparseToDense", [[0, 1], [2, 0]], [3, 2], _n.floats(2), 9.0, fixed=[1]),
    case("SparseToDense", [1, 3], [5], 2.5, 0.0, fixed=[1]),
    case("SparseToDense", int64(2), int64([5]), int32(7), int32(-1), fixed=[1]),
    case("SparseToDense", [1, 3], [5], _n.ints(2), int32(0), fixed=[1]),
    case("DynamicStitch", [[4, 0], [1, 2, 3]], [_n.floats(2, 3), _n.floats(3, 3)], dynamic=True),
    case("DynamicStitch", [[[0, 1]], 2], [_n.ints(1, 2), int32(5)], dynamic=True),
    case("DynamicPartition", _n.floats(5, 2), [0, 2, 0, 1, 2], num_partitions=3, dynamic=True),
    case("DynamicPartition", _n.ints(2, 2), [[0, 1], [1, 1]], num_partitions=3, dynamic=True),
]
