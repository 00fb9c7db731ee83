from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from tests.support.graph_roundtrip import Case, Converted, floats
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import UnsupportedError

CPU: dict[str, Any] = {"backends": ["cpu"], "rtol": 1e-5, "atol": 1e-5}
X, Y = floats(2, 4, 6), floats(2, 4, 6, seed=1)

CASES = {
    **{
        f"of {length}": Case(
            lambda tf, x, length=length: tf.abs(tf.raw_ops.RFFT(input=x, fft_length=[length])),
            floats(3, 8),
            rule=None if length == 8 else "cut_transform",
            **CPU,
        )
        for length in (6, 8)
    },
    "and back": Case(lambda tf, x: tf.signal.irfft(tf.signal.rfft(x)), floats(3, 8), **CPU),
    "of planes": Case(
        lambda tf, x, y: tf.abs(tf.signal.fft2d(tf.complex(x, y))),
        X,
        Y,
        rule="transform_of_planes",
        **CPU,
    ),
    "of planes back": Case(
        lambda tf, x, y: tf.math.real(tf.signal.ifft2d(tf.complex(x, y))),
        X,
        Y,
        rule="transform_of_planes",
        **CPU,
    ),
    "of real planes": Case(
        lambda tf, x: tf.abs(tf.signal.rfft2d(x, [4, 6])),
        floats(2, 5, 6),
        rule="real_transform_of_planes",
        **CPU,
    ),
    "of sounds": Case(
        lambda tf, x: tf.abs(tf.signal.stft(x, 16, 8)),
        floats(2, 64),
        backends=["cpu"],
        rtol=1e-4,
        atol=1e-4,
    ),
    "back in many axes": Case(
        lambda tf, x, y: tf.signal.irfft(tf.complex(x, y)),
        floats(2, 3, 4, 5),
        floats(2, 3, 4, 5, seed=1),
        rule="inverse_of_other_length",
        backends=["cpu"],
        rtol=1e-5,
        atol=1e-6,
    ),
}


def test_an_odd_length_back_is_refused(tensorflow: ModuleType) -> None:
    tf = tensorflow

    def odd(x: Any) -> Any:
        return tf.signal.irfft(tf.complex(x, x), [7])

    with pytest.raises(UnsupportedError, match="length 7 is not what follows"):
        Converted(tf, odd, [floats(3, 5)])


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].run(tensorflow, tfjs_runtime)
