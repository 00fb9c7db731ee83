"""Loops and choices, as TensorFlow has them and in both forms that TF.js gets, against TensorFlow.

The graphs are those of `tests/passes/control`, which holds them against the real TF.js.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.passes.control import test_loops, test_v1_graphs
from tests.runtime.graphs import assert_answers, converted, fed, model_of, traced, traced_v1
from tests.support.protocol import Array
from tfjs.ir.graph import GraphModel
from tfjs.runtime.engine import Runner

X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def _runners(model: GraphModel) -> dict[str, Runner]:
    return {
        "as TensorFlow": Runner(model, as_tfjs=False),
        "as TensorFlow, float64": Runner(model, as_tfjs=False, dtype="float64"),
        "functions": Runner(converted(model)),
        "frames": Runner(converted(model, "v1")),
        "frames, float64": Runner(converted(model, "v1"), dtype="float64"),
    }


def _check(model: GraphModel, calls: list[list[Array]], wanted: list[list[Any]]) -> None:
    for runner in _runners(model).values():
        for call, answers in zip(calls, wanted, strict=True):
            assert_answers(runner, fed(model, call), answers)


def _specs(tf: ModuleType, shapes: Any, call: list[Array]) -> list[Any]:
    dtypes = [tf.dtypes.as_dtype(array.dtype) for array in call]
    return [tf.TensorSpec(*both) for both in zip(shapes, dtypes, strict=True)]


@pytest.mark.parametrize("name", test_loops.CASES)
def test_loops_of_functions(name: str, tensorflow: ModuleType) -> None:
    tf, case = tensorflow, test_loops.CASES[name]
    specs = _specs(tf, case.shapes, case.calls[0])
    model = traced(tf, lambda *given: case.build(tf, *given), *specs)
    wanted = [tf.nest.flatten(case.build(tf, *map(tf.constant, call))) for call in case.calls]
    _check(model, case.calls, wanted)


@pytest.mark.parametrize("name", test_v1_graphs.CASES)
def test_graphs_of_tf1(name: str, tensorflow: ModuleType) -> None:
    tf, case = tensorflow, test_v1_graphs.CASES[name]
    specs = _specs(tf, case.shapes, case.calls[0])
    model, in_tensorflow = traced_v1(tf, lambda *given: case.build(tf, *given), *specs)
    _check(model, case.calls, [in_tensorflow(*call) for call in case.calls])


_INDICES = [[X, np.array(index, np.int32)] for index in (0, 1, 2, 9, -1)]


def _case(tf: Any, x: Any, i: Any) -> Any:
    return tf.switch_case(i, [lambda: x + 1.0, lambda: x * 2.0, lambda: tf.ones([3, 4])])


def test_a_case_takes_the_last_branch_for_an_index_out_of_range(tensorflow: ModuleType) -> None:
    tf = tensorflow
    specs = tf.TensorSpec([3, 4]), tf.TensorSpec([], tf.int32)
    model = traced(tf, lambda x, i: _case(tf, x, i), *specs)
    wanted = [[_case(tf, *map(tf.constant, call))] for call in _INDICES]
    _check(model, _INDICES, wanted)


def test_a_case_that_tensorflow_has_lowered(tensorflow: ModuleType) -> None:
    """Freezing in TensorFlow makes `_SwitchN` and Merge of it, with constants held by controls."""
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    tf = tensorflow
    specs = tf.TensorSpec([3, 4]), tf.TensorSpec([], tf.int32)
    function = tf.function(lambda x, i: _case(tf, x, i))
    frozen = convert_variables_to_constants_v2(function.get_concrete_function(*specs))
    inputs = [tensor.op.name for tensor in frozen.inputs]
    outputs = [tensor.name for tensor in frozen.outputs]
    model = model_of(frozen.graph.as_graph_def(), inputs, outputs)
    assert any(node.op == "_SwitchN" for node in model.graph.nodes.values())
    wanted = [[_case(tf, *map(tf.constant, call))] for call in _INDICES]
    _check(model, _INDICES, wanted)


@pytest.mark.parametrize("condition", [True, 0.0, 2, [True, False], [0.0, 1.0], "", "x", []])
def test_what_holds_for_a_condition_of_any_kind(condition: Any, tensorflow: ModuleType) -> None:
    tf = tensorflow
    fed_ = np.array(condition, object if isinstance(condition, str) else None)
    if fed_.dtype == np.float64:
        fed_ = fed_.astype(np.float32)
    if fed_.dtype == np.int64:
        fed_ = fed_.astype(np.int32)

    def build(given: Any) -> Any:
        yes = tf.function(lambda: tf.constant(1.0)).get_concrete_function()
        no = tf.function(lambda: tf.constant(0.0)).get_concrete_function()
        (found,) = tf.raw_ops.If(
            cond=given, input=[], Tout=[tf.float32], then_branch=yes, else_branch=no
        )
        return found

    dtype = tf.string if fed_.dtype == object else tf.as_dtype(fed_.dtype)
    spec = tf.TensorSpec(fed_.shape, dtype)
    made = tf.function(build, input_signature=[spec], autograph=False)
    model = traced(tf, build, spec)
    runner = Runner(model, as_tfjs=False)
    (found,) = runner.run(fed(model, [fed_]))
    assert found == made(tf.constant(fed_, dtype)).numpy()
