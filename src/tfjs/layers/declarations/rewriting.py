"""A convolution on its way into TF.js's terms: its class, kernels and surroundings change in steps.

Each step leaves what it computes alone. The layer with the weights keeps its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tfjs.ir.layers_model import Config, Layer, Weight
from tfjs.layers.base import Apply
from tfjs.layers.declarations import kernels
from tfjs.layers.declarations.activations import split_activation
from tfjs.layers.declarations.compose import activate
from tfjs.layers.declarations.space import (
    Piece,
    Size,
    Space,
    is_first,
    permute_to_first,
    permute_to_last,
    reshape,
)

if TYPE_CHECKING:
    from tfjs.layers.legalize import Builder

# Activations that look along the last axis, so that it matters which axis is the last.
_ALONG_AXIS = frozenset({"softmax", "log_softmax"})


class Rewriting:
    """A convolution that is being rewritten.

    Attributes:
        class_name: TF.js's class for it, so far.
        config: its configuration, so far; keys that are deleted are not written.
        weights: its weights by name, so far.
        before: layers that go before it.
        behind: layers that go behind it.
        space: what goes into the layer itself.
        outcome: what comes out of all.
    """

    def __init__(self, layer: Layer, build: Builder, space: Space, outcome: Space) -> None:
        self.layer = layer
        self.build = build
        self.class_name = layer.class_name
        self.config: Config = dict(layer.config)
        self.weights = {weight.name: weight for weight in layer.weights}
        self.before: list[Piece] = []
        self.behind: list[Piece] = []
        self.space = space
        self.outcome = outcome

    def note(self, what: str) -> None:
        """Record the rewrite."""
        self.build.note(self.layer, what)

    def numbers(self, key: str) -> list[int]:
        """A list of the configuration."""
        return list(self.config[key])

    def change(self, name: str, how: Callable[[Weight], Weight]) -> None:
        """Change a weight, where the model has weights."""
        if name in self.weights:
            self.weights[name] = how(self.weights[name])

    def channels_last(self) -> None:
        """Bring the channels behind the space around a layer that can do nothing else."""
        if not is_first(self.config):
            return
        rank = len(self.space.sizes)
        self.before.append(permute_to_last(rank))
        self.behind.append(permute_to_first(rank))
        self.config["data_format"] = "channels_last"
        self.space = self.space.moved(first=False)
        self.outcome = self.outcome.moved(first=False)
        self.note("channels_first by a Permute before and behind")

    def causal(self) -> None:
        """Zeros before the first step instead of `causal` padding; along one axis."""
        if self.config["padding"] != "causal":
            return
        extent = (self.numbers("kernel_size")[0] - 1) * self.numbers("dilation_rate")[0]
        length, *rest = self.space.inner()
        padded = None if length is None else length + extent
        self.config["padding"] = "valid"
        if extent:
            pad = {"padding": [[extent, 0], [0, 0]], "data_format": "channels_last"}
            self.before += [
                reshape([length, 1, *rest], "rows"),
                Piece("ZeroPadding2D", pad, "pad"),
                reshape([padded, *rest], "steps"),
            ]
            self.space = self.space.resized([padded])
        self.note("causal padding as zeros put before the first step")

    def as_image(self, class_name: str, kernel_names: Sequence[str], stride: int) -> None:
        """A layer over one axis as one over two, the second of size 1.

        Args:
            class_name: TF.js's class for it.
            kernel_names: the weights that get the axis too.
            stride: along the new axis.
        """
        length, channels = self.space.inner()
        if self.before and self.before[-1].suffix == "steps":
            self.before.pop()
        else:
            self.before.append(reshape([length, 1, channels], "rows"))
        out_length, out_channels = self.outcome.inner()
        self.behind.insert(0, reshape([out_length, out_channels], "steps"))
        self.class_name = class_name
        self.config["kernel_size"] = [*self.numbers("kernel_size"), 1]
        self.config["strides"] = [*self.numbers("strides"), stride]
        self.config["dilation_rate"] = [*self.numbers("dilation_rate"), 1]
        self.config["data_format"] = "channels_last"
        for name in kernel_names:
            self.change(name, _with_width)
        self.note(f"{self.layer.class_name} as {class_name} on one column")

    def spread(self, name: str, after: Sequence[int] | None = None) -> bool:
        """Put zeros into the gaps of a dilated kernel, and `after` behind it along each axis.

        Returns:
            Whether the kernel is small enough for it.
        """
        sizes, dilation = self.numbers("kernel_size"), self.numbers("dilation_rate")
        more = list(after or [0] * len(sizes))
        if name in self.weights:
            old = self.weights[name].tensor.shape
            if not kernels.fits(kernels.spread_shape(old, dilation, more)):
                return False
        self.change(name, lambda weight: kernels.spread(weight, dilation, more))
        self.config["kernel_size"] = list(kernels.spread_shape(sizes, dilation, more))
        self.config["dilation_rate"] = [1] * len(sizes)
        return True

    def apply(self) -> Apply:
        """Build it all."""
        layer, build = self.layer, self.build
        changes, activation = split_activation(layer, build)
        late = []
        if self.behind and is_first(layer.config) and layer.config["activation"] in _ALONG_AXIS:
            changes, late = {"activation": "linear"}, [layer.config["activation"]]
        gone = {key: ... for key in layer.config if key not in self.config}
        first = [piece.make(build) for piece in self.before]
        kept = build.keep(
            layer,
            {**self.config, **gone, **changes},
            class_name=self.class_name,
            weights=list(self.weights.values()),
        )
        last = [piece.make(build) for piece in self.behind]
        last += [activate(build, name) for name in late]
        return build.chain(*first, kept, *last, *([activation] if activation else []))


def _with_width(weight: Weight) -> Weight:
    length, *rest = weight.tensor.shape
    return kernels.reshaped(weight, (length, 1, *rest))


def spaces(
    layer: Layer, rank: int, shape: Sequence[Size] | None, outcome: Sequence[Size] | None
) -> tuple[Space, Space] | None:
    """What goes in and comes out, taken apart; None where that cannot be known."""
    before = Space.of(None if shape is None else tuple(shape), rank, layer.config)
    after = Space.of(None if outcome is None else tuple(outcome), rank, layer.config)
    if before is None or after is None or before.channels is None or after.channels is None:
        return None
    return before, after
