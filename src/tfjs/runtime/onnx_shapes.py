"""What TensorFlow's operations on shapes are in ONNX: those that move elements, or make them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.ops.shapes import axis_in
from tfjs.ops.shaping import integers
from tfjs.ops.slicing import Axis, slice_plan
from tfjs.runtime.onnx_model import OnnxGraph, UnmappedError, check
from tfjs.runtime.onnx_ops import ANY, FIRST_AXES, NUMBERS, axes_of, maps, one_axis

# What a slice ends with that takes all there is, forwards and backwards.
_END, _START = (1 << 63) - 1, -(1 << 63)


def _attr_axis(node: Node, rank: int) -> int:
    try:
        return axis_in(int(node.attrs.get("axis", 0)), rank)
    except ValueError:
        raise UnmappedError from None


# Shapes ------------------------------------------------------------------------------------------


@maps("Shape")
def _shape(graph: OnnxGraph, node: Node) -> None:
    x = node.inputs[0]
    graph.are([x], *ANY)
    made = graph.put("Shape", [graph.last(x)])
    graph.give(node.output, graph.cast(made, graph.dtype(node.output)))


@maps("Reshape")
def _reshape(graph: OnnxGraph, node: Node) -> None:
    x, wanted = node.inputs
    graph.are([x], *ANY)
    sizes = graph.known(wanted)
    # ONNX does not know what is left beside nothing.
    check(graph.rank(wanted) == 1 and (sizes is None or sizes.all() or sizes.min() >= 0))
    names = [graph.last(x), graph.long(wanted)]
    graph.give(node.output, graph.put("Reshape", names, allowzero=1))


@maps("Squeeze")
def _squeeze(graph: OnnxGraph, node: Node) -> None:
    x = node.inputs[0]
    graph.are([x], *ANY)
    told = node.attrs.get("squeeze_dims") or []
    inputs = [graph.last(x)]
    if told:
        rank = graph.rank(x)
        axes = axes_of_list(told, rank)
        inputs.append(graph.numbers(*axes))
    graph.give(node.output, graph.put("Squeeze", inputs))


def axes_of_list(told: list[Any], rank: int) -> list[int]:
    """Axes counted from the front, each once.

    Raises:
        UnmappedError: there are none such.
    """
    try:
        return sorted({axis_in(int(axis), rank) for axis in told})
    except ValueError:
        raise UnmappedError from None


@maps("ExpandDims")
def _expand_dims(graph: OnnxGraph, node: Node) -> None:
    x = node.inputs[0]
    graph.are([x], *ANY)
    axis = one_axis(graph, node.inputs[1], graph.rank(x) + 1)
    graph.give(node.output, graph.put("Unsqueeze", [graph.last(x), graph.numbers(axis)]))


@maps("Transpose")
def _transpose(graph: OnnxGraph, node: Node) -> None:
    x = node.inputs[0]
    graph.are([x], *ANY)
    perm = axes_of(graph, node.inputs[1], graph.rank(x))
    check(len(perm) == graph.rank(x))
    if graph.is_first(x):
        # One move in place of two.
        perm = [FIRST_AXES[axis] for axis in perm]
        graph.give(node.output, graph.put("Transpose", [graph.first(x)], perm=perm))
        return
    graph.give(node.output, graph.put("Transpose", [graph.last(x)], perm=perm))


# Parts -------------------------------------------------------------------------------------------


@maps("ConcatV2")
def _concat(graph: OnnxGraph, node: Node) -> None:
    *values, where = node.inputs
    graph.are(values, *ANY)
    rank = graph.rank(values[0])
    check(rank and all(graph.rank(value) == rank for value in values))
    axis = one_axis(graph, where, rank)
    names, first = graph.aligned(values)
    place = FIRST_AXES[axis] if first else axis
    graph.give(node.output, graph.put("Concat", names, axis=place), first=first)


@maps("Pack")
def _pack(graph: OnnxGraph, node: Node) -> None:
    graph.are(node.inputs, *ANY)
    ranks = {graph.rank(value) for value in node.inputs}
    check(len(ranks) == 1)
    axis = _attr_axis(node, ranks.pop() + 1)
    where = graph.numbers(axis)
    grown = [graph.put("Unsqueeze", [graph.last(value), where]) for value in node.inputs]
    graph.give(node.output, graph.put("Concat", grown, axis=axis))


@maps("Unpack")
def _unpack(graph: OnnxGraph, node: Node) -> None:
    x = node.inputs[0]
    graph.are([x], *ANY)
    shape = graph.shape(x)
    count = int(node.attrs["num"])
    check(shape and count)
    axis = _attr_axis(node, len(shape or ()))
    check((shape or ())[axis] == count)
    parts = _parted(graph, graph.last(x), axis, [1] * count)
    where = graph.numbers(axis)
    for value, part in zip(node.outputs, parts, strict=True):
        graph.give(value, graph.put("Squeeze", [part, where]))


def _parted(graph: OnnxGraph, name: str, axis: int, sizes: list[int]) -> list[str]:
    return graph.put_many("Split", [name, graph.numbers(*sizes)], len(sizes), axis=axis)


@maps("Split", "SplitV")
def _split(graph: OnnxGraph, node: Node) -> None:
    x, where = node.inputs[1::-1] if node.op == "Split" else node.inputs[::2]
    graph.are([x], *ANY)
    rank = graph.rank(x)
    axis = one_axis(graph, where, rank)
    size = (graph.shape(x) or ())[axis]
    check(size)
    count = len(node.outputs)
    if node.op == "Split":
        check((size or 0) % count == 0)
        sizes = [(size or 0) // count] * count
    else:
        sizes = integers(graph.must_know(node.inputs[1]))
        left = (size or 0) - sum(part for part in sizes if part != -1)
        sizes = [left if part == -1 else part for part in sizes]
        check(min(sizes) >= 0 and sum(sizes) == size and len(sizes) == count)
    first = graph.is_first(x)
    name, place = (graph.first(x), FIRST_AXES[axis]) if first else (graph.last(x), axis)
    for value, part in zip(node.outputs, _parted(graph, name, place, sizes), strict=True):
        graph.give(value, part, first=first)


@maps("Slice")
def _slice(graph: OnnxGraph, node: Node) -> None:
    x = node.inputs[0]
    graph.are([x], *ANY)
    shape = graph.shape(x)
    begins, counts = (integers(graph.must_know(value)) for value in node.inputs[1:])
    check(shape is not None and len(shape) == len(begins) == len(counts))
    ends = []
    for size, begin, count in zip(shape or (), begins, counts, strict=True):
        # What lies outside is an error, which ONNX lets pass.
        check((begin, count) == (0, -1) or size is not None)
        end = begin + count if count != -1 else size
        check(begin >= 0 and count >= -1)
        check(size is None or (begin <= size and (end or 0) <= size))
        ends.append(_END if end is None else end)
    graph.give(node.output, _sliced(graph, x, begins, ends, [1] * len(begins)))


def _sliced(
    graph: OnnxGraph, x: Value, begins: list[int], ends: list[int], steps: list[int]
) -> str:
    if not begins:
        return graph.put("Identity", [graph.last(x)])
    numbers = [begins, ends, list(range(len(begins))), steps]
    return graph.put("Slice", [graph.last(x), *(graph.numbers(*items) for items in numbers)])


@maps("StridedSlice")
def _strided_slice(graph: OnnxGraph, node: Node) -> None:
    x = node.inputs[0]
    graph.are([x], *ANY)
    rank = graph.rank(x)
    begins, ends, steps = (integers(graph.must_know(value)) for value in node.inputs[1:4])
    check(len(begins) == len(ends) == len(steps) and 0 not in steps)
    try:
        plan = slice_plan(node.attrs, len(begins), rank)
    except ValueError:
        raise UnmappedError from None
    bounds = [(0, _END, 1)] * rank
    for item in plan:
        if item.kind != "new" and item.entry is not None:
            at = item.entry
            bounds[item.axis] = _bounds(node, item, begins[at], ends[at], steps[at])
    taken = _sliced(graph, x, *(list(items) for items in zip(*bounds, strict=True)))
    gone = [item.axis for item in plan if item.kind == "pick"]
    if gone:
        taken = graph.put("Squeeze", [taken, graph.numbers(*gone)])
    left = [item for item in plan if item.kind != "pick"]
    new = [place for place, item in enumerate(left) if item.kind == "new"]
    if new:
        taken = graph.put("Unsqueeze", [taken, graph.numbers(*new)])
    graph.give(node.output, taken)


def _bounds(node: Node, item: Axis, begin: int, end: int, step: int) -> tuple[int, int, int]:
    """Begin, end and step of an axis as ONNX has them."""
    if item.kind == "pick":
        check(step > 0)
        return begin, _END if begin == -1 else begin + 1, 1
    at = item.entry or 0
    backwards = step < 0
    if int(node.attrs.get("begin_mask", 0)) >> at & 1:
        begin = _END if backwards else 0
    if int(node.attrs.get("end_mask", 0)) >> at & 1:
        end = _START if backwards else _END
    return begin, end, step


@maps("GatherV2", "Gather")
def _gather(graph: OnnxGraph, node: Node) -> None:
    x, indices = node.inputs[:2]
    graph.are([x], *ANY)
    rank = graph.rank(x)
    axis = one_axis(graph, node.inputs[2], rank) if node.op == "GatherV2" else 0
    check(not node.attrs.get("batch_dims", 0))
    # Places counted from the end are an error, which ONNX lets pass.
    check(np.all(graph.must_know(indices) >= 0))
    graph.give(node.output, graph.put("Gather", [graph.last(x), graph.long(indices)], axis=axis))


# Larger ------------------------------------------------------------------------------------------


@maps("Pad", "PadV2", "MirrorPad")
def _pad(graph: OnnxGraph, node: Node) -> None:
    x = node.inputs[0]
    graph.are([x], *NUMBERS)
    rank = graph.rank(x)
    edges = graph.must_know(node.inputs[1])
    check(edges.shape == (rank, 2) and rank and np.all(edges >= 0))
    inputs, mode = [], "constant"
    if node.op == "MirrorPad":
        # ONNX Runtime does not refuse more than there is to mirror.
        sizes = graph.shape(x) or ()
        pairs = zip(sizes, edges.max(axis=1).tolist(), strict=True)
        check(node.attrs["mode"] == b"REFLECT")
        check(all(not most or (size is not None and most < size) for size, most in pairs))
        mode = "reflect"
    elif node.op == "PadV2":
        graph.are([x, node.inputs[2]], *NUMBERS)
        check(graph.rank(node.inputs[2]) == 0)
        inputs = [graph.last(node.inputs[2])]
    first = graph.is_first(x)
    if first:
        edges = edges[[0, 3, 1, 2]]
    name = graph.first(x) if first else graph.last(x)
    told = graph.numbers(*(int(edge) for edge in edges.T.reshape(-1)))
    graph.give(node.output, graph.put("Pad", [name, told, *inputs], mode=mode), first=first)


@maps("Tile")
def _tile(graph: OnnxGraph, node: Node) -> None:
    x, times = node.inputs
    graph.are([x], *ANY)
    check(graph.rank(x) and graph.rank(times) == 1)
    graph.give(node.output, graph.put("Tile", [graph.last(x), graph.long(times)]))


@maps("Fill", "BroadcastTo")
def _fill(graph: OnnxGraph, node: Node) -> None:
    x, sizes = node.inputs[::-1] if node.op == "Fill" else node.inputs
    graph.are([x], *NUMBERS, "bool")
    check(graph.rank(sizes) == 1)
    if node.op == "Fill":
        check(graph.rank(x) == 0)
    else:
        # ONNX would broadcast the sizes too.
        wanted, shape = integers(graph.must_know(sizes)), graph.shape(x)
        check(shape is not None and len(shape) <= len(wanted))
        pairs = zip((shape or ())[::-1], wanted[::-1], strict=False)
        check(all(size in (1, there) for size, there in pairs))
    graph.give(node.output, graph.put("Expand", [graph.last(x), graph.long(sizes)]))
