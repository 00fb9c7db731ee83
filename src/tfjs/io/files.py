"""Files as bytes: bounded reads, mapped views and streamed spans."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from tfjs.errors import CorruptFileError, FormatError

CHUNK = 1 << 20  # 1 MiB: large enough for disk speed, small enough to keep memory flat


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

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """The bytes in order, at most `size` at a time, by plain reads (memory stays flat)."""
        with self._open() as file:
            file.seek(self.offset)
            left = self.length
            while left:
                data = file.read(min(size, left))
                if not data:
                    raise CorruptFileError("the file ended early", where=str(self.path))
                left -= len(data)
                yield data

    def _open(self) -> _Unbuffered:
        return _Unbuffered(self.path)


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

    def read(self, size: int) -> bytes:
        return self._file.read(size)
