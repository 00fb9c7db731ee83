"""Operations that combine what is under a moving window."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import Infer, Kernel, as_first, constant_input, declare, unknown
from tfjs.ops.reduction import lowest
from tfjs.ops.shapes import free, partial_shape, with_rank
from tfjs.ops.shaping import integers
from tfjs.ops.windows import Window, all_taps, channels_first


def _windows(attrs: Mapping[str, Any], rank: int) -> list[Window]:
    """One window an axis; batch and channels have their own."""
    sizes, steps = attrs["ksize"], attrs["strides"]
    padding = attrs["padding"]
    edges = attrs.get("explicit_paddings") or [0] * (2 * rank)
    if len(sizes) != rank or len(steps) != rank or len(edges) != 2 * rank:
        raise ValueError(f"windows should have an entry for each of {rank} axes")
    if padding not in (b"VALID", b"SAME", b"EXPLICIT"):
        raise ValueError(f"no padding {padding!r}")
    outer = {0, 1 if channels_first(attrs) else rank - 1}
    return [
        # Along batch and channels a window of one element is none.
        Window(1)
        if axis in outer and sizes[axis] == 1
        else Window(sizes[axis], steps[axis], 1, padding, edges[2 * axis], edges[2 * axis + 1])
        for axis in range(rank)
    ]


def _pooled(moving: Sequence[Window], shape: Sequence[int | None]) -> Shape:
    return tuple(window.steps(size) for window, size in zip(moving, shape, strict=True))


def _pool_shape(rank: int, outputs: int = 1) -> Infer:
    def infer(node: Node) -> list[Shape]:
        if node.attrs.get("data_format") == b"NCHW_VECT_C":
            return [None] * outputs
        shape = with_rank(node.inputs[0].shape, rank)
        return [_pooled(_windows(node.attrs, rank), shape)] * outputs

    return infer


def _combined(x: Array, moving: Sequence[Window], function: np.ufunc, start: Any) -> Array:
    """What is under the windows combined, along one axis after the other; an array of its own."""
    result = x
    for axis, window in enumerate(moving):
        if window == Window(1):
            continue
        given, size = result, result.shape[axis]
        steps = window.steps(size) or 0
        result = np.full((*given.shape[:axis], steps, *given.shape[axis + 1 :]), start, x.dtype)
        lead = (slice(None),) * axis
        for _, places, read in window.taps(size, steps):
            part = result[(*lead, places)]
            function(part, given[(*lead, read)], out=part)
    return result.copy() if result is x else result


def _max_pool(attrs: Attrs, x: Array) -> Array:
    return _combined(x, _windows(attrs, x.ndim), np.maximum, lowest(x.dtype))


def _average_pool(attrs: Attrs, x: Array) -> Array:
    moving = _windows(attrs, x.ndim)
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    total = _combined(wide, moving, np.add, 0)
    # The padding does not count.
    for axis, (window, size) in enumerate(zip(moving, x.shape, strict=True)):
        count = np.zeros(total.shape[axis], wide.dtype)
        for _, places, _ in window.taps(size, len(count)):
            count[places] += 1
        if window != Window(1):
            total /= np.maximum(count, 1).reshape((-1,) + (1,) * (x.ndim - 1 - axis))
    return total.astype(x.dtype, copy=False)


def _tfjs(kernel: Kernel) -> Kernel:
    """TF.js knows channels last, and windows over what lies between batch and channels, only."""

    def pool(attrs: Attrs, x: Array) -> Any:
        inner = {key: [1, *attrs[key][1:-1], 1] for key in ("ksize", "strides")}
        if attrs["padding"] == b"EXPLICIT":
            raise ValueError("TF.js has no explicit padding here")
        return kernel({**attrs, **inner, "data_format": b"N"}, x)

    return pool


for _name, _rank, _kernel in (
    ("MaxPool", 4, _max_pool),
    ("MaxPool3D", 5, _max_pool),
    ("AvgPool", 4, _average_pool),
    ("AvgPool3D", 5, _average_pool),
):
    declare(_name, infer=_pool_shape(_rank), kernel=_kernel, tfjs_kernel=_tfjs(_kernel))


def _max_pool_argmax(attrs: Attrs, x: Array) -> tuple[Array, Array]:
    moving = _windows(attrs, x.ndim)
    steps = [window.steps(size) or 0 for window, size in zip(moving, x.shape, strict=True)]
    numbers = np.arange(x.size).reshape(x.shape)
    if not attrs.get("include_batch_in_index", False):
        numbers = numbers % max(1, numbers[0].size)
    result = np.full(steps, lowest(x.dtype), x.dtype)
    found = np.full(steps, -1, np.int64)
    for _, places, read in all_taps(moving, x.shape, steps):
        better = (x[read] > result[places]) | (found[places] < 0)
        result[places] = np.where(better, x[read], result[places])
        found[places] = np.where(better, numbers[read], found[places])
    return result, found.astype(attrs.get("Targmax", "int64"))


declare("MaxPoolWithArgmax", infer=_pool_shape(4, 2), kernel=_max_pool_argmax)


def _told_attrs(node: Node) -> dict[str, Any] | None:
    """Attributes of a pool whose windows are inputs; None where these are not constant."""
    sizes, steps = constant_input(node, 1), constant_input(node, 2)
    if sizes is None or steps is None:
        return None
    return {**node.attrs, "ksize": integers(sizes), "strides": integers(steps)}


def _pool_v2_shape(node: Node) -> list[Shape]:
    attrs = _told_attrs(node)
    shape = with_rank(node.inputs[0].shape, 4)
    return [free(4) if attrs is None else _pooled(_windows(attrs, 4), shape)]


def _max_pool_v2(attrs: Attrs, x: Array, sizes: Array, steps: Array) -> Array:
    return _max_pool({**attrs, "ksize": integers(sizes), "strides": integers(steps)}, x)


declare("MaxPoolV2", infer=_pool_v2_shape, kernel=_max_pool_v2)
declare(*("MaxPoolGrad", "MaxPoolGradV2", "MaxPool3DGrad", "MaxPoolGradWithArgmax"), infer=as_first)
declare("AvgPoolGrad", "AvgPool3DGrad", infer=lambda node: [partial_shape(node.inputs[0])])
declare("FractionalAvgPool", "FractionalMaxPool", infer=unknown(3))


# Patches -----------------------------------------------------------------------------------------


def _patches_shape(rank: int) -> Infer:
    def infer(node: Node) -> list[Shape]:
        shape = with_rank(node.inputs[0].shape, rank)
        moving = _patch_windows(node.attrs, rank)
        steps = _pooled(moving, shape[1:-1]) or ()
        depth = shape[-1]
        for window in moving:
            depth = None if depth is None or window.size is None else depth * window.size
        return [(shape[0], *steps, depth)]

    return infer


def _patch_windows(attrs: Mapping[str, Any], rank: int) -> list[Window]:
    apart = attrs.get("rates") or [1] * rank
    parts = (attrs["ksizes"], attrs["strides"], apart)
    if any(len(part) != rank for part in parts):
        raise ValueError(f"windows should have an entry for each of {rank} axes")
    return [Window(*numbers, attrs["padding"]) for numbers in list(zip(*parts, strict=True))[1:-1]]


def _patches(attrs: Attrs, x: Array) -> Array:
    moving = _patch_windows(attrs, x.ndim)
    sizes = x.shape[1:-1]
    steps = [window.steps(size) or 0 for window, size in zip(moving, sizes, strict=True)]
    inner = (*(window.size or 0 for window in moving), x.shape[-1])
    result = np.zeros((len(x), *steps, *inner), x.dtype)
    for element, places, read in all_taps(moving, sizes, steps):
        index: Any = (slice(None), *places, *element)
        result[index] = x[:, *read]
    return result.reshape((len(x), *steps, math.prod(inner)))


declare("ExtractImagePatches", infer=_patches_shape(4), kernel=_patches)
declare("ExtractVolumePatches", infer=_patches_shape(5), kernel=_patches)
