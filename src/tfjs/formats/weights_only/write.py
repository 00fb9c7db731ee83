"""Writing TF.js weights without a model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tfjs import __version__
from tfjs.errors import UsageError
from tfjs.formats.base import Content, WriteOptions, Written
from tfjs.formats.manifest import write_weights
from tfjs.formats.weights_only.read import MANIFEST
from tfjs.io.atomic import atomic_folder
from tfjs.io.json import write_json
from tfjs.io.staged import staged_files
from tfjs.ir.weights import WeightGroup, WeightsOnly

_SHARD = re.compile(r"group\d+-shard\d+of\d+(\.bin)?")


def write(content: Content, path: Path, options: WriteOptions) -> Written:
    """Write weights as TF.js reads them.

    A path that ends in `weights_manifest.json` gives a manifest by itself, with the weight files
    beside it, their names begun by what stands before `weights_manifest.json`. Any other path
    gives a folder with a `model.json` that has no topology, as the official converter does.

    Raises:
        UsageError: the content is a model, or the path cannot be written to.
        UnsupportedError: TF.js cannot hold the values; every weight is listed.
        ConversionError: two weights of one name, or the system refused the write.
    """
    if not isinstance(content, WeightsOnly):
        raise UsageError(
            "the source is a model; weights alone are written of weights alone",
            hint="leave out --to, or use --to tfjs-layers",
        )
    if path.name.endswith(MANIFEST):
        return _write_manifest(content, path, options)
    with atomic_folder(path, replaces=_is_ours, check=options.check) as folder:
        manifest, files, notes = _write_files(content, folder, options)
        size = write_json(folder / "model.json", _document(content, manifest, options))
    return Written([("model.json", size), *files], notes=notes)


def _write_manifest(content: WeightsOnly, path: Path, options: WriteOptions) -> Written:
    if path.is_dir():
        raise UsageError("is a folder, a file is to be written there", where=str(path))
    with staged_files(path.parent, last=path.name) as folder:
        prefix = path.name.removesuffix(MANIFEST)
        manifest, files, notes = _write_files(content, folder, options, prefix)
        size = write_json(folder / path.name, manifest)
    if content.metadata or options.metadata:
        notes.append(f"metadata left out: {MANIFEST} has no place for them")
    return Written([(path.name, size), *files], notes=notes)


def _write_files(
    content: WeightsOnly, folder: Path, options: WriteOptions, prefix: str = ""
) -> tuple[list[dict[str, Any]], list[tuple[str, int]], list[str]]:
    return write_weights(
        _grouped(content, split=options.split_weights_by_layer),
        folder,
        shard_size=options.shard_size,
        quantize=options.quantize,
        dequantize=options.dequantize,
        progress=options.progress,
        prefix=prefix,
    )


def _document(
    content: WeightsOnly, manifest: list[dict[str, Any]], options: WriteOptions
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "format": "layers-model",
        "generatedBy": content.producer,
        "convertedBy": f"tfjs {__version__}",
    }
    metadata = {**content.metadata, **options.metadata}
    if metadata:
        data["userDefinedMetadata"] = metadata
    return {**data, "modelTopology": None, "weightsManifest": manifest}


def _grouped(content: WeightsOnly, *, split: bool) -> list[WeightGroup]:
    """One group, or one for each layer: the source's own groups where it names them."""
    if not split:
        return [WeightGroup("", content.tensors())]
    layers: dict[str, WeightGroup] = {}
    for group in content.groups:
        for named in group.tensors:
            layer = group.name or named.name.rpartition("/")[0]
            layers.setdefault(layer, WeightGroup(layer, [])).tensors.append(named)
    return list(layers.values())


def _is_ours(name: str) -> bool:
    """Files of an earlier conversion that a new one replaces."""
    return name == "model.json" or _SHARD.fullmatch(name) is not None
