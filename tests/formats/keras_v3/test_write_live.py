"""Archives that are written here, loaded by Keras 3 itself."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.keras_models import (
    KINDS,
    answers,
    assert_close,
    assert_same_weights,
    inputs_for,
    made,
    plain_config,
)
from tfjs._convert import write
from tfjs.formats import keras_h5, keras_v3
from tfjs.formats.base import ReadOptions, WriteOptions, Written
from tfjs.ir.layers_model import LayersModel

pytestmark = pytest.mark.filterwarnings("ignore")


def _rewrite(source: Path, dest: Path) -> tuple[LayersModel, Written]:
    format_ = keras_h5.FORMAT if source.suffix == ".h5" else keras_v3.FORMAT
    model = format_.read(source, ReadOptions())
    assert isinstance(model, LayersModel)
    return model, write(model, dest, keras_v3.FORMAT, WriteOptions())


def _same_answers(loaded: Any, live: Any) -> None:
    arrays = inputs_for(live)
    for answer, expected in zip(answers(loaded, arrays), answers(live, arrays), strict=True):
        np.testing.assert_array_equal(answer, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_from_an_archive_of_keras_3(kind: str, keras: ModuleType, tmp_path: Path) -> None:
    live = made(kind, keras)
    live.save(tmp_path / "m.keras")
    model, written = _rewrite(tmp_path / "m.keras", tmp_path / "out.keras")
    loaded = keras.models.load_model(tmp_path / "out.keras")
    assert_same_weights(model, loaded)
    _same_answers(loaded, live)
    assert plain_config(loaded.get_config()) == plain_config(live.get_config())
    assert written.files == [("out.keras", (tmp_path / "out.keras").stat().st_size)]
    assert written.notes == []


@pytest.mark.parametrize("kind", KINDS)
def test_from_hdf5_of_keras_3(kind: str, keras: ModuleType, tmp_path: Path) -> None:
    live = made(kind, keras)
    live.save(tmp_path / "m.h5")
    _rewrite(tmp_path / "m.h5", tmp_path / "out.keras")
    _same_answers(keras.models.load_model(tmp_path / "out.keras"), live)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_from_hdf5_of_tf_keras(
    kind: str, keras: ModuleType, tf_keras: ModuleType, tmp_path: Path
) -> None:
    live = made(kind, tf_keras)
    live.save(tmp_path / "m.h5")
    _rewrite(tmp_path / "m.h5", tmp_path / "out.keras")
    loaded = keras.models.load_model(tmp_path / "out.keras")
    arrays = inputs_for(live)
    assert_close(kind, answers(loaded, arrays), answers(live, arrays))
