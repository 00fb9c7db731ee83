"""The configuration of a model in a file of any Keras, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tfjs.errors import UnsupportedError
from tfjs.ir.layers_model import Config, Layer, LayersModel
from tfjs.layers.dialects import keras1
from tfjs.layers.dialects.read import damaged, read_model
from tfjs.layers.structure import MAX_DEPTH

# Layers that hand on the shape of what they get, so that the next one tells the model's input.
_SHAPE_KEEPERS = frozenset(
    {"Activation", "ActivityRegularization", "Dropout", "GaussianDropout", "GaussianNoise"}
    | {"Masking", "Rescaling", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"}
)
_CONVOLUTIONS = {
    "Conv1D": 1,
    "Conv2D": 2,
    "Conv3D": 3,
    "SeparableConv1D": 1,
    "SeparableConv2D": 2,
    "DepthwiseConv1D": 1,
    "DepthwiseConv2D": 2,
}
# Arguments that ended with Keras 1.
_KERAS1_KEYS = frozenset({"nb_filter", "border_mode", "dim_ordering", "inner_init", "W_constraint"})
_KERAS3_KEYS = frozenset({"module", "registered_name", "build_config", "batch_shape"})
_PLAIN_POLICIES = frozenset({"DTypePolicy", "FloatDTypePolicy"})
_DEPTH = 12 * MAX_DEPTH


def read_architecture(config: Any, major: int, where: str) -> LayersModel:
    """A model without its weights.

    Args:
        config: `{"class_name", "config"}` of the whole model.
        major: the major version of Keras that wrote it.
        where: the file, for messages.

    Raises:
        CorruptFileError: it is no configuration of a model.
        UnsupportedError: it is the user's own class, has quantised layers, or layers that no
            Keras has any more.
    """
    with damaged(where):
        _refuse_quantized(config, where)
    if major == 1:
        return read_model(keras1.to_keras2(config, where), "keras2", where)
    return read_model(config, "keras3" if major >= 3 else "keras2", where)


def major_version(version: Any, config: Any) -> int:
    """The major version of Keras: as the file tells it, else by the form of the configuration."""
    if isinstance(version, str) and version.partition(".")[0].isdigit():
        return max(1, int(version.partition(".")[0]))
    keys = {key for item in _dicts(config, 0) for key in item}
    if keys & _KERAS3_KEYS:
        return 3
    return 1 if keys & _KERAS1_KEYS else 2


def fill_input_shape(model: LayersModel) -> None:
    """Give the input of a Sequential model its shape where only the first weights tell it.

    Models that were built by the data they were trained on may be saved without it.
    """
    entry = model.layers[0]
    if model.class_name != "Sequential" or entry.config.get("batch_shape") is not None:
        return
    for layer in model.layers[1:]:
        if layer.class_name not in _SHAPE_KEEPERS:
            entry.config["batch_shape"] = _input_shape(layer)
            return


def _input_shape(layer: Layer) -> list[int | None] | None:
    """The shape that goes into a layer, as far as its weights tell it."""
    if layer.class_name == "Embedding":
        return [None, None]
    if layer.class_name == "Bidirectional" and "forward_layer" in layer.children:
        layer = layer.children["forward_layer"]
    if not layer.weights:
        return None
    kernel = layer.weights[0].tensor.shape
    if layer.class_name == "Dense":
        return [None, kernel[0]]
    if layer.class_name in ("LSTM", "GRU", "SimpleRNN"):
        return [None, None, kernel[0]]
    if layer.class_name in _CONVOLUTIONS:
        free = [None] * _CONVOLUTIONS[layer.class_name]
        size = kernel[-2] * (layer.config.get("groups") or 1)
        first = layer.config.get("data_format") == "channels_first"
        return [None, size, *free] if first else [None, *free, size]
    return None


def _refuse_quantized(config: Any, where: str) -> None:
    problems = [
        f"{name}: {reason}" for name, reason in dict(_quantized(config, "model", 0)).items()
    ]
    if problems:
        raise UnsupportedError(
            "the model has layers whose weights Keras has quantised",
            problems=problems,
            where=where,
            hint="save the model before quantize() is called on it",
        )


def _quantized(value: Any, name: str, depth: int) -> Iterator[tuple[str, str]]:
    """Names of layers with a dtype policy of fewer bits, and what tells so."""
    if depth > _DEPTH:
        raise ValueError("nested beyond reason")
    if isinstance(value, list):
        for item in value:
            yield from _quantized(item, name, depth + 1)
    if not isinstance(value, dict):
        return
    config, class_name = value.get("config"), str(value.get("class_name"))
    if class_name.endswith("DTypePolicy") and class_name not in _PLAIN_POLICIES:
        yield name, class_name
    if isinstance(config, dict):
        name = str(config.get("name") or name) if "dtype" in config else name
        if isinstance(config.get("dtype"), str) and "_from_" in config["dtype"]:
            yield name, config["dtype"]
        if config.get("quantization_config") is not None:
            yield name, "it has a quantization_config"
    for item in value.values():
        yield from _quantized(item, name, depth + 1)


def _dicts(value: Any, depth: int) -> Iterator[Config]:
    if depth > _DEPTH:
        return
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _dicts(item, depth + 1)
