"""Lists that loops fill, beside TensorFlow's."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.graph_roundtrip import Case, floats
from tests.support.tfjs_runtime import TfjsRuntime

X = floats(3, 4)
COUNT = np.array(3, np.int32)


def _written(tf: Any, dtype: str, start: int, shape: Any = (4,)) -> Any:
    """A reserved list of 6, of which a loop writes some."""

    def graph(x: Any, n: Any) -> Any:
        items = tf.TensorArray(dtype, size=6, element_shape=shape, clear_after_read=False)

        def body(i: Any, held: Any) -> Any:
            return i + 1, held.write(i, tf.cast(x[0] * 9, dtype))

        return tf.while_loop(lambda i, held: i < n, body, (start, items))[1]

    return graph


def _reserved(tf: Any, x: Any, n: Any, dtype: str, start: int) -> Any:
    return _written(tf, dtype, start)(x, n).stack()


CASES = {
    "behind what was written": Case(
        lambda tf, x, n: _reserved(tf, x, n, "float32", 0), X, COUNT, rule="reserved_zeros"
    ),
    "before what was written": Case(
        lambda tf, x, n: _reserved(tf, x, n, "float32", 2), X, COUNT, rule="reserved_zeros"
    ),
    "integers": Case(lambda tf, x, n: _reserved(tf, x, n, "int32", 1), X, COUNT),
    "booleans": Case(lambda tf, x, n: _reserved(tf, x, n, "bool", 1), X, COUNT),
    "nothing written": Case(
        lambda tf, x, n: _reserved(tf, x, n, "float32", 0), X, np.array(0, np.int32)
    ),
    "the last written": Case(
        lambda tf, x, n: _reserved(tf, x, n, "float32", 5), X, np.array(6, np.int32)
    ),
    "read one by one": Case(
        lambda tf, x, n: (lambda held: held.read(5) + held.read(n - 1))(
            _written(tf, "float32", 0)(x, n)
        ),
        X,
        COUNT,
    ),
    "more read than there are": Case(
        lambda tf, x, n: _written(tf, "float32", 0)(x, n).gather([0, 5, 1, 0, 2, 2, 1, 0, n]),
        X,
        COUNT,
        rule="gathered_repeatedly",
    ),
    "all written, of a shape that is not known": Case(
        lambda tf, x, n: _written(tf, "float32", 0, (None,))(x, n).stack(),
        X,
        np.array(6, np.int32),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].options["dynamic"] = True
    CASES[name].run(tensorflow, tfjs_runtime)
