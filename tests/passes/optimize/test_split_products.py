"""Products that are split, as products of their own."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.passes.optimize.checks import left_alone, ops_of, parsed, rewritten
from tests.passes.optimize.short import short
from tfjs.ir.text import graph_text
from tfjs.passes.optimize.engine import apply
from tfjs.passes.optimize.fusion import RULES as FUSION
from tfjs.passes.optimize.split_products import RULES

PLAIN = "{T: float32, transpose_a: false, transpose_b: false}"
BIASED = (
    '{T: float32, fused_ops: [b"BiasAdd"], num_args: 1, transpose_a: false, transpose_b: false}'
)


def numbers(name: str, *shape: int) -> str:
    found = np.random.default_rng(len(name)).normal(size=int(np.prod(shape)))
    told = ", ".join(f"{number:.3f}" for number in found)
    return f"{name}: float32[{', '.join(map(str, shape))}] = {told}"


def split(value: str = "m", axis: int = 1, count: int = 3) -> str:
    return f"""
        axis: int32[] = {axis}
        s = Split(axis, {value}) {{T: float32, num_split: {count}}} -> {count}
        y = Sub(s:2, s) {{T: float32}}
        outputs y, s:1
    """


def plain(rows: str = "?") -> str:
    return f"""
        x: float32[{rows}, 4]
        {numbers("w", 4, 6)}
        m = MatMul(x, w) {PLAIN}
        {split()}
    """


def biased(rows: str = "16") -> str:
    return f"""
        x: float32[{rows}, 4]
        {numbers("w", 4, 6)}
        {numbers("b", 6)}
        m = _FusedMatMul(x, w, b) {BIASED}
        {split()}
    """


def reshaped(rows: str = "16", attrs: str = BIASED) -> str:
    return f"""
        x: float32[?, {rows}, 4]
        {numbers("w", 4, 6)}
        {numbers("b", 6)}
        flat: int32[2] = -1, 4
        back: int32[3] = -1, {rows}, 6
        f = Reshape(x, flat) {{T: float32, Tshape: int32}}
        m = _FusedMatMul(f, w, b) {attrs}
        r = Reshape(m, back) {{T: float32, Tshape: int32}}
        {split("r", 2)}
    """


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (plain(), ["MatMul"] * 3 + ["Sub"]),
        (plain().replace("axis: int32[] = 1", "axis: int32[] = -1"), ["MatMul"] * 3 + ["Sub"]),
        (biased(), ["_FusedMatMul"] * 3 + ["Sub"]),
        (reshaped(), ["Reshape", "_FusedMatMul", "Reshape"] * 3),
        (reshaped(attrs=BIASED.replace('dd"]', 'dd", b"Relu"]')), None),
    ],
)
def test_a_product_for_each_part(text: str, expected: list[str] | None) -> None:
    after, hits = rewritten(short(text), RULES.all)
    assert hits == {"contract/split-product": 1}
    found = ops_of(after)
    assert "Split" not in found
    assert sum("MatMul" in op for op in found) == 3
    if expected is not None and "Reshape" not in expected:
        assert sorted(found) == sorted(expected)
    assert after.count("float32[4, 2]: ") == 3


def test_biases_of_parts_become_part_of_their_products() -> None:
    text = f"""
        {plain().replace("y = Sub(s:2, s)", "a = BiasAdd(s, p)").replace("outputs y, s:1", "")}
        {numbers("p", 2)}
        y = Relu(a) {{T: float32}}
        outputs y, s:1, s:2
    """
    after, hits = rewritten(short(text), RULES.all)
    assert hits == {"contract/split-product": 1}
    after, hits = rewritten(after, FUSION.all)
    assert hits == {"fuse/bias": 1, "fuse/activation": 1}
    assert sorted(ops_of(after)) == ["MatMul", "MatMul", "_FusedMatMul"]


@pytest.mark.parametrize(
    "text",
    [
        # Few rows, as far as is known: one with a bias is not slower.
        biased("?"),
        biased("15"),
        reshaped("15"),
        # Read by others.
        plain().replace("outputs y", "outputs y, m"),
        plain().replace("outputs y, s:1", "z = Exp(m) {T: float32}\noutputs y, z"),
        reshaped().replace("outputs y", "outputs y, r"),
        reshaped().replace("outputs y", "outputs y, m"),
        # Along another axis.
        plain("6").replace("axis: int32[] = 1", "axis: int32[] = 0"),
        reshaped("18").replace("axis: int32[] = 2", "axis: int32[] = 1"),
        # Turned weights, and none that are constant.
        plain()
        .replace(numbers("w", 4, 6), numbers("w", 6, 4))
        .replace("transpose_b: false", "transpose_b: true"),
        plain().replace(numbers("w", 4, 6), "w: float32[4, 6]"),
        # Channels that the reshape puts elsewhere.
        reshaped().replace("back: int32[3] = -1, 16, 6", "back: int32[3] = -1, 32, 3"),
    ],
)
def test_what_stays(text: str) -> None:
    left_alone(short(text), RULES.all)


def test_large_weights_that_others_read_are_not_stored_twice() -> None:
    text = plain().replace("outputs y", "z = Exp(w) {T: float32}\noutputs y, z")
    after, hits = rewritten(short(text), RULES.all)
    assert hits == {"contract/split-product": 1}
    assert "Split" not in after
    graph = parsed(short(text))
    large = graph.constant(np.ones((4, 4098), np.float32), name="large")
    graph.replace(graph.nodes["w"].output, large)
    found = Counter[str]()
    apply(graph, RULES.all, found)
    assert not found
    assert "Split" in graph_text(graph)
