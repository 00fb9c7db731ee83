"""Files as bytes: bounded reads, mapped views and streamed spans."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tfjs.errors import CorruptFileError, FormatError

# Small enough that what is read is still in the processor's cache when it is checked and written.
CHUNK = 1 << 18
# Larger pieces are written at down to a third of the speed: for them, Linux puts large blocks of
# memory into its cache, which may have to be fetched first (6.18 in a virtual machine, ext4).
_WRITTEN = 1 << 16
_PAGE = 1 << 12
_ALIGNMENT = 16  # of all elements


def read_bytes(path: Path, *, limit: int) -> bytes:
    """Read a whole small file.

    Raises:
        FormatError: the file is missing, not a file, unreadable or larger than `limit` bytes.
    """
    try:
        with path.open("rb") as file:
            # read(n) makes room for n bytes at once; a device tells a size of 0.
            size = os.fstat(file.fileno()).st_size
            data = file.read(min(limit, max(size, CHUNK)) + 1)
    except IsADirectoryError:
        raise FormatError("is a folder, a file was expected", where=str(path)) from None
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if len(data) > limit:
        raise FormatError(f"is larger than {limit} bytes", where=str(path))
    return data


def write_to(file: IO[bytes], data: bytes | memoryview) -> None:
    """Write bytes of any length, in pieces of the size that is fastest.

    Raises:
        OSError: the system refused the write.
    """
    view = memoryview(data)
    for start in range(0, len(view), _WRITTEN):
        file.write(view[start : start + _WRITTEN])


def file_size(path: Path) -> int:
    """Size in bytes of a regular file.

    Raises:
        FormatError: there is no such file, or it is not a regular file.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if not path.is_file():
        raise FormatError("is not a file", where=str(path))
    return status.st_size


class FileSpan:
    """A run of bytes in a file, checked once against the file's size, read when asked for."""

    __slots__ = ("length", "offset", "path")

    def __init__(self, path: Path, offset: int, length: int, *, size: int | None = None) -> None:
        """Describe `length` bytes at `offset`.

        Args:
            path: the file.
            offset: first byte.
            length: number of bytes.
            size: the file's size where the caller knows it, to save a stat.

        Raises:
            CorruptFileError: the span lies outside the file.
        """
        available = file_size(path) if size is None else size
        if offset < 0 or length < 0 or offset + length > available:
            raise CorruptFileError(
                f"bytes {offset} to {offset + length} are wanted, the file has {available}",
                where=str(path),
            )
        self.path = path
        self.offset = offset
        self.length = length

    def view(self) -> memoryview:
        """The bytes as a read-only mapped view; nothing is read before it is touched."""
        if self.length == 0:
            return memoryview(b"")
        start = self.offset - self.offset % mmap.ALLOCATIONGRANULARITY
        with self._open() as file:
            try:
                mapped = mmap.mmap(
                    file.fileno(),
                    self.length + self.offset - start,
                    access=mmap.ACCESS_READ,
                    offset=start,
                )
            except (OSError, ValueError) as error:
                raise CorruptFileError(f"cannot be mapped: {error}", where=str(self.path)) from None
        return memoryview(mapped)[self.offset - start : self.offset - start + self.length]

    def chunks(self, size: int = CHUNK) -> Iterator[memoryview]:
        """The bytes in order, at most `size` at a time, by plain reads (memory stays flat)."""
        with self._open() as file:
            file.seek(self.offset)
            position, end = self.offset, self.offset + self.length
            while position < end:
                room = _room(min(size, end - position), position)
                count = file.read_into(room)
                if not count:
                    raise CorruptFileError("the file ended early", where=str(self.path))
                position += count
                yield room[:count].toreadonly()

    def _open(self) -> _Unbuffered:
        return _Unbuffered(self.path)


def _room(length: int, position: int) -> memoryview:
    """Memory that begins as far behind the start of a page as the bytes do in their file.

    Processors copy at a sixth of the speed where it begins a little further behind (measured:
    16 to 47 bytes, AMD EPYC), and where `bytes` would begin is up to chance.
    """
    import numpy as np  # noqa: PLC0415 - slow to load, and files are all that some commands read

    memory = np.empty(length + _PAGE, np.uint8)
    start = (position - memory.ctypes.data) % _PAGE // _ALIGNMENT * _ALIGNMENT
    return memory[start : start + length].data


class _Unbuffered:
    """An unbuffered binary file whose opening failure is a FormatError."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by __exit__
        except OSError as error:
            raise FormatError(f"cannot be read: {error.strerror}", where=str(path)) from None

    def __enter__(self) -> _Unbuffered:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def fileno(self) -> int:
        return self._file.fileno()

    def seek(self, offset: int) -> None:
        self._file.seek(offset, os.SEEK_SET)

    def read_into(self, room: memoryview) -> int:
        return self._file.readinto(room)
