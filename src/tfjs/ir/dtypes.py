"""The numbers and names that TensorFlow gives to dtypes, and ours.

Source: tensorflow/core/framework/types.proto.
"""

from __future__ import annotations

# Number in files -> TensorFlow's name without DT_.
_NAMES = {
    1: "FLOAT",
    2: "DOUBLE",
    3: "INT32",
    4: "UINT8",
    5: "INT16",
    6: "INT8",
    7: "STRING",
    8: "COMPLEX64",
    9: "INT64",
    10: "BOOL",
    11: "QINT8",
    12: "QUINT8",
    13: "QINT32",
    14: "BFLOAT16",
    15: "QINT16",
    16: "QUINT16",
    17: "UINT16",
    18: "COMPLEX128",
    19: "HALF",
    20: "RESOURCE",
    21: "VARIANT",
    22: "UINT32",
    23: "UINT64",
}
_OWN = {"FLOAT": "float32", "DOUBLE": "float64", "HALF": "float16"}

BY_NUMBER = {number: _OWN.get(name, name.lower()) for number, name in _NAMES.items()}
# "DT_FLOAT" -> "float32", and the other way.
BY_ENUM = {f"DT_{name}": BY_NUMBER[number] for number, name in _NAMES.items()}
TO_ENUM = {own: name for name, own in BY_ENUM.items()}
TO_NUMBER = {own: number for number, own in BY_NUMBER.items()}

_REF = 100  # a reference to a TF1 variable is its dtype plus this


def of_number(number: int) -> str | None:
    """Our name of a dtype in a file; that of what it refers to for a reference; None if unknown."""
    return BY_NUMBER.get(number % _REF if number > _REF else number)
