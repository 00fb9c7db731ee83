from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfjs.wire.ordered_code import is_slice_key, slice_key


@pytest.mark.parametrize(
    ("name", "starts", "lengths", "expected"),
    [
        # As TensorFlow 2.21 wrote them.
        ("a/w", (0, 0), (2, 3), b"\0a/w\0\x01\x01\x02\x80\x82\x80\x83"),
        ("a/w", (0, 64), (-1, 6), b"\0a/w\0\x01\x01\x02\x80\x7f\xc0@\x86"),
        ("a/w", (0, 0), (3, 64), b"\0a/w\0\x01\x01\x02\x80\x83\x80\xc0@"),
        # By the rules of ordered_code.cc.
        ("x", (), (), b"\0x\0\x01\0"),
        ("\0", (63,), (8191,), b"\0\0\xff\0\x01\x01\x01\xbf\xdf\xff"),
        ("x", (8192,), (-65,), b"\0x\0\x01\x01\x01\xe0\x20\x00\x3f\xbf"),
    ],
)
def test_keys(
    name: str, starts: tuple[int, ...], lengths: tuple[int, ...], expected: bytes
) -> None:
    assert slice_key(name, starts, lengths) == expected
    assert is_slice_key(expected)


def test_names_are_no_slice_keys() -> None:
    assert not is_slice_key(b"")
    assert not is_slice_key(b"a/w")


@given(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
)
def test_keys_sort_like_their_numbers(left: int, right: int) -> None:
    keys = slice_key("v", (left,), (0,)), slice_key("v", (right,), (0,))
    assert (keys[0] < keys[1]) == (left < right)
