"""Choosing, counting and ordering elements."""

from __future__ import annotations

import math

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.ops.build import Builder
from tfjs.passes.legal.common import (
    constant,
    expand,
    is_used,
    make,
    makes,
    reshape,
    shape_of,
    size_at,
    sizes_of,
    vector,
)
from tfjs.passes.rules import RuleSet

RULES = RuleSet()


@RULES.rule("Select")
def rows_by_condition(node: Node, build: Builder) -> list[Value] | None:
    """A condition of rank 1 selects rows; TF.js would lay it along the last axis. Exact."""
    condition, x, y = node.inputs
    rank = len(shape_of(x))
    if rank < 2 or len(shape_of(condition, "its condition")) != 1:
        return None
    rows = reshape(build, condition, [size_at(build, condition, 0), *[1] * (rank - 1)])
    return [make(build, "SelectV2", rows, x, y)]


@RULES.rule("Select", "SelectV2")
def selected_booleans(node: Node, build: Builder) -> list[Value] | None:
    """On wasm they are written beyond their end: by logic. Exact."""
    condition, x, y = node.inputs
    if x.dtype != "bool":
        return None
    first = make(build, "LogicalAnd", condition, x)
    second = make(build, "LogicalAnd", make(build, "LogicalNot", condition), y)
    return [make(build, "LogicalOr", first, second)]


@RULES.rule("InTopK", "InTopKV2")
def among_the_best(node: Node, build: Builder) -> list[Value]:
    """Whether fewer than k classes have more than the target. Exact."""
    scores, targets = node.inputs[:2]
    k = node.inputs[2] if len(node.inputs) > 2 else build.constant(np.int32(node.attrs["k"]))
    classes = make(build, "Range", 0, size_at(build, scores, 1), 1)
    hot = make(build, "Equal", expand(build, targets, 1), classes)
    lowest = np.finfo(np.float32).min
    own = make(build, "Max", make(build, "SelectV2", hot, scores, lowest), [1], keep_dims=True)
    above = build.cast(make(build, "Greater", scores, own), "int32")
    few = make(build, "Less", make(build, "Sum", above, [1]), k)
    finite = make(build, "All", make(build, "IsFinite", scores), [1])
    known = make(build, "Any", hot, [1])
    return [make(build, "LogicalAnd", few, make(build, "LogicalAnd", finite, known))]


@RULES.rule("OneHot")
def one_hot(node: Node, build: Builder) -> list[Value] | None:
    """TF.js's is along the last axis, of 2 classes or more, and right in int32 only. Exact."""
    indices, depth_value, on_value, off_value = node.inputs
    dtype = str(on_value.dtype)
    rank = len(shape_of(indices)) + 1
    axis = int(node.attrs.get("axis", -1)) % rank
    depth, on, off = (constant(value) for value in node.inputs[1:])
    plain = axis == rank - 1 and depth is not None and int(depth) >= 2
    if plain and dtype == "int32":
        return None
    binary = on is not None and off is not None and on == 1 and off == 0
    if plain and binary and dtype != "bool":
        hot = make(build, "OneHot", indices, depth_value, np.int32(1), np.int32(0), axis=-1)
        return [build.cast(hot, dtype)]
    classes = make(build, "Range", 0, depth_value, 1)
    if axis < rank - 1:
        shape = [1] * rank
        shape[axis] = -1
        classes = build.reshape(classes, shape)
    hot = make(build, "Equal", expand(build, indices, axis), classes)
    if binary:
        return [build.cast(hot, dtype)]
    return [make(build, "SelectV2", hot, on_value, off_value)]


@RULES.rule("TopK")
def top_k(node: Node, build: Builder) -> list[Value]:
    """The number as an input. Exact."""
    ordered = node.attrs.get("sorted", True)
    return makes(build, "TopKV2", node.inputs[0], node.attrs["k"], sorted=ordered)


@RULES.rule("InvertPermutation")
def invert_permutation(node: Node, build: Builder) -> list[Value]:
    """Each position is written to where it comes from. Exact."""
    x = node.inputs[0]
    size = size_at(build, x, 0)
    places = make(build, "Range", 0, size, 1)
    shape = vector(build, [size])
    return [make(build, "ScatterNd", expand(build, x, 1), places, shape)]


