from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.roundtrip import check_roundtrip, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime

KEPT = {
    "Dropout": {"rate": 0.5, "seed": 3},
    "AlphaDropout": {"rate": 0.5},
    "GaussianDropout": {"rate": 0.5},
    "GaussianNoise": {"stddev": 0.5},
    "SpatialDropout1D": {"rate": 0.5},
}
LEFT_OUT = {
    "SpatialDropout2D": {"rate": 0.5},
    "SpatialDropout3D": {"rate": 0.5},
    "ActivityRegularization": {"l2": 0.1},
    "Identity": {},
}
RANKS = {"SpatialDropout1D": 3, "SpatialDropout2D": 4, "SpatialDropout3D": 5}


def _check(
    keras: ModuleType, runtime: TfjsRuntime, folder: Path, kind: str, options: dict[str, Any]
) -> dict[str, list[str]]:
    shape = (2, 3, 4, 5)[: RANKS.get(kind, 3) - 1]
    layers = keras.layers
    noise = getattr(layers, kind)(**options, name="noise")
    model = keras.Sequential([layers.Input(shape), noise, layers.ReLU()])
    report = check_roundtrip(model, [sample((2, *shape))], runtime, folder)
    return report.rewrites


@pytest.mark.parametrize(("kind", "options"), KEPT.items(), ids=str)
def test_noise_is_kept_for_training(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    kind: str,
    options: dict[str, Any],
) -> None:
    assert _check(keras, tfjs_runtime, tmp_path, kind, options) == {}
    assert kind in (tmp_path / "web" / "model.json").read_text()


@pytest.mark.parametrize(("kind", "options"), LEFT_OUT.items(), ids=str)
def test_what_tfjs_lacks_is_left_out(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    kind: str,
    options: dict[str, Any],
) -> None:
    ((why, names),) = _check(keras, tfjs_runtime, tmp_path, kind, options).items()
    assert why.startswith("left out")
    assert names == ["noise"]
    assert kind not in (tmp_path / "web" / "model.json").read_text()


def test_layer_at_the_end_leaves_its_name(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    model = keras.Sequential([layers.Input((3,)), layers.ReLU(), layers.Identity(name="end")])
    report = check_roundtrip(model, [sample((2, 3))], tfjs_runtime, tmp_path)
    assert [port.name for port in report.outputs] == ["end"]


def test_a_layer_that_is_called_as_in_training_deserves_a_word(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    inputs = keras.Input((4,))
    normalized = keras.layers.BatchNormalization(name="norm")(inputs, training=True)
    kept = keras.layers.Dropout(0.5, name="drop")(normalized, training=True)
    model = randomised(keras.Model(inputs, kept))
    report = check_roundtrip(model, [sample((2, 4))], tfjs_runtime, tmp_path)
    assert [text.partition(":")[0] for text in report.notes] == [
        "norm is called with training=True",
        "drop is called with training=True",
    ]


def test_an_rnn_without_dropout_does_not_mind_training(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    inputs = keras.Input((3, 4))
    model = keras.Model(inputs, keras.layers.LSTM(2)(inputs, training=True))
    report = check_roundtrip(model, [sample((2, 3, 4))], tfjs_runtime, tmp_path)
    assert report.notes == []
