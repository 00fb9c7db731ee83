"""Writing frozen graphs: a GraphDef with all constants in place.

Inputs and outputs have no signature there: they are nodes, which get the names of their keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tfjs.errors import UnsupportedError
from tfjs.formats.base import Content, Port, WriteOptions, Written
from tfjs.formats.graph_proto import function_proto, node_proto, versions
from tfjs.formats.keras_target import Progress, refuse_options
from tfjs.io.atomic import atomic_file
from tfjs.ir.graph import Graph, GraphModel, Node, Signature, Value
from tfjs.passes.to_tensorflow.names import accepted
from tfjs.wire.protobuf import message_class
from tfjs.wire.varint import varint

_LARGEST = (2 << 30) - 1  # protobuf's own limit
_NODE = b"\x0a"  # tag of GraphDef.node: field 1, with a length


def write(content: Content, path: Path, options: WriteOptions) -> Written:
    """Write a graph without variables as a `.pb` file.

    Args:
        content: the graph, such as `to_tensorflow` leaves it; writing renames its nodes.
        path: the file.
        options: `progress` and no others.

    Raises:
        UsageError: the path is a folder, or an option that frozen graphs cannot have.
        UnsupportedError: the source is no graph, or has variables, or tables that something must
            fill first; or it is larger than 2 GB.
        ConversionError: the system refused the write.
    """
    if not isinstance(content, GraphModel):
        raise UnsupportedError("the source is no graph")
    refuse_options(options, "frozen graphs")
    _check(content)
    graph = content.graph
    tensors = list(graph.constants())
    size = sum(tensor.nbytes for tensor in tensors if tensor.dtype != "string")
    if size > _LARGEST:
        raise _too_large(size)
    renamed = _name_ports(content)
    progress = Progress(tensors, options.progress)
    with atomic_file(path, check=options.check) as target:
        with target.open("wb") as file:
            _write_nodes(graph, file, progress)
            file.write(_rest(content))
        size = target.stat().st_size
        if size > _LARGEST:
            raise _too_large(size)
    ports = [node.output for node in graph.inputs]
    return Written(
        files=[(path.name, size)],
        notes=_notes(content, renamed),
        inputs=_ports(content.signature.inputs, ports),
        outputs=_ports(content.signature.outputs, graph.outputs),
    )


def _ports(keys: list[str], values: list[Value]) -> list[Port]:
    return [
        Port(key, value.dtype or "unknown", value.shape)
        for key, value in zip(keys, values, strict=True)
    ]


def _too_large(size: int) -> UnsupportedError:
    return UnsupportedError(
        f"the graph has {size} bytes, a frozen graph can have {_LARGEST}",
        hint="write a SavedModel (--to saved-model), whose variables are in other files",
    )


def _check(model: GraphModel) -> None:
    makers = [node.name for node in model.graph.nodes.values() if node.op == "VarHandleOp"]
    if makers:
        raise UnsupportedError(
            "a frozen graph has no variables", problems=[f"{name} is one" for name in makers]
        )
    if model.initializer is not None and model.initializer.targets:
        raise UnsupportedError(
            "the model has tables that something must fill first, for which a frozen graph has "
            "no place",
            hint="write a SavedModel (--to saved-model)",
        )


def _write_nodes(graph: Graph, file: IO[bytes], progress: Progress) -> None:
    """Write the nodes one by one: not all constants are in memory at once."""
    for node in graph.ordered():
        data = node_proto(node).SerializeToString(deterministic=True)
        file.write(_NODE + varint(len(data)))
        file.write(data)
        if node.op == "Const" and node.attrs["value"].dtype != "string":
            progress.add(node.attrs["value"].nbytes)


def _rest(model: GraphModel) -> bytes:
    """All of the message but its nodes."""
    message: Any = message_class("tensorflow.GraphDef")(versions=versions())
    message.library.function.extend(map(function_proto, model.functions.values()))
    return bytes(message.SerializeToString(deterministic=True))


def port_names(signature: Signature) -> tuple[list[str], list[str]]:
    """The names that the nodes of inputs and outputs get in a frozen graph: those of their keys."""
    found: dict[str, None] = {}
    for key in [*signature.inputs, *signature.outputs]:
        name = free = accepted(key.removesuffix(":0"))
        count = 0
        while free in found:
            count += 1
            free = f"{name}_{count}"
        found[free] = None
    names = list(found)
    return names[: len(signature.inputs)], names[len(signature.inputs) :]


def _name_ports(model: GraphModel) -> list[str]:
    """Give the nodes of inputs and outputs their names; gives those of the outputs."""
    graph = model.graph
    inputs, outputs = port_names(model.signature)
    for node, name in zip(graph.inputs, inputs, strict=True):
        _rename(graph, node, name)
    taken = set(graph.inputs)
    for index, (value, name) in enumerate(zip(list(graph.outputs), outputs, strict=True)):
        node = value.node
        if value.index or node in taken:
            attrs, scope = {"T": value.dtype}, f"{name}/output"
            node = graph.add("Identity", [value], attrs, [value.type], name=scope)
            graph.outputs[index] = node.output
        _rename(graph, node, name)
        taken.add(node)
    return outputs


def _rename(graph: Graph, node: Node, name: str) -> None:
    other = graph.nodes.get(name)
    if other is not None and other is not node:
        graph.rename(other, f"{name}/inner")
    if node.name != name:
        graph.rename(node, name)


def _notes(model: GraphModel, outputs: list[str]) -> list[str]:
    found = list(_different(model.signature.outputs, outputs))
    notes = [f"outputs have other names: {', '.join(found)}"] if found else []
    if model.metadata:
        notes.append("user-defined metadata left out: a frozen graph has no place for it")
    return notes


def _different(keys: list[str], names: list[str]) -> Iterator[str]:
    for key, name in zip(keys, names, strict=True):
        if key.removesuffix(":0") != name:
            yield f"{key} is {name}"
