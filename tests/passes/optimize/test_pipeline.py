"""The optimizer as a whole: what it can be told, and what it tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rules_table import DOCS, page

import tfjs
from tests.passes.optimize.checks import parsed
from tfjs.errors import UsageError, VerificationError
from tfjs.formats.base import WriteOptions
from tfjs.formats.tfjs_graph.write import write
from tfjs.ir.graph import Graph, GraphModel, Node, Signature, Value
from tfjs.ir.text import graph_text, parse_graphs
from tfjs.passes.inline import copied
from tfjs.passes.optimize import pipeline, scales
from tfjs.passes.optimize.engine import Match, Rule
from tfjs.passes.optimize.pipeline import PASSES, known_ids, optimize, rule_ids

CNN = """
x = Placeholder() {dtype: float32, shape: <?, 4, 4, 2>} -> float32[?, 4, 4, 2]
w = Const() {dtype: float32, value: tensor(float32[1, 1, 2, 3]: 1, -2, 3, -4, 5, 1)} -> float32[1, 1, 2, 3]
s = Const() {dtype: float32, value: tensor(float32[3]: 2, 1, 0.5)} -> float32[3]
o = Const() {dtype: float32, value: tensor(float32[3]: 1, 0, -1)} -> float32[3]
m = Const() {dtype: float32, value: tensor(float32[3]: 0.5, 1, 2)} -> float32[3]
v = Const() {dtype: float32, value: tensor(float32[3]: 1, 2, 3)} -> float32[3]
c = Conv2D(x, w) {T: float32, data_format: b"NHWC", dilations: [1, 1, 1, 1], padding: b"VALID", strides: [1, 1, 1, 1]} -> float32[?, 4, 4, 3]
n = FusedBatchNormV3(c, s, o, m, v) {T: float32, U: float32, data_format: b"NHWC", epsilon: 0.001, is_training: false} -> float32[?, 4, 4, 3], float32[3], float32[3], float32[3], float32[3], float32[*]
y = Relu(n) {T: float32} -> float32[?, 4, 4, 3]
inputs x
outputs y = y
"""  # noqa: E501 - a line is a node


def model(graph: Graph | None = None) -> GraphModel:
    return GraphModel(graph or parsed(CNN), Signature(["x"], ["y"]))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "plain"
    write(model(), path, WriteOptions())
    return path


def ops(report: tfjs.Report) -> set[str]:
    return {op for op in report.ops if op not in ("Const", "Placeholder")}


def test_many_quantized_weights_take_scales_in_once_they_are_expanded(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scales, "_MOST_EXPANDED", 5)
    small, web = tmp_path / "small", tmp_path / "web"
    tfjs.convert(saved, small, to="tfjs-graph", quantize={"uint8": "*"}, optimize=False)
    kept = tfjs.convert(small, tmp_path / "kept", to="tfjs-graph")
    assert ops(kept) == {"Conv2D", "FusedDepthwiseConv2dNative"}
    expanded = tfjs.convert(small, web, to="tfjs-graph", dequantize=True)
    assert ops(expanded) == {"_FusedConv2D"}
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 2)).astype(np.float32)
    (wanted,), (given,) = (tfjs.load(path).execute(x) for path in (small, web))
    np.testing.assert_allclose(given, wanted, rtol=1e-5, atol=1e-5)


def test_a_conversion_is_optimized_and_tells(saved: Path, tmp_path: Path) -> None:
    report = tfjs.convert(saved, tmp_path / "web", to="tfjs-graph")
    assert ops(report) == {"_FusedConv2D"}
    assert report.optimizations == {"fold/batch-norm": 1, "fuse/activation": 1}


def test_what_can_be_told(saved: Path, tmp_path: Path) -> None:
    def converted(**options: object) -> tfjs.Report:
        return tfjs.convert(saved, tmp_path / "web", to="tfjs-graph", **options)  # type: ignore[no-any-return, call-overload]

    assert ops(converted(optimize=False)) == {"Conv2D", "FusedBatchNormV3", "Relu"}
    assert ops(converted(numerics="exact")) == {"Conv2D", "FusedBatchNormV3", "Relu"}
    assert ops(converted(disable_passes=["fuse"])) == {"Conv2D", "FusedDepthwiseConv2dNative"}
    without = ["fuse", "fuse-lone"]
    assert ops(converted(disable_passes=without)) == {"Conv2D", "FusedBatchNormV3", "Relu"}
    assert ops(converted(disable_passes=["fuse/activation"])) == {"_FusedConv2D", "Relu"}
    assert ops(converted(check_passes=True)) == {"_FusedConv2D"}
    with pytest.raises(UsageError, match="there is no pass or rule 'fuse/all'"):
        converted(disable_passes=["fuse/all"])
    with pytest.raises(UsageError, match="there is no pass or rule 'x'"):
        converted(dump_after=["x"])


@pytest.mark.parametrize("ident", ["fuse", "fold/batch-norm"])
def test_the_text_after_a_pass(ident: str, saved: Path, tmp_path: Path) -> None:
    tfjs.convert(saved, tmp_path / "web", to="tfjs-graph", dump_after=[ident])
    text = (tmp_path / f"web.{ident.replace('/', '-')}.txt").read_text()
    (graph,) = parse_graphs(text)
    assert graph_text(graph) == text
    assert next(node.op for node in graph.nodes.values() if node.inputs) == "_FusedConv2D"
    assert ("Relu(" in text) == (ident != "fuse")


def test_a_rule_that_changes_answers_is_named(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(node: Node, match: Match) -> Sequence[Value]:
        return [match.op("Relu6", match.op("Neg", node.inputs[0], attrs={"T": "float32"}))]

    wrong = Rule("fuse/wrong", ("Relu",), "exact", broken)
    fuse = next(entry for entry in PASSES if entry.id == "fuse")
    monkeypatch.setattr(pipeline, "PASSES", (replace(fuse, rules=(*fuse.rules[:1], wrong)),))
    with pytest.raises(VerificationError, match="the rule fuse/wrong, which is exact, changes"):
        tfjs.convert(saved, tmp_path / "web", to="tfjs-graph", check_passes=True, verify=False)
    assert not (tmp_path / "web").exists()
    with pytest.raises(VerificationError):
        tfjs.convert(saved, tmp_path / "web", to="tfjs-graph", verify=True)


@pytest.mark.parametrize(
    "options",
    [
        {"optimize": False},
        {"numerics": "exact"},
        {"disable_passes": ["fuse"]},
        {"dump_after": ["fuse"]},
        {"check_passes": True},
    ],
    ids=lambda options: next(iter(options)),
)
@pytest.mark.parametrize("to", ["saved-model", "frozen-graph"])
def test_what_is_not_optimized_takes_no_such_option(
    options: Any, to: str, saved: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(options))} is an option of TF.js graph"):
        tfjs.convert(saved, tmp_path / "other.pb", to=to, **options)
    tfjs.convert(saved, tmp_path / "other.pb", to=to, disable_passes=[], verify=False)


def test_functions_are_optimized_too() -> None:
    found = model()
    found.functions["f"] = copied(found.graph, "f")
    hits = optimize(found)
    assert hits["fuse/activation"] == 2
    assert {node.op for node in found.functions["f"].nodes.values()} >= {"_FusedConv2D"}


def test_weights_are_not_changed_in_place() -> None:
    found = model()
    kernel = found.graph.nodes["w"].attrs["value"].array().copy()
    optimize(found)
    # The old one is gone with its reader; it is what it was where someone holds it.
    assert "w" not in found.graph.nodes
    np.testing.assert_array_equal(parsed(CNN).nodes["w"].attrs["value"].array(), kernel)


def test_ids_are_those_of_passes_and_rules() -> None:
    assert len(known_ids()) == len(set(known_ids()))
    assert {entry.id for entry in PASSES} | rule_ids() == set(known_ids())
    assert all(ident.count("/") == 1 for ident in rule_ids())
    assert all(entry.why for entry in PASSES)


def test_the_page_is_up_to_date() -> None:
    assert DOCS.read_text() == page(), "run: python tools/facts/rules_table.py"
