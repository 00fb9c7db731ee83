"""Plans: how much they hold at a time, how far they go, and functions in functions."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.live_graphs import placeholder
from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.formats.base import ReadOptions, WriteOptions
from tfjs.formats.tfjs_graph.read import read
from tfjs.formats.tfjs_graph.write import write
from tfjs.ir.graph import FuncRef, Graph, GraphModel, Signature, Type, Value
from tfjs.ir.tensor import DerivedTensor
from tfjs.runtime.engine import Runner

_LARGE = 1 << 18
_T = {"T": "float32"}


def _model(graph: Graph, *outputs: Value, **functions: Graph) -> GraphModel:
    graph.outputs = list(outputs)
    graph.output_names = [f"out{index}" for index in range(len(outputs))]
    keys = [node.name for node in graph.inputs]
    return GraphModel(graph, Signature(keys, list(graph.output_names)), functions)


def _add(graph: Graph, one: Value, other: Value, name: str) -> Value:
    return graph.add("AddV2", [one, other], _T, [one.type], name=name).output


def test_what_nobody_reads_any_more_is_dropped() -> None:
    graph = Graph()
    x = placeholder(graph, "x", "float32", (_LARGE,)).output
    one = graph.constant(np.ones(1, np.float32), name="one")
    value = _add(graph, x, one, "first")
    for index in range(20):
        value = _add(graph, value, one, f"more{index}")
    runner = Runner(_model(graph, value))
    given = np.zeros(_LARGE, np.float32)
    runner.run({"x": given})
    tracemalloc.start()
    try:
        (found,) = runner.run({"x": given})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found[0] == 21
    assert peak < 2.5 * given.nbytes


def test_what_is_needed_late_is_computed_late() -> None:
    """Of many branches that are summed in the end, one at a time is held."""
    graph = Graph()
    x = placeholder(graph, "x", "float32", ()).output
    total = graph.constant(np.float32(0), name="zero")
    shape = graph.constant(np.array([_LARGE], np.int32), name="shape")
    axis = graph.constant(np.array([0], np.int32), name="axis")
    sums = []
    for index in range(20):
        attrs: dict[str, Any] = {"T": "float32", "index_type": "int32"}
        type_ = Type("float32", (_LARGE,))
        wide = graph.add("Fill", [shape, x], attrs, [type_], name=f"wide{index}").output
        attrs = {"T": "float32", "Tidx": "int32", "keep_dims": False}
        added = graph.add("Sum", [wide, axis], attrs, [x.type], name=f"sum{index}").output
        sums.append(added)
    for index, value in enumerate(sums):
        total = _add(graph, total, value, f"total{index}")
    runner = Runner(_model(graph, total))
    runner.run({"x": 0.0})
    tracemalloc.start()
    try:
        (found,) = runner.run({"x": 1.0})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == 20 * _LARGE
    assert peak < 3 * 4 * _LARGE


def test_constants_are_prepared_once() -> None:
    calls: list[int] = []

    def compute() -> Any:
        calls.append(1)
        return np.ones(3, np.float32)

    graph = Graph()
    x = placeholder(graph, "x", "float32", (3,)).output
    weight = graph.constant(DerivedTensor("float32", [3], compute), name="weight")
    total = _add(graph, x, weight, "total")
    again = _add(graph, total, weight, "again")
    runner = Runner(_model(graph, again))
    for fetches in (None, ["total"], ["weight"], None):
        runner.run({"x": np.zeros(3)}, fetches)
    assert len(calls) == 1


def test_weights_stay_in_their_file(tmp_path: Path) -> None:
    graph = Graph()
    x = placeholder(graph, "x", "float32", (1 << 12,)).output
    weight = graph.constant(np.arange(1 << 12, dtype=np.float32), name="weight")
    write(_model(graph, _add(graph, x, weight, "total")), tmp_path, WriteOptions())
    runner = Runner(read(tmp_path, ReadOptions()))
    (found,) = runner.run({}, ["weight"])
    assert not found.flags.owndata
    assert not found.flags.writeable
    (wide,) = Runner(read(tmp_path, ReadOptions()), dtype="float64").run({}, ["weight"])
    assert wide.dtype == np.float64


def test_a_deep_graph_needs_no_recursion() -> None:
    graph = Graph()
    x = placeholder(graph, "x", "float32", ()).output
    one = graph.constant(np.float32(1), name="one")
    value = x
    for index in range(20_000):
        value = _add(graph, value, one, f"n{index}")
    runner = Runner(_model(graph, value))
    assert runner.run({"x": 0.5})[0] == 20_000.5
    assert runner.run({"x": 0.5}, ["n9"])[0] == 10.5


def _twice(graph: Graph) -> Value:
    x = graph.inputs[0].output
    return _add(graph, x, x, "double")


# Functions ---------------------------------------------------------------------------------------


def _calling(name: str, callee: str) -> Graph:
    """A function that adds 1 to what another gives."""
    body = Graph(name)
    x = placeholder(body, "x", "float32", ()).output
    called = _call(body, callee, x)
    body.outputs = [_add(body, called, body.constant(np.float32(1), name="one"), "sum")]
    body.output_names = ["out"]
    return body


def _call(graph: Graph, callee: str, *arguments: Value, op: str = "PartitionedCall") -> Value:
    attrs = {"f": FuncRef(callee), "Tin": ["float32"], "Tout": ["float32"]}
    return graph.add(op, arguments, attrs, [Type("float32")], name="call").output


def _last(name: str) -> Graph:
    body = Graph(name)
    body.outputs = [placeholder(body, "x", "float32", ()).output]
    body.output_names = ["out"]
    return body


def _chain(length: int) -> GraphModel:
    functions = {f"f{i}": _calling(f"f{i}", f"f{i + 1}") for i in range(length)}
    functions[f"f{length}"] = _last(f"f{length}")
    graph = Graph()
    x = placeholder(graph, "x", "float32", ()).output
    return _model(graph, _call(graph, "f0", x), **functions)


def test_functions_call_functions() -> None:
    for as_tfjs in (True, False):
        assert Runner(_chain(50), as_tfjs=as_tfjs).run({"x": 0.5})[0] == 50.5


def test_a_loop_of_functions_holds_what_one_step_needs() -> None:
    """Neither what it starts with nor what steps before gave."""
    graph = Graph()
    x = placeholder(graph, "x", "float32", (_LARGE,)).output
    zero = graph.constant(np.int32(0), name="zero")
    one = graph.constant(np.ones(1, np.float32), name="one")
    start = _add(graph, x, one, "start")
    whole, int_ = Type("float32", (_LARGE,)), Type("int32", ())
    bodies = {}
    for name in ("cond", "body"):
        body = bodies[name] = Graph(name)
        i = placeholder(body, "i", "int32", ()).output
        y = placeholder(body, "y", "float32", (_LARGE,)).output
        if name == "cond":
            most = body.constant(np.int32(10), name="most")
            less = body.add("Less", [i, most], {"T": "int32"}, [Type("bool", ())], name="less")
            body.outputs = [less.output]
        else:
            step = body.constant(np.int32(1), name="step")
            more = body.add("AddV2", [i, step], {"T": "int32"}, [int_], name="more").output
            body.outputs = [more, _add(body, y, y, "twice")]
        body.output_names = [f"out{index}" for index in range(len(body.outputs))]
    attrs = {"cond": FuncRef("cond"), "body": FuncRef("body"), "T": ["int32", "float32"]}
    loop = graph.add("While", [zero, start], attrs, [int_, whole], name="loop")
    runner = Runner(_model(graph, loop.outputs[1], **bodies))
    given = np.zeros(_LARGE, np.float32)
    runner.run({"x": given})
    tracemalloc.start()
    try:
        (found,) = runner.run({"x": given})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found[0] == 1024
    assert peak < 2.5 * given.nbytes


def test_functions_that_call_each_other_too_deep() -> None:
    with pytest.raises(UnsupportedError, match="call each other more than 100 deep"):
        Runner(_chain(5000))


def test_functions_that_call_each_other_in_a_circle() -> None:
    model = _chain(5)
    model.functions["f5"] = _calling("f5", "f2")
    with pytest.raises(CorruptFileError, match="cycle"):
        Runner(model)


def _without(model: GraphModel) -> None:
    del model.functions["f1"]


def _with_another_argument(model: GraphModel) -> None:
    placeholder(model.functions["f1"], "y", "float32", ())


def _with_another_result(model: GraphModel) -> None:
    body = model.functions["f1"]
    body.outputs = body.outputs * 2
    body.output_names = ["a", "b"]


def _with_a_placeholder_of_its_own(model: GraphModel) -> None:
    body = model.functions["f1"]
    body.outputs = [placeholder(body, "y", "float32", ()).output]
    body.inputs.pop()


@pytest.mark.parametrize(
    "damage",
    [_without, _with_another_argument, _with_another_result, _with_a_placeholder_of_its_own],
    ids=lambda damage: damage.__name__,
)
def test_functions_that_do_not_fit(damage: Any) -> None:
    model = _chain(3)
    damage(model)
    with pytest.raises(CorruptFileError, match="function"):
        Runner(model)


def test_operations_without_a_kernel_are_found_in_functions() -> None:
    model = _chain(3)
    body = model.functions["f2"]
    body.outputs = [body.add("Wonder", body.outputs, {}, [Type("float32")], name="odd").output]
    with pytest.raises(UnsupportedError) as caught:
        Runner(model)
    assert "(f2/odd)" in caught.value.problems[0]
    # Outputs that need none of it can be had; who asks for the rest is told each time.
    model.graph.outputs = [_twice(model.graph)]
    runner = Runner(model)
    for _ in range(2):
        assert runner.run({"x": 2.0})[0] == 4.0
        with pytest.raises(UnsupportedError, match="1 node of the graph"):
            runner.run({"x": 2.0}, ["call"])
