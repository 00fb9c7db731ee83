from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.mutation import damaged
from tests.wire.table_writer import snappy_literals
from tfjs.errors import CorruptFileError, TfjsError, UnsafeFileError
from tfjs.wire.snappy import decompress
from tfjs.wire.varint import varint


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        (b"", b""),
        (b"\x08abc", b"abc"),  # a literal of three bytes
        (b"\xf0\x3d" + b"q" * 62, b"q" * 62),  # its length in one byte
        (b"\xf4\x2c\x01" + b"r" * 301, b"r" * 301),  # in two
        (b"\x0cabcd\x01\x04", b"abcdabcd"),  # a copy of four, 11 bits of offset
        (b"\x00a\x1d\x01", b"a" * 12),  # one that overlaps itself: a copy of 11
        (b"\x04ab\x12\x02\x00", b"ababababab"[:7]),  # a copy of 5 from 2 back, 16 bits of offset
        (b"\x04ab\x03\x02\x00\x00\x00", b"aba"),  # a copy of 1, 32 bits of offset
    ],
)
def test_elements(elements: bytes, expected: bytes) -> None:
    assert decompress(varint(len(expected)) + elements, limit=1000) == expected


def test_an_offset_of_eleven_bits() -> None:
    block = varint(304) + b"\xf4\x2b\x01" + bytes(range(100)) * 3 + b"\x21\x2c"
    assert decompress(block, limit=1000)[300:] == bytes(range(4))


@given(st.binary(max_size=500))
def test_literals(data: bytes) -> None:
    assert decompress(memoryview(snappy_literals(data)), limit=500) == data


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (b"", "cut off"),
        (b"\x04\x08abc", "holds 3 bytes and declares 4"),
        (b"\x02\x08abc", "a literal runs past"),
        (b"\x03\x08ab", "a literal runs past"),
        (b"\x05\x00a\x01\x02", "a copy reaches outside"),  # from before the start
        (b"\x05\x00a\x01\x00", "a copy reaches outside"),  # from itself
        (b"\x02\x00a\x01\x01", "a copy reaches outside"),  # past the declared end
        (b"\x05\x00a\x02\x01", "cut off"),
        (b"\x05\xf4\x01", "cut off"),
        (b"\xff\xff\x03a", "a compressed block of 4 bytes declares 65535"),
    ],
)
def test_damage(block: bytes, message: str) -> None:
    with pytest.raises(CorruptFileError, match=message):
        decompress(block, limit=1 << 20, where="t")


def test_the_limit() -> None:
    with pytest.raises(UnsafeFileError, match="declares 4 bytes, more than 3"):
        decompress(snappy_literals(b"abcd"), limit=3)


BLOCK = varint(60) + b"\x0cabcd\x01\x04\x12\x02\x00\x9a\x08\x00" + b"\x1cefghijkl"


def test_the_block_that_is_damaged_below() -> None:
    assert len(decompress(BLOCK, limit=60)) == 60


@given(damaged(BLOCK))
def test_any_damage_is_an_error_of_ours(block: bytes) -> None:
    with contextlib.suppress(TfjsError):
        assert len(decompress(block, limit=1000)) <= 1000
