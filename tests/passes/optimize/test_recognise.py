"""Activations and powers that are spelled out become operations of TF.js."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.passes.optimize.checks import left_alone, ops_of, rewritten
from tfjs.passes.optimize.fusion import RULES as FUSION
from tfjs.passes.optimize.recognise import RULES

TYPE = "float32[?, 4, 3]"
X = f"x = Placeholder() {{dtype: float32, shape: <?, 4, 3>}} -> {TYPE}\n"
CONSTANTS = {
    "zero": ("[]", "0"),
    "one": ("[]", "1"),
    "minus": ("[]", "-1"),
    "two": ("[]", "2"),
    "six": ("[1, 1]", "6"),
    "wide": ("[1, 1, 1, 1]", "0"),
    "part": ("[]", "0.3"),
    "large": ("[1]", "1.5"),
    "nan": ("[]", "nan"),
    "slopes": ("[1, 3]", "0.1, -0.5, 2"),
    "small": ("[3]", "0.1, 0.5, 0.9"),
    "rows": ("[4, 1]", "0.1, 0.2, 0.3, 0.4"),
    "whole": ("[1, 4, 3]", ", ".join(map(str, range(12)))),
    "pages": ("[2, 1, 1]", "0.5, 0.25"),
    "endless": ("[3]", "1, inf, 2"),
    "scale": ("[]", "1.0507009873554805"),
    "alpha": ("[]", "1.6732632423543772"),
}


def graph(*steps: str, x: str = X, output: str = "y") -> str:
    """A graph of steps such as `y = Maximum(x, zero)`; constants are those that they name."""
    told = " ".join(steps)
    lines = []
    for name, (shape, numbers) in CONSTANTS.items():
        if re.search(rf"\b{name}\b", told):
            tensor = f"tensor(float32{shape}: {numbers})"
            lines.append(f"{name} = Const() {{dtype: float32, value: {tensor}}} -> float32{shape}")
    for step in steps:
        of_bool = re.search(r"= (Greater|Less)", step)
        typed = TYPE.replace("float32", "bool") if of_bool else TYPE
        lines.append(step if "->" in step else f"{step} -> {typed}")
    return x + "\n".join(lines) + f"\ninputs x\noutputs out = {output}\n"


@pytest.mark.parametrize(
    ("steps", "op", "rule"),
    [
        (["y = Maximum(x, zero)"], "Relu", "relu"),
        (["y = Maximum(zero, x)"], "Relu", "relu"),
        (["r = Relu(x)", "y = Minimum(r, six)"], "Relu6", "clip"),
        (["r = Relu(x)", "y = Minimum(six, r)"], "Relu6", "clip"),
        (["r = Maximum(x, zero)", "y = Minimum(six, r)"], "Relu6", "clip"),
        (["r = Minimum(x, six)", "y = Maximum(zero, r)"], "Relu6", "clip"),
        (["r = Minimum(x, six)", "y = Relu(r)"], "Relu6", "clip"),
        (["r = Maximum(x, minus)", "y = Minimum(r, two)"], "ClipByValue", "clip"),
        (["r = Minimum(two, x)", "y = Maximum(minus, r)"], "ClipByValue", "clip"),
        (["r = Relu(x)", "y = Minimum(r, two)"], "ClipByValue", "clip"),
        (["y = ClipByValue(x, zero, six)"], "Relu6", "relu6"),
    ],
)
def test_bounds(steps: list[str], op: str, rule: str) -> None:
    after, hits = rewritten(graph(*steps), RULES.all)
    assert ops_of(after) == [op]
    assert hits[f"recognise/{rule}"] == 1


@pytest.mark.parametrize(
    "steps",
    [
        ["y = Maximum(x, one)"],
        ["y = Maximum(x, nan)"],
        ["y = Maximum(x, slopes)"],
        ["y = Maximum(x, wide) -> float32[1, ?, 4, 3]"],
        ["y = ClipByValue(x, minus, six)"],
        # The lower bound is above the upper one.
        ["r = Maximum(x, six)", "y = Minimum(r, two)"],
        ["r = Minimum(x, minus)", "y = Relu(r)"],
    ],
)
def test_no_bounds(steps: list[str]) -> None:
    left_alone(graph(*steps), RULES.all)


def test_no_bounds_of_whole_numbers() -> None:
    text = graph("y = Maximum(x, zero)", "r = Minimum(y, six)").replace("float32", "int32")
    left_alone(text, RULES.all)


def test_a_bound_that_others_read_stays() -> None:
    after, hits = rewritten(
        graph("r = Maximum(x, minus)", "y = Minimum(r, two)", output="y, other = r"), RULES.all
    )
    assert not hits
    assert ops_of(after) == ["Maximum", "Minimum"]


# What each writes for a slope of 0.3, or of several numbers, on the negative side.
LEAKS = {
    "maximum": ["p = Mul(x, part)", "y = Maximum(x, p)"],
    "maximum, turned": ["p = Mul(part, x)", "y = Maximum(p, x)"],
    "greater": ["c = Greater(x, zero)", "p = Mul(x, part)", "y = SelectV2(c, x, p)"],
    "greater or equal": ["c = GreaterEqual(x, zero)", "p = Mul(x, part)", "y = Select(c, x, p)"],
    "zero is less": ["c = Less(zero, x)", "p = Mul(x, part)", "y = SelectV2(c, x, p)"],
    "less": ["c = Less(x, zero)", "p = Mul(x, part)", "y = SelectV2(c, p, x)"],
    "less or equal": ["c = LessEqual(x, zero)", "p = Mul(part, x)", "y = SelectV2(c, p, x)"],
    "zero is greater": ["c = Greater(zero, x)", "p = Mul(part, x)", "y = SelectV2(c, p, x)"],
    "difference": [
        "r = Relu(x)",
        "n = Neg(x)",
        "m = Relu(n)",
        "p = Mul(part, m)",
        "y = Sub(r, p)",
    ],
    "sum": ["r = Relu(x)", "n = Minimum(x, zero)", "p = Mul(n, part)", "y = AddV2(p, r)"],
    "negated": [
        "r = Relu(x)",
        "n = Neg(x)",
        "m = Relu(n)",
        "p = Mul(m, part)",
        "q = Neg(p)",
        "y = Add(q, r)",
    ],
    "negated before": [
        "r = Relu(x)",
        "n = Neg(x)",
        "m = Relu(n)",
        "o = Neg(m)",
        "p = Mul(o, part)",
        "y = AddV2(r, p)",
    ],
}


@pytest.mark.parametrize("spelling", LEAKS)
def test_a_leak(spelling: str) -> None:
    after, _ = rewritten(graph(*LEAKS[spelling]), RULES.all)
    assert ops_of(after) == ["LeakyRelu"]
    assert f"alpha: {np.float32(0.3).item()}" in after


@pytest.mark.parametrize("spelling", LEAKS)
@pytest.mark.parametrize("slopes", ["small", "whole"])
def test_slopes(spelling: str, slopes: str) -> None:
    text = graph(*[step.replace("part", slopes) for step in LEAKS[spelling]])
    if "maximum" in spelling and slopes == "whole":
        # Of slopes above 1 the larger is not the one of the positive side.
        left_alone(text, RULES.all)
        return
    after, hits = rewritten(text, RULES.all)
    assert ops_of(after) == ["Prelu"]
    assert sum(hits.values()) == 1


def test_the_slopes_of_keras() -> None:
    # Keras writes relu(x) + (-alpha) * relu(-x).
    steps = ["r = Relu(x)", "n = Neg(x)", "m = Relu(n)", "p = Mul(slopes, m)", "y = AddV2(r, p)"]
    after, hits = rewritten(graph(*steps), RULES.all)
    assert ops_of(after) == ["Prelu"]
    assert hits == {"recognise/prelu": 1}
    assert "tensor(float32[3]: -0.1" in after


def test_slopes_of_rows_are_written_out_for_wasm() -> None:
    after, _ = rewritten(
        graph("c = Greater(x, zero)", "p = Mul(x, rows)", "y = Select(c, x, p)"), RULES.all
    )
    assert ops_of(after) == ["Prelu"]
    assert "tensor(float32[4, 3]: 0.1" in after


def test_a_slope_of_zero() -> None:
    after, _ = rewritten(
        graph("c = Greater(x, zero)", "p = Mul(x, zero)", "y = Select(c, x, p)"), RULES.all
    )
    assert ops_of(after) == ["Relu"]


@pytest.mark.parametrize(
    "steps",
    [
        ["p = Mul(x, large)", "y = Maximum(x, p)"],
        ["p = Mul(x, minus)", "y = Maximum(x, p)"],
        ["p = Mul(x, part)", "y = Minimum(x, p)"],
        # The wrong side, another value, another bound.
        ["c = Less(x, zero)", "p = Mul(x, part)", "y = SelectV2(c, x, p)"],
        ["e = Exp(x)", "c = Greater(e, zero)", "p = Mul(x, part)", "y = SelectV2(c, x, p)"],
        ["c = Greater(x, one)", "p = Mul(x, part)", "y = SelectV2(c, x, p)"],
        ["r = Relu(x)", "m = Relu(x)", "p = Mul(m, part)", "y = AddV2(r, p)"],
        ["r = Relu(x)", "n = Minimum(x, one)", "p = Mul(n, part)", "y = AddV2(r, p)"],
        # Slopes of the batch, of which wasm has no idea, and such as spread the value.
        ["c = Greater(x, zero)", "p = Mul(x, pages)", "y = SelectV2(c, x, p)"],
        ["c = Greater(x, zero)", "p = Mul(x, endless)", "y = SelectV2(c, x, p)"],
    ],
)
def test_no_slopes(steps: list[str]) -> None:
    left_alone(graph(*steps), RULES.all)


def test_no_slopes_that_spread_the_value() -> None:
    lines = [
        "c = Greater(x, zero) -> bool[?, 4, 1]",
        "p = Mul(x, slopes)",
        "y = SelectV2(c, x, p)",
    ]
    narrow = X.replace("4, 3>", "4, 1>").replace("4, 3]", "4, 1]")
    left_alone(graph(*lines, x=narrow), RULES.all)


@pytest.mark.parametrize("spelling", LEAKS)
def test_a_part_that_others_read_stays(spelling: str) -> None:
    left_alone(graph(*LEAKS[spelling], output="y, other = p"), RULES.all)


EXPONENTIALS = {
    "expm1": ["c = Greater(x, zero)", "e = Expm1(x)", "y = SelectV2(c, x, e)"],
    "exp - 1": ["c = Greater(x, zero)", "a = Exp(x)", "e = Sub(a, one)", "y = Select(c, x, e)"],
    "-1 + exp": ["c = Less(x, zero)", "a = Exp(x)", "e = AddV2(minus, a)", "y = Select(c, e, x)"],
    "exp of what is below": [
        "c = Greater(x, zero)",
        "b = Minimum(x, zero)",
        "e = Expm1(b)",
        "y = SelectV2(c, x, e)",
    ],
    "exp of a choice": [
        "c = Greater(x, zero)",
        "z = Mul(x, zero)",
        "b = SelectV2(c, zero, x)",
        "e = Expm1(b)",
        "y = SelectV2(c, x, e)",
    ],
}


@pytest.mark.parametrize("spelling", EXPONENTIALS)
def test_an_exponential_unit(spelling: str) -> None:
    steps = [step for step in EXPONENTIALS[spelling] if not step.startswith("z")]
    after, hits = rewritten(graph(*steps), RULES.all)
    assert ops_of(after) == ["Elu"]
    assert hits == {"recognise/elu": 1}


@pytest.mark.parametrize("spelling", EXPONENTIALS)
def test_a_scaled_exponential_unit(spelling: str) -> None:
    steps = [step for step in EXPONENTIALS[spelling] if not step.startswith("z")]
    last = steps[-1].replace("y =", "u =").replace(" e", " f")
    steps = [*steps[:-1], "f = Mul(alpha, e)", last.replace("(c, e", "(c, f"), "y = Mul(u, scale)"]
    after, hits = rewritten(graph(*steps), RULES.all)
    assert ops_of(after) == ["Selu"]
    assert hits == {"recognise/selu": 1}


@pytest.mark.parametrize(
    "steps",
    [
        ["c = Greater(x, zero)", "e = Exp(x)", "y = SelectV2(c, x, e)"],
        ["c = Greater(x, zero)", "a = Exp(x)", "e = Sub(one, a)", "y = Select(c, x, e)"],
        ["c = Greater(x, zero)", "n = Sin(x)", "e = Expm1(n)", "y = SelectV2(c, x, e)"],
        ["c = Less(x, zero)", "e = Expm1(x)", "y = SelectV2(c, x, e)"],
        ["c = Greater(x, zero)", "e = Expm1(x)", "f = Mul(e, part)", "y = SelectV2(c, x, f)"],
    ],
)
def test_no_exponential_unit(steps: list[str]) -> None:
    left_alone(graph(*steps), RULES.all)
    left_alone(graph(*EXPONENTIALS["expm1"], output="y, other = e"), RULES.all)


@pytest.mark.parametrize("last", ["RealDiv(one, a)", "Div(one, a)", "Reciprocal(a)"])
@pytest.mark.parametrize("add", ["AddV2(e, one)", "Add(one, e)"])
def test_a_sigmoid(last: str, add: str) -> None:
    after, hits = rewritten(
        graph("n = Neg(x)", "e = Exp(n)", f"a = {add}", f"y = {last}"), RULES.all
    )
    assert ops_of(after) == ["Sigmoid"]
    assert hits == {"recognise/sigmoid": 1}


@pytest.mark.parametrize(
    "steps",
    [
        ["e = Exp(x)", "a = AddV2(e, one)", "y = RealDiv(one, a)"],
        ["n = Neg(x)", "e = Exp(n)", "a = AddV2(e, two)", "y = RealDiv(one, a)"],
        ["n = Neg(x)", "e = Exp(n)", "a = AddV2(e, one)", "y = RealDiv(two, a)"],
        ["n = Neg(x)", "e = Exp(n)", "a = AddV2(e, one)", "y = RealDiv(x, a)"],
    ],
)
def test_no_sigmoid(steps: list[str]) -> None:
    left_alone(graph(*steps), RULES.all)
    left_alone(graph(*steps, output="y, other = e"), RULES.all)


def softmax(axis: int = -1, keep: str = "true", shift: str = "m", output: str = "y") -> str:
    axes = f"i = Const() {{dtype: int32, value: tensor(int32[1]: {axis})}} -> int32[1]"
    reduced = "float32[?, 4, 1]" if keep == "true" else "float32[?, 4]"
    told = f"(%s, i) {{T: float32, Tidx: int32, keep_dims: {keep}}} -> {reduced}"
    return graph(
        axes,
        "m = Max" + told % "x",
        f"s = Sub(x, {shift})",
        "e = Exp(s)",
        "t = Sum" + told % "e",
        "y = RealDiv(e, t)",
        output=output,
    )


@pytest.mark.parametrize("axis", [-1, 2])
def test_a_softmax(axis: int) -> None:
    after, hits = rewritten(softmax(axis), RULES.all)
    assert ops_of(after) == ["Softmax"]
    assert hits == {"recognise/softmax": 1}


@pytest.mark.parametrize(
    "text",
    [
        softmax(axis=1).replace("[?, 4, 1]", "[?, 1, 3]"),
        softmax(shift="one"),
        softmax(output="y, other = e"),
        softmax(output="y, other = t"),
        softmax(output="y, other = m"),
        softmax(keep="false").replace("shape: <?, 4, 3>", "shape: <4, 4, 4>"),
    ],
)
def test_no_softmax(text: str) -> None:
    left_alone(text, RULES.all)


@pytest.mark.parametrize(
    ("exponent", "ops"),
    [
        (2, ["Square"]),
        (3, ["Square", "Mul"]),
        (4, ["Square", "Square"]),
        (0.5, ["Sqrt"]),
        (-0.5, ["Rsqrt"]),
        (-1, ["Reciprocal"]),
    ],
)
def test_a_power(exponent: float, ops: list[str]) -> None:
    constant = f"n = Const() {{dtype: float32, value: tensor(float32[]: {exponent})}} -> float32[]"
    after, hits = rewritten(graph(constant, "y = Pow(x, n)"), RULES.all)
    assert ops_of(after) == ops
    assert hits == {"recognise/power": 1}
    assert re.search(rf"y = {ops[-1]}\(", after)


@pytest.mark.parametrize(
    "steps", [["y = Pow(x, large)"], ["y = Pow(two, x)"], ["y = Pow(x, slopes)"], ["y = Pow(x, x)"]]
)
def test_no_power(steps: list[str]) -> None:
    left_alone(graph(*steps), RULES.all)


def test_a_square() -> None:
    after, hits = rewritten(graph("y = Mul(x, x)"), RULES.all)
    assert ops_of(after) == ["Square"]
    assert hits == {"recognise/square": 1}
    left_alone(graph("e = Exp(x)", "y = Mul(x, e)"), RULES.all)


def test_a_squared_difference() -> None:
    after, hits = rewritten(graph("d = Sub(x, slopes)", "y = Square(d)"), RULES.all)
    assert ops_of(after) == ["SquaredDifference"]
    assert hits == {"recognise/squared-difference": 1}
    left_alone(graph("d = Sub(x, slopes)", "y = Square(d)", output="y, other = d"), RULES.all)
    left_alone(graph("d = AddV2(x, slopes)", "y = Square(d)"), RULES.all)


@pytest.mark.parametrize("last", ["RealDiv(one, r)", "Reciprocal(r)"])
def test_one_by_a_root(last: str) -> None:
    steps = ["r = Sqrt(x)", f"y = {last}"]
    after, hits = rewritten(graph(*steps), RULES.all)
    assert ops_of(after) == ["Rsqrt"]
    assert hits == {"recognise/rsqrt": 1}
    left_alone(graph(*steps, output="y, other = r"), RULES.all)
    # Wasm divides many numbers faster.
    large = X.replace("4, 3", "400, 300")
    left_alone(graph(*(f"{step} -> float32[?, 400, 300]" for step in steps), x=large), RULES.all)
    left_alone(graph("r = Sqrt(x)", "y = RealDiv(two, r)"), RULES.all)


def test_what_is_recognised_becomes_part_of_a_product() -> None:
    product = (
        "x = Placeholder() {dtype: float32, shape: <?, 2>} -> float32[?, 2]\n"
        "w = Const() {dtype: float32, value: tensor(float32[2, 3]: 1, -2, 3, -4, 5, 0.5)}"
        " -> float32[2, 3]\n"
        "z = MatMul(x, w) {T: float32, transpose_a: false, transpose_b: false} -> float32[?, 3]\n"
    )
    steps = ["r = Relu(z)", "n = Neg(z)", "m = Relu(n)", "p = Mul(slopes, m)", "y = AddV2(r, p)"]
    text = graph(*steps, x=product).replace(TYPE, "float32[?, 3]")
    after, _ = rewritten(text, [*RULES.all, *FUSION.all])
    assert ops_of(after) == ["_FusedMatMul"]


def test_a_deviation() -> None:
    steps = ["d = Sub(x, slopes)", "q = SquaredDifference(x, slopes)", "y = Mul(d, q)"]
    after, hits = rewritten(graph(*steps), RULES.all)
    assert ops_of(after) == ["Sub", "Square", "Mul"]
    assert hits == {"recognise/deviation": 1}
    left_alone(graph("d = Sub(slopes, x)", *steps[1:]), RULES.all)
    left_alone(graph("d = Sub(x, small)", *steps[1:]), RULES.all)
