"""Normalisations, and biases along other axes than the last."""

from __future__ import annotations

from typing import Any

from tfjs.ir.graph import Node, Value
from tfjs.ops.build import Builder
from tfjs.passes.legal.common import is_used, make, shape_of, sizes_of, times
from tfjs.passes.rules import RuleSet

RULES = RuleSet()


def channel_axis(node: Node, rank: int) -> int:
    """The axis of the channels, as the attribute `data_format` tells."""
    text = bytes(node.attrs.get("data_format") or b"NHWC")
    return 1 if text.startswith(b"NC") and rank > 1 else rank - 1


def along(build: Builder, value: Value, axis: int, rank: int) -> Value:
    """A vector laid along an axis of a tensor of some rank."""
    if axis == rank - 1:
        return value
    shape = [1] * rank
    shape[axis] = -1
    result = build.reshape(value, shape)
    size = shape_of(value)[0]
    result.shape = tuple(size if index == axis else 1 for index in range(rank))
    return result


@RULES.rule("BiasAdd", "BiasAddV1")
def bias_along_channels(node: Node, build: Builder) -> list[Value] | None:
    """TF.js adds it along the last axis. Exact."""
    x, bias = node.inputs
    if not bytes(node.attrs.get("data_format") or b"NHWC").startswith(b"NC"):
        return None if node.op == "BiasAdd" else [make(build, "BiasAdd", x, bias)]
    rank = len(shape_of(x))
    return [make(build, "AddV2", x, along(build, bias, channel_axis(node, rank), rank))]


@RULES.rule("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def batch_normalization(node: Node, build: Builder) -> list[Value] | None:
    """TF.js normalises the last axis by given statistics, and gives nothing else.

    Others are spelled out; that reassociates.
    """
    x, scale, offset, mean, variance = node.inputs
    others = node.outputs[1:]
    asked = any(is_used(build.graph, value) for value in others)
    training = bool(node.attrs.get("is_training", True))
    rank = len(shape_of(x))
    axis = channel_axis(node, rank)
    if not training and axis == rank - 1:
        if not asked:
            return None
        kept = make(build, node.op, *node.inputs, **_own(node))
        return [kept, mean, variance, mean, variance, *node.outputs[5:]]
    epsilon = float(node.attrs.get("epsilon", 1e-4))
    vectors = [along(build, value, axis, rank) for value in (scale, offset)]
    if not training:
        statistics = [along(build, value, axis, rank) for value in (mean, variance)]
        value = _normalized(build, x, statistics, vectors, epsilon)
        return [value, mean, variance, mean, variance, *node.outputs[5:]]
    axes = [index for index in range(rank) if index != axis]
    centre = make(build, "Mean", x, axes, keep_dims=True)
    spread = make(build, "Mean", make(build, "SquaredDifference", x, centre), axes, keep_dims=True)
    value = _normalized(build, x, [centre, spread], vectors, epsilon)
    if not asked:
        return [value, *others]
    return [value, *_batch_statistics(node, build, centre, spread), *node.outputs[5:]]


@RULES.rule("BatchNormWithGlobalNormalization")
def old_batch_normalization(node: Node, build: Builder) -> list[Value]:
    """The newer operation, which always scales. Exact."""
    x, mean, variance, beta, gamma = node.inputs
    scale = gamma if node.attrs["scale_after_normalization"] else make(build, "OnesLike", gamma)
    epsilon = float(node.attrs["variance_epsilon"])
    vectors = (scale, beta, mean, variance)
    return [make(build, "FusedBatchNorm", x, *vectors, epsilon=epsilon, is_training=False)]


def _own(node: Node) -> dict[str, Any]:
    return {name: node.attrs[name] for name in ("epsilon", "data_format", "is_training")}


def _normalized(
    build: Builder, x: Value, statistics: list[Value], vectors: list[Value], epsilon: float
) -> Value:
    mean, variance = statistics
    scale, offset = vectors
    factor = make(build, "Rsqrt", make(build, "AddV2", variance, epsilon))
    factor = make(build, "Mul", factor, scale)
    centred = make(build, "Sub", x, mean)
    return make(build, "AddV2", make(build, "Mul", centred, factor), offset)


def _batch_statistics(node: Node, build: Builder, mean: Value, variance: Value) -> list[Value]:
    """Outputs 1 to 4: mean and variance of the batch, mixed into the running ones if asked."""
    x = node.inputs[0]
    sizes = sizes_of(build, x)
    del sizes[channel_axis(node, len(sizes))]
    flat_mean, flat_variance = (build.reshape(value, [-1]) for value in (mean, variance))
    count = times(build, *sizes)
    if isinstance(count, int):
        unbiased = make(build, "Mul", flat_variance, count / max(count - 1, 1))
    else:
        number = build.cast(count, "float32")
        less = make(build, "Maximum", make(build, "Sub", number, 1.0), 1.0)
        unbiased = make(build, "Mul", flat_variance, make(build, "RealDiv", number, less))
    factor = float(node.attrs.get("exponential_avg_factor", 1.0))
    found = [flat_mean, unbiased]
    if factor != 1.0:
        found = [
            make(
                build,
                "AddV2",
                make(build, "Mul", old, 1.0 - factor),
                make(build, "Mul", new, factor),
            )
            for old, new in zip(node.inputs[3:5], found, strict=True)
        ]
    return [*found, flat_mean, flat_variance]
