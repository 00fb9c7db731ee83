"""Loops whose steps can be counted beforehand are written out, so that `predict()` runs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfjs.ir.graph import Graph, GraphModel, Node, Value, constant_of, held
from tfjs.ir.tensor import Array
from tfjs.ops.base import MOST_LOOKED_AT, evaluate, find
from tfjs.ops.definitions import definition
from tfjs.passes.control.holders import HOLDERS, loop_of, own
from tfjs.passes.control.variables import cone
from tfjs.passes.inline import inline_body

# A step of a Keras LSTM is some 25 nodes: 160 steps of it fit. TF.js spends some microseconds a
# node, and a page has to load what is written out: beyond this a loop is better off as one.
MOST_NODES_A_LOOP = 4096
MOST_NODES_A_MODEL = 1 << 15
# What is computed to count the steps of all loops.
_MOST_COMPUTED = 1 << 18


@dataclass(slots=True)
class Budget:
    """What may still be spent on a model.

    Attributes:
        nodes: how many nodes may be added.
        computed: how many nodes may be computed to count steps.
    """

    nodes: int = MOST_NODES_A_MODEL
    computed: int = _MOST_COMPUTED


def unroll_loop(model: GraphModel, graph: Graph, node: Node, budget: Budget) -> str | None:
    """Write a loop out, where its steps can be counted and are few.

    Returns:
        Why the loop stays; None where it is gone.
    """
    cond, body = loop_of(model, node)
    size = _size_of_step(model, body)
    most = min(MOST_NODES_A_LOOP, budget.nodes) // size
    counted = _count_steps(cond, body, node.inputs, most, budget)
    if isinstance(counted, str):
        return counted
    budget.nodes -= counted * size
    _unroll(model, graph, node, body, counted)
    return None


def _size_of_step(model: GraphModel, body: Graph) -> int:
    """How many nodes one step adds, those of functions in it too; constants are shared."""
    count = 0
    left = [body]
    while left:
        graph = left.pop()
        for node in graph.nodes.values():
            left += [model.functions[reference.name] for reference in held(node)]
            count += node.op not in ("Const", "Placeholder") or graph is not body
    return max(1, count)


def _count_steps(
    cond: Graph, body: Graph, inputs: Sequence[Value], most: int, budget: Budget
) -> int | str:
    """How many steps a loop makes, found by computing what its condition depends on.

    Returns:
        The number, or why there is none: it is beyond `most`, say.
    """
    of_cond = _Slice(cond, cond.outputs)
    needed = _deciding(of_cond, body)
    of_body = _Slice(body, [body.outputs[index] for index in needed])
    state: dict[int, Array | None] = {index: _known(inputs[index]) for index in needed}
    for step in range(most + 1):
        budget.computed -= len(of_cond.nodes) + len(of_body.nodes)
        if budget.computed < 0:
            return "counting the steps of all loops takes too long"
        (verdict,) = of_cond.compute(state)
        if verdict is None:
            return "its number of steps is known only when it runs"
        if not verdict.reshape(-1)[:1].any():
            return step
        state = dict(zip(needed, of_body.compute(state), strict=True))
    return f"it has more than {most} steps"


def _deciding(cond: _Slice, body: Graph) -> list[int]:
    """The variables that the condition depends on, over any number of steps."""
    positions = {entry: index for index, entry in enumerate(body.inputs)}
    needed: set[int] = set()
    left = list(cond.reads)
    seen: set[Node] = set()
    while left:
        index = left.pop()
        if index not in needed:
            needed.add(index)
            found = cone([body.outputs[index]], seen)
            left += [positions[entry] for entry in found if entry in positions]
    return sorted(needed)


class _Slice:
    """Some outputs of a function, and the nodes that make them, in order."""

    def __init__(self, function: Graph, outputs: Sequence[Value]) -> None:
        self.outputs = list(outputs)
        wanted = set(cone(self.outputs))
        self.nodes = [node for node in function.ordered() if node in wanted]
        self.arguments = {
            node: index for index, node in enumerate(function.inputs) if node in wanted
        }
        self.reads = sorted(self.arguments.values())

    def compute(self, state: dict[int, Array | None]) -> list[Array | None]:
        """The outputs as far as they follow from what is known of the arguments."""
        known: dict[Value, Array | None] = {}
        for node in self.nodes:
            if node in self.arguments:
                found: Sequence[Array | None] = [state.get(self.arguments[node])]
            else:
                found = _compute(node, [known.get(value) for value in node.inputs])
            known.update(zip(node.outputs, found, strict=False))
        return [known.get(value) for value in self.outputs]


def _compute(node: Node, inputs: Sequence[Array | None]) -> Sequence[Array | None]:
    if node.op == "Const":
        return [_known(node.output)]
    nothing: list[Array | None] = [None] * len(node.outputs)
    short = _short_cut(node, inputs)
    if short is not None:
        return [short]
    given = [value for value in inputs if value is not None]
    op, known = find(node.op), definition(node.op)
    if len(given) < len(inputs) or op is None or op.kernel is None:
        return nothing
    if known is None or known.stateful or any(value.size > MOST_LOOKED_AT for value in given):
        return nothing
    try:
        return evaluate(node, given)
    except ValueError:
        return nothing


def _short_cut(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """What settles a conjunction or a disjunction, whatever the other side is."""
    settling = {"LogicalAnd": False, "LogicalOr": True}.get(node.op)
    if settling is not None:
        for value in inputs:
            if value is not None and value.ndim == 0 and bool(value) is settling:
                return value
    return None


def _known(value: Value) -> Array | None:
    tensor = constant_of(value)
    return None if tensor is None or tensor.size > MOST_LOOKED_AT else tensor.array()


def _unroll(model: GraphModel, graph: Graph, node: Node, body: Graph, steps: int) -> None:
    values = list(node.inputs)
    _share_constants(graph, node, body, values)
    for step in range(steps):
        inlined = inline_body(graph, body, values, f"{node.name}/{step}")
        own(model, [added for added in inlined.nodes if added.op in HOLDERS])
        # The shared constants stand behind the variables, and stay.
        values[: len(node.outputs)] = inlined.outputs
    for old, new in zip(node.outputs, values, strict=False):
        graph.replace(old, new)
    graph.erase(node)


def _share_constants(graph: Graph, node: Node, body: Graph, values: list[Value]) -> None:
    """Make the constants of a body arguments, so that all steps read one of each."""
    constants = [entry for entry in body.nodes.values() if constant_of(entry.output) is not None]
    for entry in constants:
        tensor = constant_of(entry.output)
        if tensor is None:
            continue
        name = f"{node.name}/{entry.name}"
        values.append(graph.constant(tensor, name=name, origin=entry.origin))
        argument = body.add("Placeholder", [], {}, [entry.output.type], name=f"{entry.name}/shared")
        body.inputs.append(argument)
        body.replace(entry.output, argument.output)
        body.erase(entry)
