"""Small whole models made by hand, with layers of nearly every kind, as files of Keras.

No framework is needed: the layers' own declarations say which weights they have.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tests.support import keras_files
from tests.support.protocol import JsonObject
from tfjs.formats.base import WriteOptions
from tfjs.formats.hdf5 import Hdf5Writer
from tfjs.formats.keras_legacy import legacy_weights, write_layers
from tfjs.formats.keras_v3.write import write as write_keras
from tfjs.ir.layers_model import LayersModel, Weight
from tfjs.ir.tensor import ArrayTensor
from tfjs.layers.dialects.read import read_model
from tfjs.layers.dialects.write import ConfigWriter
from tfjs.layers.slots import model_places

Dialect = Literal["keras2", "keras3"]
# A layer with the names of what it is called on; `name@1` is the second call of that layer.
_Wired = tuple[JsonObject, list[str]]


def entry(class_name: str, name: str, **config: Any) -> JsonObject:
    """A layer; the flag tells it from an operation of the same name."""
    return keras_files.entry(class_name, name, trainable=True, **config)


def source(name: str, *shape: int | None, dtype: str = "float32") -> _Wired:
    """An input."""
    return keras_files.entry("InputLayer", name, batch_shape=[None, *shape], dtype=dtype), []


def functional(name: str, *wired: _Wired, outputs: int = 1) -> JsonObject:
    """A Functional model whose outputs are its last layers."""
    layers: list[JsonObject] = []
    for layer, inputs in wired:
        own = layer["config"]["name"]
        nodes: list[Any] = [[[*_triple(ref), {}] for ref in inputs]] if inputs else []
        if ".ops." in layer.get("module", ""):
            nodes = [{"args": [_tensor(ref) for ref in inputs], "kwargs": {}}]
        layers.append({**layer, "name": own, "inbound_nodes": nodes})
    sources = [layer["name"] for layer in layers if layer["class_name"] == "InputLayer"]
    config = {
        "name": name,
        "layers": layers,
        "input_layers": [[source, 0, 0] for source in sources],
        "output_layers": [[layer["name"], 0, 0] for layer in layers[-outputs:]],
    }
    return {"class_name": "Functional", "config": config}


def _triple(ref: str) -> tuple[str, int, int]:
    name, _, node = ref.partition("@")
    return name, int(node or 0), 0


def _tensor(ref: str) -> JsonObject:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": list(_triple(ref))}}


def chain(name: str, first: _Wired, *layers: JsonObject) -> JsonObject:
    """A Functional model of one layer after the other."""
    wired, before = [first], first[0]["config"]["name"]
    for layer in layers:
        wired.append((layer, [before]))
        before = layer["config"]["name"]
    return functional(name, *wired)


def _dense() -> JsonObject:
    layers = [
        source("x", 4)[0],
        entry("Dense", "a", units=3, activation="relu", kernel_regularizer=_L2),
        entry("Dropout", "drop", rate=0.5),
        entry("BatchNormalization", "norm", axis=-1),
        entry("PReLU", "prelu"),
        entry("LayerNormalization", "layer_norm", axis=-1),
        entry("Dense", "b", units=2, use_bias=False, activation=_LEAKY),
        entry("Softmax", "softmax", axis=-1),
    ]
    return {"class_name": "Sequential", "config": {"name": "dense", "layers": layers}}


_L2 = {"class_name": "L2", "config": {"l2": 0.01}}
_LEAKY = {"class_name": "LeakyReLU", "config": {"negative_slope": 0.2}}


def _series() -> JsonObject:
    return chain(
        "series",
        source("x", 12, 4),
        entry("ZeroPadding1D", "pad", padding=[1, 2]),
        entry("Conv1D", "conv", filters=4, kernel_size=[3], padding="causal", dilation_rate=[2]),
        entry("SeparableConv1D", "separable", filters=3, kernel_size=[2], depth_multiplier=2),
        entry("DepthwiseConv1D", "depthwise", kernel_size=[2], strides=[1]),
        entry("Conv1DTranspose", "transpose", filters=4, kernel_size=[3], strides=[2]),
        entry("Cropping1D", "crop", cropping=[1, 1]),
        entry("UpSampling1D", "up", size=2),
        entry("MaxPooling1D", "pool", pool_size=[2], strides=[2]),
        entry("GroupNormalization", "groups", groups=2),
        entry("Permute", "turn", dims=[2, 1]),
        entry("GlobalAveragePooling1D", "mean", keepdims=False),
        entry("RepeatVector", "again", n=2),
        entry("Reshape", "shape", target_shape=[-1, 2]),
        entry("Flatten", "flat"),
    )


def _image() -> JsonObject:
    return chain(
        "image",
        source("x", 8, 8, 2),
        entry("Rescaling", "scale", scale=0.5, offset=0.1),
        entry("Normalization", "normal", axis=-1),
        entry("Resizing", "resize", height=9, width=9),
        entry("CenterCrop", "center", height=8, width=8),
        entry("Conv2D", "conv", filters=4, kernel_size=[3, 3], padding="same", groups=2),
        entry("DepthwiseConv2D", "depthwise", kernel_size=[3, 3], depth_multiplier=2),
        entry("SeparableConv2D", "separable", filters=4, kernel_size=[2, 2], strides=[1, 1]),
        entry("Conv2DTranspose", "transpose", filters=3, kernel_size=[2, 2], strides=[2, 2]),
        entry("ZeroPadding2D", "pad", padding=[[1, 0], [0, 1]]),
        entry("AveragePooling2D", "pool", pool_size=[2, 2], padding="same"),
        entry("UpSampling2D", "up", size=[2, 2], interpolation="bilinear"),
        entry("Cropping2D", "crop", cropping=[[1, 1], [1, 1]]),
        entry("SpatialDropout2D", "drop", rate=0.5),
        entry("GlobalMaxPooling2D", "most"),
    )


def _volume() -> JsonObject:
    return chain(
        "volume",
        source("x", 5, 5, 5, 2),
        entry("Conv3D", "conv", filters=2, kernel_size=[2, 2, 2]),
        entry("Conv3DTranspose", "transpose", filters=2, kernel_size=[2, 2, 2]),
        entry("MaxPooling3D", "pool", pool_size=[2, 2, 2]),
        entry("ZeroPadding3D", "pad", padding=[[1, 1], [0, 0], [1, 1]]),
        entry("UpSampling3D", "up", size=[1, 2, 1]),
        entry("Cropping3D", "crop", cropping=[[1, 1], [0, 0], [1, 1]]),
        entry("ConvLSTM2D", "steps", filters=2, kernel_size=[2, 2], return_sequences=True),
        entry("TimeDistributed", "each", layer=entry("Flatten", "flat")),
        entry("GlobalAveragePooling1D", "mean"),
    )


def _recurrent() -> JsonObject:
    lstm = entry("LSTM", "inner", units=3, return_sequences=True)
    cells = [entry("LSTMCell", "c0", units=3), entry("GRUCell", "c1", units=2)]
    stacked = entry("StackedRNNCells", "cells", cells=cells)
    return chain(
        "recurrent",
        source("x", 5, 3),
        entry("Bidirectional", "both", layer=lstm, merge_mode="concat"),
        entry("GRU", "gru", units=3, return_sequences=True, reset_after=True),
        entry("GRU", "before", units=3, return_sequences=True, reset_after=False),
        entry("RNN", "stack", cell=stacked, return_sequences=True),
        entry("TimeDistributed", "each", layer=entry("Dense", "dense", units=3)),
        entry("RNN", "one", cell=entry("SimpleRNNCell", "c", units=3), return_sequences=True),
        entry("SimpleRNN", "simple", units=3, return_sequences=True, go_backwards=True),
        entry("LSTM", "last", units=2, use_bias=False),
    )


def _attention() -> JsonObject:
    equation = {"equation": "abc,cde->abde", "output_shape": [None, 2, 3], "bias_axes": "e"}
    grouped = {"head_dim": 2, "num_query_heads": 4, "num_key_value_heads": 2}
    return functional(
        "attention",
        source("words", 6, dtype="int32"),
        (entry("Embedding", "embed", input_dim=9, output_dim=4), ["words"]),
        (entry("MultiHeadAttention", "heads", num_heads=2, key_dim=3), ["embed", "embed"]),
        (entry("GroupedQueryAttention", "grouped", **grouped), ["heads", "embed"]),
        (entry("Add", "sum"), ["embed", "grouped"]),
        (entry("RMSNormalization", "rms", axis=-1), ["sum"]),
        (entry("Attention", "plain", use_scale=True), ["rms", "sum"]),
        (entry("AdditiveAttention", "additive"), ["plain", "sum"]),
        (entry("Concatenate", "join", axis=-1), ["plain", "additive"]),
        (entry("EinsumDense", "einsum", **equation), ["join"]),
        (entry("Dot", "dot", axes=[1, 1]), ["plain", "additive"]),
        outputs=2,
    )


def _masked() -> JsonObject:
    words = entry("Embedding", "embed", input_dim=9, output_dim=4, mask_zero=True)
    return chain(
        "masked",
        source("words", 6, dtype="int32"),
        words,
        entry("SpatialDropout1D", "drop", rate=0.5),
        entry("LSTM", "lstm", units=3, return_sequences=True),
        entry("TimeDistributed", "each", layer=entry("Dense", "dense", units=3)),
        entry("Masking", "mask", mask_value=0.5),
        entry("GRU", "gru", units=2, reset_after=False),
        entry("SpectralNormalization", "spectral", layer=entry("Dense", "out", units=2)),
    )


def _operation(class_name: str, name: str, module: str, **config: Any) -> JsonObject:
    return {**keras_files.entry(class_name, name, **config), "module": f"keras.src.ops.{module}"}


def _operations() -> JsonObject:
    return functional(
        "operations",
        source("x", 4, 4),
        (_operation("Add", "add", "numpy"), ["x", "x"]),
        (_operation("Transpose", "turn", "numpy", axes=[0, 2, 1]), ["add"]),
        (_operation("Relu", "relu", "nn"), ["turn"]),
        (_operation("Mean", "mean", "numpy", axis=[-1], keepdims=True), ["relu"]),
        (_operation("Matmul", "matmul", "numpy"), ["relu", "x"]),
        (_operation("Multiply", "multiply", "numpy"), ["matmul", "mean"]),
        (_operation("Reshape", "shape", "numpy", newshape=[-1, 16]), ["multiply"]),
        (_operation("Softmax", "softmax", "nn", axis=-1), ["shape"]),
    )


def _nested() -> JsonObject:
    inner = chain(
        "inner",
        source("i", 4),
        entry("Dense", "d", units=4),
        entry("BatchNormalization", "n"),
        {**_dense(), "config": {**_dense()["config"], "name": "deepest"}},
        keras_files.entry("Dense", "e", units=4, trainable=False),
    )
    return functional(
        "nested",
        source("left", 4),
        source("right", 4),
        ({**inner, "config": inner["config"]}, ["left"]),
        (entry("Dense", "shared", units=3), ["inner"]),
        (entry("Mine", "mine", size=3, module="made"), ["shared"]),
        (entry("Dense", "d", units=3), ["right"]),
        (entry("UnitNormalization", "unit"), ["d"]),
        (entry("Subtract", "less"), ["unit", "d"]),
        (entry("ReLU", "relu", max_value=6.0), ["less"]),
        (entry("Add", "sum"), ["mine", "relu"]),
    )


def _shared() -> JsonObject:
    model = functional(
        "shared",
        source("left", 4),
        source("right", 4),
        (entry("Dense", "one", units=3), ["left"]),
        (chain("twice", source("i", 3), entry("Dense", "t", units=3)), ["one"]),
        (entry("Maximum", "most"), ["twice", "twice@1"]),
        (entry("Dense", "u", units=2), ["most"]),
    )
    for layer in model["config"]["layers"]:
        if layer["name"] in ("one", "twice"):
            again = ["right", 0, 0, {}] if layer["name"] == "one" else ["one", 1, 0, {}]
            layer["inbound_nodes"].append([again])
    return model


_MODELS: dict[str, Callable[[], JsonObject]] = {
    "dense": _dense,
    "series": _series,
    "image": _image,
    "volume": _volume,
    "recurrent": _recurrent,
    "attention": _attention,
    "masked": _masked,
    "operations": _operations,
    "nested": _nested,
    "shared": _shared,
}
KINDS = tuple(_MODELS)
# Keras 2 has all of their layers.
KERAS2_KINDS = ("dense", "series", "image", "volume", "recurrent", "nested", "shared")


def made(kind: str) -> LayersModel:
    """The model of a kind, each weight with numbers of its own."""
    model = read_model(_MODELS[kind](), "keras3", kind)
    rng = np.random.default_rng(0)
    for _, places in model_places(model):
        for place in places:
            shape = [size or 1 for size in place.slot.shape]
            tensor = ArrayTensor(rng.uniform(0.1, 1, shape).astype(np.float32))
            place.layer.weights.append(Weight(place.slot.name, tensor, place.slot.trainable))
    for _, layer in model.walk():
        if layer.class_name == "Mine":
            layer.weights.append(Weight("scale", ArrayTensor(np.ones(3, np.float32))))
    return model


def write_h5(kind: str, folder: Path, dialect: Dialect) -> Path:
    """A model of a kind in HDF5, as Keras 2 or Keras 3 has it."""
    folder.mkdir(parents=True)
    model, path = made(kind), folder / "model.h5"
    config = ConfigWriter(dialect).write(model)
    file = Hdf5Writer(path)
    version = "2.15.0" if dialect == "keras2" else "3.15.1"
    told = {"backend": "tensorflow", "keras_version": version}
    file.group("", {**told, "model_config": json.dumps(config)})
    write_layers(file, "model_weights", legacy_weights(model))
    file.finish(lambda count: None)
    file.close()
    return path


def write_archive(kind: str, folder: Path) -> Path:
    """A model of a kind as a `.keras` archive that was unpacked: the folder itself."""
    folder.mkdir(parents=True)
    packed = folder.with_name(f"{folder.name}.keras")
    write_keras(made(kind), packed, WriteOptions())
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(folder)
    return folder
