"""Activations as graphs, by name and as layers; the formulas are Keras's.

Source: keras/src/activations/activations.py, keras/src/backend/tensorflow/nn.py and
keras/src/ops/nn.py; for `KERAS2_HARD_SIGMOID` tf_keras/src/backend.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfjs.ir.graph import Value
from tfjs.ir.layers_model import KERAS2_HARD_SIGMOID, Config
from tfjs.layers.base import CannotLower
from tfjs.layers.declarations.kernels import fits
from tfjs.layers.declarations.space_graph import order_axes

if TYPE_CHECKING:
    from tfjs.layers.lowering import Lowering

_LEAKY_RELU_SLOPE = 0.2  # of the activation; that of the layer is 0.3
_SHRINK_THRESHOLD = 0.5
_SQUAREPLUS = 4.0
_MASKED = -1e9


def activated(build: Lowering, x: Value, name: Any) -> Value:
    """An activation by its name in the normal form.

    Raises:
        CannotLower: it is none of Keras's, or the file does not hold its arguments.
    """
    if name == "linear":
        return x
    x = build.floats(x)
    if name in _OPS:
        return build.op(_OPS[name], x)
    if name in _FORMULAS:
        return _FORMULAS[name](build, x)
    if name == "threshold":
        raise CannotLower("has the activation threshold, whose arguments the file does not hold")
    raise CannotLower(f"has the activation {name!r}, a function that the file does not hold")


# What one operation of TensorFlow computes.
_OPS = {
    "elu": "Elu",
    "celu": "Elu",  # with its alpha of 1
    "exponential": "Exp",
    "relu": "Relu",
    "relu6": "Relu6",
    "selu": "Selu",
    "sigmoid": "Sigmoid",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "tanh": "Tanh",
    "softmax": "Softmax",
    "log_softmax": "LogSoftmax",
}


def clip(build: Lowering, x: Value, low: float, high: float) -> Value:
    """Numbers brought between two others."""
    return build.op("ClipByValue", x, np.float32(low), np.float32(high))


def leaky_relu(build: Lowering, x: Value, slope: float = _LEAKY_RELU_SLOPE) -> Value:
    """`x` where that is positive, else `slope * x`."""
    return build.op("LeakyRelu", x, attrs={"alpha": slope})


def _gelu(build: Lowering, x: Value) -> Value:
    erf = build.op("Erf", build.op("Mul", x, math.sqrt(0.5)))
    return build.op("Mul", build.op("Mul", x, 0.5), build.op("AddV2", erf, 1.0))


def _mish(build: Lowering, x: Value) -> Value:
    return build.op("Mul", x, build.op("Tanh", build.op("Softplus", x)))


def _silu(build: Lowering, x: Value) -> Value:
    return build.op("Mul", x, build.op("Sigmoid", x))


def _hard_sigmoid(build: Lowering, x: Value) -> Value:
    return build.op("Mul", build.op("Relu6", build.op("AddV2", x, 3.0)), 1.0 / 6.0)


def _hard_silu(build: Lowering, x: Value) -> Value:
    return build.op("Mul", x, _hard_sigmoid(build, x))


def _keras2_hard_sigmoid(build: Lowering, x: Value) -> Value:
    return clip(build, build.op("AddV2", build.op("Mul", x, 0.2), 0.5), 0.0, 1.0)


def _hard_tanh(build: Lowering, x: Value) -> Value:
    return clip(build, x, -1.0, 1.0)


def _log_sigmoid(build: Lowering, x: Value) -> Value:
    return build.op("Neg", build.op("Softplus", build.op("Neg", x)))


def _tanh_shrink(build: Lowering, x: Value) -> Value:
    return build.op("Sub", x, build.op("Tanh", x))


def _soft_shrink(build: Lowering, x: Value) -> Value:
    inner = clip(build, x, -_SHRINK_THRESHOLD, _SHRINK_THRESHOLD)
    return build.op("Sub", x, inner)


def _hard_shrink(build: Lowering, x: Value) -> Value:
    far = build.op("Greater", build.op("Abs", x), _SHRINK_THRESHOLD)
    return build.op("SelectV2", far, x, np.float32(0))


def _sparse_sigmoid(build: Lowering, x: Value) -> Value:
    return clip(build, build.op("Mul", build.op("AddV2", x, 1.0), 0.5), 0.0, 1.0)


def _sparse_plus(build: Lowering, x: Value) -> Value:
    """The square of the sparse sigmoid, and what lies above 1."""
    square = build.op("Square", _sparse_sigmoid(build, x))
    return build.op("AddV2", square, build.op("Relu", build.op("Sub", x, 1.0)))


def _squareplus(build: Lowering, x: Value) -> Value:
    root = build.op("Sqrt", build.op("AddV2", build.op("Square", x), _SQUAREPLUS))
    return build.op("Mul", build.op("AddV2", x, root), 0.5)


def _glu(build: Lowering, x: Value) -> Value:
    size = build.fixed(x, -1)
    if size % 2:
        raise CannotLower(f"has the activation glu, and its last axis has {size} elements")
    axis = np.array(build.rank(x) - 1, np.int32)
    linear, gate = build.ops("Split", axis, x, attrs={"num_split": 2, "T": x.dtype})
    return build.op("Mul", linear, build.op("Sigmoid", gate))


def _sparsemax(build: Lowering, x: Value) -> Value:
    """As Keras computes it: over the sums of all that is in the support, not of the last alone."""
    size, axis = build.fixed(x, -1), np.array([-1], np.int32)
    if not fits([size]):
        raise CannotLower("has the activation sparsemax, over more numbers than can be written")
    ordered = build.ops("TopKV2", x, np.array(size, np.int32), attrs={"sorted": True})[0]
    sums = build.op("Cumsum", ordered, np.array(build.rank(x) - 1, np.int32))
    counts = np.arange(1, size + 1, dtype=np.float32)
    mean = build.op("RealDiv", build.op("Sub", sums, 1.0), counts)
    support = build.op("Greater", build.op("Sub", ordered, mean), 0.0)
    kept = build.op("SelectV2", support, sums, np.float32(0))
    keep = {"keep_dims": True}
    count = build.op("Sum", build.floats(support), axis, attrs=keep)
    total = build.op("Sub", build.op("Sum", kept, axis, attrs=keep), 1.0)
    return build.op("Relu", build.op("Sub", x, build.op("RealDiv", total, count)))


_FORMULAS: dict[str, Callable[[Lowering, Value], Value]] = {
    "gelu": _gelu,
    "glu": _glu,
    "hard_shrink": _hard_shrink,
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": _hard_silu,
    "hard_tanh": _hard_tanh,
    KERAS2_HARD_SIGMOID: _keras2_hard_sigmoid,
    "leaky_relu": leaky_relu,
    "log_sigmoid": _log_sigmoid,
    "mish": _mish,
    "silu": _silu,
    "soft_shrink": _soft_shrink,
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": _sparse_sigmoid,
    "sparsemax": _sparsemax,
    "squareplus": _squareplus,
    "tanh_shrink": _tanh_shrink,
}


# Layers ---------------------------------------------------------------------------------------


def relu(build: Lowering, x: Value, config: Config) -> Value:
    """`relu` with a slope below the threshold, a threshold and a highest value."""
    slope = float(config.get("negative_slope") or 0.0)
    threshold = float(config.get("threshold") or 0.0)
    highest = config.get("max_value")
    if highest == math.inf:
        highest = None
    if highest is None and not threshold:
        return leaky_relu(build, x, slope) if slope else build.op("Relu", x)
    if threshold:
        above = build.op("Greater", x, threshold)
        result = build.op("SelectV2", above, x, np.float32(0))
        result = result if highest is None else clip(build, result, 0.0, float(highest))
    elif highest == 6:
        result = build.op("Relu6", x)
    else:
        result = clip(build, x, 0.0, float(highest or 0.0))
    if not slope:
        return result
    # x * slope below the threshold, counted from there.
    below = build.op("Minimum", build.op("Sub", x, threshold) if threshold else x, 0.0)
    return build.op("AddV2", result, build.op("Mul", below, slope))


def elu(build: Lowering, x: Value, alpha: float) -> Value:
    """`alpha * (exp(x) - 1)` where `x` is negative."""
    if alpha == 1.0:
        return build.op("Elu", x)
    curve = build.op("Elu", x)
    return build.op("SelectV2", build.op("Greater", x, 0.0), curve, build.op("Mul", curve, alpha))


def prelu(build: Lowering, x: Value, alpha: Value) -> Value:
    """`x` where that is positive, else `alpha * x`."""
    negative = build.op("Mul", build.op("Minimum", x, 0.0), alpha)
    return build.op("AddV2", build.op("Relu", x), negative)


def softmax(build: Lowering, x: Value, axis: Any) -> Value:
    """Softmax along one axis or over several."""
    rank = build.rank(x)
    axes = sorted({int(item) % rank for item in _listed(axis)})
    if len(axes) > 1:
        return _softmax_over(build, x, axes)
    place = axes[0] if axes else rank - 1
    if place == rank - 1:
        return build.op("Softmax", x)
    order = [item for item in range(rank) if item != place] + [place]
    moved = build.op("Softmax", order_axes(build, x, order))
    return order_axes(build, moved, [order.index(item) for item in range(rank)])


def _softmax_over(build: Lowering, x: Value, axes: Sequence[int]) -> Value:
    places, keep = np.array(axes, np.int32), {"keep_dims": True}
    highest = build.op("Max", x, places, attrs=keep)
    powers = build.op("Exp", build.op("Sub", x, highest))
    return build.op("RealDiv", powers, build.op("Sum", powers, places, attrs=keep))


def _listed(axis: Any) -> list[int]:
    return list(axis) if isinstance(axis, list | tuple) else [-1 if axis is None else axis]


def masked_softmax(build: Lowering, x: Value, mask: Value, axis: Any) -> Value:
    """Softmax over what a mask, which broadcasts to the tensor, lets through."""
    if mask.dtype != "bool":
        mask = build.op("Greater", build.floats(mask), 0.5)
    result = softmax(build, build.op("SelectV2", mask, x, np.float32(_MASKED)), axis)
    # Of what is masked as a whole, Keras 2 lets all through alike.
    return build.op("SelectV2", mask, result, np.float32(0)) if build.keras3 else result
