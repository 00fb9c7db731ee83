"""Writing whole Keras models in HDF5, in the dialect of Keras 2, which Keras 3 reads too."""

from __future__ import annotations

import json
from pathlib import Path

from tfjs.formats.base import Content, WriteOptions, Written
from tfjs.formats.hdf5 import Hdf5Writer
from tfjs.formats.keras_legacy import MODEL_WEIGHTS, legacy_weights, write_layers, write_named
from tfjs.formats.keras_matching import StoredWeight
from tfjs.formats.keras_target import KERAS_VERSION, Progress, keras_model, refuse_options, report
from tfjs.formats.keras_training import training_config
from tfjs.io.atomic import atomic_file
from tfjs.ir.layers_model import Config, Training
from tfjs.layers.dialects.write import ConfigWriter


def write(content: Content, path: Path, options: WriteOptions) -> Written:
    """Write a whole model to an `.h5` file.

    Raises:
        UsageError: an option that Keras's files cannot have, or the path is a folder.
        UnsupportedError: Keras 2 cannot express the model; every layer is listed.
        ConversionError: the system refused the write.
    """
    refuse_options(options, "Keras HDF5")
    model, notes = keras_model(content)
    writer = ConfigWriter("keras2")
    config = writer.write(model)
    layers = legacy_weights(model)
    training = training_config(model.training, notes)
    if training and training["optimizer_config"]["class_name"].startswith("Custom>"):
        notes.append(
            "the optimizer is one that Keras 3 loads from HDF5 with default arguments; tf_keras "
            "has them all"
        )
    state = _state(model.training, notes) if training else []
    tensors = [item.tensor for layer in layers for item in layer.weights]
    progress = Progress([*tensors, *(item.tensor for item in state)], options.progress)
    with atomic_file(path, check=options.check) as target:
        file = Hdf5Writer(target)
        try:
            _attributes(file, config, training)
            write_layers(file, "model_weights", layers)
            write_named(file, f"model_weights/{MODEL_WEIGHTS}", [])
            if state:
                write_named(file, "optimizer_weights", state)
            file.finish(progress.add)
        finally:
            file.close()
        size = target.stat().st_size
    return report(model, path, size, [*writer.notes, *notes])


def _attributes(file: Hdf5Writer, config: Config, training: Config | None) -> None:
    told = {"backend": "tensorflow", "keras_version": KERAS_VERSION}
    configured = {"training_config": _dump(training)} if training else {}
    file.group("", {**told, "model_config": _dump(config), **configured})
    file.group("model_weights", told)


def _dump(value: Config) -> str:
    return json.dumps(value, separators=(",", ":"))


def _state(training: Training | None, notes: list[str]) -> list[StoredWeight]:
    if training is None or not training.optimizer_weights:
        return []
    if training.state_format != "keras-h5":
        notes.append("optimizer state left out: HDF5 files keep it in another order")
        return []
    return [StoredWeight(item.name, item.tensor) for item in training.optimizer_weights]
