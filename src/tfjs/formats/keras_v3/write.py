"""Writing `.keras` archives for Keras 3."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tfjs.errors import ConversionError
from tfjs.formats.base import Content, WriteOptions, Written
from tfjs.formats.hdf5 import Hdf5Writer
from tfjs.formats.keras_store import OPTIMIZER, custom_layers, custom_weights
from tfjs.formats.keras_target import Progress, keras_model, refuse_options, report
from tfjs.formats.keras_training import compile_config
from tfjs.formats.keras_v3.archive import CONFIG, METADATA, WEIGHTS_H5
from tfjs.formats.keras_v3.vocabularies import stored_weights
from tfjs.io.atomic import atomic_file
from tfjs.io.files import CHUNK
from tfjs.ir.layers_model import Config, LayersModel, Training
from tfjs.ir.tensor import Tensor
from tfjs.layers.dialects.write import ConfigWriter, keras3_version
from tfjs.layers.slots import model_places

# The same model makes the same bytes, so no file has the time of day. A zip begins in 1980.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_SAVED = "1980-01-01@00:00:00"


def write(content: Content, path: Path, options: WriteOptions) -> Written:
    """Write a `.keras` archive.

    Raises:
        UsageError: an option that Keras's files cannot have, or the path is a folder.
        UnsupportedError: Keras 3 cannot express the model; every layer is listed.
        ConversionError: the model has no weights, or the system refused the write.
    """
    refuse_options(options, "a Keras archive")
    model, notes = keras_model(content)
    writer = ConfigWriter("keras3")
    config = writer.write(model)
    compiled = _compiled(model.training, notes)
    if compiled is not None:
        config["compile_config"] = compiled
    state = _state(model.training, notes) if compiled else []
    stored = [*_stored(model), *state]
    progress = Progress([tensor for _, tensor in stored], options.progress)
    with atomic_file(path, check=options.check) as target:
        weights = target.with_name(WEIGHTS_H5)
        _write_weights(weights, stored, progress)
        metadata = {"keras_version": keras3_version(), "date_saved": _SAVED}
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr(_member(METADATA), _dump(metadata))
            archive.writestr(_member(CONFIG), _dump(config))
            with (
                weights.open("rb") as source,
                archive.open(_member(WEIGHTS_H5), "w", force_zip64=True) as member,
            ):
                shutil.copyfileobj(source, member, CHUNK)
        size = target.stat().st_size
    return report(model, path, size, [*writer.notes, *notes])


def _compiled(training: Training | None, notes: list[str]) -> Config | None:
    if training is None:
        return None
    config, problems = compile_config(training, "keras3")
    notes += problems
    return config and {key: value for key, value in config.items() if value is not None}


def _stored(model: LayersModel) -> Iterator[tuple[str, Tensor]]:
    """Each variable with its path, in Keras's order."""
    for _, places in model_places(model):
        for place in places:
            weights = {weight.name: weight.tensor for weight in place.layer.weights}
            if place.slot.name not in weights:
                raise ConversionError(
                    f"has no weight {place.slot.name!r} to write",
                    where=f"layer {'/'.join(place.owners)}",
                )
            yield place.path, weights[place.slot.name]
    for layer, group in custom_layers(model):
        yield from custom_weights(layer, group)
    yield from stored_weights(model)


def _state(training: Training | None, notes: list[str]) -> list[tuple[str, Tensor]]:
    if training is None or not training.optimizer_weights:
        return []
    if training.state_format != "keras":
        notes.append("optimizer state left out: Keras 3 keeps it in another order")
        return []
    return [
        (f"{OPTIMIZER}/vars/{index}", item.tensor)
        for index, item in enumerate(training.optimizer_weights)
    ]


def _write_weights(path: Path, stored: list[tuple[str, Tensor]], progress: Progress) -> None:
    file = Hdf5Writer(path)
    try:
        # Keras up to 3.5 opens the `vars` of every object on the way.
        for holder in dict.fromkeys(_holders(name for name, _ in stored)):
            file.group(f"{holder}/vars" if holder else "vars")
        for name, tensor in stored:
            marks = {"dtype": "bfloat16"} if tensor.dtype == "bfloat16" else None
            file.dataset(name, tensor, marks)
        file.finish(progress.add)
    finally:
        file.close()


def _holders(paths: Iterable[str]) -> Iterator[str]:
    """The objects that lead to variables; `layers` and `cells` are only lists of them."""
    yield ""
    for path in paths:
        parts = path.split("/")[:-2]
        for end in range(1, len(parts) + 1):
            if parts[end - 1] not in ("layers", "cells"):
                yield "/".join(parts[:end])


def _member(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, _ZIP_TIME)


def _dump(value: Config) -> bytes:
    return json.dumps(value).encode()
