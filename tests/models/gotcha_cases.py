"""Graphs that meet the peculiarities of TF.js's executor, by the number of each.

The numbers are those of `runtime_contract.md` 7. Every function gets TensorFlow and tensors; its
answer by TensorFlow is compared with the answer of the real TF.js on cpu and wasm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.support.graph_roundtrip import Array, Case, booleans, floats, integers

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


def _ordered(tf: Any, x: Any) -> Any:
    """Reads behind control inputs, of a node with a value and of one without."""
    other = tf.identity(x * 3.0)
    with tf.control_dependencies([other, tf.no_op(), tf.debugging.assert_all_finite(x, "no")]):
        joined = tf.concat([x, x], 0)
        added = tf.add_n([x, x])
    return joined, added, other


def _two_bodies(tf: Any, x: Any, n: Any) -> Any:
    """Two loops whose bodies both call a constant by one name."""

    def loop(by: Any, start: Any) -> Any:
        def body(i: Any, y: Any) -> Any:
            return i + 1, y * tf.constant(by, name="factor") + tf.constant(by / 2, name="more")

        return tf.while_loop(lambda i, y: i < n, body, (0, start))[1]

    return loop(np.float32([2, 3, 4, 5]), x), loop(np.float32([0.5, 0.25, 1, 2]), x)


def _second_outputs(tf: Any, x: Any, n: Any) -> Any:
    """A body that reads, and gives back, outputs other than the first of a node."""

    def body(i: Any, a: Any, b: Any) -> Any:
        left, right = tf.split(tf.concat([a, b], 0), 2)
        best = tf.math.top_k(tf.reshape(left, [-1]), 2)
        return i + best.indices[0] * 0 + 1, right, left

    return tf.while_loop(lambda i, a, b: i < n, body, (0, x, x * 2.0))[1:]


def _nested(tf: Any, x: Any) -> Any:
    inner = tf.function(lambda y: y * 2.0 + 1.0)
    outer = tf.function(lambda y: inner(y) - inner(y * 3.0))
    return outer(x) + inner(x)


def _reserved(tf: Any, x: Any, n: Any) -> Any:
    """A list some slots of which nothing is written to."""
    items = tf.TensorArray(tf.float32, size=5, element_shape=[4], clear_after_read=False)

    def body(i: Any, held: Any) -> Any:
        return i + 1, held.write(i, x[0] * tf.cast(i, tf.float32))

    _, items = tf.while_loop(lambda i, held: i < n, body, (0, items))
    return items.stack()


def _concatenated(tf: Any, x: Any, n: Any) -> Any:
    items = tf.TensorArray(tf.float32, size=0, dynamic_size=True, element_shape=[3, 4])
    _, items = tf.while_loop(
        lambda i, held: i < n, lambda i, held: (i + 1, held.write(i, x + 1.0)), (0, items)
    )
    return items.concat()


def _popped(tf: Any, x: Any) -> Any:
    shape = tf.constant([4])
    items = tf.raw_ops.TensorListFromTensor(tensor=x, element_shape=shape)
    rest, last = tf.raw_ops.TensorListPopBack(
        input_handle=items, element_shape=shape, element_dtype=tf.float32
    )
    stacked = tf.raw_ops.TensorListStack(
        input_handle=rest, element_shape=shape, element_dtype=tf.float32
    )
    return last, stacked


def _steps(tf: Any, x: Any) -> Any:
    """A loop of as many steps as the graph says."""
    state = tf.while_loop(lambda i, y: i < 4, lambda i, y: (i + 1, tf.tanh(y) + x), (0, x))
    return state[1]


def _normalized(tf: Any, x: Any, layout: str = "NHWC", **options: Any) -> Any:
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


def _pool(op: str, layout: str = "NHWC") -> Callable[[Any, Any], Any]:
    window = [1, 2, 3, 1] if layout == "NHWC" else [1, 1, 2, 3]
    steps = [1, 1, 2, 1] if layout == "NHWC" else [1, 1, 1, 2]

    def pooled(tf: Any, x: Any) -> Any:
        name = {"MaxPool": "input"}.get(op, "value")
        options = {"ksize": window, "strides": steps, "padding": "SAME", "data_format": layout}
        return getattr(tf.raw_ops, op)(**{name: x}, **options)

    return pooled


def _dilated_back(tf: Any, x: Any) -> Any:
    """A transposed convolution with a dilation of 2, which TensorFlow's CPU does not have."""
    wide = tf.pad(x, [[0, 0], [4, 4], [4, 4], [0, 0]])
    turned = tf.transpose(KERNEL[::-1, ::-1], [0, 1, 3, 2])
    return tf.nn.conv2d(wide, turned, 1, "VALID", dilations=2)


