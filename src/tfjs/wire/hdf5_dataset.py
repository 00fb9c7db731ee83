"""Datasets of an HDF5 file: what they are, where their bytes stand, and their rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from tfjs.errors import CorruptFileError, UnsafeFileError, UsageError
from tfjs.wire.hdf5_chunks import Chunks
from tfjs.wire.hdf5_errors import translated
from tfjs.wire.hdf5_heap import Strings
from tfjs.wire.hdf5_types import Hdf5Type
from tfjs.wire.hdf5_window import Hdf5Bytes

_MOST_BYTES = 1 << 40
_MOST_EXPANSION = 1000  # deflate reaches 1032


class Hdf5Dataset:
    """A dataset whose type, shape and layout have been checked.

    Attributes:
        path: where it stands in the file, without a leading slash.
        shape: `()` for a scalar.
        dtype: NumPy's dtype of what `read` returns; see `Hdf5Type`.
        dtype_name: the logical dtype: a NumPy name, `bfloat16` or `string`.
        nbytes: bytes of the elements in the file before compression (for strings of variable
            length: of the references to them).
        offset: where its bytes begin in the outer file, if they stand there in one piece as
            `dtype` has them; else None.
    """

    __slots__ = (
        "_chunks",
        "_content",
        "_id",
        "_start",
        "_strings",
        "_type",
        "_where",
        "dtype",
        "dtype_name",
        "nbytes",
        "offset",
        "path",
        "shape",
    )

    def __init__(
        self, path: str, dataset_id: Any, kind: Hdf5Type, content: Hdf5Bytes, strings: Strings
    ) -> None:
        """Describe a dataset.

        Args:
            path: its path in the file.
            dataset_id: h5py's low-level dataset.
            kind: the type of its elements.
            content: the file.
            strings: reads the file's strings of variable length.

        Raises:
            UnsafeFileError: it lies in other files, or is larger than the file can account for.
            FormatError: it is compressed in a way that cannot be read.
            CorruptFileError: it reaches past the end of the file.
        """
        self.path = path
        self._id = dataset_id
        self._type = kind
        self._content = content
        self._strings = strings
        self._where = f"{content.where}: {path}"
        self.dtype = kind.dtype
        self.dtype_name = kind.name
        if dataset_id.shape is None:
            raise CorruptFileError("has no elements and no shape", where=self._where)
        self.shape: tuple[int, ...] = dataset_id.shape
        self.nbytes: int = math.prod(self.shape) * kind.stored.itemsize
        self._check_bytes("it", self.nbytes)
        self._chunks: Chunks | None = None
        # Only a contiguous dataset without external files has an offset.
        self._start: int | None = dataset_id.get_offset()
        if self._start is None:
            self._check_layout()
            self.offset: int | None = None
            return
        if dataset_id.get_storage_size() != self.nbytes:
            raise CorruptFileError("has fewer or more bytes than its shape", where=self._where)
        content.piece(self._start, self.nbytes)
        self.offset = content.base + self._start if kind.is_mappable else None

    def read(self, start: int = 0, stop: int | None = None) -> npt.NDArray[Any]:
        """Rows `start` to `stop` along the first axis, or the whole of a scalar.

        Raises:
            CorruptFileError: the bytes cannot be read.
        """
        if not self._id.valid:
            raise UsageError("the HDF5 file is closed", where=self._where)
        with translated(self._where):
            if self.shape:
                first, end, _ = slice(start, stop).indices(self.shape[0])
                shape = (max(0, end - first), *self.shape[1:])
            else:
                first, shape = 0, ()
            if not self._type.is_variable:
                return self._type.convert(self._stored(first, shape))
            references = self._stored(first, shape).tobytes()
            array = np.empty(math.prod(shape), object)
            array[:] = self._strings.read(references, len(array))
            return array.reshape(shape)

    def _stored(self, first: int, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """A copy of the rows from `first` on, of the dtype that the file has."""
        from h5py import h5d, h5s

        dtype = self._type.stored
        if self._start is not None:
            row = math.prod(shape[1:]) * dtype.itemsize
            data = self._content.piece(self._start + first * row, math.prod(shape) * dtype.itemsize)
            return np.frombuffer(data, dtype).reshape(shape).copy()
        plist = self._id.get_create_plist()
        if plist.get_layout() == h5d.COMPACT:
            array = np.empty(self.shape, dtype)
            self._id.read(h5s.ALL, h5s.ALL, array, self._id.get_type())
            return array[first : first + shape[0]] if shape else array
        # Nothing was written to a contiguous dataset without an offset, nor to a missing chunk.
        array = np.full(shape, _fill_value(plist, dtype))
        if self._chunks is not None:
            self._chunks.read_into(array, first, self.shape[0])
        return array

    def _check_bytes(self, what: str, nbytes: int) -> None:
        if nbytes > _MOST_BYTES or nbytes > _MOST_EXPANSION * self._content.size:
            raise UnsafeFileError(
                f"{what} would have {nbytes} bytes, in a file of {self._content.size}",
                where=self._where,
            )

    def _check_layout(self) -> None:
        """Refuse what other files hold, and chunks or filters that cannot be read."""
        from h5py import h5d

        plist = self._id.get_create_plist()
        layout = plist.get_layout()
        if layout == h5d.VIRTUAL:
            raise UnsafeFileError("is virtual: its data lies in other datasets", where=self._where)
        if layout == h5d.CONTIGUOUS and plist.get_external_count():
            raise UnsafeFileError("keeps its data in another file", where=self._where)
        if layout == h5d.CHUNKED:
            self._chunks = Chunks(self._content, self._id, plist, self._type.stored, self._where)
            self._check_bytes("a chunk", self._chunks.nbytes)


def _fill_value(plist: Any, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """What elements are that were never written."""
    from h5py import h5d

    value = np.zeros((), dtype)
    if dtype.kind != "V" and plist.fill_value_defined() == h5d.FILL_VALUE_USER_DEFINED:
        plist.get_fill_value(value)
    return value
