"""Normalisations as graphs, as Keras computes them in inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfjs.errors import CorruptFileError
from tfjs.ir.graph import Value
from tfjs.layers.declarations.space_graph import (
    channels_first,
    channels_last,
    order_axes,
    product,
    reshape,
)

if TYPE_CHECKING:
    from tfjs.layers.lowering import Lowering

# TensorFlow normalises a batch of images in one operation.
_IMAGE = 4


def epsilon_of(build: Lowering, default: float) -> float:
    """The layer's epsilon."""
    told = build.config.get("epsilon")
    return default if told is None else float(told)


def batch_normalized(build: Lowering, axes: Sequence[int]) -> Value:
    """By the statistics of training, which have a size for each of some axes.

    Args:
        build: the builder.
        axes: one axis; or several, where the statistics have all axes of the input.
    """
    x = build.floats(build.inputs[0])
    rank = build.rank(x)
    if rank == _IMAGE and list(axes) == [rank - 1]:
        return _fused(build, x)
    if rank == _IMAGE and list(axes) == [1] and x.node.op == "Transpose":
        # What lies before it has moved the channels, and what comes behind may move them again.
        return channels_first(build, _fused(build, channels_last(build, x)))
    mean, variance = (_laid(build, name, axes, rank) for name in ("moving_mean", "moving_variance"))
    factor = build.op("Rsqrt", build.op("AddV2", variance, epsilon_of(build, 1e-3)))
    if build.config.get("scale", True):
        factor = build.op("Mul", factor, _laid(build, "gamma", axes, rank))
    offset = build.op("Neg", build.op("Mul", mean, factor))
    if build.config.get("center", True):
        offset = build.op("AddV2", offset, _laid(build, "beta", axes, rank))
    return build.op("AddV2", build.op("Mul", x, factor), offset)


def _fused(build: Lowering, x: Value) -> Value:
    mean, variance = build.weight("moving_mean"), build.weight("moving_variance")
    size = build.fixed(mean, 0)
    scaled, centred = build.config.get("scale", True), build.config.get("center", True)
    gamma = build.weight("gamma") if scaled else build.constant(np.ones(size, np.float32))
    beta = build.weight("beta") if centred else build.constant(np.zeros(size, np.float32))
    attrs: dict[str, Any] = {"is_training": False, "epsilon": epsilon_of(build, 1e-3)}
    attrs |= {"T": "float32", "U": "float32"}
    return build.op("FusedBatchNormV3", x, gamma, beta, mean, variance, attrs=attrs)


def _laid(build: Lowering, name: str, axes: Sequence[int], rank: int) -> Value:
    """A weight with the sizes of some axes, so that it broadcasts to a tensor."""
    weight = build.weight(name)
    shape = [build.fixed(weight, axis) for axis in range(build.rank(weight))]
    if len(shape) == rank or list(axes) == list(range(rank - len(axes), rank)):
        return weight
    if len(shape) != len(axes):
        raise CorruptFileError(f"{name} has the shape {shape}", where=build.layer.name)
    first = min(axes)
    sizes = dict(zip(axes, shape, strict=True))
    return build.reshaped(weight, [sizes.get(axis, 1) for axis in range(first, rank)])


def _scaled(build: Lowering, x: Value, axes: Sequence[int], rank: int) -> Value:
    """`x * gamma + beta`, as far as the layer has them."""
    if build.config.get("scale", True):
        x = build.op("Mul", x, _laid(build, "gamma", axes, rank))
    if build.config.get("center", True):
        x = build.op("AddV2", x, _laid(build, "beta", axes, rank))
    return x


def _mean(build: Lowering, x: Value, axes: Sequence[int]) -> Value:
    return build.op("Mean", x, np.array(axes, np.int32), attrs={"keep_dims": True})


def _factor(build: Lowering, variance: Value, epsilon: float) -> Value:
    return build.op("Rsqrt", build.op("AddV2", variance, epsilon))


def layer_normalized(build: Lowering, axes: Sequence[int]) -> Value:
    """By the mean and variance over some axes of each example."""
    x = build.floats(build.inputs[0])
    rank, epsilon = build.rank(x), epsilon_of(build, 1e-3)
    centred = build.op("Sub", x, _mean(build, x, axes))
    variance = _mean(build, build.op("Square", centred), axes)
    if build.config.get("rms_scaling"):
        # By the deviation from the mean, but without taking the mean away.
        result = build.op("Mul", x, _factor(build, variance, epsilon))
        return build.op("Mul", result, _laid(build, "gamma", axes, rank))
    result = build.op("Mul", centred, _factor(build, variance, epsilon))
    return _scaled(build, result, axes, rank)


def rms_normalized(build: Lowering, axes: Sequence[int]) -> Value:
    """By the root of the mean square over some axes."""
    x = build.floats(build.inputs[0])
    square = _mean(build, build.op("Square", x), axes)
    result = build.op("Mul", x, _factor(build, square, epsilon_of(build, 1e-6)))
    return build.op("Mul", result, _laid(build, "scale", axes, build.rank(x)))


def to_unit_length(build: Lowering, x: Value, axes: Sequence[int], least: float) -> Value:
    """By the Euclidean length over some axes, at least `least`."""
    places = np.array(axes, np.int32)
    square = build.op("Sum", build.op("Square", x), places, attrs={"keep_dims": True})
    return build.op("Mul", x, build.op("Rsqrt", build.op("Maximum", square, least * least)))


def group_normalized(build: Lowering, axis: int) -> Value:
    """By the mean and variance of each group of channels."""
    x = build.floats(build.inputs[0])
    rank = build.rank(x)
    order = [place for place in range(rank) if place != axis] + [axis]
    x = order_axes(build, x, order)
    channels, groups = build.fixed(x, -1), int(build.config.get("groups", 32))
    groups = channels if groups == -1 else groups
    if groups < 1 or channels % groups:
        raise CorruptFileError(
            f"{channels} channels make no {groups} groups", where=build.layer.name
        )
    sizes = [build.size(x, place) for place in range(rank)]
    rows = product(sizes[1:-1])
    parts = reshape(build, x, [sizes[0], rows, groups, channels // groups])
    centred = build.op("Sub", parts, _mean(build, parts, [1, 3]))
    variance = _mean(build, build.op("Square", centred), [1, 3])
    parts = build.op("Mul", centred, _factor(build, variance, epsilon_of(build, 1e-3)))
    result = _scaled(build, reshape(build, parts, sizes), [rank - 1], rank)
    return order_axes(build, result, [order.index(place) for place in range(rank)])
