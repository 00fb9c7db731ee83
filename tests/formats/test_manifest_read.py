"""Manifests of other writers, and damaged ones."""

from __future__ import annotations

import copy
import json
import struct
import tempfile
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats.arrays import array
from tfjs.errors import CorruptFileError, FormatError, TfjsError, UnsafeFileError, UsageError
from tfjs.formats.manifest import blank_weights, read_manifest, write_weights
from tfjs.ir.tensor import QuantizedTensor, SpanTensor

A = {"name": "a", "shape": [2], "dtype": "float32"}
B = {"name": "b", "shape": [3], "dtype": "bool"}


def _read(folder: Path, *groups: Any, **options: Any) -> dict[str, Any]:
    """The values by name; folder/FILE holds what the test wrote."""
    read = read_manifest(list(groups), folder, "model.json", **options)
    return {named.name: named.tensor.array() for group in read for named in group.tensors}


def _group(paths: list[str], *weights: dict[str, Any]) -> dict[str, Any]:
    return {"paths": paths, "weights": list(weights)}


def _complaint(folder: Path, *groups: Any, kind: type[FormatError] = CorruptFileError) -> str:
    with pytest.raises(kind) as caught:
        _read(folder, *groups)
    return str(caught.value)


def _file(folder: Path, name: str, data: bytes) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    _file(tmp_path, "1", b"\0\0\x80")
    _file(tmp_path, "2", b"\x3f\0\0\0\x40\1\0\1")
    tensors = read_manifest([_group(["1", "2"], A, B)], tmp_path, "m")[0].tensors
    a, b = (named.tensor for named in tensors)
    assert isinstance(a, SpanTensor)
    assert isinstance(b, SpanTensor)
    assert [(s.path.name, s.offset, s.length) for s in a.spans] == [("1", 0, 3), ("2", 0, 5)]
    assert [(s.path.name, s.offset, s.length) for s in b.spans] == [("2", 5, 3)]
    assert a.array().tolist() == [1.0, 2.0]
    assert b.array().tolist() == [True, False, True]


def test_files_in_folders_and_empty_files(tmp_path: Path) -> None:
    _file(tmp_path, "x/1", b"\0\0\x80\x3f")
    _file(tmp_path, "2", b"")
    _file(tmp_path, "3", b"\0\0\0\x40")
    assert _read(tmp_path, _group(["./x/1", "2", "3"], A))["a"].tolist() == [1.0, 2.0]


def test_dtypes_that_official_writers_made(tmp_path: Path) -> None:
    _file(
        tmp_path, "f", array("float16", [1.5]).tobytes() + b"\7" + array("uint16", [999]).tobytes()
    )
    weights = [
        {"name": name, "shape": [1], "dtype": name} for name in ("float16", "uint8", "uint16")
    ]
    read = _read(tmp_path, _group(["f"], *weights))
    assert {name: (a.dtype.name, a.tolist()) for name, a in read.items()} == {
        "float16": ("float16", [1.5]),
        "uint8": ("uint8", [7]),
        "uint16": ("uint16", [999]),
    }


def test_quantised(tmp_path: Path) -> None:
    _file(
        tmp_path,
        "f",
        b"\0\xff" + array("float16", [0.5, 2]).tobytes() + array("uint16", [3]).tobytes(),
    )
    byte = {"dtype": "uint8", "scale": 0.1, "min": -3, "original_dtype": "float32"}
    read = read_manifest(
        [
            _group(
                ["f"],
                {**A, "quantization": byte},
                {**A, "name": "h", "quantization": {"dtype": "float16"}},
                {
                    "name": "i",
                    "shape": [],
                    "dtype": "int32",
                    "quantization": {"dtype": "uint16", "scale": 2.5, "min": 0.25},
                },
            )
        ],
        tmp_path,
        "m",
    )
    a, h, i = (named.tensor for named in read[0].tensors)
    assert isinstance(a, QuantizedTensor)
    assert (a.dtype, a.stored.dtype, a.quantization.scale) == ("float32", "uint8", 0.1)
    assert a.array().tolist() == [-3.0, np.float32(255 * 0.1 - 3)]
    assert h.array().tolist() == [0.5, 2.0]
    assert i.dtype == "int32"
    assert i.array().tolist() == 8


def test_optional_fields_may_be_null(tmp_path: Path) -> None:
    _file(tmp_path, "f", b"\0" * 8)
    read = read_manifest([_group(["f"], {**A, "quantization": None, "group": None})], tmp_path, "m")
    assert read[0].tensors[0].group is None


