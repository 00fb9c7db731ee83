"""Variables of loops: those that never change, and those that nobody needs."""

from __future__ import annotations

from tfjs.ir.graph import Dims, Graph, GraphModel, Node, Shape, Value, constant_of
from tfjs.passes.control.holders import (
    describe,
    keep_outputs,
    keep_parameters,
    keep_results,
    loop_of,
)


def trim_loop(model: GraphModel, graph: Graph, node: Node) -> bool:
    """Write constants that a loop hands on into its functions; drop variables without effect.

    What a loop gives for a variable that never changes is what it was given.

    Returns:
        Whether a variable went, or more is known of the shape of one.
    """
    cond, body = loop_of(model, node)
    told = _tell_shapes(node, cond, body)
    for index in unchanging(body):
        value = node.inputs[index]
        graph.replace(node.outputs[index], value)
        tensor = constant_of(value)
        if tensor is None:
            continue
        for function in (cond, body):
            argument = function.inputs[index].output
            if argument.uses or function.is_output(argument):
                function.replace(argument, function.constant(tensor, name=value.node.name))
    needed = _needed(graph, node, cond, body)
    if len(needed) == len(node.inputs):
        return told
    keep_results(body, needed)
    cond.prune()
    keep_parameters(body, needed)
    keep_parameters(cond, needed)
    keep_outputs(node, needed)
    graph.set_inputs(node, [node.inputs[index] for index in needed])
    describe(node)
    return True


def unchanging(body: Graph) -> list[int]:
    """The variables that a body gives back as they came."""
    return [
        index
        for index, (node, value) in enumerate(zip(body.inputs, body.outputs, strict=True))
        if value is node.output
    ]


def _needed(graph: Graph, node: Node, cond: Graph, body: Graph) -> list[int]:
    """The variables that something outside, or the condition, depends on."""
    positions = {entry: index for index, entry in enumerate(body.inputs)}
    tested = {entry: index for index, entry in enumerate(cond.inputs)}
    left = [i for i, value in enumerate(node.outputs) if value.uses or graph.is_output(value)]
    left += [tested[entry] for entry in cone(cond.outputs) if entry in tested]
    needed: set[int] = set()
    seen: set[Node] = set()
    while left:
        index = left.pop()
        if index in needed:
            continue
        needed.add(index)
        found = cone([body.outputs[index]], seen)
        left += [positions[entry] for entry in found if entry in positions]
    return sorted(needed)


def cone(values: list[Value], seen: set[Node] | None = None) -> list[Node]:
    """The nodes that values depend on, themselves too.

    Args:
        values: where to begin.
        seen: nodes to leave out; what is found is added.
    """
    seen = set() if seen is None else seen
    found = []
    left = [value.node for value in values]
    while left:
        node = left.pop()
        if node in seen:
            continue
        seen.add(node)
        found.append(node)
        left += [value.node for value in node.inputs]
    return found


def _tell_shapes(node: Node, cond: Graph, body: Graph) -> bool:
    """Let the arguments of both functions have the shapes that the source tells of."""
    news = False
    told = node.attrs.get("output_shapes")
    same = set(unchanging(body))
    for index, value in enumerate(node.inputs):
        shape: Shape = None
        if index in same:
            shape = value.shape
        elif isinstance(told, list) and len(told) == len(node.inputs):
            shape = told[index].dims if isinstance(told[index], Dims) else None
        for function in (cond, body):
            argument = function.inputs[index].output
            if argument.shape is None and shape is not None:
                argument.shape = shape
                news = True
        # What comes out has that shape after each step, and where there is none.
        if node.outputs[index].shape is None:
            node.outputs[index].shape = body.inputs[index].output.shape
    return news
