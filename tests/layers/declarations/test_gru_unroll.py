from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.declared import one_layer
from tests.support.protocol import Array
from tests.support.roundtrip import check_roundtrip, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import UnsupportedError
from tfjs.ir.layers_model import LayersModel
from tfjs.layers.legalize import legalize

SHAPE = (2, 4, 3)


def unrolled(config: dict[str, Any], steps: int | None = 4) -> LayersModel:
    return legalize(one_layer("GRU", {"units": 5, **config}, (steps, 3))).model


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"return_sequences": True},
        {"return_state": True},
        {"return_sequences": True, "return_state": True, "go_backwards": True},
        {"go_backwards": True},
        {"use_bias": False},
        {"activation": "relu", "recurrent_activation": "hard_sigmoid"},
        {"unroll": True, "dropout": 0.3},
    ],
    ids=str,
)
def test_reset_after(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, config: dict[str, Any]
) -> None:
    inputs = keras.Input(SHAPE[1:])
    layer = keras.layers.GRU(5, name="gru", **config)
    model = randomised(keras.Model(inputs, layer(inputs)))
    report = check_roundtrip(model, [sample(SHAPE)], tfjs_runtime, tmp_path)
    assert report.rewrites["GRU with reset_after unrolled, an operation a layer"] == ["gru"]
    assert any("cannot be trained as a GRU" in note for note in report.notes)
    assert report.outputs[0].name == "gru"


def test_of_tf_keras(tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    model = randomised(tf_keras.Sequential([tf_keras.Input((4, 3)), tf_keras.layers.GRU(5)]))
    check_roundtrip(model, [sample(SHAPE)], tfjs_runtime, tmp_path, suffix=".h5")


def test_one_step(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    layer = keras.layers.GRU(5, return_sequences=True)
    model = randomised(keras.Sequential([keras.Input((1, 3)), layer]))
    check_roundtrip(model, [sample((2, 1, 3))], tfjs_runtime, tmp_path)


def test_initial_state(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    inputs, state = keras.Input((4, 3)), keras.Input((5,))
    outputs = keras.layers.GRU(5, return_state=True)(inputs, initial_state=state)
    model = randomised(keras.Model([inputs, state], outputs))
    check_roundtrip(model, [sample(SHAPE), sample((2, 5), seed=1)], tfjs_runtime, tmp_path)


def test_in_a_stack(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    layers = keras.layers
    stack = [layers.GRU(5, return_sequences=True), layers.GRU(4), layers.Dense(2)]
    model = randomised(keras.Sequential([keras.Input((4, 3)), *stack]))
    check_roundtrip(model, [sample(SHAPE)], tfjs_runtime, tmp_path)


def test_shared(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    # TF.js would make the calls of both sequences in one another's places.
    first, second = keras.Input((4, 3)), keras.Input((4, 3))
    layer = keras.layers.GRU(5)
    model = randomised(keras.Model([first, second], [layer(first), layer(second)]))
    arrays = [sample(SHAPE), sample(SHAPE, seed=1)]
    check_roundtrip(model, arrays, tfjs_runtime, tmp_path)


def test_long_sequence(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    inputs = keras.Input((512, 3))
    model = randomised(keras.Model(inputs, keras.layers.GRU(4)(inputs)))
    check_roundtrip(model, [sample((2, 512, 3))], tfjs_runtime, tmp_path)


def test_cell(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    layers = keras.layers
    inputs = keras.Input((4, 3))
    layer = layers.RNN(layers.GRUCell(5), return_sequences=True, return_state=True)
    model = randomised(keras.Model(inputs, layer(inputs)))
    check_roundtrip(model, [sample(SHAPE)], tfjs_runtime, tmp_path)


def test_layers_of_a_step() -> None:
    model = unrolled({})
    counts = Counter(layer.class_name for layer in model.layers)
    assert counts == {
        "InputLayer": 1,
        "Reshape": 1,
        "Cropping2D": 4,
        "Flatten": 1,
        "Concatenate": 1,
        "Dense": 4,
        "Multiply": 3,
        "Add": 3,
        "Activation": 1,
        "Rescaling": 2,
    }
    calls = {layer.name: len(layer.calls) for layer in model.layers}
    assert (calls["probe_update"], calls["probe_new_input"], calls["probe"]) == (4, 4, 1)


def test_weights_of_the_gates() -> None:
    source = one_layer("GRU", {"units": 2}, (4, 3))
    kernel, recurrent, bias = (w.tensor.array() for w in source.layer("probe").weights)
    model = legalize(source).model

    def weights(name: str) -> list[Array]:
        return [weight.tensor.array() for weight in model.layer(f"probe_{name}").weights]

    update, update_bias = weights("update")
    np.testing.assert_array_equal(update, np.concatenate([kernel[:, :2], recurrent[:, :2]]))
    np.testing.assert_allclose(update_bias, bias[0, :2] + bias[1, :2])
    state, state_bias = weights("new_state")
    np.testing.assert_array_equal(state, recurrent[:, 4:])
    np.testing.assert_array_equal(state_bias, bias[1, 4:])
    np.testing.assert_array_equal(weights("new_input")[1], bias[0, 4:])


@pytest.mark.parametrize(
    ("config", "steps", "why"),
    [
        ({}, None, "for a known number of steps only"),
        ({}, 513, "513 steps, and more than 512 are not unrolled"),
        ({}, 0, "its input has no steps"),
        ({"activation": "exponential"}, 4, "TF.js has no activation exponential"),
    ],
)
def test_refusals(config: dict[str, Any], steps: int | None, why: str) -> None:
    with pytest.raises(UnsupportedError, match=why):
        unrolled(config, steps)


def test_stateful_is_refused(keras: ModuleType, tmp_path: Path) -> None:
    inputs = keras.Input(batch_shape=SHAPE)
    model = keras.Model(inputs, keras.layers.GRU(2, stateful=True)(inputs))
    model.save(tmp_path / "model.keras")
    with pytest.raises(UnsupportedError, match="could not keep its state: train it with"):
        tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to="tfjs-layers")


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_masked_is_refused(request: pytest.FixtureRequest, tmp_path: Path, library: str) -> None:
    k: Any = request.getfixturevalue(library)
    layers = [k.Input((4,)), k.layers.Embedding(9, 3, mask_zero=True), k.layers.GRU(2)]
    k.Sequential(layers).save(tmp_path / "model.keras")
    with pytest.raises(UnsupportedError, match="would not see the mask of its input"):
        tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to="tfjs-layers")
