"""Batch normalizations without a convolution."""

from __future__ import annotations

import pytest

from tests.passes.optimize.checks import left_alone, ops_of, rewritten
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
