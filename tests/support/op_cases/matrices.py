"""Cases of `tfjs.ops.matrices`."""

from __future__ import annotations

import itertools

from tests.support.op_cases.case import Case, Numbers, case, int32, int64

_n = Numbers(11)
_ALIGN = (b"LEFT_RIGHT", b"RIGHT_LEFT", b"LEFT_LEFT", b"RIGHT_RIGHT")
_ONE = int32(0)


def _matmul(op: str, a: bool, b: bool, dtype: str) -> Case:
    first = _n.any(dtype, *((3, 2) if a else (2, 3)))
    second = _n.any(dtype, *((4, 3) if b else (3, 4)))
    return case(op, first, second, transpose_a=a, transpose_b=b, label=f"{a}{b}")


def _einsum(equation: str, *shapes: tuple[int, ...], dtype: str = "float32") -> Case:
    arrays = [_n.any(dtype, *shape) for shape in shapes]
    return case("Einsum", arrays, equation=equation.encode(), label=equation)


CASES: list[Case] = [
    *(_matmul("MatMul", a, b, "float32") for a, b in itertools.product((False, True), repeat=2)),
    *(_matmul("MatMul", False, True, d) for d in ("float16", "float64", "int32", "complex64")),
    _matmul("SparseMatMul", False, True, "float32"),
    *(
        case(
            "BatchMatMulV2",
            _n.any(dtype, 2, 1, *((4, 3) if x else (3, 4))),
            _n.any(dtype, 5, *((2, 4) if y else (4, 2))),
            adj_x=x,
            adj_y=y,
            label=f"{x}{y}",
        )
        for dtype in ("float32", "complex64")
        for x in (False, True)
        for y in (False, True)
    ),
    case("BatchMatMul", _n.floats(2, 3, 4), _n.floats(2, 4, 2)),
    case("BatchMatMulV3", _n.floats(2, 3, 4), _n.floats(4, 2), Tout="float32"),
    case("BatchMatMulV3", _n.any("int8", 2, 3, 4), _n.any("int8", 4, 2), Tout="int32"),
    case("BatchMatMulV2", _n.floats(3, 4), _n.floats(4, 2)),
    case("BatchMatMulV2", _n.floats(2, 3, 0), _n.floats(2, 0, 2)),
    _einsum("ij,jk->ik", (2, 3), (3, 4)),
    _einsum("bij,bjk->bik", (2, 2, 3), (2, 3, 4)),
    _einsum("abc,acde->abde", (2, 3, 4), (2, 4, 3, 2)),
    _einsum("...ij,...jk->...ik", (5, 1, 2, 3), (4, 3, 2)),
    _einsum("ij->ji", (2, 3)),
    _einsum("ii->i", (3, 3)),
    _einsum("ij->", (2, 3)),
    _einsum("i,j->ij", (2,), (3,)),
    _einsum("...a,ab->...b", (2, 4, 3), (3, 2)),
    _einsum("aBc,cB->aB", (2, 3, 4), (4, 3)),
    _einsum("ij,jk->ik", (2, 3), (3, 4), dtype="complex64"),
    case("Cross", _n.floats(2, 3), _n.floats(2, 3)),
    *(
        case("MatrixBandPart", _n.floats(2, 4, 5), low, high, label=f"{low},{high}")
        for low, high in [(0, 0), (1, -1), (-1, 0), (2, 1), (-1, -1)]
    ),
    case("MatrixBandPart", _n.ints(3, 2), int64(1), int64(0)),
    case("Diag", _n.floats(3)),
    case("Diag", _n.ints(2, 3)),
    case("DiagPart", _n.floats(3, 3)),
    case("DiagPart", _n.floats(2, 3, 2, 3)),
    # Diagonals of matrices.
    case("MatrixDiag", _n.floats(2, 3)),
    case("MatrixDiag", _n.ints(3)),
    case("MatrixDiagPart", _n.floats(2, 3, 4)),
    case("MatrixDiagPart", _n.floats(4, 3)),
    case("MatrixSetDiag", _n.floats(2, 3, 4), _n.floats(2, 3)),
    *(
        case(
            "MatrixDiagPartV3",
            _n.floats(2, 4, 5),
            int32(k),
            9.0,
            align=align,
            fixed=[1],
            label=f"{k}{align.decode()}",
        )
        for k in (0, 2, -1, [-1, 1], [0, 3], [-3, -2])
        for align in _ALIGN
    ),
    case("MatrixDiagPartV2", _n.floats(5, 3), int32([-2, 1]), -1.0, fixed=[1]),
    case("MatrixDiagPartV2", _n.floats(2, 3, 3), int32([1]), 0.0, fixed=[1]),
    *(
        case(
            "MatrixDiagV3",
            _n.floats(2, *((3,) if len(k) == 1 else (k[1] - k[0] + 1, 3))),
            int32(k if len(k) > 1 else k[0]),
            int32(rows),
            int32(columns),
            9.0,
            align=align,
            fixed=[1, 2, 3],
            label=f"{k},{rows},{columns}{align.decode()}",
        )
        for k, rows, columns in [
            ([0], -1, -1),
            ([1], -1, -1),
            ([-2], -1, -1),
            ([1], 3, 5),
            ([1], 3, -1),
            ([-1], -1, 3),
            ([-1, 1], -1, -1),
            ([-1, 0], 4, 3),
            ([1, 2], -1, -1),
        ]
        for align in _ALIGN[:2]
    ),
    case("MatrixDiagV2", _n.floats(2, 3), int32(0), -1, 4, 0.0, fixed=[1, 2, 3]),
    *(
        case(
            "MatrixSetDiagV3",
            _n.floats(2, 4, 5),
            _n.floats(*shape),
            int32(k),
            align=align,
            fixed=[2],
            label=f"{k}{align.decode()}",
        )
        for k, shape in [(0, (2, 4)), (2, (2, 3)), ([-1, 1], (2, 3, 4)), ([-2, -1], (2, 2, 3))]
        for align in _ALIGN
    ),
    case("MatrixSetDiagV2", _n.floats(3, 3), _n.floats(2, 3), int32([-1, 0]), fixed=[2]),
    case(
        "_FusedMatMul",
        _n.floats(2, 3),
        _n.floats(3, 4),
        [_n.floats(4)],
        fused_ops=[b"BiasAdd", b"Relu"],
        num_args=1,
    ),
]
