"""Working on one axis of a tensor of any rank, with three axes at most.

TF.js's WebGL and WebGPU backends pad, reverse and add up along an axis in ranks up to 4 only; what
stands before and behind the axis is taken together.
"""

from __future__ import annotations

import numpy as np

from tfjs.ir.graph import Value
from tfjs.ops.build import Builder
from tfjs.passes.legal.common import Size, make, plus, reshape, shape_of, sizes_of, times


def pad_axis(
    build: Builder, value: Value, axis: int, before: int, behind: int, filler: float = 0.0
) -> Value:
    """A value with more elements along one axis.

    Args:
        build: the builder.
        value: of known rank.
        axis: which, not negative.
        before: how many before it.
        behind: how many behind it.
        filler: the new elements.
    """
    if before == 0 and behind == 0:
        return value
    sizes = sizes_of(build, value)
    flat, place = _flat(build, value, sizes, axis)
    widths = np.zeros((len(shape_of(flat)), 2), np.int32)
    widths[place] = before, behind
    padded = make(build, "PadV2", flat, widths, np.array(filler, str(value.dtype)))
    return reshape(build, padded, _with(sizes, axis, plus(build, sizes[axis], before + behind)))


def stretch_axis(build: Builder, value: Value, axis: int, step: int) -> Value:
    """A value with `step - 1` zeros between the elements of an axis of known size."""
    size = shape_of(value)[axis]
    if step == 1 or size is None:
        return value
    sizes = sizes_of(build, value)
    before, behind = times(build, *sizes[:axis]), times(build, *sizes[axis + 1 :])
    apart = reshape(build, value, [times(build, before, size), 1, behind])
    apart = make(build, "PadV2", apart, [[0, 0], [0, step - 1], [0, 0]], 0.0)
    joined = reshape(build, apart, [before, size * step, behind])
    kept = (size - 1) * step + 1
    cut = make(build, "Slice", joined, [0, 0, 0], [-1, kept, -1])
    return reshape(build, cut, _with(sizes, axis, kept))


def on_three_axes(
    build: Builder, value: Value, axis: int, op: str, *others: Value, **attrs: object
) -> Value:
    """An operation along one axis that keeps the shape, done in rank 3."""
    sizes = sizes_of(build, value)
    flat, place = _flat(build, value, sizes, axis)
    index = place if op != "ReverseV2" else [place]
    return reshape(build, make(build, op, flat, index, *others, **attrs), sizes)


def _flat(build: Builder, value: Value, sizes: list[Size], axis: int) -> tuple[Value, int]:
    if len(sizes) <= 4:
        return value, axis
    before, behind = times(build, *sizes[:axis]), times(build, *sizes[axis + 1 :])
    return reshape(build, value, [before, sizes[axis], behind]), 1


def _with(sizes: list[Size], axis: int, size: Size) -> list[Size]:
    return [*sizes[:axis], size, *sizes[axis + 1 :]]
