"""Nodes and functions of a GraphDef in JSON.

It comes in either of two forms: as protobuf writes it, with names of enumerations and base64, or
as the pb2json tool of old did, with their numbers and with lists of character codes
(`runtime_contract.md` 1.2 and 6).
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from tfjs.errors import CorruptFileError
from tfjs.formats.node_record import NodeRecord
from tfjs.wire.protobuf import parse_json


def records(nodes: Any, where: str) -> Iterator[NodeRecord]:
    """The nodes of a topology, without the contents of constants.

    Args:
        nodes: the list of NodeDefs.
        where: the file, for messages.

    Raises:
        CorruptFileError: a node is no NodeDef.
    """
    attrs: dict[object, Mapping[str, Any]] = {}
    for entry in _list(nodes):
        told = entry if isinstance(entry, dict) else {}
        name, op, inputs = told.get("name") or "", told.get("op") or "", told.get("input") or []
        if not (isinstance(name, str) and isinstance(op, str) and _is_texts(inputs)):
            raise CorruptFileError(f"has a node that is none: {name!r}", where=where)
        found = told.get("attr") or {}
        if op == "Const" and isinstance(found, dict):
            found = {key: value for key, value in found.items() if key != "value"}
        # Most nodes have the attributes of others; to parse them takes long.
        key = (op, repr(found))
        if key not in attrs:
            plain = _plain_node({"op": op, "attr": found})
            attrs[key] = parse_json("tensorflow.NodeDef", plain, where).attr
        yield NodeRecord(name, sys.intern(op), inputs, attrs[key], key)


def plain_library(topology: Mapping[str, Any]) -> dict[str, Any]:
    """The functions of a topology, as a GraphDef in the JSON form of protobuf."""
    library = topology.get("library")
    functions = library.get("function") if isinstance(library, dict) else None
    bodies = [
        {
            **{key: function[key] for key in ("signature", "ret") if key in function},
            "nodeDef": [_plain_node(node) for node in _list(function.get("nodeDef"))],
        }
        for function in _list(functions)
        if isinstance(function, dict)
    ]
    return {"library": {"function": bodies}}


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(type(text) is str for text in value)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _plain_node(node: Any) -> Any:
    """A NodeDef with bytes in base64 everywhere, and without what a constant holds."""
    attrs = node.get("attr") if isinstance(node, dict) else None
    if not isinstance(attrs, dict):
        return node
    found = {name: _plain_attr(value) for name, value in attrs.items()}
    if node.get("op") == "Const":
        found.pop("value", None)
    if node.get("op") == "_FusedConv2D":
        found.setdefault("TArgs", _argument_dtypes(found))
    return {**node, "attr": found}


def _argument_dtypes(attrs: Mapping[str, Any]) -> Any:
    """What TensorFlow before 2.8 and TF.js leave out: the dtypes of bias and slope."""
    dtype, count = attrs.get("T"), attrs.get("num_args")
    told = count.get("i") if isinstance(count, dict) else None
    if not isinstance(dtype, dict) or str(told) not in ("1", "2"):
        return {"list": {}}
    return {"list": {"type": [dtype.get("type", "DT_FLOAT")] * int(str(told))}}


def _plain_attr(attr: Any) -> Any:
    if not isinstance(attr, dict):
        return attr
    found = {key: _plain_bytes(value) if key == "s" else value for key, value in attr.items()}
    listed = found.get("list")
    if isinstance(listed, dict) and isinstance(listed.get("s"), list):
        found["list"] = {**listed, "s": [_plain_bytes(item) for item in listed["s"]]}
    return found


def _plain_bytes(value: Any) -> Any:
    if isinstance(value, list) and all(type(code) is int and 0 <= code < 256 for code in value):
        return base64.b64encode(bytes(value)).decode("ascii")
    return value
