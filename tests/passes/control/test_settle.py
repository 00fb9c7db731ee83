"""What goes wrong in TF.js's executor where functions are not settled, and that it then does not.

Each test runs the same graph both ways in the real TF.js.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.passes.control.graphs import assert_same, resolved, run, traced, written
from tests.passes.control.test_loops import X3, X5, count
from tests.support.protocol import JsError
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.ir.graph import GraphModel
from tfjs.passes.control import settle_functions


def _loop(tf: Any, function: Any) -> GraphModel:
    model = traced(function, tf.TensorSpec([3, 4]), tf.TensorSpec([], tf.int32))
    resolved(model)
    return model


@pytest.fixture
def unsettled(tfjs_runtime: TfjsRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a model as it is where functions are not settled, for some numbers of steps."""

    def answers(model: GraphModel, *steps: int) -> Any:
        calls = [[X3, count(number)] for number in steps]
        with monkeypatch.context() as patched:
            patched.setattr("tfjs.passes.finalize.settle_functions", lambda model: None)
            # The writer refuses some of it.
            writer = sys.modules["tfjs.formats.tfjs_graph.write"]
            patched.setattr(writer, "check", lambda *_, **__: None)
            path = written(model, tmp_path / f"unsettled_{len(steps)}")
        return tfjs_runtime.run_graph(path, *calls, method="executeAsync").calls

    return answers


def test_what_is_written_into_a_list_is_disposed_unless_it_is_given(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, unsettled: Any, tmp_path: Path
) -> None:
    tf = tensorflow

    def build(x: Any, n: Any) -> Any:
        array = tf.TensorArray(tf.float32, n, element_shape=[3, 4])
        step = lambda i, t: (i + 1, t.write(i, x * tf.cast(i, tf.float32)))  # noqa: E731
        return tf.while_loop(lambda i, t: i < n, step, [0, array])[1].stack()

    with pytest.raises(JsError):
        unsettled(_loop(tf, build), 3)
    calls = [[X3, count(3)], [X3, count(5)]]
    found = run(_loop(tf, build), tmp_path / "right", tfjs_runtime, *calls)
    for answers, call in zip(found, calls, strict=True):
        assert_same(answers, [build(*map(tf.constant, call))])


def test_a_weight_that_a_function_gives_is_disposed_by_a_loop(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, unsettled: Any, tmp_path: Path
) -> None:
    tf = tensorflow
    weight = tf.constant(X5[:3])

    def build(x: Any, n: Any) -> Any:
        def step(i: Any, a: Any) -> Any:
            even = tf.equal(tf.math.floormod(i, 2), 0)
            return i + 1, tf.cond(even, lambda: tf.identity(weight), lambda: a * 2.0)

        return tf.while_loop(lambda i, a: i < n, step, [0, x])[1] + x

    # The step behind the one that gives the weight takes it away, also from later calls.
    assert_same(unsettled(_loop(tf, build), 1)[0], [X5[:3] + X3])
    with pytest.raises(JsError, match="reading 'backend'"):
        unsettled(_loop(tf, build), 2, 2)
    calls = [[X3, count(2)]] * 2
    for answers in run(_loop(tf, build), tmp_path / "right", tfjs_runtime, *calls):
        assert_same(answers, [X5[:3] * 2.0 + X3])


def test_a_node_of_a_function_with_the_name_of_a_weight_would_be_that_weight(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, unsettled: Any, tmp_path: Path
) -> None:
    tf = tensorflow

    def made() -> GraphModel:
        def build(x: Any, n: Any) -> Any:
            step = lambda i, a: (i + 1, a * 2.0)  # noqa: E731
            return tf.while_loop(lambda i, a: i < n, step, [0, x])[1] + tf.constant(X5[:3])

        model = _loop(tf, build)
        constant = next(
            node
            for node in model.graph.nodes.values()
            if node.op == "Const" and node.output.shape == (3, 4)
        )
        body = next(body for name, body in model.functions.items() if "body" in name)
        product = next(node for node in body.nodes.values() if node.op == "Mul")
        body.rename(product, constant.name)
        assert product.name == constant.name
        return model

    wanted = X3 * 8.0 + X5[:3]
    (wrong,) = unsettled(made(), 3)[0]
    assert np.abs(wrong - wanted).max() > 0.1
    (right,) = run(made(), tmp_path / "right", tfjs_runtime, [X3, count(3)])
    assert_same(right, [wanted])


def test_constants_of_one_tensor_share_their_name(tensorflow: ModuleType) -> None:
    tf = tensorflow
    weight = tf.constant(X5[:3])

    def build(x: Any, n: Any) -> Any:
        step = lambda i, a: (i + 1, a * weight)  # noqa: E731
        return tf.while_loop(lambda i, a: i < n, step, [0, x])[1] + weight

    model = _loop(tf, build)
    settle_functions(model)
    graphs = [model.graph, *model.functions.values()]
    names = [
        node.name
        for graph in graphs
        for node in graph.nodes.values()
        if node.op == "Const" and node.output.shape == (3, 4)
    ]
    assert len(names) == 2
    assert len(set(names)) == 1
    others = [
        node.name for graph in graphs for node in graph.nodes.values() if node.name not in names
    ]
    assert len(set(others)) == len(others)


def test_lists_change_in_place_where_two_are_made_of_one(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, unsettled: Any, tmp_path: Path
) -> None:
    """TF.js itself: without a copy, what is read is what was written later."""
    tf = tensorflow
    raw = tf.raw_ops
    told = {"element_shape": [3, 4], "element_dtype": tf.float32}

    def build(x: Any, n: Any) -> Any:
        # Of unknown size, so that the list stays a list.
        items = raw.TensorListReserve(num_elements=n, **told)
        first = raw.TensorListSetItem(input_handle=items, index=n - 1, item=x)
        second = raw.TensorListSetItem(input_handle=items, index=n - 1, item=x * 2.0)
        return [
            raw.TensorListGetItem(input_handle=found, index=n - 1, **told)
            for found in (first, second)
        ]

    model = _loop(tf, build)
    copies = [node for node in model.graph.nodes.values() if node.op == "TensorListResize"]
    assert len(copies) == 2
    found = run(model, tmp_path / "right", tfjs_runtime, [X3, count(1)])
    assert_same(found[0], [X3, X3 * 2.0])
    uncopied = _loop(tf, build)
    for node in [n for n in uncopied.graph.nodes.values() if n.op == "TensorListResize"]:
        uncopied.graph.replace(node.output, node.inputs[0])
    uncopied.graph.prune()
    one, other = unsettled(uncopied, 1)[0]
    np.testing.assert_array_equal(one, other)
