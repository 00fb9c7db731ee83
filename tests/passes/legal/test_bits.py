from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from tests.support.graph_roundtrip import Case, integers
from tests.support.tfjs_runtime import TfjsRuntime

WIDE = integers(-(2**31), 2**31 - 1, 40, dtype="int64").astype(np.int32)
WIDE[:4] = [-(2**31), 2**31 - 1, 0, -1]
OTHER = integers(-(2**31), 2**31 - 1, 40, dtype="int64", seed=1).astype(np.int32)
BYTES = integers(0, 256, 20, dtype="uint8")

CASES = {
    "and": Case(lambda tf, x, y: tf.bitwise.bitwise_and(x, y), WIDE, OTHER, rule="bitwise"),
    "or": Case(lambda tf, x, y: tf.bitwise.bitwise_or(x, y), WIDE, OTHER, rule="bitwise"),
    "xor": Case(lambda tf, x, y: tf.bitwise.bitwise_xor(x, y), WIDE, OTHER, rule="bitwise"),
    "xor of bytes": Case(lambda tf, x: tf.bitwise.bitwise_xor(x, x[::-1]), BYTES, rule="bitwise"),
    "not": Case(lambda tf, x: tf.bitwise.invert(x), WIDE, rule="invert"),
    "not of bytes": Case(lambda tf, x: tf.bitwise.invert(x), BYTES, rule="invert"),
    "left shift of bytes": Case(
        lambda tf, x: tf.bitwise.left_shift(x, np.uint8(3)), BYTES, rule="left_shift"
    ),
    **{
        f"left by {shift}": Case(
            lambda tf, x, by=shift: tf.bitwise.left_shift(x, by), WIDE, rule="left_shift"
        )
        for shift in (0, 1, 5, 17, 30, 31)
    },
    **{
        f"right by {shift}": Case(
            lambda tf, x, by=shift: tf.bitwise.right_shift(x, by), WIDE, rule="right_shift"
        )
        for shift in (0, 1, 5, 16, 17, 31)
    },
}


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].run(tensorflow, tfjs_runtime)
