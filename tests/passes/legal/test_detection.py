from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.graph_roundtrip import Case
from tests.support.tfjs_runtime import TfjsRuntime

CLOSE: dict[str, Any] = {"rtol": 1e-6, "atol": 1e-6, "dynamic": True}
_SOURCE = np.random.default_rng(0)
_CORNERS = (_SOURCE.random((30, 2)) * 0.7).astype(np.float32)
BOXES = np.concatenate([_CORNERS, _CORNERS + np.float32(0.2)], 1)
SCORES = _SOURCE.random(30).astype(np.float32)
TWO = np.stack([BOXES, BOXES[::-1]])
CLASSES = _SOURCE.random((2, 30, 3)).astype(np.float32)


def _combined(total: int, boxes: np.ndarray, **options: bool) -> Case:
    return Case(
        lambda tf, b, s: tuple(
            tf.image.combined_non_max_suppression(b, s, 5, total, 0.4, 0.3, **options)
        ),
        boxes,
        CLASSES,
        rule="suppression_by_classes",
        **CLOSE,
    )


SHARED = TWO[:, :, None]
CASES = {
    "by an attribute": Case(
        lambda tf, b, s: tf.raw_ops.NonMaxSuppression(
            boxes=b, scores=s, max_output_size=8, iou_threshold=0.4
        ),
        BOXES,
        SCORES,
        rule="suppression_by_attribute",
        **CLOSE,
    ),
    "filled up": Case(
        lambda tf, b, s: tuple(
            tf.raw_ops.NonMaxSuppressionV4(
                boxes=b,
                scores=s,
                max_output_size=40,
                iou_threshold=0.4,
                score_threshold=0.2,
                pad_to_max_output_size=True,
            )
        ),
        BOXES,
        SCORES,
        rule="suppression_filled_up",
        **CLOSE,
    ),
    **{
        f"soft, filled up {pads}": Case(
            lambda tf, b, s, pads=pads: tuple(
                tf.raw_ops.NonMaxSuppressionV5(
                    boxes=b,
                    scores=s,
                    max_output_size=12,
                    iou_threshold=0.4,
                    score_threshold=0.2,
                    soft_nms_sigma=0.3,
                    pad_to_max_output_size=pads,
                )
            ),
            BOXES,
            SCORES,
            rule="soft_suppression",
            **CLOSE,
        )
        for pads in (False, True)
    },
    "all that overlaps": Case(
        lambda tf, b, s: tf.image.non_max_suppression(b, s, 20, 0.0),
        BOXES,
        SCORES,
        rule="suppression_of_all_that_overlaps",
        **CLOSE,
    ),
    "by classes": _combined(10, SHARED),
    "by classes, more than there are": _combined(200, SHARED),
    "by classes, each filled up": _combined(10, SHARED, pad_per_class=True),
    "by classes, each filled up beyond": _combined(200, SHARED, pad_per_class=True),
    "by classes, not clipped": _combined(10, SHARED, clip_boxes=False),
    "by classes with boxes of their own": _combined(
        9, np.stack([TWO, TWO[..., [1, 0, 3, 2]], TWO + np.float32(0.05)], 2)
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].run(tensorflow, tfjs_runtime)
