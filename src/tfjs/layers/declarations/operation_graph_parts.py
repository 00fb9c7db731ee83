"""Operations of `keras.ops` that take parts of tensors, or put parts in, as graphs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfjs.ir.graph import Value
from tfjs.layers.base import CannotLower
from tfjs.layers.declarations.kernels import fits
from tfjs.layers.declarations.operation_graph import (
    MOST_WRITTEN,
    Operands,
    computes,
    int32,
    scalar,
)
from tfjs.layers.declarations.space_graph import order_axes

_MOST_AXES = 30

# Between brackets ----------------------------------------------------------------------------


@dataclass
class _Key:
    """What stands between brackets, as a StridedSlice.

    Attributes:
        begin, end, strides: for each entry of the StridedSlice.
        masks: bits of its attributes.
        whole: whether the StridedSlice leaves all as it is.
    """

    begin: list[int | Value] = field(default_factory=list)
    end: list[int | Value] = field(default_factory=list)
    strides: list[int] = field(default_factory=list)
    masks: dict[str, int] = field(default_factory=dict)
    whole: bool = True

    def add(self, begin: int | Value, end: int | Value, stride: int, *masks: str) -> None:
        for name in masks:
            self.masks[f"{name}_mask"] = self.masks.get(f"{name}_mask", 0) | 1 << len(self.begin)
        self.begin.append(begin)
        self.end.append(end)
        self.strides.append(stride)
        self.whole &= {"begin", "end"} <= set(masks) and stride == 1


@computes("GetItem", given="x key")
def _get_item(given: Operands) -> Value:
    build, x, key = given.build, given.tensor(), given["key"]
    items = list(key) if isinstance(key, list | tuple) else [key]
    rank = build.rank(x)
    real = sum(item is not None and item is not ... for item in items)
    dots = [place for place, item in enumerate(items) if item is ...]
    if real > rank or len(dots) > 1 or len(items) > _MOST_AXES:
        raise IndexError(f"{items} of {rank} axes")
    at = dots[0] if dots else len(items)
    items[at : at + 1] = [slice(None)] * (rank - real)
    cut = _Key()
    for item in items:
        _take(given, cut, item)
    if cut.whole:
        return x
    begin, end = build.sizes(cut.begin), build.sizes(cut.end)
    return build.op("StridedSlice", x, begin, end, int32(*cut.strides), attrs=cut.masks)


def _take(given: Operands, cut: _Key, item: Any) -> None:
    if item is None:
        cut.add(0, 1, 1, "new_axis")
    elif isinstance(item, slice):
        _take_slice(given, cut, item)
    elif isinstance(item, Value) and given.build.shape(item) == ():
        place = given.build.cast(item, "int32")
        cut.add(place, given.build.op("AddV2", place, np.int32(1)), 1, "shrink_axis")
    elif isinstance(item, list | tuple | Value):
        raise CannotLower("takes elements by a tensor or a list between brackets: use ops.take")
    else:
        cut.add(int(item), int(item) + 1, 1, "shrink_axis")


def _take_slice(given: Operands, cut: _Key, item: slice) -> None:
    step = 1 if item.step is None else item.step
    if type(step) is not int or not step:
        raise CannotLower("takes steps that are not constant")
    masks = [name for name, end in (("begin", item.start), ("end", item.stop)) if end is None]
    ends = [0 if limit is None else limit for limit in (item.start, item.stop)]
    begin, end = (_bound(given, item) for item in ends)
    cut.add(begin, end, step, *masks)


def _bound(given: Operands, end: Any) -> int | Value:
    if isinstance(end, Value):
        return given.build.cast(end, "int32")
    # What lies beyond int32 lies beyond any tensor.
    return max(-(2**31) + 1, min(int(end), 2**31 - 1))


def _from_front(given: Operands, x: Value, places: Value, axis: int) -> Value:
    """Places along an axis, those that count from its end too, from its front."""
    build = given.build
    constant = places.node.attrs.get("value") if places.node.op == "Const" else None
    size = build.size(x, axis)
    if constant is not None:
        array = constant.array().astype(np.int32)
        if not np.any(array < 0):
            return build.constant(array)
        if not isinstance(size, Value):
            return build.constant(np.where(array < 0, array + np.int32(size), array))
    return build.op("FloorMod", build.cast(places, "int32"), size)


# By places -----------------------------------------------------------------------------------


@computes("Take", given="x indices")
def _take_places(given: Operands) -> Value:
    build, x = given.build, given.tensor()
    if given.get("axis") is None:
        x = build.reshaped(x, [-1])
    axis = 0 if given.get("axis") is None else given.axis(build.rank(x))
    places = _from_front(given, x, given.tensor("indices"), axis)
    return build.op("GatherV2", x, places, scalar(axis))


@computes("TakeAlongAxis", given="x indices")
def _take_along_axis(given: Operands) -> Value:
    build, x, places = given.build, given.tensor(), given.tensor("indices", "int32")
    if given.get("axis") is None:
        x, places = build.reshaped(x, [-1]), build.reshaped(places, [-1])
        return build.op("GatherV2", x, _from_front(given, x, places, 0), scalar(0))
    rank = build.rank(x)
    axis = given.axis(rank)
    places = _from_front(given, x, places, axis)
    x, places = (_spread(given, *pair, axis) for pair in ((x, places), (places, x)))
    order = [place for place in range(rank) if place != axis] + [axis]
    moved = [order_axes(build, item, order) for item in (x, places)]
    attrs = {"batch_dims": rank - 1}
    made = build.op("GatherV2", *moved, scalar(rank - 1), attrs=attrs)
    return order_axes(build, made, [order.index(place) for place in range(rank)])


def _spread(given: Operands, x: Value, other: Value, axis: int) -> Value:
    """A tensor with the sizes of another, but along one axis."""
    build = given.build
    own, wanted = build.shape(x), build.shape(other)
    if len(own) != len(wanted):
        raise ValueError(f"{list(own)} and {list(wanted)} have different axes")
    pairs = list(enumerate(zip(own, wanted, strict=True)))
    if not any(place != axis and one == 1 and two != 1 for place, (one, two) in pairs):
        return x
    sizes = [
        build.size(other if place != axis and one == 1 else x, place) for place, (one, _) in pairs
    ]
    return build.op("BroadcastTo", x, build.sizes(sizes))


# Blocks --------------------------------------------------------------------------------------


def _starts(given: Operands, name: str) -> Value:
    value = given.value(given[name], "int32")
    return value if given.build.rank(value) == 1 else given.build.reshaped(value, [-1])


@computes("Slice", given="inputs start_indices")
def _slice(given: Operands) -> Value:
    build, x = given.build, given.tensor("inputs")
    sizes: list[int | Value] = []
    for axis, size in enumerate(given["shape"]):
        sizes.append(build.size(x, axis) if size is None else size)
    return build.op("Slice", x, _starts(given, "start_indices"), build.sizes(sizes))


@computes("SliceUpdate", given="inputs start_indices updates")
def _slice_update(given: Operands) -> Value:
    """Where a block of ones is, the new numbers; else the old."""
    build, x = given.build, given.tensor("inputs")
    updates = given.tensor("updates", x.dtype)
    if any(isinstance(item, Value) for item in _listed(given["start_indices"])):
        raise CannotLower("changes a part whose place only the run tells")
    starts = [int(item) for item in _listed(given["start_indices"])]
    old, new = build.shape(x), build.shape(updates)
    open_ = [
        axis
        for axis, pair in enumerate(zip(old, new, strict=True))
        if None in pair and (starts[axis] or pair[0] != pair[1])
    ]
    if open_:
        raise CannotLower("changes a part of an axis of unknown size")
    pads, mask_shape, inside = [], [], []
    for start, size, part in zip(starts, old, new, strict=True):
        behind = 0 if size is None or part is None else size - part - start
        pads.append((start, behind))
        mask_shape.append(1 if not (start or behind) else size or 1)
        inside.append(slice(None) if not (start or behind) else slice(start, start + (part or 0)))
    if not any(map(any, pads)):
        return updates
    if not fits(mask_shape):
        raise CannotLower("changes a part of a tensor too large to mark it in")
    mask = np.zeros(mask_shape, np.bool_)
    mask[tuple(inside)] = True
    moved = build.op("Pad", updates, np.array(pads, np.int32))
    return build.op("SelectV2", build.constant(mask), moved, x)


def _listed(item: Any) -> list[Any]:
    if isinstance(item, Value):
        return [item]
    return list(item) if isinstance(item, list | tuple) else [item]


@computes("Scatter", given="indices values")
def _scatter(given: Operands) -> Value:
    values, places = given.tensor("values"), given.tensor("indices", "int32")
    shape = [int(size) for size in given["shape"]]
    return given.build.op("ScatterNd", places, values, int32(*shape))


_REDUCTIONS = {None: "Update", "add": "Add", "max": "Max", "min": "Min"}


@computes("ScatterUpdate", given="inputs indices updates")
def _scatter_update(given: Operands) -> Value:
    build, x, reduction = given.build, given.tensor("inputs"), given.get("reduction")
    if reduction not in _REDUCTIONS:
        raise CannotLower(f"combines numbers by {reduction!r} in place")
    places, updates = given.tensor("indices", "int32"), given.tensor("updates", x.dtype)
    return build.op(f"TensorScatter{_REDUCTIONS[reduction]}", x, places, updates)


# Windows -------------------------------------------------------------------------------------


@computes("ExtractSequences")
def _extract_sequences(given: Operands) -> Value:
    x = given.tensor()
    return sequences(given, x, int(given["sequence_length"]), int(given["sequence_stride"]))


def sequences(given: Operands, x: Value, length: int, stride: int) -> Value:
    """The windows of a length along the last axis, each some steps behind the one before."""
    build, last = given.build, given.build.rank(x) - 1
    count = (build.fixed(x, last) - length) // stride + 1
    if count < 1 or length < 1 or count * length > MOST_WRITTEN:
        raise ValueError(f"{count} sequences of {length}")
    starts = np.arange(count, dtype=np.int32)[:, None] * stride
    return build.op("GatherV2", x, starts + np.arange(length, dtype=np.int32), scalar(last))


def _pair(value: Any) -> tuple[int, int]:
    items = value if isinstance(value, list | tuple) else [value, value]
    return int(items[0]), int(items[1])


def _windows(given: Operands, height: int, width: int) -> tuple[np.ndarray, int, int]:
    """Where each window of a padded image has its numbers: [in a window, windows]."""
    kernel, gap = _pair(given["kernel_size"]), _pair(given.get("dilation", 1))
    step, pad = _pair(given.get("stride", 1)), _pair(given.get("padding", 0))
    padded = (height + 2 * pad[0], width + 2 * pad[1])
    axes = []
    for axis in range(2):
        reach = gap[axis] * (kernel[axis] - 1) + 1
        starts = np.arange(0, padded[axis] - reach + 1, step[axis])
        axes.append(np.arange(kernel[axis])[:, None] * gap[axis] + starts)
    if axes[0].size * axes[1].size > MOST_WRITTEN:
        raise CannotLower("has more windows than can be written out")
    whole = axes[0][:, None, :, None] * padded[1] + axes[1][None, :, None, :]
    inside = kernel[0] * kernel[1]
    return whole.reshape(inside, -1).astype(np.int32), *padded


@computes("Unfold")
def _unfold(given: Operands) -> Value:
    """[batch, channels, height, width] -> [batch, channels * in a window, windows]."""
    build, x = given.build, given.tensor()
    height, width, channels = (build.fixed(x, axis) for axis in (2, 3, 1))
    at, tall, wide = _windows(given, height, width)
    pad = _pair(given.get("padding", 0))
    if any(pad):
        x = build.op("Pad", x, np.array([(0, 0), (0, 0), *((size,) * 2 for size in pad)], np.int32))
    flat = build.reshaped(x, [-1, channels, tall * wide])
    found = build.op("GatherV2", flat, at, scalar(2))
    return build.reshaped(found, [-1, channels * at.shape[0], at.shape[1]])


@computes("Fold")
def _fold(given: Operands) -> Value:
    """The sum of all windows that hold a pixel, by a matrix of zeros and ones."""
    build, x = given.build, given.floats()
    height, width = _pair(given["output_size"])
    pad = _pair(given.get("padding", 0))
    at, tall, wide = _windows(given, height, width)
    rows = build.fixed(x, 1)
    if rows % at.shape[0] or not fits([at.size, height * width]):
        raise CannotLower("has windows that are too many for a matrix")
    matrix = np.zeros((at.size, tall * wide), np.float32)
    matrix[np.arange(at.size), at.reshape(-1)] = 1.0
    kept = matrix.reshape(-1, tall, wide)[:, pad[0] : pad[0] + height, pad[1] : pad[1] + width]
    flat = build.reshaped(x, [-1, at.size])
    made = build.op("MatMul", flat, np.ascontiguousarray(kept).reshape(at.size, -1))
    return build.reshaped(made, [-1, rows // at.shape[0], height, width])


@computes("DepthToSpace", "SpaceToDepth")
def _depth_and_space(given: Operands) -> Value:
    build, x, size = given.build, given.floats(), int(given["block_size"])
    first = given.get("data_format") == "channels_first"
    order = [0, 2, 3, 1]
    moved = order_axes(build, x, order) if first else x
    made = build.op(build.layer.class_name, moved, attrs={"block_size": size})
    return order_axes(build, made, [0, 3, 1, 2]) if first else made
