"""Sorted tables of keys and values in the form that LevelDB and TensorFlow's bundles share.

A table is blocks, then a footer of 48 bytes: the handles of the metaindex and the index block
(offset and size as varints, padded to 40 bytes) and a magic number. The index block's values are
the handles of the data blocks. A block is entries, `u32 restarts[n]` and `u32 n`; behind it stand
one byte for the compression and the masked CRC-32C of both (tsl/lib/io/format.cc, block.cc).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from tfjs.errors import CorruptFileError, UnsafeFileError
from tfjs.wire.checksum import crc32c, unmasked
from tfjs.wire.snappy import decompress
from tfjs.wire.varint import read_varint

MAGIC = 0xDB4775248B80FB57
FOOTER_SIZE = 48
TRAILER_SIZE = 5  # compression byte and CRC
_MOST_HANDLE_BYTES = 20
_PLAIN, _SNAPPY = 0, 1

# Keys share prefixes and blocks may be compressed, so a small file can stand for large contents;
# real tables stay under ten times their size.
_MOST_EXPANSION = 100
_ALWAYS_ALLOWED = 64 << 20


class _Handle(NamedTuple):
    offset: int
    size: int


def read_table(
    data: bytes | memoryview, *, where: str | None = None
) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a table in the order of their keys.

    Args:
        data: the whole file.
        where: the file, for the message.

    Raises:
        CorruptFileError: no table, or a damaged one: every bound, CRC and the order is checked.
        UnsafeFileError: the entries expand beyond reason.
    """
    view = memoryview(data)
    end = len(view) - FOOTER_SIZE
    if end < 0 or struct.unpack_from("<Q", view, len(view) - 8)[0] != MAGIC:
        raise CorruptFileError("is no table: the footer is missing", where=where)
    footer = view[end:]
    metaindex, position = _read_handle(footer, 0, end, where)
    index, _ = _read_handle(footer, position, end, where)
    _read_block(view, metaindex, where)  # no contents that a bundle needs, but it must be sound
    allowed = max(_ALWAYS_ALLOWED, _MOST_EXPANSION * len(view))
    previous: bytes | None = None
    free = 0
    for separator, value in _entries(_read_block(view, index, where), allowed, where):
        handle, behind = _read_handle(value, 0, end, where)
        if behind != len(value):
            raise CorruptFileError("a block handle has bytes to spare", where=where)
        if handle.offset < free:  # or one block could be named, and read, a million times
            raise CorruptFileError("the blocks overlap or are not in order", where=where)
        free = handle.offset + handle.size + TRAILER_SIZE
        for entry in _entries(_read_block(view, handle, where), allowed, where):
            key = entry[0]
            # The separator is at least the block's last key, and less than the next block's first.
            if key > separator or (previous is not None and key <= previous):
                raise CorruptFileError("the keys are not in order", where=where)
            previous = key
            allowed -= len(key) + len(entry[1])
            yield entry
        previous = separator


def _read_handle(
    data: bytes | memoryview, position: int, end: int, where: str | None
) -> tuple[_Handle, int]:
    """A block handle, checked to lie before `end` together with its trailer."""
    stop = min(len(data), position + _MOST_HANDLE_BYTES)
    offset, position = read_varint(data, position, stop, where=where)
    size, position = read_varint(data, position, stop, where=where)
    if offset + size + TRAILER_SIZE > end:
        raise CorruptFileError(
            f"a block of {size} bytes at {offset} lies outside of the file", where=where
        )
    return _Handle(offset, size), position


def _read_block(view: memoryview, handle: _Handle, where: str | None) -> bytes:
    """The contents of a block, checked against its CRC and decompressed."""
    stop = handle.offset + handle.size
    body = bytes(view[handle.offset : stop])
    kind, stored = struct.unpack_from("<BI", view, stop)
    if crc32c(view[handle.offset : stop + 1]) != unmasked(stored):
        raise CorruptFileError(
            f"the checksum of the block at {handle.offset} does not match", where=where
        )
    if kind == _PLAIN:
        return body
    if kind != _SNAPPY:
        raise CorruptFileError(f"a block has the unknown compression {kind}", where=where)
    limit = max(_ALWAYS_ALLOWED, _MOST_EXPANSION * len(body))
    return decompress(body, limit=limit, where=where)


def _entries(block: bytes, allowed: int, where: str | None) -> Iterator[tuple[bytes, bytes]]:
    """The entries of one block: each key gives only what differs from the key before it."""
    end, restarts = _restarts(block, where)
    key = b""
    position = 0
    while position < end:
        start = position
        shared, position = read_varint(block, position, end, bits=32, where=where)
        unshared, position = read_varint(block, position, end, bits=32, where=where)
        length, position = read_varint(block, position, end, bits=32, where=where)
        if shared > len(key) or unshared + length > end - position:
            raise CorruptFileError("an entry reaches outside of its block", where=where)
        if start in restarts:
            restarts.discard(start)
            if shared:
                raise CorruptFileError("a restart point shares a prefix", where=where)
        allowed -= shared + unshared + length
        if allowed < 0:
            raise UnsafeFileError("the table expands beyond reason", where=where)
        key = key[:shared] + block[position : position + unshared]
        position += unshared
        yield key, block[position : position + length]
        position += length
    # The builder sets one restart at 0 even in a block without entries.
    if restarts - {0}:
        raise CorruptFileError("a restart point is no entry", where=where)


def _restarts(block: bytes, where: str | None) -> tuple[int, set[int]]:
    """Where the entries of a block end, and where full keys stand."""
    if len(block) < 4:
        raise CorruptFileError("a block is cut off", where=where)
    count = struct.unpack_from("<I", block, len(block) - 4)[0]
    end = len(block) - 4 - 4 * count
    if end < 0:
        raise CorruptFileError(f"a block declares {count} restart points", where=where)
    return end, set(struct.unpack_from(f"<{count}I", block, end))
