"""Defects that are put into a conversion on purpose are caught before the output is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.tiny_models import write_dense_model
from tests.support.weights import randomise
from tfjs.formats.base import WriteOptions
from tfjs.formats.tfjs_graph.write import write
from tfjs.ir.graph import Dims, Graph, GraphModel, Node, Signature, Type, Value
from tfjs.ir.tensor import ArrayTensor
from tfjs.layers import legalize as layers_legalize
from tfjs.ops.build import Builder
from tfjs.passes import pipeline
from tfjs.passes.legal import RULES
from tfjs.passes.rules import RuleSet


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A graph model of two inputs: (a @ w - b) / 2."""
    graph = Graph()
    for name, shape in (("a", (None, 3)), ("b", (None, 4))):
        type_ = Type("float32", shape)
        attrs = {"dtype": "float32", "shape": Dims(type_.shape)}
        graph.inputs.append(graph.add("Placeholder", [], attrs, [type_], name=name))
    a, b = (node.output for node in graph.inputs)
    build = Builder(graph, "net", [])
    w = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    product = build.op("MatMul", a, w, attrs={"T": "float32"}, name="product")
    less = build.op("Sub", product, b, attrs={"T": "float32"}, name="less")
    half = build.op("RealDiv", less, 2.0, attrs={"T": "float32"}, name="half")
    graph.outputs, graph.output_names = [half], ["net/half"]
    write(GraphModel(graph, Signature(["a", "b"], ["y"])), tmp_path / "source", WriteOptions())
    return tmp_path / "source"


def only(graph: Graph, op: str) -> Node:
    return next(node for node in graph.nodes.values() if node.op == op)


def wrong_weight(graph: Graph) -> None:
    node = next(n for n in graph.nodes.values() if n.op == "Const" and n.output.shape == (3, 4))
    array = node.attrs["value"].array().copy()
    array[1, 2] += 1e-3
    node.attrs["value"] = ArrayTensor(array)


def swapped_inputs(graph: Graph) -> None:
    node = only(graph, "Sub")
    graph.set_inputs(node, list(reversed(node.inputs)))


def another_operation(graph: Graph) -> None:
    only(graph, "Sub").op = "AddV2"


def nan(graph: Graph) -> None:
    node = next(n for n in graph.nodes.values() if n.op == "Const" and n.output.shape == ())
    node.attrs["value"] = ArrayTensor(np.array(np.nan, np.float32))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (wrong_weight, "differs by"),
        (swapped_inputs, "differs by"),
        (another_operation, "differs by"),
        (nan, "NaN"),
    ],
)
def test_a_spoilt_graph(
    spoil: Callable[[Graph], None],
    words: str,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = pipeline.legalize

    def spoilt(model: GraphModel, **options: Any) -> pipeline.Outcome:
        outcome = made(model, **options)
        spoil(model.graph)
        return outcome

    monkeypatch.setattr(pipeline, "legalize", spoilt)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model.json").write_text("what was there")
    with pytest.raises(tfjs.VerificationError, match=words) as caught:
        tfjs.convert(source, tmp_path / "out")
    assert caught.value.exit_code == 6
    assert "'y'" in str(caught.value)
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["model.json"]
    assert (tmp_path / "out" / "model.json").read_text() == "what was there"
    report = tfjs.convert(source, tmp_path / "out", verify=False)
    assert report.verification is None


def test_a_broken_rule(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = RuleSet()

    @broken.rule("RealDiv")
    def halve(node: Node, build: Builder) -> list[Value]:
        return [build.op("Mul", *node.inputs, attrs={"T": "float32"})]

    monkeypatch.setattr(pipeline, "RULES", [*RULES, broken])
    with pytest.raises(tfjs.VerificationError, match="differs by"):
        tfjs.convert(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_spoilt_layers(keras: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(2)])
    randomise(model)
    model.save(tmp_path / "model.keras")
    made = layers_legalize.legalize

    def spoilt(*args: Any, **options: Any) -> layers_legalize.Legalized:
        result = made(*args, **options)
        result.model.layers[-2].config["activation"] = "relu"
        return result

    # The package hides the module by the function of its name.
    monkeypatch.setattr(import_module("tfjs.formats.tfjs_layers.write"), "legalize", spoilt)
    with pytest.raises(tfjs.VerificationError, match="differs by"):
        tfjs.convert(tmp_path / "model.keras", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_right_is_told(source: Path, tmp_path: Path) -> None:
    found = tfjs.convert(source, tmp_path / "out").verification
    assert found is not None
    assert found.ok
    assert found.skipped is None
    assert found.inputs == {"a": "float32[2,3]", "b": "float32[2,4]"}
    (output,) = found.outputs
    assert output.name == "y"
    assert output.largest <= output.bound < 1e-4


class TestQuantised:
    def test_the_error_is_told(self, source: Path, tmp_path: Path) -> None:
        found = tfjs.convert(source, tmp_path / "out", quantize={"uint8": True}).verification
        assert found is not None
        assert 1e-4 < found.largest < 0.1
        assert found.ok
        weight = next(entry for entry in found.weights if entry.name == "net/Const")
        assert weight.dtype == "uint8"
        assert 1e-4 < weight.largest < 0.01
        assert weight.relative < 0.005

    def test_it_may_be_limited(self, source: Path, tmp_path: Path) -> None:
        with pytest.raises(tfjs.VerificationError, match="at most 1e-06"):
            tfjs.convert(source, tmp_path / "out", quantize={"uint8": True}, max_error=1e-6)
        assert not (tmp_path / "out").exists()
        tfjs.convert(source, tmp_path / "out", quantize={"uint16": True}, max_error=1e-2)


def test_what_cannot_be_run_says_why(tmp_path: Path) -> None:
    web = write_dense_model(tmp_path / "web")[0]
    told = json.loads((web / "model.json").read_text())
    layer = told["modelTopology"]["config"]["layers"][0]
    layer["class_name"] = "Mine"
    (web / "model.json").write_text(json.dumps(told))
    report = tfjs.convert(web, tmp_path / "out", custom_layers="keep")
    assert report.verification is not None
    assert "is no Keras layer" in str(report.verification.skipped)
