from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tfjs.errors import CorruptFileError, FormatError
from tfjs.io.files import FileSpan
from tfjs.wire.hdf5_heap import Strings, attribute_data
from tfjs.wire.hdf5_window import Hdf5Bytes


def content(tmp_path: Path, data: bytes, *, origin: int = 0) -> Hdf5Bytes:
    path = tmp_path / "m.h5"
    path.write_bytes(data)
    found = Hdf5Bytes(FileSpan(path, 0, len(data)))
    found.origin = origin
    return found


def stored(number: int, data: bytes) -> bytes:
    """An object of a collection."""
    return struct.pack("<HHIQ", number, 1, 0, len(data)) + data + bytes(-len(data) % 8)


def collection(*objects: bytes, version: int = 1, size: int | None = None) -> bytes:
    body = b"".join(objects)
    return struct.pack("<4sB3xQ", b"GCOL", version, size or len(body) + 16) + body


def reference(length: int, address: int, number: int) -> bytes:
    return struct.pack("<IQI", length, address, number)


HEAP = collection(stored(1, b"abc"), stored(7, b"defghijk\0\0"))


def test_strings(tmp_path: Path) -> None:
    strings = Strings(content(tmp_path, bytes(16) + HEAP, origin=8))
    references = reference(3, 8, 1) + reference(0, 8, 1) + reference(9, 8, 7) + reference(2, 8, 7)
    assert strings.read(references, 4) == [b"abc", b"", b"defghijk", b"de"]
    assert strings.read(reference(5, 0, 0), 1) == [b""]


@pytest.mark.parametrize(
    ("heap", "references", "message"),
    [
        (HEAP, reference(4, 0x10, 1), "a string of 4 bytes that is not there"),
        (HEAP, reference(1, 0x10, 2), "a string of 1 bytes that is not there"),
        (HEAP, reference(1, 0x18, 1), "has no heap at 24"),
        (HEAP, reference(1, 2**40, 1), "is cut off"),
        (HEAP, reference(3, 0x10, 1)[:-1], "has 15 bytes for 1 strings"),
        (collection(version=2), reference(1, 0x10, 1), "has no heap at 16"),
        (collection(size=1 << 40), reference(1, 0x10, 1), "is cut off"),
        (
            collection(struct.pack("<HHIQ", 1, 1, 0, 9) + b"12345678"),
            reference(9, 0x10, 1),
            "an object of 9 bytes in a heap of 40",
        ),
        (HEAP, reference(10, 0x10, 7) * 20, "a string of 10 bytes that is not there"),
    ],
)
def test_damage(tmp_path: Path, heap: bytes, references: bytes, message: str) -> None:
    strings = Strings(content(tmp_path, bytes(16) + heap))
    with pytest.raises(CorruptFileError, match=rf"m\.h5: .*{message}"):
        strings.read(references, max(1, len(references) // 16))


def test_heaps_inside_of_heaps(tmp_path: Path) -> None:
    inner = collection(stored(1, b"abc"))
    strings = Strings(content(tmp_path, bytes(16) + collection(stored(2, inner))))
    assert strings.read(reference(4, 16, 2), 1) == [b"GCOL"]
    with pytest.raises(CorruptFileError, match="has heaps that overlap"):
        strings.read(reference(3, 48, 1), 1)


def attribute(name: bytes, data: bytes, *, version: int = 1) -> bytes:
    """An attribute message with a type of 8 bytes and a dataspace of 4."""
    if version == 1:
        return (
            struct.pack("<BBHHH", 1, 0, len(name) + 1, 8, 4)
            + (name + b"\0").ljust((len(name) + 8) // 8 * 8, b"\0")
            + bytes(16)
            + data
        )
    extra = b"\1" if version == 3 else b""
    return struct.pack("<BBHHH", version, 0, len(name), 8, 4) + extra + name + bytes(12) + data


def message(kind: int, data: bytes, flags: int = 0) -> bytes:
    return struct.pack("<HHB3x", kind, len(data), flags) + data


def header(*messages: bytes, version: int = 1) -> bytes:
    body = b"".join(messages)
    return struct.pack("<BxHII4x", version, len(messages), 1, len(body)) + body


@pytest.mark.parametrize("version", [1, 2, 3])
def test_attributes(tmp_path: Path, version: int) -> None:
    data = header(
        message(1, bytes(8)),
        message(12, attribute(b"first", b"12345678", version=version)),
        message(12, attribute(b"name", b"xyz", version=version), flags=2),  # shared: not here
        message(12, attribute(b"name", b"87654321", version=version)),
    )
    file = content(tmp_path, bytes(24) + data, origin=8)
    assert bytes(attribute_data(file, 16, b"first")) == b"12345678"
    assert bytes(attribute_data(file, 16, b"name")) == b"87654321"
    with pytest.raises(FormatError, match="'other' is stored apart from its object"):
        attribute_data(file, 16, b"other")


def test_a_continued_header(tmp_path: Path) -> None:
    rest = message(12, attribute(b"name", b"1234"))
    first = header(message(16, struct.pack("<QQ", 100, len(rest))), message(0, b""))
    file = content(tmp_path, first.ljust(100, b"\0") + rest)
    assert bytes(attribute_data(file, 0, b"name")) == b"1234"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "is cut off"),
        (header(version=7), "has no object at 0"),
        (struct.pack("<BxHII4x", 1, 1, 1, 999), "is cut off"),
        (header(message(16, bytes(15))), "an object's header is cut off"),
        (header(message(16, struct.pack("<QQ", 1 << 40, 8))), "is cut off"),
        (header(message(16, struct.pack("<QQ", 16, 24))), "the object at 0 has too many pieces"),
        (header(message(12, bytes(7))), "an attribute is cut off"),
        (b"OHDR\2\x03", "is cut off"),
    ],
)
def test_damaged_headers(tmp_path: Path, data: bytes, text: str) -> None:
    with pytest.raises(CorruptFileError, match=rf"m\.h5: .*{text}"):
        attribute_data(content(tmp_path, data), 0, b"name")
