"""Cases of `tfjs.ops.sparse`: only shapes."""

from __future__ import annotations

from tests.support.op_cases.case import Case, Numbers, case, int32, int64

_n = Numbers(21)
_INDICES = int64([[0, 0], [0, 2], [2, 1]])
_SHAPE = int64([4, 3])
_SPLITS = int64([0, 2, 2, 5])

CASES: list[Case] = [
    case("SparseFillEmptyRows", _INDICES, _n.floats(3), _SHAPE, 0.0, fixed=[2], dynamic=True),
    case("SparseReshape", _INDICES, _SHAPE, int64([2, -1, 3])),
    case("SparseReorder", _INDICES, _n.floats(3), _SHAPE),
    case("SparseSoftmax", _INDICES, _n.floats(3), _SHAPE),
    *(
        case(
            "SparseTensorDenseMatMul",
            _INDICES,
            _n.floats(3),
            _SHAPE,
            _n.floats(*shape),
            adjoint_a=a,
            adjoint_b=b,
            fixed=[2],
            label=f"{a}{b}",
        )
        for a, b, shape in [(False, False, (3, 5)), (True, False, (4, 5)), (False, True, (5, 3))]
    ),
    case("SparseTensorDenseAdd", _INDICES, _n.floats(3), _SHAPE, _n.floats(4, 3)),
    case("SparseDenseCwiseMul", _INDICES, _n.floats(3), _SHAPE, _n.floats(4, 3)),
    case(
        "SparseSlice",
        _INDICES,
        _n.floats(3),
        _SHAPE,
        int64([0, 0]),
        int64([2, 2]),
        dynamic=True,
    ),
    case(
        "SparseConcat",
        [_INDICES, _INDICES],
        [_n.floats(3)] * 2,
        [_SHAPE] * 2,
        concat_dim=0,
        dynamic=True,
    ),
    case("SparseSplit", int64(1), _INDICES, _n.floats(3), _SHAPE, num_split=2, dynamic=True),
    case(
        "RaggedGather",
        [_SPLITS],
        _n.floats(5, 2),
        [1, 0],
        PARAMS_RAGGED_RANK=1,
        OUTPUT_RAGGED_RANK=1,
        dynamic=True,
    ),
    case("RaggedRange", [0, 3, 8], [2, 3, 5], [1, 1, -1], dynamic=True),
    case("RaggedRange", int32(0), [2, 3], int32(1), dynamic=True),
    case("RaggedRange", int32(0), int32(4), int32(1), dynamic=True),
    case(
        "RaggedTensorToTensor",
        int64([3, -1]),
        _n.floats(5),
        0.0,
        [_SPLITS],
        row_partition_types=[b"ROW_SPLITS"],
        dynamic=True,
    ),
    case(
        "RaggedTensorToTensor",
        int64([-1, -1, -1]),
        _n.floats(5, 2),
        0.0,
        [_SPLITS],
        row_partition_types=[b"ROW_SPLITS"],
        dynamic=True,
    ),
    case("RaggedTensorToSparse", [_SPLITS], _n.floats(5), RAGGED_RANK=1, dynamic=True),
    case(
        "GRUBlockCell",
        _n.floats(2, 3),
        _n.floats(2, 4),
        _n.floats(7, 8),
        _n.floats(7, 4),
        _n.floats(8),
        _n.floats(4),
    ),
    case(
        "LSTMBlockCell",
        _n.floats(2, 3),
        _n.floats(2, 4),
        _n.floats(2, 4),
        _n.floats(7, 16),
        *(_n.floats(4) for _ in range(3)),
        _n.floats(16),
    ),
    case(
        "BlockLSTMV2",
        int64(5),
        _n.floats(5, 2, 3),
        _n.floats(2, 4),
        _n.floats(2, 4),
        _n.floats(7, 16),
        *(_n.floats(4) for _ in range(3)),
        _n.floats(16),
    ),
    case("CTCGreedyDecoder", _n.floats(4, 2, 3), [4, 3], dynamic=True),
    case("CTCLoss", _n.floats(4, 2, 3), int64([[0, 0], [1, 0]]), [1, 0], [4, 3]),
]
