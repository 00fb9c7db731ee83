"""The last touches: names, and one node for each output, as TF.js's executor wants them.

Rules F2, F7 and F9 of `runtime_contract.md` 7.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfjs.ir.graph import Graph, GraphModel, Node, Value, constant_of
from tfjs.ir.tensor import Tensor
from tfjs.ops.support import unsafe_name
from tfjs.passes.control import settle_functions


def finalize(model: GraphModel, output_names: Sequence[str]) -> None:
    """Give outputs and constants the names that they are known by.

    Args:
        model: the model, of operations that TF.js has.
        output_names: the name of the node of each output.
    """
    _share_constants(model.graph)
    _name_outputs(model.graph, output_names)
    graphs = [model.graph, *model.functions.values()]
    for graph in graphs if model.initializer is None else [*graphs, model.initializer]:
        _make_safe(graph)
    if model.initializer is not None:
        _name_apart(model.initializer, model.graph)
    settle_functions(model)


def _name_outputs(graph: Graph, names: Sequence[str]) -> None:
    taken: set[Node] = set(graph.inputs)
    for index, (value, name) in enumerate(zip(list(graph.outputs), names, strict=True)):
        node = value.node
        free = graph.nodes.get(name) in (None, node)
        alone = value.index == 0 and node not in taken and node.op != "Const"
        if alone and free:
            if node.name != name:
                graph.rename(node, name)
        else:
            value = _identity(graph, value, name)
            graph.outputs[index] = value
        taken.add(value.node)


def _identity(graph: Graph, value: Value, name: str) -> Value:
    other = graph.nodes.get(name)
    if other is not None and other not in graph.inputs:
        graph.rename(other, f"{name}/inner")
    node = graph.add(
        "Identity", [value], {"T": value.dtype}, [value.type], name=name, origin=value.node.origin
    )
    return node.output


def _make_safe(graph: Graph) -> None:
    """Names that are whole numbers, or those of what JavaScript's objects have, are changed."""
    for node in list(graph.nodes.values()):
        if unsafe_name(node.name) is not None:
            graph.rename(node, f"n_{node.name}".replace(":", "_"))


def _name_apart(initializer: Graph, graph: Graph) -> None:
    """Only a table has the name of a node of the main graph: by that it is found."""
    for node in list(initializer.nodes.values()):
        other = graph.nodes.get(node.name)
        if other is not None and (other.op != node.op or node.op == "Const"):
            initializer.rename(node, f"initializer/{node.name}")


def _share_constants(graph: Graph) -> None:
    """One node for each tensor that several constants hold."""
    first: dict[Tensor, Value] = {}
    for node in list(graph.nodes.values()):
        tensor = constant_of(node.output) if node.op == "Const" else None
        if tensor is None:
            continue
        known = first.setdefault(tensor, node.output)
        if known is not node.output:
            graph.replace(node.output, known)
            graph.erase(node)