def _shaped(tf: Any, x: Any) -> Any:
    """Arithmetic on shapes that is known but for the batch."""
    sizes = tf.shape(x)
    flat = tf.reshape(x, [sizes[0], sizes[1] * sizes[2], sizes[3]])
    tiled = tf.tile(flat, [1, 1, sizes[3] // 2])
    padded = tf.pad(tiled, [[0, 0], [sizes[1] - 4, 0], [0, 0]])
    return tf.broadcast_to(padded[:, :1], [2, sizes[2], 8]) + tf.fill([1, sizes[2], 8], 0.5)


def _fused(*steps: str) -> Callable[[Any, Any], Any]:
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


def _cases(*cases: Case) -> list[Case]:
    return list(cases)


_FORMAT = {
    "F2": _cases(
        Case(lambda tf, x: (*tf.split(x, 2, 1), *tf.math.top_k(x, 2)), ROWS),
        Case(lambda tf, x: (x, x + 1.0, x, tf.constant([5.0])), ROWS),
    ),
    "F6": _cases(Case(_ordered, ROWS)),
    "F7": _cases(
        Case(_two_bodies, ROWS, THREE, free=[[None, 4], []], dynamic=True),
        Case(lambda tf, x: tf.add(tf.negative(x, name="0"), 1.0, name="12"), ROWS),
        Case(lambda tf, x: tf.negative(x, name="constructor"), ROWS),
    ),
    "F8": _cases(Case(_second_outputs, ROWS, THREE, free=[[3, 4], []], dynamic=True)),
    "F9": _cases(
        Case(
            lambda tf, x, n: tf.while_loop(
                lambda i, a, b: i < n,
                lambda i, a, b: (i + 1, *tf.split(tf.concat([b, a], 1), 2, 1)),
                (0, x, x * 2.0),
            )[1:],
            ROWS,
            THREE,
            dynamic=True,
        )
    ),
    "F10": _cases(
        Case(_nested, ROWS),
        Case(
            lambda tf, i, x: tf.switch_case(
                i, [lambda: x + 1.0, lambda: x * 2.0, lambda: -x], default=lambda: x - 5.0
            ),
            np.int32(1),
            ROWS,
            dynamic=True,
        ),
    ),
    "F11": _cases(
        Case(lambda tf, x: x + tf.raw_ops.PlaceholderWithDefault(input=2.0, shape=[]), ROWS)
    ),
    "F12": _cases(Case(lambda tf, x: tf.raw_ops.Squeeze(input=x, axis=[]), floats(1, 3, 1))),
}

_DTYPES = {
    "D1": _cases(
        *[
            Case(
                lambda tf, x: (tf.cast(x + x, tf.float32), x * tf.cast(3, x.dtype)),
                np.array([[1, -2], [3, 4]], dtype),
            )
            for dtype in ("float64", "float16", "int64", "int8", "int16")
        ],
        Case(lambda tf, x: tf.cast(tf.cast(x, tf.bfloat16), tf.float32), np.float32([1, -2.5, 8])),
        Case(lambda tf, x: x + np.array([1, 2**31 - 5], np.int64), np.array([1, 2], np.int64)),
    ),
    "D4": _cases(
        Case(lambda tf, x: tf.cumsum(tf.cast(x, tf.int32), 1), booleans(3, 4)),
        Case(lambda tf, x: tf.reverse(x, [1]), booleans(3, 4)),
        Case(lambda tf, x: tf.where(x, x, ~x), booleans(3, 4)),
        Case(lambda tf, x: (tf.argmax(x, 1), tf.reduce_any(x, 0), x[:, ::2]), booleans(3, 4)),
        Case(lambda tf, x: tf.transpose(tf.pad(x, [[1, 0], [0, 2]])), booleans(3, 4)),
        Case(lambda tf, x: tf.tile(tf.gather(x, [2, 0]), [1, 2]), booleans(3, 4)),
        Case(lambda tf, x: tf.one_hot(tf.constant([1, 0]), 3, x[0], ~x[0]), booleans(1)),
        Case(lambda tf, x: tf.scatter_nd([[1], [3]], x, [5]), booleans(2)),
        Case(lambda tf, x: tf.math.logical_xor(x, tf.zeros_like(x)), booleans(3, 4)),
        Case(lambda tf, x: tf.concat([x, tf.ones_like(x)], 0), booleans(3, 4)),
    ),
    "D5": _cases(
        Case(lambda tf, x: (tf.round(x), tf.sign(x), tf.abs(x), tf.square(x), -x), SMALL),
        Case(lambda tf, x: tf.pow(x, 2), SMALL),
        Case(lambda tf, x: (tf.nn.relu(x), tf.nn.relu6(x)), SMALL),
        Case(lambda tf, x: tf.raw_ops.LeakyRelu(features=tf.cast(x, tf.float32)), SMALL),
        Case(lambda tf, x: tf.clip_by_value(x, -3, 7), SMALL),
        Case(lambda tf, x: tf.nn.softmax(tf.cast(x, tf.float64)), SMALL, **NEAR),
    ),
    "D6": _cases(
        Case(lambda tf, x: tf.cast(x, tf.uint8), integers(-700, 700, 50)),
        Case(lambda tf, x: tf.cast(x, tf.int8), integers(-700, 700, 50)),
        Case(lambda tf, x: tf.cast(tf.cast(x, tf.int16) * 300, tf.int32), integers(-700, 700, 50)),
        Case(lambda tf, x: x + x, np.array([[100, 200], [255, 3]], np.uint8)),
        Case(lambda tf, x: tf.cast(x - tf.constant(1, tf.uint8), tf.float32), np.uint8([0, 1])),
    ),
    "D9": _cases(
        Case(lambda tf, x, y: tf.raw_ops.Div(x=x, y=y), SMALL, integers(1, 9, 3, 4)),
        Case(lambda tf, x, y: tf.truncatediv(x, y), SMALL, integers(-9, 0, 3, 4)),
        Case(lambda tf, x, y: (x // y, x % y), SMALL, integers(-9, 0, 3, 4)),
        Case(lambda tf, x, y: (x // y, x % y), ROWS * 5, floats(3, 4, seed=7), **NEAR),
        Case(lambda tf, x, y: tf.raw_ops.TruncateMod(x=x, y=y), SMALL, integers(-9, 0, 3, 4)),
        Case(lambda tf, x: tf.math.divide_no_nan(x, [1.0, 0.0, 2.0, -4.0]), ROWS),
        Case(lambda tf, x: tf.reduce_mean(x, 1), SMALL),
    ),
    "D10": _cases(
        Case(lambda tf, n: (tf.range(n), tf.range(0, n, 2) + n), THREE),
        Case(lambda tf, x: tf.range(x, x + 2.0, 0.5), np.float32(1.5)),
        Case(
            lambda tf, x, y: tf.stack([a[0] for a in tf.raw_ops.ShapeN(input=[x, y])]),
            ROWS,
            X,
            free=[[None, 4], [None, 5, 6, 4]],
        ),
        Case(
            lambda tf, x: tf.raw_ops.Bincount(arr=x, size=6, weights=np.int32([])),
            np.int32([1, 5, 1]),
        ),
    ),
}

_LAYOUT = {
    "L1": _cases(
        *[
            Case(_pool(op, "NCHW"), FIRST, oracle=by_first(_pool(op)), **NEAR)
            for op in ("MaxPool", "AvgPool")
        ],
        Case(
            lambda tf, x: tf.nn.conv2d(x, KERNEL, [1, 1, 2, 1], "SAME", data_format="NCHW"),
            FIRST,
            oracle=by_first(lambda tf, x: tf.nn.conv2d(x, KERNEL, [1, 2, 1, 1], "SAME")),
            **CLOSE,
        ),
        Case(
            lambda tf, x: tf.raw_ops.DepthwiseConv2dNative(
                input=x, filter=DEPTHWISE, strides=[1] * 4, padding="SAME", data_format="NCHW"
            ),
            FIRST,
            oracle=by_first(
                lambda tf, x: tf.nn.depthwise_conv2d(x, DEPTHWISE, [1, 1, 1, 1], "SAME")
            ),
            **CLOSE,
        ),
        Case(
            lambda tf, x: tf.nn.conv3d(x, floats(2, 3, 2, 3, 4), [1] * 5, "SAME"),
            floats(2, 4, 5, 6, 3),
            **CLOSE,
        ),
        Case(lambda tf, x: tf.nn.depth_to_space(x, 2), X),
        Case(
            lambda tf, x: tf.nn.depth_to_space(x, 2, "NCHW"),
            FIRST,
            oracle=by_first(lambda tf, x: tf.nn.depth_to_space(x, 2)),
        ),
    ),
    "L2": _cases(
        Case(
            lambda tf, x: tf.nn.bias_add(x, VECTORS[0], "NCHW"),
            FIRST,
            oracle=by_first(lambda tf, x: tf.nn.bias_add(x, VECTORS[0])),
        )
    ),
    "L3": _cases(
        Case(lambda tf, x: _normalized(tf, x).y, X, **CLOSE),
        Case(
            lambda tf, x: _normalized(tf, x, "NCHW").y,
            FIRST,
            oracle=by_first(lambda tf, x: _normalized(tf, x).y),
            **CLOSE,
        ),
        Case(lambda tf, x: _normalized(tf, x)[:3], X, **CLOSE),
        Case(
            lambda tf, x: tf.raw_ops.FusedBatchNormV3(
                x=x, scale=VECTORS[0], offset=VECTORS[1], mean=[], variance=[], is_training=True
            )[:3],
            X,
            **CLOSE,
        ),
        Case(
            lambda tf, x: tf.nn.batch_normalization(
                tf.nn.conv2d(x, KERNEL, 1, "SAME"), BIAS, BIAS**2 + 1, BIAS, BIAS, 1e-3
            ),
            X,
            **CLOSE,
        ),
    ),
    "L4": _cases(
        Case(
            lambda tf, x: tf.nn.max_pool2d(x, 3, 2, [[0, 0], [1, 0], [2, 1], [0, 0]]),
            -np.abs(X) - 1,
        ),
        Case(
            lambda tf, x: tf.nn.conv2d(x, KERNEL, 1, [[0, 0], [1, 0], [2, 1], [0, 0]]), X, **CLOSE
        ),
    ),
    "L5": _cases(
        Case(
            lambda tf, x: tf.nn.conv2d(x, KERNEL, 2, "SAME", dilations=2),
            floats(2, 11, 12, 4),
            **CLOSE,
        ),
        Case(lambda tf, x: tf.nn.conv2d(x, floats(3, 3, 2, 8), 1, "SAME"), X, **CLOSE),
        Case(lambda tf, x: tf.nn.conv2d(x, floats(3, 3, 1, 8), 1, "SAME"), X, **CLOSE),
    ),
    "L6": _cases(
        Case(
            lambda tf, x: tf.nn.conv2d_transpose(x, KERNEL, [tf.shape(x)[0], 10, 12, 4], 2),
            floats(2, 5, 6, 8),
            free=[[None, 5, 6, 8]],
            **CLOSE,
        ),
        Case(
            lambda tf, x: tf.nn.conv2d_transpose(x, KERNEL, [2, 9, 10, 4], 1, "VALID", dilations=2),
            floats(2, 5, 6, 8),
            oracle=_dilated_back,
            **CLOSE,
        ),
        Case(
            lambda tf, x: tf.nn.conv2d_transpose(
                x, KERNEL, [2, 4, 10, 12], [1, 1, 2, 2], data_format="NCHW"
            ),
            np.moveaxis(floats(2, 5, 6, 8), 3, 1).copy(),
            oracle=by_first(lambda tf, x: tf.nn.conv2d_transpose(x, KERNEL, [2, 10, 12, 4], 2)),
            **CLOSE,
        ),
    ),
    "L7": _cases(
        Case(lambda tf, x: tf.nn.max_pool3d(x, 2, 2, "SAME"), SPACE_BELOW),
        Case(lambda tf, x: tf.nn.max_pool_with_argmax(x, 2, 2, "SAME"), BELOW),
        Case(
            lambda tf, x: tf.nn.max_pool_with_argmax(x, 3, 2, "SAME", include_batch_in_index=True),
            floats(2, 5, 6, 3) - 1,
        ),
        Case(
            lambda tf, x: tf.nn.dilation2d(
                x, floats(2, 3, 3), [1] * 4, "SAME", "NHWC", [1, 2, 1, 1]
            ),
            BELOW * 3,
        ),
        Case(
            lambda tf, x: tf.nn.erosion2d(
                x, floats(2, 2, 3), [1, 2, 1, 1], "VALID", "NHWC", [1] * 4
            ),
            BELOW * -3,
        ),
        Case(
            lambda tf, x: tf.nn.conv3d_transpose(x, floats(3, 3, 3, 3, 2), [1, 8, 8, 8, 3], 2),
            SPACE_BELOW,
            **CLOSE,
        ),
    ),
}

_RANKS = {
    "R1": _cases(
        Case(lambda tf, x: tf.pad(x, [[0, 0]] * 5 + [[1, 2]]), HIGH),
        Case(lambda tf, x: tf.pad(x[0], [[0, 0], [1, 0]] + [[0, 0]] * 3, "SYMMETRIC"), HIGH),
        Case(lambda tf, x: tf.cumsum(x, 4), HIGH, **NEAR),
        Case(lambda tf, x: tf.math.cumprod(x, 2, reverse=True), HIGH, **NEAR),
        Case(lambda tf, x: tf.reverse(x, [0, 4]), HIGH),
        Case(lambda tf, x: x[:, :, ::-1, ::2], HIGH),
    ),
    "R2": _cases(
        Case(lambda tf, x: tf.where(x > 0, x, -x), HIGH),
        Case(lambda tf, x: tf.where(x > 0, x, 0.5), HIGH),
        Case(lambda tf, x: tf.where(x > 0, x, 0.5), HIGH, free=[[None, 1, 2, 2, None, 2]]),
        Case(lambda tf, x: tf.where(x[:, :, :1] > 0, x, tf.zeros_like(x)), HIGH),
        Case(lambda tf, x: tf.transpose(x, [5, 0, 1, 2, 4, 3]), HIGH),
        Case(lambda tf, x: tf.transpose(x[None], [6, 0, 1, 2, 5, 3, 4]), HIGH),
    ),
    "R4": _cases(
        Case(lambda tf, x: (x[::2], x[:, ::-1], x[1:, ::3]), SMALL),
        Case(lambda tf, x: x[::2, ::-1], booleans(5, 4)),
        Case(lambda tf, x: x[:, ::2], SMALL, free=[[None, 4]]),
        Case(lambda tf, x: x[::2], SMALL, free=[[None, 4]]),
        Case(lambda tf, x: x[::-1, 1], SMALL, free=[[None, 4]]),
        Case(lambda tf, x, n: x[::n], SMALL, THREE),
        Case(lambda tf, x: (x[::2, 1], x[1, ::-1], x[::2, None, 1]), SMALL),
    ),
}

_CLASSES = np.array([[0, 2], [1, -1]], np.int32)
_OPS = {
    "O1": _cases(
        *[
            Case(
                lambda tf, x, axis=axis, dtype=dtype: tf.one_hot(x, 3, axis=axis, dtype=dtype),
                _CLASSES,
            )
            for axis in (-1, 0, 1)
            for dtype in ("float32", "int32")
        ],
        Case(lambda tf, x: tf.one_hot(x, 3, True, False, axis=1), _CLASSES),
        Case(lambda tf, x: tf.one_hot(x, 3, False, True), _CLASSES),
        Case(lambda tf, x: tf.one_hot(x, 1), _CLASSES),
        Case(lambda tf, x: tf.one_hot(x, 3, 2.5, -1.0), _CLASSES),
        Case(lambda tf, x, n: tf.one_hot(x, n), _CLASSES, THREE),
    ),
    "O2": _cases(
        Case(lambda tf, x, y: tf.einsum("aB,Bb->ab", x, y), ROWS, floats(4, 5), **NEAR),
        Case(lambda tf, x: tf.einsum("ii->i", x), floats(4, 4)),
        Case(lambda tf, x, y: tf.einsum("...ab,...bc->...ac", x, y), X, floats(2, 5, 4, 3), **NEAR),
        Case(lambda tf, x, y: tf.einsum("ab,bc", x, y), ROWS, floats(4, 5), **NEAR),
    ),
    "O3": _cases(
        Case(lambda tf, x, y: tf.matmul(x, y), SMALL, integers(-9, 9, 4, 2)),
        Case(lambda tf, x, y: tf.linalg.matvec(x, y), ROWS, floats(4), **NEAR),
        Case(lambda tf, x, y: tf.tensordot(x, y, 1), floats(4), floats(4, seed=3), **NEAR),
        Case(
            lambda tf, x, y: tf.raw_ops.BatchMatMulV3(x=x, y=y, Tout=tf.int32),
            SMALL.astype(np.int8),
            integers(-9, 9, 4, 2, dtype="int8"),
        ),
    ),
    "O4": _cases(
        Case(lambda tf, x: tf.nn.softmax(x, axis=1), X, **NEAR),
        Case(lambda tf, x: tf.nn.log_softmax(x, axis=0), X, **NEAR),
        Case(lambda tf, x: tf.raw_ops.Softmax(logits=x), X[0, 0, 0], **NEAR),
    ),
    "O5": _cases(
        Case(lambda tf, x: tf.ensure_shape(x, [3, 4]) + 1.0, ROWS),
        Case(lambda tf, x: tf.debugging.check_numerics(x, "no") + 1.0, ROWS),
        Case(lambda tf, x: tf.raw_ops.Print(input=x, data=[x], message="Seen") + 1.0, ROWS),
        Case(lambda tf, x: tf.raw_ops.PreventGradient(input=tf.stop_gradient(x)) + 1.0, ROWS),
        Case(_ordered, ROWS),
    ),
    "O6": _cases(
        Case(lambda tf, x: tf.linalg.band_part(x, 1, 0), ROWS),
        Case(lambda tf, x: tf.linalg.band_part(x, -1, 1), X),
        Case(lambda tf, x, n: tf.linalg.band_part(x, n, 2), ROWS, THREE),
    ),
    "O8": _cases(
        Case(lambda tf, x: tf.nn.leaky_relu(x), ROWS, **NEAR),
        Case(lambda tf, x: tf.raw_ops.LeakyRelu(features=x, alpha=0.0), ROWS),
        Case(lambda tf, x: _normalized(tf, x).y, X, **CLOSE),
        Case(lambda tf, x: _normalized(tf, x, epsilon=0.5).y, X, **CLOSE),
        Case(lambda tf, x: tf.nn.local_response_normalization(x), X, **CLOSE),
        Case(lambda tf, x: tf.nn.local_response_normalization(x, 2, 0.7, 0.3, 0.9), X, **CLOSE),
        Case(lambda tf, x: tf.nn.conv2d(x, KERNEL, 1, "VALID", dilations=[1, 2, 1, 1]), X, **CLOSE),
    ),
    "O9": _cases(
        *[
            Case(
                lambda tf, x, op=op, corners=corners, centers=centers: getattr(tf.raw_ops, op)(
                    images=x, size=[7, 9], align_corners=corners, half_pixel_centers=centers
                ),
                X,
                **CLOSE,
            )
            for op in ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic")
            for corners, centers in ((True, False), (False, True), (False, False))
        ],
        Case(lambda tf, x: tf.raw_ops.ResizeArea(images=x, size=[2, 3]), X, **CLOSE),
        Case(lambda tf, x: tf.image.resize(x, [3, 4], "lanczos3", antialias=True), X, **CLOSE),
    ),
    "O10": _cases(
        Case(
            lambda tf, c, x: tf.raw_ops.Select(condition=c, x=x, y=-x),
            np.array([True, False, True, False]),
            floats(4, 4),
        )
    ),
    "O13": _cases(
        Case(
            lambda tf, x: tf.strings.regex_replace(x, "[a-c]+", "_"),
            np.array([b"abcXabcdAB", b""], object),
            backends=["cpu"],
        )
    ),
    "O14": _cases(
        Case(lambda tf, x: tf.quantization.fake_quant_with_min_max_args(x, -1, 1), ROWS, **NEAR),
        Case(
            lambda tf, x: tf.quantization.fake_quant_with_min_max_vars(x, -0.8, 1.3, 4, True),
            ROWS,
            **NEAR,
        ),
    ),
    "O15": _cases(
        Case(lambda tf, x: tf.nn.space_to_depth(x, 2), floats(2, 4, 6, 3)),
        Case(lambda tf, x: (tf.nn.softsign(x), tf.math.rint(x)), ROWS, **NEAR),
        Case(lambda tf, x: tf.math.erfc(x), ROWS, rtol=2e-6),
        Case(lambda tf, x: tf.math.logical_xor(x, [True, False]), booleans(3, 2)),
        Case(lambda tf, x: tf.roll(x, [1, -2], [0, 1]), ROWS),
        Case(
            lambda tf, x: tf.math.xlogy(x, [0.5, 0.0, 2.0, 0.0]),
            np.abs(ROWS) * [1, 0, 1, 0],
            **NEAR,
        ),
        Case(lambda tf, x: tf.math.unsorted_segment_max(x, [2, 0, 2], 3), ROWS, rtol=1e-6),
        Case(lambda tf, x: tf.math.unsorted_segment_mean(x, [2, 0, 2], 3), ROWS, **NEAR),
        Case(lambda tf, x: tf.tensor_scatter_nd_add(x, [[1], [1]], floats(2, 4)), ROWS, **NEAR),
        Case(
            lambda tf, x: tf.matmul(tf.linalg.cholesky(np.float32([[4, 2], [2, 3]])), x),
            floats(2, 3),
            **NEAR,
        ),
        Case(lambda tf, x: (tf.linalg.diag(x), tf.linalg.diag_part(X)), ROWS),
        Case(
            lambda tf, x: tf.abs(tf.signal.fft2d(tf.cast(x, tf.complex64))),
            floats(4, 8),
            backends=["cpu"],
            **CLOSE,
        ),
    ),
    "O17": _cases(
        Case(lambda tf, x: tf.abs(tf.signal.rfft(x, [6])), floats(2, 8), backends=["cpu"], **CLOSE),
        Case(
            lambda tf, x: tf.abs(tf.signal.rfft(x, [12])), floats(2, 8), backends=["cpu"], **CLOSE
        ),
        Case(
            lambda tf, x: tf.signal.irfft(tf.signal.rfft(x)),
            floats(2, 8),
            backends=["cpu"],
            **CLOSE,
        ),
    ),
    "U1": _cases(
        *[
            Case(_fused("conv", "bias", name), X, **CLOSE)
            for name in ("relu", "relu6", "elu", "sigmoid", "tanh", "leaky")
        ],
        *[Case(_fused(op, "relu"), X, **CLOSE) for op in ("conv", "depthwise", "matmul")],
        *[Case(_fused(op, "bias", "leaky"), X, **CLOSE) for op in ("depthwise", "matmul")],
        Case(_fused("matmul", "bias", "tanh"), X, **CLOSE),
    ),
    "U2": _cases(Case(_fused("conv", "wide bias", "relu"), X, **CLOSE)),
}

_FLOW = {
    "A1": _cases(Case(_steps, ROWS, **NEAR)),
    "A2": _cases(
        Case(
            lambda tf, x, n: tf.while_loop(
                lambda i, y: i < n, lambda i, y: (i + 1, y * 0.5 + x), (0, x)
            )[1],
            ROWS,
            THREE,
            dynamic=True,
            **NEAR,
        ),
        Case(
            lambda tf, c, x: tf.cond(c, lambda: x + 1.0, lambda: x * tf.reduce_sum(x)),
            np.array(False),
            ROWS,
            dynamic=True,
            **NEAR,
        ),
    ),
    "A3": _cases(
        Case(_reserved, ROWS, THREE, dynamic=True),
        Case(_concatenated, ROWS, THREE, dynamic=True),
        Case(_popped, ROWS, dynamic=True),
    ),
    "P1": _cases(Case(lambda tf, x: tf.identity(tf.cast(tf.identity(x), tf.float32)) + 1.0, ROWS)),
    "P2": _cases(Case(_shaped, X, free=[[None, 5, 6, 4]])),
}

CASES: dict[str, list[Case]] = {**_FORMAT, **_DTYPES, **_LAYOUT, **_RANKS, **_OPS, **_FLOW}
# The same in ranks and sizes that WebGL's shaders, not the processor, compute.
ON_WEBGL: dict[str, list[Case]] = {"R1": CASES["R1"], "R2": CASES["R2"]}


def narrow(array: Array) -> Array:
    """An input as TF.js takes it."""
    return array.astype({"i": np.int32, "f": np.float32}.get(array.dtype.kind, array.dtype))
