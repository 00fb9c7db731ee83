"""Unpacking archives of strangers: nothing is written outside, and no more than is reasonable."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from tfjs.errors import CorruptFileError, FormatError, TfjsError, UnsafeFileError
from tfjs.io.files import CHUNK, file_size
from tfjs.io.paths import inside

# Weights hardly compress, so a small archive of a large model is none.
_MOST_EXPANSION = 100
_ALWAYS_ALLOWED = 1 << 30
_MOST_ENTRIES = 20_000
_MOST_AT_ONCE = 4 << 20  # tarfile reads long names and headers whole, whatever size they tell


class _Bounded:
    """A stream that goes forward only, and ends with an error beyond a size."""

    def __init__(self, file: gzip.GzipFile, limit: int, where: str) -> None:
        self._file = file
        self._limit = limit
        self._where = where
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MOST_AT_ONCE:
            raise UnsafeFileError(f"has a header of {size} bytes", where=self._where)
        data = self._file.read(size)
        self._position += len(data)
        if self._position > self._limit:
            raise UnsafeFileError(
                f"expands to more than {self._limit} bytes",
                where=self._where,
                hint="unpack it yourself, and give the folder",
            )
        return data

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        if position < self._position:
            raise CorruptFileError("has an entry that leads back", where=self._where)
        while self._position < position and self.read(min(CHUNK, position - self._position)):
            pass


def extract(archive: Path, folder: Path) -> None:
    """Unpack a `.tar.gz` into an empty folder.

    Raises:
        FormatError: it cannot be read, or there is no room for it.
        CorruptFileError: it is damaged, or none.
        UnsafeFileError: an entry is a link or device or leads outside, or it expands beyond
            reason.
    """
    where = str(archive)
    limit = max(_ALWAYS_ALLOWED, _MOST_EXPANSION * file_size(archive))
    try:
        with gzip.open(archive, "rb") as packed:
            stream = cast("BinaryIO", _Bounded(packed, limit, where))
            with tarfile.open(fileobj=stream, mode="r:") as entries:
                _extract(entries, folder, where)
            # gzip compares its checksum at the end, which lies behind that of the archive.
            while stream.read(CHUNK):
                pass
    except TfjsError:
        raise
    except (gzip.BadGzipFile, EOFError, zlib.error, tarfile.TarError) as error:
        raise CorruptFileError(f"is no whole .tar.gz archive: {error}", where=where) from None
    except OSError as error:
        raise FormatError(f"cannot be unpacked: {error.strerror}", where=where) from None
    except (ValueError, OverflowError, RecursionError) as error:
        raise CorruptFileError(f"has a damaged entry: {error}", where=where) from None


def _extract(entries: tarfile.TarFile, folder: Path, where: str) -> None:
    for count, entry in enumerate(entries):
        if count >= _MOST_ENTRIES:
            raise UnsafeFileError(f"has more than {_MOST_ENTRIES} entries", where=where)
        if entry.size < 0:
            raise CorruptFileError(f"has {entry.size} bytes for {entry.name!r}", where=where)
        if entry.name in (".", "./"):
            continue
        target = inside(folder, entry.name, where=where)
        if entry.isdir():
            target.mkdir(parents=True, exist_ok=True)
        elif entry.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not entry.issparse():
            _write(entries, entry, target, where)
        else:
            raise UnsafeFileError(f"holds {entry.name!r}, which is no plain file", where=where)


def _write(entries: tarfile.TarFile, entry: tarfile.TarInfo, target: Path, where: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source = entries.extractfile(entry)
    if source is None:
        raise CorruptFileError(f"has no contents for {entry.name!r}", where=where)
    try:
        with target.open("xb") as file:
            shutil.copyfileobj(source, file, CHUNK)
    except FileExistsError:
        raise CorruptFileError(f"holds {entry.name!r} twice", where=where) from None
