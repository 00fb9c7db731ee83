"""A NodeDef, looked at once: each look at a field of a message makes new objects."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, eq=False)
class NodeRecord:
    """What a NodeDef tells.

    Attributes:
        name: the name of the node.
        op: its operation.
        inputs: what it reads, as the file says it: `node`, `node:1`, `node:argument:0`, `^node`.
        attrs: the attributes, as AttrValue messages.
        key: equal for nodes of one operation with the same attributes; None where nothing is
            known to have the same.
        proto: the NodeDef, where there is one.
    """

    name: str
    op: str
    inputs: list[str]
    attrs: Mapping[str, Any]
    key: object = None
    proto: Any = None

    @property
    def nbytes(self) -> int:
        """How many bytes of the file it takes; to tell that takes as long as to write it."""
        return 0 if self.proto is None else int(self.proto.ByteSize())


def record_of(proto: Any) -> NodeRecord:
    """The record of a NodeDef message."""
    op, attrs = sys.intern(proto.op), proto.attr
    if op == "Const":
        # Each constant is one of its own, even where two are alike.
        return NodeRecord(proto.name, op, list(proto.input), attrs, proto=proto)
    told = [(name, attrs[name].SerializeToString()) for name in attrs if name[:1] != "_"]
    return NodeRecord(proto.name, op, list(proto.input), attrs, (op, *told))
