"""Lists in loops that stay loops.

TF.js's lists differ from TensorFlow's: writing changes the list itself, also for those who go on
to read it as it was; and a reserved list has no length until it is written to
(`runtime_contract.md` 1.6, A3).
"""

from __future__ import annotations

import numpy as np

from tfjs.ir.graph import Dims, Graph, GraphModel, Node, Value
from tfjs.ops.base import constant_array
from tfjs.ops.build import Builder
from tfjs.passes.control.holders import HOLDERS, LOOPS, branches_of, describe, loop_of, swap
from tfjs.passes.control.items import element_shape, number
from tfjs.passes.control.variables import cone, unchanging

# Operations that change the list in place, which is their first input.
_WRITERS = frozenset(
    {"TensorListSetItem", "TensorListPushBack"}
    | {"TensorListScatterIntoExistingList", "TensorListPushBackBatch"}
)


# Reading the rows of a tensor ---------------------------------------------------------------------


def read_rows(model: GraphModel, graph: Graph, node: Node) -> int:
    """Let a loop that only reads items of a list, which was a tensor, read the tensor's rows.

    Returns:
        How many lists went.
    """
    cond, body = loop_of(model, node)
    count = 0
    for index in unchanging(body):
        value = node.inputs[index]
        tensor, place = _tensor_of(value), 2 if value.dtype == "float32" else 0
        argument = body.inputs[index].output
        if tensor is None or cond.inputs[index].output.uses or node.outputs[index].uses:
            continue
        readers = list(argument.uses)
        reading = ("TensorListGetItem", "TensorArrayReadV3")
        if any(reader.op not in reading or at != place for reader, at in readers):
            continue
        graph.set_input(node, index, tensor)
        for function in (cond, body):
            told = function.inputs[index]
            told.output.dtype, told.output.shape = tensor.type
            told.attrs.update(dtype=tensor.dtype, shape=Dims(tensor.shape))
        node.outputs[index].dtype, node.outputs[index].shape = tensor.type
        for reader, _ in readers:
            _read_row(body, reader, argument)
        count += 1
    if count:
        describe(node)
    return count


def _tensor_of(value: Value) -> Value | None:
    """The tensor whose rows are all that a list or an array holds."""
    node = value.node
    if node.op == "TensorListFromTensor":
        return node.inputs[0]
    if node.op == "TensorArrayScatterV3" and _counts_up(node.inputs[1].node):
        return node.inputs[2]
    return None


def _counts_up(node: Node) -> bool:
    """Whether a node gives 0, 1, 2 and so on."""
    if node.op == "Range":
        return number(node.inputs[0]) == 0 and number(node.inputs[2]) == 1
    array = constant_array(node.output) if node.op == "Const" else None
    return array is not None and array.ndim == 1 and bool((array == np.arange(array.size)).all())


def _read_row(body: Graph, reader: Node, tensor: Value) -> None:
    place = reader.inputs[1]
    build = Builder(body, reader.name, reader.origin)
    attrs = {"Tparams": tensor.dtype, "Tindices": place.dtype, "Taxis": "int32", "batch_dims": 0}
    row = build.op("GatherV2", tensor, place, np.array(0, np.int32), attrs=attrs)
    if row.shape is None:
        row.shape = reader.output.shape
    swap(body, reader, [row])


# Values that are changed while others need them ---------------------------------------------------


def part_forks(model: GraphModel, graph: Graph) -> int:
    """Give each operation that changes a list a copy of it, where others need it unchanged.

    Returns:
        How many copies were added.
    """
    lists = [
        value
        for node in graph.nodes.values()
        for value in node.outputs
        if value.dtype == "variant" and len(value.uses) + graph.is_output(value) > 1
    ]
    count = 0
    for value in lists:
        writers = [(node, at) for node, at in value.uses if _writes(model, node, at)]
        if not writers or _all_read_before(graph, value, writers):
            continue
        for node, at in writers:
            build = Builder(graph, node.name, node.origin)
            size = build.op("TensorListLength", value, name="length")
            copy = build.op("TensorListResize", value, size, name="copy")
            graph.set_input(node, at, copy)
            count += 1
    return count


def _writes(model: GraphModel, node: Node, at: int) -> bool:
    """Whether a node, or a function that it runs, changes a list that goes into it."""
    left = [(node, at)]
    seen = set(left)
    while left:
        node, at = left.pop()
        if node.op in _WRITERS and at == 0:
            return True
        if node.op not in HOLDERS:
            continue
        bodies = loop_of(model, node) if node.op in LOOPS else branches_of(model, node)
        for body in bodies:
            argument = body.inputs[at if node.op in LOOPS else at - 1].output
            found = [use for use in argument.uses if use not in seen]
            seen.update(found)
            left += found
    return False


def _all_read_before(graph: Graph, value: Value, writers: list[tuple[Node, int]]) -> bool:
    """Whether one node changes a list, and all others that read it must have run before."""
    if len(writers) > 1 or graph.is_output(value):
        return False
    ((writer, at),) = writers
    before = set(cone([entry for index, entry in enumerate(writer.inputs) if index != at]))
    # A read that gives a list gives the same list.
    return all(
        node in before and all(output.dtype != "variant" for output in node.outputs)
        for node, index in value.uses
        if (node, index) != (writer, at)
    )


def part_pops(graph: Graph) -> int:
    """Let what takes the last item of a list read it, and go on with a shorter copy.

    TF.js's TensorListPopBack gives the item alone, and changes the list.

    Returns:
        How many operations were replaced.
    """
    nodes = [node for node in graph.nodes.values() if node.op == "TensorListPopBack"]
    for node in nodes:
        build = Builder(graph, node.name, node.origin)
        length = build.op("TensorListLength", node.inputs[0], name="length")
        last = build.op("Sub", length, np.array(1, np.int32), attrs={"T": "int32"}, name="last")
        dtype = node.attrs["element_dtype"]
        attrs = {"element_dtype": dtype}
        taken = build.op(
            "TensorListGetItem", node.inputs[0], last, node.inputs[1], attrs=attrs, name="item"
        )
        if taken.shape is None:
            taken.shape = node.outputs[1].shape
        rest = build.op("TensorListResize", node.inputs[0], last, name="rest")
        swap(graph, node, [rest, taken])
    return len(nodes)


def tell_shapes(graph: Graph) -> None:
    """Write the shape of items as the attribute that TF.js reads of concatenations."""
    for node in graph.nodes.values():
        if node.op in ("TensorListConcat", "TensorListConcatV2"):
            told = element_shape(node, 1) if node.op.endswith("V2") else None
            node.attrs.setdefault("element_shape", Dims(told))


# Lengths ------------------------------------------------------------------------------------------


def tell_lengths(graph: Graph) -> int:
    """Replace the length of a list by the size that was reserved for it.

    Returns:
        How many operations were replaced.
    """
    count = 0
    for node in list(graph.nodes.values()):
        if node.op == "TensorListLength":
            size = _reserved(node.inputs[0])
            if size is not None:
                swap(graph, node, [size])
                count += 1
    return count


def _reserved(value: Value) -> Value | None:
    while value.node.op in LOOPS or value.node.op == "TensorListSetItem":
        value = value.node.inputs[value.index]
    return value.node.inputs[1] if value.node.op == "TensorListReserve" else None
