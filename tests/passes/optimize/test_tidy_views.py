"""Steps that only give another shape become a Reshape."""

from __future__ import annotations

import pytest

from tests.passes.optimize.checks import left_alone, ops_of, parsed, rewritten
from tests.passes.optimize.short import short
from tests.passes.optimize.tidying import F
from tfjs.passes.optimize.tidy_views import RULES

X = "x: float32[?, 1, 3]"
SLICE = "{T: float32, Index: int32, %s}"
REDUCE = "{T: float32, Tidx: int32, keep_dims: %s}"


def check(text: str) -> None:
    before = short(text)
    after, hits = rewritten(before, RULES.all)
    assert ops_of(after) == ["Reshape"]
    assert hits == {"tidy/view": 1}
    shapes = [[value.shape for value in parsed(graph).outputs] for graph in (before, after)]
    assert shapes[0] == shapes[1]


def stays(text: str) -> None:
    left_alone(short(text), RULES.all)


def sliced(begin: str, end: str, masks: str, x: str = X, strides: str | None = None) -> str:
    count = len(begin.split(","))
    strides = strides or ", ".join(["1"] * count)
    return f"""
        {x}
        b: int32[{count}] = {begin}
        e: int32[{count}] = {end}
        s: int32[{count}] = {strides}
        y = StridedSlice(x, b, e, s) {SLICE % masks}
    """


@pytest.mark.parametrize(
    ("begin", "end", "masks"),
    [
        ("0, 0, 0", "0, 1, 0", "begin_mask: 5, end_mask: 5, shrink_axis_mask: 2"),
        ("0, -1", "0, 0", "begin_mask: 1, end_mask: 1, shrink_axis_mask: 2"),
        ("0, 0, 0", "0, 0, 0", "begin_mask: 5, end_mask: 5, new_axis_mask: 2"),
        ("0, 0", "0, 0", "ellipsis_mask: 1, new_axis_mask: 2"),
        ("0, 0, 0, -9", "0, 1, 1, 3", "ellipsis_mask: 1, new_axis_mask: 2"),
        ("0, 0, 0, 0", "0, 0, 1, 3", "end_mask: 1, new_axis_mask: 2, shrink_axis_mask: 4"),
    ],
)
def test_slices(begin: str, end: str, masks: str) -> None:
    check(sliced(begin, end, masks))
    check(sliced(begin, end, masks).replace("float32", "int32"))


def test_slices_of_parts() -> None:
    new = "begin_mask: 5, end_mask: 5, new_axis_mask: 2"
    stays(sliced("0, 0, 0", "0, 0, 0", "begin_mask: 5, end_mask: 1, new_axis_mask: 2"))
    pick = "begin_mask: 5, end_mask: 5, shrink_axis_mask: 2"
    stays(sliced("0, 0, 0", "0, 1, 0", pick, x="x: float32[?, 2, 3]"))
    stays(sliced("0, 0, 0", "0, 1, 0", pick, x="x: float32[?, ?, 3]"))
    stays(sliced("0, 0, 0", "0, 0, 0", new, x="x: float32[?, ?, 3]"))
    stays(sliced("0, 0, 0", "0, 0, 0", new, strides="1, 1, -1"))
    stays(sliced("0, 0, 1", "0, 1, 2", pick.replace("5", "1")))
    # One of everything is tidied elsewhere.
    stays(sliced("0, 0, 0", "0, 0, 0", "begin_mask: 7, end_mask: 7"))
    stays(sliced("0, 0, 0", "0, 1, 0", pick, x="x: float32[*]"))


def test_bounds_that_are_fed() -> None:
    masks = "begin_mask: 5, end_mask: 5, shrink_axis_mask: 2"
    text = sliced("0, 0, 0", "0, 1, 0", masks)
    stays(text.replace("b: int32[3] = 0, 0, 0", "b: int32[3]"))


def test_one_part() -> None:
    check(f"{X}\ny = Unpack(x) {{T: float32, num: 1, axis: 1}}")
    check(f"{X}\ny = Pack(x) {{T: float32, N: 1, axis: -1}}")
    stays(f"{X}\ny = Unpack(x) {{T: float32, num: 3, axis: 2}} -> 3")
    stays(f"{X}\nz: float32[?, 1, 3]\ny = Pack(x, z) {{T: float32, N: 2, axis: 0}}")
    stays("x: float32[?, 1, ?]\ny = Unpack(x) {T: float32, num: 1, axis: 1}")


def test_one_element() -> None:
    told = "{Tparams: float32, Tindices: int32, Taxis: int32, batch_dims: 0}"
    for index in ("i: int32[] = 0", "i: int32[1] = 0", "i: int32[1, 1] = 0"):
        check(f"{X}\n{index}\na: int32[] = 1\ny = GatherV2(x, i, a) {told}")
        check(f"{X}\n{index}\na: int32[] = -2\ny = GatherV2(x, i, a) {told}")
    stays(f"{X}\ni: int32[] = 0\na: int32[] = 2\ny = GatherV2(x, i, a) {told}")
    stays(f"{X}\ni: int32[2] = 0, 0\na: int32[] = 1\ny = GatherV2(x, i, a) {told}")
    stays(f"{X}\ni: int32[]\na: int32[] = 1\ny = GatherV2(x, i, a) {told}")


@pytest.mark.parametrize("op", ["Max", "Min", "Mean", "Sum", "Prod"])
def test_reductions(op: str) -> None:
    text = f"{X}\na: int32[1] = -2\ny = {op}(x, a) {REDUCE}"
    check(text % "true")
    check(text % "false")
    stays((text % "true").replace("= -2", "= 2"))
    stays((text % "true").replace("?, 1, 3", "?, ?, 3"))
    stays((text % "true").replace("a: int32[1] = -2", "a: int32[1]"))


def test_the_sign_of_zero() -> None:
    text = f"{X}\na: int32[1] = 1\nr = Sum(x, a) {REDUCE % 'true'}\ny = Reciprocal(r) {F}"
    stays(text)
    _, hits = rewritten(short(text.replace("Sum", "Max")), RULES.all)
    assert hits == {"tidy/view": 1}


def test_texts() -> None:
    stays("x: string[?, 1]\ny = Unpack(x) {T: string, num: 1, axis: 1}")
