"""Folding: the same numbers from fewer nodes."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.live_graphs import compute, concrete, model_of, ops_of, placeholder
from tfjs.errors import CorruptFileError
from tfjs.ir.graph import Graph, GraphModel, Signature, Type, constant_of
from tfjs.ir.tensor import ArrayTensor, DerivedTensor
from tfjs.passes.fold import fold, fold_graph
from tfjs.passes.inline import inline_calls

pytestmark = pytest.mark.filterwarnings("ignore")


def folded(tf: ModuleType, function: Any, *specs: Any) -> tuple[Any, GraphModel]:
    live = concrete(tf, function, *specs)
    model = model_of(live)
    inline_calls(model)
    fold(model)
    return live, model


def test_arithmetic_of_shapes_goes(tensorflow: ModuleType) -> None:
    tf = tensorflow

    def flatten(x: Any) -> Any:
        shape = tf.shape(x)
        return tf.reshape(x, [shape[0], shape[1] * shape[2]])

    live, model = folded(tf, flatten, (tf.float32, (None, 3, 4)))
    assert ops_of(model.graph) == ["Reshape"]
    assert model.graph.outputs[0].shape == (None, 12)
    for batch in (1, 2, 5):
        x = np.random.default_rng(batch).normal(size=(batch, 3, 4)).astype(np.float32)
        np.testing.assert_array_equal(compute(model.graph, {"x": x})[0], live(tf.constant(x)))


def test_a_reshape_by_a_size_that_is_free_twice_stays(tensorflow: ModuleType) -> None:
    tf = tensorflow
    live, model = folded(
        tf,
        lambda x: tf.reshape(x, [tf.shape(x)[1], tf.shape(x)[0]]),
        (tf.float32, (None, None)),
    )
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(compute(model.graph, {"x": x})[0], live(tf.constant(x)))


def test_constants_are_computed_and_named_after_their_node(tensorflow: ModuleType) -> None:
    tf = tensorflow
    scale = np.array([1.0, 2.0, 3.0], np.float32)

    def scaled(x: Any) -> Any:
        return x * tf.add(tf.sqrt(scale, name="root"), 1.0, name="sum")

    live, model = folded(tf, scaled, (tf.float32, (3,)))
    assert ops_of(model.graph) == ["Mul"]
    np.testing.assert_array_equal(
        model.graph.nodes["sum"].attrs["value"].array(), np.sqrt(scale) + np.float32(1)
    )
    x = np.array([1.0, -1.0, 0.5], np.float32)
    np.testing.assert_array_equal(compute(model.graph, {"x": x})[0], live(tf.constant(x)))


def test_a_constant_that_would_grow_stays_an_operation() -> None:
    graph = Graph()
    x = placeholder(graph, "x", "float32", (1000, 1000))
    sizes = graph.constant(np.array([1000, 1000], np.int32), name="sizes")
    one = graph.constant(np.float32(1), name="one")
    attrs = {"T": "float32", "index_type": "int32"}
    fill = graph.add("Fill", [sizes, one], attrs, [Type("float32")], name="fill")
    add = graph.add("AddV2", [x.output, fill.output], {"T": "float32"}, [Type("float32")], name="y")
    graph.outputs = [add.output]
    fold_graph(graph)
    assert ops_of(graph) == ["AddV2", "Fill"]
    assert graph.outputs[0].shape == (1000, 1000)


def test_what_is_made_of_large_weights_is_computed_when_it_is_written() -> None:
    array = np.random.default_rng(0).normal(size=(300, 200)).astype(np.float32)
    read: list[bool] = []

    def weight() -> Any:
        read.append(True)
        return array

    graph = Graph()
    kernel = graph.constant(DerivedTensor("float32", (300, 200), weight), name="kernel")
    order = graph.constant(np.array([1, 0], np.int32), name="order")
    attrs = {"T": "float32", "Tperm": "int32"}
    node = graph.add("Transpose", [kernel, order], attrs, [Type("float32")], name="turned")
    graph.outputs = [node.output]
    fold_graph(graph)
    tensor = constant_of(graph.outputs[0])
    assert tensor is not None
    assert not read
    assert tensor.shape == (200, 300)
    np.testing.assert_array_equal(tensor.array(), array.T)


def test_random_numbers_are_not_folded() -> None:
    graph = Graph()
    sizes = graph.constant(np.array([3], np.int32), name="sizes")
    attrs = {"T": "int32", "dtype": "float32", "seed": 0, "seed2": 0}
    node = graph.add("RandomUniform", [sizes], attrs, [Type("float32")], name="noise")
    graph.outputs = [node.output]
    fold_graph(graph)
    assert ops_of(graph) == ["RandomUniform"]


def test_inputs_that_cannot_be_are_an_error_that_names_the_node() -> None:
    graph = Graph()
    a = placeholder(graph, "a", "float32", (2, 3))
    b = placeholder(graph, "b", "float32", (4,))
    node = graph.add("AddV2", [a.output, b.output], {"T": "float32"}, [Type("float32")], name="sum")
    graph.outputs = [node.output]
    with pytest.raises(CorruptFileError, match=r"node 'sum' .AddV2.: .*go together"):
        fold(GraphModel(graph, Signature([], [])))


def test_bytes_count_not_only_elements() -> None:
    tensor = ArrayTensor(np.zeros((2, 2), np.float32))
    graph = Graph()
    graph.outputs = [graph.constant(tensor, name="k")]
    fold_graph(graph)
    assert constant_of(graph.outputs[0]) is tensor


def _doubled(times: int, size: int) -> Graph:
    """A constant that is added to itself, again and again."""
    graph = Graph()
    value = graph.constant(np.ones(size, np.float32), name="c")
    attrs = {"T": "float32"}
    for number in range(times):
        types = [Type("float32", (size,))]
        value = graph.add("AddV2", [value, value], attrs, types, name=f"d{number}").output
    graph.outputs, graph.output_names = [value], ["y"]
    return graph


def test_what_is_computed_late_is_computed_through_few_operations() -> None:
    """Each reads the last twice: 40 of them would be computed 2^40 times."""
    graph = _doubled(40, 1 << 15)
    fold_graph(graph)
    left = [node.op for node in graph.nodes.values()]
    assert 30 < left.count("AddV2") < 40
    assert left.count("Const") == 1


def test_constants_of_a_graph_grow_by_no_more_than_its_nodes_allow() -> None:
    graph = Graph()
    size = graph.constant(np.array([25_000], np.int32), name="size")
    one = graph.constant(np.float32(1), name="one")
    attrs = {"T": "float32", "index_type": "int32"}
    for number in range(100):
        node = graph.add("Fill", [size, one], attrs, [Type("float32")], name=f"f{number}")
        graph.outputs.append(node.output)
    graph.output_names = [f"y{number}" for number in range(100)]
    fold_graph(graph)
    # 256 KiB and 4 KiB for each of 102 nodes, in pieces of 100,000 bytes.
    assert sum(node.op == "Const" for node in graph.nodes.values()) == 6 + 2