def test_strings_across_files_and_followed_by_numbers(tmp_path: Path) -> None:
    data = b"".join(struct.pack("<I", len(x)) + x for x in (b"", "é€".encode(), b"x" * 40))
    data += array("float32", [4, 5]).tobytes()
    pieces = [data[i : i + 3] for i in range(0, len(data), 3)]
    for index, piece in enumerate(pieces):
        _file(tmp_path, f"s{index}", piece)
    paths = [f"s{index}" for index in range(len(pieces))]
    none = {"name": "none", "shape": [0, 7], "dtype": "string"}
    text = {"name": "text", "shape": [3, 1], "dtype": "string"}
    read = _read(tmp_path, _group(paths, none, text, A))
    assert read["text"].tolist() == [[b""], ["é€".encode()], [b"x" * 40]]
    assert read["none"].shape == (0, 7)
    assert read["a"].tolist() == [4.0, 5.0]


def test_strings_are_bounded_by_the_data(tmp_path: Path) -> None:
    huge = {"name": "s", "shape": [10**12], "dtype": "string"}
    one = {"name": "s", "shape": [2], "dtype": "string"}
    _file(tmp_path, "f", b"\xff\xff\xff\x7f" + b"\0" * 8)
    tracemalloc.start()
    assert "needs at least 4000000000000 bytes, its files have 12" in _complaint(
        tmp_path, _group(["f"], huge)
    )
    assert "the weight 's' needs more bytes than the 12 that are left for it" in _complaint(
        tmp_path, _group(["f"], one)
    )
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_long_string_is_read_in_linear_time(tmp_path: Path) -> None:
    length = 30 << 20
    _file(tmp_path, "f", struct.pack("<I", length) + b"x" * length)
    read = _read(tmp_path, _group(["f"], {"name": "s", "shape": [], "dtype": "string"}))
    assert read["s"][()] == b"x" * length


def test_surplus_at_the_very_end_is_passed_over(tmp_path: Path) -> None:
    _file(tmp_path, "f", b"\0" * 8)
    _file(tmp_path, "g", b"\1" * 10)
    nothing = {"name": "n", "shape": [0], "dtype": "float32"}
    read = _read(tmp_path, _group(["f"], A), _group(["g"], B), _group([], nothing), _group([]))
    assert read["b"].tolist() == [True] * 3
    with pytest.raises(CorruptFileError, match=r"group 1 .* needs only 3 bytes, its files have 10"):
        _read(tmp_path, _group(["g"], B), _group(["f"], A))


