"""HDF5 files that are written here, loaded by tf_keras and by Keras 3."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.keras_models import KINDS, answers, assert_same_weights, inputs_for, made
from tfjs.formats import keras_h5, keras_v3
from tfjs.formats.base import ReadOptions, WriteOptions
from tfjs.ir.layers_model import LayersModel

pytestmark = pytest.mark.filterwarnings("ignore")


def _rewrite(source: Path, dest: Path) -> LayersModel:
    format_ = keras_h5.FORMAT if source.suffix == ".h5" else keras_v3.FORMAT
    model = format_.read(source, ReadOptions())
    assert isinstance(model, LayersModel)
    keras_h5.write(model, dest, WriteOptions())
    return model


def _close_answers(loaded: Any, live: Any) -> None:
    arrays = inputs_for(live)
    for answer, expected in zip(answers(loaded, arrays), answers(live, arrays), strict=True):
        np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_from_tf_keras_to_both(
    kind: str, keras: ModuleType, tf_keras: ModuleType, tmp_path: Path
) -> None:
    live = made(kind, tf_keras)
    live.save(tmp_path / "m.h5")
    model = _rewrite(tmp_path / "m.h5", tmp_path / "out.h5")
    loaded = tf_keras.models.load_model(tmp_path / "out.h5")
    assert_same_weights(model, loaded)
    assert loaded.get_config() == live.get_config()
    _close_answers(loaded, live)
    other = keras.models.load_model(tmp_path / "out.h5")
    assert_same_weights(model, other)
    _close_answers(other, live)


@pytest.mark.parametrize("kind", KINDS)
def test_from_keras_3_to_both(
    kind: str, keras: ModuleType, tf_keras: ModuleType, tmp_path: Path
) -> None:
    live = made(kind, keras)
    live.save(tmp_path / "m.keras")
    model = _rewrite(tmp_path / "m.keras", tmp_path / "out.h5")
    loaded = keras.models.load_model(tmp_path / "out.h5")
    assert_same_weights(model, loaded)
    _close_answers(loaded, live)
    other = tf_keras.models.load_model(tmp_path / "out.h5")
    assert_same_weights(model, other)
    _close_answers(other, live)
