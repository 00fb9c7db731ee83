"""Operations that make one number of many along some axes, or of all before each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.arithmetic import truncate_div
from tfjs.ops.base import Kernel, as_first, declare
from tfjs.ops.elementwise import numpy_dtype
from tfjs.ops.shapes import axis_in, free, scalar_input
from tfjs.ops.shaping import axes_input, integers


def reduced_shape(node: Node) -> list[Shape]:
    """The shape of the first input without the axes that the second names."""
    shape, keep = node.inputs[0].shape, bool(node.attrs.get("keep_dims", False))
    if shape is None:
        return [None]
    axes = axes_input(node, 1, len(shape))
    if axes is None:
        told = node.inputs[1].shape
        if keep:
            return [free(len(shape))]
        if told is None or None in told:
            return [None]
        # Every axis is named once.
        count = told[0] if told else 1
        return [None if count is None or count > len(shape) else free(len(shape) - count)]
    if keep:
        return [tuple(1 if axis in axes else size for axis, size in enumerate(shape))]
    return [tuple(size for axis, size in enumerate(shape) if axis not in axes)]


def lowest(dtype: np.dtype[Any]) -> Any:
    """What a maximum starts from."""
    return np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


def highest(dtype: np.dtype[Any]) -> Any:
    """What a minimum starts from."""
    return np.iinfo(dtype).max if dtype.kind in "iu" else np.inf


def mean(x: Array, axes: tuple[int, ...], keep: bool) -> Array:
    """The mean along axes; that of integers is a sum in their dtype, divided without its rest."""
    total = np.asarray(np.sum(x, axis=axes, dtype=_wide(x), keepdims=keep))
    count = np.prod([x.shape[axis] for axis in axes], dtype=np.int64).astype(total.dtype)
    return truncate_div(total, np.asarray(count))


def _wide(x: Array) -> Any:
    """Halves are added up in single precision."""
    return np.float32 if x.dtype == np.float16 else x.dtype


def _norm(x: Array, axes: tuple[int, ...], keep: bool) -> Array:
    squares = np.abs(x.astype(_wide(x), copy=False)) ** 2
    total = np.sum(squares, axis=axes, dtype=squares.dtype, keepdims=keep)
    return np.asarray(np.sqrt(total))


_REDUCTIONS: dict[str, Callable[[Array, tuple[int, ...], bool], Any]] = {
    "All": lambda x, axes, keep: np.all(x, axis=axes, keepdims=keep),
    "Any": lambda x, axes, keep: np.any(x, axis=axes, keepdims=keep),
    "EuclideanNorm": _norm,
    "Max": lambda x, axes, keep: np.max(x, axis=axes, keepdims=keep, initial=lowest(x.dtype)),
    "Mean": mean,
    "Min": lambda x, axes, keep: np.min(x, axis=axes, keepdims=keep, initial=highest(x.dtype)),
    "Prod": lambda x, axes, keep: np.prod(x, axis=axes, dtype=_wide(x), keepdims=keep),
    "Sum": lambda x, axes, keep: np.sum(x, axis=axes, dtype=_wide(x), keepdims=keep),
}


def _kernel(function: Callable[[Array, tuple[int, ...], bool], Any]) -> Kernel:
    def kernel(attrs: Attrs, x: Array, axes: Array) -> Array:
        named = tuple(axis_in(axis, x.ndim) for axis in integers(axes))
        result = function(x, named, bool(attrs.get("keep_dims", False)))
        return np.asarray(result).astype(x.dtype, copy=False)

    return kernel


def _mean_tfjs(attrs: Attrs, x: Array, axes: Array) -> Array:
    """TF.js's mean of integers is a float."""
    floats = x if x.dtype.kind == "f" else x.astype(np.float32)
    return np.asarray(_kernel(mean)(attrs, floats, axes))


for _name, _function in _REDUCTIONS.items():
    declare(
        _name,
        infer=reduced_shape,
        kernel=_kernel(_function),
        tfjs_kernel=_mean_tfjs if _name == "Mean" else None,
    )

declare("L2Loss", infer=lambda node: [()], kernel=lambda attrs, x: (x * x).sum(dtype=x.dtype) / 2)


# Where the greatest is ---------------------------------------------------------------------------


def _arg_shape(node: Node) -> list[Shape]:
    shape = node.inputs[0].shape
    if shape is None:
        return [None]
    axis = scalar_input(node, 1)
    if axis is None:
        return [free(max(0, len(shape) - 1))]
    axis = axis_in(axis, len(shape))
    return [(*shape[:axis], *shape[axis + 1 :])]


def _arg(function: Callable[..., Any]) -> Kernel:
    def kernel(attrs: Attrs, x: Array, axis: Array) -> Array:
        (where,) = integers(axis)
        found = function(x, axis=axis_in(where, x.ndim))
        return np.asarray(found).astype(numpy_dtype(attrs.get("output_type", "int64")))

    return kernel


declare("ArgMax", infer=_arg_shape, kernel=_arg(np.argmax))
declare("ArgMin", infer=_arg_shape, kernel=_arg(np.argmin))


# Of all before each ------------------------------------------------------------------------------


def _log_sum(x: Array, axis: int, dtype: Any) -> Array:
    return np.asarray(np.logaddexp.accumulate(x, axis=axis))


def _cumulative(function: Callable[..., Any], start: float) -> Kernel:
    def kernel(attrs: Attrs, x: Array, axis: Array) -> Array:
        (where,) = integers(axis)
        where = axis_in(where, x.ndim)
        given = np.flip(x, where) if attrs.get("reverse", False) else x
        result = np.asarray(function(given, axis=where, dtype=_wide(x))).astype(x.dtype)
        if attrs.get("exclusive", False) and x.shape[where]:
            first = np.full_like(np.take(result, [0], where), start)
            result = np.concatenate(
                [first, np.take(result, range(x.shape[where] - 1), where)], where
            )
        return np.flip(result, where) if attrs.get("reverse", False) else result

    return kernel


declare("Cumsum", infer=as_first, kernel=_cumulative(np.cumsum, 0))
declare("Cumprod", infer=as_first, kernel=_cumulative(np.cumprod, 1))
# TensorFlow starts from the lowest number, not from minus infinity.
declare("CumulativeLogsumexp", infer=as_first, kernel=_cumulative(_log_sum, -np.inf))
