"""Scales and shifts of channels, batch normalization above all, into the weights behind them.

A scale goes through padding with zeros, a shift does not: it needs a window that stays inside.
Between them and the weights there may be a reshape, as before a dense layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfjs.ir.graph import Node, Shape, Value
from tfjs.ir.tensor import Array, Tensor
from tfjs.passes.optimize.engine import Match, Rules
from tfjs.passes.optimize.fusion import FUSED, beside, is_float, last
from tfjs.passes.optimize.scales import BATCH_NORMS, normalization, times, weights_of

RULES = Rules()

FACTORS = ("Mul", "RealDiv", "Div")
SHIFTS = ("Add", "AddV2", "Sub", "BiasAdd")
_VIEWS = ("Reshape", "Squeeze", "ExpandDims")
_PRODUCTS = (*FUSED, *FUSED.values())
_READERS = frozenset({*_VIEWS, *_PRODUCTS})
_BIAS = b"BiasAdd"
# Of a large matrix, so many rows at a time are widened.
_ROWS = 256
_MOST_READERS = 16


@dataclass(frozen=True, slots=True)
class _Step:
    """What stands before a product, or before a node that only changes the shape for it.

    Attributes:
        node: the step.
        view: what changes the shape.
        seen: the shape behind the step.
    """

    node: Node
    view: Node | None
    seen: Shape

    def behind(self, match: Match, value: Value) -> Value:
        """What the product reads where the step gives another value."""
        if self.view is None:
            return value
        made = match.op(self.view.op, value, *self.view.inputs[1:], attrs=self.view.attrs)
        if self.view.output.shape is not None:
            made.shape = self.view.output.shape
        return made


def _step(node: Node, match: Match, *ops: str) -> _Step | None:
    """The step before a product, if nothing reads it but such products."""
    value = node.inputs[0]
    view = match.inner(value, *_VIEWS)
    if view is not None:
        value = view.inputs[0]
    if value.node.op not in ops or len(value.uses) > _MOST_READERS:
        return None
    # What they are is seen at once, whether their weights are constant is not.
    if not all(reader.op in _READERS for reader, _ in value.uses):
        return None
    if not all(_is_product(*use) for use in value.uses):
        return None
    step = match.inner(value, *ops, reads=len(value.uses))
    return None if step is None else _Step(step, view, value.shape)


def _is_product(node: Node, index: int) -> bool:
    """Whether what reads a value is a product with constant weights, behind a reshape perhaps."""
    if node.op in _VIEWS and not index and len(node.output.uses) == 1:
        ((node, index),) = node.output.uses
    return node.op in _PRODUCTS and not index and _weights(node) is not None


@RULES.rule("fold/batch-norm-before", *_PRODUCTS, numerics="reassociating")
def batch_norm_before(node: Node, match: Match) -> Sequence[Value] | None:
    """A batch normalization before a convolution or product."""
    step = _step(node, match, *BATCH_NORMS)
    numbers = None if step is None else normalization(step.node, match)
    if step is None or numbers is None:
        return None
    return _moved(match, node, step, step.node.inputs[0], *numbers)


@RULES.rule("fold/scale-before", *_PRODUCTS, numerics="reassociating")
def scale_before(node: Node, match: Match) -> Sequence[Value] | None:
    """A scale, or a divisor, of one number a channel before a convolution or product."""
    step = _step(node, match, *FACTORS)
    found = None if step is None else scaled(step.node)
    return None if step is None or found is None else _moved(match, node, step, *found, None)


@RULES.rule("fold/inner-scale-before", *_PRODUCTS, numerics="reassociating")
def inner_scale_before(node: Node, match: Match) -> Sequence[Value] | None:
    """A number with which one factor of what a product reads is scaled, as in a hard swish."""
    step = _step(node, match, "Mul")
    if step is None or len(step.node.output.uses) > 1:
        return None
    if _weights(node) is None or not step.node.output.shape:
        return None
    for index, operand in enumerate(step.node.inputs):
        inner = match.inner(operand, *FACTORS)
        found = None if inner is None else scaled(inner)
        if found is None or found[1].size != 1 or not np.isfinite(found[1]).all():
            continue
        factors = list(step.node.inputs)
        factors[index] = found[0]
        made = match.op("Mul", *factors, attrs={"T": "float32"})
        made.shape = step.node.output.shape
        return _moved(match, node, step, made, found[1], None)
    return None


def scaled(node: Node) -> tuple[Value, Array] | None:
    """What a node scales, and the number for each channel, or for all."""
    first, numbers = beside(node, "Mul")
    if numbers is None:
        return None
    with np.errstate(all="ignore"):
        factor = numbers.astype(np.float64)
        return first, factor if node.op == "Mul" else 1 / factor


@RULES.rule("fold/shift-before", *_PRODUCTS, numerics="reassociating")
def shift_before(node: Node, match: Match) -> Sequence[Value] | None:
    """A shift of one number a channel before a convolution without padding, or a product."""
    step = _step(node, match, *SHIFTS)
    found = None if step is None else shifted(step.node)
    if step is None or found is None:
        return None
    return _moved(match, node, step, found[0], np.ones(1), found[1])


def shifted(node: Node) -> tuple[Value, Array] | None:
    """What a node shifts, and by which number each channel, or all."""
    first, numbers = beside(node, "Add", "AddV2")
    if numbers is None or not last(node):
        return None
    return first, (-1.0 if node.op == "Sub" else 1.0) * numbers.astype(np.float64)


def _moved(
    match: Match, node: Node, step: _Step, value: Value, factor: Array, shift: Array | None
) -> Sequence[Value] | None:
    """A product of a value times a factor plus a shift, as one of the value itself."""
    found = _weights(node)
    if found is None or value.dtype != "float32" or not value.shape or not step.seen:
        return None
    weights, size = found
    if value.shape[-1] != step.seen[-1]:
        return None
    factors = _laid_out(factor, step.seen, size)
    moved = _laid_out(np.zeros(1) if shift is None else shift, step.seen, size)
    if factors is None or moved is None:
        return None
    if not (np.isfinite(factors).all() and np.isfinite(moved).all()):
        return None
    rest, added = list(node.inputs[2:]), None
    if moved.any():
        added = _sums(node, weights, moved)
        before = None if node.op in FUSED else _bias(node)
        if added is None or (node.op not in FUSED and before is None):
            return None
        if before is not None:
            rest[0] = match.constant((before + added).astype(np.float32))
    made = node.inputs[1]
    if (factors != 1).any():
        made = match.constant(times(weights, factors.reshape(_laid(node))))
    product = match.op(node.op, step.behind(match, value), made, *rest, attrs=node.attrs)
    if added is None or node.op not in FUSED:
        return [product]
    return [match.op("BiasAdd", product, added.astype(np.float32), attrs={"T": "float32"})]


def _weights(node: Node) -> tuple[Tensor, int] | None:
    """The constant weights of a product of float32, and how many channels they read.

    None where channels come first, and where the first input has not as many.
    """
    weights, shape = weights_of(node), node.inputs[0].shape
    if weights is None or not shape:
        return None
    if not is_float(node) or not last(node) or node.attrs.get("transpose_a"):
        return None
    turned = bool(node.attrs.get("transpose_b"))
    size = weights.shape[turned if "MatMul" in node.op else 2]
    return (weights, size) if size == shape[-1] else None


def _laid_out(numbers: Array, seen: Shape, size: int) -> Array | None:
    """One number for all, or one a channel of a value, for as many channels of another shape of it.

    Those are the last axes of the value, taken together.
    """
    if numbers.size == 1:
        return np.broadcast_to(numbers.reshape(()), (size,))
    sizes: list[int] = []
    for axis in reversed(seen or ()):
        if axis is None or numbers.size != (seen or ())[-1]:
            return None
        sizes.insert(0, axis)
        if math.prod(sizes) == size:
            return np.ascontiguousarray(np.broadcast_to(numbers, sizes)).reshape(-1)
    return None


def _bias(node: Node) -> Array | None:
    """The bias of a fused operation, which comes first of what is fused."""
    if (node.attrs.get("fused_ops") or [None])[0] != _BIAS:
        return None
    numbers = Match.numbers(node.inputs[2])
    return None if numbers is None else numbers.astype(np.float64)


def _sums(node: Node, weights: Tensor, shift: Array) -> Array | None:
    """What a shift of each channel that is read adds to each channel that is made."""
    if "MatMul" not in node.op and node.attrs.get("padding") != b"VALID":
        return None
    array = weights.array()
    if node.attrs.get("transpose_b"):
        array = array.T
    if "Depthwise" in node.op:
        found = (array.sum((0, 1), np.float64) * shift[:, None]).reshape(-1)
    else:
        places = array.reshape(-1, *array.shape[-2:])
        found = np.zeros(array.shape[-1])
        for first in range(0, shift.size, _ROWS):
            part = slice(first, first + _ROWS)
            for place in places:
                found += shift[part] @ place[part].astype(np.float64)
    return found if np.isfinite(found).all() else None


def _laid(node: Node) -> tuple[int, ...]:
    """The shape that lays a factor along the axis of the weights that stands for what is read."""
    return (1, -1) if node.attrs.get("transpose_b") else (-1, 1)
