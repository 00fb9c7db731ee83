"""Control flow as TF1 wrote it, in the real TF.js."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.passes.control.graphs import assert_same, is_dynamic, ops, resolved, run, traced_v1
from tests.support.protocol import Array
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.passes.control.resolve import Form

_RNG = np.random.default_rng(0)
_X3 = _RNG.normal(size=(3, 4)).astype(np.float32)
_X5 = _RNG.normal(size=(5, 4)).astype(np.float32)
_B3 = _RNG.normal(size=(2, 3, 4)).astype(np.float32)
_B5 = _RNG.normal(size=(2, 5, 4)).astype(np.float32)
_KERNEL = _RNG.normal(size=(4, 4)).astype(np.float32)


class Case(NamedTuple):
    """A graph of TF1, the shapes of its placeholders, and what it is called with."""

    build: Callable[..., Any]
    shapes: list[list[int | None]]
    calls: list[list[Array]]
    stays: bool = True


def _count(number: int) -> Array:
    return np.array(number, np.int32)


def _loop(tf: Any, *arguments: Any) -> Any:
    return tf.compat.v1.while_loop(*arguments)


def _dynamic(tf: Any, x: Any, n: Any) -> Any:
    body = lambda i, a: (i + 1, a * 0.5 + tf.cast(i, tf.float32) * x)  # noqa: E731
    return _loop(tf, lambda i, a: i < n, body, [0, x])[1]


def _static(tf: Any, x: Any) -> Any:
    body = lambda i, a: (i + 1, a * 0.5 + tf.cast(i, tf.float32) * x)  # noqa: E731
    return _loop(tf, lambda i, a: i < 4, body, [0, x])[1]


def _nested(tf: Any, x: Any, n: Any) -> Any:
    def body(i: Any, a: Any) -> Any:
        inner = _loop(tf, lambda j, b: j < i, lambda j, b: (j + 1, b + 1.0), [0, a])[1]
        big = tf.reduce_sum(inner) > 5.0
        return i + 1, tf.cond(big, lambda: inner * 0.5, lambda: inner + 0.25)

    return _loop(tf, lambda i, a: i < n, body, [0, x])[1]


def _recurrent(tf: Any, x: Any, steps: Any) -> Any:
    """As `dynamic_rnn` makes it: the steps are read from an array and written to one."""
    fed = tf.TensorArray(tf.float32, steps).unstack(tf.transpose(x, [1, 0, 2]))

    def body(time: Any, state: Any, given: Any) -> Any:
        state = tf.tanh(tf.matmul(fed.read(time), tf.constant(_KERNEL)) + state)
        return time + 1, state, given.write(time, state * 2.0)

    start = [0, tf.zeros([tf.shape(x)[0], 4]), tf.TensorArray(tf.float32, steps)]
    _, state, given = _loop(tf, lambda time, *rest: time < steps, body, start)
    return state, tf.transpose(given.stack(), [1, 0, 2])


def _recurrent_static(tf: Any, x: Any) -> Any:
    return _recurrent(tf, x, 3)


def _recurrent_shaped(tf: Any, x: Any) -> Any:
    return _recurrent(tf, x, tf.shape(x)[1])


def _map(tf: Any, x: Any) -> Any:
    return tf.compat.v1.map_fn(lambda v: tf.reduce_sum(v) * v, x)


def _scan(tf: Any, x: Any) -> Any:
    return tf.compat.v1.scan(lambda a, v: a * 0.5 + v, x)


def _constant(tf: Any, x: Any, n: Any) -> Any:
    weight = tf.constant(_X5[:3])
    step = lambda i, a: (i + 1, tf.identity(weight))  # noqa: E731
    return _loop(tf, lambda i, a: i < n, step, [0, x])[1] + weight


def _arrays(tf: Any, x: Any) -> Any:
    told: dict[str, Any] = {"clear_after_read": False}
    cut = tf.TensorArray(tf.float32, 3, infer_shape=False, **told).split(x, [1, 0, 2])
    placed = tf.TensorArray(tf.float32, 3, **told).scatter([2, 0, 1], x)
    return cut.concat(), cut.read(2), placed.gather([1, 2]), placed.stack(), placed.size()


def _cond(tf: Any, x: Any, p: Any) -> Any:
    return tf.cond(p, lambda: x + 1.0, lambda: x * 2.0)


def _cond_of_constants(tf: Any, x: Any, p: Any) -> Any:
    """Only control inputs hold these constants in their branches."""
    factor = tf.cond(p, lambda: tf.constant(1.0), lambda: tf.constant(2.0))
    inner = lambda: tf.cond(  # noqa: E731
        tf.reduce_sum(x) > 0.0, lambda: tf.constant(7.0), lambda: tf.constant(8.0)
    )
    return x * factor + tf.cond(p, lambda: tf.constant(5.0) + tf.constant(1.0), inner)


def _cond_settled(tf: Any, x: Any) -> Any:
    p = tf.constant(False)
    factor = tf.cond(p, lambda: tf.constant(1.0), lambda: tf.constant(2.0))
    inner = lambda: tf.cond(p, lambda: x - factor, lambda: x * factor)  # noqa: E731
    return tf.cond(p, lambda: x + 1.0, inner)


def _cond_settled_outside(tf: Any, x: Any) -> Any:
    p = tf.constant(False)
    inner = lambda: tf.cond(tf.reduce_sum(x) > 0.0, lambda: x - 1.0, lambda: x * 7.0)  # noqa: E731
    return tf.cond(p, lambda: x + 1.0, inner)


_STEPS = [[_X3, _count(3)], [_X3, _count(6)], [_X3, _count(2)]]
_FLAGS = [[_X3, np.array(True)], [_X3, np.array(False)], [-_X3, np.array(False)]]
_FED: list[list[int | None]] = [[3, 4], []]
CASES = {
    "dynamic": Case(_dynamic, _FED, [*_STEPS, [_X3, _count(0)]]),
    "static": Case(_static, [[3, 4]], [[_X3]], stays=False),
    "nested": Case(_nested, _FED, _STEPS),
    "recurrent_static": Case(_recurrent_static, [[2, 3, 4]], [[_B3]], stays=False),
    "recurrent_of_any_batch": Case(_recurrent_shaped, [[None, 3, 4]], [[_B3]], stays=False),
    "recurrent_dynamic": Case(_recurrent_shaped, [[2, None, 4]], [[_B3], [_B5]]),
    "map": Case(_map, [[None, 4]], [[_X3], [_X5]]),
    "scan_static": Case(_scan, [[3, 4]], [[_X3]], stays=False),
    "constant": Case(_constant, _FED, _STEPS),
    "arrays": Case(_arrays, [[3, 4]], [[_X3]], stays=False),
    "cond": Case(_cond, _FED, _FLAGS),
    "cond_of_constants": Case(_cond_of_constants, _FED, _FLAGS),
    "cond_settled": Case(_cond_settled, [[3, 4]], [[_X3]], stays=False),
    "cond_settled_outside": Case(_cond_settled_outside, [[3, 4]], [[_X3], [-_X3]]),
}


@pytest.mark.parametrize("form", ["auto", "v1"])
@pytest.mark.parametrize("name", CASES)
def test_graphs_of_tf1_answer_as_tensorflow(
    name: str, form: Form, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    tf, case = tensorflow, CASES[name]
    dtypes = [tf.dtypes.as_dtype(array.dtype) for array in case.calls[0]]
    specs = [tf.TensorSpec(*both) for both in zip(case.shapes, dtypes, strict=True)]
    model, in_tensorflow = traced_v1(lambda *fed: case.build(tf, *fed), *specs)
    resolved(model, form)
    found = run(model, tmp_path / "model", tfjs_runtime, *case.calls)
    for answers, call in zip(found, case.calls, strict=True):
        assert_same(answers, in_tensorflow(*call))
    assert is_dynamic(model) == case.stays


def test_loops_become_functions_and_one_array_is_left(tensorflow: ModuleType) -> None:
    tf = tensorflow
    spec = tf.TensorSpec([2, None, 4])
    model, _ = traced_v1(lambda x: _recurrent_shaped(tf, x), spec)
    assert ops(model)["Enter"]
    resolved(model)
    found = ops(model)
    assert found["Enter"] == found["Merge"] == found["Exit"] == 0
    assert found["StatelessWhile"] == found["TensorArrayV3"] == 1
    assert found["TensorArrayReadV3"] == found["TensorArrayScatterV3"] == 0


def test_a_loop_of_another_form_stays_and_is_told(tensorflow: ModuleType) -> None:
    tf = tensorflow
    spec = tf.TensorSpec([3, 4])
    count = tf.TensorSpec([], tf.int32)
    model, _ = traced_v1(lambda x, n: _dynamic(tf, x, n), spec, count)
    test = next(node for node in model.graph.nodes.values() if node.op == "LoopCond")
    second = model.graph.add("LoopCond", test.inputs, {}, [test.output.type], name="other")
    switch = next(reader for reader, _ in test.output.uses)
    model.graph.set_input(switch, 1, second.output)
    (note,) = resolved(model)
    assert "not of the form that TensorFlow makes" in note
    assert ops(model)["Enter"]
