"""TensorProto and TensorShapeProto as tensors and shapes.

Source: tensorflow/core/framework/{tensor,tensor_shape}.proto and tensor.cc: values may stand in
`tensor_content`, or in a list of one type whose last value is repeated up to the shape's size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any, cast

import numpy as np

from tfjs.errors import CorruptFileError
from tfjs.ir.dtypes import TO_NUMBER, of_number
from tfjs.ir.graph import Shape
from tfjs.ir.tensor import ITEM_SIZES, Array, ArrayTensor, DerivedTensor, Tensor, widen_bfloat16
from tfjs.ops.base import MOST_IN_AXIS
from tfjs.wire.protobuf import message_class

MOST_DIMENSIONS = 32  # of NumPy's arrays before 2.0; TF.js has 6
# What one repeated value may grow to, in bytes or in strings; a model never needs more.
MOST_REPEATED = 1 << 28
_MOST_STRINGS = 1 << 20
_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "int32": "int_val",
    "int16": "int_val",
    "int8": "int_val",
    "uint8": "int_val",
    "uint16": "int_val",
    "int64": "int64_val",
    "bool": "bool_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "complex64": "scomplex_val",
    "complex128": "dcomplex_val",
    "float16": "half_val",
    "bfloat16": "half_val",
}


def read_shape(proto: Any) -> Shape:
    """A shape; None where the rank is unknown.

    Raises:
        CorruptFileError: it has more dimensions, or larger ones, than a tensor can have.
    """
    if proto.unknown_rank:
        return None
    dims = proto.dim
    if not dims:
        return ()
    if len(dims) > MOST_DIMENSIONS:
        raise CorruptFileError(f"has a shape of {len(dims)} dimensions")
    sizes = [dim.size for dim in dims]
    largest = max(sizes)
    if largest > MOST_IN_AXIS:
        raise CorruptFileError(f"has a shape with the absurd size {largest}")
    return tuple(sizes if min(sizes) >= 0 else [None if size < 0 else size for size in sizes])


def read_tensor(proto: Any) -> Tensor:
    """A tensor; its numbers are decoded when they are asked for.

    Raises:
        CorruptFileError: the dtype is none of a tensor, or the values do not fill the shape.
    """
    # Each look at a field of a message makes a new object of it.
    number, told, content = proto.dtype, read_shape(proto.tensor_shape), proto.tensor_content
    dtype = of_number(number)
    if told is None or None in told:
        raise CorruptFileError("has a constant without a static shape")
    shape = cast("tuple[int, ...]", told)
    if dtype == "string":
        return _strings(proto, shape)
    if dtype is None or dtype not in ITEM_SIZES:
        raise CorruptFileError(f"has a constant of dtype {dtype or number}")
    size = math.prod(shape)
    if content:
        if len(content) != size * ITEM_SIZES[dtype]:
            raise CorruptFileError(
                f"has a {dtype} constant of {list(shape)} in {len(content)} bytes"
            )
    elif size * ITEM_SIZES[dtype] > MOST_REPEATED:
        raise CorruptFileError(f"has a constant of the absurd shape {list(shape)}")
    elif len(getattr(proto, _FIELDS[dtype])) > size * (2 if dtype.startswith("complex") else 1):
        raise CorruptFileError(f"has a constant with more values than its shape {list(shape)}")
    if size <= 1024:
        return ArrayTensor(_numbers(proto, content, dtype, shape))
    return DerivedTensor(
        "float32" if dtype == "bfloat16" else dtype,
        shape,
        lambda: _numbers(proto, proto.tensor_content, dtype, shape),
    )


def _numbers(proto: Any, content: bytes, dtype: str, shape: tuple[int, ...]) -> Array:
    if content:
        if dtype == "bfloat16":
            return widen_bfloat16(np.frombuffer(content, "<u2")).reshape(shape)
        numbers = np.frombuffer(content, _little_endian(dtype))
        return numbers.astype(dtype, copy=False).reshape(shape)
    values = np.array(getattr(proto, _FIELDS[dtype]))
    if dtype.startswith("complex"):
        values = values[0::2] + 1j * values[1::2]
    elif dtype in ("float16", "bfloat16"):
        bits = values.astype(np.uint16)
        values = bits.view(np.float16) if dtype == "float16" else widen_bfloat16(bits)
    result = np.zeros(math.prod(shape), dtype="float32" if dtype == "bfloat16" else dtype)
    if values.size:
        result[: values.size] = values.astype(result.dtype)
        result[values.size :] = result[values.size - 1]
    return result.reshape(shape)


@cache
def _little_endian(dtype: str) -> np.dtype[Any]:
    return np.dtype(dtype).newbyteorder("<")


def _strings(proto: Any, shape: tuple[int, ...]) -> Tensor:
    size = math.prod(shape)
    found = list(proto.string_val)
    if len(found) > size or (len(found) < size and size > _MOST_STRINGS):
        raise CorruptFileError(f"has {len(found)} strings for the shape {list(shape)}")
    values = np.empty(size, dtype=object)
    values[:] = found[-1] if found else b""
    for index, item in enumerate(found):
        values[index] = item
    return ArrayTensor(values.reshape(shape))


# Writing -----------------------------------------------------------------------------------------


def shape_proto(shape: Shape) -> Any:
    """A TensorShapeProto; a free size is -1."""
    message: Any = message_class("tensorflow.TensorShapeProto")()
    if shape is None:
        message.unknown_rank = True
        return message
    for size in shape:
        message.dim.add(size=-1 if size is None else size)
    return message


def tensor_proto(tensor: Tensor, dtype: str) -> Any:
    """A TensorProto.

    Args:
        tensor: the elements.
        dtype: what they are to the graph; numbers of "bfloat16" may be held as float32.
    """
    message: Any = message_class("tensorflow.TensorProto")(
        dtype=TO_NUMBER[dtype], tensor_shape=shape_proto(tensor.shape)
    )
    if dtype == "string":
        message.string_val.extend(tensor.array().reshape(-1).tolist())
    else:
        message.tensor_content = b"".join(encoded(tensor, dtype))
    return message


def encoded(tensor: Tensor, dtype: str) -> Iterator[bytes | memoryview]:
    """The elements as little-endian bytes, in bounded pieces; see `tensor_proto`."""
    if dtype != "bfloat16" or tensor.dtype == "bfloat16":
        yield from tensor.chunks()
        return
    for block in tensor.blocks():
        # They were bfloat16 before, so that what is cut off is zero.
        bits = np.ascontiguousarray(block, "<f4").view("<u4") >> 16
        yield bits.astype("<u2").view(np.uint8).data
