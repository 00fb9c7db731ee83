"""Lists and arrays of tensors whose contents are known become plain tensors.

After a loop is unrolled every index is a constant, and what is written is what is read. A slot
that nothing was written to holds zeros, as in TensorFlow; TF.js would throw there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from tfjs.errors import CorruptFileError
from tfjs.ir.graph import Dims, Graph, Node, Value, constant_of
from tfjs.ops.build import Builder
from tfjs.passes.control.holders import swap
from tfjs.passes.control.items import (
    MOST_ITEMS,
    Items,
    element_shape,
    filled,
    first_size,
    item,
    joined,
    lengths,
    number,
    numbers,
    parts,
    rows,
    stacked,
)

# For each output: the value that takes its place, the items that it holds, or nothing known.
_Found = Sequence["Value | Items | None"] | None
# A list, or an array with its flow, as it is before the operation; None for what makes one.
_Step = Callable[[Node, Builder, Items], _Found]
_Source = Callable[[Node, Builder], "Items | None"]

_LISTS = ("TensorList", "EmptyTensorList")
_ARRAYS = "TensorArray"


def dissolve_lists(graph: Graph) -> int:
    """Replace what is read of lists and arrays by what was written to them, where it is known.

    What remains of a list that something else needs stays.

    Returns:
        How many operations were replaced.

    Raises:
        CorruptFileError: items do not fit together.
    """
    known: dict[Value, Items] = {}
    count = 0
    kinds = (*_LISTS, _ARRAYS)
    nodes = {node for node in graph.nodes.values() if node.op.startswith(kinds)}
    for node in graph.ordered() if nodes else ():
        if node not in nodes:
            continue
        build = Builder(graph, node.name, node.origin)
        try:
            found = _follow(node, build, known)
        except ValueError as error:
            raise CorruptFileError(f"node {node.name!r} ({node.op}): {error}") from None
        if found is None:
            continue
        for output, entry in zip(node.outputs, found, strict=True):
            if isinstance(entry, Items) and len(entry.values) <= MOST_ITEMS:
                known[output] = entry
        values = [entry for entry in found if isinstance(entry, Value)]
        if len(values) == len(node.outputs):
            swap(graph, node, values)
        else:
            # PopBack gives an item beside a list; sizes of items may be unknown, and not needed.
            for output, entry in zip(node.outputs, found, strict=True):
                if isinstance(entry, Value):
                    graph.replace(output, entry)
        count += bool(values)
    graph.prune()
    return count


def _follow(node: Node, build: Builder, known: dict[Value, Items]) -> _Found:
    if node.op in _SOURCES:
        made = _SOURCES[node.op](node, build)
        if made is None:
            return None
        # An array gives its handle, then its flow.
        return [None, made] if node.op == "TensorArrayV3" else [made]
    step = _STEPS.get(node.op)
    if step is None or not node.inputs:
        return None
    # The flow is the last input of all operations on arrays.
    items = known.get(node.inputs[-1 if node.op.startswith(_ARRAYS) else 0])
    return None if items is None else step(node, build, items)


# What makes lists ---------------------------------------------------------------------------------


def _reserve(node: Node, build: Builder) -> Items | None:
    return _unwritten(node, number(node.inputs[1]), "element_dtype", element_shape(node, 0))


def _unwritten(
    node: Node, size: int | None, key: str, shape: tuple[int | None, ...] | None
) -> Items | None:
    dtype = node.attrs.get(key)
    if size is None or not 0 <= size <= MOST_ITEMS or not isinstance(dtype, str):
        return None
    return Items((None,) * size, dtype, shape)


def _empty(node: Node, build: Builder) -> Items | None:
    return _unwritten(node, 0, "element_dtype", element_shape(node, 0))


def _from_tensor(node: Node, build: Builder) -> Items | None:
    size = first_size(node.inputs[0])
    return None if size is None else rows(build, node.inputs[0], size, element_shape(node, 1))


def _split(node: Node, build: Builder) -> Items | None:
    sizes = numbers(node.inputs[2])
    return parts(build, node.inputs[0], sizes, element_shape(node, 1)) if sizes else None


def _scatter(node: Node, build: Builder) -> Items | None:
    indices = numbers(node.inputs[1])
    if not indices or min(indices) < 0:
        return None
    size = number(node.inputs[3]) if len(node.inputs) > 3 else -1
    count = max(indices) + 1 if size is None or size < 0 else size
    if size is None or max(indices) >= count:
        return None
    empty = _unwritten(node, count, "element_dtype", element_shape(node, 2))
    return None if empty is None else _scattered(build, empty, indices, node.inputs[0])


def _array(node: Node, build: Builder) -> Items | None:
    told = node.attrs.get("element_shape")
    shape = told.dims if isinstance(told, Dims) else None
    return _unwritten(node, number(node.inputs[0]), "dtype", shape)


# What lists become, and what is read of them ------------------------------------------------------


def _set(node: Node, build: Builder, items: Items) -> _Found:
    return _written(items, number(node.inputs[1]), node.inputs[2])


def _written(items: Items, index: int | None, value: Value, *, grows: bool = False) -> _Found:
    if index is None or not 0 <= index < MOST_ITEMS:
        return None
    if grows and index >= len(items.values):
        items = items.resized(index + 1)
    return [items.with_item(index, value)] if index < len(items.values) else None


def _get(node: Node, build: Builder, items: Items) -> _Found:
    return _read(build, items, node.inputs[1], element_shape(node, 2))


def _read(
    build: Builder, items: Items, place: Value, shape: tuple[int | None, ...] | None
) -> _Found:
    index = number(place)
    if index is not None:
        return [item(build, items, index, shape)]
    # Which one is known only when it runs, but not what there is to choose from.
    everything = stacked(build, items, range(len(items.values)), shape) if items.values else None
    if everything is None or place.dtype is None:
        return None
    return [_gathered(build, everything, place)]


def _gathered(build: Builder, tensor: Value, indices: Value) -> Value:
    attrs = {"Tparams": tensor.dtype, "Tindices": indices.dtype, "Taxis": "int32", "batch_dims": 0}
    return build.op("GatherV2", tensor, indices, np.array(0, np.int32), attrs=attrs)


def _stack(node: Node, build: Builder, items: Items) -> _Found:
    return [stacked(build, items, range(len(items.values)), element_shape(node, 1))]


def _gather(node: Node, build: Builder, items: Items) -> _Found:
    return _chosen(build, items, node.inputs[1], element_shape(node, 2))


def _chosen(
    build: Builder, items: Items, places: Value, shape: tuple[int | None, ...] | None
) -> _Found:
    tensor = constant_of(places)
    if tensor is not None and len(tensor.shape) == 1 and tensor.size <= MOST_ITEMS:
        indices = [int(entry) for entry in tensor.array()]
        if all(0 <= index < len(items.values) for index in indices):
            return [stacked(build, items, indices, shape)]
        return None
    return _read(build, items, places, shape)


def _length(node: Node, build: Builder, items: Items) -> _Found:
    return [build.constant(np.array(len(items.values), np.int32))]


def _push(node: Node, build: Builder, items: Items) -> _Found:
    return [replace(items, values=(*items.values, node.inputs[1]), whole=None)]


def _pop(node: Node, build: Builder, items: Items) -> _Found:
    if not items.values:
        return None
    last = item(build, items, len(items.values) - 1, element_shape(node, 1))
    return None if last is None else [items.resized(len(items.values) - 1), last]


def _concat(node: Node, build: Builder, items: Items) -> _Found:
    values = filled(build, items, None)
    return None if not values else [joined(build, items.dtype, values), lengths(build, values)]


def _resize(node: Node, build: Builder, items: Items) -> _Found:
    size = number(node.inputs[1])
    return [items.resized(size)] if size is not None and 0 <= size <= MOST_ITEMS else None


def _element_shape(node: Node, build: Builder, items: Items) -> _Found:
    if items.shape is None:
        return None
    sizes = [-1 if size is None else size for size in items.shape]
    return [build.constant(np.array(sizes, node.attrs.get("shape_type", "int32")))]


def _scatter_into(node: Node, build: Builder, items: Items) -> _Found:
    indices = numbers(node.inputs[2])
    if not indices or min(indices) < 0 or max(indices) >= MOST_ITEMS:
        return None
    if max(indices) >= len(items.values):
        items = items.resized(max(indices) + 1)
    return [_scattered(build, items, indices, node.inputs[1])]


def _scattered(build: Builder, items: Items, indices: Sequence[int], tensor: Value) -> Items | None:
    if first_size(tensor) not in (None, len(indices)):
        return None
    values = list(items.values)
    given = rows(build, tensor, len(indices), items.shape)
    for index, value in zip(indices, given.values, strict=True):
        values[index] = value
    in_order = list(indices) == list(range(len(values)))
    return replace(items, values=tuple(values), whole=tensor if in_order else None)


def _array_write(node: Node, build: Builder, items: Items) -> _Found:
    return _written(items, number(node.inputs[1]), node.inputs[2], grows=True)


def _array_read(node: Node, build: Builder, items: Items) -> _Found:
    return _read(build, items, node.inputs[1], None)


def _array_gather(node: Node, build: Builder, items: Items) -> _Found:
    told = node.attrs.get("element_shape")
    return _chosen(build, items, node.inputs[1], told.dims if isinstance(told, Dims) else None)


def _array_scatter(node: Node, build: Builder, items: Items) -> _Found:
    indices = numbers(node.inputs[1])
    if not indices or min(indices) < 0 or max(indices) >= MOST_ITEMS:
        return None
    if max(indices) >= len(items.values):
        items = items.resized(max(indices) + 1)
    return [_scattered(build, items, indices, node.inputs[2])]


def _array_split(node: Node, build: Builder, items: Items) -> _Found:
    sizes = numbers(node.inputs[2])
    if not sizes:
        return None
    return [replace(parts(build, node.inputs[1], sizes, items.shape), dtype=items.dtype)]


_SOURCES: dict[str, _Source] = {
    "TensorListReserve": _reserve,
    "EmptyTensorList": _empty,
    "TensorListFromTensor": _from_tensor,
    "TensorListSplit": _split,
    "TensorListScatter": _scatter,
    "TensorListScatterV2": _scatter,
    "TensorArrayV3": _array,
}
_STEPS: dict[str, _Step] = {
    "TensorListSetItem": _set,
    "TensorListGetItem": _get,
    "TensorListStack": _stack,
    "TensorListGather": _gather,
    "TensorListLength": _length,
    "TensorListPushBack": _push,
    "TensorListPopBack": _pop,
    "TensorListConcat": _concat,
    "TensorListConcatV2": _concat,
    "TensorListResize": _resize,
    "TensorListElementShape": _element_shape,
    "TensorListScatterIntoExistingList": _scatter_into,
    "TensorArrayWriteV3": _array_write,
    "TensorArrayReadV3": _array_read,
    "TensorArrayGatherV3": _array_gather,
    "TensorArrayScatterV3": _array_scatter,
    "TensorArrayConcatV3": _concat,
    "TensorArraySizeV3": _length,
    "TensorArraySplitV3": _array_split,
}
