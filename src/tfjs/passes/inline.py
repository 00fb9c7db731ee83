"""Calls of functions are replaced by the bodies of the functions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from tfjs.errors import UnsupportedError
from tfjs.ir.graph import FuncRef, Graph, GraphModel, Node, Value, held, waiters_of

# Functions that call each other twice a level grow without bound; no model comes near this.
MOST_NODES = 150_000
_BODY = 20  # nodes, that it takes as long to copy a body as
CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
# Calls in calls, thousands deep, would make names that are longer than all else in the graph.
_LONGEST_PREFIX = 1000


class Inlined(NamedTuple):
    """What a body became.

    Attributes:
        outputs: the values that stand for the outputs of the body.
        targets: the nodes that stand for those that the body runs for what they do.
        nodes: all nodes that were added.
    """

    outputs: list[Value]
    targets: list[Node]
    nodes: list[Node]


def inline_body(graph: Graph, body: Graph, arguments: Sequence[Value], prefix: str) -> Inlined:
    """Copy the body of a function into a graph.

    Args:
        graph: where to.
        body: the function; it is not changed.
        arguments: what takes the place of its inputs, in their order.
        prefix: goes before the names of its nodes, with a slash; "" for none. In place of one
            that is very long, the name of the function goes there.
    """
    if len(prefix) > _LONGEST_PREFIX:
        prefix = body.name[:_LONGEST_PREFIX]
    values: dict[Value, Value] = {}
    for parameter, argument in zip(body.inputs, arguments, strict=True):
        values[parameter.output] = argument
    parameters = set(body.inputs)
    copies: dict[Node, Node] = {}
    for node in body.nodes.values():
        if node in parameters:
            continue
        name = f"{prefix}/{node.name}" if prefix else node.name
        types = [value.type for value in node.outputs]
        copy = graph.add(node.op, [], node.attrs, types, name=name)
        copies[node] = copy
        values.update(zip(node.outputs, copy.outputs, strict=True))
    for node, copy in copies.items():
        graph.set_inputs(copy, [values[value] for value in node.inputs])
        copy.controls = [copies[other] for other in node.controls if other in copies]
    return Inlined(
        [values[value] for value in body.outputs],
        [copies[node] for node in body.targets if node in copies],
        list(copies.values()),
    )


def inline_calls(model: GraphModel) -> None:
    """Inline every call, in the main graph, the initializer and all bodies that stay functions.

    Where one call gives all outputs of the main graph, as in SavedModels of TF 2, its nodes keep
    the names that they have in the function.

    Raises:
        UnsupportedError: the functions make a graph of absurd size.
    """
    graphs = [model.graph, *([model.initializer] if model.initializer else [])]
    for graph in graphs:
        _inline(graph, model)
    own_bodies(model)


def own_bodies(model: GraphModel) -> None:
    """Give each node that holds functions copies of its own, with all calls in them inlined.

    What such a node hands over then can be written into the body.
    """
    if not model.functions:
        return  # nothing to look for in a hundred thousand nodes
    made: dict[str, Graph] = {}
    graphs = deque([model.graph, *([model.initializer] if model.initializer else [])])
    counts: dict[str, int] = {}
    count = 0
    while graphs:
        graph = graphs.popleft()
        for node in graph.nodes.values():
            for reference in held(node):
                body = copied(model.functions[reference.name], _free(reference.name, made, counts))
                made[body.name] = body
                _inline(body, model)
                count += len(body.nodes) + _BODY
                if count > MOST_NODES:
                    raise _too_many()
                graphs.append(body)
                _refer(node, reference, body.name)
    model.functions = made


def copied_model(model: GraphModel) -> GraphModel:
    """A copy of a model, to change without changing it."""
    return replace(
        model,
        graph=copied(model.graph, model.graph.name),
        functions={name: copied(body, name) for name, body in model.functions.items()},
        initializer=None if model.initializer is None else copied(model.initializer, ""),
        signature=replace(model.signature),
        notes=list(model.notes),
    )


def copied(body: Graph, name: str) -> Graph:
    """A copy of a graph under another name, with the same nodes in the same order."""
    result = Graph(name)
    arguments = []
    for node in body.inputs:
        types = [value.type for value in node.outputs]
        parameter = result.add(node.op, [], node.attrs, types, name=node.name)
        result.inputs.append(parameter)
        arguments.append(parameter.output)
    inlined = inline_body(result, body, arguments, "")
    result.outputs = inlined.outputs
    result.output_names = list(body.output_names)
    result.targets = inlined.targets
    result.nodes = {node: result.nodes[node] for node in body.nodes}
    return result


def _inline(graph: Graph, model: GraphModel) -> None:
    calls = [node for node in graph.nodes.values() if node.op in CALLS]
    if not calls:
        return
    if _size_inlined(calls, model) > MOST_NODES:
        raise _too_many()
    waiting = deque(calls)
    wrapper = _wrapper(graph)
    order = _Order(graph)
    while waiting:
        node = waiting.popleft()
        body = model.functions[node.attrs["f"].name]
        inlined = inline_body(graph, body, node.inputs, "" if node is wrapper else node.name)
        for old, new in zip(node.outputs, inlined.outputs, strict=True):
            graph.replace(old, new)
        order.replace(node, inlined)
        graph.erase(node)
        waiting.extend(node for node in inlined.nodes if node.op in CALLS)
    order.write()


def _size_inlined(calls: Iterable[Node], model: GraphModel) -> int:
    """How many nodes calls add when they and all calls within are inlined."""
    called: dict[str, list[str]] = {}
    sizes: dict[str, int] = {}
    wanted = [node.attrs["f"].name for node in calls]
    left = list(wanted)
    while left:
        name = left[-1]
        if name in sizes:
            left.pop()
            continue
        body = model.functions[name]
        if name not in called:
            called[name] = [n.attrs["f"].name for n in body.nodes.values() if n.op in CALLS]
            left += [callee for callee in dict.fromkeys(called[name]) if callee not in sizes]
            continue
        inner = sum(sizes[callee] for callee in called[name])
        sizes[name] = len(body.nodes) - len(body.inputs) + inner
        left.pop()
    return sum(sizes[name] for name in wanted)


def _wrapper(graph: Graph) -> Node | None:
    """The call that gives all outputs of the main graph; None where there is no such call."""
    makers = {value.node for value in graph.outputs}
    node = next(iter(makers)) if len(makers) == 1 and not graph.name else None
    return node if node is not None and node.op in CALLS else None


class _Order:
    """What waits for what in a graph, and its targets, while calls are replaced.

    Thousands of calls may be waited for by one node, or be targets: lists, searched for each of
    them, would take quadratic time.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._targets = dict.fromkeys(graph.targets)
        self._waiters = waiters_of(graph.nodes.values())
        # Of nodes for which that has changed.
        self._controls: dict[Node, dict[Node, None]] = {}

    def replace(self, call: Node, inlined: Inlined) -> None:
        """Who waited for a call waits for what it does, its body for what the call waited for."""
        for awaited, found in waiters_of(inlined.nodes).items():
            self._waiters.setdefault(awaited, []).extend(found)
        for other in self._waiters.pop(call, ()):
            self._of(other).pop(call, None)
            self._wait(other, inlined.targets)
        controls = list(self._controls.pop(call, call.controls))
        if controls:
            for added in inlined.nodes:
                self._wait(added, controls)
        if call in self._targets:
            del self._targets[call]
            self._targets.update(dict.fromkeys(inlined.targets))

    def write(self) -> None:
        """Tell the graph."""
        self._graph.targets = list(self._targets)
        for node, controls in self._controls.items():
            node.controls = list(controls)

    def _of(self, node: Node) -> dict[Node, None]:
        if node not in self._controls:
            self._controls[node] = dict.fromkeys(node.controls)
        return self._controls[node]

    def _wait(self, node: Node, others: Sequence[Node]) -> None:
        self._of(node).update(dict.fromkeys(others))
        for other in others:
            self._waiters.setdefault(other, []).append(node)


def _refer(node: Node, old: FuncRef, name: str) -> None:
    new = FuncRef(name)
    for key, value in node.attrs.items():
        if value is old:
            node.attrs[key] = new
        elif isinstance(value, list):
            node.attrs[key] = [new if item is old else item for item in value]


def _free(name: str, taken: dict[str, Graph], counts: dict[str, int]) -> str:
    """A name that is not taken; the counts save a search from one each time."""
    found = name
    while found in taken:
        counts[name] = counts.get(name, 0) + 1
        found = f"{name}_{counts[name]}"
    return found


def _too_many() -> UnsupportedError:
    return UnsupportedError(f"the functions of the model make more than {MOST_NODES:,} nodes")
