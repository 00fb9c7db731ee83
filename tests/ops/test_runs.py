"""Steps that are taken run by run, against the same on a whole array."""

from __future__ import annotations

import numpy as np
import pytest

from tfjs.ops import runs
from tfjs.ops.runs import by_channel, by_function, in_runs


@pytest.mark.parametrize("run", [1, 6, 7, 64, 1 << 20])
@pytest.mark.parametrize("shape", [(5, 4, 3), (1, 9), (0, 3), (7, 1), (2, 40)])
def test_runs_make_no_difference(
    monkeypatch: pytest.MonkeyPatch, run: int, shape: tuple[int, ...]
) -> None:
    monkeypatch.setattr(runs, "RUN", run)
    rng = np.random.default_rng(0)
    x, factor, offset = (rng.normal(size=size) for size in (shape, shape[-1], shape[-1]))
    steps = [
        by_channel(np.multiply, factor, x.size),
        by_channel(np.add, offset, x.size),
        by_function(lambda part: np.maximum(part, 0)),
    ]
    expected = np.maximum(x * factor + offset, 0)
    given = x.copy()
    np.testing.assert_array_equal(in_runs(x, np.empty(shape), steps, shape[-1]), expected)
    np.testing.assert_array_equal(x, given)
    # What is written to may be what is read.
    assert in_runs(x, x, steps, shape[-1]) is x
    np.testing.assert_array_equal(x, expected)


def test_what_is_read_may_lie_in_any_order() -> None:
    x = np.arange(24.0).reshape(4, 3, 2).transpose(2, 1, 0)
    made = in_runs(x, np.empty(x.shape), [by_function(np.negative)])
    np.testing.assert_array_equal(made, -x)
