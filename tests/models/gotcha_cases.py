"""Graphs that meet the peculiarities of TF.js's executor, by the number of each.

The numbers are those of `runtime_contract.md` 7. Every function gets TensorFlow and tensors; its
answer by TensorFlow is compared with the answer of the real TF.js on cpu and wasm.
"""

from __future__ import annotations

import numpy as np

from tests.models.gotcha_graphs import (
    BELOW,
    BIAS,
    CLOSE,
    DEPTHWISE,
    FIRST,
    HIGH,
    KERNEL,
    NEAR,
    ROWS,
    SMALL,
    SPACE_BELOW,
    THREE,
    VECTORS,
    X,
    by_first,
    concatenated,
    dilated_back,
    fused,
    nested,
    normalized,
    ordered,
    pool,
    popped,
    reserved,
    second_outputs,
    shaped,
    steps,
    two_bodies,
)
from tests.support.graph_roundtrip import Case, booleans, floats, integers


def _cases(*cases: Case) -> list[Case]:
    return list(cases)


_FORMAT = {
    "F2": _cases(
        Case(lambda tf, x: (*tf.split(x, 2, 1), *tf.math.top_k(x, 2)), ROWS),
        Case(lambda tf, x: (x, x + 1.0, x, tf.constant([5.0])), ROWS),
    ),
    "F6": _cases(Case(ordered, ROWS)),
    "F7": _cases(
        Case(two_bodies, ROWS, THREE, free=[[None, 4], []], dynamic=True),
        Case(lambda tf, x: tf.add(tf.negative(x, name="0"), 1.0, name="12"), ROWS),
        Case(lambda tf, x: tf.negative(x, name="constructor"), ROWS),
    ),
    "F8": _cases(Case(second_outputs, ROWS, THREE, free=[[3, 4], []], dynamic=True)),
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
        Case(nested, ROWS),
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
        Case(
            lambda tf, x: tf.cast(tf.cast(x, tf.bfloat16), tf.float32),
            np.array([1, -2.5, 8], np.float32),
        ),
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
        Case(
            lambda tf, x: tf.cast(x - tf.constant(1, tf.uint8), tf.float32),
            np.array([0, 1], np.uint8),
        ),
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
            lambda tf, x: tf.raw_ops.Bincount(arr=x, size=6, weights=np.array([], np.int32)),
            np.array([1, 5, 1], np.int32),
        ),
    ),
}

_LAYOUT = {
    "L1": _cases(
        *[
            Case(pool(op, "NCHW"), FIRST, oracle=by_first(pool(op)), **NEAR)
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
        Case(lambda tf, x: normalized(tf, x).y, X, **CLOSE),
        Case(
            lambda tf, x: normalized(tf, x, "NCHW").y,
            FIRST,
            oracle=by_first(lambda tf, x: normalized(tf, x).y),
            **CLOSE,
        ),
        Case(lambda tf, x: normalized(tf, x)[:3], X, **CLOSE),
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
            oracle=dilated_back,
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
        Case(ordered, ROWS),
    ),
    "O6": _cases(
        Case(lambda tf, x: tf.linalg.band_part(x, 1, 0), ROWS),
        Case(lambda tf, x: tf.linalg.band_part(x, -1, 1), X),
        Case(lambda tf, x, n: tf.linalg.band_part(x, n, 2), ROWS, THREE),
    ),
    "O8": _cases(
        Case(lambda tf, x: tf.nn.leaky_relu(x), ROWS, **NEAR),
        Case(lambda tf, x: tf.raw_ops.LeakyRelu(features=x, alpha=0.0), ROWS),
        Case(lambda tf, x: normalized(tf, x).y, X, **CLOSE),
        Case(lambda tf, x: normalized(tf, x, epsilon=0.5).y, X, **CLOSE),
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
            lambda tf, x: tf.matmul(tf.linalg.cholesky(np.array([[4, 2], [2, 3]], np.float32)), x),
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
            Case(fused("conv", "bias", name), X, **CLOSE)
            for name in ("relu", "relu6", "elu", "sigmoid", "tanh", "leaky")
        ],
        *[Case(fused(op, "relu"), X, **CLOSE) for op in ("conv", "depthwise", "matmul")],
        *[Case(fused(op, "bias", "leaky"), X, **CLOSE) for op in ("depthwise", "matmul")],
        Case(fused("matmul", "bias", "tanh"), X, **CLOSE),
    ),
    "U2": _cases(Case(fused("conv", "wide bias", "relu"), X, **CLOSE)),
}

_FLOW = {
    "A1": _cases(Case(steps, ROWS, **NEAR)),
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
        Case(reserved, ROWS, THREE, dynamic=True),
        Case(concatenated, ROWS, THREE, dynamic=True),
        Case(popped, ROWS, dynamic=True),
    ),
    "P1": _cases(Case(lambda tf, x: tf.identity(tf.cast(tf.identity(x), tf.float32)) + 1.0, ROWS)),
    "P2": _cases(Case(shaped, X, free=[[None, 5, 6, 4]])),
}

CASES: dict[str, list[Case]] = {**_FORMAT, **_DTYPES, **_LAYOUT, **_RANKS, **_OPS, **_FLOW}
# What is run on WebGL too: where its shaders differ from what the processor computes.
ON_WEBGL = [name for name in CASES if name[0] in "LRU" or name in ("D4", "D9", "O1", "O10")]
