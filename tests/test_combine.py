"""Several models as the signatures of one SavedModel, run by TensorFlow."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import tfjs
from tests.support.tiny_models import dense_answer, write_dense_model
from tests.support.weights import randomise

X = np.array([[1, -2, 3], [0.5, 4, -1]], np.float32)


def test_signatures(tensorflow: ModuleType, keras: ModuleType, tmp_path: Path) -> None:
    folder, weights = write_dense_model(tmp_path / "layers")
    tfjs.convert(folder, tmp_path / "graph", to="tfjs-graph")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="tanh")])
    randomise(model)
    sources = {"layers": folder, "graph": tmp_path / "graph", "keras": model}
    reports = tfjs.combine(sources, tmp_path / "saved")
    assert [report.dest_format for report in reports] == ["saved-model"] * 3
    assert all(report.verification and report.verification.ok for report in reports)
    loaded = tensorflow.saved_model.load(str(tmp_path / "saved"))
    assert set(loaded.signatures) == set(sources)
    expected = dense_answer(X, weights)
    wanted = {"layers": expected, "graph": expected, "keras": np.asarray(model(X))}
    for name, right in wanted.items():
        (answer,) = loaded.signatures[name](tensorflow.constant(X)).values()
        assert np.abs(answer.numpy() - right).max() <= 1e-6
        assert np.allclose(np.asarray(tfjs.load(tmp_path / "saved", signature=name)(X)), right)


def test_what_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(tfjs.UsageError, match="no models"):
        tfjs.combine({}, tmp_path / "saved")
    folder, _ = write_dense_model(tmp_path / "layers")
    tfjs.convert(folder, tmp_path / "w.h5", to="h5-weights")
    with pytest.raises(tfjs.UnsupportedError, match="weights without a model"):
        tfjs.combine({"a": folder, "b": tmp_path / "w.h5"}, tmp_path / "saved")
    with pytest.raises(tfjs.FormatError):
        tfjs.combine({"a": folder, "b": tmp_path / "none"}, tmp_path / "saved")
    assert not (tmp_path / "saved").exists()
