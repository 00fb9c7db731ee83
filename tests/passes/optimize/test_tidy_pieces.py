"""Parts that are taken, put together, padded and repeated, where nothing changes."""

from __future__ import annotations

import pytest

from tests.passes.optimize.checks import ops_of, rewritten
from tests.passes.optimize.short import short
from tests.passes.optimize.tidying import F, X, check, stays
from tfjs.passes.optimize.tidy import RULES

JOIN = "{T: float32, N: 2, Tidx: int32}"


def test_one_part() -> None:
    text = f"{X}\ni: int32[] = 1\ny = ConcatV2(x, i) {JOIN}"
    check(text.replace("N: 2", "N: 1"), hits="tidy/concat")
    for split in ("Split(i, x)", "SplitV(x, n, i)"):
        lines = f"{X}\ni: int32[] = 1\nn: int32[1] = 4\ny = {split} {{T: float32, num_split: 1}}"
        check(lines, hits="tidy/split")


def test_parts_of_parts() -> None:
    text = f"""
        {X}
        i: int32[] = 1
        j: int32[] = -1
        a = Neg(x) {F}
        b = ConcatV2(a, x, i) {JOIN}
        c = ConcatV2(x, a, j) {JOIN}
        y = ConcatV2(b, c, i) {JOIN}
    """
    after = check(text, "Neg", "ConcatV2", hits="tidy/concat")
    assert "N: 4" in after
    check(f"{text}\noutputs y, c", "Neg", "ConcatV2", "ConcatV2", hits="tidy/concat")
    stays(f"{text}\noutputs y, b, c")
    stays(
        text.replace("i: int32[] = 1", "i: int32[] = 0")
        .replace("= -1", "= 1")
        .replace("y = ConcatV2(b, c, i)", "y = ConcatV2(c, c, i)")
    )


def test_a_chain_of_parts_grows_to_a_bound() -> None:
    lines = [X, "i: int32[] = 1", "y0 = Neg(x) {T: float32}"]
    lines += [f"y{at + 1} = ConcatV2(y{at}, x, i) {JOIN}" for at in range(100)]
    text = "\n".join([*lines, "outputs y100"])
    after, _ = rewritten(short(text), RULES.all)
    assert ops_of(after) == ["Neg", "ConcatV2", "ConcatV2"]


SPLIT = "{T: float32, Tlen: int32, num_split: 2} -> 2"


@pytest.mark.parametrize("split", ["Split(i, x)", "SplitV(x, n, i)"])
def test_what_was_split_is_put_together(split: str) -> None:
    head = f"{X}\ni: int32[] = 1\nj: int32[] = -1\nn: int32[2] = 2, 2\ns = {split} {SPLIT}"
    text = f"{head}\ny = ConcatV2(s, s:1, j) {JOIN}"
    check(text, hits="tidy/concat")
    name = split.partition("(")[0]
    check(f"{text}\nz = Neg(s) {F}\noutputs y, z", name, "Neg", hits="tidy/concat")
    stays(text.replace("s, s:1", "s:1, s"))
    stays(text.replace("s, s:1", "s, s"))
    stays(text.replace("= -1", "= 0"))


def test_what_was_put_together_is_split() -> None:
    text = f"""
        x: float32[?, 3]
        z: float32[?, 1]
        i: int32[] = 1
        n: int32[2] = 3, 1
        a = ConcatV2(x, z, i) {JOIN}
        s = SplitV(a, n, i) {SPLIT}
        y = Neg(s) {F}
        outputs y, s:1
    """
    check(text, "Neg", hits="tidy/split")
    check(f"{text.strip()}, a", "ConcatV2", "Neg", hits="tidy/split")
    stays(text.replace("= 3, 1", "= 2, 2"))
    stays(text.replace("SplitV(a, n, i)", "Split(i, a)"))


def test_packed_and_unpacked() -> None:
    unpack = "{T: float32, num: 4, axis: 1} -> 4"
    pack = "{T: float32, N: 4, axis: -1}"
    text = f"{X}\nu = Unpack(x) {unpack}\ny = Pack(u, u:1, u:2, u:3) {pack}"
    check(text, hits="tidy/pack")
    stays(text.replace("u, u:1", "u:1, u"))
    stays(text.replace("axis: -1", "axis: 0"))
    text = f"""
        {X}
        z: float32[?, 4]
        p = Pack(x, z) {{T: float32, N: 2, axis: 2}}
        u = Unpack(p) {{T: float32, num: 2, axis: -1}} -> 2
        y = Sub(u:1, u) {F}
    """
    check(text, "Sub", hits="tidy/unpack")
    check(f"{text}\noutputs y, p", "Pack", "Sub", hits="tidy/unpack")
    two = text.replace("[?, 4]", "[2, 2]")
    check(two, "Sub", hits="tidy/unpack")
    stays(two.replace("axis: -1", "axis: 0"))


PAD = "{T: float32, Tpaddings: int32}"


def test_paddings() -> None:
    none = f"{X}\np: int32[2, 2] = 0, 0, 0, 0\nc: float32[] = 3"
    check(f"{none}\ny = Pad(x, p) {PAD}", hits="tidy/pad")
    check(f"{none}\ny = PadV2(x, p, c) {PAD}", hits="tidy/pad")
    check(f'{none}\ny = MirrorPad(x, p) {PAD[:-1]}, mode: b"REFLECT"}}', hits="tidy/pad")


