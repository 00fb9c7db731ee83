from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from tests.support.drawing import Drawing
from tests.support.graph_roundtrip import Case, booleans, floats, integers
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.ops.base import constant_array
from tfjs.passes.legal import RULES
from tfjs.passes.rules import apply_rules

X = floats(3, 4)
INDICES = integers(-1, 6, 3, 4)
PERMUTATION = np.random.default_rng(0).permutation(9).astype(np.int32)


def _hot(**options: object) -> Case:
    return Case(lambda tf, x: tf.one_hot(x, **options), INDICES, rule="one_hot")


CASES = {
    **{
        f"one-hot along {axis} of {depth}": _hot(depth=depth, axis=axis)
        for axis in (-1, 0, 1)
        for depth in (1, 2, 5)
    },
    "counts of nothing, whose size is free": Case(
        lambda tf, x: tf.unique_with_counts(x)[::2],
        np.zeros(0, np.int32),
        free=[[None]],
        rule="unique_with_counts",
        dynamic=True,
    ),
    "one-hot of int64": Case(
        lambda tf, x: tf.one_hot(tf.cast(x, tf.int64), 5, dtype=tf.int64), INDICES
    ),
    "one-hot of booleans": Case(
        lambda tf, x: tf.one_hot(x, 5, True, False, dtype=tf.bool), INDICES, rule="one_hot"
    ),
    "one-hot of other numbers": _hot(depth=5, on_value=0.7, off_value=0.1),
    "one-hot of free depth": Case(
        lambda tf, x, depth: tf.one_hot(x, depth, axis=0),
        INDICES,
        np.int32(4),
        free=[[None, None], []],
        rule="one_hot",
    ),
    "rows by condition": Case(
        lambda tf, c, x: tf.raw_ops.Select(condition=c, x=x, y=-x),
        booleans(3),
        X,
        rule="rows_by_condition",
    ),
    "rows by condition of free size": Case(
        lambda tf, c, x: tf.raw_ops.Select(condition=c, x=x, y=-x),
        booleans(3),
        X,
        free=[[None], [None, 4]],
        rule="rows_by_condition",
    ),
    "selected booleans": Case(
        lambda tf, c, x: tf.where(c, x, tf.logical_not(x)),
        booleans(3, 4),
        booleans(3, 4, seed=1),
        rule="selected_booleans",
    ),
    "among the best": Case(
        lambda tf, x, targets: tf.math.in_top_k(targets, x, 2),
        np.where(floats(5, 6) > 1.5, np.inf, floats(5, 6)).astype(np.float32),
        np.array([0, 5, 3, 2, 9], np.int32),
        rule="among_the_best",
    ),
    "inverted permutation": Case(
        lambda tf, x: tf.math.invert_permutation(x), PERMUTATION, rule="invert_permutation"
    ),
    "inverted permutation of free size": Case(
        lambda tf, x: tf.math.invert_permutation(x),
        PERMUTATION,
        free=[[None]],
        rule="invert_permutation",
    ),
    "unique with counts": Case(
        lambda tf, x: tuple(tf.unique_with_counts(x)),
        np.array([1, 3, 1, 2, 3, 3], np.float32),
        rule="unique_with_counts",
    ),
    "buckets": Case(
        lambda tf, x: tf.raw_ops.Bucketize(input=x, boundaries=[-0.5, 0.0, 0.7]),
        np.array([[-1, -0.5, 0], [0.1, 0.7, 9]], np.float32),
        rule="bucketize",
    ),
    "buckets of integers": Case(
        lambda tf, x: tf.raw_ops.Bucketize(input=x, boundaries=[-0.5, 0.0, 2.0, 2.5]),
        integers(-5, 5, 3, 4),
        rule="bucketize",
    ),
    "counts": Case(
        lambda tf, x: tf.raw_ops.Bincount(arr=x, size=8, weights=tf.zeros([0], tf.int32)),
        integers(0, 8, 20),
        rule="integer_counts",
    ),
    "dense counts": Case(
        lambda tf, x: tf.raw_ops.DenseBincount(
            input=x, size=8, weights=tf.zeros([0], tf.int32), binary_output=True
        ),
        integers(0, 8, 3, 20),
        rule="integer_counts",
    ),
    "shapes": Case(
        lambda tf, x, y: tuple(tf.raw_ops.ShapeN(input=[x, y])),
        X,
        X,
        free=[[None, 4], [None, 4]],
        rule="shapes",
    ),
    "equal numbers keep their order": Case(
        lambda tf, x: tuple(tf.math.top_k(x, 3)),
        np.array([[1, 2, 2, 1, 2], [0, 0, 0, 0, 0]], np.float32),
    ),
    "counts of a matrix": Case(
        lambda tf, x: tf.raw_ops.Bincount(arr=x, size=5, weights=tf.zeros([0])),
        integers(0, 9, 3, 4),
        rule="counts_of_all",
    ),
    "whether there is any": Case(
        lambda tf, x: tf.raw_ops.DenseBincount(
            input=x, size=9, weights=tf.zeros([0]), binary_output=True
        ),
        integers(0, 9, 12),
        rule="counts_of_one_list",
    ),
    "booleans in empty rows": Case(
        lambda tf, x: tf.raw_ops.SparseFillEmptyRows(
            indices=tf.constant([[0, 0], [2, 1]], tf.int64),
            values=x,
            dense_shape=tf.constant([4, 3], tf.int64),
            default_value=True,
        )[1:3],
        booleans(2),
        rule="rows_of_booleans",
    ),
}


def test_old_top_k_takes_its_number_as_an_input() -> None:
    # TensorFlow no longer runs it; its successor is the oracle of the shapes alone.
    drawing = Drawing()
    x = drawing.feed("x", "float32", (2, 5))
    old = drawing.ops("TopK", "top", x, dtypes=["float32", "int32"], T="float32", k=3, sorted=True)
    graph = drawing.gives(values=old[0], indices=old[1])
    apply_rules(graph, RULES)
    new = graph.outputs[0].node
    assert new.op == "TopKV2"
    assert constant_array(new.inputs[1]) == 3


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].run(tensorflow, tfjs_runtime)
