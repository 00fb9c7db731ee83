"""HDF5 files that Keras 3 and tf_keras write here and now, read back against the live model."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from tests.support.keras_models import KINDS, assert_same_weights, made
from tfjs.formats.base import ReadOptions
from tfjs.formats.keras_h5 import FORMAT
from tfjs.ir.layers_model import LayersModel

pytestmark = pytest.mark.filterwarnings("ignore")


def _read(path: Path) -> LayersModel:
    assert FORMAT.sniff(path)
    model = FORMAT.read(path, ReadOptions())
    assert isinstance(model, LayersModel)
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_of_keras_3(kind: str, keras: ModuleType, tmp_path: Path) -> None:
    live = made(kind, keras)
    live.save(tmp_path / "m.h5")
    assert_same_weights(_read(tmp_path / "m.h5"), live)


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_of_tf_keras(kind: str, tf_keras: ModuleType, tmp_path: Path) -> None:
    live = made(kind, tf_keras)
    live.save(tmp_path / "m.h5")
    assert_same_weights(_read(tmp_path / "m.h5"), live)
