"""Writes small tables and bundles, damaged ones too, for the tests of their readers."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import google_crc32c

from tfjs.wire.protobuf import message_class
from tfjs.wire.varint import varint

Entries = Iterable[tuple[bytes, bytes]]


def stored_crc(data: bytes) -> int:
    """The masked CRC-32C of the bytes."""
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def block(entries: Entries, *, interval: int = 2) -> bytes:
    """A block with shared prefixes and a restart point at every `interval`th entry."""
    out = bytearray()
    restarts = [0]
    previous = b""
    for index, (key, value) in enumerate(entries):
        shared = 0
        if index % interval:
            while shared < min(len(key), len(previous)) and key[shared] == previous[shared]:
                shared += 1
        elif index:
            restarts.append(len(out))
        out += varint(shared) + varint(len(key) - shared) + varint(len(value))
        out += key[shared:] + value
        previous = key
    return bytes(out) + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))


def sealed(body: bytes, kind: int = 0) -> bytes:
    """A block with its trailer: compression and CRC."""
    return body + bytes([kind]) + struct.pack("<I", stored_crc(body + bytes([kind])))


def snappy_literals(data: bytes) -> bytes:
    """A snappy block that only has literals."""
    out = bytearray(varint(len(data)))
    for start in range(0, len(data), 60):
        piece = data[start : start + 60]
        out.append((len(piece) - 1) << 2)
        out += piece
    return bytes(out)


def assemble(
    blocks: Sequence[tuple[bytes, bytes]], *, index: Entries | None = None, magic: bool = True
) -> bytes:
    """A table of sealed blocks, each with its separator key; `index` overrides the index."""
    out = bytearray()
    handles = []
    for separator, data in blocks:
        handles.append((separator, varint(len(out)) + varint(len(data) - 5)))
        out += data
    parts = []
    for body in (block([]), block(handles if index is None else index)):
        parts.append(varint(len(out)) + varint(len(body)))
        out += sealed(body)
    footer = b"".join(parts)
    end = struct.pack("<Q", 0xDB4775248B80FB57 if magic else 1)
    return bytes(out) + footer + bytes(40 - len(footer)) + end


def table(entries: Entries, *, per_block: int = 3, compress: bool = False) -> bytes:
    """A table of sorted entries."""
    pairs = list(entries)
    blocks = []
    for start in range(0, len(pairs), per_block):
        body = block(pairs[start : start + per_block])
        data = sealed(snappy_literals(body), 1) if compress else sealed(body)
        blocks.append((pairs[start : start + per_block][-1][0], data))
    return assemble(blocks)


def header(**fields: Any) -> bytes:
    """The first entry of a bundle; by default of one data file."""
    return bytes(
        message_class("tensorflow.BundleHeaderProto")(
            **{"num_shards": 1, "version": {"producer": 1}, **fields}
        ).SerializeToString()
    )


def entry(dtype: int, shape: Sequence[int], data: bytes, offset: int, /, **fields: Any) -> bytes:
    """The entry of a tensor whose bytes stand at an offset; fields override."""
    values = {
        "dtype": dtype,
        "shape": {"dim": [{"size": size} for size in shape]},
        "offset": offset,
        "size": len(data),
        "crc32c": stored_crc(data),
        **fields,
    }
    return bytes(message_class("tensorflow.BundleEntryProto")(**values).SerializeToString())


def write_bundle(
    folder: Path,
    tensors: Sequence[tuple[str, int, Sequence[int], bytes]],
    *,
    change: Callable[[dict[bytes, bytes]], None] = lambda entries: None,
) -> Path:
    """Write a bundle of (name, dtype, shape, bytes); returns its prefix.

    `change` may alter the entries of the index before they are written.
    """
    data = bytearray()
    entries = {b"": header()}
    for name, dtype, shape, content in tensors:
        entries[name.encode()] = entry(dtype, shape, content, len(data))
        data += content
    change(entries)
    (folder / "ck.index").write_bytes(table(sorted(entries.items())))
    (folder / "ck.data-00000-of-00001").write_bytes(data)
    return folder / "ck"