def test_other_files_by_hand(tmp_path: Path) -> None:
    away = _file(tmp_path / "away", "renamed", b"\1\0\1")
    read = _read(tmp_path / "none", _group(["gone.bin"], B), data=[away])
    assert read["b"].tolist() == [True, False, True]
    with pytest.raises(UsageError, match="wants 2 weight files, 1 were given"):
        _read(tmp_path, _group(["x"], B), _group(["y"], A), data=[away])


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ({}, "the weight manifest is an object, a list was expected"),
        (None, "the weight manifest is null, a list was expected"),
        ("x", "is a text"),
        ([1], "group 1 of the weight manifest is a number, an object was expected"),
        ([{"weights": []}], "group 1 of the weight manifest has no 'paths'"),
        ([{"paths": []}], "group 1 of the weight manifest has no 'weights'"),
        ([{"paths": {}, "weights": []}], "'paths' of group 1 .* is an object, a list was"),
        ([{"paths": [7], "weights": []}], "has the path 7, not a text"),
        ([{"paths": [], "weights": [None]}], "a weight in group 1 .* is null"),
        ([{"paths": [], "weights": [{}]}], "a weight in group 1 .* has no 'name'"),
        ([{"paths": [], "weights": [{"name": 1}]}], "'name' of a weight .* is a number, a text"),
        ([{"paths": [], "weights": [{"name": "a"}]}], "the weight 'a' .* has no 'dtype'"),
    ],
)
def test_malformed_manifests(tmp_path: Path, manifest: Any, message: str) -> None:
    with pytest.raises(CorruptFileError, match=message) as caught:
        read_manifest(manifest, tmp_path, "model.json")
    assert caught.value.where == "model.json"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "int64"}, "has dtype 'int64'; TF.js has bool, complex64, float32, int32, str"),
        ({"dtype": None}, "'dtype' of the weight 'a' in the manifest is null"),
        ({"shape": 2}, "'shape' of the weight 'a' in the manifest is a number, a list was"),
        ({"shape": [-1]}, "has a dimension of -1; sizes are integers from 0"),
        ({"shape": [2.0]}, "has a dimension of 2.0"),
        ({"shape": [True]}, "has a dimension of True"),
        ({"shape": ["2"]}, "has a dimension of '2'"),
        ({"shape": [None]}, "has a dimension of None"),
        ({"shape": [1] * 33}, "has 33 dimensions, more than 32"),
        ({"shape": [0, 2**62]}, "has the absurd shape"),
        ({"shape": [10**4000, 2]}, "has the absurd shape"),
        ({"shape": [2**40]}, "needs 4398046511104 bytes, its files have 8"),
        ({"group": 1}, "'group' of the weight 'a' in the manifest is a number"),
        ({"quantization": []}, "'quantization' .* is a list, an object was expected"),
        ({"quantization": {}}, "the quantization of the weight 'a' .* has no 'dtype'"),
        ({"quantization": {"dtype": "int4"}}, "is float32 quantised to 'int4'; TF.js expands"),
        (
            {"dtype": "int32", "quantization": {"dtype": "float16"}},
            "is int32 quantised to 'float16'",
        ),
        (
            {"dtype": "bool", "quantization": {"dtype": "uint8", "scale": 1, "min": 0}},
            "is bool quantised to 'uint8'",
        ),
        ({"quantization": {"dtype": "uint8", "min": 0}}, "the quantization scale None; it must"),
        (
            {"quantization": {"dtype": "uint8", "min": float("inf"), "scale": 1}},
            "the quantization min inf; it must be a finite number",
        ),
        (
            {"quantization": {"dtype": "uint8", "min": 0, "scale": float("nan")}},
            "the quantization scale nan",
        ),
        ({"quantization": {"dtype": "uint8", "min": "0", "scale": 1}}, "min '0'"),
        ({"quantization": {"dtype": "uint8", "min": True, "scale": 1}}, "min True"),
        ({"quantization": {"dtype": "uint8", "min": 10**400, "scale": 1}}, "min 1000"),
        (
            {"quantization": {"dtype": "uint8", "min": 0, "scale": 1e300}},
            r"expands to 0 up to 2.55e\+302, beyond float32",
        ),
        (
            {
                "dtype": "int32",
                "quantization": {"dtype": "uint16", "min": -(2.0**31) - 1, "scale": 1},
            },
            "beyond int32",
        ),
    ],
)
def test_malformed_weights(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    _file(tmp_path, "f", b"\0" * 8)
    with pytest.raises(CorruptFileError, match=message) as caught:
        _read(tmp_path, _group(["f"], {**A, **change}))
    assert len(str(caught.value)) < 400


def test_one_name_twice(tmp_path: Path) -> None:
    _file(tmp_path, "f", b"\0" * 8)
    _file(tmp_path, "g", b"\0" * 8)
    assert "names the weight 'a' twice" in _complaint(tmp_path, _group(["f"], A), _group(["g"], A))


def test_one_file_twice(tmp_path: Path) -> None:
    _file(tmp_path, "f", b"\0" * 8)
    assert "names the file 'f' twice" in _complaint(tmp_path, _group(["f", "./f"], A))


@pytest.mark.parametrize("path", ["../f", "/etc/passwd", "a/../../f", "", "C:\\f", "link", "a\0b"])
def test_paths_that_leave_the_folder(tmp_path: Path, path: str) -> None:
    _file(tmp_path, "f", b"\0" * 8)
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "link").symlink_to(tmp_path / "f")
    message = _complaint(inner, _group([path], A), kind=UnsafeFileError)
    assert "outside of its folder" in message


def test_missing_files(tmp_path: Path) -> None:
    _file(tmp_path, "group1-shard1of2.bin", b"\0" * 4)
    message = _complaint(tmp_path, _group(["group1-shard1of2.bin", "group1-shard2of2.bin"], A))
    assert "the weight file 'group1-shard2of2.bin' is missing" in message
    assert f"hint: it was looked for in {tmp_path}" in message
    assert "is missing" in _complaint(tmp_path, _group(["x" * 5000], A))
    (tmp_path / "folder").mkdir()
    assert "is not a file" in _complaint(tmp_path, _group(["folder"], A), kind=FormatError)


def test_files_too_short_and_too_long(tmp_path: Path) -> None:
    _file(tmp_path, "1", b"\0" * 4)
    _file(tmp_path, "2", b"\0" * 6)
    message = _complaint(tmp_path, _group(["1", "2"], A, B))
    assert "group 1 of the weight manifest needs 11 bytes, its files have 10: 1 has 4, 2 has 6" in (
        message
    )
    assert "needs 8 bytes, its files have 0: no file" in _complaint(tmp_path, _group([], A))
    many = [f"n{index}" for index in range(8)]
    for name in many:
        _file(tmp_path, name, b"\0")
    assert "n4 has 1 and 3 more files" in _complaint(tmp_path, _group(many, A, B))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"<!DOCTYPE html><title>404</title>" + b" " * 2000, "is a web page, not the file itself"),
        (b"<html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (b"\x1f\x8b\x08\0" + b"\0" * 3, "is compressed with gzip"),
    ],
)
def test_files_that_are_no_weights(tmp_path: Path, content: bytes, what: str) -> None:
    shard = _file(tmp_path, "group1-shard1of1.bin", content)
    text = {"name": "s", "shape": [1], "dtype": "string"}
    for weights in ([A], [B, A], [text]):
        message = _complaint(tmp_path, _group(["group1-shard1of1.bin"], *weights))
        assert message.startswith(f"{shard}: {what}")
        assert "hint: " in message


