"""Whatever a graph is made of, the optimizer changes nothing in what it answers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.passes.optimize.checks import random_feeds
from tests.passes.optimize.random_graphs import random_graph
from tests.support.protocol import Array
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.formats.base import WriteOptions
from tfjs.formats.tfjs_graph.write import write
from tfjs.ir.graph import Graph, GraphModel, Signature
from tfjs.passes.inline import copied
from tfjs.passes.optimize.engine import Numerics
from tfjs.passes.optimize.pipeline import optimize
from tfjs.passes.pipeline import legalize
from tfjs.runtime.engine import Runner

STEPS = (3, 6, 10, 16, 25)


def model(graph: Graph) -> GraphModel:
    keys = [node.name for node in graph.inputs]
    return GraphModel(copied(graph, ""), Signature(keys, list(graph.output_names)))


def answers(graph: Graph, feeds: dict[str, Array]) -> tuple[list[Array], float]:
    """What a graph gives in double precision, and the largest number on the way there."""
    runner = Runner(model(graph), dtype="float64")
    largest = [1e-3]
    for _, array in runner.trace(feeds):
        if array.dtype.kind == "f":
            largest.append(float(np.abs(array[np.isfinite(array)]).max(initial=0)))
    return runner.run(feeds), max(largest)


def assert_close(given: list[Array], wanted: list[Array], bound: float) -> None:
    for ours, theirs in zip(given, wanted, strict=True):
        assert ours.shape == theirs.shape
        assert float(np.abs(ours - theirs).max(initial=0)) <= bound


# Weights that were scaled are stored in single precision.
@pytest.mark.parametrize(("numerics", "bound"), [("reassociating", 1e-5), ("exact", 1e-12)])
@settings(max_examples=600)
@given(st.integers(0, 2**32 - 1), st.sampled_from(STEPS))
def test_answers_stay(numerics: Numerics, bound: float, seed: int, steps: int) -> None:
    graph = random_graph(Random(seed), steps)
    feeds = random_feeds(graph)
    wanted, largest = answers(graph, feeds)
    optimized = model(graph)
    types = [value.type for value in optimized.graph.outputs]
    optimize(optimized, numerics=numerics)
    assert [value.type for value in optimized.graph.outputs] == types
    found = Runner(optimized, dtype="float64").run(feeds)
    assert_close(found, wanted, bound * largest)


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@pytest.mark.parametrize("first", range(0, 100, 25))
def test_the_real_one_answers_the_same(
    backend: str, first: int, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    hits: Counter[str] = Counter()
    for seed in range(first, first + 25):
        random = Random(seed)
        graph = random_graph(random, random.choice(STEPS))
        feeds = random_feeds(graph)
        wanted, largest = answers(graph, feeds)
        optimized = model(graph)
        hits += legalize(optimized, improve=optimize).optimizations
        folder = tmp_path / str(seed)
        folder.mkdir()
        write(optimized, folder, WriteOptions())
        found = tfjs_runtime.predict_graph(folder, feeds, backend=backend)
        assert_close(found, wanted, 1e-4 * largest)
    assert len(hits) > 15  # rules that had something to do
