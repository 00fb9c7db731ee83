"""Inputs and outputs in the dtypes that the source of a TF.js model had."""

from __future__ import annotations

from tfjs.ir.graph import Graph, GraphModel, Node, Type, Value
from tfjs.passes.dtypes import MAPPED


def restore_ports(model: GraphModel) -> None:
    """Let what is fed and given back have the dtypes that the signature tells, in place.

    Inside the graph computes as TF.js does: a Cast stands behind each such input and before each
    such output.
    """
    graph, signature = model.graph, model.signature
    for node, key in zip(graph.inputs, signature.inputs, strict=True):
        told = signature.input_dtypes.get(key)
        if told is not None and MAPPED.get(told) == node.output.dtype:
            _feed(graph, node, told)
    for index, key in enumerate(signature.outputs):
        told, value = signature.output_dtypes.get(key), graph.outputs[index]
        if told is not None and MAPPED.get(told) == value.dtype:
            graph.outputs[index] = _cast(graph, value, told)


def _feed(graph: Graph, node: Node, dtype: str) -> None:
    fed, own = node.output, node.output.dtype
    readers = list(fed.uses)
    fed.dtype = node.attrs["dtype"] = dtype
    taken = _cast(graph, fed, str(own))
    for reader, index in readers:
        graph.set_input(reader, index, taken)
    graph.outputs = [taken if value is fed else value for value in graph.outputs]


def _cast(graph: Graph, value: Value, dtype: str) -> Value:
    attrs = {"SrcT": value.dtype, "DstT": dtype, "Truncate": False}
    name = f"{value.node.name}/Cast"
    type_ = Type(dtype, value.shape)
    return graph.add("Cast", [value], attrs, [type_], name=name, origin=value.node.origin).output
