"""Answers of a graph around each rule, from inputs that it takes."""

from __future__ import annotations

import pytest

from tests.passes.optimize.checks import parsed
from tests.passes.optimize.short import short
from tfjs.errors import UsageError, VerificationError
from tfjs.ir.graph import GraphModel, Signature
from tfjs.verification.passes import PassCheck


def model(line: str) -> GraphModel:
    """A value and a number of unknown shape, such as what a dropout keeps."""
    graph = parsed(short(f"x: float32[?, 128]\nkeep: float32[*]\n{line}"))
    return GraphModel(graph, Signature(["x", "keep"], ["y"]))


def test_sizes_that_go_together_are_found() -> None:
    found = model("y = RealDiv(x, keep) {T: float32}")
    check = PassCheck(found)
    check("some/rule", "exact")
    node = found.graph.nodes["y"]
    found.graph.set_inputs(node, node.inputs[::-1])
    with pytest.raises(VerificationError, match="the rule some/rule, which is exact, changes"):
        check("some/rule", "exact")


def test_the_first_refusal_is_told() -> None:
    line = "y = MatMul(x, keep) {T: float32, transpose_a: false, transpose_b: false}"
    with pytest.raises(UsageError, match=r"its inputs are float32\[1,128\], float32\[1,16\]"):
        PassCheck(model(line))


def test_random_numbers_are_the_same_before_and_after() -> None:
    graph = parsed(
        short("""
            x: float32[4]
            shape: int32[1] = 4
            r = RandomUniform(shape) {T: int32, dtype: float32, seed: 0, seed2: 0}
            y = Add(x, r) {T: float32}
        """)
    )
    check = PassCheck(GraphModel(graph, Signature(["x"], ["y"])))
    check("some/rule", "exact")
    assert graph.nodes["r"].attrs["seed"] == 0
