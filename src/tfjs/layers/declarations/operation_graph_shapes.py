"""Operations of `keras.ops` that move numbers about without changing them, as graphs."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tfjs.ir.graph import Value
from tfjs.layers.base import CannotLower
from tfjs.layers.declarations.operation_graph import (
    MOST_WRITTEN,
    Operands,
    axes_in,
    axis_in,
    computes,
    int32,
    scalar,
)
from tfjs.layers.declarations.space_graph import order_axes, product, reshape

_MOST_PARTS = 1 << 12
_MOST_AXES = 32


def _name(given: Operands) -> str:
    return given.build.layer.class_name


# Other shapes --------------------------------------------------------------------------------


def _sizes(items: Any) -> list[int | Value]:
    """A shape with -1 for what is not told; one axis may stand without a list."""
    listed = list(items) if isinstance(items, list | tuple) else [items]
    return [-1 if item is None else item for item in listed]


@computes("Reshape")
def _reshape(given: Operands) -> Value:
    return reshape(given.build, given.tensor(), _sizes(given["newshape"]))


@computes("Ravel")
def _ravel(given: Operands) -> Value:
    return given.build.reshaped(given.tensor(), [-1])


@computes("ExpandDims")
def _expand_dims(given: Operands) -> Value:
    build, x, axis = given.build, given.tensor(), given["axis"]
    count = len(axis) if isinstance(axis, list | tuple) else 1
    for place in axes_in(axis, build.rank(x) + min(count, _MOST_AXES)):
        x = build.op("ExpandDims", x, scalar(place))
    return x


@computes("Squeeze")
def _squeeze(given: Operands) -> Value:
    build, x, axis = given.build, given.tensor(), given.get("axis")
    shape = build.shape(x)
    if axis is None:
        axes = [place for place, size in enumerate(shape) if size == 1]
    else:
        axes = axes_in(axis, len(shape))
    return build.op("Squeeze", x, attrs={"squeeze_dims": axes}) if axes else x


@computes("BroadcastTo")
def _broadcast_to(given: Operands) -> Value:
    build, x = given.build, given.tensor()
    sizes: list[int | Value] = _sizes(given["shape"])
    for place, size in enumerate(sizes):
        if not isinstance(size, Value) and size < 0:
            sizes[place] = build.size(x, place - len(sizes))
    return build.op("BroadcastTo", x, build.sizes(sizes))


@computes("Transpose")
def _transpose(given: Operands) -> Value:
    build, x, axes = given.build, given.tensor(), given.get("axes")
    rank = build.rank(x)
    order = list(range(rank))[::-1] if axes is None else [axis_in(item, rank) for item in axes]
    return order_axes(build, x, order)


@computes("Swapaxes")
def _swapaxes(given: Operands) -> Value:
    build, x = given.build, given.tensor()
    rank = build.rank(x)
    return _swapped(given, x, given.axis(rank, "axis1"), given.axis(rank, "axis2"))


def _swapped(given: Operands, x: Value, first: int, second: int) -> Value:
    order = list(range(given.build.rank(x)))
    order[first], order[second] = second, first
    return order_axes(given.build, x, order)


@computes("Moveaxis")
def _moveaxis(given: Operands) -> Value:
    build, x = given.build, given.tensor()
    rank, pairs = build.rank(x), []
    for key in ("destination", "source"):
        items = given[key] if isinstance(given[key], list | tuple) else [given[key]]
        pairs.append([axis_in(item, rank) for item in items])
    moved = dict(zip(*pairs, strict=True))
    others = iter([axis for axis in range(rank) if axis not in pairs[1]])
    order = [moved[place] if place in moved else next(others) for place in range(rank)]
    return order_axes(build, x, order)


@computes("Rearrange", given="tensor pattern")
def _rearrange(given: Operands) -> Value:
    build, x = given.build, given.tensor("tensor")
    before, after = (_groups(side) for side in str(given["pattern"]).split("->"))
    sizes: dict[str, int | Value] = {}
    for place, group in enumerate(before):
        whole = build.size(x, place)
        told = {name: int(given[name]) for name in group if name in given.named}
        left = [name for name in group if name not in told]
        sizes.update(told)
        if len(group) == 1:
            sizes[group[0]] = whole
        elif len(left) == 1:
            sizes[left[0]] = -1 if isinstance(whole, Value) else whole // math.prod(told.values())
        elif left:
            raise ValueError(f"{given['pattern']!r} leaves sizes open")
    flat = [name for group in before for name in group]
    parts = reshape(build, x, [sizes[name] for name in flat]) if len(flat) > len(before) else x
    turned = order_axes(build, parts, [flat.index(name) for group in after for name in group])
    if all(len(group) == 1 for group in after):
        return turned
    joint: list[int | Value] = []
    for group in after:
        count = product([-1 if sizes[name] == -1 else sizes[name] for name in group])
        open_ = any(isinstance(sizes[name], Value) or sizes[name] == -1 for name in group)
        joint.append(sizes[group[0]] if len(group) == 1 else -1 if open_ else count)
    return reshape(build, turned, joint)


def _groups(side: str) -> list[list[str]]:
    return [item.strip("()").split() for item in re.findall(r"\w+|\([^)]*\)", side)]


# Repeated, turned, moved ---------------------------------------------------------------------


@computes("Tile")
def _tile(given: Operands) -> Value:
    build, x = given.build, given.tensor()
    repeats = given["repeats"]
    counts = [int(item) for item in (repeats if isinstance(repeats, list | tuple) else [repeats])]
    more = len(counts) - build.rank(x)
    if more > 0:
        sizes = [build.size(x, axis) for axis in range(build.rank(x))]
        x = reshape(build, x, [*[1] * more, *sizes])
    return build.op("Tile", x, int32(*[1] * max(0, -more), *counts))


@computes("Repeat")
def _repeat(given: Operands) -> Value:
    build, x, repeats = given.build, given.tensor(), given["repeats"]
    if given.get("axis") is None:
        x = build.reshaped(x, [-1])
    axis = given.axis(build.rank(x)) if given.get("axis") is not None else 0
    size = build.shape(x)[axis]
    counts = np.asarray(repeats, np.int32)
    if counts.min(initial=0) < 0 or counts.ndim > 1:
        raise ValueError(f"{repeats} times")
    if counts.size == 1:
        return _each(given, x, axis, int(counts.reshape(-1)[0]))
    if size is None or counts.sum(dtype=np.int64) > MOST_WRITTEN:
        raise CannotLower("repeats elements differently along an axis of unknown size")
    places = np.repeat(np.arange(size, dtype=np.int32), counts)
    return build.op("GatherV2", x, places, scalar(axis))


def _each(given: Operands, x: Value, axis: int, count: int) -> Value:
    """Every element along an axis as often as another."""
    build, rank = given.build, given.build.rank(x)
    size = build.shape(x)[axis]
    if count == 1:
        return x
    if size is not None and size * count <= MOST_WRITTEN:
        places = np.repeat(np.arange(size, dtype=np.int32), count)
        return build.op("GatherV2", x, places, scalar(axis))
    sizes = [build.size(x, place) for place in range(rank)]
    apart = build.op("ExpandDims", x, scalar(axis + 1))
    times = [1] * (rank + 1)
    times[axis + 1] = count
    tiled = build.op("Tile", apart, int32(*times))
    return reshape(build, tiled, [*sizes[:axis], -1, *sizes[axis + 1 :]])


@computes("Flip", "Fliplr", "Flipud")
def _flip(given: Operands) -> Value:
    build, x = given.build, given.tensor()
    fixed = {"Fliplr": [1], "Flipud": [0]}.get(_name(given))
    axes = given.axes(build.rank(x)) if fixed is None else fixed
    return build.op("ReverseV2", x, int32(*axes))


@computes("Rot90", given="array")
def _rot90(given: Operands) -> Value:
    build, x = given.build, given.tensor("array")
    rank = build.rank(x)
    first, second = (axis_in(axis, rank) for axis in given.get("axes", (0, 1)))
    turns = int(given.get("k", 1)) % 4
    if turns == 2:
        return build.op("ReverseV2", x, int32(first, second))
    if turns == 1:
        return _swapped(given, build.op("ReverseV2", x, int32(second)), first, second)
    if turns == 3:
        return build.op("ReverseV2", _swapped(given, x, first, second), int32(second))
    return x


@computes("Roll")
def _roll(given: Operands) -> Value:
    build, x = given.build, given.tensor()
    shift = np.asarray(given["shift"], np.int32).reshape(-1)
    if given.get("axis") is None:
        flat = build.op("Roll", build.reshaped(x, [-1]), int32(int(shift.sum())), int32(0))
        return reshape(build, flat, [build.size(x, axis) for axis in range(build.rank(x))])
    axis = given["axis"]
    items = axis if isinstance(axis, list | tuple) else [axis]
    axes = [axis_in(item, build.rank(x)) for item in items]
    shifts = np.broadcast_to(shift, (max(len(axes), shift.size),))
    places = np.broadcast_to(int32(*axes), shifts.shape)
    return build.op("Roll", x, np.ascontiguousarray(shifts), np.ascontiguousarray(places))


@computes("Pad", given="x constant_values")
def _pad(given: Operands) -> Value:
    build, x = given.build, given.tensor()
    rank, widths = build.rank(x), np.asarray(given["pad_width"], np.int32)
    if widths.ndim == 1 and widths.size == 2:
        widths = widths[None]
    pads = np.ascontiguousarray(np.broadcast_to(widths, (rank, 2)))
    mode = given.get("mode", "constant")
    if not pads.any():
        return x
    if mode in ("reflect", "symmetric"):
        return build.op("MirrorPad", x, pads, attrs={"mode": mode.upper().encode()})
    if mode != "constant":
        raise CannotLower(f"pads by {mode!r}, which neither TensorFlow nor TF.js does")
    if given.get("constant_values") is None:
        return build.op("Pad", x, pads)
    return build.op("PadV2", x, pads, given.tensor("constant_values", x.dtype))


# Put together --------------------------------------------------------------------------------


def _joined(given: Operands, items: Sequence[Any], axis: int) -> Value:
    build, values = given.build, given.alike(items)
    if len(values) == 1:
        return values[0]
    return build.op("ConcatV2", *values, scalar(axis_in(axis, build.rank(values[0]))))


@computes("Concatenate", given="xs")
def _concatenate(given: Operands) -> Value:
    return _joined(given, given["xs"], int(given.get("axis", 0)))


@computes("Append", given="x1 x2")
def _append(given: Operands) -> Value:
    values = given.together("x1", "x2")
    if given.get("axis") is None:
        return _joined(given, [given.build.reshaped(item, [-1]) for item in values], 0)
    return _joined(given, values, int(given["axis"]))


@computes("Stack")
def _stack(given: Operands) -> Value:
    x = given["x"]
    values = given.alike(x if isinstance(x, list | tuple) else [x])
    axis = axis_in(int(given.get("axis", 0)), given.build.rank(values[0]) + 1)
    return given.build.op("Pack", *values, attrs={"axis": axis, "N": len(values)})


def _least_rank(given: Operands, items: Sequence[Any], rank: int) -> list[Value]:
    """Tensors with `rank` axes or more, as NumPy adds them."""
    build, made = given.build, []
    for x in given.alike(items):
        own = build.rank(x)
        if own == 0:
            x = build.reshaped(x, [1] * rank)
        elif own == 1 and rank >= 2:
            x = build.op("ExpandDims", x, scalar(0))
        if 0 < own < 3 and rank == 3:
            x = build.op("ExpandDims", x, scalar(2))
        made.append(x)
    return made


@computes("Hstack", given="xs")
def _hstack(given: Operands) -> Value:
    values = _least_rank(given, given["xs"], 1)
    return _joined(given, values, 0 if given.build.rank(values[0]) == 1 else 1)


@computes("Vstack", given="xs")
def _vstack(given: Operands) -> Value:
    return _joined(given, _least_rank(given, given["xs"], 2), 0)


@computes("Dstack", given="xs")
def _dstack(given: Operands) -> Value:
    return _joined(given, _least_rank(given, given["xs"], 3), 2)


@computes("Meshgrid", given="*x")
def _meshgrid(given: Operands) -> list[Value]:
    build, rows = given.build, [given.value(item) for item in given["x"]]
    flat = [build.reshaped(row, [-1]) for row in rows]
    sizes = [build.size(row, 0) for row in flat]
    count, order = len(rows), list(range(len(rows)))
    if given.get("indexing", "xy") == "xy" and count > 1:
        order[0], order[1] = 1, 0
    whole = build.sizes([sizes[place] for place in order])
    made = []
    for place, row in enumerate(flat):
        shape = [-1 if other == place else 1 for other in order]
        made.append(build.op("BroadcastTo", build.reshaped(row, shape), whole))
    return made


# Taken apart ---------------------------------------------------------------------------------


@computes("Split", "ArraySplit", "Hsplit", "Vsplit", "Dsplit")
def _split(given: Operands) -> list[Value]:
    build, x, name = given.build, given.tensor(), _name(given)
    rank = build.rank(x)
    fixed = {"Hsplit": min(rank - 1, 1), "Vsplit": 0, "Dsplit": 2}.get(name)
    axis = given.axis(rank, default=0) if fixed is None else axis_in(fixed, rank)
    told = given["indices_or_sections"]
    if not isinstance(told, list | tuple):
        return _sections(given, x, axis, int(told))
    size = build.shape(x)[axis]
    ends = [int(end) for end in told]
    if size is not None:
        ends = [min(end if end >= 0 else max(0, end + size), size) for end in ends]
    elif any(end < 0 for end in ends):
        raise CannotLower("counts from the end of an axis of unknown size")
    sizes = [max(0, behind - before) for before, behind in pairwise([0, *ends])]
    last = -1 if size is None else size - max([0, *ends[-1:]])
    attrs = {"num_split": len(sizes) + 1}
    return build.ops("SplitV", x, int32(*sizes, last), scalar(axis), attrs=attrs)


def _sections(given: Operands, x: Value, axis: int, count: int) -> list[Value]:
    build, size = given.build, given.build.shape(x)[axis]
    if not 0 < count <= _MOST_PARTS:
        raise ValueError(f"{count} parts")
    if count == 1:
        return [x]
    if size is None or size % count == 0:
        if size is None and _name(given) == "ArraySplit":
            raise CannotLower("splits an axis of unknown size unevenly")
        return build.ops("Split", scalar(axis), x, attrs={"num_split": count, "T": x.dtype})
    sizes = [size // count + (place < size % count) for place in range(count)]
    return build.ops("SplitV", x, int32(*sizes), scalar(axis), attrs={"num_split": count})


@computes("Unstack")
def _unstack(given: Operands) -> list[Value]:
    build, x = given.build, given.tensor()
    axis = given.axis(build.rank(x), default=0)
    count = build.shape(x)[axis]
    if count is None:
        count = given.get("num")
    if type(count) is not int or not 0 < count <= _MOST_PARTS:
        raise CannotLower("is taken apart along an axis of unknown size")
    return build.ops("Unpack", x, attrs={"num": count, "axis": axis})


# Made ----------------------------------------------------------------------------------------


def _told_dtype(given: Operands, default: str) -> str:
    dtype = str(given.get("dtype", default))
    return {"float64": "float32", "float16": "float32", "bfloat16": "float32"}.get(dtype, dtype)


@computes("ZerosLike", "OnesLike", "EmptyLike")
def _like(given: Operands) -> Value:
    x = given.tensor()
    op = "OnesLike" if _name(given) == "OnesLike" else "ZerosLike"
    return given.build.op(op, given.build.cast(x, _told_dtype(given, str(x.dtype))))


@computes("FullLike", given="x fill_value")
def _full_like(given: Operands) -> Value:
    build, x = given.build, given.tensor()
    number = given.tensor("fill_value", _told_dtype(given, str(x.dtype)))
    sizes = [build.size(x, axis) for axis in range(build.rank(x))]
    return build.op("BroadcastTo", number, build.sizes(sizes))


@computes("Full", given="fill_value")
def _full(given: Operands) -> Value:
    number = given.tensor("fill_value")
    number = given.build.cast(number, _told_dtype(given, str(number.dtype)))
    return given.build.op("BroadcastTo", number, given.build.sizes(_sizes(given["shape"])))


@computes("Arange", given="start stop step")
def _arange(given: Operands) -> Value:
    start, stop, step = given["start"], given.get("stop"), given.get("step", 1)
    if stop is None:
        start, stop = 0, start
    values = given.alike([start, stop, step], least="int32")
    made = given.build.op("Range", *values)
    return given.build.cast(made, _told_dtype(given, str(made.dtype)))


@computes("Linspace", "Logspace", "Geomspace", given="start stop")
def _linspace(given: Operands) -> Value | list[Value]:
    build, name = given.build, _name(given)
    start, stop = given.together("start", "stop", least="float32")
    if name == "Geomspace":
        start, stop = build.op("Log", start), build.op("Log", stop)
    count = int(given.get("num", 50))
    if not 0 < count <= MOST_WRITTEN:
        raise ValueError(f"{count} numbers")
    steps = count - 1 if given.named.get("endpoint", True) else count
    rank = max(build.rank(start), build.rank(stop))
    axis = axis_in(int(given.get("axis", 0)), rank + 1)
    shares = (np.arange(count) / max(1, steps)).astype(np.float32)
    shares = shares.reshape([-1, *[1] * (rank - axis)])
    apart = build.op("Sub", stop, start)
    first = build.op("ExpandDims", start, scalar(axis)) if build.rank(start) == rank else start
    if build.rank(apart):
        apart = build.op("ExpandDims", apart, scalar(axis))
    made = build.op("AddV2", build.op("Mul", apart, shares), first)
    if name == "Logspace":
        made = build.op("Pow", np.float32(given.get("base", 10)), made)
    elif name == "Geomspace":
        made = build.op("Exp", made)
    made = build.cast(made, _told_dtype(given, "float32"))
    if not given.get("retstep", False):
        return made
    return [made, build.op("Mul", build.op("Sub", stop, start), 1.0 / max(1, steps))]


@computes("Vander")
def _vander(given: Operands) -> Value:
    build, x = given.build, given.tensor()
    count = int(given.get("N", build.shape(x)[0] or 0))
    if not 0 < count <= _MOST_PARTS:
        raise CannotLower("has a number of columns that is not known")
    powers = np.arange(count) if given.get("increasing", False) else np.arange(count)[::-1]
    return build.op("Pow", build.op("ExpandDims", x, scalar(1)), powers.astype(x.dtype))


@computes("Ndim")
def _ndim(given: Operands) -> Value:
    return given.build.constant(scalar(given.build.rank(given.tensor())))


@computes("Size")
def _size(given: Operands) -> Value:
    return given.build.op("Size", given.tensor(), attrs={"out_type": "int32"})


@computes("OneHot")
def _one_hot(given: Operands) -> Value:
    build, x = given.build, given.tensor("x", "int32")
    axis = given.axis(build.rank(x) + 1)
    dtype = _told_dtype(given, "float32")
    made_of = "float32" if dtype == "bool" else dtype
    on, off = np.array(1, made_of), np.array(0, made_of)
    attrs = {"axis": axis, "T": made_of, "TI": "int32"}
    made = build.op("OneHot", x, scalar(int(given["num_classes"])), on, off, attrs=attrs)
    return build.cast(made, dtype)


@computes("MultiHot", given="inputs")
def _multi_hot(given: Operands) -> Value:
    build, x = given.build, given.tensor("inputs", "int32")
    rank = build.rank(x)
    axis, classes = given.axis(rank + 1), given.get("num_classes", given.get("num_tokens"))
    dtype = _told_dtype(given, "float32")
    attrs = {"axis": axis, "T": "float32", "TI": "int32"}
    on, off = np.float32(1), np.float32(0)
    made = build.op("OneHot", x, scalar(int(classes)), on, off, attrs=attrs)
    return build.cast(build.op("Max", made, int32(1 if rank > 1 else 0)), dtype)


@computes("UnravelIndex", given="indices")
def _unravel_index(given: Operands) -> list[Value]:
    build, at, shape = given.build, given.tensor("indices", "int32"), list(given["shape"])
    made = []
    for place, size in enumerate(shape):
        behind = math.prod(shape[place + 1 :])
        over = build.op("FloorDiv", at, behind) if behind > 1 else at
        made.append(build.op("FloorMod", over, int(size)))
    return made
