"""Moving elements along axes: rolling, reversing, blocks of space, strides."""

from __future__ import annotations

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.ops.build import Builder
from tfjs.passes.legal.common import (
    Size,
    as_scalar,
    axes_of,
    check_table,
    constant,
    constant_of,
    make,
    reshape,
    shape_of,
    size_at,
    sizes_of,
    slice_axis,
    static_shape,
    times,
    transpose,
)
from tfjs.passes.rules import RuleSet

RULES = RuleSet()

_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


@RULES.rule("Roll")
def roll(node: Node, build: Builder) -> list[Value]:
    """The end of each axis is put before its start. Exact."""
    value = node.inputs[0]
    rank = len(shape_of(value))
    axes = axes_of(node, 2, rank)
    shifts = [int(item) for item in constant_of(node, 1, "how far it rolls").reshape(-1)]
    by_axis: dict[int, int] = {}
    for axis, shift in zip(axes, shifts, strict=True):
        by_axis[axis] = by_axis.get(axis, 0) + shift
    for axis, shift in by_axis.items():
        value = _rolled(build, value, axis, shift)
    return [value]


def _rolled(build: Builder, value: Value, axis: int, shift: int) -> Value:
    shape = shape_of(value)
    size = size_at(build, value, axis)
    start: Size
    if isinstance(size, int):
        if size == 0 or shift % size == 0:
            return value
        start = size - shift % size
        lengths: tuple[Size, Size] = (size - start, start)
    else:
        # An empty axis must not divide by its size.
        divisor = make(build, "Maximum", size, 1)
        behind = make(build, "FloorMod", build.constant(np.int32(shift)), divisor)
        start = make(build, "Sub", size, behind)
        lengths = (behind, start)
    parts = [
        slice_axis(build, value, axis, start, lengths[0]),
        slice_axis(build, value, axis, 0, lengths[1]),
    ]
    result = make(build, "ConcatV2", *parts, axis)
    result.shape = shape
    return result


@RULES.rule("ReverseSequence")
def reverse_sequence(node: Node, build: Builder) -> list[Value]:
    """Every step is looked up where it comes from. Exact."""
    x, lengths = node.inputs
    rank = len(shape_of(x))
    steps_axis, batch_axis = int(node.attrs["seq_dim"]), int(node.attrs.get("batch_dim", 0))
    front = [batch_axis, steps_axis]
    order = [*front, *[axis for axis in range(rank) if axis not in front]]
    moved = transpose(build, x, order)
    steps = make(build, "Range", 0, size_at(build, x, steps_axis), 1)
    ends = make(build, "ExpandDims", lengths, 1)
    mirrored = make(build, "Sub", make(build, "Sub", ends, 1), steps)
    places = make(build, "SelectV2", make(build, "GreaterEqual", mirrored, 0), mirrored, steps)
    result = make(build, "GatherV2", moved, places, np.int32(1), batch_dims=1)
    result.shape = tuple(shape_of(x)[axis] for axis in order)
    return [transpose(build, result, [order.index(axis) for axis in range(rank)])]


@RULES.rule("SpaceToBatch", "BatchToSpace")
def old_space_and_batch(node: Node, build: Builder) -> list[Value]:
    """The block as an input. Exact."""
    block = np.full(2, int(node.attrs["block_size"]), np.int32)
    return [make(build, f"{node.op}ND", node.inputs[0], block, node.inputs[1])]


@RULES.rule("Empty")
def zeros_for_anything(node: Node, build: Builder) -> list[Value]:
    """A tensor of any numbers: zeros. Exact."""
    dtype = str(node.attrs["dtype"])
    return [make(build, "Fill", node.inputs[0], build.constant(np.zeros((), dtype)))]


@RULES.rule("ReverseV2", "Slice")
def scalar_as_it_is(node: Node, build: Builder) -> list[Value] | None:
    """TF.js neither reverses nor cuts scalars. Exact."""
    return [node.inputs[0]] if node.inputs[0].shape == () else None


@RULES.rule("Reverse")
def reversed_by_flags(node: Node, build: Builder) -> list[Value]:
    """The newer operation, with the axes that are flagged. Exact."""
    flags = constant_of(node, 1, "which axes it reverses")
    return [make(build, "ReverseV2", node.inputs[0], np.flatnonzero(flags).astype(np.int32))]


@RULES.rule("ReverseV2")
def reversed_booleans(node: Node, build: Builder) -> list[Value] | None:
    """Booleans as integers: wasm reads beside them. Exact."""
    x, axes = node.inputs
    if x.dtype != "bool":
        return None
    return [build.cast(make(build, "ReverseV2", build.cast(x, "int32"), axes), "bool")]


@RULES.rule("GatherV2")
def gathered_by_batches(node: Node, build: Builder) -> list[Value] | None:
    """wasm looks all batches up with wrong places: all batches as one. Exact."""
    x, places = node.inputs[:2]
    count = int(node.attrs.get("batch_dims", 0))
    if count == 0:
        return None
    rank = len(shape_of(x))
    axis = axes_of(node, 2, rank)[0]
    if count < 0:
        count += len(shape_of(places))
    # The axis that is looked into comes right behind the batches, and goes back at the end.
    order = [*range(count), axis, *[index for index in range(count, rank) if index != axis]]
    moved = transpose(build, x, order)
    sizes = sizes_of(build, moved)
    flat = reshape(build, moved, [times(build, *sizes[: count + 1]), *sizes[count + 1 :]])
    lead = times(build, *sizes[:count])
    wanted = sizes_of(build, places)
    starts = make(build, "Range", 0, lead, 1)
    starts = make(build, "Mul", starts, as_scalar(build, sizes[count]))
    starts = reshape(build, starts, [*sizes[:count], *[1] * (len(wanted) - count)])
    found = make(build, "GatherV2", flat, make(build, "AddV2", places, starts), np.int32(0))
    inner = len(wanted)
    if found.shape is None:
        found.shape = (*shape_of(places), *shape_of(flat)[1:])
    # [batches, places, before the axis, behind it] to [batches, before, places, behind].
    before = axis - count
    back = [
        *range(count),
        *range(inner, inner + before),
        *range(count, inner),
        *range(inner + before, len(shape_of(found))),
    ]
    return [transpose(build, found, back)]


