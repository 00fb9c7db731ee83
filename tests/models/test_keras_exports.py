"""What `model.export` of Keras 3 writes, as graph models, beside Keras's own answers."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import tfjs
from tests.support.keras_exports import MODELS, exported
from tests.support.tfjs_runtime import TfjsRuntime

# Of unknown length: a loop that stays. All others answer from predict().
LOOPS = {"lstm_of_any_length"}
BOUNDS = {"mobilenet": 1e-4, "efficientnet": 1e-4, "convnext": 1e-4}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_an_export(
    name: str, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    exported(name, tmp_path)
    report = tfjs.convert(tmp_path / "model", tmp_path / "web")
    with np.load(tmp_path / "golden.npz") as golden:
        inputs = [golden[key] for key in golden.files if key.startswith("in:")]
        outputs = {key[4:]: golden[key] for key in golden.files if key.startswith("out:")}
    method = "executeAsync" if name in LOOPS else "predict"
    for backend in ("cpu", "wasm"):
        answers = tfjs_runtime.predict_graph(
            tmp_path / "web", inputs, backend=backend, method=method
        )
        assert len(answers) == len(outputs)
        for port, answer in zip(report.outputs, answers, strict=True):
            wanted = outputs[port.name if port.name in outputs else ""]
            assert answer.shape == wanted.shape
            scale = max(1e-6, float(np.abs(wanted).max()))
            assert np.abs(answer - wanted).max() / scale < BOUNDS.get(name, 1e-5)
    told = [note for note in report.notes if "executeAsync" in note]
    assert bool(told) == (name in LOOPS)
