"""Every layer class of Keras 3: TF.js answers the same, or the layer is refused by name."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from sample_models import LEFT_OUT, sample_model

import tfjs
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.weights import randomise
from tfjs.layers.vocabulary import facts

# What TF.js has no layers for, even put together.
REFUSED = {
    "AutoContrast",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "ConvLSTM3D",
    "Discretization",
    "Hashing",
    "IntegerLookup",
    "MelSpectrogram",
    "RandomCrop",
}
STRINGS = {"StringLookup", "TextVectorization"}
NAMES = sorted(set(facts("keras3")["layers"]) - LEFT_OUT)


@pytest.mark.filterwarnings("ignore:.*int64 requested:UserWarning")
@pytest.mark.parametrize("name", NAMES)
def test_a_layer_of_keras_3(
    name: str, keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    model, inputs = sample_model(keras, name)
    randomise(model)
    model.save(tmp_path / "model.keras")
    if name in REFUSED | STRINGS:
        with pytest.raises(tfjs.UnsupportedError) as caught:
            tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to="tfjs-layers")
        cause = "is of strings" if name in STRINGS else f"({name})"
        assert cause in caught.value.problems[0]
        return
    tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to="tfjs-layers")
    (answer,) = tfjs_runtime.predict_layers(tmp_path / "web", inputs)
    # What Keras reads from the file: Normalization computes with what it was when it was built.
    model = keras.models.load_model(tmp_path / "model.keras", compile=False)
    expected = np.asarray(model(inputs if len(inputs) > 1 else inputs[0], training=False))
    assert answer.shape == expected.shape
    assert np.abs(answer - expected).max() <= 1e-5 * max(1.0, np.abs(expected).max())


def test_no_layer_of_keras_3_is_forgotten() -> None:
    assert set(NAMES) >= REFUSED
    assert set(facts("keras3")["layers"]) | {"FeatureSpace"} >= LEFT_OUT


@pytest.mark.parametrize(
    "name", sorted((set(facts("tfjs")["layers"]) & set(facts("keras2")["layers"])) - LEFT_OUT)
)
def test_a_layer_of_tf_keras(
    name: str, tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    model, inputs = sample_model(tf_keras, name)
    randomise(model)
    model.save(tmp_path / "model.h5")
    tfjs.convert(tmp_path / "model.h5", tmp_path / "web", to="tfjs-layers")
    (answer,) = tfjs_runtime.predict_layers(tmp_path / "web", inputs)
    expected = np.asarray(model(inputs if len(inputs) > 1 else inputs[0], training=False))
    assert answer.shape == expected.shape
    assert np.abs(answer - expected).max() <= 1e-5 * max(1.0, np.abs(expected).max())
