"""Nodes that hold functions: If, Case, While. What goes in and out of them, and how that changes.

Each such node owns its functions (`passes/inline.py: own_bodies`), so that they may be changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tfjs.errors import CorruptFileError
from tfjs.ir.graph import Dims, FuncRef, Graph, GraphModel, Node, Type, Value, held
from tfjs.passes.inline import copied

LOOPS = frozenset({"While", "StatelessWhile"})
CHOICES = frozenset({"If", "StatelessIf"})
CASES = frozenset({"Case", "StatelessCase"})
HOLDERS = LOOPS | CHOICES | CASES


def graphs_of(model: GraphModel) -> list[Graph]:
    """The main graph, and the functions that it needs, those before their callers."""
    found: dict[str, Graph] = {}
    left = [model.graph] if model.functions else []
    while left:
        graph = left.pop()
        for node in graph.nodes.values():
            for reference in held(node):
                found.pop(reference.name, None)
                found[reference.name] = model.functions[reference.name]
                left.append(found[reference.name])
    return [*reversed(found.values()), model.graph]


def check_holders(model: GraphModel, graph: Graph) -> None:
    """Check that the nodes of a graph that hold functions fit to these.

    Raises:
        CorruptFileError: a node lacks a function, or hands over more or fewer values than it takes.
    """
    for node in graph.nodes.values():
        if node.op in HOLDERS and not _fits(model, node):
            raise CorruptFileError(f"node {node.name!r}: does not fit the functions that it runs")


def _fits(model: GraphModel, node: Node) -> bool:
    count = len(node.inputs) - (node.op not in LOOPS)
    if node.op in LOOPS:
        keys: tuple[str, ...] = ("cond", "body")
    else:
        keys = ("then_branch", "else_branch") if node.op in CHOICES else ("branches",)
    references: list[Any] = [node.attrs.get(key) for key in keys]
    if node.op in CASES:
        references = references[0] if isinstance(references[0], list) else []
    if not references or not all(isinstance(entry, FuncRef) for entry in references):
        return False
    bodies = [model.functions[entry.name] for entry in references]
    if any(len(body.inputs) != count for body in bodies):
        return False
    if node.op in LOOPS:
        cond, body = bodies
        return len(cond.outputs) == 1 and len(body.outputs) == count == len(node.outputs)
    return all(len(body.outputs) == len(node.outputs) for body in bodies)


def loop_of(model: GraphModel, node: Node) -> tuple[Graph, Graph]:
    """The condition and the body of a loop."""
    return model.functions[node.attrs["cond"].name], model.functions[node.attrs["body"].name]


def branches_of(model: GraphModel, node: Node) -> list[Graph]:
    """What an If (where true, where false) or a Case chooses from."""
    if node.op in CASES:
        return [model.functions[reference.name] for reference in node.attrs["branches"]]
    return [model.functions[node.attrs[key].name] for key in ("then_branch", "else_branch")]


def describe(node: Node) -> None:
    """Let the attributes of a holder say which dtypes and shapes go in and out."""
    shapes = [Dims(value.shape) for value in node.outputs]
    if node.op in LOOPS:
        node.attrs["T"] = [value.dtype for value in node.inputs]
    else:
        node.attrs["Tin"] = [value.dtype for value in node.inputs[1:]]
        node.attrs["Tout"] = [value.dtype for value in node.outputs]
    node.attrs["output_shapes"] = shapes


def parameter(body: Graph, type_: Type, name: str) -> Node:
    """Add an argument to a function, behind the others."""
    attrs = {"dtype": type_.dtype, "shape": Dims(type_.shape)}
    node = body.add("Placeholder", [], attrs, [type_], name=name)
    body.inputs.append(node)
    return node


def keep_parameters(body: Graph, kept: Sequence[int]) -> None:
    """Remove the arguments of a function that it does not read, but for some."""
    gone = [node for index, node in enumerate(body.inputs) if index not in set(kept)]
    body.inputs = [body.inputs[index] for index in kept]
    for node in gone:
        body.erase(node)


def keep_results(body: Graph, kept: Sequence[int]) -> None:
    """Remove outputs of a function, and what only they need."""
    body.outputs = [body.outputs[index] for index in kept]
    body.output_names = [body.output_names[index] for index in kept]
    body.prune()


def keep_outputs(node: Node, kept: Sequence[int]) -> None:
    """Remove outputs of a node that nobody reads."""
    node.outputs = [node.outputs[index] for index in kept]
    for index, value in enumerate(node.outputs):
        value.index = index


def add_result(body: Graph, value: Value, name: str) -> None:
    """Let a function give one value more."""
    body.outputs.append(value)
    while name in body.output_names:
        name = f"{name}_"
    body.output_names.append(name)


def add_function(model: GraphModel, body: Graph, wanted: str) -> FuncRef:
    """Put a function into the model under a name that is free."""
    name, count = wanted, 0
    while name in model.functions:
        count += 1
        name = f"{wanted}_{count}"
    body.name = name
    model.functions[name] = body
    return FuncRef(name)


def own(model: GraphModel, nodes: Iterable[Node]) -> None:
    """Give nodes that were copied with a body functions of their own, at any depth."""
    left = list(nodes)
    while left:
        node = left.pop()
        for reference in list(held(node)):
            body = copied(model.functions[reference.name], reference.name)
            refer(node, reference, add_function(model, body, _stem(model, reference.name)))
            left += [inner for inner in body.nodes.values() if inner.op in HOLDERS]


def _stem(model: GraphModel, name: str) -> str:
    # Copies of a copy are numbered on, from how many functions there are: no search from one.
    return f"{name.partition('@')[0]}@{len(model.functions)}"


def refer(node: Node, old: FuncRef, new: FuncRef) -> None:
    """Let a node hold another function."""
    for key, value in node.attrs.items():
        if value is old:
            node.attrs[key] = new
        elif isinstance(value, list) and any(item is old for item in value):
            node.attrs[key] = [new if item is old else item for item in value]


def drop_unheld(model: GraphModel) -> None:
    """Forget functions that no node holds any more."""
    keep = {graph.name for graph in graphs_of(model)}
    if model.initializer is not None:
        keep |= {reference.name for reference in _held_by(model, model.initializer)}
    model.functions = {name: body for name, body in model.functions.items() if name in keep}


def _held_by(model: GraphModel, graph: Graph) -> Iterator[FuncRef]:
    left = [graph]
    while left:
        for node in left.pop().nodes.values():
            for reference in held(node):
                yield reference
                left.append(model.functions[reference.name])


def swap(graph: Graph, node: Node, values: Sequence[Value]) -> None:
    """Put values in the place of a node's outputs, and remove the node.

    The first takes its name where it was made in its place.
    """
    for old, new in zip(node.outputs, values, strict=True):
        graph.replace(old, new)
    name = node.name
    graph.erase(node)
    first = values[0].node if values else None
    if first is not None and first.name.startswith(f"{name}/") and first.op != "Const":
        graph.rename(first, name)
