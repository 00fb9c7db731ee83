from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.graph_roundtrip import Case, Converted, booleans, floats
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import UnsupportedError

X = (floats(2, 3) + 1j * floats(2, 3, seed=1)).astype(np.complex64)
Y = (floats(3) + 1j * floats(3, seed=1)).astype(np.complex64)


def _case(function: Callable[..., Any], *inputs: Any, rule: str | None = None) -> Case:
    return Case(function, *inputs, rule=rule, backends=["cpu"], rtol=1e-5, atol=1e-6)


CASES = {
    "alike": _case(lambda tf, x: (x + x, x - x, x * x), X),
    "broadcast sums": _case(lambda tf, x, y: (x + y, x - y), X, Y, rule="complex_by_parts"),
    "sums": _case(
        lambda tf, x: (tf.reduce_sum(x, 1), tf.reduce_mean(x, 0), -x, tf.add_n([x, x, x])),
        X,
        rule="complex_by_parts",
    ),
    "moved": _case(
        lambda tf, x: (
            x[:, ::2],
            tf.tile(x, [1, 2]),
            tf.gather(x, [1, 0]),
            tf.pad(x, [[1, 0]] * 2),
        ),
        X,
        rule="complex_by_parts",
    ),
    "cut apart": _case(
        lambda tf, x: (*tf.split(x, 3, 1), *tf.unstack(x)), X, rule="complex_by_parts"
    ),
    "chosen": _case(
        lambda tf, c, x, y: tf.where(c, x, y), booleans(2, 1), X, Y, rule="complex_by_parts"
    ),
    "products": _case(
        lambda tf, x, y: (x * y, tf.square(y), tf.math.squared_difference(x, y)),
        X,
        Y,
        rule="complex_product",
    ),
    "quotients": _case(
        lambda tf, x, y: (x / y, tf.math.reciprocal(y)), X, Y, rule="complex_quotient"
    ),
    "compared": _case(
        lambda tf, x, y: (tf.equal(x, y), tf.not_equal(x, x)), X, X[0], rule="complex_compared"
    ),
    "powers of e": _case(lambda tf, x: tf.exp(x), X, rule="complex_power"),
    "lengths": _case(lambda tf, x: tf.math.reduce_euclidean_norm(x, 1), X, rule="euclidean_norm"),
    "made of parts": _case(
        lambda tf, x, y: tf.raw_ops.Complex(real=x, imag=y),
        floats(2, 3),
        floats(3),
        rule="parts_of_one_shape",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    converted = CASES[name].run(tensorflow, tfjs_runtime)
    assert any("wasm" in note and "complex" in note for note in converted.outcome.notes)


def test_what_tfjs_cannot_compute_is_refused(tensorflow: ModuleType) -> None:
    with pytest.raises(UnsupportedError, match="no Sqrt of complex numbers"):
        Converted(tensorflow, lambda x: tensorflow.sqrt(x), [X])
