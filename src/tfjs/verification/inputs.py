"""Plausible inputs for a model: what it is likely to be fed, the same on every run.

Random floats everywhere would say little: token ids must lie within the vocabulary, a text model
wants text, and a network of images answers nonsense to numbers far from its range.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np

from tfjs.ir.graph import Graph, Node, Shape, Value
from tfjs.ir.tensor import Array

_WORDS = (b"the", b"a quick brown fox", b"def main():", b"hello", b"to be or not", b"3.14")
_SEED = 20
# Sizes to try for axes that are free, the likely ones first; the batch is told apart.
_FREE = (16, 64, 224, 8, 128, 32, 1, 256, 512, 1024)
_LARGEST_ID = 8
_MOST_GUESSED = 1 << 20  # elements
# What passes a tensor on with its elements as they are.
_PASSING = frozenset({"Identity", "Reshape", "Cast", "ExpandDims", "Squeeze", "StopGradient"})
_LOOKING_UP = {"GatherV2": 0, "Gather": 0, "ResourceGather": 0, "GatherNd": 0}
_MOST_FOLLOWED = 1 << 10


def plausible_inputs(graph: Graph, batch: int) -> Iterator[dict[str, Array]]:
    """Inputs by the name of their node; several, for models whose free sizes must be guessed.

    Args:
        graph: the graph.
        batch: the size of the first axis where it is free.
    """
    nodes = [node for node in graph.inputs if node.output.dtype != "resource"]
    free = any(None in (node.output.shape or (None, None))[1:] for node in nodes)
    for size in _FREE if free else _FREE[:1]:
        shapes = {node: _filled(node.output.shape, batch, size) for node in nodes}
        # Several free axes of a likely size make an unlikely large input.
        if not free or sum(prod(shape) for shape in shapes.values()) <= _MOST_GUESSED:
            yield {node.name: _array(node, shape) for node, shape in shapes.items()}


def _filled(shape: Shape, batch: int, size: int) -> tuple[int, ...]:
    if shape is None:
        return (batch, size)
    if shape and shape[0] is None:
        shape = (batch, *shape[1:])
    return tuple(size if given is None else given for given in shape)


def _array(node: Node, shape: tuple[int, ...]) -> Array:
    # Each input has numbers of its own: two inputs that were swapped must show.
    seed = np.frombuffer(node.name.encode("utf-8", "replace"), np.uint8)
    draw = np.random.default_rng([_SEED, *seed.tolist()])
    dtype = node.output.dtype
    if dtype == "string":
        texts = np.array(_WORDS, object)
        return np.asarray(texts[draw.integers(0, len(_WORDS), shape)], object)
    if dtype == "bool":
        return draw.random(shape) < 0.5
    if dtype in ("complex64", "complex128"):
        return (draw.standard_normal(shape) + 1j * draw.standard_normal(shape)).astype(dtype)
    if dtype in ("float32", "float64", "float16"):
        bound = _rows(node.output)
        if bound is not None:
            return draw.integers(0, bound, shape).astype(dtype)
        if len(shape) == 4:
            return draw.random(shape, np.float32).astype(dtype)
        return draw.standard_normal(shape).astype(dtype)
    bound = _rows(node.output)
    if bound is None:
        bound = 256 if dtype == "uint8" and len(shape) == 4 else _LARGEST_ID
    return draw.integers(0, bound, shape).astype(dtype or "int32")


def _rows(value: Value) -> int | None:
    """How many rows the table has that an input looks up, directly or as it is passed on."""
    left, seen = [value], {value}
    while left and len(seen) < _MOST_FOLLOWED:
        current = left.pop()
        for node, index in current.uses:
            if node.op in _LOOKING_UP and index == 1:
                table = node.inputs[0].shape
                if table and table[0]:
                    return table[0]
            if node.op == "OneHot" and index == 0:
                depth = node.inputs[1].node.attrs.get("value")
                if depth is not None and depth.size == 1:
                    return max(1, int(depth.array().reshape(-1)[0]))
            if node.op in _PASSING and index == 0:
                for output in node.outputs:
                    if output not in seen:
                        seen.add(output)
                        left.append(output)
    return None


def fed_in_order(graph: Graph, source: Graph, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Feeds of the source as feeds of what became of it, whose inputs have the same order.

    Numbers take the dtype that the other graph asks for.
    """
    names = [node.name for node in source.inputs if node.name in feeds]
    nodes = [node for node in graph.inputs if node.output.dtype != "resource"]
    found = {}
    for name, node in zip(names, nodes, strict=True):
        array = feeds[name]
        dtype = node.output.dtype
        same = dtype in (None, "string") or array.dtype.kind == "O"
        found[node.name] = array if same else array.astype(str(dtype))
    return found
