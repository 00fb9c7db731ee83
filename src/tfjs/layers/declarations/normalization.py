"""Layers that normalise: over the batch, over features, over groups, to unit length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfjs.errors import CorruptFileError
from tfjs.ir.layers_model import Config, Layer, Weight
from tfjs.layers.base import Apply, CannotLower, LayerSpec, Shape, Slot, dim
from tfjs.layers.declarations.compose import (
    Step,
    can_flatten,
    check_axes,
    check_numbers,
    constant,
    derived,
    flat_sizes,
    flattened,
    identity,
    is_flat,
    join,
    reshape,
    scale,
    size_of,
    weight_of,
    with_axis_last,
)
from tfjs.layers.declarations.kernels import fits
from tfjs.layers.declarations.normalization_graph import (
    batch_normalized,
    epsilon_of,
    group_normalized,
    layer_normalized,
    rms_normalized,
    to_unit_length,
)
from tfjs.layers.declarations.space import number
from tfjs.layers.registry import spec_of
from tfjs.layers.shapes import output_shapes

if TYPE_CHECKING:
    from tfjs.ir.graph import Value
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

# TF.js normalises tensors of this rank at most.
_HIGHEST_RANK = 4
_UNKNOWN_SIZES = "the sizes of its input are not known well enough to rewrite it"


def _axes(layer: Layer, rank: int) -> list[int]:
    """The axes of a layer, sorted and counted from the batch (0)."""
    axis = layer.config.get("axis", -1)
    items = axis if isinstance(axis, list | tuple) else [axis]
    if rank and any(not -rank <= item < rank for item in items):
        raise CorruptFileError(f"axis is {axis!r}, but its input has {rank} axes", where=layer.name)
    return sorted({item % rank for item in items}) if rank else []


def _lowered_axes(layer: Layer, build: Lowering) -> list[int]:
    """The axes of the layer in its input, sorted."""
    return _axes(layer, build.rank(build.inputs[0]))


def _size_along(layer: Layer, inputs: Sequence[Shape | None]) -> int | None:
    """Size of the layer's only axis."""
    axis = layer.config.get("axis", -1)
    return None if isinstance(axis, list) else dim(inputs[0] if inputs else None, axis)


def _on_axes(layer: Layer, name: str, shape: Shape | None, **options: Any) -> Slot:
    """A variable with the sizes of the layer's axes."""
    if shape is None:
        axis = layer.config.get("axis", -1)
        count = len(axis) if isinstance(axis, list | tuple) else 1
        return Slot(name, (None,) * count, **options)
    return Slot(name, tuple(shape[axis] for axis in _axes(layer, len(shape))), **options)


def _scale_and_center(layer: Layer, slot: Slot) -> list[Slot]:
    """gamma and beta, where the layer has them."""
    named = [("gamma", "scale"), ("beta", "center")]
    return [Slot(name, slot.shape) for name, key in named if layer.config.get(key, True)]


# The statistics of BatchNormalization, and those that only training with `renorm` uses.
_MOVING = ("moving_mean", "moving_variance")
_OF_RENORM = ("moving_stddev", "renorm_mean", "renorm_stddev")


def _of_statistics(layer: Layer, inputs: Sequence[Shape | None]) -> Shape:
    """Shape of the variables of a BatchNormalization.

    Over several axes, which only Keras 2 has, it is that of the input with 1 for all others.
    """
    axis = layer.config.get("axis", -1)
    if not isinstance(axis, list | tuple):
        return (_size_along(layer, inputs),)
    shape = inputs[0] if inputs else None
    axes = _axes(layer, len(shape or ()))
    return tuple(size if at in axes else 1 for at, size in enumerate(shape or ()))


