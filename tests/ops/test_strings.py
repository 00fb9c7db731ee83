"""Operations on texts."""

from __future__ import annotations

import numpy as np
import pytest

from tfjs.ir.graph import Graph
from tfjs.ir.tensor import Array
from tfjs.ops.base import evaluate

HUGE_AND_EMPTY = (0, 1 << 31)
NONE: Array = np.empty(HUGE_AND_EMPTY, object)
ZEROS = np.zeros(HUGE_AND_EMPTY, np.int32)


@pytest.mark.parametrize(
    ("op", "inputs"),
    [("StringLower", [NONE]), ("StringJoin", [NONE, NONE]), ("Substr", [NONE, ZEROS, ZEROS])],
)
def test_nothing_of_many_places_takes_no_memory(op: str, inputs: list[Array]) -> None:
    node = Graph().add(op, [], {}, [], name="n")
    (made,) = evaluate(node, inputs)
    assert made.shape == HUGE_AND_EMPTY


def test_parts_of_texts() -> None:
    node = Graph().add("Substr", [], {}, [], name="n")
    texts = np.array([[b"abc", b"defg"], [b"hi", b"jkl"]], object)
    (made,) = evaluate(node, [texts, np.array([1, -2], np.int32), np.array([2, 1], np.int32)])
    assert made.tolist() == [[b"bc", b"f"], [b"i", b"k"]]
