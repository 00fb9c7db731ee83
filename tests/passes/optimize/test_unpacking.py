"""Large values that are taken apart into many parts, and few parts of many."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.passes.optimize.checks import assert_same, left_alone, ops_of, parsed, rewritten
from tests.passes.optimize.short import short
from tfjs.ir.text import graph_text
from tfjs.passes.inline import copied
from tfjs.passes.optimize.unpacking import RULES, join_slices


def unpack(shape: str, axis: int, count: int, outputs: str, dtype: str = "float32") -> str:
    return f"""
        x: {dtype}[{shape}]
        u = Unpack(x) {{T: {dtype}, axis: {axis}, num: {count}}} -> {count}
        outputs {outputs}
    """


def every(count: int) -> str:
    return ", ".join(f"u:{index}" if index else "u" for index in range(count))


@pytest.mark.parametrize(
    ("shape", "axis", "count", "parts"),
    [
        ("25, ?, 656", 0, 25, 5),
        ("?, 26, 640", 1, 26, 5),
        ("2, 3, 2800, 24", -1, 24, 5),
        ("101, 163", 0, 101, 10),
    ],
)
def test_many_parts_of_a_large_value(shape: str, axis: int, count: int, parts: int) -> None:
    after, hits = rewritten(short(unpack(shape, axis, count, every(count))), RULES.all)
    assert hits == {"unpack/stages": 1}
    assert ops_of(after) == ["SplitV"] + ["Unpack"] * parts


@pytest.mark.parametrize(
    "text",
    [
        unpack("23, 1000", 0, 23, every(23)),
        unpack("25, 655", 0, 25, every(25)),
        unpack("25, 1000", 0, 25, every(25), "int32"),
        unpack("*", 0, 25, every(25)),
        unpack("25, ?, 600", 0, 25, every(25)),
    ],
)
def test_few_or_small_parts_stay(text: str) -> None:
    left_alone(short(text), RULES.all)


@pytest.mark.parametrize(
    ("shape", "axis", "dtype"),
    [("6, ?", 0, "float32"), ("?, 6, 2", 1, "int32"), ("4, 3, 6", -1, "bool")],
)
def test_few_parts_of_many(shape: str, axis: int, dtype: str) -> None:
    for outputs in ("u:5", "u, u:3", "u:2, u:2"):
        after, hits = rewritten(short(unpack(shape, axis, 6, outputs, dtype)), RULES.all)
        assert hits == {"unpack/few": 1}
        assert set(ops_of(after)) == {"StridedSlice"}
        assert len(ops_of(after)) == len(set(outputs.split(", ")))


def test_part_that_a_node_reads() -> None:
    text = unpack("3, ?", 0, 3, "y").replace("outputs", "y = Exp(u:1) {T: float32}\noutputs")
    after, hits = rewritten(short(text), RULES.all)
    assert hits == {"unpack/few": 1}
    assert ops_of(after) == ["StridedSlice", "Exp"]


@pytest.mark.parametrize(
    "text",
    [
        unpack("6, ?", 0, 6, "u, u:3, u:5"),
        unpack("2, ?", 0, 2, "u"),
        unpack("*", 0, 6, "u"),
    ],
)
def test_more_parts_stay(text: str) -> None:
    left_alone(short(text), RULES.all)


def sliced(*places: int, axis: int = 1, shape: str = "?, 4, 3", masks: int = 5, **more: int) -> str:
    """Slices of one place of an axis each, which give all that other axes have."""
    rank = shape.count(",") + 1
    lines = [f"x: float32[{shape}]", f"one: int32[{rank}] = {', '.join(rank * ['1'])}"]
    told = {
        "begin_mask": masks,
        "end_mask": masks,
        "ellipsis_mask": 0,
        "new_axis_mask": 0,
        "shrink_axis_mask": 1 << axis,
        **more,
    }
    attrs = ", ".join(f"{name}: {number}" for name, number in told.items())
    for at, place in enumerate(places):
        begin, end = [0] * rank, [0] * rank
        begin[axis], end[axis] = place, place + 1
        lines.append(f"b_{at}: int32[{rank}] = {', '.join(map(str, begin))}")
        lines.append(f"e_{at}: int32[{rank}] = {', '.join(map(str, end))}")
        slices = f"StridedSlice(x, b_{at}, e_{at}, one)"
        lines.append(f"s_{at} = {slices} {{Index: int32, T: float32, {attrs}}}")
    return "\n".join([*lines, f"outputs {', '.join(f's_{at}' for at in range(len(places)))}"])


def joined(text: str) -> tuple[str, dict[str, int]]:
    before = parsed(short(text))
    after, hits = copied(before, ""), Counter[str]()
    join_slices(after, hits)
    assert_same(before, after, relative=0)
    again = Counter[str]()
    join_slices(after, again)
    assert not again
    return graph_text(after), dict(hits)


@pytest.mark.parametrize(
    "text",
    [
        sliced(0, 1, 2, 3),
        sliced(2, 0, -1),
        sliced(3, 2, 1, 3),
        sliced(0, 1, 2, axis=0, shape="3, ?, 2", masks=6),
        sliced(0, 1, 2, axis=0, shape="5, ?, 2", masks=6),
        sliced(0, 1, 2, axis=2, shape="?, 2, 3", masks=3),
        sliced(0, 1, 2, shape="?, 3, 3", masks=4, ellipsis_mask=1),
    ],
)
def test_slices_that_are_parts(text: str) -> None:
    after, hits = joined(text)
    assert hits == {"unpack/slices": text.count("StridedSlice")}
    assert ops_of(after) == ["Unpack"]


@pytest.mark.parametrize(
    "text",
    [
        # Too few of them, as many as are asked for twice.
        sliced(0, 3),
        sliced(0, 1, 1, 0),
        sliced(0, 1, 2, shape="?, 7, 3"),
        # Of an axis that is free.
        sliced(0, 1, -1, axis=0, shape="?, 2, 2", masks=6),
        # Sizes of a shape.
        sliced(0, 1, 2, axis=0, shape="3", masks=0),
        # Not all of the others, and axes more or fewer.
        sliced(0, 1, 2, shape="2, 3, 3", masks=1, end_mask=5).replace(
            "b_1: int32[3] = 0, 1, 0", "b_1: int32[3] = 0, 1, 1"
        ),
        sliced(0, 1, 2, masks=5, shrink_axis_mask=0),
        sliced(0, 0, 0, shape="3, 3, 3", masks=4, shrink_axis_mask=3),
        sliced(0, 1, 2, masks=5, new_axis_mask=4),
        sliced(0, 0, 0, masks=7),
        sliced(0, 1, 2).replace("one: int32[3] = 1, 1, 1", "one: int32[3] = 1, 1, 2"),
    ],
)
def test_other_slices_stay(text: str) -> None:
    _, hits = joined(text)
    assert not hits
