from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from tests.support.graph_roundtrip import Case, floats
from tests.support.tfjs_runtime import TfjsRuntime

NOTHING = np.zeros((2, 0, 3), np.float32)

CASES = {
    "what has no element": Case(
        lambda tf, x: (tf.reshape(x, [-1, 0, 6]), x[3:1]), NOTHING, rule="nothing_computed"
    ),
    "reductions": Case(
        lambda tf, x: [
            *(make(x, 1) for make in (tf.reduce_max, tf.reduce_min, tf.reduce_prod)),
            *(make(x, 1) for make in (tf.reduce_sum, tf.reduce_mean)),
            *(make(x > 0, 1, keepdims=True) for make in (tf.reduce_all, tf.reduce_any)),
        ],
        NOTHING,
        rule="nothing_reduced",
    ),
    "of integers": Case(
        lambda tf, x: (tf.reduce_max(x, 0), tf.reduce_min(x, 0)),
        np.zeros((0, 2), np.int32),
        rule="nothing_reduced",
    ),
    "a product of matrices": Case(
        lambda tf, x, y: (x @ y, tf.matmul(y, x, transpose_a=True, transpose_b=True)),
        np.zeros((2, 0), np.float32),
        np.zeros((0, 3), np.float32),
        rule="nothing_multiplied",
    ),
    **{
        f"slices to nothing of {'free' if free else 'known'} size": Case(
            lambda tf, x: (x[3:1], x[:, -1:-3], x[:, 1, 2:0], x[2:1, ..., None], x[1:3:2]),
            floats(4, 3, 4),
            rule="sliced_to_nothing" if free else None,
            free=[[None] * 3] if free else None,
        )
        for free in (True, False)
    },
    "a free size beside 0": Case(
        lambda tf, x: tf.concat([tf.reshape(x, [-1, 0, 2]), tf.zeros([3, 1, 2])], 1),
        NOTHING,
        rule="reshaped_nothing",
        free=[[None] * 3],
    ),
    "beside what is there": Case(lambda tf, x: tf.concat([x, x[:, 3:]], 1), floats(2, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].run(tensorflow, tfjs_runtime)
