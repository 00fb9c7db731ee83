"""Pooling: channels last, no padding but SAME and VALID, no window over the channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.passes.build import Builder
from tfjs.passes.legal.axes import pad_axis
from tfjs.passes.legal.common import (
    as_scalar,
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
from tfjs.passes.legal.convolution import channels_first, last_attrs, to_first, to_last, window_pads
from tfjs.passes.rules import CannotExpress, RuleSet

RULES = RuleSet()

_LOWEST = float(np.finfo(np.float32).min)
# Larger windows are not gone through step by step.
_MOST_STEPS = 64


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


# Where TF.js's own start from a number above 0 on wasm --------------------------------------------


@RULES.rule("MaxPoolWithArgmax")
def maximum_with_position(node: Node, build: Builder) -> list[Value] | None:
    """Negative numbers are lost on wasm: the best of each window so far, with its place. Exact.

    Left alone where the sizes are not known, and for large windows.
    """
    x = node.inputs[0]
    ksize, strides = node.attrs["ksize"], node.attrs["strides"]
    steps = _Steps.of(x, ksize[1:3], strides[1:3], [1, 1], node.attrs["padding"])
    channels = shape_of(x)[-1]
    if steps is None or channels is None or x.dtype != "float32":
        return None
    height, width = (int(size or 0) for size in shape_of(x)[1:3])
    best: Value | None = None
    where: Value | None = None
    padded = steps.padded(build, x)
    for place in steps.places:
        part = steps.part(build, padded, place)
        rows, columns = (
            np.arange(count) * step + offset - before
            for count, step, offset, before in zip(
                steps.counts, steps.strides, place, steps.before, strict=True
            )
        )
        flat = (rows[:, None, None] * width + columns[:, None]) * channels + np.arange(channels)
        number = build.constant(flat[None].astype(np.int32))
        if best is None or where is None:
            best, where = part, make(build, "AddV2", number, _zeros(build, part))
            continue
        more = make(build, "Greater", part, best)
        best = make(build, "Maximum", best, part)
        where = make(build, "SelectV2", more, number, where)
    assert best is not None
    assert where is not None
    if node.attrs.get("include_batch_in_index"):
        examples = make(build, "Range", 0, as_scalar(build, size_at(build, x, 0)), 1)
        starts = make(build, "Mul", examples, height * width * channels)
        where = make(build, "AddV2", where, build.reshape(starts, [-1, 1, 1, 1]))
    return [best, where]


def _zeros(build: Builder, like: Value) -> Value:
    return build.cast(make(build, "ZerosLike", like), "int32")


@RULES.rule("Dilation2D")
def dilation_by_steps(node: Node, build: Builder) -> list[Value] | None:
    """Negative numbers are lost on wasm: the largest over the kernel, step by step. Exact.

    Left alone where the sizes are not known, and for large kernels.
    """
    x, kernel = node.inputs
    rates, window = node.attrs["rates"], shape_of(kernel, "its kernel")[:2]
    if None in window or x.dtype != "float32":
        return None
    sizes = [int(size or 0) for size in window]
    steps = _Steps.of(x, sizes, node.attrs["strides"][1:3], rates[1:3], node.attrs["padding"])
    if steps is None:
        return None
    padded = steps.padded(build, x)
    best: Value | None = None
    for place in steps.places:
        row, column = (offset // rate for offset, rate in zip(place, rates[1:3], strict=True))
        weights = make(build, "Slice", kernel, [row, column, 0], [1, 1, -1])
        part = make(build, "AddV2", steps.part(build, padded, place), weights)
        best = part if best is None else make(build, "Maximum", best, part)
    return None if best is None else [best]


@dataclass(frozen=True, slots=True)
class _Steps:
    """A window over images of known size, place by place.

    Attributes:
        counts: how many windows there are down and across.
        strides: from one to the next.
        before: padding above and left.
        behind: padding below and right.
        places: offsets of the window's elements.
    """

    counts: list[int]
    strides: Sequence[int]
    before: list[int]
    behind: list[int]
    places: list[tuple[int, int]]

    @classmethod
    def of(
        cls,
        x: Value,
        window: Sequence[int],
        strides: Sequence[int],
        rates: Sequence[int],
        padding: bytes,
    ) -> _Steps | None:
        """The steps; None where sizes are unknown, or there are too many."""
        sizes = [size for size in shape_of(x)[1:3] if size is not None]
        if len(sizes) < 2 or math.prod(window) > _MOST_STEPS:
            return None
        covered = [(size - 1) * rate + 1 for size, rate in zip(window, rates, strict=True)]
        pads = window_pads(padding, [], sizes, covered, strides)
        counts = [
            (size + sum(pad) - reach) // stride + 1
            for size, pad, reach, stride in zip(sizes, pads, covered, strides, strict=True)
        ]
        places = [
            (row * rates[0], column * rates[1])
            for row in range(window[0])
            for column in range(window[1])
        ]
        # What the windows do not reach is cut, what they reach beyond the image is padded.
        behind = [
            (count - 1) * stride + reach - size - pad[0]
            for count, stride, reach, size, pad in zip(
                counts, strides, covered, sizes, pads, strict=True
            )
        ]
        return cls(counts, strides, [pad[0] for pad in pads], behind, places)

    def padded(self, build: Builder, x: Value) -> Value:
        """The images with the lowest number around them."""
        for axis in (0, 1):
            before, behind = self.before[axis], max(self.behind[axis], 0)
            x = pad_axis(build, x, axis + 1, before, behind, _LOWEST)
        return x

    def part(self, build: Builder, padded: Value, place: tuple[int, int]) -> Value:
        """One element of every window."""
        ends = [
            offset + (count - 1) * stride + 1
            for offset, count, stride in zip(place, self.counts, self.strides, strict=True)
        ]
        return make(
            build,
            "StridedSlice",
            padded,
            [0, *place, 0],
            [0, *ends, 0],
            [1, *self.strides, 1],
            begin_mask=0b1001,
            end_mask=0b1001,
        )
