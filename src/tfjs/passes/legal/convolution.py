"""Convolutions: channels last, one group, no stride beside a dilation.

Source: `runtime_contract.md` 1.11 and L1, L5, L6 of section 7. The paddings are TensorFlow's:
tensorflow/core/framework/common_shape_fns.cc, GetWindowedOutputSize.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.ops.build import Builder
from tfjs.passes.legal.axes import pad_axis, stretch_axis
from tfjs.passes.legal.common import (
    Size,
    concat,
    constant,
    make,
    makes,
    reshape,
    shape_of,
    size_at,
    sizes_of,
    slice_axis,
    transpose,
    vector,
)
from tfjs.passes.rules import CannotExpress, RuleSet

RULES = RuleSet()

Pads = list[tuple[int, int]]


def channels_first(node: Node) -> bool:
    """Whether a node has its channels before its other axes."""
    return bytes(node.attrs.get("data_format") or b"NHWC").startswith(b"NC")


def to_last(rank: int) -> list[int]:
    """The order of axes that brings channels from place 1 to the end."""
    return [0, *range(2, rank), 1]


def to_first(rank: int) -> list[int]:
    """The order of axes that brings channels from the end to place 1."""
    return [0, rank - 1, *range(1, rank - 1)]


def last_attrs(node: Node) -> dict[str, Any]:
    """The attributes of a channels-first node for the same with channels last."""
    attrs = dict(node.attrs)
    rank = len(attrs.get("strides") or [1] * 4)
    order = to_last(rank)
    for name in ("strides", "dilations", "ksize"):
        if attrs.get(name):
            attrs[name] = [attrs[name][axis] for axis in order]
    pads = attrs.get("explicit_paddings")
    if pads:
        attrs["explicit_paddings"] = [
            number for axis in order for number in pads[2 * axis : 2 * axis + 2]
        ]
    attrs["data_format"] = b"NHWC" if rank == 4 else b"NDHWC"
    return attrs


def window_pads(
    padding: bytes,
    explicit: Sequence[int],
    sizes: Sequence[int | None],
    windows: Sequence[int],
    strides: Sequence[int],
) -> Pads:
    """How far each spatial axis is padded, before and behind.

    Args:
        padding: "SAME", "VALID" or "EXPLICIT".
        explicit: the paddings of all axes, channels last.
        sizes: of the spatial axes.
        windows: what the kernel covers of each, with its dilation.
        strides: of each.

    Raises:
        CannotExpress: they depend on a size that is not known.
    """
    if padding == b"VALID":
        return [(0, 0)] * len(windows)
    if padding == b"EXPLICIT":
        return [(explicit[2 * axis], explicit[2 * axis + 1]) for axis in range(1, len(windows) + 1)]
    pads = []
    for size, window, stride in zip(sizes, windows, strides, strict=True):
        if stride == 1:
            total = window - 1
        elif size is None:
            raise CannotExpress(
                "its padding depends on the size of its input, which is not known",
                "convert with inputs of fixed shape",
            )
        else:
            total = max((math.ceil(size / stride) - 1) * stride + window - size, 0)
        pads.append((total // 2, total - total // 2))
    return pads


@RULES.rule("Conv2D", "DepthwiseConv2dNative", "Conv3D")
def channels_first_convolution(node: Node, build: Builder) -> list[Value] | None:
    """Channels are moved last and back. Exact."""
    if not channels_first(node):
        return None
    x, kernel = node.inputs
    rank = len(node.attrs["strides"])
    attrs = last_attrs(node)
    result = make(build, node.op, transpose(build, x, to_last(rank)), kernel, **attrs)
    return [transpose(build, _typed(result, node, to_last(rank)), to_first(rank))]


def _typed(value: Value, node: Node, order: Sequence[int]) -> Value:
    old = node.output.shape
    if value.shape is None and old is not None:
        value.shape = tuple(old[axis] for axis in order)
    return value


@RULES.rule("Conv2D")
def grouped_convolution(node: Node, build: Builder) -> list[Value] | None:
    """Each group by itself; one channel a group is a depthwise convolution. Exact."""
    x, kernel = node.inputs
    channels = shape_of(x)[-1]
    window = shape_of(kernel, "its kernel")
    if channels is None or window[-2] is None or channels == window[-2]:
        return None
    groups, rest = divmod(channels, window[-2])
    made = window[-1]
    if rest or made is None or made % groups:
        raise CannotExpress(f"its kernel {list(window)} does not fit {channels} channels")
    if window[-2] == 1:
        sizes = [size for size in window if size is not None]
        flat = reshape(build, kernel, [*sizes[:2], channels, made // channels])
        return [make(build, "DepthwiseConv2dNative", x, flat, **node.attrs)]
    axis = len(window) - 1
    parts = makes(build, "Split", axis, x, num_split=groups)
    kernels = makes(build, "Split", axis, kernel, num_split=groups)
    for part in parts:
        part.shape = (*shape_of(x)[:-1], window[-2])
    for part in kernels:
        part.shape = (*window[:-1], made // groups)
    results = [
        make(build, node.op, *pair, **node.attrs) for pair in zip(parts, kernels, strict=True)
    ]
    return [concat(build, results, axis)]


@RULES.rule(
    *("Conv2D", "DepthwiseConv2dNative", "Conv3D"),
    *("Conv2DBackpropInput", "Conv3DBackpropInputV2"),
)
def only_floats(node: Node, build: Builder) -> list[Value] | None:
    """Refused: TF.js convolves nothing else."""
    if node.output.dtype != "float32":
        raise CannotExpress(f"TF.js has no {node.op} of integers", "cast to float32 before it")
    return None


@RULES.rule("Conv2D", "DepthwiseConv2dNative")
def stride_over_window(node: Node, build: Builder) -> list[Value] | None:
    """wasm gives zeros where SAME would have to pad by less than nothing. Exact."""
    x, kernel = node.inputs
    window, strides = shape_of(kernel, "its kernel")[:2], node.attrs["strides"][1:3]
    sizes = shape_of(x)[1:3]
    if node.attrs["padding"] != b"SAME" or None in window or None in sizes:
        return None
    left = [
        (math.ceil(size / stride) - 1) * stride + covered - size
        for size, stride, covered in zip(sizes, strides, window, strict=True)
        if size is not None and covered is not None
    ]
    if min(left) >= 0 or max(size or 0 for size in window) == 1:
        return None
    pads = [(max(total, 0) // 2, max(total, 0) - max(total, 0) // 2) for total in left]
    flat = [number for pair in [(0, 0), *pads, (0, 0)] for number in pair]
    attrs = {"padding": b"EXPLICIT", "explicit_paddings": flat} if any(flat) else {}
    return [make(build, node.op, x, kernel, **{**node.attrs, "padding": b"VALID", **attrs})]


@RULES.rule("Conv2D", "DepthwiseConv2dNative", "Conv3D")
def stride_beside_dilation(node: Node, build: Builder) -> list[Value] | None:
    """TF.js takes one of them: without strides, of which some results are kept. Exact."""
    strides, dilations = node.attrs["strides"], node.attrs.get("dilations") or [1]
    if max(strides) == 1 or max(dilations) == 1:
        return None
    x, kernel = node.inputs
    rank = len(strides)
    window = shape_of(kernel, "its kernel")[: rank - 2]
    if None in window:
        raise CannotExpress("the size of its kernel is unknown")
    covered = [
        (size - 1) * step + 1
        for size, step in zip(window, dilations[1:-1], strict=True)
        if size is not None
    ]
    pads = window_pads(
        node.attrs["padding"],
        node.attrs.get("explicit_paddings") or [],
        shape_of(x)[1:-1],
        covered,
        strides[1:-1],
    )
    attrs = {**node.attrs, "strides": [1] * rank}
    if rank == 4:
        flat = [number for pair in [(0, 0), *pads, (0, 0)] for number in pair]
        attrs |= {"padding": b"EXPLICIT", "explicit_paddings": flat}
    else:
        for axis, pair in enumerate(pads, 1):
            x = pad_axis(build, x, axis, *pair)
        attrs["padding"] = b"VALID"
    whole = make(build, node.op, x, kernel, **attrs)
    return [_every(build, whole, strides)]


def _every(build: Builder, value: Value, strides: Sequence[int]) -> Value:
    masks = (1 << len(strides)) - 1
    ends = [0] * len(strides)
    return make(
        build, "StridedSlice", value, ends, ends, list(strides), begin_mask=masks, end_mask=masks
    )


# Transposed -----------------------------------------------------------------------------------


@RULES.rule("Conv2DBackpropInputV2", "Conv3DBackpropInput")
def sizes_by_example(node: Node, build: Builder) -> list[Value]:
    """The editions that take a tensor for its sizes, by those that take the sizes. Exact."""
    example, kernel, x = node.inputs
    op = "Conv2DBackpropInput" if node.op == "Conv2DBackpropInputV2" else "Conv3DBackpropInputV2"
    sizes = vector(build, sizes_of(build, example))
    return [make(build, op, sizes, kernel, x, **node.attrs)]


@RULES.rule("Conv2DBackpropInput", "Conv3DBackpropInputV2")
def channels_first_transposed(node: Node, build: Builder) -> list[Value] | None:
    """Channels are moved last and back. Exact."""
    if not channels_first(node):
        return None
    sizes, kernel, x = node.inputs
    rank = len(node.attrs["strides"])
    order = to_last(rank)
    known = constant(sizes)
    if known is not None:
        sizes = build.constant(known.astype(np.int32)[order])
    else:
        sizes = make(build, "GatherV2", sizes, np.array(order, np.int32), np.int32(0))
    moved = transpose(build, x, order)
    result = make(build, node.op, sizes, kernel, moved, **last_attrs(node))
    return [transpose(build, _typed(result, node, order), to_first(rank))]


@RULES.rule("Conv2DBackpropInput")
def spatial_sizes(node: Node, build: Builder) -> list[Value] | None:
    """Where only two sizes are told, those of batch and channels beside them. Exact."""
    sizes, kernel, x = node.inputs
    if sizes.shape != (2,):
        return None
    known = constant(sizes)
    if known is not None:
        inner: list[Size] = [int(item) for item in known]
    else:
        inner = [slice_axis(build, sizes, 0, axis, 1) for axis in (0, 1)]
        inner = [build.reshape(size, []) for size in inner if isinstance(size, Value)]
    whole = [size_at(build, x, 0), *inner, size_at(build, kernel, 2)]
    return [make(build, node.op, vector(build, whole), kernel, x, **node.attrs)]


@RULES.rule("Conv2DBackpropInput")
def dilated_transposed(node: Node, build: Builder) -> list[Value] | None:
    """TF.js ignores the dilation. By zeros between the inputs and a convolution; reassociates."""
    dilations = node.attrs.get("dilations") or [1]
    explicit = node.attrs.get("padding") == b"EXPLICIT"
    if max(dilations) == 1 and not explicit:
        return None
    return [_as_convolution(node, build, "Conv2D")]


@RULES.rule("Conv3DBackpropInputV2")
def transposed_in_space(node: Node, build: Builder) -> list[Value]:
    """TF.js has none: by zeros between the inputs and a convolution; reassociates."""
    return [_as_convolution(node, build, "Conv3D")]


def _as_convolution(node: Node, build: Builder, op: str) -> Value:
    """A transposed convolution: the inputs set apart by zeros, the kernel turned around."""
    kernel = node.inputs[1]
    rank = len(node.attrs["strides"])
    x = _set_apart(node, build)
    turned = make(build, "ReverseV2", kernel, list(range(rank - 2)))
    turned.shape = kernel.shape
    order = [*range(rank - 2), rank - 1, rank - 2]
    return make(build, op, x, transpose(build, turned, order), **_plain(node))


def _plain(node: Node) -> dict[str, Any]:
    rank = len(node.attrs["strides"])
    return {
        "strides": [1] * rank,
        "dilations": list(node.attrs.get("dilations") or [1] * rank),
        "padding": b"VALID",
        "data_format": b"NHWC" if rank == 4 else b"NDHWC",
    }


def _set_apart(node: Node, build: Builder) -> Value:
    """What a transposed convolution reads, with zeros between and around, for a plain one."""
    sizes, kernel, x = node.inputs
    strides = node.attrs["strides"]
    rank = len(strides)
    dilations = node.attrs.get("dilations") or [1] * rank
    window = [size for size in shape_of(kernel, "its kernel")[:-2] if size is not None]
    given = [size for size in shape_of(x)[1:-1] if size is not None]
    if len(window) < rank - 2 or len(given) < rank - 2:
        raise CannotExpress(
            "the size of its input or kernel is unknown", "convert with inputs of fixed shape"
        )
    made = _spatial(node, sizes)
    covered = [(size - 1) * step + 1 for size, step in zip(window, dilations[1:-1], strict=True)]
    explicit = node.attrs.get("explicit_paddings") or []
    pads = window_pads(node.attrs["padding"], explicit, made, covered, strides[1:-1])
    for axis in range(1, rank - 1):
        stretched = (given[axis - 1] - 1) * strides[axis] + 1
        before = covered[axis - 1] - 1 - pads[axis - 1][0]
        behind = made[axis - 1] + covered[axis - 1] - 1 - stretched - before
        x = stretch_axis(build, x, axis, strides[axis])
        x = pad_axis(build, x, axis, before, behind)
    return x


def _spatial(node: Node, sizes: Value) -> list[int]:
    """The spatial sizes of the result, as far as they are constants."""
    rank = len(node.attrs["strides"])
    known = constant(sizes)
    if known is not None:
        numbers: list[int | None] = [int(item) for item in known]
    elif sizes.node.op == "Pack":
        parts = [constant(item) for item in sizes.node.inputs]
        numbers = [None if part is None else int(part) for part in parts]
    else:
        numbers = list(node.output.shape or [None] * rank)
    spatial = [size for size in numbers[-rank:][1:-1] if size is not None]
    if len(spatial) < rank - 2:
        raise CannotExpress(
            "the size of its result is unknown", "convert with inputs of fixed shape"
        )
    return spatial


@RULES.rule("DepthwiseConv2dNativeBackpropInput")
def depthwise_transposed(node: Node, build: Builder) -> list[Value]:
    """Each channel by itself, by zeros between the inputs; reassociates."""
    if channels_first(node):
        raise CannotExpress("it has its channels first", "export the model with channels last")
    kernel = node.inputs[1]
    filters = shape_of(kernel, "its kernel")[-1]
    if filters is None:
        raise CannotExpress(
            "the size of its input or kernel is unknown", "convert with inputs of fixed shape"
        )
    if filters != 1:
        raise CannotExpress("it has several filters a channel")
    # With one filter a channel, the kernel turned around does the same backwards.
    turned = make(build, "ReverseV2", kernel, [0, 1])
    turned.shape = kernel.shape
    return [make(build, "DepthwiseConv2dNative", _set_apart(node, build), turned, **_plain(node))]
