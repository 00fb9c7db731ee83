"""Models of every kind that files of Keras hold, built by Keras 3 or by tf_keras alike.

Each function takes the module and gives a model with weights that tell each other apart.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from tests.support.protocol import Array
from tests.support.weights import randomise
from tfjs.ir.layers_model import Layer, LayersModel
from tfjs.layers.registry import is_operation

Build = Callable[[ModuleType], Any]


def dense(k: ModuleType) -> Any:
    """A Sequential with two layers of the same class."""
    layers = k.layers
    return k.Sequential(
        [
            k.Input((4,)),
            layers.Dense(3, activation="relu", name="a"),
            layers.Dropout(0.5, name="drop"),
            layers.Dense(2, use_bias=False, name="b"),
        ],
        name="dense",
    )


def convolutions(k: ModuleType) -> Any:
    """Convolutions of many sorts, batch normalization between them."""
    layers = k.layers
    x = image = k.Input((8, 8, 2), name="image")
    x = layers.Conv2D(4, 3, padding="same", name="conv")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(x)
    x = layers.SeparableConv2D(5, 2, depth_multiplier=2, name="separable")(x)
    x = layers.BatchNormalization(scale=False, name="norm_1")(x)
    x = layers.Conv2DTranspose(3, 2, name="transpose")(x)
    x = layers.PReLU(shared_axes=[1, 2], name="prelu")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return k.Model(image, layers.Dense(2, activation="softmax", name="out")(x), name="convs")


def recurrent(k: ModuleType) -> Any:
    """RNNs of every sort, wrapped and stacked."""
    layers = k.layers
    x = steps = k.Input((5, 3), name="steps")
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="both")(x)
    x = layers.GRU(3, return_sequences=True, name="gru")(x)
    x = layers.GRU(3, return_sequences=True, reset_after=False, name="gru_before")(x)
    x = layers.SimpleRNN(4, return_sequences=True, name="simple")(x)
    cells = [layers.LSTMCell(3, name="first"), layers.GRUCell(2), layers.LSTMCell(4, name="last")]
    x = layers.RNN(cells, return_sequences=True, name="stack")(x)
    x = layers.TimeDistributed(layers.Dense(3, name="inner"), name="each")(x)
    return k.Model(steps, layers.LSTM(2, use_bias=False, name="lstm")(x), name="recurrent")


def nested(k: ModuleType) -> Any:
    """Models in models, whose layers are called alike."""
    layers = k.layers
    inside = k.Input((4,), name="inside")
    y = layers.Dense(4, name="dd")(inside)
    y = _block(k, "inner")(y)
    second = k.Model(inside, layers.BatchNormalization(name="nn")(y), name="second")
    x = k.Input((4,), name="x")
    return k.Model(x, layers.Dense(2, name="d")(second(_block(k, "first")(x))), name="nested")


def _block(k: ModuleType, name: str) -> Any:
    layers = k.layers
    parts = [layers.Dense(3, name="d"), layers.BatchNormalization(name="n")]
    return k.Sequential([k.Input((4,)), *parts, layers.Dense(4, name="e")], name=name)


def frozen(k: ModuleType) -> Any:
    """Layers and parts of a nested model that are not trained, which moves their weights."""
    layers = k.layers
    inside = k.Input((4,), name="inside")
    y = layers.Dense(4, name="p")(inside)
    y = layers.BatchNormalization(name="q")(y)
    y = layers.Dense(4, name="r")(y)
    part = k.Model(inside, y, name="part")
    part.get_layer("p").trainable = False
    x = k.Input((4,), name="x")
    z = part(x)
    z = layers.BatchNormalization(name="still", trainable=False)(z)
    z = layers.Dense(4, name="fixed", trainable=False)(z)
    return k.Model(x, layers.Dense(2, name="out")(z), name="frozen")


def shared(k: ModuleType) -> Any:
    """Two inputs through one layer, two outputs, and a model that is called twice."""
    layers = k.layers
    twice = k.Sequential([k.Input((3,)), layers.Dense(3, name="t")], name="twice")
    left, right = k.Input((4,), name="left"), k.Input((4,), name="right")
    one = layers.Dense(3, name="one")
    a, b = one(left), one(right)
    both = layers.Concatenate(name="both")([twice(a), twice(b)])
    outputs = [layers.Dense(2, name="u")(both), layers.Dense(1, name="v")(both)]
    return k.Model([left, right], outputs, name="shared")


def heads(k: ModuleType) -> Any:
    """A layer that holds others, and takes tensors by keyword."""
    layers = k.layers
    x = words = k.Input((6,), dtype="int32", name="words")
    x = layers.Embedding(9, 4, name="embed")(x)
    y = layers.MultiHeadAttention(2, 3, name="heads")(x, x)
    x = layers.Add(name="sum")([x, y])
    return k.Model(words, layers.GlobalMaxPooling1D(name="pool")(x), name="heads")


def attention(k: ModuleType) -> Any:
    """Layers with few weights, and normalizations."""
    layers = k.layers
    x = words = k.Input((6,), dtype="int32", name="words")
    x = layers.Embedding(9, 4, name="embed")(x)
    x = layers.LayerNormalization(name="norm")(x)
    z = layers.Attention(use_scale=True, name="plain")([x, x])
    z = layers.AdditiveAttention(name="additive")([z, x])
    z = layers.Conv1D(4, 2, name="conv")(z)
    z = layers.GroupNormalization(2, name="groups")(z)
    z = layers.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d", name="einsum")(z)
    return k.Model(words, layers.GlobalMaxPooling1D(name="pool")(z), name="attention")


def wrapped_model(k: ModuleType) -> Any:
    """A model inside of a wrapper, and statistics that were adapted."""
    layers = k.layers
    inner = k.Sequential(
        [k.Input((3,)), layers.Dense(4, name="i"), layers.BatchNormalization(name="j")],
        name="inner",
    )
    normal = layers.Normalization(name="normal")
    normal.adapt(np.random.default_rng(1).normal(2, 3, (20, 5, 3)).astype(np.float32))
    x = k.Input((5, 3), name="x")
    y = layers.TimeDistributed(inner, name="each")(normal(x))
    return k.Model(x, layers.Flatten(name="flat")(y), name="wrapped")


def half(k: ModuleType) -> Any:
    """Weights in float16 and in float32."""
    layers = k.layers
    x = k.Input((4,), name="x", dtype="float16")
    y = layers.Dense(3, dtype="float16", name="sixteen")(x)
    return k.Model(x, layers.Dense(2, dtype="float32", name="more")(y), name="half")


KINDS: dict[str, Build] = {
    build.__name__: build
    for build in (
        *(dense, convolutions, recurrent, nested, frozen, shared),
        *(heads, attention, wrapped_model, half),
    )
}


def made(kind: str, k: ModuleType, *, compiled: bool = False) -> Any:
    """A model of a kind with weights of its own; `compiled`: trained for one step, too."""
    k.backend.clear_session()
    model = KINDS[kind](k)
    if compiled:
        model.compile(optimizer=k.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
        model.train_on_batch(*_batch(model))
    randomise(model)
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    return model


def plain_config(value: Any) -> Any:
    """A configuration without what only tells how it was loaded, and without tuples."""
    skipped = ("module", "registered_name", "build_config", "shared_object_id")
    if isinstance(value, dict):
        kept = {k: plain_config(v) for k, v in value.items() if k not in skipped}
        # Layers that were adapted to data note the rank of it.
        unknown = kept.get("batch_input_shape")
        if unknown and not any(unknown):
            del kept["batch_input_shape"]
        return kept
    return [plain_config(item) for item in value] if isinstance(value, list | tuple) else value


def assert_close(kind: str, answers: list[Array], expected: list[Array]) -> None:
    """Answers of two frameworks agree as far as their arithmetic does."""
    tolerance = 2e-3 if kind == "half" else 1e-5
    for answer, wanted in zip(answers, expected, strict=True):
        scale = max(1.0, float(np.abs(wanted).max()))
        np.testing.assert_allclose(answer, wanted, rtol=0, atol=tolerance * scale)


def inputs_for(model: Any, seed: int = 0) -> list[Array]:
    """An array for each input of a live model."""
    rng = np.random.default_rng(seed)
    arrays = []
    for tensor in model.inputs:
        shape = (2, *tensor.shape[1:])
        dtype = getattr(tensor.dtype, "name", str(tensor.dtype))
        if "int" in dtype:
            arrays.append(rng.integers(0, 9, shape).astype(dtype))
        else:
            arrays.append(rng.normal(size=shape).astype(dtype))
    return arrays


def answers(model: Any, arrays: list[Array]) -> list[Array]:
    """What a live model answers, one array an output."""
    given = model.predict(arrays if len(arrays) > 1 else arrays[0], verbose=0)
    return [np.asarray(item) for item in (given if isinstance(given, list) else [given])]


def assert_same_weights(model: LayersModel, live: Any) -> None:
    """Every weight of every layer, by name and bit for bit."""
    ours = [layer for layer in model.layers if layer.class_name != "InputLayer"]
    theirs = [layer for layer in live.layers if type(layer).__name__ != "InputLayer"]
    ours = [layer for layer in ours if not is_operation(layer)]
    assert [layer.name for layer in ours] == [layer.name for layer in theirs]
    for layer, other in zip(ours, theirs, strict=True):
        _assert_same_layer(layer, other)


def _assert_same_layer(layer: Layer, live: Any) -> None:
    if layer.model is not None:
        assert_same_weights(layer.model, live)
    elif layer.children:
        assert not layer.weights
        for attribute, child in layer.children.items():
            holder, _, index = attribute.partition("/")
            inner = getattr(live, holder)
            _assert_same_layer(child, inner[int(index)] if index else inner)
    else:
        assert len(layer.weights) == len(live.weights), layer.name
        for weight, other in zip(layer.weights, live.weights, strict=True):
            path = getattr(other, "path", other.name)
            last = path.rsplit("/", 1)[-1].partition(":")[0]
            assert last in (weight.name.rsplit("/", 1)[-1], f"depthwise_{weight.name}")
            value = np.asarray(other)
            ours = weight.tensor.array()
            # Normalization counts in int32 or int64.
            same = ours.dtype == value.dtype or {ours.dtype.kind, value.dtype.kind} == {"i"}
            assert same, f"{ours.dtype} {value.dtype}"
            np.testing.assert_array_equal(ours, value, err_msg=f"{layer.name}/{path}")


def _batch(model: Any) -> tuple[Any, Any]:
    arrays = inputs_for(model)
    outputs = [np.zeros((2, *tensor.shape[1:]), np.float32) for tensor in model.outputs]
    return (
        arrays if len(arrays) > 1 else arrays[0],
        outputs if len(outputs) > 1 else outputs[0],
    )
