from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.live_graphs import placeholder
from tfjs.errors import CorruptFileError
from tfjs.ir.graph import Graph, Node, Type, Value, constant_of

FLOAT = Type("float32", (2,))


def neg(graph: Graph, node: Node, name: str) -> Node:
    return graph.add("Neg", [node.output], {"T": "float32"}, [FLOAT], name=name)


def chain() -> tuple[Graph, list[Node]]:
    graph = Graph()
    nodes = [placeholder(graph, "x", "float32", (2,))]
    for name in "abc":
        nodes.append(neg(graph, nodes[-1], name))
    graph.outputs, graph.output_names = [nodes[-1].output], ["c"]
    return graph, nodes


def check(graph: Graph) -> None:
    """Use lists and inputs tell the same edges, and every node is under its name."""
    edges = {
        (value, node, index)
        for node in graph.nodes.values()
        for index, value in enumerate(node.inputs)
    }
    uses = {
        (value, node, index)
        for other in graph.nodes.values()
        for value in other.outputs
        for node, index in value.uses
    }
    assert edges == uses
    assert all(name == node.name for name, node in graph.nodes.items())


def test_edges_are_kept_on_both_ends() -> None:
    graph, (x, a, b, c) = chain()
    check(graph)
    graph.set_input(c, 0, a.output)
    assert not b.output.uses
    check(graph)
    graph.erase(b)
    check(graph)
    assert [node.name for node in graph.ordered()] == ["x", "a", "c"]
    with pytest.raises(ValueError, match="a is still read"):
        graph.erase(a)
    with pytest.raises(ValueError, match="c is still read"):
        graph.erase(c)
    graph.replace(c.output, x.output)
    assert graph.outputs == [x.output]
    graph.prune()
    assert list(graph.nodes) == ["x"]


def test_what_replaces_a_value_may_read_it() -> None:
    graph, (_, a, b, _) = chain()
    wrapped = neg(graph, a, "wrapped")
    graph.replace(a.output, wrapped.output)
    assert wrapped.inputs == [a.output]
    assert b.inputs == [wrapped.output]
    check(graph)


def test_names_are_made_unique() -> None:
    graph, (x, *_) = chain()
    assert [neg(graph, x, "a").name for _ in range(3)] == ["a_1", "a_2", "a_3"]
    graph.rename(graph.nodes["a_2"], "b")
    assert "b_1" in graph.nodes
    check(graph)


def test_unused_inputs_stay() -> None:
    graph, (x, *_) = chain()
    graph.outputs = [graph.constant(np.float32(1), name="one")]
    assert graph.prune() == 3
    assert sorted(graph.nodes) == ["one", "x"]
    assert graph.inputs == [x]


def test_a_cycle_is_an_error_that_names_a_node() -> None:
    graph, (_, a, _, c) = chain()
    graph.set_input(a, 0, c.output)
    with pytest.raises(CorruptFileError, match=r"has a cycle, at or before the node '[abc]'"):
        graph.ordered()


def test_a_loop_of_tensorflow_1_is_no_cycle() -> None:
    graph, (x, *_) = chain()
    merge = graph.add("Merge", [x.output, x.output], {}, [FLOAT, Type("int32", ())], name="merge")
    back = graph.add("NextIteration", [merge.output], {}, [FLOAT], name="back")
    graph.set_input(merge, 1, back.output)
    names = [node.name for node in graph.ordered()]
    assert names.index("merge") < names.index("back")


def test_a_constant_is_told_from_other_values() -> None:
    graph, (x, *_) = chain()
    tensor = constant_of(graph.constant(np.arange(3, dtype=np.int32), name="k"))
    assert tensor is not None
    assert tensor.array().tolist() == [0, 1, 2]
    assert constant_of(x.output) is None


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40))
def test_any_order_of_edges_is_walked_in_order(edges: list[tuple[int, int]]) -> None:
    graph = Graph()
    nodes = [placeholder(graph, "n0", "float32", (2,))]
    for number in range(1, 31):
        reads = [low for low, high in ((min(e), max(e)) for e in edges) if high == number > low]
        values = [nodes[low].output for low in reads]
        nodes.append(graph.add("AddN", values, {}, [FLOAT], name=f"n{number}"))
    graph.nodes = dict(reversed(graph.nodes.items()))
    place = {node: index for index, node in enumerate(graph.ordered())}
    assert len(place) == len(nodes)
    assert all(place[value.node] < place[node] for node in nodes for value in node.inputs)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["append", "delete", "insert", "set", "replace", "assign", "extend"]),
            st.integers(0, 5),
            st.integers(0, 5),
        ),
        max_size=30,
    )
)
def test_outputs_are_found_however_they_were_changed(steps: list[tuple[str, int, int]]) -> None:
    graph = Graph()
    nodes = [placeholder(graph, f"n{index}", "float32", ()) for index in range(6)]
    values = [node.output for node in nodes]
    plain: list[Value] = []
    for step, first, second in steps:
        place = first % len(plain) if plain else 0
        if step == "append":
            graph.outputs.append(values[first])
            plain.append(values[first])
        elif step == "insert":
            graph.outputs.insert(place, values[second])
            plain.insert(place, values[second])
        elif step == "extend":
            graph.outputs += [values[first], values[second]]
            plain += [values[first], values[second]]
        elif step == "assign":
            graph.outputs = [values[first], *graph.outputs[:4]]
            plain = [values[first], *plain[:4]]
        elif step == "replace":
            graph.replace(values[first], values[second])
            plain = [values[second] if item is values[first] else item for item in plain]
        elif plain and step == "set":
            graph.outputs[place] = plain[place] = values[second]
        elif plain:
            del graph.outputs[place]
            del plain[place]
        assert graph.outputs == plain
        assert [graph.is_output(value) for value in values] == [value in plain for value in values]
        assert [graph.is_output(node) for node in nodes] == [value in plain for value in values]
