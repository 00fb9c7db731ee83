"""Writing tensor bundles: `PREFIX.index` and one data file; `tfjs.wire.bundle` tells their form."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

from tfjs.errors import ConversionError
from tfjs.io.files import write_to
from tfjs.wire.bundle import DTYPES
from tfjs.wire.checksum import crc32c, masked
from tfjs.wire.protobuf import message_class
from tfjs.wire.table_write import table_bytes
from tfjs.wire.varint import varint

_NUMBERS = {name: number for number, (name, _) in DTYPES.items()}
_STRING = "string"
_U32 = 0xFFFFFFFF


class BundleWriter:
    """Writes a checkpoint with one data file; a context manager.

    The bytes of tensors go to the data file as they come; the index is written at the end, and not
    at all where the writing fails.

    Args:
        prefix: path without `.index`; its folder must exist.

    Raises:
        OSError: the system refused the write, here and in all that follows.
    """

    def __init__(self, prefix: str | os.PathLike[str]) -> None:
        self._index = Path(f"{os.fspath(prefix)}.index")
        self._path = Path(f"{os.fspath(prefix)}.data-00000-of-00001")
        self._entries: dict[bytes, bytes] = {}
        self._size = 0
        self._file = self._path.open("wb")

    def __enter__(self) -> BundleWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if kind is None:
            self._index.write_bytes(table_bytes(sorted({b"": _header(), **self._entries}.items())))

    def add(
        self, key: str, dtype: str, shape: Sequence[int], chunks: Iterable[bytes | memoryview]
    ) -> None:
        """Write a tensor of numbers.

        Args:
            key: its name, which no other tensor has.
            dtype: such as `float32` or `bfloat16`.
            shape: its sizes.
            chunks: its elements, little-endian and dense.

        Raises:
            ConversionError: they are other than shape and dtype ask for.
        """
        item_size = DTYPES[_NUMBERS[dtype]][1]
        if item_size is None:
            raise ValueError(f"{dtype} is no dtype of numbers")
        start, crc = self._size, 0
        for chunk in chunks:
            crc = crc32c(chunk, crc)
            self._write(chunk)
        wanted = math.prod(shape) * item_size
        if self._size - start != wanted:
            raise ConversionError(
                f"has {self._size - start} bytes, its shape and dtype ask for {wanted}", where=key
            )
        self._enter(key, dtype, shape, start, crc)

    def add_strings(self, key: str, shape: Sequence[int], strings: Sequence[bytes]) -> None:
        """Write a tensor of strings, given in row-major order.

        Raises:
            ConversionError: there are other than its shape asks for.
        """
        if len(strings) != math.prod(shape):
            raise ConversionError(f"has {len(strings)} strings for {list(shape)}", where=key)
        start, crc = self._size, 0
        # Its checksum covers the lengths at a fixed width, their own checksum, and the bytes.
        for text in strings:
            width = 4 if len(text) <= _U32 else 8
            crc = crc32c(len(text).to_bytes(width, "little"), crc)
        stored = masked(crc).to_bytes(4, "little")
        for piece in (b"".join(varint(len(text)) for text in strings), stored, *strings):
            self._write(piece)
        for piece in (stored, *strings):
            crc = crc32c(piece, crc)
        self._enter(key, _STRING, shape, start, crc)

    def _write(self, piece: bytes | memoryview) -> None:
        write_to(self._file, piece)
        self._size += len(piece)

    def _enter(self, key: str, dtype: str, shape: Sequence[int], start: int, crc: int) -> None:
        raw = key.encode()
        if raw in self._entries or not raw:
            raise ConversionError(f"two tensors of the checkpoint are named {key!r}")
        entry = message_class("tensorflow.BundleEntryProto")(
            dtype=_NUMBERS[dtype],
            shape={"dim": [{"size": size} for size in shape]},
            offset=start,
            size=self._size - start,
            crc32c=masked(crc),
        )
        self._entries[raw] = entry.SerializeToString(deterministic=True)


def _header() -> bytes:
    header = message_class("tensorflow.BundleHeaderProto")(num_shards=1, version={"producer": 1})
    return header.SerializeToString(deterministic=True)
