"""Frozen graphs that we write, imported by TensorFlow and read back by ours."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.graph_roundtrip import floats
from tests.support.tensorflow_files import Building, frozen, run_frozen
from tfjs.errors import UnsupportedError, UsageError
from tfjs.formats.base import ReadOptions, WriteOptions
from tfjs.formats.frozen_graph.read import read
from tfjs.formats.frozen_graph.write import port_names, write
from tfjs.ir.graph import GraphModel, Signature
from tfjs.ir.tensor import ArrayTensor, DerivedTensor


def model_of(*, keys: list[str] | None = None) -> GraphModel:
    """Twice the input plus a constant, and the sign of that."""
    building = Building()
    x = building.input("x", (None, 2))
    total = building.node("AddV2", x, building.constant(np.array([1, 2], np.float32)), name="total")
    model = building.model(total.output, building.node("Sign", total.output, name="sign").output)
    model.signature.outputs = keys or model.signature.outputs
    return model


def test_nodes_have_the_names_of_the_keys(tensorflow: ModuleType, tmp_path: Path) -> None:
    model = model_of(keys=["sum of it", "sign:0"])
    model.signature.inputs = ["first:0"]
    written = frozen(model, tmp_path / "m.pb")
    assert written.notes == ["outputs have other names: sum of it is sum_of_it"]
    assert [port.name for port in written.inputs] == ["first:0"]
    answers = run_frozen(
        tensorflow, tmp_path / "m.pb", {"first": [[1.0, -9.0]]}, ["sum_of_it", "sign"]
    )
    assert answers["sum_of_it"].tolist() == [[2, -7]]
    assert answers["sign"].tolist() == [[1, -1]]
    again = read(tmp_path / "m.pb", ReadOptions(output_node_names=("sum_of_it", "sign")))
    assert again.graph.inputs[0].output.shape == (None, 2)


def test_outputs_that_share_a_node_or_are_inputs(tensorflow: ModuleType, tmp_path: Path) -> None:
    building = Building()
    x = building.input("x", (4,))
    axis = building.constant(np.int32(0), "axis")
    split = building.node("Split", axis, x, num_split=2, name="split", dtypes=[None] * 2)
    model = building.model(*split.outputs, split.output, x)
    model.signature.outputs = ["x1", "split", "axis", "same"]
    frozen(model, tmp_path / "m.pb")
    fed = {"x": [1.0, 2.0, 3.0, 4.0]}
    answers = run_frozen(tensorflow, tmp_path / "m.pb", fed, ["x1", "split", "axis", "same"])
    assert {name: value.tolist() for name, value in answers.items()} == {
        "x1": [1, 2],
        "split": [3, 4],
        "axis": [1, 2],
        "same": [1, 2, 3, 4],
    }


def test_names_are_those_of_the_keys_each_once() -> None:
    signature = Signature(["x:0", "y z"], ["x", "x:0", "y_z", "w"])
    assert port_names(signature) == (["x", "y_z"], ["x_1", "x_2", "y_z_1", "w"])


def test_every_dtype_of_a_constant(tensorflow: ModuleType, tmp_path: Path) -> None:
    arrays = [
        np.array([[1.5], [-2]], np.float32),
        np.array([1e300]),
        np.array(0.5, np.float16),
        np.array([1 << 40], np.int64),
        np.array([-3], np.int8),
        np.array([1 << 31], np.uint32),
        np.array([True, False]),
        np.array([1 + 2j], np.complex64),
        np.array([[b"a", "é".encode()]], object),
        np.zeros((0, 3), np.float32),
    ]
    building = Building()
    values = [building.constant(array, f"c{index}") for index, array in enumerate(arrays)]
    frozen(building.model(*values), tmp_path / "m.pb")
    names = [f"c{index}" for index in range(len(arrays))]
    answers = run_frozen(tensorflow, tmp_path / "m.pb", {}, names)
    for name, array in zip(names, arrays, strict=True):
        assert answers[name].dtype == array.dtype
        np.testing.assert_array_equal(answers[name], array)


def test_functions(tensorflow: ModuleType, tmp_path: Path) -> None:
    tf = tensorflow

    @tf.function(input_signature=[tf.TensorSpec([]), tf.TensorSpec([])])
    def function(x: Any, y: Any) -> Any:
        pair = tf.while_loop(lambda a, _: a < 100.0, lambda a, b: (a * b, b + 1.0), (x, y))
        return tf.case([(pair[1] > 5.0, lambda: pair[0]), (y > 3.0, lambda: -y)], lambda: x * y)

    tfjs.convert(function, tmp_path / "m.pb")
    graph = read(tmp_path / "m.pb", ReadOptions())
    assert len(graph.functions) >= 4
    names = [node.name for node in graph.graph.inputs]
    for fed in ([1.5, 2.0], [50.0, 3.5], [200.0, 1.0]):
        inputs = dict(zip(names, fed, strict=True))
        (found,) = run_frozen(tf, tmp_path / "m.pb", inputs, graph.signature.outputs).values()
        np.testing.assert_allclose(found, function(*fed), rtol=1e-6)


def test_the_same_bytes_each_time_and_progress(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    options = WriteOptions(progress=lambda done, total: told.append((done, total)))
    for name in ("one.pb", "two.pb"):
        written = write(_settled(), tmp_path / name, options)
    data = (tmp_path / "one.pb").read_bytes()
    assert data == (tmp_path / "two.pb").read_bytes()
    assert written.files == [("two.pb", len(data))]
    assert told[-1] == (8, 8)


def _settled() -> GraphModel:
    model = model_of()
    for node in model.graph.nodes.values():
        if node.op in ("AddV2", "Sign"):
            node.attrs["T"] = "float32"
            node.output.dtype = "float32"
    return model


class TestWhatIsRefused:
    def test_variables(self, tmp_path: Path) -> None:
        building = Building()
        handle = building.node("VarHandleOp", name="v", dtypes=["resource"])
        model = building.model(building.node("ReadVariableOp", handle.output).output)
        model.variables = {"v": ArrayTensor(floats(3))}
        with pytest.raises(UnsupportedError, match="has no variables") as caught:
            write(model, tmp_path / "m.pb", WriteOptions())
        assert caught.value.problems == ("v is one",)

    def test_tables(self, tmp_path: Path) -> None:
        start = Building()
        start.graph.targets = [start.node("LookupTableImportV2", name="fill", dtypes=())]
        model = _settled()
        model.initializer = start.graph
        with pytest.raises(UnsupportedError, match="tables that something must fill first"):
            write(model, tmp_path / "m.pb", WriteOptions())

    def test_more_than_a_file_can_have(self, tmp_path: Path) -> None:
        model = _settled()

        def never() -> Any:
            raise AssertionError("it is not read")

        large = DerivedTensor("float32", (1 << 29,), never)
        model.graph.outputs.append(model.graph.constant(large, name="large"))
        model.signature.outputs.append("large")
        with pytest.raises(UnsupportedError, match=r"has 214748\d+ bytes, .* 2147483647") as caught:
            write(model, tmp_path / "m.pb", WriteOptions())
        assert "--to saved-model" in str(caught.value.hint)
        assert not list(tmp_path.iterdir())

    def test_options_of_tfjs(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="--shard-size cannot be used for frozen graphs"):
            write(_settled(), tmp_path / "m.pb", WriteOptions(shard_size=1))

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="is a folder"):
            write(_settled(), tmp_path, WriteOptions())


class TestConvert:
    def test_the_ending_names_the_format(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        tf = tensorflow
        module = tf.Module()
        module.v = tf.Variable(floats(2, 3))
        spec = [tf.TensorSpec([None, 2], name="x")]
        call = tf.function(lambda x: {"y": x @ module.v}, input_signature=spec)
        tf.saved_model.save(module, str(tmp_path / "saved"), signatures=call)
        report = tfjs.convert(tmp_path / "saved", tmp_path / "m.pb")
        assert (report.dest_format, report.ops["MatMul"]) == ("frozen-graph", 1)
        answers = run_frozen(tf, tmp_path / "m.pb", {"x": [[1.0, 2.0]]}, ["y"])
        np.testing.assert_allclose(answers["y"], [[1.0, 2.0]] @ floats(2, 3), rtol=1e-6)

    def test_options_of_tfjs(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        call = tensorflow.function(lambda x: -x, input_signature=[tensorflow.TensorSpec([])])
        with pytest.raises(UsageError, match="control_flow is an option of TF"):
            tfjs.convert(call, tmp_path / "m.pb", control_flow="v1")

    def test_no_saved_model_is_a_file(self, tensorflow: ModuleType, tmp_path: Path) -> None:
        call = tensorflow.function(lambda x: -x, input_signature=[tensorflow.TensorSpec([])])
        with pytest.raises(UnsupportedError, match=r"of which no \.pb file") as caught:
            tfjs.convert(call, tmp_path / "saved_model.pb")
        assert "--to saved-model" in str(caught.value.hint)
