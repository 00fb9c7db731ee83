"""What the layers over space build graphs with: axes moved, padded, cut and resized.

The operations over space have their channels last: TensorFlow's have no kernels for anything else
on a processor, and TF.js's none at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfjs.ir.graph import Value, constant_of
from tfjs.ir.tensor import Array
from tfjs.layers.base import CannotLower

if TYPE_CHECKING:
    from tfjs.layers.lowering import Lowering

# Keeps the masks of a StridedSlice within int32.
_MOST_AXES = 30


def check_rank(build: Lowering, x: Value, rank: int) -> None:
    """Refuse a tensor of another rank."""
    found = build.rank(x)
    if found != rank:
        raise CannotLower(f"its input has {found} axes, not {rank}")


def order_axes(build: Lowering, x: Value, order: Sequence[int]) -> Value:
    """The axes in another order; where an earlier layer has moved them, what it had."""
    order = list(order)
    if x.node.op == "Transpose":
        before = constant_of(x.node.inputs[1])
        if before is not None:
            order = [int(before.array()[axis]) for axis in order]
            x = x.node.inputs[0]
    return x if order == list(range(len(order))) else build.transpose(x, order)


def channels_last(build: Lowering, x: Value) -> Value:
    """Channels from place 1 to the end."""
    rank = build.rank(x)
    return order_axes(build, x, [0, *range(2, rank), 1])


def channels_first(build: Lowering, x: Value) -> Value:
    """Channels from the end to place 1."""
    rank = build.rank(x)
    return order_axes(build, x, [0, rank - 1, *range(1, rank - 1)])


def with_channels_last(
    build: Lowering, x: Value, first: bool, change: Callable[[Value], Value]
) -> Value:
    """What works on channels that are last, for a tensor that may have them first."""
    if not first:
        return change(x)
    return channels_first(build, change(channels_last(build, x)))


def as_image(build: Lowering, x: Value) -> Value:
    """`[batch, steps, channels]` as an image of one row."""
    return build.op("ExpandDims", x, np.array(1, np.int32))


def as_steps(build: Lowering, x: Value) -> Value:
    """An image of one row as `[batch, steps, channels]`."""
    return build.op("Squeeze", x, attrs={"squeeze_dims": [1]})


def pad(build: Lowering, x: Value, pads: Sequence[Sequence[int]], fill: float = 0.0) -> Value:
    """Numbers put before and behind each axis.

    Args:
        build: the builder.
        x: the tensor.
        pads: how many before and how many behind, for each axis.
        fill: the number.
    """
    if not any(map(any, pads)):
        return x
    widths = np.array(pads, np.int32)
    return build.op("PadV2", x, widths, fill) if fill else build.op("Pad", x, widths)


def cut(build: Lowering, x: Value, cuts: dict[int, tuple[int, int]]) -> Value:
    """A tensor without what lies at the ends of some axes.

    Args:
        build: the builder.
        x: the tensor.
        cuts: by axis, how many elements go at its beginning, and how many at its end.
    """
    cuts = {axis: pair for axis, pair in cuts.items() if any(pair)}
    if not cuts:
        return x
    rank = build.rank(x)
    begin, end = np.zeros(rank, np.int32), np.zeros(rank, np.int32)
    begin_mask = end_mask = 0
    for axis in range(min(rank, _MOST_AXES)):
        before, behind = cuts.get(axis, (0, 0))
        size = build.shape(x)[axis]
        begin[axis], end[axis] = before, -behind
        if size is not None and axis in cuts:
            # Cutting more than there is leaves nothing.
            begin[axis], end[axis] = min(before, size), max(size - behind, min(before, size))
        begin_mask |= (not before) << axis
        end_mask |= (not behind) << axis
    attrs = {"begin_mask": begin_mask, "end_mask": end_mask}
    return build.op("StridedSlice", x, begin, end, np.ones(rank, np.int32), attrs=attrs)


def keep_part(build: Lowering, x: Value, axis: int, start: int, count: int) -> Value:
    """Some of the elements along an axis of known size."""
    size = build.fixed(x, axis)
    return cut(build, x, {axis: (start, size - start - count)})


def reshape(build: Lowering, x: Value, sizes: Sequence[int | Value]) -> Value:
    """A tensor in another shape; a single size that only the run tells is left to be found."""
    known = [size for size in sizes if not isinstance(size, Value)]
    if len(known) == len(sizes) - 1 and -1 not in known and 0 not in known:
        sizes = [-1 if isinstance(size, Value) else size for size in sizes]
    return build.reshaped(x, sizes)


def product(sizes: Sequence[int | Value]) -> int:
    """How many numbers; -1 where a size is not known."""
    known = [size for size in sizes if not isinstance(size, Value)]
    return -1 if len(known) < len(sizes) else math.prod(known)


def times_matrix(build: Lowering, x: Value, axis: int, matrix: Array) -> Value:
    """An axis multiplied by a constant matrix of `[old size, new size]`."""
    rank, new = build.rank(x), int(matrix.shape[1])
    if matrix.shape[0] == new and np.array_equal(matrix, np.eye(new, dtype=matrix.dtype)):
        return x
    sizes = [build.size(x, place) for place in range(rank)]
    made = [*sizes[:axis], new, *sizes[axis + 1 :]]
    if axis == rank - 1:
        flat = build.reshaped(x, [-1, int(matrix.shape[0])])
        return reshape(build, build.op("MatMul", flat, matrix), made)
    behind = product(sizes[axis + 1 :])
    if behind == -1:
        # One size of a shape can be left to be found: that of what lies before the axis.
        order = [place for place in range(rank) if place != axis] + [axis]
        moved = times_matrix(build, build.transpose(x, order), rank - 1, matrix)
        return build.transpose(moved, [order.index(place) for place in range(rank)])
    flat = build.reshaped(x, [-1, int(matrix.shape[0]), behind])
    result = build.op("BatchMatMulV2", np.ascontiguousarray(matrix.T)[None], flat)
    return reshape(build, result, made)
