from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.golden_bundle import INDEX
from tests.wire.mutation import damaged
from tests.wire.table_writer import assemble, block, sealed, table
from tfjs.errors import CorruptFileError, TfjsError, UnsafeFileError
from tfjs.wire.table import read_table
from tfjs.wire.varint import varint

ENTRIES = [(f"layer/{name}".encode(), name.encode() * 3) for name in "abcdefgh"]


@given(
    st.dictionaries(st.binary(max_size=8), st.binary(max_size=200), max_size=20),
    st.integers(1, 5),
    st.booleans(),
)
def test_round_trip(entries: dict[bytes, bytes], per_block: int, compress: bool) -> None:
    pairs = sorted(entries.items())
    data = table(pairs, per_block=per_block, compress=compress)
    assert list(read_table(data)) == pairs
    assert list(read_table(memoryview(data))) == pairs


def test_a_table_of_tensorflow() -> None:
    assert [key for key, _ in read_table(INDEX)] == [
        b"",
        b"\0a/w\0\x01\x01\x02\x80\x7f\xc0@\x86",
        b"\0a/w\0\x01\x01\x02\x80\x83\x80\xc0@",
        b"a/w",
        b"b",
        b"list",
        b"s",
    ]


def _restarts(entries: bytes, *restarts: int, count: int | None = None) -> bytes:
    count = len(restarts) if count is None else count
    return entries + struct.pack(f"<{len(restarts)}I", *restarts) + struct.pack("<I", count)


A = varint(0) + varint(1) + varint(1) + b"a1"
ZA = varint(0) + varint(1) + varint(1) + b"b2"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "a block is cut off"),
        (_restarts(A, 0, count=9), "declares 9 restart points"),
        (_restarts(varint(1) + varint(0) + varint(1) + b"1", 0), "outside of its block"),
        (_restarts(varint(0) + varint(9) + varint(1) + b"a1", 0), "outside of its block"),
        (_restarts(varint(0) + varint(1) + varint(9) + b"a1", 0), "outside of its block"),
        (_restarts(varint(0) + b"\x80", 0), "a number is cut off"),
        (_restarts(A, 0, 2), "a restart point is no entry"),
        (_restarts(A + varint(1) + varint(1) + varint(0) + b"b", 0, 5), "shares a prefix"),
        (_restarts(ZA + A, 0), "not in order"),
        (_restarts(A + A, 0), "not in order"),
        (block([(b"x", b"1")]), "not in order"),  # past the separator "w"
    ],
)
def test_damaged_blocks(body: bytes, message: str) -> None:
    with pytest.raises(CorruptFileError, match=f"t.index: .*{message}"):
        list(read_table(assemble([(b"w", sealed(body))]), where="t.index"))


def test_every_flipped_bit_of_a_block_is_found() -> None:
    data = table(ENTRIES[:3])
    assert list(read_table(data)) == ENTRIES[:3]
    for position in range(data.index(b"ccc") + 3):
        flipped = bytearray(data)
        flipped[position] ^= 4
        with pytest.raises(CorruptFileError, match="the checksum of the block at 0"):
            list(read_table(bytes(flipped)))


@pytest.mark.parametrize("size", [0, 1, 47, 48, 100])
def test_cut_off(size: int) -> None:
    with pytest.raises(CorruptFileError, match="the footer is missing"):
        list(read_table(table(ENTRIES)[:size]))


def test_another_magic_number() -> None:
    with pytest.raises(CorruptFileError, match="the footer is missing"):
        list(read_table(assemble([], magic=False)))


def test_an_unknown_compression() -> None:
    with pytest.raises(CorruptFileError, match="the unknown compression 2"):
        list(read_table(assemble([(b"w", sealed(block([(b"a", b"")]), 2))])))


@pytest.mark.parametrize(
    ("handles", "message"),
    [
        ([(b"w", varint(0) + varint(9999))], "lies outside of the file"),
        ([(b"w", varint(2**63) + varint(2**63))], "lies outside of the file"),
        ([(b"w", varint(0))], "a number is cut off"),
        ([(b"w", varint(0) + varint(15) + b"x")], "bytes to spare"),
        ([(b"v", varint(0) + varint(15)), (b"w", varint(0) + varint(15))], "overlap"),
    ],
)
def test_damaged_handles(handles: list[tuple[bytes, bytes]], message: str) -> None:
    body = block([(b"a", b"123")])
    assert len(body) == 15
    with pytest.raises(CorruptFileError, match=message):
        list(read_table(assemble([(b"w", sealed(body))], index=handles)))


def test_keys_that_share_long_prefixes_do_not_fill_the_memory() -> None:
    body = varint(0) + varint(1 << 20) + varint(0) + b"k" * (1 << 20)
    body += b"".join(
        varint(1 << 20) + varint(2) + varint(0) + struct.pack(">H", i) for i in range(200)
    )
    with pytest.raises(UnsafeFileError, match="expands beyond reason"):
        for _ in read_table(assemble([(b"w", sealed(_restarts(body, 0)))])):
            pass


@given(damaged(table(ENTRIES, per_block=2, compress=True)) | damaged(INDEX))
def test_any_damage_is_an_error_of_ours(data: bytes) -> None:
    with contextlib.suppress(TfjsError):
        list(read_table(data))


@given(st.binary(max_size=60), st.binary(max_size=40))
def test_any_contents_under_right_checksums(first: bytes, index: bytes) -> None:
    body = sealed(first) + sealed(index) + sealed(block([]))
    start = len(first) + 5
    footer = varint(start + len(index) + 5) + varint(len(block([]))) + varint(start)
    footer += varint(len(index))
    data = body + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    with contextlib.suppress(TfjsError):
        list(read_table(data))
