"""Tensors are lazy, and their bytes are those of NumPy, little-endian and dense."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfjs.errors import CorruptFileError
from tfjs.io.files import FileSpan
from tfjs.ir.tensor import (
    Array,
    ArrayTensor,
    CastTensor,
    DerivedTensor,
    Quantization,
    QuantizedTensor,
    SpanTensor,
)

DTYPES = ["float32", "float64", "float16", "int32", "int64", "uint8", "bool", "complex64"]


@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
    ),
    st.integers(1, 40),
    st.data(),
)
def test_spans_give_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, value: Array, chunk: int, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("tensor")
    raw = value.tobytes()
    cut = data.draw(st.integers(0, len(raw)))
    (folder / "a").write_bytes(b"xyz" + raw[:cut])
    (folder / "b").write_bytes(raw[cut:] + b"z")
    spans = [FileSpan(folder / "a", 3, cut), FileSpan(folder / "b", 0, len(raw) - cut)]
    tensor = SpanTensor(value.dtype.name, value.shape, spans)
    assert tensor.nbytes == len(raw)
    assert tensor.array().shape == value.shape
    assert tensor.array().tobytes() == raw
    assert b"".join(bytes(part) for part in tensor.chunks(chunk)) == raw
    blocks = list(tensor.blocks(chunk))
    assert b"".join(block.tobytes() for block in blocks) == raw


def test_an_array_tensor_streams_the_same_bytes() -> None:
    value = np.arange(1000, dtype=">f4").reshape(10, 100)
    tensor = ArrayTensor(value)
    assert b"".join(bytes(part) for part in tensor.chunks(64)) == value.astype("<f4").tobytes()


def test_arrays_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        ArrayTensor(np.zeros(3)).array()[0] = 1


def test_strings_are_bytes() -> None:
    tensor = ArrayTensor(np.array([["a", "ü"], ["", "xyz"]]))
    assert tensor.dtype == "string"
    assert tensor.array().tolist() == [[b"a", "ü".encode()], [b"", b"xyz"]]


def test_spans_of_another_length_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(10))
    with pytest.raises(CorruptFileError, match="has 12 bytes, 10 were found"):
        SpanTensor("float32", [3], [FileSpan(tmp_path / "a", 0, 10)])


def test_bfloat16_is_widened(tmp_path: Path) -> None:
    value = np.array([1.0, -2.5, 3.140625, np.inf], np.float32)
    bits = (value.view(np.uint32) >> 16).astype("<u2")
    (tmp_path / "a").write_bytes(bits.tobytes())
    tensor = SpanTensor("bfloat16", [4], [FileSpan(tmp_path / "a", 0, 8)])
    np.testing.assert_array_equal(tensor.array(), value)


def test_a_cast_is_blockwise_the_cast() -> None:
    value = np.linspace(-3, 3, 999)
    tensor = CastTensor(ArrayTensor(value), "float32")
    np.testing.assert_array_equal(np.concatenate(list(tensor.blocks(64))), value.astype("f4"))


def test_a_derived_tensor_must_be_what_it_says() -> None:
    tensor = DerivedTensor("float32", [2], lambda: np.zeros(3, np.float32))
    with pytest.raises(CorruptFileError, match=r"expected float32 \[2\]"):
        tensor.array()


@pytest.mark.parametrize(
    ("stored", "quantization", "dtype", "expected"),
    [
        (np.array([0, 255], "u1"), Quantization("uint8", 0.5, -1.0), "float32", [-1.0, 126.5]),
        (np.array([0, 3], "u2"), Quantization("uint16", 0.4, 0.0), "int32", [0, 1]),
        (np.array([1.5, -2.0], "f2"), Quantization("float16"), "float32", [1.5, -2.0]),
    ],
)
def test_expanding(
    stored: Array, quantization: Quantization, dtype: str, expected: list[float]
) -> None:
    tensor = QuantizedTensor(ArrayTensor(stored), quantization, dtype)
    assert tensor.array().dtype == dtype
    assert tensor.array().tolist() == expected
    assert np.concatenate(list(tensor.blocks(1))).tolist() == expected


def test_strings_of_a_large_shape_without_elements() -> None:
    tensor = ArrayTensor(np.empty((0, 2**31), object))
    assert (tensor.dtype, tensor.shape) == ("string", (0, 2**31))
