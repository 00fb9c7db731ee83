"""Activations and normalisations of `keras.ops` as graphs, and what is lost by comparing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tfjs.ir.graph import Value
from tfjs.layers.declarations.activations_graph import (
    activated,
    clip,
    elu,
    leaky_relu,
    softmax,
)
from tfjs.layers.declarations.operation_graph import (
    Operands,
    axes_in,
    axis_in,
    computes,
    int32,
)
from tfjs.layers.declarations.operation_graph_reductions import logsumexp
from tfjs.layers.declarations.space_graph import order_axes

# Of the same name as an activation, and without settings.
_PLAIN = {
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "HardTanh": "hard_tanh",
    "LogSigmoid": "log_sigmoid",
    "Relu": "relu",
    "Relu6": "relu6",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Silu": "silu",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "SparsePlus": "sparse_plus",
    "SparseSigmoid": "sparse_sigmoid",
    "Tanh": "tanh",
    "TanhShrink": "tanh_shrink",
}
# What Keras's losses keep probabilities away from 0 and 1 by.
_FUZZ = 1e-7


@computes(*_PLAIN)
def _plain(given: Operands) -> Value:
    return activated(given.build, given.floats(), _PLAIN[given.build.layer.class_name])


@computes("LeakyRelu")
def _leaky_relu(given: Operands) -> Value:
    return leaky_relu(given.build, given.floats(), float(given.get("negative_slope", 0.2)))


@computes("Elu")
def _elu(given: Operands) -> Value:
    return elu(given.build, given.floats(), float(given.get("alpha", 1.0)))


@computes("Celu")
def _celu(given: Operands) -> Value:
    build, x, alpha = given.build, given.floats(), float(given.get("alpha", 1.0))
    if alpha == 1.0:
        return build.op("Elu", x)
    below = build.op("Expm1", build.op("Mul", build.op("Minimum", x, 0.0), 1.0 / alpha))
    return build.op("AddV2", build.op("Relu", x), build.op("Mul", below, alpha))


@computes("Gelu")
def _gelu(given: Operands) -> Value:
    build, x = given.build, given.floats()
    if not given.named.get("approximate", True):
        return activated(build, x, "gelu")
    # 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
    bent = build.op("AddV2", build.op("Mul", build.op("Square", x), 0.044715), 1.0)
    inner = build.op("Mul", build.op("Mul", x, math.sqrt(2.0 / math.pi)), bent)
    gate = build.op("AddV2", build.op("Tanh", inner), 1.0)
    return build.op("Mul", build.op("Mul", x, 0.5), gate)


@computes("Glu")
def _glu(given: Operands) -> Value:
    build, x = given.build, given.floats()
    axis = given.axis(build.rank(x))
    if build.fixed(x, axis) % 2:
        raise ValueError(f"axis {axis} of {build.shape(x)} has no two halves")
    at = np.array(axis, np.int32)
    linear, gate = build.ops("Split", at, x, attrs={"num_split": 2, "T": x.dtype})
    return build.op("Mul", linear, build.op("Sigmoid", gate))


@computes("HardShrink")
def _hard_shrink(given: Operands) -> Value:
    build, x = given.build, given.floats()
    far = build.op("Greater", build.op("Abs", x), float(given.get("threshold", 0.5)))
    return build.op("SelectV2", far, x, np.float32(0))


@computes("SoftShrink")
def _soft_shrink(given: Operands) -> Value:
    build, x, most = given.build, given.floats(), float(given.get("threshold", 0.5))
    return build.op("Sub", x, clip(build, x, -most, most))


@computes("Threshold")
def _threshold(given: Operands) -> Value:
    build, x = given.build, given.floats()
    above = build.op("Greater", x, float(given["threshold"]))
    return build.op("SelectV2", above, x, np.float32(given["default_value"]))


@computes("Squareplus")
def _squareplus(given: Operands) -> Value:
    build, x = given.build, given.floats()
    root = build.op("Sqrt", build.op("AddV2", build.op("Square", x), float(given.get("b", 4))))
    return build.op("Mul", build.op("AddV2", x, root), 0.5)


@computes("Softmax")
def _softmax(given: Operands) -> Value:
    build, x = given.build, given.floats()
    axis = given.named.get("axis", -1)
    if axis is None:
        axis = list(range(build.rank(x)))
    return softmax(build, x, axis)


@computes("LogSoftmax")
def _log_softmax(given: Operands) -> Value:
    build, x = given.build, given.floats()
    return log_softmax(given, x, axes_in(given.named.get("axis", -1), build.rank(x)))


def log_softmax(given: Operands, x: Value, axes: Sequence[int]) -> Value:
    """The logarithm of softmax over some axes."""
    build, rank = given.build, given.build.rank(x)
    if list(axes) == [rank - 1]:
        return build.op("LogSoftmax", x)
    return build.op("Sub", x, logsumexp(build, x, axes, keep=True))


@computes("Sparsemax")
def _sparsemax(given: Operands) -> Value:
    build, x = given.build, given.floats()
    rank = build.rank(x)
    axis = given.axis(rank)
    order = [place for place in range(rank) if place != axis] + [axis]
    made = activated(build, order_axes(build, x, order), "sparsemax")
    return order_axes(build, made, [order.index(place) for place in range(rank)])


# Normalisations ------------------------------------------------------------------------------


@computes("Normalize")
def _normalize(given: Operands) -> Value:
    build, x = given.build, given.floats()
    axes, order = given.axes(build.rank(x)) if given.get("axis") else [], given.get("order", 2)
    axes = axes or axes_in(given.named.get("axis", -1), build.rank(x))
    least, places, keep = float(given.get("epsilon", _FUZZ)), int32(*axes), {"keep_dims": True}
    if order == 2:
        square = build.op("Sum", build.op("Square", x), places, attrs=keep)
        return build.op("Mul", x, build.op("Rsqrt", build.op("Maximum", square, least * least)))
    size = build.op("Abs", x)
    if order in (1, float("inf")):
        length = build.op("Sum" if order == 1 else "Max", size, places, attrs=keep)
    else:
        powers = build.op("Sum", build.op("Pow", size, float(order)), places, attrs=keep)
        length = build.op("Pow", powers, 1.0 / float(order))
    return build.op("RealDiv", x, build.op("Maximum", length, least))


@computes("LayerNorm", given="x gamma beta")
def _layer_norm(given: Operands) -> Value:
    build, x = given.build, given.floats()
    axes, least = axes_in(given.named.get("axis", -1), build.rank(x)), given.get("epsilon", _FUZZ)
    places, keep = int32(*axes), {"keep_dims": True}
    if given.get("rms_scaling", False):
        mean = build.op("Mean", x, places, attrs=keep)
        variance = build.op("Mean", build.op("SquaredDifference", x, mean), places, attrs=keep)
        made = build.op("Mul", x, _factor(given, variance, least))
        return made if given.get("gamma") is None else _times(given, made, "gamma", axes)
    centred = build.op("Sub", x, build.op("Mean", x, places, attrs=keep))
    variance = build.op("Mean", build.op("Square", centred), places, attrs=keep)
    made = build.op("Mul", centred, _factor(given, variance, least))
    if given.get("gamma") is not None:
        made = _times(given, made, "gamma", axes)
    return made if given.get("beta") is None else _plus(given, made, "beta", axes)


@computes("RMSNorm", given="x scale")
def _rms_norm(given: Operands) -> Value:
    build, x = given.build, given.floats()
    axes, least = axes_in(given.named.get("axis", -1), build.rank(x)), given.get("epsilon", _FUZZ)
    square = build.op("Mean", build.op("Square", x), int32(*axes), attrs={"keep_dims": True})
    made = build.op("Mul", x, _factor(given, square, least))
    return made if given.get("scale") is None else _times(given, made, "scale", axes)


def _factor(given: Operands, variance: Value, least: float) -> Value:
    return given.build.op("Rsqrt", given.build.op("AddV2", variance, float(least)))


def _laid(given: Operands, name: str, axes: Sequence[int], rank: int) -> Value:
    """An argument with the sizes of some axes, so that it broadcasts to a tensor."""
    build, value = given.build, given.floats(name)
    if build.rank(value) != len(axes) or list(axes) == list(range(rank - len(axes), rank)):
        return value
    sizes = {axis: build.size(value, place) for place, axis in enumerate(axes)}
    return build.reshaped(value, [sizes.get(axis, 1) for axis in range(rank)])


def _times(given: Operands, x: Value, name: str, axes: Sequence[int]) -> Value:
    return given.build.op("Mul", x, _laid(given, name, axes, given.build.rank(x)))


def _plus(given: Operands, x: Value, name: str, axes: Sequence[int]) -> Value:
    return given.build.op("AddV2", x, _laid(given, name, axes, given.build.rank(x)))


@computes("BatchNorm", given="x mean variance offset scale")
def _batch_norm(given: Operands) -> Value:
    build, x = given.build, given.floats()
    rank = build.rank(x)
    axes = [axis_in(given["axis"], rank)]
    variance = _laid(given, "variance", axes, rank)
    factor = _factor(given, variance, given.get("epsilon", 1e-3))
    if given.get("scale") is not None:
        factor = build.op("Mul", factor, _laid(given, "scale", axes, rank))
    shift = build.op("Neg", build.op("Mul", _laid(given, "mean", axes, rank), factor))
    if given.get("offset") is not None:
        shift = build.op("AddV2", shift, _laid(given, "offset", axes, rank))
    return build.op("AddV2", build.op("Mul", x, factor), shift)


# Losses --------------------------------------------------------------------------------------


@computes("BinaryCrossentropy", given="target output")
def _binary_crossentropy(given: Operands) -> Value:
    build, target, output = given.build, given.floats("target"), given.floats("output")
    if given.get("from_logits", False):
        # max(x, 0) - x * target + log(1 + exp(-|x|))
        more = build.op("Softplus", build.op("Neg", build.op("Abs", output)))
        rest = build.op("Sub", build.op("Relu", output), build.op("Mul", output, target))
        return build.op("AddV2", rest, more)
    output = clip(build, output, _FUZZ, 1.0 - _FUZZ)
    hit = build.op("Mul", target, build.op("Log", output))
    others = [build.op("Sub", np.float32(1), item) for item in (target, output)]
    miss = build.op("Mul", others[0], build.op("Log", others[1]))
    return build.op("Neg", build.op("AddV2", hit, miss))


@computes("CategoricalCrossentropy", given="target output")
def _categorical_crossentropy(given: Operands) -> Value:
    output = given.floats("output")
    axis = given.axis(given.build.rank(output))
    return _crossentropy(given, given.floats("target"), output, axis)


@computes("SparseCategoricalCrossentropy", given="target output")
def _sparse_crossentropy(given: Operands) -> Value:
    build, target, output = given.build, given.tensor("target", "int32"), given.floats("output")
    rank = build.rank(output)
    axis = given.axis(rank)
    if build.rank(target) == rank and build.shape(target)[-1] == 1:
        target = build.op("Squeeze", target, attrs={"squeeze_dims": [rank - 1]})
    count = np.array(build.fixed(output, axis), np.int32)
    on, off = np.float32(1), np.float32(0)
    ones = build.op("OneHot", target, count, on, off, attrs={"axis": axis, "T": "float32"})
    return _crossentropy(given, ones, output, axis)


def _crossentropy(given: Operands, target: Value, output: Value, axis: int) -> Value:
    build, places = given.build, int32(axis)
    if given.get("from_logits", False):
        logarithm = log_softmax(given, output, [axis])
    else:
        total = build.op("Sum", output, places, attrs={"keep_dims": True})
        shares = clip(build, build.op("RealDiv", output, total), _FUZZ, 1.0 - _FUZZ)
        logarithm = build.op("Log", shares)
    return build.op("Neg", build.op("Sum", build.op("Mul", target, logarithm), places))


@computes("PSNR", given="x1 x2")
def _psnr(given: Operands) -> Value:
    build, (x, y) = given.build, given.together("x1", "x2", least="float32")
    square = build.op("SquaredDifference", x, y)
    mean = build.op("Mean", square, np.arange(build.rank(square), dtype=np.int32))
    most = 20.0 * math.log10(float(given["max_val"]))
    noise = build.op("Mul", build.op("Log", mean), 10.0 / math.log(10))
    return build.op("Sub", np.float32(most), noise)
