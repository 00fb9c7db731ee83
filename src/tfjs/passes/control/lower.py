"""Loops and choices as TF1 has them: Enter, Merge, Switch, NextIteration, Exit.

How they are made: tensorflow/core/common_runtime/lower_{while,if}_op.cc. TF.js follows no control
inputs, and runs what depends on no variable of a loop only once, outside of it: so every value
that enters a loop, a branch or a next step must depend on it by data.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from tfjs.ir.graph import Graph, GraphModel, Node, Type, Value
from tfjs.passes.control.holders import CHOICES, HOLDERS, LOOPS, branches_of, loop_of, own
from tfjs.passes.inline import Inlined, inline_body

# Their outputs belong to a step or a branch, or to the call of the model.
_BOUND = frozenset({"Placeholder", "PlaceholderWithDefault", "Switch", "Merge", "Enter", "Exit"})


class _Gate(NamedTuple):
    """The place where a node stands: a branch, or the body of a loop."""

    predicate: Value
    side: int


def lower_to_v1(model: GraphModel) -> int:
    """Write If and While of the main graph, and those in them, as TF1's operations.

    Returns:
        How many there were.
    """
    return _Lowering(model).run()


class _Lowering:
    def __init__(self, model: GraphModel) -> None:
        self.model = model
        self.graph = model.graph
        self.gates: dict[Node, _Gate] = {}
        self.floating: dict[Node, bool] = {}
        self.frames: set[str] = {
            name.decode(errors="replace").lower()
            for node in self.graph.nodes.values()
            if node.op == "Enter" and isinstance(name := node.attrs.get("frame_name"), bytes)
        }

    def run(self) -> int:
        waiting = deque(node for node in self.graph.nodes.values() if node.op in LOOPS | CHOICES)
        count = 0
        while waiting:
            node = waiting.popleft()
            gate = self.gates.get(node)
            inner = self._loop(node, gate) if node.op in LOOPS else self._choice(node, gate)
            waiting.extend(inner)
            count += 1
        return count

    def _choice(self, node: Node, gate: _Gate | None) -> list[Node]:
        predicate = self._bound(node.inputs[0], gate, node.name)
        inner: list[Node] = []
        results: list[list[Value]] = []
        switches = [self._switch(value, predicate, node.name) for value in node.inputs[1:]]
        for side, branch in zip((1, 0), branches_of(self.model, node), strict=True):
            place = _Gate(predicate, side)
            prefix = f"{node.name}/{'then' if side else 'else'}"
            inlined = self._inline(
                branch, [entry.outputs[side] for entry in switches], prefix, place
            )
            inner += [entry for entry in inlined.nodes if entry.op in LOOPS | CHOICES]
            results.append([self._bound(value, place, prefix) for value in inlined.outputs])
        for old, then, other in zip(node.outputs, *results, strict=True):
            self.graph.replace(old, self._merge(node, old.type, [other, then]))
        self.graph.erase(node)
        return inner

    def _loop(self, node: Node, gate: _Gate | None) -> list[Node]:
        cond, body = loop_of(self.model, node)
        name, types = node.name, [value.type for value in node.outputs]
        frame = self._frame(name)
        merges = []
        for value, type_ in zip(node.inputs, types, strict=True):
            attrs = {
                "T": type_.dtype,
                "frame_name": frame.encode(),
                "is_constant": False,
                "parallel_iterations": 10,
            }
            start = self._bound(value, gate, name)
            enter = self.graph.add("Enter", [start], attrs, [type_], name=f"{name}/Enter")
            # The second input is the next step's, which is not there yet.
            merges.append(self._merge(node, type_, [enter.output, enter.output]))
        tested = self._inline(cond, merges, f"{name}/cond", None)
        test = self.graph.add(
            "LoopCond", tested.outputs, {}, [Type("bool", ())], name=f"{name}/LoopCond"
        )
        place = _Gate(test.output, 1)
        switches = [self._switch(value, test.output, name) for value in merges]
        inlined = self._inline(
            body, [entry.outputs[1] for entry in switches], f"{name}/body", place
        )
        for old, merge, switch, value in zip(
            node.outputs, merges, switches, inlined.outputs, strict=True
        ):
            attrs = {"T": old.dtype}
            given = self._bound(value, place, name)
            following = self.graph.add(
                "NextIteration", [given], attrs, [old.type], name=f"{name}/NextIteration"
            )
            self.graph.set_input(merge.node, 1, following.output)
            leave = self.graph.add(
                "Exit", [switch.outputs[0]], attrs, [old.type], name=f"{name}/Exit"
            )
            self.graph.replace(old, leave.output)
        self.graph.erase(node)
        found = [*tested.nodes, *inlined.nodes]
        return [entry for entry in found if entry.op in LOOPS | CHOICES]

    def _inline(
        self, body: Graph, arguments: Sequence[Value], prefix: str, gate: _Gate | None
    ) -> Inlined:
        inlined = inline_body(self.graph, body, arguments, prefix)
        holders = [entry for entry in inlined.nodes if entry.op in HOLDERS]
        own(self.model, holders)
        if gate is not None:
            self.gates.update(dict.fromkeys(holders, gate))
        return inlined

    def _switch(self, value: Value, predicate: Value, name: str) -> Node:
        return self.graph.add(
            "Switch",
            [value, predicate],
            {"T": value.dtype},
            [value.type, value.type],
            name=f"{name}/Switch",
        )

    def _merge(self, node: Node, type_: Type, values: Sequence[Value]) -> Value:
        return self.graph.add(
            "Merge",
            values,
            {"T": type_.dtype, "N": len(values)},
            [type_, Type("int32", ())],
            name=f"{node.name}/Merge",
        ).output

    def _bound(self, value: Value, gate: _Gate | None, name: str) -> Value:
        """A value that belongs to the place where it is used; a Switch makes it so."""
        if gate is None or not self._floats(value.node):
            return value
        return self._switch(value, gate.predicate, name).outputs[gate.side]

    def _floats(self, node: Node) -> bool:
        """Whether a node depends on no input, loop or branch."""
        left = [node]
        while left:
            entry = left[-1]
            before = [value.node for value in entry.inputs]
            unknown = [other for other in before if other not in self.floating]
            if entry.op in _BOUND or entry.op in HOLDERS or not unknown:
                floats = entry.op not in _BOUND and entry.op not in HOLDERS
                self.floating[entry] = floats and all(self.floating[other] for other in before)
                left.pop()
            else:
                left += unknown
        return self.floating[node]

    def _frame(self, name: str) -> str:
        # TF.js reads it in small letters.
        found, count = name.lower(), 0
        while found in self.frames:
            count += 1
            found = f"{name.lower()}_{count}"
        self.frames.add(found)
        return found
