"""Layers that we write as SavedModels: Keras has the model back, TensorFlow runs the graph."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.keras_models import (
    KINDS,
    answers,
    assert_close,
    assert_same_weights,
    inputs_for,
    made,
)
from tests.support.protocol import Array
from tests.support.tensorflow_files import run_signature
from tfjs.formats.keras_saved_model import FORMAT as KERAS_SAVED_MODEL
from tfjs.ir.layers_model import LayersModel

METADATA = "keras_metadata.pb"
# Keras 2 and 3 do not write the configuration of one of them alike, the other has float16.
CARRIED = sorted(set(KINDS) - {"heads", "half"})


def converted(model: Any, folder: Path, suffix: str = ".h5") -> tfjs.Report:
    """Save a live model, and write a SavedModel of it to `folder/saved`."""
    model.save(folder / f"model{suffix}")
    return tfjs.convert(folder / f"model{suffix}", folder / "saved", to="saved-model")


def signature_answers(tf: ModuleType, report: tfjs.Report, inputs: list[Array]) -> list[Array]:
    """What the signature gives, in the order of the model's outputs."""
    fed = {port.name: array for port, array in zip(report.inputs, inputs, strict=True)}
    found = run_signature(tf, Path(report.dest), fed)
    return [np.asarray(found[port.name]) for port in report.outputs]


def flags(model: Any) -> list[tuple[str, bool]]:
    return [(layer.name, layer.trainable) for layer in model._flatten_layers()]


@pytest.mark.parametrize("kind", CARRIED)
class TestEveryKindOfModel:
    def test_of_tf_keras(
        self, kind: str, tf_keras: ModuleType, tensorflow: ModuleType, tmp_path: Path
    ) -> None:
        model = made(kind, tf_keras)
        inputs = inputs_for(model)
        report = converted(model, tmp_path)
        assert report.notes == []
        assert_close(kind, signature_answers(tensorflow, report, inputs), answers(model, inputs))

        again = tf_keras.models.load_model(tmp_path / "saved")
        assert type(again) is type(model)
        assert flags(again) == flags(model)
        for group in ("trainable_weights", "non_trainable_weights"):
            ours, theirs = getattr(again, group), getattr(model, group)
            assert len(ours) == len(theirs)
            for one, other in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(one, other, strict=True)
        for one, other in zip(answers(again, inputs), answers(model, inputs), strict=True):
            np.testing.assert_array_equal(one, other)
        self._trains(again, inputs)

    def _trains(self, model: Any, inputs: list[Array]) -> None:
        before = [np.array(weight) for weight in model.trainable_weights]
        still = [np.array(w) for w in model.non_trainable_weights if "moving" not in w.name]
        targets = [answer + 1 for answer in answers(model, inputs)]
        model.compile("sgd", "mse")
        model.fit(inputs, targets, verbose=0)
        moved = zip(before, model.trainable_weights, strict=True)
        assert any((old != np.array(new)).any() for old, new in moved)
        after = [np.array(w) for w in model.non_trainable_weights if "moving" not in w.name]
        for old, new in zip(still, after, strict=True):
            np.testing.assert_array_equal(old, new)

    def test_it_is_read_as_it_was(self, kind: str, tf_keras: ModuleType, tmp_path: Path) -> None:
        model = made(kind, tf_keras)
        converted(model, tmp_path)
        again = tfjs.load(tmp_path / "saved")
        assert again.format == KERAS_SAVED_MODEL.name
        assert isinstance(again.content, LayersModel)
        assert_same_weights(again.content, model)
        for source, name in (("model.h5", "one.h5"), ("saved", "other.h5")):
            tfjs.convert(tmp_path / source, tmp_path / name)
        assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "other.h5").read_bytes()


@pytest.mark.parametrize("kind", ["frozen", "recurrent", "shared", "wrapped_model"])
def test_a_model_of_keras_3(
    kind: str, keras: ModuleType, tf_keras: ModuleType, tmp_path: Path
) -> None:
    model = made(kind, keras)
    inputs = inputs_for(model)
    assert converted(model, tmp_path, ".keras").notes == []
    again = tf_keras.models.load_model(tmp_path / "saved")
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert len(again.trainable_weights) == len(model.trainable_weights)
    assert_close(kind, answers(again, inputs), answers(model, inputs))


