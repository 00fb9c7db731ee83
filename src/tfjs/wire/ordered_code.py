"""The keys under which a bundle keeps the slices of a tensor.

Strings and numbers are written so that their bytes sort as they do
(tensorflow/core/lib/strings/ordered_code.cc, core/util/saved_tensor_slice_util.cc).
"""

from __future__ import annotations

from collections.abc import Sequence


def is_slice_key(key: bytes) -> bool:
    """Whether a key of a bundle names a slice; the names of tensors do not start with a NUL."""
    return key.startswith(b"\0")


def slice_key(name: str, starts: Sequence[int], lengths: Sequence[int]) -> bytes:
    """The key of one slice: the number 0, the name, the rank, then start and length by dimension.

    A length of -1 stands for the whole dimension.
    """
    parts = [_unsigned(0), _text(name.encode("utf-8")), _unsigned(len(starts))]
    for start, length in zip(starts, lengths, strict=True):
        parts += [_signed(start), _signed(length)]
    return b"".join(parts)


def _text(value: bytes) -> bytes:
    # A NUL is escaped, and a NUL followed by 1 ends the text. (0xff is escaped too, but UTF-8 has
    # no such byte.)
    return value.replace(b"\0", b"\0\xff") + b"\0\x01"


def _unsigned(value: int) -> bytes:
    """The number of bytes, then the bytes, most significant first; 0 has none."""
    size = (value.bit_length() + 7) // 8
    return bytes([size]) + value.to_bytes(size, "big")


def _signed(value: int) -> bytes:
    """Big-endian two's complement, XORed with as many leading ones as there are bytes.

    The ones give the length, as in UTF-8, so each byte holds 7 bits, one of which is the sign.
    """
    size = (value if value >= 0 else ~value).bit_length() // 7 + 1
    ones = ((1 << size) - 1) << 7 * size
    return (value & (1 << 8 * size) - 1 ^ ones).to_bytes(size, "big")
