from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from tests.wire import golden_bundle
from tfjs.errors import ConversionError
from tfjs.wire.bundle import read_bundle
from tfjs.wire.bundle_write import BundleWriter

_DTYPES = ["float32", "float64", "float16", "int8", "uint8", "int16", "int32", "int64", "bool"]
_ARRAYS = st.sampled_from(_DTYPES).flatmap(
    lambda dtype: st_numpy.arrays(dtype, st_numpy.array_shapes(min_dims=0, min_side=0, max_side=4))
)
_KEYS = st.text("abc/é_1", min_size=1, max_size=8)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@given(
    st.dictionaries(_KEYS, st.one_of(_ARRAYS, st.lists(st.binary(max_size=200), max_size=4))),
    st.integers(1, 9),
)
def test_round_trip(tensors: dict[str, Any], size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder, "ck")
        with BundleWriter(prefix) as bundle:
            for key, value in tensors.items():
                if isinstance(value, list):
                    bundle.add_strings(key, (len(value),), value)
                else:
                    bundle.add(key, value.dtype.name, value.shape, pieces(value.tobytes(), size))
        found = read_bundle(prefix)
        assert set(found.keys()) == set(tensors)
        for key, value in tensors.items():
            found.verify_crc(key)
            entry = found.entry(key)
            if isinstance(value, list):
                assert found.read_strings(key) == value
            else:
                assert (entry.dtype_name, entry.shape) == (value.dtype.name, value.shape)
                assert bytes(entry.span().view()) == value.tobytes()


def test_what_tensorflow_reads(tensorflow: ModuleType, tmp_path: Path) -> None:
    arrays: dict[str, Any] = {
        "w": np.arange(6, dtype=np.float32).reshape(2, 3),
        "a/long/name": np.array([[1, -2]], np.int64),
        "empty": np.zeros((0, 4), np.float32),
        "flag": np.array(True),
        "z": np.array([1 + 2j], np.complex64),
    }
    texts = [b"", b"ab", b"x" * 300, "é".encode()]
    half = np.array([1.5, -2.0], np.float32).view(np.uint32) >> 16
    with BundleWriter(tmp_path / "ck") as bundle:
        for key, array in arrays.items():
            bundle.add(key, array.dtype.name, array.shape, [array.tobytes()])
        bundle.add_strings("texts", (2, 2), texts)
        bundle.add("half", "bfloat16", (2,), [half.astype("<u2").tobytes()])
    reader = tensorflow.train.load_checkpoint(str(tmp_path / "ck"))
    assert set(reader.get_variable_to_shape_map()) == {*arrays, "texts", "half"}
    for key, array in arrays.items():
        found = reader.get_tensor(key)
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)
    assert reader.get_tensor("texts").reshape(-1).tolist() == texts
    assert reader.get_tensor("half").astype(np.float32).tolist() == [1.5, -2.0]


def test_the_bytes_of_strings_are_those_of_tensorflow(tmp_path: Path) -> None:
    theirs = read_bundle(golden_bundle.write(tmp_path))
    with BundleWriter(tmp_path / "own") as bundle:
        bundle.add_strings("s", (2, 2), golden_bundle.STRINGS)
    ours = read_bundle(tmp_path / "own").entry("s")
    wanted = theirs.entry("s")
    assert bytes(ours.span().view()) == bytes(wanted.span().view())
    assert (ours.crc, ours.size, ours.shape) == (wanted.crc, wanted.size, wanted.shape)


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with BundleWriter(tmp_path / name) as bundle:
            for key in ("b", "a"):
                bundle.add(key, "float32", (1,), [b"\0\0\x80?"])
    for suffix in ("index", "data-00000-of-00001"):
        assert (tmp_path / f"one.{suffix}").read_bytes() == (
            tmp_path / f"two.{suffix}"
        ).read_bytes()


@pytest.mark.parametrize("data", [b"", b"\0" * 7, b"\0" * 9])
def test_other_bytes_than_the_shape_asks_for(data: bytes, tmp_path: Path) -> None:
    with (
        pytest.raises(ConversionError, match=r"w: has \d bytes, .* ask for 8"),
        BundleWriter(tmp_path / "ck") as bundle,
    ):
        bundle.add("w", "float32", (2,), [data])
    assert not (tmp_path / "ck.index").exists()


def test_other_strings_than_the_shape_asks_for(tmp_path: Path) -> None:
    with (
        pytest.raises(ConversionError, match="has 1 strings"),
        BundleWriter(tmp_path / "ck") as bundle,
    ):
        bundle.add_strings("s", (2,), [b""])


def test_one_name_twice(tmp_path: Path) -> None:
    with BundleWriter(tmp_path / "ck") as bundle:
        bundle.add("w", "float32", (0,), [])
        with pytest.raises(ConversionError, match="two tensors"):
            bundle.add("w", "float32", (0,), [])
