"""What the layers over space share: windows in their configuration, sizes and their arithmetic.

Convolution, pooling, padding and upsampling have one to three axes of space, with the channels
behind them or, with `channels_first`, before them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tfjs.ir.layers_model import Config, Layer, TensorRef
from tfjs.layers.base import Apply, Shape

if TYPE_CHECKING:
    from tfjs.layers.legalize import Builder

Size = int | None
HIGHEST = 2**63 - 1  # sizes are int64 in TensorFlow


# Configuration -------------------------------------------------------------------------------


def number(value: Any, what: str, lowest: int = 1) -> int:
    """A whole number of a configuration.

    Raises:
        ValueError: it is none, below `lowest`, or larger than any size can be.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not lowest <= value <= HIGHEST:
        raise ValueError(f"{what} is {value!r}, a whole number from {lowest} on was expected")
    return value


def numbers(value: Any, count: int, what: str, lowest: int = 1) -> list[int]:
    """A number for each axis, from one number for all or from a list."""
    items = list(value) if isinstance(value, list | tuple) else [value] * count
    if len(items) != count:
        raise ValueError(f"{what} is {value!r}, {count} numbers were expected")
    return [number(item, what, lowest) for item in items]


def pairs(value: Any, count: int, what: str) -> list[list[int]]:
    """Two numbers for each axis: from one for all, one an axis, or two an axis."""
    items = list(value) if isinstance(value, list | tuple) else [value] * count
    if len(items) != count:
        raise ValueError(f"{what} is {value!r}, {count} pairs were expected")
    return [numbers(item, 2, what, lowest=0) for item in items]


def word(config: Config, key: str, allowed: Sequence[str], default: str) -> None:
    """Bring one of a few words into lower case, in place; a missing one into the default."""
    value = config.get(key)
    found = value.lower() if isinstance(value, str) else value
    config[key] = default if found is None else found
    if config[key] not in allowed:
        raise ValueError(f"{key} is {value!r}, one of {', '.join(allowed)} was expected")


def data_format(config: Config) -> None:
    """Fill in where the channels are, in place."""
    word(config, "data_format", ("channels_last", "channels_first"), "channels_last")


def is_first(config: Config) -> bool:
    """Whether the channels come before the axes of space."""
    return bool(config.get("data_format") == "channels_first")


# Sizes ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Space:
    """A shape taken apart.

    Attributes:
        batch: the batch's size.
        sizes: of the axes of space.
        channels: how many.
        first: whether the channels come before the space.
    """

    batch: Size
    sizes: tuple[Size, ...]
    channels: Size
    first: bool = False

    @classmethod
    def of(cls, shape: Shape | None, rank: int, config: Config) -> Space | None:
        """Take a shape apart; None where it is unknown or has not `rank` axes of space."""
        if shape is None or len(shape) != rank + 2:
            return None
        first = is_first(config)
        sizes, channels = (shape[2:], shape[1]) if first else (shape[1:-1], shape[-1])
        return cls(shape[0], tuple(sizes), channels, first)

    def resized(self, sizes: Sequence[Size]) -> Space:
        """Another extent."""
        return replace(self, sizes=tuple(sizes))

    def recoloured(self, channels: Size) -> Space:
        """Another number of channels."""
        return replace(self, channels=channels)

    def moved(self, *, first: bool) -> Space:
        """The channels elsewhere."""
        return replace(self, first=first)

    def inner(self) -> list[Size]:
        """All sizes but the batch's, in the order of the shape."""
        sizes = list(self.sizes)
        return [self.channels, *sizes] if self.first else [*sizes, self.channels]

    def shape(self) -> Shape:
        """The shape."""
        return (self.batch, *self.inner())


def product(sizes: Sequence[Size]) -> Size:
    """How many elements; None where a size is unknown."""
    found = 1
    for size in sizes:
        if size is None:
            return None
        found *= size
    return found


def window_length(size: Size, window: int, stride: int, padding: str) -> Size:
    """How many windows fit along an axis; `window` counts its gaps too."""
    if size is None:
        return None
    # In whole numbers, rounded up: sizes that damaged files state may be too large for a float.
    if padding == "valid":
        return max(0, -((window - 1 - size) // stride))
    return -(-size // stride)


def dilated(window: int, dilation: int) -> int:
    """Extent of a window with gaps."""
    return (window - 1) * dilation + 1


# Layers --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Piece:
    """A layer that a rewrite puts before or behind another."""

    class_name: str
    config: Config
    suffix: str

    def make(self, build: Builder, name: str | None = None) -> Layer:
        """Build it; `name` where it takes the rewritten layer's."""
        return build.new(self.class_name, dict(self.config), suffix=self.suffix, name=name)


def reshape(sizes: Sequence[Size], suffix: str) -> Piece:
    """A Reshape; one of the sizes (the batch is not among them) may be unknown."""
    return Piece("Reshape", {"target_shape": [-1 if n is None else n for n in sizes]}, suffix)


def permute(dims: Sequence[int], suffix: str) -> Piece:
    """A Permute; axes count from 1."""
    return Piece("Permute", {"dims": list(dims)}, suffix)


def permute_to_last(rank: int) -> Piece:
    """Channels from before the space to behind it."""
    return permute([*range(2, rank + 2), 1], "channels_last")


def permute_to_first(rank: int) -> Piece:
    """Channels from behind the space to before it."""
    return permute([rank + 1, *range(1, rank + 1)], "channels_first")


def each_shape(
    build: Builder, layer: Layer, make: Callable[[Shape | None, str | None], Apply | str]
) -> Apply:
    """New layers instead of a layer without weights, made for each shape that it is called on.

    Args:
        build: the builder.
        layer: the layer.
        make: what makes them for one shape of the first input, the last under the given name
            where there is one; or why there are none.
    """
    applies: dict[Shape | None, Apply] = {}
    for shape in shapes_in(build, layer):
        if shape not in applies:
            made = make(shape, None if applies else layer.name)
            if isinstance(made, str):
                return build.refuse(layer, made)
            applies[shape] = made
    return by_shape(build, layer, applies)


def by_shape(build: Builder, layer: Layer, applies: Mapping[Shape | None, Apply]) -> Apply:
    """Apply what fits the shape of the call that is being made."""
    if len(applies) == 1:
        return next(iter(applies.values()))

    def call(tensors: list[TensorRef]) -> list[TensorRef]:
        return applies[shapes_in(build, layer)[build.call]](tensors)

    return call


def shapes_in(build: Builder, layer: Layer) -> list[Shape | None]:
    """The shape of the first input of each call."""
    calls = range(len(layer.calls))
    return [next(iter(build.input_shapes(layer, call)), None) for call in calls]


def in_a_row(build: Builder, pieces: Sequence[Piece], name: str | None = None) -> Apply:
    """New layers one after the other; the last bears the name."""
    last = len(pieces) - 1
    made = [piece.make(build, name if at == last else None) for at, piece in enumerate(pieces)]
    return build.chain(*made)
