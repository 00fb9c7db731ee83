"""Convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import Infer, Kernel, as_first, declare
from tfjs.ops.shapes import free, partial_shape, same_size, times, with_rank
from tfjs.ops.shaping import integers
from tfjs.ops.sliding import convolved, convolved_each
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


def _wide(x: Array) -> Array:
    """Halves are added up in single precision."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def as_given(made: Array, x: Array) -> Array:
    """What was computed in single precision for halves, as halves again."""
    return made.astype(np.float16) if x.dtype == np.float16 else made


def _spatial(rank: int) -> int:
    if rank < 3:
        raise ValueError(f"rank {rank} has no axis to go along")
    return rank - 2


def convolve_last(attrs: Attrs, x: Array, filters: Array) -> Array:
    """A convolution.

    Returns:
        An array of its own, channels last; that of halves in single precision.

    Raises:
        ValueError: the shapes or attributes do not go together.
    """
    if x.ndim != filters.ndim:
        raise ValueError(f"filters {filters.shape} do not go with {x.shape}")
    moving = windows(attrs, filters.shape[: _spatial(x.ndim)], x.ndim)
    return convolved(_wide(to_last(attrs, x)), _wide(filters), moving)


def depthwise_last(attrs: Attrs, x: Array, filters: Array) -> Array:
    """A convolution of each channel by itself; see `convolve_last`."""
    image = _wide(to_last(attrs, x))
    if x.ndim != 4 or filters.ndim != 4 or image.shape[-1] != filters.shape[-2]:
        raise ValueError(f"filters {filters.shape} do not go with {x.shape}")
    return convolved_each(image, _wide(filters), windows(attrs, filters.shape[:2], 4))


def _convolve(attrs: Attrs, x: Array, filters: Array) -> Array:
    return as_given(from_last(attrs, convolve_last(attrs, x, filters)), x)


def _convolve_depthwise(attrs: Attrs, x: Array, filters: Array) -> Array:
    return as_given(from_last(attrs, depthwise_last(attrs, x, filters)), x)


def convolved_shape(rank: int, *, depthwise: bool = False) -> Infer:
    """The shape of a convolution of arrays of some rank."""
    return lambda node: _convolved(node, rank, depthwise=depthwise)


declare("Conv2D", infer=convolved_shape(4), kernel=_convolve)
declare("Conv3D", infer=convolved_shape(5), kernel=_convolve)
declare(
    # The second is TF.js's own name.
    *("DepthwiseConv2dNative", "DepthwiseConv2d"),
    infer=convolved_shape(4, depthwise=True),
    kernel=_convolve_depthwise,
)


def _line_attrs(attrs: Attrs) -> Attrs:
    """Attributes of a Conv1D as others have them."""
    steps = {"strides": attrs["stride"], "dilations": attrs.get("dilation", 1)}
    return {**attrs, **{key: [1, number, 1] for key, number in steps.items()}}


def _line_shape(node: Node) -> list[Shape]:
    wide = Node(node.op, node.name, _line_attrs(node.attrs), node.origin)
    wide.inputs = node.inputs
    return _convolved(wide, 3)


# TF.js's own: TensorFlow has no such operation.
declare(
    "Conv1D",
    infer=_line_shape,
    kernel=lambda attrs, x, filters: _convolve(_line_attrs(attrs), x, filters),
)


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


def _brought_back(made: Array, part: Array, groups: int) -> Array:
    """What one element of the filters, [in, out], adds to what the result was made of."""
    rows = np.ascontiguousarray(made).reshape(-1, made.shape[-1])
    taken, each = part.shape[0], made.shape[-1] // groups
    found = np.empty((len(rows), groups * taken), made.dtype)
    for group in range(groups):
        wanted = slice(group * each, (group + 1) * each)
        out = found[:, group * taken : (group + 1) * taken]
        np.matmul(rows[:, wanted], part[:, wanted].T, out=out)
    return found.reshape((*made.shape[:-1], groups * taken))


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
        result[:, *read] += _brought_back(made, kernel[element], groups)[:, *places]
    return as_given(from_last(attrs, result), given)


def _depthwise_back(attrs: Attrs, input_sizes: Array, filters: Array, given: Array) -> Array:
    made, kernel = _wide(to_last(attrs, given)), _wide(filters)
    moving = windows(attrs, kernel.shape[:2], 4)
    result = to_last(attrs, np.zeros(integers(input_sizes), made.dtype))
    sizes, steps = result.shape[1:-1], made.shape[1:-1]
    split = made.reshape((*made.shape[:-1], *kernel.shape[2:]))
    for element, places, read in all_taps(moving, sizes, steps):
        result[:, *read] += (split[:, *places] * kernel[element]).sum(axis=-1)
    return as_given(from_last(attrs, result), given)


_BACK: dict[str, tuple[int, Kernel]] = {
    "Conv2DBackpropInput": (4, _convolve_back),
    "Conv3DBackpropInputV2": (5, _convolve_back),
    "DepthwiseConv2dNativeBackpropInput": (4, _depthwise_back),
}


def _convolve_back_tfjs(attrs: Attrs, sizes: Array, filters: Array, given: Array) -> Array:
    """TF.js knows channels last only, no dilation here, and wants all sizes."""
    if sizes.size != given.ndim:
        raise ValueError(f"{sizes.size} sizes for rank {given.ndim}")
    told = {**attrs, "data_format": b"N", "dilations": None}
    return _convolve_back(told, sizes, filters, given)


for _name, (_rank, _kernel) in _BACK.items():
    declare(
        _name,
        infer=_back_shape(_rank),
        kernel=_kernel,
        tfjs_kernel=_convolve_back_tfjs if _name == "Conv2DBackpropInput" else None,
    )


def _convolve_back_to(attrs: Attrs, x: Array, filters: Array, given: Array) -> Array:
    return _convolve_back(attrs, np.array(x.shape), filters, given)


declare(*("Conv2DBackpropInputV2", "Conv3DBackpropInput"), infer=as_first, kernel=_convolve_back_to)
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
