from __future__ import annotations

from typing import Any

import pytest

from tfjs.layers.declarations.cuts import Cut, cut_of, element, pieces


@pytest.mark.parametrize(
    ("item", "size", "expected"),
    [
        (slice(None), 5, Cut()),
        (slice(1, 3), 5, Cut(1, 2)),
        (slice(-2, None), 5, Cut(3, 0)),
        (slice(4, 2), 5, Cut(4, 1)),
        (slice(None, None, 2), 5, Cut(0, 0, 2)),
        (slice(1, None), None, Cut(1, 0)),
        (slice(None, -2), None, Cut(0, 2)),
        (slice(-2, None), None, "it counts from the other end of an axis of unknown size"),
        (slice(None, 3), None, "it counts from the other end of an axis of unknown size"),
        (slice(None, None, -1), 5, "it takes elements in reverse order"),
    ],
)
def test_slices(item: slice, size: int | None, expected: Cut | str) -> None:
    assert cut_of(item, size) == expected


@pytest.mark.parametrize("item", [slice(1, 3), slice(None, None, 2), slice(3, 1), slice(1, 9, 3)])
def test_sizes_are_those_of_python(item: slice) -> None:
    cut = cut_of(item, 5)
    assert isinstance(cut, Cut)
    assert cut.size(5) == len(range(5)[item])


def test_elements() -> None:
    assert element(-1, 5) == Cut(4, 0)
    assert element(0, None) == "it takes one element of an axis of unknown size"
    with pytest.raises(IndexError, match="element 5 of 5"):
        element(5, 5)


def configs(sizes: list[Any], cuts: dict[int, Cut], final: list[Any]) -> list[Any] | None:
    made = pieces(sizes, cuts, final)
    return None if made is None else [(piece.class_name, piece.config) for piece in made]


def crop(rows: list[int], columns: list[int]) -> tuple[str, Any]:
    return "Cropping2D", {"cropping": [rows, columns], "data_format": "channels_last"}


def shape(*sizes: int) -> tuple[str, Any]:
    return "Reshape", {"target_shape": list(sizes)}


def test_two_axes_of_an_image_at_once() -> None:
    cuts = {0: Cut(1, 1), 1: Cut(2, 0)}
    assert configs([4, 6, 3], cuts, [2, 4, 3]) == [crop([1, 1], [2, 0])]


def test_last_axis() -> None:
    expected = [shape(24, 3, 1), crop([0, 0], [1, 0]), shape(4, 6, 2)]
    assert configs([4, 6, 3], {2: Cut(1, 0)}, [4, 6, 2]) == expected


def test_every_other_element() -> None:
    made = configs([5, 2], {0: Cut(1, 0, 2)}, [2, 2])
    assert made is not None
    assert [name for name, _ in made] == ["Reshape", "Cropping2D", "MaxPooling2D", "Reshape"]
    assert made[2][1]["strides"] == [2, 1]


def test_unknown_sizes() -> None:
    # The Reshape behind tells TF.js that the size is unknown, which Cropping2D forgets.
    expected = [shape(-1, 6, 1), crop([0, 0], [2, 0]), shape(-1, 4)]
    assert configs([None, 6], {1: Cut(2, 0)}, [None, 4]) == expected
    assert configs([None, None, 6], {2: Cut(2, 0)}, [None, None, 4]) is None


def test_nothing_to_cut() -> None:
    assert configs([4, 6], {0: Cut(), 1: Cut()}, [4, 6]) == []
    assert configs([4, 6], {}, [1, 4, 6]) == [shape(1, 4, 6)]
