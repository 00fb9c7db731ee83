"""Images: resizing, patches, blocks, colours."""

from __future__ import annotations

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.ir.tensor import Array
from tfjs.ops.build import Builder
from tfjs.passes.legal.common import (
    Size,
    check_table,
    constant_of,
    make,
    reshape,
    shape_of,
    size_at,
    sizes_of,
    slice_axis,
    times,
    transpose,
)
from tfjs.passes.legal.convolution import channels_first, window_pads
from tfjs.passes.legal.interpolation import area_matrix, bicubic_matrix, translation_matrix
from tfjs.passes.rules import CannotExpress, RuleSet

RULES = RuleSet()


def _static_size(x: Value) -> tuple[int, int]:
    height, width = shape_of(x)[1:3]
    if height is None or width is None:
        raise CannotExpress(
            "the size of the images is unknown", "convert with inputs of fixed shape"
        )
    return height, width


def _new_size(node: Node) -> tuple[int, int]:
    height, width = (int(item) for item in constant_of(node, 1, "the new size").reshape(-1))
    return height, width


def _by_matrices(build: Builder, x: Value, rows: Array, columns: Array) -> Value:
    """Height and width each multiplied by a matrix [new, old]."""
    batch, _, width, channels = sizes_of(build, x)
    flat = reshape(build, build.cast(x, "float32"), [batch, rows.shape[1], _product(build, x)])
    tall = make(build, "BatchMatMulV2", rows[None], flat)
    lines = reshape(build, tall, [times(build, batch, rows.shape[0]), width, channels])
    wide = make(build, "BatchMatMulV2", columns[None], lines)
    return reshape(build, wide, [batch, rows.shape[0], columns.shape[0], channels])


def _product(build: Builder, x: Value) -> Size:
    return times(build, size_at(build, x, 2), size_at(build, x, 3))


@RULES.rule("ResizeBicubic")
def resize_bicubic(node: Node, build: Builder) -> list[Value]:
    """TensorFlow's own weights as matrices; the sums are taken in another order."""
    corners = bool(node.attrs.get("align_corners", False))
    half = bool(node.attrs.get("half_pixel_centers", False))
    old, new = _static_size(node.inputs[0]), _new_size(node)
    rows, columns = (
        bicubic_matrix(old[axis], new[axis], align_corners=corners, half_pixel=half)
        for axis in (0, 1)
    )
    return [_by_matrices(build, node.inputs[0], rows, columns)]


@RULES.rule("ResizeArea")
def resize_area(node: Node, build: Builder) -> list[Value]:
    """The part of each new pixel that each old one covers, as matrices; reassociates."""
    corners = bool(node.attrs.get("align_corners", False))
    old, new = _static_size(node.inputs[0]), _new_size(node)
    rows, columns = (area_matrix(old[axis], new[axis], align_corners=corners) for axis in (0, 1))
    return [_by_matrices(build, node.inputs[0], rows, columns)]


@RULES.rule("ScaleAndTranslate")
def scale_and_translate(node: Node, build: Builder) -> list[Value]:
    """`tf.image.resize` with antialiasing or a wider kernel, as matrices; reassociates."""
    old, new = _static_size(node.inputs[0]), _new_size(node)
    scale = constant_of(node, 2, "its scale").reshape(-1)
    shift = constant_of(node, 3, "its translation").reshape(-1)
    kernel = bytes(node.attrs.get("kernel_type") or b"lanczos3")
    antialias = bool(node.attrs.get("antialias", True))
    rows, columns = (
        translation_matrix(
            old[axis],
            new[axis],
            float(scale[axis]),
            float(shift[axis]),
            kernel,
            antialias=antialias,
        )
        for axis in (0, 1)
    )
    return [_by_matrices(build, node.inputs[0], rows, columns)]


@RULES.rule("ResizeBilinear", "CropAndResize")
def resized_integers(node: Node, build: Builder) -> list[Value] | None:
    """They give float32 for any numbers. Exact up to 2^24."""
    x = node.inputs[0]
    if x.dtype == "float32":
        return None
    return [make(build, node.op, build.cast(x, "float32"), *node.inputs[1:], **_own(node))]


@RULES.rule("ResizeNearestNeighbor")
def resized_integers_nearest(node: Node, build: Builder) -> list[Value] | None:
    """Integers become float32 on wasm. Exact up to 2^24."""
    x = node.inputs[0]
    if x.dtype == "float32":
        return None
    resized = make(build, node.op, build.cast(x, "float32"), node.inputs[1], **_own(node))
    return [build.cast(resized, str(x.dtype))]


def _own(node: Node) -> dict[str, object]:
    names = ("align_corners", "half_pixel_centers", "extrapolation_value", "method")
    return {name: node.attrs[name] for name in names if name in node.attrs}


@RULES.rule("ImageProjectiveTransformV2")
def projective_transform(node: Node, build: Builder) -> list[Value]:
    """The newer one with 0 outside. Exact."""
    attrs = {name: node.attrs[name] for name in ("interpolation", "fill_mode")}
    images = build.cast(node.inputs[0], "float32")
    made = make(build, "ImageProjectiveTransformV3", images, *node.inputs[1:], 0.0, **attrs)
    return [build.cast(made, str(node.inputs[0].dtype))]


