"""Tensors without any element, at which TF.js's kernels end or read what is beside them."""

from __future__ import annotations

import math
from weakref import WeakKeyDictionary

import numpy as np

from tfjs.ir.graph import Graph, Node, Value
from tfjs.ops.base import all_ops
from tfjs.ops.build import Builder
from tfjs.passes.legal.common import axes_of, check_table, constant, make
from tfjs.passes.rules import RuleSet

RULES = RuleSet()

_FRAMES = frozenset({"Switch", "Merge", "Enter", "Exit", "NextIteration"})
# No rule makes such nodes: each graph is looked through once.
_FRAMED: WeakKeyDictionary[Graph, bool] = WeakKeyDictionary()
# What reductions make of nothing; TensorFlow's largest and smallest numbers are infinite.
_OF_NOTHING = {
    "Max": -math.inf,
    "Min": math.inf,
    "Sum": 0,
    "Prod": 1,
    "Mean": math.nan,
    "EuclideanNorm": 0,
    "All": 1,
    "Any": 0,
}


def _constant(build: Builder, value: Value, number: float) -> Value:
    assert value.shape is not None
    assert value.dtype is not None
    shape = tuple(size or 0 for size in value.shape)
    check_table(*shape)
    if value.dtype == "string":
        return build.constant(np.full(shape, b"", object))
    if value.dtype == "int32" and math.isinf(number):
        limits = np.iinfo(np.int32)
        number = limits.max if number > 0 else limits.min
    return build.constant(np.full(shape, number, value.dtype))


def _is_empty(value: Value) -> bool:
    return value.shape is not None and 0 in value.shape and None not in value.shape


def _in_frames(build: Builder) -> bool:
    """Whether a constant might be there although its branch is not taken."""
    graph = build.graph
    if graph not in _FRAMED:
        _FRAMED[graph] = any(node.op in _FRAMES for node in graph.nodes.values())
    return bool(graph.name) or _FRAMED[graph]


@RULES.rule(*(name for name, op in all_ops().items() if op.kernel is not None))
def nothing_computed(node: Node, build: Builder) -> list[Value] | None:
    """What has no element is a constant. Exact."""
    if not node.outputs or not all(_is_empty(value) for value in node.outputs):
        return None
    return None if _in_frames(build) else [_constant(build, value, 0) for value in node.outputs]


@RULES.rule(*_OF_NOTHING)
def nothing_reduced(node: Node, build: Builder) -> list[Value] | None:
    """TF.js reads what stands behind an empty tensor. Exact."""
    x, result = node.inputs[0], node.output
    if x.shape is None or 0 not in x.shape or result.shape is None or None in result.shape:
        return None
    axes = axes_of(node, 1, len(x.shape))
    if not any(x.shape[axis] == 0 for axis in axes) or _in_frames(build):
        return None
    return [_constant(build, result, _OF_NOTHING[node.op])]


@RULES.rule("StridedSlice")
def sliced_to_nothing(node: Node, build: Builder) -> list[Value] | None:
    """TF.js ends where a slice ends before it begins: it ends there instead. Exact."""
    begin, end, strides = (constant(value) for value in node.inputs[1:])
    if begin is None or end is None or strides is None:
        return None
    masks = _masked(node)
    nothing = (strides > 0) & ((begin < 0) == (end < 0)) & (end < begin)
    nothing &= (masks >> np.arange(len(begin))) & 1 == 0
    if not nothing.any():
        return None
    x, first, _, steps = node.inputs
    last = np.where(nothing, begin, end).astype(begin.dtype)
    result = make(build, "StridedSlice", x, first, last, steps, **node.attrs)
    result.shape = node.output.shape if result.shape is None else result.shape
    return [result]


def _masked(node: Node) -> int:
    """Which entries of a StridedSlice say nothing by their bounds."""
    names = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    found = 0
    for name in names:
        found |= int(node.attrs.get(name, 0))
    return found


@RULES.rule("Reshape")
def reshaped_nothing(node: Node, build: Builder) -> list[Value] | None:
    """TF.js finds no size beside one of 0: it follows from those that are not 0. Exact."""
    x, target = node.inputs
    sizes = constant(target)
    if sizes is None or not {0, -1} <= {*sizes.tolist()}:
        return None
    shape = make(build, "Shape", x, out_type="int32")
    counted = make(build, "Prod", make(build, "Maximum", shape, 1), [0])
    others = math.prod(int(size) for size in sizes if size > 0)
    free = make(build, "FloorDiv", counted, np.int32(others))
    items = [free if size == -1 else np.int32(size) for size in sizes]
    result = build.reshape(x, make(build, "Pack", *items, axis=0))
    result.shape = tuple(None if size == -1 else int(size) for size in sizes)
    return [result]


@RULES.rule("MatMul", "BatchMatMul", "BatchMatMulV2")
def nothing_multiplied(node: Node, build: Builder) -> list[Value] | None:
    """wasm leaves a sum of no products as it finds it. Exact."""
    x, result = node.inputs[0], node.output
    if x.shape is None or result.shape is None or None in result.shape:
        return None
    flipped = node.attrs.get("transpose_a") or node.attrs.get("adj_x")
    inner = x.shape[-2 if flipped else -1]
    return [_constant(build, result, 0)] if inner == 0 and not _in_frames(build) else None
