"""Every layer class of Keras as a graph: TF.js answers the same, or the layer is refused."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

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
    "RandomCrop": "releases of Keras differ in what it does in inference",
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
        model.save(tmp_path / "model.keras")
        with pytest.raises(tfjs.UnsupportedError) as caught:
            tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to="tfjs-graph")
        assert f"({name}): {REFUSED[name]}" in caught.value.problems[0]
        return
    check_lowered(model, inputs, tfjs_runtime, tmp_path)


@pytest.mark.parametrize("name", KERAS_2)
def test_a_layer_of_tf_keras(
    name: str, tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    model, inputs = sample_model(tf_keras, name)
    randomise(model)
    check_lowered(model, inputs, tfjs_runtime, tmp_path, suffix=".h5")


def test_no_layer_that_is_refused_is_forgotten() -> None:
    assert set(NAMES) >= set(REFUSED)