@RULES.rule("ImageProjectiveTransformV3")
def transformed_integers(node: Node, build: Builder) -> list[Value] | None:
    """TF.js transforms floats only; what comes of integers is cut off, as TensorFlow does.

    Next to a whole number bilinear interpolation may be rounded to its other side.
    """
    images = node.inputs[0]
    if images.dtype == "float32":
        return None
    attrs = {name: node.attrs[name] for name in ("interpolation", "fill_mode")}
    made = make(build, node.op, build.cast(images, "float32"), *node.inputs[1:], **attrs)
    return [build.cast(made, str(images.dtype))]


@RULES.rule("ImageProjectiveTransformV3")
def transform_of_batches(node: Node, build: Builder) -> list[Value] | None:
    """TF.js's cpu backend transforms the first image only. Exact.

    With one transformation for all, the images become channels of one; else they are taken apart.
    """
    images, transforms, *others = node.inputs
    batch = shape_of(images)[0]
    if batch == 1:
        return None
    attrs = {name: node.attrs[name] for name in ("interpolation", "fill_mode")}
    if shape_of(transforms, "its transformations")[0] == 1:
        sizes = sizes_of(build, images)
        beside = transpose(build, images, [1, 2, 0, 3])
        flat = reshape(build, beside, [1, *sizes[1:3], times(build, sizes[0], sizes[3])])
        made = make(build, node.op, flat, transforms, *others, **attrs)
        new = [size_at(build, made, axis) for axis in (1, 2)] if made.shape else [*_new_size(node)]
        apart = reshape(build, made, [*new, sizes[0], sizes[3]])
        return [transpose(build, apart, [2, 0, 1, 3])]
    if batch is None:
        raise CannotExpress(
            "TF.js's cpu backend transforms the first image of a batch only",
            "convert with a batch of fixed size",
        )
    singles = []
    for index in range(batch):
        pair = [slice_axis(build, value, 0, index, 1) for value in (images, transforms)]
        singles.append(make(build, node.op, *pair, *others, **attrs))
    return [make(build, "ConcatV2", *singles, 0)]


@RULES.rule("SpaceToDepth")
def space_to_depth(node: Node, build: Builder) -> list[Value]:
    """Blocks of pixels by reshapes and a transposition. Exact."""
    x, block = node.inputs[0], int(node.attrs["block_size"])
    first = _plain_format(node)
    sizes = sizes_of(build, x)
    height, width = sizes[2:] if first else sizes[1:3]
    channels = sizes[1] if first else sizes[3]
    rows, columns = (_divided(build, size, block) for size in (height, width))
    inner = [rows, block, columns, block]
    if first:
        apart = reshape(build, x, [sizes[0], channels, *inner])
        turned = transpose(build, apart, [0, 3, 5, 1, 2, 4])
        return [reshape(build, turned, [sizes[0], times(build, channels, block**2), rows, columns])]
    apart = reshape(build, x, [sizes[0], *inner, channels])
    turned = transpose(build, apart, [0, 1, 3, 2, 4, 5])
    return [reshape(build, turned, [sizes[0], rows, columns, times(build, channels, block**2)])]


@RULES.rule("DepthToSpace")
def depth_to_space(node: Node, build: Builder) -> list[Value] | None:
    """TF.js has it for floats with channels last. Exact."""
    x, block = node.inputs[0], int(node.attrs["block_size"])
    first = _plain_format(node)
    if not first and x.dtype == "float32":
        return None
    sizes = sizes_of(build, x)
    rows, columns = sizes[2:] if first else sizes[1:3]
    channels = _divided(build, sizes[1] if first else sizes[3], block**2)
    new = [times(build, size, block) for size in (rows, columns)]
    if first:
        apart = reshape(build, x, [sizes[0], block, block, channels, rows, columns])
        turned = transpose(build, apart, [0, 3, 4, 1, 5, 2])
        return [reshape(build, turned, [sizes[0], channels, *new])]
    apart = reshape(build, x, [sizes[0], rows, columns, block, block, channels])
    turned = transpose(build, apart, [0, 1, 3, 2, 4, 5])
    return [reshape(build, turned, [sizes[0], *new, channels])]


def _plain_format(node: Node) -> bool:
    if bytes(node.attrs.get("data_format") or b"NHWC").endswith(b"VECT_C"):
        raise CannotExpress("its channels are packed in fours")
    return channels_first(node)


def _divided(build: Builder, size: Size, by: int) -> Size:
    return size // by if isinstance(size, int) else make(build, "FloorDiv", size, by)


