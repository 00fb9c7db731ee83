"""Sums and other reductions over segments, and writing into tensors."""

from __future__ import annotations

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.ops.build import Builder
from tfjs.passes.legal.common import (
    Size,
    as_scalar,
    constant,
    expand,
    make,
    reshape,
    shape_of,
    sizes_of,
    slice_axis,
    times,
    vector,
)
from tfjs.passes.rules import CannotExpress, RuleSet

RULES = RuleSet()

_INT = np.iinfo(np.int32)
_FLOAT = np.finfo(np.float32)
# What the reductions start from: for float32 and for int32.
_START = {"Max": (_FLOAT.min, _INT.min), "Min": (_FLOAT.max, _INT.max), "Prod": (1.0, 1)}


@RULES.rule("SegmentSum", "SegmentMean")
def sums_of_sorted_segments(node: Node, build: Builder) -> list[Value]:
    """Rows are added up by ScatterNd. A mean may be rounded otherwise in the last bit."""
    data, ids = node.inputs[:2]
    count = _segments(build, ids)
    total = _sums(build, data, ids, count)
    if node.op == "SegmentSum":
        return [total]
    return [_means(build, total, ids, count, len(shape_of(data)))]


@RULES.rule("UnsortedSegmentSum", "SegmentSumV2")
def sums_of_segments(node: Node, build: Builder) -> list[Value]:
    """Rows are added up by ScatterNd; those of negative segments are left out. Exact."""
    data, ids, count = node.inputs
    number = constant(count)
    size = count if number is None else int(number)
    data, ids = _flat_ids(build, data, ids)
    known = constant(ids)
    if known is not None and known.size and known.min() >= 0:
        return [_sums(build, data, ids, size)]
    # One segment more, before the others, takes what belongs to none.
    shifted = make(build, "AddV2", make(build, "Maximum", ids, -1), 1)
    more = size + 1 if isinstance(size, int) else make(build, "AddV2", size, 1)
    whole = _sums(build, data, shifted, more)
    whole.shape = (more if isinstance(more, int) else None, *shape_of(data)[1:])
    return [slice_axis(build, whole, 0, 1, -1)]


def _flat_ids(build: Builder, data: Value, ids: Value) -> tuple[Value, Value]:
    """Segments by rows: axes that the ids have in common with the data become one."""
    rank = len(shape_of(ids, "its segments"))
    if rank == 1:
        return data, ids
    if rank == 0:
        return expand(build, data, 0), build.reshape(ids, [1])
    inner = sizes_of(build, data)[rank:]
    return reshape(build, data, [-1, *inner]), build.reshape(ids, [-1])


def _segments(build: Builder, ids: Value) -> Size:
    """How many sorted segments there are."""
    known = constant(ids)
    if known is not None:
        return int(known[-1]) + 1 if known.size else 0
    with_none = make(build, "ConcatV2", ids, np.array([-1], np.int32), 0)
    return make(build, "AddV2", make(build, "Max", with_none, [0]), 1)


def _sums(build: Builder, data: Value, ids: Value, count: Size) -> Value:
    inner = sizes_of(build, data)[1:]
    return make(build, "ScatterNd", expand(build, ids, 1), data, vector(build, [count, *inner]))


def _means(build: Builder, total: Value, ids: Value, count: Size, rank: int) -> Value:
    ones = make(build, "OnesLike", ids)
    counts = make(build, "ScatterNd", expand(build, ids, 1), ones, vector(build, [count]))
    divisor = make(build, "Maximum", counts, 1)
    if rank > 1:
        divisor = build.reshape(divisor, [-1, *[1] * (rank - 1)])
    return make(build, "RealDiv", total, build.cast(divisor, str(total.dtype)))


@RULES.rule("SegmentMax", "SegmentMin", "SegmentProd")
def extremes_of_sorted_segments(node: Node, build: Builder) -> list[Value]:
    """By a mask of every segment; a segment without rows gives 0, or 1 for products. Exact."""
    data, ids = node.inputs
    count = _segments(build, ids)
    found = _reduced(build, node.op.removeprefix("Segment"), data, ids, count)
    if node.op == "SegmentProd":
        return [found]
    ones = make(build, "OnesLike", ids)
    counts = make(build, "ScatterNd", expand(build, ids, 1), ones, vector(build, [count]))
    rank = len(shape_of(data))
    if rank > 1:
        counts = build.reshape(counts, [-1, *[1] * (rank - 1)])
    zero = build.constant(np.zeros((), str(data.dtype)))
    return [make(build, "SelectV2", make(build, "Greater", counts, 0), found, zero)]


@RULES.rule(
    *("UnsortedSegmentMax", "UnsortedSegmentMin", "UnsortedSegmentProd"),
    *("SegmentMaxV2", "SegmentMinV2", "SegmentProdV2"),
)
def extremes_of_segments(node: Node, build: Builder) -> list[Value]:
    """By a mask of every segment; takes memory for rows times segments. Exact."""
    data, ids, count = node.inputs
    number = constant(count)
    data, ids = _flat_ids(build, data, ids)
    size = count if number is None else int(number)
    op = node.op.removeprefix("Unsorted").removeprefix("Segment").removesuffix("V2")
    return [_reduced(build, op, data, ids, size)]


