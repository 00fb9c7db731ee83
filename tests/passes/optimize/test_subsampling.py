"""Every other pixel of images."""

from __future__ import annotations

import pytest

from tests.passes.optimize.checks import left_alone, ops_of, rewritten
from tests.passes.optimize.short import short
from tfjs.passes.optimize.subsampling import RULES

MASKS = "begin_mask: 9, end_mask: 15, ellipsis_mask: 0, new_axis_mask: 0, shrink_axis_mask: 0"
SLICE = f"""
    x: float32[?, 6, 7, 2]
    b: int32[4] = 0, 0, 0, 0
    e: int32[4] = 0, 0, 0, 0
    s: int32[4] = 1, 2, 2, 1
    y = StridedSlice(x, b, e, s) {{T: float32, Index: int32, {MASKS}}}
"""
POOL = '{T: float32, data_format: b"NHWC", ksize: [1, 1, 1, 1], padding: b"VALID", strides: %s}'
NASNET = f"""
    x: float32[?, 6, 7, 2]
    p: int32[4, 2] = 0, 0, 0, 1, 0, 1, 0, 0
    b: int32[4] = 0, 1, 1, 0
    e: int32[4] = 0, 0, 0, 0
    s: int32[4] = 1, 1, 1, 1
    a = Pad(x, p) {{T: float32, Tpaddings: int32}}
    c = StridedSlice(a, b, e, s) {{T: float32, Index: int32, {MASKS}}}
    y = AvgPool(c) {POOL % "[1, 2, 2, 1]"}
"""


@pytest.mark.parametrize(
    ("begin", "op"),
    [
        ("0, 0, 0, 0", "AvgPool"),
        ("0, 1, 0, 0", "DepthwiseConv2dNative"),
        ("0, 0, 1, 0", "DepthwiseConv2dNative"),
        ("0, 1, 1, 0", "DepthwiseConv2dNative"),
    ],
)
@pytest.mark.parametrize("step", [2, 3])
@pytest.mark.parametrize("end", ["", "0, 6, 9, 0"])
def test_slices_with_strides(begin: str, op: str, step: int, end: str) -> None:
    text = SLICE.replace("b: int32[4] = 0, 0, 0, 0", f"b: int32[4] = {begin}")
    text = text.replace("1, 2, 2, 1", f"1, {step}, {step}, 1")
    if end:
        text = text.replace("e: int32[4] = 0, 0, 0, 0", f"e: int32[4] = {end}")
        text = text.replace("end_mask: 15", "end_mask: 9")
    after, hits = rewritten(short(text), RULES.all)
    assert ops_of(after) == [op]
    assert hits == {"recognise/subsample": 1}


@pytest.mark.parametrize("pool", ["AvgPool", "MaxPool"])
@pytest.mark.parametrize("shape", ["6, 7", "7, 6", "6, 6"])
def test_pooling_of_one_place(pool: str, shape: str) -> None:
    text = NASNET.replace("AvgPool", pool).replace("6, 7", shape)
    after, hits = rewritten(short(text), RULES.all)
    assert ops_of(after) == ["DepthwiseConv2dNative"]
    assert hits == {"recognise/subsample": 1}


def test_pooling_without_zeros() -> None:
    text = NASNET.replace("StridedSlice(a,", "StridedSlice(x,").replace(
        "[1, 2, 2, 1]", "[1, 3, 3, 1]"
    )
    text = text.replace("    a = Pad(x, p) {T: float32, Tpaddings: int32}\n", "")
    after, _ = rewritten(short(text), RULES.all)
    assert ops_of(after) == ["DepthwiseConv2dNative"]
    # Zeros before the first pixel stay, as those that another reads do.
    for text in (
        NASNET.replace("0, 0, 0, 1, 0, 1, 0, 0", "0, 0, 1, 0, 0, 1, 0, 0"),
        f"{NASNET}\n    outputs y, a",
    ):
        after, _ = rewritten(short(text), RULES.all)
        assert sorted(ops_of(after)) == ["DepthwiseConv2dNative", "Pad"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1, 2, 2, 1", "1, 1, 1, 1"),
        ("1, 2, 2, 1", "1, 2, 1, 1"),
        ("1, 2, 2, 1", "1, -2, -2, 1"),
        ("1, 2, 2, 1", "2, 2, 2, 1"),
        ("1, 2, 2, 1", "1, 2, 2, 2"),
        ("end_mask: 15", "end_mask: 13"),
        ("shrink_axis_mask: 0", "shrink_axis_mask: 1"),
        ("b: int32[4] = 0, 0, 0, 0", "b: int32[4] = 0, -1, 0, 0"),
        ("x: float32[?, 6, 7, 2]", "x: float32[?, ?, 7, 2]"),
        ("float32", "int32"),
        ("s: int32[4] = 1, 2, 2, 1", "s: int32[4]"),
    ],
)
def test_slices_that_stay(old: str, new: str) -> None:
    assert old in SLICE
    left_alone(short(SLICE.replace(old, new)), RULES.all)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ksize: [1, 1, 1, 1]", "ksize: [1, 2, 2, 1]"),
        ("strides: [1, 2, 2, 1]", "strides: [1, 2, 1, 1]"),
        ("b: int32[4] = 0, 1, 1, 0", "b: int32[4] = 0, 0, 0, 0"),
        ("y = AvgPool", "outputs y, c\n    y = AvgPool"),
    ],
)
def test_pooling_that_stays(old: str, new: str) -> None:
    assert old in NASNET
    left_alone(short(NASNET.replace(old, new)), RULES.all)
