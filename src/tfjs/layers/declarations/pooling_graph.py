"""Pooling as graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfjs.ir.graph import Value
from tfjs.ir.tensor import Array
from tfjs.layers.base import CannotLower
from tfjs.layers.declarations.kernels import fits
from tfjs.layers.declarations.space import is_first
from tfjs.layers.declarations.space_graph import (
    as_image,
    as_steps,
    check_rank,
    times_matrix,
    with_channels_last,
)

if TYPE_CHECKING:
    from tfjs.layers.lowering import Lowering

_OPS = {"Max": "MaxPool", "Average": "AvgPool"}


def pooled(build: Lowering, rank: int, kind: str) -> Value:
    """Pooling over windows.

    Args:
        build: the builder.
        rank: the number of axes of space.
        kind: "Max" or "Average".
    """
    config, x = build.config, build.floats(build.inputs[0])
    check_rank(build, x, rank + 2)
    window, strides = list(config["pool_size"]), list(config["strides"])
    padding = str(config["padding"]).upper().encode()
    return with_channels_last(
        build,
        x,
        is_first(config),
        lambda value: _pool(build, value, kind, window, strides, padding),
    )


def _pool(
    build: Lowering,
    x: Value,
    kind: str,
    window: Sequence[int],
    strides: Sequence[int],
    padding: bytes = b"VALID",
) -> Value:
    attrs: dict[str, Any] = {"padding": padding}
    if len(window) == 1:
        attrs |= {"ksize": [1, 1, window[0], 1], "strides": [1, 1, strides[0], 1]}
        return as_steps(build, build.op(_OPS[kind], as_image(build, x), attrs=attrs))
    attrs |= {"ksize": [1, *window, 1], "strides": [1, *strides, 1]}
    if len(window) == 2:
        return build.op(_OPS[kind], x, attrs=attrs)
    if kind == "Average" and padding == b"SAME":
        return _average_in_space(build, x, window, strides)
    return build.op(f"{_OPS[kind]}3D", x, attrs=attrs)


def _average_in_space(
    build: Lowering, x: Value, window: Sequence[int], strides: Sequence[int]
) -> Value:
    """Along axes with padding, then along others: TF.js pads by less than 0 where none is needed.

    Padding counts in no mean, so that the axes are independent.
    """
    padded = [
        width >= stride or (-(-size // stride) - 1) * stride + width > size
        for size, width, stride in (
            (build.fixed(x, axis) if stride > width else 0, width, stride)
            for axis, (width, stride) in enumerate(zip(window, strides, strict=True), 1)
        )
    ]
    for padding, axes in ((b"SAME", padded), (b"VALID", [not item for item in padded])):
        if any(axes):
            attrs = {
                key: [1, *(n if here else 1 for n, here in zip(numbers, axes, strict=True)), 1]
                for key, numbers in (("ksize", window), ("strides", strides))
            }
            x = build.op("AvgPool3D", x, attrs={**attrs, "padding": padding})
    return x


def pooled_globally(build: Lowering, rank: int, kind: str) -> Value:
    """The mean or the largest over all of the space; means leave out steps by a mask."""
    config, x = build.config, build.floats(build.inputs[0])
    check_rank(build, x, rank + 2)
    start = 2 if is_first(config) else 1
    axes = np.arange(start, start + rank, dtype=np.int32)
    keep = {"keep_dims": bool(config["keepdims"])}
    mask = build.mask() if kind == "Average" and rank == 1 else None
    if mask is None:
        return build.op("Max" if kind == "Max" else "Mean", x, axes, attrs=keep)
    steps = np.array(3 - start, np.int32)
    weights = build.op("ExpandDims", build.floats(mask), steps)
    total = build.op("Sum", build.op("Mul", x, weights), axes, attrs=keep)
    return build.op("RealDiv", total, build.op("Sum", weights, axes, attrs=keep))


# To a given size ------------------------------------------------------------------------------


def pooled_to_size(build: Lowering, rank: int, kind: str) -> Value:
    """Pooling of windows of almost one size, of which a given number comes out."""
    config, x = build.config, build.floats(build.inputs[0])
    check_rank(build, x, rank + 2)
    wanted = [int(size) for size in config["output_size"]]
    return with_channels_last(
        build, x, is_first(config), lambda value: _to_size(build, value, wanted, kind)
    )


def _to_size(build: Lowering, x: Value, wanted: Sequence[int], kind: str) -> Value:
    sizes = [build.fixed(x, axis) for axis in range(1, len(wanted) + 1)]
    if 0 in sizes:
        raise CannotLower("its input is empty")
    both = list(zip(sizes, wanted, strict=True))
    if all(old % new == 0 for old, new in both):
        windows = [old // new for old, new in both]
        return _pool(build, x, kind, windows, windows)
    if not all(fits(pair) for pair in both):
        raise CannotLower("its windows differ in size, and are too many to spell out")
    if kind == "Average":
        for axis, (old, new) in enumerate(both, 1):
            x = times_matrix(build, x, axis, mean_matrix(old, new))
        return x
    widths = []
    for axis, (old, new) in enumerate(both, 1):
        places = _places(old, new)
        widths.append(places.shape[1])
        if not np.array_equal(places.ravel(), np.arange(old)):
            x = build.op("GatherV2", x, places.ravel(), np.array(axis, np.int32))
    return _pool(build, x, kind, widths, widths)


def window_of(size: int, count: int, at: int) -> slice:
    """Where a window lies: from floor(at * size / count) to ceil((at + 1) * size / count)."""
    return slice(at * size // count, -(-(at + 1) * size // count))


def mean_matrix(size: int, count: int) -> Array:
    """[size, count]: the mean of each window."""
    matrix = np.zeros((size, count), np.float32)
    for at in range(count):
        window = window_of(size, count, at)
        matrix[window, at] = 1.0 / (window.stop - window.start)
    return matrix


def _places(size: int, count: int) -> Array:
    """[count, widest]: what each window holds; short ones have their last again."""
    windows = [window_of(size, count, at) for at in range(count)]
    widest = max(window.stop - window.start for window in windows)
    found = [np.minimum(np.arange(widest) + item.start, item.stop - 1) for item in windows]
    return np.array(found, np.int32)
