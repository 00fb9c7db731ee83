from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.graph_roundtrip import Case, check, floats
from tests.support.tfjs_runtime import TfjsRuntime

CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5}
X = floats(2, 5, 6, 4)
FIRST = np.moveaxis(X, 3, 1).copy()
WIDE = floats(2, 11, 12, 4)
KERNEL = floats(3, 3, 4, 8)
DEPTHWISE = floats(3, 3, 4, 2)
OUT = floats(2, 5, 6, 8)
SPACE = floats(2, 4, 5, 6, 3)
SPACE_KERNEL = floats(2, 3, 2, 3, 4)


def _by_first(op: Any) -> Any:
    """An operation with channels last, for an input that has them first."""

    def oracle(tf: Any, x: Any) -> Any:
        rank = len(x.shape)
        answer = op(tf, tf.transpose(x, [0, *range(2, rank), 1]))
        return tf.transpose(answer, [0, rank - 1, *range(1, rank - 1)])

    return oracle


def _depthwise(tf: Any, x: Any, stride: int, rates: tuple[int, int]) -> Any:
    """Each channel as a convolution of its own: TensorFlow's CPU dilates no other."""
    return tf.concat(
        [
            tf.nn.conv2d(
                x[..., channel : channel + 1],
                DEPTHWISE[:, :, channel : channel + 1],
                stride,
                "SAME",
                dilations=rates,
            )
            for channel in range(4)
        ],
        -1,
    )


