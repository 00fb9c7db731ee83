"""How weights of every dtype are stored, and what is said of their values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.formats.arrays import array
from tfjs.formats.base import QuantizedDtype
from tfjs.formats.stored import STORED_DTYPES, Remarks, StoredWeight, stored_weight
from tfjs.io.files import FileSpan
from tfjs.ir.tensor import (
    ITEM_SIZES,
    Array,
    ArrayTensor,
    DerivedTensor,
    Quantization,
    QuantizedTensor,
    SpanTensor,
    Tensor,
)
from tfjs.ir.weights import NamedTensor


def _store(
    tensor: Tensor | npt.ArrayLike,
    rule: QuantizedDtype | None = None,
    *,
    dequantize: bool = False,
    group: str | None = None,
) -> tuple[StoredWeight | None, list[str], Remarks]:
    if not isinstance(tensor, Tensor):
        tensor = ArrayTensor(tensor)
    problems: list[str] = []
    remarks = Remarks()
    weight = stored_weight(
        NamedTensor("w", tensor, group),
        rule,
        dequantize=dequantize,
        problems=problems,
        remarks=remarks,
    )
    return weight, problems, remarks


def _stored(tensor: Any, rule: QuantizedDtype | None = None, **options: Any) -> tuple[Any, ...]:
    """Manifest entry, bytes and remarks of a weight that can be stored."""
    weight, problems, remarks = _store(tensor, rule, **options)
    assert weight is not None
    assert problems == []
    data = b"".join(weight.pieces(remarks))
    assert len(data) == weight.nbytes
    return weight.entry(), data, remarks.lines()


def test_every_dtype_has_its_place() -> None:
    assert STORED_DTYPES.keys() == ITEM_SIZES.keys() | {"string"}


@pytest.mark.parametrize(
    ("source", "dtype", "stored"),
    [
        (array("float32", [1.5, -2]), "float32", "<f4"),
        (array("float16", [1.5, -2]), "float32", "<f4"),
        (array("float64", [1.5, -2]), "float32", "<f4"),
        (np.array([1.5, -2], ">f4"), "float32", "<f4"),
        (array("int8", [-128, 127]), "int32", "<i4"),
        (array("int16", [-32768, 1]), "int32", "<i4"),
        (array("int32", [-(2**31), 2**31 - 1]), "int32", "<i4"),
        (array("int64", [-(2**31), 2**31 - 1]), "int32", "<i4"),
        (np.array([1, 258], ">i8"), "int32", "<i4"),
        (array("uint8", [0, 255]), "int32", "<i4"),
        (array("uint16", [0, 65535]), "int32", "<i4"),
        (array("uint32", [0, 2**31 - 1]), "int32", "<i4"),
        (array("uint64", [0, 2**31 - 1]), "int32", "<i4"),
        (array("bool", [True, False]), "bool", "u1"),
        (array("complex64", [1 + 2j, -3j]), "complex64", "<c8"),
        (array("complex128", [1 + 2j, -3j]), "complex64", "<c8"),
    ],
)
def test_casts(source: Array, dtype: str, stored: str) -> None:
    entry, data, remarks = _stored(source)
    assert entry == {"name": "w", "shape": [2], "dtype": dtype}
    assert np.frombuffer(data, stored).tolist() == source.tolist()
    assert remarks == []


def test_bfloat16_becomes_float32(tmp_path: Any) -> None:
    file = tmp_path / "a"
    file.write_bytes(array("uint16", [0x3FC0, 0xC000]).tobytes())
    entry, data, _ = _stored(SpanTensor("bfloat16", [2], [FileSpan(file, 0, 4)]))
    assert entry["dtype"] == "float32"
    assert np.frombuffer(data, "<f4").tolist() == [1.5, -2.0]


def test_bool_bytes_are_0_and_1(tmp_path: Any) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"\0\1\2\xff")
    _, data, _ = _stored(SpanTensor("bool", [4], [FileSpan(file, 0, 4)]))
    assert data == b"\0\1\1\1"


def test_strings() -> None:
    entry, data, _ = _stored(np.array([["é", ""], [b"\xff\0", "ab"]], dtype=object))
    assert entry == {"name": "w", "shape": [2, 2], "dtype": "string"}
    assert data == b"\2\0\0\0\xc3\xa9" + b"\0\0\0\0" + b"\2\0\0\0\xff\0" + b"\2\0\0\0ab"


def test_scalars_and_empty_tensors() -> None:
    assert _stored(np.float32(2))[0]["shape"] == []
    for source in (np.zeros((0, 3), "f4"), np.zeros((0, 3), "i8"), np.zeros((0, 3), object)):
        assert _stored(source)[1] == b""
    for rule in ("uint8", "uint16", "float16"):
        entry, data, _ = _stored(np.zeros((2, 0), "f4"), rule)
        assert data == b""
        assert entry["quantization"]["dtype"] == rule


def test_group_is_told() -> None:
    entry, _, _ = _stored(array("float32", [1]), group="optimizer")
    assert entry == {"name": "w", "shape": [1], "dtype": "float32", "group": "optimizer"}


@pytest.mark.parametrize(
    ("source", "misfit"),
    [
        (array("int64", [0, 2**31]), 2**31),
        (array("int64", [-(2**31) - 1]), -(2**31) - 1),
        (array("uint32", [2**32 - 1]), 2**32 - 1),
        (array("uint64", [2**64 - 1]), 2**64 - 1),
    ],
)
def test_integers_beyond_int32_are_refused(source: Array, misfit: int) -> None:
    weight, problems, _ = _store(source)
    assert weight is None
    assert problems == [f"w: the {source.dtype} value {misfit} does not fit int32"]


@pytest.mark.parametrize(
    ("source", "remark"),
    [
        (array("float32", [1, np.nan]), "stored with NaN or infinity among the values: w"),
        (array("float64", [1, -np.inf]), "stored with NaN or infinity among the values: w"),
        (
            array("complex64", [complex(0, np.nan)]),
            "stored with NaN or infinity among the values: w",
        ),
        (array("float64", [1e39]), "values beyond the range of float32 became infinity: w"),
        (array("complex128", [1e39j]), "values beyond the range of float32 became infinity: w"),
    ],
)
def test_values_that_deserve_a_word(source: Array, remark: str) -> None:
    with np.errstate(over="ignore"):
        expected = source.astype("c8" if source.dtype.kind == "c" else "f4")
    _, data, remarks = _stored(source)
    assert data == expected.tobytes()
    assert remarks == [remark]


def test_remarks_name_the_first_weights() -> None:
    remarks = Remarks()
    for name in "abcdefga":
        remarks.add("odd", name)
    remarks.add("even", "z")
    assert remarks.lines() == ["odd: a, b, c, d, e and 2 more", "even: z"]


def test_float16() -> None:
    source = array("float32", [1, 1 / 3, 65504, 65519, -1e-8])
    entry, data, remarks = _stored(source, "float16")
    assert entry["dtype"] == "float32"
    assert entry["quantization"] == {"dtype": "float16", "original_dtype": "float32"}
    assert data == source.astype("<f2").tobytes()
    assert remarks == []
    for value in (65520, -1e9):
        _, data, remarks = _stored(array("float32", [0, value]), "float16")
        assert np.isinf(np.frombuffer(data, "<f2")[1])
        assert remarks == ["values beyond 65504 became infinity in float16: w"]
    _, _, remarks = _stored(array("float32", [np.inf]), "float16")
    assert remarks == ["stored with NaN or infinity among the values: w"]


def test_affine() -> None:
    entry, data, _ = _stored(array("float64", [[0, 51, 255]]), "uint8")
    assert entry == {
        "name": "w",
        "shape": [1, 3],
        "dtype": "float32",
        "quantization": {"dtype": "uint8", "min": 0.0, "scale": 1.0, "original_dtype": "float32"},
    }
    assert data == b"\x00\x33\xff"
    _, data, _ = _stored(array("float32", [0, 256, 65535]), "uint16")
    assert data == b"\0\0" + b"\0\1" + b"\xff\xff"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_affine_refuses_what_is_not_finite(bad: float) -> None:
    weight, problems, _ = _store(array("float32", [1, bad]), "uint8")
    assert weight is None
    assert problems == ["w: holds NaN or infinity, which uint8 cannot store"]


@pytest.mark.parametrize(
    "source",
    [array("int64", [1, 2]), array("bool", [True]), array("complex64", [1]), np.array(["a"])],
)
def test_only_floats_are_quantised(source: Array) -> None:
    for rule in ("uint8", "uint16", "float16"):
        assert "quantization" not in _stored(source, rule)[0]


def _quantized(dtype: str = "float32") -> QuantizedTensor:
    stored = ArrayTensor(array("uint8", [0, 100, 200]))
    return QuantizedTensor(stored, Quantization("uint8", scale=0.5, min=-10.0), dtype)


def test_quantised_sources_pass_byte_for_byte() -> None:
    for rule in (None, "uint8"):
        entry, data, remarks = _stored(_quantized(), rule)
        assert data == bytes([0, 100, 200])
        assert entry["quantization"] == {
            "dtype": "uint8",
            "min": -10.0,
            "scale": 0.5,
            "original_dtype": "float32",
        }
        assert remarks == []
    entry, data, _ = _stored(_quantized("int32"), "uint16")
    assert data == bytes([0, 100, 200])
    assert (entry["dtype"], entry["quantization"]["original_dtype"]) == ("int32", "int32")


def test_dequantise() -> None:
    entry, data, _ = _stored(_quantized(), dequantize=True)
    assert entry == {"name": "w", "shape": [3], "dtype": "float32"}
    assert np.frombuffer(data, "<f4").tolist() == [-10.0, 40.0, 90.0]
    entry, data, _ = _stored(_quantized("int32"), dequantize=True)
    assert entry == {"name": "w", "shape": [3], "dtype": "int32"}
    assert np.frombuffer(data, "<i4").tolist() == [-10, 40, 90]


@pytest.mark.parametrize(("rule", "dequantize"), [("float16", False), ("uint8", True)])
def test_quantising_anew(rule: QuantizedDtype, dequantize: bool) -> None:
    entry, data, remarks = _stored(_quantized(), rule, dequantize=dequantize)
    assert entry["quantization"]["dtype"] == rule
    if rule == "float16":
        assert np.frombuffer(data, "<f2").tolist() == [-10.0, 40.0, 90.0]
    else:
        assert data == bytes([0, 128, 255])
    assert remarks == ["already stored in fewer bytes, quantised anew from the expanded values: w"]


def test_computed_weights() -> None:
    tensor = DerivedTensor("float32", (2, 2), lambda: array("float32", [[1, 2], [3, 4]]).T)
    assert np.frombuffer(_stored(tensor)[1], "<f4").tolist() == [1, 3, 2, 4]
    assert _stored(tensor, "uint8")[0]["quantization"]["scale"] == 3 / 255
