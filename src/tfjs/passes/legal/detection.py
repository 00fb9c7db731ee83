"""Choosing boxes: non-maximum suppression in its many forms.

TF.js's own run by `executeAsync` only.
"""

from __future__ import annotations

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.ir.tensor import Array
from tfjs.ops.build import Builder
from tfjs.passes.legal.common import (
    check_table,
    concat,
    constant,
    constant_of,
    expand,
    is_used,
    make,
    makes,
    reshape,
    static_shape,
)
from tfjs.passes.rules import CannotExpress, RuleSet

RULES = RuleSet()

_MOST_CLASSES = 1000
_LOWEST = float(np.finfo(np.float32).min)


@RULES.rule("NonMaxSuppression")
def suppression_by_attribute(node: Node, build: Builder) -> list[Value]:
    """The threshold as an input. Exact."""
    threshold = np.float32(node.attrs.get("iou_threshold", 0.5))
    return [make(build, "NonMaxSuppressionV2", *node.inputs, threshold)]


@RULES.rule(
    "NonMaxSuppressionV2", "NonMaxSuppressionV3", "NonMaxSuppressionV4", "NonMaxSuppressionV5"
)
def suppression_of_all_that_overlaps(node: Node, build: Builder) -> list[Value] | None:
    """With a threshold of 0 TF.js drops boxes that do not overlap at all: the least more. Exact."""
    if constant(node.inputs[3]) != 0:
        return None
    inputs: list[Value | Array] = list(node.inputs)
    inputs[3] = np.array(np.finfo(np.float32).tiny)
    names = ("pad_to_max_output_size",)
    attrs = {name: node.attrs[name] for name in names if name in node.attrs}
    return makes(build, node.op, *inputs, **attrs)


@RULES.rule("NonMaxSuppressionV4")
def suppression_filled_up(node: Node, build: Builder) -> list[Value] | None:
    """TF.js fills up to the number of boxes only: filled up behind it. Exact."""
    if not node.attrs.get("pad_to_max_output_size"):
        return None
    chosen, count = makes(build, node.op, *node.inputs, pad_to_max_output_size=False)
    return [_filled(build, chosen, node.inputs[2]), count]


@RULES.rule("NonMaxSuppressionV5")
def soft_suppression(node: Node, build: Builder) -> list[Value] | None:
    """TF.js fills nothing up, and does not tell how many there are.

    Where it only lowers scores (a sigma above 0), TF.js still drops what overlaps beyond the
    threshold, as TensorFlow once did; no overlap is beyond 1. Exact, unless two boxes are the same
    and only lower each other.
    """
    pads = bool(node.attrs.get("pad_to_max_output_size"))
    threshold, sigma = constant(node.inputs[3]), constant(node.inputs[5])
    soft = sigma is not None and float(sigma) > 0 and threshold != 1
    if not pads and not soft and not is_used(build.graph, node.outputs[2]):
        return None
    inputs: list[Value | Array] = list(node.inputs)
    if soft:
        inputs[3] = np.array(1, np.float32)
    chosen, scores, count = makes(build, node.op, *inputs, pad_to_max_output_size=False)
    count = make(build, "Size", chosen, out_type="int32")
    if pads:
        chosen, scores = (_filled(build, value, node.inputs[2]) for value in (chosen, scores))
    return [chosen, scores, count]


def _filled(build: Builder, value: Value, length: Value) -> Value:
    """A vector with zeros behind it up to a length."""
    missing = make(build, "Sub", length, make(build, "Size", value, out_type="int32"))
    widths = make(build, "Pack", build.constant(np.int32(0)), missing, axis=0)
    zero = build.constant(np.zeros((), str(value.dtype)))
    return make(build, "PadV2", value, expand(build, widths, 0), zero)


@RULES.rule("CombinedNonMaxSuppression")
def suppression_by_classes(node: Node, build: Builder) -> list[Value]:
    """One suppression for each class of each example, and the best of them. Exact.

    Of equal scores TensorFlow may choose others.
    """
    boxes, scores = node.inputs[:2]
    batch, count, groups, _ = static_shape(boxes, "its boxes")
    classes = static_shape(scores, "its scores")[2]
    if batch * classes > _MOST_CLASSES:
        raise CannotExpress(f"it has {batch * classes} classes and examples to go through")
    numbers = [constant_of(node, index, "what it is limited by") for index in range(2, 6)]
    each, total = int(numbers[0]), int(numbers[1])
    if node.attrs.get("pad_per_class"):
        total = min(total, each * classes)
    limits = (min(each, count), total, np.float32(numbers[2]), np.float32(numbers[3]))
    rows: list[list[Value]] = [[], [], [], []]
    clip = bool(node.attrs.get("clip_boxes", True))
    for example in range(batch):
        own_boxes = _picked(build, boxes, 0, example)
        own_scores = _picked(build, scores, 0, example)
        found = _one_example(build, own_boxes, own_scores, (groups, classes), limits, clip)
        for row, value in zip(rows, found, strict=True):
            row.append(expand(build, value, 0))
    return [concat(build, row, 0) for row in rows]


def _picked(build: Builder, value: Value, axis: int, index: int) -> Value:
    return make(build, "GatherV2", value, np.int32(index), np.int32(axis))


def _one_example(
    build: Builder,
    boxes: Value,
    scores: Value,
    sizes: tuple[int, int],
    limits: tuple[int, int, np.float32, np.float32],
    clip: bool,
) -> list[Value]:
    """Boxes, scores, classes and the count of one example; limits as the operation has them."""
    groups, classes = sizes
    each, total, overlap, least = limits
    shared = _picked(build, boxes, 1, 0) if groups == 1 else None
    found: list[list[Value]] = [[], [], []]
    for number in range(classes):
        own_boxes = _picked(build, boxes, 1, number) if shared is None else shared
        own_scores = _picked(build, scores, 1, number)
        limited = (np.int32(each), overlap, least)
        chosen = make(build, "NonMaxSuppressionV3", own_boxes, own_scores, *limited)
        found[0].append(make(build, "GatherV2", own_boxes, chosen, np.int32(0)))
        best = make(build, "GatherV2", own_scores, chosen, np.int32(0))
        found[1].append(best)
        found[2].append(make(build, "AddV2", make(build, "ZerosLike", best), float(number)))
    check_table(total, 4)
    # As many more with the lowest score make sure that there are enough.
    fillers = ([total, 4], 0.0), ([total], _LOWEST), ([total], 0.0)
    joined = [
        make(build, "ConcatV2", *values, build.constant(np.full(shape, filler, np.float32)), 0)
        for values, (shape, filler) in zip(found, fillers, strict=True)
    ]
    best, order = makes(build, "TopKV2", joined[1], total, sorted=True)
    real = make(build, "Greater", best, _LOWEST)
    chosen_boxes = make(build, "GatherV2", joined[0], order, np.int32(0))
    if clip:
        chosen_boxes = make(build, "ClipByValue", chosen_boxes, 0.0, 1.0)
    chosen_scores = make(build, "SelectV2", real, best, 0.0)
    chosen_classes = make(build, "GatherV2", joined[2], order, np.int32(0))
    count = make(build, "Sum", build.cast(real, "int32"), [0])
    results = [chosen_boxes, chosen_scores, chosen_classes]
    shapes = [[total, 4], [total], [total]]
    shaped = [reshape(build, value, shape) for value, shape in zip(results, shapes, strict=True)]
    return [*shaped, count]
