"""Cases of `tfjs.ops.linalg`."""

from __future__ import annotations

import numpy as np

from tests.support.op_cases.case import Case, Numbers, case, float64
from tfjs.ir.tensor import Array

_n = Numbers(12)


def regular(*shape: int, dtype: str = "float32") -> Array:
    """Matrices far from singular."""
    return (_n.any(dtype, *shape) + 4 * np.eye(shape[-1])).astype(dtype)


def positive(*shape: int) -> Array:
    """Symmetric matrices whose eigenvalues are positive."""
    matrices = _n.floats(*shape)
    return (matrices @ np.swapaxes(matrices, -1, -2) + np.eye(shape[-1])).astype(np.float32)


CASES: list[Case] = [
    *(
        case("MatrixInverse", regular(2, 3, 3, dtype=dtype), adjoint=adjoint, label=f"{adjoint}")
        for dtype in ("float32", "float64", "complex64")
        for adjoint in (False, True)
    ),
    case("Cholesky", positive(2, 3, 3), rtol=1e-4),
    case("MatrixDeterminant", regular(2, 3, 3)),
    case("LogMatrixDeterminant", regular(2, 3, 3)),
    *(
        case("MatrixSolve", regular(2, 3, 3, dtype=dtype), _n.any(dtype, 2, 3, 2), adjoint=adjoint)
        for dtype in ("float32", "complex64")
        for adjoint in (False, True)
    ),
    *(
        case(
            "MatrixTriangularSolve",
            regular(2, 3, 3, dtype=dtype),
            _n.any(dtype, 2, 3, 2),
            lower=lower,
            adjoint=adjoint,
            label=f"{lower}{adjoint}",
        )
        for dtype in ("float32", "complex64")
        for lower in (False, True)
        for adjoint in (False, True)
    ),
    case("MatrixTriangularSolve", regular(3, 3), _n.floats(2, 3, 1)),
    case("MatrixSolveLs", _n.floats(4, 3), _n.floats(4, 2), float64(0.1)),
    *(case("Qr", _n.floats(2, 4, 3), full_matrices=full) for full in (False, True)),
    *(case("Svd", _n.floats(2, 4, 3), full_matrices=full) for full in (False, True)),
    case("Svd", _n.floats(4, 3), compute_uv=False, dynamic=True),
    case("SelfAdjointEigV2", positive(2, 3, 3)),
    case("SelfAdjointEigV2", positive(3, 3), compute_v=False, dynamic=True),
    case("Lu", regular(2, 3, 3)),
    case("MatrixSquareRoot", positive(2, 3, 3)),
    case("TridiagonalSolve", _n.floats(2, 3, 4), _n.floats(2, 4, 2)),
]
