"""CRC-32C (Castagnoli), plain and in the masked form that LevelDB tables and bundles store."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

_MASK_DELTA = 0xA282EAD8  # leveldb util/crc32c.h: kMaskDelta
_32_BITS = 0xFFFFFFFF


def crc32c(data: bytes | memoryview, crc: int = 0) -> int:
    """The CRC-32C of `data`, or of what `crc` covers followed by `data`."""
    import google_crc32c

    # The library takes no memoryview, which is to be released; an array is not.
    whole: int = google_crc32c.extend(crc, np.frombuffer(data, np.uint8))
    return whole


def crc32c_of(chunks: Iterable[bytes | memoryview]) -> int:
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
