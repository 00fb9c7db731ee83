"""The bytes of an HDF5 file, and the file object through which the HDF5 library sees them.

The library believes much of what a file says about its own structure. What it would hang on, or
take all memory for, is looked at here before the library gets to read it.
"""

from __future__ import annotations

import io
import os
import struct
from typing import Any

from tfjs.errors import CorruptFileError
from tfjs.io.files import FileSpan

_HEAP = b"HEAP"
_HEAP_PREFIX = struct.Struct("<4sB3xQQQ")  # signature, version, size, free list, address
_FREE_BLOCK = struct.Struct("<QQ")  # offset of the next free block, size of this one
_NO_FREE_BLOCK = 1  # H5HL_FREE_NULL


class Hdf5Bytes:
    """The bytes of an HDF5 file, which may stand inside another file.

    Attributes:
        where: the outer file, for messages.
        base: where the HDF5 file begins in the outer file.
        size: bytes of the HDF5 file.
        origin: where addresses in the HDF5 file count from: behind its user block.
    """

    def __init__(self, span: FileSpan) -> None:
        self.where = str(span.path)
        self.base = span.offset
        self.size = span.length
        self.origin = 0
        self._view = span.view()

    def piece(self, offset: int, length: int) -> memoryview:
        """`length` bytes at `offset` in the HDF5 file.

        Raises:
            CorruptFileError: they reach past its end.
        """
        if offset < 0 or length < 0 or offset + length > self.size:
            raise CorruptFileError(
                f"is cut off: {length} bytes at {offset} are wanted, the HDF5 file has {self.size}",
                where=self.where,
            )
        return self._view[offset : offset + length]

    def close(self) -> None:
        """Let go of the mapped file."""
        self._view = memoryview(b"")
        self.size = 0


class Window(io.RawIOBase):
    """The file object that h5py hands to the HDF5 library."""

    def __init__(self, content: Hdf5Bytes) -> None:
        self._content = content
        self._position = 0
        self._checked_heaps: set[int] = set()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._content.size}
        self._position = start[whence] + offset
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        """Fill the whole buffer, since h5py does not look at the count.

        Raises:
            CorruptFileError: the file ends first, or a heap in these bytes is damaged.
        """
        target = memoryview(buffer).cast("B")
        start, count = self._position, len(target)
        target[:] = self._content.piece(start, count)
        self._check_heaps(start, start + count)
        self._position = start + count
        return count

    def _check_heaps(self, start: int, stop: int) -> None:
        """Check every local heap whose signature ends in these bytes.

        The library keeps what it reads, so a heap need not stand at the start of a read.
        """
        start = max(0, start - len(_HEAP) + 1)
        data = bytes(self._content.piece(start, stop - start))
        found = data.find(_HEAP)
        while found >= 0:
            if start + found not in self._checked_heaps:
                self._check_heap(start + found)
                self._checked_heaps.add(start + found)
            found = data.find(_HEAP, found + 1)

    def _check_heap(self, position: int) -> None:
        """Walk the free list of a local heap: the library does so for ever where it is a circle."""
        content = self._content
        if position + _HEAP_PREFIX.size > content.size:
            return  # the letters, but no heap
        _, version, size, offset, address = _HEAP_PREFIX.unpack(
            content.piece(position, _HEAP_PREFIX.size)
        )
        address += content.origin
        if version != 0 or address + size > content.size:
            return  # no heap either, or one that the library refuses
        blocks = content.piece(address, size)
        seen: set[int] = set()
        while offset != _NO_FREE_BLOCK and offset + _FREE_BLOCK.size <= size:
            if offset in seen:
                raise CorruptFileError(
                    f"the free list of the heap at {position} is a circle", where=content.where
                )
            seen.add(offset)
            offset, _ = _FREE_BLOCK.unpack_from(blocks, offset)
