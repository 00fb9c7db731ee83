"""Numbers rounded to those that few bits can tell, and kept as floats.

Source: tensorflow/core/kernels/quantize_and_dequantize_op.h.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs
from tfjs.ir.tensor import Array
from tfjs.ops.base import as_first, declare
from tfjs.ops.shaping import integers

_F = np.float32


def _bounds(attrs: Attrs, x: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """The range, that of the numbers where none is given; broadcast against x."""
    axis = attrs.get("axis", -1)
    if not attrs.get("range_given", True):
        others = tuple(at for at in range(x.ndim) if at != axis) if axis >= 0 else None
        low = np.asarray(np.min(x, axis=others, initial=np.inf))
        high = np.asarray(np.max(x, axis=others, initial=-np.inf))
    if axis >= 0:
        shape = [1] * x.ndim
        shape[axis] = -1
        return low.reshape(shape), high.reshape(shape)
    return low.reshape(()), high.reshape(())


def _rounded(attrs: Attrs, x: Array, low: Array, high: Array, bits: int) -> Array:
    if not 1 <= bits < 64:
        raise ValueError(f"no {bits} bits")
    low, high = (bound.astype(_F) for bound in _bounds(attrs, x, low, high))
    signed, narrow = attrs.get("signed_input", True), attrs.get("narrow_range", False)
    least = _F(narrow - (1 << (bits - 1)) if signed else 0)
    most = _F((1 << (bits - 1)) - 1 if signed else (1 << bits) - 1)
    none = np.finfo(_F).max
    # The scale of the side that needs the coarser steps.
    by_low = np.where(least * low > 0, least / low, none)
    by_high = np.where(most * high > 0, most / high, none)
    lower = by_low < by_high
    scale = np.where(lower, by_low, by_high).astype(_F)
    step = np.where(lower, low / least, high / most).astype(_F)
    clipped = np.minimum(
        np.maximum(x, np.where(lower, low, least * step)), np.where(lower, most * step, high)
    )
    half_up = attrs.get("round_mode", b"HALF_TO_EVEN") == b"HALF_UP"
    found = clipped * scale
    found = np.floor(found + _F(0.5)) if half_up else np.rint(found)
    return np.asarray(found * step).astype(x.dtype)


def _by_attr(attrs: Attrs, x: Array, low: Array, high: Array) -> Array:
    return _rounded(attrs, x, low, high, attrs.get("num_bits", 8))


def _by_input(attrs: Attrs, x: Array, low: Array, high: Array, bits: Array) -> Array:
    return _rounded(attrs, x, low, high, integers(bits)[0])


def _first_edition(attrs: Attrs, x: Array) -> Array:
    told: list[Any] = [np.asarray(attrs.get(name, 0.0)) for name in ("input_min", "input_max")]
    return _by_attr({"range_given": False, **attrs}, x, *told)


declare("QuantizeAndDequantize", infer=as_first, kernel=_first_edition)
declare(*("QuantizeAndDequantizeV2", "QuantizeAndDequantizeV4"), infer=as_first, kernel=_by_attr)
declare("QuantizeAndDequantizeV3", infer=as_first, kernel=_by_input)
