from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.graph_roundtrip import Case, floats, integers
from tests.support.tfjs_runtime import TfjsRuntime

CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5}
X = floats(2, 5, 6, 4)
FIRST = np.moveaxis(X, 3, 1).copy()
# All negative: wasm's kernels start from the smallest positive number.
SPACE = floats(2, 4, 5, 6, 3) - 9


def _first(name: str, argument: str, spatial: int) -> Case:
    """A pooling with channels first, beside the same with channels last."""
    window, strides = [2, 3, 2][:spatial], [2, 1, 1][:spatial]

    def pool(tf: Any, x: Any, first: bool) -> Any:
        options = {
            "ksize": [1, 1, *window] if first else [1, *window, 1],
            "strides": [1, 1, *strides] if first else [1, *strides, 1],
            "padding": "SAME",
            "data_format": {2: ["NHWC", "NCHW"], 3: ["NDHWC", "NCDHW"]}[spatial][first],
        }
        return getattr(tf.raw_ops, name)(**{argument: x}, **options)

    def oracle(tf: Any, x: Any) -> Any:
        last = tf.transpose(x, [0, *range(2, spatial + 2), 1])
        answer = pool(tf, last, False)
        return tf.transpose(answer, [0, spatial + 1, *range(1, spatial + 1)])

    x = FIRST if spatial == 2 else np.moveaxis(SPACE, -1, 1).copy()
    return Case(
        lambda tf, x: pool(tf, x, True), x, oracle=oracle, rule="channels_first_pool", **CLOSE
    )


CASES = {
    "maximum, channels first": _first("MaxPool", "input", 2),
    "average, channels first": _first("AvgPool", "value", 2),
    "maximum in space, channels first": _first("MaxPool3D", "input", 3),
    "average in space, channels first": _first("AvgPool3D", "input", 3),
    "padded": Case(
        lambda tf, x: tf.nn.max_pool2d(x, 3, 2, [[0, 0], [1, 1], [0, 1], [0, 0]]),
        X - 9,
        rule="padded_pool",
    ),
    "window as an input": Case(
        lambda tf, x: tf.raw_ops.MaxPoolV2(
            input=x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME"
        ),
        X,
        rule="pool_with_inputs",
    ),
    "over channels": Case(
        lambda tf, x: tf.raw_ops.MaxPool(
            input=x, ksize=[1, 1, 1, 2], strides=[1, 1, 1, 2], padding="VALID"
        ),
        X,
        rule="pool_over_channels",
    ),
    "of integers": Case(
        lambda tf, x: tf.nn.max_pool2d(x, 3, 1, "SAME"),
        integers(-9, 9, 1, 4, 5, 2),
        rule="pooled_integers",
    ),
    "maximum in space": Case(
        lambda tf, x: tf.nn.max_pool3d(x, [2, 3, 2], [2, 1, 2], "SAME"),
        SPACE,
        rule="max_pool_in_space",
    ),
    "maximum in space of free size": Case(
        lambda tf, x: tf.nn.max_pool3d(x, [2, 3, 2], [2, 1, 2], "VALID"),
        SPACE,
        free=[[None, None, None, None, 3]],
        rule="max_pool_in_space",
    ),
    "maximum without position": Case(
        lambda tf, x: tf.nn.max_pool_with_argmax(x, 2, 2, "SAME")[0],
        X - 9,
        rule="maximum_without_position",
    ),
    "maximum with position": Case(
        lambda tf, x: tf.nn.max_pool_with_argmax(x, 3, 2, "SAME", include_batch_in_index=True)[
            ::-1
        ],
        X - 9,
        rule="maximum_with_position",
    ),
    "the first of equals": Case(
        lambda tf, x: tf.nn.max_pool_with_argmax(tf.sign(x) - 2, 2, 1, "VALID")[1],
        X,
        rule="maximum_with_position",
    ),
    "dilation of what is negative": Case(
        lambda tf, x, y: tf.raw_ops.Dilation2D(
            input=x, filter=y, strides=[1, 2, 1, 1], rates=[1, 1, 2, 1], padding="SAME"
        ),
        floats(2, 6, 5, 3) - 9,
        floats(2, 3, 3),
        rule="dilation",
        rtol=1e-6,
    ),
    "dilation of integers": Case(
        lambda tf, x, y: tf.raw_ops.Dilation2D(
            input=x, filter=y, strides=[1, 1, 1, 1], rates=[1, 1, 1, 1], padding="SAME"
        ),
        integers(-9, 9, 2, 6, 5, 3),
        integers(-3, 3, 2, 2, 3),
        rule="dilation",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].run(tensorflow, tfjs_runtime)
