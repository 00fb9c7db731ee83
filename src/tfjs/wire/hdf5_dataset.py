"""Datasets of an HDF5 file: what they are, where their bytes stand, and their rows."""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from tfjs.errors import CorruptFileError, FormatError, UnsafeFileError, UsageError
from tfjs.io.files import CHUNK
from tfjs.wire.hdf5_errors import translated
from tfjs.wire.hdf5_types import Hdf5Type

_MOST_BYTES = 1 << 40
_MOST_EXPANSION = 1000  # deflate reaches 1032
# HDF5 inflates a chunk in one piece, whatever size the chunk should have; below this many stored
# bytes that is at most some 4 GiB, above it we look first.
_TRUSTED_CHUNK = 4 << 20
_DEFLATE, _SHUFFLE, _FLETCHER32, _LZF = 1, 2, 3, 32000
_FILTERS = frozenset({_DEFLATE, _SHUFFLE, _FLETCHER32, _LZF})


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
        "_chunks_checked",
        "_id",
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
        self, path: str, dataset_id: Any, kind: Hdf5Type, *, where: str, base: int, file_size: int
    ) -> None:
        """Describe a dataset.

        Args:
            path: its path in the file.
            dataset_id: h5py's low-level dataset.
            kind: the type of its elements.
            where: the file, for messages.
            base: where the HDF5 file begins in the outer file.
            file_size: bytes of the HDF5 file.

        Raises:
            UnsafeFileError: it lies in other files, or is larger than the file can account for.
            FormatError: it is compressed in a way that cannot be read.
        """
        self.path = path
        self._chunks_checked = False
        self._id = dataset_id
        self._type = kind
        self._where = f"{where}: {path}"
        self.dtype = kind.dtype
        self.dtype_name = kind.name
        self.shape: tuple[int, ...] = dataset_id.shape
        self.nbytes: int = math.prod(self.shape) * kind.size
        self._check_bytes("it", self.nbytes, file_size)
        # Only a contiguous dataset without external files has an offset.
        offset = dataset_id.get_offset()
        if offset is None or dataset_id.get_storage_size() != self.nbytes or not self.nbytes:
            self._check_layout(file_size)
            offset = None
        elif not kind.native or offset + self.nbytes > file_size:
            offset = None
        self.offset: int | None = None if offset is None else base + offset

    def read(self, start: int = 0, stop: int | None = None) -> npt.NDArray[Any]:
        """Rows `start` to `stop` along the first axis, or the whole of a scalar.

        Raises:
            CorruptFileError: the bytes cannot be read.
            UnsafeFileError: they expand beyond the size of the dataset.
        """
        from h5py import h5s

        if not self._id.valid:
            raise UsageError("the HDF5 file is closed", where=self._where)
        rows = slice(start, stop).indices(self.shape[0])[:2] if self.shape else (0, 1)
        count = max(0, rows[1] - rows[0])
        shape = (count, *self.shape[1:]) if self.shape else ()
        with translated(self._where):
            array = np.empty(shape, self.dtype)
            if not array.size:
                return array
            self._check_chunks()
            space = self._id.get_space()
            if self.shape:
                space.select_hyperslab((rows[0], *(0 for _ in shape[1:])), shape)
                memory = h5s.create_simple(shape)
            else:
                memory = h5s.create(h5s.SCALAR)
            self._id.read(memory, space, array, self._type.memory)
        return array

    def _check_bytes(self, what: str, nbytes: int, file_size: int) -> None:
        if nbytes > _MOST_BYTES or nbytes > _MOST_EXPANSION * file_size:
            raise UnsafeFileError(
                f"{what} would have {nbytes} bytes, in a file of {file_size}", where=self._where
            )

    def _check_layout(self, file_size: int) -> None:
        """Refuse what other files hold, and filters that need plug-ins."""
        from h5py import h5d, h5s

        if self._id.get_space().get_simple_extent_type() == h5s.NULL:
            raise CorruptFileError("has no elements and no shape", where=self._where)
        plist = self._id.get_create_plist()
        layout = plist.get_layout()
        if layout == h5d.VIRTUAL:
            raise UnsafeFileError("is virtual: its data lies in other datasets", where=self._where)
        if layout == h5d.CONTIGUOUS and plist.get_external_count():
            raise UnsafeFileError("keeps its data in another file", where=self._where)
        if layout != h5d.CHUNKED:
            return
        self._check_bytes(
            "one of its chunks", math.prod(plist.get_chunk()) * self._type.size, file_size
        )
        self._check_filters(_filters(plist))

    def _check_filters(self, filters: list[int]) -> None:
        unknown = sorted(set(filters) - _FILTERS)
        if unknown:
            raise FormatError(
                f"is compressed by the HDF5 filter {unknown[0]}",
                where=self._where,
                hint="rewrite the file without it: h5repack -f GZIP=1 IN OUT",
            )
        # What stands behind the compression would have to be undone to look into it.
        compressed = [index for index, code in enumerate(filters) if code in (_DEFLATE, _LZF)]
        if len(compressed) > 1 or (
            compressed and set(filters[compressed[0] + 1 :]) - {_FLETCHER32}
        ):
            raise UnsafeFileError(f"has the filters {filters}", where=self._where)

    def _check_chunks(self) -> None:
        """Inflate large chunks in pieces first: nothing else bounds what they expand to."""
        if self._chunks_checked or self._id.get_storage_size() <= _TRUSTED_CHUNK:
            return
        plist = self._id.get_create_plist()
        filters = _filters(plist)
        if _DEFLATE in filters:
            # A checksum of four bytes may have been added before the compression.
            most = math.prod(plist.get_chunk()) * self._type.size + 4
            for position in self._large_chunks():
                skipped, data = self._id.read_direct_chunk(position)
                if not skipped & 1 << filters.index(_DEFLATE) and _inflates_beyond(data, most):
                    raise UnsafeFileError(
                        f"a chunk of {len(data)} bytes expands beyond {most}", where=self._where
                    )
        self._chunks_checked = True

    def _large_chunks(self) -> list[tuple[int, ...]]:
        found: list[tuple[int, ...]] = []

        def look(chunk: Any) -> None:
            if chunk.size > _TRUSTED_CHUNK:
                found.append(chunk.chunk_offset)

        self._id.chunk_iter(look)
        return found


def _filters(plist: Any) -> list[int]:
    """The filters that a dataset's chunks pass through when written, in order."""
    return [plist.get_filter(index)[0] for index in range(plist.get_nfilters())]


def _inflates_beyond(data: bytes, most: int) -> bool:
    """Whether a zlib stream has more than `most` bytes; they are thrown away piece by piece."""
    stream = zlib.decompressobj()
    size = 0
    while data and not stream.eof and size <= most:
        size += len(stream.decompress(data, CHUNK))
        data = stream.unconsumed_tail
    return size > most
