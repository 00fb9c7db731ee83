from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfjs.errors import CorruptFileError
from tfjs.wire.varint import read_varint, varint


@given(st.integers(0, 2**64 - 1), st.binary(max_size=3), st.binary(max_size=3))
def test_round_trip(value: int, before: bytes, after: bytes) -> None:
    data = before + varint(value) + after
    assert read_varint(data, len(before), len(data)) == (value, len(data) - len(after))


@pytest.mark.parametrize(
    ("data", "bits"),
    [
        (b"", 64),
        (b"\x80", 64),
        (b"\xff\xff\xff", 64),
        (varint(2**64), 64),
        (varint(2**32), 32),
        (b"\x80" * 10 + b"\0", 64),
    ],
)
def test_cut_off_or_too_large(data: bytes, bits: int) -> None:
    with pytest.raises(CorruptFileError, match=r"x\.bin: a number is cut off or too large"):
        read_varint(data, 0, len(data), bits=bits, where="x.bin")


def test_the_end_is_a_bound() -> None:
    data = varint(300)
    with pytest.raises(CorruptFileError):
        read_varint(data, 0, 1)
