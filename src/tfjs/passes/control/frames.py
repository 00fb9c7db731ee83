"""Loops of TF1, made of Enter, Merge, Switch, NextIteration and Exit, become While nodes.

How such a loop looks: tensorflow/core/common_runtime/lower_while_op.cc and
tensorflow/python/ops/control_flow_ops.py. A loop that looks different is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tfjs.ir.graph import Graph, GraphModel, Node, Type, Value
from tfjs.passes.control.holders import add_function, describe, parameter

ENTERS = frozenset({"Enter", "RefEnter"})
_MERGES = frozenset({"Merge", "RefMerge"})
_SWITCHES = frozenset({"Switch", "RefSwitch"})
_EXITS = frozenset({"Exit", "RefExit"})
_NEXTS = frozenset({"NextIteration", "RefNextIteration"})
# They give other numbers in each step, also where nothing of the loop goes into them.
_RANDOM = frozenset(
    {"RandomUniform", "RandomStandardNormal", "RandomUniformInt", "TruncatedNormal", "Multinomial"}
)


@dataclass(slots=True)
class _Variable:
    """A variable of a loop: its nodes, each for one thing that happens to it."""

    enter: Node
    merge: Node
    switch: Node
    following: Value
    exits: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class _Frame:
    """A loop: its variables, the values that it reads unchanged, and what it tests."""

    name: str
    nodes: set[Node]
    variables: list[_Variable]
    fixed: list[Node]
    test: Value


def raise_frames(model: GraphModel, graph: Graph) -> tuple[int, list[str]]:
    """Make the TF1 loops of a graph While nodes, inner ones first.

    Returns:
        How many, and the frames that look different from what TensorFlow makes.
    """
    left = _enters(graph)
    asked = {value.node for value in graph.outputs if value.node.op not in _EXITS}
    count = 0
    strange: list[str] = []
    progress = True
    while left and progress:
        progress = False
        for name, enters in list(left.items()):
            nodes = _inside(enters)
            if nodes is None:
                continue
            del left[name]
            progress = True
            frame = None if nodes & asked else _read_frame(name, enters, nodes)
            if frame is None:
                strange.append(name)
            else:
                _raise(model, graph, frame)
                count += 1
    # What lies around a frame that stays, stays too.
    return count, sorted([*strange, *left])


def _enters(graph: Graph) -> dict[str, list[Node]]:
    found: dict[str, list[Node]] = {}
    for node in graph.nodes.values():
        if node.op in ENTERS:
            name = node.attrs.get("frame_name")
            told = name.decode(errors="replace") if isinstance(name, bytes) else ""
            found.setdefault(told, []).append(node)
    return found


def _inside(enters: Sequence[Node]) -> set[Node] | None:
    """The nodes of a frame with its Exits; None where another frame lies in it."""
    own = set(enters)
    seen = set(enters)
    left = list(enters)
    while left:
        node = left.pop()
        if node.op in _EXITS:
            continue
        for value in node.outputs:
            for reader, _ in value.uses:
                if reader in seen:
                    continue
                if reader.op in ENTERS and reader not in own:
                    return None
                seen.add(reader)
                left.append(reader)
    return seen


def _read_frame(name: str, enters: Sequence[Node], nodes: set[Node]) -> _Frame | None:
    tests = [node for node in nodes if node.op == "LoopCond"]
    if len(tests) != 1:
        return None
    (test,) = tests
    variables, fixed = [], []
    for enter in enters:
        merges = [node for node in _readers(enter) if node.op in _MERGES]
        if not merges:
            fixed.append(enter)
            continue
        found = _variable(enter, merges, test)
        if found is None or any(node not in nodes for node in (found.merge, found.switch)):
            return None
        variables.append(found)
    known = {variable.merge for variable in variables}
    exits = {node for variable in variables for node in variable.exits}
    loops = {node for node in nodes if node.op in _EXITS and node not in exits}
    circles = [node for node in nodes if node.op in _MERGES and _comes_back(node)]
    if loops or any(node not in known for node in circles) or not variables:
        return None
    return _Frame(name, nodes, variables, fixed, test.inputs[0])


def _variable(enter: Node, merges: Sequence[Node], test: Node) -> _Variable | None:
    if len(merges) != 1 or len(merges[0].inputs) != 2:
        return None
    merge = merges[0]
    back = [value.node for value in merge.inputs if value.node.op in _NEXTS]
    switches = [
        node
        for node in _readers(merge)
        if node.op in _SWITCHES and node.inputs[1].node is test and node.inputs[0] is merge.output
    ]
    if len(back) != 1 or len(switches) != 1 or merge.outputs[1].uses:
        return None
    exits = [node for node, _ in switches[0].outputs[0].uses]
    if any(node.op not in _EXITS for node in exits):
        return None
    return _Variable(enter, merge, switches[0], back[0].inputs[0], exits)


def _comes_back(node: Node) -> bool:
    return any(value.node.op in _NEXTS for value in node.inputs)


def _readers(node: Node) -> Iterator[Node]:
    yield from dict.fromkeys(reader for value in node.outputs for reader, _ in value.uses)


def _raise(model: GraphModel, graph: Graph, frame: _Frame) -> None:
    """Put a While in the place of a frame."""
    inputs = [variable.enter.inputs[0] for variable in frame.variables]
    inputs += [node.inputs[0] for node in frame.fixed]
    types = [variable.merge.output.type for variable in frame.variables]
    types += [value.type for value in inputs[len(types) :]]
    names = [variable.enter.name for variable in frame.variables]
    names += [node.name for node in frame.fixed]
    cond, body = _Cut(frame, types, names), _Cut(frame, types, names)
    cond.give([frame.test])
    body.give([variable.following for variable in frame.variables])
    # What both read from outside becomes a variable of both.
    captured = list(dict.fromkeys([*cond.captured, *body.captured]))
    for cut in (cond, body):
        cut.capture(captured)
    body.give_back(len(frame.variables))
    inputs += captured
    attrs = {
        "cond": add_function(model, cond.graph, f"{frame.name}_cond"),
        "body": add_function(model, body.graph, f"{frame.name}_body"),
    }
    origin = [node.name for node in frame.nodes if node.op in ENTERS]
    node = graph.add(
        "StatelessWhile",
        inputs,
        attrs,
        [Type(value.dtype) for value in inputs],
        name=frame.name.rstrip("/") or "while",
        origin=sorted(origin),
    )
    for index, variable in enumerate(frame.variables):
        node.outputs[index].shape = variable.merge.output.shape
        for leave in variable.exits:
            graph.replace(leave.output, node.outputs[index])
    describe(node)
    _remove(graph, frame)


def _remove(graph: Graph, frame: _Frame) -> None:
    for node in frame.nodes:
        graph.set_inputs(node, [])
    for node in frame.nodes:
        if not graph.is_output(node):
            graph.erase(node)


class _Cut:
    """The condition or the body of a frame as a function."""

    def __init__(self, frame: _Frame, types: Sequence[Type], names: Sequence[str]) -> None:
        self.graph = Graph()
        self.frame = frame
        # Values from outside, in the order in which they were met.
        self.captured: dict[Value, Node] = {}
        self.values: dict[Value, Value] = {}
        arguments = [
            parameter(self.graph, type_, name).output
            for type_, name in zip(types, names, strict=True)
        ]
        for variable, argument in zip(frame.variables, arguments, strict=False):
            self.values[variable.merge.output] = argument
            # In the body, what the Switch lets through is the variable.
            self.values[variable.switch.outputs[1]] = argument
        fixed = arguments[len(frame.variables) :]
        for node, argument in zip(frame.fixed, fixed, strict=True):
            self.values[node.output] = argument

    def give(self, wanted: Sequence[Value]) -> None:
        """Copy what makes values, and give them as outputs."""
        copies: list[tuple[Node, Node]] = []
        left = [value for value in wanted if value not in self.values]
        while left:
            value = left.pop()
            if value in self.values:
                continue
            node = value.node
            if node in self.frame.nodes or _is_own(node):
                types = [output.type for output in node.outputs]
                copy = self.graph.add(
                    node.op, [], node.attrs, types, name=node.name, origin=node.origin
                )
                self.values.update(zip(node.outputs, copy.outputs, strict=True))
                copies.append((node, copy))
                left += node.inputs
            else:
                argument = parameter(self.graph, value.type, node.name)
                self.captured[value] = argument
                self.values[value] = argument.output
        for node, copy in copies:
            self.graph.set_inputs(copy, [self.values[value] for value in node.inputs])
        self.graph.outputs = [self.values[value] for value in wanted]
        self.graph.output_names = [f"output_{index}" for index in range(len(wanted))]

    def capture(self, wanted: Sequence[Value]) -> None:
        """Order the arguments for values from outside as the whole loop has them."""
        before = self.graph.inputs[: len(self.graph.inputs) - len(self.captured)]
        self.graph.inputs = before
        for value in wanted:
            found = self.captured.get(value)
            if found is None:
                parameter(self.graph, value.type, value.node.name)
            else:
                self.graph.inputs.append(found)

    def give_back(self, start: int) -> None:
        """Give the arguments from some index on as they came."""
        for index, node in enumerate(self.graph.inputs[start:], start):
            self.graph.outputs.append(node.output)
            self.graph.output_names.append(f"output_{index}")


def _is_own(node: Node) -> bool:
    """Whether a node that no Enter leads to belongs into the loop all the same."""
    return node.op == "Const" or node.op in _RANDOM
