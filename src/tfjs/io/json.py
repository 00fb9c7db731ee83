"""JSON as browsers take it: strict on the way in, deterministic on the way out."""

from __future__ import annotations

import gzip
import io
import json
import math
import re
import zlib
from pathlib import Path
from typing import Any, NoReturn

from tfjs.errors import ConversionError, CorruptFileError, UnsafeFileError
from tfjs.io.files import file_size, read_bytes
from tfjs.io.mistaken import HEAD, mistaken

MAX_JSON = 1 << 30  # larger than any topology; V8 refuses strings over 512 Mi characters anyway
MAX_EXPANDED = 1 << 28  # of a gzip-compressed file, whatever its own size

_GZIP_MAGIC = b"\x1f\x8b"
# Strings are matched so that their contents are passed over; possessively, as they may be long.
_CONSTANT = re.compile(r'"(?:[^"\\]++|\\.)*+"|(-?Infinity|NaN)')
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class _ConstantError(Exception):
    """A literal that Python takes and JSON does not have."""


def read_json(path: Path, *, limit: int = MAX_JSON, by_python: bool = False) -> Any:
    """Read a JSON file: UTF-8 with or without a byte order mark, plain or gzip-compressed.

    Of a key given twice the last value counts, as in browsers.

    Args:
        path: the file.
        limit: the most bytes that it may have.
        by_python: see `parse_json`.

    Raises:
        FormatError: the file is missing or unreadable.
        UnsafeFileError: it is larger than `limit` bytes, or expands beyond `MAX_EXPANDED`.
        CorruptFileError: it is not JSON.
    """
    size = file_size(path)
    if size > limit:
        raise UnsafeFileError(f"has {size} bytes, a JSON file may have {limit}", where=str(path))
    return parse_json(read_bytes(path, limit=size), where=str(path), by_python=by_python)


def parse_json(data: bytes, *, where: str, by_python: bool = False) -> Any:
    """The value of JSON text given as bytes.

    Args:
        data: the text; see `read_json`.
        where: the file that it comes from, for messages.
        by_python: take Infinity, -Infinity and NaN, which Python writes where there is no JSON.

    Raises:
        UnsafeFileError: compressed data expands beyond `MAX_EXPANDED`.
        CorruptFileError: it is not JSON.
    """
    if data.startswith(_GZIP_MAGIC):
        data = _expand(data, where)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorruptFileError(
            f"is not UTF-8 text (byte {error.start}), JSON was expected", where=where
        ) from None
    try:
        value = json.loads(text, parse_constant=None if by_python else _refuse)
        if _ESCAPED_SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except _ConstantError:
        _complain_of_constant(text, where)
    except json.JSONDecodeError as error:
        _complain_of_syntax(data, error, where)
    except UnicodeEncodeError:
        raise CorruptFileError("holds half of a UTF-16 pair in a text", where=where) from None
    except RecursionError:
        raise CorruptFileError("is nested too deeply", where=where) from None
    except ValueError as error:  # an integer of thousands of digits
        raise CorruptFileError(
            f"holds a number that cannot be read: {error}", where=where
        ) from None
    except MemoryError:
        raise CorruptFileError("holds more than memory can take", where=where) from None
    return value


def _refuse(literal: str) -> NoReturn:
    raise _ConstantError(literal)


def _expand(data: bytes, where: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            expanded = file.read(MAX_EXPANDED + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise CorruptFileError(f"is damaged gzip data: {error}", where=where) from None
    if len(expanded) > MAX_EXPANDED:
        raise UnsafeFileError(
            f"expands to more than {MAX_EXPANDED} bytes", where=where, hint="expand it with gunzip"
        )
    return expanded


def _complain_of_constant(text: str, where: str) -> NoReturn:
    found = next(match for match in _CONSTANT.finditer(text) if match[1])
    line = text.count("\n", 0, found.start()) + 1
    raise CorruptFileError(
        f"line {line} holds {found[1]}, which is not JSON: browsers refuse the file",
        where=where,
        hint="replace the value by a number; null is none",
    )


def _complain_of_syntax(data: bytes, error: json.JSONDecodeError, where: str) -> NoReturn:
    if not data.strip():
        raise CorruptFileError("is empty, JSON was expected", where=where) from None
    other = mistaken(data[:HEAD])
    if other is not None:
        raise CorruptFileError(f"is {other.what}", where=where, hint=other.hint) from None
    raise CorruptFileError(
        f"is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}", where=where
    ) from None


def write_json(path: Path, data: Any) -> int:
    """Write JSON on one line, keys in the order given: the same data make the same bytes.

    Returns:
        The size of the file in bytes.

    Raises:
        ConversionError: the data hold NaN, infinity or something that JSON does not have.
        OSError: the system refused the write; `atomic_folder` makes a ConversionError of it.
    """
    try:
        text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        encoded = text.encode()
    except UnicodeEncodeError:
        raise ConversionError("a text holds half of a UTF-16 pair", where=path.name) from None
    except RecursionError:
        raise ConversionError("the data are nested too deeply", where=path.name) from None
    except (TypeError, ValueError) as error:
        place = first_not_finite(data) if "Out of range" in str(error) else None
        problem = str(error) if place is None else f"{place} is NaN or infinite"
        raise ConversionError(f"cannot be told in JSON: {problem}", where=path.name) from None
    path.write_bytes(encoded)
    return len(encoded)


def first_not_finite(data: Any) -> str | None:
    """Where in the data the first number is that JSON does not have, as `a.b[3]`, if any."""
    todo: list[tuple[str, Any]] = [("", data)]
    while todo:
        place, value = todo.pop()
        if isinstance(value, float) and not math.isfinite(value):
            return place.removeprefix(".") or "the value"
        if isinstance(value, dict):
            todo += reversed([(f"{place}.{key}", item) for key, item in value.items()])
        elif isinstance(value, list | tuple):
            todo += reversed([(f"{place}[{index}]", item) for index, item in enumerate(value)])
    return None
