"""How much computing a graph takes, from the shapes of what it is fed."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from tfjs.ir.graph import Graph, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import infer_types

_CONVOLUTIONS = frozenset({"Conv2D", "_FusedConv2D", "Conv3D", "Conv1D"})
_DEPTHWISE = frozenset({"DepthwiseConv2dNative", "DepthwiseConv2d", "FusedDepthwiseConv2dNative"})
_TRANSPOSED = frozenset({"Conv2DBackpropInput", "Conv3DBackpropInputV2"})
_PRODUCTS = frozenset({"MatMul", "_FusedMatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"})


def multiplications(graph: Graph, feeds: Mapping[str, Array]) -> int:
    """About how many multiplications a run takes; loops count as one step.

    The types of the graph's values become those for these inputs.

    Args:
        graph: a graph that is changed by nobody else.
        feeds: the inputs by the name of their node.
    """
    total = 0
    for node in graph.ordered():
        if node.name in feeds:
            node.output.shape = feeds[node.name].shape
        elif node.inputs:
            try:
                for value, type_ in zip(node.outputs, infer_types(node), strict=True):
                    value.shape = type_.shape if type_.shape is not None else value.shape
            except ValueError:  # it stays what it was; the run will tell
                continue
        total += _of(node)
    return total


def _of(node: Node) -> int:
    made = sum(_size(value.shape) for value in node.outputs)
    if node.op in _CONVOLUTIONS | _TRANSPOSED:
        kernel = node.inputs[1].shape
        across = made if node.op in _CONVOLUTIONS else _size(node.inputs[2].shape)
        last = (kernel or (1,))[-1] or 1
        return across * _size(kernel) // last
    if node.op in _DEPTHWISE:
        return made * _size((node.inputs[1].shape or ())[:2])
    if node.op in _PRODUCTS:
        shape = node.inputs[0].shape or (1,)
        inner = shape[-2] if node.attrs.get("transpose_a") or node.attrs.get("adj_x") else shape[-1]
        return made * (inner or 1)
    return made


def _size(shape: Shape) -> int:
    return prod(size or 1 for size in shape) if shape is not None else 1
