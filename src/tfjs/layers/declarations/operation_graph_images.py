"""Images of `keras.ops` as graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfjs.ir.graph import Value
from tfjs.ir.layers_model import Call, Layer
from tfjs.layers.base import CannotLower
from tfjs.layers.declarations.images_graph import resized
from tfjs.layers.declarations.kernels import fits
from tfjs.layers.declarations.operation_graph import Operands, computes, int32, scalar
from tfjs.layers.declarations.space_graph import cut, order_axes, pad

_GREY = (0.2989, 0.5870, 0.1140)


def _first(given: Operands) -> bool:
    return bool(given.get("data_format") == "channels_first")


def _as_batch(given: Operands, x: Value, change: Callable[[Value], Value]) -> Value:
    """What works on a batch with its channels last, for any images."""
    build, rank = given.build, given.build.rank(x)
    if rank not in (3, 4):
        raise ValueError(f"images of {rank} axes")
    if rank == 3:
        x = build.op("ExpandDims", x, scalar(0))
    if _first(given):
        x = order_axes(build, x, [0, 2, 3, 1])
    x = change(x)
    if _first(given):
        x = order_axes(build, x, [0, 3, 1, 2])
    return build.op("Squeeze", x, attrs={"squeeze_dims": [0]}) if rank == 3 else x


@computes("RGBToGrayscale", given="images")
def _grey(given: Operands) -> Value:
    build, x = given.build, given.tensor("images")
    axis = build.rank(x) - (3 if _first(given) else 1)
    weights = np.array(_GREY, np.float32).reshape([3, *[1] * (build.rank(x) - axis - 1)])
    scaled = build.op("Mul", build.floats(x), weights)
    made = build.op("Sum", scaled, int32(axis), attrs={"keep_dims": True})
    return build.cast(made, str(x.dtype))


@computes("RGBToHSV", "HSVToRGB", given="images")
def _colours(given: Operands) -> Value:
    build, x = given.build, given.floats("images")
    rank, op = build.rank(x), build.layer.class_name
    if not _first(given):
        return build.op(op, x)
    axis = rank - 3
    order = [place for place in range(rank) if place != axis] + [axis]
    made = build.op(op, order_axes(build, x, order))
    return order_axes(build, made, [order.index(place) for place in range(rank)])


@computes("Resize", given="images")
def _resize(given: Operands) -> Value:
    build, x = given.build, given.tensor("images")
    dtype, size = str(x.dtype), tuple(int(item) for item in given["size"])
    method, antialias = given.get("interpolation", "bilinear"), bool(given.get("antialias", False))
    crop, fill = given.get("crop_to_aspect_ratio", False), given.get("pad_to_aspect_ratio", False)

    def change(value: Value) -> Value:
        value = value if method == "nearest" else build.floats(value)
        if crop or fill:
            return _within(given, value, size, crop=bool(crop))
        return resized(build, value, size, method, antialias=antialias)

    made = _as_batch(given, x, change)
    if method != "nearest" and dtype not in ("float32", "bool"):
        made = build.cast(build.op("Round", made), dtype)
    return made


def _within(given: Operands, x: Value, size: tuple[int, ...], *, crop: bool) -> Value:
    """With the proportions kept: by the layer that does the same."""
    config = {
        "height": size[0],
        "width": size[1],
        "interpolation": given.get("interpolation", "bilinear"),
        "antialias": bool(given.get("antialias", False)),
        "crop_to_aspect_ratio": crop,
        "pad_to_aspect_ratio": not crop,
        "fill_mode": given.get("fill_mode", "constant"),
        "fill_value": given.get("fill_value", 0.0),
        "data_format": "channels_last",
    }
    return stand_in(given, "Resizing", config, x)


def stand_in(given: Operands, class_name: str, config: dict[str, Any], x: Value) -> Value:
    """What a layer makes of a tensor."""
    layer = Layer(class_name, given.build.layer.name, config)
    return given.build.of(layer, Call((x,))).run()[0]


def _edges(given: Operands, key: str, targets: tuple[str, str]) -> list[tuple[int, int]]:
    """How much goes on or off at both ends of height and width."""
    build, x = given.build, given.tensor("images")
    start = build.rank(x) - (2 if _first(given) else 3)
    sides = (("top", "bottom"), ("left", "right"))
    made = []
    for place, (ends, target) in enumerate(zip(sides, targets, strict=True)):
        before, behind = (given.get(f"{end}_{key}") for end in ends)
        if before is None or behind is None:
            size, wanted = build.fixed(x, start + place), int(given[target])
            whole = wanted - size if key == "padding" else size - wanted
            before = whole - int(behind) if before is None else int(before)
            behind = whole - before
        made.append((int(before), int(behind)))
    if any(item < 0 for pair in made for item in pair):
        raise ValueError(f"{key} {made}")
    return made


@computes("PadImages", given="images")
def _pad_images(given: Operands) -> Value:
    edges = _edges(given, "padding", ("target_height", "target_width"))
    build, x = given.build, given.tensor("images")
    more = build.rank(x) - 3
    inner = [(0, 0), *edges] if _first(given) else [*edges, (0, 0)]
    return pad(build, x, [*[(0, 0)] * more, *inner])


@computes("CropImages", given="images")
def _crop_images(given: Operands) -> Value:
    edges = _edges(given, "cropping", ("target_height", "target_width"))
    build, x = given.build, given.tensor("images")
    start = build.rank(x) - (2 if _first(given) else 3)
    return cut(build, x, {start + place: pair for place, pair in enumerate(edges)})


@computes("AffineTransform", given="images transform")
def _affine(given: Operands) -> Value:
    build = given.build
    transform = given.floats("transform")
    if build.rank(transform) == 1:
        transform = build.op("ExpandDims", transform, scalar(0))

    def change(value: Value) -> Value:
        size = build.sizes([build.size(value, 1), build.size(value, 2)])
        fill = np.float32(given.get("fill_value", 0))
        attrs = {
            "interpolation": str(given.get("interpolation", "bilinear")).upper().encode(),
            "fill_mode": str(given.get("fill_mode", "constant")).upper().encode(),
            "dtype": value.dtype,
        }
        op = "ImageProjectiveTransformV3"
        return build.op(op, value, transform, size, fill, attrs=attrs)

    return _as_batch(given, given.floats("images"), change)


@computes("ExtractPatches", given="images")
def _patches(given: Operands) -> Value:
    build, x, size = given.build, given.floats("images"), given["size"]
    if isinstance(size, list | tuple) and len(size) == 3:
        raise CannotLower("takes patches of volumes")
    window = [int(item) for item in (size if isinstance(size, list | tuple) else [size] * 2)]

    def two(name: str, default: Any) -> list[int]:
        told = given.get(name, default)
        return [int(item) for item in (told if isinstance(told, list | tuple) else [told] * 2)]

    attrs = {
        "ksizes": [1, *window, 1],
        "strides": [1, *two("strides", window), 1],
        "rates": [1, *two("dilation_rate", 1), 1],
        "padding": str(given.get("padding", "valid")).upper().encode(),
    }
    return _as_batch(given, x, lambda value: build.op("ExtractImagePatches", value, attrs=attrs))


# Filters -------------------------------------------------------------------------------------


@computes("GaussianBlur", given="images")
def _blur(given: Operands) -> Value:
    """Weights by the distance from the middle; with the sigma of each axis's own."""
    sizes = [int(item) for item in given.get("kernel_size", (3, 3))]
    sigmas = [float(item) for item in given.get("sigma", (1.0, 1.0))]
    if not fits(sizes):
        raise CannotLower("has a kernel too large to write")
    if sizes[0] != sizes[1]:
        raise CannotLower("has a kernel that is no square: the backends of Keras differ over it")
    rows = [_bell(size, sigma) for size, sigma in zip(sizes, sigmas, strict=True)]
    return _as_batch(
        given,
        given.floats("images"),
        lambda value: _filtered(given, value, np.outer(rows[1], rows[0]), b"SAME"),
    )


