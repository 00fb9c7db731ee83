"""HDF5 files that nobody vouches for, read through h5py's low-level interface.

The HDF5 library hangs, crashes or takes all memory where single bytes of a file are damaged. It
finds groups, datasets and attributes for us, and sees the file through a window that checks what
it cannot bear (hdf5_window); we follow links one by one, so that none leads out of the file, and
read chunks, rows and strings ourselves (hdf5_chunks, hdf5_dataset, hdf5_heap).
"""

from __future__ import annotations

import math
import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np

from tfjs.errors import CorruptFileError, FormatError, UnsafeFileError, UsageError
from tfjs.io.files import FileSpan, file_size
from tfjs.wire.hdf5_dataset import Hdf5Dataset
from tfjs.wire.hdf5_errors import translated
from tfjs.wire.hdf5_heap import Strings, attribute_data
from tfjs.wire.hdf5_types import Hdf5Types
from tfjs.wire.hdf5_window import Hdf5Bytes, Window

__all__ = ["Hdf5Dataset", "Hdf5File"]

_MOST_DEPTH = 128
_MOST_SOFT_LINKS = 16

_Parts = tuple[str, ...]


class Hdf5File:
    """An HDF5 file; use `open` and a `with` statement.

    Paths are names with slashes between them; a leading slash means nothing, and `""` and `"/"`
    are the root group. Soft links inside the file are followed.

    Every method raises CorruptFileError for a damaged file or a missing object, and
    UnsafeFileError for links that lead out of the file, lead nowhere or go around in circles, for
    data in other files, and for types other than numbers, bools and strings.
    """

    def __init__(self, content: Hdf5Bytes, handle: Any, path: Path) -> None:
        self.path = path
        self._where = content.where
        self._content = content
        # Also at the end of the interpreter, which HDF5 crashes when it still holds a window.
        self._finalizer = weakref.finalize(self, _close, handle, content)
        self._types = Hdf5Types()
        self._strings = Strings(content)
        self._groups: dict[_Parts, Any] = {}

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, offset: int = 0, length: int | None = None
    ) -> Self:
        """Open a file, or the HDF5 file of `length` bytes that stands at `offset` in it.

        Raises:
            FormatError: the file is missing or cannot be read.
            CorruptFileError: no HDF5 file, a truncated one, or a span outside of the file.
        """
        from h5py import h5g

        target = Path(path)
        available = file_size(target)
        span = FileSpan(
            target, offset, available - offset if length is None else length, size=available
        )
        content = Hdf5Bytes(span)
        handle = _open_handle(content)
        file = cls(content, handle, target)
        try:
            with translated(file._where):
                creation = handle.get_create_plist()
                content.origin = creation.get_userblock()
                if creation.get_sizes() != (8, 8):
                    raise FormatError("has addresses of an unusual size", where=file._where)
                file._groups[()] = h5g.open(handle, b"/")
        except BaseException:
            file.close()
            raise
        return file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; its datasets cannot be read any more."""
        self._groups.clear()
        self._finalizer()

    def attrs(self, path: str) -> dict[str, Any]:
        """The attributes of a group or dataset.

        Returns:
            A str, int, float or bool for a scalar, list[str] (row-major) for an array of strings,
            an array for one of numbers, None for an attribute without a value.
        """
        with translated(self._where):
            target = self._object(_split(path))
            return {_decode(name): self._attribute(target, name) for name in _names(target)}

    def text_list(self, path: str, name: str) -> list[str] | None:
        """An attribute that is a list of strings; None if there is no such attribute.

        Keras writes a list of more than 64512 bytes as several, `name0`, `name1` and so on, since
        an HDF5 object header has no room for more (HDF5_OBJECT_HEADER_LIMIT).
        """
        from h5py import h5a

        with translated(self._where):
            target = self._object(_split(path))
            if h5a.exists(target, _encode(name)):
                return self._texts(target, name)
            texts: list[str] = []
            count = 0
            while h5a.exists(target, _encode(f"{name}{count}")):
                texts += self._texts(target, f"{name}{count}")
                count += 1
        return texts if count else None

    def children(self, path: str) -> list[str]:
        """The names in a group, sorted bytewise."""
        with translated(self._where):
            return [_decode(name) for name in sorted(self._group(_split(path)))]

    def is_group(self, path: str) -> bool:
        """Whether there is a group at the path; False where there is nothing."""
        from h5py import h5g

        with translated(self._where):
            return isinstance(self._find(_split(path)), h5g.GroupID)

    def dataset(self, path: str) -> Hdf5Dataset:
        """The dataset at a path."""
        from h5py import h5d

        parts = _split(path)
        with translated(self._where):
            found = self._object(parts)
            if not isinstance(found, h5d.DatasetID):
                raise CorruptFileError(f"{path!r} is no dataset", where=self._where)
            return self._describe(parts, found)

    def walk_datasets(self, path: str = "") -> Iterator[Hdf5Dataset]:
        """The datasets below a group, depth first, names sorted bytewise.

        A group that can be reached in several ways is walked once.
        """
        from h5py import h5d, h5g, h5o

        parts = _split(path)
        with translated(self._where):
            group = self._group(parts)
            visited = {h5o.get_info(group).addr}
            stack = [(parts, group, iter(sorted(group)))]
        while stack:
            parts, group, names = stack[-1]
            name = next(names, None)
            if name is None:
                stack.pop()
                continue
            with translated(self._where):
                below = (*parts, _decode(name))
                found, address = self._child(group, below, 0)
                if isinstance(found, h5d.DatasetID):
                    dataset = self._describe(below, found)
                elif isinstance(found, h5g.GroupID) and address not in visited:
                    visited.add(address)
                    self._groups[below] = found
                    stack.append((below, found, iter(sorted(found))))
                    continue
                else:
                    continue
            yield dataset

    def _describe(self, parts: _Parts, dataset_id: Any) -> Hdf5Dataset:
        path = "/".join(parts)
        kind = self._types.find(dataset_id.get_type(), f"{self._where}: {path}")
        return Hdf5Dataset(path, dataset_id, kind, self._content, self._strings)

    def _group(self, parts: _Parts) -> Any:
        from h5py import h5g

        found = self._object(parts)
        if not isinstance(found, h5g.GroupID):
            raise CorruptFileError(f"{'/'.join(parts)!r} is no group", where=self._where)
        return found

    def _object(self, parts: _Parts) -> Any:
        """h5py's low-level object at a path, which must be there."""
        found = self._find(parts)
        if found is None:
            raise CorruptFileError(f"has no object {'/'.join(parts)!r}", where=self._where)
        return found

    def _find(self, parts: _Parts, hops: int = 0) -> Any:
        """The object at a path, or None where there is nothing.

        Args:
            parts: the names on the way.
            hops: the soft links that led to this path.
        """
        from h5py import h5g

        if not self._finalizer.alive:
            raise UsageError("the HDF5 file is closed", where=self._where)
        found = self._groups.get(parts)
        if found is not None:
            return found
        if len(parts) > _MOST_DEPTH:
            raise UnsafeFileError(f"nests deeper than {_MOST_DEPTH} groups", where=self._where)
        parent = self._find(parts[:-1], hops)
        if not isinstance(parent, h5g.GroupID) or not parent.links.exists(_encode(parts[-1])):
            return None
        found, _ = self._child(parent, parts, hops)
        if isinstance(found, h5g.GroupID):
            self._groups[parts] = found
        return found

    def _child(self, parent: Any, parts: _Parts, hops: int) -> tuple[Any, int]:
        """Follow one link of a group, and the soft links behind it.

        Returns:
            The object and its address, which tells apart what several links lead to.
        """
        from h5py import h5l, h5o

        path = "/".join(parts)
        name = _encode(parts[-1])
        info = parent.links.get_info(name)
        if info.type == h5l.TYPE_HARD:
            if len(parts) > _MOST_DEPTH:
                raise UnsafeFileError(f"nests deeper than {_MOST_DEPTH} groups", where=self._where)
            return h5o.open(parent, name), info.u
        if info.type != h5l.TYPE_SOFT:
            raise UnsafeFileError(f"{path!r} is a link to another file", where=self._where)
        target = _decode(parent.links.get_val(name))
        if hops == _MOST_SOFT_LINKS:
            raise UnsafeFileError(f"the link {path!r} leads to too many others", where=self._where)
        start = () if target.startswith("/") else parts[:-1]
        found = self._find((*start, *_split(target)), hops + 1)
        if found is None:
            raise UnsafeFileError(
                f"the link {path!r} leads to {target!r}, which is not there", where=self._where
            )
        return found, h5o.get_info(found).addr

    def _texts(self, target: Any, name: str) -> list[str]:
        value = self._attribute(target, _encode(name))
        if isinstance(value, str):
            return [value]
        # NumPy makes an array of floats from an empty list.
        if isinstance(value, np.ndarray) and value.size == 0:
            return []
        if not isinstance(value, list):
            raise CorruptFileError(f"the attribute {name!r} is no list of names", where=self._where)
        return value

    def _attribute(self, target: Any, name: bytes) -> Any:
        """The value of one attribute; see `attrs`."""
        from h5py import h5a, h5o

        attribute = h5a.open(target, name)
        kind = self._types.find(
            attribute.get_type(), f"{self._where}: the attribute {_decode(name)!r}"
        )
        shape = attribute.shape
        if shape is None:
            return None
        nbytes = math.prod(shape) * kind.stored.itemsize
        if nbytes > self._content.size:
            raise UnsafeFileError(
                f"the attribute {_decode(name)!r} would have {nbytes} bytes", where=self._where
            )
        if kind.is_variable:
            data = attribute_data(self._content, h5o.get_info(target).addr, name)
            values = self._strings.read(data, math.prod(shape))
        else:
            stored = np.empty(shape, kind.stored)
            attribute.read(stored, mtype=attribute.get_type())
            if kind.name != "string":
                array = kind.convert(stored)
                return array if shape else array.item()
            values = stored.ravel().tolist()
        texts = [value.decode("utf-8") for value in values]
        return texts if shape else texts[0]


def _open_handle(content: Hdf5Bytes) -> Any:
    """h5py's low-level file, read only and without locks."""
    from h5py import h5f, h5fd, h5p

    with translated(content.where):
        access = h5p.create(h5p.FILE_ACCESS)
        access.set_fclose_degree(h5f.CLOSE_STRONG)
        access.set_file_locking(False, ignore_when_disabled=True)
        access.set_fileobj_driver(h5fd.fileobj_driver, Window(content))
        # With this driver the name is only for messages.
        return h5f.open(os.fsencode(content.where), h5f.ACC_RDONLY, access)


def _close(handle: Any, content: Hdf5Bytes) -> None:
    if handle.valid:
        handle.close()
    content.close()


def _split(path: str) -> _Parts:
    # HDF5 gives no meaning to "..", and "." stands for the group itself.
    return tuple(part for part in path.split("/") if part not in ("", "."))


def _encode(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _decode(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _names(target: Any) -> list[bytes]:
    """The names of an object's attributes."""
    from h5py import h5a

    names: list[bytes] = []
    h5a.iterate(target, names.append)
    return names
