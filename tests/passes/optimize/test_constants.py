"""Scales and shifts by constants become fewer."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.passes.optimize.checks import left_alone, ops_of, parsed, rewritten
from tests.passes.optimize.short import short
from tests.passes.optimize.tidying import F
from tfjs.ir.tensor import Array
from tfjs.passes.optimize.constants import RULES
from tfjs.passes.optimize.engine import apply
from tfjs.passes.optimize.fusion import RULES as FUSION
from tfjs.passes.optimize.scales_before import RULES as BEFORE

HEAD = """
    x: float32[?, 3]
    a: float32[] = 4
    b: float32[3] = 0.5, 2, 3
    z: float32[3] = 0.5, 0, 3
"""


def check(text: str, *ops: str, hits: dict[str, int] | str) -> list[Array]:
    """Apply the rules, and give the constants of what is there then, in the order of the graph."""
    after, found = rewritten(short(text), RULES.all)
    assert ops_of(after) == list(ops)
    assert dict(found) == ({hits: 1} if isinstance(hits, str) else hits)
    steps = [node for node in parsed(after).ordered() if node.op in ops]
    values = [value.node for node in steps for value in node.inputs]
    return [node.attrs["value"].array() for node in values if node.op == "Const"]


def stays(text: str) -> None:
    left_alone(short(text), RULES.all)


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        ("Mul(x, a)", "Mul(b, p)", [2, 8, 12]),
        ("RealDiv(x, a)", "Mul(p, b)", [0.125, 0.5, 0.75]),
        ("Mul(b, x)", "Div(p, a)", [0.125, 0.5, 0.75]),
        ("RealDiv(x, b)", "RealDiv(p, a)", [0.5, 0.125, 1 / 12]),
        ("Mul(x, a)", "Mul(p, z)", [2, 0, 12]),
    ],
)
def test_scales(first: str, second: str, wanted: list[float]) -> None:
    text = f"{HEAD}\np = {first} {F}\ny = {second} {F}"
    (factor,) = check(text, "Mul", hits="merge/scales")
    np.testing.assert_allclose(factor, wanted, rtol=1e-7)
    stays(f"{text}\noutputs y, p")
    stays(f"{text}\nq = Neg(p) {F}\noutputs y, q")


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        ("Add(x, a)", "AddV2(b, p)", [4.5, 6, 7]),
        ("Sub(x, a)", "AddV2(b, p)", [-3.5, -2, -1]),
        ("BiasAdd(x, b)", "Sub(p, a)", [-3.5, -2, -1]),
        ("Sub(x, b)", "Sub(p, a)", [-4.5, -6, -7]),
    ],
)
def test_shifts(first: str, second: str, wanted: list[float]) -> None:
    text = f"{HEAD}\np = {first} {F}\ny = {second} {F}"
    (number,) = check(text, "AddV2", hits="merge/shifts")
    assert number.tolist() == wanted
    stays(f"{text}\noutputs y, p")
    stays(f"{text}\nq = Neg(p) {F}\noutputs y, q")


def test_chains() -> None:
    text = HEAD + "".join(f"\np{at} = Mul({f'p{at - 1}' if at else 'x'}, a) {F}" for at in range(9))
    (factor,) = check(f"{text}\noutputs p8", "Mul", hits={"merge/scales": 8})
    assert factor == 4**9


def test_the_constant_comes_first() -> None:
    """A number by a value, and a number less a value, are something else."""
    for first, second in (
        ("Mul(x, a)", "RealDiv(b, p)"),
        ("RealDiv(a, x)", "Mul(p, b)"),
        ("Sub(a, x)", "Sub(p, b)"),
        ("AddV2(x, a)", "Sub(b, p)"),
    ):
        stays(f"{HEAD}\np = {first} {F}\ny = {second} {F}")


def test_numbers_that_float32_has_not() -> None:
    text = f"{HEAD}\nm: float32[] = %s\nn: float32[] = %s\np = Mul(x, m) {F}\ny = Mul(p, n) {F}"
    for one, other in (("1e30", "1e30"), ("1e-30", "1e-10"), ("nan", "1"), ("inf", "0")):
        stays(text % (one, other))
    check(text % ("1e30", "1e-30"), "Mul", hits="merge/scales")
    stays((text % ("2", "0")).replace("= Mul(p", "= RealDiv(p"))
    sums = text.replace("Mul", "AddV2")
    stays(sums % ("3e38", "3e38"))
    stays(sums % ("-inf", "inf"))


def test_larger_than_either() -> None:
    text = f"""
        x: float32[2, 2, 3]
        m: float32[2, 1] = 1, 2
        n: float32[3] = 3, 4, 5
        p = Mul(x, m) {F}
        y = Mul(p, n) {F}
    """
    stays(text)
    stays(text.replace("Mul", "Sub"))


def test_other_types() -> None:
    text = f"{HEAD}\np = Mul(x, a) {F}\ny = Mul(p, b) {F}".replace("0.5", "1")
    stays(text.replace("float32", "int32"))
    stays(text.replace("Mul", "AddV2").replace("float32", "int32"))
    # Not a number of channels.
    told = '{T: float32, data_format: b"%s"}'
    image = HEAD.replace("[?, 3]", "[?, 3, 3, 3]")
    text = f"{image}\np = BiasAdd(x, b) {told}\ny = Sub(p, a) {F}"
    stays(text % "NCHW")
    check(text % "NHWC", "AddV2", hits="merge/shifts")


def test_a_scale_a_shift_and_a_scale() -> None:
    """What EfficientNet does to an image."""
    text = f"{HEAD}\np = RealDiv(x, a) {F}\nq = Sub(p, b) {F}\ny = RealDiv(q, b) {F}"
    factor, number = check(text, "Mul", "AddV2", hits="merge/scale-of-shift")
    np.testing.assert_allclose(factor, [0.5, 0.125, 1 / 12], rtol=1e-7)
    np.testing.assert_allclose(number, [-1, -1, -1], rtol=1e-7)
    for name in ("p", "q"):
        stays(f"{text}\noutputs y, {name}")
        stays(f"{text}\nr = Neg({name}) {F}\noutputs y, r")
    stays(text.replace("RealDiv(q, b)", "RealDiv(q, z)"))
    stays(text.replace("RealDiv(q, b)", "RealDiv(b, q)"))
    stays(text.replace("Sub(p, b)", "Sub(b, p)"))
    # The other way round small differences of large numbers would go.
    stays(f"{HEAD}\np = Sub(x, a) {F}\nq = Mul(p, b) {F}\ny = Sub(q, b) {F}")


CONV = '{T: float32, strides: [1, 1, 1, 1], padding: b"%s", data_format: b"NHWC"}'
IMAGE = """
    x: float32[?, 2, 2, 3]
    a: float32[] = 4
    b: float32[3] = 0.5, 2, 3
    z: float32[3] = 0.5, 0, 3
    w: float32[2, 2, 3, 1] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
    p = RealDiv(x, b) {T: float32}
    q = Sub(p, a) {T: float32}
