"""Images in another size, of which each pixel is a weighted sum of several.

Source of the weights: tensorflow/core/kernels/image/resize_area_op.cc, scale_and_translate_op.cc
and sampling_kernels.h.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfjs.ir.graph import Attrs
from tfjs.ir.tensor import Array
from tfjs.ops.base import declare
from tfjs.ops.resize import resized_shape, step_between
from tfjs.ops.shaping import integers

# Weights whose sum is less are none.
_TINY = 1000.0 * float(np.finfo(np.float32).tiny)
# Weights of one axis are a matrix of old by new sizes.
_MOST_WEIGHTS = 1 << 26


def _zeros(size: int, wanted: int) -> Array:
    if size * wanted > _MOST_WEIGHTS:
        raise ValueError(f"{size} pixels are not brought to {wanted}")
    return np.zeros((wanted, size))


def _sizes(x: Array, size: Array) -> tuple[int, int]:
    height, width = integers(size)
    if x.ndim != 4 or height < 1 or width < 1 or 0 in x.shape[1:3]:
        raise ValueError(f"{x.shape} is not resized to {height} x {width}")
    return height, width


def _weighted(x: Array, rows: Array, columns: Array) -> Array:
    """The sums of rows, then of columns, in single precision."""
    image = x.astype(np.float32)
    made = np.tensordot(rows.astype(np.float32), image, (1, 1))  # [height, batch, width, channels]
    made = np.tensordot(columns.astype(np.float32), made, (1, 2))  # [width, height, batch, ...]
    return np.ascontiguousarray(made.transpose(2, 1, 0, 3))


# Areas -------------------------------------------------------------------------------------------


def _area_weights(size: int, wanted: int, step: float) -> Array:
    """How much of each old pixel lies under each new one: [wanted, size]."""
    weights = _zeros(size, wanted)
    bounds = np.arange(wanted + 1) * step
    for place in range(wanted):
        start, end = bounds[place], bounds[place + 1]
        columns = np.arange(np.floor(start), np.ceil(end))
        covered = np.minimum(columns + 1, end) - np.maximum(columns, start)
        np.add.at(weights[place], np.clip(columns, 0, size - 1).astype(np.intp), covered / step)
    return weights


def _area(attrs: Attrs, x: Array, size: Array) -> Array:
    align = bool(attrs.get("align_corners", False))
    weights = [
        _area_weights(old, new, float(step_between(old, new, align)))
        for old, new in zip(x.shape[1:3], _sizes(x, size), strict=True)
    ]
    return _weighted(x, *weights)


declare("ResizeArea", infer=resized_shape, kernel=_area)


# Scaling and moving ------------------------------------------------------------------------------


def _lanczos(radius: float) -> Callable[[Array], Array]:
    def weight(x: Array) -> Array:
        found = np.sinc(x) * np.sinc(x / radius)
        return np.where(x <= 1e-3, 1.0, np.where(x <= radius, found, 0.0))

    return weight


def _cubic(near: tuple[float, ...], far: tuple[float, ...]) -> Callable[[Array], Array]:
    """Two polynomials: up to 1, and up to 2."""

    def weight(x: Array) -> Array:
        found = np.where(x >= 1, np.polyval(far, x), np.polyval(near, x))
        return np.where(x >= 2, 0.0, found)

    return weight


# By the attribute `kernel_type`: how far it reaches, and the weight by distance.
_KERNELS: dict[bytes, tuple[float, Callable[[Array], Array]]] = {
    b"lanczos1": (1.0, _lanczos(1.0)),
    b"lanczos3": (3.0, _lanczos(3.0)),
    b"lanczos5": (5.0, _lanczos(5.0)),
    b"gaussian": (1.5, lambda x: np.where(x >= 1.5, 0.0, np.exp(-2.0 * x * x))),
    b"box": (1.0, lambda x: np.where(x < 0.5, 1.0, np.where(x == 0.5, 0.5, 0.0))),
    b"triangle": (1.0, lambda x: np.maximum(0.0, 1.0 - x)),
    b"keyscubic": (2.0, _cubic((1.5, -2.5, 0.0, 1.0), (-0.5, 2.5, -4.0, 2.0))),
    b"mitchellcubic": (
        2.0,
        _cubic((7 / 6, -2.0, 0.0, 8 / 9), (-7 / 18, 2.0, -10 / 3, 16 / 9)),
    ),
}


def _moved_weights(attrs: Attrs, size: int, wanted: int, scale: float, shift: float) -> Array:
    """The weight of each old pixel in each new one: [wanted, size]."""
    name = attrs.get("kernel_type", b"lanczos3")
    if name not in _KERNELS or not scale > 0:
        raise ValueError(f"no kernel {name!r} with a scale of {scale}")
    reach, weight = _KERNELS[name]
    step = 1.0 / scale
    width = max(step, 1.0) if attrs.get("antialias", True) else 1.0
    weights = _zeros(size, wanted)
    for row in range(wanted):
        place = (row + 0.5) * step - step * shift
        if not 0 <= place <= size:
            continue
        first = max(int(np.ceil(place - reach * width - 0.5)), 0)
        last = min(int(np.floor(place + reach * width - 0.5)), size - 1)
        found = weight(np.abs(np.arange(first, last + 1) + 0.5 - place) / width)
        total = found.sum()
        if abs(total) >= _TINY:
            weights[row, first : last + 1] = found / total
    return weights


def _scale_and_move(attrs: Attrs, x: Array, size: Array, scale: Array, shift: Array) -> Array:
    scales, shifts = scale.reshape(2).tolist(), shift.reshape(2).tolist()
    weights = [
        _moved_weights(attrs, old, new, by, along)
        for old, new, by, along in zip(x.shape[1:3], _sizes(x, size), scales, shifts, strict=True)
    ]
    return _weighted(x, *weights)


declare("ScaleAndTranslate", infer=resized_shape, kernel=_scale_and_move)
