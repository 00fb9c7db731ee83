"""Biases, activations and padding into the convolution or product before them.

TF.js computes these together in one kernel (`runtime_contract.md` 1.8): the bias has rank 1, the
activation stands behind a bias, and of the depthwise convolution no slope is read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.ir.tensor import Array
from tfjs.passes.optimize.engine import Match, Rules

RULES = Rules()

FUSED = {
    "Conv2D": "_FusedConv2D",
    "DepthwiseConv2dNative": "FusedDepthwiseConv2dNative",
    "MatMul": "_FusedMatMul",
}
_CONVOLUTIONS = tuple(op for pair in FUSED.items() for op in pair if "Conv" in op)
_MOST_PADDED = 8  # branches of one cell; each looks at all of them
_BIAS = b"BiasAdd"
_ACTIVATIONS = ("Relu", "Relu6", "Elu", "Sigmoid", "LeakyRelu", "Prelu")
_LEAK = 0.2
_FLOAT32 = np.dtype(np.float32)
# What is told of the plain operation, and holds for the fused one.
_KEPT = ("T", "strides", "padding", "explicit_paddings", "data_format", "dilations")
_KEPT_OF_PRODUCTS = ("T", "transpose_a", "transpose_b")


@RULES.rule("fuse/bias", "BiasAdd", "Add", "AddV2", "Sub")
def bias(node: Node, match: Match) -> Sequence[Value] | None:
    """A bias of one number a channel."""
    first, second = node.inputs
    is_plain = node.op == "BiasAdd" and _is_vector(second)
    told = None
    if not is_plain:
        first, told = beside(node, "Add", "AddV2")
    product = match.inner(first, *FUSED)
    if product is None or not is_float(product) or not last(product):
        return None
    if is_plain:
        return [fused(match, product, product.inputs[1], second)]
    size = channels(product)
    if told is None or size is None or told.size not in (1, size):
        return None
    numbers = np.broadcast_to(-told if node.op == "Sub" else told, (size,))
    return [fused(match, product, product.inputs[1], match.constant(numbers))]


@RULES.rule("fuse/activation", *_ACTIVATIONS)
def activation(node: Node, match: Match) -> Sequence[Value] | None:
    """An activation; a bias of zeros where there is none, for TF.js reads it behind one only."""
    plain = match.inner(node.inputs[0], *FUSED, *FUSED.values())
    if plain is None or not is_float(plain) or not last(plain):
        return None
    steps = list(plain.attrs.get("fused_ops") or ())
    if plain.op in FUSED.values() and (steps != [_BIAS] or len(plain.inputs) != 3):
        return None
    size = channels(plain)
    extra = []
    slope = _slope(node, plain)
    if slope is not None or node.op == "Prelu":
        if slope is None or size is None or slope.size not in (1, size):
            return None
        extra.append(match.constant(np.broadcast_to(slope, (size,))))
    given = plain.inputs[2] if steps else None
    if given is None:
        if size is None:
            return None
        given = match.constant(np.zeros(size, np.float32))
    attrs = {}
    if node.op == "LeakyRelu" and not extra:
        attrs["leakyrelu_alpha"] = float(node.attrs.get("alpha", _LEAK))
    step = "Prelu" if extra else node.op
    return [fused(match, plain, plain.inputs[1], given, step, *extra, **attrs)]


def _slope(node: Node, plain: Node) -> Array | None:
    """The slope that a fused activation reads, a number a channel."""
    if node.op == "Prelu":
        return channels_of(node.inputs[1], node.inputs[0])
    if node.op == "LeakyRelu" and "Depthwise" in plain.op:
        # TF.js reads no `leakyrelu_alpha` there.
        return np.full(1, node.attrs.get("alpha", _LEAK), np.float32)
    return None


@RULES.rule("fuse/padding", *_CONVOLUTIONS)
def padding(node: Node, match: Match) -> Sequence[Value] | None:
    """Zeros around the image into the convolutions without padding that alone read it."""
    padded = node.inputs[0]
    readers = len(padded.uses)
    if readers > _MOST_PADDED or not all(_takes_padding(*use) for use in padded.uses):
        return None
    pad = match.inner(padded, "Pad", "PadV2", reads=readers)
    if pad is None or pad.inputs[0].dtype != "float32":
        return None
    if pad.op == "PadV2":
        filler = match.numbers(pad.inputs[2])
        if filler is None or filler.reshape(-1).tolist() != [0.0]:
            return None
    sizes = match.numbers(pad.inputs[1])
    if sizes is None or sizes.shape != (4, 2) or (sizes < 0).any():
        return None
    if sizes[0].any() or sizes[3].any():
        return None
    paddings = [int(size) for size in sizes.reshape(-1)]
    attrs = {**node.attrs, "padding": b"EXPLICIT", "explicit_paddings": paddings}
    return [match.op(node.op, pad.inputs[0], *node.inputs[1:], attrs=attrs)]


def _takes_padding(node: Node, index: int) -> bool:
    valid = node.attrs.get("padding") == b"VALID"
    return index == 0 and node.op in _CONVOLUTIONS and valid and last(node)


def fused(
    match: Match,
    product: Node,
    weights: Value,
    given: Value,
    step: str | None = None,
    *extra: Value,
    **attrs: float,
) -> Value:
    """A convolution or product with its bias, and an activation behind it.

    Args:
        match: what builds it.
        product: the plain or fused operation, whose attributes and first input it takes.
        weights: its second input.
        given: the bias.
        step: the activation.
        extra: what the activation reads.
        attrs: what it is told.
    """
    op = FUSED.get(product.op, product.op)
    kept = _KEPT_OF_PRODUCTS if op == "_FusedMatMul" else _KEPT
    told = {name: product.attrs[name] for name in kept if name in product.attrs}
    inputs = [product.inputs[0], weights, given, *extra]
    told["fused_ops"] = [_BIAS, step.encode()] if step else [_BIAS]
    told["num_args"] = len(inputs) - 2
    if op == "_FusedConv2D":
        told["TArgs"] = ["float32"] * (len(inputs) - 2)
    return match.op(op, *inputs, attrs={**told, **attrs})


def beside(node: Node, *commuting: str) -> tuple[Value, Array | None]:
    """A value, and the numbers of the constant that stands beside it; see `channels_of`.

    Args:
        node: an operation of two inputs.
        commuting: operations whose inputs may stand the other way round.
    """
    first, second = node.inputs
    numbers = channels_of(second, first)
    if numbers is None and node.op in commuting:
        return second, channels_of(first, second)
    return first, numbers


def channels_of(value: Value, product: Value) -> Array | None:
    """The numbers of a small constant that is laid along the last axis of a product, as a vector.

    None where it is no such constant, or has more axes.
    """
    array = Match.numbers(value)
    if array is None or array.dtype != _FLOAT32:
        return None
    if product.shape is None or array.ndim > len(product.shape):
        return None
    if array.size != (array.shape[-1] if array.ndim else 1):
        return None
    return array.reshape(-1)


def channels(node: Node) -> int | None:
    """How many channels come out of a convolution or product."""
    filters, op = node.inputs[1].shape, node.op
    if filters is None:
        return None
    if "MatMul" in op:
        return filters[0 if node.attrs.get("transpose_b") else 1]
    if "Depthwise" in op:
        multiplied = filters[2:4]
        return None if None in multiplied else int(np.prod(np.array(multiplied, np.int64)))
    return filters[3]


def _is_vector(value: Value) -> bool:
    return value.dtype == "float32" and value.shape is not None and len(value.shape) == 1


def is_float(node: Node) -> bool:
    """Whether a product is one of float32, the only numbers that wasm multiplies."""
    return node.inputs[0].dtype == node.inputs[1].dtype == "float32"


def last(node: Node) -> bool:
    """Whether the channels come last."""
    return bytes(node.attrs.get("data_format") or b"NHWC") == b"NHWC"
