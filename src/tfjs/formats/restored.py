"""Which tensor of a checkpoint each variable takes, by what a SavedModel does to restore itself.

In TF 2, `saver_def.restore_op_name` is the call of a function in which `RestoreV2` reads tensors by
name and `AssignVariableOp` gives them to its arguments, the handles. In TF 1 it is a node that
waits for `Assign(variable, RestoreV2)`. Names of variables are only looked at where a variable is
not met that way (tensorflow/python/training/saver.py, checkpoint/functional_saver.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from tfjs.errors import CorruptFileError
from tfjs.formats.graph_def import GraphReader
from tfjs.ir.graph import FuncRef, Graph, Node, Value, constant_of
from tfjs.ir.tensor import Tensor

CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
ASSIGNS = frozenset({"Assign", "AssignVariableOp"})
_IMPORTS = frozenset({"LookupTableImport", "LookupTableImportV2"})
_MOST_PASSES = 100  # one after another; a graph may also lead back to itself
_PASSES = frozenset({"Identity", "RefIdentity", "ReadVariableOp"})
# Operations that read a checkpoint, with the inputs that hold the names and the slices.
_READS = {"RestoreV2": (1, 2), "Restore": (1, None), "RestoreSlice": (1, 2)}
_MOST_NODES = 150_000  # functions that call each other twice a level would never end


class Stored(NamedTuple):
    """Where a variable stands in the checkpoint.

    Attributes:
        key: the name of the tensor.
        spec: which slice of it; see `checkpoint.variable_of`.
    """

    key: str
    spec: str = ""


class Table(NamedTuple):
    """Where the contents of a mutable hash table stand in the checkpoint."""

    keys: Stored
    values: Stored


class Restored(NamedTuple):
    """What a SavedModel restores.

    Attributes:
        variables: by the node of the main graph that makes the variable.
        tables: by the node of the main graph that makes the table.
    """

    variables: dict[str, Stored]
    tables: dict[str, Table]


def restored(reader: GraphReader, operation: str) -> Restored:
    """What an operation restores.

    Args:
        reader: the main graph.
        operation: `saver_def.restore_op_name`; of another name than a node's restores nothing.

    Raises:
        CorruptFileError: the operation or what it runs is damaged.
    """
    found = Restored({}, {})
    name = operation.removeprefix("^").partition(":")[0]
    if name not in reader:
        return found
    graph = reader.graph((), [name])
    reads = _Reads()
    for node, source_of in run(graph, reader.functions([graph]), reader.where):
        if node.op in ASSIGNS and len(node.inputs) > 1:
            stored = reads.of(node.inputs[1])
            if stored is not None:
                found.variables.setdefault(source_of(node.inputs[0]).name, stored)
        elif node.op in _IMPORTS and len(node.inputs) > 2:
            keys, values = (reads.of(value) for value in node.inputs[1:3])
            if keys is not None and values is not None:
                table = source_of(node.inputs[0]).name
                found.tables.setdefault(table, Table(keys, values))
    return found


def run(
    graph: Graph, functions: Mapping[str, Graph], where: str
) -> Iterator[tuple[Node, Callable[[Value], Node]]]:
    """The nodes of a graph and of the functions that it calls.

    Yields:
        The node, and what tells which node of the main graph makes a value that the node takes.

    Raises:
        CorruptFileError: a call does not fit its function, or there is no end of calls.
    """
    left: deque[tuple[Graph, dict[Value, Value]]] = deque([(graph, {})])
    met = 0
    while left:
        body, given = left.popleft()
        met += len(body.nodes)
        if met > _MOST_NODES:
            raise CorruptFileError(
                f"the functions run more than {_MOST_NODES:,} nodes", where=where
            )

        def source_of(value: Value, given: Mapping[Value, Value] = given) -> Node:
            value = behind(value)
            return behind(given.get(value, value)).node

        for node in body.nodes.values():
            yield node, source_of
            if node.op in CALLS:
                callee = _callee(node, functions, where)
                parameters = [parameter.output for parameter in callee.inputs]
                arguments = [given.get(value, value) for value in map(behind, node.inputs)]
                left.append((callee, dict(zip(parameters, arguments, strict=True))))


def behind(value: Value) -> Value:
    """The value that others only pass on."""
    for _ in range(_MOST_PASSES):
        if value.node.op not in _PASSES or not value.node.inputs:
            break
        value = value.node.inputs[0]
    return value


def _callee(node: Node, functions: Mapping[str, Graph], where: str) -> Graph:
    reference = node.attrs.get("f")
    if not isinstance(reference, FuncRef):
        raise CorruptFileError(f"the call {node.name!r} names no function", where=where)
    body = functions[reference.name]
    if len(body.inputs) != len(node.inputs):
        raise CorruptFileError(
            f"the call {node.name!r} hands over {len(node.inputs)} values, its function takes "
            f"{len(body.inputs)}",
            where=where,
        )
    return body


class _Reads(dict[Node, list[Stored]]):
    """What each node that reads the checkpoint names, looked up once."""

    def of(self, value: Value) -> Stored | None:
        """Where a value stands; None where it does not come from the checkpoint."""
        source = behind(value)
        if source.node.op not in _READS or len(source.node.inputs) < 2:
            return None
        named = self[source.node]
        return named[source.index] if source.index < len(named) else None

    def __missing__(self, node: Node) -> list[Stored]:
        names, specs = (_texts(node, place) for place in _READS[node.op])
        specs += [""] * (len(names) - len(specs))
        self[node] = [Stored(*pair) for pair in zip(names, specs, strict=False)]
        return self[node]


def _texts(node: Node, place: int | None) -> list[str]:
    if place is None or place >= len(node.inputs):
        return []
    tensor: Tensor | None = constant_of(behind(node.inputs[place]))
    if tensor is None or tensor.dtype != "string":
        return []
    values: list[Any] = tensor.array().reshape(-1).tolist()
    try:
        return [value.decode() for value in values]
    except UnicodeDecodeError:
        raise CorruptFileError(f"node {node.name!r} restores a name that is no text") from None
