"""Functions of TensorFlow whose graphs TF.js could get wrong; see `gotcha_cases.py`.

Each gets the module and tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.support.graph_roundtrip import floats, integers

CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5}
NEAR: dict[str, Any] = {"rtol": 2e-6, "atol": 2e-6}
X = floats(2, 5, 6, 4)
FIRST = np.moveaxis(X, 3, 1).copy()
ROWS = floats(3, 4)
KERNEL = floats(3, 3, 4, 8)
DEPTHWISE = floats(3, 3, 4, 2)
BIAS = floats(8)
BELOW = -np.abs(floats(1, 6, 6, 3)) - 1
SPACE_BELOW = -np.abs(floats(1, 4, 4, 4, 2)) - 1
SMALL = integers(-100, 100, 3, 4)
THREE = np.array(3, np.int32)
HIGH = floats(2, 1, 2, 2, 3, 2)
VECTORS = [floats(4, seed=1), floats(4, seed=2), floats(4, seed=3), np.abs(floats(4, seed=4)) + 1]


def by_first(op: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """An operation with channels last, for an input that has them first."""

    def oracle(tf: Any, x: Any) -> Any:
        rank = len(x.shape)
        answer = op(tf, tf.transpose(x, [0, *range(2, rank), 1]))
        return tf.transpose(answer, [0, rank - 1, *range(1, rank - 1)])

    return oracle


def ordered(tf: Any, x: Any) -> Any:
    """Reads behind control inputs, of a node with a value and of one without."""
    other = tf.identity(x * 3.0)
    with tf.control_dependencies([other, tf.no_op(), tf.debugging.assert_all_finite(x, "no")]):
        joined = tf.concat([x, x], 0)
        added = tf.add_n([x, x])
    return joined, added, other


def two_bodies(tf: Any, x: Any, n: Any) -> Any:
    """Two loops whose bodies both call a constant by one name."""

    def loop(by: Any, start: Any) -> Any:
        def body(i: Any, y: Any) -> Any:
            return i + 1, y * tf.constant(by, name="factor") + tf.constant(by / 2, name="more")

        return tf.while_loop(lambda i, y: i < n, body, (0, start))[1]

    return loop(np.array([2, 3, 4, 5], np.float32), x), loop(
        np.array([0.5, 0.25, 1, 2], np.float32), x
    )


def second_outputs(tf: Any, x: Any, n: Any) -> Any:
    """A body that reads, and gives back, outputs other than the first of a node."""

    def body(i: Any, a: Any, b: Any) -> Any:
        left, right = tf.split(tf.concat([a, b], 0), 2)
        best = tf.math.top_k(tf.reshape(left, [-1]), 2)
        return i + best.indices[0] * 0 + 1, right, left

    return tf.while_loop(lambda i, a, b: i < n, body, (0, x, x * 2.0))[1:]


def nested(tf: Any, x: Any) -> Any:
    inner = tf.function(lambda y: y * 2.0 + 1.0)
    outer = tf.function(lambda y: inner(y) - inner(y * 3.0))
    return outer(x) + inner(x)


def reserved(tf: Any, x: Any, n: Any) -> Any:
    """A list some slots of which nothing is written to."""
    items = tf.TensorArray(tf.float32, size=5, element_shape=[4], clear_after_read=False)

    def body(i: Any, held: Any) -> Any:
        return i + 1, held.write(i, x[0] * tf.cast(i, tf.float32))

    _, items = tf.while_loop(lambda i, held: i < n, body, (0, items))
    return items.stack()


def concatenated(tf: Any, x: Any, n: Any) -> Any:
    items = tf.TensorArray(tf.float32, size=0, dynamic_size=True, element_shape=[3, 4])
    _, items = tf.while_loop(
        lambda i, held: i < n, lambda i, held: (i + 1, held.write(i, x + 1.0)), (0, items)
    )
    return items.concat()


def popped(tf: Any, x: Any) -> Any:
    shape = tf.constant([4])
    items = tf.raw_ops.TensorListFromTensor(tensor=x, element_shape=shape)
    rest, last = tf.raw_ops.TensorListPopBack(
        input_handle=items, element_shape=shape, element_dtype=tf.float32
    )
    stacked = tf.raw_ops.TensorListStack(
        input_handle=rest, element_shape=shape, element_dtype=tf.float32
    )
    return last, stacked


def steps(tf: Any, x: Any) -> Any:
    """A loop of as many steps as the graph says."""
    state = tf.while_loop(lambda i, y: i < 4, lambda i, y: (i + 1, tf.tanh(y) + x), (0, x))
    return state[1]


def normalized(tf: Any, x: Any, layout: str = "NHWC", **options: Any) -> Any:
    scale, offset, mean, variance = VECTORS
    return tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=scale,
        offset=offset,
        mean=mean,
        variance=variance,
        data_format=layout,
        is_training=False,
        **options,
    )


def pool(op: str, layout: str = "NHWC") -> Callable[[Any, Any], Any]:
    window = [1, 2, 3, 1] if layout == "NHWC" else [1, 1, 2, 3]
    steps = [1, 1, 2, 1] if layout == "NHWC" else [1, 1, 1, 2]

    def pooled(tf: Any, x: Any) -> Any:
        name = {"MaxPool": "input"}.get(op, "value")
        options = {"ksize": window, "strides": steps, "padding": "SAME", "data_format": layout}
        return getattr(tf.raw_ops, op)(**{name: x}, **options)

    return pooled


def dilated_back(tf: Any, x: Any) -> Any:
    """A transposed convolution with a dilation of 2, which TensorFlow's CPU does not have."""
    wide = tf.pad(x, [[0, 0], [4, 4], [4, 4], [0, 0]])
    turned = tf.transpose(KERNEL[::-1, ::-1], [0, 1, 3, 2])
    return tf.nn.conv2d(wide, turned, 1, "VALID", dilations=2)


