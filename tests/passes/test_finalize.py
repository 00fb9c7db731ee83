"""Names and nodes of outputs and constants, as TF.js's executor wants them."""

from __future__ import annotations

import numpy as np

from tests.support.live_graphs import ops_of, placeholder
from tfjs.ir.graph import Graph, GraphModel, Signature, Type
from tfjs.ir.tensor import ArrayTensor
from tfjs.passes.finalize import finalize

FLOAT = Type("float32", (2,))


def finished(graph: Graph, names: list[str], **functions: Graph) -> GraphModel:
    model = GraphModel(graph, Signature([], names), functions)
    finalize(model, names)
    return model


def test_a_node_takes_the_name_of_its_output() -> None:
    graph = Graph()
    x = placeholder(graph, "x", "float32", (2,))
    node = graph.add("Neg", [x.output], {"T": "float32"}, [FLOAT], name="deep/inside")
    graph.outputs = [node.output]
    finished(graph, ["Identity"])
    assert [value.name for value in graph.outputs] == ["Identity"]
    assert ops_of(graph) == ["Neg"]


def test_each_output_stands_on_a_node_of_its_own() -> None:
    graph = Graph()
    x = placeholder(graph, "x", "float32", (4,))
    halves = graph.add("Split", [x.output], {"num_split": 2}, [FLOAT, FLOAT], name="halves")
    one = graph.constant(np.float32(1), name="one")
    graph.outputs = [*halves.outputs, halves.output, x.output, one]
    names = ["a", "b", "c", "d", "e"]
    finished(graph, names)
    assert [value.name for value in graph.outputs] == names
    assert len({value.node for value in graph.outputs}) == 5
    read = [value.node.inputs[0].name for value in graph.outputs[1:]]
    assert read == ["halves:1" if value == "halves:1" else value for value in read]
    assert graph.inputs == [x]
    assert x.name == "x"


def test_an_inner_node_gives_way_to_an_output() -> None:
    graph = Graph()
    x = placeholder(graph, "x", "float32", (2,))
    inner = graph.add("Neg", [x.output], {"T": "float32"}, [FLOAT], name="y")
    outer = graph.add("Exp", [inner.output], {"T": "float32"}, [FLOAT], name="z")
    graph.outputs = [outer.output, inner.output]
    finished(graph, ["y", "w"])
    assert [(value.name, value.node.op) for value in graph.outputs][1] == ("w", "Neg")
    assert graph.outputs[0].name == "y"
    assert outer.inputs == [inner.output]


def test_constants_of_one_name_are_one_tensor_in_all_graphs() -> None:
    shared = ArrayTensor(np.float32(1))
    main, body = Graph(), Graph("body")
    main.outputs = [main.constant(shared, name="k")]
    same = body.constant(shared, name="k")
    other = Graph("other")
    different = other.constant(np.float32(2), name="k")
    body.outputs, other.outputs = [same], [different]
    finished(main, ["out"], body=body, other=other)
    assert same.name == "k"
    assert different.name == "other/k"


def test_two_nodes_with_one_tensor_become_one() -> None:
    tensor = ArrayTensor(np.float32(1))
    graph = Graph()
    x = placeholder(graph, "x", "float32", (2,))
    values = [graph.constant(tensor, name=name) for name in ("a", "b")]
    node = graph.add("AddN", [x.output, *values], {"T": "float32", "N": 3}, [FLOAT], name="sum")
    graph.outputs = [node.output]
    finished(graph, ["sum"])
    assert node.inputs == [x.output, values[0], values[0]]
    assert "b" not in graph.nodes


def test_an_initializer_shares_only_the_names_of_tables() -> None:
    graph, start = Graph(), Graph()
    for one in (graph, start):
        table = one.add("HashTableV2", [], {}, [Type("resource", ())], name="table")
        one.outputs = [one.constant(np.full(2, len(one.name), np.float32), name="keys")]
        one.targets = [table]
    model = GraphModel(graph, Signature([], ["y"]), {}, initializer=start)
    finalize(model, ["y"])
    assert sorted(start.nodes) == ["initializer/keys", "table"]


def test_names_that_are_numbers_are_changed() -> None:
    graph = Graph()
    x = placeholder(graph, "x", "float32", (2,))
    node = graph.add("Neg", [x.output], {"T": "float32"}, [FLOAT], name="12")
    last = graph.add("Exp", [node.output], {"T": "float32"}, [FLOAT], name="exp")
    graph.outputs = [last.output]
    finished(graph, ["exp"])
    assert node.name == "n_12"
