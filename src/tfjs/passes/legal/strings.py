"""Texts and tables. TF.js lower-cases every attribute that is a text.

What TF.js 4.22 does with tensors of texts was run on its cpu and wasm backends: it cuts, joins and
reshapes them on both; wasm compares what is beside them, without an error.
"""

from __future__ import annotations

import math

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.ops.build import Builder
from tfjs.ops.support import is_dynamic
from tfjs.passes.legal.common import (
    Size,
    as_scalar,
    axes_of,
    concat,
    constant,
    constant_of,
    make,
    makes,
    plus,
    reshape,
    shape_of,
    sizes_of,
    slice_axis,
    times,
)
from tfjs.passes.rules import CannotExpress, RuleSet

RULES = RuleSet()

_CAPITALS = (
    "TF.js lower-cases the texts of its attributes, and this one has capitals: {}",
    "write it without capitals, or do this step in JavaScript before the model",
)
_IN_JAVASCRIPT = "do this step in JavaScript before the model"
# More texts than these are not cut out one by one.
_MOST_CUT_OUT = 64
# What makes a number of each text, whichever others stand beside it: by operation, the input.
_OF_EACH = {"StringToHashBucketFast": 0, "LookupTableFind": 1, "LookupTableFindV2": 1}
_GATHERS = frozenset({"Gather", "GatherV2", "GatherNd"})
# What moves texts and does not look at them: by operation, which inputs they are.
_MOVED = {
    "Gather": (0,),
    "GatherV2": (0,),
    "GatherNd": (0,),
    "Tile": (0,),
    "Transpose": (0,),
    "ReverseV2": (0,),
    "BroadcastTo": (0,),
    "StridedSlice": (0,),
    "Select": (1, 2),
    "SelectV2": (1, 2),
}
# Of texts these run by the cpu backend's kernels only.
_NOT_ON_WASM = frozenset({"GatherNd", "Tile", "Fill", "SparseToDense"})
# What RE2 and JavaScript read differently.
_FOREIGN = (b"(?", b"[[:", b"\\p", b"\\a", b"\\z", b"\\x{")


def _no_capitals(text: bytes) -> None:
    if text != text.lower():
        reason, advice = _CAPITALS
        raise CannotExpress(reason.format(text.decode(errors="replace")), advice)


def is_lost_on_wasm(node: Node) -> bool:
    """Whether wasm, which has most operations on numbers only, ends at a node with texts."""
    return node.op in _NOT_ON_WASM and node.output.dtype == "string"


@RULES.rule(*_OF_EACH)
def numbers_before_gathering(node: Node, build: Builder) -> list[Value] | None:
    """The number of each text is found before some are gathered, not behind. Exact."""
    place = _OF_EACH[node.op]
    source = node.inputs[place].node
    if source.op not in _GATHERS or source.output.dtype != "string" or _are_few(source):
        return None
    inputs = list(node.inputs)
    inputs[place] = source.inputs[0]
    found = make(build, node.op, *inputs, **node.attrs)
    if found.shape is None:
        found.shape = source.inputs[0].shape
    return [make(build, source.op, found, *source.inputs[1:], **_batches(source))]


def _batches(node: Node) -> dict[str, int]:
    return {"batch_dims": node.attrs.get("batch_dims", 0)} if node.op == "GatherV2" else {}


@RULES.rule("LookupTableFind", "LookupTableFindV2")
def looked_up_in_shape(node: Node, build: Builder) -> list[Value] | None:
    """TF.js gives a vector: keys are made one, and the result takes their shape. Exact."""
    table, keys, default = node.inputs
    if keys.shape is not None and len(keys.shape) == 1:
        return None
    flat = build.reshape(keys, [-1])
    flat.shape = (None,)
    attrs = {name: node.attrs[name] for name in ("Tin", "Tout")}
    found = make(build, node.op, table, flat, default, **attrs)
    if keys.shape is not None:
        return [reshape(build, found, sizes_of(build, keys))]
    return [build.reshape(found, make(build, "Shape", keys, out_type="int32"))]


