"""Lists that loops fill, beside TensorFlow's."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.graph_roundtrip import Case, Converted, floats
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import UnsupportedError

X = floats(3, 4)
COUNT = np.array(3, np.int32)


def _written(tf: Any, dtype: str, start: int, shape: Any = (4,)) -> Any:
    """A reserved list of 6, of which a loop writes some."""

    def graph(x: Any, n: Any) -> Any:
        items = tf.TensorArray(dtype, size=6, element_shape=shape, clear_after_read=False)

        def body(i: Any, held: Any) -> Any:
            return i + 1, held.write(i, tf.cast(x[0] * 9, dtype))

        return tf.while_loop(lambda i, held: i < n, body, (start, items))[1]

    return graph


def _reserved(tf: Any, x: Any, n: Any, dtype: str, start: int) -> Any:
    return _written(tf, dtype, start)(x, n).stack()


def _gathered_of_array(tf: Any, x: Any, n: Any, indices: Any) -> Any:
    """What TF 1 reads of an array whose size is fed, so that it stays one."""
    raw = tf.raw_ops
    handle, flow = raw.TensorArrayV3(
        size=n, dtype=tf.float32, element_shape=[4], clear_after_read=False
    )
    flow = raw.TensorArrayScatterV3(handle=handle, indices=tf.range(n), value=x, flow_in=flow)
    return raw.TensorArrayGatherV3(
        handle=handle, indices=indices, flow_in=flow, dtype=tf.float32, element_shape=[4]
    )


def _split(tf: Any, x: Any, n: Any, element_shape: Any) -> Any:
    raw = tf.raw_ops
    handle, flow = raw.TensorArrayV3(size=n, dtype=tf.float32, element_shape=element_shape)
    lengths = np.array([1, 0, 2], np.int64)
    flow = raw.TensorArraySplitV3(handle=handle, value=x, lengths=lengths, flow_in=flow)
    return raw.TensorArrayConcatV3(handle=handle, flow_in=flow, dtype=tf.float32)[0]


CASES = {
    "behind what was written": Case(
        lambda tf, x, n: _reserved(tf, x, n, "float32", 0), X, COUNT, rule="reserved_zeros"
    ),
    "before what was written": Case(
        lambda tf, x, n: _reserved(tf, x, n, "float32", 2), X, COUNT, rule="reserved_zeros"
    ),
    "integers": Case(lambda tf, x, n: _reserved(tf, x, n, "int32", 1), X, COUNT),
    "booleans": Case(lambda tf, x, n: _reserved(tf, x, n, "bool", 1), X, COUNT),
    "nothing written": Case(
        lambda tf, x, n: _reserved(tf, x, n, "float32", 0), X, np.array(0, np.int32)
    ),
    "the last written": Case(
        lambda tf, x, n: _reserved(tf, x, n, "float32", 5), X, np.array(6, np.int32)
    ),
    "read one by one": Case(
        lambda tf, x, n: (lambda held: held.read(5) + held.read(n - 1))(
            _written(tf, "float32", 0)(x, n)
        ),
        X,
        COUNT,
    ),
    "more read than there are": Case(
        lambda tf, x, n: _written(tf, "float32", 0)(x, n).gather([0, 5, 1, 0, 2, 2, 1, 0, n]),
        X,
        COUNT,
        rule="gathered_repeatedly",
    ),
    "more read of an array than there are": Case(
        lambda tf, x, n: _gathered_of_array(tf, x, n, [0, 2, 2, 1, 0]),
        X,
        COUNT,
        rule="gathered_each_once",
    ),
    "more read of an array by places that are fed": Case(
        _gathered_of_array,
        X,
        COUNT,
        np.array([0, 2, 2, 1, 0], np.int32),
        rule="gathered_each_once",
    ),
    "an array in another order": Case(
        lambda tf, x, n: _gathered_of_array(tf, x, n, [2, 0, 1]), X, COUNT
    ),
    "all of an array": Case(lambda tf, x, n: _gathered_of_array(tf, x, n, tf.range(n)), X, COUNT),
    "an array of parts": Case(lambda tf, x, n: _split(tf, x, n, [None, 4]), X, COUNT),
    "all written, of a shape that is not known": Case(
        lambda tf, x, n: _written(tf, "float32", 0, (None,))(x, n).stack(),
        X,
        np.array(6, np.int32),
    ),
}


@pytest.mark.parametrize("element_shape", [None, [None, None]])
def test_parts_of_untold_shape_are_refused(element_shape: Any, tensorflow: ModuleType) -> None:
    with pytest.raises(UnsupportedError, match="tells the shape of its items"):
        Converted(tensorflow, lambda x, n: _split(tensorflow, x, n, element_shape), [X, COUNT])


def test_a_list_of_parts_of_lengths_that_are_fed_is_refused(tensorflow: ModuleType) -> None:
    tf, raw = tensorflow, tensorflow.raw_ops

    def joined(x: Any, lengths: Any) -> Any:
        parts = raw.TensorListSplit(tensor=x, element_shape=[-1, 4], lengths=lengths)
        return raw.TensorListConcat(input_handle=parts, element_dtype=tf.float32)[0]

    with pytest.raises(UnsupportedError, match="splits into a list other shapes"):
        Converted(tf, joined, [X, np.array([1, 2], np.int64)])


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].options["dynamic"] = True
    CASES[name].run(tensorflow, tfjs_runtime)