CASES = {
    "channels first": Case(
        lambda tf, x: tf.nn.conv2d(x, KERNEL, [1, 1, 2, 1], "SAME", data_format="NCHW"),
        FIRST,
        oracle=_by_first(lambda tf, x: tf.nn.conv2d(x, KERNEL, [1, 2, 1, 1], "SAME")),
        rule="channels_first_convolution",
        **CLOSE,
    ),
    "channels first, padded": Case(
        lambda tf, x: tf.nn.conv2d(
            x, KERNEL, [1, 1, 2, 1], [[0, 0], [0, 0], [1, 2], [0, 1]], data_format="NCHW"
        ),
        FIRST,
        oracle=_by_first(
            lambda tf, x: tf.nn.conv2d(x, KERNEL, [1, 2, 1, 1], [[0, 0], [1, 2], [0, 1], [0, 0]])
        ),
        rule="channels_first_convolution",
        **CLOSE,
    ),
    "depthwise, channels first": Case(
        lambda tf, x: tf.raw_ops.DepthwiseConv2dNative(
            input=x, filter=DEPTHWISE, strides=[1, 1, 2, 2], padding="SAME", data_format="NCHW"
        ),
        FIRST,
        oracle=_by_first(
            lambda tf, x: tf.raw_ops.DepthwiseConv2dNative(
                input=x, filter=DEPTHWISE, strides=[1, 2, 2, 1], padding="SAME"
            )
        ),
        rule="channels_first_convolution",
        **CLOSE,
    ),
    "in space, channels first": Case(
        lambda tf, x: tf.raw_ops.Conv3D(
            input=x,
            filter=SPACE_KERNEL,
            strides=[1, 1, 1, 2, 1],
            padding="SAME",
            data_format="NCDHW",
        ),
        np.moveaxis(SPACE, -1, 1).copy(),
        oracle=_by_first(lambda tf, x: tf.nn.conv3d(x, SPACE_KERNEL, [1, 1, 2, 1, 1], "SAME")),
        rule="channels_first_convolution",
        **CLOSE,
    ),
    "groups": Case(
        lambda tf, x: tf.nn.conv2d(x, floats(3, 3, 2, 6), 2, "SAME"),
        X,
        free=[[None, None, None, 4]],
        rule="grouped_convolution",
        **CLOSE,
    ),
    "groups of one channel": Case(
        lambda tf, x: tf.nn.conv2d(x, floats(3, 3, 1, 8), 1, "VALID", dilations=2),
        X,
        rule="grouped_convolution",
        **CLOSE,
    ),
    **{
        f"strides beside dilations, {padding}": Case(
            lambda tf, x, padding=padding: tf.nn.conv2d(
                x, KERNEL, [2, 3], padding, dilations=[2, 1]
            ),
            WIDE,
            rule="stride_beside_dilation",
            **CLOSE,
        )
        for padding in ("SAME", "VALID")
    },
    "strides beside dilations, padded": Case(
        lambda tf, x: tf.nn.conv2d(
            x, KERNEL, [2, 3], [[0, 0], [1, 2], [2, 0], [0, 0]], dilations=[2, 1]
        ),
        WIDE,
        rule="stride_beside_dilation",
        **CLOSE,
    ),
    "depthwise, strides beside dilations": Case(
        lambda tf, x: tf.raw_ops.DepthwiseConv2dNative(
            input=x,
            filter=DEPTHWISE,
            strides=[1, 2, 2, 1],
            padding="SAME",
            dilations=[1, 2, 3, 1],
        ),
        WIDE,
        oracle=lambda tf, x: _depthwise(tf, x, 2, (2, 3)),
        rule="stride_beside_dilation",
        **CLOSE,
    ),
    "depthwise, dilations of two sizes": Case(
        lambda tf, x: tf.raw_ops.DepthwiseConv2dNative(
            input=x,
            filter=DEPTHWISE,
            strides=[1, 1, 1, 1],
            padding="SAME",
            dilations=[1, 2, 3, 1],
        ),
        WIDE,
        oracle=lambda tf, x: _depthwise(tf, x, 1, (2, 3)),
        **CLOSE,
    ),
    "transposed, channels first": Case(
        lambda tf, x: tf.raw_ops.Conv2DBackpropInput(
            input_sizes=[2, 4, 10, 12],
            filter=KERNEL,
            out_backprop=x,
            strides=[1, 1, 2, 2],
            padding="SAME",
            data_format="NCHW",
        ),
        np.moveaxis(OUT, -1, 1).copy(),
        oracle=_by_first(
            lambda tf, x: tf.nn.conv2d_transpose(x, KERNEL, [2, 10, 12, 4], 2, "SAME")
        ),
        rule="channels_first_transposed",
        **CLOSE,
    ),
    "transposed, padded": Case(
        lambda tf, x: tf.nn.conv2d_transpose(
            x, KERNEL, [2, 10, 12, 4], 2, [[0, 0], [1, 0], [0, 1], [0, 0]]
        ),
        OUT,
        rule="dilated_transposed",
        **CLOSE,
    ),
    "transposed, in a free batch": Case(
        lambda tf, x: tf.nn.conv2d_transpose(x, KERNEL, [tf.shape(x)[0], 10, 12, 4], 2, "SAME"),
        OUT,
        free=[[None, 5, 6, 8]],
        **CLOSE,
    ),
    **{
        f"transposed in space, {padding}": Case(
            lambda tf, x, padding=padding, width=width: tf.nn.conv3d_transpose(
                x, SPACE_KERNEL, [tf.shape(x)[0], 8, width, 12, 3], [1, 2, 2, 2, 1], padding
            ),
            floats(2, 4, 5, 6, 4),
            free=[[None, 4, 5, 6, 4]],
            rule="transposed_in_space",
            **CLOSE,
        )
        for padding, width in (("SAME", 10), ("VALID", 11))
    },
    "depthwise transposed": Case(
        lambda tf, x: tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
            input_sizes=[2, 10, 12, 8],
            filter=floats(3, 3, 8, 1),
            out_backprop=x,
            strides=[1, 2, 2, 1],
            padding="SAME",
        ),
        OUT,
        rule="depthwise_transposed",
        **CLOSE,
    ),
    "stride over the window": Case(
        lambda tf, x, k: tf.nn.conv2d(x, k, 3, "SAME"),
        floats(1, 6, 7, 2),
        floats(2, 2, 2, 3),
        rule="stride_over_window",
        **CLOSE,
    ),
    "depthwise stride over the window": Case(
        lambda tf, x, k: tf.nn.depthwise_conv2d(x, k, [1, 3, 3, 1], "SAME"),
        floats(1, 6, 6, 2),
        floats(2, 2, 2, 3),
        rule="stride_over_window",
        **CLOSE,
    ),
    "transposed with spatial sizes": Case(
        lambda tf, k, x: tf.raw_ops.Conv2DBackpropInput(
            input_sizes=[7, 6], filter=k, out_backprop=x, strides=[1, 2, 2, 1], padding="SAME"
        ),
        floats(3, 2, 4, 6),
        floats(2, 4, 3, 6),
        rule="spatial_sizes",
        **CLOSE,
    ),
}


def test_a_dilated_transposed_convolution_is_the_gradient_of_a_dilated_one(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime
) -> None:
    tf = tensorflow
    kernel = floats(3, 2, 4, 8)

    def gradient(answer: Any) -> Any:
        # TensorFlow's CPU has no kernel for it; a dilated kernel is one with zeros.
        wide = np.zeros((5, 4, 4, 8), np.float32)
        wide[::2, ::3] = kernel
        return tf.nn.conv2d_transpose(answer, wide, [2, 9, 9, 4], 1, "VALID")

    check(
        tf,
        tfjs_runtime,
        lambda answer: tf.raw_ops.Conv2DBackpropInput(
            input_sizes=[2, 9, 9, 4],
            filter=kernel,
            out_backprop=answer,
            strides=[1, 1, 1, 1],
            padding="VALID",
            dilations=[1, 2, 3, 1],
        ),
        floats(2, 5, 6, 8),
        oracle=gradient,
        **CLOSE,
    )


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].run(tensorflow, tfjs_runtime)
