"""Frozen graphs, binary and as text, against the graphs that TensorFlow wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tfjs.errors import CorruptFileError, FormatError, UnsupportedError, UsageError
from tfjs.formats.base import ReadOptions
from tfjs.formats.frozen_graph.read import read, sniff
from tfjs.formats.registry import detect
from tfjs.ir.graph import GraphModel, constant_of

ANY = ReadOptions()
Save = Callable[[Callable[[Any], object]], Path]


@pytest.fixture(params=["m.pb", "m.pbtxt"])
def save(request: pytest.FixtureRequest, tensorflow: ModuleType, tmp_path: Path) -> Save:
    """Writes the graph that a function builds."""

    def write(build: Callable[[Any], object]) -> Path:
        v1 = tensorflow.compat.v1
        with v1.Graph().as_default() as graph:
            build(v1)
        name = str(request.param)
        v1.train.write_graph(graph.as_graph_def(), str(tmp_path), name, name.endswith("pbtxt"))
        return tmp_path / name

    return write


def two_ends(v1: Any) -> None:
    """Two inputs, two results, and what training leaves behind."""
    x = v1.placeholder(v1.float32, [None, 2], name="in/x")
    unused = v1.constant(1.0, name="idle")
    scale = v1.placeholder(v1.float32, [], name="a_scale")
    y = v1.matmul(x, v1.constant([[1.0, np.inf], [3.0, 4.0]], name="w"), name="y")
    v1.assign(v1.get_variable("step", initializer=0.0), unused, name="step_on")
    v1.Assert(v1.reduce_all(y > 0), [y])
    v1.split(y * scale, 2, axis=1, name="halves")
    v1.nn.relu(y, name="out/relu")


def outputs(model: GraphModel) -> list[tuple[str, str]]:
    return [
        (key, value.name)
        for key, value in zip(model.signature.outputs, model.graph.outputs, strict=True)
    ]


class TestWithoutOutputNames:
    def test_results_are_found_and_told(self, save: Save) -> None:
        path = save(two_ends)
        assert detect(path).name == "frozen-graph"
        model = read(path, ANY)
        assert outputs(model) == [("halves", "halves"), ("out/relu", "out/relu")]
        assert model.notes == ["outputs found: halves, out/relu"]

    def test_inputs_stand_in_the_order_of_the_file(self, save: Save) -> None:
        model = read(save(two_ends), ANY)
        assert model.signature.inputs == ["in/x", "a_scale"]
        types = [node.output.type for node in model.graph.inputs]
        assert types == [("float32", (None, 2)), ("float32", ())]
        assert not model.signature.structured

    def test_constants_bit_for_bit(self, save: Save) -> None:
        tensor = constant_of(read(save(two_ends), ANY).graph.nodes["w"].output)
        assert tensor is not None
        expected = np.array([[1.0, np.inf], [3.0, 4.0]], np.float32)
        np.testing.assert_array_equal(tensor.array(), expected, strict=True)

    def test_nothing_is_a_result(self, save: Save) -> None:
        with pytest.raises(UnsupportedError, match="nothing tells the outputs") as failure:
            read(save(lambda v1: v1.constant(1.0)), ANY)
        assert "--output-node-names" in str(failure.value.hint)


class TestWithOutputNames:
    def test_only_what_they_need(self, save: Save) -> None:
        options = ReadOptions(output_node_names=("out/relu", "y"))
        model = read(save(two_ends), options)
        assert outputs(model) == [("out/relu", "out/relu"), ("y", "y")]
        assert sorted(model.graph.nodes) == ["in/x", "out/relu", "w", "y"]
        assert model.notes == []

    def test_a_later_output_of_a_node(self, save: Save) -> None:
        options = ReadOptions(output_node_names=("halves:1", "halves:0", "halves:1"))
        assert outputs(read(save(two_ends), options)) == [
            ("halves:1", "halves:1"),
            ("halves", "halves"),
        ]

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("relu", "nodes of a similar name: out/relu"),
            ("HALVES", "nodes of a similar name: halves, halves/split_dim"),
            ("hlaves", "nodes of a similar name: halves"),
            ("Softmax", "nodes that no other reads: halves, out/relu"),
            ("", "nodes that no other reads: halves, out/relu"),
        ],
    )
    def test_one_that_is_not_there(self, name: str, hint: str, save: Save) -> None:
        with pytest.raises(UsageError, match=f"has no node '{name}'") as failure:
            read(save(two_ends), ReadOptions(output_node_names=("y", name)))
        assert failure.value.hint == hint

    @pytest.mark.parametrize("name", ["y:1", "y:x", "y:0:0:0", "step_on:99999999"])
    def test_an_output_that_the_node_has_not(self, name: str, save: Save) -> None:
        with pytest.raises(FormatError):
            read(save(two_ends), ReadOptions(output_node_names=(name,)))


def test_placeholders_with_a_default(save: Save) -> None:
    def build(v1: Any) -> None:
        batch = v1.placeholder_with_default(v1.constant([[1.0, 2.0]]), [None, 2], name="batch")
        training = v1.placeholder_with_default(False, [], name="training")
        v1.cond(training, lambda: batch * 2.0, lambda: batch, name="y")

    model = read(save(build), ANY)
    assert model.signature.inputs == ["batch"]
    node = model.graph.nodes["batch"]
    assert (node.op, node.output.type) == ("Placeholder", ("float32", (None, 2)))
    assert "the placeholder 'training' takes its default" in model.notes


def test_functions_come_along(tensorflow: ModuleType, tmp_path: Path) -> None:
    tf = tensorflow

    @tf.function(input_signature=[tf.TensorSpec([None])])
    def loop(x: Any) -> Any:
        return tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y + x), (0, x))[1]

    graph = loop.get_concrete_function().graph.as_graph_def()
    (tmp_path / "m.pb").write_bytes(graph.SerializeToString())
    model = read(tmp_path / "m.pb", ANY)
    assert len(model.functions) == 2
    assert {node.op for node in model.graph.nodes.values()} >= {"StatelessWhile"}


class TestWhatIsNone:
    @pytest.mark.parametrize(
        "name",
        ["saved_model.pb", "keras_metadata.pb", "fingerprint.pb", "tfhub_module.pb", "m.txt"],
    )
    def test_files_of_other_formats(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).write_bytes(b"\n\x00")
        assert not sniff(tmp_path / name)

    def test_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "m.pb").mkdir()
        assert not sniff(tmp_path / "m.pb")
        with pytest.raises(FormatError):
            read(tmp_path / "m.pb", ANY)

    def test_a_saved_model_of_another_name(self, tmp_path: Path) -> None:
        (tmp_path / "m.pb").write_bytes(b"\x08\x01\x12\x05\x12\x03\n\x01a")
        with pytest.raises(CorruptFileError, match="is a SavedModel, not a graph") as failure:
            read(tmp_path / "m.pb", ANY)
        assert "saved_model.pb" in str(failure.value.hint)

    def test_a_model_of_old_tfjs_whose_constants_are_elsewhere(self, tmp_path: Path) -> None:
        (tmp_path / "m.pb").write_bytes(b"\n\x08\n\x01a\x12\x03Add")
        (tmp_path / "weights_manifest.json").write_text("[]")
        with pytest.raises(UnsupportedError, match="weights are in other files"):
            read(tmp_path / "m.pb", ANY)

    @pytest.mark.parametrize(
        ("data", "text"),
        [
            (b"", "has no nodes"),
            (b"\xff\xff", "is no GraphDef message"),
            (b"<!DOCTYPE html><html></html>", "is a web page"),
            (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        ],
    )
    def test_other_bytes(self, data: bytes, text: str, tmp_path: Path) -> None:
        (tmp_path / "m.pb").write_bytes(data)
        with pytest.raises(CorruptFileError, match=text):
            read(tmp_path / "m.pb", ANY)
