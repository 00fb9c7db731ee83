"""Every layer class of Keras as a graph: TF.js answers the same, or the layer is refused."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sample_models import LEFT_OUT, sample_model

import tfjs
from tests.support.lowered import check_lowered
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.weights import randomise
from tfjs.layers.vocabulary import facts

# What is refused, with the beginning of the reason.
REFUSED = {
    "ContrastLimitedAdaptiveHistogramEqualization": "works in inference too",
    "Hashing": "hashes numbers as texts",
    "IntegerLookup": "has no vocabulary in the file",
    "RandomCrop": "releases of Keras differ in what it does in inference",
    "StringLookup": "has no vocabulary in the file",
    "TextVectorization": "takes texts apart",
}
NAMES = sorted(set(facts("keras3")["layers"]) - LEFT_OUT)
KERAS_2 = sorted((set(facts("tfjs")["layers"]) & set(facts("keras2")["layers"])) - LEFT_OUT)


@pytest.mark.filterwarnings("ignore:.*int64 requested:UserWarning")
@pytest.mark.parametrize("name", NAMES)
def test_a_layer_of_keras_3(
    name: str, keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    model, inputs = sample_model(keras, name)
    randomise(model)
    if name in REFUSED:
        _check_refusal(name, model, tmp_path / "model.keras")
        return
    model.save(tmp_path / "model.keras")
    # What Keras reads from the file: Normalization computes with what it was when it was built.
    model = keras.models.load_model(tmp_path / "model.keras", compile=False)
    # In groups of one number what is left is 0, of which Keras leaves its rounding.
    tolerance = 1e-4 if name == "GroupNormalization" else 1e-5
    check_lowered(model, inputs, tfjs_runtime, tmp_path, tolerance=tolerance)


@pytest.mark.parametrize("name", KERAS_2)
def test_a_layer_of_tf_keras(
    name: str, tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    model, inputs = sample_model(tf_keras, name)
    randomise(model)
    if name in REFUSED:
        _check_refusal(name, model, tmp_path / "model.h5")
        return
    check_lowered(model, inputs, tfjs_runtime, tmp_path, suffix=".h5")


def _check_refusal(name: str, model: Any, source: Path) -> None:
    model.save(source)
    with pytest.raises(tfjs.UnsupportedError) as caught:
        tfjs.convert(source, source.parent / "web", to="tfjs-graph")
    assert f"({name}): {REFUSED[name]}" in caught.value.problems[0]


def test_no_layer_that_is_refused_is_forgotten() -> None:
    assert set(NAMES) >= set(REFUSED)
