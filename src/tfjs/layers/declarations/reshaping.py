"""Layers that change the shape, and those that pad, crop and repeat."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tfjs.ir.layers_model import Config, Layer
from tfjs.layers.base import Apply, LayerSpec, Shape
from tfjs.layers.declarations.compose import is_static
from tfjs.layers.declarations.images_graph import repeated, scaled_up
from tfjs.layers.declarations.interpolation import METHODS, resize_steps
from tfjs.layers.declarations.kernels import fits
from tfjs.layers.declarations.planes import CROP, PAD, REPEAT, UNKNOWN_SIZES, AxisWise
from tfjs.layers.declarations.space import (
    Piece,
    Size,
    Space,
    data_format,
    each_shape,
    in_a_row,
    is_first,
    number,
    numbers,
    pairs,
    permute_to_last,
    product,
    reshape,
    shapes_in,
    word,
)
from tfjs.layers.declarations.space_graph import (
    channels_last,
    check_rank,
    cut,
    order_axes,
    pad,
    with_channels_last,
)

if TYPE_CHECKING:
    from tfjs.ir.graph import Value
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

# Up to here TF.js repeats each pixel alike, whatever the size; beyond, rounding takes a
# neighbour now and then (41, 47 and 49 are the first).
_MOST_REPEATS = 40


class Reshape(LayerSpec):
    name = "Reshape"

    def normalize(self, config: Config, dialect: str) -> None:
        # TF.js writes null for the size that is to be found.
        target = [-1 if size is None else size for size in config["target_shape"]]
        config["target_shape"] = [number(size, "target_shape", lowest=-1) for size in target]
        if config["target_shape"].count(-1) > 1:
            raise ValueError(f"target_shape is {target}, with more than one unknown size")

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        shape = inputs[0] if inputs else None
        batch = None if shape is None else shape[0]
        return [(batch, *self._target(layer, shape))]

    def _target(self, layer: Layer, shape: Shape | None) -> list[Size]:
        target: list[int] = layer.config["target_shape"]
        given = None if shape is None else product(shape[1:])
        known = product([size for size in target if size != -1]) or 0
        found = given // known if given is not None and known else None
        return [found if size == -1 else size for size in target]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        # TF.js keeps an unknown size in the shape, where a Dense layer behind it fails.
        targets = [self._target(layer, shape) for shape in shapes_in(build, layer)]
        if all(target == targets[0] for target in targets):
            return build.keep(layer, reshape(targets[0], "").config)

        def make(shape: Shape | None, name: str | None) -> Apply:
            return in_a_row(build, [reshape(self._target(layer, shape), "again")], name)

        return each_shape(build, layer, make)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        x = build.inputs[0]
        target = self._target(layer, x.shape)
        if None not in target:
            return [build.reshaped(x, [-1, *(size or 0 for size in target)])]
        sizes = [-1 if size is None else size for size in target]
        return [build.reshaped(x, [build.size(x, 0), *sizes])]


class Flatten(LayerSpec):
    name = "Flatten"

    def normalize(self, config: Config, dialect: str) -> None:
        data_format(config)

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        shape = inputs[0] if inputs else None
        return [None if shape is None else (shape[0], product(shape[1:]))]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        shapes = shapes_in(build, layer)
        if all(shape is not None and len(shape) == 2 for shape in shapes):
            return build.drop(layer, "Flatten of what is flat already left out")
        if all(shape is not None and len(shape) > 2 and is_static(shape) for shape in shapes):
            return build.keep(layer)

        def make(shape: Shape | None, name: str | None) -> Apply | str:
            if shape is None and is_first(layer.config):
                return "the shape of its input is unknown"
            rank = 0 if shape is None else len(shape) - 2
            pieces = [permute_to_last(rank)] if is_first(layer.config) and rank > 0 else []
            sizes = [None] if shape is None else [product(shape[1:])]
            return in_a_row(build, [*pieces, reshape(sizes, "flat")], name)

        build.note(layer, "Flatten as Reshape, since TF.js takes no unknown sizes there")
        return each_shape(build, layer, make)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        x = build.inputs[0]
        if is_first(layer.config) and build.rank(x) > 2:
            x = channels_last(build, x)
        size = product(build.shape(x)[1:])
        return [build.reshaped(x, [build.size(x, 0), -1] if not size else [-1, size])]


class Permute(LayerSpec):
    name = "Permute"

    def normalize(self, config: Config, dialect: str) -> None:
        dims = config["dims"]
        config["dims"] = numbers(dims, len(dims), "dims")
        if sorted(config["dims"]) != list(range(1, len(dims) + 1)):
            raise ValueError(f"dims is {dims}, which is no permutation")

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        shape, dims = inputs[0] if inputs else None, layer.config["dims"]
        if shape is None or len(shape) != len(dims) + 1:
            return [None]
        return [(shape[0], *(shape[axis] for axis in dims))]

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        x, dims = build.inputs[0], layer.config["dims"]
        check_rank(build, x, len(dims) + 1)
        return [order_axes(build, x, [0, *dims])]


class RepeatVector(LayerSpec):
    name = "RepeatVector"

    def normalize(self, config: Config, dialect: str) -> None:
        config["n"] = number(config["n"], "n")

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        shape = inputs[0] if inputs else None
        if shape is None or len(shape) != 2:
            return [None]
        return [(shape[0], layer.config["n"], shape[1])]

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        x = build.inputs[0]
        check_rank(build, x, 2)
        row = build.op("ExpandDims", x, np.array(1, np.int32))
        return [build.op("Tile", row, np.array([1, layer.config["n"], 1], np.int32))]


class _AxisWise(LayerSpec):
    """Padding, cropping and repeating.

    Attributes:
        rank: the number of axes of space.
        tool: TF.js's layer over two axes.
    """

    rank: ClassVar[int] = 0
    tool: ClassVar[AxisWise]

    def values(self, layer: Layer) -> list[Any]:
        """What to do, for each axis."""
        value = layer.config[self.tool.key]
        return [value] if self.rank == 1 else list(value)

    def resize(self, size: int, value: Any) -> int:
        """The new size of an axis."""
        raise NotImplementedError

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        space = Space.of(inputs[0] if inputs else None, self.rank, layer.config)
        return [None if space is None else self._after(space, self.values(layer)).shape()]

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        x = build.inputs[0]
        check_rank(build, x, self.rank + 2)
        first = 2 if is_first(layer.config) else 1
        return [self.changed(build, x, dict(enumerate(self.values(layer), first)))]

    def changed(self, build: Lowering, x: Value, values: dict[int, Any]) -> Value:
        """The tensor padded or cut along some axes, told by axis."""
        raise NotImplementedError

    def _after(self, space: Space, values: Sequence[Any]) -> Space:
        both = zip(space.sizes, values, strict=True)
        return space.resized([n if n is None else self.resize(n, value) for n, value in both])

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        if self.rank == 2 and not self.forgets(layer, build):
            return build.keep(layer)
        return self.in_stages(layer, build, [self.values(layer)])

    def forgets(self, layer: Layer, build: Builder) -> bool:
        """Whether TF.js's layer over two axes forgets that a size is unknown."""
        return False

    def in_stages(self, layer: Layer, build: Builder, stages: Sequence[list[Any]]) -> Apply:
        """Express the layer by TF.js's over two axes, several times one after the other."""
        if all(value == self.tool.neutral for values in stages for value in values):
            return build.drop(layer, f"{self.name} that changes nothing left out")

        def make(shape: Shape | None, name: str | None) -> Apply | str:
            space = Space.of(shape, self.rank, layer.config)
            if space is None:
                return "the shape of its input is unknown, which it needs in TF.js"
            pieces: list[Piece] = []
            for values in stages:
                after = self._after(space, values)
                found = self.tool.pieces(space, values, after.sizes)
                if found is None:
                    return UNKNOWN_SIZES
                pieces += found
                space = after
            return in_a_row(build, pieces, name)

        view = "and a layer behind it" if self.rank == 2 else "on a view of the data"
        build.note(layer, f"{self.name} by {self.tool.class_name} {view}")
        return each_shape(build, layer, make)


