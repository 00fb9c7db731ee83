"""Graphs that are damaged give errors of tfjs, and nothing else."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.passes.control import test_loops, test_v1_graphs
from tests.runtime.damage import run_damaged
from tests.support.graph_seeds import small_graph

_CASES = 100


def _check(file: Path, graph_def: Any, outputs: list[str]) -> None:
    file.write_bytes(graph_def.SerializeToString())
    tally = run_damaged(file, 0, _CASES, outputs)
    assert not tally["failures"], "\n\n".join(tally["failures"][:3])
    # Else the damage would be too small, or so large that nothing is run.
    assert tally["ran"] > 0
    assert tally["refused"] > 0


def test_a_graph_with_functions(tmp_path: Path) -> None:
    _check(tmp_path / "graph.pb", small_graph(), ["out"])


@pytest.mark.parametrize("name", ["nested_lists", "push_and_pop"])
def test_loops_of_functions(name: str, tensorflow: ModuleType, tmp_path: Path) -> None:
    tf, case = tensorflow, test_loops.CASES[name]
    specs = [
        tf.TensorSpec(shape, tf.as_dtype(array.dtype))
        for shape, array in zip(case.shapes, case.calls[0], strict=True)
    ]
    function = tf.function(lambda *given: case.build(tf, *given), autograph=False)
    concrete = function.get_concrete_function(*specs)
    outputs = [tensor.name for tensor in concrete.outputs]
    _check(tmp_path / "graph.pb", concrete.graph.as_graph_def(), outputs)


@pytest.mark.parametrize("name", ["nested", "recurrent_dynamic", "arrays"])
def test_graphs_of_tf1(name: str, tensorflow: ModuleType, tmp_path: Path) -> None:
    tf, case = tensorflow, test_v1_graphs.CASES[name]
    v1 = tf.compat.v1
    enabled = v1.control_flow_v2_enabled()
    v1.disable_control_flow_v2()
    try:
        with tf.Graph().as_default() as graph:
            given = [
                v1.placeholder(tf.as_dtype(array.dtype), shape)
                for shape, array in zip(case.shapes, case.calls[0], strict=True)
            ]
            fetches = tf.nest.flatten(case.build(tf, *given))
    finally:
        if enabled:
            v1.enable_control_flow_v2()
    _check(tmp_path / "graph.pb", graph.as_graph_def(), [tensor.name for tensor in fetches])
