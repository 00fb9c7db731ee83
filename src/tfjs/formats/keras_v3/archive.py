"""The files of a `.keras` archive, in a zip or unpacked in a folder."""

from __future__ import annotations

import os
import tempfile
import weakref
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tfjs.errors import CorruptFileError
from tfjs.io.files import read_bytes
from tfjs.io.json import parse_json
from tfjs.io.paths import inside
from tfjs.wire.zip import ZipFile

if TYPE_CHECKING:
    from tfjs.wire.hdf5 import Hdf5File

CONFIG = "config.json"
METADATA = "metadata.json"
WEIGHTS_H5 = "model.weights.h5"
WEIGHTS_INDEX = "model.weights.json"
WEIGHTS_NPZ = "model.weights.npz"

_MAX_JSON = 256 << 20
_MAX_WEIGHTS = 1 << 40


class Archive(ABC):
    """The files of an archive; use a `with` statement.

    Attributes:
        path: the archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Close the archive; files of weights that were opened stay open."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """A small file whole."""

    @abstractmethod
    def open_hdf5(self, name: str) -> Hdf5File:
        """An HDF5 file, for as long as somebody has hold of it."""

    @abstractmethod
    def is_mapped(self, name: str) -> bool:
        """Whether an HDF5 file stands where its datasets can be mapped."""

    def json(self, name: str) -> Any:
        """A JSON file, as Python writes it.

        Raises:
            FormatError: it is missing or damaged.
        """
        return parse_json(self.read(name), where=f"{self.path}, {name}", by_python=True)


class ZipArchive(Archive):
    """An archive as Keras writes it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._zip = ZipFile.open(path)

    def close(self) -> None:
        self._zip.close()

    def has(self, name: str) -> bool:
        return self._zip.has(name)

    def read(self, name: str) -> bytes:
        return self._zip.read(name, limit=_MAX_JSON)

    def open_hdf5(self, name: str) -> Hdf5File:
        from tfjs.wire.hdf5 import Hdf5File

        span = self._zip.stored_span(name)
        if span is not None:
            return Hdf5File.open(self.path, offset=span[0], length=span[1])
        # Somebody has packed the archive anew, compressed.
        handle, copy = tempfile.mkstemp(suffix=".weights.h5")
        try:
            with os.fdopen(handle, "wb") as target:
                self._zip.extract(name, target, limit=_MAX_WEIGHTS)
            file = Hdf5File.open(copy)
        except BaseException:
            os.unlink(copy)
            raise
        try:
            os.unlink(copy)  # so that it is gone with the last tensor, however the program ends
        except PermissionError:  # Windows keeps open files
            weakref.finalize(file, Path(copy).unlink, missing_ok=True)
        return file

    def is_mapped(self, name: str) -> bool:
        return self._zip.stored_span(name) is not None


class FolderArchive(Archive):
    """An archive that was unpacked, or saved with `zipped=False`."""

    def close(self) -> None:
        pass

    def has(self, name: str) -> bool:
        return self._inside(name).is_file()

    def read(self, name: str) -> bytes:
        return read_bytes(self._inside(name), limit=_MAX_JSON)

    def open_hdf5(self, name: str) -> Hdf5File:
        from tfjs.wire.hdf5 import Hdf5File

        return Hdf5File.open(self._inside(name))

    def is_mapped(self, name: str) -> bool:
        return True

    def _inside(self, name: str) -> Path:
        return inside(self.path, name, where=str(self.path))


def open_archive(path: Path) -> Archive:
    """The archive at a path, a zip or a folder.

    Raises:
        FormatError: it cannot be read, or holds no model.
    """
    archive = FolderArchive(path) if os.path.isdir(path) else ZipArchive(path)
    if not archive.has(CONFIG):
        archive.close()
        raise CorruptFileError(f"has no {CONFIG}", where=str(path))
    return archive
