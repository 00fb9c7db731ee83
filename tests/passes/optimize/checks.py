"""Graphs as text, before and after rules, and whether they still answer the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from tfjs.ir.graph import Graph, GraphModel, Signature, constant_of
from tfjs.ir.tensor import Array, ArrayTensor, Quantization, QuantizedTensor
from tfjs.ir.text import graph_text, parse_graphs
from tfjs.passes.inline import copied
from tfjs.passes.optimize import scales
from tfjs.passes.optimize.engine import Rule, apply
from tfjs.runtime.engine import Runner


def parsed(text: str) -> Graph:
    """A graph of its text; `graph main` need not be written."""
    head = "" if text.lstrip().startswith("graph") else "graph main\n"
    return parse_graphs(head + text)[0]


def rewritten(text: str, rules: Iterable[Rule]) -> tuple[str, Counter[str]]:
    """A graph after rules, as text, and how often each applied.

    The answers are held against those of the graph before, and the rules find nothing to do in
    what they made.
    """
    before, rules = parsed(text), list(rules)
    after, hits = copied(before, before.name), Counter[str]()
    apply(after, rules, hits)
    assert_same(before, after)
    again = Counter[str]()
    apply(after, rules, again)
    assert not again, f"they apply to what they made: {again}"
    return graph_text(after), hits


def left_alone(text: str, rules: Iterable[Rule]) -> None:
    """Check that no rule applies."""
    graph, hits = parsed(text), Counter[str]()
    apply(graph, list(rules), hits)
    assert not hits


def ops_of(text: str) -> list[str]:
    """The operations of a graph, in its order, without constants and inputs."""
    nodes = parsed(text).ordered()
    return [node.op for node in nodes if node.op not in ("Const", "Placeholder")]


def assert_few_expanded(text: str, rules: Iterable[Rule], monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that a rule expands quantized weights `w`, unless they are more than a limit."""
    before, rules = parsed(text), list(rules)
    weights = constant_of(before.nodes["w"].output)
    assert weights is not None
    stored = ArrayTensor(np.arange(weights.size, dtype=np.uint8).reshape(weights.shape))
    before.nodes["w"].attrs["value"] = QuantizedTensor(stored, Quantization("uint8", 0.1, 0.0))
    for most, count in ((weights.size - 1, 0), (weights.size, 1)):
        monkeypatch.setattr(scales, "_MOST_EXPANDED", most)
        after = copied(before, before.name)
        assert apply(after, rules, Counter()) == count
        assert_same(before, after)


def assert_same(before: Graph, after: Graph, *, relative: float = 2e-5) -> None:
    """Check that two graphs answer the same for random inputs."""
    assert [node.name for node in before.inputs] == [node.name for node in after.inputs]
    assert before.output_names == after.output_names
    feeds = random_feeds(before)
    for given, wanted in zip(answers(after, feeds), answers(before, feeds), strict=True):
        assert (given.dtype, given.shape) == (wanted.dtype, wanted.shape)
        if wanted.dtype.kind == "f":
            scale = float(np.nanmax(np.abs(wanted), initial=0.0))
            np.testing.assert_allclose(given, wanted, rtol=0, atol=relative * scale + 1e-7)
        else:
            np.testing.assert_array_equal(given, wanted)


def answers(graph: Graph, feeds: dict[str, Array]) -> Sequence[Array]:
    """What a graph gives, as TF.js computes it."""
    graph = copied(graph, graph.name)
    keys = [node.name for node in graph.inputs]
    model = GraphModel(graph, Signature(keys, list(graph.output_names)))
    return Runner(model, as_tfjs=True).run(feeds)


def random_feeds(graph: Graph, batch: int = 2) -> dict[str, Array]:
    """Numbers for each input; a free size is `batch`."""
    rng = np.random.default_rng(7)
    feeds: dict[str, Array] = {}
    for node in graph.inputs:
        shape = [batch if size is None else size for size in node.output.shape or ()]
        if node.output.dtype == "float32":
            feeds[node.name] = rng.normal(size=shape).astype(np.float32) * 3
        elif node.output.dtype == "bool":
            feeds[node.name] = rng.random(shape) < 0.5
        else:
            feeds[node.name] = rng.integers(-5, 6, shape).astype(str(node.output.dtype))
    return feeds
