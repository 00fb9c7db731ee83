"""Reading of TF.js weight manifests; `manifest` is the module to import."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from tfjs.errors import CorruptFileError, UsageError
from tfjs.formats.quantize import FLOAT32_LIMIT
from tfjs.io.files import FileSpan, file_size
from tfjs.io.mistaken import mistaken_file
from tfjs.io.paths import inside
from tfjs.ir.tensor import (
    ITEM_SIZES,
    ArrayTensor,
    DerivedTensor,
    Quantization,
    QuantizedTensor,
    SpanTensor,
    Tensor,
)
from tfjs.ir.weights import NamedTensor, WeightGroup

# What TF.js takes, and what the official converter has written besides.
_TFJS_DTYPES = frozenset({"float32", "int32", "bool", "complex64", "string"})
_DTYPES = _TFJS_DTYPES | {"float16", "uint8", "uint16"}
_STEPS = {"uint8": 255, "uint16": 65535}
# Between these, values can be stored in the dtype after rounding.
_LIMITS = {
    "float32": (-FLOAT32_LIMIT, FLOAT32_LIMIT),
    "int32": (-(2.0**31) - 0.5, 2.0**31 - 0.5),
}
_MAX_RANK = 32  # what NumPy 1 holds
_MAX_SIZE = 1 << 48  # elements, dimensions of 0 counted as 1: what NumPy can address
_MAX_BLANK = 1 << 34  # bytes that may be asked for without a file that holds them
_LENGTH = 4  # bytes of the length before each string


@dataclass(frozen=True, slots=True)
class _Spec:
    """A weight as the manifest describes it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    quantization: Quantization | None
    group: str | None

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def least(self) -> int:
        """Bytes that it takes at least; exactly, unless it holds strings."""
        if self.dtype == "string":
            return self.size * _LENGTH
        dtype = self.dtype if self.quantization is None else self.quantization.dtype
        return self.size * ITEM_SIZES[dtype]


@dataclass(frozen=True, slots=True)
class _Group:
    """A group of the manifest."""

    number: int
    paths: list[str]
    specs: list[_Spec]

    @property
    def least(self) -> int:
        return sum(spec.least for spec in self.specs)


def read_manifest(
    manifest: Any, folder: Path, where: str, *, data: Sequence[Path] | None = None
) -> list[WeightGroup]:
    """The weights that a manifest describes; values stay in the files (strings are read).

    Surplus bytes after the last weight of all are passed over, as TF.js does.

    Args:
        manifest: the parsed JSON.
        folder: the folder that its paths are relative to, and must not leave.
        where: the file that it comes from, for messages.
        data: the weight files, one for each path of the manifest in order, where they do not lie
            at those paths.

    Raises:
        UsageError: `data` has another number of files than the manifest.
        UnsafeFileError: a path leaves the folder.
        CorruptFileError: the manifest is malformed, or does not fit the files.
    """
    groups = _groups(manifest, where)
    files = _files(groups, folder, where, data)
    last = max((group.number for group in groups if group.least), default=0)
    result = []
    for group, paths in zip(groups, files, strict=True):
        run = _Run(paths)
        if group.least > run.left:
            raise _bad_size(group, run, f"needs {_at_least(group)} bytes", where)
        try:
            tensors = [
                NamedTensor(spec.name, _tensor(spec, run, where), spec.group)
                for spec in group.specs
            ]
        except CorruptFileError as error:
            raise _mistaken(run) or error from None
        if run.left and (group.number < last or _mistaken(run)):
            raise _bad_size(group, run, f"needs only {run.total - run.left} bytes", where)
        result.append(WeightGroup("", tensors))
    return result


def weight_paths(manifest: Any, where: str) -> list[str]:
    """The paths of the weight files that a manifest names, in order.

    Raises:
        CorruptFileError: the manifest is malformed.
    """
    return [path for group in _groups(manifest, where) for path in group.paths]


def blank_weights(manifest: Any, where: str) -> list[WeightGroup]:
    """Weights as a manifest describes them, all zeros and empty strings; no file is needed.

    Raises:
        CorruptFileError: the manifest is malformed, or describes more than `_MAX_BLANK` bytes.
    """
    groups = _groups(manifest, where)
    size = sum(group.least for group in groups)
    if size > _MAX_BLANK:
        raise CorruptFileError(f"the weight manifest describes {size} bytes", where=where)
    return [
        WeightGroup("", [NamedTensor(spec.name, _blank(spec), spec.group) for spec in group.specs])
        for group in groups
    ]


def _blank(spec: _Spec) -> Tensor:
    if spec.dtype == "string":
        return ArrayTensor(np.full(spec.shape, b"", dtype=object))
    return DerivedTensor(spec.dtype, spec.shape, lambda: np.zeros(spec.shape, spec.dtype))


# The manifest itself