def test_weights_that_look_like_a_page_by_chance(tmp_path: Path) -> None:
    _file(tmp_path, "f", b"<html>!!")
    assert _read(tmp_path, _group(["f"], A))["a"].tobytes() == b"<html>!!"


def test_blank_weights() -> None:
    text = {"name": "s", "shape": [2], "dtype": "string"}
    quantised = {**A, "name": "q", "quantization": {"dtype": "float16"}}
    groups = blank_weights([_group(["gone"], A, text), _group([], B, quantised)], "m")
    values = {named.name: named.tensor.array() for g in groups for named in g.tensors}
    assert {name: (a.dtype.name, a.tolist()) for name, a in values.items()} == {
        "a": ("float32", [0, 0]),
        "s": ("object", [b"", b""]),
        "b": ("bool", [False] * 3),
        "q": ("float32", [0, 0]),
    }
    with pytest.raises(CorruptFileError, match="describes 35184372088832 bytes"):
        blank_weights([_group([], {**A, "shape": [2**43]})], "m")


# Damage of every kind

_JUNK: list[Any] = [
    None,
    True,
    -1,
    0,
    7,
    2**31,
    2**63,
    10**30,
    2.5,
    -1e308,
    1e999,
    "",
    "x",
    "string",
    "int32",
    "uint16",
    "float16",
    "complex64",
    "..",
    "group2-shard1of1.bin",
    [],
    {},
    [1, 2],
    [[]],
    [2**31, 2**31],
    [0, 2**31],
    {"dtype": "uint8", "scale": 1, "min": 0},
    {"dtype": "uint16", "scale": -1e38, "min": 3e38},
]


def _places(value: Any) -> list[Callable[[Any], None]]:
    """Functions that put something in each place of a JSON value."""
    found: list[Callable[[Any], None]] = []
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in keys:
        found.append(partial(value.__setitem__, key))
        if isinstance(value[key], dict | list):
            found += _places(value[key])
    return found


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], dict[str, bytes]]:
    folder = tmp_path_factory.mktemp("model")
    q = {"dtype": "uint8", "scale": 0.5, "min": -1.0}
    manifest = [
        _group(
            ["group1-shard1of2.bin", "group1-shard2of2.bin"],
            {"name": "a", "shape": [2, 2], "dtype": "float32"},
            {"name": "s", "shape": [3], "dtype": "string"},
            {"name": "q", "shape": [5], "dtype": "int32", "quantization": q},
        ),
        _group(
            ["group2-shard1of1.bin"],
            {"name": "c", "shape": [1], "dtype": "complex64", "group": "optimizer"},
            {"name": "h", "shape": [2], "dtype": "float32", "quantization": {"dtype": "float16"}},
        ),
    ]
    strings = b"\1\0\0\0a\0\0\0\0\2\0\0\0\xc3\xa9"
    files = {
        "group1-shard1of2.bin": array("float32", [1, 2, 3, 4]).tobytes() + strings[:7],
        "group1-shard2of2.bin": strings[7:] + b"\0\1\2\3\xff",
        "group2-shard1of1.bin": array("complex64", [1j]).tobytes()
        + array("float16", [1, 2]).tobytes(),
    }
    for name, data in files.items():
        _file(folder, name, data)
    assert list(_read(folder, *manifest)) == ["a", "s", "q", "c", "h"]
    return manifest, files


@settings(deadline=None, max_examples=1500)
@given(st.data())
def test_damage_gives_values_or_our_errors(
    model: tuple[list[Any], dict[str, bytes]], data: st.DataObject
) -> None:
    manifest, files = copy.deepcopy(model)
    for _ in range(data.draw(st.integers(0, 3))):
        places = _places(manifest)
        if places:
            data.draw(st.sampled_from(places))(copy.deepcopy(data.draw(st.sampled_from(_JUNK))))
    for name in data.draw(st.lists(st.sampled_from(sorted(files)), max_size=2)):
        content = files[name]
        at = data.draw(st.integers(0, len(content)))
        files[name] = data.draw(
            st.sampled_from(
                [content[:at], content[:at] + b"\xff" + content[at + 1 :], content + b"\0" * at]
            )
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        try:
            groups = read_manifest(json.loads(json.dumps(manifest)), folder, "model.json")
            for group in groups:
                for named in group.tensors:
                    assert named.tensor.array().shape == named.tensor.shape
            (folder / "out").mkdir()
            write_weights(
                groups,
                folder / "out",
                shard_size=16,
                quantize={},
                dequantize=True,
                progress=lambda done, total: None,
            )
        except TfjsError:
            pass
