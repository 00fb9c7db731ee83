"""Reshapes and transposes of one another are one, or none."""

from __future__ import annotations

import pytest

from tests.passes.optimize.tidying import IMAGE, RESHAPE, F, X, check, stays, turn

EXPAND = "{T: float32, Tdim: int32}"
TWO = "x: float32[?, ?]"


def test_reshapes_in_a_row() -> None:
    text = f"""
        {IMAGE}
        s: int32[2] = -1, 24
        t: int32[3] = -1, 4, 6
        a = Reshape(x, s) {RESHAPE}
        y = Reshape(a, t) {RESHAPE}
    """
    after = check(text, "Reshape", hits="tidy/reshape")
    assert "y = Reshape(x, t)" in after
    # What others read stays, beside.
    check(f"{text}\noutputs y, a", "Reshape", "Reshape", hits="tidy/reshape")


@pytest.mark.parametrize(
    "lines",
    [
        f"s: int32[2] = -1, 4\ny = Reshape(x, s) {RESHAPE}",
        f"s = Shape(x) {{T: float32, out_type: int32}}\ny = Reshape(x, s) {RESHAPE}",
        f"i: int32[] = 1\na = ExpandDims(x, i) {EXPAND}\n"
        "y = Squeeze(a) {T: float32, squeeze_dims: [1]}",
        f"i: int32[] = -1\na = ExpandDims(x, i) {EXPAND}\n"
        "y = Squeeze(a) {T: float32, squeeze_dims: [-1]}",
        f"s: int32[3] = -1, 2, 2\na = Reshape(x, s) {RESHAPE}\n"
        f"t: int32[2] = -1, 4\ny = Reshape(a, t) {RESHAPE}",
    ],
)
def test_reshapes_that_change_nothing(lines: str) -> None:
    check(f"{X}\n{lines}\nz = Neg(y) {F}\noutputs z", "Neg", hits="tidy/reshape")


def test_axes_where_several_sizes_are_free() -> None:
    squeeze = "y = Squeeze(a) {T: float32, squeeze_dims: [0]}"
    text = f"{TWO}\ni: int32[] = 0\na = ExpandDims(x, i) {EXPAND}\n{squeeze}"
    check(text, hits="tidy/reshape")
    # A new axis, then another left out: which sizes these are is known by their place alone.
    check(
        f"""
        x: float32[?, ?, 1]
        i: int32[] = 0
        a = ExpandDims(x, i) {EXPAND}
        b = Squeeze(a) {{T: float32, squeeze_dims: [3]}}
        y = Squeeze(b) {{T: float32, squeeze_dims: [0]}}
        """,
        "Squeeze",
        hits={"tidy/reshape": 2},
    )
    # Which of them would be a new axis, and where, takes more than one step to tell.
    stays(f"""
        x: float32[?, ?, 1]
        i: int32[] = 0
        a = Squeeze(x) {{T: float32, squeeze_dims: [2]}}
        b = ExpandDims(a, i) {EXPAND}
        y = ExpandDims(b, i) {EXPAND}
    """)


def test_new_axes_and_axes_left_out_are_a_reshape() -> None:
    text = f"""
        x: float32[?, 1, 4]
        i: int32[] = 3
        a = Squeeze(x) {{T: float32, squeeze_dims: [1]}}
        j: int32[] = 0
        b = ExpandDims(a, j) {EXPAND}
        y = ExpandDims(b, i) {EXPAND}
    """
    after = check(text, "Reshape", hits={"tidy/reshape": 2})
    assert "tensor(int32[4]: 1, -1, 4, 1)" in after


@pytest.mark.parametrize(
    "text",
    [
        f"{X}\ns: int32[3] = -1, 2, 2\ny = Reshape(x, s) {RESHAPE}",
        f"{TWO}\ns: int32[2] = -1, 4\ny = Reshape(x, s) {RESHAPE}",
        # Each of two sizes may be another.
        f"{TWO}\ns: int32[2]\ny = Reshape(x, s) {RESHAPE}",
        # Of no elements any size may be left.
        f"x: float32[?, 0]\ns: int32[2] = 5, 0\ny = Reshape(x, s) {RESHAPE}",
        f"{X}\nz: float32[4, ?]\ns = Shape(z) {{T: float32, out_type: int32}}"
        f"\ny = Reshape(x, s) {RESHAPE}",
        f"{X}\ni: int32[] = 1\ny = ExpandDims(x, i) {EXPAND}",
    ],
)
def test_reshapes_that_stay(text: str) -> None:
    stays(text)


def test_transposes_in_a_row() -> None:
    text = f"{IMAGE}\n{turn('a', 'x', '0, 3, 1, 2')}\n{turn('y', 'a', '0, 3, 1, 2')}"
    after = check(text, "Transpose", hits="tidy/transpose")
    assert "tensor(int32[4]: 0, 2, 3, 1)" in after
    check(f"{text}\noutputs y, a", "Transpose", "Transpose", hits="tidy/transpose")
    back = f"{IMAGE}\n{turn('a', 'x', '0, 3, 1, 2')}\n{turn('y', 'a', '0, -2, -1, 1')}"
    check(back, hits="tidy/transpose")
    check(f"{back}\noutputs y, a", "Transpose", hits="tidy/transpose")
    check(f"{X}\n{turn('y', 'x', '0, 1')}", hits="tidy/transpose")


def test_a_transpose_that_moves_no_numbers() -> None:
    text = f"x: float32[?, 1, 3, 1]\n{turn('y', 'x', '1, 0, 3, 2')}"
    after = check(text, "Reshape", hits="tidy/transpose")
    assert "tensor(int32[4]: 1, -1, 1, 3)" in after


@pytest.mark.parametrize(
    "text",
    [
        f"x: float32[2, 1, 3]\n{turn('y', 'x', '2, 1, 0')}",
        f"x: float32[?, ?, 1]\n{turn('y', 'x', '0, 2, 1')}",  # a Reshape needs to know more
        f"{X}\np: int32[2]\ny = Transpose(x, p) {{T: float32, Tperm: int32}}",
        f"x: float32[*]\n{turn('y', 'x', '1, 0')}",
    ],
)
def test_transposes_that_stay(text: str) -> None:
    stays(text)
