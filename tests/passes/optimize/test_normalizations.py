"""Layer normalization in its shortest form, and masks without what fills them up."""

from __future__ import annotations

import pytest

from tests.passes.optimize.checks import left_alone, ops_of, rewritten
from tfjs.passes.optimize.normalizations import RULES

TYPE, ONE = "float32[?, 4, 3]", "float32[?, 4, 1]"
HEAD = (
    f"x = Placeholder() {{dtype: float32, shape: <?, 4, 3>}} -> {TYPE}\n"
    "i = Const() {dtype: int32, value: tensor(int32[1]: -1)} -> int32[1]\n"
    "epsilon = Const() {dtype: float32, value: tensor(float32[]: 0.001)} -> float32[]\n"
    "gamma = Const() {dtype: float32, value: tensor(float32[1, 1, 3]: 1, 2, -0.5)}"
    " -> float32[1, 1, 3]\n"
    "beta = Const() {dtype: float32, value: tensor(float32[3]: 0.5, 0, 3)} -> float32[3]\n"
    f"m = Mean(x, i) {{T: float32, Tidx: int32, keep_dims: true}} -> {ONE}\n"
    f"d = SquaredDifference(x, m) {{T: float32}} -> {TYPE}\n"
    f"v = Mean(d, i) {{T: float32, Tidx: int32, keep_dims: true}} -> {ONE}\n"
    f"e = AddV2(v, epsilon) {{T: float32}} -> {ONE}\n"
    f"r = Rsqrt(e) {{T: float32}} -> {ONE}\n"
)
KERAS = [
    f"inv = Mul(r, gamma) -> {TYPE}",
    f"n = Neg(m) -> {ONE}",
    f"p = Mul(n, inv) -> {TYPE}",
    f"q = AddV2(p, beta) -> {TYPE}",
    f"s = Mul(x, inv) -> {TYPE}",
    f"y = AddV2(s, q) -> {TYPE}",
]
TENSORFLOW = [
    f"inv = Mul(gamma, r) -> {TYPE}",
    f"p = Mul(m, inv) -> {TYPE}",
    f"q = Sub(beta, p) -> {TYPE}",
    f"s = Mul(inv, x) -> {TYPE}",
    f"y = Add(q, s) -> {TYPE}",
]
SHORT = ["Mean", "Sub", "Square", "Mean", "AddV2", "Rsqrt", "Mul", "Mul", "AddV2"]


def ended(head: str, *lines: str, inputs: str = "x", output: str = "y") -> str:
    told = [line.replace(") ->", ") {T: float32} ->") for line in lines]
    return head + "\n".join(told) + f"\ninputs {inputs}\noutputs out = {output}\n"


@pytest.mark.parametrize("lines", [KERAS, TENSORFLOW])
def test_a_layer_normalization(lines: list[str]) -> None:
    after, hits = rewritten(ended(HEAD, *lines), RULES.all)
    assert ops_of(after) == SHORT
    assert hits == {"recognise/normalization": 1}


def test_a_variance_that_others_read() -> None:
    after, _ = rewritten(ended(HEAD, *KERAS, output="y, other = v"), RULES.all)
    assert sorted(ops_of(after)) == sorted(
        ["Mean", "SquaredDifference", "Mean", "AddV2", "Rsqrt", "Sub", "Mul", "Mul", "AddV2"]
    )


@pytest.mark.parametrize(
    "text",
    [
        *(ended(HEAD, *KERAS, output=f"y, other = {name}") for name in ("inv", "n", "p", "q", "s")),
        # Another factor, an offset that is no constant, a scale that is none.
        ended(HEAD, *KERAS).replace("Mul(x, inv)", "Mul(x, gamma)"),
        ended(HEAD, *KERAS).replace("AddV2(p, beta)", "AddV2(p, x)"),
        ended(HEAD, *KERAS).replace("Mul(r, gamma)", "Mul(r, x)"),
        ended(HEAD, *TENSORFLOW).replace("Sub(beta, p)", "Sub(p, beta)"),
        # What is taken from the value has its size.
        ended(HEAD, *TENSORFLOW).replace("Mul(m, inv)", "Mul(d, inv)"),
    ],
)
def test_no_layer_normalization(text: str) -> None:
    left_alone(text, RULES.all)


SIZE = "float32[?, 2, 3, 3]"
MASKED = (
    f"x = Placeholder() {{dtype: float32, shape: <?, 2, 3, 3>}} -> {SIZE}\n"
    "k = Placeholder() {dtype: bool, shape: <?, 1, 1, 3>} -> bool[?, 1, 1, 3]\n"
    "half = Const() {dtype: float32, value: tensor(float32[]: 0.5)} -> float32[]\n"
    "low = Const() {dtype: float32, value: tensor(float32[]: -1000)} -> float32[]\n"
    "true = Const() {dtype: bool, value: tensor(bool[]: true)} -> bool[]\n"
    "h = Shape(x) {T: float32, out_type: int32} -> int32[4]\n"
    "f = Fill(h, true) {T: bool, index_type: int32} -> bool[?, 2, 3, 3]\n"
    "a = LogicalAnd(f, k) -> bool[?, 2, 3, 3]\n"
)
CHOICE = f"y = SelectV2(a, %s, low) {{T: float32}} -> {SIZE}"


def masked(*lines: str, output: str = "y") -> str:
    return MASKED + "\n".join(lines) + f"\ninputs x, k\noutputs out = {output}\n"


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("turned", [True, False])
def test_a_mask(scaled: bool, turned: bool) -> None:
    steps = [f"s = Mul(x, half) {{T: float32}} -> {SIZE}"] if scaled else []
    text = masked(*steps, CHOICE % ("s" if scaled else "x"))
    if turned:
        text = text.replace("LogicalAnd(f, k)", "LogicalAnd(k, f)")
    after, hits = rewritten(text, RULES.all)
    assert ops_of(after) == [*(["Mul"] if scaled else []), "SelectV2"]
    assert "SelectV2(k, " in after
    assert hits == {"recognise/mask": 1}


@pytest.mark.parametrize(
    "text",
    [
        masked(CHOICE % "x", output="y, other = a"),
        masked(CHOICE % "x").replace("tensor(bool[]: true)", "tensor(bool[]: false)"),
        # Nothing else has the sizes that are filled.
        masked(CHOICE % "half"),
        masked(f"s = Mul(x, x) {{T: float32}} -> {SIZE}", CHOICE % "s"),
        masked(
            "w = Const() {dtype: float32, value: tensor(float32[1, 1, 1, 1, 1]: 2)}"
            " -> float32[1, 1, 1, 1, 1]",
            "s = Mul(x, w) {T: float32} -> float32[1, ?, 2, 3, 3]",
            CHOICE % "s",
        ),
        masked(CHOICE % "x").replace("LogicalAnd", "LogicalOr"),
    ],
)
def test_no_mask(text: str) -> None:
    left_alone(text, RULES.all)
