"""Ranks beyond what TF.js's WebGL and WebGPU backends take; reshapes cost nothing.

Source: `runtime_contract.md` 2, "Rank limits", and R1, R2 of section 7.
"""

from __future__ import annotations

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.passes.build import Builder
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
    """Values of one and the same shape as vectors. Exact."""
    condition, x, y = node.inputs
    if _high_rank(x) is None or x.shape is None or None in x.shape:
        return None
    if not condition.shape == x.shape == y.shape:
        return None
    flat = [build.reshape(value, [-1]) for value in node.inputs]
    return [reshape(build, make(build, "SelectV2", *flat), sizes_of(build, x))]


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
