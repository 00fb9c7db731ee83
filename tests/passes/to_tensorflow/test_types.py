"""Attributes and dtypes that TF.js does without and TensorFlow asks for."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.support.tensorflow_files import Building, frozen, run_frozen
from tfjs.errors import UnsupportedError
from tfjs.ir.graph import FuncRef, Graph, GraphModel, Type
from tfjs.passes.to_tensorflow import to_tensorflow


def test_attributes_that_a_graph_lacks_follow_from_its_inputs(
    tensorflow: ModuleType, tmp_path: Path
) -> None:
    building = Building()
    x, y = building.input("x", (None, 2)), building.input("y", (None, 2))
    axis = building.constant(np.int32(1), "axis")
    joined = building.node("ConcatV2", x, y, axis, name="joined")
    packed = building.node("Pack", joined.output, joined.output, axis=0, name="packed")
    added = building.node("AddN", packed.output, packed.output, name="added")
    model = building.model(added.output)
    frozen(model, tmp_path / "m.pb")
    assert joined.attrs == {"N": 2, "T": "float32", "Tidx": "int32"}
    data = np.array([[1, 2]], np.float32)
    found = run_frozen(tensorflow, tmp_path / "m.pb", {"x": data, "y": data}, ["added"])
    assert found["added"].tolist() == [[[2, 4, 2, 4]], [[2, 4, 2, 4]]]
    assert model.graph.outputs[0].type == Type("float32", (2, None, 4))


def test_attributes_that_do_not_fit_the_inputs(tensorflow: ModuleType, tmp_path: Path) -> None:
    building = Building()
    x = building.input("x", (None,), "int32")
    # As where the source had int64.
    two = building.constant(np.int32(2))
    node = building.node("Mul", x, two, name="y", dtypes=["float32"], T="int64", unknown=1)
    model = building.model(node.output)
    frozen(model, tmp_path / "m.pb")
    found = run_frozen(tensorflow, tmp_path / "m.pb", {"x": np.array([3], np.int32)}, ["y"])
    assert found["y"].dtype == np.int32
    assert found["y"].tolist() == [6]


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [("bool", "int32", "int32"), ("int32", "float32", "float32"), ("float32", "bool", "float32")],
)
def test_dtypes_that_differ_become_the_wider_one(
    first: str, second: str, wanted: str, tensorflow: ModuleType, tmp_path: Path
) -> None:
    building = Building()
    x, y = building.input("x", (2,), first), building.input("y", (2,), second)
    model = building.model(building.node("Maximum", x, y, name="z").output)
    frozen(model, tmp_path / "m.pb")
    fed = {"x": np.array([0, 1], first), "y": np.array([1, 0], second)}
    found = run_frozen(tensorflow, tmp_path / "m.pb", fed, ["z"])["z"]
    assert (found.dtype.name, found.tolist()) == (wanted, [1, 1])


def test_int64_where_tensorflow_gives_it(tensorflow: ModuleType, tmp_path: Path) -> None:
    building = Building()
    x = building.input("x", (None,), "bool")
    found = building.node("Where", x, name="where", dtypes=["int32"])
    one = building.constant(np.int32(1))
    model = building.model(building.node("AddV2", found.output, one, name="y").output, found.output)
    frozen(model, tmp_path / "m.pb")
    fed = {"x": np.array([False, True, True])}
    answers = run_frozen(tensorflow, tmp_path / "m.pb", fed, ["y", "where"])
    for name, wanted in (("y", [[2], [3]]), ("where", [[1], [2]])):
        assert answers[name].dtype == np.int32
        assert answers[name].tolist() == wanted


def test_int64_where_tensorflow_takes_it(tensorflow: ModuleType, tmp_path: Path) -> None:
    building = Building()
    indices = building.input("indices", (None, 2), "int32")
    shape = building.constant(np.array([2, 3], np.int32), "shape")
    new = building.constant(np.array([3, -1], np.int32), "new")
    node = building.node("SparseReshape", indices, shape, new, name="y", dtypes=["int32"] * 2)
    model = building.model(*node.outputs)
    frozen(model, tmp_path / "m.pb")
    fed = {"indices": np.array([[0, 2], [1, 1]], np.int32)}
    names = [value.node.name for value in model.graph.outputs]
    answers = run_frozen(tensorflow, tmp_path / "m.pb", fed, names)
    assert [answers[name].tolist() for name in names] == [[[1, 0], [2, 0]], [3, 2]]
    assert {value.dtype.name for value in answers.values()} == {"int32"}


def test_a_graph_of_tensorflow_stays_as_it_is() -> None:
    building = Building()
    x = building.input("x", (None,), "int64")
    node = building.node("Where", building.node("Abs", x, dtypes=["int64"], T="int64").output)
    node.attrs, node.output.dtype = {"T": "int64"}, "int64"
    model = building.model(node.output)
    before = {name: dict(node.attrs) for name, node in model.graph.nodes.items()}
    to_tensorflow(model)
    assert {name: node.attrs for name, node in model.graph.nodes.items()} == before


def test_what_nothing_tells() -> None:
    building = Building()
    x = building.input("x", (None, 3))
    node = building.node("Conv2D", x, building.constant(np.ones((1, 1, 3, 1), np.float32)))
    node.attrs = {"strides": [1, 1, 1, 1]}
    with pytest.raises(UnsupportedError, match="Conv2D: has no attribute 'padding'"):
        to_tensorflow(building.model(node.output))


def test_text_and_numbers_do_not_mix() -> None:
    building = Building()
    x, y = building.input("x", (2,), "string"), building.input("y", (2,))
    node = building.node("Equal", x, y)
    with pytest.raises(UnsupportedError, match="different dtypes as its T: float32, string"):
        to_tensorflow(building.model(node.output))


def _function(name: str, dtype: str, op: str) -> Graph:
    """A function of one argument that gives it back, or what an operation makes of it."""
    building = Building()
    x = building.input("x", (), dtype)
    value = building.node(op, x, name="y").output
    graph = building.graph
    graph.name, graph.outputs, graph.output_names = name, [value], ["out"]
    return graph


def test_functions_get_and_give_what_they_are_written_for(
    tensorflow: ModuleType, tmp_path: Path
) -> None:
    building = Building()
    test, x = building.input("test", (), "bool"), building.input("x", (), "int32")
    node = building.node(
        "If", test, x, name="y", then_branch=FuncRef("up"), else_branch=FuncRef("down")
    )
    model = building.model(node.output)
    model.functions = {
        "up": _function("up", "float32", "Exp"),
        "down": _function("down", "float32", "Neg"),
    }
    frozen(model, tmp_path / "m.pb")
    assert node.attrs["Tin"] == ["float32"]
    assert node.attrs["Tout"] == ["float32"]
    for choice, wanted in ((True, np.exp(2.0)), (False, -2.0)):
        fed = {"test": np.array(choice), "x": np.int32(2)}
        found = run_frozen(tensorflow, tmp_path / "m.pb", fed, ["y"])["y"]
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_a_loop_whose_body_gives_another_dtype(tensorflow: ModuleType, tmp_path: Path) -> None:
    building = Building()
    x = building.input("x", (), "int32")
    node = building.node("StatelessWhile", x, name="y", cond=FuncRef("go"), body=FuncRef("step"))
    model: GraphModel = building.model(node.output)
    cond = Building()
    limit = cond.constant(np.int32(20), "limit")
    cond.graph.outputs = [cond.node("Less", cond.input("x", (), "int32"), limit).output]
    cond.graph.name, cond.graph.output_names = "go", ["out"]
    body = Building()
    inner = body.input("x", (), "int32")
    factor = body.constant(np.float32(3), "factor")
    body.graph.outputs = [body.node("Mul", inner, factor, name="m").output]
    body.graph.name, body.graph.output_names = "step", ["out"]
    model.functions = {"go": cond.graph, "step": body.graph}
    frozen(model, tmp_path / "m.pb")
    found = run_frozen(tensorflow, tmp_path / "m.pb", {"x": np.int32(2)}, ["y"])["y"]
    assert (found.dtype.name, found.tolist()) == ("int32", 54)
