"""Batch normalizations without a convolution."""

from __future__ import annotations

import pytest

from tests.passes.optimize.checks import left_alone, ops_of, rewritten
from tests.passes.optimize.short import short
from tests.passes.optimize.test_scales_before import IMAGE, ROW, X
from tfjs.passes.optimize.fusion import RULES as FUSION
from tfjs.passes.optimize.lone_scales import RULES

ATTRS = '{T: float32, U: float32, data_format: b"NHWC", epsilon: 0.001, is_training: false}'
STATISTICS = "float32[3], float32[3], float32[3], float32[3], float32[*]"
NORM = f"n = FusedBatchNormV3(x, scale, offset, mean, variance) {ATTRS} -> {IMAGE}, {STATISTICS}\n"
RELU = f"y = Relu(n) {{T: float32}} -> {IMAGE}\n"


def test_a_lone_one_is_a_depthwise_convolution_that_takes_its_activation() -> None:
    text = f"{X}{NORM}{RELU}inputs x\noutputs y = y\n"
    after, hits = rewritten(text, [*RULES.all, *FUSION.all])
    assert ops_of(after) == ["FusedDepthwiseConv2dNative"]
    assert hits == {"fold/lone-batch-norm": 1, "fuse/activation": 1}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("is_training: false", "is_training: true"),
        ("outputs y = y", "outputs y = y, mean = n:1"),
        ('"NHWC"', '"NCHW"'),
    ],
)
def test_what_is_left_alone(old: str, new: str) -> None:
    text = f"{X}{NORM}{RELU}inputs x\noutputs y = y\n"
    assert old in text
    left_alone(text.replace(old, new), RULES.all)


def test_rows_are_left_alone() -> None:
    norm = NORM.replace(IMAGE, "float32[?, 3]")
    left_alone(f"{ROW}{norm}inputs x\noutputs y = n\n", RULES.all)


SCALED = """
    x: float32[?, 4, 5, 3]
    a: float32[3] = 2, 0.5, 3
    b: float32[1, 1, 1, 3] = 1, 2, -3
    c: float32[3] = 7, 8, 9
    s = Mul(x, a) {T: float32}
    y = AddV2(s, b) {T: float32}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("Mul(x, a)", "Mul(a, x)"),
        ("Mul(x, a)", "RealDiv(x, a)"),
        ("AddV2(s, b)", "Sub(s, b)"),
        ("AddV2(s, b)", "BiasAdd(s, c)"),
        ("b: float32[1, 1, 1, 3] = 1, 2, -3", "b: float32[] = 4"),
    ],
)
def test_a_lone_scale_and_shift(old: str, new: str) -> None:
    assert old in SCALED
    text = short(SCALED.replace(old, new)) if old else short(SCALED)
    after, hits = rewritten(text, RULES.all)
    assert ops_of(after) == ["FusedDepthwiseConv2dNative"]
    assert hits == {"fold/lone-scale": 1}


@pytest.mark.parametrize("shift", ["Sub(x, c)", "AddV2(c, x)"])
def test_a_shift_before_both(shift: str) -> None:
    text = SCALED.replace("s = Mul(x, a)", f"t = {shift} {{T: float32}}\n    s = Mul(t, a)")
    after, _ = rewritten(short(text), RULES.all)
    assert ops_of(after) == ["FusedDepthwiseConv2dNative"]
    after, _ = rewritten(short(f"{text}\n    outputs y, t"), RULES.all)
    assert ops_of(after) == [shift.split("(")[0], "FusedDepthwiseConv2dNative"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # One number for all channels costs wasm less as it is.
        ("a: float32[3] = 2, 0.5, 3", "a: float32[] = 2"),
        ("x: float32[?, 4, 5, 3]", "x: float32[?, 5, 3]"),
        ("x: float32[?, 4, 5, 3]", "x: float32[?, 4, 5, ?]"),
        ("x: float32[?, 4, 5, 3]", "x: float32[?, 4, 5, 1]"),
        ("AddV2(s, b)", "AddV2(s, x)"),
        ("AddV2(s, b)", "Sub(b, s)"),
        ("a: float32[3] = 2, 0.5, 3", "a: float32[3] = inf, 1, 2"),
        ("AddV2(s, b) {T: float32}", "AddV2(s, b) {T: float32}\n    outputs y, s"),
    ],
)
def test_a_scale_that_stays(old: str, new: str) -> None:
    assert old in SCALED
    left_alone(short(SCALED.replace(old, new)), RULES.all)


ROWS = """
    x: float32[?, 1100, 4, 3]
    c: float32[3] = 7, -8, 9
    y = AddV2(x, c) {T: float32}
"""


@pytest.mark.parametrize(
    "step", ["AddV2(x, c)", "Add(c, x)", "Sub(x, c)", "BiasAdd(x, c)", "Mul(c, x)", "RealDiv(x, c)"]
)
def test_few_channels_of_a_large_image(step: str) -> None:
    after, hits = rewritten(short(ROWS.replace("AddV2(x, c)", step)), RULES.all)
    assert ops_of(after) == ["FusedDepthwiseConv2dNative"]
    assert hits == {"fold/few-channels": 1}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("?, 1100, 4, 3", "?, 900, 4, 3"),
        ("?, 1100, 4, 3", "?, ?, 4, 3"),
        ("?, 1100, 4, 3", "?, 1100, ?, 3"),
        ("?, 1100, 4, 3", "1100, 4, 3"),
        ("float32[3] = 7, -8, 9", "float32[] = 7"),
        ("float32[3] = 7, -8, 9", "float32[3]"),
        ("float32[3] = 7, -8, 9", "float32[4, 1] = 1, 2, 3, 4"),
        ("AddV2(x, c)", "Sub(c, x)"),
        ("float32", "int32"),
    ],
)
def test_other_images_stay(old: str, new: str) -> None:
    assert old in ROWS
    left_alone(short(ROWS.replace(old, new)), RULES.all)
