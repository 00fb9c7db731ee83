"""Operations that take a part: slices and strided slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import constant_input, declare
from tfjs.ops.shapes import MOST_AXES, free, partial_shape
from tfjs.ops.shaping import integers

# Slice -------------------------------------------------------------------------------------------


def _slice_shape(node: Node) -> list[Shape]:
    shape = node.inputs[0].shape
    begin, sizes = partial_shape(node.inputs[1]), partial_shape(node.inputs[2])
    ranks = {len(item) for item in (shape, begin, sizes) if item is not None}
    if len(ranks) > 1:
        raise ValueError("begin and size should have an entry for each axis")
    if not ranks:
        return [None]
    rank = ranks.pop()
    begin, sizes, shape = begin or free(rank), sizes or free(rank), shape or free(rank)
    return [tuple(map(_sliced, shape, begin, sizes))]


def _sliced(size: int | None, first: int | None, count: int | None) -> int | None:
    if (first is not None and first < 0) or (count is not None and count < -1):
        raise ValueError(f"no slice of {count} from {first}")
    if count is not None and count >= 0:
        if size is not None and (first or 0) + count > size:
            raise ValueError(f"a slice of {count} from {first} lies outside of {size}")
        return count
    if count is None or first is None or size is None:
        return None
    if first > size:
        raise ValueError(f"a slice from {first} lies outside of {size}")
    return size - first


def _slice(attrs: Attrs, x: Array, begin: Array, size: Array) -> Array:
    first, counts = integers(begin), integers(size)
    if len(first) != x.ndim or len(counts) != x.ndim:
        raise ValueError("begin and size should have an entry for each axis")
    sizes = list(map(_sliced, x.shape, first, counts))
    return x[tuple(slice(at, at + (count or 0)) for at, count in zip(first, sizes, strict=True))]


declare("Slice", infer=_slice_shape, kernel=_slice)


# StridedSlice ------------------------------------------------------------------------------------


class Axis(NamedTuple):
    """What a strided slice does at one place of its specification.

    Attributes:
        kind: "take" a range, "pick" one element and drop the axis, or make a "new" axis.
        axis: the axis of the input; -1 for a new one.
        entry: which entry of begin, end and strides tells it; None where all is taken.
    """

    kind: Literal["take", "pick", "new"]
    axis: int
    entry: int | None


def slice_plan(attrs: Mapping[str, Any], entries: int, rank: int) -> list[Axis]:
    """What a StridedSlice does with each axis, in the order of the result.

    Args:
        attrs: its masks.
        entries: how many entries begin, end and strides have.
        rank: the rank of the input.

    Raises:
        ValueError: the masks and numbers do not go together.

    Source: BuildDenseSpec in tensorflow/core/util/strided_slice_op.cc.
    """
    ellipsis = int(attrs.get("ellipsis_mask", 0)) & _ones(entries)
    new_axis = int(attrs.get("new_axis_mask", 0)) & ~ellipsis
    shrink = int(attrs.get("shrink_axis_mask", 0))
    if ellipsis & (ellipsis - 1):
        raise ValueError("has more than one ellipsis")
    taking = entries - (new_axis & _ones(entries)).bit_count() - ellipsis.bit_count()
    if taking > rank:
        raise ValueError(f"{taking} axes are sliced of {rank}")
    plan: list[Axis] = []
    axis = 0
    for entry in range(entries):
        if ellipsis >> entry & 1:
            plan += [Axis("take", at, None) for at in range(axis, axis + rank - taking)]
            axis += rank - taking
        elif new_axis >> entry & 1:
            plan.append(Axis("new", -1, None))
        else:
            plan.append(Axis("pick" if shrink >> entry & 1 else "take", axis, entry))
            axis += 1
    return plan + [Axis("take", at, None) for at in range(axis, rank)]


def _ones(bits: int) -> int:
    return (1 << bits) - 1


def _entries(node: Node) -> int | None:
    counts = set()
    for value in node.inputs[1:4]:
        if value.shape is not None:
            if len(value.shape) != 1:
                raise ValueError("begin, end and strides should be vectors")
            counts.add(value.shape[0])
    counts.discard(None)
    if len(counts) > 1:
        raise ValueError("begin, end and strides should be as long")
    count = counts.pop() if counts else None
    if count is not None and count > MOST_AXES:
        raise ValueError(f"{count} axes are sliced")
    return count


def _strided_shape(node: Node) -> list[Shape]:
    entries, shape = _entries(node), node.inputs[0].shape
    if entries is None or shape is None:
        return [None]
    plan = slice_plan(node.attrs, entries, len(shape))
    strides = constant_input(node, 3)
    steps = free(entries) if strides is None else tuple(integers(strides))
    bounds = [partial_shape(value) or free(entries) for value in node.inputs[1:3]]
    result: list[int | None] = []
    for item in plan:
        if item.kind == "new":
            result.append(1)
        elif item.entry is None:
            result.append(shape[item.axis])
        else:
            begin, end = (
                None if node.attrs.get(mask, 0) >> item.entry & 1 else _Bound(bound[item.entry])
                for mask, bound in zip(("begin_mask", "end_mask"), bounds, strict=True)
            )
            size = shape[item.axis]
            if item.kind == "pick":
                _check_pick(size, bounds[0][item.entry], steps[item.entry])
            else:
                result.append(_range_size(size, begin, end, steps[item.entry]))
    return [tuple(result)]


class _Bound(NamedTuple):
    """A bound that is not masked; `at` is None where it is not known."""

    at: int | None


def _check_pick(size: int | None, at: int | None, step: int | None) -> None:
    if step is not None and step <= 0:
        raise ValueError("one element is picked with a stride that is not positive")
    if size is not None and at is not None and not -size <= at < size:
        raise ValueError(f"element {at} lies outside of {size}")


def _range_size(
    size: int | None, begin: _Bound | None, end: _Bound | None, step: int | None
) -> int | None:
    if step == 0:
        raise ValueError("a stride is 0")
    if step is None or (begin and begin.at is None) or (end and end.at is None):
        return None
    first, last = (bound.at if bound else None for bound in (begin, end))
    if size is not None:
        return len(range(*slice(first, last, step).indices(size)))
    if first is None and last is None:
        return None
    # Sizes that do not depend on the free one.
    if first is not None and last is not None and (first < 0) == (last < 0):
        return 0 if (last <= first if step > 0 else last >= first) else None
    return None


def _strided_slice(attrs: Attrs, x: Array, begin: Array, end: Array, strides: Array) -> Array:
    bounds = [integers(item) for item in (begin, end, strides)]
    return x[_index(attrs, x.shape, bounds)]


def _index(
    attrs: Attrs, shape: Sequence[int], bounds: Sequence[Sequence[int]]
) -> tuple[int | slice | None, ...]:
    begins, ends, strides = bounds
    if not len(begins) == len(ends) == len(strides):
        raise ValueError("begin, end and strides should be as long")
    index: list[int | slice | None] = []
    for item in slice_plan(attrs, len(begins), len(shape)):
        entry = item.entry
        if item.kind == "new":
            index.append(None)
        elif entry is None:
            index.append(slice(None))
        elif item.kind == "pick":
            _check_pick(shape[item.axis], begins[entry], strides[entry])
            index.append(begins[entry])
        else:
            first = None if attrs.get("begin_mask", 0) >> entry & 1 else begins[entry]
            last = None if attrs.get("end_mask", 0) >> entry & 1 else ends[entry]
            index.append(slice(first, last, strides[entry]))
    return tuple(index)


declare("StridedSlice", infer=_strided_shape, kernel=_strided_slice)


def _strided_update(
    attrs: Attrs, x: Array, begin: Array, end: Array, strides: Array, value: Array
) -> Array:
    result = x.copy()
    bounds = [integers(item) for item in (begin, end, strides)]
    result[_index(attrs, x.shape, bounds)] = value
    return result


declare(
    "TensorStridedSliceUpdate",
    infer=lambda node: [node.inputs[0].shape],
    kernel=_strided_update,
)


def _grad_shape(node: Node) -> list[Shape]:
    return [partial_shape(node.inputs[0])]


declare("StridedSliceGrad", infer=_grad_shape)


# Flat indices ------------------------------------------------------------------------------------


def _unraveled_shape(node: Node) -> list[Shape]:
    indices, dims = node.inputs[0].shape, node.inputs[1].shape
    if indices is None:
        return [None]
    count = None if dims is None else dims[0]
    return [(count,) if not indices else (count, *indices)]


def _unravel(attrs: Attrs, indices: Array, dims: Array) -> Array:
    sizes = integers(dims)
    if np.any(indices < 0) or np.any(indices >= np.prod(sizes, dtype=object)):
        raise ValueError("an index lies outside")
    return np.stack(np.unravel_index(indices, sizes)).astype(indices.dtype)


declare("UnravelIndex", infer=_unraveled_shape, kernel=_unravel)
