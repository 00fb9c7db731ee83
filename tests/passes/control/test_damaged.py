"""Nodes that do not fit the functions that they hold are refused, and no other error comes out."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.passes.control.graphs import traced
from tfjs.errors import CorruptFileError
from tfjs.ir.graph import GraphModel, Node
from tfjs.passes.control import resolve_control_flow

Damage = Callable[[GraphModel, Node], Any]


def _choice(tf: Any) -> GraphModel:
    spec = tf.TensorSpec([], tf.float32)
    return traced(lambda x: tf.cond(x > 0.0, lambda: x + 1.0, lambda: x * 2.0), spec)


def _loop(tf: Any) -> GraphModel:
    body = lambda i, a: (i + 1.0, a * 2.0)  # noqa: E731
    spec = tf.TensorSpec([], tf.float32)
    return traced(lambda x: tf.while_loop(lambda i, a: i < x, body, [0.0, x])[1], spec)


def _holder(model: GraphModel) -> Node:
    return next(node for node in model.graph.nodes.values() if "output_shapes" in node.attrs)


@pytest.mark.parametrize(
    "damage",
    [
        lambda model, node: node.attrs.pop("then_branch"),
        lambda model, node: node.attrs.update(else_branch=b"f"),
        lambda model, node: model.graph.set_inputs(node, node.inputs[:1]),
        lambda model, node: model.functions[node.attrs["then_branch"].name].outputs.pop(),
        lambda model, node: model.functions[node.attrs["else_branch"].name].inputs.pop(),
    ],
)
def test_damaged_choices_are_refused(damage: Damage, tensorflow: ModuleType) -> None:
    model = _choice(tensorflow)
    node = _holder(model)
    damage(model, node)
    with pytest.raises(CorruptFileError, match=node.name):
        resolve_control_flow(model, "auto")


@pytest.mark.parametrize(
    "damage",
    [
        lambda model, node: node.attrs.pop("body"),
        lambda model, node: node.attrs.update(cond=[]),
        lambda model, node: model.graph.set_inputs(node, node.inputs[:-1]),
        lambda model, node: node.outputs.pop(),
        lambda model, node: model.functions[node.attrs["cond"].name].outputs.clear(),
        lambda model, node: model.functions[node.attrs["body"].name].outputs.pop(),
    ],
)
def test_damaged_loops_are_refused(damage: Damage, tensorflow: ModuleType) -> None:
    model = _loop(tensorflow)
    node = _holder(model)
    damage(model, node)
    with pytest.raises(CorruptFileError, match=node.name):
        resolve_control_flow(model, "auto")


def test_a_loop_without_end_is_not_followed(tensorflow: ModuleType) -> None:
    tf = tensorflow

    def build(x: Any) -> Any:
        return tf.while_loop(lambda i: i < 3, lambda i: (i * 2,), [x])[0]

    model = traced(lambda x: build(tf.constant(0)) + x, tf.TensorSpec([], tf.int32))
    (note,) = resolve_control_flow(model, "auto")
    assert "more than" in note


def test_loops_in_loops_do_not_grow_without_bound(tensorflow: ModuleType) -> None:
    """Each is short, but all together are not."""
    tf = tensorflow

    def loop(depth: int, a: Any) -> Any:
        if not depth:
            return a * 1.5
        body = lambda i, b: (i + 1, loop(depth - 1, b))  # noqa: E731
        return tf.while_loop(lambda i, b: i < 30, body, [0, a])[1]

    model = traced(lambda x: loop(5, x), tf.TensorSpec([3]))
    notes = resolve_control_flow(model, "auto")
    graphs = [model.graph, *model.functions.values()]
    assert sum(len(graph.nodes) for graph in graphs) < 1 << 16
    assert notes
