from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from tests.support.graph_roundtrip import Converted, check, floats
from tests.support.tfjs_runtime import TfjsRuntime


def test_random_integers_lie_within_their_bounds(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime
) -> None:
    tf = tensorflow

    def drawn(x: Any) -> Any:
        found = tf.random.uniform([2000], 3, 9, tf.int32)
        counts = [tf.reduce_sum(tf.cast(found == number, tf.int32)) for number in range(2, 10)]
        return tf.stack(counts) + tf.cast(0 * x, tf.int32)

    converted = Converted(tf, drawn, [floats(8)])
    for backend in ("cpu", "wasm"):
        counts = converted.tfjs(tfjs_runtime, floats(8), backend=backend)[0]
        assert counts.sum() == 2000
        assert counts[0] == counts[-1] == 0
        # Each of six comes 333 times; nine standard deviations are 150.
        assert counts[1:-1].min() > 333 - 150


def test_drawn_classes_are_those_that_can_come(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime
) -> None:
    tf = tensorflow

    def drawn(x: Any) -> Any:
        logits = tf.cast(x, tf.float64)
        return tf.raw_ops.Multinomial(logits=logits, num_samples=20, output_dtype=tf.int64)

    check(tf, tfjs_runtime, drawn, np.array([[-1e9, 0, -1e9], [0, -1e9, -1e9]], np.float32))
