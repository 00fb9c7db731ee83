"""If and Case: a choice that is settled becomes the branch, a Case becomes Ifs (F10, A2)."""

from __future__ import annotations

import numpy as np

from tfjs.ir.graph import FuncRef, Graph, GraphModel, Node, Type, Value, constant_of
from tfjs.ops.build import Builder
from tfjs.passes.control.holders import (
    CASES,
    CHOICES,
    HOLDERS,
    add_function,
    branches_of,
    describe,
    keep_outputs,
    keep_parameters,
    keep_results,
    own,
    parameter,
)
from tfjs.passes.inline import inline_body

_MOST_BRANCHES = 1 << 10  # each is a function one deeper than the last


def settle_choices(model: GraphModel, graph: Graph) -> list[Node]:
    """Replace each If and Case of a graph whose predicate is constant by its branch.

    Returns:
        The nodes that went.
    """
    settled = []
    for node in list(graph.nodes.values()):
        if node.op not in CHOICES | CASES:
            continue
        chosen = _chosen(model, node)
        if chosen is not None:
            _inline_branch(model, graph, node, chosen)
            settled.append(node)
    return settled


def lower_cases(model: GraphModel, graph: Graph) -> int:
    """Make each Case of a graph an If that compares the index, with the other branches in its else.

    Returns:
        How many there were.
    """
    cases = [node for node in graph.nodes.values() if node.op in CASES]
    for node in cases:
        _lower_case(model, graph, node)
    return len(cases)


def trim_choice(model: GraphModel, graph: Graph, node: Node) -> bool:
    """Write constants that an If hands over into its branches; drop what neither branch needs.

    Returns:
        Whether anything changed.
    """
    branches = branches_of(model, node)
    for index, value in enumerate(node.inputs[1:]):
        tensor = constant_of(value)
        for branch in branches:
            argument = branch.inputs[index].output
            if argument.shape is None:
                argument.shape = value.shape
            if tensor is not None and (argument.uses or branch.is_output(argument)):
                own_constant = branch.constant(tensor, name=value.node.name)
                branch.replace(argument, own_constant)
    outputs = [i for i, v in enumerate(node.outputs) if v.uses or graph.is_output(v)]
    for branch in branches:
        keep_results(branch, outputs)
    inputs = [
        index
        for index in range(len(node.inputs) - 1)
        if any(_is_read(branch, branch.inputs[index].output) for branch in branches)
    ]
    changed = len(outputs) < len(node.outputs) or len(inputs) < len(node.inputs) - 1
    if changed:
        for branch in branches:
            keep_parameters(branch, inputs)
        keep_outputs(node, outputs)
        graph.set_inputs(node, [node.inputs[0], *(node.inputs[1 + index] for index in inputs)])
        describe(node)
    return changed


def _is_read(branch: Graph, value: Value) -> bool:
    return bool(value.uses) or branch.is_output(value)


def _chosen(model: GraphModel, node: Node) -> Graph | None:
    """The branch that runs, where that is known."""
    tensor = constant_of(node.inputs[0])
    branches = branches_of(model, node)
    if node.op in CASES and len(branches) == 1:
        return branches[0]
    if tensor is None:
        return None
    value = tensor.array()
    if node.op in CASES:
        if value.size != 1:
            return None
        index = int(value.reshape(-1)[0])
        # TensorFlow takes the last branch for an index that is out of range.
        return branches[index if 0 <= index < len(branches) else -1]
    return branches[0 if _is_true(value) else 1]


def _is_true(value: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bool:
    # As `tf.cond` on something that is no bool: a number is true unless 0, a string unless empty,
    # another tensor where it has elements.
    return bool(value.reshape(-1)[0]) if value.ndim == 0 else value.size > 0


def _inline_branch(model: GraphModel, graph: Graph, node: Node, branch: Graph) -> None:
    inlined = inline_body(graph, branch, node.inputs[1:], node.name)
    own(model, [added for added in inlined.nodes if added.op in HOLDERS])
    for old, new in zip(node.outputs, inlined.outputs, strict=True):
        graph.replace(old, new)
    graph.erase(node)


def _lower_case(model: GraphModel, graph: Graph, node: Node) -> None:
    branches = branches_of(model, node)
    if len(branches) > _MOST_BRANCHES:
        return
    # An If hands the same values to both branches: each gets the index too.
    types = [value.type for value in [*node.inputs[1:], node.inputs[0]]]
    for branch in branches:
        parameter(branch, types[-1], "branch_index")
    rest = branches[-1]
    for index in range(len(branches) - 2, 0, -1):
        rest = _choose(model, node, index, branches[index], rest, types)
    build = Builder(graph, node.name, node.origin)
    first = np.array(0, np.int32)
    is_first = build.op("Equal", node.inputs[0], first, attrs={"T": node.inputs[0].dtype})
    values = [is_first, *node.inputs[1:], node.inputs[0]]
    attrs = {"then_branch": FuncRef(branches[0].name), "else_branch": FuncRef(rest.name)}
    choice = graph.add(
        "StatelessIf",
        values,
        attrs,
        [value.type for value in node.outputs],
        name=f"{node.name}/If",
        origin=node.origin,
    )
    describe(choice)
    for old, new in zip(node.outputs, choice.outputs, strict=True):
        graph.replace(old, new)
    name = node.name
    graph.erase(node)
    graph.rename(choice, name)


def _choose(
    model: GraphModel, node: Node, index: int, branch: Graph, rest: Graph, types: list[Type]
) -> Graph:
    """A function that runs a branch where the index is its own, and otherwise those behind it."""
    body = Graph()
    names = [entry.name for entry in branch.inputs]
    arguments = [
        parameter(body, type_, name).output for type_, name in zip(types, names, strict=True)
    ]
    build = Builder(body, node.name, node.origin)
    mine = np.array(index, np.int32)
    is_mine = build.op("Equal", arguments[-1], mine, attrs={"T": types[-1].dtype})
    choice = body.add(
        "StatelessIf",
        [is_mine, *arguments],
        {"then_branch": FuncRef(branch.name), "else_branch": FuncRef(rest.name)},
        [value.type for value in node.outputs],
        name=f"{node.name}/If",
        origin=node.origin,
    )
    describe(choice)
    body.outputs = list(choice.outputs)
    body.output_names = [f"output_{number}" for number in range(len(choice.outputs))]
    add_function(model, body, f"{branch.name}_or_later")
    return body
