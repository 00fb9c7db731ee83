"""Arithmetic as JavaScript does it, where TF.js therefore answers otherwise than TensorFlow.

Integers are reckoned in double precision and stored in 32 bits; nothing refuses a division by zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs
from tfjs.ir.tensor import Array
from tfjs.ops.base import Kernel


def stored(x: Array) -> Array:
    """Numbers as an array of 32 bits takes them: cut off, the last bits kept; 0 if not finite."""
    wide = np.trunc(np.where(np.isfinite(x), x, 0)).astype(np.float64)
    return np.mod(wide, 2.0**32).astype(np.uint32).view(np.int32)


def _is_whole(x: Array) -> bool:
    return x.dtype.kind in "iu"


def in_double(function: Callable[..., Array]) -> Kernel:
    """A kernel that reckons integers in double precision; floats as they are."""

    def kernel(attrs: Attrs, *inputs: Array) -> Array:
        if not _is_whole(inputs[0]):
            return np.asarray(function(*inputs)).astype(inputs[0].dtype, copy=False)
        return stored(function(*(item.astype(np.float64) for item in inputs)))

    return kernel


def _divide(attrs: Attrs, x: Array, y: Array) -> Array:
    if not _is_whole(x):
        return np.asarray(x / y)
    return stored(np.floor(x.astype(np.float64) / y))


def _floor_divide(attrs: Attrs, x: Array, y: Array) -> Array:
    return stored(np.floor(x.astype(np.float64) / y.astype(np.float64)))


def _remainder(x: Array, y: Array) -> Array:
    rest = np.fmod(x, y)
    alike = ((x < 0) & (y < 0)) | ((x >= 0) & (y >= 0))
    return np.where(alike, rest, np.fmod(rest + y, y))


def _power(x: Array, y: Array) -> Array:
    result = np.asarray(np.power(x, y))
    # Also 1 to the power of what is no finite number is none.
    return np.where((np.abs(x) == 1) & ~np.isfinite(y), np.nan, result)


def _difference_squared(x: Array, y: Array) -> Array:
    return np.asarray((x - y) * (x - y))


# Operation -> what TF.js computes of two inputs.
BINARY: dict[str, Kernel] = {
    "Div": _divide,
    "FloorDiv": _floor_divide,
    "FloorMod": in_double(_remainder),
    "Mod": in_double(_remainder),
    "Mul": in_double(np.multiply),
    "Pow": in_double(_power),
    "RealDiv": _divide,
    "SquaredDifference": in_double(_difference_squared),
}


def _in_single(function: Callable[[Array], Array]) -> Kernel:
    """A kernel that keeps integers in single precision meanwhile."""

    def kernel(attrs: Attrs, x: Array) -> Array:
        if not _is_whole(x):
            return np.asarray(function(x))
        return stored(np.asarray(function(x.astype(np.float64))).astype(np.float32))

    return kernel


def _sign(x: Array) -> Array:
    return np.where(np.isnan(x), 0, np.sign(x))


# Operation -> what TF.js computes of one input.
UNARY: dict[str, Kernel] = {
    "Abs": _in_single(np.abs),
    "Sign": in_double(_sign),
    "Square": _in_single(np.square),
}


def clip(attrs: Attrs, x: Array, low: Array, high: Array) -> Array:
    """Numbers between two bounds: the first of each array."""
    bounds = [item.reshape(-1)[0] for item in (low, high)]
    if bounds[0] > bounds[1]:
        raise ValueError(f"the bounds {bounds[0]} and {bounds[1]} are not in order")
    return np.asarray(np.clip(x, bounds[0], bounds[1])).astype(x.dtype, copy=False)


def cast(attrs: Attrs, x: Array, otherwise: Kernel) -> Any:
    """Floats as integers, which TF.js has of 32 bits only; anything else as TensorFlow."""
    if x.dtype.kind == "f" and attrs["DstT"] in ("int32", "int64", "int8", "uint8"):
        return stored(x)
    return otherwise(attrs, x)
