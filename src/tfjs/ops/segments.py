"""Operations that combine the rows of one segment."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import Kernel, constant_input, declare
from tfjs.ops.gathering import check_places
from tfjs.ops.reduction import highest, lowest
from tfjs.ops.shapes import scalar_input
from tfjs.ops.shaping import integers

_COMBINE: dict[str, Any] = {
    "Sum": np.add,
    "Prod": np.multiply,
    "Min": np.minimum,
    "Max": np.maximum,
}


def _start(how: str, dtype: np.dtype[Any]) -> Any:
    """What a segment without rows is."""
    if how == "Min":
        return np.finfo(dtype).max if dtype.kind == "f" else highest(dtype)
    if how == "Max":
        return np.finfo(dtype).min if dtype.kind == "f" else lowest(dtype)
    return 1 if how == "Prod" else 0


def _combined(how: str, data: Array, ids: Array, count: int, empty: Any) -> Array:
    """One row a segment; rows with a negative segment are left out."""
    rows = data.reshape((ids.size, *data.shape[ids.ndim :]))
    flat = ids.reshape(-1)
    rows, flat = rows[flat >= 0], flat[flat >= 0]
    check_places(flat, count)
    start = {"Min": highest, "Max": lowest}.get(how)
    result = np.full(
        (count, *rows.shape[1:]), _start(how, data.dtype) if start is None else start(data.dtype)
    ).astype(data.dtype)
    _COMBINE[how].at(result, flat, rows)
    unused = np.ones(count, bool)
    unused[flat] = False
    result[unused] = empty
    return result


# Sorted ------------------------------------------------------------------------------------------


def _sorted_shape(node: Node) -> list[Shape]:
    shape, ids = node.inputs[0].shape, constant_input(node, 1)
    if shape is None:
        return [None]
    count = None if ids is None or ids.ndim != 1 else _count(ids)
    return [(count, *shape[1:])]


def _count(ids: Array) -> int:
    return int(ids[-1]) + 1 if ids.size else 0


def _check_sorted(data: Array, ids: Array) -> None:
    if ids.ndim != 1 or not data.ndim or len(ids) != len(data):
        raise ValueError("a segment is needed for each row")
    # TensorFlow takes gaps as long as the segments come in order.
    if np.any(ids < 0) or np.any(np.diff(ids) < 0):
        raise ValueError("segments should come in order")


def _sorted(how: str) -> Kernel:
    def kernel(attrs: Attrs, data: Array, ids: Array, *count: Array) -> Array:
        _check_sorted(data, ids)
        rows = integers(count[0])[0] if count else _count(ids)
        empty = 1 if how == "Prod" else 0
        return _combined(how, data, ids, rows, empty)

    return kernel


def _mean(attrs: Attrs, data: Array, ids: Array) -> Array:
    _check_sorted(data, ids)
    total = _combined("Sum", data, ids, _count(ids), 0)
    counts = np.maximum(np.bincount(ids, minlength=len(total)), 1)
    return np.asarray(total / counts.reshape((-1,) + (1,) * (total.ndim - 1))).astype(data.dtype)


declare("SegmentMax", infer=_sorted_shape, kernel=_sorted("Max"))
declare("SegmentMean", infer=_sorted_shape, kernel=_mean)
declare("SegmentMin", infer=_sorted_shape, kernel=_sorted("Min"))
declare("SegmentProd", infer=_sorted_shape, kernel=_sorted("Prod"))
declare("SegmentSum", infer=_sorted_shape, kernel=_sorted("Sum"))


# Unsorted ----------------------------------------------------------------------------------------


def _unsorted_shape(node: Node) -> list[Shape]:
    shape, ids, count = node.inputs[0].shape, node.inputs[1].shape, scalar_input(node, 2)
    if count is not None and count < 0:
        raise ValueError(f"{count} segments are asked for")
    if shape is None or ids is None:
        return [None]
    if len(ids) > len(shape):
        raise ValueError("a segment is needed for each row")
    return [(count, *shape[len(ids) :])]


def _unsorted(how: str) -> Kernel:
    def kernel(attrs: Attrs, data: Array, ids: Array, num: Array) -> Array:
        if data.shape[: ids.ndim] != ids.shape:
            raise ValueError("a segment is needed for each row")
        (count,) = integers(num)
        return _combined(how, data, ids, count, _start(how, data.dtype))

    return kernel


for _how in _COMBINE:
    declare(f"UnsortedSegment{_how}", infer=_unsorted_shape, kernel=_unsorted(_how))

# The second editions tell how many segments there are; ids come in order.
for _how in _COMBINE:
    declare(f"Segment{_how}V2", infer=_unsorted_shape, kernel=_unsorted(_how))


# Of rows that indices name -----------------------------------------------------------------------


def _sparse_shape(node: Node) -> list[Shape]:
    shape, ids = node.inputs[0].shape, constant_input(node, 2)
    if shape is None:
        return [None]
    return [(None if ids is None or ids.ndim != 1 else _count(ids), *shape[1:])]


def _sparse_counted_shape(node: Node) -> list[Shape]:
    shape = node.inputs[0].shape
    return [None if shape is None else (scalar_input(node, 3), *shape[1:])]


def _sparse(how: str) -> Kernel:
    def kernel(attrs: Attrs, data: Array, indices: Array, ids: Array, *num: Array) -> Array:
        check_places(indices, len(data))
        rows = data[indices]
        _check_sorted(rows, ids)
        count = integers(num[0])[0] if num else _count(ids)
        total = _combined("Sum", rows, ids, count, 0)
        if how == "Sum":
            return total
        counts = np.maximum(np.bincount(ids, minlength=count), 1).astype(data.dtype)
        by = np.sqrt(counts) if how == "SqrtN" else counts
        return np.asarray(total / by.reshape((-1,) + (1,) * (total.ndim - 1))).astype(data.dtype)

    return kernel


for _how in ("Sum", "Mean", "SqrtN"):
    declare(f"SparseSegment{_how}", infer=_sparse_shape, kernel=_sparse(_how))
    declare(
        f"SparseSegment{_how}WithNumSegments",
        infer=_sparse_counted_shape,
        kernel=_sparse(_how),
    )
