"""Graphs as text: what is written is read back, and what is no graph is refused with its line."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.passes.optimize.checks import parsed
from tfjs.errors import FormatError
from tfjs.ir.graph import Dims, FuncRef, Graph, Node, Type, Value
from tfjs.ir.tensor import ArrayTensor, SpanTensor, Tensor
from tfjs.ir.text import graph_text, parse_graphs

NAMES = st.one_of(
    st.sampled_from(
        ["graph", "inputs", "outputs", "targets", "tensor", "true", "->", "-", "b", ""]
    ),
    st.sampled_from(
        ["main", "a:1", "^a", "12", "nan", 'q"uote', "back\\slash", "a b", "ü\u2028\x85"]
    ),
    st.text("abAB01_./-", min_size=1, max_size=6),
    st.text(max_size=6),
)
SIZES = st.one_of(st.none(), st.integers(0, 9))
SHAPES = st.one_of(st.none(), st.lists(SIZES, max_size=4).map(tuple))
DTYPES = st.sampled_from(["float32", "int32", "bool", "string", "resource", "variant", "complex64"])
FLOATS = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    shape = tuple(draw(st.lists(st.integers(0, 3), max_size=3)))
    dtype = draw(
        st.sampled_from(
            [
                "float32",
                "float64",
                "float16",
                "int8",
                "uint64",
                "int64",
                "bool",
                "complex64",
                "complex128",
                "string",
            ]
        )
    )
    count = int(np.prod(shape, dtype=int))
    if dtype == "string":
        array = np.empty(count, object)
        array[:] = draw(st.lists(st.binary(max_size=4), min_size=count, max_size=count))
        return ArrayTensor(array.reshape(shape))
    size = count * np.dtype(dtype).itemsize
    raw = draw(st.binary(min_size=size, max_size=size))
    if dtype == "bool":
        return ArrayTensor((np.frombuffer(raw, np.uint8) % 2 == 1).reshape(shape))
    return ArrayTensor(np.frombuffer(raw, dtype).reshape(shape))


SCALARS = st.one_of(
    st.integers(),
    FLOATS,
    st.booleans(),
    st.binary(max_size=6),
    DTYPES,
    st.sampled_from(["true", "none", "nan", "1", "tensor", "", "odd dtype"]),
    SHAPES.map(Dims),
    NAMES.map(FuncRef),
    tensors(),
    st.none(),
)
ATTRS = st.dictionaries(NAMES, st.one_of(SCALARS, st.lists(SCALARS, max_size=3)), max_size=4)
TYPES = st.lists(st.builds(Type, st.one_of(st.none(), DTYPES), SHAPES), max_size=3)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    graph = Graph(draw(NAMES))
    values: list[Value] = []
    nodes: list[Node] = []
    for name in draw(st.lists(NAMES, unique=True, max_size=5)):
        read = draw(st.lists(st.sampled_from(values), max_size=3)) if values else []
        node = graph.add(draw(NAMES), read, draw(ATTRS), draw(TYPES), name=name)
        if nodes:
            node.controls = draw(st.lists(st.sampled_from(nodes), max_size=2, unique=True))
        nodes.append(node)
        values += node.outputs
    if nodes:
        graph.inputs = draw(st.lists(st.sampled_from(nodes), max_size=2))
        graph.targets = draw(st.lists(st.sampled_from(nodes), max_size=2))
    if values:
        graph.outputs = draw(st.lists(st.sampled_from(values), max_size=3))
        graph.output_names = [draw(NAMES) for _ in graph.outputs]
    return graph


@settings(max_examples=300, deadline=None)
@given(st.lists(graphs(), max_size=2))
def test_what_is_written_is_read_back(written: list[Graph]) -> None:
    text = "".join(map(graph_text, written))
    read = parse_graphs(text)
    assert "".join(map(graph_text, read)) == text
    for one, two in zip(read, written, strict=True):
        assert one.name == two.name
        assert one.output_names == two.output_names
        for node in one.nodes.values():
            same(node, two.nodes[node.name])


def same(one: Node, two: Node) -> None:
    """Two nodes are equal, attributes to their types and bits; a NaN is any NaN."""
    assert (one.op, one.name) == (two.op, two.name)
    assert [value.name for value in one.inputs] == [value.name for value in two.inputs]
    assert [node.name for node in one.controls] == [node.name for node in two.controls]
    assert [value.type for value in one.outputs] == [value.type for value in two.outputs]
    assert one.attrs.keys() == two.attrs.keys()
    for key, item in one.attrs.items():
        equal(item, two.attrs[key])


def equal(one: Any, two: Any) -> None:
    if isinstance(two, Tensor):
        assert (one.dtype, one.shape) == (two.dtype, two.shape)
        np.testing.assert_array_equal(one.array(), two.array())
        return
    assert type(one) is type(two)
    if isinstance(two, list):
        for first, second in zip(one, two, strict=True):
            equal(first, second)
    elif isinstance(two, float):
        assert repr(one) == repr(two)
    else:
        assert one == two


def test_a_loop_of_tf1() -> None:
    text = """graph main
  x = Placeholder() {dtype: float32} -> float32[]
  m = Merge(x, n) {N: 2, T: float32} -> float32[], int32[]
  s = Neg(m, ^x) {T: float32} -> float32[]
  n = NextIteration(s) {T: float32} -> float32[]
  inputs x
  outputs s = s, i = m:1
