"""Transposes and reshapes are moved to where they cancel; known sizes are constants."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.passes.optimize.checks import assert_same, ops_of, parsed, rewritten
from tests.passes.optimize.short import short
from tests.passes.optimize.tidying import IMAGE, RESHAPE, F, X, check, stays, turn
from tfjs.ir.text import graph_text
from tfjs.passes.fold import fold_graph
from tfjs.passes.inline import copied
from tfjs.passes.optimize.engine import apply
from tfjs.passes.optimize.tidy import RULES

INTO = turn("a", "x", "0, 3, 1, 2")


def test_a_transpose_is_sunk_to_its_inverse() -> None:
    text = f"""
        {IMAGE}
        {INTO}
        s: float32[4, 1, 1] = 2, 3, 0.5, -1
        two: float32[] = 2
        b = Mul(s, a) {F}
        c = Sub(two, b) {F}
        d = Relu(c) {F}
        {turn("y", "d", "0, 2, 3, 1")}
    """
    hits = {"tidy/sink-transpose": 1, "tidy/transpose": 1, "tidy/leading-axes": 1}
    after = check(text, "Mul", "Sub", "Relu", hits=hits)
    assert "tensor(float32[4]: 2.0, 3.0, 0.5, -1.0)" in after
    # What is read on the way has its old layout; no Transpose would go.
    stays(f"{text}\noutputs y, c")
    stays(f"{text}\noutputs y, a")
    # Another one is left when it is no inverse.
    other = text.replace("= 0, 2, 3, 1", "= 1, 2, 3, 0")
    ops = ["Mul", "Sub", "Relu", "Transpose"]
    check(other, *ops, hits=hits)


def test_one_of_two_readers_wants_it_turned_back() -> None:
    text = f"""
        {IMAGE}
        {INTO}
        b = Relu(a) {F}
        {turn("y", "b", "0, 2, 3, 1")}
        outputs y, b
    """
    after = check(text, "Relu", "Transpose", hits={"tidy/sink-transpose": 1, "tidy/transpose": 1})
    assert "b = Transpose(" in after
    # One more is made than goes.
    stays(text.replace("= 0, 2, 3, 1", "= 0, 2, 1, 3"))


def test_no_sinking() -> None:
    text = f"{IMAGE}\n{INTO}\nb = Relu(a) {F}\n{turn('y', 'b', '0, 2, 3, 1')}"
    check(text, "Relu", hits={"tidy/sink-transpose": 1, "tidy/transpose": 1})
    # An axis of its own; an order that is not known; a vector that is not.
    stays(text.replace("Relu(a)", "Softmax(a)"))
    stays(text.replace("y_p: int32[4] = 0, 2, 3, 1", "y_p: int32[4]"))
    stays(text.replace("a_p: int32[4] = 0, 3, 1, 2", "a_p: int32[4]"))
    stays(text.replace(f"b = Relu(a) {F}", f"v: float32[2]\nb = Mul(a, v) {F}"))


@pytest.mark.parametrize(
    ("join", "op"),
    [
        ("AddV2(a, b) {T: float32}", "AddV2"),
        ("AddN(a, b) {T: float32, N: 2}", "AddN"),
        ("ConcatV2(a, b, at) {T: float32, N: 2, Tidx: int32}", "ConcatV2"),
    ],
)
def test_values_turned_the_same_way(join: str, op: str) -> None:
    text = f"""
        {IMAGE}
        z: float32[?, 3, 2, 4]
        at: int32[] = 1
        {INTO}
        {turn("b", "z", "0, 3, 1, 2")}
        y = {join}
    """
    check(text, op, "Transpose", hits="tidy/join-transposes")
    stays(f"{text}\noutputs y, a")
    # The other is turned another way.
    other = text.replace("b_p: int32[4] = 0, 3, 1, 2", "b_p: int32[4] = 0, 3, 2, 1")
    stays(other.replace("z: float32[?, 3, 2, 4]", "z: float32[?, 2, 3, 4]"))


def test_a_sum_that_is_larger_than_both_is_not_turned() -> None:
    text = f"""
        x: float32[4, 1, 3]
        z: float32[1, 5, 3]
        {turn("a", "x", "2, 1, 0")}
        {turn("b", "z", "2, 1, 0")}
        y = AddV2(a, b) {F}
    """
    stays(text)
    check(
        text.replace("1, 3]", "2, 3]").replace("5, 3]", "2, 3]"),
        "AddV2",
        "Transpose",
        hits="tidy/join-transposes",
    )


def test_a_residual_network_with_channels_first() -> None:
    back = "0, 2, 3, 1"
    text = f"""
        {IMAGE}
        z: float32[?, 3, 2, 4]
        {INTO}
        {turn("b", "z", "0, 3, 1, 2")}
        s = AddV2(a, b) {F}
        r = Relu(s) {F}
        {turn("t", "r", back)}
        u = Softmax(t) {F}
        {turn("v", "u", "0, 3, 1, 2")}
        w = AddV2(r, v) {F}
        q = Relu(w) {F}
        {turn("y", "q", back)}
    """
    before, (after, _) = short(text), rewritten(short(text), RULES.all)
    assert ops_of(before).count("Transpose") == 5
    assert ops_of(after) == ["AddV2", "Relu", "Softmax", "AddV2", "Relu"]


def test_a_reshape_is_sunk_to_another() -> None:
    text = f"""
        {IMAGE}
        s: int32[2] = -1, 24
        t: int32[4] = -1, 3, 2, 4
        c: float32[] = 2
        a = Reshape(x, s) {RESHAPE}
        b = Mul(a, c) {F}
        d = Tanh(b) {F}
        y = Reshape(d, t) {RESHAPE}
    """
    hits = {"tidy/sink-reshape": 1, "tidy/reshape": 1}
    check(text, "Mul", "Tanh", hits=hits)
    stays(f"{text}\noutputs y, d")
    stays(f"{text}\noutputs y, a")
    # A number with more axes, or for each column.
    stays(text.replace("[] = 2", "[1, 1, 1] = 2"))
    stays(text.replace("c: float32[] = 2", "c: float32[24] = " + ", ".join(["2"] * 24)))


# Sizes -------------------------------------------------------------------------------------------

SHAPE = "{T: float32, out_type: int32}"
PICK = (
    "{T: int32, Index: int32, begin_mask: 0, ellipsis_mask: 0, end_mask: 0, new_axis_mask: 0,"
    " shrink_axis_mask: 1}"
)


@pytest.mark.parametrize("step", ["Relu(x)", "Mul(c, x)", "BiasAdd(x, c)", "Softmax(x)"])
@pytest.mark.parametrize("op", ["Shape", "Size", "Rank"])
def test_the_shape_of_what_a_step_changes(step: str, op: str) -> None:
    text = f"{X}\nc: float32[4] = 1, 2, 3, 4\na = {step} {F}\ny = {op}(a) {SHAPE}\noutputs y, a"
    after = check(text, step.partition("(")[0], op, hits="tidy/shape-before")
    assert f"y = {op}(x)" in after


def test_the_shape_behind_a_product() -> None:
    # Its steps become part of it, as long as nothing else reads it.
    text = f"""
        x: float32[?, 2]
        w: float32[2, 2] = 1, 2, 3, 4
        c: float32[2] = 5, 6
        p = MatMul(x, w) {{T: float32, transpose_a: false, transpose_b: false}}
        a = AddV2(p, c) {F}
        b = Relu(a) {F}
        y = Shape(b) {SHAPE}
        outputs y, b
    """
    stays(text)
    stays(text.replace("y = Shape(b)", "y = Shape(a)"))
    check(
        text.replace("MatMul(x, w)", "Sub(x, c)"),
        "Sub",
        "AddV2",
        "Relu",
        "Shape",
        hits="tidy/shape-before",
    )


@pytest.mark.parametrize("other", ["float32[?]", "float32[1, 1, 1] = 5", "float32[2, 4]"])
def test_the_shape_of_what_is_broadcast(other: str) -> None:
    stays(f"{X}\nc: {other}\na = Sub(x, c) {F}\ny = Shape(a) {SHAPE}")


def test_sizes_that_are_known() -> None:
    text = f"""
        x: float32[?, 3, 4]
        s = Shape(x) {SHAPE}
        b: int32[1] = 1
        e: int32[1] = 2
        o: int32[1] = 1
        n = StridedSlice(s, b, e, o) {PICK}
        f = Cast(n) {{SrcT: int32, DstT: float32}}
        y = Mul(x, f) {F}
    """
    after = check(text, "Cast", "Mul", hits="tidy/known-sizes")
    assert "tensor(int32[]: 3)" in after
    stays(text.replace("b: int32[1] = 1", "b: int32[1] = 0"))
    gathered = f"""
        x: float32[?, 3, 4]
        s = Shape(x) {SHAPE}
        i: int32[2] = 2, 1
        a: int32[] = 0
        g = GatherV2(s, i, a) {{Tparams: int32, Tindices: int32, Taxis: int32, batch_dims: 0}}
        p = Prod(g, a) {{T: int32, Tidx: int32, keep_dims: false}}
        outputs p, g
    """
    after = check(gathered, hits={"tidy/known-sizes": 2})
    assert "tensor(int32[]: 12)" in after
    assert "tensor(int32[2]: 4, 3)" in after
    stays(gathered.replace("= 2, 1", "= 0, 1"))


FLATTEN = f"""
    x: float32[?, 3, 2, 4]
    s = Shape(x) {SHAPE}
    b: int32[1] = 0
    e: int32[1] = 1
    o: int32[1] = 1
    n = StridedSlice(s, b, e, o) {PICK}
    m: int32[] = 24
    p = Pack(n, m) {{T: int32, N: 2, axis: 0}}
    y = Reshape(x, p) {RESHAPE}
