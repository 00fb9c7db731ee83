"""Datasets in chunks, decoded without the HDF5 library.

The library inflates a chunk to whatever size it expands to, and reads outside of a chunk that is
shorter than its checksum.
"""

from __future__ import annotations

import math
import zlib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfjs.errors import CorruptFileError, FormatError, UnsafeFileError
from tfjs.wire.hdf5_window import Hdf5Bytes

_DEFLATE, _SHUFFLE, _FLETCHER32 = 1, 2, 3
_KEPT_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Chunk:
    """One stored chunk: its first element, its bytes, and the filters that it skipped."""

    start: tuple[int, ...]
    offset: int
    size: int
    skipped: int


class Chunks:
    """The chunks of one dataset."""

    def __init__(
        self, content: Hdf5Bytes, dataset_id: Any, plist: Any, dtype: np.dtype[Any], where: str
    ) -> None:
        """Look at the shape of the chunks and the filters; the chunks are listed when read.

        Args:
            content: the file.
            dataset_id: h5py's low-level dataset.
            plist: its creation properties.
            dtype: the elements as they are stored.
            where: the file and dataset, for messages.

        Raises:
            UnsafeFileError: the same filter stands there twice.
            FormatError: a filter other than deflate, shuffle and fletcher32.
        """
        self.shape: tuple[int, ...] = plist.get_chunk()
        self.nbytes = math.prod(self.shape) * dtype.itemsize
        self._content = content
        self._id = dataset_id
        self._dtype = dtype
        self._where = where
        self._chunks: list[Chunk] | None = None
        self._recent: dict[tuple[int, ...], npt.NDArray[Any]] = {}
        self._filters = [plist.get_filter(index)[0] for index in range(plist.get_nfilters())]
        if len(set(self._filters)) != len(self._filters):
            raise UnsafeFileError(f"has the filters {self._filters}", where=where)
        unknown = sorted(set(self._filters) - {_DEFLATE, _SHUFFLE, _FLETCHER32})
        if unknown:
            raise FormatError(
                f"is compressed by the HDF5 filter {unknown[0]}",
                where=where,
                hint="rewrite the file with deflate: h5repack -f GZIP=1 IN OUT",
            )

    def read_into(self, target: npt.NDArray[Any], first_row: int, rows: int) -> None:
        """Copy the elements of rows `first_row` and on into an array; gaps are left as they are.

        Args:
            target: filled as far as there are chunks.
            first_row: the row of the dataset that is the target's first.
            rows: all rows of the dataset; behind the last one nothing is kept for the next call.
        """
        if self._chunks is None:
            self._chunks = sorted(self._list(), key=_row)
        stop = first_row + target.shape[0]
        begin = bisect_right(self._chunks, first_row - self.shape[0], key=_row)
        end = bisect_left(self._chunks, stop, key=_row)
        low = (first_row, *(0 for _ in target.shape[1:]))
        for chunk in self._chunks[begin:end]:
            starts = [start - base for start, base in zip(chunk.start, low, strict=True)]
            outer = tuple(
                slice(max(0, start), min(start + length, size))
                for start, length, size in zip(starts, self.shape, target.shape, strict=True)
            )
            if any(part.start >= part.stop for part in outer):
                continue
            inner = tuple(
                slice(part.start - start, part.stop - start)
                for part, start in zip(outer, starts, strict=True)
            )
            target[outer] = self._decoded(chunk)[inner]
        if stop >= rows:
            self._recent.clear()

    def _decoded(self, chunk: Chunk) -> npt.NDArray[Any]:
        """A chunk's elements, kept for a while: several blocks of rows may go through a chunk."""
        found = self._recent.get(chunk.start)
        if found is None:
            if (len(self._recent) + 1) * self.nbytes > _KEPT_BYTES:
                self._recent.clear()
            found = self._recent[chunk.start] = self._decode(chunk)
        return found

    def _list(self) -> list[Chunk]:
        from h5py import version

        # HDF5 before 1.14.4 does not count the user block here (HDFGroup/hdf5, issue 3003).
        behind = self._content.origin if version.hdf5_version_tuple < (1, 14, 4) else 0
        chunks: list[Chunk] = []

        def add(info: Any) -> None:
            offset = info.byte_offset + behind
            chunks.append(Chunk(info.chunk_offset, offset, info.size, info.filter_mask))

        self._id.chunk_iter(add)
        return chunks

    def _decode(self, chunk: Chunk) -> npt.NDArray[Any]:
        data: bytes | memoryview = self._content.piece(chunk.offset, chunk.size)
        for index in reversed(range(len(self._filters))):
            if chunk.skipped >> index & 1:
                continue
            kind = self._filters[index]
            if kind == _DEFLATE:
                data = self._inflated(data)
            elif kind == _SHUFFLE:
                data = self._unshuffled(data)
            else:
                data = self._checked(data)
        if len(data) != self.nbytes:
            raise CorruptFileError(
                f"a chunk has {len(data)} bytes, expected are {self.nbytes}", where=self._where
            )
        return np.frombuffer(data, self._dtype).reshape(self.shape)

    def _inflated(self, data: bytes | memoryview) -> bytes:
        stream = zlib.decompressobj()
        # A checksum of four bytes may have been added before the compression.
        inflated = stream.decompress(data, self.nbytes + 4 + 1)
        if len(inflated) > self.nbytes + 4 or not stream.eof:
            raise CorruptFileError("a chunk does not inflate to its size", where=self._where)
        return inflated

    def _unshuffled(self, data: bytes | memoryview) -> bytes:
        """Undo the sorting of the elements' bytes by their place; a rest stays at the end."""
        size = self._dtype.itemsize
        count = len(data) // size
        planes = np.frombuffer(data, np.uint8, count * size).reshape(size, count)
        return planes.T.tobytes() + bytes(data[count * size :])

    def _checked(self, data: bytes | memoryview) -> memoryview:
        """Compare and cut off the checksum."""
        body = memoryview(data)[:-4]
        if len(data) < 4 or fletcher32(body) != int.from_bytes(data[-4:], "little"):
            raise CorruptFileError("the checksum of a chunk does not match", where=self._where)
        return body


def _row(chunk: Chunk) -> int:
    return chunk.start[0]


def fletcher32(data: bytes | memoryview) -> int:
    """HDF5's Fletcher-32 of big-endian words of two bytes; an odd byte is the upper of a word.

    Both sums are kept modulo 65535, in a form that is zero only where all words are
    (H5_checksum_fletcher32).
    """
    even = len(data) // 2
    words = np.frombuffer(data, ">u2", even).astype(np.uint64)
    if len(data) % 2:
        words = np.append(words, np.uint64(data[-1] << 8))
    first = second = 0
    # A block is short enough for sums of 64 bits.
    for start in range(0, len(words), 1 << 20):
        block = words[start : start + (1 << 20)]
        weights = np.arange(len(block), 0, -1, dtype=np.uint64)
        second += len(block) * first + int((block * weights).sum())
        first += int(block.sum())
    return _folded(second) << 16 | _folded(first)


def _folded(total: int) -> int:
    """The sum modulo 65535, where 65535 stands for a multiple that is not zero."""
    return (total - 1) % 65535 + 1 if total else 0
