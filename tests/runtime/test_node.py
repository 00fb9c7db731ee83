"""Models in the real TF.js by the package's own runner, held against the harness of the tests."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import tfjs
from tests.support.protocol import Array
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.tiny_models import (
    dense_answer,
    dense_layer,
    dense_weights,
    hanging_model,
    sequential,
    write_dense_model,
    write_layers_model,
)
from tests.support.tools import JS_FOLDER
from tfjs.formats.base import Port, WriteOptions
from tfjs.formats.tfjs_graph.write import write
from tfjs.ir.graph import Dims, Graph, GraphModel, Signature, Type
from tfjs.runtime.node import Backend, NodeRunner

X = np.random.default_rng(3).normal(size=(4, 3)).astype(np.float32)
BACKENDS: list[Backend] = ["cpu", "wasm"]


def passing(folder: Path, *dtypes: str) -> Path:
    """A graph model that answers with each input as it is."""
    graph = Graph()
    for dtype in dtypes:
        type_ = Type(dtype, (None,))
        attrs = {"dtype": dtype, "shape": Dims(type_.shape)}
        node = graph.add("Placeholder", [], attrs, [type_], name=f"x_{dtype}")
        graph.inputs.append(node)
        same = graph.add("Identity", [node.output], {"T": dtype}, [type_], name=f"y_{dtype}")
        graph.outputs.append(same.output)
        graph.output_names.append(same.name)
    signature = Signature([f"in_{dtype}" for dtype in dtypes], [f"out_{dtype}" for dtype in dtypes])
    write(GraphModel(graph, signature), folder, WriteOptions())
    return folder


@pytest.mark.usefixtures("in_node")
class TestRun:
    @pytest.mark.parametrize("backend", BACKENDS)
    def test_layers(self, backend: Backend, tmp_path: Path) -> None:
        web, weights = write_dense_model(tmp_path / "web")
        with NodeRunner(web, backend=backend) as runner:
            assert runner.version.startswith("4.")
            assert runner.inputs == [Port("d_input", "float32", (None, 3))]
            assert runner.outputs == [Port("d", "float32", (None, 2))]
            (answer,) = runner.run({"d_input": X})
            np.testing.assert_allclose(answer, dense_answer(X, weights), atol=1e-6)
            # What is fed is taken in the order of the inputs, and other numbers become floats.
            (answer,) = runner.run({"anything": X.astype(np.int64)})
            np.testing.assert_allclose(answer, dense_answer(X.astype(int), weights), atol=1e-6)

    def test_by_its_json_file(self, tmp_path: Path) -> None:
        web, weights = write_dense_model(tmp_path / "web")
        (web / "model.json").rename(web / "a model.json")
        for path in (web, web / "a model.json"):
            with NodeRunner(path, backend="cpu") as runner:
                (answer,) = runner.run({"d_input": X})
            np.testing.assert_allclose(answer, dense_answer(X, weights), atol=1e-6)

    def test_every_dtype(self, tmp_path: Path) -> None:
        feeds: dict[str, Array] = {
            "float32": np.array([1.5, np.inf, -0.0], np.float32),
            "int32": np.array([-(2**31), 2**31 - 1], np.int32),
            "bool": np.array([True, False]),
            "complex64": np.array([1 + 2j, -3j], np.complex64),
            "string": np.array([b"\x00\xff", "ä 模".encode(), b""], object),
        }
        model = passing(tmp_path / "web", *feeds)
        with NodeRunner(model, backend="cpu") as runner:
            assert [port.dtype for port in runner.inputs] == list(feeds)
            # By the keys of the signature, in whatever order, or by the names of the nodes.
            for prefix, dtypes in (("in_", [*feeds][::-1]), ("x_", [*feeds])):
                answers = runner.run({prefix + dtype: feeds[dtype] for dtype in dtypes})
                assert [port.name for port in runner.outputs] == [f"out_{dtype}" for dtype in feeds]
                for (dtype, wanted), answer in zip(feeds.items(), answers, strict=True):
                    assert answer.dtype == (object if dtype == "string" else dtype)
                    assert np.array_equal(answer, wanted)

    def test_much_at_once(self, tmp_path: Path) -> None:
        """More than pipes hold, both ways."""
        x = np.arange(3_000_000, dtype=np.float32)
        with NodeRunner(passing(tmp_path / "web", "float32"), backend="cpu") as runner:
            assert np.array_equal(runner.run({"in_float32": x})[0], x)

    def test_loops_and_tables(
        self, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
    ) -> None:
        """A model that only `executeAsync` runs, and one with an initializer."""
        tf = tensorflow
        table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(["one", "two"], [1.0, 2.0]), -1.0
        )

        class Model(tf.Module):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                self.table = table

            @tf.function(input_signature=[tf.TensorSpec([None]), tf.TensorSpec([None], tf.string)])
            def run(self, x, words):  # type: ignore[no-untyped-def]
                def body(x):  # type: ignore[no-untyped-def]
                    return (x * 2,)

                (x,) = tf.while_loop(lambda x: tf.reduce_sum(tf.abs(x)) < 100, body, [x])
                return {"x": x, "found": self.table.lookup(words)}

        tf.saved_model.save(Model(), tmp_path / "saved")
        tfjs.convert(tmp_path / "saved", tmp_path / "web")
        feeds = {"x": np.array([1, 2], np.float32), "words": np.array([b"two", b"three"], object)}
        with NodeRunner(tmp_path / "web", backend="cpu") as runner:
            answers = runner.run(feeds)
            names = [port.name for port in runner.outputs]
        found = dict(zip(names, answers, strict=True))
        assert np.array_equal(found["x"], [64, 128])
        assert np.array_equal(found["found"], [2, -1])
        harness = tfjs_runtime.run_graph(tmp_path / "web", feeds, method="executeAsync")
        for answer, wanted in zip(answers, harness.answers, strict=True):
            assert np.array_equal(answer, wanted)

    def test_it_times(self, tmp_path: Path) -> None:
        with NodeRunner(write_dense_model(tmp_path / "web")[0], backend="cpu") as runner:
            assert runner.first_seconds is None
            times = runner.time({"d_input": X}, 5)
            assert len(times) == 5
            assert all(0 < seconds < 10 for seconds in times)
            assert runner.first_seconds is not None
            assert 0 < runner.load_seconds < 60

    def test_nothing_is_left(self, tmp_path: Path) -> None:
        web = write_dense_model(tmp_path / "web")[0]
        before = sorted(tmp_path.rglob("*"))
        with NodeRunner(web, backend="wasm") as runner:
            runner.run({"d_input": X})
            process = runner._process
        assert process.poll() is not None
        assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.usefixtures("in_node")
class TestFailures:
    def test_of_a_run_leave_the_model_as_it_was(self, tmp_path: Path) -> None:
        web, weights = write_dense_model(tmp_path / "web")
        with NodeRunner(web, backend="cpu") as runner:
            with pytest.raises(tfjs.UnsupportedError, match=r"does not run the model: .*\[4,2\]"):
                runner.run({"d_input": X[:, :2]})
            with pytest.raises(tfjs.UsageError, match="has 1 inputs, 2 are fed"):
                runner.run({"d_input": X, "b": X})
            (answer,) = runner.run({"d_input": X})
        np.testing.assert_allclose(answer, dense_answer(X, weights), atol=1e-6)

    def test_numbers_that_tfjs_does_not_have(self, tmp_path: Path) -> None:
        with (
            NodeRunner(passing(tmp_path / "web", "int32"), backend="cpu") as runner,
            pytest.raises(tfjs.UsageError, match="'in_int32' holds numbers that int32"),
        ):
            runner.run({"in_int32": np.array([2**31])})

    def test_a_layer_that_tfjs_lacks(self, tmp_path: Path) -> None:
        layer = {**dense_layer("d", 2, inputs=3), "class_name": "Mine"}
        web = write_layers_model(tmp_path, sequential([layer]), dense_weights("d", 3, 2))
        with pytest.raises(tfjs.UnsupportedError, match=r"does not load the model: .*Mine"):
            NodeRunner(web, backend="cpu")

    # A browser, and TF.js in it, climbs no higher than the site.
    @pytest.mark.parametrize("path", ["../secret.bin", "http://127.0.0.1:9/secret.bin", "gone.bin"])
    def test_it_reads_nothing_but_the_folder(self, path: str, tmp_path: Path) -> None:
        web = write_dense_model(tmp_path / "web")[0]
        (tmp_path / "secret.bin").write_bytes((web / "group1-shard1of2.bin").read_bytes())
        text = (web / "model.json").read_text()
        (web / "model.json").write_text(text.replace("group1-shard1of2.bin", path))
        with pytest.raises(tfjs.UnsupportedError, match="no such file"):
            NodeRunner(web, backend="cpu")

    def test_a_model_that_hangs_is_ended(self, tmp_path: Path) -> None:
        since = time.monotonic()
        with pytest.raises(tfjs.UnsupportedError, match="did not answer within 4 s"):
            NodeRunner(hanging_model(tmp_path / "web"), backend="cpu", timeout=4)
        assert time.monotonic() - since < 60

    def test_a_folder_without_a_model(self, tmp_path: Path) -> None:
        with pytest.raises(tfjs.FormatError, match="holds no model"):
            NodeRunner(tmp_path, backend="cpu")

    def test_a_process_that_dies(self, tmp_path: Path) -> None:
        with NodeRunner(write_dense_model(tmp_path / "web")[0], backend="cpu") as runner:
            runner._process.kill()
            with pytest.raises(tfjs.UnsupportedError, match=r"TF\.js ended with code -9"):
                runner.run({"d_input": X})


class TestFinding:
    def test_no_node(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(tfjs.MissingDependencyError, match="is not on the PATH") as error:
            NodeRunner(write_dense_model(tmp_path / "web")[0], backend="cpu")
        assert "npm install @tensorflow/tfjs" in str(error.value.hint)

    @pytest.mark.node
    def test_no_tfjs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NODE_PATH", raising=False)
        monkeypatch.setenv("NPM_CONFIG_PREFIX", str(tmp_path))
        monkeypatch.chdir(tmp_path)
        with pytest.raises(tfjs.MissingDependencyError, match="no @tensorflow/tfjs") as error:
            NodeRunner(write_dense_model(tmp_path / "web")[0], backend="cpu")
        hint = "npm install @tensorflow/tfjs @tensorflow/tfjs-backend-wasm"
        assert error.value.hint == hint

    @pytest.mark.node
    def test_from_the_current_folder_upwards(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("NODE_PATH", raising=False)
        (tmp_path / "node_modules").symlink_to(JS_FOLDER / "node_modules")
        (tmp_path / "deep" / "er").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / "deep" / "er")
        with NodeRunner(write_dense_model(tmp_path / "web")[0], backend="wasm") as runner:
            assert runner.version.startswith("4.")

    @pytest.mark.node
    def test_where_npm_installs_globally(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("NODE_PATH", raising=False)
        monkeypatch.setenv("NPM_CONFIG_PREFIX", str(tmp_path / "global"))
        monkeypatch.chdir(tmp_path)
        told = subprocess.run(["npm", "root", "-g"], capture_output=True, text=True, check=True)
        root = Path(told.stdout.strip())
        root.parent.mkdir(parents=True)
        root.symlink_to(JS_FOLDER / "node_modules")
        with NodeRunner(write_dense_model(tmp_path / "web")[0], backend="cpu") as runner:
            assert runner.version.startswith("4.")
