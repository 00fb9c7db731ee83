"""Pooling: channels last, no padding but SAME and VALID, no window over the channels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.ops.build import Builder
from tfjs.passes.legal.axes import pad_axis
from tfjs.passes.legal.common import (
    check_table,
    constant_of,
    is_used,
    make,
    reshape,
    shape_of,
    size_at,
    sizes_of,
    times,
    transpose,
)
from tfjs.passes.legal.convolution import (
    Pads,
    channels_first,
    last_attrs,
    to_first,
    to_last,
    window_pads,
)
from tfjs.passes.rules import CannotExpress, RuleSet

RULES = RuleSet()

# Windows of more places are not taken apart.
_MOST_PLACES = 64

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


@RULES.rule("MaxPoolWithArgmax")
def maximum_with_position(node: Node, build: Builder) -> list[Value] | None:
    """By what each place of the window sees: the largest, and the first where it is. Exact.

    TF.js's own is wrong on wasm, where all is negative or two are as large, and gives floats on
    WebGL. Left alone where sizes are not known.
    """
    x = node.inputs[0]
    window, strides = node.attrs["ksize"][1:3], node.attrs["strides"][1:3]
    if x.shape is None or None in x.shape[1:] or math.prod(window) > _MOST_PLACES:
        return None
    _, height, width, channels = (size or 0 for size in x.shape)
    pads = window_pads(node.attrs["padding"], [], [height, width], window, strides)
    seen = _seen_by_places(build, x, window, strides, [1, 1], pads)
    where = make(build, "ArgMax", make(build, "Pack", *seen, axis=0), np.int32(0))
    down = make(build, "FloorDiv", where, np.int32(window[1]))
    right = make(build, "Sub", where, make(build, "Mul", down, window[1]))
    rows, columns = (size or 0 for size in (seen[0].shape or (0, 0, 0))[1:3])
    check_table(rows, columns, channels)
    top = np.arange(rows, dtype=np.int32)[:, None, None] * strides[0] - pads[0][0]
    left = np.arange(columns, dtype=np.int32)[:, None] * strides[1] - pads[1][0]
    inner = (top * width + left) * channels + np.arange(channels, dtype=np.int32)
    place = make(build, "AddV2", make(build, "Mul", down, width), right)
    place = make(build, "AddV2", make(build, "Mul", place, channels), inner.astype(np.int32))
    if node.attrs.get("include_batch_in_index"):
        starts = make(build, "Range", 0, size_at(build, x, 0), 1)
        starts = make(build, "Mul", starts, height * width * channels)
        place = make(build, "AddV2", place, build.reshape(starts, [-1, 1, 1, 1]))
    attrs = {name: node.attrs[name] for name in ("ksize", "strides", "padding")}
    return [make(build, "MaxPool", x, **attrs), place]


@RULES.rule("Dilation2D")
def dilation(node: Node, build: Builder) -> list[Value] | None:
    """The largest of what each place of the filter makes: TF.js's own is wrong on wasm. Exact.

    Left alone where sizes are not known.
    """
    x, filter_ = node.inputs
    window = filter_.shape and filter_.shape[:2]
    strides, rates = node.attrs["strides"][1:3], node.attrs["rates"][1:3]
    if x.shape is None or None in x.shape[1:3] or not window:
        return None
    sizes = [size or 0 for size in window]
    if not 0 < math.prod(sizes) <= _MOST_PLACES:
        return None
    covered = [(size - 1) * rate + 1 for size, rate in zip(sizes, rates, strict=True)]
    pads = window_pads(node.attrs["padding"], [], x.shape[1:3], covered, strides)
    seen = _seen_by_places(build, x, sizes, strides, rates, pads)
    places = [(row, column) for row in range(sizes[0]) for column in range(sizes[1])]
    result: Value | None = None
    for value, (row, column) in zip(seen, places, strict=True):
        added = make(build, "Slice", filter_, [row, column, 0], [1, 1, -1])
        raised = make(build, "AddV2", value, build.reshape(added, [-1]))
        raised.shape = value.shape
        result = raised if result is None else make(build, "Maximum", result, raised)
    return None if result is None else [result]


def _seen_by_places(
    build: Builder,
    x: Value,
    window: Sequence[int],
    strides: Sequence[int],
    rates: Sequence[int],
    pads: Pads,
) -> list[Value]:
    """What each place of a window meets, for all positions of the window."""
    # Half of the lowest integer stays one when something negative is added.
    single = x.dtype == "float32"
    lowest = float(np.finfo(np.float32).min) if single else np.iinfo(np.int32).min // 2
    counts = []
    for axis, (before, behind) in enumerate(pads, 1):
        size = shape_of(x)[axis] or 0
        covered = (window[axis - 1] - 1) * rates[axis - 1] + 1
        counts.append((size + before + behind - covered) // strides[axis - 1] + 1)
        x = pad_axis(build, x, axis, before, behind, lowest)
    found = []
    for row in range(window[0]):
        for column in range(window[1]):
            start = [row * rates[0], column * rates[1]]
            end = [
                first + (count - 1) * stride + 1
                for first, count, stride in zip(start, counts, strides, strict=True)
            ]
            cut = [[0, *start, 0], [0, *end, 0], [1, *strides, 1]]
            value = make(build, "StridedSlice", x, *cut, begin_mask=9, end_mask=9)
            found.append(value)
    return found