class BatchNormalization(LayerSpec):
    name = "BatchNormalization"
    aliases = ("BatchNormalizationV1", "BatchNormalizationV2", "SyncBatchNormalization")
    supports_masking = True

    def normalize(self, config: Config, dialect: str) -> None:
        check_axes(config)
        check_numbers(config, "epsilon")

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        shape = _of_statistics(layer, inputs)
        names = [*_MOVING, *(_OF_RENORM if layer.config.get("renorm") else ())]
        moving = [Slot(name, shape, False) for name in names]
        return _scale_and_center(layer, moving[0]) + moving

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        weights = [weight for weight in layer.weights if weight.name not in _OF_RENORM]
        if layer.config.get("renorm"):
            build.note(layer, "renorm left out with its variables: it acts in training only")
        shape, axis = build.input_shape(layer), layer.config.get("axis", -1)
        if isinstance(axis, list | tuple):
            return build.refuse(layer, f"TF.js normalises along one axis, not along {list(axis)}")
        if not shape:
            if axis != -1:
                return build.refuse(layer, _UNKNOWN_SIZES)
            return build.keep(layer, weights=weights)
        rank = len(shape)
        (place,) = _axes(layer, rank)
        if place == rank - 1 and rank <= _HIGHEST_RANK:
            return build.keep(layer, weights=weights)
        if shape[place] is None or (rank > _HIGHEST_RANK and not can_flatten(shape, [place])):
            return build.refuse(layer, _UNKNOWN_SIZES)
        kept = build.keep(layer, {"axis": -1}, weights=weights)
        if rank > _HIGHEST_RANK:
            build.note(layer, "reshaped, since TF.js normalises four axes at most")
            return flattened(build, shape, [place], kept)
        build.note(layer, "its axis moved last, since TF.js computes others wrongly")
        return with_axis_last(build, rank, place, kept)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return [batch_normalized(build, _lowered_axes(layer, build))]


class LayerNormalization(LayerSpec):
    name = "LayerNormalization"
    supports_masking = True

    def normalize(self, config: Config, dialect: str) -> None:
        check_axes(config)
        check_numbers(config, "epsilon")

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        slot = _on_axes(layer, "gamma", inputs[0] if inputs else None)
        if layer.config.get("rms_scaling"):
            return [slot]
        return _scale_and_center(layer, slot)

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        if layer.config.get("rms_scaling"):
            return build.refuse(
                layer, "TF.js has no rms_scaling: RMSNormalization can be rewritten for it"
            )
        shape = build.input_shape(layer)
        plain = {"rms_scaling": ...}
        if shape is None or len(shape) <= _HIGHEST_RANK:
            return build.keep(layer, plain)
        axes = _axes(layer, len(shape))
        if 0 in axes or not can_flatten(shape, axes):
            return build.refuse(layer, _UNKNOWN_SIZES)
        build.note(layer, "reshaped, since TF.js normalises four axes at most")
        size = size_of([shape[axis] for axis in axes])
        weights = [derived(w, w.name, [size], np.ravel) for w in layer.weights]
        kept = build.keep(layer, {**plain, "axis": -1}, weights=weights)
        return flattened(build, shape, axes, kept)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return [layer_normalized(build, _lowered_axes(layer, build))]


class RMSNormalization(LayerSpec):
    name = "RMSNormalization"

    def normalize(self, config: Config, dialect: str) -> None:
        check_axes(config)
        check_numbers(config, "epsilon")

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        return [_on_axes(layer, "scale", inputs[0] if inputs else None)]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        """x * rsqrt(mean(x^2) + epsilon) * scale."""
        shape = build.input_shape(layer)
        if shape is None or not _can_be_unit(layer, shape):
            return build.refuse(layer, _UNKNOWN_SIZES)
        axes = _axes(layer, len(shape))
        size = size_of([shape[axis] for axis in axes])
        scale_weight = weight_of(layer, "scale")
        gamma = derived(scale_weight, "gamma", [2 * size], lambda array: np.tile(array.ravel(), 2))
        build.note(layer, "RMSNormalization as LayerNormalization of x and -x")
        told = layer.config.get("epsilon")
        epsilon = 1e-6 if told is None else float(told)
        return _mirrored(build, shape, axes, epsilon, [gamma], layer.name)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return [rms_normalized(build, _lowered_axes(layer, build))]