@RULES.rule("StringSplitV2")
def split_at_white_space(node: Node, build: Builder) -> list[Value]:
    """As the older StringSplit, which takes characters to split at. Exact.

    TF.js leaves an empty text without any part, as TensorFlow does for white space only.
    """
    text, separator = node.inputs
    known = constant(separator)
    if known is None:
        raise CannotExpress("where it splits is not constant")
    at = bytes(known.reshape(-1)[0])
    if at or int(node.attrs.get("maxsplit", -1)) >= 0:
        raise CannotExpress("TF.js splits texts at white space only", _IN_JAVASCRIPT)
    white = build.constant(np.array(b" \t\n\v\f\r", object))
    return makes(build, "StringSplit", text, white, skip_empty=True)


@RULES.rule("RegexReplace")
def replaced_by_constant_pattern(node: Node, build: Builder) -> list[Value]:
    """Pattern and replacement as attributes. Exact for what both languages read alike."""
    pattern, rewrite = (constant(value) for value in node.inputs[1:])
    if pattern is None or rewrite is None:
        raise CannotExpress("its pattern is not constant")
    attrs = {
        "pattern": bytes(pattern.reshape(-1)[0]),
        "rewrite": bytes(rewrite.reshape(-1)[0]),
        "replace_global": node.attrs.get("replace_global", True),
    }
    return [make(build, "StaticRegexReplace", node.inputs[0], **attrs)]


@RULES.rule("StaticRegexReplace")
def plain_pattern(node: Node, build: Builder) -> list[Value] | None:
    """Refused where TF.js would read another pattern."""
    pattern, rewrite = bytes(node.attrs["pattern"]), bytes(node.attrs["rewrite"])
    _no_capitals(pattern)
    _no_capitals(rewrite)
    foreign = [text for text in _FOREIGN if text in pattern]
    if foreign or b"\\" in rewrite or b"$" in rewrite:
        raise CannotExpress(
            "JavaScript reads its pattern in another way",
            _IN_JAVASCRIPT,
        )
    return None


@RULES.rule("StringNGrams")
def plain_ngrams(node: Node, build: Builder) -> list[Value] | None:
    """Refused where TF.js would lower-case what it joins with."""
    for name in ("separator", "left_pad", "right_pad"):
        _no_capitals(bytes(node.attrs.get(name) or b""))
    return None


# Tensors of texts -----------------------------------------------------------------------------


@RULES.rule(*_MOVED)
def moved_texts(node: Node, build: Builder) -> list[Value] | None:
    """TF.js moves numbers only: they tell where each text comes from. Exact.

    Few texts are cut out one by one; many take a list, which runs by `executeAsync` only. What the
    cpu backend has of texts stays, unless the graph runs by `executeAsync` anyway.
    """
    texts = [node.inputs[place] for place in _MOVED[node.op]]
    if texts[0].dtype != "string" or (_only_numbers(build, node.output) and not _are_few(node)):
        return None
    if node.op == "StridedSlice" and (constant_of(node, 3, "its stride") == 1).all():
        return None
    if node.op in _NOT_ON_WASM and not any(
        is_dynamic(other.op) for other in build.graph.nodes.values()
    ):
        return None
    inputs = list(node.inputs)
    start: Size = 0
    for place, value in zip(_MOVED[node.op], texts, strict=True):
        sizes = sizes_of(build, value)
        end = plus(build, start, times(build, *sizes))
        numbers = make(build, "Range", as_scalar(build, start), as_scalar(build, end), 1)
        inputs[place] = reshape(build, numbers, sizes)
        start = end
    places = make(build, node.op, *inputs, **node.attrs)
    if places.shape is None:
        places.shape = node.output.shape
    flat = concat(build, [build.reshape(value, [-1]) for value in texts], 0)
    return [_taken(build, flat, places)]


def _taken(build: Builder, texts: Value, places: Value) -> Value:
    """The texts of a vector that stand at some places, in the shape of the places."""
    flat = build.reshape(places, [-1])
    count = _count(places)
    if count is None or not 0 < count <= _MOST_CUT_OUT:
        taken = _from_list(build, texts, flat)
    else:
        starts = [make(build, "Slice", flat, [number], [1]) for number in range(count)]
        taken = concat(build, [make(build, "Slice", texts, start, [1]) for start in starts], 0)
    return reshape(build, taken, sizes_of(build, places))


