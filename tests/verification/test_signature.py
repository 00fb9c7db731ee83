"""The signature of a SavedModel beside its layers; tests/test_sources.py has real ones."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.optimize.checks import parsed
from tests.passes.optimize.short import short
from tfjs.errors import TfjsError
from tfjs.ir.graph import GraphModel, Signature
from tfjs.verification.signature import told_otherwise

HEAD = "a: float32[?, 3]\nb: float32[?, 3]\nk: float32[] = "
LINES = {
    "layers": "1\ny = Sub(a, b) {T: float32}\nz = Add(a, b) {T: float32}\noutputs y, z",
    "a hundredth off": (
        "1.01\nt = Mul(a, k) {T: float32}\ny = Sub(t, b) {T: float32}\n"
        "z = Add(a, b) {T: float32}\noutputs y, z"
    ),
    "a third off": (
        "1.3\nt = Mul(a, k) {T: float32}\ny = Sub(t, b) {T: float32}\n"
        "z = Add(a, b) {T: float32}\noutputs y, z"
    ),
    "not a number": (
        "-1\nt = Sqrt(k) {T: float32}\ny = Mul(a, t) {T: float32}\nz = Add(a, b) {T: float32}\n"
        "outputs y, z"
    ),
    "another shape": (
        "0\nx: int32[1] = 0\ny = Sum(a, x) {T: float32, Tidx: int32, keep_dims: false}\n"
        "z = Add(a, b) {T: float32}\noutputs y, z"
    ),
    "one output": "1\ny = Sub(a, b) {T: float32}\noutputs y",
    "does not run": "1\ny = NoSuchOperation(a)\nz = Add(a, b) {T: float32}\noutputs y, z",
}


def model(which: str, inputs: str = "ab", outputs: str = "yz") -> GraphModel:
    graph = parsed(short(HEAD + LINES[which]))
    return GraphModel(graph, Signature(list(inputs), list(outputs)[: len(graph.outputs)]))


def note(signature: GraphModel) -> str | None:
    feeds = np.random.default_rng(0).normal(size=(2, 2, 3)).astype(np.float32)
    return told_otherwise(model("layers"), signature, dict(zip("ab", feeds, strict=True)))


@pytest.mark.parametrize("which", ["layers", "a hundredth off", "one output"])
def test_nothing_to_say(which: str) -> None:
    assert note(model(which)) is None


def test_a_signature_that_does_not_run() -> None:
    with pytest.raises(TfjsError, match="NoSuchOperation"):
        note(model("does not run"))


@pytest.mark.parametrize(
    ("which", "apart"),
    [
        ("a third off", "differs by 0."),
        ("not a number", "6 of 6 elements are NaN, the source's are not"),
        ("another shape", "has the shape [3], the source's has [2, 3]"),
    ],
)
def test_other_answers_are_told(which: str, apart: str) -> None:
    told = note(model(which))
    assert told is not None
    assert f"(output 'y' {apart}" in told


def test_ports_go_together_by_their_keys() -> None:
    turned = model("layers")
    turned.graph.inputs.reverse()
    turned.graph.outputs = turned.graph.outputs[::-1]
    turned.graph.output_names.reverse()
    assert note(turned) is not None
    turned.signature = Signature(["b", "a"], ["z", "y"])
    assert note(turned) is None


@pytest.mark.parametrize(("inputs", "outputs"), [("ac", "yz"), ("ab", "yx")])
def test_ports_of_other_keys_are_not_held_together(inputs: str, outputs: str) -> None:
    assert note(model("a third off", inputs, outputs)) is None
