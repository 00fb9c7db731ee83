"""Operations that order, count, or look for numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import Infer, Kernel, constant_input, declare, of_constants, unknown
from tfjs.ops.elementwise import numpy_dtype
from tfjs.ops.shapes import (
    at_least,
    axis_in,
    free,
    same_shape,
    same_size,
    scalar_input,
    with_rank,
)
from tfjs.ops.shaping import integers

# The greatest ------------------------------------------------------------------------------------


def _top_shape(node: Node) -> list[Shape]:
    shape = at_least(node.inputs[0].shape, 1)
    count = node.attrs.get("k") if node.op == "TopK" else scalar_input(node, 1)
    if count is not None and count < 0:
        raise ValueError(f"the greatest {count} are asked for")
    if shape is None:
        return [None, None]
    if count is not None and shape[-1] is not None and count > shape[-1]:
        raise ValueError(f"the greatest {count} of {shape[-1]} are asked for")
    return [(*shape[:-1], count)] * 2


def _top(attrs: Attrs, x: Array, k: Array | None = None) -> tuple[Array, Array]:
    count = attrs["k"] if k is None else integers(k)[0]
    if not x.ndim or not 0 <= count <= x.shape[-1]:
        raise ValueError(f"the greatest {count} of {x.shape} are asked for")
    # Of equal numbers the first comes first.
    backwards = np.argsort(x[..., ::-1], axis=-1, kind="stable")
    order = (x.shape[-1] - 1 - backwards)[..., ::-1][..., :count]
    values = np.take_along_axis(x, order, axis=-1)
    return values, order.astype(numpy_dtype(attrs.get("index_type", "int32")))


declare("TopK", infer=_top_shape, kernel=_top)
declare("TopKV2", infer=_top_shape, kernel=_top)


def _in_top(attrs: Attrs, scores: Array, targets: Array, k: Array | None = None) -> Array:
    count = attrs["k"] if k is None else integers(k)[0]
    if scores.ndim != 2 or targets.shape != scores.shape[:1]:
        raise ValueError("a target is needed for each row")
    inside = (targets >= 0) & (targets < scores.shape[1])
    places = np.where(inside, targets, 0)
    chosen = np.take_along_axis(scores, places[:, np.newaxis], axis=1)
    better = (scores > chosen).sum(axis=1)
    return np.asarray(inside & (better < count) & np.all(np.isfinite(scores), axis=1))


def _targets(node: Node) -> list[Shape]:
    return [(same_size(*(_first(value.shape) for value in node.inputs[:2])),)]


def _first(shape: Shape) -> int | None:
    return shape[0] if shape else None


declare("InTopK", "InTopKV2", infer=_targets, kernel=_in_top)


def _nth_shape(node: Node) -> list[Shape]:
    shape = at_least(node.inputs[0].shape, 1)
    return [None if shape is None else shape[:-1]]


def _nth(attrs: Attrs, x: Array, n: Array) -> Array:
    (place,) = integers(n)
    if not x.ndim or not 0 <= place < x.shape[-1]:
        raise ValueError(f"element {place} of {x.shape} is asked for")
    ordered = np.sort(x, axis=-1)
    return np.asarray(ordered[..., -1 - place if attrs.get("reverse", False) else place])


declare("NthElement", infer=_nth_shape, kernel=_nth)


def _approximate_shape(node: Node) -> list[Shape]:
    shape = node.inputs[0].shape
    if shape is None or not node.attrs.get("aggregate_to_topk", True):
        return [None, None]
    axis = axis_in(node.attrs.get("reduction_dimension", -1), len(shape))
    return [(*shape[:axis], node.attrs["k"], *shape[axis + 1 :])] * 2


declare("ApproxTopK", infer=_approximate_shape)


# Each once ---------------------------------------------------------------------------------------


def _distinct(rows: Array) -> tuple[Array, Array, Array]:
    """Where each row is met first, which of these each row is, and how often each is there."""
    flat = rows.reshape((len(rows), math.prod(rows.shape[1:])))
    keys = [tuple(row) for row in flat.tolist()]
    known: dict[Any, int] = {}
    which = [known.setdefault(key, len(known)) for key in keys]
    places = np.full(len(known), -1, np.int64)
    for at, number in enumerate(which):
        if places[number] < 0:
            places[number] = at
    return places, np.array(which, np.int64), np.bincount(which, minlength=len(known))


def _unique(counted: bool) -> Kernel:
    def kernel(attrs: Attrs, x: Array, axis: Array | None = None) -> tuple[Array, ...]:
        named = [] if axis is None else integers(axis)
        if len(named) > 1 or (not named and x.ndim != 1):
            raise ValueError(f"no axis {named} of {x.shape}")
        where = axis_in(named[0], x.ndim) if named else 0
        places, which, counts = _distinct(np.moveaxis(x, where, 0))
        dtype = numpy_dtype(attrs.get("out_idx", "int32"))
        result = np.take(x, places, axis=where), which.astype(dtype)
        return (*result, counts.astype(dtype)) if counted else result

    return kernel


def _unique_shape(outputs: int) -> Infer:
    def infer(node: Node) -> list[Shape]:
        counts: list[Shape] = [(None,)] * (outputs - 2)
        shape = node.inputs[0].shape
        if len(node.inputs) < 2:
            return [(None,), with_rank(shape, 1), *counts]
        axis, told = constant_input(node, 1), node.inputs[1].shape
        if told == (0,) or (axis is not None and not axis.size):
            return [(None,), with_rank(shape, 1), *counts]
        if shape is None or axis is None:
            return [None if shape is None else free(len(shape)), (None,), *counts]
        where = axis_in(integers(axis)[0], len(shape))
        return [(*shape[:where], None, *shape[where + 1 :]), (shape[where],), *counts]

    return infer


for _name, _outputs in {
    "Unique": 2,
    "UniqueV2": 2,
    "UniqueWithCounts": 3,
    "UniqueWithCountsV2": 3,
}.items():
    _kernel = _unique(_outputs == 3)
    declare(_name, infer=of_constants(_kernel, _unique_shape(_outputs)), kernel=_kernel)


def _list_difference(attrs: Attrs, x: Array, y: Array) -> tuple[Array, Array]:
    if x.ndim != 1 or y.ndim != 1:
        raise ValueError("vectors are compared")
    gone = set(y.tolist())
    places = np.array([at for at, item in enumerate(x.tolist()) if item not in gone], np.int64)
    return x[places], places.astype(numpy_dtype(attrs.get("out_idx", "int32")))


declare(
    "ListDiff",
    infer=of_constants(_list_difference, lambda node: [(None,), (None,)]),
    kernel=_list_difference,
)


def _where_shape(node: Node) -> list[Shape]:
    shape = node.inputs[0].shape
    return [(None, None if shape is None else len(shape))]


def _where(attrs: Attrs, condition: Array) -> Array:
    if not condition.ndim:
        raise ValueError("a scalar has no places")
    return np.argwhere(condition).astype(np.int64)


declare("Where", infer=of_constants(_where, _where_shape), kernel=_where)


# Counting ----------------------------------------------------------------------------------------


def _size_input(node: Node) -> int | None:
    count = scalar_input(node, 1)
    if count is not None and count < 0:
        raise ValueError(f"{count} bins are asked for")
    return count


def _counted(values: Array, weights: Array, count: int, binary: bool) -> Array:
    if np.any(values < 0):
        raise ValueError("negative numbers are not counted")
    kept = values.reshape(-1) < count
    places = values.reshape(-1)[kept]
    result = np.zeros(count, weights.dtype)
    if binary:
        result[places] = 1
    else:
        np.add.at(result, places, weights.reshape(-1)[kept] if weights.size else 1)
    return result


def _bincount(attrs: Attrs, values: Array, size: Array, weights: Array) -> Array:
    (count,) = integers(size)
    return _counted(values, weights, count, binary=False)


declare("Bincount", infer=lambda node: [(_size_input(node),)], kernel=_bincount)


def _dense_bincount_shape(node: Node) -> list[Shape]:
    shape, count = node.inputs[0].shape, _size_input(node)
    if shape is None:
        return [None]
    if len(shape) > 2:
        raise ValueError(f"rank {len(shape)} should be 1 or 2")
    return [(*shape[:-1], count)]


def _dense_bincount(attrs: Attrs, values: Array, size: Array, weights: Array) -> Array:
    (count,) = integers(size)
    binary = bool(attrs.get("binary_output", False))
    if values.ndim < 2:
        return _counted(values, weights, count, binary)
    rows = weights if weights.size else [weights] * len(values)
    counted = [_counted(row, other, count, binary) for row, other in zip(values, rows, strict=True)]
    return np.array(counted, weights.dtype).reshape((len(values), count))


def _dense_bincount_tfjs(attrs: Attrs, values: Array, size: Array, weights: Array) -> Array:
    """TF.js overlooks `binary_output` where there is one row."""
    return _dense_bincount(attrs if values.ndim == 2 else {}, values, size, weights)


declare(
    "DenseBincount",
    infer=_dense_bincount_shape,
    kernel=_dense_bincount,
    tfjs_kernel=_dense_bincount_tfjs,
)
declare("SparseBincount", "RaggedBincount", infer=unknown())


def _histogram(attrs: Attrs, values: Array, bounds: Array, bins: Array) -> Array:
    (count,) = integers(bins)
    low, high = bounds.reshape(-1).tolist()
    if count < 1 or not low < high:
        raise ValueError(f"no {count} bins from {low} to {high}")
    step = (high - low) / count
    places = np.floor((values.astype(np.float64).reshape(-1) - low) / step)
    found = np.bincount(np.clip(places, 0, count - 1).astype(np.int64), minlength=count)
    return found.astype(numpy_dtype(attrs.get("dtype", "int32")))


declare("HistogramFixedWidth", infer=lambda n: [(scalar_input(n, 2),)], kernel=_histogram)


# Places in what is sorted ------------------------------------------------------------------------


def _bucketize(attrs: Attrs, x: Array) -> Array:
    bounds = np.array(attrs["boundaries"], np.float32)
    return np.searchsorted(bounds, x, side="right").astype(np.int32)


declare("Bucketize", infer=lambda node: [node.inputs[0].shape], kernel=_bucketize)


def _bound_shape(node: Node) -> list[Shape]:
    first, second = (with_rank(value.shape, 2) for value in node.inputs)
    return [same_shape(second, (first[0], None))]


def _bound(side: str) -> Kernel:
    search: Callable[..., Any] = np.searchsorted

    def kernel(attrs: Attrs, ordered: Array, values: Array) -> Array:
        if ordered.ndim != 2 or values.ndim != 2 or len(ordered) != len(values):
            raise ValueError("rows are searched")
        rows = [search(row, wanted, side=side) for row, wanted in zip(ordered, values, strict=True)]
        dtype = numpy_dtype(attrs.get("out_type", "int32"))
        return np.array(rows, dtype).reshape(values.shape)

    return kernel


declare("LowerBound", infer=_bound_shape, kernel=_bound("left"))
declare("UpperBound", infer=_bound_shape, kernel=_bound("right"))