class _Padding(_AxisWise):
    tool = PAD

    def normalize(self, config: Config, dialect: str) -> None:
        data_format(config)
        padding = config.get("padding", 1)
        if self.rank == 1:
            config["padding"] = numbers(padding, 2, "padding", lowest=0)
        else:
            config["padding"] = pairs(padding, self.rank, "padding")

    def resize(self, size: int, value: Any) -> int:
        return int(size + value[0] + value[1])

    def changed(self, build: Lowering, x: Value, values: dict[int, Any]) -> Value:
        return pad(build, x, [values.get(axis, (0, 0)) for axis in range(self.rank + 2)])


class ZeroPadding1D(_Padding):
    name = "ZeroPadding1D"
    rank = 1


class ZeroPadding2D(_Padding):
    name = "ZeroPadding2D"
    rank = 2


class ZeroPadding3D(_Padding):
    name = "ZeroPadding3D"
    rank = 3


class _Cropping(_AxisWise):
    tool = CROP

    def normalize(self, config: Config, dialect: str) -> None:
        if self.rank == 1:
            # The only one of these that knows no channels_first.
            config["cropping"] = numbers(config.get("cropping", 1), 2, "cropping", lowest=0)
        else:
            data_format(config)
            config["cropping"] = pairs(config.get("cropping", 0), self.rank, "cropping")

    def resize(self, size: int, value: Any) -> int:
        return max(0, int(size - value[0] - value[1]))

    def changed(self, build: Lowering, x: Value, values: dict[int, Any]) -> Value:
        return cut(build, x, {axis: (pair[0], pair[1]) for axis, pair in values.items()})

    def forgets(self, layer: Layer, build: Builder) -> bool:
        spaces = [Space.of(shape, 2, layer.config) for shape in shapes_in(build, layer)]
        return any(space is not None and None in space.sizes for space in spaces)