def test_what_keras_2_calls_otherwise(
    keras: ModuleType, tf_keras: ModuleType, tmp_path: Path
) -> None:
    x = keras.Input((2,), dtype="int64")
    model = keras.Model(x, keras.layers.IntegerLookup(vocabulary=[3, 5])(x))
    converted(model, tmp_path, ".keras")
    tfjs.convert(tmp_path / "model.keras", tmp_path / "model.h5")
    for name in ("saved", "model.h5"):
        again = tf_keras.models.load_model(tmp_path / name)
        assert again.predict(np.array([[3, 4], [5, 3]]), verbose=0).tolist() == [[1, 0], [2, 1]]


def test_a_class_that_keras_asks_for(tf_keras: ModuleType, tmp_path: Path) -> None:
    own = import_module(f"{tf_keras.__name__}.src.applications.convnext").LayerScale
    model = tf_keras.Sequential([tf_keras.Input((3,)), own(0.5, 3), tf_keras.layers.Dense(2)])
    report = converted(model, tmp_path)
    assert report.notes == ["whoever loads it with Keras must give it the classes LayerScale"]
    again = tf_keras.models.load_model(tmp_path / "saved", custom_objects={"LayerScale": own})
    x = np.ones((1, 3), np.float32)
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    with pytest.raises(ValueError, match="Unknown layer: 'LayerScale'"):
        tf_keras.models.load_model(tmp_path / "saved")


def test_masks_states_and_structures(
    tf_keras: ModuleType, tensorflow: ModuleType, tmp_path: Path
) -> None:
    k, layers = tf_keras, tf_keras.layers
    words, first = k.Input((6,), dtype="int32", name="words"), k.Input((3,), name="a/first")
    x = layers.Embedding(9, 4, mask_zero=True)(words)
    x, state = layers.GRU(3, return_sequences=True, return_state=True)(x, initial_state=first)
    x = layers.Bidirectional(layers.LSTM(2))(x)
    model = k.Model({"w": words, "f": first}, {"x": layers.Dense(2)(x), "state": state})
    inputs = {"w": np.array([[1, 2, 0, 0, 0, 0], [3, 4, 5, 6, 7, 8]]), "f": np.ones((2, 3))}
    wanted = model.predict(inputs, verbose=0)
    converted(model, tmp_path)
    again = k.models.load_model(tmp_path / "saved").predict(inputs, verbose=0)
    found = run_signature(tensorflow, tmp_path / "saved", inputs)
    assert wanted.keys() == again.keys() == found.keys() == {"x", "state"}
    for key, array in wanted.items():
        np.testing.assert_array_equal(again[key], array)
        np.testing.assert_allclose(found[key], array, atol=1e-6)


def test_what_it_was_compiled_with(tf_keras: ModuleType, tmp_path: Path) -> None:
    model = made("dense", tf_keras)
    optimizer = tf_keras.optimizers.legacy.Adam(0.03, beta_1=0.8, amsgrad=True)
    model.compile(optimizer, "mean_absolute_error", ["mae"])
    x, y = np.ones((2, 4)), np.zeros((2, 2))
    model.train_on_batch(x, y)
    report = converted(model, tmp_path)
    assert report.notes == ["optimizer state left out: Keras takes none from a SavedModel"]
    again = tf_keras.models.load_model(tmp_path / "saved")
    config = again.optimizer.get_config()
    assert config == optimizer.get_config()
    assert again.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0))
    ours = tfjs.load(tmp_path / "saved").content
    assert isinstance(ours, LayersModel)
    assert ours.training is not None
    assert ours.training.config["optimizer"]["config"]["beta_1"] == pytest.approx(0.8)


def test_a_model_without_weights(
    tf_keras: ModuleType, tensorflow: ModuleType, tmp_path: Path
) -> None:
    layers = [tf_keras.Input((2, 3)), tf_keras.layers.Flatten()]
    converted(tf_keras.Sequential(layers), tmp_path)
    x = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    again = tf_keras.models.load_model(tmp_path / "saved")
    assert again.predict(x, verbose=0).tolist() == [[0, 1, 2, 3, 4, 5]]
    _in_session(tensorflow, tmp_path / "saved", x, [[0, 1, 2, 3, 4, 5]])


