"""`tensorflowjs.quantization`, as the official package documents it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tensorflowjs import quantization
from tfjs.errors import UnsupportedError, UsageError


def test_map_layers_to_quantization_dtype() -> None:
    names = ["conv/0/weight", "conv/0/bias", "conv/1/weight", "conv/1/bias"]
    found = quantization.map_layers_to_quantization_dtype(
        names, {"uint8": ["conv/0/*"], "uint16": True, "float16": "conv/1/bias"}
    )
    assert found == {
        "conv/0/weight": np.uint8,
        "conv/0/bias": np.uint8,
        "conv/1/weight": np.uint16,
        "conv/1/bias": np.float16,
    }
    assert quantization.map_layers_to_quantization_dtype(names, None) == {}
    with pytest.raises(UsageError, match="both uint8 and float16"):
        quantization.map_layers_to_quantization_dtype(names, {"uint8": "*", "float16": "*bias"})


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, "uint8"])
@pytest.mark.parametrize("original", [np.float32, np.int32])
def test_affine_round_trip(dtype: Any, original: Any) -> None:
    data = np.array([[-1000, 0, 7], [500, 333, -2]], dtype=original)
    stored, metadata = quantization.quantize_weights(data, dtype)
    assert stored.dtype == np.dtype(dtype)
    assert stored.shape == data.shape
    assert metadata.keys() == {"min", "scale"}
    back = quantization.dequantize_weights(stored, metadata, original)
    assert back.dtype == original
    assert np.abs(back - data).max() <= metadata["scale"] / 2 + 0.5
    assert back[0, 1] == 0


def test_one_value() -> None:
    stored, metadata = quantization.quantize_weights(np.ones(5, dtype=np.float32), np.uint8)
    assert stored.tolist() == [0] * 5
    assert metadata == {"min": 1.0, "scale": 1.0}


def test_float16() -> None:
    data = np.array([1.5, 1e6], dtype=np.float32)
    stored, metadata = quantization.quantize_weights(data, np.float16)
    assert metadata == {}
    assert stored.dtype == np.float16
    assert quantization.dequantize_weights(stored, {}).tolist() == [1.5, np.inf]


def test_calls_that_make_no_sense() -> None:
    floats = np.zeros(2, dtype=np.float32)
    with pytest.raises(UsageError, match="uint8, uint16 or float16, not bool"):
        quantization.quantize_weights(floats, bool)
    with pytest.raises(UsageError, match="only float32 is quantised to float16, not float64"):
        quantization.quantize_weights(floats.astype(np.float64), np.float16)
    for bad in ([np.nan], [-1.7e308, 1.7e308]):
        with pytest.raises(UnsupportedError, match="cannot be stored in uint8"):
            quantization.quantize_weights(np.array(bad), np.uint8)
    with pytest.raises(UsageError, match="uint8 weights need their min and scale"):
        quantization.dequantize_weights(np.zeros(2, dtype=np.uint8), {"min": 0})
    with pytest.raises(UsageError, match="float16 is expanded to float32, not to int32"):
        quantization.dequantize_weights(np.zeros(2, dtype=np.float16), {}, np.int32)
    with pytest.raises(UsageError, match="uint8, uint16 or float16, not float32"):
        quantization.dequantize_weights(floats, {})
