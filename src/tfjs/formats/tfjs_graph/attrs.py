"""Attributes, shapes and dtypes in the JSON form of protobuf messages, as TF.js decodes them.

64-bit integers are strings, bytes base64, dtypes names of their enumeration. A list has its member
`list` even where it is empty: TF.js looks into it (`runtime_contract.md` 1.2).
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from typing import Any

from tfjs.errors import ConversionError, UnsupportedError
from tfjs.formats.attr_kinds import FIELDS, kind_of
from tfjs.ir.dtypes import TO_ENUM
from tfjs.ir.graph import Dims, FuncRef, Node, Shape
from tfjs.ir.tensor import Tensor
from tfjs.ops.definitions import Definition, definition
from tfjs.ops.support import DTYPES, HANDLES, TfjsAttr, TfjsOp, tfjs_op

_ALL = DTYPES | HANDLES


def shape_json(shape: Shape) -> dict[str, Any]:
    """A TensorShapeProto; a free size is -1."""
    if shape is None:
        return {"unknownRank": True}
    if not shape:
        return {}
    return {"dim": [{"size": str(-1 if size is None else size)} for size in shape]}


def attrs_json(node: Node, where: str) -> dict[str, Any]:
    """The attributes of a node that are worth writing, sorted by name.

    Written are those that TF.js reads, and of the others those that TensorFlow's own signature
    asks for, so that other tools can read the graph. Of an operation that TF.js does not know,
    everything is written: the page that registers it gets all attributes.

    Args:
        node: the node.
        where: what messages call it.

    Raises:
        UnsupportedError: a number is not finite, which JSON cannot say.
        ConversionError: an attribute is of another type than its operation wants.
    """
    if node.op == "Const":
        return _const(node)
    known = definition(node.op)
    return {
        name: _attr(value, kind_of(name, value, known), f"{where}, attribute {name!r}")
        for name, value in sorted(_written(node, known, tfjs_op(node.op)))
    }


def _written(node: Node, known: Definition | None, op: TfjsOp | None) -> Iterator[tuple[str, Any]]:
    for name, value in node.attrs.items():
        if value is None or name.startswith("_"):
            continue
        needed = known is not None and name in known.attr_types
        if needed and known is not None and name in known.defaults:
            needed = known.defaults[name] != value
        if op is None or name in op.attrs or needed:
            yield name, value


def unknown_dtypes(node: Node) -> list[str]:
    """The dtypes in a node's attributes and outputs that TF.js does not have."""
    found = [value.dtype for value in node.outputs if value.dtype not in _ALL]
    for name, value in node.attrs.items():
        kind = type(value)  # most are neither of the two
        if kind is str and value not in DTYPES:
            told = [value]
        elif kind is list:
            told = [item for item in value if isinstance(item, str) and item not in DTYPES]
        else:
            continue
        if told:
            op = tfjs_op(node.op)
            read = op.attrs.get(name) if op is not None else None
            allowed = DTYPES if _decides(read, node.op) else _ALL
            found += [item for item in told if item not in allowed]
    return [dtype for dtype in dict.fromkeys(found) if dtype is not None]


def _decides(read: TfjsAttr | None, op: str) -> bool:
    # What a placeholder is fed is not checked where it is a handle; lists may hold lists.
    passes = op.startswith(("Placeholder", "Tensor", "EmptyTensor"))
    return read is not None and read.kind == "dtype" and not passes


def _const(node: Node) -> dict[str, Any]:
    tensor = node.attrs["value"]
    dtype = TO_ENUM[tensor.dtype]
    return {
        "dtype": {"type": dtype},
        "value": {"tensor": {"dtype": dtype, "tensorShape": shape_json(tensor.shape)}},
    }


def _attr(value: Any, kind: str, where: str) -> dict[str, Any]:
    if not kind.startswith("list("):
        return {FIELDS[kind]: _scalar(value, kind, where)}
    if not isinstance(value, list):
        raise ConversionError(f"is {value!r}, a list is needed", where=where)
    items = [_scalar(item, kind[5:-1], where) for item in value]
    return {"list": {FIELDS[kind[5:-1]]: items} if items else {}}


def _scalar(value: Any, kind: str, where: str) -> Any:
    if kind == "float" and isinstance(value, int | float):
        if not math.isfinite(value):
            raise UnsupportedError(
                f"is {float(value)}, which a model.json cannot say",
                where=where,
                hint="use a large finite number in its place",
            )
        return float(value)
    if kind == "int" and isinstance(value, int):
        return str(int(value))
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "string" and isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if kind == "type" and value in TO_ENUM:
        return TO_ENUM[value]
    if kind == "shape" and isinstance(value, Dims):
        return shape_json(value.dims)
    if kind == "func" and isinstance(value, FuncRef):
        return {"name": value.name}
    what = "a tensor" if isinstance(value, Tensor) else repr(value)
    raise ConversionError(f"is {what}, which cannot be written as {kind}", where=where)
