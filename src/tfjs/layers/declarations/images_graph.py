"""Images as graphs: resized, cropped, padded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfjs.ir.graph import Value
from tfjs.layers.base import CannotLower
from tfjs.layers.declarations.activations_graph import clip
from tfjs.layers.declarations.interpolation import interpolation_matrix
from tfjs.layers.declarations.kernels import fits
from tfjs.layers.declarations.space_graph import (
    as_image,
    as_steps,
    product,
    reshape,
    times_matrix,
)

if TYPE_CHECKING:
    from tfjs.layers.lowering import Lowering

# What TensorFlow and TF.js have an operation for.
_OPS = {"nearest": "ResizeNearestNeighbor", "bilinear": "ResizeBilinear"}
# TF.js holds whole numbers in so many bytes; what does not fit a smaller dtype is cut off.
_ITEM_SIZE = 4


def repeated(build: Lowering, x: Value, counts: Sequence[int]) -> Value:
    """Each element of the axes of space as often as is told; channels last.

    Pixels have their centres at half, where no rounding takes a neighbour for whole factors.
    """
    if max(counts) == 1:
        return x
    if len(counts) == 1:
        return as_steps(build, _repeated_image(build, as_image(build, x), (1, counts[0])))
    if len(counts) == 2:
        return _repeated_image(build, x, counts)
    batch, depth, height, width, channels = (build.size(x, axis) for axis in range(5))
    tall, wide = (_times(build, *pair) for pair in zip((height, width), counts[1:], strict=True))
    if max(counts[1:]) > 1:
        slices = reshape(build, x, [-1, height, width, channels])
        x = _repeated_image(build, slices, counts[1:])
    deep = _times(build, depth, counts[0])
    if counts[0] > 1:
        flat = reshape(build, x, [batch, depth, product([tall, wide]), channels])
        x = _repeated_image(build, flat, (counts[0], 1))
    return reshape(build, x, [batch, deep, tall, wide, channels])


def _repeated_image(build: Lowering, x: Value, counts: Sequence[int]) -> Value:
    size = [_times(build, build.size(x, axis), count) for axis, count in enumerate(counts, 1)]
    return resized(build, x, size, "nearest")


def _times(build: Lowering, size: int | Value, count: int) -> int | Value:
    if count == 1 or not isinstance(size, Value):
        return size if isinstance(size, Value) else size * count
    return build.op("Mul", size, count)


def scaled_up(
    build: Lowering, x: Value, counts: Sequence[int], method: str, *, half_pixel: bool = True
) -> Value:
    """Images, channels last, whole factors as large."""
    if method == "nearest" and half_pixel:
        return repeated(build, x, counts)
    size = [_times(build, build.size(x, axis), count) for axis, count in enumerate(counts, 1)]
    return resized(build, x, size, method, half_pixel=half_pixel)


def resized(
    build: Lowering,
    x: Value,
    size: Sequence[int | Value],
    method: str,
    *,
    antialias: bool = False,
    half_pixel: bool = True,
) -> Value:
    """Images, channels last, in another size.

    Args:
        build: the builder.
        x: [batch, height, width, channels].
        size: the new height and width.
        method: one of `interpolation.METHODS`.
        antialias: whether the kernel widens where an axis shrinks.
        half_pixel: whether the centres of pixels lie at half.

    Raises:
        CannotLower: a size must be known and is not, or is too large for a matrix.
    """
    if list(size) == list(build.shape(x)[1:3]):
        return x
    if method in _OPS and not antialias:
        attrs = {"half_pixel_centers": half_pixel}
        return build.op(_OPS[method], x, build.sizes(size), attrs=attrs)
    for axis, new in enumerate(size, 1):
        old = build.fixed(x, axis)
        if isinstance(new, Value) or not fits([old, new]):
            raise CannotLower("its images are too large for the matrices that resize them")
        matrix = interpolation_matrix(old, new, method, antialias=antialias)
        x = times_matrix(build, x, axis, matrix)
    return x


def rounded(build: Lowering, x: Value, dtype: str | None) -> Value:
    """What was computed from whole numbers as such again, brought within what the dtype holds."""
    if dtype is None or np.dtype(dtype).kind not in "iu":
        return x
    x = build.op("Round", x)
    if np.dtype(dtype).itemsize < _ITEM_SIZE:
        x = clip(build, x, np.iinfo(dtype).min, np.iinfo(dtype).max)
    return build.cast(x, dtype)


def contrasted(build: Lowering, x: Value, low: float, high: float) -> Value:
    """Each channel spread over all of a range; a channel of one value is left alone.

    Source: `AutoContrast.transform_images` of Keras 3, which takes axes 1 and 2 for height and
    width whatever the layout.
    """
    axes, keep = np.array([1, 2], np.int32), {"keep_dims": True}
    least = build.op("Min", x, axes, attrs=keep)
    spread = build.op("Sub", build.op("Max", x, axes, attrs=keep), least)
    factor = build.op("DivNoNan", np.float32(high - low), spread)
    scaled = build.op("AddV2", build.op("Mul", build.op("Sub", x, least), factor), low)
    flat = build.op("Equal", spread, 0.0)
    return build.op("SelectV2", flat, x, clip(build, scaled, low, high))
