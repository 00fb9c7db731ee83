"""A number with which a value is scaled, into all the weights that the value goes on to.

As a hard swish has it, before a squeeze and excitation: the scaled value is pooled for one product,
and gated for another. Every way on from it must end in weights that can take the number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfjs.ir.graph import Graph, Node, Value
from tfjs.passes.optimize.engine import Match, Rules
from tfjs.passes.optimize.fusion import FUSED, is_float, last
from tfjs.passes.optimize.scales import times, weights_of
from tfjs.passes.optimize.scales_before import FACTORS, scaled

RULES = Rules()

_PRODUCTS = frozenset({*FUSED, *FUSED.values()})
# Twice their input gives twice their output.
_LINEAR = frozenset({"AvgPool", "Mean", "Sum", "Pad", "Reshape", "Squeeze", "ExpandDims"})
_MOST_WAYS = 8


@RULES.rule("fold/scale-onwards", *FACTORS, numerics="reassociating")
def scale_onwards(node: Node, match: Match) -> Sequence[Value] | None:
    """A scale of one number, where all that reads the value ends in weights."""
    found = scaled(node)
    if found is None or found[1].size != 1 or found[0].shape != node.output.shape:
        return None
    value, factor = found
    if not factor.all() or not np.isfinite(factor).all():
        return None
    products = _ends(match.graph, node.output)
    if products is None:
        return None
    for product in products:
        weights = weights_of(product)
        assert weights is not None
        made = match.constant(times(weights, factor.reshape(())))
        match.graph.set_input(product, 1, made)
    return [value]


def _ends(graph: Graph, value: Value) -> list[Node] | None:
    """The products that a value goes on to; None where it goes on to anything else."""
    products: list[Node] = []
    steps: set[Node] = set()
    left = [value]
    while left:
        current = left.pop()
        if graph.is_output(current) or not current.uses:
            return None
        for reader, index in current.uses:
            # What is reached twice would be scaled twice.
            if reader in steps or reader.controls or len(steps) == _MOST_WAYS:
                return None
            steps.add(reader)
            if reader.op in _PRODUCTS:
                if index or weights_of(reader) is None or not is_float(reader) or not last(reader):
                    return None
                products.append(reader)
            elif reader.op == "Mul" or (reader.op in _LINEAR and not index):
                left.append(reader.output)
            else:
                return None
    return products
