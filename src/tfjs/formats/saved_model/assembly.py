"""The graphs of several models, and what fills their tables, become one graph.

A table has one name in the main graph and in the initializer of its model, and that makes it one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tfjs.ir.graph import FuncRef, Graph, GraphModel, Node, Value
from tfjs.ir.tensor import SpanTensor, Tensor
from tfjs.ops.definitions import definition


class Ports(NamedTuple):
    """Key and value of each input and output of a signature."""

    inputs: dict[str, Value]
    outputs: dict[str, Value]


class Assembly:
    """One graph of several models; it takes their nodes away from them.

    Attributes:
        graph: the nodes of all.
        functions: those of all by name.
        variables: the values of all by the node that makes the variable.
        fills: the nodes that must run once before all others.
        signatures: what the models take and give.
    """

    def __init__(self) -> None:
        self.graph = Graph()
        self.functions: dict[str, Graph] = {}
        self.variables: dict[str, Tensor] = {}
        self.fills: list[Node] = []
        self.signatures: dict[str, Ports] = {}

    def add(self, key: str, model: GraphModel) -> None:
        """Add a model; where its names are taken they are put into a scope.

        Args:
            key: the name of its signature.
            model: such as TensorFlow takes it.
        """
        self._share_variables(model)
        self._part_functions(key, model)
        self._part_nodes(key, model)
        graph = model.graph
        fills = [] if model.initializer is None else self._initialization(model, model.initializer)
        _name_resources(graph.nodes.values())
        self.graph.nodes.update(graph.nodes)
        self.functions.update(model.functions)
        self.variables.update(model.variables)
        self.fills += fills
        inputs = [node.output for node in graph.inputs]
        self.signatures[key] = Ports(
            dict(zip(model.signature.inputs, inputs, strict=True)),
            dict(zip(model.signature.outputs, graph.outputs, strict=True)),
        )

    def _share_variables(self, model: GraphModel) -> None:
        """Two signatures of one source have the variables of both in common."""
        for name, tensor in list(model.variables.items()):
            node, known = model.graph.nodes.get(name), self.graph.nodes.get(name)
            own = self.variables.get(name)
            if node is None or known is None or own is None or not _same(tensor, own):
                continue
            if node.op == known.op == "VarHandleOp":
                model.graph.replace(node.output, known.output)
                model.graph.erase(node)
                del model.variables[name]

    def _part_functions(self, scope: str, model: GraphModel) -> None:
        renames = {
            name: _free(f"{scope}_{name}", self.functions, model.functions)
            for name in model.functions
            if name in self.functions
        }
        if not renames:
            return
        graphs = [model.graph, *model.functions.values()]
        for graph in graphs if model.initializer is None else [*graphs, model.initializer]:
            for node in graph.nodes.values():
                _refer(node, renames)
        model.functions = {renames.get(name, name): body for name, body in model.functions.items()}
        for name, body in model.functions.items():
            body.name = name

    def _part_nodes(self, scope: str, model: GraphModel) -> None:
        if self.graph.nodes.keys().isdisjoint(model.graph.nodes):
            return
        scope = _free_scope(scope, self.graph, model.graph)
        renames = {name: f"{scope}/{name}" for name in model.graph.nodes}
        for old, new in renames.items():
            node = model.graph.nodes[old]
            model.graph.rename(node, new)
            shared = node.attrs.get("shared_name")
            if isinstance(shared, bytes) and shared and not node.inputs:
                node.attrs["shared_name"] = scope.encode() + b"/" + shared
        model.variables = {renames.get(name, name): it for name, it in model.variables.items()}
        if model.initializer is not None:
            for old, new in renames.items():
                if old in model.initializer.nodes:
                    model.initializer.rename(model.initializer.nodes[old], new)

    def _initialization(self, model: GraphModel, graph: Graph) -> list[Node]:
        """Move the nodes of an initializer into the main graph; gives those that fill tables."""
        main = model.graph
        for node in list(graph.nodes.values()):
            other = main.nodes.get(node.name)
            if other is not None and _makes_resource(node) and _makes_resource(other):
                graph.replace(node.output, other.output)
                for reader in graph.nodes.values():
                    reader.controls = [item for item in reader.controls if item is not node]
                graph.erase(node)
        for node in list(graph.nodes.values()):
            name, count = node.name, 0
            while name in main.nodes or name in self.graph.nodes:
                count += 1
                name = f"initializer/{node.name}" + (f"_{count}" if count > 1 else "")
            if name != node.name:
                if node.name in model.variables:
                    model.variables[name] = model.variables.pop(node.name)
                graph.rename(node, name)
        main.nodes.update(graph.nodes)
        return list(graph.targets)


def _same(one: Tensor, other: Tensor) -> bool:
    if one is other:
        return True
    if not isinstance(one, SpanTensor) or not isinstance(other, SpanTensor):
        return False
    places = [
        [(span.path, span.offset, span.length) for span in tensor.spans] for tensor in (one, other)
    ]
    return (one.dtype, one.shape) == (other.dtype, other.shape) and places[0] == places[1]


def _refer(node: Node, renames: Mapping[str, str]) -> None:
    for key, value in node.attrs.items():
        if isinstance(value, FuncRef):
            node.attrs[key] = FuncRef(renames.get(value.name, value.name))
        elif isinstance(value, list) and any(isinstance(item, FuncRef) for item in value):
            node.attrs[key] = [FuncRef(renames.get(item.name, item.name)) for item in value]


def _free(name: str, *taken: Mapping[str, object]) -> str:
    found, count = name, 0
    while any(found in names for names in taken):
        count += 1
        found = f"{name}_{count}"
    return found


def _free_scope(name: str, *graphs: Graph) -> str:
    """A scope in which no graph has a node."""
    scopes = {node.partition("/")[0] for graph in graphs for node in graph.nodes}
    return _free(name, dict.fromkeys(scopes))


def _makes_resource(node: Node) -> bool:
    return not node.inputs and len(node.outputs) == 1 and node.output.dtype == "resource"


def _name_resources(nodes: Iterable[Node]) -> None:
    """Name all resources, so that each function that runs by itself finds the same ones."""
    for node in nodes:
        known = definition(node.op)
        if known is None or not _makes_resource(node) or "shared_name" not in known.attr_types:
            continue
        if not node.attrs.get("shared_name"):
            node.attrs["shared_name"] = node.name.encode()
