"""Writing weights without their model to HDF5, as `save_weights` of Keras 2 does."""

from __future__ import annotations

from pathlib import Path

from tfjs.errors import UnsupportedError
from tfjs.formats.base import Content, WriteOptions, Written
from tfjs.formats.hdf5 import Hdf5Writer
from tfjs.formats.keras_legacy import StoredLayer, legacy_weights, write_layers
from tfjs.formats.keras_matching import StoredWeight
from tfjs.formats.keras_target import Progress, keras_model, refuse_options
from tfjs.io.atomic import atomic_file
from tfjs.ir.layers_model import LayersModel
from tfjs.ir.tensor import QuantizedTensor
from tfjs.ir.weights import WeightsOnly


def write(content: Content, path: Path, options: WriteOptions) -> Written:
    """Write the weights of a file or of a model.

    Raises:
        UsageError: an option that Keras's files cannot have, or the path is a folder.
        UnsupportedError: a weight holds strings.
        ConversionError: the system refused the write.
    """
    refuse_options(options, "Keras HDF5")
    if isinstance(content, LayersModel):
        model, notes = keras_model(content)
        layers = legacy_weights(model)
    elif isinstance(content, WeightsOnly):
        layers, notes = _layers(content)
    else:
        raise UnsupportedError("a graph has no layers whose weights could be written")
    tensors = [item.tensor for layer in layers for item in layer.weights]
    progress = Progress(tensors, options.progress)
    with atomic_file(path, check=options.check) as target:
        file = Hdf5Writer(target)
        try:
            write_layers(file, "", layers)
            file.finish(progress.add)
        finally:
            file.close()
        size = target.stat().st_size
    return Written(files=[(path.name, size)], notes=notes)


def _layers(content: WeightsOnly) -> tuple[list[StoredLayer], list[str]]:
    """The weights by layer: as they are grouped, or by the first part of their names."""
    layers: dict[str, StoredLayer] = {}
    notes = []
    for group in content.groups:
        for item in group.tensors:
            if item.group is not None:
                continue
            name = group.name or item.name.partition("/")[0]
            layer = layers.setdefault(name, StoredLayer(name, []))
            layer.weights.append(StoredWeight(item.name, item.tensor))
    tensors = content.tensors()
    if any(item.group is not None for item in tensors):
        notes.append("optimizer state left out: a weights file has no place for it")
    if any(isinstance(item.tensor, QuantizedTensor) for item in tensors):
        notes.append("weights stored in fewer bytes were expanded")
    if content.metadata:
        notes.append("user-defined metadata left out: Keras files have no place for it")
    return list(layers.values()), notes
