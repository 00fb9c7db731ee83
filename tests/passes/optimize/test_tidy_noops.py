"""Arithmetic that does nothing goes, and answers stay to the last digit."""

from __future__ import annotations

import pytest

from tests.passes.optimize.tidying import ONE, ZERO, F, X, check, stays


@pytest.mark.parametrize("op", ["Identity", "StopGradient", "PreventGradient", "Snapshot"])
def test_identities(op: str) -> None:
    check(f"{X}\ni = {op}(x) {F}\ny = Neg(i) {F}", "Neg", hits="tidy/identity")


def test_several_identities() -> None:
    lines = f"{X}\nz: float32[2]\ni = IdentityN(x, z) {{T: [float32, float32]}} -> 2"
    check(f"{lines}\ny = Neg(i:1) {F}\noutputs y, i", "Neg", hits="tidy/identity")


def test_a_sum_of_one() -> None:
    check(f"{X}\ny = AddN(x) {{T: float32, N: 1}}", hits="tidy/identity-sum")
    stays(f"{X}\ny = AddN(x, x) {{T: float32, N: 2}}")


@pytest.mark.parametrize(
    ("step", "number"),
    [
        ("Mul(x, c)", 1),
        ("Mul(c, x)", 1),
        ("AddV2(x, c)", 0),
        ("Add(c, x)", 0),
        ("Sub(x, c)", 0),
        ("RealDiv(x, c)", 1),
        ("Div(x, c)", 1),
        ("Pow(x, c)", 1),
    ],
)
@pytest.mark.parametrize("shape", ["", "4", "1, 1"])
def test_neutral_numbers(step: str, number: int, shape: str) -> None:
    items = ", ".join([str(number)] * (4 if shape == "4" else 1))
    text = f"{X}\nc: float32[{shape}] = {items}\ny = {step} {F}\nz = Neg(y) {F}\noutputs z"
    check(text, "Neg", hits="tidy/neutral")


def test_neutral_integers_and_biases() -> None:
    check("x: int32[3]\nc: int32[] = 0\ny = AddV2(x, c) {T: int32}", hits="tidy/neutral")
    check(f"{X}\nc: float32[4] = 0, 0, 0, 0\ny = BiasAdd(x, c) {F}", hits="tidy/neutral")
    # Of a value of any rank a scalar leaves the shape.
    check(f"x: float32[*]\n{ONE}\ny = Mul(x, c) {F}", hits="tidy/neutral")


@pytest.mark.parametrize(
    "text",
    [
        f"{X}\nc: float32[] = 2\ny = Mul(x, c) {F}",
        f"{X}\nc: float32[4] = 1, 1, 1, 1.5\ny = Mul(x, c) {F}",
        f"{X}\nc: float32[4] = 0, 0, 1, 0\ny = BiasAdd(x, c) {F}",
        f"{X}\nc: float32[] = nan\ny = Mul(x, c) {F}",
        # Nothing is left of a value times zero but where it is infinite.
        f"{X}\n{ZERO}\ny = Mul(x, c) {F}",
        f"{X}\n{ZERO}\ny = Sub(c, x) {F}",
        f"{X}\n{ONE}\ny = RealDiv(c, x) {F}",
        f"{X}\n{ONE}\ny = Pow(c, x) {F}",
        # Of more axes, larger, or maybe larger.
        f"{X}\nc: float32[1, 1, 1] = 0\ny = AddV2(x, c) {F}",
        f"x: float32[1, 4]\nc: float32[2, 1] = 0, 0\ny = AddV2(x, c) {F}",
        f"x: float32[?]\nc: float32[2] = 0, 0\ny = AddV2(x, c) {F}",
        f"x: float32[*]\nc: float32[1] = 1\ny = Mul(x, c) {F}",
        f"{X}\nz: float32[]\ny = AddV2(x, z) {F}",
        "x: bool[2]\nc: bool[] = true\ny = LogicalAnd(x, c)",
    ],
)
def test_no_neutral_numbers(text: str) -> None:
    stays(text)


def test_zeros_keep_their_sign_where_it_is_told() -> None:
    text = f"{X}\n{ZERO}\na = AddV2(x, c) {F}\ny = Reciprocal(a) {F}"
    stays(text)
    check(text.replace("= 0", "= -0.0"), "Reciprocal", hits="tidy/neutral")
    check(text.replace("AddV2", "Sub"), "Reciprocal", hits="tidy/neutral")
    stays(text.replace("AddV2", "Sub").replace("= 0", "= -0.0"))


def test_what_undoes_itself() -> None:
    check(f"{X}\na = Neg(x) {F}\ny = Neg(a) {F}", hits="tidy/twice")
    check("x: bool[3]\na = LogicalNot(x)\ny = LogicalNot(a)", hits="tidy/twice")
    # The inner one stays for those that read it.
    check(f"{X}\na = Neg(x) {F}\ny = Neg(a) {F}\noutputs y, a", "Neg", hits="tidy/twice")
    stays(f"{X}\na = Abs(x) {F}\ny = Neg(a) {F}")


