"""Preprocessing of images: sizes, and augmentation, which inference leaves alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tfjs.ir.layers_model import Config, Layer
from tfjs.ir.tensor import Array
from tfjs.layers.base import Apply, CannotLower, LayerSpec, Shape
from tfjs.layers.declarations.compose import Step, check_numbers, scale
from tfjs.layers.declarations.images_graph import contrasted, resized, rounded
from tfjs.layers.declarations.interpolation import (
    METHODS,
    interpolation_matrix,
    matrix_steps,
    resize_steps,
)
from tfjs.layers.declarations.kernels import fits
from tfjs.layers.declarations.regularization import LEFT_OUT
from tfjs.layers.declarations.space import data_format, is_first, number, word
from tfjs.layers.declarations.space_graph import (
    check_rank,
    keep_part,
    pad,
    with_channels_last,
)

if TYPE_CHECKING:
    from tfjs.ir.graph import Value
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

_TOO_LARGE = "its matrix is too large to write: resize the images in JavaScript"
_NOT_INTEGERS = frozenset({"float16", "bfloat16", "float32", "float64", "bool", "string"})
_UNKNOWN = "the height and width of its input are unknown, and TF.js has no layer for it"


def _first_axis(layer: Layer) -> int:
    """The axis of the height, in images with the batch."""
    return 2 if layer.config.get("data_format") == "channels_first" else 1


def _resized(layer: Layer, shape: Shape | None) -> Shape | None:
    if shape is None or len(shape) != 4:
        return None
    first = _first_axis(layer)
    return (*shape[:first], layer.config["height"], layer.config["width"], *shape[first + 2 :])


def _check_size(config: Config) -> None:
    for key in ("height", "width"):
        config[key] = number(config.get(key), key)
    data_format(config)


def _fed_integers(layer: Layer, build: Builder) -> bool:
    """Whether the layer works on an input of whole numbers."""
    for call in range(len(layer.calls)):
        for ref in build.tensors_in(layer, call):
            source = build.source(ref)
            if source.class_name == "InputLayer":
                dtype = str(source.config.get("dtype") or "float32")
                return dtype not in _NOT_INTEGERS
    return False


def _leave_out(layer: Layer, build: Builder, why: str = LEFT_OUT) -> Apply:
    """Drop a layer that only makes its input floating point."""
    if _fed_integers(layer, build):
        build.note(layer, f"{why}, a cast to float32 aside")
        return build.apply(scale(build, 1.0, name=layer.name))
    return build.drop(layer, why)


class Resizing(LayerSpec):
    name = "Resizing"
    inert: ClassVar[frozenset[str]] = frozenset({"bounding_box_format", "factor"})

    def normalize(self, config: Config, dialect: str) -> None:
        _check_size(config)
        word(config, "interpolation", sorted(METHODS), "bilinear")
        check_numbers(config, "fill_value")

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        return [_resized(layer, inputs[0] if inputs else None)]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        shape, config = build.input_shape(layer), layer.config
        problem = _problem(layer, build, shape)
        if shape is None or problem:
            return build.refuse(layer, problem or _UNKNOWN)
        build.note(layer, "Resizing as multiplication by constant matrices")
        first, size = _first_axis(layer), (config["height"], config["width"])
        old = tuple(item or 1 for item in shape[first : first + 2])
        fill = float(config.get("fill_value") or 0.0)
        if config.get("pad_to_aspect_ratio"):
            boxes = [_padded(old[0], old[1], *size), _padded(old[1], old[0], *size[::-1])]
        elif config.get("crop_to_aspect_ratio"):
            boxes = [_cropped(old[0], old[1], *size), _cropped(old[1], old[0], *size[::-1])]
        else:
            boxes = [(old[0], 0), (old[1], 0)]
        method = str(config["interpolation"])
        antialias = bool(config.get("antialias"))
        if boxes == [(old[0], 0), (old[1], 0)]:
            layout = str(config["data_format"])
            steps = resize_steps(
                build, shape, *size, method, layout, antialias=antialias, name=layer.name
            )
            return build.chain(*steps) if steps else build.drop(layer, "left out: same size")
        matrices = {
            first + place: _boxed(old[place], boxes[place], size[place], method, antialias)
            for place in range(2)
        }
        return _filled(build, shape, matrices, fill, layer.name)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        config, x = layer.config, build.inputs[0]
        check_rank(build, x, 4)
        method, size = str(config["interpolation"]), (config["height"], config["width"])

        def change(value: Value) -> Value:
            if config.get("pad_to_aspect_ratio"):
                value = _with_margins(build, value, size, float(config.get("fill_value") or 0.0))
            elif config.get("crop_to_aspect_ratio"):
                value = _without_margins(build, value, size)
            antialias = bool(config.get("antialias"))
            return resized(build, value, size, method, antialias=antialias)

        result = with_channels_last(build, build.floats(x), is_first(config), change)
        return [rounded(build, result, x.dtype)]


def _without_margins(build: Lowering, x: Value, size: tuple[int, int]) -> Value:
    """The middle of images that has the aspect ratio of a size."""
    old = (build.fixed(x, 1), build.fixed(x, 2))
    boxes = [_cropped(*old, *size), _cropped(*old[::-1], *size[::-1])]
    for axis, (part, start) in enumerate(boxes, 1):
        x = keep_part(build, x, axis, start, part)
    return x


def _with_margins(build: Lowering, x: Value, size: tuple[int, int], fill: float) -> Value:
    """Images with so much of a number around them that they have the aspect ratio of a size."""
    old = (build.fixed(x, 1), build.fixed(x, 2))
    boxes = [_padded(*old, *size), _padded(*old[::-1], *size[::-1])]
    pads = [(-start, -start) for _, start in boxes]
    return pad(build, x, [(0, 0), *pads, (0, 0)], fill)


def _problem(layer: Layer, build: Builder, shape: Shape | None) -> str | None:
    first = _first_axis(layer)
    if shape is None or len(shape) != 4 or not all(shape[first : first + 2]):
        return _UNKNOWN
    if not _fits(layer, shape):
        return _TOO_LARGE
    if layer.config["interpolation"] != "nearest" and _fed_integers(layer, build):
        return "rounds images of whole numbers, for which TF.js has no layer: feed float32"
    return None


def _fits(layer: Layer, shape: Shape) -> bool:
    """Whether the matrices that resize the images are small enough to write."""
    first = _first_axis(layer)
    old = [item or 1 for item in shape[first : first + 2]]
    return fits([old[0], layer.config["height"]]) and fits([old[1], layer.config["width"]])


def _cropped(size: int, other: int, target: int, other_target: int) -> tuple[int, int]:
    """The part of an axis that keeps the aspect ratio: its size and its start."""
    part = max(min(size, int(float(other * target) / other_target)), 1)
    return part, int(float(size - part) / 2)


def _padded(size: int, other: int, target: int, other_target: int) -> tuple[int, int]:
    """The axis with padding that keeps the aspect ratio: its size and its (negative) start.

    Keras puts as much before as behind, so that what is odd is short of one.
    """
    whole = max(size, int(float(other * target) / other_target))
    before = int(float(whole - size) / 2)
    return size + 2 * before, -before


def _boxed(size: int, box: tuple[int, int], target: int, method: str, antialias: bool) -> Array:
    """The matrix that resizes a box of an axis; the box may reach beyond the axis."""
    width, start = box
    inner = interpolation_matrix(width, target, method, antialias=antialias)
    whole = np.zeros((size, target), np.float32)
    rows = np.arange(size) - start
    inside = (rows >= 0) & (rows < width)
    whole[inside] = inner[rows[inside]]
    return whole


def _filled(
    build: Builder, shape: Shape, matrices: dict[int, Array], fill: float, name: str
) -> Apply:
    """Resizing with padding of a value: that of 0 around the image less the value."""
    if not fill:
        return build.chain(*matrix_steps(build, len(shape), matrices, name=name))
    steps: list[Step] = [scale(build, 1.0, -fill, suffix="less")]
    steps += matrix_steps(build, len(shape), matrices)
    return build.chain(*steps, scale(build, 1.0, fill, name=name))


class CenterCrop(LayerSpec):
    name = "CenterCrop"
    inert: ClassVar[frozenset[str]] = frozenset({"bounding_box_format", "factor"})

    def normalize(self, config: Config, dialect: str) -> None:
        _check_size(config)

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        return [_resized(layer, inputs[0] if inputs else None)]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        shape, first = build.input_shape(layer), _first_axis(layer)
        if shape is None or len(shape) != 4 or not all(shape[first : first + 2]):
            return build.refuse(layer, _UNKNOWN)
        size = (layer.config["height"], layer.config["width"])
        old = tuple(item or 1 for item in shape[first : first + 2])
        if old == size:
            return _leave_out(layer, build, "left out: same size")
        if (old[0] < size[0] or old[1] < size[1]) and not _fits(layer, shape):
            return build.refuse(layer, _TOO_LARGE)
        if old[0] < size[0] or old[1] < size[1]:
            build.note(layer, "CenterCrop of a smaller image as its resizing")
            boxes = [_cropped(old[0], old[1], *size), _cropped(old[1], old[0], *size[::-1])]
            matrices = {
                first + place: _boxed(old[place], boxes[place], size[place], "bilinear", False)
                for place in range(2)
            }
            return _filled(build, shape, matrices, 0.0, layer.name)
        build.note(layer, "CenterCrop as Cropping2D")
        margins = [_margins(old[place], size[place]) for place in range(2)]
        config = {"cropping": margins, "data_format": layer.config["data_format"]}
        if not _fed_integers(layer, build):
            return build.apply(build.new("Cropping2D", config, name=layer.name))
        cropping = build.new("Cropping2D", config, suffix="crop")
        return build.chain(cropping, scale(build, 1.0, name=layer.name))

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        config, x = layer.config, build.floats(build.inputs[0])
        check_rank(build, x, 4)
        size, first = (config["height"], config["width"]), _first_axis(layer)
        old = [build.fixed(x, first + place) for place in range(2)]
        if old[0] >= size[0] and old[1] >= size[1]:
            for place in range(2):
                start, _ = _margins(old[place], size[place])
                x = keep_part(build, x, first + place, start, size[place])
            return [x]

        def change(value: Value) -> Value:
            return resized(build, _without_margins(build, value, size), size, "bilinear")

        return [with_channels_last(build, x, is_first(config), change)]


def _margins(size: int, target: int) -> list[int]:
    start = (size - target) // 2
    return [start, size - target - start]


class RandomCrop(LayerSpec):
    name = "RandomCrop"
    why: ClassVar[str] = (
        "releases of Keras differ in what it does in inference: put CenterCrop or Resizing in its "
        "place"
    )

    def normalize(self, config: Config, dialect: str) -> None:
        _check_size(config)

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        return [_resized(layer, inputs[0] if inputs else None)]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        shape = build.input_shape(layer)
        if shape is not None and shape == _resized(layer, shape):
            return _leave_out(layer, build)
        return build.refuse(layer, self.why)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        x = build.inputs[0]
        if x.shape != _resized(layer, x.shape):
            raise CannotLower(self.why)
        return [build.floats(x)]


class _Augmentation(LayerSpec):
    """Changes images in training only."""

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        return _leave_out(layer, build)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return [build.floats(build.inputs[0])]


class Pipeline(LayerSpec):
    """A row of preprocessing layers, given in the configuration."""

    name = "Pipeline"
    why: ClassVar[str] = "put the layers into the model, each as one of its own"

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        return [inputs[0] if inputs and _is_augmentation(layer.config.get("layers")) else None]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        if _is_augmentation(layer.config.get("layers")):
            return _leave_out(layer, build)
        return build.refuse(layer, self.why)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        if not _is_augmentation(layer.config.get("layers")):
            raise CannotLower(self.why)
        return [build.floats(build.inputs[0])]


def _is_augmentation(layers: Any) -> bool:
    return isinstance(layers, list | tuple) and all(
        isinstance(entry, dict) and entry.get("class_name") in AUGMENTATIONS for entry in layers
    )


class _Histogram(LayerSpec):
    def legalize(self, layer: Layer, build: Builder) -> Apply:
        return build.refuse(
            layer,
            "works in inference too, and TF.js has no layer for it: do it in JavaScript before "
            "the model",
        )

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        raise CannotLower("works in inference too: do it in JavaScript before the model")


class AutoContrast(_Histogram):
    name = "AutoContrast"

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        low, high = (float(item) for item in layer.config.get("value_range") or (0, 255))
        return [contrasted(build, build.floats(build.inputs[0]), low, high)]


def _declare(base: type[LayerSpec], names: Sequence[str]) -> None:
    """Layers that need no word of their own."""
    for name in names:
        type(name, (base,), {"name": name, "__module__": __name__})


AUGMENTATIONS = (
    "AugMix",
    "CutMix",
    "MaxNumBoundingBoxes",
    "MixUp",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHeight",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomWidth",
    "RandomZoom",
    "Solarization",
)
_declare(_Augmentation, AUGMENTATIONS)
_declare(
    _Histogram,
    ("ContrastLimitedAdaptiveHistogramEqualization", "Equalization"),
)
