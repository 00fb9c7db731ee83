from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.roundtrip import check_roundtrip, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime

NATIVE = [
    "elu",
    "gelu",
    "linear",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "tanh",
]
COMPOSED = [
    "celu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "leaky_relu",
    "log_sigmoid",
    "soft_shrink",
    "sparse_plus",
    "sparse_sigmoid",
    "tanh_shrink",
]
X = np.concatenate([sample((4, 6)), [[-3.0, -1.0, -0.5, 0.0, 0.5, 1.0]]]).astype(np.float32)


@pytest.mark.parametrize("name", NATIVE + COMPOSED)
def test_activation_layer(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, name: str
) -> None:
    layers = keras.layers
    model = keras.Sequential([layers.Input((6,)), layers.Activation(name, name="a")])
    report = check_roundtrip(model, [X], tfjs_runtime, tmp_path)
    assert bool(report.rewrites) == (name in COMPOSED)
    assert [port.name for port in report.outputs] == ["a"]


@pytest.mark.parametrize("name", NATIVE + COMPOSED)
def test_activation_within_a_layer(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, name: str
) -> None:
    layers = keras.layers
    model = randomised(
        keras.Sequential([layers.Input((6,)), layers.Dense(5, activation=name), layers.Dense(3)])
    )
    check_roundtrip(model, [X], tfjs_runtime, tmp_path)


RELUS: list[dict[str, Any]] = [
    {},
    {"max_value": 1.5},
    {"negative_slope": 0.1},
    {"threshold": 0.7},
    {"negative_slope": 0.1, "max_value": 1.0},
    {"negative_slope": 0.1, "threshold": 0.7},
    {"max_value": 1.0, "threshold": 0.7},
    {"negative_slope": 0.2, "max_value": 1.0, "threshold": 0.7},
]


@pytest.mark.parametrize("options", RELUS, ids=str)
@pytest.mark.parametrize("within", [False, True], ids=["layer", "activation"])
def test_relu(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    options: dict[str, Any],
    within: bool,
) -> None:
    layers = keras.layers
    relu = layers.ReLU(**options)
    stack = [layers.Dense(5, activation=relu)] if within else [relu]
    model = randomised(keras.Sequential([layers.Input((6,)), *stack]))
    check_roundtrip(model, [X], tfjs_runtime, tmp_path)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("ELU", {}),
        ("ELU", {"alpha": 0.4}),
        ("LeakyReLU", {}),
        ("LeakyReLU", {"negative_slope": 0.05}),
        ("Softmax", {}),
    ],
    ids=str,
)
@pytest.mark.parametrize("within", [False, True], ids=["layer", "activation"])
def test_other_layers(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    kind: str,
    options: dict[str, Any],
    within: bool,
) -> None:
    layers = keras.layers
    layer = getattr(layers, kind)(**options)
    stack = [layers.Dense(5, activation=layer)] if within else [layer]
    model = randomised(keras.Sequential([layers.Input((6,)), *stack]))
    check_roundtrip(model, [X], tfjs_runtime, tmp_path)


@pytest.mark.parametrize("axis", [1, 2, -2, -1, (1, 2), (2, 3), (1, 3)], ids=str)
def test_softmax_along_any_axis(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, axis: Any
) -> None:
    layers = keras.layers
    model = keras.Sequential([layers.Input((3, 4, 5)), layers.Softmax(axis=axis)])
    check_roundtrip(model, [sample((2, 3, 4, 5))], tfjs_runtime, tmp_path)


@pytest.mark.parametrize("shared", [None, [1], [1, 2], [2], [3], [1, 3], [1, 2, 3]], ids=str)
@pytest.mark.parametrize("backend", ["cpu", "wasm"])
def test_prelu(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    shared: list[int] | None,
    backend: str,
) -> None:
    layers = keras.layers
    model = randomised(
        keras.Sequential([layers.Input((3, 4, 2)), layers.PReLU(shared_axes=shared)])
    )
    check_roundtrip(model, [sample((2, 3, 4, 2))], tfjs_runtime, tmp_path, backend=backend)


def test_composed_activation_of_a_shared_layer(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    inputs = [keras.Input((6,)), keras.Input((6,))]
    dense = layers.Dense(4, activation="hard_silu")
    model = randomised(keras.Model(inputs, [dense(item) for item in inputs]))
    check_roundtrip(model, [X, X[::-1].copy()], tfjs_runtime, tmp_path)


@pytest.mark.parametrize("theta", [0.5, 1.0, 0.1, 0.0])
def test_thresholded_relu_in_every_keras(
    keras: ModuleType,
    tf_keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    theta: float,
) -> None:
    """Keras 3 has a ReLU for it, whose threshold itself gives 0 too, whatever its text says."""
    layers = tf_keras.layers
    layer = layers.ThresholdedReLU(theta=theta, name="above")
    model = tf_keras.Sequential([layers.Input((7,)), layer])
    edge = np.float32(theta)
    # TensorFlow takes the numbers next to 0 for 0.
    above, below = (np.nextafter(edge, to) if theta else to / 1e30 for to in (9, -9))
    x = np.array([[edge, above, below, -1, 0, 2, -edge]], np.float32)
    expected = np.asarray(model(x))
    assert expected[0, 0] == 0
    model.save(tmp_path / "a.h5")
    tfjs.convert(tmp_path / "a.h5", tmp_path / "web", to="tfjs-layers")
    (answer,) = tfjs_runtime.predict_layers(tmp_path / "web", [x])
    np.testing.assert_array_equal(answer, expected)
    for source in ("a.h5", "web"):
        report = tfjs.convert(tmp_path / source, tmp_path / "b.keras")
        assert "ThresholdedReLU as ReLU: above" in report.notes
        tfjs.convert(tmp_path / source, tmp_path / "b.h5")
        for reader, file in ((keras, "b.keras"), (keras, "b.h5"), (tf_keras, "b.h5")):
            loaded = reader.models.load_model(tmp_path / file, compile=False)
            np.testing.assert_array_equal(np.asarray(loaded(x)), expected)
