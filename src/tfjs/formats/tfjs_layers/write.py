"""Writing TF.js layers models as the official converter lays them out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tfjs import __version__
from tfjs.errors import UnsupportedError
from tfjs.formats.base import Content, Port, WriteOptions, Written
from tfjs.formats.manifest import write_weights
from tfjs.io.atomic import atomic_folder
from tfjs.io.json import write_json
from tfjs.ir.layers_model import Layer, LayersModel, Training, flatten
from tfjs.ir.weights import NamedTensor, WeightGroup
from tfjs.layers.dialects.write import ConfigWriter
from tfjs.layers.legalize import legalize
from tfjs.layers.naming import tfjs_scopes, tfjs_weights
from tfjs.layers.ports import inputs_of, outputs_of
from tfjs.layers.registry import spec_of
from tfjs.layers.training import to_tfjs

_SHARD = re.compile(r"group\d+-shard\d+of\d+(\.bin)?")


def write(content: Content, path: Path, options: WriteOptions) -> Written:
    """Write `model.json` and its weight files into the folder `path`.

    Raises:
        UnsupportedError: TF.js cannot express the model; every layer is listed.
        UsageError: the path is a file.
        ConversionError: the system refused the write.
    """
    if not isinstance(content, LayersModel):
        raise UnsupportedError(
            "the source holds weights without a model",
            hint="name the architecture JSON as the source, or convert to tfjs-weights",
        )
    legal = legalize(content, custom_layers=options.custom_layers)
    writer = ConfigWriter("tfjs")
    topology = writer.write(legal.model)
    notes = [*legal.warnings, *writer.notes]
    outputs = [ref.layer for ref in flatten(legal.model.outputs)]
    training, state = _training(content.training, outputs, notes)
    groups = _grouped(legal.model, state, split=options.split_weights_by_layer)
    with atomic_folder(path, replaces=_is_ours, check=options.check) as folder:
        manifest, files, more = write_weights(
            groups,
            folder,
            shard_size=options.shard_size,
            quantize=options.quantize,
            dequantize=options.dequantize,
            progress=options.progress,
        )
        data = _document(content, topology, training, options)
        write_json(folder / "model.json", {**data, "weightsManifest": manifest})
        size = (folder / "model.json").stat().st_size
    return Written(
        files=[("model.json", size), *files],
        rewrites=legal.rewrites,
        notes=[*notes, *more],
        inputs=[Port(*port) for port in inputs_of(legal.model)],
        outputs=[Port(*port) for port in outputs_of(legal.model)],
    )


def _document(
    model: LayersModel, topology: dict[str, Any], training: Any, options: WriteOptions
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "format": "layers-model",
        "generatedBy": model.producer,
        "convertedBy": f"tfjs {__version__}",
    }
    metadata = {**(model.metadata or {}), **options.metadata}
    if metadata:
        data["userDefinedMetadata"] = metadata
    if training is not None:
        data["trainingConfig"] = training
    data["modelTopology"] = {
        "keras_version": f"tfjs {__version__}",
        "backend": "tensorflow",
        "model_config": topology,
    }
    return data


def _grouped(model: LayersModel, state: list[NamedTensor], *, split: bool) -> list[WeightGroup]:
    groups = tfjs_weights(model)
    if any(_unnamed(layer) for top in model.layers for _, layer in tfjs_scopes(top)):
        groups = _by_index(model)
    if not split:
        groups = [WeightGroup("", [tensor for group in groups for tensor in group.tensors])]
    if state:
        groups[-1].tensors.extend(state)
    return groups


def _unnamed(layer: Layer) -> bool:
    """Whether a custom layer's variables have numbers for names, as `.keras` files store them."""
    return spec_of(layer) is None and any(weight.name.isdigit() for weight in layer.weights)


def _by_index(model: LayersModel) -> list[WeightGroup]:
    """Names by position, `<scope>/<index>`, the other way in which TF.js finds weights.

    The index runs over all variables of a layer of the root model, trainable ones first (seen
    with TF.js 4.22 on wrappers, stacked cells and nested models).
    """
    groups = []
    for top in model.layers:
        found = [
            (scope, weight, bool(layer.config.get("trainable", True)) and weight.trainable)
            for scope, layer in tfjs_scopes(top)
            for weight in layer.weights
        ]
        found.sort(key=lambda entry: not entry[2])
        tensors = [NamedTensor(f"{s}/{i}", weight.tensor) for i, (s, weight, _) in enumerate(found)]
        if tensors:
            groups.append(WeightGroup(top.name, tensors))
    return groups


def _training(
    training: Training | None, outputs: list[str], notes: list[str]
) -> tuple[Any, list[NamedTensor]]:
    if training is None:
        return None, []
    config, left_out = to_tfjs(training.config, outputs)
    notes += left_out
    if training.optimizer_weights and (config is None or training.state_format != "tfjs-layers"):
        notes.append("optimizer state left out: TF.js cannot take it over")
        return config, []
    state = [NamedTensor(w.name, w.tensor, "optimizer") for w in training.optimizer_weights]
    return config, state


def _is_ours(name: str) -> bool:
    """Files of an earlier conversion that a new one replaces."""
    return name == "model.json" or _SHARD.fullmatch(name) is not None