@RULES.rule("StridedSlice")
def strided_beside_single(node: Node, build: Builder) -> list[Value] | None:
    """A stride beside an index that drops its axis is wrong everywhere: in two steps. Exact."""
    strides = constant(node.inputs[3])
    count = static_shape(node.inputs[3], "its stride")[0]
    masks = {name: int(node.attrs.get(name, 0)) for name in _MASKS}
    if not masks["shrink_axis_mask"] or (strides is not None and (strides == 1).all()):
        return None
    plain = masks["new_axis_mask"] | masks["shrink_axis_mask"] | masks["ellipsis_mask"]
    strided = sum(
        1 << place
        for place in range(count)
        if not plain >> place & 1 and (strides is None or strides[place] != 1)
    )
    kept = [place for place in range(count) if not masks["new_axis_mask"] >> place & 1]

    def without_new(mask: int) -> int:
        return sum(1 << index for index, place in enumerate(kept) if mask >> place & 1)

    # First what has strides, of all else everything; new axes come with the second step only.
    first = {
        "begin_mask": without_new(masks["begin_mask"] | ~strided),
        "end_mask": without_new(masks["end_mask"] | ~strided),
        "ellipsis_mask": without_new(masks["ellipsis_mask"]),
    }
    bounds: list[Value] = node.inputs[1:]
    if len(kept) < count:
        chosen = np.array(kept, np.int32)
        bounds = [make(build, "GatherV2", value, chosen, np.int32(0)) for value in bounds]
    value = make(build, "StridedSlice", node.inputs[0], *bounds, **first)
    second = {
        **masks,
        "begin_mask": masks["begin_mask"] | strided,
        "end_mask": masks["end_mask"] | strided,
    }
    ones = np.ones(count, np.int32)
    result = make(build, "StridedSlice", value, *node.inputs[1:3], ones, **second)
    if result.shape is None:
        result.shape = node.output.shape
    return [result]


@RULES.rule("StridedSlice")
def strided_integers(node: Node, build: Builder) -> list[Value] | None:
    """Integers and booleans with a stride are wrong on wasm: looked up instead. Exact.

    So are floats in ranks that WebGL's kernel does not know, where all sizes and bounds are known.
    """
    x = node.inputs[0]
    strides = constant(node.inputs[3])
    if x.shape is None or (strides is not None and (strides == 1).all()):
        return None
    if x.dtype == "float32" and len(x.shape) <= 4:
        return None
    found = _by_constant_places(node, build)
    if found is not None or x.dtype == "float32":
        return found
    return [_by_places(node, build)]


def _by_places(node: Node, build: Builder) -> Value:
    """The numbers of the elements are sliced in their stead, as floats, of which wasm can."""
    x = node.inputs[0]
    sizes = sizes_of(build, x)
    numbers = make(build, "Range", 0, as_scalar(build, times(build, *sizes)), 1)
    numbers = reshape(build, build.cast(numbers, "float32"), sizes)
    places = make(build, "StridedSlice", numbers, *node.inputs[1:], **node.attrs)
    if places.shape is None:
        places.shape = node.output.shape
    flat = build.reshape(x, [-1])
    return make(build, "GatherV2", flat, build.cast(places, "int32"), np.int32(0))


def _by_constant_places(node: Node, build: Builder) -> list[Value] | None:
    """One axis after the other is looked up, where sizes and bounds are known."""
    x = node.inputs[0]
    begin, end, strides = (constant(value) for value in node.inputs[1:])
    if x.shape is None or begin is None or end is None or strides is None:
        return None
    if node.attrs.get("new_axis_mask"):
        return None
    strided = [index for index, step in enumerate(strides) if step != 1]
    value = x
    begins, ends = [int(item) for item in begin], [int(item) for item in end]
    begin_mask, end_mask = int(node.attrs["begin_mask"]), int(node.attrs["end_mask"])
    skipped = int(node.attrs.get("ellipsis_mask", 0)).bit_length() - 1
    for place in strided:
        behind = 0 <= skipped < place
        axis = len(x.shape) - len(begins) + place if behind else place
        size = x.shape[axis]
        if size is None:
            return None
        start = None if begin_mask >> place & 1 else begins[place]
        stop = None if end_mask >> place & 1 else ends[place]
        check_table(size)
        places = np.arange(size, dtype=np.int32)[start : stop : int(strides[place])]
        if places.size == 0:
            return None
        value = make(build, "GatherV2", value, places, np.int32(axis))
        begin_mask, end_mask = begin_mask | 1 << place, end_mask | 1 << place
    if len(strided) == len(begins):
        return [value]
    attrs = {**node.attrs, "begin_mask": begin_mask, "end_mask": end_mask}
    ones = [1] * len(begins)
    return [make(build, "StridedSlice", value, begins, ends, ones, **attrs)]