class UnitNormalization(LayerSpec):
    name = "UnitNormalization"
    supports_masking = True

    def normalize(self, config: Config, dialect: str) -> None:
        check_axes(config)
        check_numbers(config, "epsilon")

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        """x / |x|; of a vector shorter than 1e-12 nearly nothing remains, as in Keras 3."""
        shape = build.input_shape(layer)
        if shape is None or not _can_be_unit(layer, shape):
            return build.refuse(layer, _UNKNOWN_SIZES)
        axes = _axes(layer, len(shape))
        size = size_of([shape[axis] for axis in axes])
        if not fits([2 * size]):
            return build.refuse(layer, "goes over too many numbers to rewrite it")
        gamma = constant("gamma", np.full(2 * size, 1.0 / math.sqrt(size)))
        build.note(layer, "UnitNormalization as LayerNormalization of x and -x")
        return _mirrored(build, shape, axes, 1e-24 / size, [gamma], layer.name)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        x, axes = build.floats(build.inputs[0]), _lowered_axes(layer, build)
        return [to_unit_length(build, x, axes, epsilon_of(build, 1e-12))]


def _can_be_unit(layer: Layer, shape: Shape) -> bool:
    axes = _axes(layer, len(shape))
    return 0 not in axes and can_flatten(shape, axes)


def _mirrored(
    build: Builder,
    shape: Shape,
    axes: list[int],
    epsilon: float,
    gamma: list[Weight],
    name: str,
) -> Apply:
    """Layer normalisation of [x, -x]: their mean is 0, so that the variance is mean(x^2).

    The half that belongs to x is cut out again.
    """
    *rows, size = flat = flat_sizes(shape, axes)
    double = 2 * size_of([size])
    both = join(
        build,
        build.new("Concatenate", {"axis": -1}, suffix="mirrored"),
        identity,
        scale(build, -1.0, suffix="minus"),
    )
    config = {"axis": -1, "epsilon": epsilon, "scale": True, "center": False}
    if build.current.class_name == "UnitNormalization":
        config["trainable"] = False
    cropping = {"cropping": [[0, 0], [0, size]], "data_format": "channels_last"}
    last = name if is_flat(shape, axes) else None
    steps: list[Step] = [
        both,
        build.new("LayerNormalization", config, suffix="norm", weights=gamma),
        reshape(build, [*(rows or [1]), double, 1], suffix="image"),
        build.new("Cropping2D", cropping, suffix="half"),
        reshape(build, flat, suffix="half_flat", name=last),
    ]
    return flattened(build, shape, axes, *steps, name=name)


class GroupNormalization(LayerSpec):
    name = "GroupNormalization"
    supports_masking = True

    def normalize(self, config: Config, dialect: str) -> None:
        config["groups"] = number(config.get("groups", 32), "groups", lowest=-1)
        config["axis"] = number(config.get("axis", -1), "axis", lowest=-32)
        check_numbers(config, "epsilon")

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        size = _size_along(layer, inputs)
        return _scale_and_center(layer, Slot("gamma", (size,)))

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        shape = build.input_shape(layer)
        if shape is None:
            return build.refuse(layer, _UNKNOWN_SIZES)
        axes = _axes(layer, len(shape))
        if len(axes) != 1 or axes == [0] or not can_flatten(shape, axes):
            return build.refuse(layer, _UNKNOWN_SIZES)
        if not fits([size_of([shape[axes[0]]])]):
            return build.refuse(layer, "has too many channels to rewrite it")
        build.note(layer, "GroupNormalization as LayerNormalization of the groups")
        sizes = [size for axis, size in enumerate(shape) if axis not in (0, *axes)]
        steps = _grouped(layer, build, sizes, size_of([shape[axes[0]]]))
        return with_axis_last(build, len(shape), axes[0], *steps)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        (axis,) = _lowered_axes(layer, build)
        if axis == 0:
            raise CannotLower("it goes over the batch")
        return [group_normalized(build, axis)]


