"""Lazy tensors: dtype, shape and size cost no I/O; bytes are read or computed when asked for."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tfjs.errors import CorruptFileError
from tfjs.io.files import CHUNK, FileSpan

Array = npt.NDArray[Any]

# Logical dtypes. "bfloat16" is stored as its two bytes; "string" has one byte string an element.
ITEM_SIZES = {
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "uint8": 1,
    "uint16": 2,
    "uint32": 4,
    "uint64": 8,
    "bool": 1,
    "complex64": 8,
    "complex128": 16,
}
FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})


class Tensor:
    """A weight: logical dtype, static shape, and bytes that come when asked for.

    Attributes:
        dtype: a key of `ITEM_SIZES`, or "string".
        shape: the sizes of the dimensions; `()` is a scalar.
    """

    __slots__ = ("dtype", "shape")

    def __init__(self, dtype: str, shape: Sequence[int]) -> None:
        self.dtype = dtype
        self.shape = tuple(map(int, shape))

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the elements, little-endian and dense (strings: not known before reading)."""
        return self.size * ITEM_SIZES[self.dtype]

    def array(self) -> Array:
        """The elements as a read-only array where possible; bfloat16 widened to float32.

        Strings come as an object array of bytes. Every kind of tensor has its own.
        """
        # No abstract class: whether something is a tensor is asked half a million times a graph.
        raise NotImplementedError(type(self).__name__)

    def blocks(self, size: int = CHUNK) -> Iterator[Array]:
        """The elements in row-major order as 1-D arrays of bounded size."""
        flat = self.array().reshape(-1)
        step = max(1, size // max(1, flat.itemsize))
        for start in range(0, flat.size, step):
            yield flat[start : start + step]

    def chunks(self, size: int = CHUNK) -> Iterator[bytes | memoryview]:
        """The elements as little-endian bytes in row-major order, in bounded pieces."""
        for block in self.blocks(size):
            yield _little_endian(block)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.dtype}, {list(self.shape)})"


def _little_endian(block: Array) -> memoryview:
    if sys.byteorder == "big" or not block.dtype.isnative:
        block = block.astype(block.dtype.newbyteorder("<"), copy=False)
    return np.ascontiguousarray(block).view(np.uint8).data


class ArrayTensor(Tensor):
    """A tensor whose elements are in memory.

    Args:
        array: any numeric or bool array, or an object array of bytes for strings.
    """

    __slots__ = ("_array",)

    def __init__(self, array: npt.ArrayLike) -> None:
        value = np.asarray(array)
        if value.dtype.kind in "OSU":
            super().__init__("string", value.shape)
            value = _as_byte_strings(value)
        else:
            self.dtype, self.shape = _name(value.dtype), value.shape
            if self.dtype not in ITEM_SIZES:
                raise TypeError(f"no tensor of dtype {value.dtype}")
        if value.flags.writeable:
            value = value.view()
            value.flags.writeable = False
        self._array = value

    def array(self) -> Array:
        return self._array

    def chunks(self, size: int = CHUNK) -> Iterator[bytes | memoryview]:
        if self._array.nbytes > size:
            yield from super().chunks(size)
        elif self._array.size:
            yield _little_endian(self._array.reshape(-1))


@cache
def _name(dtype: np.dtype[Any]) -> str:
    """NumPy's name of a dtype, which it puts together each time that it is asked."""
    return dtype.name


def _as_byte_strings(value: Array) -> Array:
    result = np.empty(value.shape, dtype=object)
    flat = result.reshape(-1)
    # np.ndindex would list the places of each dimension, and [0, 2**31] has no element.
    for index, item in enumerate(value.flat):
        if not isinstance(item, str | bytes):
            raise TypeError(f"a string tensor cannot hold {item!r}")
        flat[index] = item.encode() if isinstance(item, str) else item
    return result


class SpanTensor(Tensor):
    """A tensor that lies, little-endian and dense, in one or more spans of files.

    Args:
        dtype: a key of `ITEM_SIZES`.
        shape: the sizes of the dimensions.
        spans: the pieces in order; together exactly as long as the tensor.

    Raises:
        CorruptFileError: the spans are not as long as dtype and shape ask for.
    """

    __slots__ = ("spans",)

    def __init__(self, dtype: str, shape: Sequence[int], spans: Sequence[FileSpan]) -> None:
        super().__init__(dtype, shape)
        self.spans = tuple(spans)
        found = sum(span.length for span in self.spans)
        if found != self.nbytes:
            raise CorruptFileError(
                f"a {dtype} tensor of shape {list(self.shape)} has {self.nbytes} bytes, "
                f"{found} were found"
            )

    def array(self) -> Array:
        if not self.spans:
            raw: bytes | memoryview = b""
        elif len(self.spans) == 1:
            raw = self.spans[0].view()
        else:
            raw = b"".join(bytes(span.view()) for span in self.spans)
        value = _decode(raw, self.dtype).reshape(self.shape)
        value.flags.writeable = False
        return value

    def blocks(self, size: int = CHUNK) -> Iterator[Array]:
        item = ITEM_SIZES[self.dtype]
        rest = b""
        for chunk in self.chunks(size):
            data = rest + chunk if rest else chunk
            whole = len(data) - len(data) % item
            rest = bytes(data[whole:])
            if whole:
                yield _decode(data[:whole], self.dtype)

    def chunks(self, size: int = CHUNK) -> Iterator[memoryview]:
        for span in self.spans:
            yield from span.chunks(size)