def _from_list(build: Builder, texts: Value, places: Value) -> Value:
    # TF.js reads no more items of a list than it has, and gives numbers where it reads none.
    one_more = make(build, "ConcatV2", texts, np.array([b""], object), 0)
    first_too = make(build, "ConcatV2", places, [0], 0)
    attrs = {"element_dtype": "string", "shape_type": "int32"}
    none = np.zeros(0, np.int32)
    items = make(build, "TensorListFromTensor", one_more, none, **attrs)
    sizes = [make(build, "Size", value, out_type="int32") for value in (one_more, first_too)]
    items = make(build, "TensorListResize", items, make(build, "AddV2", *sizes))
    found = make(build, "TensorListGather", items, first_too, none, element_dtype="string")
    count = build.reshape(make(build, "Size", places, out_type="int32"), [1])
    return make(build, "Slice", found, [0], count)


def _only_numbers(build: Builder, value: Value) -> bool:
    """Whether only what `numbers_before_gathering` moves reads a value."""
    wanted = [_OF_EACH.get(user.op) == index for user, index in value.uses]
    return all(wanted) and bool(wanted) and not build.graph.is_output(value)


def _are_few(node: Node) -> bool:
    """Whether a gather takes as few texts as are cut out one by one."""
    count = _count(node.output)
    return node.op != "GatherNd" and count is not None and count <= _MOST_CUT_OUT


def _count(value: Value) -> int | None:
    shape = value.shape
    if shape is None or None in shape:
        return None
    return math.prod(size or 0 for size in shape)


@RULES.rule("Split", "SplitV")
def texts_cut_apart(node: Node, build: Builder) -> list[Value] | None:
    """TF.js splits numbers only: a slice for each part. Exact."""
    which, place = (1, 0) if node.op == "Split" else (0, 2)
    x = node.inputs[which]
    if x.dtype != "string":
        return None
    shape = shape_of(x)
    axis = axes_of(node, place, len(shape))[0]
    size, count = shape[axis], len(node.outputs)
    if node.op == "SplitV":
        lengths = [int(item) for item in constant_of(node, 1, "where it splits").reshape(-1)]
    else:
        lengths = [-1] * count if size is None else [size // count] * count
    if lengths.count(-1) == 1 and size is not None:
        lengths[lengths.index(-1)] = size - sum(lengths) - 1
    if -1 in lengths:
        raise CannotExpress("the size of its parts is unknown", "convert with inputs of fixed size")
    starts = [sum(lengths[:index]) for index in range(count)]
    return [
        slice_axis(build, x, axis, start, length)
        for start, length in zip(starts, lengths, strict=True)
    ]


@RULES.rule("Equal", "NotEqual")
def texts_compared(node: Node, build: Builder) -> list[Value] | None:
    """wasm compares what is beside the texts: as numbers that Unique gives them. Exact.

    TF.js takes all bytes that are not UTF-8 for the same.
    """
    x, y = node.inputs
    if x.dtype != "string":
        return None
    flat = [build.reshape(value, [-1]) for value in (x, y)]
    numbers = makes(build, "Unique", concat(build, flat, 0))[1]
    length = make(build, "Size", x, out_type="int32")
    first = make(build, "Slice", numbers, [0], build.reshape(length, [1]))
    second = make(build, "Slice", numbers, build.reshape(length, [1]), [-1])
    sides = [
        reshape(build, part, sizes_of(build, value)) for part, value in ((first, x), (second, y))
    ]
    return [make(build, node.op, *sides)]


@RULES.rule(
    *("Add", "Pad", "PadV2", "MirrorPad", "ScatterNd", "TensorScatterUpdate"),
    *("ZerosLike", "OnesLike", "ListDiff", "SparseFillEmptyRows"),
)
def texts_are_not_moved(node: Node, build: Builder) -> list[Value] | None:
    """Refused: these take numbers only."""
    if any(value.dtype == "string" for value in node.outputs):
        raise CannotExpress(f"TF.js has no {node.op} of texts", _IN_JAVASCRIPT)
    return None
