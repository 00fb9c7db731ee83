from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from tests.support.graph_roundtrip import Case, booleans, floats, integers
from tests.support.tfjs_runtime import TfjsRuntime

X = floats(7, 3)
STEPS = floats(3, 5, 2)
LENGTHS = np.array([2, 5, 1], np.int32)
BATCHES = floats(2, 5, 3, 4)

CASES = {
    "rolled": Case(lambda tf, x: tf.roll(x, [2, -1], [0, 1]), X, rule="roll"),
    "rolled in free sizes": Case(
        lambda tf, x: tf.roll(x, [3, -9], [0, 1]), X, free=[[None, None]], rule="roll"
    ),
    "rolled booleans": Case(lambda tf, x: tf.roll(x, 1, 0), booleans(5), rule="roll"),
    "reversed sequences": Case(
        lambda tf, x, n: tf.reverse_sequence(x, n, 1, 0),
        STEPS,
        LENGTHS,
        free=[[None, None, 2], [None]],
        rule="reverse_sequence",
    ),
    "reversed sequences, time first": Case(
        lambda tf, x, n: tf.reverse_sequence(x, n, 0, 1),
        floats(5, 3, 2),
        np.array([2, 5, 0], np.int32),
        rule="reverse_sequence",
    ),
    "reversed sequences of integers": Case(
        lambda tf, x, n: tf.reverse_sequence(x, n, 2, 1),
        integers(0, 9, 2, 3, 4),
        np.array([2, 4, 1], np.int32),
        rule="reverse_sequence",
    ),
    "old space to batch": Case(
        lambda tf, x: tf.raw_ops.SpaceToBatch(input=x, paddings=[[0, 1], [1, 0]], block_size=2),
        floats(1, 3, 5, 2),
        rule="old_space_and_batch",
    ),
    "old batch to space": Case(
        lambda tf, x: tf.raw_ops.BatchToSpace(input=x, crops=[[0, 1], [1, 0]], block_size=2),
        floats(4, 3, 4, 2),
        rule="old_space_and_batch",
    ),
    "anything": Case(
        lambda tf, x: x + 0 * tf.raw_ops.Empty(shape=tf.shape(x), dtype=tf.float32, init=True),
        X,
        free=[[None, 3]],
        rule="zeros_for_anything",
    ),
    "reversed booleans": Case(
        lambda tf, x: tf.reverse(x, [1]), booleans(3, 4), rule="reversed_booleans"
    ),
    "gathered by batches": Case(
        lambda tf, x, i: tf.gather(x, i, axis=1, batch_dims=1),
        BATCHES,
        integers(0, 5, 2, 6),
        rule="gathered_by_batches",
    ),
    "gathered by batches, another axis": Case(
        lambda tf, x, i: tf.gather(x, i, axis=2, batch_dims=1),
        BATCHES,
        integers(0, 3, 2, 6),
        free=[[None, None, None, 4], [None, None]],
        rule="gathered_by_batches",
    ),
    "gathered by two axes of batches": Case(
        lambda tf, x, i: tf.gather(x, i, axis=3, batch_dims=2),
        BATCHES,
        integers(0, 4, 2, 5),
        rule="gathered_by_batches",
    ),
    "strided integers": Case(
        lambda tf, x: x[::2, 1:7:3], integers(0, 9, 5, 8), rule="strided_integers"
    ),
    "strided backwards": Case(
        lambda tf, x: x[::-1, 3, ::-2], integers(0, 9, 4, 5, 8), rule="strided_beside_single"
    ),
    "strided behind an ellipsis": Case(
        lambda tf, x: x[1:, ..., ::2], integers(0, 9, 3, 2, 4), rule="strided_integers"
    ),
    "strided booleans": Case(lambda tf, x: x[::2], booleans(7), rule="strided_integers"),
    "strided integers of free sizes": Case(
        lambda tf, x: (x[::2, 1:7:3], x[::-1]),
        integers(0, 1 << 30, 5, 8),
        free=[[None, None]],
        rule="strided_integers",
    ),
    "strided by an input": Case(
        lambda tf, x, n: x[1::n, ::-1],
        integers(0, 9, 5, 8),
        np.array(2, np.int32),
        rule="strided_integers",
    ),
    "strided, with a new axis": Case(
        lambda tf, x: x[::2, None], integers(0, 9, 5, 8), rule="strided_integers"
    ),
    "strided beside one index": Case(
        lambda tf, x: (x[::2, 1], x[1, ::-1], x[-1, ::3], x[::-2, -2]),
        X,
        rule="strided_beside_single",
    ),
    "strided beside one index and new axes": Case(
        lambda tf, x: (x[None, ::2, None, 1, None], x[1, None, ..., ::2, None]),
        BATCHES,
        rule="strided_beside_single",
    ),
    "strided beside an index that is fed": Case(
        lambda tf, x, n: (x[::2, n], x[n:, None, 1, ..., ::n]),
        BATCHES,
        np.array(2, np.int32),
        free=[[None, 5, None, 4], []],
        rule="strided_beside_single",
    ),
    "strided integers beside one index": Case(
        lambda tf, x: (x[::2, 1], x[1, ::-1, ::3]),
        integers(0, 9, 3, 4, 5),
        free=[[None, 4, 5]],
        rule="strided_beside_single",
    ),
    "strided in a high rank": Case(
        lambda tf, x: x[:, ::2, :, ::-1], floats(2, 3, 2, 4, 2), rule="strided_integers"
    ),
    "a scalar": Case(
        lambda tf, x: (
            tf.raw_ops.ReverseV2(tensor=x, axis=np.zeros(0, np.int32)),
            tf.slice(x, np.zeros(0, np.int32), np.zeros(0, np.int32)),
        ),
        np.float32(2.5),
        rule="scalar_as_it_is",
    ),
    "reversed by flags": Case(
        lambda tf, x: tf.raw_ops.Reverse(tensor=x, dims=[True, False]),
        booleans(3, 4),
        rule="reversed_by_flags",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].run(tensorflow, tfjs_runtime)
