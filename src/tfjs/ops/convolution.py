"""Convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import Infer, Kernel, as_first, declare
from tfjs.ops.shapes import free, partial_shape, same_size, times, with_rank
from tfjs.ops.shaping import integers
from tfjs.ops.windows import (
    all_taps,
    channels_first,
    from_last,
    spatial_axes,
    to_last,
    windows,
)


def _convolved(node: Node, rank: int, *, depthwise: bool = False) -> list[Shape]:
    if node.attrs.get("data_format") in (b"NCHW_VECT_C", b"NHWC_VECT_W"):
        return [None]
    shape, filters = (with_rank(value.shape, rank) for value in node.inputs[:2])
    axes = spatial_axes(node.attrs, rank)
    channel_axis = 1 if channels_first(node.attrs) else rank - 1
    moving = windows(node.attrs, filters[:-2], rank)
    steps = [window.steps(shape[axis]) for window, axis in zip(moving, axes, strict=True)]
    given, taken, made = shape[channel_axis], filters[-2], filters[-1]
    if depthwise:
        made = times(same_size(given, taken), made)
    elif given is not None and taken is not None and (not taken or given % taken):
        raise ValueError(f"{given} channels are no multiple of {taken}")
    if channels_first(node.attrs):
        return [(shape[0], made, *steps)]
    return [(shape[0], *steps, made)]


def _grouped(x: Array, groups: int) -> Array:
    """The last axis split into groups."""
    return x.reshape((*x.shape[:-1], groups, x.shape[-1] // groups))


def _wide(x: Array) -> Array:
    """Halves are added up in single precision."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _apply(x: Array, part: Array, groups: int) -> Array:
    """Channels of `x` times one element of the filters, [in, out] or groups of it."""
    if groups == 1:
        return np.asarray(x @ part)
    kernel = _grouped(part, groups)
    product = np.einsum("...gi,igo->...go", _grouped(x, groups), kernel, optimize=True)
    return np.asarray(product.reshape((*x.shape[:-1], part.shape[-1])))


def _apply_back(x: Array, part: Array, groups: int) -> Array:
    """What `_apply` made, brought back to what it was made of."""
    if groups == 1:
        return np.asarray(x @ part.T)
    kernel = _grouped(part, groups)
    product = np.einsum("...go,igo->...gi", _grouped(x, groups), kernel, optimize=True)
    return np.asarray(product.reshape((*x.shape[:-1], groups * part.shape[0])))


def _spatial(rank: int) -> int:
    if rank < 3:
        raise ValueError(f"rank {rank} has no axis to go along")
    return rank - 2


def _convolve(attrs: Attrs, x: Array, filters: Array) -> Array:
    if x.ndim != filters.ndim:
        raise ValueError(f"filters {filters.shape} do not go with {x.shape}")
    image, kernel = _wide(to_last(attrs, x)), _wide(filters)
    count = _spatial(x.ndim)
    moving = windows(attrs, kernel.shape[:count], x.ndim)
    sizes = image.shape[1:-1]
    steps = [window.steps(size) or 0 for window, size in zip(moving, sizes, strict=True)]
    groups, rest = divmod(image.shape[-1], kernel.shape[-2])
    if rest or not groups or kernel.shape[-1] % groups:
        raise ValueError(f"{image.shape[-1]} channels do not go into {kernel.shape}")
    result = np.zeros((len(image), *steps, kernel.shape[-1]), image.dtype)
    for element, places, read in all_taps(moving, sizes, steps):
        result[:, *places] += _apply(image[:, *read], kernel[element], groups)
    return from_last(attrs, result).astype(x.dtype, copy=False)


def _convolve_depthwise(attrs: Attrs, x: Array, filters: Array) -> Array:
    image, kernel = _wide(to_last(attrs, x)), _wide(filters)
    if x.ndim != 4 or filters.ndim != 4 or image.shape[-1] != kernel.shape[-2]:
        raise ValueError(f"filters {filters.shape} do not go with {x.shape}")
    moving = windows(attrs, kernel.shape[:2], 4)
    sizes = image.shape[1:-1]
    steps = [window.steps(size) or 0 for window, size in zip(moving, sizes, strict=True)]
    result = np.zeros((len(image), *steps, *kernel.shape[2:]), image.dtype)
    for element, places, read in all_taps(moving, sizes, steps):
        result[:, *places] += image[:, *read][..., np.newaxis] * kernel[element]
    flat = result.reshape((*result.shape[:-2], kernel.shape[2] * kernel.shape[3]))
    return from_last(attrs, flat).astype(x.dtype, copy=False)


def _infer(rank: int, *, depthwise: bool = False) -> Infer:
    return lambda node: _convolved(node, rank, depthwise=depthwise)


declare("Conv2D", infer=_infer(4), kernel=_convolve)
declare("_FusedConv2D", infer=_infer(4))
declare("Conv3D", infer=_infer(5), kernel=_convolve)
declare("DepthwiseConv2dNative", infer=_infer(4, depthwise=True), kernel=_convolve_depthwise)
# TF.js's own names: TensorFlow has no such operations.
declare("DepthwiseConv2d", "FusedDepthwiseConv2dNative", infer=_infer(4, depthwise=True))


