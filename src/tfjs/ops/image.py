"""Operations on parts of images and on boxes in them; nothing of it is folded."""

from __future__ import annotations

from tfjs.ir.graph import Node, Shape
from tfjs.ops.base import Infer, declare, unknown
from tfjs.ops.shapes import free, partial_shape, scalar_input, with_rank


def _crop_shape(node: Node) -> list[Shape]:
    depth = with_rank(node.inputs[0].shape, 4)[3]
    boxes = with_rank(node.inputs[1].shape, 2)[0]
    if boxes is None:
        boxes = with_rank(node.inputs[2].shape, 1)[0]
    height, width = with_rank(partial_shape(node.inputs[3]), 2)
    return [(boxes, height, width, depth)]


declare("CropAndResize", infer=_crop_shape)


def _projected_shape(node: Node) -> list[Shape]:
    batch, height, width, depth = with_rank(node.inputs[0].shape, 4)
    if len(node.inputs) > 2:
        height, width = with_rank(partial_shape(node.inputs[2]), 2)
    return [(batch, height, width, depth)]


declare("ImageProjectiveTransformV2", "ImageProjectiveTransformV3", infer=_projected_shape)


def _glimpse_shape(node: Node) -> list[Shape]:
    batch, _, _, depth = with_rank(node.inputs[0].shape, 4)
    height, width = with_rank(partial_shape(node.inputs[1]), 2)
    return [(batch, height, width, depth)]


declare("ExtractGlimpse", "ExtractGlimpseV2", infer=_glimpse_shape)


# Non-maximum suppression -------------------------------------------------------------------------


def _padded(node: Node) -> int | None:
    """How many boxes are chosen: fewer than asked for, unless the rest is filled up."""
    asked = scalar_input(node, 2)
    return asked if node.attrs.get("pad_to_max_output_size", False) else None


_CHOSEN: dict[str, Infer] = {
    "NonMaxSuppression": lambda node: [(None,)],
    "NonMaxSuppressionV2": lambda node: [(None,)],
    "NonMaxSuppressionV3": lambda node: [(None,)],
    "NonMaxSuppressionV4": lambda node: [(_padded(node),), ()],
    "NonMaxSuppressionV5": lambda node: [(_padded(node),), (_padded(node),), ()],
    "NonMaxSuppressionWithOverlaps": lambda node: [(None,)],
}
for _name, _infer in _CHOSEN.items():
    declare(_name, infer=_infer)


def _combined_shape(node: Node) -> list[Shape]:
    scores = with_rank(node.inputs[1].shape, 3)
    each, total = scalar_input(node, 2), scalar_input(node, 3)
    count = total
    if node.attrs.get("pad_per_class", False):
        most = None if each is None or scores[2] is None else each * scores[2]
        count = None if most is None or total is None else min(total, most)
    batch = scores[0]
    return [(batch, count, 4), (batch, count), (batch, count), (batch,)]


declare("CombinedNonMaxSuppression", infer=_combined_shape)
declare("GenerateBoundingBoxProposals", infer=lambda node: [free(3), free(2)])


# Files -------------------------------------------------------------------------------------------


def _decoded(node: Node) -> list[Shape]:
    return [(None, None, node.attrs.get("channels") or None)]


declare("DecodeBmp", "DecodeJpeg", "DecodePng", "DecodeAndCropJpeg", infer=_decoded)
declare("DecodeGif", infer=lambda node: [(None, None, None, 3)])
declare("DecodeImage", infer=unknown())
declare("EncodeJpeg", "ExtractJpegShape", infer=lambda n: [() if n.op == "EncodeJpeg" else (3,)])
declare("EncodePng", infer=lambda node: _without_image(node.inputs[0].shape))


def _without_image(shape: Shape) -> list[Shape]:
    return [None if shape is None else shape[:-3]]


declare(
    "SampleDistortedBoundingBox",
    "SampleDistortedBoundingBoxV2",
    "StatelessSampleDistortedBoundingBox",
    infer=lambda node: [(3,), (3,), (1, 1, 4)],
)