"""


@pytest.mark.parametrize("op", ["Conv2D", "DepthwiseConv2dNative"])
def test_a_scale_before_weights(op: str) -> None:
    text = f"{IMAGE}\ny = {op}(q, w) {CONV % 'SAME'}"
    numbers = check(text, "AddV2", "Mul", op, hits="merge/scale-before-weights")
    assert numbers[0].tolist() == [-2, -8, -12]
    after, hits = rewritten(short(text), [*BEFORE.all, *RULES.all, *FUSION.all])
    assert ops_of(after) == ["AddV2", op]
    assert hits == {"merge/scale-before-weights": 1, "fold/scale-before": 1}
    # Without padding both become part of the weights, and the bias.
    stays(text.replace("SAME", "VALID"))
    stays(f"{text}\noutputs y, q")
    stays(f"{text}\noutputs y, p")
    stays(f"{text}\nr = Neg(q) {F}\noutputs y, r")
    stays(text.replace("RealDiv(x, b)", "RealDiv(x, z)"))
    stays(text.replace("RealDiv(x, b)", "Mul(x, z)"))
    stays(text.replace("NHWC", "NCHW").replace("?, 2, 2, 3", "?, 3, 3, 3"))


def test_a_scale_before_padding() -> None:
    pad = "{T: float32, Tpaddings: int32}"
    text = f"""
        {IMAGE}
        s: int32[4, 2] = 0, 0, 1, 0, 0, 1, 0, 0
        f: float32[] = 0
        r = Pad(q, s) {pad}
        y = Conv2D(r, w) {CONV % "VALID"}
    """
    check(text, "AddV2", "Mul", "Pad", "Conv2D", hits="merge/scale-before-weights")
    filled = text.replace("Pad(q, s)", "PadV2(q, s, f)")
    check(filled, "AddV2", "Mul", "PadV2", "Conv2D", hits="merge/scale-before-weights")
    stays(filled.replace("f: float32[] = 0", "f: float32[] = 1"))
    stays(f"{text}\noutputs y, r")


def test_weights_that_are_fed() -> None:
    text = f"{IMAGE}\nv: float32[2, 2, 3, 1]\ny = Conv2D(q, v) {CONV % 'SAME'}"
    stays(text)
    stays(f"{IMAGE}\ny = Relu(q) {F}")


def test_all_of_it() -> None:
    """Scale, shift and scale before a padded convolution: a shift is left."""
    text = f"{IMAGE}\nr = RealDiv(q, b) {F}\ny = Conv2D(r, w) {CONV % 'SAME'}"
    after, _ = rewritten(short(text), [*RULES.all, *BEFORE.all])
    assert ops_of(after) == ["AddV2", "Conv2D"]


def test_a_long_chain_stands_for_its_beginning() -> None:
    # All names of all steps at each step would be a square of the length.
    steps = [f"s{i} = AddV2(s{i - 1}, a) {F}" for i in range(1, 300)]
    graph, hits = (
        parsed(short("\n".join([HEAD, f"s0 = Mul(x, a) {F}", *steps, f"y = Relu(s299) {F}"]))),
        Counter[str](),
    )
    apply(graph, RULES.all, hits)
    assert hits["merge/shifts"] == 298
    (added,) = [node for node in graph.nodes.values() if node.op == "AddV2"]
    assert added.name == "s299"
    assert added.origin == tuple(f"s{i}" for i in range(1, 101))
