"""Operations on strings, which are byte strings in arrays of objects."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import as_first, broadcast, broadcast_shapes, declare, unknown
from tfjs.ops.elementwise import numpy_dtype
from tfjs.ops.reduction import reduced_shape
from tfjs.ops.shapes import scalar_input


def of_each(function: Callable[[Any], Any], x: Array, dtype: Any = object) -> Array:
    """What a function gives for each string."""
    # np.ndindex lists every place of each axis, though another has none.
    result = np.empty(x.size, dtype)
    for place, item in enumerate(x.reshape(-1)):
        result[place] = function(item)
    return result.reshape(x.shape)


def _case(name: str, change: Callable[[str], str], plain: Callable[[bytes], bytes]) -> None:
    def kernel(attrs: Attrs, x: Array) -> Array:
        if attrs.get("encoding") == b"utf-8":
            return of_each(lambda item: change(item.decode()).encode(), x)
        return of_each(plain, x)

    declare(name, infer=as_first, kernel=kernel)


_case("StringLower", str.lower, bytes.lower)
_case("StringUpper", str.upper, bytes.upper)


def _strip(item: bytes) -> bytes:
    return item.strip(b" \t\n\v\f\r")


declare("StringStrip", infer=as_first, kernel=lambda attrs, x: of_each(_strip, x))


def _characters(item: bytes) -> int:
    # Bytes that go on with a character are not counted.
    return sum(byte & 0xC0 != 0x80 for byte in item)


def _length(attrs: Attrs, x: Array) -> Array:
    return of_each(len if attrs.get("unit", b"BYTE") == b"BYTE" else _characters, x, np.int32)


declare("StringLength", infer=as_first, kernel=_length)


def _joined_shape(node: Node) -> list[Shape]:
    # Scalars go with any shape; all others are equal.
    return [broadcast_shapes([value.shape for value in node.inputs])]


def _join(attrs: Attrs, *values: Array) -> Array:
    shapes = {value.shape for value in values if value.ndim}
    if len(shapes) > 1:
        raise ValueError("the shapes should be equal")
    shape = shapes.pop() if shapes else ()
    spread = [np.broadcast_to(value, shape).reshape(-1) for value in values]
    result = np.empty(math.prod(shape), object)
    for place in range(result.size):
        result[place] = attrs.get("separator", b"").join(value[place] for value in spread)
    return result.reshape(shape)


declare("StringJoin", infer=_joined_shape, kernel=_join)


def _substr(attrs: Attrs, x: Array, pos: Array, length: Array) -> Array:
    if attrs.get("unit", b"BYTE") != b"BYTE":
        raise ValueError("characters of UTF-8 are not cut")
    if pos.shape != length.shape:
        raise ValueError("the shapes should be equal")
    shape = np.broadcast_shapes(x.shape, pos.shape)
    spread = (np.broadcast_to(value, shape).reshape(-1) for value in (x, pos, length))
    items, starts, counts = spread
    result = np.empty(math.prod(shape), object)
    for place in range(result.size):
        item, start, count = items[place], int(starts[place]), int(counts[place])
        if not -len(item) <= start <= len(item):
            raise ValueError(f"position {start} lies outside of {item!r}")
        start = start + len(item) if start < 0 else start
        result[place] = item[start : None if count < 0 else start + count]
    return result.reshape(shape)


declare("Substr", infer=broadcast, kernel=_substr)


def _number(attrs: Attrs, x: Array) -> Array:
    dtype = numpy_dtype(attrs.get("out_type", "float32"))
    read = float if dtype.kind == "f" else int
    return of_each(lambda item: read(item.strip(b" \t\n\v\f\r")), x, dtype)


declare("StringToNumber", infer=as_first, kernel=_number)

declare(
    *("AsString", "DecodeBase64", "EncodeBase64", "StringToHashBucket"),
    *("StringToHashBucketStrong", "UnicodeScript", "UnicodeTranscode"),
    infer=as_first,
)
declare("StringFormat", "SerializeTensor", "ReadFile", infer=lambda node: [()])
declare("ReduceJoin", infer=reduced_shape)
declare("UnicodeDecode", infer=lambda node: [(None,), (None,)])
declare("UnicodeDecodeWithOffsets", infer=lambda node: [(None,), (None,), (None,)])


def _encoded_shape(node: Node) -> list[Shape]:
    splits = node.inputs[1].shape
    return [(splits[0] - 1 if splits and splits[0] else None,)]


declare("UnicodeEncode", infer=_encoded_shape)


def _joined_segments(node: Node) -> list[Shape]:
    shape, ids = (value.shape for value in node.inputs[:2])
    if shape is None or ids is None:
        return [None]
    return [(scalar_input(node, 2), *shape[len(ids) :])]


declare("UnsortedSegmentJoin", infer=_joined_segments)


def _raw_shape(node: Node) -> list[Shape]:
    shape = node.inputs[0].shape
    return [None if shape is None else (*shape, None)]


declare("DecodeRaw", "DecodePaddedRaw", infer=_raw_shape)
declare("ParseTensor", infer=unknown())
declare("DecodeCSV", infer=lambda node: [node.inputs[0].shape] * len(node.attrs["OUT_TYPE"]))
