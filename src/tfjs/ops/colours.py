"""Colours of images, which have them in their last axis.

Source: tensorflow/core/kernels/image/colorspace_op.h, adjust_contrast_op.cc.
"""

from __future__ import annotations

import numpy as np

from tfjs.ir.graph import Attrs
from tfjs.ir.tensor import Array
from tfjs.ops.base import as_first, declare


def _wide(x: Array) -> Array:
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _check(x: Array) -> None:
    if not x.ndim or x.shape[-1] != 3 or x.dtype.kind != "f":
        raise ValueError(f"{x.shape} are no colours")


def _to_hues(x: Array) -> Array:
    """Hue, saturation and value, each from 0 to 1."""
    _check(x)
    red, green, blue = np.moveaxis(_wide(x), -1, 0)
    value = np.maximum(np.maximum(red, green), blue)
    range_ = value - np.minimum(np.minimum(red, green), blue)
    share = np.where(value > 0, range_ / np.where(value > 0, value, 1), 0)
    by = 1 / (6 * np.where(range_ > 0, range_, 1))
    hue = np.where(
        value == red,
        by * (green - blue),
        np.where(value == green, by * (blue - red) + 1 / 3, by * (red - green) + 2 / 3),
    )
    hue = np.where(range_ > 0, hue, 0)
    hue = np.where(hue < 0, hue + 1, hue)
    return np.stack([hue, share, value], axis=-1).astype(x.dtype)


def _to_colours(x: Array) -> Array:
    """Red, green and blue."""
    _check(x)
    hue, share, value = np.moveaxis(_wide(x), -1, 0)
    turn = hue * 6
    parts = (np.abs(turn - 3) - 1, 2 - np.abs(turn - 2), 2 - np.abs(turn - 4))
    made = [((1 - share) + share * np.clip(part, 0, 1)) * value for part in parts]
    return np.stack(made, axis=-1).astype(x.dtype)


declare("RGBToHSV", infer=as_first, kernel=lambda attrs, x: _to_hues(x))
declare("HSVToRGB", infer=as_first, kernel=lambda attrs, x: _to_colours(x))


def _turn_hue(attrs: Attrs, x: Array, delta: Array) -> Array:
    hues = _to_hues(_wide(x))
    turned = hues[..., 0] + delta.reshape(())
    hues[..., 0] = turned - np.floor(turned)
    return _to_colours(hues).astype(x.dtype, copy=False)


def _scale_share(attrs: Attrs, x: Array, scale: Array) -> Array:
    hues = _to_hues(_wide(x))
    hues[..., 1] = np.clip(hues[..., 1] * scale.reshape(()), 0, 1)
    return _to_colours(hues).astype(x.dtype, copy=False)


def _scale_contrast(attrs: Attrs, x: Array, factor: Array) -> Array:
    if x.ndim < 3:
        raise ValueError(f"{x.shape} are no images")
    wide = _wide(x)
    mean = np.mean(wide, axis=(-3, -2), keepdims=True, dtype=wide.dtype)
    return np.asarray((wide - mean) * factor.reshape(()) + mean).astype(x.dtype)


declare("AdjustHue", infer=as_first, kernel=_turn_hue)
declare("AdjustSaturation", infer=as_first, kernel=_scale_share)
declare("AdjustContrastv2", infer=as_first, kernel=_scale_contrast)


declare("AdjustContrast", "DrawBoundingBoxes", "DrawBoundingBoxesV2", infer=as_first)
