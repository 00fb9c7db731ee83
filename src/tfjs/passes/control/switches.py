"""Switch and Merge of TF1 conditions, outside of loops.

A predicate that is constant leaves one branch. Constants in a branch are held there by control
inputs alone, which TF.js does not follow: a Merge of two constants would always take the first.
"""

from __future__ import annotations

import numpy as np

from tfjs.ir.graph import Graph, Node, Value, constant_of
from tfjs.ops.build import Builder

_SWITCHES = frozenset({"Switch", "RefSwitch"})
_MANY = "_SwitchN"
_MERGES = frozenset({"Merge", "RefMerge"})
_NEXTS = frozenset({"NextIteration", "RefNextIteration"})


def tie_to_branches(graph: Graph) -> int:
    """Make values that only a control input holds in a branch depend on the branch by data.

    It must run before control inputs are dropped.

    Returns:
        How many values were tied.
    """
    merges = [node for node in graph.nodes.values() if node.op in _MERGES]
    if not merges:
        return 0
    switched = _after_switches(graph)
    count = 0
    for merge in merges:
        if any(value.node.op in _NEXTS for value in merge.inputs):
            continue
        for index, value in enumerate(list(merge.inputs)):
            pivot = None if value.node in switched else _pivot(value.node)
            if pivot is None:
                continue
            node = pivot.node
            types = [value.type for _ in node.outputs]
            attrs = {**node.attrs, "T": value.dtype}
            name = f"{merge.name}/Switch"
            op = _MANY if node.op == _MANY else "Switch"
            tie = graph.add(op, [value, node.inputs[1]], attrs, types, name=name)
            graph.set_input(merge, index, tie.outputs[pivot.index])
            count += 1
    return count


def _after_switches(graph: Graph) -> set[Node]:
    """The nodes that wait for a Switch by data."""
    found = {node for node in graph.nodes.values() if node.op in _SWITCHES or node.op == _MANY}
    left = list(found)
    while left:
        node = left.pop()
        for value in node.outputs:
            for reader, _ in value.uses:
                if reader not in found:
                    found.add(reader)
                    left.append(reader)
    return found


def _pivot(start: Node) -> Value | None:
    """The output of a Switch that a node, or what it reads, waits for by a control input."""
    seen: set[Node] = set()
    left = [start]
    while left:
        node = left.pop()
        if node in seen:
            continue
        seen.add(node)
        for other in node.controls:
            held = other.inputs[0] if other.op == "Identity" else None
            if held is not None and held.node.op in (*_SWITCHES, _MANY):
                return held
            if other.op not in (*_SWITCHES, _MANY):
                left.append(other)
        left += [value.node for value in node.inputs]
    return None


def lower_many_way_switches(graph: Graph) -> int:
    """Make each `_SwitchN`, into which TensorFlow lowers a Case when it freezes, a row of Switches.

    Returns:
        How many there were.
    """
    nodes = [node for node in graph.nodes.values() if node.op == "_SwitchN"]
    for node in nodes:
        value, index = node.inputs
        last = len(node.outputs) - 1
        build = Builder(graph, node.name, node.origin)
        taken: list[Value] = []
        # As for a Case, the last one is for an index out of range too.
        for number in range(last):
            wanted = np.array(number, np.int32)
            taken.append(build.op("Equal", index, wanted, attrs={"T": "int32"}))
        rest = build.constant(np.array(False))
        for mine in taken:
            rest = build.op("LogicalOr", rest, mine)
        for number, output in enumerate(node.outputs):
            side = 1 if number < last else 0
            predicate = taken[number] if number < last else rest
            switch = graph.add(
                "Switch",
                [value, predicate],
                {"T": value.dtype},
                [value.type, value.type],
                name=f"{node.name}/Switch",
                origin=node.origin,
            )
            graph.replace(output, switch.outputs[side])
        graph.erase(node)
    return len(nodes)


def settle_switches(graph: Graph) -> int:
    """Leave the live branch alone where the predicate of a Switch is constant.

    Returns:
        How many Switch nodes went.
    """
    if not any(node.op in _SWITCHES for node in graph.nodes.values()):
        return 0
    dead: set[Value] = set()
    count = 0
    # In order: what one Switch lets through may be the predicate of the next.
    for node in graph.ordered():
        if node.op in _MERGES:
            _settle_merge(graph, node, dead)
        elif any(value in dead for value in node.inputs):
            dead.update(node.outputs)
        elif node.op in _SWITCHES and constant_of(node.inputs[1]) is not None:
            side = 1 if _predicate(node) else 0
            dead.add(node.outputs[1 - side])
            graph.replace(node.outputs[side], node.inputs[0])
            count += 1
    if count:
        graph.prune()
    return count


def _predicate(node: Node) -> bool:
    tensor = constant_of(node.inputs[1])
    return tensor is not None and bool(tensor.array().reshape(-1)[:1].any())


def _settle_merge(graph: Graph, node: Node, dead: set[Value]) -> None:
    live = [index for index, value in enumerate(node.inputs) if value not in dead]
    if len(live) == len(node.inputs):
        return
    if not live:
        dead.update(node.outputs)
    elif len(live) == 1:
        graph.replace(node.outputs[0], node.inputs[live[0]])
        if node.outputs[1].uses or graph.is_output(node.outputs[1]):
            chosen = graph.constant(np.array(live[0], np.int32), name=f"{node.name}/value_index")
            graph.replace(node.outputs[1], chosen)
    elif not node.outputs[1].uses:
        graph.set_inputs(node, [node.inputs[index] for index in live])
        node.attrs["N"] = len(live)
