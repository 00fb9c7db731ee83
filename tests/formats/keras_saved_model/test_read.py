"""SavedModels of tf.keras are read by their Keras metadata and their checkpoint."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.weights import randomise
from tfjs.wire.protobuf import parse


def build(k: ModuleType) -> Any:
    """Every way in which a layer can own its variables: wrapped, in cells, in nested models."""
    x = k.Input((10,), name="words")
    y = k.layers.Embedding(7, 4)(x)
    y = k.layers.Bidirectional(k.layers.LSTM(3, return_sequences=True))(y)
    y = k.layers.TimeDistributed(k.layers.Dense(4))(y)
    y = k.layers.RNN([k.layers.LSTMCell(3), k.layers.LSTMCell(2)])(y)
    inner = [k.Input((2,)), k.layers.Dense(4), k.layers.BatchNormalization()]
    return k.Model(x, k.layers.Dense(2, name="out")(k.Sequential(inner, name="inner")(y)))


@pytest.fixture
def saved(tf_keras: ModuleType, tmp_path: Path) -> tuple[Any, Path]:
    model = build(tf_keras)
    randomise(model)
    model.compile("adam", "mean_squared_error")
    model.save(tmp_path / "saved")
    return model, tmp_path / "saved"


def test_every_weight_is_found(saved: tuple[Any, Path]) -> None:
    model, folder = saved
    ours = [array for _, array in sorted(tfjs.load(folder).weights.items(), key=_key)]
    theirs = sorted((np.asarray(w) for w in model.get_weights()), key=lambda w: w.tobytes())
    assert tfjs.load(folder).format == "keras-saved-model"
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


def _key(item: tuple[str, Any]) -> bytes:
    return bytes(item[1].tobytes())


def test_tfjs_answers_what_keras_answers(
    saved: tuple[Any, Path], tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    model, folder = saved
    report = tfjs.convert(folder, tmp_path / "web")
    assert "optimizer state left out: TF.js cannot take it over" in report.notes
    x = np.random.default_rng(0).integers(0, 7, (3, 10))
    (answer,) = tfjs_runtime.predict_layers(tmp_path / "web", [x.astype(np.float32)])
    np.testing.assert_allclose(answer, model.predict(x, verbose=0), atol=1e-6)


def test_the_parts_of_an_attention_layer(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    x = tf_keras.Input((5, 8))
    model = tf_keras.Model(x, tf_keras.layers.MultiHeadAttention(2, 4)(x, x))
    randomise(model)
    model.save(tmp_path / "saved")
    tfjs.convert(tmp_path / "saved", tmp_path / "web")
    inputs = np.random.default_rng(0).normal(size=(2, 5, 8)).astype(np.float32)
    (answer,) = tfjs_runtime.predict_layers(tmp_path / "web", [inputs])
    np.testing.assert_allclose(answer, model.predict(inputs, verbose=0), atol=1e-5)


def test_a_model_of_tf_2_3_has_its_metadata_in_the_saved_model(
    shared_models: Path, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    report = tfjs.convert(shared_models / "saved_model/mlperf_tiny_kws", tmp_path / "web")
    assert report.producer == "keras 2.4.0"
    with np.load(shared_models / "golden/saved_model__mlperf_tiny_kws__serving_default.npz") as g:
        inputs = [g[key] for key in g.files if key.startswith("in:")]
        expected = [g[key] for key in g.files if key.startswith("out:")]
    answers = tfjs_runtime.predict_layers(tmp_path / "web", inputs)
    for answer, want in zip(answers, expected, strict=True):
        np.testing.assert_allclose(answer, want, atol=1e-5)


def test_a_subclassed_model_is_refused(tf_keras: ModuleType, tmp_path: Path) -> None:
    class Own(tf_keras.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.dense = tf_keras.layers.Dense(2)

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

    model = Own()
    model(np.zeros((1, 3), np.float32))
    model.save(tmp_path / "saved")
    with pytest.raises(tfjs.UnsupportedError, match="of the class Own"):
        tfjs.load(tmp_path / "saved", from_="keras-saved-model")


def test_a_saved_model_that_is_no_keras_model(shared_models: Path) -> None:
    folder = shared_models / "saved_model/serving_half_plus_two_tf2_cpu"
    assert tfjs.load(folder).format == "saved-model"
    with pytest.raises(tfjs.UnsupportedError, match="holds no Keras model"):
        tfjs.load(folder, from_="keras-saved-model")


def test_a_keras_model_inside_a_module_is_a_saved_model(
    tf_keras: ModuleType, tensorflow: ModuleType, tmp_path: Path
) -> None:
    module = tensorflow.Module()
    module.model = tf_keras.Sequential([tf_keras.Input((3,)), tf_keras.layers.Dense(2)])
    _save_plainly(tensorflow, module, module.model, tmp_path / "saved")
    assert tfjs.load(tmp_path / "saved").format == "saved-model"


def test_a_keras_model_that_tensorflow_saved_without_its_metadata(
    tf_keras: ModuleType, tensorflow: ModuleType, tmp_path: Path
) -> None:
    model = tf_keras.Sequential([tf_keras.Input((3,)), tf_keras.layers.Dense(2)])
    _save_plainly(tensorflow, model, model, tmp_path / "saved")
    assert tfjs.load(tmp_path / "saved").format == "saved-model"


def _save_plainly(tf: ModuleType, root: Any, model: Any, folder: Path) -> None:
    serve = tf.function(model).get_concrete_function(tf.TensorSpec((None, 3), tf.float32))
    tf.saved_model.save(root, folder, serve)
    # Its bytes tell of Keras all the same.
    assert b"_tf_keras_" in (folder / "saved_model.pb").read_bytes()
    assert not (folder / "keras_metadata.pb").exists()


def test_keras_metadata_of_layers_below_another_root(saved: tuple[Any, Path]) -> None:
    _, folder = saved
    file = folder / "keras_metadata.pb"
    message: Any = parse(
        "third_party.tensorflow.python.keras.protobuf.SavedMetadata", file.read_bytes(), None
    )
    layers = [node for node in message.nodes if node.node_path != "root"]
    assert len(layers) == len(message.nodes) - 1
    file.write_bytes(type(message)(nodes=layers).SerializeToString())
    assert tfjs.load(folder).format == "saved-model"


def test_keras_metadata_that_is_damaged(saved: tuple[Any, Path]) -> None:
    _, folder = saved
    file = folder / "keras_metadata.pb"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(tfjs.CorruptFileError, match="keras_metadata"):
        tfjs.load(folder)


def test_a_checkpoint_that_is_cut_off(saved: tuple[Any, Path]) -> None:
    _, folder = saved
    data = folder / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-100])
    with pytest.raises(tfjs.CorruptFileError):
        tfjs.load(folder)


def test_a_checkpoint_that_is_not_there(saved: tuple[Any, Path]) -> None:
    _, folder = saved
    shutil.rmtree(folder / "variables")
    with pytest.raises(tfjs.FormatError, match=r"variables\.index.*No such file"):
        tfjs.load(folder)
