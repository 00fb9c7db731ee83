"""Zip archives: bounded reads, and where the bytes of an uncompressed member stand in the file."""

from __future__ import annotations

import io
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self

from tfjs.errors import CorruptFileError, FormatError, TfjsError, UnsafeFileError
from tfjs.io.files import CHUNK

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LOCAL_HEADER = struct.Struct("<4s2xHH16xHH")  # signature, flags, method, name and extra length
_ENCRYPTED = 0x1
_UTF8_NAME = 0x800
_DIRECTORY_LIMIT = 32 << 20  # 300 000 members with names of 60 bytes
_MOST_EXPANSION = 100
_ALWAYS_ALLOWED = 64 << 20


class ZipFile:
    """A zip archive that nobody vouches for.

    Use `open` and a `with` statement. Names of folders are left out everywhere.
    """

    def __init__(self, path: Path, file: _ArchiveFile) -> None:
        self.path = path
        self._file = file
        with self._translated():
            self._zip = zipfile.ZipFile(file)
            self._members = self._checked_members()

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open an archive and check its directory.

        Raises:
            FormatError: the file is missing or cannot be read.
            CorruptFileError: no zip archive, a truncated one, or one whose members share a name.
            UnsafeFileError: a name leaves the archive's folder, or members are encrypted or
                overlap.
        """
        target = Path(path)
        try:
            file = _ArchiveFile(target)
        except OSError as error:
            raise FormatError(f"cannot be read: {error.strerror}", where=str(target)) from error
        try:
            return cls(target, file)
        except BaseException:
            file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._zip.close()
        self._file.close()

    def names(self) -> list[str]:
        """The members in the order of the archive's directory."""
        return list(self._members)

    def has(self, name: str) -> bool:
        """Whether there is a member of this name."""
        return name in self._members

    def read(self, name: str, *, limit: int) -> bytes:
        """The contents of a member, with its CRC checked.

        Raises:
            CorruptFileError: there is no such member, or it is damaged.
            UnsafeFileError: it has more than `limit` bytes, or expands beyond reason.
        """
        return b"".join(self._chunks(name, limit))

    def extract(self, name: str, target_file: BinaryIO, *, limit: int) -> None:
        """Write the contents of a member to an open file, in bounded memory; see `read`."""
        for chunk in self._chunks(name, limit):
            target_file.write(chunk)

    def check_crc(self, name: str) -> None:
        """Read a member in bounded memory and compare its CRC.

        Raises:
            CorruptFileError: there is no such member, or it is damaged.
            UnsafeFileError: it expands beyond reason.
        """
        for _ in self._chunks(name, self._info(name).file_size):
            pass

    def stored_span(self, name: str) -> tuple[int, int] | None:
        """Offset and length in the archive of a member that is not compressed, else None.

        The CRC is not checked here, since that reads every byte: see `check_crc`.

        Raises:
            CorruptFileError: there is no such member, or its local header is damaged.
        """
        info = self._info(name)
        if info.compress_type != zipfile.ZIP_STORED:
            return None
        return self._data_offset(info), info.file_size

    def _info(self, name: str) -> zipfile.ZipInfo:
        try:
            return self._members[name]
        except KeyError:
            raise CorruptFileError(f"has no member {name!r}", where=str(self.path)) from None

    def _checked_members(self) -> dict[str, zipfile.ZipInfo]:
        where = str(self.path)
        members: dict[str, zipfile.ZipInfo] = {}
        folders: set[str] = set()
        for info in self._zip.infolist():
            # They differ where an extra field carries the name in Unicode.
            for name in (info.orig_filename, info.filename):
                _check_name(name, where)
            if info.filename in members or info.filename in folders:
                raise CorruptFileError(f"has two members {info.filename!r}", where=where)
            if info.flag_bits & _ENCRYPTED:
                raise UnsafeFileError(f"the member {info.filename!r} is encrypted", where=where)
            if info.is_dir():
                folders.add(info.filename)
            else:
                members[info.filename] = info
        # Each member ends where the next one, or the directory, begins.
        self._ends: dict[int, int] = {}
        end = self._zip.start_dir
        for info in sorted(self._zip.infolist(), key=lambda info: -info.header_offset):
            if info.header_offset < 0:
                raise CorruptFileError(
                    f"the member {info.filename!r} begins before the file", where=where
                )
            if info.header_offset + _LOCAL_HEADER.size + info.compress_size > end:
                raise UnsafeFileError(
                    f"the member {info.filename!r} overlaps what follows it", where=where
                )
            self._ends[info.header_offset] = end
            end = info.header_offset
        return members

    def _data_offset(self, info: zipfile.ZipInfo) -> int:
        """Where the data of a member begins, by its local header, which must agree."""
        where = str(self.path)
        with self._translated():
            self._file.seek(info.header_offset)
            header = self._file.read(_LOCAL_HEADER.size)
            signature, flags, method, name_size, extra_size = _LOCAL_HEADER.unpack(header)
            encoding = "utf-8" if flags & _UTF8_NAME else "cp437"
            name = self._file.read(name_size).decode(encoding)
        if (signature, method, name) != (b"PK\x03\x04", info.compress_type, info.orig_filename):
            raise CorruptFileError(
                f"the local header of {info.filename!r} contradicts the directory", where=where
            )
        if method == zipfile.ZIP_STORED and info.file_size != info.compress_size:
            raise CorruptFileError(f"the sizes of {info.filename!r} disagree", where=where)
        start: int = info.header_offset + _LOCAL_HEADER.size + name_size + extra_size
        if start + info.compress_size > self._ends[info.header_offset]:
            raise UnsafeFileError(
                f"the member {info.filename!r} overlaps what follows it", where=where
            )
        return start

    def _chunks(self, name: str, limit: int) -> Iterator[bytes]:
        """The contents in pieces; nothing is handed out before the declared sizes are checked."""
        info = self._info(name)
        where = str(self.path)
        self._check_size(info, limit)
        self._data_offset(info)
        left = info.file_size
        with self._translated():
            member = self._zip.open(info)
        with member:
            while True:
                with self._translated():
                    # zipfile compares the CRC when the last byte is read.
                    chunk = member.read(CHUNK)
                if not chunk:
                    break
                left -= len(chunk)
                yield chunk
        if left:
            raise CorruptFileError(f"the member {name!r} is cut off", where=where)

    def _check_size(self, info: zipfile.ZipInfo, limit: int) -> None:
        where = str(self.path)
        name, size, packed = info.filename, info.file_size, info.compress_size
        if info.compress_type not in _METHODS:
            raise FormatError(
                f"the member {name!r} is compressed by method {info.compress_type}, "
                "only deflate can be read",
                where=where,
            )
        if size > limit:
            raise UnsafeFileError(
                f"the member {name!r} has {size} bytes, more than {limit}", where=where
            )
        if size > _ALWAYS_ALLOWED and size > _MOST_EXPANSION * packed:
            raise UnsafeFileError(
                f"the member {name!r} expands from {packed} to {size} bytes", where=where
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """What zipfile and zlib raise at damaged archives becomes a CorruptFileError."""
        try:
            yield
        except TfjsError:
            raise
        except (
            zipfile.BadZipFile,
            zlib.error,
            struct.error,
            EOFError,
            OSError,
            ValueError,
            IndexError,
            OverflowError,
            RuntimeError,
        ) as error:
            raise CorruptFileError(
                f"is a damaged zip archive: {error}", where=str(self.path)
            ) from (error)


class _ArchiveFile(io.BufferedReader):
    """A file whose single reads are bounded: zipfile reads a whole directory in one."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._where = str(path)

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = _DIRECTORY_LIMIT  # zipfile asks so for the end of the file, at most 64 KiB
        if size > _DIRECTORY_LIMIT:
            raise UnsafeFileError(f"has a directory of {size} bytes", where=self._where)
        return super().read(size)


def _check_name(name: str, where: str) -> None:
    """Refuse names that could lead outside of a folder on any system."""
    if (
        not name
        or name.startswith("/")
        or "\\" in name
        or "\0" in name
        or re.match(r"[A-Za-z]:", name)
        or ".." in name.split("/")
    ):
        raise UnsafeFileError(f"has a member with the unsafe name {name!r}", where=where)