def _in_session(tf: ModuleType, folder: Path, x: Any, wanted: Any) -> None:
    """Load and restore it as TF Serving does, by the SaverDef; save it, too."""
    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        meta = v1.saved_model.load(session, ["serve"], str(folder))
        signature = meta.signature_def["serving_default"]
        assert signature.method_name == "tensorflow/serving/predict"
        (given,), (asked,) = signature.inputs.values(), signature.outputs.values()
        np.testing.assert_allclose(session.run(asked.name, {given.name: x}), wanted, atol=1e-6)
        saver = v1.train.Saver(saver_def=meta.saver_def)
        saver.save(session, str(folder.parent / "ck"), write_meta_graph=False)


class TestTheGraph:
    def test_a_session_runs_restores_and_saves_it(
        self, tf_keras: ModuleType, tensorflow: ModuleType, tmp_path: Path
    ) -> None:
        model = made("convolutions", tf_keras)
        converted(model, tmp_path)
        (x,) = inputs_for(model)
        _in_session(tensorflow, tmp_path / "saved", x, *answers(model, [x]))
        load = tensorflow.train.load_checkpoint
        ours = load(str(tmp_path / "saved/variables/variables"))
        saved = load(str(tmp_path / "ck"))
        names = set(ours.get_variable_to_shape_map()) - {"_CHECKPOINTABLE_OBJECT_GRAPH"}
        assert "layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE" in names
        assert names == set(saved.get_variable_to_shape_map())
        for name in names:
            np.testing.assert_array_equal(ours.get_tensor(name), saved.get_tensor(name))

    def test_variables_of_the_loaded_object(
        self, tf_keras: ModuleType, tensorflow: ModuleType, tmp_path: Path
    ) -> None:
        model = made("frozen", tf_keras)
        converted(model, tmp_path)
        found = tensorflow.saved_model.load(str(tmp_path / "saved"))
        assert len(found.variables) == len(model.weights)
        trained = {variable.name for variable in found.trainable_variables}
        assert trained == {
            *("part/q/gamma:0", "part/q/beta:0", "part/r/kernel:0", "part/r/bias:0"),
            *("out/kernel:0", "out/bias:0"),
        }

    def test_a_checkpoint_of_keras_restores_it(self, tf_keras: ModuleType, tmp_path: Path) -> None:
        # The keys are those that Keras gives: its own model takes the weights.
        model, other = made("recurrent", tf_keras), made("recurrent", tf_keras)
        converted(model, tmp_path)
        other.set_weights([np.zeros(weight.shape) for weight in other.weights])
        status = other.load_weights(str(tmp_path / "saved/variables/variables"))
        status.assert_existing_objects_matched()
        for one, wanted in zip(other.weights, model.weights, strict=True):
            np.testing.assert_array_equal(one, wanted)

    def test_it_becomes_a_graph_model(self, tf_keras: ModuleType, tmp_path: Path) -> None:
        model = made("shared", tf_keras)
        converted(model, tmp_path)
        tfjs.convert(tmp_path / "saved", tmp_path / "web", to="tfjs-graph")
        inputs = inputs_for(model)
        found = tfjs.load(tmp_path / "web")({"left": inputs[0], "right": inputs[1]})
        assert isinstance(found, list)
        assert_close("shared", found, answers(model, inputs))

    def test_tflite_converts_it(
        self, tf_keras: ModuleType, tensorflow: ModuleType, tmp_path: Path
    ) -> None:
        tf = tensorflow
        model = made("convolutions", tf_keras)
        converted(model, tmp_path)
        converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"))
        with pytest.warns(UserWarning, match="Interpreter"):
            interpreter = tf.lite.Interpreter(model_content=converter.convert())
        (x,) = inputs_for(model)
        found = interpreter.get_signature_runner("serving_default")(image=x)
        assert_close("convolutions", list(found.values()), answers(model, [x]))


