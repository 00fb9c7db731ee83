"""`tfjs.verify`: any two models held against each other."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support import graph_seeds, keras_models
from tests.support.tiny_models import write_dense_model


def spoilt(folder: Path, name: str, by: float = 0.01) -> None:
    """Change one number of one weight of a TF.js model in its weight file."""
    told = json.loads((folder / "model.json").read_text())
    (group,) = told["weightsManifest"]
    offset = 0
    for weight in group["weights"]:
        if weight["name"] == name:
            break
        offset += 4 * int(np.prod(weight["shape"]))
    else:
        raise AssertionError(f"{name} is not in {[entry['name'] for entry in group['weights']]}")
    file = folder / group["paths"][0]
    numbers = np.frombuffer(file.read_bytes(), "<f4").copy()
    numbers[offset // 4] += by
    file.write_bytes(numbers.tobytes())


@pytest.fixture
def convolutions(keras: ModuleType, tmp_path: Path) -> Path:
    """A Keras model of convolutions and normalizations."""
    keras_models.made("convolutions", keras).save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


class TestAcrossFormats:
    @pytest.mark.parametrize("dest", ["model.h5", "web", "graph", "saved", "frozen.pb"])
    def test_what_was_converted_answers_the_same(
        self, dest: str, convolutions: Path, tmp_path: Path
    ) -> None:
        to = {"graph": "tfjs-graph", "saved": "saved-model", "frozen.pb": "frozen-graph"}.get(dest)
        tfjs.convert(convolutions, tmp_path / dest, to=to, verify=False)
        found = tfjs.verify(tmp_path / dest, convolutions)
        assert found.ok
        (output,) = found.verification.outputs
        assert output.largest <= output.bound < 1e-4
        # And the other way round.
        assert tfjs.verify(convolutions, tmp_path / dest).ok

    def test_live_and_loaded_models(self, keras: ModuleType, tmp_path: Path) -> None:
        model = keras_models.made("dense", keras)
        tfjs.convert(model, tmp_path / "web")
        assert tfjs.verify(tmp_path / "web", model).ok
        assert tfjs.verify(tfjs.load(tmp_path / "web"), model).ok
        other = keras_models.made("dense", keras)
        other.set_weights([weight + 0.1 for weight in model.get_weights()])
        assert not tfjs.verify(tmp_path / "web", other).ok


class TestLayerwise:
    def test_the_node_of_a_wrong_weight(self, convolutions: Path, tmp_path: Path) -> None:
        tfjs.convert(convolutions, tmp_path / "web", verify=False)
        assert tfjs.verify(tmp_path / "web", convolutions, layerwise=True).first is None
        spoilt(tmp_path / "web", "depthwise/depthwise_kernel")
        found = tfjs.verify(tmp_path / "web", convolutions, layerwise=True)
        assert not found.ok
        assert found.first is not None
        assert found.first.node.startswith("depthwise/")
        assert found.first.op == "DepthwiseConv2dNative"
        assert found.first.origin == ("depthwise",)
        # Before it all is the same; what comes behind differs too.
        place = found.steps.index(found.first)
        assert place > 2
        assert all(step.difference.largest == 0 for step in found.steps[:place])
        assert not found.steps[-1].difference.ok

    def test_a_graph(self, tmp_path: Path) -> None:
        source = graph_seeds.frozen(tmp_path / "frozen")
        tfjs.convert(source, tmp_path / "web", verify=False)
        found = tfjs.verify(tmp_path / "web", source, layerwise=True)
        assert found.ok
        assert found.steps
        assert found.first is None

    def test_the_limit_is_that_of_the_steps_too(self, convolutions: Path, tmp_path: Path) -> None:
        tfjs.convert(convolutions, tmp_path / "web", verify=False)
        spoilt(tmp_path / "web", "out/bias", 1e-3)
        assert tfjs.verify(tmp_path / "web", convolutions).ok is False
        found = tfjs.verify(tmp_path / "web", convolutions, layerwise=True, max_error=0.1)
        assert found.ok
        assert found.first is None


class TestInputs:
    def test_by_name(self, tmp_path: Path) -> None:
        web = write_dense_model(tmp_path / "web")[0]
        tfjs.convert(web, tmp_path / "graph", to="tfjs-graph")
        x = np.ones((5, 3), np.float32)
        found = tfjs.verify(tmp_path / "graph", web, inputs={"d_input": x})
        assert found.ok
        assert found.verification.inputs == {"d_input": "float32[5,3]"}
        assert found.verification.outputs[0].shape == (5, 2)

    def test_that_the_model_does_not_take(self, tmp_path: Path) -> None:
        web = write_dense_model(tmp_path / "web")[0]
        with pytest.raises(tfjs.UsageError, match="the model has no input 'x'"):
            tfjs.verify(web, web, inputs={"x": np.ones((1, 3))})
        wrongs: list[dict[str, Any]] = [{}, {"d_input": np.ones((1, 4))}, {"d_input": ["text"]}]
        for wrong in wrongs:
            with pytest.raises(tfjs.UsageError, match="d_input"):
                tfjs.verify(web, web, inputs=wrong)

    def test_models_of_other_inputs(self, keras: ModuleType, tmp_path: Path) -> None:
        web = write_dense_model(tmp_path / "web")[0]
        keras_models.made("shared", keras).save(tmp_path / "shared.keras")
        found = tfjs.verify(tmp_path / "shared.keras", web)
        assert not found.ok
        problem = found.verification.outputs[0].problem
        assert problem == "it has 2 inputs, the source has 1"


class TestOracle:
    @pytest.mark.parametrize("kind", ["convolutions", "recurrent", "shared", "heads"])
    def test_keras(self, kind: str, keras: ModuleType, tmp_path: Path) -> None:
        keras_models.made(kind, keras).save(tmp_path / "model.keras")
        tfjs.convert(tmp_path / "model.keras", tmp_path / "web")
        found = tfjs.verify(tmp_path / "web", tmp_path / "model.keras", oracle=True)
        assert found.ok, found.to_dict()
        assert tfjs.verify(tmp_path / "model.keras", tmp_path / "model.keras", oracle=True).ok

    def test_hdf5_of_either_keras(
        self, keras: ModuleType, tf_keras: ModuleType, tmp_path: Path
    ) -> None:
        for number, module in enumerate((keras, tf_keras)):
            path = tmp_path / f"model{number}.h5"
            keras_models.made("nested", module).save(path)
            assert tfjs.verify(path, path, oracle=True).ok

    def test_tensorflow(self, tensorflow: ModuleType, keras: ModuleType, tmp_path: Path) -> None:
        keras_models.made("shared", keras).save(tmp_path / "model.keras")
        for dest, to in (("saved", "saved-model"), ("frozen.pb", "frozen-graph")):
            tfjs.convert(tmp_path / "model.keras", tmp_path / dest, to=to)
            found = tfjs.verify(tmp_path / "model.keras", tmp_path / dest, oracle=True)
            assert found.ok, found.to_dict()

    def test_it_is_asked_indeed(
        self, keras: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keras_models.made("dense", keras).save(tmp_path / "model.keras")
        call = keras.layers.Dense.call
        more = lambda self, x, training=None: call(self, x) + 9  # noqa: E731
        monkeypatch.setattr(keras.layers.Dense, "call", more)
        found = tfjs.verify(tmp_path / "model.keras", tmp_path / "model.keras", oracle=True)
        assert not found.ok

    @pytest.mark.parametrize("suffix", [".keras", ".h5"])
    def test_code_is_not_executed(self, suffix: str, keras: ModuleType, tmp_path: Path) -> None:
        from tfjs.verification.oracle import _refuse_code

        path = tmp_path / f"model{suffix}"
        layers = [keras.Input((3,)), keras.layers.Lambda(lambda x: x * 2)]
        keras.Sequential(layers).save(path)
        with pytest.raises(tfjs.UnsupportedError, match="Lambda"):
            tfjs.verify(path, path, oracle=True)
        with pytest.raises(tfjs.UnsupportedError, match="whose code is not executed"):
            _refuse_code(path, "keras" if suffix == ".keras" else "keras-h5")

    def test_modules_are_not_imported(self, keras: ModuleType, tmp_path: Path) -> None:
        from tfjs.verification.oracle import _refuse_code

        path = tmp_path / "model.keras"
        config = {"class_name": "Dense", "module": "evil.module", "config": {}}
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps({"config": {"layers": [config]}}))
        with pytest.raises(tfjs.UnsupportedError, match=r"a Dense of evil\.module"):
            _refuse_code(path, "keras")

    def test_an_absent_framework(
        self, keras: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keras_models.made("dense", keras).save(tmp_path / "model.keras")
        monkeypatch.setitem(__import__("sys").modules, "keras", None)
        with pytest.raises(tfjs.MissingDependencyError, match="keras, cannot be imported") as error:
            tfjs.verify(tmp_path / "model.keras", tmp_path / "model.keras", oracle=True)
        assert str(error.value.hint).startswith("pip install keras")

    def test_models_without_a_framework(self, tmp_path: Path) -> None:
        web = write_dense_model(tmp_path / "web")[0]
        with pytest.raises(
            tfjs.UsageError, match="no framework of Python runs a model of the format"
        ):
            tfjs.verify(web, web, oracle=True)
        with pytest.raises(tfjs.UsageError, match="from files, not a LayersModel"):
            tfjs.verify(web, tfjs.load(web), oracle=True)


class TestBackends:
    @pytest.mark.parametrize("backend", ["tfjs-cpu", "tfjs-wasm"])
    @pytest.mark.parametrize("to", ["tfjs-layers", "tfjs-graph"])
    def test_the_real_tfjs(
        self, backend: str, to: str, in_node: None, keras: ModuleType, tmp_path: Path
    ) -> None:
        keras_models.made("shared", keras).save(tmp_path / "model.keras")
        tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to=to)
        found = tfjs.verify(
            tmp_path / "web",
            tmp_path / "model.keras",
            backend=backend,  # type: ignore[arg-type]
        )
        assert found.ok, found.to_dict()
        assert found.verification.engine == backend
        weights = [name for name in tfjs.weights(tmp_path / "web") if "one" in name]
        spoilt(tmp_path / "web", weights[0])
        found = tfjs.verify(
            tmp_path / "web",
            tmp_path / "model.keras",
            backend=backend,  # type: ignore[arg-type]
        )
        assert not found.ok

    def test_only_tfjs_models_run_there(self, keras: ModuleType, tmp_path: Path) -> None:
        path = tmp_path / "model.keras"
        keras_models.made("dense", keras).save(path)
        with pytest.raises(tfjs.UsageError, match="does not run a model of the format keras"):
            tfjs.verify(path, path, backend="tfjs-cpu")
        with pytest.raises(tfjs.UsageError, match="from files, not a LayersModel"):
            tfjs.verify(tfjs.load(path), path, backend="tfjs-cpu")
        with pytest.raises(tfjs.UsageError, match="no backend 'webgl'"):
            tfjs.verify(path, path, backend="webgl")  # type: ignore[arg-type]
        with pytest.raises(tfjs.UsageError, match="layerwise looks into both models"):
            tfjs.verify(path, path, backend="tfjs-cpu", layerwise=True)


class TestWithTheRealTfjs:
    """`convert(verify="tfjs")`."""

    @pytest.mark.parametrize("to", ["tfjs-layers", "tfjs-graph"])
    def test_it_runs_there(
        self, to: str, in_node: None, convolutions: Path, tmp_path: Path
    ) -> None:
        report = tfjs.convert(convolutions, tmp_path / "web", to=to, verify="tfjs")
        assert report.verification is not None
        assert report.verification.ok
        assert report.verification.engine == "tfjs-cpu"
        assert report.verification.largest > 0  # TF.js rounds otherwise than NumPy

    def test_what_does_not_load_there_is_not_written(
        self, in_node: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from tfjs.runtime import node

        web = write_dense_model(tmp_path / "web")[0]
        script = tmp_path / "runner.mjs"
        text = node._SCRIPT.read_text()
        broken = text.replace("await tf.loadLayersModel(handler)", "await tf.loadNothing(handler)")
        assert broken != text
        script.write_text(broken)
        monkeypatch.setattr(node, "_SCRIPT", script)
        with pytest.raises(tfjs.VerificationError, match=r"TF\.js does not load the model"):
            tfjs.convert(web, tmp_path / "out", verify="tfjs")
        assert not (tmp_path / "out").exists()

    def test_words_that_mean_nothing(self, tmp_path: Path) -> None:
        web = write_dense_model(tmp_path / "web")[0]
        with pytest.raises(tfjs.UsageError, match="takes True, False or 'tfjs', not 'node'"):
            tfjs.convert(web, tmp_path / "out", verify="node")  # type: ignore[call-overload]


def test_a_loop_without_an_end(
    tensorflow: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inputs that nobody chose may keep a loop going for ever; a conversion ends all the same."""
    from tfjs.verification import check

    tf = tensorflow

    @tf.function(input_signature=[tf.TensorSpec([None])])
    def grown(x):  # type: ignore[no-untyped-def]
        return tf.while_loop(lambda x: tf.reduce_max(x) < 1e9, lambda x: (x - 1.0,), [x])[0]

    monkeypatch.setattr(check, "MOST_SECONDS", 0.5)
    report = tfjs.convert(grown, tmp_path / "web")
    assert report.verification is not None
    assert "a loop does not come to its end within 0.5 s" in str(report.verification.skipped)
