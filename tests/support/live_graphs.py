"""Graphs from live functions of TensorFlow, and what they compute by our kernels."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from tests.support.protocol import Array
from tfjs.formats.graph_def import GraphReader
from tfjs.ir.graph import Dims, Graph, GraphModel, Node, Shape, Signature, Type
from tfjs.ir.tensor import ArrayTensor
from tfjs.ops.base import evaluate
from tfjs.wire.protobuf import parse


def model_of(concrete: Any) -> GraphModel:
    """The graph of a ConcreteFunction of TensorFlow, with the values of its variables."""
    graph_def = concrete.graph.as_graph_def()
    proto = parse("tensorflow.GraphDef", graph_def.SerializeToString(), None)
    reader = GraphReader(proto, [], "live")
    fetches = [tensor.name.removesuffix(":0") for tensor in concrete.outputs]
    graph = reader.graph(fetches)
    model = GraphModel(graph, Signature([], [f"output_{i}" for i in range(len(fetches))]))
    model.functions = reader.functions([graph])
    for variable in concrete.graph.variables:
        captures = concrete.graph.captures
        handle = next(inner for outer, inner in captures if outer is variable.handle)
        node = graph.nodes.get(handle.op.name)
        if node is not None:
            # A captured variable is a placeholder in the graph of a function.
            model.variables[node.name] = ArrayTensor(variable.numpy())
            node.op = "VarHandleOp"
            graph.inputs.remove(node)
    model.signature.inputs = [node.name for node in graph.inputs]
    return model


def placeholder(graph: Graph, name: str, dtype: str, shape: Shape) -> Node:
    """An input of a graph."""
    attrs = {"dtype": dtype, "shape": Dims(shape)}
    node = graph.add("Placeholder", [], attrs, [Type(dtype, shape)], name=name)
    graph.inputs.append(node)
    return node


def compute(graph: Graph, feeds: dict[str, Array]) -> list[Array]:
    """The outputs of a graph without control flow, by the kernels of its operations."""
    values: dict[Any, Array] = {}
    for node in graph.ordered():
        if node in graph.inputs:
            values[node.output] = np.asarray(feeds[node.name])
        elif node.op == "Const":
            values[node.output] = node.attrs["value"].array()
        else:
            found = evaluate(node, [values[value] for value in node.inputs])
            values.update(zip(node.outputs, found, strict=True))
    return [values[value] for value in graph.outputs]


def ops_of(graph: Graph) -> list[str]:
    """The operations of a graph, sorted, constants and placeholders left out."""
    return sorted(n.op for n in graph.nodes.values() if n.op not in ("Const", "Placeholder"))


def concrete(tf: ModuleType, function: Any, *specs: tuple[Any, tuple[int | None, ...]]) -> Any:
    """A concrete function of TensorFlow for inputs of some dtypes and shapes."""
    wanted = [tf.TensorSpec(shape, dtype) for dtype, shape in specs]
    return tf.function(function).get_concrete_function(*wanted)
