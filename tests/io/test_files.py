"""Spans of files are checked against the file, mapped and streamed."""

from __future__ import annotations

import mmap
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfjs.errors import CorruptFileError, FormatError
from tfjs.io.files import CHUNK, FileSpan, read_bytes, write_to


@given(st.binary(max_size=300), st.data())
def test_view_and_chunks_give_the_bytes(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("span") / "file"
    path.write_bytes(content)
    start = data.draw(st.integers(0, len(content)))
    stop = data.draw(st.integers(start, len(content)))
    span = FileSpan(path, start, stop - start)
    assert bytes(span.view()) == content[start:stop]
    assert b"".join(span.chunks(7)) == content[start:stop]


@pytest.mark.parametrize("start", [0, 1, 1028, 4095])
def test_long_spans_come_and_go_in_pieces(tmp_path: Path, start: int) -> None:
    content = random.Random(0).randbytes(2 * CHUNK + 5)
    (tmp_path / "source").write_bytes(content)
    pieces = list(FileSpan(tmp_path / "source", start, len(content) - start).chunks())
    assert max(map(len, pieces)) == CHUNK
    assert all(piece.readonly for piece in pieces)
    with (tmp_path / "copy").open("wb") as file:
        for piece in pieces:
            write_to(file, piece)
    assert (tmp_path / "copy").read_bytes() == content[start:]


def test_a_span_beyond_a_page(tmp_path: Path) -> None:
    content = bytes(range(256)) * (mmap.ALLOCATIONGRANULARITY // 128)
    (tmp_path / "file").write_bytes(content)
    span = FileSpan(tmp_path / "file", mmap.ALLOCATIONGRANULARITY + 3, 100)
    start = mmap.ALLOCATIONGRANULARITY + 3
    assert bytes(span.view()) == content[start : start + 100]


@pytest.mark.parametrize(("offset", "length"), [(0, 11), (10, 1), (-1, 2), (3, -1)])
def test_a_span_outside_of_the_file_is_refused(tmp_path: Path, offset: int, length: int) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    with pytest.raises(CorruptFileError, match="the file has 10"):
        FileSpan(tmp_path / "file", offset, length)


def test_a_file_that_shrinks_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    span = FileSpan(path, 0, 10)
    path.write_bytes(b"01")
    with pytest.raises(CorruptFileError, match="ended early"):
        list(span.chunks())


def test_reading_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    assert read_bytes(tmp_path / "file", limit=10) == b"0123456789"
    with pytest.raises(FormatError, match="larger than 9 bytes"):
        read_bytes(tmp_path / "file", limit=9)
    with pytest.raises(FormatError, match="is a folder"):
        read_bytes(tmp_path, limit=9)
    with pytest.raises(FormatError, match="No such file"):
        read_bytes(tmp_path / "none", limit=9)
