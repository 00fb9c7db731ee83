"""Noise, dropout and penalties: they act in training only."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tfjs.ir.layers_model import Config, Layer
from tfjs.layers.base import Apply, LayerSpec
from tfjs.layers.declarations.compose import check_numbers

if TYPE_CHECKING:
    from tfjs.ir.graph import Value
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

LEFT_OUT = "left out: identity in inference"
# How tf.keras draws its random numbers.
_DRAWING = frozenset({"force_generator", "rng_type"})


class _Kept(LayerSpec):
    """Noise that TF.js has; it is kept for training in the browser."""

    supports_masking = True
    inert: ClassVar[frozenset[str]] = _DRAWING

    def normalize(self, config: Config, dialect: str) -> None:
        check_numbers(config, "rate", "stddev")

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        seed = layer.config.get("seed")
        changes: Config = {} if seed is None or isinstance(seed, int) else {"seed": ...}
        return build.keep(layer, changes)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return build.inputs[:1]


class Dropout(_Kept):
    name = "Dropout"


class AlphaDropout(_Kept):
    name = "AlphaDropout"


class GaussianDropout(_Kept):
    name = "GaussianDropout"


class GaussianNoise(_Kept):
    name = "GaussianNoise"


class SpatialDropout1D(_Kept):
    name = "SpatialDropout1D"


class _LeftOut(LayerSpec):
    """What TF.js lacks, and what inference does not need."""

    supports_masking = True
    inert: ClassVar[frozenset[str]] = _DRAWING

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        return build.drop(layer, LEFT_OUT)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return build.inputs[:1]


class SpatialDropout2D(_LeftOut):
    name = "SpatialDropout2D"


class SpatialDropout3D(_LeftOut):
    name = "SpatialDropout3D"


class ActivityRegularization(_LeftOut):
    name = "ActivityRegularization"
