"""Writing sorted tables; `tfjs.wire.table` tells their form and reads them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from tfjs.wire.checksum import crc32c, masked
from tfjs.wire.table import FOOTER_SIZE, MAGIC
from tfjs.wire.varint import varint

# As LevelDB and TensorFlow choose them (tsl/lib/io/table_options.h).
_BLOCK_SIZE = 1 << 18
_RESTART_INTERVAL = 16
_PLAIN = b"\0"

Entry = tuple[bytes, bytes]


def table_bytes(entries: Iterable[Entry], *, block_size: int = _BLOCK_SIZE) -> bytes:
    """A table, not compressed.

    Args:
        entries: keys and values, in the order of the keys, each key once.
        block_size: a block is ended when its keys and values have as many bytes.

    Raises:
        ValueError: the keys are not in order.
    """
    out = bytearray()
    handles: list[Entry] = []
    waiting: list[Entry] = []
    room, previous = block_size, None
    for key, value in entries:
        if previous is not None and key <= previous:
            raise ValueError(f"the key {key!r} comes after {previous!r}")
        previous = key
        waiting.append((key, value))
        room -= len(key) + len(value)
        if room <= 0:
            handles.append((key, _append(out, _block(waiting))))
            waiting, room = [], block_size
    if waiting:
        handles.append((waiting[-1][0], _append(out, _block(waiting))))
    footer = _append(out, _block([])) + _append(out, _block(handles, interval=1))
    padding = bytes(FOOTER_SIZE - 8 - len(footer))
    return bytes(out) + footer + padding + struct.pack("<Q", MAGIC)


def _block(entries: Sequence[Entry], *, interval: int = _RESTART_INTERVAL) -> bytes:
    """Entries whose keys tell what differs from the key before; each `interval`th is whole."""
    out = bytearray()
    restarts = [0]
    previous = b""
    for index, (key, value) in enumerate(entries):
        shared = 0
        if index % interval:
            shared = _common(previous, key)
        elif index:
            restarts.append(len(out))
        out += varint(shared) + varint(len(key) - shared) + varint(len(value))
        out += key[shared:] + value
        previous = key
    return bytes(out) + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))


def _common(one: bytes, other: bytes) -> int:
    length = min(len(one), len(other))
    return next((index for index in range(length) if one[index] != other[index]), length)


def _append(out: bytearray, block: bytes) -> bytes:
    """Add a block with its trailer; gives its handle."""
    handle = varint(len(out)) + varint(len(block))
    sealed = block + _PLAIN
    out += sealed + struct.pack("<I", masked(crc32c(sealed)))
    return handle