def shaped(tf: Any, x: Any) -> Any:
    """Arithmetic on shapes that is known but for the batch."""
    sizes = tf.shape(x)
    flat = tf.reshape(x, [sizes[0], sizes[1] * sizes[2], sizes[3]])
    tiled = tf.tile(flat, [1, 1, sizes[3] // 2])
    padded = tf.pad(tiled, [[0, 0], [sizes[1] - 4, 0], [0, 0]])
    return tf.broadcast_to(padded[:, :1], [2, sizes[2], 8]) + tf.fill([1, sizes[2], 8], 0.5)


def fused(*steps: str) -> Callable[[Any, Any], Any]:
    """A convolution, and what official tools would make one operation of with it."""
    activations = {
        "relu": lambda tf, y: tf.nn.relu(y),
        "relu6": lambda tf, y: tf.nn.relu6(y),
        "elu": lambda tf, y: tf.nn.elu(y),
        "sigmoid": lambda tf, y: tf.nn.sigmoid(y),
        "tanh": lambda tf, y: tf.nn.tanh(y),
        "leaky": lambda tf, y: tf.nn.leaky_relu(y, 0.3),
        "bias": lambda tf, y: tf.nn.bias_add(y, BIAS),
        "wide bias": lambda tf, y: y + floats(5, 6, 8),
    }

    def graph(tf: Any, x: Any) -> Any:
        if steps[0] == "depthwise":
            y = tf.nn.depthwise_conv2d(x, DEPTHWISE, [1, 1, 1, 1], "SAME")
        elif steps[0] == "matmul":
            y = tf.matmul(tf.reshape(x, [-1, 4]), KERNEL[0, 0])
        else:
            y = tf.nn.conv2d(x, KERNEL, 1, "SAME")
        for step in steps[1:]:
            y = activations[step](tf, y)
        return y

    return graph
