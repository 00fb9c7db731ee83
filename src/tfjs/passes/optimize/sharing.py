"""Values that are computed twice, and weights that are stored twice."""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Hashable, Iterable
from hashlib import blake2b
from typing import Any

from tfjs.ir.graph import Dims, Graph, Node, constant_of, held, origins
from tfjs.ir.tensor import QuantizedTensor, Tensor
from tfjs.ops.definitions import built_definition

# What is no function of its inputs, or may run another number of times than they do.
_APART = re.compile(
    r"Random|Multinomial|StatelessTruncated|Dropout|^TensorList|^EmptyTensorList|^TensorArray"
    r"|Table|^(Ref)?(Switch|Merge|Enter|Exit|NextIteration|Select)$|^LoopCond$|^Const$|^Placeholder"
)
_EITHER_WAY = frozenset(
    {"Add", "AddV2", "Mul", "Maximum", "Minimum", "SquaredDifference", "Equal", "NotEqual"}
    | {"LogicalAnd", "LogicalOr"}
)
_HANDLES = frozenset({"resource", "variant"})
_FIRST_BYTES = 1 << 12
_FIRST = object()  # where a node stands whose attributes nothing has asked for yet


def share(graph: Graph, hits: Counter[str]) -> None:
    """Let readers of equal values read one of them.

    Args:
        graph: the graph, changed in place.
        hits: counts constants and computations that went, as `share/constant` and
            `share/computation`.
    """
    merged: dict[Node, list[str]] = {}
    _share_constants(graph, hits, merged)
    _share_computations(graph, hits, merged)
    for node, names in merged.items():
        node.origin = origins([*node.origin, *names])


def _merge(graph: Graph, node: Node, kept: Node, merged: dict[Node, list[str]]) -> None:
    for old, new in zip(node.outputs, kept.outputs, strict=True):
        if new.shape is None:
            new.shape = old.shape
        graph.replace(old, new)
    graph.erase(node)
    merged.setdefault(kept, []).extend([*node.origin, *merged.pop(node, ())])


# Constants ---------------------------------------------------------------------------------------


def _share_constants(graph: Graph, hits: Counter[str], merged: dict[Node, list[str]]) -> None:
    nodes = [node for node in graph.nodes.values() if node.op == "Const"]
    nodes = [node for node in nodes if node not in graph.inputs and node not in graph.targets]
    for group in _alike(nodes, _kind):
        for close in _alike(group, _beginning):
            # Of small ones the beginning is all.
            whole = constant_of(close[0].output)
            small = whole is not None and _is_small(whole)
            for same in [close] if small else _alike(close, _contents):
                for node in same[1:]:
                    _merge(graph, node, same[0], merged)
                    hits["share/constant"] += 1


def _alike(nodes: Iterable[Node], key: Any) -> list[list[Node]]:
    """Nodes by a key, those that are alone left out, and those of which there is no key."""
    groups: dict[Hashable, list[Node]] = {}
    for node in nodes:
        tensor = constant_of(node.output)
        found = None if tensor is None else key(tensor)
        if found is not None:
            groups.setdefault(found, []).append(node)
    return [group for group in groups.values() if len(group) > 1]


def _kind(tensor: Tensor) -> Hashable:
    """What is known without reading; values that are stored otherwise stay apart."""
    stored = tensor.quantization if isinstance(tensor, QuantizedTensor) else None
    return tensor.dtype, tensor.shape, stored


def _beginning(tensor: Tensor) -> Hashable:
    """The first bytes, read alone where the tensor lies in a file; all of a small one."""
    if tensor.dtype == "string":
        return _contents(tensor)
    if _is_small(tensor):
        # It may come in pieces.
        return b"".join(tensor.chunks())
    return bytes(next(iter(tensor.chunks(_FIRST_BYTES)), b""))[:_FIRST_BYTES]


def _is_small(tensor: Tensor) -> bool:
    return tensor.dtype == "string" or tensor.nbytes <= _FIRST_BYTES


def _contents(tensor: Tensor) -> Hashable:
    """A digest of all bytes, of which a piece at a time is held."""
    digest = blake2b(digest_size=32)
    if tensor.dtype == "string":
        for item in tensor.array().reshape(-1):
            digest.update(struct.pack("<Q", len(item)) + item)
    else:
        for piece in tensor.chunks():
            digest.update(piece)
    return digest.digest()


# Computations ------------------------------------------------------------------------------------


def _share_computations(graph: Graph, hits: Counter[str], merged: dict[Node, list[str]]) -> None:
    # Few nodes do the same with the same inputs: only those are looked at closely.
    first: dict[Hashable, dict[Hashable, Node]] = {}
    targets = set(graph.targets)
    for node in graph.ordered():
        if not node.inputs or node in targets or node in graph.inputs:
            continue
        inputs = list(node.inputs)
        if len(inputs) > 1 and node.op in _EITHER_WAY:
            inputs.sort(key=id)
        place = (node.op, *inputs)
        found = first.get(place)
        if found is None:
            first[place] = {_FIRST: node}
            continue
        known = found.pop(_FIRST, None)
        if known is not None:
            found[_computation(known)] = known
        key = _computation(node)
        kept = None if key is None else found.setdefault(key, node)
        if kept is not None and kept is not node:
            _merge(graph, node, kept, merged)
            hits["share/computation"] += 1


def _computation(node: Node) -> Hashable | None:
    """What a node computes of its inputs; None where two of them would not be one."""
    if node.controls or _APART.search(node.op) or held(node):
        return None
    known = built_definition(node.op)
    if known is None or known.stateful:
        return None
    if any(value.dtype in _HANDLES for value in (*node.inputs, *node.outputs)):
        return None
    attrs = [(name, _frozen(item)) for name, item in sorted(node.attrs.items()) if name[:1] != "_"]
    if any(item is None for _, item in attrs):
        return None
    return tuple(attrs), tuple(value.dtype for value in node.outputs)


def _frozen(item: Any) -> Hashable | None:
    """An attribute as a key; None for what is compared by no key."""
    if isinstance(item, Dims):
        return ("shape", item.dims)
    if isinstance(item, list):
        parts = [_frozen(part) for part in item]
        return None if None in parts else ("list", *parts)
    if isinstance(item, float):
        return ("float", struct.pack("<d", item))
    if isinstance(item, bool | int | str | bytes):
        return (type(item).__name__, item)
    return None