# The other way -----------------------------------------------------------------------------------


def _back_shape(rank: int) -> Infer:
    def infer(node: Node) -> list[Shape]:
        filters, given = (with_rank(value.shape, rank) for value in node.inputs[1:3])
        sizes = partial_shape(node.inputs[0])
        if sizes is None:
            return [free(rank)]
        if len(sizes) == rank - 2:
            # Only the spatial sizes are told; a filter takes all channels then.
            first = channels_first(node.attrs)
            whole = (given[0], filters[-2], *sizes) if first else (given[0], *sizes, filters[-2])
            return [whole]
        return [with_rank(sizes, rank)]

    return infer


def _full_sizes(attrs: Attrs, sizes: Sequence[int], filters: Array, given: Array) -> list[int]:
    if len(sizes) == given.ndim:
        return list(sizes)
    if len(sizes) != given.ndim - 2:
        raise ValueError(f"no sizes {list(sizes)}")
    channels = filters.shape[-2]
    if channels_first(attrs):
        return [len(given), channels, *sizes]
    return [len(given), *sizes, channels]


def _convolve_back(attrs: Attrs, input_sizes: Array, filters: Array, given: Array) -> Array:
    if filters.ndim != given.ndim:
        raise ValueError(f"filters {filters.shape} do not go with {given.shape}")
    wanted = _full_sizes(attrs, integers(input_sizes), filters, given)
    made, kernel = _wide(to_last(attrs, given)), _wide(filters)
    moving = windows(attrs, kernel.shape[: _spatial(given.ndim)], given.ndim)
    result = to_last(attrs, np.zeros(wanted, made.dtype))
    sizes, steps = result.shape[1:-1], made.shape[1:-1]
    found = [window.steps(size) for window, size in zip(moving, sizes, strict=True)]
    groups, rest = divmod(result.shape[-1], kernel.shape[-2])
    if found != list(steps) or rest or not groups or kernel.shape[-1] != made.shape[-1]:
        raise ValueError(f"{given.shape} does not come from {wanted}")
    for element, places, read in all_taps(moving, sizes, steps):
        result[:, *read] += _apply_back(made[:, *places], kernel[element], groups)
    return from_last(attrs, result).astype(given.dtype, copy=False)


def _depthwise_back(attrs: Attrs, input_sizes: Array, filters: Array, given: Array) -> Array:
    made, kernel = _wide(to_last(attrs, given)), _wide(filters)
    moving = windows(attrs, kernel.shape[:2], 4)
    result = to_last(attrs, np.zeros(integers(input_sizes), made.dtype))
    sizes, steps = result.shape[1:-1], made.shape[1:-1]
    split = made.reshape((*made.shape[:-1], *kernel.shape[2:]))
    for element, places, read in all_taps(moving, sizes, steps):
        result[:, *read] += (split[:, *places] * kernel[element]).sum(axis=-1)
    return from_last(attrs, result).astype(given.dtype, copy=False)


_BACK: dict[str, tuple[int, Kernel]] = {
    "Conv2DBackpropInput": (4, _convolve_back),
    "Conv3DBackpropInputV2": (5, _convolve_back),
    "DepthwiseConv2dNativeBackpropInput": (4, _depthwise_back),
}
for _name, (_rank, _kernel) in _BACK.items():
    declare(_name, infer=_back_shape(_rank), kernel=_kernel)

declare("Conv2DBackpropInputV2", "Conv3DBackpropInput", infer=as_first)
declare(
    *("Conv2DBackpropFilter", "Conv3DBackpropFilterV2", "DepthwiseConv2dNativeBackpropFilter"),
    infer=lambda node: [partial_shape(node.inputs[1])],
)
declare(
    *("Conv2DBackpropFilterV2", "Conv3DBackpropFilter"),
    infer=lambda node: [node.inputs[1].shape],
)
declare("FusedPadConv2D", "FusedResizeAndPadConv2D", infer=lambda node: [free(4)])


# Dilation ----------------------------------------------------------------------------------------


def _dilated_shape(node: Node) -> list[Shape]:
    shape, filters = with_rank(node.inputs[0].shape, 4), with_rank(node.inputs[1].shape, 3)
    moving = windows(node.attrs, filters[:2], 4)
    steps = [window.steps(size) for window, size in zip(moving, shape[1:3], strict=True)]
    return [(shape[0], *steps, same_size(shape[3], filters[2]))]


def _dilate(attrs: Attrs, x: Array, filters: Array) -> Array:
    moving = windows(attrs, filters.shape[:2], 4)
    sizes = x.shape[1:3]
    steps = [window.steps(size) or 0 for window, size in zip(moving, sizes, strict=True)]
    least = np.iinfo(x.dtype).min if x.dtype.kind in "iu" else np.finfo(x.dtype).min
    result = np.full((len(x), *steps, x.shape[3]), least, x.dtype)
    for element, places, read in all_taps(moving, sizes, steps):
        part = result[:, *places]
        np.maximum(part, x[:, *read] + filters[element], out=part)
    return result


declare("Dilation2D", infer=_dilated_shape, kernel=_dilate)
declare("Dilation2DBackpropInput", infer=as_first)
declare("Dilation2DBackpropFilter", infer=lambda node: [node.inputs[1].shape])
