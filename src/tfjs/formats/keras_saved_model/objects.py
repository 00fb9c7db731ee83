"""The object graph of a checkpoint: from the attributes of objects to the keys of variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfjs.errors import CorruptFileError
from tfjs.ir.tensor import ITEM_SIZES, Array, DerivedTensor, SpanTensor, Tensor
from tfjs.wire.bundle import Bundle, BundleEntry
from tfjs.wire.protobuf import parse

_VALUE = "VARIABLE_VALUE"


class ObjectGraph:
    """The objects of a checkpoint, walked by the names of their attributes from the root.

    Args:
        bundle: the checkpoint.

    Raises:
        CorruptFileError: it has no object graph, or a damaged one.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.where = str(bundle.index_path)
        self._bundle = bundle
        data = bundle.object_graph()
        if data is None:
            raise CorruptFileError("has no object graph", where=self.where)
        message: Any = parse("tensorflow.TrackableObjectGraph", data, self.where)
        self._children = [
            {child.local_name: child.node_id for child in node.children} for node in message.nodes
        ]
        self._keys = [
            {entry.name: entry.checkpoint_key for entry in node.attributes}
            for node in message.nodes
        ]

    def find(self, path: Sequence[str], start: int = 0) -> int | None:
        """The object that a path of attributes leads to, None where there is none."""
        here = start
        for name in path:
            if not 0 <= here < len(self._children):
                return None
            following = self._children[here].get(name)
            if following is None:
                return None
            here = following
        return here if 0 <= here < len(self._children) else None

    def variable(self, number: int) -> Tensor | None:
        """The value of an object that is a variable, else None."""
        key = self._keys[number].get(_VALUE)
        return None if key is None else tensor_of(self._bundle.entry(key))

    def variables(self, number: int) -> dict[str, Tensor]:
        """The variables among the attributes of an object, by attribute."""
        found: dict[str, Tensor] = {}
        for name, child in self._children[number].items():
            if 0 <= child < len(self._keys):
                tensor = self.variable(child)
                if tensor is not None:
                    found[name] = tensor
        return found


def tensor_of(entry: BundleEntry) -> Tensor:
    """The lazy tensor of a checkpoint entry; pieces of a partitioned variable are joined.

    Raises:
        CorruptFileError: no variable has its dtype.
    """
    if entry.dtype_name not in ITEM_SIZES:
        raise CorruptFileError(f"the variable {entry.key!r} has dtype {entry.dtype_name}")
    if not entry.slices:
        return SpanTensor(entry.dtype_name, entry.shape, [entry.span()])
    dtype = "float32" if entry.dtype_name == "bfloat16" else entry.dtype_name

    def joined() -> Array:
        whole = np.empty(entry.shape, dtype=dtype)
        for piece in entry.slices:
            part = tensor_of(piece.entry)
            sizes = zip(piece.starts, part.shape, strict=True)
            whole[tuple(slice(start, start + size) for start, size in sizes)] = part.array()
        return whole

    return DerivedTensor(dtype, entry.shape, joined)
