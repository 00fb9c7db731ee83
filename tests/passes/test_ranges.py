"""Between which numbers integers are said to lie."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.support.drawing import Drawing
from tfjs.ir.graph import Value
from tfjs.passes.ranges import range_of

ANY = (-(2**31), 2**31 - 1)


class _Drawn:
    """A graph of integers.

    Attributes:
        fed: integers of any size, in shape [2, 3].
        flags: booleans.
    """

    def __init__(self) -> None:
        self.draw = Drawing()
        self.fed = self.draw.feed("x", "int32", (2, 3))
        self.flags = self.draw.feed("b", "bool", (2, 3))
        self._made = 0

    def __call__(self, op: str, *inputs: Value | int | list[int], dtype: str = "int32") -> Value:
        values = [item if isinstance(item, Value) else self.number(item) for item in inputs]
        self._made += 1
        return self.draw.op(op, f"n{self._made}", *values, dtype=dtype)

    def number(self, value: int | list[int]) -> Value:
        self._made += 1
        return self.draw.constant(f"n{self._made}", np.array(value, np.int32))


@pytest.mark.parametrize(
    ("draw", "wanted"),
    [
        (lambda d: d.fed, ANY),
        (lambda d: d.flags, (0, 1)),
        (lambda d: d.number([3, -5, 2]), (-5, 3)),
        (lambda d: d("Shape", d.fed), (0, 4096)),
        (lambda d: d("Cast", d.flags), (0, 1)),
        (lambda d: d("Cast", d.draw.feed("f", "float32", (2,))), ANY),
        (lambda d: d("Maximum", d("Minimum", d.fed, 9), [-2, 1]), (-2, 9)),
        (lambda d: d("AddV2", d("FloorMod", d.fed, 10), 7), (7, 16)),
        (lambda d: d("FloorMod", d.fed, -10), (-9, 0)),
        (lambda d: d("Sub", [1, 4], [-2, 3]), (-2, 6)),
        (lambda d: d("Mul", [-3, 4], [2, -5]), (-20, 15)),
        (lambda d: d("Mul", d.fed, 2), ANY),
        (lambda d: d("FloorDiv", d.fed, 1 << 16), (-(2**15), 2**15 - 1)),
        (lambda d: d("FloorDiv", d.number([7, -9]), d.fed), (-9, 9)),
        (lambda d: d("Neg", [3, -5]), (-3, 5)),
        (lambda d: d("Neg", d.fed), ANY),
        (lambda d: d("Abs", [3, -5]), (0, 5)),
        (lambda d: d("Abs", [-3, -5]), (3, 5)),
        (lambda d: d("Sign", d.fed), (-1, 1)),
        (lambda d: d("Reshape", d("FloorMod", d.fed, 5), [6]), (0, 4)),
        (lambda d: d("ConcatV2", [1, 2], [-9], 70), (-9, 2)),
        (lambda d: d("Pack", 3, 4, d("Shape", d.fed)), (0, 4096)),
        (lambda d: d("SelectV2", d.flags, 3, [8, 9]), (3, 9)),
        (lambda d: d("Bincount", d.fed, 3, 1), ANY),
    ],
)
def test_what_is_told(draw: Callable[[_Drawn], Value], wanted: tuple[int, int]) -> None:
    assert range_of(draw(_Drawn())) == wanted


def test_a_sum_counts_its_elements() -> None:
    d = _Drawn()
    ones = d("Sign", d.fed)
    ones.shape = (2, 3)
    assert range_of(d("Sum", ones, 0)) == (-6, 6)
    ones.shape = (2, None)
    assert range_of(d("Sum", ones, 0)) == ANY


def test_it_looks_back_a_short_way_only() -> None:
    d = _Drawn()
    value = d.number(3)
    for _ in range(100):
        value = d("AddV2", value, value)
    assert range_of(value) == ANY