def _reduced(build: Builder, op: str, data: Value, ids: Value, count: Size) -> Value:
    """[rows, ...] to [segments, ...] by a mask [segments, rows, 1]."""
    sizes = sizes_of(build, data)
    rows = reshape(build, data, [1, sizes[0], times(build, *sizes[1:])])
    numbers = make(build, "Range", 0, as_scalar(build, count), 1)
    mask = make(build, "Equal", expand(build, numbers, 1), expand(build, ids, 0))
    dtype = str(data.dtype)
    start = np.array(_START[op][dtype != "float32"], dtype)
    chosen = make(build, "SelectV2", expand(build, mask, 2), rows, start)
    found = make(build, op, chosen, [1])
    return reshape(build, found, [count, *sizes[1:]])


@RULES.rule("SparseSegmentSqrtN")
def sums_over_roots(node: Node, build: Builder) -> list[Value]:
    """Sums of looked up rows over the root of how many they are; reassociates."""
    data, indices, ids = node.inputs
    rows = make(build, "GatherV2", data, indices, np.int32(0))
    rows.shape = (shape_of(indices)[0], *shape_of(data)[1:])
    count = _segments(build, ids)
    total = _sums(build, rows, ids, count)
    ones = make(build, "OnesLike", ids)
    counts = make(build, "ScatterNd", expand(build, ids, 1), ones, vector(build, [count]))
    number = build.cast(make(build, "Maximum", counts, 1), "float32")
    root = make(build, "Sqrt", number)
    rank = len(shape_of(data))
    if rank > 1:
        root = build.reshape(root, [-1, *[1] * (rank - 1)])
    return [make(build, "RealDiv", total, root)]


@RULES.rule("SparseSegmentSumWithNumSegments", "SparseSegmentMeanWithNumSegments")
def sums_of_looked_up_rows(node: Node, build: Builder) -> list[Value]:
    """Rows are looked up, then added up. Means may be rounded otherwise in the last bit."""
    data, indices, ids, count = node.inputs
    rows = make(build, "GatherV2", data, indices, np.int32(0))
    rows.shape = (shape_of(indices)[0], *shape_of(data)[1:])
    number = constant(count)
    size = count if number is None else int(number)
    total = _sums(build, rows, ids, size)
    if "Sum" in node.op:
        return [total]
    return [_means(build, total, ids, size, len(shape_of(data)))]


# Writing into tensors -------------------------------------------------------------------------


@RULES.rule("TensorScatterAdd", "TensorScatterSub")
def added_at_places(node: Node, build: Builder) -> list[Value]:
    """What is added, in a tensor of its own; repeated places may be added in another order."""
    tensor, indices, updates = node.inputs
    added = make(build, "ScatterNd", indices, updates, vector(build, sizes_of(build, tensor)))
    return [make(build, "AddV2" if node.op == "TensorScatterAdd" else "Sub", tensor, added)]


@RULES.rule("TensorScatterMax", "TensorScatterMin")
def extremes_at_places(node: Node, build: Builder) -> list[Value]:
    """What is there is compared and written back, where no place comes twice. Exact."""
    tensor, indices, updates = node.inputs
    known = constant(indices)
    if known is None:
        raise CannotExpress("the places that it writes to are not constant, and may come twice")
    flat = known.reshape(-1, known.shape[-1])
    if len(np.unique(flat, axis=0)) < len(flat):
        raise CannotExpress("it writes to a place twice")
    old = make(build, "GatherNd", tensor, indices)
    op = "Maximum" if node.op == "TensorScatterMax" else "Minimum"
    return [make(build, "TensorScatterUpdate", tensor, indices, make(build, op, old, updates))]


@RULES.rule("DynamicStitch", "ParallelDynamicStitch")
def stitched(node: Node, build: Builder) -> list[Value]:
    """Rows of all pieces side by side, looked up in the order that constant places tell. Exact."""
    count = int(node.attrs["N"])
    places, pieces = node.inputs[:count], node.inputs[count:]
    found = [constant(value) for value in places]
    order: dict[int, int] = {}
    rows = []
    total = 0
    for place, piece in zip(found, pieces, strict=True):
        if place is None:
            raise CannotExpress("the places that it stitches to are not constant")
        for number in place.reshape(-1):
            order[int(number)] = total
            total += 1
        inner = sizes_of(build, piece)[place.ndim :]
        rows.append(reshape(build, piece, [place.size, *inner]))
    if sorted(order) != list(range(len(order))):
        raise CannotExpress("it leaves places empty")
    joined = rows[0] if len(rows) == 1 else make(build, "ConcatV2", *rows, 0)
    chosen = np.array([order[index] for index in range(len(order))], np.int32)
    return [make(build, "GatherV2", joined, chosen, np.int32(0))]


@RULES.rule("DynamicPartition")
def partitions(node: Node, build: Builder) -> list[Value]:
    """The places of each partition, and what is there. Exact; runs by `executeAsync` only."""
    data, numbers = node.inputs
    results = []
    for index in range(int(node.attrs["num_partitions"])):
        places = make(build, "Where", make(build, "Equal", numbers, index))
        results.append(make(build, "GatherNd", data, places))
    return results