def test_paddings_of_paddings() -> None:
    text = f"""
        {X}
        p: int32[2, 2] = 0, 1, 2, 0
        q: int32[2, 2] = 1, 1, 0, 0
        c: float32[] = 3
        a = PadV2(x, p, c) {PAD}
        y = PadV2(a, q, c) {PAD}
    """
    after = check(text, "PadV2", hits="tidy/pad")
    assert "tensor(int32[2, 2]: 1, 2, 2, 0)" in after
    check(text.replace("= 3", "= 0"), "Pad", hits="tidy/pad")
    check(text.replace("= 3", "= 0").replace("PadV2(x, p, c)", "Pad(x, p)"), "Pad", hits="tidy/pad")
    stays(f"{text}\noutputs y, a")
    stays(text.replace("PadV2(x, p, c)", "Pad(x, p)"))
    stays(text.replace("= 3", "= nan"))
    mirror = f'a = MirrorPad(x, q) {PAD[:-1]}, mode: b"SYMMETRIC"}}'
    stays(text.replace(f"a = PadV2(x, p, c) {PAD}", mirror))


SLICE = "{T: float32, Index: int32}"


@pytest.mark.parametrize("sizes", ["-1, 4", "-1, -1"])
def test_a_slice_of_everything(sizes: str) -> None:
    text = f"{X}\nb: int32[2] = 0, 0\ns: int32[2] = {sizes}\ny = Slice(x, b, s) {SLICE}"
    check(text, hits="tidy/slice")
    stays(text.replace(sizes, "-1, 3"))
    stays(text.replace(sizes, "2, 4"))
    stays(text.replace("= 0, 0", "= 0, 1").replace(sizes, "-1, -1"))


STRIDED = """
    x: float32[?, 4]
    b: int32[2] = 0, 0
    e: int32[2] = 0, 4
    s: int32[2] = 1, 1
    y = StridedSlice(x, b, e, s) {T: float32, Index: int32, begin_mask: 0, ellipsis_mask: 0, end_mask: 1, new_axis_mask: 0, shrink_axis_mask: 0}
"""  # noqa: E501 - a line is a node


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("e: int32[2] = 0, 4", "e: int32[2] = 0, 9"),
        ("b: int32[2] = 0, 0", "b: int32[2] = 0, -4"),
        ("end_mask: 1", "end_mask: 3"),
        ("ellipsis_mask: 0", "ellipsis_mask: 1"),
        ("0, 4\n", "2147483647, 4\n"),
    ],
)
def test_a_strided_slice_of_everything(old: str, new: str) -> None:
    assert old in STRIDED
    check(STRIDED.replace(old, new), hits="tidy/slice")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("= 0, 4", "= 0, 3"),
        ("= 0, 4", "= 0, -1"),
        ("end_mask: 1", "end_mask: 0"),
        ("s: int32[2] = 1, 1", "s: int32[2] = 1, 2"),
        ("b: int32[2] = 0, 0", "b: int32[2] = 0, 1"),
        ("b: int32[2] = 0, 0", "b: int32[2] = -2, 0"),
        ("new_axis_mask: 0", "new_axis_mask: 1"),
        ("shrink_axis_mask: 0", "shrink_axis_mask: 1"),
        ("x: float32[?, 4]", "x: float32[*]"),
        ("e: int32[2] = 0, 4", "e: int32[2]"),
    ],
)
def test_strided_slices_that_stay(old: str, new: str) -> None:
    assert old in STRIDED
    stays(STRIDED.replace(old, new))


def test_repeated_once() -> None:
    tile = "{T: float32, Tmultiples: int32}"
    text = f"{X}\nn: int32[2] = 1, 1\ny = Tile(x, n) {tile}"
    check(text, hits="tidy/repeat")
    stays(text.replace("= 1, 1", "= 1, 2"))
    told = "{T: float32, Tidx: int32}"
    text = f"x: float32[2, 4]\nn: int32[2] = 2, 4\ny = BroadcastTo(x, n) {told}"
    check(text, hits="tidy/repeat")
    stays(text.replace("x: float32[2, 4]", "x: float32[?, 4]"))
    stays(text.replace("x: float32[2, 4]", "x: float32[1, 4]"))
    stays(text.replace("n: int32[2] = 2, 4", "n: int32[3] = 1, 2, 4"))
    own = f"{X}\ns = Shape(x) {{T: float32, out_type: int32}}\ny = BroadcastTo(x, s) {told}"
    check(own, hits="tidy/repeat")


def test_reversed_twice() -> None:
    told = "{T: float32, Tidx: int32}"
    text = f"""
        {X}
        i: int32[2] = 0, 1
        j: int32[2] = -1, 0
        a = ReverseV2(x, i) {told}
        y = ReverseV2(a, j) {told}
    """
    check(text, hits="tidy/reverse")
    check(f"{text}\noutputs y, a", "ReverseV2", hits="tidy/reverse")
    stays(text.replace("j: int32[2] = -1, 0", "j: int32[1] = 1"))
    check(f"x: float32[1, 4]\ni: int32[1] = 0\ny = ReverseV2(x, i) {told}", hits="tidy/reverse")
