"""SavedModels whose layers are the user's own: their own graph stands in for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.protocol import Array
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.weights import randomise
from tfjs.wire.protobuf import parse

NOTE = "made of the SavedModel's own graph instead of its layers: "
HINT = "name a signature, such as serving_default"
UNKNOWN = "is no Keras layer, and its code is not in the file"


def sample(*shape: int) -> Array:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


def scaled(k: ModuleType) -> Any:
    """A layer of one's own with a weight and a configuration."""

    class Scaled(k.layers.Layer):  # type: ignore[misc, name-defined]
        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(name="scale", shape=(shape[-1],))

        def call(self, inputs: Any) -> Any:
            return inputs * self.scale

    return Scaled()


def functional(k: ModuleType) -> Any:
    x = k.Input((4,), name="x")
    return k.Model(x, k.layers.Dense(2, name="out")(scaled(k)(x)))


def sequential(k: ModuleType) -> Any:
    return k.Sequential([k.Input((4,)), k.layers.Dense(3), scaled(k)])


def without_configuration(k: ModuleType) -> Any:
    class Bare(k.layers.Layer):  # type: ignore[misc, name-defined]
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor, self.inner = factor, k.layers.Dense(3)

        def call(self, inputs: Any) -> Any:
            return self.inner(inputs) * self.factor

    x = k.Input((4,), name="x")
    return k.Model(x, k.layers.Dense(2)(Bare(0.5)(x)))