class Cropping1D(_Cropping):
    name = "Cropping1D"
    rank = 1


class Cropping2D(_Cropping):
    name = "Cropping2D"
    rank = 2


class Cropping3D(_Cropping):
    name = "Cropping3D"
    rank = 3


class _UpSampling(_AxisWise):
    tool = REPEAT

    def normalize(self, config: Config, dialect: str) -> None:
        if self.rank == 1:
            size = config.get("size", 2)
            config["size"] = number(size[0] if isinstance(size, list | tuple) else size, "size")
        else:
            data_format(config)
            config["size"] = numbers(config.get("size", 2), self.rank, "size")

    def resize(self, size: int, value: Any) -> int:
        return int(size * value)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        x, counts = build.inputs[0], [int(value) for value in self.values(layer)]
        check_rank(build, x, self.rank + 2)
        first = is_first(layer.config)
        return [with_channels_last(build, x, first, lambda value: repeated(build, value, counts))]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        factors = [_factors(value) for value in self.values(layer)]
        if max(map(len, factors)) <= 1:
            return super().legalize(layer, build)
        stages = [list(stage) for stage in zip_longest(*factors, fillvalue=1)]
        if any(value > _MOST_REPEATS for stage in stages for value in stage):
            return build.refuse(
                layer,
                f"it repeats more than {_MOST_REPEATS} times, where TF.js may take a neighbour's "
                "value, and the number has no small enough factors",
            )
        return self.in_stages(layer, build, stages)


def _factors(repeats: int) -> list[int]:
    """Repetitions that come to the same one after the other, small ones where there are."""
    if repeats <= _MOST_REPEATS or repeats & (repeats - 1) == 0:
        return [repeats]
    for factor in range(_MOST_REPEATS, 1, -1):
        if repeats % factor == 0:
            return [factor, *_factors(repeats // factor)]
    return [repeats, 1]


class UpSampling1D(_UpSampling):
    name = "UpSampling1D"
    rank = 1


class UpSampling2D(_UpSampling):
    name = "UpSampling2D"
    rank = 2

    def normalize(self, config: Config, dialect: str) -> None:
        super().normalize(config, dialect)
        word(config, "interpolation", sorted(METHODS), "nearest")
        if dialect == "tfjs" and config["interpolation"] == "bilinear":
            # TF.js takes pixels to begin where they lie, Keras has their centres there.
            config["half_pixel_centers"] = False

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        if layer.config.get("half_pixel_centers") is False:
            return build.keep(layer, {"half_pixel_centers": ...})
        if layer.config["interpolation"] == "nearest":
            return super().legalize(layer, build)
        method, layout = layer.config["interpolation"], layer.config["data_format"]
        if all(value == 1 for value in self.values(layer)):
            return build.drop(layer, "UpSampling2D that changes nothing left out")

        def make(shape: Shape | None, name: str | None) -> Apply | str:
            space = Space.of(shape, self.rank, layer.config)
            if shape is None or space is None or None in space.sizes:
                return (
                    f"the size of its input is unknown; TF.js computes {method} interpolation half "
                    "a pixel off, and what computes it exactly needs the size"
                )
            height, width = (size or 0 for size in self._after(space, self.values(layer)).sizes)
            old = [size or 0 for size in space.sizes]
            if not (fits([old[0], height]) and fits([old[1], width])):
                return "its images are too large for the matrices that resize them"
            return build.chain(
                *resize_steps(build, shape, height, width, method, layout, name=name)
            )

        build.note(layer, f"{method} interpolation as products with constant matrices")
        return each_shape(build, layer, make)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        config, x = layer.config, build.floats(build.inputs[0])
        check_rank(build, x, self.rank + 2)
        factors = self.values(layer)
        half = config.get("half_pixel_centers") is not False

        def change(value: Value) -> Value:
            method = config["interpolation"]
            return scaled_up(build, value, factors, method, half_pixel=half)

        return [with_channels_last(build, x, is_first(config), change)]


class UpSampling3D(_UpSampling):
    name = "UpSampling3D"
    rank = 3
