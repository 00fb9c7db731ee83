from __future__ import annotations

from typing import Any

import pytest

from tfjs.layers.declarations.space import Space, number, numbers, pairs, window_length, word

FIRST = {"data_format": "channels_first"}


@pytest.mark.parametrize("value", [0, -1, True, None, "2", 1.5, [2], 1e300, 2**63, 10**400])
def test_no_number(value: Any) -> None:
    with pytest.raises(ValueError, match=r"size is .*, a whole number from 1 on was expected"):
        number(value, "size")


def test_numbers() -> None:
    assert number(3.0, "size") == 3
    assert numbers(2, 3, "size") == [2, 2, 2]
    assert numbers((1, 2), 2, "size") == [1, 2]
    with pytest.raises(ValueError, match=r"size is \[1\], 2 numbers were expected"):
        numbers([1], 2, "size")


def test_pairs() -> None:
    assert pairs(1, 2, "padding") == [[1, 1], [1, 1]]
    assert pairs([1, 0], 2, "padding") == [[1, 1], [0, 0]]
    assert pairs([(1, 0), [2, 3]], 2, "padding") == [[1, 0], [2, 3]]
    with pytest.raises(ValueError, match="2 numbers were expected"):
        pairs([[1, 2, 3], [1, 2]], 2, "padding")


def test_words() -> None:
    config: dict[str, Any] = {"padding": "SAME"}
    word(config, "padding", ("valid", "same"), "valid")
    word(config, "mode", ("a", "b"), "a")
    assert config == {"padding": "same", "mode": "a"}
    with pytest.raises(ValueError, match="padding is 'full', one of valid, same was expected"):
        word({"padding": "full"}, "padding", ("valid", "same"), "valid")


@pytest.mark.parametrize(
    ("size", "window", "stride", "padding", "expected"),
    [
        (9, 3, 2, "valid", 4),
        (8, 3, 2, "valid", 3),
        (9, 3, 2, "same", 5),
        (2, 3, 1, "valid", 0),
        (9, 3, 4, "causal", 3),
        (None, 3, 2, "valid", None),
        (10**400, 3, 1, "valid", 10**400 - 2),
        (10**400 + 1, 3, 10, "same", 10**399 + 1),
    ],
)
def test_window_length(
    size: int | None, window: int, stride: int, padding: str, expected: int | None
) -> None:
    assert window_length(size, window, stride, padding) == expected


def test_space_takes_a_shape_apart_and_puts_it_together() -> None:
    last = Space.of((None, 4, 5, 3), 2, {})
    assert last is not None
    assert (last.sizes, last.channels) == ((4, 5), 3)
    assert last.resized([8, None]).shape() == (None, 8, None, 3)
    first = Space.of((2, 3, 4, 5), 2, FIRST)
    assert first is not None
    assert (first.sizes, first.channels) == ((4, 5), 3)
    assert first.recoloured(7).shape() == (2, 7, 4, 5)
    assert first.moved(first=False).shape() == (2, 4, 5, 3)


@pytest.mark.parametrize("shape", [None, (None, 4, 3), (None, 4, 5, 6, 3)])
def test_space_of_another_rank(shape: Any) -> None:
    assert Space.of(shape, 2, {}) is None