"""
    assert graph_text(parse_graphs(text)[0]) == text


def test_large_tensors_come_from_elsewhere() -> None:
    graph, tensor = Graph("f"), ArrayTensor(np.arange(65, dtype=np.float32))
    graph.constant(tensor, name="w")
    text = graph_text(graph)
    assert "value: tensor(float32[65])}" in text
    (read,) = parse_graphs(text, {"w": tensor})
    assert read.nodes["w"].attrs["value"] is tensor
    for weights in ({}, {"w": ArrayTensor(np.zeros(64, np.float32))}):
        with pytest.raises(FormatError, match=r"line 2: .* leaves out the numbers of 'w'"):
            parse_graphs(text, weights)


def test_bfloat16_comes_from_elsewhere() -> None:
    graph, tensor = Graph("f"), SpanTensor("bfloat16", (0,), [])
    graph.constant(tensor, name="w")
    (read,) = parse_graphs(graph_text(graph), {"w": tensor})
    assert graph_text(read) == graph_text(graph)


def test_a_function_called_main_is_not_the_main_graph() -> None:
    assert graph_text(Graph("main")).startswith('graph "main"\n')
    assert graph_text(Graph()).startswith("graph main\n")


def test_names_in_quotes_are_no_words_of_the_language() -> None:
    graph = parsed('"inputs" = "graph"() {"tensor": "true"} -> float32[]\ninputs "inputs"')
    assert graph.inputs[0].attrs == {"tensor": "true"}


GOOD = """graph main
  x = Placeholder() {dtype: float32, shape: <?, 2>} -> float32[?, 2]
  y = Neg(x) {T: float32} -> float32[?, 2]
  inputs x
  outputs y = y
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("graph main", "main", 1, "'main' where 'graph' is wanted"),
        ("graph main", "graph main x", 1, "goes on where the line should end"),
        ("Neg(x)", "Neg(z)", 3, "no node 'z'"),
        ("Neg(x)", "Neg(^z)", 3, "no node 'z'"),
        ("Neg(x)", "Neg(x:1)", 3, "no value x:1"),
        ("Neg(x)", "Neg(x:-1)", 3, "'-1' where a number is wanted"),
        ("Neg(x)", "Neg(x:0.5)", 3, "'0.5' where a number is wanted"),
        ("Neg(x)", "Neg x", 3, "'x' where '(' is wanted"),
        ("Neg(x)", "Neg(x", 3, "where ',' is wanted"),
        ("y = Neg", "x = Neg", 3, "two nodes called 'x'"),
        ("y = Neg", "= Neg", 3, "'=' where a name is wanted"),
        ("inputs x", "inputs z", 4, "no node 'z'"),
        ("outputs y = y", "outputs y = z", 5, "no node 'z'"),
        ("outputs y = y", "outputs y", 5, "the end of the line where '=' is wanted"),
        ("outputs y = y", "targets z", 5, "no node 'z'"),
        ("<?, 2>", "<?, a>", 2, "'a' where a number is wanted"),
        ("<?, 2>", "<?, nan>", 2, "'nan' where a number is wanted"),
        ("<?, 2>", "<?, 1e999>", 2, "'1e999' where a number is wanted"),
        ("<?, 2>", "<?, 2", 2, "where ',' is wanted"),
        ("<?, 2>", "<*, 2>", 2, "where '>' is wanted"),
        ("<?, 2>", ")", 2, "where an attribute is wanted"),
        ("<?, 2>", '"open', 2, "which is none"),
        ("<?, 2>", "§", 2, "which is none"),
        ("<?, 2>", r'"\q"', 2, "no text"),
        ("<?, 2>", r'b"\q"', 2, "no text"),
        ("<?, 2>", r'b"\u1234"', 2, "no text"),
        ("<?, 2>", "tensor(float32[2])", 2, "leaves out the numbers"),
        ("<?, 2>", "tensor(float32[2]: 1)", 2, "no float32 tensor"),
        ("<?, 2>", "tensor(float32[?]: 1)", 2, "no float32 tensor"),
        ("<?, 2>", "tensor(float32[*]: 1)", 2, "no float32 tensor"),
        ("<?, 2>", 'tensor(float32[1]: b"a")', 2, "no float32 tensor"),
        ("<?, 2>", "tensor(int8[1]: 300)", 2, "no int8 tensor"),
        ("<?, 2>", "tensor(complex64[1]: 1, 2, 3)", 2, "no complex64 tensor"),
        ("<?, 2>", "tensor(complex64[1]: 1)", 2, "no complex64 tensor"),
        ("<?, 2>", "tensor(string[1]: 1)", 2, "no string tensor"),
        ("<?, 2>", "tensor(string[900000000000]: )", 2, "no string tensor"),
        ("<?, 2>", "tensor(object[1]: 1)", 2, "no object tensor"),
        ("<?, 2>", "tensor(?[1]: 1)", 2, "tensor"),
        ("<?, 2>", "[" * 100_000, 2, "too deep"),
    ],
)
def test_what_is_no_graph(old: str, new: str, line: int, what: str) -> None:
    assert old in GOOD
    parse_graphs(GOOD)
    with pytest.raises(FormatError) as failure:
        parse_graphs(GOOD.replace(old, new))
    assert failure.value.where == f"line {line}"
    assert what in failure.value.message


def test_an_end_too_early() -> None:
    for cut in (
        "graph",
        "graph main\n  x =",
        "graph main\n  x = A(",
        "graph main\n  x = A() {a: b",
    ):
        with pytest.raises(FormatError):
            parse_graphs(cut)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(GOOD)), st.text('graph xy=()[]{}<>:,?*@^"\\b1-> \n', max_size=4))
def test_damage_is_refused_or_read(at: int, noise: str) -> None:
    with suppress(FormatError):
        parse_graphs(GOOD[:at] + noise + GOOD[at + len(noise) :])


def test_a_long_line_takes_no_square_of_its_length() -> None:
    many = ", ".join(["1"] * 200_000)
    graph = parsed(f"x = Const() {{value: [{many}]}} -> int32[]")
    assert len(graph.nodes["x"].attrs["value"]) == 200_000
