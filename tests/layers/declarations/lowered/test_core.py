"""Dense layers, embeddings, masks and the like as graphs, against Keras and TF.js in Node."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.support.declared import one_layer
from tests.support.lowered import Case, check_lowered
from tests.support.roundtrip import sample
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.weights import randomise
from tfjs.errors import UnsupportedError
from tfjs.layers.lowering import lower


@pytest.mark.parametrize(
    "case",
    [
        Case("Dense", (4,), 3, activation="relu", ops={"MatMul": 1, "BiasAdd": 1, "Relu": 1}),
        Case("Dense", (5, 4), 3, use_bias=False, ops={"Reshape": 2, "MatMul": 1}),
        Case("Dense", (5, 6, 4), 3, free=2),
        Case("Dense", (4,), 3, dtype="int32"),
        Case("Embedding", (4,), 5, 3, dtype="int32", ops={"GatherV2": 1}),
        Case("Embedding", (4, 2), 5, 3, dtype="uint8", free=1),
        Case("ReversibleEmbedding", (4,), 5, 3, dtype="int32"),
        Case("Masking", (4, 3)),
        Case("Masking", (4, 3), 1.0, dtype="int32"),
        Case("Identity", (4,)),
        Case("Dropout", (4,), 0.5, ops={"Identity": 1}),
        Case("SpatialDropout2D", (4, 5, 3), 0.5),
        Case("GaussianNoise", (4,), 0.5),
        Case("ActivityRegularization", (4,), 0.5),
    ],
    ids=str,
)
def test_a_layer(case: Case, keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    case.run(keras, tfjs_runtime, tmp_path)


@pytest.mark.parametrize("tied", [True, False])
def test_embeddings_in_reverse(
    tied: bool, keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    table = keras.layers.ReversibleEmbedding(7, 4, tie_weights=tied, logit_soft_cap=1.5)
    ids = keras.Input((5,), dtype="int32")
    model = keras.Model(ids, table(keras.layers.Dense(4)(table(ids)), reverse=True))
    randomise(model)
    fed = np.random.default_rng(0).integers(0, 7, (2, 5)).astype(np.int32)
    check_lowered(model, [fed], tfjs_runtime, tmp_path)


def test_steps_that_are_masked(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [layers.Input((4, 3)), layers.Masking(0.5), layers.ReLU(), layers.GlobalAveragePooling1D()]
    )
    x = sample((2, 4, 3))
    x[0, 1:3] = 0.5
    check_lowered(model, [x], tfjs_runtime, tmp_path, suffix=".h5")


def test_random_features(tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    layers = tf_keras.layers
    layer = layers.experimental.RandomFourierFeatures(6, scale=2.0)
    model = tf_keras.Sequential([layers.Input((4,)), layer])
    ops = check_lowered(model, [sample((2, 4))], tfjs_runtime, tmp_path, suffix=".h5")
    assert ops == {"MatMul": 1, "BiasAdd": 1, "Cos": 1}


def test_what_add_loss_leaves_in_a_file(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = tf_keras.layers
    fed = layers.Input((4,))
    made = layers.Dense(3)(fed)
    model = tf_keras.Model(fed, made)
    model.add_metric(layers.Dense(1)(made), name="told", aggregation="mean")
    randomise(model)
    check_lowered(model, [sample((2, 4))], tfjs_runtime, tmp_path, suffix=".h5")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Lambda", "runs Python code, which is never executed from a file"),
        ("TFSMLayer", "runs a SavedModel that lies outside of the file"),
        ("JaxLayer", "runs a function of JAX, whose code the file does not hold"),
    ],
)
def test_code_is_refused(name: str, why: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        lower(one_layer(name, {}, (4,)))
    (problem,) = caught.value.problems
    assert problem.startswith(f"probe ({name}): {why}")
