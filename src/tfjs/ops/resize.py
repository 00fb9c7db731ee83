"""Images in another size.

Source of the places and weights: tensorflow/core/util/image_resizer_state.h and
tensorflow/core/kernels/image/resize_*_op.cc.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import declare
from tfjs.ops.shapes import partial_shape, with_rank
from tfjs.ops.shaping import integers

# TensorFlow looks the weights of a cubic up in a table of so many steps.
_STEPS = 1024


def resized_shape(node: Node) -> list[Shape]:
    """The shape of images whose new size is the second input."""
    batch, _, _, channels = with_rank(node.inputs[0].shape, 4)
    height, width = with_rank(partial_shape(node.inputs[1]), 2)
    if any(size is not None and size < 0 for size in (height, width)):
        raise ValueError(f"no size {height} x {width}")
    return [(batch, height, width, channels)]


def step_between(size: int, wanted: int, align: bool) -> np.float32:
    """How far the places that are read from are apart."""
    if align and wanted > 1:
        return np.float32(size - 1) / np.float32(wanted - 1)
    return np.float32(size) / np.float32(wanted)


def _places(size: int, wanted: int, attrs: Attrs) -> Array:
    """Where each element of the result lies along an axis of the image, in float32."""
    step = step_between(size, wanted, bool(attrs.get("align_corners", False)))
    numbers = np.arange(wanted, dtype=np.float32)
    if attrs.get("half_pixel_centers", False):
        return (numbers + np.float32(0.5)) * step - np.float32(0.5)
    return numbers * step


def _sizes(x: Array, size: Array) -> tuple[int, int]:
    height, width = integers(size)
    if x.ndim != 4 or height < 1 or width < 1 or 0 in x.shape[1:3]:
        raise ValueError(f"{x.shape} is not resized to {height} x {width}")
    return height, width


# Nearest -----------------------------------------------------------------------------------------


def _nearest_places(size: int, wanted: int, attrs: Attrs) -> Array:
    align = bool(attrs.get("align_corners", False))
    step = step_between(size, wanted, align)
    numbers = np.arange(wanted, dtype=np.float32)
    if attrs.get("half_pixel_centers", False):
        numbers = numbers + np.float32(0.5)
    places = numbers * step
    # C's round: a half goes up.
    places = np.floor(places + np.float32(0.5)) if align else np.floor(places)
    return np.asarray(np.clip(places.astype(np.int64), 0, size - 1))


def _nearest(attrs: Attrs, x: Array, size: Array) -> Array:
    height, width = _sizes(x, size)
    rows = _nearest_places(x.shape[1], height, attrs)
    return x[:, rows][:, :, _nearest_places(x.shape[2], width, attrs)]


declare("ResizeNearestNeighbor", infer=resized_shape, kernel=_nearest)


# Weighted ----------------------------------------------------------------------------------------


def _weighted(x: Array, axis: int, places: Array, weights: Array) -> Array:
    """The sum of elements along an axis.

    Args:
        x: the image.
        axis: the axis.
        places: which elements, [taps, size of the result].
        weights: times what, of the same shape.
    """
    after = (1,) * (x.ndim - 1 - axis)
    result: Any = 0
    for place, weight in zip(places, weights, strict=True):
        result = result + np.take(x, place, axis) * weight.reshape((-1, *after))
    return np.asarray(result)


def _linear_taps(size: int, wanted: int, attrs: Attrs) -> tuple[Array, Array]:
    where = _places(size, wanted, attrs)
    first = np.floor(where)
    part = where - first
    low = np.clip(first, 0, size - 1).astype(np.int64)
    high = np.clip(np.ceil(where), 0, size - 1).astype(np.int64)
    return np.stack([low, high]), np.stack([1 - part, part])


def _bilinear(attrs: Attrs, x: Array, size: Array) -> Array:
    height, width = _sizes(x, size)
    image = x.astype(np.float32)
    rows = _weighted(image, 1, *_linear_taps(x.shape[1], height, attrs))
    return _weighted(rows, 2, *_linear_taps(x.shape[2], width, attrs)).astype(np.float32)


def _cubic_table(a: float) -> Array:
    """Weights of the nearer and the farther neighbour, [steps + 1, 2]."""
    x = (np.arange(_STEPS + 1) / _STEPS).astype(np.float32)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    y = x + 1
    far = ((a * y - 5 * a) * y + 8 * a) * y - 4 * a
    return np.stack([near, far], axis=1).astype(np.float32)


def _cubic_taps(size: int, wanted: int, attrs: Attrs) -> tuple[Array, Array]:
    centers = bool(attrs.get("half_pixel_centers", False))
    table = _cubic_table(-0.5 if centers else -0.75)
    where = _places(size, wanted, attrs)
    first = np.floor(where).astype(np.int64)
    offset = np.rint((where - first.astype(np.float32)) * np.float32(_STEPS)).astype(np.int64)
    back = _STEPS - offset
    weights = np.stack([table[offset, 1], table[offset, 0], table[back, 0], table[back, 1]])
    wished = first + np.arange(-1, 3)[:, np.newaxis]
    places = np.clip(wished, 0, size - 1)
    if centers:
        # What lies outside has no weight; the others share it.
        weights = np.where(places == wished, weights, np.float32(0))
        weights = weights / weights.sum(axis=0)
    return places, weights


def _bicubic(attrs: Attrs, x: Array, size: Array) -> Array:
    height, width = _sizes(x, size)
    image = x.astype(np.float32)
    columns = _weighted(image, 2, *_cubic_taps(x.shape[2], width, attrs))
    return _weighted(columns, 1, *_cubic_taps(x.shape[1], height, attrs)).astype(np.float32)


declare("ResizeBilinear", infer=resized_shape, kernel=_bilinear)
declare("ResizeBicubic", infer=resized_shape, kernel=_bicubic)
declare("ResizeBilinearGrad", "ResizeBicubicGrad", infer=lambda node: [node.inputs[1].shape])


def _nearest_grad_shape(node: Node) -> list[Shape]:
    batch, _, _, channels = with_rank(node.inputs[0].shape, 4)
    height, width = with_rank(partial_shape(node.inputs[1]), 2)
    return [(batch, height, width, channels)]


declare("ResizeNearestNeighborGrad", infer=_nearest_grad_shape)