def _decode(raw: bytes | memoryview, dtype: str) -> Array:
    if dtype == "bfloat16":
        return widen_bfloat16(np.frombuffer(raw, dtype="<u2"))
    order = np.dtype(dtype).newbyteorder("<")
    return np.frombuffer(raw, dtype=order)


def widen_bfloat16(bits: Array) -> Array:
    """bfloat16 given as uint16 bits, as float32 of the same values."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


class DerivedTensor(Tensor):
    """A tensor computed from others when it is asked for, one at a time.

    Args:
        dtype: dtype of the result.
        shape: shape of the result.
        compute: gives the whole result.
    """

    __slots__ = ("_compute",)

    def __init__(self, dtype: str, shape: Sequence[int], compute: Callable[[], Array]) -> None:
        super().__init__(dtype, shape)
        self._compute = compute

    def array(self) -> Array:
        value = self._compute()
        if value.shape != self.shape or _name(value.dtype) != self.dtype:
            raise CorruptFileError(
                f"expected {self.dtype} {list(self.shape)}, "
                f"computed {value.dtype.name} {list(value.shape)}"
            )
        value = value.view()
        value.flags.writeable = False
        return value


class CastTensor(Tensor):
    """The same elements in another dtype, cast block by block."""

    __slots__ = ("source",)

    def __init__(self, source: Tensor, dtype: str) -> None:
        super().__init__(dtype, source.shape)
        self.source = source

    def array(self) -> Array:
        with np.errstate(over="ignore"):
            return self.source.array().astype(self.dtype)

    def blocks(self, size: int = CHUNK) -> Iterator[Array]:
        for block in self.source.blocks(size):
            with np.errstate(over="ignore"):
                cast = block.astype(self.dtype)
            yield cast


@dataclass(frozen=True, slots=True)
class Quantization:
    """How TF.js stores a weight in fewer bytes: `value = stored * scale + min`.

    Attributes:
        dtype: dtype of the stored elements; "float16" has neither scale nor min.
        scale: step between two stored values.
        min: value of a stored 0.
    """

    dtype: Literal["float16", "uint8", "uint16"]
    scale: float = 1.0
    min: float = 0.0


class QuantizedTensor(Tensor):
    """A weight stored in fewer bytes; its elements are what TF.js computes from them.

    Args:
        stored: the stored elements, of the quantization's dtype.
        quantization: how to expand them.
        dtype: dtype of the expanded elements, "float32" or "int32".
    """

    __slots__ = ("quantization", "stored")

    def __init__(self, stored: Tensor, quantization: Quantization, dtype: str = "float32") -> None:
        super().__init__(dtype, stored.shape)
        self.stored = stored
        self.quantization = quantization

    def array(self) -> Array:
        return self._expand(self.stored.array())

    def blocks(self, size: int = CHUNK) -> Iterator[Array]:
        # One stored element becomes four bytes at the end, and eight on the way there.
        for block in self.stored.blocks(max(1, size // 8)):
            yield self._expand(block)

    def _expand(self, stored: Array) -> Array:
        # TF.js computes `q * scale + min` in double precision and stores a float32.
        if self.quantization.dtype == "float16":
            return stored.astype(np.float32)
        value = stored.astype(np.float64) * self.quantization.scale + self.quantization.min
        if self.dtype == "int32":
            return np.floor(value + 0.5).astype(np.int32)  # JavaScript's Math.round
        return value.astype(np.float32)


def reshaped(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A tensor with the same elements in another shape; a quantized one stays one.

    Args:
        tensor: the tensor.
        shape: of as many elements.
    """
    if isinstance(tensor, QuantizedTensor):
        return QuantizedTensor(reshaped(tensor.stored, shape), tensor.quantization, tensor.dtype)
    return DerivedTensor(tensor.dtype, shape, lambda: tensor.array().reshape(shape))
