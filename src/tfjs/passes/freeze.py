"""Variables become constants: what a model has learnt does not change in the browser.

Rules: tensorflow/python/framework/convert_to_constants.py, as `formats_and_peers.md` B.3 sums them
up; what it does silently with a variable that the model itself changes is refused here.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from tfjs.errors import UnsupportedError
from tfjs.ir.graph import Attrs, Graph, GraphModel, Node, Value, following, held, waiters_of
from tfjs.ir.tensor import Tensor
from tfjs.ops.build import Builder

HANDLES = frozenset({"VarHandleOp"})
REFERENCES = frozenset({"VariableV2", "Variable", "TemporaryVariable"})
_VARIABLES = HANDLES | REFERENCES
_WRITES = frozenset(
    {"AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp", "Assign", "AssignAdd"}
    | {"AssignSub", "ScatterUpdate", "ScatterAdd", "ScatterSub", "ScatterNdUpdate", "ScatterNdAdd"}
    | {"ResourceScatterUpdate", "ResourceScatterAdd", "ResourceScatterSub", "ResourceScatterNdAdd"}
    | {"ResourceScatterNdUpdate", "ResourceStridedSliceAssign", "CountUpTo", "ResourceCountUpTo"}
)
# Attributes that hold a dtype, or a shape, for each value that a node with functions takes.
_LISTS = {"Tin": True, "T": True, "output_shapes": False}
_LOOPS = frozenset({"While", "StatelessWhile"})
# Variables that one walk over the graph looks after.
_AT_ONCE = 1 << 10
_Item = TypeVar("_Item")


def freeze(model: GraphModel) -> None:
    """Put constants in place of variables, and forget the order in which nodes must run.

    Raises:
        UnsupportedError: a variable has no value in the source, or its new value is read in the
            same run; all such variables are listed.
    """
    graphs = _with_bodies(model)
    _pass_handles_on(model)
    read = {
        node.name
        for graph in graphs
        for node in graph.nodes.values()
        if node.op in _VARIABLES and _is_read(node)
    }
    problems = [problem for graph in graphs for problem in _updates(graph, model, read)]
    for graph in graphs:
        problems += _freeze(graph, model)
    if problems:
        raise UnsupportedError(
            "the model has variables that cannot become constants",
            problems=problems,
            hint="export the model after it is trained or restored, for inference",
        )
    for graph in [model.graph, *model.functions.values()]:
        graph.targets = []
        for node in graph.nodes.values():
            if node.controls:
                node.controls = []
        graph.prune()


def _with_bodies(model: GraphModel) -> list[Graph]:
    main = [model.graph, *([model.initializer] if model.initializer else [])]
    return [*main, *model.functions.values()]


# Handles that functions take ---------------------------------------------------------------------


def _pass_handles_on(model: GraphModel) -> None:
    """Write the handles that If, Case and While hand over into their functions."""
    left = [model.graph, *([model.initializer] if model.initializer else [])]
    while left and model.functions:
        graph = left.pop()
        for node in graph.nodes.values():
            bodies = [model.functions[reference.name] for reference in held(node)]
            if bodies:
                _pass_on(graph, node, bodies)
                left += bodies


def _pass_on(graph: Graph, node: Node, bodies: Iterable[Graph]) -> None:
    is_loop = node.op in _LOOPS
    # If and Case take a predicate first, which no branch sees.
    offset = 0 if is_loop else 1
    passed = enumerate(node.inputs[offset:])
    handles = {place: value.node for place, value in passed if value.node.op in HANDLES}
    if handles:
        for body in bodies:
            _take(body, handles, is_loop=is_loop)
        _drop_inputs(graph, node, handles, offset)


def _take(body: Graph, handles: dict[int, Node], *, is_loop: bool) -> None:
    """Make the handles in the body, in place of its inputs at those places."""
    parameters = [body.inputs[place] for place in handles]
    passed = set()
    for place, handle in reversed(handles.items()):
        types = [value.type for value in handle.outputs]
        own = body.add(handle.op, [], handle.attrs, types, name=handle.name, origin=handle.origin)
        # The name tells which variable it is; a node of the body with that name gives way.
        if own.name != handle.name:
            body.rename(body.nodes[handle.name], f"{handle.name}_1")
            body.rename(own, handle.name)
        body.replace(body.inputs[place].output, own.output)
        if is_loop and len(body.outputs) > place and body.outputs[place] is own.output:
            passed.add(place)
    body.inputs = _without(body.inputs, handles)
    for parameter in parameters:
        body.erase(parameter)
    body.outputs = _without(body.outputs, passed)
    body.output_names = _without(body.output_names, passed)


def _drop_inputs(graph: Graph, node: Node, handles: Mapping[int, Node], offset: int) -> None:
    predicate = node.inputs[:offset]
    graph.set_inputs(node, [*predicate, *_without(node.inputs[offset:], handles)])
    is_loop = node.op in _LOOPS
    for name, of_inputs in _LISTS.items():
        found = node.attrs.get(name)
        if isinstance(found, list) and (of_inputs or is_loop):
            node.attrs[name] = _without(found, handles)
    if is_loop:
        for place, handle in handles.items():
            graph.replace(node.outputs[place], handle.output)
        node.outputs = _without(node.outputs, handles)
        for number, value in enumerate(node.outputs):
            value.index = number


def _without(items: Sequence[_Item], places: Container[int]) -> list[_Item]:
    return [item for place, item in enumerate(items) if place not in places]


# Values ------------------------------------------------------------------------------------------


def _updates(graph: Graph, model: GraphModel, read: Collection[str]) -> list[str]:
    """Variables that are read after they were written; those only written deserve a word.

    What a branch or loop writes may be read in the next step, or behind it.
    """
    written: dict[Node, list[Node]] = {}
    for node in graph.nodes.values():
        if node.op in _WRITES and node.inputs:
            written.setdefault(_variable(node.inputs[0]), []).append(node)
    reads = {
        variable: [
            node for value in variable.outputs for node, _ in value.uses if node.op not in _WRITES
        ]
        for variable in written
    }
    late = _read_late(graph, written, reads) if written else set()
    problems = []
    for variable in written:
        if variable in late or (graph.name and variable.name in read):
            problems.append(f"{variable.name}: is changed by the model and read afterwards")
        else:
            model.notes.append(
                f"the variable {variable.name} is changed on each run; TF.js keeps its first value"
            )
    return problems


def _read_late(
    graph: Graph, written: Mapping[Node, Sequence[Node]], reads: Mapping[Node, Sequence[Node]]
) -> set[Node]:
    """The variables of which a read runs after a write."""
    waiters = waiters_of(graph.nodes.values())
    writers = {node for nodes in written.values() for node in nodes}
    after = following(writers, waiters)
    suspects = [variable for variable, nodes in reads.items() if not after.isdisjoint(nodes)]
    if not suspects:
        return set()
    concerned = after | writers
    order = {node: place for place, node in enumerate(graph.ordered()) if node in concerned}
    late: set[Node] = set()
    for start in range(0, len(suspects), _AT_ONCE):
        some = suspects[start : start + _AT_ONCE]
        before = _written_before([written[variable] for variable in some], order, waiters)
        for number, variable in enumerate(some):
            if any(before.get(node, 0) >> number & 1 for node in reads[variable]):
                late.add(variable)
    return late


def _written_before(
    writers: Sequence[Sequence[Node]],
    order: Mapping[Node, int],
    waiters: Mapping[Node, Sequence[Node]],
) -> dict[Node, int]:
    """Which variables were written before each node, a bit for each, in one walk for all.

    Args:
        writers: the nodes that write each variable.
        order: the nodes that write or run after one that does, in order, with their place.
        waiters: of the graph.
    """
    own: dict[Node, int] = {}
    for number, nodes in enumerate(writers):
        for node in nodes:
            own[node] = own.get(node, 0) | 1 << number
    before: dict[Node, int] = {}
    again = True
    while again:
        again = False
        for node, place in order.items():
            written = before.get(node, 0) | own.get(node, 0)
            readers = [reader for value in node.outputs for reader, _ in value.uses]
            for other in [*readers, *waiters.get(node, ())] if written else ():
                if written & ~before.get(other, 0):
                    before[other] = before.get(other, 0) | written
                    # A loop carries it back.
                    again = again or order[other] <= place
    return before


def _variable(value: Value) -> Node:
    while value.node.op in ("Identity", "RefIdentity") and value.node.inputs:
        value = value.node.inputs[0]
    return value.node


def _freeze(graph: Graph, model: GraphModel) -> list[str]:
    problems = []
    for node in list(graph.nodes.values()):
        if node.op not in _VARIABLES or not _is_read(node):
            continue
        tensor = model.variables.get(node.name)
        if tensor is None:
            problems.append(f"{node.name}: has no value in the source")
        else:
            _freeze_one(graph, node, tensor)
    return problems


def _is_read(node: Node) -> bool:
    return any(reader.op not in _WRITES for reader, _ in node.output.uses)


def _freeze_one(graph: Graph, node: Node, tensor: Tensor) -> None:
    name = node.name
    graph.rename(node, f"{name}/handle")
    constant = graph.constant(tensor, name=name, origin=node.origin)
    if node.op in REFERENCES:
        for reader, index in list(node.output.uses):
            if reader.op not in _WRITES:
                graph.set_input(reader, index, constant)
        return
    left = _readers(node)
    while left:
        reader = left.pop()
        if reader.op in ("Identity", "DisableCopyOnRead"):
            left += _readers(reader)
        else:
            _read(graph, reader, constant, tensor)


def _readers(node: Node) -> list[Node]:
    """What reads the outputs of a node, the last first."""
    return [reader for value in node.outputs for reader, _ in value.uses][::-1]


def _read(graph: Graph, reader: Node, constant: Value, tensor: Tensor) -> None:
    """Let one reader of a handle take the constant."""
    build = Builder(graph, reader.name, reader.origin)
    if reader.op == "ReadVariableOp":
        graph.replace(reader.output, constant)
    elif reader.op == "ResourceGather":
        batch = reader.attrs.get("batch_dims", 0)
        attrs: Attrs = {"batch_dims": batch, "Tparams": tensor.dtype, "Taxis": "int32"}
        attrs["Tindices"] = reader.inputs[1].dtype
        axis = np.array(batch, np.int32)
        gathered = build.op("GatherV2", constant, reader.inputs[1], axis, attrs=attrs)
        graph.replace(reader.output, gathered)
    elif reader.op == "ResourceGatherNd":
        attrs = {"Tparams": tensor.dtype, "Tindices": reader.inputs[1].dtype}
        graph.replace(reader.output, build.op("GatherNd", constant, reader.inputs[1], attrs=attrs))
    elif reader.op == "VariableShape":
        dtype = reader.attrs.get("out_type", "int32")
        graph.replace(reader.output, build.constant(np.array(tensor.shape, dtype)))
    elif reader.op == "VarIsInitializedOp":
        graph.replace(reader.output, build.constant(np.array(True)))
