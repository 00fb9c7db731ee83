"""Operations on the elements of two or more values that are broadcast against each other."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops import javascript
from tfjs.ops.base import Kernel, as_first, broadcast, broadcast_shapes, declare
from tfjs.ops.runs import by_channel, in_runs
from tfjs.ops.shapes import same_shape, same_size


def binary(function: Callable[[Array, Array], Any]) -> Kernel:
    """A kernel of two inputs of one dtype, which the result has too."""

    def kernel(attrs: Attrs, x: Array, y: Array) -> Array:
        return np.asarray(function(x, y)).astype(x.dtype, copy=False)

    return kernel


def _no_zero(y: Array) -> None:
    if y.dtype.kind in "iu" and not np.all(y):
        raise ValueError("an integer is divided by zero")


def truncate_div(x: Array, y: Array) -> Array:
    """The quotient; that of integers without what is behind the point.

    Raises:
        ValueError: an integer is divided by zero.
    """
    _no_zero(y)
    if x.dtype.kind not in "iu":
        return np.asarray(np.true_divide(x, y))
    quotient, rest = np.floor_divide(x, y), np.remainder(x, y)
    return np.asarray(quotient + ((rest != 0) & ((x < 0) != (y < 0))))


def _floor_div(x: Array, y: Array) -> Array:
    _no_zero(y)
    return np.floor_divide(x, y) if x.dtype.kind in "iu" else np.floor(x / y)


def _truncate_mod(x: Array, y: Array) -> Array:
    _no_zero(y)
    return np.fmod(x, y)


def _floor_mod(x: Array, y: Array) -> Array:
    _no_zero(y)
    if x.dtype.kind in "iu":
        return np.remainder(x, y)
    rest = np.fmod(x, y)
    return np.where((rest != 0) & ((y < 0) != (rest < 0)), rest + y, rest)


def _pow(x: Array, y: Array) -> Array:
    if x.dtype.kind == "i" and np.any(y < 0):
        raise ValueError("an integer is raised to a negative power")
    return np.asarray(np.power(x, y))


def _unless(zero: Array, result: Array) -> Array:
    return np.where(zero, 0, result)


def _squared_difference(x: Array, y: Array) -> Array:
    difference = x - y
    return np.asarray(np.conj(difference) * difference)


def _shift(function: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    def shift(x: Array, y: Array) -> Array:
        return function(x, np.clip(y, 0, 8 * x.itemsize - 1).astype(x.dtype))

    return shift


_BINARY: dict[str, Callable[[Array, Array], Any]] = {
    "Add": np.add,
    "AddV2": np.add,
    "Atan2": np.arctan2,
    "BitwiseAnd": np.bitwise_and,
    "BitwiseOr": np.bitwise_or,
    "BitwiseXor": np.bitwise_xor,
    "Div": truncate_div,
    "DivNoNan": lambda x, y: _unless(y == 0, x / np.where(y == 0, 1, y)),
    "FloorDiv": _floor_div,
    "FloorMod": _floor_mod,
    "LeftShift": _shift(np.left_shift),
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "Mod": _truncate_mod,
    "Mul": np.multiply,
    "MulNoNan": lambda x, y: _unless(y == 0, x * y),
    "NextAfter": np.nextafter,
    "Pow": _pow,
    "RealDiv": truncate_div,
    "RightShift": _shift(np.right_shift),
    "SquaredDifference": _squared_difference,
    "Sub": np.subtract,
    "TruncateDiv": truncate_div,
    "TruncateMod": _truncate_mod,
    "Xdivy": lambda x, y: _unless(x == 0, x / y),
    "Xlog1py": lambda x, y: _unless(x == 0, x * np.log1p(y)),
    "Xlogy": lambda x, y: _unless(x == 0, x * np.log(y)),
}
for _name, _function in _BINARY.items():
    declare(
        _name,
        infer=broadcast,
        kernel=binary(_function),
        tfjs_kernel=javascript.BINARY.get(_name),
    )

declare("Betainc", "Igamma", "IgammaGradA", "Igammac", "Polygamma", "Zeta", infer=broadcast)


def _complex(attrs: Attrs, real: Array, imag: Array) -> Array:
    dtype = np.complex128 if real.dtype == np.float64 else np.complex64
    result = np.empty(np.broadcast_shapes(real.shape, imag.shape), dtype)
    result.real, result.imag = real, imag
    return result


declare("Complex", infer=broadcast, kernel=_complex)


def _same_shape(node: Node) -> list[Shape]:
    return [reduce(same_shape, (value.shape for value in node.inputs))]


def _add_n(attrs: Attrs, *values: Array) -> Array:
    if len({value.shape for value in values}) != 1:
        raise ValueError("the shapes should be equal")
    return np.asarray(reduce(operator.add, values)).astype(values[0].dtype, copy=False)


declare("AddN", "AccumulateNV2", infer=_same_shape, kernel=_add_n)


def _clip_shape(node: Node) -> list[Shape]:
    # The bounds are scalars, or of the shape of the numbers.
    return [node.inputs[0].shape]


def _clip(attrs: Attrs, x: Array, low: Array, high: Array) -> Array:
    return np.maximum(np.minimum(x, high), low).astype(x.dtype, copy=False)


declare("ClipByValue", infer=_clip_shape, kernel=_clip, tfjs_kernel=javascript.clip)


def _channel(attrs: Attrs, rank: int) -> int:
    return 1 if attrs.get("data_format") == b"NCHW" and rank > 1 else rank - 1


def _bias_shape(node: Node) -> list[Shape]:
    shape, bias = node.inputs[0].shape, node.inputs[1].shape
    if shape is None:
        return [None]
    if len(shape) < 2 or (bias is not None and len(bias) != 1):
        raise ValueError(f"shapes {shape} and {bias} do not go together")
    if bias is None:
        return [shape]
    axis = _channel(node.attrs, len(shape))
    size = same_size(shape[axis], bias[0])
    return [(*shape[:axis], size, *shape[axis + 1 :])]


def _bias_add(attrs: Attrs, x: Array, bias: Array) -> Array:
    after = x.ndim - 1 - _channel(attrs, x.ndim)
    if bias.ndim != 1 or x.ndim < 2:
        raise ValueError(f"shapes {x.shape} and {bias.shape} do not go together")
    if not after and bias.shape == x.shape[-1:] and bias.dtype == x.dtype:
        step = by_channel(np.add, bias, x.size)
        return in_runs(x, np.empty(x.shape, x.dtype), [step], bias.size)
    return np.asarray(x + bias.reshape((-1,) + (1,) * after))


declare(
    *("BiasAdd", "BiasAddV1"),
    infer=_bias_shape,
    kernel=_bias_add,
    # TF.js knows channels last only.
    tfjs_kernel=lambda attrs, x, bias: _bias_add({}, x, bias),
)


# Comparisons, logic ------------------------------------------------------------------------------


def _equal_shape(node: Node) -> list[Shape]:
    if node.attrs.get("incompatible_shape_error", True):
        return broadcast(node)
    # Shapes that do not go together give one boolean.
    try:
        return broadcast(node) if not _may_differ(node) else [None]
    except ValueError:
        return [()]


def _may_differ(node: Node) -> bool:
    shapes = [value.shape for value in node.inputs]
    return any(shape is None or None in shape for shape in shapes)


def _compare(function: Callable[[Array, Array], Any], unequal: bool | None = None) -> Kernel:
    def kernel(attrs: Attrs, x: Array, y: Array) -> Array:
        if unequal is not None and not attrs.get("incompatible_shape_error", True):
            try:
                np.broadcast_shapes(x.shape, y.shape)
            except ValueError:
                return np.array(unequal)
        return np.asarray(function(x, y)).astype(bool)

    return kernel


declare("Equal", infer=_equal_shape, kernel=_compare(np.equal, unequal=False))
declare("NotEqual", infer=_equal_shape, kernel=_compare(np.not_equal, unequal=True))
declare("Greater", infer=broadcast, kernel=_compare(np.greater))
declare("GreaterEqual", infer=broadcast, kernel=_compare(np.greater_equal))
declare("Less", infer=broadcast, kernel=_compare(np.less))
declare("LessEqual", infer=broadcast, kernel=_compare(np.less_equal))
declare("LogicalAnd", infer=broadcast, kernel=_compare(np.logical_and))
declare("LogicalOr", infer=broadcast, kernel=_compare(np.logical_or))


def _approximate(attrs: Attrs, x: Array, y: Array) -> Array:
    tolerance = np.asarray(attrs.get("tolerance", 1e-5), np.float32).astype(x.dtype)
    return np.asarray(np.abs(x - y) < tolerance)


declare("ApproximateEqual", infer=_same_shape, kernel=_approximate)


def _select_shape(node: Node) -> list[Shape]:
    return [same_shape(node.inputs[1].shape, node.inputs[2].shape)]


def _select(attrs: Attrs, condition: Array, x: Array, y: Array) -> Array:
    if x.shape != y.shape:
        raise ValueError("the shapes should be equal")
    if condition.ndim and condition.shape != x.shape:
        # One choice for each row.
        if condition.shape != x.shape[:1]:
            raise ValueError("the condition should have the shape of the values")
        condition = condition.reshape((-1,) + (1,) * (x.ndim - 1))
    return np.where(condition, x, y)


def _choose(attrs: Attrs, condition: Array, x: Array, y: Array) -> Array:
    return np.where(condition, x, y)


# To TF.js both are the second edition: one choice for each column.
declare("Select", infer=_select_shape, kernel=_select, tfjs_kernel=_choose)
declare("SelectV2", infer=broadcast, kernel=_choose)


# Gradients that graphs of inference still hold ---------------------------------------------------

declare(
    *("EluGrad", "InvGrad", "LeakyReluGrad", "ReciprocalGrad", "Relu6Grad", "ReluGrad"),
    *("RsqrtGrad", "SeluGrad", "SigmoidGrad", "SoftplusGrad", "SoftsignGrad", "SqrtGrad"),
    "TanhGrad",
    infer=as_first,
)


def _prelu_shape(node: Node) -> list[Shape]:
    return [broadcast_shapes([value.shape for value in node.inputs])]


def prelu(x: Array, alpha: Array) -> Array:
    """Numbers of which the negative ones are multiplied, each by its own."""
    return np.where(x < 0, alpha * x, x)


# TF.js's own: TensorFlow has no such operation.
declare("Prelu", infer=_prelu_shape, kernel=lambda attrs, x, alpha: prelu(x, alpha))
