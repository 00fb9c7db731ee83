"""Calls are inlined; what the functions compute stays."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.live_graphs import compute, concrete, model_of, ops_of
from tests.support.operations import operations
from tfjs.errors import UnsupportedError
from tfjs.ir.graph import FuncRef, Graph, GraphModel, Signature, Type
from tfjs.passes import inline
from tfjs.passes.fold import fold
from tfjs.passes.freeze import freeze
from tfjs.passes.inline import inline_calls

pytestmark = pytest.mark.filterwarnings("ignore")


def test_nested_and_repeated_calls(tensorflow: ModuleType) -> None:
    tf = tensorflow

    @tf.function
    def inner(x: Any, y: Any) -> Any:
        return x * y, x + y

    @tf.function
    def middle(x: Any) -> Any:
        a, b = inner(x, x + 1.0)
        return inner(b, a)

    def outer(x: Any) -> Any:
        a, b = middle(x)
        return middle(b)[0] - a, b

    function = concrete(tf, outer, (tf.float32, (3,)))
    model = model_of(function)
    inline_calls(model)
    assert ops_of(model.graph).count("PartitionedCall") == 0
    assert ops_of(model.graph).count("StatefulPartitionedCall") == 0
    x = np.array([1.0, -2.0, 0.5], np.float32)
    expected = [np.asarray(item) for item in function(tf.constant(x))]
    for found, wanted in zip(compute(model.graph, {"x": x}), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_names_tell_where_a_node_was_called(tensorflow: ModuleType) -> None:
    tf = tensorflow

    @tf.function
    def act(x: Any) -> Any:
        return tf.nn.relu(x, name="act")

    model = model_of(concrete(tf, lambda x: act(x) + act(-x), (tf.float32, (3,))))
    inline_calls(model)
    names = [node.name for node in model.graph.nodes.values() if node.op == "Relu"]
    assert names == ["PartitionedCall/act", "PartitionedCall_1/act"]


def _calls_in_calls(levels: int, calls: int) -> GraphModel:
    """A model of functions that call the next one so many times each; the last negates instead."""
    functions = {}
    for level in range(levels):
        body = Graph(f"f{level}")
        x = body.add("Placeholder", [], {}, [Type("float32")], name="x")
        body.inputs = [x]
        value = x.output
        for number in range(calls):
            attrs = {"f": FuncRef(f"f{level - 1}")} if level else {}
            op = "PartitionedCall" if level else "Neg"
            value = body.add(op, [value], attrs, [Type("float32")], name=f"c{number}").output
        body.outputs, body.output_names = [value], ["y"]
        functions[body.name] = body
    graph = Graph()
    x = graph.add("Placeholder", [], {}, [Type("float32")], name="x")
    graph.inputs = [x]
    attrs = {"f": FuncRef(f"f{levels - 1}")}
    call = graph.add("PartitionedCall", [x.output], attrs, [Type("float32")], name="call")
    graph.outputs, graph.output_names = [call.output], ["y"]
    return GraphModel(graph, Signature(["x"], ["y"]), functions)


def test_functions_that_double_at_each_level_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _calls_in_calls(levels=30, calls=2)
    monkeypatch.setattr(inline, "MOST_NODES", 20_000)
    with pytest.raises(UnsupportedError, match="make more than 20,000 nodes"):
        inline_calls(model)


def test_calls_thousands_deep_do_not_make_ever_longer_names() -> None:
    model = _calls_in_calls(levels=3000, calls=1)
    assert model.graph.outputs[0].node.op == "PartitionedCall"
    inline_calls(model)
    (name,) = (name for name, node in model.graph.nodes.items() if node.op == "Neg")
    assert len(name) < 2000


def _awaited_calls(count: int) -> GraphModel:
    """Calls that are targets; a node waits for all of them, and each for the one before."""
    body = Graph("f")
    x = body.add("Placeholder", [], {}, [Type("float32")], name="x")
    body.inputs = [x]
    printed = body.add("Print", [x.output], {}, [Type("float32")], name="printed")
    body.targets = [printed]
    graph = Graph()
    x = graph.add("Placeholder", [], {}, [Type("float32")], name="x")
    calls = [
        graph.add("StatefulPartitionedCall", [x.output], {"f": FuncRef("f")}, [], name=f"c{index}")
        for index in range(count)
    ]
    for earlier, later in pairwise(calls):
        later.controls = [earlier]
    last = graph.add("Neg", [x.output], {}, [Type("float32")], name="last")
    last.controls = list(calls)
    graph.targets = [*calls, last]
    graph.inputs, graph.outputs, graph.output_names = [x], [last.output], ["y"]
    return GraphModel(graph, Signature(["x"], ["y"]), {"f": body})


def test_what_waited_for_calls_waits_for_what_they_do() -> None:
    model = _awaited_calls(3)
    inline_calls(model)
    nodes = model.graph.nodes
    printed = [nodes[f"c{index}/printed"] for index in range(3)]
    assert set(nodes) == {"x", "last", *(node.name for node in printed)}
    assert set(nodes["last"].controls) == set(printed)
    assert [node.controls for node in printed] == [[], [printed[0]], [printed[1]]]
    assert set(model.graph.targets) == {nodes["last"], *printed}


def test_work_grows_with_the_calls_that_are_awaited() -> None:
    few, many = (
        operations(partial(inline_calls, model)) for model in map(_awaited_calls, (200, 400))
    )
    assert many < 2.2 * few


def test_variables_become_constants(tensorflow: ModuleType) -> None:
    tf = tensorflow
    weight = tf.Variable([[1.0, 2.0], [3.0, 4.0]], name="weight")
    rows = tf.Variable(np.arange(12, dtype=np.float32).reshape(4, 3), name="rows")

    @tf.function
    def inner(x: Any) -> Any:
        return tf.matmul(x, weight), tf.gather(rows, [2, 0])

    def outer(x: Any) -> Any:
        first, second = inner(x)
        return first + weight, second, tf.shape(rows)

    function = concrete(tf, outer, (tf.float32, (2, 2)))
    model = model_of(function)
    inline_calls(model)
    freeze(model)
    fold(model)
    x = np.array([[1.0, 0.5], [2.0, -1.0]], np.float32)
    expected = [np.asarray(item) for item in function(tf.constant(x))]
    for found, wanted in zip(compute(model.graph, {"x": x}), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert "ReadVariableOp" not in ops_of(model.graph)


def test_a_captured_variable_reaches_the_branches(tensorflow: ModuleType) -> None:
    tf = tensorflow
    weight = tf.Variable([1.0, 2.0], name="weight")

    def branching(x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > 0, lambda: x * weight, lambda: x - weight)

    model = model_of(concrete(tf, branching, (tf.float32, (2,))))
    inline_calls(model)
    freeze(model)
    assert len(model.functions) == 2
    for body in model.functions.values():
        assert [node.op for node in body.inputs] == ["Placeholder"] * len(body.inputs)
        assert "resource" not in [node.output.dtype for node in body.inputs]
        found = [node.attrs["value"].array() for node in body.nodes.values() if node.op == "Const"]
        assert any(array.tolist() == [1.0, 2.0] for array in found)


def test_a_variable_that_is_read_after_it_changed_is_refused(tensorflow: ModuleType) -> None:
    tf = tensorflow
    count = tf.Variable(0.0, name="count")

    def counting(x: Any) -> Any:
        count.assign_add(1.0)
        return x + count

    function = concrete(tf, counting, (tf.float32, (2,)))
    model = model_of(function)
    model.graph.targets = [
        node for node in model.graph.nodes.values() if node.op == "AssignAddVariableOp"
    ]
    with pytest.raises(UnsupportedError) as caught:
        freeze(model)
    assert ["is changed by the model and read afterwards" in p for p in caught.value.problems] == [
        True
    ]


def test_a_variable_without_a_value_is_refused(tensorflow: ModuleType) -> None:
    tf = tensorflow
    weight = tf.Variable([1.0, 2.0], name="weight")
    model = model_of(concrete(tf, lambda x: x * weight, (tf.float32, (2,))))
    model.variables.clear()
    with pytest.raises(UnsupportedError, match="cannot become constants") as caught:
        freeze(model)
    assert len(caught.value.problems) == 1
