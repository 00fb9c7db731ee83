"""Orders: each after what it waits for, just before who needs it, in linear time."""

from __future__ import annotations

import pytest

from tfjs.errors import CorruptFileError
from tfjs.runtime.order import in_order


class Item:
    """Something with a name that waits for others."""

    def __init__(self, name: str, *before: Item) -> None:
        self.name = name
        self.before = list(before)


def _names(*roots: Item) -> list[str]:
    return [item.name for item in in_order(roots, lambda item: item.before)]


def test_what_is_needed_comes_just_before() -> None:
    a, b = Item("a"), Item("b")
    c, d = Item("c", a), Item("d", b, a)
    assert _names(Item("e", c, d)) == ["a", "c", "b", "d", "e"]
    assert _names(d, c) == ["b", "a", "d", "c"]
    assert _names() == []


def test_a_circle() -> None:
    a = Item("a")
    b = Item("b", Item("c", a))
    a.before.append(b)
    with pytest.raises(CorruptFileError, match="cycle, at or before 'b'"):
        _names(Item("d"), b)


class Touched(Item):
    """Counts how often items are looked at: compared, hashed, asked for their name or others."""

    touches = 0

    def __getattribute__(self, name: str) -> object:
        Touched.touches += 1
        return super().__getattribute__(name)

    def __eq__(self, other: object) -> bool:
        Touched.touches += 1
        return self is other

    def __hash__(self) -> int:
        Touched.touches += 1
        return id(self)


def test_a_long_chain_takes_linear_work() -> None:
    def touches(count: int) -> int:
        item = Touched("0")
        for number in range(count):
            item = Touched(str(number), item)
        Touched.touches = 0
        assert len(_names(item)) == count + 1
        return Touched.touches

    assert touches(5_000) < 11 * touches(500)
