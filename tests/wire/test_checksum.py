from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfjs.wire.checksum import crc32c, crc32c_of, masked, unmasked


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),  # RFC 3720, B.4
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_known_values(data: bytes, crc: int) -> None:
    assert crc32c(data) == crc
    assert crc32c(memoryview(data)) == crc


def test_a_view_longer_than_one_piece() -> None:
    data = bytes(range(256)) * 5000
    assert crc32c(memoryview(data)) == crc32c(data[700:], crc32c(data[:700]))
    assert crc32c_of([data[:3], b"", data[3:]]) == crc32c(data)


def test_the_mask_rotates_right_and_adds() -> None:
    assert masked(0) == 0xA282EAD8
    assert masked(1) == 0xA284EAD8
    assert masked(0x8000) == 0xA282EAD9


@given(st.integers(0, 2**32 - 1))
def test_unmasked_undoes_masked(crc: int) -> None:
    assert unmasked(masked(crc)) == crc
    assert masked(crc) != crc
