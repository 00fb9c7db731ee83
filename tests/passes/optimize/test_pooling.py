"""Means of images as pooling."""

from __future__ import annotations

import pytest

from tests.passes.optimize.checks import left_alone, ops_of, rewritten
from tests.passes.optimize.short import short
from tfjs.passes.optimize.pooling import RULES

MEAN = """
    x: float32[?, 6, 5, 3]
    axes: int32[2] = 1, 2
    y = Mean(x, axes) {T: float32, Tidx: int32, keep_dims: true}
"""
LARGE = MEAN.replace("6, 5, 3", "40, 30, 2")


def test_a_mean_of_images() -> None:
    after, hits = rewritten(short(MEAN), RULES.all)
    assert "ksize: [1, 6, 5, 1]" in after
    assert 'padding: b"VALID"' in after
    assert ops_of(after) == ["AvgPool"]
    assert hits == {"recognise/global-pool": 1}


@pytest.mark.parametrize("axes", ["2, 1", "-3, -2", "-2, 1"])
def test_axes_that_go(axes: str) -> None:
    text = MEAN.replace("1, 2", axes).replace("keep_dims: true", "keep_dims: false")
    after, _ = rewritten(short(text), RULES.all)
    assert ops_of(after) == ["AvgPool", "Squeeze"]


def test_a_large_image_is_taken_in_two_steps() -> None:
    after, _ = rewritten(short(LARGE), RULES.all)
    assert "ksize: [1, 40, 1, 1]" in after
    assert "ksize: [1, 1, 30, 1]" in after
    assert ops_of(after) == ["AvgPool", "AvgPool"]


def test_a_value_that_others_read_stays() -> None:
    text = short(f"{MEAN}\n    z = Relu(x) {{T: float32}}\n    outputs y, z")
    assert sorted(ops_of(rewritten(text, RULES.all)[0])) == ["AvgPool", "Relu"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1, 2", "2, 3"),
        ("int32[2] = 1, 2", "int32[1] = 1"),
        ("?, 6, 5, 3", "?, ?, 5, 3"),
        ("?, 6, 5, 3", "?, 0, 5, 3"),
        ("?, 6, 5, 3", "6, 5, 3"),
        ("float32", "int32"),
        ("axes: int32[2] = 1, 2", "axes: int32[2]"),
    ],
)
def test_other_means_stay(old: str, new: str) -> None:
    assert old in MEAN
    left_alone(short(MEAN.replace(old, new)), RULES.all)
