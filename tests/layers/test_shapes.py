from __future__ import annotations

from tfjs.layers.shapes import common_shapes


def test_sizes_that_differ_between_calls_are_unknown() -> None:
    calls = [[(None, 9, 4), (2, 3)], [(None, 6, 4), (2, 3)]]
    assert common_shapes(calls) == [(None, None, 4), (2, 3)]


def test_shapes_that_differ_in_rank_or_are_unknown() -> None:
    assert common_shapes([[(None, 9, 4), (2, 3)], [(None, 9), None]]) == [None, None]


def test_one_call_keeps_its_shapes() -> None:
    assert common_shapes([[(None, 9), None]]) == [(None, 9), None]
