"""Variables become constants; what would then answer something else is refused."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.live_graphs import compute
from tests.support.operations import operations
from tfjs.errors import UnsupportedError
from tfjs.ir.graph import FuncRef, Graph, GraphModel, Signature, Type, Value
from tfjs.ir.tensor import ArrayTensor
from tfjs.live_tensorflow import live_graph
from tfjs.passes.freeze import freeze
from tfjs.passes.pipeline import freeze_whole

X = np.array([[1.0, -2.0]], np.float32)


def frozen(tf: ModuleType, function: Any, *specs: Any) -> Any:
    model = live_graph(tf.function(function, input_signature=specs))
    freeze_whole(model)
    return model


@pytest.fixture
def w(tensorflow: ModuleType) -> Any:
    return tensorflow.Variable([[1.0, 2.0], [3.0, 4.0]], name="w")


def _gather(tf: Any, w: Any, x: Any) -> Any:
    return tf.gather(w, [1, 0, 1]) + x


def _gather_nd(tf: Any, w: Any, x: Any) -> Any:
    return tf.gather_nd(w, [[1, 0], [0, 1]]) + x


def _shape(tf: Any, w: Any, x: Any) -> Any:
    return x @ w * tf.cast(tf.raw_ops.VariableShape(input=w.handle), tf.float32)


def _choice(tf: Any, w: Any, x: Any) -> Any:
    return tf.cond(tf.reduce_sum(x) > 9.0, lambda: x @ w, lambda: x - w[0])


def _initialized(tf: Any, w: Any, x: Any) -> Any:
    return tf.where(tf.raw_ops.VarIsInitializedOp(resource=w.handle), x @ w, x)


@pytest.mark.parametrize("function", [_gather, _gather_nd, _shape, _initialized])
def test_what_reads_a_variable(function: Any, w: Any, tensorflow: ModuleType) -> None:
    tf = tensorflow
    wanted = function(tf, w, tf.constant(X)).numpy()
    model = frozen(tf, lambda x: function(tf, w, x), tf.TensorSpec(X.shape))
    assert not {"VarHandleOp", "ReadVariableOp"} & {n.op for n in model.graph.nodes.values()}
    (found,) = compute(model.graph, {node.name: X for node in model.graph.inputs})
    np.testing.assert_array_equal(found, wanted)


def test_in_a_branch(w: Any, tensorflow: ModuleType) -> None:
    tf = tensorflow
    model = frozen(tf, lambda x: _choice(tf, w, x), tf.TensorSpec(X.shape))
    for graph in [model.graph, *model.functions.values()]:
        assert "VarHandleOp" not in {node.op for node in graph.nodes.values()}
        assert all(value.dtype != "resource" for node in graph.inputs for value in node.outputs)


def test_one_that_is_changed_and_read_afterwards(w: Any, tensorflow: ModuleType) -> None:
    tf = tensorflow

    def count(x: Any) -> Any:
        w.assign_add(x)
        return w + x

    with pytest.raises(UnsupportedError) as refusal:
        frozen(tf, count, tf.TensorSpec([2, 2]))
    assert refusal.value.problems == ("w: is changed by the model and read afterwards",)


def test_one_that_is_changed_in_a_loop(tensorflow: ModuleType) -> None:
    tf = tensorflow
    total = tf.Variable(0.0, name="total")

    def add(x: Any) -> Any:
        def step(i: Any) -> Any:
            total.assign_add(tf.reduce_sum(x))
            return i + 1

        tf.while_loop(lambda i: i < 3, lambda i: (step(i),), [tf.constant(0)])
        return total.read_value()

    with pytest.raises(UnsupportedError) as refusal:
        frozen(tf, add, tf.TensorSpec([2]))
    assert refusal.value.problems == ("total: is changed by the model and read afterwards",)


def test_one_that_is_only_counted(w: Any, tensorflow: ModuleType) -> None:
    tf = tensorflow
    calls = tf.Variable(0, name="calls")

    def count(x: Any) -> Any:
        calls.assign_add(1)
        return x @ w

    model = frozen(tf, count, tf.TensorSpec([1, 2]))
    told = "the variable calls is changed on each run; TF.js keeps its first value"
    assert model.notes == [told]
    (found,) = compute(model.graph, {"x": X})
    np.testing.assert_array_equal(found, X @ w.numpy())


def test_one_that_is_read_before_it_is_changed(w: Any, tensorflow: ModuleType) -> None:
    tf = tensorflow

    def count(x: Any) -> Any:
        before = w.read_value()
        w.assign(before + 1.0)
        return x @ before

    model = frozen(tf, count, tf.TensorSpec([1, 2]))
    told = "the variable w is changed on each run; TF.js keeps its first value"
    assert model.notes == [told]
    (found,) = compute(model.graph, {"x": X})
    np.testing.assert_array_equal(found, X @ w.numpy())


def test_one_without_a_value(w: Any, tensorflow: ModuleType) -> None:
    tf = tensorflow
    model = live_graph(tf.function(lambda x: x @ w, input_signature=[tf.TensorSpec([1, 2])]))
    model.variables.clear()
    with pytest.raises(UnsupportedError) as refusal:
        freeze_whole(model)
    assert refusal.value.problems == ("w: has no value in the source",)


def _counters(count: int, *, late: frozenset[int]) -> GraphModel:
    """Variables that are read, then written, one after another; some are read again at the end."""
    graph = Graph()
    model = GraphModel(graph, Signature([], []))
    scalar = Type("float32", ())
    outputs, last = [], None
    handles = [
        graph.add("VarHandleOp", [], {}, [Type("resource")], name=f"v{index}").output
        for index in range(count)
    ]

    def read(handle: Value, name: str) -> Value:
        node = graph.add("ReadVariableOp", [handle], {"dtype": "float32"}, [scalar], name=name)
        node.controls = [last] if last is not None else []
        return node.output

    for index, handle in enumerate(handles):
        outputs.append(read(handle, f"read{index}"))
        last = graph.add(
            "AssignVariableOp", [handle, outputs[-1]], {"dtype": "float32"}, [], name=f"w{index}"
        )
        model.variables[f"v{index}"] = ArrayTensor(np.float32(index))
    outputs += [read(handles[index], f"again{index}") for index in sorted(late)]
    graph.outputs = outputs
    graph.output_names = [value.node.name for value in outputs]
    return model


def test_many_that_are_read_before_they_are_changed() -> None:
    model = _counters(1500, late=frozenset())
    freeze(model)
    assert len(model.notes) == 1500
    assert [value.node.op for value in model.graph.outputs] == ["Const"] * 1500


def test_many_of_which_some_are_read_afterwards() -> None:
    # More than one walk looks after.
    late = frozenset(range(0, 3000, 2))
    with pytest.raises(UnsupportedError) as caught:
        freeze(_counters(3000, late=late))
    told = [problem.partition(":")[0] for problem in caught.value.problems]
    assert told == [f"v{index}" for index in sorted(late)]


def test_one_behind_a_very_long_chain() -> None:
    model = _counters(1, late=frozenset())
    graph = model.graph
    value = graph.nodes["v0"].output
    for index in range(5000):
        types = [Type("resource")]
        value = graph.add("Identity", [value], {"T": "resource"}, types, name=f"i{index}").output
    graph.set_input(graph.nodes["read0"], 0, value)
    freeze(model)
    assert graph.outputs[0].node.op == "Const"


def _loop_with_handles(count: int) -> GraphModel:
    """A While that hands so many variables on, and counts a number down."""
    number, resource = Type("float32", ()), Type("resource")

    def body(name: str) -> Graph:
        graph = Graph(name)
        x = graph.add("Placeholder", [], {}, [number], name="x")
        handles = [
            graph.add("Placeholder", [], {}, [resource], name=f"h{index}") for index in range(count)
        ]
        graph.inputs = [x, *handles]
        result = graph.add("Neg", [x.output], {"T": "float32"}, [number], name="result").output
        passed = [node.output for node in handles] if name == "body" else []
        graph.outputs = [result, *passed]
        graph.output_names = [value.node.name for value in graph.outputs]
        return graph

    graph = Graph()
    x = graph.add("Placeholder", [], {}, [number], name="x")
    handles = [
        graph.add("VarHandleOp", [], {}, [resource], name=f"v{index}") for index in range(count)
    ]
    attrs = {
        "cond": FuncRef("cond"),
        "body": FuncRef("body"),
        "T": ["float32", *["resource"] * count],
    }
    values = [x.output, *[node.output for node in handles]]
    types = [number, *[resource] * count]
    loop = graph.add("StatelessWhile", values, attrs, types, name="loop")
    graph.inputs, graph.outputs, graph.output_names = [x], [loop.output], ["y"]
    functions = {name: body(name) for name in ("cond", "body")}
    return GraphModel(graph, Signature(["x"], ["y"]), functions)


def test_a_loop_that_hands_variables_on() -> None:
    model = _loop_with_handles(3)
    freeze(model)
    loop = model.graph.outputs[0].node
    assert [value.node.name for value in loop.inputs] == ["x"]
    assert loop.attrs["T"] == ["float32"]
    assert [value.index for value in loop.outputs] == [0]
    for body in model.functions.values():
        assert [node.name for node in body.inputs] == ["x"]
        assert [value.node.name for value in body.outputs] == ["result"]
        assert body.output_names == ["result"]


def test_work_grows_with_the_variables_that_a_loop_hands_on() -> None:
    few, many = (
        operations(partial(freeze, model)) for model in map(_loop_with_handles, (200, 400))
    )
    assert many < 2.2 * few
