from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfjs.wire.table import read_table
from tfjs.wire.table_write import table_bytes


@given(st.dictionaries(st.binary(max_size=12), st.binary(max_size=40)), st.integers(1, 200))
def test_round_trip(entries: dict[bytes, bytes], block_size: int) -> None:
    pairs = sorted(entries.items())
    assert list(read_table(table_bytes(pairs, block_size=block_size))) == pairs


def test_keys_share_what_they_have_in_common() -> None:
    entries = [(b"x" * 1000 + b"%03d" % index, b"") for index in range(100)]
    data = table_bytes(entries)
    assert list(read_table(data)) == entries
    # Every sixteenth key is whole.
    assert len(data) < 10_000


@pytest.mark.parametrize("keys", [(b"b", b"a"), (b"a", b"a")])
def test_keys_out_of_order(keys: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="comes after"):
        table_bytes([(key, b"") for key in keys])
