"""Resizing an axis as a product with a constant matrix.

The weights are those of TensorFlow's kernels, as facts: tensorflow/core/kernels/image/
{resize_bicubic_op,resize_area_op,scale_and_translate_op,sampling_kernels}.cc
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tfjs.ir.tensor import Array
from tfjs.passes.legal.common import check_table
from tfjs.passes.rules import CannotExpress

# The bicubic kernel is looked up at this many places.
_STEPS = 1 << 10
_MOST_ROWS = 1 << 14
_TINY = 1000.0 * float(np.finfo(np.float32).tiny)


def _zeros(new: int, size: int, dtype: type[np.floating[Any]] = np.float32) -> Array:
    if max(new, size) > _MOST_ROWS:
        raise CannotExpress(f"it resizes {size} to {new}, too much to be written as a matrix")
    check_table(new, size)
    return np.zeros((new, size), dtype)


def _scale(size: int, new: int, align_corners: bool) -> float:
    if align_corners and new > 1:
        return float(np.float32(size - 1) / np.float32(new - 1))
    return float(np.float32(size) / np.float32(new))


def bicubic_matrix(size: int, new: int, *, align_corners: bool, half_pixel: bool) -> Array:
    """The float32 matrix [new, size] of `ResizeBicubic` along an axis."""
    scale = np.float32(_scale(size, new, align_corners))
    near, far = _cubic_table(-0.5 if half_pixel else -0.75)
    matrix = _zeros(new, size)
    for row in range(new):
        half = np.float32(0.5 if half_pixel else 0.0)
        place = (np.float32(row) + half) * scale - half
        start = math.floor(place)
        step = int(np.rint(np.float32(place - np.float32(start)) * np.float32(_STEPS)))
        weights = np.array(
            [far[step], near[step], near[_STEPS - step], far[_STEPS - step]], np.float32
        )
        columns = np.arange(start - 1, start + 3)
        if half_pixel:
            weights[(columns < 0) | (columns >= size)] = 0
            total = weights.sum(dtype=np.float32)
            if abs(total) >= _TINY:
                weights = weights * (np.float32(1) / total)
        np.add.at(matrix[row], np.clip(columns, 0, size - 1), weights)
    return matrix


def _cubic_table(a: float) -> tuple[Array, Array]:
    x = np.arange(_STEPS + 1) / _STEPS
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    x = x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return near.astype(np.float32), far.astype(np.float32)


def area_matrix(size: int, new: int, *, align_corners: bool) -> Array:
    """The float32 matrix [new, size] of `ResizeArea` along an axis."""
    scale = _scale(size, new, align_corners)
    matrix = _zeros(new, size, np.float64)
    for row in range(new):
        start, end = row * scale, (row + 1) * scale
        for column in range(math.floor(start), math.ceil(end)):
            covered = min(column + 1, end) - max(column, start)
            matrix[row, min(max(column, 0), size - 1)] += covered / scale
    return matrix.astype(np.float32)


def _lanczos(radius: float) -> Callable[[Array], Array]:
    def kernel(x: Array) -> Array:
        value = np.sinc(x) * np.sinc(x / radius)
        return np.where(x <= 1e-3, 1.0, np.where(x <= radius, value, 0.0))

    return kernel


def _gaussian(x: Array) -> Array:
    return np.where(x >= 1.5, 0.0, np.exp(-2.0 * x * x))


def _box(x: Array) -> Array:
    return np.where(x < 0.5, 1.0, np.where(x == 0.5, 0.5, 0.0))


def _triangle(x: Array) -> Array:
    return np.where(x < 1.0, 1.0 - x, 0.0)


def _keys(x: Array) -> Array:
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    near = ((1.5 * x - 2.5) * x) * x + 1.0
    return np.where(x >= 2.0, 0.0, np.where(x >= 1.0, far, near))


def _mitchell(x: Array) -> Array:
    far = (((-7.0 / 18.0) * x + 2.0) * x - 10.0 / 3.0) * x + 16.0 / 9.0
    near = (((7.0 / 6.0) * x - 2.0) * x) * x + 8.0 / 9.0
    return np.where(x >= 2.0, 0.0, np.where(x >= 1.0, far, near))


# By the attribute `kernel_type`: radius and weight by distance.
_KERNELS: dict[bytes, tuple[float, Callable[[Array], Array]]] = {
    b"lanczos1": (1.0, _lanczos(1.0)),
    b"lanczos3": (3.0, _lanczos(3.0)),
    b"lanczos5": (5.0, _lanczos(5.0)),
    b"gaussian": (1.5, _gaussian),
    b"box": (1.0, _box),
    b"triangle": (1.0, _triangle),
    b"keyscubic": (2.0, _keys),
    b"mitchellcubic": (2.0, _mitchell),
}


def translation_matrix(
    size: int, new: int, scale: float, shift: float, kernel: bytes, *, antialias: bool
) -> Array:
    """The float32 matrix [new, size] of `ScaleAndTranslate` along an axis.

    Raises:
        KeyError: there is no such kernel.
    """
    radius, weight = _KERNELS[kernel]
    step = 1.0 / scale
    width = max(step, 1.0) if antialias else 1.0
    matrix = _zeros(new, size)
    for row in range(new):
        place = (row + 0.5) * step - step * shift
        if not 0 <= place <= size:
            continue
        first = max(math.ceil(place - radius * width - 0.5), 0)
        last = min(math.floor(place + radius * width - 0.5), size - 1)
        columns = np.arange(first, last + 1)
        weights = weight(np.abs(columns + 0.5 - place) / width)
        total = weights.sum()
        if abs(total) >= _TINY:
            matrix[row, first : last + 1] = weights / total
    return matrix
