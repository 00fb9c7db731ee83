"""Of which type an attribute is, as TensorFlow's signatures of operations call it."""

from __future__ import annotations

from typing import Any

from tfjs.ir.graph import Dims, FuncRef
from tfjs.ops.definitions import Definition

# Type of an attribute -> the field of an AttrValue that holds it.
FIELDS = {
    "int": "i",
    "float": "f",
    "bool": "b",
    "string": "s",
    "type": "type",
    "shape": "shape",
    "func": "func",
    "tensor": "tensor",
}


def kind_of(name: str, value: Any, known: Definition | None) -> str:
    """The type of an attribute, such as "int" or "list(shape)".

    Args:
        name: its name.
        value: the attribute; it tells where the signature does not.
        known: the signature of the operation.
    """
    told = None if known is None else known.attr_types.get(name)
    if told is not None and told != "list(any)":
        return told
    if isinstance(value, list):
        return f"list({_scalar_kind(value[0])})" if value else "list(int)"
    return _scalar_kind(value)


def _scalar_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    kinds: dict[type, str] = {
        int: "int",
        float: "float",
        bytes: "string",
        str: "type",
        Dims: "shape",
        FuncRef: "func",
    }
    found = next((kind for cls, kind in kinds.items() if isinstance(value, cls)), None)
    return "tensor" if found is None else found
