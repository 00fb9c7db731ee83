"""How far two answers are apart, and how far they may be."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfjs.verification.compare import bound_of, difference

X = np.array([[1.0, -2.0], [3.0, 4.0]], np.float32)


class TestBounds:
    def test_rounding_of_its_own_sets_the_bound(self) -> None:
        exact = X.astype(np.float64)
        assert bound_of(X, exact) == pytest.approx(2e-6 * 4)
        assert bound_of(X + np.float32(1e-3), exact) == pytest.approx(16e-3, rel=1e-3)

    def test_what_is_not_finite_says_nothing(self) -> None:
        odd = np.array([np.nan, np.inf, 1.0], np.float32)
        assert bound_of(odd, odd.astype(np.float64)) == pytest.approx(2e-6)

    def test_choices_that_rounding_decides(self) -> None:
        first, second = np.array([1, 2]), np.array([1, 3])
        assert bound_of(first, first) == 0
        assert bound_of(first, second) == np.inf
        assert bound_of(first, np.array([1, 2, 3])) == np.inf

    @given(st.floats(-1e6, 1e6, width=32), st.floats(0, 1e-7))
    def test_what_lies_within_float32_passes(self, number: float, off: float) -> None:
        right = np.array([number], np.float32)
        bound = bound_of(right, right.astype(np.float64))
        moved = (right.astype(np.float64) * (1 + off)).astype(np.float32)
        assert difference("y", moved, right, bound).ok


class TestDifferences:
    def test_equal(self) -> None:
        found = difference("y", X, X, 1e-6)
        assert found.ok
        assert (found.largest, found.relative, found.shape) == (0, 0, (2, 2))

    @pytest.mark.parametrize(
        ("changed", "words"),
        [
            (X + np.array([[0, 0], [0, 0.5]], np.float32), r"differs by 0.5 at \[1, 1\]: 4.5"),
            (np.where(X == 3, np.nan, X), "1 of 4 elements are NaN"),
            (np.where(X == 3, np.inf, X), "1 of 4 elements are infinite otherwise"),
            (X[:1], r"has the shape \[1, 2\], the source's has \[2, 2\]"),
        ],
    )
    def test_wrong(self, changed: Any, words: str) -> None:
        found = difference("y", np.asarray(changed, np.float32), X, 1e-6)
        assert not found.ok
        assert found.problem is not None
        assert re.search(words, found.problem)
        json.dumps(found.to_dict(), allow_nan=False)

    def test_nan_and_infinity_of_the_source_are_right(self) -> None:
        odd = np.array([np.nan, np.inf, -np.inf, 1], np.float32)
        assert difference("y", odd, odd, 1e-6).ok
        # A number where the source has none is no loss.
        assert difference("y", np.array([7, np.inf, -np.inf, 1], np.float32), odd, 1e-6).ok
        assert not difference("y", -odd, odd, 1e-6).ok

    def test_numbers_that_are_not_floats(self) -> None:
        right = np.array([1, 2, 3], np.int32)
        assert difference("y", right, right, 0).ok
        found = difference("y", right + np.array([0, 0, 1], np.int32), right, 0)
        assert found.problem == "1 of 3 elements differ"
        assert difference("y", right[::-1], right, np.inf).ok
        texts = np.array([b"a", b"b"], object)
        assert difference("y", texts, texts.copy(), 0).ok
        assert difference("y", texts, texts[::-1], 0).problem == "2 of 2 elements differ"

    def test_a_number_of_results_that_rounding_decides(self) -> None:
        assert difference("y", X[:1], X, np.inf).ok
        assert not difference("y", X.reshape(-1), X, np.inf).ok
