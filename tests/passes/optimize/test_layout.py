"""Regions between transposes, in the layout from before them."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.passes.optimize.checks import assert_same, ops_of, parsed
from tests.passes.optimize.short import short
from tfjs.ir.graph import Graph
from tfjs.ir.text import graph_text
from tfjs.passes.inline import copied
from tfjs.passes.optimize.layout import lay_out

HEAD = """
    x: float32[?, 4, 5, 3]
    other: float32[?, 4, 5, 3]
    first: int32[4] = 0, 3, 1, 2
    last: int32[4] = 0, 2, 3, 1
    k: float32[3, 1, 1] = 2, 3, 4
    one: float32[] = 2
    axis: int32[] = 1
    sides: int32[2] = 2, 3
    t = Transpose(x, first) {T: float32, Tperm: int32}
    u = Transpose(other, first) {T: float32, Tperm: int32}
"""
BACK = "    y = Transpose(%s, last) {T: float32, Tperm: int32}\n"


def laid_out(text: str) -> tuple[Graph, int]:
    """A graph after the pass, and how many regions were moved; it answers as before."""
    before = parsed(short(text))
    after, hits = copied(before, before.name), Counter[str]()
    lay_out(after, hits)
    assert_same(before, after)
    again = Counter[str]()
    lay_out(copied(after, after.name), again)
    assert not again
    assert set(hits) <= {"layout/region"}
    return after, hits["layout/region"]


def steps(*lines: str, end: str) -> str:
    told = "".join(f"    {line}\n" for line in lines)
    return HEAD + told + BACK % end


@pytest.mark.parametrize(
    ("lines", "ops"),
    [
        (["a = Relu(t) {T: float32}"], ["Relu"]),
        (["a = Mul(t, k) {T: float32}"], ["Mul"]),
        (["a = Sub(k, t) {T: float32}"], ["Sub"]),
        (["a = Maximum(t, one) {T: float32}"], ["Maximum"]),
        (["a = AddN(t, u, t) {T: float32, N: 3}"], ["AddN"]),
        (["a = ConcatV2(t, u, axis) {T: float32, Tidx: int32, N: 2}"], ["ConcatV2"]),
        (
            ["p: int32[4, 2] = 0, 0, 1, 0, 2, 0, 0, 3", "a = Pad(t, p) {T: float32}"],
            ["Pad"],
        ),
        (
            [
                "s = Mean(t, sides) {T: float32, Tidx: int32, keep_dims: true}",
                "a = Mul(t, s) {T: float32}",
            ],
            ["Mean", "Mul"],
        ),
        # As a block has it, with a way around.
        (
            [
                "b = Mul(t, k) {T: float32}",
                "c = Relu(b) {T: float32}",
                "a = Add(t, c) {T: float32}",
            ],
            ["Mul", "Relu", "Add"],
        ),
    ],
)
def test_between_transposes(lines: list[str], ops: list[str]) -> None:
    after, count = laid_out(steps(*lines, end="a"))
    assert ops_of(graph_text(after)) == ops
    assert count == 1
    # Who else reads the value gets it as it was: two transposes go, one comes.
    after, count = laid_out(f"{steps(*lines, end='a')}    z = Exp(a)\n    outputs y, z")
    assert count == 1
    assert sorted(ops_of(graph_text(after))) == sorted([*ops, "Transpose", "Exp"])


def test_names_stay() -> None:
    after, _ = laid_out(steps("a = Relu(t) {T: float32}", "b = Mul(a, k) {T: float32}", end="b"))
    assert {"a", "b"} <= set(after.nodes)
    assert after.nodes["a"].origin == ("a",)


def test_several_ways_in_and_out() -> None:
    text = steps(
        "a = Add(t, u) {T: float32}",
        "b = Relu(a) {T: float32}",
        "z = Transpose(a, last) {T: float32, Tperm: int32}",
        "m = Mean(b, sides) {T: float32, Tidx: int32, keep_dims: false}",
        end="b",
    )
    after, count = laid_out(f"{text}    outputs y, z, m")
    assert sorted(ops_of(graph_text(after))) == ["Add", "Mean", "Relu"]
    assert count == 1


def test_what_is_in_the_other_layout_is_turned_once() -> None:
    # Two large values would be turned in place of one.
    lines = ["w: float32[?, 3, 4, 5]", "a = Add(t, w) {T: float32}", "b = Mul(a, w) {T: float32}"]
    after, count = laid_out(steps(*lines, end="b"))
    assert count == 1
    assert sorted(ops_of(graph_text(after))) == ["Add", "Mul", "Transpose"]
    # A value of one number a channel lies as it did.
    lines[0] = "w: float32[?, 3, 1, 1]"
    after, count = laid_out(steps(*lines, end="b"))
    assert count == 1


@pytest.mark.parametrize(
    "text",
    [
        # One Transpose goes, and one comes.
        f"{HEAD}    y = Relu(t) {{T: float32}}",
        f"{HEAD}    y = Relu(t) {{T: float32}}\n    outputs y, t",
        # What works along the last axis.
        steps("a = Softmax(t) {T: float32}", end="a"),
        # Another rank.
        steps("w: float32[2, ?, 3, 4, 5]", "a = Add(t, w) {T: float32}", end="a").split("    y =")[
            0
        ]
        + "    y = Relu(a) {T: float32}",
        # The others would come in another order.
        f"{HEAD}    y = Mean(t, axis) {{T: float32, Tidx: int32, keep_dims: false}}".replace(
            "int32[] = 1", "int32[1] = 2"
        ),
    ],
)
def test_what_stays(text: str) -> None:
    before = graph_text(parsed(short(text)))
    after, count = laid_out(text)
    assert count == 0
    assert graph_text(after) == before


def test_values_of_unknown_rank_and_axes_that_are_fed_stay() -> None:
    joined = "a = ConcatV2(t, u, n) {T: float32, Tidx: int32, N: 2}"
    unknown = parsed(short(steps("a = Relu(t) {T: float32}", end="a")))
    for node in unknown.nodes.values():
        if node.op != "Const":
            node.output.shape = None
    for graph in (unknown, parsed(short(steps("n: int32[]", joined, end="a")))):
        hits = Counter[str]()
        lay_out(graph, hits)
        assert not hits
