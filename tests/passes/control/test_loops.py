"""Loops of TensorFlow 2 in the real TF.js, as functions and as Switch and Merge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.passes.control.graphs import assert_same, is_dynamic, ops, resolved, run, traced
from tests.support.protocol import Array
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.passes.control.resolve import Form

_RNG = np.random.default_rng(0)
X3 = _RNG.normal(size=(3, 4)).astype(np.float32)
X5 = _RNG.normal(size=(5, 4)).astype(np.float32)


def count(number: int) -> Array:
    """A number of steps to feed."""
    return np.array(number, np.int32)


class Case(NamedTuple):
    """A function of TensorFlow, the shapes that it is traced for, and what it is called with."""

    build: Callable[..., Any]
    shapes: list[list[int | None]]
    calls: list[list[Array]]
    stays: bool = True


def _static(tf: Any, x: Any) -> Any:
    body = lambda i, a: (i + 1, a * 0.5 + tf.cast(i, tf.float32))  # noqa: E731
    return tf.while_loop(lambda i, a: i < 5, body, [0, x])[1]


def _no_step(tf: Any, x: Any) -> Any:
    return tf.while_loop(lambda i, a: i < 0, lambda i, a: (i + 1, a * 0.5), [0, x])[1]


def _too_long(tf: Any, x: Any) -> Any:
    body = lambda i, a: (i + 1, a * 0.999 + 0.001)  # noqa: E731
    return tf.while_loop(lambda i, a: i < 5000, body, [0, x])[1]


def _dynamic(tf: Any, x: Any, n: Any) -> Any:
    body = lambda i, a: (i + 1, a * 0.5 + tf.cast(i, tf.float32))  # noqa: E731
    return tf.while_loop(lambda i, a: i < n, body, [0, x])[1]


def _map(tf: Any, x: Any) -> Any:
    return tf.map_fn(lambda v: tf.reduce_sum(v) * v, x)


def _scan(tf: Any, x: Any) -> Any:
    return tf.scan(lambda a, v: a * 0.5 + v, x, reverse=True)


def _nested(tf: Any, x: Any, n: Any) -> Any:
    def body(i: Any, a: Any) -> Any:
        inner = tf.while_loop(lambda j, b: j < i, lambda j, b: (j + 1, b + 1.0), [0, a])[1]
        big = tf.reduce_sum(inner) > 5.0
        return i + 1, tf.cond(big, lambda: inner * 0.5, lambda: inner + 0.25)

    return tf.while_loop(lambda i, a: i < n, body, [0, x])[1]


def _nested_static(tf: Any, x: Any) -> Any:
    def body(i: Any, a: Any) -> Any:
        inner = tf.while_loop(lambda j, b: j < i, lambda j, b: (j + 1, b + 1.0), [0, a])[1]
        return i + 1, inner * 0.5

    return tf.while_loop(lambda i, a: i < 4, body, [0, x])[1]


def _nested_lists(tf: Any, x: Any, n: Any) -> Any:
    """Lists are written in the branches of a choice in a loop, and in a loop in a loop."""
    array = tf.TensorArray(tf.float32, n, element_shape=[3, 4])

    def body(i: Any, a: Any, array: Any) -> Any:
        inner = tf.TensorArray(tf.float32, 3, element_shape=[3, 4])
        step = lambda j, b, t: (j + 1, b + 1.0, t.write(j, b * 2.0))  # noqa: E731
        _, b, inner = tf.while_loop(lambda j, b, t: j < 3 + 0 * i, step, [0, a, inner])
        array = tf.cond(
            tf.reduce_sum(b) > 5.0,
            lambda: array.write(i, b * 0.5),
            lambda: array.write(i, tf.reduce_sum(inner.stack(), 0)),
        )
        return i + 1, b * 0.3, array

    _, a, array = tf.while_loop(lambda i, a, t: i < n, body, [0, x, array])
    return a, array.stack()


def _written_in_branches(tf: Any, x: Any) -> Any:
    array = tf.TensorArray(tf.float32, 3, element_shape=[4])

    def body(i: Any, array: Any) -> Any:
        row = x[i]
        big = tf.reduce_sum(row) > 0.0
        first, other = (lambda: array.write(i, row * 2.0)), (lambda: array.write(i, row - 1.0))
        return i + 1, tf.cond(big, first, other)

    return tf.while_loop(lambda i, t: i < 3, body, [0, array])[1].stack()


def _swapped(tf: Any, x: Any, n: Any) -> Any:
    """Variables change places, one is a bool, and one gets a constant."""
    step = lambda i, a, b, c, d: (i + 1, b, a, tf.logical_not(c), tf.fill([2], 7.0))  # noqa: E731
    start = [0, x, x + 1.0, tf.constant(False), tf.zeros([2])]
    return tf.while_loop(lambda i, *rest: i < n, step, start)[1:]


def _flag(tf: Any, x: Any, n: Any) -> Any:
    """The condition is a variable itself."""
    step = lambda i, go, a: (i + 1, tf.logical_and(go, i < n), a + x)  # noqa: E731
    return tf.while_loop(lambda i, go, a: go, step, [0, tf.constant(True), x])[2]


def _constant(tf: Any, x: Any, n: Any) -> Any:
    """The body gives a weight, which must live on for the next call."""
    weight = tf.constant(X5[:3] * 2)
    step = lambda i, a: (i + 1, tf.identity(weight))  # noqa: E731
    return tf.while_loop(lambda i, a: i < n, step, [0, x])[1] + weight


def _fork(tf: Any, x: Any, n: Any) -> Any:
    """Two lists are made of one; TensorFlow's lists are values."""
    raw = tf.raw_ops
    one = raw.TensorListReserve(element_shape=[3, 4], num_elements=n, element_dtype=tf.float32)

    def body(i: Any, one: Any, other: Any) -> Any:
        item = x * tf.cast(i, tf.float32) + 3.0
        first = raw.TensorListSetItem(input_handle=one, index=i, item=item)
        second = raw.TensorListSetItem(input_handle=one, index=i, item=x - 1.0)
        return i + 1, first, second

    lists = tf.while_loop(lambda i, *rest: i < n, body, [0, one, one])[1:]
    return [
        raw.TensorListStack(
            input_handle=found, element_shape=[3, 4], element_dtype=tf.float32, num_elements=-1
        )
        for found in lists
    ]


