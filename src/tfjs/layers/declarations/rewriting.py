"""A convolution on its way into TF.js's terms: its class, kernels and surroundings change in steps.

Each step leaves what it computes alone. The layer with the weights keeps its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from tfjs.ir.layers_model import Config, Layer, Weight
from tfjs.layers.base import Apply, Shape
from tfjs.layers.declarations import kernels
from tfjs.layers.declarations.activations import split_activation
from tfjs.layers.declarations.compose import activate
from tfjs.layers.declarations.space import (
    Piece,
    Space,
    by_shape,
    in_a_row,
    is_first,
    permute_to_first,
    permute_to_last,
    reshape,
)

if TYPE_CHECKING:
    from tfjs.layers.legalize import Builder

# Activations that look along the last axis, so that it matters which axis is the last.
ALONG_AXIS = frozenset({"softmax", "log_softmax"})


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
        notes: what was changed, in words.
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
        self.notes: dict[str, None] = {}

    def note(self, what: str) -> None:
        """Record the rewrite."""
        self.notes[what] = None

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


def apply_all(forms: Mapping[Shape | None, Rewriting]) -> Apply:
    """Build a layer that was rewritten for each shape that it is called on.

    Args:
        forms: by shape; they differ in what goes before and behind alone.
    """
    form = next(iter(forms.values()))
    layer, build = form.layer, form.build
    for note in form.notes:
        build.note(layer, note)
    changes, activation = split_activation(layer, build)
    late = []
    if form.behind and is_first(layer.config) and str(layer.config["activation"]) in ALONG_AXIS:
        changes, late = {"activation": "linear"}, [layer.config["activation"]]
    gone = {key: ... for key in layer.config if key not in form.config}
    first = {shape: in_a_row(build, each.before) for shape, each in forms.items()}
    kept = build.keep(
        layer,
        {**form.config, **gone, **changes},
        class_name=form.class_name,
        weights=list(form.weights.values()),
    )
    last = {shape: in_a_row(build, each.behind) for shape, each in forms.items()}
    applies = {shape: build.chain(first[shape], kept, last[shape]) for shape in forms}
    steps = [activate(build, name) for name in late]
    after = [] if activation is None else [activation]
    return build.chain(by_shape(build, layer, applies), *steps, *after)


def _with_width(weight: Weight) -> Weight:
    length, *rest = weight.tensor.shape
    return kernels.reshaped(weight, (length, 1, *rest))


def spaces(
    layer: Layer, rank: int, shape: Shape | None, outcome: Shape | None
) -> tuple[Space, Space] | None:
    """What goes in and comes out, taken apart; None where that cannot be known."""
    before = Space.of(shape, rank, layer.config)
    after = Space.of(outcome, rank, layer.config)
    if before is None or after is None or before.channels is None or after.channels is None:
        return None
    return before, after
