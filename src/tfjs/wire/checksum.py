"""CRC-32C (Castagnoli), plain and in the masked form that LevelDB tables and bundles store."""

from __future__ import annotations

from collections.abc import Iterable

from tfjs.io.files import CHUNK

_MASK_DELTA = 0xA282EAD8  # leveldb util/crc32c.h: kMaskDelta
_32_BITS = 0xFFFFFFFF


def crc32c(data: bytes | memoryview, crc: int = 0) -> int:
    """The CRC-32C of `data`, or of what `crc` covers followed by `data`."""
    import google_crc32c

    # The library takes bytes only, and a copy of a mapped view must stay small.
    view = memoryview(data).cast("B")
    for start in range(0, len(view), CHUNK):
        crc = google_crc32c.extend(crc, bytes(view[start : start + CHUNK]))
    return crc


def crc32c_of(chunks: Iterable[bytes]) -> int:
    """The CRC-32C of the chunks joined."""
    crc = 0
    for chunk in chunks:
        crc = crc32c(chunk, crc)
    return crc


def masked(crc: int) -> int:
    """The stored form of a CRC: rotated right by 15 bits, plus a constant."""
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & _32_BITS


def unmasked(stored: int) -> int:
    """The CRC whose stored form is `stored`."""
    rotated = (stored - _MASK_DELTA) & _32_BITS
    return (rotated >> 17 | rotated << 15) & _32_BITS
