"""The object graph of a checkpoint: from the attributes of objects to the keys of variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfjs.errors import CorruptFileError
from tfjs.formats.checkpoint import tensor_of
from tfjs.ir.tensor import Tensor
from tfjs.wire.bundle import Bundle
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
