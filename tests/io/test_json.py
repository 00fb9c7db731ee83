"""JSON that browsers take, and what is said of other files."""

from __future__ import annotations

import contextlib
import gzip
import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfjs.errors import ConversionError, CorruptFileError, FormatError, TfjsError, UnsafeFileError
from tfjs.io import json as tfjs_json
from tfjs.io.json import parse_json, read_json, write_json

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # No lone surrogates.
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


def _read(tmp_path: Path, data: bytes, **options: Any) -> Any:
    file = tmp_path / "model.json"
    file.write_bytes(data)
    return read_json(file, **options)


@given(_VALUES)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    file = tmp_path_factory.mktemp("json") / "a.json"
    assert write_json(file, value) == file.stat().st_size
    assert read_json(file) == value


def test_writes_one_compact_line_in_the_order_given(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": [1, 2.5, None], "a": "ä€"})
    assert (tmp_path / "a.json").read_bytes() == '{"b":[1,2.5,null],"a":"ä€"}'.encode()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"layers": [{"config": {"epsilon": float("nan")}}]}, r"layers\[0\].config.epsilon is NaN"),
        ([[1.0], (2.0, float("-inf"))], r"\[1\]\[1\] is NaN or infinite"),
        (float("inf"), "the value is NaN"),
        ({float("nan"): 1}, "cannot be told in JSON"),
        ({"a": object()}, "type object is not JSON serializable"),
        ({"a": "\ud800"}, "half of a UTF-16 pair"),
    ],
)
def test_refuses_what_json_does_not_have(tmp_path: Path, value: Any, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        write_json(tmp_path / "a.json", value)
    assert not (tmp_path / "a.json").exists()


def test_refuses_endless_data(tmp_path: Path) -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ConversionError, match="Circular"):
        write_json(tmp_path / "a.json", circle)
    deep: list[Any] = []
    for _ in range(200_000):
        deep = [deep]
    with pytest.raises(ConversionError, match="nested too deeply"):
        write_json(tmp_path / "a.json", deep)
    while deep:  # taken apart by hand: its deallocation recurses too
        deep = deep.pop()


def test_reads_byte_order_mark_gzip_and_repeated_keys(tmp_path: Path) -> None:
    assert _read(tmp_path, b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    assert _read(tmp_path, gzip.compress(b'\xef\xbb\xbf{"a": [1e3]}', mtime=0)) == {"a": [1000.0]}
    assert _read(tmp_path, b'{"a": 1, "b": 2, "a": 3}') == {"a": 3, "b": 2}


def test_takes_what_python_writes_where_python_wrote(tmp_path: Path) -> None:
    data = {"a": [math.inf, -math.inf], "b": "NaN"}
    (tmp_path / "a.json").write_text(json.dumps(data))
    assert read_json(tmp_path / "a.json", by_python=True) == data
    assert math.isnan(parse_json(b"NaN", where="", by_python=True))
    with pytest.raises(CorruptFileError, match="is not valid JSON"):
        parse_json(b"[inf]", where="", by_python=True)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a": "NaN",\n"b": -Infinity}', "line 2 holds -Infinity, which is not JSON: browsers"),
        (b'[\n"say \\"NaN\\"",\n\nNaN]', "line 4 holds NaN"),
        (b"", "is empty, JSON was expected"),
        (b" \r\n", "is empty"),
        (b'{"a": [1, 2', "is not valid JSON: .* at line 1, column 12"),
        (b'{"a": 1}\n{"b": 2}', "is not valid JSON: Extra data at line 2, column 1"),
        (b"<!DOCTYPE html><html></html>", "is a web page"),
        (b"404: Not Found", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (b"\x89HDF\r\n\x1a\n", r"is not UTF-8 text \(byte 0\)"),
        (b"[" * 200_000, "is nested too deeply"),
        (b'{"a":' * 200_000, "is nested too deeply"),
        (b"[" + b"1" * 5000 + b"]", "holds a number that cannot be read"),
        (b'["\\ud83d"]', "half of a UTF-16 pair"),
        (gzip.compress(b'{"a": 1}', mtime=0)[:-4], "is damaged gzip data"),
        (gzip.compress(b'{"a": 1}', mtime=0) + b"tail", "is damaged gzip data"),
        (b"\x1f\x8b", "is damaged gzip data"),
    ],
)
def test_says_what_is_wrong(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(CorruptFileError, match=message) as caught:
        _read(tmp_path, data)
    assert caught.value.where == str(tmp_path / "model.json")


def test_whole_pairs_of_surrogates_are_text() -> None:
    assert parse_json(b'["\\ud83d\\ude00"]', where="a") == ["\U0001f600"]


def test_refuses_files_beyond_the_limit(tmp_path: Path) -> None:
    assert _read(tmp_path, b"[1,2]", limit=5) == [1, 2]
    with pytest.raises(UnsafeFileError, match="has 6 bytes, a JSON file may have 5"):
        _read(tmp_path, b"[1,23]", limit=5)
    huge = tmp_path / "huge.json"
    with huge.open("wb") as file:
        file.truncate((1 << 30) + 1)
    with pytest.raises(UnsafeFileError, match="may have 1073741824"):
        read_json(huge)


def test_refuses_gzip_that_expands_beyond_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tfjs_json, "MAX_EXPANDED", 1000)
    assert _read(tmp_path, gzip.compress(b"[" + b" " * 998 + b"]", mtime=0)) == []
    with pytest.raises(UnsafeFileError, match="expands to more than 1000 bytes"):
        _read(tmp_path, gzip.compress(b"[" + b" " * 999 + b"]", mtime=0))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="No such file"):
        read_json(tmp_path / "absent.json")
    with pytest.raises(FormatError, match="is not a file"):
        read_json(tmp_path)


@given(st.binary(max_size=200), st.booleans(), st.integers(0, 300), st.integers(0, 255))
def test_damaged_bytes_give_values_or_our_errors(
    junk: bytes, compress: bool, at: int, byte: int
) -> None:
    text = json.dumps({"weightsManifest": [{"paths": ["a"], "weights": [{"shape": [1, -2.5e3]}]}]})
    data = bytearray(gzip.compress(text.encode(), mtime=0) if compress else text.encode())
    data[at % len(data)] = byte
    for damaged in (bytes(data), bytes(data[: at % len(data)]), bytes(data) + junk, junk):
        with contextlib.suppress(TfjsError):
            parse_json(damaged, where="a")


def test_recursion_limit_is_left_alone(tmp_path: Path) -> None:
    before = sys.getrecursionlimit()
    with pytest.raises(CorruptFileError):
        _read(tmp_path, b"[" * 100_000)
    assert sys.getrecursionlimit() == before
