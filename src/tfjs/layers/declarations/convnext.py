"""The layers that `keras.applications.ConvNeXt...` brings with it, which Keras does not publish.

Source: keras/src/applications/convnext.py; tf_keras has the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tfjs.ir.layers_model import Config, Layer
from tfjs.layers.base import Apply, LayerSpec, Shape, Slot
from tfjs.layers.declarations.compose import (
    can_flatten,
    check_numbers,
    derived,
    flat_sizes,
    reshape,
    weight_of,
)
from tfjs.layers.declarations.regularization import LEFT_OUT
from tfjs.layers.declarations.space import number

if TYPE_CHECKING:
    from tfjs.ir.graph import Value
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

_MODULE = ".applications.convnext"
_RANK_OF_IMAGES = 4


class _OfConvNeXt(LayerSpec):
    """A class whose name users give to their own as well."""

    keys: ClassVar[frozenset[str]]

    def owns(self, layer: Layer) -> bool:
        if layer.module is None:
            # HDF5 files tell no module, and no name under which a class is registered.
            return layer.registered_name is None and self.keys <= layer.config.keys()
        return layer.module.endswith(_MODULE)


class LayerScale(_OfConvNeXt):
    """`x * gamma`, one factor a channel."""

    name = "LayerScale"
    keys: ClassVar[frozenset[str]] = frozenset({"init_values", "projection_dim"})
    inert: ClassVar[frozenset[str]] = frozenset({"init_values"})

    def normalize(self, config: Config, dialect: str) -> None:
        config["projection_dim"] = number(config["projection_dim"], "projection_dim")
        check_numbers(config, "init_values")

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        return [Slot("gamma", (layer.config["projection_dim"],))]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        """A depthwise convolution of single pixels: its kernel is trained as gamma is."""
        shape, size = build.input_shape(layer), layer.config["projection_dim"]
        if shape is None or shape[-1] != size:
            return build.refuse(layer, f"the last axis of its input is not known to be {size}")
        images = len(shape) == _RANK_OF_IMAGES
        if not images and not can_flatten(shape, [len(shape) - 1]):
            return build.refuse(layer, "several sizes of its input are unknown")
        build.note(layer, "LayerScale as DepthwiseConv2D of single pixels")
        kernel = derived(
            weight_of(layer, "gamma"),
            "kernel",
            [1, 1, size, 1],
            lambda gamma: np.reshape(gamma, (1, 1, size, 1)),
        )
        config = {
            "kernel_size": [1, 1],
            "strides": [1, 1],
            "padding": "valid",
            "depth_multiplier": 1,
            "data_format": "channels_last",
            "dilation_rate": [1, 1],
            "activation": "linear",
            "use_bias": False,
        }
        name = layer.name if images else None
        scaled = build.new("DepthwiseConv2D", config, suffix="scale", name=name, weights=[kernel])
        if images:
            return build.apply(scaled)
        outer = flat_sizes(shape, [len(shape) - 1])[:-1] or [1]
        there = reshape(build, [*outer, 1, size])
        return build.chain(there, scaled, reshape(build, shape[1:], name=layer.name))

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return [build.op("Mul", build.floats(build.inputs[0]), build.weight("gamma"))]


class StochasticDepth(_OfConvNeXt):
    """Drops whole branches in training."""

    name = "StochasticDepth"
    keys: ClassVar[frozenset[str]] = frozenset({"drop_path_rate"})
    inert: ClassVar[frozenset[str]] = frozenset({"drop_path_rate"})

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        return build.drop(layer, LEFT_OUT)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return build.inputs[:1]