def _bell(size: int, sigma: float) -> np.ndarray:
    x = np.arange(size, dtype=np.float32) - np.float32(size - 1) / 2
    bell = np.exp(-0.5 * np.square(x / np.float32(sigma)))
    return np.asarray(bell / bell.sum(), np.float32)


def _filtered(given: Operands, x: Value, kernel: np.ndarray, padding: bytes) -> Value:
    """Each channel by one kernel of [height, width] or [height, width, several]."""
    build = given.build
    channels = build.fixed(x, -1)
    several = kernel.reshape(*kernel.shape[:2], 1, -1).astype(np.float32)
    whole = np.ascontiguousarray(np.repeat(several, channels, axis=2))
    attrs = {"strides": [1, 1, 1, 1], "padding": padding}
    return build.op("DepthwiseConv2dNative", x, whole, attrs=attrs)


@computes("SobelEdges", given="images")
def _sobel(given: Operands) -> Value:
    """[..., height, width, channels, 2]: the slope down, and to the right."""
    build, x, first = given.build, given.floats("images"), _first(given)
    if build.rank(x) != 4:
        raise ValueError("images of a batch were expected")
    if first:
        x = order_axes(build, x, [0, 2, 3, 1])
    down = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], np.float32)
    pads = np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32)
    padded = build.op("MirrorPad", x, pads, attrs={"mode": b"REFLECT"})
    made = _filtered(given, padded, np.stack([down, down.T], axis=-1), b"VALID")
    sizes = [build.size(x, axis) for axis in range(4)]
    made = build.reshaped(made, [*sizes, 2])
    return order_axes(build, made, [0, 3, 1, 2, 4]) if first else made
