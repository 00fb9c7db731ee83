"""HDF5 as the formats of Keras use it: datasets as lazy tensors, and files that are streamed."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfjs.errors import UnsupportedError
from tfjs.io.files import CHUNK, FileSpan, write_to
from tfjs.ir.tensor import Array, SpanTensor, Tensor, widen_bfloat16

if TYPE_CHECKING:
    from tfjs.wire.hdf5 import Hdf5Dataset, Hdf5File

SIGNATURE = b"\x89HDF\r\n\x1a\n"
# An object header has no room for longer attributes; Keras cuts lists of names at this size.
ATTRIBUTE_LIMIT = 64512


def has_signature(path: Path) -> bool:
    """Whether a file begins as HDF5 files of Keras do."""
    try:
        with path.open("rb") as file:
            return file.read(len(SIGNATURE)) == SIGNATURE
    except OSError:
        return False


def tensor_at(file: Hdf5File, path: str, *, mapped: bool = True) -> Tensor:
    """A dataset as a tensor; its bytes are mapped where they stand in one piece.

    Args:
        file: the file.
        path: where the dataset is in it.
        mapped: whether the file stays where it is; else everything is read through `file`.

    Raises:
        FormatError: there is no such dataset, or it cannot be read safely.
    """
    dataset = file.dataset(path)
    if not mapped or dataset.offset is None or dataset.dtype_name == "string":
        return Hdf5Tensor(file, dataset)
    span = FileSpan(file.path, dataset.offset, dataset.nbytes)
    return SpanTensor(dataset.dtype_name, dataset.shape, [span])


class Hdf5Tensor(Tensor):
    """A dataset that is chunked, compressed or big-endian; read by rows through h5py.

    Args:
        file: the file, which stays open as long as the tensor lives.
        dataset: the dataset.
    """

    __slots__ = ("_dataset", "_file")

    def __init__(self, file: Hdf5File, dataset: Hdf5Dataset) -> None:
        super().__init__(dataset.dtype_name, dataset.shape)
        self._file = file
        self._dataset = dataset

    def array(self) -> Array:
        return self._decoded(self._dataset.read())

    def blocks(self, size: int = CHUNK) -> Iterator[Array]:
        for rows in self._rows(size):
            yield self._decoded(rows)

    def chunks(self, size: int = CHUNK) -> Iterator[bytes | memoryview]:
        for rows in self._rows(size):
            yield np.ascontiguousarray(rows).view(np.uint8).data

    def _rows(self, size: int) -> Iterator[Array]:
        if not self.shape or not self.size:
            yield self._dataset.read().reshape(-1)
            return
        step = max(1, size // max(1, self._dataset.nbytes // self.shape[0]))
        for start in range(0, self.shape[0], step):
            yield self._dataset.read(start, start + step).reshape(-1)

    def _decoded(self, rows: Array) -> Array:
        if self.dtype == "bfloat16":
            return widen_bfloat16(rows)
        return rows.astype(object) if self.dtype == "string" else rows


class Hdf5Writer:
    """An HDF5 file in the making: its structure first, the bytes of its datasets streamed last.

    Every dataset gets its room in the file at once and in one piece, so that the weights never
    pass through HDF5, and memory stays flat.

    Args:
        path: the file to write.
    """

    def __init__(self, path: Path) -> None:
        import h5py

        self._path = path
        # Modification times would make two conversions of one model differ.
        self._file = h5py.File(path, "w", libver=("earliest", "v110"), track_order=False)
        self._pending: list[tuple[int, Tensor]] = []

    def group(self, path: str, attributes: Mapping[str, Any] | None = None) -> None:
        """Make a group, and those above it, unless it is there."""
        group = self._file.require_group(path) if path else self._file
        for name, value in (attributes or {}).items():
            group.attrs[name] = value.encode() if isinstance(value, str) else value

    def names(self, path: str, attribute: str, values: Sequence[str]) -> None:
        """A list of names as an attribute; a long one as `name0`, `name1` and so on."""
        attributes = (self._file[path] if path else self._file).attrs
        array = np.asarray([value.encode() for value in values])
        count = 1
        while any(part.nbytes > ATTRIBUTE_LIMIT for part in np.array_split(array, count)):
            count += 1
        if count == 1:
            attributes[attribute] = array if values else np.empty(0, dtype="S1")
            return
        for index, part in enumerate(np.array_split(array, count)):
            attributes[f"{attribute}{index}"] = part

    def dataset(
        self, path: str, tensor: Tensor, attributes: Mapping[str, str] | None = None
    ) -> None:
        """Make room for a tensor.

        Raises:
            UnsupportedError: it holds strings.
        """
        from h5py import h5d, h5p, h5s, h5t

        if tensor.dtype == "string":
            raise UnsupportedError("strings cannot be written as weights of Keras", where=path)
        # bfloat16 as h5py stores ml_dtypes' own: two opaque bytes.
        dtype = np.dtype("V2" if tensor.dtype == "bfloat16" else tensor.dtype)
        group, _, name = path.rpartition("/")
        parent = self._file.require_group(group) if group else self._file
        layout = h5p.create(h5p.DATASET_CREATE)
        layout.set_layout(h5d.CONTIGUOUS)
        layout.set_alloc_time(h5d.ALLOC_TIME_EARLY)
        layout.set_fill_time(h5d.FILL_TIME_NEVER)
        layout.set_obj_track_times(False)
        made = h5d.create(
            parent.id,
            name.encode(),
            h5t.py_create(dtype, logical=True),
            h5s.create_simple(tensor.shape) if tensor.shape else h5s.create(h5s.SCALAR),
            layout,
        )
        for key, value in (attributes or {}).items():
            parent[name].attrs[key] = value
        if tensor.size:
            self._pending.append((made.get_offset(), tensor))

    def finish(self, progress: Callable[[int], None]) -> None:
        """Write the bytes of all datasets and close the file.

        Args:
            progress: told the bytes written since the last time.

        Raises:
            OSError: the system refused the write (a full disk, say).
        """
        try:
            self._file.close()
        except RuntimeError as error:
            # The system's own number is in the text alone: "errno = 28, error message = ...".
            told = re.search(r"errno = (\d+)", str(error))
            number = int(told[1]) if told else errno.EIO
            raise OSError(number, os.strerror(number)) from error
        with self._path.open("r+b") as file:
            for offset, tensor in self._pending:
                file.seek(offset)
                for chunk in tensor.chunks():
                    write_to(file, chunk)
                    progress(len(chunk))

    def close(self) -> None:
        """Give up the file where it was not finished; what that provokes comes too late."""
        with contextlib.suppress(RuntimeError, OSError):
            self._file.close()
