"""Snappy blocks, decoded.

The format: a varint with the decoded length, then elements. The low two bits of an element's
first byte say what it is: 0 a run of literal bytes, 1 to 3 a copy of earlier output with an
offset of 11, 16 or 32 bits (google/snappy, format_description.txt).
"""

from __future__ import annotations

from tfjs.errors import CorruptFileError, UnsafeFileError
from tfjs.wire.varint import read_varint

_MOST_EXPANSION = 64  # a copy element of two bytes yields at most 64


def decompress(data: bytes | memoryview, *, limit: int, where: str | None = None) -> bytes:
    """Decode one snappy block.

    Args:
        data: the whole block.
        limit: the most bytes that it may decode to.
        where: the file, for the message.

    Raises:
        CorruptFileError: the block is damaged.
        UnsafeFileError: it declares more than `limit` bytes.
    """
    end = len(data)
    length, position = read_varint(data, 0, end, bits=32, where=where)
    if length > limit:
        raise UnsafeFileError(
            f"a compressed block declares {length} bytes, more than {limit}", where=where
        )
    if length > end * _MOST_EXPANSION:
        raise CorruptFileError(
            f"a compressed block of {end} bytes declares {length} bytes", where=where
        )
    output = bytearray()
    while position < end:
        tag = data[position]
        position += 1
        if tag & 3 == 0:
            size, position = _literal_size(data, position, tag, where)
            if size > end - position or size > length - len(output):
                raise CorruptFileError("a literal runs past the end of its block", where=where)
            output += data[position : position + size]
            position += size
        else:
            size, offset, position = _copy_element(data, position, tag, where)
            if not 0 < offset <= len(output) or size > length - len(output):
                raise CorruptFileError("a copy reaches outside of its block", where=where)
            _repeat(output, offset, size)
    if len(output) != length:
        raise CorruptFileError(
            f"a compressed block holds {len(output)} bytes and declares {length}", where=where
        )
    return bytes(output)


def _literal_size(
    data: bytes | memoryview, position: int, tag: int, where: str | None
) -> tuple[int, int]:
    """Length of a literal and the position of its first byte."""
    size = tag >> 2
    if size < 60:
        return size + 1, position
    width = size - 59  # 60 to 63: the length stands in the next one to four bytes
    return _number(data, position, width, where) + 1, position + width


def _copy_element(
    data: bytes | memoryview, position: int, tag: int, where: str | None
) -> tuple[int, int, int]:
    """Length and offset of a copy, and the position behind it."""
    if tag & 3 == 1:
        offset = (tag >> 5) << 8 | _number(data, position, 1, where)
        return 4 + (tag >> 2 & 7), offset, position + 1
    width = 2 if tag & 3 == 2 else 4
    return 1 + (tag >> 2), _number(data, position, width, where), position + width


def _number(data: bytes | memoryview, position: int, width: int, where: str | None) -> int:
    if position + width > len(data):
        raise CorruptFileError("a compressed block is cut off", where=where)
    return int.from_bytes(data[position : position + width], "little")


def _repeat(output: bytearray, offset: int, size: int) -> None:
    """Append `size` bytes that start `offset` before the end; they may overlap what they make."""
    start = len(output) - offset
    if offset >= size:
        output += output[start : start + size]
    else:
        pattern = bytes(output[start:])
        output += (pattern * (size // offset + 1))[:size]
