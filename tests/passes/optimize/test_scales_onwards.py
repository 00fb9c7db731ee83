"""A scale goes on to all weights."""

from __future__ import annotations

import pytest

from tests.passes.optimize.checks import left_alone, ops_of, rewritten
from tests.passes.optimize.short import short
from tfjs.passes.optimize.scales_onwards import RULES

CONV = (
    '{T: float32, data_format: b"NHWC", dilations: [1, 1, 1, 1], explicit_paddings: [], '
    'padding: b"SAME", strides: [1, 1, 1, 1]}'
)
BLOCK = f"""
    x: float32[?, 4, 5, 2]
    k: float32[] = 0.25
    v: float32[1, 1, 2, 2] = 1, 2, 3, 4
    w: float32[1, 1, 2, 3] = 1, -2, 3, 4, 5, -6
    axes: int32[2] = 1, 2
    s = Mul(x, k) {{T: float32}}
    m = Mean(s, axes) {{T: float32, Tidx: int32, keep_dims: true}}
    c = Conv2D(m, v) {CONV}
    z = Sigmoid(c) {{T: float32}}
    g = Mul(s, z) {{T: float32}}
    y = Conv2D(g, w) {CONV}
"""


@pytest.mark.parametrize("scale", ["Mul(x, k)", "Mul(k, x)", "RealDiv(x, k)"])
def test_pooled_for_one_and_gated_for_another(scale: str) -> None:
    after, hits = rewritten(short(BLOCK.replace("Mul(x, k)", scale)), RULES.all)
    assert ops_of(after) == ["Mean", "Conv2D", "Sigmoid", "Mul", "Conv2D"]
    assert hits == {"fold/scale-onwards": 1}


def test_through_views_and_padding() -> None:
    text = f"""
        x: float32[?, 4, 5, 2]
        k: float32[] = 3
        p: int32[4, 2] = 0, 0, 1, 0, 0, 1, 0, 0
        t: int32[2] = -1, 2
        w: float32[1, 1, 2, 3] = 1, -2, 3, 4, 5, -6
        u: float32[2, 2] = 1, 2, 3, 4
        s = Mul(x, k) {{T: float32}}
        a = Pad(s, p) {{T: float32, Tpaddings: int32}}
        y = Conv2D(a, w) {CONV}
        b = Reshape(s, t) {{T: float32, Tshape: int32}}
        z = MatMul(b, u) {{T: float32, transpose_a: false, transpose_b: false}}
        outputs y, z
    """
    after, _ = rewritten(short(text), RULES.all)
    assert sorted(ops_of(after)) == ["Conv2D", "MatMul", "Pad", "Reshape"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # Who else reads it would read another value.
        ("y = Conv2D", "o = Exp(s) {T: float32}\n    outputs y, o\n    y = Conv2D"),
        ("y = Conv2D", "outputs y, s\n    y = Conv2D"),
        ("y = Conv2D", "outputs y, m\n    y = Conv2D"),
        ("y = Conv2D", "outputs y, g\n    y = Conv2D"),
        # Twice the number.
        ("g = Mul(s, z)", "g = Mul(s, s)"),
        ("g = Mul(s, z)", "g = Mul(s, m)"),
        # What does not grow with its input.
        ("m = Mean(s, axes) {T: float32, Tidx: int32, keep_dims: true}", "m = Relu6(s)"),
        ("k: float32[] = 0.25", "k: float32[] = 0"),
        ("k: float32[] = 0.25", "k: float32[] = inf"),
        ("k: float32[] = 0.25", "k: float32[2] = 1, 2"),
        ("k: float32[] = 0.25", "k: float32[1, 1, 1, 1, 1] = 2"),
        ("v: float32[1, 1, 2, 2] = 1, 2, 3, 4", "v: float32[1, 1, 2, 2]"),
    ],
)
def test_what_stays(old: str, new: str) -> None:
    assert old in BLOCK
    text = BLOCK.replace(old, new)
    if "[1, 1, 1, 1, 1]" in new:
        text = text.split("    m = ")[0] + "    y = Relu(s) {T: float32}"
    left_alone(short(text), RULES.all)
