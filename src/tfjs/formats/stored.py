"""Weights as TF.js stores them: one of five dtypes, or quantised. Everything is streamed.

TF.js takes float32, int32, bool, complex64 and string (`runtime_contract.md` 4); what comes in
another dtype is cast, and refused where its values do not fit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import Any

import numpy as np

from tfjs.formats.base import QuantizedDtype
from tfjs.formats.quantize import (
    BLOCK,
    affine_quantization,
    float32_blocks,
    quantize_block,
    value_range,
)
from tfjs.io.files import CHUNK
from tfjs.ir.tensor import (
    FLOATS,
    ITEM_SIZES,
    Array,
    ArrayTensor,
    Quantization,
    QuantizedTensor,
    Tensor,
)
from tfjs.ir.weights import NamedTensor

Piece = bytes | memoryview

STORED_DTYPES = {
    **dict.fromkeys(FLOATS, "float32"),
    **dict.fromkeys(("int8", "int16", "int32", "int64"), "int32"),
    **dict.fromkeys(("uint8", "uint16", "uint32", "uint64"), "int32"),
    "bool": "bool",
    "complex64": "complex64",
    "complex128": "complex64",
    "string": "string",
}
_MAY_NOT_FIT_INT32 = frozenset({"int64", "uint32", "uint64"})
_INT32 = np.iinfo(np.int32)
_LITTLE_ENDIAN = {
    dtype: np.dtype(dtype).newbyteorder("<") for dtype in ("float32", "int32", "complex64")
}
# Weights of so many bytes are written together, and so many of them at once.
_SMALL = 1 << 10
_MOST = CHUNK // _SMALL

_NOT_FINITE = "stored with NaN or infinity among the values"
_BEYOND_FLOAT32 = "values beyond the range of float32 became infinity"
_BEYOND_FLOAT16 = "values beyond 65504 became infinity in float16"
_REQUANTIZED = "already stored in fewer bytes, quantised anew from the expanded values"


class Remarks:
    """What deserves a word about weights, gathered so that each word is said once."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, None]] = {}

    def add(self, remark: str, name: str) -> None:
        """Say it of that weight."""
        self._names.setdefault(remark, {})[name] = None

    def lines(self) -> list[str]:
        """One line a remark, with the first names that it concerns."""
        return [f"{remark}: {_some(list(names))}" for remark, names in self._names.items()]


def _some(names: list[str], shown: int = 5) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


class StoredWeight(ABC):
    """A weight in the form in which it will lie in the files.

    Attributes:
        name: its name.
        tensor: its values.
        dtype: what a manifest calls its dtype.
        shape: its shape.
        nbytes: bytes that it takes in the files.
        group: TF.js's marker ("optimizer"), or None.
        quantization: how the bytes are expanded, None where they are the values.
    """

    def __init__(self, named: NamedTensor, dtype: str, nbytes: int) -> None:
        self.name = named.name
        self.tensor = named.tensor
        self.dtype = dtype
        self.shape = named.tensor.shape
        self.nbytes = nbytes
        self.group = named.group
        self.quantization: Quantization | None = None

    @abstractmethod
    def pieces(self, remarks: Remarks) -> Iterator[Piece]:
        """The bytes, in pieces of bounded size; what is found on the way goes to `remarks`."""

    def entry(self) -> dict[str, Any]:
        """The weight's entry in a manifest."""
        entry: dict[str, Any] = {
            "name": self.name,
            "shape": list(self.shape),
            "dtype": self.dtype,
        }
        if self.quantization is not None:
            entry["quantization"] = _quantization_entry(self.quantization, self.dtype)
        if self.group is not None:
            entry["group"] = self.group
        return entry


def _quantization_entry(quantization: Quantization, original: str) -> dict[str, Any]:
    # `original_dtype` is what the official converter writes too; TF.js passes over it.
    if quantization.dtype == "float16":
        return {"dtype": "float16", "original_dtype": original}
    return {
        "dtype": quantization.dtype,
        "min": quantization.min,
        "scale": quantization.scale,
        "original_dtype": original,
    }


def stored_weight(
    named: NamedTensor,
    rule: QuantizedDtype | None,
    *,
    dequantize: bool,
    problems: list[str],
    remarks: Remarks,
) -> StoredWeight | None:
    """Decide how a weight is stored; reads its values only where the decision needs them.

    Args:
        named: the weight.
        rule: the dtype that a quantisation rule wants; float32 weights alone are quantised.
        dequantize: whether to expand a weight that the source stores in fewer bytes.
        problems: a line is added where the weight cannot be stored.
        remarks: told what deserves a word.

    Returns:
        The weight, None where there is a problem.
    """
    tensor = named.tensor
    dtype = STORED_DTYPES[tensor.dtype]
    if isinstance(tensor, QuantizedTensor):
        wanted = rule if dtype == "float32" else None
        if not dequantize and wanted in (None, tensor.quantization.dtype):
            return _Kept(named, tensor)
        if wanted is not None:
            remarks.add(_REQUANTIZED, named.name)
    if dtype == "string":
        return _Strings(named)
    if dtype == "float32" and rule == "float16":
        return _Half(named)
    if dtype == "float32" and rule is not None:
        return _affine(named, rule, problems)
    if tensor.dtype in _MAY_NOT_FIT_INT32:
        misfit = _misfit(tensor)
        if misfit is not None:
            problems.append(f"{named.name}: the {tensor.dtype} value {misfit} does not fit int32")
            return None
    return _Plain(named, dtype)


