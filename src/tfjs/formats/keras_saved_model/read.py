"""Reading SavedModels of tf.keras as layers models.

The configuration comes from the Keras metadata, the variables from the checkpoint, found by the
attributes that lead to them: `layer_with_weights-1`, `forward_layer`, `cell`, `kernel`.
"""

from __future__ import annotations

from pathlib import Path

from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.formats.base import ReadOptions
from tfjs.formats.checkpoint import tensor_of
from tfjs.formats.keras_saved_model.metadata import (
    SAVED_MODEL,
    KerasMetadata,
    ObjectPath,
    has_keras_metadata,
    read_metadata,
)
from tfjs.formats.keras_saved_model.objects import ObjectGraph
from tfjs.ir.layers_model import Layer, LayersModel, OptimizerWeight, Training, Weight
from tfjs.layers.base import Slot
from tfjs.layers.dialects.read import MODEL_CLASSES, damaged, read_model
from tfjs.layers.registry import spec_of
from tfjs.layers.slots import check_shapes
from tfjs.layers.training import from_keras2
from tfjs.wire.bundle import Bundle, read_bundle

# What to do where the layers are of no use.
OWN_GRAPH = (
    "name a signature, such as serving_default, to take the SavedModel's own graph instead, or "
    "convert it with --to tfjs-graph"
)


def sniff(path: Path) -> bool:
    """Whether the path is the folder of a SavedModel with Keras metadata."""
    return path.is_dir() and (path / SAVED_MODEL).is_file() and has_keras_metadata(path)


def read(path: Path, options: ReadOptions) -> LayersModel:
    """Read the Keras model of a SavedModel.

    Raises:
        FormatError: files are missing or unreadable.
        CorruptFileError: the metadata, the configuration or the checkpoint is damaged.
        UnsupportedError: the model is a subclass of keras.Model, whose code no file holds.
    """
    metadata = read_metadata(path)
    root, where = metadata.root, str(path)
    config = root.get("config")
    if not isinstance(config, dict) or "layers" not in config:
        raise UnsupportedError(
            f"the model is of the class {root.get('class_name')}, whose configuration is code",
            where=where,
            hint=OWN_GRAPH,
        )
    class_name = root.get("class_name")
    if class_name not in MODEL_CLASSES:
        class_name = "Functional" if "input_layers" in config else "Sequential"
    model = read_model({"class_name": class_name, "config": config}, "keras2", where)
    bundle = read_bundle(path / "variables" / "variables")
    _Assigner(metadata, ObjectGraph(bundle), where).model(model, (), 0)
    check_shapes(model, where)
    version = root.get("keras_version")
    model.producer = f"keras {version}" if isinstance(version, str) else None
    with damaged(where):
        model.training = _training(root, bundle)
    return model


def _training(root: dict[str, object], bundle: Bundle) -> Training | None:
    config = root.get("training_config")
    if not isinstance(config, dict):
        return None
    state = [
        OptimizerWeight(key, tensor_of(bundle.entry(key)))
        for key in bundle.keys()  # noqa: SIM118 - a Bundle is no dict
        if key.startswith("optimizer/") and bundle.entry(key).dtype_name != "string"
    ]
    return Training(from_keras2(config), state, "keras-saved-model")


class _Assigner:
    """Gives each layer its variables."""

    def __init__(self, metadata: KerasMetadata, graph: ObjectGraph, where: str) -> None:
        self._metadata = metadata
        self._graph = graph
        self._where = where

    def model(self, model: LayersModel, path: ObjectPath, node: int) -> None:
        for layer in model.layers:
            found = self._metadata.layers.get((path, layer.name))
            if found is None:
                if layer.class_name != "InputLayer":
                    self._check_weightless(layer)
                continue
            number = self._graph.find(found[len(path) :], node)
            if number is None:
                self._check_weightless(layer)
            else:
                self.layer(layer, found, number)

    def layer(self, layer: Layer, path: ObjectPath, node: int) -> None:
        if layer.model is not None:
            self.model(layer.model, path, node)
            return
        for attribute, child in layer.children.items():
            steps = tuple(attribute.split("/"))
            number = self._graph.find(steps, node)
            if number is None:
                raise self._missing(layer, attribute)
            self.layer(child, (*path, *steps), number)
        spec = spec_of(layer)
        if spec is None:
            found = self._graph.variables(node)
            layer.weights = [Weight(name, tensor) for name, tensor in found.items()]
            return
        layer.weights = [self._weight(layer, slot, node) for slot in spec.slots(layer, [])]

    def _weight(self, layer: Layer, slot: Slot, node: int) -> Weight:
        holder = tuple(part for part in slot.holder.split("/") if part)
        # The holder has a name of its own ("query/kernel"), and its attribute is a private one.
        attribute = slot.legacy_name.rsplit("/", 1)[-1]
        for steps in (holder, tuple(f"_{part}" for part in holder)):
            number = self._graph.find((*steps, attribute), node)
            tensor = None if number is None else self._graph.variable(number)
            if tensor is not None:
                return Weight(slot.name, tensor, slot.trainable)
        raise self._missing(layer, slot.legacy_name)

    def _check_weightless(self, layer: Layer) -> None:
        for path, inner in layer.walk():
            spec = spec_of(inner)
            if spec is not None and spec.slots(inner, []):
                raise CorruptFileError(
                    f"the layer {path!r} has no object in the checkpoint", where=self._where
                )

    def _missing(self, layer: Layer, what: str) -> CorruptFileError:
        return CorruptFileError(
            f"the checkpoint has no {what} of layer {layer.name!r} ({layer.class_name})",
            where=self._where,
            hint=f"where that is a class of your own by the name of one of Keras's, {OWN_GRAPH}",
        )
