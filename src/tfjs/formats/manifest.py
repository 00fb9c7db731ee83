"""Weights as TF.js stores them: a manifest of groups, and the files with their bytes.

`[{"paths": [...], "weights": [{"name", "shape", "dtype", "quantization"?, "group"?}]}]`. The files
of a group are one run of bytes, cut at any place; its weights follow each other without padding
(`official_converter.md` 1b, `runtime_contract.md` 4). Reading gives tensors that lie in the files,
writing streams: neither holds a weight in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from tfjs.errors import ConversionError, UnsupportedError, UsageError
from tfjs.formats.base import QuantizationMap
from tfjs.formats.manifest_read import blank_weights, read_manifest
from tfjs.formats.quantize import choose_dtypes
from tfjs.formats.stored import Joined, Piece, Remarks, StoredWeight, joined, stored_weight
from tfjs.io.files import write_to
from tfjs.ir.weights import NamedTensor, WeightGroup

__all__ = ["blank_weights", "read_manifest", "write_weights"]

MAX_FILES = 100_000


def write_weights(
    groups: Sequence[WeightGroup],
    folder: Path,
    *,
    shard_size: int,
    quantize: QuantizationMap,
    dequantize: bool,
    progress: Callable[[int, int], None],
    prefix: str = "",
    exact: Container[str] = (),
) -> tuple[list[dict[str, Any]], list[tuple[str, int]], list[str]]:
    """Write weight files `group{g}-shard{i}of{n}.bin` and make the manifest that describes them.

    float16, bfloat16 and float64 become float32, other integers int32, complex128 complex64.
    Quantised weights are passed on byte for byte, unless `dequantize` or a rule of `quantize` for
    another dtype says otherwise. The first group has a file even where there are no bytes at all,
    because TF.js's loaders with a progress callback refuse a model without weight files.

    Args:
        groups: the weights; those of a group share files.
        folder: an existing folder.
        shard_size: largest size of a file in bytes.
        quantize: which weights to store in fewer bytes.
        dequantize: expand weights that the source stores in fewer bytes.
        progress: told the bytes written so far, and all.
        prefix: put before the names of the files.
        exact: names of weights that no rule of `quantize` touches.

    Returns:
        The manifest, name and size of each file, and what deserves a word.

    Raises:
        UsageError: a shard size below 1 or absurdly small, or contradictory rules.
        ConversionError: two weights of one name.
        UnsupportedError: values that their new dtype cannot hold; every weight is listed.
        OSError: the system refused the write; `atomic_folder` makes a ConversionError of it.
    """
    if shard_size < 1:
        raise UsageError(f"the shard size must be a positive number of bytes, not {shard_size}")
    names = _unique_names(groups)
    rules, notes = choose_dtypes(names, quantize)
    rules = {name: dtype for name, dtype in rules.items() if name not in exact}
    remarks = Remarks()
    planned = _plan(groups, rules, dequantize, remarks)
    shards = _shards(planned, shard_size, prefix)
    meter = _Meter(sum(size for files in shards for _, size in files), progress)
    for weights, files in zip(planned, shards, strict=True):
        with _Files(folder, files) as out:
            for weight in joined(weights):
                _write(weight, out, meter, remarks)
    manifest = [
        {"paths": [name for name, _ in files], "weights": [weight.entry() for weight in weights]}
        for weights, files in zip(planned, shards, strict=True)
    ]
    return manifest, [file for files in shards for file in files], [*notes, *remarks.lines()]


def _unique_names(groups: Sequence[WeightGroup]) -> list[str]:
    seen: dict[str, None] = {}
    for named in _all(groups):
        if named.name in seen:
            raise ConversionError(
                f"two weights are named {named.name!r}",
                hint="TF.js finds weights by name; the source must name each one differently",
            )
        seen[named.name] = None
    return list(seen)


def _all(groups: Sequence[WeightGroup]) -> Iterator[NamedTensor]:
    for group in groups:
        yield from group.tensors


def _plan(
    groups: Sequence[WeightGroup], rules: dict[str, Any], dequantize: bool, remarks: Remarks
) -> list[list[StoredWeight]]:
    """How each weight is stored; at least one group."""
    problems: list[str] = []
    planned: list[list[StoredWeight]] = []
    for group in groups:
        stored = [
            stored_weight(
                named,
                rules.get(named.name),
                dequantize=dequantize,
                problems=problems,
                remarks=remarks,
            )
            for named in group.tensors
        ]
        planned.append([weight for weight in stored if weight is not None])
    if problems:
        raise UnsupportedError(
            "TF.js cannot hold the values of these weights",
            problems=problems,
            hint="integers must fit int32; leave NaN and infinity out of uint8 and uint16",
        )
    return planned or [[]]


def _shards(
    planned: list[list[StoredWeight]], shard_size: int, prefix: str
) -> list[list[tuple[str, int]]]:
    """Name and size of the files of each group."""
    totals = [sum(weight.nbytes for weight in weights) for weights in planned]
    counts = [-(-total // shard_size) for total in totals]
    if sum(counts) > MAX_FILES:
        raise UsageError(
            f"shards of {shard_size} bytes would make {sum(counts)} files",
            hint="choose a larger shard size; 4194304 is usual",
        )
    if not any(counts):
        counts[0] = 1
    sizes = [
        [min(shard_size, total - index * shard_size) for index in range(count)]
        for total, count in zip(totals, counts, strict=True)
    ]
    _split_a_longer_last_file(sizes)
    return [
        [
            (f"{prefix}group{number}-shard{index}of{len(group)}.bin", size)
            for index, size in enumerate(group, start=1)
        ]
        for number, group in enumerate(sizes, start=1)
    ]


def _split_a_longer_last_file(sizes: list[list[int]]) -> None:
    """Keep off a layout that TF.js 4.22 misreads without an error; in place.

    Where all files but the last are of one size, its CompositeArrayBuffer looks for byte n in file
    n // size, and what lies in the last file beyond that size becomes zeros.
    """
    *others, last = [size for group in sizes for size in group]
    if others and set(others) == {others[0]} and last > others[0]:
        half = last // 2 if last // 2 != others[0] else last // 2 + 1
        group = next(group for group in reversed(sizes) if group)
        group[-1:] = [half, last - half]


class _Meter:
    """Tells the progress."""

    def __init__(self, total: int, progress: Callable[[int, int], None]) -> None:
        self._done = 0
        self._total = total
        self._progress = progress

    def add(self, nbytes: int) -> None:
        self._done += nbytes
        self._progress(self._done, self._total)


class _Files:
    """The files of a group, filled one after the other; a context manager."""

    def __init__(self, folder: Path, files: Sequence[tuple[str, int]]) -> None:
        self._paths = iter([(folder / name, size) for name, size in files])
        self._open = ExitStack()
        self._file: IO[bytes] | None = None
        self._room = 0
        self._next()

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _next(self) -> None:
        """Close the file and open the next, where there is one."""
        self._open.close()
        path, self._room = next(self._paths, (None, 0))
        self._file = None if path is None else self._open.enter_context(path.open("wb"))

    def write(self, piece: Piece) -> None:
        left = memoryview(piece)
        while len(left):
            if self._room == 0:
                self._next()
            assert self._file is not None  # sizes were added up from the same weights
            write_to(self._file, left[: self._room])
            written = min(len(left), self._room)
            self._room -= written
            left = left[written:]


def _write(weight: StoredWeight | Joined, out: _Files, meter: _Meter, remarks: Remarks) -> None:
    left = weight.nbytes
    for piece in weight.pieces(remarks):
        left -= len(piece)
        if left < 0:
            break
        out.write(piece)
        meter.add(len(piece))
    if left:
        raise ConversionError(
            f"has other than the {weight.nbytes} bytes that its shape and dtype ask for",
            where=weight.name,
        )
