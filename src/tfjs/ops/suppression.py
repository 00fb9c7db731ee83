"""Non-maximum suppression: of boxes that overlap, the ones with the highest scores.

Source: tensorflow/core/kernels/image/non_max_suppression_op.cc.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import Infer, Kernel, declare
from tfjs.ops.shapes import free, scalar_input, with_rank
from tfjs.ops.shaping import integers

_LOWEST = float(np.finfo(np.float32).min)


class _Bounds(NamedTuple):
    """Which boxes are chosen.

    Attributes:
        most: how many at most.
        overlap: what overlaps more is left out.
        score: only boxes that score more.
        sigma: where not 0, scores fall with the overlap instead.
        as_tfjs: as much overlap is left out too, also where scores fall.
    """

    most: int
    overlap: float
    score: float = _LOWEST
    sigma: float = 0.0
    as_tfjs: bool = False


def _overlaps(one: Array, boxes: Array) -> Array:
    """The intersection of a box with others, over their union."""
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    own_low, own_high = np.minimum(one[:2], one[2:]), np.maximum(one[:2], one[2:])
    areas, area = np.prod(high - low, axis=1), np.prod(own_high - own_low)
    sides = np.maximum(np.minimum(high, own_high) - np.maximum(low, own_low), 0)
    common = np.prod(sides, axis=1)
    found = common / (area + areas - common)
    return np.asarray(np.where((areas > 0) & (area > 0), found, np.float32(0)))


def _chosen(boxes: Array, scores: Array, bounds: _Bounds) -> tuple[Array, Array]:
    """The indices of the boxes that are chosen, and their scores."""
    if boxes.ndim != 2 or boxes.shape[1] != 4 or scores.shape != boxes.shape[:1]:
        raise ValueError(f"{boxes.shape} are no boxes with {scores.shape} scores")
    if not 0 <= bounds.overlap <= 1:
        raise ValueError(f"no overlap {bounds.overlap}")
    boxes, left = boxes.astype(np.float32), np.flatnonzero(scores > bounds.score)
    scores = scores[left].astype(np.float32)
    found: list[int] = []
    kept: list[np.float32] = []
    while left.size and len(found) < bounds.most:
        at = int(np.argmax(scores))
        found.append(int(left[at]))
        kept.append(scores[at])
        overlap = _overlaps(boxes[left[at]], boxes[left])
        out = overlap >= bounds.overlap if bounds.as_tfjs else overlap > bounds.overlap
        if bounds.sigma and not bounds.as_tfjs:
            out[...] = False
        if bounds.sigma:
            factor = np.float32(-0.5 / bounds.sigma)
            scores = scores * np.exp(factor * overlap * overlap)
            out |= scores <= bounds.score
        out[at] = True
        left, scores = left[~out], scores[~out]
    return np.array(found, np.int32), np.array(kept, np.float32)


def _filled(x: Array, count: int) -> Array:
    return np.pad(x, (0, max(0, count - x.size)))


def _number(x: Array | None, default: float) -> float:
    return default if x is None else float(x.reshape(()))


def _kernel(outputs: int, *, as_tfjs: bool = False) -> Kernel:
    """A kernel that gives indices; indices and their number; or indices, scores and number."""

    def kernel(
        attrs: Attrs,
        boxes: Array,
        scores: Array,
        most: Array,
        overlap: Array | None = None,
        score: Array | None = None,
        sigma: Array | None = None,
    ) -> tuple[Array, ...]:
        (count,) = integers(most)
        bounds = _Bounds(
            max(0, count),
            _number(overlap, attrs.get("iou_threshold", 0.5)),
            _number(score, _LOWEST),
            _number(sigma, 0.0),
            as_tfjs,
        )
        found, kept = _chosen(boxes, scores, bounds)
        number = np.array(found.size, np.int32)
        if attrs.get("pad_to_max_output_size", False) and not (as_tfjs and outputs == 3):
            # TF.js fills up to the number of boxes only.
            whole = min(count, len(boxes)) if as_tfjs else count
            found, kept = _filled(found, whole), _filled(kept, whole)
        kept = kept.astype(scores.dtype, copy=False)
        return {1: (found,), 2: (found, number), 3: (found, kept, number)}[outputs]

    return kernel


def _padded(node: Node) -> int | None:
    """How many boxes are chosen: fewer than asked for, unless the rest is filled up."""
    asked = scalar_input(node, 2)
    return asked if node.attrs.get("pad_to_max_output_size", False) else None


_CHOSEN: dict[str, tuple[int, Infer]] = {
    "NonMaxSuppression": (1, lambda node: [(None,)]),
    "NonMaxSuppressionV2": (1, lambda node: [(None,)]),
    "NonMaxSuppressionV3": (1, lambda node: [(None,)]),
    "NonMaxSuppressionV4": (2, lambda node: [(_padded(node),), ()]),
    "NonMaxSuppressionV5": (3, lambda node: [(_padded(node),), (_padded(node),), ()]),
}
for _name, (_outputs, _infer) in _CHOSEN.items():
    declare(
        _name,
        infer=_infer,
        kernel=_kernel(_outputs),
        tfjs_kernel=_kernel(_outputs, as_tfjs=True),
        folds=False,
    )

declare("NonMaxSuppressionWithOverlaps", infer=lambda node: [(None,)])


# Of several classes ------------------------------------------------------------------------------


def _combined_shape(node: Node) -> list[Shape]:
    scores = with_rank(node.inputs[1].shape, 3)
    each, total = scalar_input(node, 2), scalar_input(node, 3)
    count = total
    if node.attrs.get("pad_per_class", False):
        most = None if each is None or scores[2] is None else each * scores[2]
        count = None if most is None or total is None else min(total, most)
    batch = scores[0]
    return [(batch, count, 4), (batch, count), (batch, count), (batch,)]


def _combined(
    attrs: Attrs,
    boxes: Array,
    scores: Array,
    each: Array,
    total: Array,
    overlap: Array,
    score: Array,
) -> tuple[Array, ...]:
    if boxes.ndim != 4 or scores.ndim != 3 or boxes.shape[:2] != scores.shape[:2]:
        raise ValueError(f"{boxes.shape} are no boxes with {scores.shape} scores")
    classes = scores.shape[2]
    if boxes.shape[2] not in (1, classes) or boxes.shape[3] != 4:
        raise ValueError(f"{boxes.shape} are no boxes of {classes} classes")
    (most,), (count,) = integers(each), integers(total)
    bounds = _Bounds(most, _number(overlap, 0.5), _number(score, _LOWEST))
    count = min(count, most * classes) if attrs.get("pad_per_class", False) else count
    made = np.zeros((len(boxes), count, 4), np.float32)
    points, labels = np.zeros((2, len(boxes), count), np.float32)
    valid = np.zeros(len(boxes), np.int32)
    for index in range(len(boxes)):
        found = [
            _chosen(boxes[index, :, which % boxes.shape[2]], scores[index, :, which], bounds)
            for which in range(classes)
        ]
        which = np.repeat(np.arange(classes), [len(place) for place, _ in found])
        places = np.concatenate([np.zeros(0, np.int32), *(place for place, _ in found)])
        kept = np.concatenate([np.zeros(0, np.float32), *(kept for _, kept in found)])
        order = np.argsort(-kept, kind="stable")[:count]
        rows = boxes[index, places[order], which[order] % boxes.shape[2]]
        number = valid[index] = len(order)
        made[index, :number] = np.clip(rows, 0, 1) if attrs.get("clip_boxes", True) else rows
        points[index, :number], labels[index, :number] = kept[order], which[order]
    return made, points, labels, valid


declare("CombinedNonMaxSuppression", infer=_combined_shape, kernel=_combined, folds=False)
declare("GenerateBoundingBoxProposals", infer=lambda node: [free(3), free(2)])
