"""Sizes taken from shapes that are known in part: such as the time of a batch of any size.

Whether a loop has a fixed number of steps is decided by these.
"""

from __future__ import annotations

import numpy as np

from tfjs.ir.graph import Graph, Node, Value
from tfjs.ops.base import constant_array, evaluate
from tfjs.ops.build import Builder
from tfjs.passes.control.holders import swap

# They move numbers and change none.
_PICKS = frozenset({"StridedSlice", "Slice", "Gather", "GatherV2", "Unpack", "Identity"})


def fold_known_sizes(graph: Graph) -> int:
    """Replace what is picked out of a shape by a constant, where just those sizes are known.

    Returns:
        How many nodes went.
    """
    shapes = [
        node
        for node in graph.nodes.values()
        if node.op == "Shape" and node.inputs[0].shape and None in node.inputs[0].shape
    ]
    count = 0
    for shape in shapes:
        for node in dict.fromkeys(node for node, index in shape.output.uses if index == 0):
            values = _picked(graph, node, shape) if node.op in _PICKS else None
            if values is not None:
                swap(graph, node, values)
                count += 1
    return count


def _picked(graph: Graph, node: Node, shape: Node) -> list[Value] | None:
    others = [constant_array(value) for value in node.inputs[1:]]
    known = [array for array in others if array is not None]
    if len(known) < len(others):
        return None
    sizes = shape.inputs[0].shape or ()
    dtype = shape.attrs.get("out_type", "int32")
    # What comes out of numbers that tell which sizes are free tells whether any of those does.
    free = np.array([size is None for size in sizes], dtype)
    told = np.array([0 if size is None else size for size in sizes], dtype)
    try:
        if any(array.any() for array in evaluate(node, [free, *known])):
            return None
        arrays = evaluate(node, [told, *known])
    except ValueError:
        return None
    build = Builder(graph, node.name, node.origin)
    return [build.constant(array.astype(dtype)) for array in arrays]
