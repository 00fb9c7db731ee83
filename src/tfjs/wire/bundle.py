"""Tensor bundles: the checkpoints (V2) of TensorFlow, `variables/` of a SavedModel among them.

`PREFIX.index` is a table from keys to entries; `PREFIX.data-00000-of-00001` and its siblings hold
the bytes (tensorflow/core/util/tensor_bundle/tensor_bundle.cc). A variable that was saved in
pieces has one entry with its whole shape and the list of its slices, and each slice has an entry
of its own under an encoded key.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfjs.errors import CorruptFileError, FormatError
from tfjs.io.files import FileSpan, file_size
from tfjs.wire import ordered_code
from tfjs.wire.checksum import crc32c, crc32c_of, masked
from tfjs.wire.protobuf import parse
from tfjs.wire.table import read_table
from tfjs.wire.varint import read_varint

OBJECT_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"

_HEADER_KEY = b""
_VERSION = 1  # kTensorBundleVersion: what we read, in TensorFlow's numbering
_LITTLE_ENDIAN = 0
_MOST_SHARDS = 99_999  # the number has five digits in a shard's file name
_MOST_DIMENSIONS = 254  # TensorShape::MaxDimensions
_MOST_SLICES = 4096  # checking that they cover the tensor may compare each with each
_U32 = 0xFFFFFFFF

STRING, VARIANT = 7, 21
# DataType -> logical name, bytes of an element (None: not fixed).
DTYPES: dict[int, tuple[str, int | None]] = {
    1: ("float32", 4),
    2: ("float64", 8),
    3: ("int32", 4),
    4: ("uint8", 1),
    5: ("int16", 2),
    6: ("int8", 1),
    STRING: ("string", None),
    8: ("complex64", 8),
    9: ("int64", 8),
    10: ("bool", 1),
    11: ("qint8", 1),
    12: ("quint8", 1),
    13: ("qint32", 4),
    14: ("bfloat16", 2),
    15: ("qint16", 2),
    16: ("quint16", 2),
    17: ("uint16", 2),
    18: ("complex128", 16),
    19: ("float16", 2),
    VARIANT: ("variant", None),
    22: ("uint32", 4),
    23: ("uint64", 8),
    24: ("float8_e5m2", 1),
    25: ("float8_e4m3fn", 1),
}


@dataclass(frozen=True, slots=True)
class BundleSlice:
    """A piece of a variable: where it starts in each dimension, and its own entry."""

    starts: tuple[int, ...]
    entry: BundleEntry


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """What the index says about one tensor.

    Attributes:
        key: its name in the checkpoint.
        dtype: the number of TensorFlow's DataType.
        dtype_name: the logical name, such as `float32`, `bfloat16`, `string`.
        shape: the static shape.
        path: the data file. None where the tensor stands in slices; then offset and size are 0.
        offset: first byte in the data file; not aligned.
        size: bytes in the data file.
        crc: the stored, masked CRC-32C.
        slices: the pieces, which cover the shape without overlap; empty for a whole tensor.
    """

    key: str
    dtype: int
    dtype_name: str
    shape: tuple[int, ...]
    path: Path | None
    offset: int
    size: int
    crc: int
    slices: tuple[BundleSlice, ...] = ()

    def span(self) -> FileSpan:
        """The bytes in the data file; the tensor must not stand in slices."""
        if self.path is None:
            raise ValueError(f"{self.key} stands in slices")
        return FileSpan(self.path, self.offset, self.size)


class Bundle:
    """The index of a checkpoint, with every entry checked against the data files."""

    def __init__(self, index_path: Path, entries: Mapping[str, BundleEntry]) -> None:
        self.index_path = index_path
        self._entries = dict(entries)

    def keys(self) -> list[str]:
        """The names of the tensors, sorted bytewise as in the file."""
        return list(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def entry(self, key: str) -> BundleEntry:
        """What the index says about a tensor.

        Raises:
            CorruptFileError: the checkpoint has no tensor of this name.
        """
        try:
            return self._entries[key]
        except KeyError:
            raise CorruptFileError(f"has no tensor {key!r}", where=str(self.index_path)) from None

    def read_strings(self, key: str) -> list[bytes]:
        """The elements of a string tensor in row-major order, with their checksums checked.

        Raises:
            CorruptFileError: no such tensor, of another dtype, or damaged.
        """
        entry = self.entry(key)
        if entry.dtype != STRING or entry.slices:
            raise CorruptFileError(
                f"the tensor {key!r} is no whole string tensor", where=str(self.index_path)
            )
        return _read_strings(entry)

    def object_graph(self) -> bytes | None:
        """The serialised TrackableObjectGraph of an object-based checkpoint, if it has one."""
        if OBJECT_GRAPH_KEY not in self:
            return None
        strings = self.read_strings(OBJECT_GRAPH_KEY)
        if len(strings) != 1:
            raise CorruptFileError(
                f"the object graph has {len(strings)} parts", where=str(self.index_path)
            )
        return strings[0]

    def verify_crc(self, key: str) -> None:
        """Read a tensor's bytes, in bounded memory unless strings, against the stored checksum.

        Raises:
            CorruptFileError: they do not match.
        """
        entry = self.entry(key)
        for piece in (part.entry for part in entry.slices) if entry.slices else (entry,):
            if piece.dtype == STRING:
                _read_strings(piece)
            elif piece.dtype == VARIANT:
                _check_variants(piece)
            else:
                check_crc(piece, crc32c_of(piece.span().chunks()))


def read_bundle(prefix_path: str | os.PathLike[str]) -> Bundle:
    """Read the index of a checkpoint.

    Args:
        prefix_path: path without `.index`, such as `saved_model/variables/variables`.

    Raises:
        FormatError: the index or a data file is missing or cannot be read, or the bundle was
            written big-endian or in a later version of the format.
        CorruptFileError: an entry contradicts itself or its data file.
    """
    index_path = Path(f"{os.fspath(prefix_path)}.index")
    where = str(index_path)
    index = FileSpan(index_path, 0, file_size(index_path))
    table = dict(read_table(index.view(), where=where))
    reader = _IndexReader(str(prefix_path), table, where)
    return Bundle(index_path, {entry.key: entry for entry in reader.entries()})


class _IndexReader:
    """Turns the table of an index into checked entries."""

    def __init__(self, prefix: str, table: dict[bytes, bytes], where: str) -> None:
        self._where = where
        self._prefix = prefix
        self._table = table
        self._shards: dict[int, tuple[Path, int]] = {}
        if _HEADER_KEY not in table:
            raise CorruptFileError("is no checkpoint: the header is missing", where=where)
        header = parse("tensorflow.BundleHeaderProto", table[_HEADER_KEY], where)
        if header.endianness != _LITTLE_ENDIAN:
            raise FormatError("was written on a big-endian machine", where=where)
        if header.version.min_consumer > _VERSION or _VERSION in header.version.bad_consumers:
            raise FormatError(
                f"needs version {header.version.min_consumer} of the checkpoint format", where=where
            )
        if not 1 <= header.num_shards <= _MOST_SHARDS:
            raise CorruptFileError(f"declares {header.num_shards} data files", where=where)
        self._num_shards: int = header.num_shards

    def entries(self) -> Iterator[BundleEntry]:
        """The entries of whole tensors and of those in slices; slices stand inside the latter."""
        for raw_key, value in self._table.items():
            if raw_key == _HEADER_KEY or ordered_code.is_slice_key(raw_key):
                continue
            try:
                key = raw_key.decode("utf-8")
            except UnicodeDecodeError:
                raise CorruptFileError(
                    f"the key {raw_key!r} is no text", where=self._where
                ) from None
            yield self._entry(key, value)

    def _entry(self, key: str, value: bytes) -> BundleEntry:
        proto = self._parse(value)
        if not proto.slices:
            return self._whole(key, proto)
        if len(proto.slices) > _MOST_SLICES:
            raise self._error(key, f"has {len(proto.slices)} slices")
        dtype_name, _ = self._dtype(key, proto.dtype)
        shape = self._shape(key, proto.shape)
        slices = tuple(self._slice(key, shape, proto.dtype, piece) for piece in proto.slices)
        self._check_cover(key, shape, slices)
        return BundleEntry(key, proto.dtype, dtype_name, shape, None, 0, 0, 0, slices)

    def _parse(self, value: bytes) -> Any:
        return parse("tensorflow.BundleEntryProto", value, self._where)

    def _whole(self, key: str, proto: Any) -> BundleEntry:
        """The entry of a tensor or slice whose bytes stand in one place."""
        dtype_name, item_size = self._dtype(key, proto.dtype)
        shape = self._shape(key, proto.shape)
        path, available = self._shard(key, proto.shard_id)
        if proto.offset < 0 or proto.size < 0 or proto.offset + proto.size > available:
            raise self._error(
                key,
                f"has bytes {proto.offset} to {proto.offset + proto.size}, "
                f"but {path.name} has {available}",
            )
        count = math.prod(shape)
        if item_size is not None and proto.size != count * item_size:
            raise self._error(
                key, f"is {dtype_name} of shape {list(shape)}, but has {proto.size} bytes"
            )
        # A string or variant takes at least its length of one byte.
        if item_size is None and proto.size < count:
            raise self._error(key, f"has {count} elements in {proto.size} bytes")
        return BundleEntry(
            key, proto.dtype, dtype_name, shape, path, proto.offset, proto.size, proto.crc32c
        )

    def _dtype(self, key: str, dtype: int) -> tuple[str, int | None]:
        known = DTYPES.get(dtype)
        if known is None:
            raise self._error(key, f"has the unknown dtype {dtype}")
        return known

    def _shape(self, key: str, proto: Any) -> tuple[int, ...]:
        shape = tuple(dim.size for dim in proto.dim)
        if proto.unknown_rank or len(shape) > _MOST_DIMENSIONS or any(size < 0 for size in shape):
            raise self._error(key, "has no static shape")
        return shape

    def _shard(self, key: str, shard: int) -> tuple[Path, int]:
        """Path and size of a data file; its name is derived, never taken from the index."""
        if not 0 <= shard < self._num_shards:
            raise self._error(key, f"is in data file {shard} of {self._num_shards}")
        if shard not in self._shards:
            path = Path(f"{self._prefix}.data-{shard:05d}-of-{self._num_shards:05d}")
            self._shards[shard] = path, file_size(path)
        return self._shards[shard]

    def _slice(self, key: str, shape: tuple[int, ...], dtype: int, proto: Any) -> BundleSlice:
        """One piece of a tensor; an extent without a length is the whole dimension."""
        if len(proto.extent) != len(shape):
            raise self._error(key, f"has a slice of {len(proto.extent)} dimensions")
        starts = tuple(extent.start for extent in proto.extent)
        lengths = tuple(
            extent.length if extent.HasField("length") else -1 for extent in proto.extent
        )
        value = self._table.get(ordered_code.slice_key(key, starts, lengths))
        if value is None:
            raise self._error(key, f"has no entry for its slice at {list(starts)}")
        sizes = tuple(
            size - start if length == -1 else length
            for size, start, length in zip(shape, starts, lengths, strict=True)
        )
        entry = self._whole(f"{key} (slice at {list(starts)})", self._parse(value))
        if (entry.dtype, entry.shape) != (dtype, sizes):
            raise self._error(key, f"has a slice at {list(starts)} of another dtype or shape")
        return BundleSlice(starts, entry)

    def _check_cover(
        self, key: str, shape: tuple[int, ...], slices: tuple[BundleSlice, ...]
    ) -> None:
        """The slices lie inside the shape, do not overlap, and together fill it."""
        for piece in slices:
            for start, length, size in zip(piece.starts, piece.entry.shape, shape, strict=True):
                if start < 0 or start + length > size:
                    raise self._error(key, f"has a slice at {list(piece.starts)} outside of it")
        if sum(math.prod(piece.entry.shape) for piece in slices) != math.prod(shape):
            raise self._error(key, "is not covered by its slices")
        open_slices: list[BundleSlice] = []
        for piece in sorted(slices, key=lambda piece: piece.starts):
            if 0 in piece.entry.shape:
                continue
            # Only those that reach as far along the first dimension can still overlap.
            open_slices = [
                other
                for other in open_slices
                if not shape or other.starts[0] + other.entry.shape[0] > piece.starts[0]
            ]
            if any(_overlap(piece, other) for other in open_slices):
                raise self._error(key, "has slices that overlap")
            open_slices.append(piece)

    def _error(self, key: str, message: str) -> CorruptFileError:
        return CorruptFileError(f"the tensor {key!r} {message}", where=self._where)


def _overlap(left: BundleSlice, right: BundleSlice) -> bool:
    return all(
        start < other + size_of_other and other < start + size
        for start, size, other, size_of_other in zip(
            left.starts, left.entry.shape, right.starts, right.entry.shape, strict=True
        )
    )


def check_crc(entry: BundleEntry, crc: int) -> None:
    """Compare the CRC-32C of a tensor's bytes with the stored one.

    Raises:
        CorruptFileError: they differ.
    """
    if masked(crc) != entry.crc:
        raise CorruptFileError(
            f"the checksum of the tensor {entry.key!r} does not match", where=str(entry.path)
        )


def _read_strings(entry: BundleEntry) -> list[bytes]:
    """Decode a string tensor: lengths as varints, their masked CRC, the bytes.

    The entry's CRC covers the lengths as u32 (u64 where they are larger), the stored CRC and the
    bytes (WriteStringTensor).
    """
    where = str(entry.path)
    data = b"".join(entry.span().chunks())
    position = crc = 0
    if not data:
        return []
    lengths = []
    for _ in range(math.prod(entry.shape)):
        length, position = read_varint(data, position, len(data), where=where)
        lengths.append(length)
    hashed = b"".join(length.to_bytes(4 if length <= _U32 else 8, "little") for length in lengths)
    crc = crc32c(hashed)
    stored = data[position : position + 4]
    position += 4
    if position + sum(lengths) != len(data) or int.from_bytes(stored, "little") != masked(crc):
        raise CorruptFileError(
            f"the lengths of the strings in {entry.key!r} are damaged", where=where
        )
    check_crc(entry, crc32c(memoryview(data)[position:], crc32c(stored, crc)))
    strings = []
    for length in lengths:
        strings.append(data[position : position + length])
        position += length
    return strings


def _check_variants(entry: BundleEntry) -> None:
    """Check a variant tensor: for each element its length, its bytes and the CRC so far.

    The CRC covers the lengths as u64, the bytes and the stored CRCs (WriteVariantTensor).
    """
    where = str(entry.path)
    data = b"".join(entry.span().chunks())
    position = crc = 0
    for _ in range(math.prod(entry.shape)):
        length, position = read_varint(data, position, len(data), where=where)
        end = position + length
        crc = crc32c(data[position:end], crc32c(length.to_bytes(8, "little"), crc))
        stored = data[end : end + 4]
        if int.from_bytes(stored, "little") != masked(crc) or len(stored) != 4:
            raise CorruptFileError(f"a variant in {entry.key!r} is damaged", where=where)
        crc = crc32c(stored, crc)
        position = end + 4
    if position != len(data):
        raise CorruptFileError(f"{entry.key!r} has bytes to spare", where=where)
    check_crc(entry, crc)
