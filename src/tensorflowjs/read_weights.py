"""Weights of a TF.js manifest as NumPy arrays."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfjs.errors import UsageError
from tfjs.formats.manifest import read_manifest
from tfjs.ir.weights import WeightGroup

Entry = dict[str, Any]

_WHERE = "weights_manifest"


def read_weights(
    weights_manifest: Any, base_path: str | os.PathLike[str], flatten: bool = False
) -> list[Any]:
    """Read the weights that a manifest describes.

    Args:
        weights_manifest: the parsed manifest, a list of groups.
        base_path: the folder of the weight files.
        flatten: whether to give one list instead of one for each group.

    Returns:
        For each group a list of `{"name": str, "data": ndarray}`; quantised weights are expanded,
        strings come as object arrays of bytes.

    Raises:
        CorruptFileError: the manifest is malformed, or does not fit the files.
        UnsafeFileError: a path leaves the folder.
    """
    groups = read_manifest(weights_manifest, Path(base_path), _WHERE)
    return _entries(groups, flatten=flatten)


def decode_weights(weights_manifest: Any, data_buffers: Any, flatten: bool = False) -> list[Any]:
    """The weights that a manifest describes, from bytes in memory.

    Args:
        weights_manifest: the parsed manifest, a list of groups.
        data_buffers: the bytes of each group; one buffer alone stands for a list of it.
        flatten: whether to give one list instead of one for each group.

    Returns:
        As `read_weights`.

    Raises:
        UsageError: not one buffer for each group.
        CorruptFileError: the manifest is malformed, or does not fit the bytes.
    """
    buffers = data_buffers if isinstance(data_buffers, list) else [data_buffers]
    with tempfile.TemporaryDirectory(prefix="tfjs-") as folder:
        groups = buffered_groups(weights_manifest, buffers, Path(folder))
        return _entries(groups, flatten=flatten)


def buffered_groups(
    manifest: Any, buffers: Sequence[Any], folder: Path, where: str = _WHERE
) -> list[WeightGroup]:
    """The weights of a manifest whose bytes are in memory, one buffer or open file a group.

    Args:
        manifest: the parsed manifest.
        buffers: bytes of each group, or open binary files.
        folder: an empty folder for files that the tensors lie in.
        where: what messages call the manifest.

    Raises:
        UsageError: not one buffer for each group, or something else than bytes.
        CorruptFileError: the manifest is malformed, or does not fit the bytes.
    """
    if not isinstance(manifest, list):
        return read_manifest(manifest, folder, where)
    if len(manifest) != len(buffers):
        raise UsageError(
            f"the manifest has {len(manifest)} groups, {len(buffers)} buffers were given"
        )
    for number, buffer in enumerate(buffers):
        data = buffer.read() if hasattr(buffer, "read") else buffer
        try:
            (folder / str(number)).write_bytes(data)
        except TypeError:
            raise UsageError(
                f"a buffer must be bytes or an open binary file, not {type(data).__name__}"
            ) from None
    named = [
        {**group, "paths": [str(number)]} if isinstance(group, dict) else group
        for number, group in enumerate(manifest)
    ]
    return read_manifest(named, folder, where)


def _entries(groups: Iterable[WeightGroup], *, flatten: bool) -> list[Any]:
    nested: list[list[Entry]] = [
        [{"name": named.name, "data": np.array(named.tensor.array())} for named in group.tensors]
        for group in groups
    ]
    return [entry for entries in nested for entry in entries] if flatten else nested
