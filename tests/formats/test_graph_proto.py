"""Graphs as messages, read back by the reader of messages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.tensorflow_files import Building
from tfjs.errors import ConversionError
from tfjs.formats.graph_def import GraphReader
from tfjs.formats.graph_proto import fill_graph_def, function_proto, node_proto
from tfjs.ir.graph import Attrs, Dims, FuncRef, Graph, Node, Type
from tfjs.ir.tensor import ArrayTensor
from tfjs.wire.protobuf import message_class


def node_of(op: str, **attrs: Any) -> Node:
    return Graph().add(op, [], attrs, [Type("float32")], name="n")


def again(node: Node) -> Attrs:
    """The attributes of a node, written and read."""
    message: Any = message_class("tensorflow.GraphDef")()
    message.node.add().CopyFrom(node_proto(node))
    return GraphReader(message, (), "", complete=False).graph(["n"]).nodes["n"].attrs


@pytest.mark.parametrize(
    "value",
    [
        7,
        -(1 << 40),
        0.5,
        float("inf"),
        True,
        b"\xff\0",
        "int64",
        Dims(None),
        Dims((None, 3)),
        Dims(()),
        FuncRef("f"),
        [1, 2],
        [0.5],
        [False],
        [b"a", b""],
        ["float32", "variant"],
        [Dims((2,)), Dims(None)],
        [FuncRef("f"), FuncRef("g")],
        [],
    ],
)
def test_every_kind_of_attribute(value: Any) -> None:
    assert again(node_of("MyOp", attr=value)) == {"attr": value}


def test_tensors_as_attributes() -> None:
    found = again(node_of("MyOp", attr=ArrayTensor(np.array([[1, 2]], np.int16))))["attr"]
    assert (found.dtype, found.array().tolist()) == ("int16", [[1, 2]])


def test_the_kind_is_that_of_the_signature() -> None:
    message = node_proto(node_of("LeakyRelu", T="float32", alpha=1))
    assert message.attr["alpha"].WhichOneof("value") == "f"


def test_defaults_are_left_out() -> None:
    message = node_proto(node_of("LeakyRelu", T="float32", alpha=0.2))
    assert list(message.attr) == []
    # A map of protobuf has no order: it differs from run to run.
    kept = node_proto(node_of("MatMul", T="float32", transpose_a=True)).attr
    assert set(kept) == {"T", "transpose_a"}


def test_an_attribute_of_another_kind() -> None:
    with pytest.raises(ConversionError, match=r"^n: the attribute 'strides' of Conv2D cannot be 1"):
        node_proto(node_of("Conv2D", strides=1))


def body() -> Graph:
    building = Building()
    x = building.input("x", (None, 4))
    axis = building.constant(np.int32(1), "axis")
    attrs: Attrs = {"num_split": 2, "T": "float32"}
    split = building.node("Split", axis, x, name="split", dtypes=["float32"] * 2, **attrs)
    last = building.node("Neg", split.outputs[1], name="neg", dtypes=["float32"], T="float32")
    last.controls = [split]
    graph = building.graph
    graph.name, graph.outputs, graph.targets = "f", [last.output, x, split.outputs[1]], [split]
    graph.output_names = ["a", "b", "c"]
    return graph


def test_a_function() -> None:
    message = function_proto(body())
    assert dict(message.ret) == {"a": "neg:y:0", "b": "x", "c": "split:output:1"}
    assert [list(node.input) for node in message.node_def if node.name == "neg"] == [
        ["split:output:1", "^split"]
    ]
    assert dict(message.control_ret) == {"split": "split"}
    assert list(message.signature.control_output) == ["split"]
    assert not message.signature.is_stateful
    building = Building()
    x = building.input("x", (None, 4))
    call = building.node(
        *("PartitionedCall", x),
        name="call",
        dtypes=["float32"] * 3,
        f=FuncRef("f"),
        Tin=["float32"],
        Tout=["float32"] * 3,
    )
    graph_def: Any = message_class("tensorflow.GraphDef")()
    fill_graph_def(graph_def, building.model(*call.outputs).graph, [body()])
    reader = GraphReader(graph_def, (), "")
    read = reader.functions([reader.graph(["call:2"])])["f"]
    assert read.output_names == ["a", "b", "c"]
    assert [value.name for value in read.outputs] == ["neg", "x", "split:1"]
    assert read.inputs[0].output.type == Type("float32", (None, 4))
    assert read.nodes["neg"].controls == [read.nodes["split"]] == read.targets


def test_a_function_that_changes_something() -> None:
    graph = body()
    graph.add("NoOp", [], {}, [], name="nothing")
    assert not function_proto(graph).signature.is_stateful
    graph.add("VarHandleOp", [], {"dtype": "float32"}, [Type("resource")], name="v")
    assert function_proto(graph).signature.is_stateful


def test_values_of_unknown_dtype() -> None:
    graph = body()
    graph.outputs[0].dtype = None
    with pytest.raises(ConversionError, match="has a value of unknown dtype: 'neg'"):
        function_proto(graph)


def test_what_an_unknown_operation_gives_has_no_name_in_a_function() -> None:
    building = Building()
    own = building.node("MyOp", name="own", dtypes=["float32"])
    graph = building.graph
    graph.outputs, graph.output_names = [own.output], ["out"]
    with pytest.raises(ConversionError, match="MyOp is no operation of TensorFlow"):
        function_proto(graph)
