"""Operations on parts of images.

Source of the places: tensorflow/core/kernels/image/crop_and_resize_op.cc and image_ops.h.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import declare, unknown
from tfjs.ops.gathering import check_places
from tfjs.ops.shapes import partial_shape, with_rank
from tfjs.ops.shaping import integers

_F = np.float32


def _crop_shape(node: Node) -> list[Shape]:
    depth = with_rank(node.inputs[0].shape, 4)[3]
    boxes = with_rank(node.inputs[1].shape, 2)[0]
    if boxes is None:
        boxes = with_rank(node.inputs[2].shape, 1)[0]
    height, width = with_rank(partial_shape(node.inputs[3]), 2)
    return [(boxes, height, width, depth)]


def _crop_places(low: Array, high: Array, size: int, wanted: int) -> Array:
    """Where the elements of crops lie along an axis of the image: [boxes, wanted]."""
    last = _F(size - 1)
    if wanted == 1:
        return np.asarray(_F(0.5) * (low + high) * last)[:, np.newaxis]
    step = (high - low) * last / _F(wanted - 1)
    return np.asarray((low * last)[:, np.newaxis] + np.arange(wanted, dtype=_F) * step[:, None])


def _crop(attrs: Attrs, image: Array, boxes: Array, which: Array, size: Array) -> Array:
    height, width = integers(size)
    if image.ndim != 4 or 0 in image.shape[1:3] or height < 1 or width < 1:
        raise ValueError(f"{image.shape} is not cropped to {height} x {width}")
    if boxes.ndim != 2 or boxes.shape[1] != 4 or which.shape != boxes.shape[:1]:
        raise ValueError(f"{boxes.shape} are no boxes of {which.shape} images")
    check_places(which, len(image))
    top, left, bottom, right = boxes.astype(_F).T
    rows = _crop_places(top, bottom, image.shape[1], height)
    columns = _crop_places(left, right, image.shape[2], width)
    at = which[:, np.newaxis, np.newaxis]

    def pixels(row: Array, column: Array) -> Array:
        places = [
            np.clip(np.nan_to_num(place), 0, size - 1).astype(np.intp)
            for place, size in ((row, image.shape[1]), (column, image.shape[2]))
        ]
        found = image[at, places[0][:, :, np.newaxis], places[1][:, np.newaxis, :]]
        return np.asarray(found).astype(_F, copy=False)

    if attrs.get("method", b"bilinear") == b"nearest":
        # C's round: a half goes up.
        made = pixels(np.floor(rows + _F(0.5)), np.floor(columns + _F(0.5)))
    else:
        high, low = np.floor(rows), np.ceil(rows)
        near, far = np.floor(columns), np.ceil(columns)
        across = (columns - near)[:, np.newaxis, :, np.newaxis]
        upper = pixels(high, near) + (pixels(high, far) - pixels(high, near)) * across
        lower = pixels(low, near) + (pixels(low, far) - pixels(low, near)) * across
        made = upper + (lower - upper) * (rows - high)[:, :, np.newaxis, np.newaxis]
    inside = ((rows >= 0) & (rows <= image.shape[1] - 1))[:, :, np.newaxis] & (
        (columns >= 0) & (columns <= image.shape[2] - 1)
    )[:, np.newaxis, :]
    outside = _F(attrs.get("extrapolation_value", 0.0))
    return np.where(inside[..., np.newaxis], made, outside).astype(_F, copy=False)


declare("CropAndResize", infer=_crop_shape, kernel=_crop)


def _projected_shape(node: Node) -> list[Shape]:
    batch, height, width, depth = with_rank(node.inputs[0].shape, 4)
    if len(node.inputs) > 2:
        height, width = with_rank(partial_shape(node.inputs[2]), 2)
    return [(batch, height, width, depth)]


def _reflected(place: Array, size: int) -> Array:
    # d c b a | a b c d | d c b a
    twice = _F(2 * size)
    back = np.where(place < twice, twice * np.trunc(-place / twice) + place, place)
    back = np.where(back < -size, back + twice, -back - 1)
    on = place - twice * np.trunc(place / twice)
    on = np.where(on >= size, twice - on - 1, on)
    return np.where(place < 0, back, np.where(place > size - 1, on, place))


def _wrapped(place: Array, size: int) -> Array:
    # a b c d | a b c d | a b c d
    last = _F(max(1, size - 1))
    back = place + _F(size) * (np.trunc(-place / last) + 1)
    on = place - _F(size) * np.trunc(place / last)
    return np.where(place < 0, back, np.where(place > size - 1, on, place))


_FILLS: dict[bytes, Callable[[Array, int], Array]] = {
    b"REFLECT": _reflected,
    b"WRAP": _wrapped,
    b"NEAREST": lambda place, size: place,
}


def _filled_place(mode: bytes, place: Array, size: int) -> Array:
    """A place that may lie outside of the image, brought inside."""
    if mode == b"CONSTANT":
        return place
    if mode not in _FILLS:
        raise ValueError(f"no fill mode {mode!r}")
    found = _FILLS[mode](place, size) if size > 1 else np.zeros_like(place)
    return np.clip(found, 0, size - 1)


def _project(
    attrs: Attrs, images: Array, transforms: Array, size: Array, fill: Array | None = None
) -> Array:
    height, width = integers(size)
    if images.ndim != 4 or transforms.shape not in ((1, 8), (len(images), 8)) or height < 0:
        raise ValueError(f"{images.shape} are not transformed by {transforms.shape}")
    outside = images.dtype.type(0 if fill is None else fill.reshape(())[()])
    made = np.empty((len(images), height, width, images.shape[3]), images.dtype)
    for index, image in enumerate(images):
        made[index] = _projected(
            attrs, image, transforms[index % len(transforms)], made.shape[1:3], outside
        )
    return made


def _projected(
    attrs: Attrs, image: Array, numbers: Array, size: tuple[int, ...], outside: np.generic
) -> Array:
    """One image; see `_project`."""
    y, x = np.arange(size[0], dtype=_F)[:, np.newaxis], np.arange(size[1], dtype=_F)
    a, b, c, d, e, f, g, h = numbers.astype(_F)
    away = g * x + h * y + _F(1)
    mode = attrs.get("fill_mode", b"CONSTANT")
    column = _filled_place(mode, (a * x + b * y + c) / away, image.shape[1])
    row = _filled_place(mode, (d * x + e * y + f) / away, image.shape[0])

    def pixels(row: Array, column: Array) -> Array:
        inside = (row >= 0) & (row < image.shape[0]) & (column >= 0) & (column < image.shape[1])
        places = [np.where(inside, place, 0).astype(np.intp) for place in (row, column)]
        if 0 in image.shape[:2]:
            return np.full((*inside.shape, image.shape[2]), outside)
        return np.where(inside[..., np.newaxis], image[places[0], places[1]], outside)

    if attrs["interpolation"] == b"NEAREST":
        # C's round: a half goes away from zero.
        found = pixels(*(np.trunc(place + np.copysign(_F(0.5), place)) for place in (row, column)))
    elif attrs["interpolation"] == b"BILINEAR":
        top, left = np.floor(row), np.floor(column)
        right = (column - left)[..., np.newaxis]
        upper = (1 - right) * pixels(top, left) + right * pixels(top, left + 1)
        lower = (1 - right) * pixels(top + 1, left) + right * pixels(top + 1, left + 1)
        down = (row - top)[..., np.newaxis]
        found = ((1 - down) * upper + down * lower).astype(image.dtype)
    else:
        raise ValueError(f"no interpolation {attrs['interpolation']!r}")
    return np.where((away == 0)[..., np.newaxis], outside, found)


def _project_tfjs(
    attrs: Attrs, images: Array, transforms: Array, size: Array, fill: Array
) -> Array:
    """TF.js transforms the first image of a batch only."""
    made = _project(attrs, images, transforms, size, fill)
    made[1:] = fill.reshape(())
    return made


declare(
    *("ImageProjectiveTransformV2", "ImageProjectiveTransformV3"),
    infer=_projected_shape,
    kernel=_project,
    tfjs_kernel=_project_tfjs,
)


def _glimpse_shape(node: Node) -> list[Shape]:
    batch, _, _, depth = with_rank(node.inputs[0].shape, 4)
    height, width = with_rank(partial_shape(node.inputs[1]), 2)
    return [(batch, height, width, depth)]


declare("ExtractGlimpse", "ExtractGlimpseV2", infer=_glimpse_shape)

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