@pytest.mark.parametrize(
    "steps",
    ["Relu Relu", "Relu6 Relu", "Relu6 Relu6", "Abs Relu", "Relu Abs", "Floor Ceil", "Round Floor"],
)
def test_nothing_left_to_do(steps: str) -> None:
    inner, outer = steps.split()
    text = f"{X}\na = {inner}(x) {F}\ny = {outer}(a) {F}"
    check(text, inner, hits="tidy/again")
    check(f"{text}\noutputs y, a", inner, hits="tidy/again")


@pytest.mark.parametrize(
    ("inner", "outer"), [("Relu", "Relu6"), ("Neg", "Abs"), ("Neg", "Square"), ("Abs", "Square")]
)
def test_done_again_anyway(inner: str, outer: str) -> None:
    text = f"{X}\na = {inner}(x) {F}\ny = {outer}(a) {F}"
    check(text, outer, hits="tidy/before")
    # Shared, it stays, and the other no longer waits for it.
    after = check(f"{text}\noutputs y, a", inner, outer, hits="tidy/before")
    assert f"y = {outer}(x)" in after


@pytest.mark.parametrize(("inner", "outer"), [("Neg", "Relu"), ("Elu", "Relu"), ("Sign", "Abs")])
def test_both_steps_stay(inner: str, outer: str) -> None:
    stays(f"{X}\na = {inner}(x) {F}\ny = {outer}(a) {F}")


def test_squares_of_integers_may_be_negative() -> None:
    text = "x: int32[?]\na = Square(x) {T: int32}\ny = Abs(a) {T: int32}"
    stays(text)
    check(text.replace("int32", "float32"), "Square", hits="tidy/again")


@pytest.mark.parametrize(("op", "bound"), [("Maximum", "1"), ("Minimum", "-2")])
def test_bounds_on_one_side(op: str, bound: str) -> None:
    text = f"""
        {X}
        a: float32[] = 1
        b: float32[] = -2
        m = {op}(x, a) {F}
        y = {op}(b, m) {F}
    """
    after = check(text, op, hits="tidy/limits")
    assert f"tensor(float32[]: {bound}.0)" in after
    stays(f"{text}\noutputs y, m")
    stays(text.replace("= 1", "= nan"))
    stays(text.replace(f"y = {op}", "y = Add"))
    stays(text.replace("[] = 1", "[4] = 1, 2, 3, 4").replace("[] = -2", "[2, 1] = 5, 6"))


SELECT = """
    x: float32[2, 2]
    z: float32[2, 2]
    c: bool[2, 2] = true, true, true, true
    y = SelectV2(c, x, z) {T: float32}
"""


def test_a_choice_that_is_made() -> None:
    assert "outputs y = x" in check(SELECT, hits="tidy/select")
    after = check(SELECT.replace("true", "false").replace("SelectV2", "Select"), hits="tidy/select")
    assert "outputs y = z" in after


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("true, true, true", "true, false, true"),
        ("z: float32[2, 2]", "z: float32[3, 2, 2]"),  # the answer is larger than what is chosen
        ("x: float32[2, 2]", "x: float32[?, 2]"),
        # In a branch that is not taken, a constant would be there all the same.
        ("x: float32[2, 2]", "x: float32[2, 2] = 1, 2, 3, 4"),
    ],
)
def test_no_choice(old: str, new: str) -> None:
    assert old in SELECT
    stays(SELECT.replace(old, new))


@pytest.mark.parametrize(
    ("dtypes", "ops"),
    [
        ("float32 float32", 0),
        ("bool int32 float32", 1),
        ("bool float32 int32", 1),
        ("bool int32 bool", 0),
        ("int32 float32 bool", 1),
        ("bool int32 float32 bool", 0),
    ],
)
def test_casts(dtypes: str, ops: int) -> None:
    first, *rest = dtypes.split()
    text, dtype, name = f"x: {first}[?, 4]", first, "x"
    for index, to in enumerate(rest):
        text += f"\nc{index} = Cast({name}) {{SrcT: {dtype}, DstT: {to}}}"
        dtype, name = to, f"c{index}"
    text = f"{text}\noutputs {name}"
    check(text, *["Cast"] * ops, hits="tidy/cast" if len(rest) < 3 else {"tidy/cast": 2})


@pytest.mark.parametrize(
    "dtypes", ["float32 int32 float32", "int32 float32 int32", "int32 bool int32"]
)
def test_casts_that_lose_something(dtypes: str) -> None:
    one, two, three = dtypes.split()
    stays(f"""
        x: {one}[4]
        a = Cast(x) {{SrcT: {one}, DstT: {two}}}
        y = Cast(a) {{SrcT: {two}, DstT: {three}}}
    """)
