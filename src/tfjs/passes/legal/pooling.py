"""Pooling: channels last, no padding but SAME and VALID, no window over the channels."""

from __future__ import annotations

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.passes.build import Builder
from tfjs.passes.legal.axes import pad_axis
from tfjs.passes.legal.common import (
    constant_of,
    is_used,
    make,
    reshape,
    shape_of,
    sizes_of,
    times,
    transpose,
)
from tfjs.passes.legal.convolution import channels_first, last_attrs, to_first, to_last
from tfjs.passes.rules import CannotExpress, RuleSet

RULES = RuleSet()

_LOWEST = float(np.finfo(np.float32).min)


@RULES.rule("MaxPoolV2")
def pool_with_inputs(node: Node, build: Builder) -> list[Value]:
    """Window and strides as attributes. Exact."""
    attrs = {
        "ksize": [int(item) for item in constant_of(node, 1, "its window")],
        "strides": [int(item) for item in constant_of(node, 2, "its stride")],
        "padding": node.attrs["padding"],
        "data_format": node.attrs.get("data_format", b"NHWC"),
    }
    return [make(build, "MaxPool", node.inputs[0], **attrs)]


@RULES.rule("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D")
def channels_first_pool(node: Node, build: Builder) -> list[Value] | None:
    """Channels are moved last and back; TF.js ignores where they are. Exact."""
    if not channels_first(node):
        return None
    if bytes(node.attrs["data_format"]).endswith(b"VECT_C"):
        raise CannotExpress("its channels are packed in fours")
    rank = len(node.attrs["ksize"])
    moved = transpose(build, node.inputs[0], to_last(rank))
    result = make(build, node.op, moved, **last_attrs(node))
    old = node.output.shape
    if result.shape is None and old is not None:
        result.shape = tuple(old[axis] for axis in to_last(rank))
    return [transpose(build, result, to_first(rank))]


@RULES.rule("MaxPool")
def padded_pool(node: Node, build: Builder) -> list[Value] | None:
    """TF.js has no paddings of one's own here: padded by the lowest number. Exact."""
    if node.attrs["padding"] != b"EXPLICIT":
        return None
    x = node.inputs[0]
    pads = node.attrs["explicit_paddings"]
    for axis in range(len(pads) // 2):
        lowest = _LOWEST if x.dtype == "float32" else float(np.iinfo(np.int32).min)
        x = pad_axis(build, x, axis, pads[2 * axis], pads[2 * axis + 1], lowest)
    attrs = {**node.attrs, "padding": b"VALID", "explicit_paddings": []}
    return [make(build, "MaxPool", x, **attrs)]


@RULES.rule("MaxPool", "AvgPool")
def pool_over_channels(node: Node, build: Builder) -> list[Value] | None:
    """A window over the channels, which TF.js ignores: a reduction of groups of them. Exact."""
    window, strides = node.attrs["ksize"], node.attrs["strides"]
    if window[-1] == 1 and window[0] == 1:
        return None
    x = node.inputs[0]
    channels = shape_of(x)[-1]
    alone = max(window[:-1]) == 1 and max(strides[:-1]) == 1 and node.op == "MaxPool"
    if not alone or strides[-1] != window[-1] or channels is None or channels % window[-1]:
        raise CannotExpress("its window covers channels or examples")
    sizes = sizes_of(build, x)
    groups = [*sizes[:-1], channels // window[-1], window[-1]]
    return [make(build, "Max", reshape(build, x, groups), [len(sizes)])]


@RULES.rule("MaxPool")
def pooled_integers(node: Node, build: Builder) -> list[Value] | None:
    """wasm pools floats only. Exact up to 2^24."""
    x = node.inputs[0]
    if x.dtype != "int32":
        return None
    return [build.cast(make(build, "MaxPool", build.cast(x, "float32"), **node.attrs), "int32")]


@RULES.rule("MaxPool3D")
def max_pool_in_space(node: Node, build: Builder) -> list[Value]:
    """Two planes of pooling: TF.js's own is wrong on wasm where all is negative. Exact."""
    x = node.inputs[0]
    window, strides = node.attrs["ksize"], node.attrs["strides"]
    if window[0] != 1 or window[-1] != 1:
        raise CannotExpress("its window covers channels or examples")
    sizes = sizes_of(build, x)
    plain = {"padding": node.attrs["padding"], "data_format": b"NHWC"}
    slices = reshape(build, x, [times(build, *sizes[:2]), *sizes[2:]])
    flat = make(
        build,
        "MaxPool",
        slices,
        ksize=[1, *window[2:4], 1],
        strides=[1, *strides[2:4], 1],
        **plain,
    )
    if flat.shape is None:
        raise CannotExpress("the size of its input is unknown")
    inner = sizes_of(build, flat)[1:]
    columns = reshape(build, flat, [*sizes[:2], times(build, *inner[:2]), inner[2]])
    deep = make(
        build,
        "MaxPool",
        columns,
        ksize=[1, window[1], 1, 1],
        strides=[1, strides[1], 1, 1],
        **plain,
    )
    return [reshape(build, deep, [sizes[0], sizes_of(build, deep)[1], *inner])]


@RULES.rule("MaxPoolWithArgmax")
def maximum_without_position(node: Node, build: Builder) -> list[Value] | None:
    """Where nobody asks for the position, TF.js's plain pooling, which is right on wasm. Exact."""
    if is_used(build.graph, node.outputs[1]):
        return None
    attrs = {name: node.attrs[name] for name in ("ksize", "strides", "padding")}
    return [make(build, "MaxPool", node.inputs[0], **attrs), node.outputs[1]]
