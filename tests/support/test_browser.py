"""The harness that runs the real TF.js in headless Chromium."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.browser import Browser
from tests.support.golden import tfjs_golden
from tests.support.protocol import JsError
from tests.support.tiny_models import dense_answer, hanging_model, write_dense_model

X = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.0]], dtype=np.float32)


@pytest.mark.parametrize("backend", ["webgl", "cpu", "wasm"])
def test_runs_a_layers_model(tmp_path: Path, browser: Browser, backend: str) -> None:
    model, weights = write_dense_model(tmp_path / "a b#c?%20")
    run = browser.run_layers(model, [X], [-X], backend=backend)
    np.testing.assert_allclose(run.calls[0][0], dense_answer(X, weights), atol=1e-5)
    np.testing.assert_allclose(run.calls[1][0], dense_answer(-X, weights), atol=1e-5)
    assert run.backend == backend
    assert run.leaked == 0


def test_tells_what_tfjs_says_of_a_missing_model(tmp_path: Path, browser: Browser) -> None:
    with pytest.raises(JsError, match="failed with status code 404"):
        browser.run_layers(tmp_path / "none.json", [X])


def test_ends_a_job_that_hangs_and_goes_on(tmp_path: Path, browser: Browser) -> None:
    with pytest.raises(JsError, match="did not answer within 2 s") as caught:
        browser.run_layers(hanging_model(tmp_path / "hanging"), [X], timeout=2)
    assert caught.value.timed_out
    model, weights = write_dense_model(tmp_path / "good")
    (answer,) = browser.predict_layers(model, [X])
    np.testing.assert_allclose(answer, dense_answer(X, weights), rtol=1e-6)


@pytest.mark.parametrize("backend", ["webgl", "wasm"])
def test_a_real_model_gives_its_golden_answer(
    shared_models: Path, browser: Browser, backend: str
) -> None:
    inputs, outputs = tfjs_golden("ml5_cvae_quickdraw")
    model = shared_models / "tfjs_layers/ml5_cvae_quickdraw/models"
    (answer,) = browser.predict_layers(model, list(inputs.values()), backend=backend)
    np.testing.assert_allclose(answer.ravel(), outputs[0].values, atol=1e-4)
