"""The rules that tidy, together."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

import tfjs
from tests.passes.optimize.checks import assert_same, parsed
from tests.passes.optimize.short import short
from tests.passes.optimize.tidying import IMAGE, ONE, RESHAPE, F, X
from tfjs.formats.base import WriteOptions
from tfjs.formats.tfjs_graph.write import write
from tfjs.io.json import read_json
from tfjs.ir.graph import GraphModel, Signature
from tfjs.passes.inline import copied
from tfjs.passes.optimize.engine import apply
from tfjs.passes.optimize.tidy import RULES


def test_a_graph_of_nothing_but_steps_that_do_nothing() -> None:
    graph = parsed(short(f"{X}\n{ONE}\na = Identity(x) {F}\ny = Mul(a, c) {F}"))
    apply(graph, RULES.all, Counter())
    assert graph.outputs == [graph.nodes["x"].output]
    assert set(graph.nodes) == {"x"}


def test_outputs_keep_their_names(tmp_path: Path) -> None:
    text = f"{X}\n{ONE}\na = Mul(x, c) {F}\nb = Mul(a, c) {F}\ny = Neg(b) {F}\noutputs b, y"
    model = GraphModel(parsed(short(text)), Signature(["x"], ["b", "y"]))
    write(model, tmp_path / "plain", WriteOptions())
    report = tfjs.convert(tmp_path / "plain", tmp_path / "web", to="tfjs-graph", verify=True)
    assert report.optimizations == {"tidy/neutral": 2}
    written = read_json(tmp_path / "web" / "model.json")
    nodes = {node["name"]: node["op"] for node in written["modelTopology"]["node"]}
    assert nodes == {"x": "Placeholder", "b": "Identity", "y": "Neg"}


@pytest.mark.parametrize("steps", [300, 3000])
def test_cost_is_linear(steps: int) -> None:
    """Transposes, reshapes and steps of all kinds in a row: each is looked at a few times."""
    rng = random.Random(steps)
    lines = [IMAGE, ONE, "s: int32[4] = -1, 3, 2, 4"]
    lines += [f"p{at}: int32[4] = {order}" for at, order in enumerate(ORDERS)]
    for at in range(steps):
        step = rng.choice(["Transpose", "Neg", "Relu", "Exp", "Mul", "Reshape"])
        given = {"Transpose": f", p{rng.randrange(3)}", "Mul": ", c", "Reshape": ", s"}.get(
            step, ""
        )
        attrs = {"Transpose": "{T: float32, Tperm: int32}", "Reshape": RESHAPE}.get(step, F)
        lines.append(f"n{at + 1} = {step}(n{at}{given}) {attrs}")
    text = "\n".join(lines).replace("(n0", "(x") + f"\noutputs n{steps}"
    graph = parsed(short(text))
    before, hits = copied(graph, ""), Counter[str]()
    apply(graph, RULES.all, hits)
    assert steps / 4 < hits.total() < 2 * steps
    assert_same(before, graph, relative=0)


ORDERS = ("0, 3, 1, 2", "0, 2, 3, 1", "0, 2, 1, 3")
