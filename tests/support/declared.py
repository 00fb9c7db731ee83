"""Models of one layer, put together from its configuration alone: no Keras is needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from tfjs.ir.layers_model import Config, LayersModel, TensorRef, Weight
from tfjs.ir.tensor import ArrayTensor
from tfjs.layers.base import Shape, Slot
from tfjs.layers.dialects.read import read_model
from tfjs.layers.registry import spec_of
from tfjs.layers.shapes import infer_shapes
from tfjs.layers.vocabulary import Dialect

Sizes = Sequence[int | None]


def one_layer(
    class_name: str, config: Config, shape: Sizes, dialect: Dialect = "keras3"
) -> LayersModel:
    """A Sequential model of a layer named `probe`, with weights of its own.

    Args:
        class_name: the layer's class.
        config: its configuration; what is left out is filled in by the reader.
        shape: shape of the input without the batch.
        dialect: who wrote the configuration.
    """
    entry = {"batch_shape": [None, *shape], "dtype": "float32", "name": "input"}
    layers = [
        {"class_name": "InputLayer", "config": entry},
        {"class_name": class_name, "config": {"trainable": True, **config, "name": "probe"}},
    ]
    data = {"class_name": "Sequential", "config": {"name": "model", "layers": layers}}
    model = read_model(data, dialect, "test")
    rng = np.random.default_rng(0)
    for slot in slots_of(model):
        sizes = [size or 0 for size in slot.shape]
        values = rng.normal(size=sizes).astype(np.float32)
        model.layer("probe").weights.append(Weight(slot.name, ArrayTensor(values), slot.trainable))
    return model


def from_keras(keras: ModuleType, layer: Any, shape: Sizes) -> LayersModel:
    """The same of a live layer of Keras 3."""
    entry = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    return one_layer(entry["class_name"], entry["config"], shape)


def slots_of(model: LayersModel) -> list[Slot]:
    """What the declaration says of the layer's variables."""
    layer = model.layer("probe")
    spec = spec_of(layer)
    assert spec is not None
    return spec.slots(layer, [infer_shapes(model)[TensorRef("input")]])


def shape_out(model: LayersModel) -> Shape | None:
    """What the declaration says of the layer's output."""
    return infer_shapes(model)[TensorRef("probe")]


def classes(model: LayersModel) -> list[str]:
    """The classes of all layers but the inputs, in order."""
    return [layer.class_name for layer in model.layers if layer.class_name != "InputLayer"]