def subclassed(k: ModuleType) -> Any:
    class Own(k.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.dense = k.layers.Dense(3)

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

    model = Own()
    model(np.zeros((1, 4), np.float32))
    return model


def nested(k: ModuleType) -> Any:
    x = k.Input((4,), name="x")
    return k.Model(x, k.layers.Dense(2)(subclassed(k)(x)))


def saved(model: Any, folder: Path) -> Path:
    randomise(model)
    model.save(folder, save_format="tf")
    return folder


@pytest.fixture
def own(tf_keras: ModuleType, tmp_path: Path) -> Path:
    return saved(functional(tf_keras), tmp_path / "own")


def edited(folder: Path, change: Callable[[Any], None]) -> None:
    """Change the SavedModel message of a folder."""
    file = folder / "saved_model.pb"
    message: Any = parse("tensorflow.SavedModel", file.read_bytes(), None)
    change(message.meta_graphs[0])
    file.write_bytes(message.SerializeToString())


class TestConverting:
    @pytest.mark.parametrize(
        ("build", "why"),
        [
            (functional, f"scaled (Scaled): {UNKNOWN}"),
            (sequential, f"scaled (Scaled): {UNKNOWN}"),
            (without_configuration, f"bare (Bare): {UNKNOWN}"),
            (nested, f"own (Own): {UNKNOWN}"),
            (subclassed, "the model is of the class Own, whose configuration is code"),
        ],
    )
    def test_the_graph_answers_as_keras_does(
        self,
        build: Callable[[ModuleType], Any],
        why: str,
        tf_keras: ModuleType,
        tfjs_runtime: TfjsRuntime,
        tmp_path: Path,
    ) -> None:
        tf_keras.backend.clear_session()  # which counts the names of layers
        model = build(tf_keras)
        report = tfjs.convert(saved(model, tmp_path / "own"), tmp_path / "web")
        assert (report.source_format, report.dest_format) == ("saved-model", "tfjs-graph")
        assert report.notes[0] == NOTE + why
        assert report.verification is not None
        assert report.verification.skipped is None
        x = sample(3, 4)
        (answer,) = tfjs_runtime.predict_graph(tmp_path / "web", [x])
        np.testing.assert_allclose(answer, np.asarray(model(x)), atol=1e-5)

    def test_a_real_one(self, shared_models: Path, tmp_path: Path) -> None:
        source = shared_models / "saved_model/basic_pitch_nmp"
        report = tfjs.convert(source, tmp_path / "web")
        assert report.dest_format == "tfjs-graph"
        assert report.notes[0].startswith(f"{NOTE}flatten_audio_ch_1 (FlattenAudioCh): {UNKNOWN}; ")
        assert report.notes[0].endswith(" (and 7 more)")
        found = tfjs.verify(tmp_path / "web", source)
        assert found.ok
        with np.load(
            shared_models / "golden/saved_model__basic_pitch_nmp__serving_default.npz"
        ) as golden:
            feeds = {key[3:]: golden[key] for key in golden.files if key.startswith("in:")}
            wanted = {key[4:]: golden[key] for key in golden.files if key.startswith("out:")}
        model = tfjs.load(tmp_path / "web")
        answers = model.execute(feeds)
        for port, answer in zip(model.outputs, answers, strict=True):
            np.testing.assert_allclose(answer, wanted.pop(port.name), atol=1e-4)
        assert not wanted

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"to": "tfjs-layers"}, "is no Keras layer and its code is not in the file"),
            ({"to": "saved-model"}, UNKNOWN),
            ({"from_": "keras-saved-model"}, "neither as a layers model nor as a graph model"),
        ],
    )
    def test_not_where_a_format_is_given(
        self, options: Any, told: str, own: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(tfjs.UnsupportedError, match="Scaled") as caught:
            tfjs.convert(own, tmp_path / "web", **options)
        assert told in str(caught.value)
        assert not (tmp_path / "web").exists()
        if "from_" in options:
            assert HINT in str(caught.value)

    def test_not_where_layers_are_kept(self, own: Path, tmp_path: Path) -> None:
        report = tfjs.convert(own, tmp_path / "web", custom_layers="keep")
        assert (report.source_format, report.dest_format) == ("keras-saved-model", "tfjs-layers")

    def test_not_into_a_file_of_keras(self, tf_keras: ModuleType, tmp_path: Path) -> None:
        source = saved(subclassed(tf_keras), tmp_path / "own")
        with pytest.raises(tfjs.UnsupportedError, match=r"a graph, of which no \.h5 file"):
            tfjs.convert(source, tmp_path / "model.h5")
        with pytest.raises(tfjs.UnsupportedError, match="of the class Own") as caught:
            tfjs.convert(source, tmp_path / "model.h5", to="keras-h5")
        assert HINT in str(caught.value)

    def test_layers_that_a_graph_can_be_made_of(self, tf_keras: ModuleType, tmp_path: Path) -> None:
        x = tf_keras.Input((4,), name="x")
        model = tf_keras.Model(x, tf_keras.layers.Dense(2, activation="exponential")(x))
        report = tfjs.convert(saved(model, tmp_path / "saved"), tmp_path / "web")
        assert (report.source_format, report.dest_format) == ("keras-saved-model", "tfjs-graph")
        assert report.notes[0].startswith("a graph model, since TF.js has no such layers: dense")

    def test_a_damaged_checkpoint_is_an_error(self, own: Path, tmp_path: Path) -> None:
        data = own / "variables" / "variables.data-00000-of-00001"
        data.write_bytes(data.read_bytes()[:-100])
        with pytest.raises(tfjs.CorruptFileError):
            tfjs.convert(own, tmp_path / "web")

    @pytest.mark.parametrize("build", [functional, subclassed])
    def test_without_signatures_both_reasons_are_told(
        self, build: Callable[[ModuleType], Any], tf_keras: ModuleType, tmp_path: Path
    ) -> None:
        source = saved(build(tf_keras), tmp_path / "own")
        edited(source, lambda graph: graph.ClearField("signature_def"))
        with pytest.raises(tfjs.UnsupportedError, match=r"Scaled|the class Own") as caught:
            tfjs.convert(source, tmp_path / "web")
        assert "the SavedModel's own graph: " in caught.value.problems[-1]
        assert "signature" in caught.value.problems[-1]

    def test_a_graph_that_tfjs_cannot_run(
        self, tf_keras: ModuleType, tensorflow: ModuleType, tmp_path: Path
    ) -> None:
        class Betainc(tf_keras.layers.Layer):  # type: ignore[misc, name-defined]
            def call(self, inputs: Any) -> Any:
                return tensorflow.raw_ops.Betainc(a=inputs, b=inputs, x=inputs)

        x = tf_keras.Input((4,), name="x")
        source = saved(tf_keras.Model(x, Betainc()(x)), tmp_path / "own")
        with pytest.raises(tfjs.UnsupportedError, match="Betainc"):
            tfjs.convert(source, tmp_path / "web")
        assert not (tmp_path / "web").exists()


class TestVerifying:
    @pytest.mark.parametrize("backend", ["numpy", "onnxruntime", "tfjs-cpu"])
    @pytest.mark.parametrize("to", [None, "tfjs-graph"])
    def test_outputs_are_held_together_by_their_keys(
        self, to: str | None, backend: Any, in_node: None, tf_keras: ModuleType, tmp_path: Path
    ) -> None:
        # A signature has its keys in another order than the model that it was made of.
        zeta, alpha = tf_keras.Input((4,), name="zeta"), tf_keras.Input((4,), name="alpha")
        less = tf_keras.layers.Subtract(name="zz")([zeta, alpha])
        raised = tf_keras.layers.Dense(4, activation="exponential", name="aa")(alpha)
        model = tf_keras.Model([zeta, alpha], [less, raised])
        source = saved(model, tmp_path / "saved")
        report = tfjs.convert(source, tmp_path / "web", to=to)
        assert report.dest_format == "tfjs-graph"
        if to is None:
            assert [port.name for port in report.outputs] == ["zz", "aa"]
        assert [port.name for port in tfjs.load(source, signature="serving_default").outputs] == [
            "aa",
            "zz",
        ]
        assert tfjs.verify(tmp_path / "web", source, backend=backend).ok

    def test_the_graph_of_the_source_is_run(
        self, own: Path, tf_keras: ModuleType, tmp_path: Path
    ) -> None:
        tfjs.convert(own, tmp_path / "web", optimize=False, to="tfjs-graph")
        found = tfjs.verify(tmp_path / "web", own, layerwise=True)
        assert found.ok
        assert "MatMul" in {step.op for step in found.steps}
        assert tfjs.verify(tmp_path / "web", own, oracle=True).ok
        other = functional(tf_keras)
        other_saved = saved(other, tmp_path / "other")
        assert tfjs.verify(tmp_path / "web", other_saved).ok  # the same random weights
        other.set_weights([weight + 0.1 for weight in other.get_weights()])
        other.save(other_saved, save_format="tf")
        assert not tfjs.verify(tmp_path / "web", other_saved).ok


class TestLoading:
    def test_a_signature_asks_for_the_graph(self, own: Path, tf_keras: ModuleType) -> None:
        layers = tfjs.load(own)
        assert isinstance(layers, tfjs.LayersModel)
        x = sample(2, 4)
        with pytest.raises(tfjs.UnsupportedError, match="Scaled") as caught:
            layers(x)
        assert HINT in str(caught.value)
        graph = tfjs.load(own, signature="serving_default")
        assert graph.format == "saved-model"
        wanted = tf_keras.models.load_model(own)(x)
        np.testing.assert_allclose(graph.execute(x)[0], np.asarray(wanted), atol=1e-6)
        with pytest.raises(tfjs.UnsupportedError, match="Scaled") as caught:
            layers.save(own.with_name("web"))
        assert HINT in str(caught.value)

    def test_what_has_no_layers_is_a_graph(self, tf_keras: ModuleType, tmp_path: Path) -> None:
        model = subclassed(tf_keras)
        loaded = tfjs.load(saved(model, tmp_path / "own"))
        assert isinstance(loaded, tfjs.GraphModel)
        x = sample(2, 4)
        np.testing.assert_allclose(loaded.execute(x)[0], np.asarray(model(x)), atol=1e-6)

    def test_a_class_of_ones_own_by_a_name_of_keras(
        self, tf_keras: ModuleType, tmp_path: Path
    ) -> None:
        layer = scaled(tf_keras)
        type(layer).__name__ = "LayerNormalization"
        x = tf_keras.Input((4,), name="x")
        source = saved(tf_keras.Model(x, layer(x)), tmp_path / "own")
        with pytest.raises(tfjs.CorruptFileError, match=r"no gamma of layer") as caught:
            tfjs.convert(source, tmp_path / "web")
        assert HINT in str(caught.value)
        report = tfjs.convert(source, tmp_path / "web", signature="serving_default")
        assert report.dest_format == "tfjs-graph"


NAMESAKE = "answers otherwise than its layers"


def softmax_of_ones_own(k: ModuleType) -> Any:
    """A model with a layer without weights that is called as one of Keras's."""

    class Own(k.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, inputs: Any) -> Any:
            return inputs * 2.0

    Own.__name__ = "Softmax"
    x = k.Input((4,), name="x")
    return k.Model(x, k.layers.Dense(2, name="out")(Own()(x)))


class TestSignaturesBesideLayers:
    @pytest.mark.parametrize(
        "options", [{}, {"to": "tfjs-layers"}, {"from_": "keras-saved-model", "to": "tfjs-graph"}]
    )
    def test_a_class_that_is_taken_for_one_of_kerass_is_told(
        self, options: Any, tf_keras: ModuleType, tmp_path: Path
    ) -> None:
        model = softmax_of_ones_own(tf_keras)
        source = saved(model, tmp_path / "own")
        (note,) = _notes(tfjs.convert(source, tmp_path / "web", **options))
        assert "output 'out' differs by " in note
        x = sample(3, 4)
        web = tmp_path / "right"
        report = tfjs.convert(source, web, from_="saved-model", to="tfjs-graph")
        assert _notes(report) == []
        np.testing.assert_allclose(tfjs.load(web).execute(x)[0], np.asarray(model(x)), atol=1e-5)

    def test_not_unless_both_are_run(self, tf_keras: ModuleType, tmp_path: Path) -> None:
        source = saved(softmax_of_ones_own(tf_keras), tmp_path / "own")
        assert _notes(tfjs.convert(source, tmp_path / "web", verify=False)) == []

    @pytest.mark.parametrize("other", ["inputs", "outputs"])
    def test_a_signature_for_something_else_is_not_held_against_layers(
        self, other: str, tf_keras: ModuleType, tensorflow: ModuleType, tmp_path: Path
    ) -> None:
        x = tf_keras.Input((4,), name="x")
        model = tf_keras.Model(x, tf_keras.layers.Dense(2, name="out")(x))
        randomise(model)
        spec = tensorflow.TensorSpec((None, 4), tensorflow.float32, "x")
        text = tensorflow.TensorSpec((None,), tensorflow.string, "x")

        @tensorflow.function(input_signature=[text])
        def decode(x: Any) -> Any:
            numbers = tensorflow.io.decode_raw(x, tensorflow.float32)
            return {"out": model(tensorflow.reshape(numbers, (-1, 4)))}

        @tensorflow.function(input_signature=[spec])
        def classify(x: Any) -> Any:
            return {"out": model(x), "best": tensorflow.argmax(model(x), 1)}

        signature = decode if other == "inputs" else classify
        model.save(tmp_path / "own", save_format="tf", signatures=signature)
        assert _notes(tfjs.convert(tmp_path / "own", tmp_path / "web")) == []

    def test_a_signature_that_does_more(
        self, tf_keras: ModuleType, tensorflow: ModuleType, tmp_path: Path
    ) -> None:
        x = tf_keras.Input((4,), name="x")
        model = tf_keras.Model(x, tf_keras.layers.Dense(2, name="out")(x))
        randomise(model)

        @tensorflow.function(
            input_signature=[tensorflow.TensorSpec((None, 4), tensorflow.float32, "x")]
        )
        def serve(x: Any) -> Any:
            return {"out": model(x * 2.0)}

        model.save(tmp_path / "own", save_format="tf", signatures=serve)
        assert len(_notes(tfjs.convert(tmp_path / "own", tmp_path / "web"))) == 1

    def test_outputs_are_held_together_by_their_keys(
        self, tf_keras: ModuleType, tmp_path: Path
    ) -> None:
        zeta, alpha = tf_keras.Input((4,), name="zeta"), tf_keras.Input((4,), name="alpha")
        less = tf_keras.layers.Subtract(name="zz")([zeta, alpha])
        model = tf_keras.Model([zeta, alpha], [less, tf_keras.layers.Dense(4, name="aa")(alpha)])
        source = saved(model, tmp_path / "saved")
        assert _notes(tfjs.convert(source, tmp_path / "web")) == []

    def test_no_signature(self, tf_keras: ModuleType, tmp_path: Path) -> None:
        source = saved(softmax_of_ones_own(tf_keras), tmp_path / "own")
        edited(source, lambda graph: graph.ClearField("signature_def"))
        assert _notes(tfjs.convert(source, tmp_path / "web")) == []


def _notes(report: tfjs.Report) -> list[str]:
    return [note for note in report.notes if NAMESAKE in note]
