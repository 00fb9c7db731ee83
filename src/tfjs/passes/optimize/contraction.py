"""Products of matrices in the form that is fastest, with what follows them right behind them.

Measured in Node: wasm multiplies with XNNPACK where there is one matrix on each side and neither is
turned. Else it takes a plain loop, which needs 5 to 50 times as long. So constants are turned when
they are written, and many matrices times one are one tall matrix. A transposition of one matrix
is left before its product for the same reason; among batches the loop comes anyway, and turning
is free there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tfjs.ir.graph import Node, Shape, Value, constant_of
from tfjs.ir.tensor import DerivedTensor, QuantizedTensor, Tensor, reshaped
from tfjs.passes.optimize.engine import Match, Rules
from tfjs.passes.optimize.fusion import FUSED, is_float, last

RULES = Rules()

_BATCHED = ("BatchMatMul", "BatchMatMulV2")
_FLAGS = {
    "MatMul": ("transpose_a", "transpose_b"),
    "_FusedMatMul": ("transpose_a", "transpose_b"),
    **dict.fromkeys(_BATCHED, ("adj_x", "adj_y")),
}


# Transpositions ----------------------------------------------------------------------------------


@RULES.rule("contract/turned-constant", *_FLAGS)
def turned_constant(node: Node, match: Match) -> Sequence[Value] | None:
    """A constant that the product turns is written turned, where only this product reads it."""
    changed = {
        flag: index
        for index, flag in enumerate(_FLAGS[node.op])
        if node.attrs.get(flag) and _own_matrices(node.inputs[index]) is not None
    }
    if not changed:
        return None
    inputs = list(node.inputs)
    for index in changed.values():
        tensor = _own_matrices(inputs[index])
        if tensor is not None:
            inputs[index] = match.constant(_turned(tensor))
    attrs = {**node.attrs, **dict.fromkeys(changed, False)}
    return [match.op(node.op, *inputs, attrs=attrs)]


@RULES.rule("contract/transpose", *_BATCHED)
def transposition(node: Node, match: Match) -> Sequence[Value] | None:
    """A transposition of the last two axes becomes part of a product of batches."""
    if any(value.dtype != "float32" or _is_single(value.shape) for value in node.inputs):
        return None
    turned = [_turned_source(value, match) for value in node.inputs]
    if turned == [None, None]:
        return None
    pairs = zip(turned, node.inputs, strict=True)
    attrs = dict(node.attrs)
    for flag, source in zip(_FLAGS[node.op], turned, strict=True):
        attrs[flag] = bool(attrs.get(flag, False)) is (source is None)
    return [match.op(node.op, *(source or value for source, value in pairs), attrs=attrs)]


def _turned_source(value: Value, match: Match) -> Value | None:
    """What a transposition of the last two axes only reads."""
    node = match.inner(value, "Transpose")
    order = None if node is None else match.numbers(node.inputs[1])
    if node is None or order is None or order.ndim != 1 or order.size < 3:
        return None
    rank = order.size
    swapped = [*range(rank - 2), rank - 1, rank - 2]
    return node.inputs[0] if order.tolist() == swapped else None


def _is_single(shape: Shape) -> bool:
    """Whether there may be one matrix only, where wasm is better off without turning."""
    return shape is None or all(size in (1, None) for size in shape[:-2])


def _own_matrices(value: Value) -> Tensor | None:
    """A constant of matrices that has one reader."""
    tensor = constant_of(value)
    if tensor is None or len(value.uses) != 1 or len(tensor.shape) < 2:
        return None
    return tensor if tensor.dtype == "float32" else None


def _turned(tensor: Tensor) -> Tensor:
    """Matrices with rows and columns changed over, computed when they are written."""
    if isinstance(tensor, QuantizedTensor):
        return QuantizedTensor(_turned(tensor.stored), tensor.quantization, tensor.dtype)
    *batch, rows, columns = tensor.shape
    return DerivedTensor(
        tensor.dtype,
        (*batch, columns, rows),
        lambda: np.ascontiguousarray(tensor.array().swapaxes(-1, -2)),
    )


# Batches -----------------------------------------------------------------------------------------


@RULES.rule("contract/one-matrix", *_BATCHED)
def one_matrix(node: Node, match: Match) -> Sequence[Value] | None:
    """A product of two matrices, which a bias and an activation can become part of."""
    x, y = node.inputs
    if any(value.shape is None or len(value.shape) != 2 for value in (x, y)) or not _floats(node):
        return None
    return [_product(match, node, x, y)]


@RULES.rule("contract/tall-matrix", *_BATCHED)
def tall_matrix(node: Node, match: Match) -> Sequence[Value] | None:
    """Many matrices times one are one tall matrix times that one."""
    x, y = node.inputs
    if x.shape is None or y.shape is None or not _floats(node) or node.attrs.get("adj_x"):
        return None
    *batch, _, inside = x.shape
    *ones, rows, columns = y.shape
    turned = bool(node.attrs.get("adj_y"))
    inside = inside or (columns if turned else rows)
    outside = rows if turned else columns
    if not batch or len(ones) > len(batch) or any(size != 1 for size in ones):
        return None
    back = _static((*x.shape[:-1], outside))
    if not inside or back is None:
        return None
    if ones:
        tensor = constant_of(y)
        if tensor is None or rows is None or columns is None:
            return None
        y = match.constant(reshaped(tensor, (rows, columns)))
    tall = _product(match, node, match.reshape(x, [-1, inside]), y)
    return [_typed(match.reshape(tall, back), node.output)]


def _floats(node: Node) -> bool:
    return all(value.dtype == "float32" for value in node.inputs)


def _product(match: Match, node: Node, x: Value, y: Value) -> Value:
    first, second = (bool(node.attrs.get(flag)) for flag in _FLAGS[node.op])
    attrs = {"T": "float32", "transpose_a": first, "transpose_b": second}
    return match.op("MatMul", x, y, attrs=attrs)


# What stands between a product and its bias ------------------------------------------------------

_STEPS = ("Relu", "Relu6", "Elu", "Sigmoid", "LeakyRelu")
_BIASES = ("BiasAdd", "Add", "AddV2", "Sub")
_FACTORS = ("Mul", "RealDiv", "Div")
_VIEWS = ("Reshape", "Squeeze", "ExpandDims")
# So far a product is looked for, that the cost of long chains stays linear.
_MOST_STEPS = 12


@RULES.rule("contract/step-before-reshape", *_STEPS)
def step(node: Node, match: Match) -> Sequence[Value] | None:
    """An activation behind the reshape of a product goes before it."""
    view = _view_of_product(node.inputs[0], match)
    if view is None:
        return None
    made = match.op(node.op, view.inputs[0], attrs=node.attrs)
    return [_viewed(match, view, made)]


@RULES.rule("contract/bias-before-reshape", *_BIASES, *_FACTORS, "Prelu")
def bias(node: Node, match: Match) -> Sequence[Value] | None:
    """Numbers of channels behind the reshape of a product go before it.

    They may lie along several of the last axes, which the channels were split into.
    """
    first, second = node.inputs
    if node.op in ("Add", "AddV2", "Mul") and constant_of(second) is None:
        first, second = second, first
    view = _view_of_product(first, match, scaled=node.op in _FACTORS)
    if view is None or (node.op == "BiasAdd" and not last(node)):
        return None
    numbers = _along_channels(second, first.shape, view.inputs[0].shape)
    if numbers is None:
        return None
    attrs = {name: item for name, item in node.attrs.items() if name != "data_format"}
    made = match.op(node.op, view.inputs[0], match.constant(numbers), attrs=attrs)
    return [_viewed(match, view, made)]


@RULES.rule("contract/scale-before-turn", *_FACTORS)
def scale_before_turn(node: Node, match: Match) -> Sequence[Value] | None:
    """A number behind a transposition or reshape goes before it, if it ends in constant weights."""
    return _scale_before(node, match, ("Transpose", *_VIEWS))


@RULES.rule("contract/scale-before-product", *_FACTORS, numerics="reassociating")
def scale_before_product(node: Node, match: Match) -> Sequence[Value] | None:
    """A number behind a product of values goes before it, if it ends in constant weights.

    So the scale of an attention becomes part of the weights of its queries.
    """
    return _scale_before(node, match, _BATCHED)


def _scale_before(node: Node, match: Match, ops: tuple[str, ...]) -> Sequence[Value] | None:
    first, second = node.inputs
    if node.op == "Mul" and constant_of(second) is None:
        first, second = second, first
    number = match.numbers(second)
    if number is None or number.size != 1 or number.dtype != np.float32:
        return None
    if number.ndim and (first.shape is None or number.ndim > len(first.shape)):
        return None
    inner = match.inner(first, *ops)
    if inner is None:
        return None
    sources = inner.inputs if inner.op in _BATCHED else inner.inputs[:1]
    index = next((at for at, source in enumerate(sources) if _ends_in_weights(source, match)), None)
    if index is None:
        return None
    scaled = match.op(node.op, inner.inputs[index], number.reshape(()), attrs=node.attrs)
    inputs = [*inner.inputs[:index], scaled, *inner.inputs[index + 1 :]]
    return [_typed(match.op(inner.op, *inputs, attrs=inner.attrs), node.output)]


def _ends_in_weights(value: Value, match: Match) -> bool:
    """Whether a number that a value is multiplied with can become part of constant weights."""
    for _ in range(_MOST_STEPS):
        product = _product_behind(value, match)
        if product is not None:
            return (
                is_float(product) and last(product) and constant_of(product.inputs[1]) is not None
            )
        if value.node.op not in ("Transpose", *_VIEWS) or len(value.uses) != 1:
            return False
        if match.graph.is_output(value):
            return False
        value = value.node.inputs[0]
    return False


def _view_of_product(value: Value, match: Match, *, scaled: bool = False) -> Node | None:
    """A node that gives a product another shape, which nothing else reads.

    The product has float32 numbers, channels last, and where it is to be scaled constant weights.
    """
    view = match.inner(value, *_VIEWS)
    product = None if view is None else _product_behind(view.inputs[0], match)
    if product is None or not is_float(product) or not last(product):
        return None
    return None if scaled and constant_of(product.inputs[1]) is None else view


def _product_behind(value: Value, match: Match) -> Node | None:
    """The product or convolution that a value is, but for numbers of channels and its shape."""
    for _ in range(_MOST_STEPS):
        node = value.node
        if len(value.uses) != 1 or match.graph.is_output(value):
            return None
        if node.op in FUSED or node.attrs.get("fused_ops") == [b"BiasAdd"]:
            return node
        operands = [operand for operand in node.inputs if constant_of(operand) is None]
        if node.op not in (*_BIASES, *_FACTORS, *_VIEWS) or not operands:
            return None
        if len(operands) > 1 and node.op not in _VIEWS:
            return None
        value = operands[0]
    return None


def _along_channels(value: Value, seen: Shape, before: Shape) -> Tensor | None:
    """Numbers that lie along the last axes of a value, as they lie along its channels before."""
    tensor = constant_of(value)
    if tensor is None or isinstance(tensor, QuantizedTensor) or tensor.dtype != "float32":
        return None
    if not seen or not before or before[-1] is None or len(tensor.shape) > len(seen):
        return None
    channels, axes = before[-1], 0
    sizes: tuple[int, ...] = ()
    while (axes < len(seen) and math.prod(sizes) != channels) or not axes:
        axes += 1
        size = seen[-axes]
        if size is None:
            return None
        sizes = (size, *sizes)
    if math.prod(sizes) != channels or any(size != 1 for size in tensor.shape[:-axes]):
        return None
    inside = tensor.shape[-axes:] if tensor.shape else ()
    if any(mine not in (1, size) for mine, size in zip(inside[::-1], sizes[::-1], strict=False)):
        return None
    return DerivedTensor(
        "float32",
        (channels,),
        lambda: np.broadcast_to(tensor.array().reshape(inside), sizes).reshape(channels),
    )


def _viewed(match: Match, view: Node, value: Value) -> Value:
    """A value in the shape that a node gives."""
    made = match.op(view.op, value, *view.inputs[1:], attrs=view.attrs)
    return _typed(made, view.output)


def _typed(value: Value, like: Value) -> Value:
    """A value, of which as much is known as was of the one whose place it takes."""
    if like.shape is not None:
        value.shape = like.shape
    return value


def _static(shape: tuple[int | None, ...]) -> list[int] | None:
    """A shape for a Reshape, which may leave one size open."""
    if shape.count(None) > 1 or (None in shape and 0 in shape):
        return None
    return [-1 if size is None else size for size in shape]
