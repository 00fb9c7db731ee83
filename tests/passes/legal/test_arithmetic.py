from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from tests.support.graph_roundtrip import Case, Converted, booleans, floats, integers
from tests.support.tfjs_runtime import TfjsRuntime

X, Y = floats(2, 3, 4), floats(2, 3, 4, seed=1)
SOME_ZEROS = np.where(X > 0.5, 0, X).astype(np.float32)
N = integers(-20, 20, 30)
BIG = np.array([5001, -4097, 12345, 0], np.int32)
HUGE = np.array([100000007, 2**31 - 1, -(2**31), 2**24 + 1, 123456789, -123456789], np.int32)
DIVISORS = np.where(integers(-7, 7, 30) == 0, 3, integers(-7, 7, 30))

CASES = {
    "softsign": Case(lambda tf, x: tf.nn.softsign(x), X, rule="softsign", rtol=1e-6),
    "division of integers": Case(
        lambda tf, x, y: tf.raw_ops.Div(x=x, y=y), N, DIVISORS, rule="integer_division"
    ),
    "truncating division": Case(
        lambda tf, x, y: tf.raw_ops.TruncateDiv(x=x, y=y), N, DIVISORS, rule="integer_division"
    ),
    "floor division of floats": Case(lambda tf, x, y: x // y, X, Y, rule="float_floor_division"),
    "floor division of integers": Case(lambda tf, x, y: x // y, N, DIVISORS),
    **{
        f"floor division of large integers by {divisor}": Case(
            lambda tf, x, divisor=divisor: x // divisor, HUGE, rule="division_of_large_integers"
        )
        for divisor in (1, 2, 3, -7, 1000, 1 << 22)
    },
    "truncating division of large integers": Case(
        lambda tf, x: tf.truncatediv(x, [3, -7, 11, 2, 1000, 997]), HUGE, rule="integer_division"
    ),
    "a mean of large integers": Case(
        lambda tf, x: tf.raw_ops.Mean(input=x, axis=0), HUGE[:3], rule="integer_mean"
    ),
    **{
        f"large integers times {factor}": Case(
            lambda tf, x, factor=factor: x * factor, HUGE, rule="product_of_large_integers"
        )
        for factor in (-1640531535, 2**31 - 1, 1 << 23, -(2**31))
    },
    "C's remainder of integers": Case(
        lambda tf, x, y: tf.raw_ops.TruncateMod(x=x, y=y), N, DIVISORS, rule="truncated_remainder"
    ),
    "C's remainder of floats": Case(
        lambda tf, x, y: tf.raw_ops.Mod(x=x, y=y),
        X,
        Y,
        rule="truncated_remainder",
        rtol=1e-6,
        atol=1e-7,
    ),
    "floor remainder of floats": Case(lambda tf, x, y: x % y, X, Y, rtol=1e-6, atol=1e-7),
    "xlogy": Case(
        lambda tf, x, y: tf.math.xlogy(x, tf.abs(y)),
        SOME_ZEROS,
        SOME_ZEROS * Y,
        rule="nothing_times_anything",
        rtol=2e-6,
    ),
    "xlog1py": Case(
        lambda tf, x, y: tf.math.xlog1py(x, tf.abs(y)),
        SOME_ZEROS,
        Y,
        rule="nothing_times_anything",
        rtol=2e-6,
    ),
    "xdivy": Case(
        lambda tf, x, y: tf.math.xdivy(x, y),
        SOME_ZEROS,
        SOME_ZEROS,
        rule="nothing_times_anything",
        rtol=1e-6,
    ),
    "product without NaN": Case(
        lambda tf, x, y: tf.math.multiply_no_nan(x / y, y),
        X,
        SOME_ZEROS,
        rule="product_without_nan",
        rtol=1e-6,
    ),
    "inverse": Case(lambda tf, x: tf.raw_ops.Inv(x=x), X, rule="inverse", rtol=1e-6),
    "rounding to even": Case(
        lambda tf, x: tf.raw_ops.Rint(x=x),
        np.array([0.5, 1.5, 2.5, -0.5, -1.5, 3.2], np.float32),
        rule="round_to_even",
    ),
    "half of squares": Case(lambda tf, x: tf.nn.l2_loss(x), X, rule="half_of_squares", rtol=1e-6),
    "nearly equal": Case(
        lambda tf, x, y: tf.raw_ops.ApproximateEqual(x=x, y=y, tolerance=0.3),
        X,
        Y,
        rule="nearly_equal",
    ),
    "sum of all": Case(
        lambda tf, x, y: tf.raw_ops.AccumulateNV2(inputs=[x, y], shape=[2, 3, 4]),
        X,
        Y,
        rule="sum_of_all",
    ),
    "clipped integers": Case(
        lambda tf, x: tf.raw_ops.ClipByValue(t=x, clip_value_min=-3, clip_value_max=4),
        N,
        rule="clip",
    ),
    "clipped by tensors": Case(
        lambda tf, x, y: tf.raw_ops.ClipByValue(t=x, clip_value_min=-y * y, clip_value_max=y * y),
        X,
        Y,
        rule="clip",
    ),
    "mean of integers": Case(
        lambda tf, x: tf.reduce_mean(x, axis=1), integers(-9, 9, 5, 7), rule="integer_mean"
    ),
    "position among booleans": Case(
        lambda tf, x: tf.argmax(x, axis=1), booleans(5, 7), rule="position_among_booleans"
    ),
    "complementary error": Case(
        lambda tf, x: tf.math.erfc(x),
        np.linspace(-5, 9, 60).astype(np.float32),
        rule="complementary_error",
        rtol=1e-5,
        atol=1e-38,
    ),
    "angle": Case(
        lambda tf, x, y: tf.math.angle(tf.complex(x, y)),
        X,
        Y,
        rule="angle",
        backends=["cpu"],
        rtol=1e-5,
    ),
    "conjugate": Case(
        lambda tf, x, y: tf.math.imag(tf.math.conj(tf.complex(x, y))),
        X,
        Y,
        rule="conjugate",
        backends=["cpu"],
    ),
    "squares of large integers": Case(
        lambda tf, x: (tf.square(x), tf.math.squared_difference(x, 3)), BIG, rule="integer_square"
    ),
    "signs of large integers": Case(lambda tf, x: (-x, tf.abs(x)), 4096 * BIG, rule="integer_sign"),
    "signs of small numbers": Case(
        lambda tf, x: tf.sign(x),
        np.array([1e-30, -1e-10, 0, 2, -np.inf, np.nan], np.float32),
        rule="sign",
    ),
    "shapes that do not go together": Case(
        lambda tf, x, y: tf.raw_ops.NotEqual(x=x, y=y, incompatible_shape_error=False),
        floats(2),
        floats(3),
        rule="never_equal",
    ),
    "booleans of floats": Case(
        lambda tf, x: tf.cast(x, tf.bool),
        np.array([0.3, -0.3, 0, 1e-20, np.nan], np.float32),
        rule="booleans_of_floats",
    ),
    "length over three axes": Case(
        lambda tf, x: tf.math.reduce_euclidean_norm(x),
        X,
        rule="euclidean_norm",
        rtol=1e-6,
    ),
    "length of integers": Case(
        lambda tf, x: tf.math.reduce_euclidean_norm(x, axis=-1),
        integers(-9, 9, 3, 4),
        rule="euclidean_norm",
    ),
    "running sum from behind": Case(
        lambda tf, x: (tf.cumsum(x, -1), tf.cumsum(x, -3, reverse=True)),
        X,
        rule="running_sum_from_behind",
        rtol=1e-6,
        atol=1e-6,
    ),
    "running product of free size": Case(
        lambda tf, x: tf.math.cumprod(x, -2, exclusive=True),
        X,
        free=[[None, None, None]],
        rule="running_sum_from_behind",
        rtol=1e-6,
    ),
    "crossed bounds": Case(
        lambda tf, x: tf.raw_ops.ClipByValue(t=x, clip_value_min=1.0, clip_value_max=-0.5),
        X,
        rule="clip",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].run(tensorflow, tfjs_runtime)


@pytest.mark.parametrize(
    "function",
    [
        lambda tf, x: tf.cast(x > 0, tf.int32) * 123456789 + x % 1000 * 2000000 + x * 4000,
        lambda tf, x: (x % 1000) // 3 + tf.shape(x)[0] * 4000 // 7 + x // (1 << 23),
    ],
)
def test_integers_that_stay_small_are_left_alone(
    tensorflow: ModuleType, function: Callable[..., object]
) -> None:
    spec = tensorflow.TensorSpec([None], tensorflow.int32)
    converted = Converted(tensorflow, lambda x: function(tensorflow, x), [spec])
    rules = {entry.rule for entry in converted.outcome.rewrites}
    assert not {"division_of_large_integers", "product_of_large_integers"} & rules
