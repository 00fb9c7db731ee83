from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from tfjs.errors import CorruptFileError
from tfjs.io.files import FileSpan
from tfjs.wire.hdf5_window import Hdf5Bytes, Window


def window(tmp_path: Path, data: bytes, *, origin: int = 0) -> Window:
    path = tmp_path / "m.keras"
    path.write_bytes(b"zip" + data + b"zip")
    content = Hdf5Bytes(FileSpan(path, 3, len(data)))
    content.origin = origin
    return Window(content)


def heap(address: int, head: int, *, version: int = 0) -> bytes:
    """The start of a local heap whose data is 64 bytes at `address`."""
    return struct.pack("<4sB3xQQQ", b"HEAP", version, 64, head, address)


def test_reading(tmp_path: Path) -> None:
    file = window(tmp_path, bytes(range(100)))
    assert file.seek(0, os.SEEK_END) == 100
    assert file.seek(90) == file.tell() == 90
    assert file.read(5) == bytes(range(90, 95))
    assert file.seek(-2, os.SEEK_CUR) == 93
    assert file.seekable()
    with pytest.raises(CorruptFileError, match=r"is cut off: 8 bytes at 93 are wanted, .* has 100"):
        file.read(8)


def free_list(*links: tuple[int, int]) -> bytes:
    data = bytearray(64)
    for position, following in links:
        struct.pack_into("<QQ", data, position, following, 16)
    return bytes(data)


CIRCLE = free_list((16, 32), (32, 48), (48, 16))


@pytest.mark.parametrize("step", [1, 3, 7, 64, 128])
def test_a_circle_is_found_wherever_the_reads_begin(tmp_path: Path, step: int) -> None:
    data = b"???" + heap(35, 16) + CIRCLE
    file = window(tmp_path, data + bytes(-len(data) % step))
    with pytest.raises(CorruptFileError, match="the free list of the heap at 3 is a circle"):
        list(iter(lambda: file.read(step), b""))


@pytest.mark.parametrize(
    "data",
    [
        heap(32, 16) + free_list((16, 32), (32, 48), (48, 1)),
        heap(32, 1) + CIRCLE,  # no free list
        heap(32, 16, version=1) + CIRCLE,  # no heap that the library would read
        heap(1 << 40, 16) + CIRCLE,
        heap(32, 60) + CIRCLE,
        b"HEAP",
    ],
)
def test_what_the_library_can_bear(tmp_path: Path, data: bytes) -> None:
    assert window(tmp_path, data).read(len(data)) == data


def test_addresses_count_from_behind_the_user_block(tmp_path: Path) -> None:
    data = bytes(8) + heap(32, 16) + CIRCLE
    with pytest.raises(CorruptFileError, match="at 8 is a circle"):
        window(tmp_path, data, origin=8).read(len(data))


def test_nothing_is_left_after_closing(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    path.write_bytes(bytes(10))
    content = Hdf5Bytes(FileSpan(path, 0, 10))
    content.close()
    with pytest.raises(CorruptFileError, match="has 0"):
        content.piece(0, 1)