def test_two_runs_write_the_same(tf_keras: ModuleType, tmp_path: Path) -> None:
    model = made("recurrent", tf_keras)
    converted(model, tmp_path)
    tfjs.convert(tmp_path / "model.h5", tmp_path / "again", to="saved-model")
    files = sorted(file for file in (tmp_path / "saved").rglob("*") if file.is_file())
    assert [str(file.relative_to(tmp_path / "saved")) for file in files] == [
        METADATA,
        "saved_model.pb",
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
    ]
    for file in files:
        other = tmp_path / "again" / file.relative_to(tmp_path / "saved")
        assert file.read_bytes() == other.read_bytes()


class TestWhatKerasCannotHave:
    def _check(
        self, model: Any, tf: ModuleType, k: ModuleType, folder: Path, reason: str
    ) -> list[Array]:
        # What was there before must not stay beside the new graph.
        converted(made("dense", k), folder)
        assert (folder / "saved" / METADATA).is_file()
        report = converted(model, folder)
        assert [reason in note for note in report.notes] == [True]
        assert report.notes[0].startswith("without Keras metadata")
        assert not (folder / "saved" / METADATA).exists()
        assert tfjs.load(folder / "saved").format == "saved-model"
        return signature_answers(tf, report, inputs_for(model))

    def test_float16(self, tf_keras: ModuleType, tensorflow: ModuleType, tmp_path: Path) -> None:
        model = made("half", tf_keras)
        reason = "sixteen: has the dtype float16"
        found = self._check(model, tensorflow, tf_keras, tmp_path, reason)
        assert_close("half", found, answers(model, inputs_for(model)))

    def test_a_layer_that_keras_2_lacks(
        self, keras: ModuleType, tensorflow: ModuleType, tmp_path: Path
    ) -> None:
        k = keras
        model = k.Sequential([k.Input((4,)), k.layers.Dense(3), k.layers.RMSNormalization()])
        report = converted(model, tmp_path, ".keras")
        assert "(RMSNormalization): is a layer that Keras 2" in report.notes[0]
        (x,) = inputs_for(model)
        (found,) = signature_answers(tensorflow, report, [x])
        np.testing.assert_allclose(found, model.predict(x, verbose=0), atol=1e-5)

    def test_tables(self, keras: ModuleType, tensorflow: ModuleType, tmp_path: Path) -> None:
        model = tfjs.load(_look_up(keras, tmp_path))
        report = tfjs.convert(model, tmp_path / "saved", to="saved-model")
        assert report.notes == [
            "without Keras metadata, Keras loads no layers from it: it has tables, which the "
            "graph fills"
        ]
        words = np.array([["bear", "ape"], ["cat", "bear"]])
        (found,) = signature_answers(tensorflow, report, [words])
        assert found.tolist() == [[2, 1], [0, 2]]


def _look_up(k: ModuleType, folder: Path) -> Path:
    """A model that looks words up."""
    layer = k.layers.StringLookup(vocabulary=["ape", "bear"], name="look")
    x = k.Input((2,), dtype="string")
    k.Model(x, layer(x)).save(folder / "look.keras")
    return folder / "look.keras"


def test_the_real_models_of_tfjs(
    shared_models: Path, tf_keras: ModuleType, tensorflow: ModuleType, tmp_path: Path
) -> None:
    folder = shared_models / "tfjs_layers"
    for path in sorted(folder.rglob("model.json")):
        dest = tmp_path / path.parent.name
        report = tfjs.convert(path, dest, to="saved-model")
        assert (dest / METADATA).is_file(), report.notes
        source = tfjs.load(path)
        model = tf_keras.models.load_model(dest)
        assert isinstance(source.content, LayersModel)
        assert_same_weights(source.content, model)
        inputs = inputs_for(model)
        found = source(inputs)
        wanted = [np.asarray(each) for each in (found if isinstance(found, list) else [found])]
        assert_close("real", answers(model, inputs), wanted)
        assert_close("real", signature_answers(tensorflow, report, inputs), wanted)
        tfjs.convert(dest, tmp_path / "web")
        assert json.loads((tmp_path / "web/model.json").read_text())["weightsManifest"]