@RULES.rule("ExtractImagePatches")
def image_patches(node: Node, build: Builder) -> list[Value]:
    """Every pixel of every patch is looked up. Exact."""
    x = node.inputs[0]
    height, width = _static_size(x)
    window, strides, rates = (
        [int(item) for item in node.attrs[name][1:3]] for name in ("ksizes", "strides", "rates")
    )
    covered = [(size - 1) * rate + 1 for size, rate in zip(window, rates, strict=True)]
    pads = window_pads(node.attrs["padding"], [], (height, width), covered, strides)
    counts = [
        max(0, (size + sum(pads[axis]) - covered[axis]) // strides[axis] + 1)
        for axis, size in enumerate((height, width))
    ]
    check_table(*counts, *window)
    places = []
    for axis, count in enumerate(counts):
        steps = np.arange(window[axis]) * rates[axis] - pads[axis][0]
        places.append(np.arange(count)[:, None] * strides[axis] + steps)
    rows, columns = places[0][:, None, :, None], places[1][None, :, None, :]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    found = np.where(inside, rows * width + columns, height * width)
    batch, channels = size_at(build, x, 0), size_at(build, x, 3)
    flat = reshape(build, x, [batch, height * width, channels])
    if not inside.all():
        zero = build.constant(np.zeros((), str(x.dtype)))
        flat = make(build, "PadV2", flat, [[0, 0], [0, 1], [0, 0]], zero)
    pixels = make(build, "GatherV2", flat, found.reshape(-1).astype(np.int32), np.int32(1))
    depth = times(build, channels, window[0] * window[1])
    return [reshape(build, pixels, [batch, *found.shape[:2], depth])]


# Colours --------------------------------------------------------------------------------------


@RULES.rule("AdjustContrastv2")
def adjust_contrast(node: Node, build: Builder) -> list[Value]:
    """Away from the mean of each channel; the sum is taken in another order."""
    x, factor = node.inputs
    rank = len(shape_of(x))
    mean = make(build, "Mean", x, [rank - 3, rank - 2], keep_dims=True)
    spread = make(build, "Mul", make(build, "Sub", x, mean), factor)
    return [make(build, "AddV2", spread, mean)]


@RULES.rule("AdjustHue", "AdjustSaturation")
def adjust_colours(node: Node, build: Builder) -> list[Value]:
    """In hue, saturation and value; may be rounded otherwise."""
    x, change = node.inputs
    axis = len(shape_of(x)) - 1
    both = make(build, "RGBToHSV", x)
    both.shape = x.shape
    parts = [slice_axis(build, both, axis, index, 1) for index in range(3)]
    if node.op == "AdjustHue":
        parts[0] = make(build, "FloorMod", make(build, "AddV2", parts[0], change), 1.0)
    else:
        more = make(build, "Mul", parts[1], change)
        parts[1] = make(build, "ClipByValue", more, 0.0, 1.0)
    joined = make(build, "ConcatV2", *parts, -1)
    joined.shape = x.shape
    return [make(build, "HSVToRGB", joined)]


@RULES.rule("HSVToRGB")
def colours_of_hues(node: Node, build: Builder) -> list[Value]:
    """By TensorFlow's formula. Exact."""
    x = node.inputs[0]
    hue, saturation, value = (slice_axis(build, x, len(shape_of(x)) - 1, i, 1) for i in range(3))
    six = make(build, "Mul", hue, 6.0)
    parts = []
    for sign, shift, offset in ((1.0, -3.0, -1.0), (-1.0, -2.0, 2.0), (-1.0, -4.0, 2.0)):
        distance = make(build, "Abs", make(build, "AddV2", six, shift))
        part = make(build, "AddV2", make(build, "Mul", distance, sign), offset)
        parts.append(make(build, "ClipByValue", part, 0.0, 1.0))
    white = make(build, "Sub", 1.0, saturation)
    joined = make(build, "ConcatV2", *parts, -1)
    mixed = make(build, "AddV2", white, make(build, "Mul", saturation, joined))
    return [make(build, "Mul", mixed, value)]


@RULES.rule("RGBToHSV")
def hues_of_colours(node: Node, build: Builder) -> list[Value]:
    """By TensorFlow's formula. Exact."""
    x = node.inputs[0]
    axis = len(shape_of(x)) - 1
    red, green, blue = (slice_axis(build, x, axis, index, 1) for index in range(3))
    most = make(build, "Max", x, [axis], keep_dims=True)
    span = make(build, "Sub", most, make(build, "Min", x, [axis], keep_dims=True))
    saturation = make(
        build,
        "SelectV2",
        make(build, "Greater", most, 0.0),
        make(build, "RealDiv", span, most),
        0.0,
    )
    sixth = make(build, "RealDiv", make(build, "OnesLike", span), make(build, "Mul", span, 6.0))

    def turn(first: Value, second: Value, start: float) -> Value:
        step = make(build, "Mul", sixth, make(build, "Sub", first, second))
        return step if start == 0 else make(build, "AddV2", step, start)

    hue = turn(red, green, 4 / 6)
    hue = make(build, "SelectV2", make(build, "Equal", green, most), turn(blue, red, 2 / 6), hue)
    hue = make(build, "SelectV2", make(build, "Equal", red, most), turn(green, blue, 0.0), hue)
    hue = make(build, "SelectV2", make(build, "Greater", span, 0.0), hue, 0.0)
    around = build.cast(make(build, "Less", hue, 0.0), "float32")
    return [make(build, "ConcatV2", make(build, "AddV2", hue, around), saturation, most, -1)]