def _groups(manifest: Any, where: str) -> list[_Group]:
    if not isinstance(manifest, list):
        raise CorruptFileError(
            f"the weight manifest is {_kind(manifest)}, a list was expected", where=where
        )
    groups = [_group(entry, number, where) for number, entry in enumerate(manifest, start=1)]
    seen: set[str] = set()
    for spec in chain.from_iterable(group.specs for group in groups):
        if spec.name in seen:
            raise CorruptFileError(
                f"the weight manifest names the weight {spec.name!r} twice", where=where
            )
        seen.add(spec.name)
    return groups


def _group(entry: Any, number: int, where: str) -> _Group:
    place = f"group {number} of the weight manifest"
    if not isinstance(entry, dict):
        raise CorruptFileError(f"{place} is {_kind(entry)}, an object was expected", where=where)
    paths = _field(entry, "paths", list, place, where)
    weights = _field(entry, "weights", list, place, where)
    for path in paths:
        if not isinstance(path, str):
            raise CorruptFileError(f"{place} has the path {path!r}, not a text", where=where)
    return _Group(number, paths, [_spec(weight, place, where) for weight in weights])


def _spec(entry: Any, place: str, where: str) -> _Spec:
    if not isinstance(entry, dict):
        raise CorruptFileError(
            f"a weight in {place} is {_kind(entry)}, an object was expected", where=where
        )
    name = _field(entry, "name", str, f"a weight in {place}", where)
    place = f"the weight {name!r} in the manifest"
    dtype = _field(entry, "dtype", str, place, where)
    if dtype not in _DTYPES:
        raise CorruptFileError(
            f"{place} has dtype {dtype!r}; TF.js has {', '.join(sorted(_TFJS_DTYPES))}", where=where
        )
    shape = _shape(_field(entry, "shape", list, place, where), place, where)
    quantization = None
    if entry.get("quantization") is not None:
        fields = _field(entry, "quantization", dict, place, where)
        quantization = _quantization(fields, dtype, place, where)
    group = None
    if entry.get("group") is not None:
        group = _field(entry, "group", str, place, where)
    return _Spec(name, dtype, shape, quantization, group)


def _shape(sizes: list[Any], place: str, where: str) -> tuple[int, ...]:
    for size in sizes:
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise CorruptFileError(
                f"{place} has a dimension of {_short(size)}; sizes are integers from 0", where=where
            )
    if len(sizes) > _MAX_RANK:
        raise CorruptFileError(
            f"{place} has {len(sizes)} dimensions, more than {_MAX_RANK}", where=where
        )
    if math.prod(max(1, size) for size in sizes) > _MAX_SIZE:
        raise CorruptFileError(f"{place} has the absurd shape {_short(sizes)}", where=where)
    return tuple(sizes)


def _quantization(fields: Mapping[str, Any], original: str, place: str, where: str) -> Quantization:
    dtype = _field(fields, "dtype", str, f"the quantization of {place}", where)
    if dtype == "float16" and original == "float32":
        return Quantization("float16")
    if dtype not in _STEPS or original not in ("float32", "int32"):
        raise CorruptFileError(
            f"{place} is {original} quantised to {dtype!r}; TF.js expands uint8 and uint16 to "
            "float32 or int32, and float16 to float32",
            where=where,
        )
    scale, low = (_number(fields, key, place, where) for key in ("scale", "min"))
    smallest, largest = sorted((low, _STEPS[dtype] * scale + low))
    least, most = _LIMITS[original]
    if not (least < smallest and largest < most):
        raise CorruptFileError(
            f"{place} expands to {smallest:g} up to {largest:g}, beyond {original}", where=where
        )
    return Quantization(cast("Literal['uint8', 'uint16']", dtype), scale, low)


def _number(fields: Mapping[str, Any], key: str, place: str, where: str) -> float:
    value = fields.get(key)
    largest = sys.float_info.max
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not (-largest <= value <= largest)
    ):
        raise CorruptFileError(
            f"{place} has the quantization {key} {_short(value)}; it must be a finite number",
            where=where,
        )
    return float(value)


def _field(entry: Mapping[str, Any], key: str, kind: type, place: str, where: str) -> Any:
    if key not in entry:
        raise CorruptFileError(f"{place} has no {key!r}", where=where)
    value = entry[key]
    if not isinstance(value, kind):
        raise CorruptFileError(
            f"{key!r} of {place} is {_kind(value)}, {_NAMES[kind]} was expected", where=where
        )
    return value


_NAMES = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def _kind(value: Any) -> str:
    return _NAMES.get(type(value), type(value).__name__)


def _short(value: Any) -> str:
    """A value for a message; what a file holds may be long."""
    text = repr(value[:8] if isinstance(value, list | str) else value)
    return text if len(text) <= 80 else text[:77] + "..."


# The files


