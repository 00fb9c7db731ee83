"""If and Case in the real TF.js."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.passes.control.graphs import (
    assert_same,
    is_dynamic,
    model_of,
    ops,
    resolved,
    run,
    traced,
)
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.passes.control.resolve import Form

_X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


@pytest.mark.parametrize("form", ["auto", "v1"])
def test_a_choice_answers_as_tensorflow(
    form: Form, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    tf = tensorflow

    def build(x: Any, p: Any) -> Any:
        # One branch gives a constant, and one an argument as it is.
        one = tf.cond(p, lambda: x + 1.0, lambda: tf.zeros([3, 4]))
        return one, tf.cond(p, lambda: tf.identity(x), lambda: tf.reduce_sum(one) + x)

    model = traced(build, tf.TensorSpec([3, 4]), tf.TensorSpec([], tf.bool))
    resolved(model, form)
    calls = [[_X, np.array(value)] for value in (True, False, True)]
    found = run(model, tmp_path / "model", tfjs_runtime, *calls)
    for answers, call in zip(found, calls, strict=True):
        assert_same(answers, tf.function(build)(*map(tf.constant, call)))


@pytest.mark.parametrize("value", [True, False])
def test_a_constant_predicate_leaves_its_branch(
    value: bool, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    tf = tensorflow

    def build(x: Any) -> Any:
        inner = lambda: tf.cond(tf.constant(value), lambda: x - 3.0, lambda: x * 4.0)  # noqa: E731
        return tf.cond(tf.constant(value), lambda: x + 1.0, inner)

    model = traced(build, tf.TensorSpec([3, 4]))
    resolved(model)
    assert not is_dynamic(model)
    assert not model.functions
    (answers,) = run(model, tmp_path / "model", tfjs_runtime, [_X])
    assert_same(answers, [_X + 1.0 if value else _X * 4.0])


@pytest.mark.parametrize("form", ["auto", "v1"])
def test_a_case_takes_the_last_branch_for_an_index_out_of_range(
    form: Form, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    tf = tensorflow

    def build(x: Any, i: Any) -> Any:
        return tf.switch_case(i, [lambda: x + 1.0, lambda: x * 2.0, lambda: tf.ones([3, 4])])

    model = traced(build, tf.TensorSpec([3, 4]), tf.TensorSpec([], tf.int32))
    assert ops(model)["Case"] + ops(model)["StatelessCase"] == 1
    resolved(model, form)
    calls = [[_X, np.array(index, np.int32)] for index in (0, 1, 2, 9, -1)]
    found = run(model, tmp_path / "model", tfjs_runtime, *calls)
    for answers, call in zip(found, calls, strict=True):
        assert_same(answers, [build(*map(tf.constant, call))])


@pytest.mark.parametrize(("index", "factor"), [(0, 1.0), (1, 2.0), (7, 3.0), (-2, 3.0)])
def test_a_case_of_a_constant_is_its_branch(
    index: int, factor: float, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    tf = tensorflow

    def build(x: Any) -> Any:
        branches = [lambda: x * 1.0, lambda: x * 2.0, lambda: x * 3.0]
        return tf.switch_case(tf.constant(index), branches)

    model = traced(build, tf.TensorSpec([3, 4]))
    resolved(model)
    assert not is_dynamic(model)
    (answers,) = run(model, tmp_path / "model", tfjs_runtime, [_X])
    assert_same(answers, [_X * np.float32(factor)])


def test_a_case_that_tensorflow_has_lowered_answers_as_before(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    """Freezing in TensorFlow makes `_SwitchN` and Merge of it, with constants held by controls."""
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    tf = tensorflow

    @tf.function
    def build(x: Any, i: Any) -> Any:
        return tf.switch_case(i, [lambda: x + 1.0, lambda: x * 2.0, lambda: tf.ones([3, 4])])

    specs = (tf.TensorSpec([3, 4]), tf.TensorSpec([], tf.int32))
    frozen = convert_variables_to_constants_v2(build.get_concrete_function(*specs))
    inputs = [tensor.op.name for tensor in frozen.inputs]
    data = frozen.graph.as_graph_def().SerializeToString()
    model = model_of(data, inputs, [tensor.name for tensor in frozen.outputs])
    assert ops(model)["_SwitchN"]
    resolved(model)
    calls = [[_X, np.array(index, np.int32)] for index in (0, 1, 2, 9, -1)]
    found = run(model, tmp_path / "model", tfjs_runtime, *calls)
    for answers, call in zip(found, calls, strict=True):
        assert_same(answers, [build(*map(tf.constant, call))])


def test_what_neither_branch_needs_is_not_handed_over(tensorflow: ModuleType) -> None:
    tf = tensorflow
    weight = tf.constant(_X)

    def build(x: Any, p: Any) -> Any:
        return tf.cond(p, lambda: (x + weight, x * 2.0), lambda: (x - weight, x * 3.0))[0]

    model = traced(build, tf.TensorSpec([3, 4]), tf.TensorSpec([], tf.bool))
    resolved(model)
    (choice,) = [node for node in model.graph.nodes.values() if node.op == "StatelessIf"]
    assert [value.name for value in choice.inputs] == ["p", "x"]
    assert len(choice.outputs) == 1
