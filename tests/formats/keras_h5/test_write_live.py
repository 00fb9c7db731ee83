"""HDF5 files that are written here, loaded by tf_keras and by Keras 3."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

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
from tfjs.errors import UnsupportedError
from tfjs.formats import keras_h5, keras_v3
from tfjs.formats.base import ReadOptions, WriteOptions, Written
from tfjs.ir.layers_model import Call, Layer, LayersModel, TensorRef
from tfjs.layers.dialects.write import ConfigWriter

pytestmark = pytest.mark.filterwarnings("ignore")


# What Keras 3 cannot load from HDF5, not even as tf_keras writes it; the report says so.
FOR_TF_KERAS = {"shared": "is a model that is called 2 times", "heads": "by keyword"}
# tf_keras wants shapes in the configuration of MultiHeadAttention that Keras 3 refuses.
EACH_KIND = pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "heads"])


def _rewrite(source: Path, dest: Path) -> tuple[LayersModel, Written]:
    format_ = keras_h5.FORMAT if source.suffix == ".h5" else keras_v3.FORMAT
    model = format_.read(source, ReadOptions())
    assert isinstance(model, LayersModel)
    return model, write(model, dest, keras_h5.FORMAT, WriteOptions())


def _check(kind: str, model: LayersModel, loaded: Any, live: Any) -> None:
    assert_same_weights(model, loaded)
    arrays = inputs_for(live)
    assert_close(kind, answers(loaded, arrays), answers(live, arrays))


def _check_keras_3(
    kind: str, model: LayersModel, written: Written, k: ModuleType, *, live: Any, file: Path
) -> None:
    told = [note for note in written.notes if "for Keras 3 write .keras" in note]
    if kind in FOR_TF_KERAS:
        assert FOR_TF_KERAS[kind] in told[0]
    else:
        assert told == []
        _check(kind, model, k.models.load_model(file), live)


@EACH_KIND
def test_from_tf_keras_to_both(
    kind: str, keras: ModuleType, tf_keras: ModuleType, tmp_path: Path
) -> None:
    live = made(kind, tf_keras)
    live.save(tmp_path / "m.h5")
    out = tmp_path / "out.h5"
    model, written = _rewrite(tmp_path / "m.h5", out)
    loaded = tf_keras.models.load_model(out)
    _check(kind, model, loaded, live)
    assert plain_config(loaded.get_config()) == plain_config(live.get_config())
    _check_keras_3(kind, model, written, keras, live=live, file=out)


@EACH_KIND
def test_from_keras_3_to_both(
    kind: str, keras: ModuleType, tf_keras: ModuleType, tmp_path: Path
) -> None:
    live = made(kind, keras)
    live.save(tmp_path / "m.keras")
    out = tmp_path / "out.h5"
    model, written = _rewrite(tmp_path / "m.keras", out)
    _check(kind, model, tf_keras.models.load_model(out), live)
    _check_keras_3(kind, model, written, keras, live=live, file=out)


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_attention_of_many_heads_is_refused(
    library: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    live = made("heads", request.getfixturevalue(library))
    live.save(tmp_path / "m.h5")
    with pytest.raises(UnsupportedError, match=r"heads \(MultiHeadAttention\): has shapes"):
        _rewrite(tmp_path / "m.h5", tmp_path / "out.h5")


def test_a_call_as_in_training_stays_one(tf_keras: ModuleType, tmp_path: Path) -> None:
    layers = tf_keras.layers
    inputs = layers.Input((4,))
    model = tf_keras.Model(inputs, layers.BatchNormalization()(inputs, training=True))
    model.save(tmp_path / "model.h5")
    _rewrite(tmp_path / "model.h5", tmp_path / "again.h5")
    arrays = inputs_for(model)
    again = tf_keras.models.load_model(tmp_path / "again.h5", compile=False)
    assert_close("training", answers(again, arrays), answers(model, arrays))


def test_constants_by_position_are_refused() -> None:
    """Files of Keras 2 tell the names of constants; by position they would be lost."""
    layers = [
        Layer("InputLayer", "i", {"batch_shape": [None, 4]}, calls=[Call()]),
        Layer("Own", "own", calls=[Call(args=(TensorRef("i"), [3, None]))]),
    ]
    model = LayersModel("m", "Functional", layers, TensorRef("i"), TensorRef("own"))
    with pytest.raises(UnsupportedError) as caught:
        ConfigWriter("keras2").write(model)
    assert list(caught.value.problems) == ["own (Own): is called with 3 by position"]
