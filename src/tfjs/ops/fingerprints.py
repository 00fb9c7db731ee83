"""FarmHash's 64-bit fingerprint of byte strings.

Source of the algorithm and its numbers: FarmHash's published `farmhashna::Hash64`, which is what
`Fingerprint64` stands for.
"""

from __future__ import annotations

import struct

_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_ALL = (1 << 64) - 1
_SEED = 81
_BLOCK = 64


def fingerprint64(text: bytes) -> int:
    """The fingerprint of a string, from 0 to before 2^64."""
    size = len(text)
    if size <= 16:
        return _to_16(text)
    if size <= 32:
        return _to_32(text)
    if size <= _BLOCK:
        return _to_64(text)
    return _longer(text)


def _word(text: bytes, at: int) -> int:
    found: int = struct.unpack_from("<Q", text, at)[0]
    return found


def _half(text: bytes, at: int) -> int:
    found: int = struct.unpack_from("<I", text, at)[0]
    return found


def _turned(x: int, by: int) -> int:
    x &= _ALL
    return ((x >> by) | (x << (64 - by))) & _ALL


def _mixed(x: int) -> int:
    x &= _ALL
    return x ^ (x >> 47)


def _joined(u: int, v: int, factor: int) -> int:
    a = _mixed((u ^ v) * factor)
    return _mixed((v ^ a) * factor) * factor & _ALL


def _to_16(text: bytes) -> int:
    size = len(text)
    factor = _K2 + size * 2
    if size >= 8:
        a, b = _word(text, 0) + _K2 & _ALL, _word(text, size - 8)
        c = _turned(b, 37) * factor + a & _ALL
        d = (_turned(a, 25) + b) * factor & _ALL
        return _joined(c, d, factor)
    if size >= 4:
        return _joined(size + (_half(text, 0) << 3), _half(text, size - 4), factor)
    if size:
        y = text[0] + (text[size >> 1] << 8)
        z = size + (text[-1] << 2)
        return _mixed(y * _K2 ^ z * _K0) * _K2 & _ALL
    return _K2


def _to_32(text: bytes) -> int:
    size = len(text)
    factor = _K2 + size * 2
    a, b = _word(text, 0) * _K1 & _ALL, _word(text, 8)
    c, d = _word(text, size - 8) * factor & _ALL, _word(text, size - 16) * _K2 & _ALL
    first = _turned(a + b, 43) + _turned(c, 30) + d & _ALL
    return _joined(first, a + _turned(b + _K2, 18) + c & _ALL, factor)


def _to_64(text: bytes) -> int:
    size = len(text)
    factor = _K2 + size * 2
    a, b = _word(text, 0) * _K2 & _ALL, _word(text, 8)
    c, d = _word(text, size - 8) * factor & _ALL, _word(text, size - 16) * _K2 & _ALL
    y = _turned(a + b, 43) + _turned(c, 30) + d & _ALL
    z = _joined(y, a + _turned(b + _K2, 18) + c & _ALL, factor)
    e, f = _word(text, 16) * factor & _ALL, _word(text, 24)
    g = (y + _word(text, size - 32)) * factor & _ALL
    h = (z + _word(text, size - 24)) * factor & _ALL
    first = _turned(e + f, 43) + _turned(g, 30) + h & _ALL
    return _joined(first, e + _turned(f + a, 18) + g & _ALL, factor)


def _weak(text: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    """Four words and two seeds in two numbers."""
    w, x, y, z = struct.unpack_from("<4Q", text, at)
    a = a + w & _ALL
    b = _turned(b + a + z, 21)
    c = a
    a = a + x + y & _ALL
    return a + z & _ALL, b + _turned(a, 44) + c & _ALL


def _longer(text: bytes) -> int:
    x = _SEED * _K2 + _word(text, 0) & _ALL
    y = _SEED * _K1 + 113 & _ALL
    z = _mixed(y * _K2 + 113) * _K2 & _ALL
    v, w = (0, 0), (0, 0)
    rest = (len(text) - 1) % _BLOCK
    for at in range(0, len(text) - 1 - rest, _BLOCK):
        x, y, z, v, w = _round(text, at, (x, y, z, v, w), _K1, 1)
    factor = _K1 + ((z & 0xFF) << 1)
    w = (w[0] + rest & _ALL, w[1])
    v = (v[0] + w[0] & _ALL, v[1])
    w = (w[0] + v[0] & _ALL, w[1])
    x, y, z, v, w = _round(text, len(text) - _BLOCK, (x, y, z, v, w), factor, 9)
    first = _joined(v[0], w[0], factor) + _mixed(y) * _K0 + z & _ALL
    return _joined(first, _joined(v[1], w[1], factor) + x & _ALL, factor)


_State = tuple[int, int, int, tuple[int, int], tuple[int, int]]


def _round(text: bytes, at: int, state: _State, factor: int, times: int) -> _State:
    """One block of 64 bytes."""
    x, y, z, v, w = state
    x = _turned(x + y + v[0] + _word(text, at + 8), 37) * factor & _ALL
    y = _turned(y + v[1] + _word(text, at + 48), 42) * factor & _ALL
    x = (x ^ w[1] * times) & _ALL
    y = y + v[0] * times + _word(text, at + 40) & _ALL
    z = _turned(z + w[0], 33) * factor & _ALL
    v = _weak(text, at, v[1] * factor & _ALL, x + w[0] & _ALL)
    w = _weak(text, at + 32, z + w[1] & _ALL, y + _word(text, at + 16) & _ALL)
    return z, y, x, v, w
