from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.graph_roundtrip import Case, Converted, floats, integers
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import UnsupportedError
from tfjs.formats.base import WriteOptions
from tfjs.formats.tfjs_graph.write import write

BYTES, OTHERS = integers(0, 256, 20, dtype="uint8"), integers(0, 256, 20, dtype="uint8", seed=1)
WIDE = integers(-(2**31), 2**31 - 1, 40, dtype="int64").astype(np.int32)
X = floats(3, 4)

CASES = {
    **{
        f"{dtype} wraps around": Case(lambda tf, x, dtype=dtype: tf.cast(x, dtype), WIDE)
        for dtype in ("int8", "uint8", "int16", "uint16")
    },
    "bytes become small signed ones": Case(lambda tf, x: tf.cast(x, tf.int8), BYTES),
    "bytes become larger numbers": Case(lambda tf, x: tf.cast(x, tf.int16), BYTES),
    "sums of bytes wrap around": Case(lambda tf, x, y: x + y, BYTES, OTHERS),
    "differences of bytes wrap around": Case(lambda tf, x, y: x - y, BYTES, OTHERS),
    "products of bytes wrap around": Case(lambda tf, x, y: x * y, BYTES, OTHERS),
    "sums of small signed numbers": Case(
        lambda tf, x, y: tf.cast(x, tf.int8) + tf.cast(y, tf.int8), BYTES, OTHERS
    ),
    "products of 16 bits": Case(
        lambda tf, x: tf.cast(x, tf.uint16) * tf.cast(x[::-1], tf.uint16), WIDE
    ),
    "floats become bytes": Case(lambda tf, x: tf.cast(x, tf.uint8), np.abs(X) * 80),
    "bytes become floats": Case(lambda tf, x: tf.cast(x, tf.float32), BYTES),
    "64-bit integers": Case(lambda tf, x: tf.cast(x, tf.int64) * 3 + 2**20, BYTES),
    "64-bit floats": Case(lambda tf, x: tf.cast(x, tf.float64) * 3, X, rtol=1e-6),
    "16-bit floats": Case(
        lambda tf, x: tf.cast(tf.cast(x, tf.float16) * 2, tf.float32), X, rtol=2e-3, atol=1e-3
    ),
    "bfloat16 constants": Case(
        lambda tf, x: x + tf.cast(tf.constant(X[0], tf.bfloat16), tf.float32), X, rtol=1e-6
    ),
    "the largest float64 stays finite": Case(
        lambda tf, x: tf.cast(
            tf.minimum(tf.cast(x, tf.float64), np.finfo(np.float64).max), tf.float32
        ),
        X,
    ),
    "a bound beyond all sizes": Case(
        lambda tf, x: tf.strided_slice(x, [1, 0], np.array([2**63 - 1, 2**62]), [1, 1]), X
    ),
    "a limit beyond all numbers": Case(
        lambda tf, x: tf.minimum(tf.cast(x, tf.int64), 2**40), BYTES
    ),
}


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda tf, x: tf.cast(x, tf.int64) + 2**40, "1099511627776, which does not fit"),
        (lambda tf, x: tf.cast(x, tf.int64) - 2**31 - 1, "2147483648, which does not fit"),
        (lambda tf, x: tf.cast(x, tf.uint64), "no numbers of dtype uint64"),
        (lambda tf, x: tf.cast(x, tf.uint32), "may not fit"),
        (lambda tf, x: tf.reduce_prod(tf.cast(x, tf.uint8)), "wraps around"),
        (lambda tf, x: tf.bitcast(x, tf.float32), "bits of numbers"),
    ],
)
def test_what_does_not_fit_is_refused(tensorflow: ModuleType, function: Any, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        Converted(tensorflow, lambda x: function(tensorflow, x), [WIDE])


def test_a_large_constant_is_checked_when_it_is_written(
    tensorflow: ModuleType, tmp_path: Path
) -> None:
    many = np.arange(5000)
    many[4321] = 2**40
    tf = tensorflow
    converted = Converted(tf, lambda x: tf.cast(x, tf.int64) + many, [integers(0, 9, 5000)])
    with pytest.raises(UnsupportedError, match="1099511627776") as raised:
        write(converted.model, tmp_path / "model", WriteOptions())
    assert raised.value.where is not None
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].run(tensorflow, tfjs_runtime)
