"""One field of a large protobuf message, without decoding the others.

Encoding: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from tfjs.errors import CorruptFileError
from tfjs.wire.varint import read_varint

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_FIELDS = 10_000


def first_field(data: bytes | memoryview, number: int) -> memoryview | None:
    """The first field of a number: a message, text or bytes.

    Args:
        data: the message that holds it.
        number: its number in that message.

    Returns:
        What the field holds; None where the message has no such field among its first 10 000.

    Raises:
        CorruptFileError: the bytes up to there are no message.
    """
    view, position = memoryview(data), 0
    for _ in range(_MOST_FIELDS):
        if position == len(view):
            break
        tag, position = read_varint(view, position, len(view))
        length, position = _length(view, position, tag & 7)
        if length > len(view) - position:
            raise CorruptFileError("a field is cut off")
        if tag == number << 3 | _BYTES:
            return view[position : position + length]
        position += length
    return None


def _length(view: memoryview, position: int, kind: int) -> tuple[int, int]:
    """How many bytes follow, and from where on."""
    if kind == _BYTES:
        return read_varint(view, position, len(view))
    if kind == _VARINT:
        return 0, read_varint(view, position, len(view))[1]
    if kind in (_FIXED64, _FIXED32):
        return (8 if kind == _FIXED64 else 4), position
    raise CorruptFileError(f"a field is of the unknown kind {kind}")
