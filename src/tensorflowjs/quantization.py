"""Weights in fewer bytes: which, and how."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfjs.errors import UnsupportedError, UsageError
from tfjs.formats.quantize import (
    affine_quantization,
    choose_dtypes,
    quantize_block,
    value_range,
)

QUANTIZATION_DTYPE_FLOAT16 = "float16"
QUANTIZATION_DTYPE_UINT8 = "uint8"
QUANTIZATION_DTYPE_UINT16 = "uint16"

QUANTIZATION_BYTES_TO_DTYPES = {1: QUANTIZATION_DTYPE_UINT8, 2: QUANTIZATION_DTYPE_UINT16}
QUANTIZATION_OPTION_TO_DTYPES: dict[str, Any] = {
    QUANTIZATION_DTYPE_UINT8: np.uint8,
    QUANTIZATION_DTYPE_UINT16: np.uint16,
    QUANTIZATION_DTYPE_FLOAT16: np.float16,
}

_Array = npt.NDArray[Any]


def map_layers_to_quantization_dtype(
    names: Sequence[str], quantization_dtype_map: Mapping[Any, Any] | None
) -> dict[str, Any]:
    """Decide which weights are stored in fewer bytes.

    Args:
        names: names of the weights.
        quantization_dtype_map: `fnmatch` patterns (or one), or True for all others, by
            "float16", "uint8" or "uint16".

    Returns:
        The NumPy dtype of each weight that is to be quantised, by name.

    Raises:
        UsageError: two dtypes claim one weight, or all others; or a dtype is unknown.
    """
    chosen, _ = choose_dtypes(list(names), quantization_dtype_map or {})
    return {name: QUANTIZATION_OPTION_TO_DTYPES[dtype] for name, dtype in chosen.items()}


def quantize_weights(
    data: _Array, quantization_dtype: npt.DTypeLike
) -> tuple[_Array, dict[str, float]]:
    """Store the values of an array in fewer bytes.

    Args:
        data: the values; float16 takes float32 only.
        quantization_dtype: `np.uint8`, `np.uint16` or `np.float16`.

    Returns:
        The stored values, and their `min` and `scale` (nothing for float16).

    Raises:
        UsageError: another dtype.
        UnsupportedError: NaN or infinity for integers.
    """
    name = np.dtype(quantization_dtype).name
    if name == "float16":
        if data.dtype != np.float32:
            raise UsageError(f"only float32 is quantised to float16, not {data.dtype}")
        with np.errstate(over="ignore"):
            return data.astype(np.float16), {}
    if name not in ("uint8", "uint16"):
        raise UsageError(f"weights are quantised to uint8, uint16 or float16, not {name}")
    extremes = value_range([data])
    if extremes is None or math.isinf(extremes[1] - extremes[0]):
        raise UnsupportedError(f"NaN, infinity or too wide a range cannot be stored in {name}")
    quantization = affine_quantization(*extremes, "uint8" if name == "uint8" else "uint16")
    stored = quantize_block(data, quantization)
    return stored, {"min": quantization.min, "scale": quantization.scale}


def dequantize_weights(
    data: _Array, metadata: Mapping[str, float], original_dtype: npt.DTypeLike = np.float32
) -> _Array:
    """The values of an array that `quantize_weights` made.

    Args:
        data: the stored values.
        metadata: what came with them.
        original_dtype: dtype of the result; for int32 the values are rounded.

    Raises:
        UsageError: `min` or `scale` is missing, or a dtype makes no sense.
    """
    dtype = np.dtype(original_dtype)
    if data.dtype == np.float16:
        if dtype != np.float32:
            raise UsageError(f"float16 is expanded to float32, not to {dtype}")
        return data.astype(dtype)
    if data.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise UsageError(f"quantised weights are uint8, uint16 or float16, not {data.dtype}")
    if "scale" not in metadata or "min" not in metadata:
        raise UsageError(f"{data.dtype} weights need their min and scale to be expanded")
    values = data.astype(np.float64) * metadata["scale"] + metadata["min"]
    return (np.rint(values) if dtype == np.int32 else values).astype(dtype)
