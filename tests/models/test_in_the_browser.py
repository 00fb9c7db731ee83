"""The same results in headless Chromium, on WebGL too."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import tfjs
from tests.support.browser import Browser
from tests.support.keras_exports import exported
from tests.support.real_graphs import RUNS, fed, golden_of, source_of
from tests.support.weights import randomise

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "shapes_cnn"


@pytest.mark.parametrize("backend", ["webgl", "wasm", "cpu"])
def test_the_example_that_ships(backend: str, browser: Browser, tmp_path: Path) -> None:
    golden = json.loads(EXAMPLE.with_suffix(".json").read_text())
    pixels = np.array([picture["pixels"] for picture in golden["pictures"]], np.float32)[..., None]
    expected = np.array([picture["answer"] for picture in golden["pictures"]])
    tfjs.convert(EXAMPLE.with_suffix(".keras"), tmp_path / "web", shard_size=10_000)
    (answer,) = browser.predict_layers(tmp_path / "web", [pixels], backend=backend)
    np.testing.assert_allclose(answer, expected, atol=1e-4 if backend == "webgl" else 1e-5)


@pytest.mark.parametrize("backend", ["webgl", "wasm"])
def test_a_transformer_block(
    backend: str, browser: Browser, keras: ModuleType, tmp_path: Path
) -> None:
    x = keras.Input((6, 8))
    y = keras.layers.MultiHeadAttention(num_heads=2, key_dim=4)(x, x)
    y = keras.layers.LayerNormalization()(keras.layers.Add()([x, y]))
    z = keras.layers.Dense(16, activation="gelu")(y)
    z = keras.layers.LayerNormalization()(keras.layers.Add()([y, keras.layers.Dense(8)(z)]))
    model = keras.Model(x, keras.layers.GlobalAveragePooling1D()(z))
    randomise(model)
    model.save(tmp_path / "model.keras")
    tfjs.convert(tmp_path / "model.keras", tmp_path / "web")
    inputs = np.random.default_rng(0).normal(size=(3, 6, 8)).astype(np.float32)
    (answer,) = browser.predict_layers(tmp_path / "web", [inputs], backend=backend)
    np.testing.assert_allclose(answer, model.predict(inputs, verbose=0), atol=1e-4)


@pytest.mark.parametrize("name", ["cnn", "lstm", "lstm_of_any_length", "transformer"])
def test_exports_of_keras_3(
    name: str, browser: Browser, tensorflow: ModuleType, tmp_path: Path
) -> None:
    source = exported(name, tmp_path / "source")
    report = tfjs.convert(source / "model", tmp_path / "web")
    dynamic = any("executeAsync" in note for note in report.notes)
    with np.load(source / "golden.npz") as golden:
        inputs = [golden[key] for key in golden.files if key.startswith("in:")]
        (wanted,) = [golden[key] for key in golden.files if key.startswith("out:")]
    method = "executeAsync" if dynamic else "predict"
    for backend in ("webgl", "wasm"):
        (answer,) = browser.predict_graph(tmp_path / "web", inputs, backend=backend, method=method)
        np.testing.assert_allclose(answer, wanted, atol=1e-4)


@pytest.mark.parametrize(
    "name",
    [
        "saved_model__mlperf_tiny_kws__serving_default",
        "saved_model__basic_pitch_nmp__serving_default",
        "frozen_graph__keras_sentiment_cnn_lstm",
    ],
)
def test_trained_graphs(name: str, browser: Browser, shared_models: Path, tmp_path: Path) -> None:
    source, signature = source_of(shared_models, name)
    report = tfjs.convert(source, tmp_path / "web", signature=signature, to="tfjs-graph")
    inputs, outputs = golden_of(shared_models, name)
    given = [fed(inputs[port.name]) for port in report.inputs]
    answers = browser.predict_graph(tmp_path / "web", given, backend="webgl", method=RUNS[name])
    for port, answer in zip(report.outputs, answers, strict=True):
        np.testing.assert_allclose(answer, outputs[port.name], atol=2e-3)
