"""NumPy arrays as weight files with a TF.js manifest."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfjs.errors import UnsupportedError, UsageError
from tfjs.formats import manifest
from tfjs.formats.base import DEFAULT_SHARD_SIZE
from tfjs.io.json import write_json
from tfjs.io.staged import staged_files
from tfjs.ir.tensor import ArrayTensor
from tfjs.ir.weights import NamedTensor, WeightGroup

_MANIFEST = "weights_manifest.json"


def write_weights(
    weight_groups: list[list[dict[str, Any]]],
    write_dir: str | os.PathLike[str],
    shard_size_bytes: int | None = DEFAULT_SHARD_SIZE,
    write_manifest: bool = True,
    quantization_dtype_map: Mapping[Any, Any] | None = None,
) -> list[dict[str, Any]]:
    """Write weights into a folder; other files there stay.

    Args:
        weight_groups: for each group a list of `{"name": str, "data": ndarray}`.
        write_dir: the folder, made when it does not exist.
        shard_size_bytes: largest size of a file; None for one file a group.
        write_manifest: whether to write `weights_manifest.json` too.
        quantization_dtype_map: which weights to store in fewer bytes.

    Returns:
        The manifest.

    Raises:
        UsageError: arguments of another form.
        ConversionError: two weights of one name, or the system refused the write.
        UnsupportedError: TF.js cannot hold the dtype or the values.
    """
    groups = _groups(weight_groups)
    with staged_files(Path(write_dir), last=_MANIFEST) as folder:
        written, _, _ = manifest.write_weights(
            groups,
            folder,
            shard_size=sys.maxsize if shard_size_bytes is None else shard_size_bytes,
            quantize=quantization_dtype_map or {},
            dequantize=False,
            progress=lambda done, total: None,
        )
        if write_manifest:
            write_json(folder / _MANIFEST, written)
    return written


def _groups(weight_groups: Any) -> list[WeightGroup]:
    if not isinstance(weight_groups, list) or not weight_groups:
        raise UsageError("weight_groups must be a list of at least one group")
    for group in weight_groups:
        if not isinstance(group, list):
            raise UsageError(f"a weight group must be a list, not {type(group).__name__}")
    return [WeightGroup("", [_named(entry) for entry in group]) for group in weight_groups]


def _named(entry: Any) -> NamedTensor:
    if not isinstance(entry, dict) or "name" not in entry or "data" not in entry:
        raise UsageError("a weight must be a dict with 'name' and 'data'")
    name, data = entry["name"], entry["data"]
    if not isinstance(name, str):
        raise UsageError(f"the name of a weight must be a str, not {type(name).__name__}")
    if not isinstance(data, np.ndarray):
        raise UsageError(f"the data must be a NumPy array, not {type(data).__name__}", where=name)
    if data.dtype == object and not all(isinstance(item, str | bytes) for item in data.flat):
        raise UsageError("an object array must hold str or bytes", where=name)
    try:
        return NamedTensor(name, ArrayTensor(data))
    except TypeError:
        raise UnsupportedError(f"TF.js has no dtype for {data.dtype}", where=name) from None
