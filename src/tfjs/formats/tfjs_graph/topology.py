"""Graphs and functions as the GraphDef in JSON that TF.js loads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tfjs.formats.tfjs_graph.attrs import attrs_json, shape_json
from tfjs.formats.tfjs_graph.checks import place
from tfjs.ir.dtypes import TO_ENUM
from tfjs.ir.graph import Dims, Graph, Node, Value

# TF.js 4.22 wants the member to be there and looks at nothing in it. The numbers are those of
# TensorFlow 2.21 (tensorflow/core/public/version.h), whose operations the writer speaks; bodies of
# functions in their form of today have been read since version 12.
_VERSIONS = {"producer": 2474, "minConsumer": 12}


def graph_def(graph: Graph, functions: Iterable[Graph]) -> dict[str, Any]:
    """A graph, and the functions that it reaches, as a GraphDef."""
    found: dict[str, Any] = {"node": _nodes(graph)}
    library = [function_def(function) for function in functions]
    if library:
        found["library"] = {"function": library}
    return {**found, "versions": _VERSIONS}


def function_def(graph: Graph) -> dict[str, Any]:
    """A function as a FunctionDef; values are named `node` or `node:1`, as TF.js reads them."""
    arguments = set(graph.inputs)
    names = graph.output_names
    return {
        "signature": {
            "name": graph.name,
            "inputArg": [_argument(node.name, node.output) for node in graph.inputs],
            "outputArg": [
                _argument(name, value) for name, value in zip(names, graph.outputs, strict=True)
            ],
        },
        "nodeDef": _nodes(graph, leave_out=arguments),
        "ret": {name: value.name for name, value in zip(names, graph.outputs, strict=True)},
    }


def port_json(value: Value, dtype: str | None = None) -> dict[str, Any]:
    """An input or output in a signature; TF.js looks at the name alone.

    Args:
        value: what is fed or given back.
        dtype: the one that the source has for it, where TF.js has another.
    """
    entry: dict[str, Any] = {"name": f"{value.node.name}:{value.index}"}
    told = dtype or value.dtype
    if told is not None:
        entry["dtype"] = TO_ENUM[told]
    return {**entry, "tensorShape": shape_json(value.shape)}


def _argument(name: str, value: Value) -> dict[str, Any]:
    return {"name": name, "type": TO_ENUM[value.dtype]} if value.dtype else {"name": name}


def _nodes(graph: Graph, leave_out: Iterable[Node] = ()) -> list[dict[str, Any]]:
    absent = set(leave_out)
    # Most nodes have the attributes of others.
    made: dict[object, dict[str, Any]] = {}
    entries = []
    for node in graph.ordered():
        if node in absent:
            continue
        entry: dict[str, Any] = {"name": node.name, "op": node.op}
        if node.inputs:
            entry["input"] = [value.name for value in node.inputs]
        key = _key(node)
        attrs = made.get(key)
        if attrs is None:
            attrs = made[key] = _attrs(graph, node)
        if attrs:
            entry["attr"] = attrs
        entries.append(entry)
    return entries


def _key(node: Node) -> object:
    """Equal for nodes whose attributes are written alike."""
    if node.op == "Const":
        tensor = node.attrs["value"]
        return tensor.dtype, tensor.shape
    if node.op == "Placeholder":
        return node
    return node.op, *[
        # 1 and True are equal to Python.
        (name, type(value), tuple(value) if isinstance(value, list) else value)
        for name, value in node.attrs.items()
    ]


def _attrs(graph: Graph, node: Node) -> dict[str, Any]:
    attrs = attrs_json(node, place(graph, node))
    # TF.js holds what it is fed against both, so they are what is known of the value.
    return _placeholder(node) if node.op == "Placeholder" else attrs


def _placeholder(node: Node) -> dict[str, Any]:
    told = node.attrs.get("shape")
    shape = told.dims if isinstance(told, Dims) else None
    value = node.output
    found = {"shape": {"shape": shape_json(value.shape if shape is None else shape)}}
    return {"dtype": {"type": TO_ENUM[value.dtype]}, **found} if value.dtype else found
