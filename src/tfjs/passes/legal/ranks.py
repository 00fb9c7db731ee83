"""Ranks beyond what TF.js's WebGL and WebGPU backends take; reshapes cost nothing.

Source: `runtime_contract.md` 2, "Rank limits", and R1, R2 of section 7.
"""

from __future__ import annotations

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.ops.build import Builder
from tfjs.passes.legal.axes import on_three_axes
from tfjs.passes.legal.common import (
    Size,
    constant,
    make,
    plus,
    reshape,
    sizes_of,
    times,
    transpose,
)
from tfjs.passes.rules import RuleSet

RULES = RuleSet()

_MOST = 4
_MOST_TRANSPOSED = 6


def _high_rank(value: Value) -> int | None:
    """The rank of a value where it is known and too high."""
    rank = None if value.shape is None else len(value.shape)
    return rank if rank is not None and rank > _MOST else None


@RULES.rule("Cumsum", "Cumprod")
def running_sum_in_high_rank(node: Node, build: Builder) -> list[Value] | None:
    """Along one of three axes. Exact."""
    x = node.inputs[0]
    rank, axis = _high_rank(x), constant(node.inputs[1])
    if rank is None or axis is None:
        return None
    attrs = {name: node.attrs.get(name, False) for name in ("exclusive", "reverse")}
    return [on_three_axes(build, x, int(axis) % rank, node.op, **attrs)]


@RULES.rule("ReverseV2")
def reversed_in_high_rank(node: Node, build: Builder) -> list[Value] | None:
    """One axis after the other, each as one of three. Exact."""
    x = node.inputs[0]
    rank, axes = _high_rank(x), constant(node.inputs[1])
    if rank is None or axes is None:
        return None
    for axis in axes.reshape(-1):
        x = on_three_axes(build, x, int(axis) % rank, "ReverseV2")
    return [x]


@RULES.rule("Pad", "PadV2", "MirrorPad")
def padded_in_high_rank(node: Node, build: Builder) -> list[Value] | None:
    """Axes that are not padded are taken together with those beside them. Exact."""
    x = node.inputs[0]
    rank, widths = _high_rank(x), constant(node.inputs[1])
    if rank is None or widths is None:
        return None
    groups: list[list[int]] = []
    for axis in range(rank):
        padded = bool(widths[axis].any())
        if groups and not padded and not widths[groups[-1][-1]].any():
            groups[-1].append(axis)
        else:
            groups.append([axis])
    if len(groups) > _MOST:
        return None
    sizes = sizes_of(build, x)
    merged = reshape(build, x, [times(build, *(sizes[axis] for axis in group)) for group in groups])
    fewer = np.array([widths[group[0]] for group in groups], np.int32)
    attrs = {"mode": node.attrs["mode"]} if node.op == "MirrorPad" else {}
    made = make(build, node.op, merged, fewer, *node.inputs[2:], **attrs)
    new: list[Size] = [
        plus(build, size, int(widths[axis].sum())) for axis, size in enumerate(sizes)
    ]
    return [reshape(build, made, new)]


@RULES.rule("Select", "SelectV2")
def selected_in_high_rank(node: Node, build: Builder) -> list[Value] | None:
    """Axes along which each operand has one element, or each all, are taken together. Exact."""
    shapes = [value.shape for value in node.inputs]
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes) or max(len(shape) for shape in known) <= _MOST:
        return None
    rank = max(len(shape) for shape in known)
    groups = _alike([(1,) * (rank - len(shape)) + shape for shape in known])
    if len(groups) > _MOST:
        return None
    wholes: list[list[Size]] = [
        [*[1] * (rank - len(shape)), *sizes_of(build, value)]
        for value, shape in zip(node.inputs, known, strict=True)
    ]
    operands = [
        reshape(build, value, [times(build, *(whole[axis] for axis in group)) for group in groups])
        for value, whole in zip(node.inputs, wholes, strict=True)
    ]
    sizes = [_broadcast_size(build, axis) for axis in zip(*wholes, strict=True)]
    return [reshape(build, make(build, "SelectV2", *operands), sizes)]


def _broadcast_size(build: Builder, sizes: tuple[Size, ...]) -> Size:
    free: list[Value] = []
    for size in sizes:
        if isinstance(size, Value):
            free.append(size)
        elif size != 1:
            return size
    result: Size = free[0] if free else 1
    for size in free[1:]:
        result = make(build, "Maximum", result, size)
    return result


def _alike(shapes: list[tuple[int | None, ...]]) -> list[list[int]]:
    """Axes beside each other along which each shape has one element, or all do not."""
    groups: list[list[int]] = []
    last: tuple[bool, ...] | None = None
    for axis, sizes in enumerate(zip(*shapes, strict=True)):
        if groups and all(size == 1 for size in sizes):
            groups[-1].append(axis)
            continue
        pattern = None if None in sizes else tuple(size == 1 for size in sizes)
        if pattern is not None and pattern == last:
            groups[-1].append(axis)
        else:
            groups.append([axis])
        last = pattern
    return groups


@RULES.rule("Transpose")
def transposed_in_high_rank(node: Node, build: Builder) -> list[Value] | None:
    """Axes that stay beside each other are moved as one. Exact."""
    x, order_value = node.inputs
    order = constant(order_value)
    if x.shape is None or order is None or len(x.shape) <= _MOST_TRANSPOSED:
        return None
    runs: list[list[int]] = []
    for axis in (int(item) % len(x.shape) for item in order):
        if runs and runs[-1][-1] + 1 == axis:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    if len(runs) == len(x.shape):
        return None
    sizes = sizes_of(build, x)
    by_start = sorted(runs)
    merged = reshape(build, x, [times(build, *(sizes[axis] for axis in run)) for run in by_start])
    turned = transpose(build, merged, [by_start.index(run) for run in runs])
    return [reshape(build, turned, [sizes[axis] for run in runs for axis in run])]
