from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from tests.support.graph_roundtrip import Case, floats
from tests.support.tfjs_runtime import TfjsRuntime

CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5}
X = floats(2, 2, 3, 4, 2)

CASES = {
    "running sum": Case(
        lambda tf, x: tf.cumsum(x, 3, exclusive=True),
        X,
        rule="running_sum_in_high_rank",
        **CLOSE,
    ),
    "running product": Case(
        lambda tf, x: tf.math.cumprod(x, 4, reverse=True),
        X,
        rule="running_sum_in_high_rank",
        **CLOSE,
    ),
    "reversed": Case(lambda tf, x: tf.reverse(x, [1, 3]), X, rule="reversed_in_high_rank"),
    "padded": Case(
        lambda tf, x: tf.pad(x, [[0, 0], [1, 2], [0, 0], [0, 0], [2, 0]], constant_values=3.0),
        X,
        free=[[None, 2, None, 4, 2]],
        rule="padded_in_high_rank",
    ),
    "mirrored": Case(
        lambda tf, x: tf.pad(x, [[0, 0], [1, 1], [0, 0], [0, 0], [1, 0]], "REFLECT"),
        X,
        rule="padded_in_high_rank",
    ),
    "selected with broadcasting": Case(
        lambda tf, x, y: (tf.where(x > 0, x, 0.5), tf.where(y > 0, x, y)),
        X,
        floats(3, 1, 1),
        free=[[None, 2, 3, 4, 2], [3, 1, 1]],
        rule="selected_in_high_rank",
    ),
    "selected by rows, of any number": Case(
        lambda tf, x, y: tf.where(y > 0, x, -x),
        X,
        floats(1, 2, 1, 1, 1),
        free=[[None, 2, None, 4, 2], [None, 2, 1, 1, 1]],
        rule="selected_in_high_rank",
    ),
    "selected": Case(
        lambda tf, x, y: tf.where(x > 0, x, y),
        X,
        floats(2, 2, 3, 4, 2, seed=1),
        rule="selected_in_high_rank",
    ),
    "transposed": Case(
        lambda tf, x: tf.transpose(x, [0, 1, 5, 6, 2, 3, 4]),
        floats(2, 1, 2, 3, 2, 2, 2),
        rule="transposed_in_high_rank",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].run(tensorflow, tfjs_runtime)
