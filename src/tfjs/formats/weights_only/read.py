"""Reading TF.js weights without a model.

They come as `weights_manifest.json` or `NAME-weights_manifest.json`, which hold the manifest and
nothing else (TF.js before 1.0, `tf.io.loadWeights`, face-api), or as a `model.json` whose
`modelTopology` is null, which the official converter makes of weights-only HDF5.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tfjs.errors import CorruptFileError, FormatError, TfjsError
from tfjs.formats.base import ReadOptions
from tfjs.formats.manifest import read_manifest
from tfjs.io.json import read_json
from tfjs.ir.weights import WeightsOnly

MANIFEST = "weights_manifest.json"

_SNIFF_LIMIT = 1 << 26  # a larger file is a topology, not a manifest
_START = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*[\[{]|\x1f\x8b")
_TOPOLOGY = re.compile(rb'"modelTopology"\s*:\s*[\[{]')
_OLD_GRAPH = "*.pb"  # beside weights_manifest.json before TF.js 1.0


def sniff(path: Path) -> bool:
    """Whether the path looks like TF.js weights without a model."""
    try:
        found = _candidates(path)
        return len(found) == 1 and _is_manifest(found[0])
    except OSError:
        return False


def _candidates(path: Path) -> list[Path]:
    """The files that may be meant by a path: the file itself, or manifests in the folder."""
    if not path.is_dir():
        return [path]
    if any(path.glob(_OLD_GRAPH)):
        return []
    names = sorted(entry for entry in path.glob(f"*{MANIFEST}") if entry.is_file())
    manifests = [entry for entry in names if _is_manifest_name(entry.name)]
    model = path / "model.json"
    return [model, *manifests] if model.is_file() else manifests


def _is_manifest_name(name: str) -> bool:
    return name == MANIFEST or name.endswith(f"-{MANIFEST}")


def _is_manifest(file: Path) -> bool:
    if not file.is_file() or file.stat().st_size > _SNIFF_LIMIT:
        return False
    data = file.read_bytes()
    # Most files are told by their first bytes, and models by their topology, without parsing.
    if not _START.match(data) or _TOPOLOGY.search(data):
        return False
    try:
        value = read_json(file)
    except TfjsError:
        return False
    if isinstance(value, dict):
        return value.get("modelTopology") is None and _is_list_of_groups(
            value.get("weightsManifest")
        )
    return _is_list_of_groups(value) and bool(value)


def _is_list_of_groups(value: Any) -> bool:
    return isinstance(value, list) and all(_is_group(entry) for entry in value)


def _is_group(entry: Any) -> bool:
    return isinstance(entry, dict) and {"paths", "weights"} <= entry.keys()


def read(path: Path, options: ReadOptions) -> WeightsOnly:
    """Read TF.js weights; their values stay in the files.

    Args:
        path: the JSON file, or a folder that holds one.
        options: `weights` is the weight file, where it does not lie where the manifest says.

    Raises:
        FormatError: there is no such file, or a folder holds none or several.
        CorruptFileError: the manifest is malformed, or does not fit the weight files.
        UnsafeFileError: a path of the manifest leaves the folder.
    """
    file = _the_file(path)
    where = str(file)
    value = read_json(file)
    header: dict[str, Any] = {}
    if isinstance(value, dict):
        header = value
        if header.get("modelTopology") is not None:
            raise FormatError("holds a model, not only weights", where=where)
        if "weightsManifest" not in header:
            raise CorruptFileError("has no weightsManifest", where=where)
        value = header["weightsManifest"]
    data = None if options.weights is None else [options.weights]
    groups = read_manifest(value, file.parent, where, data=data)
    producer, metadata = header.get("generatedBy"), header.get("userDefinedMetadata")
    return WeightsOnly(
        groups,
        producer=producer if isinstance(producer, str) else None,
        metadata=metadata if isinstance(metadata, dict) else {},
    )


def _the_file(path: Path) -> Path:
    try:
        found = _candidates(path)
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if len(found) == 1:
        return found[0]
    names = ", ".join(file.name for file in found[:5])
    raise FormatError(
        f"holds several manifests: {names}" if found else f"holds no {MANIFEST}",
        where=str(path),
        hint="give the path of the manifest file",
    )
