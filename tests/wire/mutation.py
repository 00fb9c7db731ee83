"""Damaged copies of small files, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st


def damaged(data: bytes) -> st.SearchStrategy[bytes]:
    """`data` with some of its bytes changed, and sometimes cut off."""
    change = st.tuples(
        st.integers(0, len(data) - 1),
        st.one_of(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]), st.integers(0, 255)),
    )

    def apply(changes: list[tuple[int, int]], end: int) -> bytes:
        out = bytearray(data)
        for position, value in changes:
            out[position] = value
        return bytes(out[:end])

    ends = st.one_of(st.just(len(data)), st.just(len(data)), st.integers(0, len(data)))
    return st.builds(apply, st.lists(change, min_size=1, max_size=6), ends)
