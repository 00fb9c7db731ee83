"""Activations as graphs, against Keras and TF.js in Node."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.support.lowered import Case, check_lowered
from tests.support.roundtrip import sample
from tests.support.tfjs_runtime import TfjsRuntime

# How many nodes each takes; 1 where TF.js has an operation for it.
NAMES = {
    "linear": 1,
    **dict.fromkeys(("celu", "elu", "exponential", "leaky_relu", "log_softmax", "relu"), 1),
    **dict.fromkeys(("relu6", "selu", "sigmoid", "softmax", "softplus", "tanh", "hard_tanh"), 1),
    **dict.fromkeys(("silu", "soft_shrink", "tanh_shrink"), 2),
    **dict.fromkeys(("glu", "hard_shrink", "hard_sigmoid", "log_sigmoid", "mish"), 3),
    **dict.fromkeys(("softsign", "sparse_sigmoid"), 3),
    "hard_silu": 4,
    "gelu": 5,
    "squareplus": 5,
    "sparse_plus": 7,
    "sparsemax": 14,
}


def test_no_activation_of_keras_3_is_forgotten(keras: ModuleType) -> None:
    every = keras.src.activations.ALL_OBJECTS_DICT
    names = {name for name, item in every.items() if item.__name__ == name}
    assert names - set(NAMES) == {"threshold"}


@pytest.mark.parametrize("name", NAMES)
def test_an_activation(
    name: str, keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    fed = keras.Input((5, 6))
    model = keras.Model(fed, keras.layers.Activation(name)(fed))
    ops = check_lowered(model, [sample((2, 5, 6))], tfjs_runtime, tmp_path)
    assert sum(ops.values()) == NAMES[name]


def test_the_hard_sigmoid_of_keras_2(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    case = Case("Activation", (5, 6), "hard_sigmoid")
    case.run(tf_keras, tfjs_runtime, tmp_path, suffix=".h5")


@pytest.mark.parametrize(
    "case",
    [
        Case("ReLU", (5, 6), ops={"Relu": 1}),
        Case("ReLU", (5, 6), negative_slope=0.2, ops={"LeakyRelu": 1}),
        Case("ReLU", (5, 6), max_value=6, ops={"Relu6": 1}),
        Case("ReLU", (5, 6), max_value=0.5, ops={"ClipByValue": 1}),
        Case("ReLU", (5, 6), threshold=0.4),
        Case("ReLU", (5, 6), threshold=0.4, max_value=6),
        Case("ReLU", (5, 6), negative_slope=0.1, max_value=0.5, threshold=0.2),
        Case("LeakyReLU", (5, 6), ops={"LeakyRelu": 1}),
        Case("ELU", (5, 6), ops={"Elu": 1}),
        Case("ELU", (5, 6), 0.3),
        Case("PReLU", (5, 6), shared_axes=[1]),
        Case("PReLU", (5, 6), free=1, shared_axes=[1]),
        Case("Softmax", (5, 6), ops={"Softmax": 1}),
        Case("Softmax", (5, 6), axis=1, free=1),
        Case("Softmax", (5, 6), axis=[1, 2]),
        Case("Softmax", (5, 6), axis=(-2,)),
        Case("Activation", (3,), "sparsemax", free=0),
    ],
    ids=str,
)
def test_a_layer(case: Case, keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    case.run(keras, tfjs_runtime, tmp_path)


def test_a_softmax_with_a_mask(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    scores, mask = keras.Input((5, 6)), keras.Input((5, 6), dtype="bool")
    model = keras.Model([scores, mask], keras.layers.Softmax()(scores, mask=mask))
    told = np.random.default_rng(0).integers(0, 2, (2, 5, 6)).astype(bool)
    told[0, 0] = False  # nothing is let through
    check_lowered(model, [sample((2, 5, 6)), told], tfjs_runtime, tmp_path)


def test_a_thresholded_relu(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    case = Case("ThresholdedReLU", (5, 6), theta=0.7)
    case.run(tf_keras, tfjs_runtime, tmp_path, suffix=".h5")


def test_layers_as_activations(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    inner = layers.Activation(layers.Activation(layers.LeakyReLU(0.2)))
    fed = keras.Input((4,))
    made = layers.Dense(3, activation=layers.ReLU(max_value=1.0))(inner(fed))
    model = keras.Model(fed, made)
    ops = check_lowered(model, [sample((2, 4))], tfjs_runtime, tmp_path)
    assert ops == {"LeakyRelu": 1, "MatMul": 1, "BiasAdd": 1, "ClipByValue": 1}
