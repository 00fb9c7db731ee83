"""Products that are split: as many products instead.

Measured in Node and headless Chromium: a part of each row costs more than a product in wasm, and
the plain backend takes it element by element. Products of many rows need three quarters of their
time in wasm when they are apart, and a fifth in the plain backend; of one row they need half to
three quarters without a bias, but as much or more with one, which is why that stays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfjs.ir.graph import Node, Shape, Value, constant_of
from tfjs.passes.optimize.engine import Match, Rules
from tfjs.passes.optimize.products import (
    PRODUCTS,
    alike,
    columns,
    has_columns,
    is_last,
    is_own,
)

RULES = Rules()

_MANY_ROWS = 16


@RULES.rule("contract/split-product", "Split")
def split_product(node: Node, match: Match) -> Sequence[Value] | None:
    """A product, or a reshape of one, that is split along its channels, as a product a part."""
    value, count = node.inputs[1], len(node.outputs)
    shape = value.shape
    view = match.inner(value, "Reshape")
    product = match.inner(value if view is None else view.inputs[0], *PRODUCTS)
    if product is None or alike(product) is None or shape is None:
        return None
    weights = constant_of(product.inputs[1])
    if weights is None or not is_own(product.inputs[1], weights, 1):
        return None
    if not has_columns(product, count) or not is_last(node.inputs[0], len(shape)):
        return None
    if len(product.inputs) > 2 and _rows(shape) < _MANY_ROWS > _rows(_before(product.inputs[0])):
        return None
    if view is not None and (shape[-1] != weights.shape[1] or shape.count(None) > 1 or 0 in shape):
        return None
    sizes = [-1 if size is None else size for size in shape[:-1]]
    found = []
    for index in range(count):
        constants = [columns(match, told, index, count) for told in product.inputs[1:]]
        part = match.op(product.op, product.inputs[0], *constants, attrs=product.attrs)
        if view is not None:
            part = match.reshape(part, [*sizes, weights.shape[1] // count])
        found.append(part)
    return found


def _before(value: Value) -> Shape:
    """The shape of a matrix before it became one."""
    source = value.node.inputs[0] if value.node.op == "Reshape" else value
    same = source.shape and value.shape and source.shape[-1] == value.shape[-1]
    return source.shape if same else value.shape


def _rows(shape: Shape) -> int:
    """How many rows there are at least."""
    return math.prod(size for size in (shape or ())[:-1] if size is not None)