def _grouped(
    layer: Layer, build: Builder, sizes: Sequence[int | None], channels: int
) -> list[Step]:
    """Group normalisation of a tensor of `[batch, *sizes, channels]`."""
    groups = int(layer.config.get("groups", 32))
    groups = channels if groups == -1 else groups
    if groups < 1 or channels % groups:
        raise CorruptFileError(f"{channels} channels make no {groups} groups", where=layer.name)
    rows = None if None in sizes else size_of(sizes)
    config = {
        "axis": [1, 3],
        "epsilon": layer.config.get("epsilon", 1e-3),
        "scale": False,
        "center": False,
    }
    whole = [*sizes, channels]
    steps: list[Step] = [
        reshape(build, [rows, groups, channels // groups], suffix="groups"),
        build.new("LayerNormalization", config, suffix="norm"),
    ]
    scaled, centered = layer.config.get("scale", True), layer.config.get("center", True)
    if not scaled and not centered:
        return [*steps, reshape(build, whole, name=layer.name)]
    image = whole if len(whole) == 3 else [rows, 1, channels]
    steps += [reshape(build, image, suffix="image"), _affine(layer, build, channels)]
    return steps if image == whole else [*steps, reshape(build, whole, suffix="back")]


def _affine(layer: Layer, build: Builder, channels: int) -> Layer:
    """`x * gamma + beta` of an image, by channel; training in the browser keeps changing both."""
    shape = [1, 1, channels, 1]
    kernel = constant("kernel", np.ones(shape), trainable=False)
    if layer.config.get("scale", True):
        gamma = weight_of(layer, "gamma")
        kernel = derived(gamma, "kernel", shape, lambda array: array.reshape(shape))
    weights = [kernel]
    if layer.config.get("center", True):
        beta = weight_of(layer, "beta")
        weights.append(Weight("bias", beta.tensor, beta.trainable))
    config = {
        "kernel_size": [1, 1],
        "strides": [1, 1],
        "dilation_rate": [1, 1],
        "padding": "valid",
        "depth_multiplier": 1,
        "data_format": "channels_last",
        "activation": "linear",
        "use_bias": len(weights) > 1,
    }
    return build.new("DepthwiseConv2D", config, name=layer.name, weights=weights)


class SpectralNormalization(LayerSpec):
    """Changes the kernel of the wrapped layer in training; in inference it only calls it."""

    name = "SpectralNormalization"
    children = ("layer",)

    def normalize_children(self, layer: Layer, dialect: str) -> None:
        if "layer" not in layer.children:
            raise ValueError("wraps no layer")

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        inner = layer.children.get("layer")
        spec = None if inner is None else spec_of(inner)
        found = [] if inner is None or spec is None else spec.slots(inner, inputs)
        named = [slot for slot in found if slot.name in ("kernel", "embeddings")][:1]
        # Keras tracks the wrapped layer's kernel as the wrapper's own too.
        vectors = [Slot("vector_u", (1, slot.shape[-1]), trainable=False) for slot in named]
        return [*named, *(vectors or [Slot("vector_u", (1, None), trainable=False)])]

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        inner = layer.children.get("layer")
        return [None] if inner is None else output_shapes(inner, inputs)

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        build.note(layer, "SpectralNormalization left out: it acts in training only")
        inner = build.child(layer.children["layer"], build.input_shape(layer))
        built = build.new(
            inner.class_name,
            inner.config,
            name=layer.name,
            weights=inner.weights,
            children=inner.children,
            model=inner.model,
        )
        return build.apply(built)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return build.child(layer.children["layer"], *build.inputs[:1])
