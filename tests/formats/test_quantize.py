"""Quantisation: which weights the rules take, and the arithmetic of the official converter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.formats.arrays import array
from tfjs.errors import UsageError
from tfjs.formats.base import QuantizationMap
from tfjs.formats.quantize import (
    BLOCK,
    affine_quantization,
    choose_dtypes,
    float32_blocks,
    quantize_block,
    value_range,
)
from tfjs.ir.tensor import Array, ArrayTensor, Quantization, QuantizedTensor

NAMES = ["conv/kernel", "conv/bias", "dense/kernel", "a[0]"]
_FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, {}),
        ({"uint8": True}, dict.fromkeys(NAMES, "uint8")),
        ({"uint8": ["conv/*"]}, {"conv/kernel": "uint8", "conv/bias": "uint8"}),
        # A bare text is one pattern, and `*` crosses slashes.
        ({"float16": "*kernel"}, {"conv/kernel": "float16", "dense/kernel": "float16"}),
        # A pattern wins over the rest, in whatever order.
        (
            {"float16": True, "uint16": ["*/bias"]},
            {
                "conv/kernel": "float16",
                "conv/bias": "uint16",
                "dense/kernel": "float16",
                "a[0]": "float16",
            },
        ),
        # The same dtype may claim a weight twice.
        ({"uint8": ["a*", "*[[]0]"]}, {"a[0]": "uint8"}),
        # Brackets are a set of characters.
        ({"uint8": ["a[0]", "CONV/*", "conv/bia?"]}, {"conv/bias": "uint8"}),
    ],
)
def test_rules(rules: QuantizationMap, expected: dict[str, str]) -> None:
    assert choose_dtypes(NAMES, rules)[0] == expected


def test_a_pattern_without_a_match_is_told() -> None:
    _, notes = choose_dtypes(NAMES, {"uint8": ["a[0]", "conv/*"], "float16": ["x", "dense/*"]})
    assert notes == [
        "quantisation to uint8: no weight is named like 'a[0]'",
        "quantisation to float16: no weight is named like 'x'",
    ]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"uint8": ["conv/*"], "uint16": ["*/bias"]}, "both uint8 and uint16 .* 'conv/bias'"),
        ({"uint8": True, "float16": True}, "both uint8 and float16 are to take all other"),
        ({"int4": True}, "cannot be quantised to 'int4'"),
        ({"uint8": False}, "wants weight name patterns or True, not False"),
        ({"uint8": [1]}, r"not \[1\]"),
    ],
)
def test_contradictory_rules(rules: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_dtypes(NAMES, rules)


def test_value_range() -> None:
    assert value_range(
        [array("float32", [1, -2]), array("float32", []), array("float32", [3])]
    ) == (-2.0, 3.0)
    assert value_range([]) == (0.0, 0.0)
    assert value_range([array("float32", [1]), array("float32", [2, np.nan])]) is None
    assert value_range([array("float32", [-np.inf])]) is None


@pytest.mark.parametrize(
    ("values", "dtype", "scale", "low", "stored"),
    [
        ([0, 1, 255], "uint8", 1.0, 0.0, [0, 1, 255]),
        ([0, 65535, 7], "uint16", 1.0, 0.0, [0, 65535, 7]),
        # Halves go to the even neighbour.
        ([0, 0.5, 1.5, 2.5, 255], "uint8", 1.0, 0.0, [0, 0, 2, 2, 255]),
        # 0 is not in the range, so nothing is shifted.
        ([10, 137.5, 265], "uint8", 1.0, 10.0, [0, 128, 255]),
        ([-265, -10], "uint8", 1.0, -265.0, [0, 255]),
        # 63.75 steps below 0 become 64, and the largest value is cut to 191 steps above.
        ([-1, 0, 3], "uint8", 4 / 255, -64 * (4 / 255), [0, 64, 255]),
        ([5, 5, 5], "uint8", 1.0, 5.0, [0, 0, 0]),
        ([-0.0], "uint16", 1.0, 0.0, [0]),
        ([], "uint8", 1.0, 0.0, []),
    ],
)
def test_affine(values: Any, dtype: Any, scale: float, low: float, stored: list[int]) -> None:
    block = array("float32", values)
    extremes = value_range([block])
    assert extremes is not None
    quantization = affine_quantization(*extremes, dtype)
    assert (quantization.scale, quantization.min) == (scale, low)
    assert not np.signbit(quantization.min) or quantization.min < 0  # never -0.0
    result = quantize_block(block, quantization)
    assert result.dtype == np.dtype(dtype)
    assert result.tolist() == stored


def _official(data: Array, dtype: str) -> tuple[Array, float, float]:
    """What `official_converter.md` 1c says, word for word, in NumPy 2."""
    low, high = np.float64(data.min()), np.float64(data.max())
    if low == high:
        return np.zeros_like(data, dtype=dtype), 1.0, float(low)
    largest = np.iinfo(dtype).max
    scale = (high - low) / largest
    if low <= 0 <= high:
        zero_point = np.round(-low / scale)
        low = -zero_point * scale
        high = largest * scale + low
    stored = np.round((data.clip(low, high) - low) / scale).astype(dtype)
    return stored, float(scale), float(low)


@given(
    hnp.arrays(np.float32, st.integers(1, 40), elements=_FLOATS.filter(lambda x: abs(x) < 1e38)),
    st.sampled_from(["uint8", "uint16"]),
)
def test_affine_is_that_of_the_official_converter(data: Array, dtype: Any) -> None:
    stored, scale, low = _official(data, dtype)
    quantization = affine_quantization(float(data.min()), float(data.max()), dtype)
    assert (quantization.scale, quantization.min) == (scale, low)
    assert quantize_block(data, quantization).tolist() == stored.tolist()


@given(
    hnp.arrays(np.float32, st.integers(1, 40), elements=_FLOATS),
    st.sampled_from(["uint8", "uint16"]),
)
def test_affine_error_is_at_most_half_a_step(data: Array, dtype: Any) -> None:
    quantization = affine_quantization(float(data.min()), float(data.max()), dtype)
    stored = ArrayTensor(quantize_block(data, quantization))
    back = QuantizedTensor(stored, quantization).array()
    exact = data.astype(np.float64)
    error = np.abs(back.astype(np.float64) - exact)
    # Half a step, and what float32 itself cannot tell.
    slack = float(np.abs(data).max()) * 2.0**-23 + 1e-45
    if data.min() != data.max():
        assert (error <= quantization.scale * 0.5000001 + slack).all()
    else:
        assert (error == 0).all()
    if np.abs(data).max() < 1e38 and data.min() < 0 < data.max():
        zero = quantize_block(array("float32", [0]), quantization)
        assert QuantizedTensor(ArrayTensor(zero), quantization).array().tolist() == [0.0]


def test_the_widest_range_stays_within_float32() -> None:
    largest = np.finfo(np.float32).max
    quantization = affine_quantization(-float(largest), float(largest), "uint8")
    ends = QuantizedTensor(ArrayTensor(array("uint8", [0, 255])), quantization).array()
    assert ends.tolist() == [-largest, largest]


def test_values_that_differ_by_next_to_nothing() -> None:
    tiny = np.float32(1e-45)
    quantization = affine_quantization(0.0, float(tiny), "uint16")
    stored = quantize_block(array("float32", [0, tiny]), quantization)
    assert stored.tolist() == [0, 65535]
    assert affine_quantization(0.0, 5e-324, "uint8") == Quantization("uint8", 1.0, 0.0)


def test_float32_blocks_are_bounded_and_cast() -> None:
    blocks = list(float32_blocks(ArrayTensor(array("float64", [1e300, 2.5] * BLOCK))))
    assert all(block.dtype == np.float32 and block.size <= BLOCK for block in blocks)
    assert np.concatenate(blocks)[:2].tolist() == [np.inf, 2.5]
    assert sum(block.size for block in blocks) == 2 * BLOCK
