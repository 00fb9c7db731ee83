"""Pooling: over windows, over all of the space, and to a given size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tfjs.ir.layers_model import Config, Layer
from tfjs.ir.tensor import Array
from tfjs.layers.base import Apply, LayerSpec, Shape
from tfjs.layers.declarations.interpolation import matrix_steps
from tfjs.layers.declarations.kernels import fits
from tfjs.layers.declarations.pooling_graph import (
    mean_matrix,
    pooled,
    pooled_globally,
    pooled_to_size,
    window_of,
)
from tfjs.layers.declarations.space import (
    Piece,
    Size,
    Space,
    data_format,
    each_shape,
    in_a_row,
    is_first,
    numbers,
    permute_to_first,
    permute_to_last,
    reshape,
    window_length,
    word,
)

if TYPE_CHECKING:
    from tfjs.ir.graph import Value
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

_TOO_MANY = "its windows differ in size, and are too many to spell out"
_WASM = "MaxPooling3D takes negative values for 0 on the wasm backend of TF.js 4.22"


# Over windows --------------------------------------------------------------------------------


class _Pooling(LayerSpec):
    rank: ClassVar[int] = 0
    kind: ClassVar[str] = ""

    def normalize(self, config: Config, dialect: str) -> None:
        pool_size = config.get("pool_size")
        config["pool_size"] = numbers(2 if pool_size is None else pool_size, self.rank, "pool_size")
        strides = config.get("strides")
        value = config["pool_size"] if strides is None else strides
        config["strides"] = numbers(value, self.rank, "strides")
        word(config, "padding", ("valid", "same"), "valid")
        data_format(config)

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        config = layer.config
        space = Space.of(inputs[0] if inputs else None, self.rank, config)
        if space is None:
            return [None]
        windows = zip(space.sizes, config["pool_size"], config["strides"], strict=True)
        sizes = [
            window_length(size, window, stride, config["padding"])
            for size, window, stride in windows
        ]
        return [space.resized(sizes).shape()]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        if self.rank == 1 and is_first(layer.config):
            build.note(layer, "channels_first by a Permute before and behind")
            config = {key: layer.config[key] for key in ("pool_size", "strides", "padding")}
            pool = Piece(self.name, config, "pool")
            pieces = [permute_to_last(1), pool, permute_to_first(1)]
            return in_a_row(build, pieces, layer.name)
        return build.keep(layer)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return [pooled(build, self.rank, self.kind)]


class _Pooling3D(_Pooling):
    rank = 3

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        """As it is, but where TF.js would pad by less than 0: there, nothing is to be padded."""
        config = layer.config
        wide = zip(config["strides"], config["pool_size"], strict=True)
        if config["padding"] == "valid" or all(stride <= window for stride, window in wide):
            return super().legalize(layer, build)

        def make(shape: Shape | None, name: str | None) -> Apply | str:
            space = Space.of(shape, self.rank, config)
            padded = None if space is None else _padded_axes(config, space.sizes)
            if padded is None:
                return (
                    "its strides are greater than its windows and the size of its input is "
                    "unknown: TF.js pads that otherwise"
                )
            pieces = [self._along(config, padded, "same")] if any(padded) else []
            unpadded = [not pads for pads in padded]
            return in_a_row(build, [*pieces, self._along(config, unpadded, "valid")], name)

        build.note(layer, "pooling without padding, where TF.js would pad by less than 0")
        return each_shape(build, layer, make)

    def _along(self, config: Config, axes: Sequence[bool], padding: str) -> Piece:
        """The pooling along some axes; pooling along the others comes before or after."""
        changes = {
            key: [value if here else 1 for value, here in zip(config[key], axes, strict=True)]
            for key in ("pool_size", "strides")
        }
        kept = {"data_format": config["data_format"], "padding": padding}
        return Piece(self.name, {**changes, **kept}, "pool")


def _padded_axes(config: Config, sizes: Sequence[Size]) -> list[bool] | None:
    """Which axes need padding for all of their windows; None where a size is unknown."""
    found = []
    for size, window, stride in zip(sizes, config["pool_size"], config["strides"], strict=True):
        if stride <= window:
            found.append(True)
        elif size is None:
            return None
        else:
            found.append((-(-size // stride) - 1) * stride + window > size)
    return found


class MaxPooling1D(_Pooling):
    name = "MaxPooling1D"
    aliases = ("MaxPool1D",)
    rank = 1
    kind = "Max"


class MaxPooling2D(_Pooling):
    name = "MaxPooling2D"
    aliases = ("MaxPool2D",)
    rank = 2
    kind = "Max"


class MaxPooling3D(_Pooling3D):
    name = "MaxPooling3D"
    aliases = ("MaxPool3D",)
    kind = "Max"

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        build.warn(_WASM)
        return super().legalize(layer, build)


class AveragePooling1D(_Pooling):
    name = "AveragePooling1D"
    aliases = ("AvgPool1D",)
    rank = 1
    kind = "Average"


class AveragePooling2D(_Pooling):
    name = "AveragePooling2D"
    aliases = ("AvgPool2D",)
    rank = 2
    kind = "Average"


class AveragePooling3D(_Pooling3D):
    name = "AveragePooling3D"
    aliases = ("AvgPool3D",)
    kind = "Average"


# Over all of the space -----------------------------------------------------------------------


class _GlobalPooling(LayerSpec):
    rank: ClassVar[int] = 0
    kind: ClassVar[str] = ""

    def normalize(self, config: Config, dialect: str) -> None:
        data_format(config)
        config["keepdims"] = bool(config.get("keepdims", False))

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        space = Space.of(inputs[0] if inputs else None, self.rank, layer.config)
        if space is None:
            return [None]
        if layer.config["keepdims"]:
            return [space.resized([1] * self.rank).shape()]
        return [(space.batch, space.channels)]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        config, first = layer.config, is_first(layer.config)
        if not config["keepdims"] and (self.rank == 2 or (self.rank == 1 and not first)):
            return build.keep(layer)

        def make(shape: Shape | None, name: str | None) -> Apply | str:
            space = Space.of(shape, self.rank, config)
            if space is None or space.channels is None:
                return "the number of its channels is unknown"
            pieces = self._pieces(space)
            if config["keepdims"]:
                pieces.append(reshape(space.resized([1] * self.rank).inner(), "keepdims"))
            return in_a_row(build, pieces, name)

        build.note(layer, f"{self.name} with a Reshape, for what TF.js lacks of it")
        return each_shape(build, layer, make)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return [pooled_globally(build, self.rank, self.kind)]

    def _pieces(self, space: Space) -> list[Piece]:
        """All axes of space are one to a mean or a maximum."""
        layout = "channels_first" if space.first else "channels_last"
        config = {"data_format": layout, "keepdims": False}
        plane = Piece(f"Global{self.kind}Pooling2D", config, "pool")
        if self.rank == 2:
            return [plane]
        if space.first:
            return [reshape([space.channels, None, 1], "flat"), plane]
        flat = [] if self.rank == 1 else [reshape([None, space.channels], "flat")]
        return [*flat, Piece(f"Global{self.kind}Pooling1D", config, "pool")]


class GlobalMaxPooling1D(_GlobalPooling):
    name = "GlobalMaxPooling1D"
    aliases = ("GlobalMaxPool1D",)
    rank = 1
    kind = "Max"


class GlobalMaxPooling2D(_GlobalPooling):
    name = "GlobalMaxPooling2D"
    aliases = ("GlobalMaxPool2D",)
    rank = 2
    kind = "Max"


class GlobalMaxPooling3D(_GlobalPooling):
    name = "GlobalMaxPooling3D"
    aliases = ("GlobalMaxPool3D",)
    rank = 3
    kind = "Max"


class GlobalAveragePooling1D(_GlobalPooling):
    name = "GlobalAveragePooling1D"
    aliases = ("GlobalAvgPool1D",)
    rank = 1
    kind = "Average"
    uses_mask = True


class GlobalAveragePooling2D(_GlobalPooling):
    name = "GlobalAveragePooling2D"
    aliases = ("GlobalAvgPool2D",)
    rank = 2
    kind = "Average"


class GlobalAveragePooling3D(_GlobalPooling):
    name = "GlobalAveragePooling3D"
    aliases = ("GlobalAvgPool3D",)
    rank = 3
    kind = "Average"


# To a given size -----------------------------------------------------------------------------


class _AdaptivePooling(LayerSpec):
    """Windows of almost one size, spread over an axis so that a given number comes out."""

    rank: ClassVar[int] = 0
    kind: ClassVar[str] = ""

    def normalize(self, config: Config, dialect: str) -> None:
        config["output_size"] = numbers(config["output_size"], self.rank, "output_size")
        data_format(config)

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        space = Space.of(inputs[0] if inputs else None, self.rank, layer.config)
        return [None if space is None else space.resized(layer.config["output_size"]).shape()]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        def make(shape: Shape | None, name: str | None) -> Apply | str:
            space = Space.of(shape, self.rank, layer.config)
            if shape is None or space is None or None in space.sizes:
                return "the size of its input is unknown, which its windows need"
            if 0 in space.sizes:
                return "its input is empty"
            sizes, wanted = [size or 0 for size in space.sizes], layer.config["output_size"]
            if any(old % new for old, new in zip(sizes, wanted, strict=True)):
                return self._by_matrices(layer, build, sizes, name)
            windows = [old // new for old, new in zip(sizes, wanted, strict=True)]
            return in_a_row(build, self._pooling(layer, windows), name)

        build.note(layer, f"{self.name} as pooling of windows, spelled out where they differ")
        return each_shape(build, layer, make)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return [pooled_to_size(build, self.rank, self.kind)]

    def _pooling(self, layer: Layer, windows: list[int]) -> list[Piece]:
        config = {"pool_size": windows, "strides": windows, "padding": "valid"}
        if self.rank == 1:
            pool = Piece(f"{self.kind}Pooling1D", config, "pool")
            if not is_first(layer.config):
                return [pool]
            return [permute_to_last(1), pool, permute_to_first(1)]
        config["data_format"] = layer.config["data_format"]
        return [Piece(f"{self.kind}Pooling{self.rank}D", config, "pool")]

    def _by_matrices(
        self, layer: Layer, build: Builder, sizes: Sequence[int], name: str | None
    ) -> Apply | str:
        """Means are products with a matrix; for maxima, one spreads the windows out."""
        wanted = layer.config["output_size"]
        start = 2 if is_first(layer.config) else 1
        averages = self.kind == "Average"
        if not all(fits(both) for both in zip(sizes, wanted, strict=True)):
            return _TOO_MANY
        widths = [1 if averages else _widest(*both) for both in zip(sizes, wanted, strict=True)]
        if not all(fits(each) for each in zip(sizes, wanted, widths, strict=True)):
            return _TOO_MANY
        matrices = {
            start + axis: mean_matrix(*both) if averages else _spread_matrix(*both)
            for axis, both in enumerate(zip(sizes, wanted, strict=True))
        }
        rank = self.rank + 2
        if averages:
            return build.chain(*matrix_steps(build, rank, matrices, suffix="window", name=name))
        steps = matrix_steps(build, rank, matrices, suffix="window")
        return build.chain(*steps, in_a_row(build, self._pooling(layer, widths), name))


def _widest(size: int, count: int) -> int:
    windows = [window_of(size, count, at) for at in range(count)]
    return max(int(window.stop - window.start) for window in windows)


def _spread_matrix(size: int, count: int) -> Array:
    """[size, count * widest]: the windows side by side, short ones with their last again."""
    width = _widest(size, count)
    matrix = np.zeros((size, count * width), np.float32)
    for at in range(count):
        window = window_of(size, count, at)
        for offset in range(width):
            matrix[min(window.start + offset, window.stop - 1), at * width + offset] = 1.0
    return matrix


class AdaptiveMaxPooling1D(_AdaptivePooling):
    name = "AdaptiveMaxPooling1D"
    rank = 1
    kind = "Max"


class AdaptiveMaxPooling2D(_AdaptivePooling):
    name = "AdaptiveMaxPooling2D"
    rank = 2
    kind = "Max"


class AdaptiveMaxPooling3D(_AdaptivePooling):
    name = "AdaptiveMaxPooling3D"
    rank = 3
    kind = "Max"


class AdaptiveAveragePooling1D(_AdaptivePooling):
    name = "AdaptiveAveragePooling1D"
    rank = 1
    kind = "Average"


class AdaptiveAveragePooling2D(_AdaptivePooling):
    name = "AdaptiveAveragePooling2D"
    rank = 2
    kind = "Average"


class AdaptiveAveragePooling3D(_AdaptivePooling):
    name = "AdaptiveAveragePooling3D"
    rank = 3
    kind = "Average"