def _read_before_written(tf: Any, x: Any, n: Any) -> Any:
    """Each step reads what the list held before it writes there."""
    raw = tf.raw_ops
    told = {"element_shape": [4], "element_dtype": tf.float32}
    start = raw.TensorListFromTensor(tensor=x, element_shape=[4])

    def body(i: Any, items: Any, total: Any) -> Any:
        place = tf.math.floormod(i, 3)
        after = raw.TensorListSetItem(
            input_handle=items, index=place, item=tf.fill([4], tf.cast(i, tf.float32))
        )
        old = raw.TensorListGetItem(input_handle=items, index=place, **told)
        return i + 1, after, total * 0.5 + old

    return tf.while_loop(lambda i, *rest: i < n, body, [0, start, tf.zeros([4])])[2]


def _push_and_pop(tf: Any, x: Any, n: Any) -> Any:
    raw = tf.raw_ops
    told = {"element_shape": [3, 4], "element_dtype": tf.float32}
    items = raw.EmptyTensorList(max_num_elements=-1, **told)

    def body(i: Any, items: Any) -> Any:
        item = x * tf.cast(i, tf.float32)
        return i + 1, raw.TensorListPushBack(input_handle=items, tensor=item)

    _, items = tf.while_loop(lambda i, items: i < n, body, [0, items])
    rest, last = raw.TensorListPopBack(input_handle=items, **told)
    length = raw.TensorListLength(input_handle=rest)
    return last, length, raw.TensorListStack(input_handle=rest, num_elements=-1, **told)


def _length_of_reserved(tf: Any, x: Any, n: Any) -> Any:
    """A list is as long as it was reserved for, though nothing is written yet."""
    told = {"element_shape": [3, 4], "element_dtype": tf.float32}
    items = tf.raw_ops.TensorListReserve(num_elements=n, **told)
    return x + tf.cast(tf.raw_ops.TensorListLength(input_handle=items), tf.float32)