def _files(
    groups: Sequence[_Group], folder: Path, where: str, data: Sequence[Path] | None
) -> list[list[tuple[Path, int]]]:
    """Path and size of the files of each group."""
    names = [name for group in groups for name in group.paths]
    if data is None:
        paths = [inside(folder, name, where=where) for name in names]
    elif len(data) == len(names):
        paths = list(data)
    else:
        raise UsageError(
            f"the manifest wants {len(names)} weight files, {len(data)} were given", where=where
        )
    seen: set[Path] = set()
    for path in paths:
        if path in seen:
            raise CorruptFileError(
                f"the weight manifest names the file {path.name!r} twice", where=where
            )
        seen.add(path)
        if not os.path.exists(path):  # Path.exists raises for a name that is too long
            raise CorruptFileError(
                f"the weight file {path.name!r} is missing",
                where=where,
                hint=f"it was looked for in {path.parent}; the files belong together",
            )
    sized = iter([(path, file_size(path)) for path in paths])
    return [[next(sized) for _ in group.paths] for group in groups]


class _Run:
    """The files of a group as one run of bytes, handed out from the start."""

    def __init__(self, files: Sequence[tuple[Path, int]]) -> None:
        self.files = files
        self.total = sum(size for _, size in files)
        self.left = self.total
        self._index = 0
        self._offset = 0

    def take(self, length: int) -> list[FileSpan]:
        """The next bytes, of which there are at least `length` left."""
        spans = []
        self.left -= length
        while length:
            path, size = self.files[self._index]
            piece = min(length, size - self._offset)
            if piece:
                spans.append(FileSpan(path, self._offset, piece, size=size))
            self._offset += piece
            length -= piece
            if self._offset == size:
                self._index, self._offset = self._index + 1, 0
        return spans

    def ahead(self) -> Iterator[memoryview]:
        """All bytes that are left, in pieces; nothing is taken."""
        offset = self._offset
        for path, size in self.files[self._index :]:
            yield from FileSpan(path, offset, size - offset, size=size).chunks()
            offset = 0


def _tensor(spec: _Spec, run: _Run, where: str) -> Tensor:
    if spec.dtype == "string":
        return _strings(spec, run, where)
    if spec.least > run.left:
        raise _cut_short(spec, run, where)
    spans = run.take(spec.least)
    if spec.quantization is None:
        return SpanTensor(spec.dtype, spec.shape, spans)
    stored = SpanTensor(spec.quantization.dtype, spec.shape, spans)
    return QuantizedTensor(stored, spec.quantization, spec.dtype)


def _strings(spec: _Spec, run: _Run, where: str) -> Tensor:
    if spec.least > run.left:
        raise _cut_short(spec, run, where)
    elements = np.empty(spec.size, dtype=object)
    reader = _Reader(run.ahead())
    taken = 0
    for index in range(spec.size):
        taken += _LENGTH
        if taken > run.left:
            raise _cut_short(spec, run, where)
        length = int.from_bytes(reader.read(_LENGTH), "little")
        taken += length
        if taken > run.left:
            raise _cut_short(spec, run, where)
        elements[index] = reader.read(length)
    run.take(taken)
    return ArrayTensor(elements.reshape(spec.shape))


class _Reader:
    """Reads pieces of bytes in other lengths than they come in."""

    def __init__(self, chunks: Iterator[memoryview]) -> None:
        self._chunks = chunks
        self._buffer = b""
        self._at = 0

    def read(self, length: int) -> bytes:
        if len(self._buffer) - self._at < length:
            parts: list[bytes | memoryview] = [self._buffer[self._at :]]
            have = len(parts[0])
            while have < length:
                parts.append(next(self._chunks))
                have += len(parts[-1])
            self._buffer, self._at = b"".join(parts), 0
        start, self._at = self._at, self._at + length
        return self._buffer[start : self._at]


# Complaints


def _cut_short(spec: _Spec, run: _Run, where: str) -> CorruptFileError:
    return CorruptFileError(
        f"the weight {spec.name!r} needs more bytes than the {run.left} that are left for it"
        f" in {_listed(run)}",
        where=where,
    )


def _at_least(group: _Group) -> str:
    strings = any(spec.dtype == "string" for spec in group.specs)
    return f"at least {group.least}" if strings else str(group.least)


def _bad_size(group: _Group, run: _Run, needs: str, where: str) -> CorruptFileError:
    other = _mistaken(run)
    if other is not None:
        return other
    return CorruptFileError(
        f"group {group.number} of the weight manifest {needs}, its files have {run.total}: "
        f"{_listed(run)}",
        where=where,
        hint="a weight file is damaged, cut short or of another model",
    )


def _mistaken(run: _Run) -> CorruptFileError | None:
    """The complaint of a file that is something else than weights, where one looks like it."""
    for path, _ in run.files:
        found = mistaken_file(path)
        if found is not None:
            return CorruptFileError(f"is {found.what}", where=str(path), hint=found.hint)
    return None


def _listed(run: _Run, shown: int = 5) -> str:
    if not run.files:
        return "no file"
    listed = [f"{path.name} has {size}" for path, size in run.files[:shown]]
    more = len(run.files) - shown
    return ", ".join(listed) + (f" and {more} more files" if more > 0 else "")