"""
HEADS = f"""
    x: float32[?, 6, 8]
    s = Shape(x) {SHAPE}
    b: int32[1] = 0
    e: int32[1] = 1
    f: int32[1] = 2
    o: int32[1] = 1
    n = StridedSlice(s, b, e, o) {PICK}
    t = StridedSlice(s, e, f, o) {PICK}
    h: int32[] = 2
    d: int32[] = 4
    p = Pack(n, t, h, d) {{T: int32, N: 4, axis: 0}}
    y = Reshape(x, p) {RESHAPE}
"""
# A dense layer on sequences, as `tf.tensordot` writes it.
TENSORDOT = f"""
    x: float32[?, 3, 2]
    w: float32[2, 4] = 1, 2, 3, 4, 5, 6, 7, 8
    s = Shape(x) {SHAPE}
    a: int32[] = 0
    free: int32[2] = 0, 1
    z: int32[1] = 0
    sum: int32[1] = 2
    g = GatherV2(s, free, a) {{Tparams: int32, Tindices: int32, Taxis: int32, batch_dims: 0}}
    g1 = GatherV2(s, sum, a) {{Tparams: int32, Tindices: int32, Taxis: int32, batch_dims: 0}}
    p = Prod(g, z) {{T: int32, Tidx: int32, keep_dims: false}}
    p1 = Prod(g1, z) {{T: int32, Tidx: int32, keep_dims: false}}
    k = Pack(p, p1) {{T: int32, N: 2, axis: 0}}
    r = Reshape(x, k) {RESHAPE}
    m = MatMul(r, w) {{T: float32, transpose_a: false, transpose_b: false}}
    c: int32[1] = 4
    l = ConcatV2(g, c, a) {{T: int32, N: 2, Tidx: int32}}
    y = Reshape(m, l) {RESHAPE}
"""


@pytest.mark.parametrize(
    ("text", "ops"),
    [
        (FLATTEN, ["Reshape"]),
        (HEADS, ["Reshape"]),
        (TENSORDOT, ["Reshape", "MatMul", "Reshape"]),
        # Of a free batch and a free number of steps, nothing more is known.
        (
            HEADS.replace("[?, 6, 8]", "[?, ?, 8]"),
            ["Shape", "StridedSlice", "StridedSlice", "Pack", "Reshape"],
        ),
    ],
)
def test_shapes_that_keras_computes_are_constants(text: str, ops: list[str]) -> None:
    graph = parsed(short(text))
    before = copied(graph, "")
    fold_graph(graph)
    apply(graph, RULES.all, Counter())
    assert ops_of(graph_text(graph)) == ops
    assert_same(before, graph, relative=0)
