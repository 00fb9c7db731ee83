"""Tensors of checkpoints: lazy, and held against their checksums whenever they are read."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from tfjs.errors import CorruptFileError
from tfjs.io.files import CHUNK
from tfjs.ir.tensor import ITEM_SIZES, Array, ArrayTensor, DerivedTensor, SpanTensor, Tensor
from tfjs.wire.bundle import STRING, Bundle, BundleEntry, check_crc
from tfjs.wire.checksum import crc32c

_EXTENT = re.compile(r"-|\d{1,18},\d{1,18}")


class CheckedTensor(SpanTensor):
    """A whole tensor of a checkpoint, mapped from its file.

    Its first reading to the end compares the checksum, and raises a CorruptFileError where that
    does not match.
    """

    __slots__ = ("_checked", "_entry")

    def __init__(self, entry: BundleEntry) -> None:
        super().__init__(entry.dtype_name, entry.shape, [entry.span()])
        self._entry = entry
        self._checked = False

    def array(self) -> Array:
        if not self._checked:
            for _ in self.chunks():
                pass
        return super().array()

    def chunks(self, size: int = CHUNK) -> Iterator[memoryview]:
        crc = 0
        for chunk in super().chunks(size):
            crc = crc if self._checked else crc32c(chunk, crc)
            yield chunk
        if not self._checked:
            check_crc(self._entry, crc)
            self._checked = True


def tensor_of(entry: BundleEntry) -> Tensor:
    """The lazy tensor of a checkpoint entry; pieces of a partitioned variable are joined.

    Raises:
        CorruptFileError: no variable has its dtype.
    """
    if entry.dtype_name not in ITEM_SIZES:
        raise CorruptFileError(f"the variable {entry.key!r} has dtype {entry.dtype_name}")
    if not entry.slices:
        return CheckedTensor(entry)

    def joined() -> Array:
        whole = np.empty(entry.shape, dtype=_widened(entry.dtype_name))
        for piece in entry.slices:
            part = tensor_of(piece.entry)
            sizes = zip(piece.starts, part.shape, strict=True)
            whole[tuple(slice(start, start + size) for start, size in sizes)] = part.array()
        return whole

    return DerivedTensor(_widened(entry.dtype_name), entry.shape, joined)


def variable_of(bundle: Bundle, key: str, spec: str = "") -> Tensor:
    """The tensor of a checkpoint, or the slice of it that one part of a variable holds.

    Args:
        bundle: the checkpoint.
        key: the tensor's name in it.
        spec: what RestoreV2 is told of the slice: "" for all, else the shape of the whole and
            start and length in each dimension, as "10 4 0,5:-".

    Raises:
        CorruptFileError: there is no such tensor or slice, or no variable has its dtype.
    """
    entry = bundle.entry(key)
    if entry.dtype == STRING and not spec:
        values = np.empty(len(found := bundle.read_strings(key)), dtype=object)
        values[:] = found
        return ArrayTensor(values.reshape(entry.shape))
    if not spec:
        return tensor_of(entry)
    starts, sizes = _parse(entry, spec)
    for piece in entry.slices:
        if (piece.starts, piece.entry.shape) == (starts, sizes):
            return tensor_of(piece.entry)
    whole = tensor_of(entry)
    index = tuple(slice(start, start + size) for start, size in zip(starts, sizes, strict=True))
    return DerivedTensor(_widened(whole.dtype), sizes, lambda: whole.array()[index])


def _parse(entry: BundleEntry, spec: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    *dims, extents = spec.split(" ")
    parts = extents.split(":") if extents else []
    if dims != [str(size) for size in entry.shape] or len(parts) != len(dims):
        raise _bad(entry, spec)
    starts, sizes = [], []
    for part, whole in zip(parts, entry.shape, strict=True):
        if not _EXTENT.fullmatch(part):
            raise _bad(entry, spec)
        start, size = (0, whole) if part == "-" else map(int, part.split(","))
        if start + size > whole:
            raise _bad(entry, spec)
        starts.append(start)
        sizes.append(size)
    return tuple(starts), tuple(sizes)


def _bad(entry: BundleEntry, spec: str) -> CorruptFileError:
    return CorruptFileError(
        f"a part {spec!r} is wanted of the variable {entry.key!r}, which has the shape "
        f"{list(entry.shape)}"
    )


def _widened(dtype: str) -> str:
    return "float32" if dtype == "bfloat16" else dtype
