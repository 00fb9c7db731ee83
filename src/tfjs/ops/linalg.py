"""Linear algebra: inverses, determinants, decompositions."""

from __future__ import annotations

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import broadcast_shapes, declare
from tfjs.ops.shapes import Sizes, at_least, same_size


def _square(node: Node) -> Shape:
    shape = at_least(node.inputs[0].shape, 2)
    if shape is None:
        return None
    size = same_size(shape[-1], shape[-2])
    return (*shape[:-2], size, size)


def _least(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else min(first, second)


def _adjoint(x: Array) -> Array:
    return np.conj(np.swapaxes(x, -1, -2))


def _inverse(attrs: Attrs, x: Array) -> Array:
    return np.linalg.inv(_adjoint(x) if attrs.get("adjoint", False) else x).astype(x.dtype)


declare("MatrixInverse", "BatchMatrixInverse", infer=lambda node: [_square(node)], kernel=_inverse)
declare(
    *("Cholesky", "BatchCholesky"),
    infer=lambda node: [_square(node)],
    # TensorFlow reads the lower half only, as NumPy does.
    kernel=lambda attrs, x: np.linalg.cholesky(x).astype(x.dtype),
)


def _of_matrices(node: Node) -> list[Shape]:
    shape = _square(node)
    return [None if shape is None else shape[:-2]]


declare(
    *("MatrixDeterminant", "BatchMatrixDeterminant"),
    infer=_of_matrices,
    kernel=lambda attrs, x: np.asarray(np.linalg.det(x)).astype(x.dtype),
)


def _log_determinant(attrs: Attrs, x: Array) -> tuple[Array, Array]:
    sign, size = np.linalg.slogdet(x)
    return np.asarray(sign).astype(x.dtype), np.asarray(size).astype(x.dtype)


declare("LogMatrixDeterminant", infer=lambda node: _of_matrices(node) * 2, kernel=_log_determinant)


def _solved(node: Node) -> list[Shape]:
    shape, right = _square(node), at_least(node.inputs[1].shape, 2)
    if shape is None or right is None:
        return [None]
    size = same_size(shape[-1], right[-2])
    batch = broadcast_shapes([shape[:-2], right[:-2]]) or ()
    return [(*batch, size, right[-1])]


def _solve(attrs: Attrs, matrix: Array, right: Array) -> Array:
    if matrix.ndim < 2 or right.ndim < 2:
        raise ValueError("matrices are solved")
    given = _adjoint(matrix) if attrs.get("adjoint", False) else matrix
    return np.linalg.solve(given, right).astype(right.dtype)


def _triangular_solve(attrs: Attrs, matrix: Array, right: Array) -> Array:
    if matrix.ndim < 2 or right.ndim < 2:
        raise ValueError("matrices are solved")
    # What is beyond the diagonal is not looked at.
    half = np.tril(matrix) if attrs.get("lower", True) else np.triu(matrix)
    return _solve(attrs, half, right)


declare("MatrixSolve", "BatchMatrixSolve", infer=_solved, kernel=_solve)
declare(
    *("MatrixTriangularSolve", "BatchMatrixTriangularSolve"),
    infer=_solved,
    kernel=_triangular_solve,
)


def _least_squares_shape(node: Node) -> list[Shape]:
    shape, right = (at_least(value.shape, 2) for value in node.inputs[:2])
    if shape is None or right is None:
        return [None]
    same_size(shape[-2], right[-2])
    return [(*shape[:-2], shape[-1], right[-1])]


declare("MatrixSolveLs", "BatchMatrixSolveLs", infer=_least_squares_shape)


def _qr_shape(node: Node) -> list[Shape]:
    shape = at_least(node.inputs[0].shape, 2)
    if shape is None:
        return [None, None]
    batch, rows, columns = shape[:-2], shape[-2], shape[-1]
    if node.attrs.get("full_matrices", False):
        return [(*batch, rows, rows), shape]
    least = _least(rows, columns)
    return [(*batch, rows, least), (*batch, least, columns)]


def _svd_shape(node: Node) -> list[Shape]:
    shape = at_least(node.inputs[0].shape, 2)
    if shape is None:
        return [None, None, None]
    batch, rows, columns = shape[:-2], shape[-2], shape[-1]
    least = _least(rows, columns)
    if not node.attrs.get("compute_uv", True):
        return [(*batch, least), None, None]
    if node.attrs.get("full_matrices", False):
        return [(*batch, least), (*batch, rows, rows), (*batch, columns, columns)]
    return [(*batch, least), (*batch, rows, least), (*batch, columns, least)]


def _eigen_shape(node: Node) -> list[Shape]:
    shape = _square(node)
    vectors = node.attrs.get("compute_v", True)
    return [None if shape is None else shape[:-1], shape if vectors else None]


# Signs and order of what they give are the library's own: nothing is folded.
declare("Qr", infer=_qr_shape)
declare("Svd", "BatchSvd", infer=_svd_shape)
declare("SelfAdjointEigV2", "BatchSelfAdjointEigV2", "Eig", infer=_eigen_shape)


def _lu_shape(node: Node) -> list[Shape]:
    shape: Sizes | None = _square(node)
    return [shape, None if shape is None else shape[:-1]]


declare("Lu", infer=_lu_shape)
declare("MatrixExponential", "MatrixLogarithm", "MatrixSquareRoot", infer=lambda n: [_square(n)])
declare("TridiagonalSolve", infer=lambda node: [node.inputs[1].shape])
declare("TridiagonalMatMul", infer=lambda node: [node.inputs[3].shape])
declare("BandedTriangularSolve", infer=lambda node: [None])
