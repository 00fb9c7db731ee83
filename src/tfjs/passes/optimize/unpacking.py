"""Large values that are taken apart into many parts.

In wasm each part that is taken of a value costs a copy of the whole value (`readSync` in `Slice`).
Measured in Node: 100 parts of 256 numbers need half of their time in two stages, 30 of 1024 three
quarters; WebGL does not care. An Unpack needs two thirds of the time of a StridedSlice a part, in
wasm and in the plain backend, and as long in WebGL; where less than half of the parts are asked
for, slices are as fast.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from tfjs.ir.graph import Graph, Node, Value
from tfjs.ops.build import Builder
from tfjs.ops.slicing import slice_plan
from tfjs.passes.optimize.engine import Match, Rules
from tfjs.passes.optimize.tidy_pieces import takes_all

RULES = Rules()

# A part costs as much as so many when it is taken for itself.
_AS_DEAR = 3
_FEWEST_SLICES = 3
_FEWEST_PARTS = 24
_FEWEST_ELEMENTS = 1 << 14


@RULES.rule("unpack/few", "Unpack")
def few(node: Node, match: Match) -> Sequence[Value] | None:
    """Few parts of many are taken for themselves, as the last of a loop that is laid out."""
    value = node.inputs[0]
    read = [output for output in node.outputs if output.uses or match.graph.is_output(output)]
    if not value.shape or not read or len(read) * _AS_DEAR > len(node.outputs):
        return None
    axis = int(node.attrs.get("axis", 0)) % len(value.shape)
    found = {output: _taken(match, value, axis, output.index) for output in read}
    return [found.get(output, found[read[0]]) for output in node.outputs]


def _taken(match: Match, value: Value, axis: int, index: int) -> Value:
    """A part of a value, as it lies at a place of an axis."""
    before = (1 << axis) - 1
    attrs = {
        "T": value.dtype,
        "Index": "int32",
        "begin_mask": before,
        "end_mask": before,
        "ellipsis_mask": 0,
        "new_axis_mask": 0,
        "shrink_axis_mask": 1 << axis,
    }
    begin, end = np.zeros(axis + 1, np.int32), np.zeros(axis + 1, np.int32)
    begin[axis], end[axis] = index, index + 1
    places = begin, end, np.ones(axis + 1, np.int32)
    return match.op("StridedSlice", value, *places, attrs=attrs)


@RULES.rule("unpack/stages", "Unpack")
def stages(node: Node, match: Match) -> Sequence[Value] | None:
    """Many parts of a large value are taken in two stages, which copies less in wasm."""
    value, count = node.inputs[0], len(node.outputs)
    if not value.shape or value.dtype != "float32" or count < _FEWEST_PARTS:
        return None
    axis = int(node.attrs.get("axis", 0)) % len(value.shape)
    # Free sizes are those of a batch, which is one as a rule.
    others = [1 if size is None else size for at, size in enumerate(value.shape) if at != axis]
    if count * math.prod(others) < _FEWEST_ELEMENTS:
        return None
    each = math.ceil(math.sqrt(count))
    sizes = [min(each, count - start) for start in range(0, count, each)]
    told = {"T": "float32", "Tlen": "int32", "num_split": len(sizes)}
    places = np.array(sizes, np.int32), np.array(axis, np.int32)
    split = match.ops("SplitV", value, *places, attrs=told)
    found: list[Value] = []
    for part, size in zip(split, sizes, strict=True):
        found += match.ops("Unpack", part, attrs={**node.attrs, "num": size, "axis": axis})
    return found


def join_slices(graph: Graph, hits: Counter[str]) -> None:
    """Slices that are the parts of a value along an axis become one Unpack; exact.

    Args:
        graph: the graph, changed in place.
        hits: counts slices as `unpack/slices`.
    """
    if not any(node.op == "StridedSlice" for node in graph.nodes.values()):
        return
    kept = frozenset(graph.targets)
    groups: dict[tuple[Value, int], list[tuple[Node, int]]] = {}
    for node in graph.ordered():
        found = None if node in kept or node.controls else _place(node)
        if found is not None:
            axis, index = found
            groups.setdefault((node.inputs[0], axis), []).append((node, index))
    for (value, axis), slices in groups.items():
        count = (value.shape or ())[axis] or 0
        asked = len({index for _, index in slices})
        if asked < _FEWEST_SLICES or asked * 2 < count:
            continue
        names = dict.fromkeys(name for node, _ in slices for name in node.origin)
        build = Builder(graph, slices[0][0].name, names)
        attrs = {"T": value.dtype, "num": count, "axis": axis}
        parts = build.ops("Unpack", value, attrs=attrs)
        for node, index in slices:
            graph.replace(node.output, parts[index])
            graph.erase(node)
        hits["unpack/slices"] += len(slices)


def _place(node: Node) -> tuple[int, int] | None:
    """The axis, and the place on it, of all that a StridedSlice takes."""
    shape = node.inputs[0].shape if node.op == "StridedSlice" else None
    # What is picked from a shape is no part of much work, and others look for it as it is.
    if not shape or len(shape) < 2:
        return None
    begins, ends, strides = (Match.numbers(value) for value in node.inputs[1:4])
    if begins is None or ends is None or strides is None or (strides != 1).any():
        return None
    if not begins.shape == ends.shape == strides.shape or begins.ndim != 1:
        return None
    plan = slice_plan(node.attrs, len(begins), len(shape))
    picks = [item for item in plan if item.kind == "pick"]
    if len(picks) != 1 or len(plan) != len(shape):
        return None
    others = [item for item in plan if item.kind != "pick"]
    if not all(item.kind == "take" and takes_all(node, item, begins, ends) for item in others):
        return None
    axis, entry = picks[0].axis, picks[0].entry or 0
    size, index = shape[axis], int(begins[entry])
    if size is None or not -size <= index < size:
        return None
    if int(node.attrs.get("begin_mask", 0)) >> entry & 1:
        return None
    return axis, index % size