_STEPS = [[X3, count(3)], [X3, count(6)], [X3, count(2)]]
_FED: list[list[int | None]] = [[3, 4], []]
CASES = {
    "static": Case(_static, [[3, 4]], [[X3]], stays=False),
    "no_step": Case(_no_step, [[3, 4]], [[X3]], stays=False),
    "too_long": Case(_too_long, [[3, 4]], [[X3]]),
    "dynamic": Case(_dynamic, _FED, [*_STEPS, [X3, count(0)]]),
    "map": Case(_map, [[None, 4]], [[X3], [X5]]),
    "map_static": Case(_map, [[3, 4]], [[X3]], stays=False),
    "scan": Case(_scan, [[None, 4]], [[X3], [X5]]),
    "scan_static": Case(_scan, [[5, 4]], [[X5]], stays=False),
    "nested": Case(_nested, _FED, _STEPS),
    "nested_static": Case(_nested_static, [[3, 4]], [[X3]], stays=False),
    "nested_lists": Case(_nested_lists, _FED, _STEPS),
    "written_in_branches": Case(_written_in_branches, [[3, 4]], [[X3], [-X3]]),
    "swapped": Case(_swapped, _FED, _STEPS),
    "flag": Case(_flag, _FED, _STEPS),
    "constant": Case(_constant, _FED, _STEPS),
    "fork": Case(_fork, _FED, _STEPS),
    "read_before_written": Case(_read_before_written, _FED, _STEPS),
    "push_and_pop": Case(_push_and_pop, _FED, _STEPS),
    "length_of_reserved": Case(_length_of_reserved, _FED, _STEPS, stays=False),
}


def _specs(tf: Any, case: Case) -> list[Any]:
    dtypes = [tf.dtypes.as_dtype(array.dtype) for array in case.calls[0]]
    return [tf.TensorSpec(shape, dtype) for shape, dtype in zip(case.shapes, dtypes, strict=True)]


@pytest.mark.parametrize("form", ["auto", "v1"])
@pytest.mark.parametrize("name", CASES)
def test_loops_answer_as_tensorflow(
    name: str, form: Form, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    case = CASES[name]
    model = traced(lambda *fed: case.build(tensorflow, *fed), *_specs(tensorflow, case))
    resolved(model, form)
    found = run(model, tmp_path / "model", tfjs_runtime, *case.calls)
    for answers, call in zip(found, case.calls, strict=True):
        wanted = case.build(tensorflow, *map(tensorflow.constant, call))
        assert_same(answers, tensorflow.nest.flatten(wanted))
    assert is_dynamic(model) == case.stays
    if form == "v1":
        assert not {"StatelessWhile", "StatelessIf", "While", "If"} & set(ops(model))


def test_a_loop_that_stays_is_told_with_the_reason(tensorflow: ModuleType) -> None:
    for name, reason in (("dynamic", "known only when it runs"), ("too_long", "more than")):
        case = CASES[name]
        specs = _specs(tensorflow, case)
        notes = resolved(traced(lambda *fed, case=case: case.build(tensorflow, *fed), *specs))
        assert len(notes) == 1
        assert reason in notes[0]
        assert "executeAsync" in notes[0]


def test_a_loop_reads_rows_of_the_tensor_and_no_list(tensorflow: ModuleType) -> None:
    case = CASES["map"]
    model = traced(lambda *fed: case.build(tensorflow, *fed), *_specs(tensorflow, case))
    resolved(model)
    found = ops(model)
    assert found["TensorListFromTensor"] == found["TensorListGetItem"] == 0
    assert found["GatherV2"] == 1


def test_functions_that_nothing_holds_are_gone(tensorflow: ModuleType) -> None:
    case = CASES["nested_static"]
    model = traced(lambda *fed: case.build(tensorflow, *fed), *_specs(tensorflow, case))
    assert model.functions
    resolved(model)
    assert not model.functions