@RULES.rule("UniqueWithCounts", "UniqueWithCountsV2")
def unique_with_counts(node: Node, build: Builder) -> list[Value]:
    """The counts by adding ones up. Exact."""
    x = node.inputs[0]
    if x.shape == (0,):
        return [x, *(build.constant(np.zeros(0, np.int32)) for _ in node.outputs[1:])]
    axis = node.inputs[1] if len(node.inputs) > 1 else np.array([0], np.int32)
    values, places = makes(build, "UniqueV2", x, axis)
    counts = node.outputs[2]
    if is_used(build.graph, counts):
        if x.shape is not None and len(x.shape) == 1:
            width = make(build, "Shape", values, out_type="int32")
        else:
            width = make(build, "AddV2", make(build, "Max", places, [0], keep_dims=True), 1)
        ones = make(build, "OnesLike", places)
        counts = make(build, "ScatterNd", expand(build, places, 1), ones, width)
    return [values, places, counts]


@RULES.rule("Bucketize")
def bucketize(node: Node, build: Builder) -> list[Value]:
    """How many boundaries are not above a number, by TF.js's search. Exact."""
    x = node.inputs[0]
    boundaries = np.array(node.attrs["boundaries"], np.float32)
    if x.dtype == "int32":
        # x >= b is x >= ceil(b) for whole numbers, which stay whole.
        limits = np.iinfo(np.int32)
        whole = np.clip(np.ceil(boundaries.astype(np.float64)), limits.min, limits.max)
        boundaries = whole.astype(np.int32)
    flat = build.reshape(x, [1, -1])
    found = make(build, "UpperBound", boundaries[None], flat, out_type="int32")
    return [reshape(build, found, sizes_of(build, x))]


@RULES.rule("SparseFillEmptyRows")
def rows_of_booleans(node: Node, build: Builder) -> list[Value] | None:
    """Booleans as integers: wasm reads beside them. Exact."""
    indices, values, shape, default = node.inputs
    if values.dtype != "bool":
        return None
    numbers = [build.cast(value, "int32") for value in (values, default)]
    made = makes(build, node.op, indices, numbers[0], shape, numbers[1])
    return [made[0], build.cast(made[1], "bool"), *made[2:]]


@RULES.rule("Bincount")
def counts_of_all(node: Node, build: Builder) -> list[Value] | None:
    """TensorFlow takes all numbers as one list; TF.js's wasm does not. Exact."""
    x, size, weights = node.inputs
    if x.shape is not None and len(x.shape) == 1:
        return None
    flat = [value if value.shape == (0,) else build.reshape(value, [-1]) for value in (x, weights)]
    flat[0].shape = (None,) if flat[0].shape is None else flat[0].shape
    return [make(build, "Bincount", flat[0], size, flat[1])]


@RULES.rule("DenseBincount")
def counts_of_one_list(node: Node, build: Builder) -> list[Value] | None:
    """TF.js counts in matrices as it should, not in scalars, nor whether there is any. Exact."""
    x, size, weights = node.inputs
    rank, binary = len(shape_of(x)), bool(node.attrs.get("binary_output"))
    if rank == 2 or (rank == 1 and not binary):
        return None
    rows = [
        value if value.shape == (0,) else build.reshape(value, [1, -1]) for value in (x, weights)
    ]
    counted = make(build, "DenseBincount", rows[0], size, rows[1], binary_output=binary)
    return [build.reshape(counted, [-1])]


@RULES.rule("Bincount", "DenseBincount")
def integer_counts(node: Node, build: Builder) -> list[Value] | None:
    """TF.js counts in float32. Exact up to 2^24."""
    x, size, weights = node.inputs
    if weights.dtype == "float32":
        return None
    none = weights.shape is not None and None not in weights.shape
    if none and math.prod(item or 0 for item in weights.shape or ()) == 0:
        weighed = build.constant(np.zeros(weights.shape or (0,), np.float32))
    else:
        weighed = build.cast(weights, "float32")
    attrs = {"binary_output": node.attrs["binary_output"]} if node.op == "DenseBincount" else {}
    return [build.cast(make(build, node.op, x, size, weighed, **attrs), str(weights.dtype))]


@RULES.rule("ShapeN")
def shapes(node: Node, build: Builder) -> list[Value]:
    """TF.js gives float32 for it; one Shape for each. Exact."""
    return [make(build, "Shape", value, out_type="int32") for value in node.inputs]