def _misfit(tensor: Tensor) -> int | None:
    """An integer that int32 cannot hold, None where all fit."""
    for block in tensor.blocks():
        for value in (int(block.min(initial=0)), int(block.max(initial=0))):
            if not _INT32.min <= value <= _INT32.max:
                return value
    return None


class _Plain(StoredWeight):
    """Values as they are, or cast to the dtype that TF.js has for them."""

    def __init__(self, named: NamedTensor, dtype: str) -> None:
        super().__init__(named, dtype, named.tensor.size * ITEM_SIZES[dtype])

    def pieces(self, remarks: Remarks) -> Iterator[Piece]:
        for block in self.tensor.blocks():
            stored = _plain(block, self.dtype)
            if not _finite(stored):
                lost = np.isfinite(block) & ~np.isfinite(stored)
                remarks.add(_BEYOND_FLOAT32 if lost.any() else _NOT_FINITE, self.name)
            yield _raw(stored)


def _plain(block: Array, dtype: str) -> Array:
    """Values in the dtype that TF.js has for them."""
    if dtype == "bool":
        truths: Array = block.view(np.uint8) != 0  # TF.js keeps any other byte as it is
        return truths
    with np.errstate(over="ignore", invalid="ignore"):
        return block.astype(_LITTLE_ENDIAN[dtype], copy=False)


def _finite(stored: Array) -> bool:
    return stored.dtype.kind not in "fc" or bool(np.isfinite(stored).all())


class Joined:
    """Small weights of one dtype that follow each other, written as one."""

    def __init__(self, weights: Sequence[StoredWeight]) -> None:
        self._weights = weights
        self.name = weights[0].name
        self.nbytes = sum(weight.nbytes for weight in weights)

    def pieces(self, remarks: Remarks) -> Iterator[Piece]:
        """The bytes of all of them."""
        block = np.concatenate([weight.tensor.array().reshape(-1) for weight in self._weights])
        stored = _plain(block, self._weights[0].dtype)
        if _finite(stored):
            yield _raw(stored)
        else:  # each by itself, to tell of which there is something to say
            for weight in self._weights:
                yield from weight.pieces(remarks)


def joined(weights: Iterable[StoredWeight]) -> Iterator[StoredWeight | Joined]:
    """The weights in their order, of which small ones of one dtype that follow are joined."""
    for dtype, run in groupby(weights, _dtype_of_small):
        if dtype is None:
            yield from run
        while some := list(islice(run, _MOST)):
            yield Joined(some)


def _dtype_of_small(weight: StoredWeight) -> str | None:
    """The source's dtype of a weight that may be joined, None for others."""
    if weight.nbytes > _SMALL or not isinstance(weight, _Plain):
        return None
    return weight.tensor.dtype if isinstance(weight.tensor, ArrayTensor) else None


class _Half(StoredWeight):
    """float32 values stored as float16."""

    def __init__(self, named: NamedTensor) -> None:
        super().__init__(named, "float32", named.tensor.size * 2)
        self.quantization = Quantization("float16")

    def pieces(self, remarks: Remarks) -> Iterator[Piece]:
        for block in float32_blocks(self.tensor):
            with np.errstate(over="ignore", invalid="ignore"):
                stored = block.astype("<f2")
            if not np.isfinite(stored).all():
                lost = np.isfinite(block) & ~np.isfinite(stored)
                remarks.add(_BEYOND_FLOAT16 if lost.any() else _NOT_FINITE, self.name)
            yield _raw(stored)


class _Affine(StoredWeight):
    """float32 values stored as integers, `value = stored * scale + min`."""

    def __init__(self, named: NamedTensor, quantization: Quantization) -> None:
        size = named.tensor.size * ITEM_SIZES[quantization.dtype]
        super().__init__(named, "float32", size)
        self._rule = self.quantization = quantization

    def pieces(self, remarks: Remarks) -> Iterator[Piece]:
        for block in float32_blocks(self.tensor):
            yield _raw(quantize_block(block, self._rule))


def _affine(named: NamedTensor, dtype: QuantizedDtype, problems: list[str]) -> _Affine | None:
    extremes = value_range(float32_blocks(named.tensor))
    if extremes is None:
        problems.append(f"{named.name}: holds NaN or infinity, which {dtype} cannot store")
        return None
    return _Affine(named, affine_quantization(*extremes, dtype))


class _Kept(StoredWeight):
    """A weight that the source stores in fewer bytes, passed on byte for byte."""

    def __init__(self, named: NamedTensor, tensor: QuantizedTensor) -> None:
        super().__init__(named, tensor.dtype, tensor.stored.nbytes)
        self._stored = tensor.stored
        self.quantization = tensor.quantization

    def pieces(self, remarks: Remarks) -> Iterator[Piece]:
        yield from self._stored.chunks()


class _Strings(StoredWeight):
    """Each element as its length (uint32, little-endian) and its bytes."""

    def __init__(self, named: NamedTensor) -> None:
        nbytes = sum(4 + len(text) for text in named.tensor.array().flat)
        super().__init__(named, "string", nbytes)

    def pieces(self, remarks: Remarks) -> Iterator[Piece]:
        flat = self.tensor.array().reshape(-1)
        for start in range(0, flat.size, BLOCK):
            texts = flat[start : start + BLOCK]
            yield b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def _raw(block: Array) -> memoryview:
    return np.ascontiguousarray(block).view(np.uint8).data
