"""What a graph does otherwise on one of TF.js's backends, for the report.

A rule rewrites what costs nothing elsewhere; the rest is told here. Source: `runtime_contract.md`
2, and D3, D8, R1 and R3 of section 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tfjs.ir.graph import Graph, Node, Value
from tfjs.ir.tensor import Array
from tfjs.ops.base import constant_array
from tfjs.ops.support import missing_backends, read_on_host
from tfjs.passes.legal.strings import is_lost_on_wasm

# Float32 counts whole numbers up to here; half precision ends there.
_MOST_WHOLE = 1 << 24
_MOST_HALF = 65504
# Larger constants are weights, which are not read for this.
_MOST_LOOKED_AT = 256
# What WebGL and WebGPU shade in ranks up to 4: by operation, which input tells the rank.
_UP_TO_FOUR = {
    "Pad": 0,
    "PadV2": 0,
    "MirrorPad": 0,
    "Select": 1,
    "SelectV2": 1,
    "Cumsum": 0,
    "Cumprod": 0,
    "ReverseV2": 0,
    "StridedSlice": 0,
}
_REDUCTIONS = frozenset({"Sum", "Max", "Min", "Prod", "Mean", "All", "Any", "ArgMax", "ArgMin"})
_TURNS = _REDUCTIONS | {"Transpose", "Cumsum", "Cumprod"}


def backend_notes(graphs: Iterable[Graph]) -> list[str]:
    """What to know of the backends, one line each.

    Args:
        graphs: all graphs of a model that TF.js runs.
    """
    nodes = [node for graph in graphs for node in graph.nodes.values()]
    return [*_missing(nodes), *_ranks(nodes), *_numbers(nodes)]


def _missing(nodes: list[Node]) -> Iterator[str]:
    found: dict[str, set[str]] = {}
    for op in {node.op for node in nodes}:
        for backend in missing_backends(op):
            found.setdefault(backend, set()).add(op)
    lost = {f"{node.op} of texts" for node in nodes if is_lost_on_wasm(node)}
    if any(value.dtype == "complex64" for node in nodes for value in node.outputs):
        lost.add("complex numbers")
    if lost:
        found.setdefault("wasm", set()).update(lost)
    for backend, ops in sorted(found.items()):
        names = ", ".join(sorted(ops))
        yield f"does not run on the {backend} backend, which lacks {names}"


def _ranks(nodes: list[Node]) -> Iterator[str]:
    high = {node.op for node in nodes if node.op in _UP_TO_FOUR and _rank_of(node) > 4}
    if high:
        yield f"WebGL and WebGPU do not run in more than 4 dimensions: {', '.join(sorted(high))}"
    turned = {node.op for node in nodes if node.op in _TURNS and _turns_integers(node)}
    if turned:
        names = ", ".join(sorted(turned))
        yield f"WebGPU answers wrongly for integers in 3 dimensions and more: {names}"


def _rank_of(node: Node) -> int:
    shape = node.inputs[_UP_TO_FOUR[node.op]].shape
    if node.op == "StridedSlice" and shape is not None:
        strides = constant_array(node.inputs[3])
        if strides is not None and (strides == 1).all():
            return 0
    return 0 if shape is None else len(shape)


def _turns_integers(node: Node) -> bool:
    """Whether a node puts the axes of integers or booleans of rank 3 and more in another order."""
    x = node.inputs[0]
    if x.dtype not in ("int32", "bool") or x.shape is None or len(x.shape) < 3:
        return False
    rank, told = len(x.shape), constant_array(node.inputs[1])
    if told is None:
        return True
    axes = sorted(int(axis) % rank for axis in told.reshape(-1))
    if node.op == "Transpose":
        return True
    # Axes that are reduced last need not be moved there.
    return axes != list(range(rank - len(axes), rank))


def _numbers(nodes: list[Node]) -> Iterator[str]:
    found: dict[str, list[Array]] = {"int32": [], "float32": []}
    for node in nodes:
        tensor = node.attrs["value"] if node.op == "Const" else None
        if tensor is None or tensor.dtype not in found or tensor.size > _MOST_LOOKED_AT:
            continue
        if not _is_parameter(node.output):
            found[tensor.dtype].append(tensor.array().reshape(-1))
    whole, real = (_largest(arrays) for arrays in found.values())
    if whole > _MOST_WHOLE:
        yield (
            "WebGL and WebGPU compute integers in float32, which is exact up to 16777216: "
            f"the graph has {whole:.0f}"
        )
    if real > _MOST_HALF:
        yield (
            f"GPUs without float32, as in some phones, have no numbers beyond {_MOST_HALF}: the "
            f"graph has {real:g}"
        )


def _largest(arrays: Sequence[Array]) -> float:
    """The largest absolute value of all that is finite."""
    with np.errstate(invalid="ignore"):  # of a NaN that signals
        every = np.concatenate([np.zeros(1), *arrays], dtype=np.float64)
    return float(np.abs(every[np.isfinite(every)]).max())


def _is_parameter(value: Value) -> bool:
    """Whether TF.js reads a constant on the host wherever it reads it."""
    return all(read_on_host(user.op, index, len(user.inputs)) for user, index in value.uses)
