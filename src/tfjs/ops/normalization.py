"""Operations that bring numbers onto a common scale: softmax, batch and local normalization."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import Infer, Kernel, as_first, broadcast_shapes, declare
from tfjs.ops.runs import by_channel, in_runs
from tfjs.ops.shapes import at_least, same_size
from tfjs.ops.windows import channels_first

# Softmax -----------------------------------------------------------------------------------------


def log_softmax(x: Array) -> Array:
    """The logarithm of the softmax along the last axis, in the dtype of x."""
    if not x.ndim:
        raise ValueError("a scalar has no last axis")
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    moved = wide - np.max(wide, axis=-1, keepdims=True, initial=-np.inf)
    result = moved - np.log(np.sum(np.exp(moved), axis=-1, keepdims=True))
    return np.asarray(result).astype(x.dtype, copy=False)


def softmax(x: Array) -> Array:
    """The softmax along the last axis, in the dtype of x."""
    if not x.ndim:
        raise ValueError("a scalar has no last axis")
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    powers = np.exp(wide - np.max(wide, axis=-1, keepdims=True, initial=-np.inf))
    result = powers / np.sum(powers, axis=-1, keepdims=True)
    return np.asarray(result).astype(x.dtype, copy=False)


def _last_axis(node: Node) -> list[Shape]:
    return [at_least(node.inputs[0].shape, 1)]


declare("Softmax", infer=_last_axis, kernel=lambda attrs, x: softmax(x))
declare("LogSoftmax", infer=_last_axis, kernel=lambda attrs, x: log_softmax(x))


def _loss_shape(node: Node) -> list[Shape]:
    shape = broadcast_shapes([value.shape for value in node.inputs[:2]])
    return [None if shape is None else shape[:1], shape]


def _sparse_loss_shape(node: Node) -> list[Shape]:
    shape, labels = (value.shape for value in node.inputs[:2])
    return [labels, shape]


declare("SoftmaxCrossEntropyWithLogits", infer=_loss_shape)
declare("SparseSoftmaxCrossEntropyWithLogits", infer=_sparse_loss_shape)


# Batch normalization -----------------------------------------------------------------------------


def _batch_norm_shape(outputs: int) -> Infer:
    def infer(node: Node) -> list[Shape]:
        if node.attrs.get("data_format") == b"NCHW_VECT_C":
            return [None] * outputs
        shape = at_least(node.inputs[0].shape, 2)
        channels: int | None = None
        for value in node.inputs[1:5]:
            # While training, mean and variance may be empty.
            if value.shape is not None and value.shape != (0,):
                (size,) = value.shape
                channels = same_size(channels, size)
        if shape is not None:
            axis = 1 if channels_first(node.attrs) else len(shape) - 1
            channels = same_size(shape[axis], channels)
            shape = (*shape[:axis], channels, *shape[axis + 1 :])
        made: list[Shape] = [shape, *[(channels,)] * 4]
        return made if outputs == 5 else [*made, () if _infers(node.attrs) else None]

    return infer


def _infers(attrs: Attrs) -> bool:
    return not attrs.get("is_training", True)


def _batch_norm(outputs: int) -> Kernel:
    def kernel(
        attrs: Attrs, x: Array, scale: Array, offset: Array, mean: Array, variance: Array
    ) -> tuple[Array, ...]:
        if not _infers(attrs):
            raise ValueError("normalizes by the numbers of a batch, while training")
        axis = 1 if channels_first(attrs) else x.ndim - 1
        size = (-1,) + (1,) * (x.ndim - 1 - axis)
        epsilon = np.float32(attrs.get("epsilon", 1e-4))
        factor = scale / np.sqrt(variance + epsilon)
        if axis == x.ndim - 1 and x.dtype == factor.dtype and x.shape[axis:] == factor.shape:
            moves = ((np.subtract, mean), (np.multiply, factor), (np.add, offset))
            steps = [by_channel(function, numbers, x.size) for function, numbers in moves]
            result = in_runs(x, np.empty(x.shape, x.dtype), steps, factor.size)
        else:
            moved = x.astype(scale.dtype, copy=False) - mean.reshape(size)
            result = moved * factor.reshape(size) + offset.reshape(size)
        # What is kept for a gradient that nobody asks for; TensorFlow leaves it as it was.
        rest = (np.zeros((), np.float32),) if outputs == 6 else ()
        return (result.astype(x.dtype, copy=False), mean, variance, mean, variance, *rest)

    return kernel


def _batch_norm_tfjs(attrs: Attrs, *inputs: Array) -> Any:
    """TF.js normalizes by what is given, with the channels last, and has one default of its own."""
    told = {"epsilon": attrs.get("epsilon", 1e-3), "is_training": False}
    return _batch_norm(5)(told, *inputs)[0]


for _name, _outputs in (("FusedBatchNorm", 5), ("FusedBatchNormV2", 5), ("FusedBatchNormV3", 6)):
    declare(
        _name,
        infer=_batch_norm_shape(_outputs),
        kernel=_batch_norm(_outputs),
        tfjs_kernel=_batch_norm_tfjs,
    )


def _old_batch_norm(
    attrs: Attrs, x: Array, mean: Array, variance: Array, beta: Array, gamma: Array
) -> Array:
    factor = 1 / np.sqrt(variance + np.float32(attrs["variance_epsilon"]))
    if attrs["scale_after_normalization"]:
        factor = factor * gamma
    return np.asarray((x - mean) * factor + beta).astype(x.dtype, copy=False)


declare("BatchNormWithGlobalNormalization", infer=as_first, kernel=_old_batch_norm)


# Local response ----------------------------------------------------------------------------------


def _local_response(attrs: Attrs, x: Array) -> Array:
    if x.ndim != 4:
        raise ValueError(f"rank {x.ndim} should be 4")
    depth = x.shape[3]
    radius = min(attrs.get("depth_radius", 5), depth)
    wide = x.astype(np.float32)
    sums = np.zeros((*x.shape[:3], depth + 1), np.float64)
    np.cumsum(wide.astype(np.float64) ** 2, axis=3, out=sums[..., 1:])
    places = np.arange(depth)
    near = sums[..., np.minimum(places + radius + 1, depth)]
    near = near - sums[..., np.maximum(places - radius, 0)]
    bias, alpha, beta = (
        np.float32(attrs.get(key, default))
        for key, default in (("bias", 1.0), ("alpha", 1.0), ("beta", 0.5))
    )
    return np.asarray(wide / (bias + alpha * near) ** beta).astype(x.dtype)


declare("LRN", infer=as_first, kernel=_local_response)
