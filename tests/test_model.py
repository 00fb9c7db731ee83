"""`tfjs.load` and what it gives: models that can be called, and their weights."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.golden import tfjs_golden
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.tiny_models import dense_answer, write_dense_model
from tests.support.tools import SHARED_MODELS
from tests.support.web import serving
from tests.support.weights import randomise
from tfjs.formats.base import WriteOptions
from tfjs.formats.tfjs_graph.write import write
from tfjs.ir.graph import Dims, Graph, GraphModel, Signature, Type
from tfjs.ops.build import Builder

GOLDEN = {
    "human_blazeface": "tfjs_graph/human_blazeface",
    "human_handtrack": "tfjs_graph/human_handtrack",
    "human_iris": "tfjs_graph/human_iris",
    "style_transformer_separable": "tfjs_graph/style_transformer_separable",
    "ml5_cvae_quickdraw": "tfjs_layers/ml5_cvae_quickdraw/models",
    "nsfwjs_mobilenet_v2": "tfjs_layers/nsfwjs_mobilenet_v2",
}


@pytest.mark.models
@pytest.mark.parametrize("name", GOLDEN)
def test_real_models_answer_as_in_tfjs(name: str) -> None:
    model = tfjs.load(SHARED_MODELS / GOLDEN[name])
    inputs, expected = tfjs_golden(name)
    # TF.js numbers a layer's name when it is taken: inputs go in by their order.
    answers = model.execute(list(inputs.values()))
    assert len(answers) == len(expected)
    for answer, wanted in zip(answers, expected, strict=True):
        assert answer.shape == wanted.shape
        values = answer.reshape(-1)[: wanted.values.size]
        scale = max(1.0, float(np.abs(wanted.values).max()))
        assert np.abs(values - wanted.values.reshape(-1)).max() <= 2e-5 * scale


@pytest.fixture
def dense(tmp_path: Path) -> tuple[tfjs.Model, Any]:
    folder, weights = write_dense_model(tmp_path / "web")
    return tfjs.load(folder), lambda x: dense_answer(x, weights)


@pytest.fixture
def two(tmp_path: Path) -> tfjs.Model:
    """A graph of two inputs and two outputs: a + b, and a * b over both."""
    graph = Graph()
    for name in ("a", "b"):
        type_ = Type("float32", (None, 2))
        attrs = {"dtype": "float32", "shape": Dims(type_.shape)}
        graph.inputs.append(graph.add("Placeholder", [], attrs, [type_], name=name))
    build = Builder(graph, "x", [])
    a, b = (node.output for node in graph.inputs)
    added = build.op("AddV2", a, b, attrs={"T": "float32"}, name="sum")
    product = build.op("Mul", added, b, attrs={"T": "float32"}, name="product")
    graph.outputs, graph.output_names = [added, product], ["x/sum", "x/product"]
    model = GraphModel(graph, Signature(["left", "right"], ["sum", "product"]))
    write(model, tmp_path / "graph", WriteOptions())
    return tfjs.load(tmp_path / "graph")


A = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
B = np.array([[10, 20], [30, 40], [50, 60]], np.float32)


class TestCalling:
    def test_one_input(self, dense: tuple[tfjs.Model, Any]) -> None:
        model, right = dense
        x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
        for fed in (x, [x], {"d_input": x}, x.astype(np.float64)):
            answer = model(fed)
            assert isinstance(answer, np.ndarray)
            assert np.allclose(answer, right(x), atol=1e-6)

    def test_inputs_in_order_or_by_name(self, two: tfjs.Model) -> None:
        for fed in ([A, B], (A, B), {"right": B, "left": A}, {"b": B, "a": A}):
            added, product = two(fed)
            assert np.array_equal(added, A + B)
            assert np.array_equal(product, (A + B) * B)

    def test_structured_outputs_are_a_dict(self, two: tfjs.Model, tmp_path: Path) -> None:
        tfjs.convert(two, tmp_path / "structured", structured_outputs=True)
        found = tfjs.load(tmp_path / "structured")([A, B])
        assert isinstance(found, dict)
        assert set(found) == {"sum", "product"}
        assert np.array_equal(found["product"], (A + B) * B)

    @pytest.mark.parametrize(
        ("fed", "words"),
        [
            ([A], "takes 2 inputs"),
            ({"left": A}, "right"),
            ({"left": A, "right": B, "more": B}, "more"),
            ([A, B[:, :1]], "right"),
            ([A, B.astype(object)], "right"),
        ],
    )
    def test_wrong_inputs(self, two: tfjs.Model, fed: Any, words: str) -> None:
        with pytest.raises(tfjs.UsageError, match=words):
            two(fed)

    def test_ports(self, two: tfjs.Model) -> None:
        told = [(port.name, port.dtype, port.shape) for port in two.inputs]
        assert told == [("left", "float32", (None, 2)), ("right", "float32", (None, 2))]
        assert [port.name for port in two.outputs] == ["sum", "product"]


class TestPredicting:
    @pytest.mark.parametrize("batch_size", [None, 1, 2, 3, 100])
    def test_in_batches(self, two: tfjs.Model, batch_size: int | None) -> None:
        added, product = two.predict([A, B], batch_size=batch_size)
        assert np.array_equal(added, A + B)
        assert np.array_equal(product, (A + B) * B)

    def test_examples_that_do_not_go_together(self, two: tfjs.Model) -> None:
        with pytest.raises(tfjs.UsageError, match="as many examples"):
            two.predict([A, B[:2]], batch_size=2)
        with pytest.raises(tfjs.UsageError, match="at least 1"):
            two.predict([A, B], batch_size=0)


class TestExecuting:
    def test_nodes_of_a_graph(self, two: tfjs.Model) -> None:
        assert np.array_equal(two.execute([A, B], "x/sum"), A + B)
        (product, added) = two.execute([A, B], ["x/product", "x/sum"])
        assert np.array_equal(product, (A + B) * B)
        assert np.array_equal(added, A + B)
        with pytest.raises(tfjs.UsageError, match="nothing"):
            two.execute([A, B], ["nothing"])

    def test_layers(self, keras: ModuleType, tmp_path: Path) -> None:
        layers = [keras.layers.Dense(4, activation="relu", name="first"), keras.layers.Dense(2)]
        model = keras.Sequential([keras.Input((3,)), *layers])
        randomise(model)
        model.save(tmp_path / "model.keras")
        loaded = tfjs.load(tmp_path / "model.keras")
        x = np.random.default_rng(1).normal(size=(2, 3)).astype(np.float32)
        expected = np.asarray(layers[0](x))
        assert np.allclose(loaded.execute(x, "first"), expected, atol=1e-6)
        assert np.allclose(np.asarray(loaded(x)), np.asarray(model(x)), atol=1e-6)
        with pytest.raises(tfjs.UsageError, match="no layer 'second'"):
            loaded.execute(x, "second")


class TestWeights:
    def test_by_name(self, tmp_path: Path) -> None:
        folder, expected = write_dense_model(tmp_path / "web")
        found = tfjs.weights(folder)
        assert set(found) == set(expected)
        assert all(np.array_equal(found[name], expected[name]) for name in expected)

    def test_of_a_manifest(self, tmp_path: Path) -> None:
        folder, expected = write_dense_model(tmp_path / "web")
        manifest = json.loads((folder / "model.json").read_text())["weightsManifest"]
        found = tfjs.load_weights(manifest, folder)
        assert list(found) == list(expected)
        (kernel,) = tfjs.load_weights(manifest, folder, ["d/kernel"]).values()
        assert np.array_equal(kernel, expected["d/kernel"])
        with pytest.raises(tfjs.UsageError, match="'d/gamma'"):
            tfjs.load_weights(manifest, folder, ["d/gamma"])
        manifest[0]["paths"][0] = "../elsewhere.bin"
        with pytest.raises(tfjs.UnsafeFileError):
            tfjs.load_weights(manifest, folder)

    def test_alone_they_do_not_run(self, tmp_path: Path) -> None:
        tfjs.convert(write_dense_model(tmp_path / "web")[0], tmp_path / "w.h5", to="h5-weights")
        with pytest.raises(tfjs.UnsupportedError, match="weights without a model"):
            tfjs.load(tmp_path / "w.h5")([])


class TestTheWeb:
    def test_a_model_by_its_address(self, tmp_path: Path) -> None:
        folder, weights = write_dense_model(tmp_path / "web")
        with serving() as server:
            for file in folder.iterdir():
                server.answers[f"/m/{file.name}"] = (200, {}, file.read_bytes())
            model = tfjs.load(f"{server.address}/m/model.json?token=1")
            shards = [path for path in server.asked if ".bin" in path]
        assert all(path.endswith("?token=1") for path in shards)
        x = np.ones((1, 3), np.float32)
        assert np.allclose(np.asarray(model(x)), dense_answer(x, weights))

    @pytest.mark.parametrize(
        ("path", "kind"),
        [("../x.bin", tfjs.UnsafeFileError), ("gone.bin", tfjs.FormatError)],
    )
    def test_weights_that_are_not_there(
        self, path: str, kind: type[tfjs.TfjsError], tmp_path: Path
    ) -> None:
        folder, _ = write_dense_model(tmp_path / "web")
        told = json.loads((folder / "model.json").read_text())
        told["weightsManifest"][0]["paths"][0] = path
        with serving() as server:
            server.answers["/model.json"] = (200, {}, json.dumps(told).encode())
            with pytest.raises(kind):
                tfjs.load(f"{server.address}/model.json")


def test_it_answers_as_the_real_tfjs(two: tfjs.Model, tfjs_runtime: TfjsRuntime) -> None:
    answers = tfjs_runtime.predict_graph(Path(two.name), {"a": A, "b": B})
    for answer, expected in zip(two([A, B]), answers, strict=True):
        assert np.array_equal(answer, expected)
