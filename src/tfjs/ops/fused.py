"""Convolutions and products with what follows them: a bias, a normalization, an activation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from tfjs.ir.graph import Attrs
from tfjs.ir.tensor import Array
from tfjs.ops.arithmetic import prelu
from tfjs.ops.base import Kernel, declare
from tfjs.ops.convolution import as_given, convolve_last, convolved_shape, depthwise_last
from tfjs.ops.elementwise import activation, leaky
from tfjs.ops.matrices import matmul_shape, product
from tfjs.ops.runs import Step, by_channel, by_function, in_runs
from tfjs.ops.windows import channels_first, from_last


def _into(function: Callable[[Array, Array], Array]) -> Callable[..., object]:
    """A function of two arrays that writes what it gives."""
    return lambda x, y, *, out: np.copyto(out, function(x, y))


def _finish(attrs: Attrs, made: Array, rest: Sequence[Array]) -> Array:
    """What follows a product, in place.

    Args:
        attrs: `fused_ops` names it in order; `epsilon` and `leakyrelu_alpha` go with that.
        made: the product, channels last.
        rest: the other inputs, in the order of what takes them.
    """
    left = iter(rest)
    steps: list[Step] = []
    made = np.ascontiguousarray(made)
    for name in attrs.get("fused_ops") or []:
        if name in (b"BiasAdd", b"Prelu"):
            function = np.add if name == b"BiasAdd" else _into(prelu)
            numbers = _next(left)
            if numbers.ndim > 1:
                # Not one a channel: TF.js takes these too.
                _in_place(made, steps)
                steps = []
                function(made, numbers, out=made)
            else:
                steps.append(by_channel(function, _of_channels(numbers, made), made.size))
        elif name == b"FusedBatchNorm":
            scale, offset, mean, variance = (_of_channels(_next(left), made) for _ in range(4))
            factor = scale / np.sqrt(variance + np.float32(attrs.get("epsilon", 1e-4)))
            moves = ((np.subtract, mean), (np.multiply, factor), (np.add, offset))
            steps += [by_channel(move, numbers, made.size) for move, numbers in moves]
        elif name == b"LeakyRelu":
            slope = np.asarray(attrs.get("leakyrelu_alpha", 0.2), made.dtype)
            steps.append(by_function(partial(leaky, alpha=slope)))
        else:
            steps.append(by_function(activation(name.decode())))
    if next(left, None) is not None:
        raise ValueError("more inputs than are used")
    return _in_place(made, steps)


def _next(left: Iterator[Array]) -> Array:
    found = next(left, None)
    if found is None:
        raise ValueError("fewer inputs than are used")
    return found


def _in_place(made: Array, steps: Sequence[Step]) -> Array:
    return in_runs(made, made, steps, made.shape[-1])


def _of_channels(numbers: Array, made: Array) -> Array:
    """Numbers of channels, of which there may be one for all."""
    return np.broadcast_to(numbers, made.shape[-1:])


def _convolution(convolve: Callable[[Attrs, Array, Array], Array]) -> Kernel:
    def kernel(attrs: Attrs, x: Array, filters: Array, *rest: Array) -> Array:
        if channels_first(attrs) and any(numbers.ndim > 1 for numbers in rest):
            raise ValueError("no numbers of every element where channels come first")
        made = _finish(attrs, convolve(attrs, x, filters), rest)
        return as_given(from_last(attrs, made), x)

    return kernel


def _matmul(attrs: Attrs, a: Array, b: Array, *rest: Array) -> Array:
    if a.ndim < 2 or b.ndim < 2:
        raise ValueError("matrices are multiplied")
    first = np.swapaxes(a, -1, -2) if attrs.get("transpose_a", False) else a
    second = np.swapaxes(b, -1, -2) if attrs.get("transpose_b", False) else b
    return _finish(attrs, product(first, second), rest)


def _as_tfjs(kernel: Kernel) -> Kernel:
    """What TF.js makes of it: it takes an activation from the second place only."""

    def computed(attrs: Attrs, *inputs: Array) -> Array:
        parts = attrs.get("fused_ops") or []
        if parts[:1] != [b"BiasAdd"]:
            attrs = {**attrs, "fused_ops": parts[1:2]}
        return np.asarray(kernel(attrs, *inputs))

    return computed


_depthwise = _convolution(depthwise_last)
_convolved = _convolution(convolve_last)
declare(
    "_FusedConv2D",
    infer=convolved_shape(4),
    kernel=_convolved,
    tfjs_kernel=_as_tfjs(_convolved),
    folds=False,
)
# TF.js's own: TensorFlow has no such operation.
declare(
    "FusedDepthwiseConv2dNative",
    infer=convolved_shape(4, depthwise=True),
    kernel=_depthwise,
    tfjs_kernel=_as_tfjs(_depthwise),
)
declare(
    "_FusedMatMul",
    infer=matmul_shape,
    kernel=_matmul,
    tfjs_kernel=_as_tfjs(_matmul),
    folds=False,
)
