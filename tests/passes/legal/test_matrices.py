from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.graph_roundtrip import Case, Converted, floats, integers
from tests.support.tfjs_runtime import TfjsRuntime

CLOSE: dict[str, Any] = {"rtol": 2e-6, "atol": 2e-6}
ALIGNS = ("LEFT_RIGHT", "RIGHT_LEFT", "LEFT_LEFT", "RIGHT_RIGHT")
LOWER = np.tril(floats(4, 4)) + 3 * np.eye(4, dtype=np.float32)

CASES = {
    "product of integers": Case(
        lambda tf, x, y: tf.matmul(x, y, transpose_b=True),
        integers(-9, 9, 3, 4),
        integers(-9, 9, 5, 4),
        rule="product_not_of_floats",
    ),
    "product of two dtypes": Case(
        lambda tf, x, y: tf.raw_ops.BatchMatMulV3(
            x=tf.cast(x, tf.int8), y=tf.cast(y, tf.int8), Tout=tf.int32
        ),
        integers(-9, 9, 2, 3, 4),
        integers(-9, 9, 2, 4, 3),
        rule="product_of_two_dtypes",
    ),
    **{
        f"product of batches {first} and {second}": Case(
            lambda tf, x, y: tf.matmul(x, y),
            floats(*first, 2, 3),
            floats(*second, 3, 4),
            free=[[None] * (len(first) + 2), [None] * (len(second) + 2)],
            rule="product_of_broadcast_batches",
            **CLOSE,
        )
        for first, second in [
            ((2, 1), (1, 5)),
            ((2, 3), (2, 1)),
            ((2, 3), (2, 3)),
            ((3,), (2, 1)),
            ((1, 3), (2, 3)),
        ]
    },
    "sparse product": Case(
        lambda tf, x, y: tf.raw_ops.SparseMatMul(a=x, b=y, transpose_b=True),
        floats(3, 4),
        floats(5, 4),
        rule="sparse_product",
        **CLOSE,
    ),
    "complex product": Case(
        lambda tf, x, y: tf.abs(tf.matmul(tf.complex(x, y), tf.complex(y, x), adjoint_b=True)),
        floats(3, 4),
        floats(3, 4, seed=1),
        rule="product_not_of_floats",
        backends=["cpu"],
        **CLOSE,
    ),
    **{
        f"triangular, lower {lower}, adjoint {adjoint}": Case(
            lambda tf, x, lower=lower, adjoint=adjoint: tf.linalg.triangular_solve(
                LOWER, x, lower=lower, adjoint=adjoint
            ),
            floats(2, 4, 3),
            rule="solved_with_constants",
            **CLOSE,
        )
        for lower in (True, False)
        for adjoint in (True, False)
    },
    "solved by Cholesky": Case(
        lambda tf, x: tf.linalg.cholesky_solve(tf.linalg.cholesky(LOWER @ LOWER.T), x),
        floats(4, 2),
        rule="solved_with_constants",
        rtol=1e-4,
        atol=1e-5,
    ),
    "band": Case(lambda tf, x: tf.linalg.band_part(x, 1, 0), floats(2, 4, 5), rule="band"),
    "band of integers": Case(
        lambda tf, x: tf.linalg.band_part(x, -1, 2), integers(1, 9, 4, 5), rule="band"
    ),
    "band of free size": Case(
        lambda tf, x, low, high: tf.linalg.band_part(x, low, high),
        floats(2, 4, 5),
        np.int32(1),
        np.int32(2),
        free=[[None, None, None], [], []],
        rule="band",
    ),
    "cross": Case(
        lambda tf, x, y: tf.linalg.cross(x, y), floats(4, 3), floats(4, 3, seed=1), rule="cross"
    ),
    "diagonal of integers": Case(
        lambda tf, x: tf.linalg.diag(x), integers(0, 9, 4), rule="matrices_of_diagonals"
    ),
    "diagonal in free batches": Case(
        lambda tf, x: tf.linalg.diag(x),
        floats(2, 4),
        free=[[None, 4]],
        rule="matrices_of_diagonals",
    ),
    "diagonal beside the main one": Case(
        lambda tf, x: tf.linalg.diag(x, k=2, padding_value=9.0),
        floats(2, 4),
        rule="matrices_of_diagonals",
    ),
    "diagonal in a matrix of some size": Case(
        lambda tf, x: tf.linalg.diag(x, k=-1, num_rows=6, num_cols=4),
        floats(2, 4),
        rule="matrices_of_diagonals",
    ),
    **{
        f"diagonals, {align}": Case(
            lambda tf, x, align=align: tf.linalg.diag(
                x, k=(-1, 2), num_rows=4, num_cols=5, align=align, padding_value=7.0
            ),
            floats(2, 4, 4),
            rule="matrices_of_diagonals",
        )
        for align in ALIGNS
    },
    **{
        f"taken diagonals, {align}": Case(
            lambda tf, x, align=align: tf.linalg.diag_part(
                x, k=(-2, 1), align=align, padding_value=7.0
            ),
            floats(2, 4, 3),
            rule="diagonals_of_matrices",
        )
        for align in ALIGNS
    },
    **{
        f"set diagonals, {align}": Case(
            lambda tf, x, d, align=align: tf.linalg.set_diag(x, d, k=(-1, 2), align=align),
            floats(2, 4, 5),
            floats(2, 4, 4),
            rule="matrices_with_new_diagonals",
        )
        for align in ALIGNS
    },
    "first form of a diagonal": Case(
        lambda tf, x: tf.raw_ops.MatrixDiag(diagonal=x),
        floats(2, 4),
        rule="matrices_of_diagonals",
    ),
    "first form of taking one": Case(
        lambda tf, x: tf.raw_ops.MatrixDiagPart(input=x),
        floats(2, 4, 3),
        rule="diagonals_of_matrices",
    ),
    "first form of setting one": Case(
        lambda tf, x, d: tf.raw_ops.MatrixSetDiag(input=x, diagonal=d),
        floats(2, 4, 3),
        floats(2, 3),
        rule="matrices_with_new_diagonals",
    ),
    "diagonal of a tensor": Case(
        lambda tf, x: tf.raw_ops.Diag(diagonal=x), floats(2, 3), rule="tensor_of_diagonal"
    ),
    "taken from a tensor": Case(
        lambda tf, x: tf.raw_ops.DiagPart(input=x), floats(2, 3, 2, 3), rule="diagonal_of_tensor"
    ),
    "batches that are spread": Case(
        lambda tf, x, y: x @ y,
        floats(2, 1, 3, 4),
        floats(5, 4, 2),
        rule="product_of_broadcast_batches",
        rtol=1e-5,
        atol=1e-6,
    ),
    "batches of free size that are spread": Case(
        lambda tf, x, y: tf.matmul(x, y, transpose_b=True),
        floats(2, 3, 1, 3, 4),
        floats(2, 1, 5, 2, 4),
        free=[[None, None, 1, 3, 4], [None, 1, 5, 2, 4]],
        rule="product_of_broadcast_batches",
        rtol=1e-5,
        atol=1e-6,
    ),
    "batches that repeat": Case(
        lambda tf, x, y: x @ y, floats(2, 3, 3, 4), floats(3, 4, 2), rtol=1e-5, atol=1e-6
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].run(tensorflow, tfjs_runtime)


@pytest.mark.parametrize(
    ("first", "second", "spread"),
    [
        ([None, None], [None, None], True),
        ([None, 8], [None, 8], False),
        ([None, 8], [1, None], False),
        ([1, None], [None, 1], True),
        ([None], [None], False),
        ([None], [1, None], False),
        ([None, None], [1, 1], False),
        ([None, 2], [2, 2], False),
        ([2, None], [2, 3], True),
        ([], [None, None], False),
    ],
)
def test_batches_are_spread_where_they_may_have_to_be(
    tensorflow: ModuleType, first: list[int | None], second: list[int | None], spread: bool
) -> None:
    tf = tensorflow
    specs = [tf.TensorSpec([*first, 2, 3]), tf.TensorSpec([*second, 3, 4])]
    converted = Converted(tf, tf.linalg.matmul, specs)
    rules = {entry.rule for entry in converted.outcome.rewrites}
    assert ("product_of_broadcast_batches" in rules) == spread
    assert not converted.outcome.notes
