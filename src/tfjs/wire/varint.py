"""Varints: base 128, least significant group first, as protobuf, LevelDB and snappy write them."""

from __future__ import annotations

from tfjs.errors import CorruptFileError


def read_varint(
    data: bytes | memoryview, position: int, end: int, *, bits: int = 64, where: str | None = None
) -> tuple[int, int]:
    """Read one unsigned varint.

    Args:
        data: the bytes.
        position: where the varint starts.
        end: where the bytes that may be read end, at most `len(data)`.
        bits: the width of the number.
        where: the file, for the message.

    Returns:
        The number and the position behind it.

    Raises:
        CorruptFileError: the varint reaches past `end` or does not fit into `bits`.
    """
    value = shift = 0
    while position < end:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> bits:
                break
            return value, position
        shift += 7
        if shift >= bits:
            break
    raise CorruptFileError("a number is cut off or too large", where=where)


def varint(value: int) -> bytes:
    """An unsigned number as a varint."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
