"""What TF.js's executor needs of the functions of loops and choices that stay.

Found in `executor/graph_executor.js` and `operations/executors/control_executor.js` of
tfjs-converter 4.22, and each seen to go wrong; the tests say how:

* At the end of a function all tensors are disposed but its inputs, outputs and the weights: also
  those that it wrote into a list. So what is written must be an output, up to the main graph.
* A loop disposes what one step gave and the next does not give again, weights too. So no function
  gives a constant itself.
* Weights are found by name before any node is: a node of a function with the name of a constant
  in any graph would be that constant.
* Of two outputs of a function that stand on one node only one is given (F9).
"""

from __future__ import annotations

import numpy as np

from tfjs.ir.graph import Graph, GraphModel, Node, Type, Value, constant_of
from tfjs.passes.control.holders import (
    HOLDERS,
    LOOPS,
    add_result,
    branches_of,
    describe,
    graphs_of,
    loop_of,
    parameter,
)

# The operations that put a tensor into a list or an array, and which input it is.
_WRITTEN = {"TensorListSetItem": 2, "TensorListPushBack": 1, "TensorArrayWriteV3": 2}

# The initializer and the main graph know a table by one name.
_TABLES = frozenset({"HashTable", "HashTableV2"})


def settle_functions(model: GraphModel) -> None:
    """Make the functions of a model such that TF.js 4.22 runs them; the last pass of all.

    What it adds must stay: Identity nodes among it.
    """
    keeper = _Keeper(model)
    for graph in graphs_of(model):
        keeper.settle(graph)
    for body in model.functions.values():
        _part_outputs(body)
    _name_apart(model)


class _Keeper:
    """Carries what is written into lists out of functions, inner functions first."""

    def __init__(self, model: GraphModel) -> None:
        self.model = model
        # Of each function: the indices of arguments that it puts into lists.
        self.arguments: dict[str, list[int]] = {}

    def settle(self, graph: Graph) -> None:
        """Let a graph give what it writes into lists; the functions in it are done already."""
        written: dict[Value, None] = {}
        for node in list(graph.nodes.values()):
            if node.op in _WRITTEN:
                written[node.inputs[_WRITTEN[node.op]]] = None
            elif node.op in HOLDERS:
                for value in self._written_by(graph, node):
                    written[value] = None
        if not graph.name:
            return  # nothing is disposed before the main graph has run
        positions = {node: index for index, node in enumerate(graph.inputs)}
        self.arguments[graph.name] = [
            positions[value.node] for value in written if value.node in positions
        ]
        for value in written:
            if value.node not in positions and constant_of(value) is None:
                _give(graph, value)

    def _written_by(self, graph: Graph, node: Node) -> list[Value]:
        """What a node's functions put into lists, as values of the graph around it."""
        model = self.model
        is_loop = node.op in LOOPS
        bodies = [loop_of(model, node)[1]] if is_loop else branches_of(model, node)
        found = [
            node.inputs[index if is_loop else index + 1]
            for body in bodies
            for index in self.arguments.get(body.name, ())
        ]
        before = len(node.outputs)
        if is_loop:
            self._widen_loop(graph, node)
        else:
            self._widen_choice(graph, node, bodies)
        return found + node.outputs[before:]

    def _widen_loop(self, graph: Graph, node: Node) -> None:
        """Give a loop a variable for each output that was added to its body."""
        cond, body = loop_of(self.model, node)
        added = body.outputs[len(node.outputs) :]
        for value in added:
            type_ = Type(value.dtype)
            for function in (cond, body):
                parameter(function, type_, f"{value.node.name}/before")
            start = graph.constant(_nothing(value), name=f"{node.name}/nothing")
            graph.set_inputs(node, [*node.inputs, start])
            node.outputs.append(Value(node, len(node.outputs), type_))
        if added:
            describe(node)

    def _widen_choice(self, graph: Graph, node: Node, branches: list[Graph]) -> None:
        """Let the other branch give something, too, for what one branch gives in addition."""
        before = len(node.outputs)
        extra = [branch.outputs[before:] for branch in branches]
        for position, values in enumerate(extra):
            for value in values:
                node.outputs.append(Value(node, len(node.outputs), Type(value.dtype)))
            for other, branch in enumerate(branches):
                if other != position:
                    for value in values:
                        nothing = branch.constant(_nothing(value), name="nothing")
                        add_result(branch, nothing, "nothing")
            if position == 0 and values:
                # The second branch's own go behind those of the first.
                own = len(branches[1].outputs) - len(values)
                first = branches[1].outputs[before:own]
                branches[1].outputs[before:] = [*branches[1].outputs[own:], *first]
        if len(node.outputs) > before:
            describe(node)


def _nothing(value: Value) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """Something of the dtype of a value, that is never looked at."""
    dtype = value.dtype if value.dtype in ("bool", "int32", "float32") else "float32"
    return np.zeros((), dtype)


def _give(graph: Graph, value: Value) -> None:
    """Let the very tensor of a value, and no copy, be an output."""
    standing = [output for output in graph.outputs if output.node is value.node]
    if value.index == 0 and (not standing or standing[0] is value):
        if not standing:
            add_result(graph, value, f"{value.node.name}_kept")
        return
    # Another output stands on the node, and one node gives one output: a node of its own.
    copy = _identity(graph, value, f"{value.node.name}/kept")
    for reader, index in list(value.uses):
        is_holder = reader.op in HOLDERS
        if _WRITTEN.get(reader.op) == index or (is_holder and reader is not copy.node):
            graph.set_input(reader, index, copy)
    add_result(graph, copy, f"{value.node.name}_kept")


def _part_outputs(body: Graph) -> None:
    """Let each output stand on a node of its own, which is no constant."""
    taken: set[Node] = set()
    for index, value in enumerate(list(body.outputs)):
        if value.node in taken or value.index or constant_of(value) is not None:
            body.outputs[index] = _identity(body, value, f"{value.node.name}/output")
        taken.add(body.outputs[index].node)


def _identity(graph: Graph, value: Value, name: str) -> Value:
    attrs = {"T": value.dtype}
    return graph.add("Identity", [value], attrs, [value.type], name=name).output


def _name_apart(model: GraphModel) -> None:
    """Give the nodes of functions and of the initializer names that no other graph has.

    Constants of one tensor may share a name: it is stored once. Tables have theirs in common.
    """
    constants: dict[str, object] = {}
    for node in model.graph.nodes.values():
        if node.op == "Const":
            constants[node.name] = constant_of(node.output)
    taken = set(model.graph.nodes)
    others = [(body.name, body) for body in model.functions.values()]
    if model.initializer is not None:
        others.append(("initializer", model.initializer))
    for prefix, graph in others:
        for node in list(graph.nodes.values()):
            if node.op not in _TABLES:
                _name_one(graph, node, prefix, taken, constants)


def _name_one(
    graph: Graph, node: Node, prefix: str, taken: set[str], constants: dict[str, object]
) -> None:
    tensor = constant_of(node.output) if node.op == "Const" else None
    if tensor is not None and constants.get(node.name) is tensor:
        return
    if node.name in taken:
        base = name = f"{prefix}/{node.name}"
        count = 0
        while name in taken or name in graph.nodes:
            count += 1
            name = f"{base}_{count}"
        graph.rename(node, name)
    taken.add(node.name)
    if tensor is not None:
        constants[node.name] = tensor
