from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.graph_roundtrip import Case, floats
from tests.support.tfjs_runtime import TfjsRuntime

CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5}
X = floats(2, 5, 6, 4)
FIRST = np.moveaxis(X, 3, 1).copy()
SCALE, OFFSET, MEAN = (floats(4, seed=seed) for seed in range(3))
VARIANCE = np.abs(floats(4, seed=3)) + 0.5


def _norm(tf: Any, x: Any, training: bool, outputs: int = 1, **options: Any) -> Any:
    found = tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=SCALE,
        offset=OFFSET,
        mean=MEAN,
        variance=VARIANCE,
        is_training=training,
        epsilon=0.01,
        **options,
    )
    return tuple(found[index] for index in range(outputs))


def _last(tf: Any, x: Any) -> Any:
    return tf.transpose(x, [0, 2, 3, 1])


def _first(tf: Any, x: Any) -> Any:
    return tf.transpose(x, [0, 3, 1, 2])


def _norm_first(tf: Any, x: Any, training: bool, outputs: int) -> Any:
    found = _norm(tf, _last(tf, x), training, outputs)
    return (_first(tf, found[0]), *found[1:])


CASES = {
    "inference as it is": Case(lambda tf, x: _norm(tf, x, False), X, **CLOSE),
    "inference with its statistics": Case(
        lambda tf, x: _norm(tf, x, False, 3), X, rule="batch_normalization", **CLOSE
    ),
    "by the statistics of the batch": Case(
        lambda tf, x: _norm(tf, x, True), X, rule="batch_normalization", **CLOSE
    ),
    "with the statistics of the batch": Case(
        lambda tf, x: _norm(tf, x, True, 3), X, rule="batch_normalization", **CLOSE
    ),
    "with running statistics": Case(
        lambda tf, x: _norm(tf, x, True, 3, exponential_avg_factor=0.3),
        X,
        rule="batch_normalization",
        **CLOSE,
    ),
    "of free size": Case(
        lambda tf, x: _norm(tf, x, True, 3),
        X,
        free=[[None, None, None, 4]],
        rule="batch_normalization",
        **CLOSE,
    ),
    "channels first": Case(
        lambda tf, x: _norm(tf, x, False, data_format="NCHW"),
        FIRST,
        oracle=lambda tf, x: _norm_first(tf, x, False, 1),
        rule="batch_normalization",
        **CLOSE,
    ),
    "channels first by the batch": Case(
        lambda tf, x: _norm(tf, x, True, 3, data_format="NCHW"),
        FIRST,
        oracle=lambda tf, x: _norm_first(tf, x, True, 3),
        rule="batch_normalization",
        **CLOSE,
    ),
    "bias, channels first": Case(
        lambda tf, x: tf.raw_ops.BiasAdd(value=x, bias=SCALE, data_format="NCHW"),
        FIRST,
        rule="bias_along_channels",
    ),
    "first form of a bias": Case(
        lambda tf, x: tf.raw_ops.BiasAddV1(value=x, bias=SCALE), X, rule="bias_along_channels"
    ),
    "local response": Case(lambda tf, x: tf.nn.lrn(x, 2, 0.7, 0.3, 0.6), X, **CLOSE),
    "leaky": Case(lambda tf, x: tf.nn.leaky_relu(x, 0.07), X, rtol=1e-6),
}


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].run(tensorflow, tfjs_runtime)
