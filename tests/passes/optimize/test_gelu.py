"""GELU by TF.js's own error function."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from tests.passes.optimize.checks import (
    answers,
    assert_same,
    left_alone,
    ops_of,
    parsed,
    rewritten,
)
from tests.passes.optimize.short import short
from tfjs.ir.graph import Graph
from tfjs.ir.text import graph_text
from tfjs.passes.inline import copied
from tfjs.passes.legal import RULES as LEGAL
from tfjs.passes.optimize.engine import apply
from tfjs.passes.optimize.gelu import RULES
from tfjs.passes.rules import apply_rules

TYPE = "float32[?, 5]"
# As Keras 3 exports it.
KERAS = [
    "h = Mul(half, x)",
    "n = Neg(x)",
    "z = Mul(n, root)",
    "e = Erfc(z)",
    "y = Mul(h, e)",
]


def legal(lines: list[str], output: str = "y", inputs: str = "x") -> Graph:
    """A graph with TF.js's operations for Erfc."""
    text = (
        f"x = Placeholder() {{dtype: float32, shape: <?, 5>}} -> {TYPE}\n"
        f"v = Placeholder() {{dtype: float32, shape: <?, 5>}} -> {TYPE}\n"
        "half = Const() {dtype: float32, value: tensor(float32[]: 0.5)} -> float32[]\n"
        "root = Const() {dtype: float32, value: tensor(float32[]: 0.70710678)} -> float32[]\n"
        + "\n".join(f"{line} {{T: float32}} -> {TYPE}" for line in lines)
        + f"\ninputs {inputs}, v\noutputs out = {output}\n"
    )
    graph = parsed(text)
    apply_rules(graph, LEGAL)
    return graph


def changed(lines: list[str], output: str = "y") -> tuple[Graph, Graph, Counter[str]]:
    before = legal(lines, output)
    after, hits = copied(before, before.name), Counter[str]()
    apply(after, RULES.all, hits)
    return before, after, hits


@pytest.mark.parametrize("turned", [False, True])
def test_a_gelu(turned: bool) -> None:
    lines = [*KERAS[:-1], "y = Mul(e, h)"] if turned else KERAS
    before, after, hits = changed(lines)
    assert len(ops_of(graph_text(before))) > 25
    assert sorted(ops_of(graph_text(after))) == sorted(["Mul", "Neg", "Mul", "Erf", "Sub", "Mul"])
    assert hits == {"recognise/gelu": 1}
    assert_same(before, after)
    again = Counter[str]()
    apply(after, RULES.all, again)
    assert not again


def test_the_numbers_are_those_of_the_error_function() -> None:
    x = np.linspace(-9, 9, 3605, dtype=np.float32).reshape(-1, 5)
    _, after, _ = changed(KERAS)
    (given,) = answers(after, {"x": x, "v": x})
    wanted = [0.5 * float(item) * math.erfc(-float(item) / math.sqrt(2)) for item in x.flat]
    np.testing.assert_allclose(given.reshape(-1), wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("lines", "output"),
    [
        # Alone, or times another value, small numbers would be lost.
        (KERAS[:-1], "e"),
        ([*KERAS[:-1], "y = Mul(v, e)"], "y"),
        ([*KERAS[:-1], "y = AddV2(h, e)"], "y"),
        (KERAS, "y, other = e"),
        ([*KERAS, "w = Exp(e)", "u = AddV2(w, y)"], "u"),
    ],
)
def test_no_gelu(lines: list[str], output: str) -> None:
    assert not changed(lines, output)[2]


@pytest.mark.parametrize("part", ["SelectV2", "Reciprocal", "Exp", "Abs"])
def test_a_part_that_others_read_stays(part: str) -> None:
    graph = legal(KERAS)
    node = next(node for node in graph.nodes.values() if node.op == part)
    graph.outputs = [*graph.outputs, node.output]
    graph.output_names = [*graph.output_names, "other"]
    assert not apply(graph, RULES.all, Counter())


def test_another_fit_stays() -> None:
    graph = legal(KERAS)
    number = next(
        node
        for node in graph.nodes.values()
        if node.op == "Const" and np.allclose(node.attrs["value"].array(), 1.48851587)
    )
    graph.replace(number.output, graph.nodes["half"].output)
    assert not apply(graph, RULES.all, Counter())


TANH = """
    x: float32[?, 4]
    one: float32[] = 1
    half: float32[] = 0.5
    c: float32[] = 0.8
    u = Mul(c, x) {T: float32}
    t = Tanh(u) {T: float32}
    s = AddV2(one, t) {T: float32}
"""


@pytest.mark.parametrize(
    "lines",
    [
        "h = Mul(half, x) {T: float32}\ny = Mul(h, s) {T: float32}",
        "h = Mul(x, s) {T: float32}\ny = Mul(half, h) {T: float32}",
        "h = Mul(half, s) {T: float32}\ny = Mul(x, h) {T: float32}",
    ],
)
def test_gelu_by_tanh(lines: str) -> None:
    after, hits = rewritten(short(TANH + lines), RULES.all)
    assert hits == {"recognise/gelu-tanh": 1}
    assert sorted(ops_of(after)) == ["Mul", "Mul", "Mul", "Sigmoid"]


@pytest.mark.parametrize(
    "lines",
    [
        "y = Mul(x, s) {T: float32}",  # no half
        "h = Mul(half, x) {T: float32}\ny = Mul(h, s) {T: float32}\noutputs y, t",
        "h = Mul(half, x) {T: float32}\ny = Mul(h, s) {T: float32}\noutputs y, s",
        "h = Mul(c, x) {T: float32}\ny = Mul(h, s) {T: float32}",
    ],
)
def test_no_gelu_by_tanh(lines: str) -> None:
    left_alone(short(TANH + lines), RULES.all)
