"""Scales and shifts of channels, batch normalization above all, into the weights before them.

A product of sums is a sum of products: the same numbers but for rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfjs.ir.graph import Node, Value, constant_of
from tfjs.ir.tensor import Array, ArrayTensor, DerivedTensor, QuantizedTensor, Tensor
from tfjs.passes.optimize.engine import Match, Rules
from tfjs.passes.optimize.fusion import (
    FUSED,
    beside,
    channels,
    channels_of,
    fused,
    is_float,
    last,
)

RULES = Rules()

BATCH_NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_BIAS = [b"BiasAdd"]
_EPSILON = 1e-4
_MOST_SHARED = 1 << 14
# In MobileNetV2 these are the weights of the large images: a ninth more bytes in all, and a seventh
# less time on WebGL.
_MOST_EXPANDED = 1 << 14
# Weights of so few elements are computed at once.
_SMALL = 1 << 10


@RULES.rule("fold/batch-norm", *BATCH_NORMS, numerics="reassociating")
def batch_norm(node: Node, match: Match) -> Sequence[Value] | None:
    """A batch normalization behind a convolution or product."""
    found, product = normalization(node, match), _product(node.inputs[0], match)
    if found is None or product is None:
        return None
    factor, shift = found
    made = _scaled(match, product, factor, shift)
    # Nobody reads the statistics.
    return None if made is None else [made] * len(node.outputs)


def normalization(node: Node, match: Match) -> tuple[Array, Array] | None:
    """What a batch normalization of constants multiplies each channel with, and adds to it.

    None where it is one of training, channels come first, or something reads its statistics.
    """
    if node.attrs.get("is_training", True) or not last(node):
        return None
    if any(value.uses or match.graph.is_output(value) for value in node.outputs[1:]):
        return None
    told = [channels_of(value, node.inputs[0]) for value in node.inputs[1:]]
    if any(numbers is None for numbers in told):
        return None
    scale, offset, mean, variance = (
        np.asarray(numbers, np.float64) for numbers in told if numbers is not None
    )
    with np.errstate(all="ignore"):
        factor = scale / np.sqrt(variance + float(node.attrs.get("epsilon", _EPSILON)))
        return factor, offset - mean * factor


@RULES.rule("fold/scale", "Mul", "RealDiv", "Div", numerics="reassociating")
def scale(node: Node, match: Match) -> Sequence[Value] | None:
    """A scale, or a divisor, of one number a channel behind a convolution or product."""
    first, numbers = beside(node, "Mul")
    product = None if numbers is None else _product(first, match)
    if product is None or numbers is None:
        return None
    factor = numbers.astype(np.float64)
    if node.op != "Mul":
        with np.errstate(all="ignore"):
            factor = 1 / factor
    made = _scaled(match, product, factor, None)
    return None if made is None else [made]


@RULES.rule("fold/shift", "BiasAdd", "Add", "AddV2", "Sub", numerics="reassociating")
def shift(node: Node, match: Match) -> Sequence[Value] | None:
    """A shift of one number a channel behind a bias."""
    first, numbers = beside(node, "Add", "AddV2")
    product = None if numbers is None else match.inner(first, *FUSED.values())
    if (
        product is None
        or not last(node)
        or numbers is None
        or product.attrs.get("fused_ops") != _BIAS
    ):
        return None
    sign = -1.0 if node.op == "Sub" else 1.0
    made = _scaled(match, product, np.ones(1), sign * numbers.astype(np.float64))
    return None if made is None else [made]


def _product(value: Value, match: Match) -> Node | None:
    """A convolution or product, alone or with a bias, whose weights are constants."""
    product = match.inner(value, *FUSED, *FUSED.values())
    if product is None or not is_float(product) or not last(product):
        return None
    if product.op in FUSED.values() and product.attrs.get("fused_ops") != _BIAS:
        return None
    return product


def _scaled(match: Match, product: Node, factor: Array, shift: Array | None) -> Value | None:
    """A convolution or product times a factor a channel, plus a shift a channel."""
    weights, size = weights_of(product), channels(product)
    bias = constant_of(product.inputs[2]) if len(product.inputs) > 2 else None
    if weights is None or size is None:
        return None
    if len(product.inputs) > 2 and bias is None:
        return None
    try:
        factor = factor if factor.shape == (size,) else np.full(size, factor)
        moved = np.zeros(1) if shift is None else np.full(size, shift)
    except ValueError:  # more numbers than channels: the shapes do not go together
        return None
    if not (np.isfinite(factor).all() and np.isfinite(moved).all()):
        return None
    made = product.inputs[1]
    if (factor != 1).any():
        made = match.constant(times(weights, _laid(product, weights, factor)))
    if bias is not None:
        moved = moved + bias.array().astype(np.float64) * factor
    elif shift is None:
        return match.op(product.op, product.inputs[0], made, attrs=product.attrs)
    given = match.constant(moved.astype(np.float32))
    return fused(match, product, made, given)


def weights_of(product: Node) -> Tensor | None:
    """The weights of a convolution or product, if they are constant and may be changed for it.

    Large quantized ones would be stored in many more bytes, and large ones that several read, as
    the steps of a loop that is laid out, once for each.
    """
    weights = constant_of(product.inputs[1])
    if weights is None:
        return None
    if isinstance(weights, QuantizedTensor) and weights.size > _MOST_EXPANDED:
        return None
    shared = len(product.inputs[1].uses) > 1
    return None if shared and weights.size > _MOST_SHARED else weights


def _laid(product: Node, weights: Tensor, factor: Array) -> Array:
    """A factor a channel, laid along the axes of the weights that make the channels."""
    if "MatMul" in product.op:
        return factor.reshape((-1, 1)) if product.attrs.get("transpose_b") else factor
    return factor.reshape(weights.shape[2:4]) if "Depthwise" in product.op else factor


def times(weights: Tensor, factor: Array) -> Tensor:
    """Weights times a factor, computed when they are written; small ones are at once.

    A graph may have thousands of those, and they are looked at more than once.
    """
    narrow = factor.astype(np.float32)
    found = DerivedTensor("float32", weights.shape, lambda: weights.array() * narrow)
    return ArrayTensor(found.array()) if weights.size <= _SMALL else found
