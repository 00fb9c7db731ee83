"""Writes the weights that Keras layers make and the names under which files store them.

    KERAS_BACKEND=tensorflow python tools/facts/keras_weights.py

Needs Keras 3 and tf_keras in one environment. For each layer class with weights, in the order of
`layer.weights`: name, shape, dtype, trainable, `path` (the variable's own), `keras_path` (in a
.keras file, below the layer's group) and for tf_keras `h5_name` (in an .h5 file). Names start with
the layer's name, which is always `probe`. Goes to tests/data/vocabulary_weights.json.
"""

from __future__ import annotations

import importlib
import json
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from layer_samples import SHAPES, sample_arguments

OUT = Path(__file__).resolve().parents[2] / "tests" / "data" / "vocabulary_weights.json"
# What changes a layer's weights beyond its least arguments: class -> label -> arguments.
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "Attention": {"scale": {"use_scale": True}, "concat": {"score_mode": "concat"}},
    "AdditiveAttention": {"no_scale": {"use_scale": False}},
    "BatchNormalization": {
        "no_center": {"center": False},
        "no_scale": {"scale": False},
        "neither": {"center": False, "scale": False},
        "frozen": {"trainable": False},
    },
    "Conv2D": {"no_bias": {"use_bias": False}, "grouped": {"groups": 2, "filters": 4}},
    "Conv2DTranspose": {"no_bias": {"use_bias": False}},
    "ConvLSTM2D": {"no_bias": {"use_bias": False}},
    "Dense": {"no_bias": {"use_bias": False}, "frozen": {"trainable": False}},
    "DepthwiseConv2D": {"no_bias": {"use_bias": False}, "multiplier": {"depth_multiplier": 2}},
    "EinsumDense": {"no_bias": {"bias_axes": None}},
    "GRU": {
        "no_bias": {"use_bias": False},
        "reset_before": {"reset_after": False},
        "dropout": {"dropout": 0.5, "recurrent_dropout": 0.5},
    },
    "LSTM": {
        "no_bias": {"use_bias": False},
        "stateful": {"stateful": True},
        "dropout": {"dropout": 0.5, "recurrent_dropout": 0.5},
    },
    "LayerNormalization": {
        "no_center": {"center": False},
        "no_scale": {"scale": False},
        "rms": {"rms_scaling": True},
    },
    "MultiHeadAttention": {"no_bias": {"use_bias": False}, "value_dim": {"value_dim": 5}},
    "PReLU": {"shared": {"shared_axes": [1]}},
    "SeparableConv2D": {"no_bias": {"use_bias": False}},
    "SimpleRNN": {"no_bias": {"use_bias": False}},
}
# tf_keras refuses its own input_spec there (2.21 beside Keras 3).
BROKEN = {("keras2", "SpectralNormalization")}
DATA = Path(__file__).resolve().parents[2] / "src" / "tfjs" / "layers" / "data"


def composed_variants(name: str, keras: Any) -> dict[str, dict[str, Any]]:
    """Further layers to wrap, made anew for each use."""
    layers = keras.layers
    if name == "Bidirectional":
        return {
            "gru": {"layer": layers.GRU(3)},
            "simple_rnn": {"layer": layers.SimpleRNN(3)},
            "named": {"layer": layers.LSTM(3, name="inner")},
            "both": {"layer": layers.LSTM(3), "backward_layer": backward(layers)},
        }
    if name == "RNN":
        cells = [layers.LSTMCell(3), layers.GRUCell(2)]
        return {
            "gru_cell": {"cell": layers.GRUCell(3)},
            "simple_rnn_cell": {"cell": layers.SimpleRNNCell(3)},
            "stacked": {"cell": layers.StackedRNNCells(cells)},
        }
    if name == "TimeDistributed":
        return {"named": {"layer": layers.Dense(3, name="inner")}}
    return {}


def backward(layers: Any) -> Any:
    return layers.LSTM(3, go_backwards=True, name="other")


def called_layer(keras: Any, name: str, arguments: dict[str, Any]) -> tuple[Any, Any]:
    """The layer named `probe`, built by a call where it can be called, and its model or None."""
    layer = getattr(keras.layers, name)(name="probe", **arguments)
    shape = SHAPES[name]
    if name.endswith(("Cell", "Cells")):
        layer.build((None, *shape))
        return layer, None
    shapes = shape if isinstance(shape, list) else [shape]
    batch = 2 if arguments.get("stateful") else None
    inputs = [keras.Input(batch_shape=(batch, *one)) for one in shapes]
    if name in ("MultiHeadAttention", "GroupedQueryAttention"):
        output = layer(*inputs)
    else:
        output = layer(inputs if len(inputs) > 1 else inputs[0])
    return layer, keras.Model(inputs, output)


def number_weights(layer: Any) -> None:
    """Gives weight i the value i + 1 everywhere: the stored arrays tell whose they are."""
    for index, weight in enumerate(layer.weights):
        weight.assign(np.full(tuple(weight.shape), index + 1, dtype=dtype_of(weight)))


def dtype_of(weight: Any) -> str:
    return str(getattr(weight.dtype, "name", weight.dtype))


def stored_paths(saving: Any, layer: Any, folder: Path) -> dict[int, str]:
    """weight index -> dataset path below the layer's group, found by value."""
    file = folder / "probe.weights.h5"
    saving.save_weights_only(layer, str(file))
    found: dict[int, str] = {}

    def visit(path: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and "seed_generator" not in path and item.size:
            value = float(np.asarray(item[()]).reshape(-1)[0])
            if value == int(value) and 0 < value <= len(layer.weights):
                found[int(value) - 1] = path

    with h5py.File(file) as opened:
        opened.visititems(visit)
    return found


def h5_names(model: Any, folder: Path) -> list[str]:
    """The `weight_names` attribute of the layer's group in an .h5 file."""
    file = folder / "model.h5"
    model.save(str(file))
    with h5py.File(file) as opened:
        names = opened["model_weights"]["probe"].attrs["weight_names"]
        return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def weight_entries(keras: Any, name: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    dialect3 = keras.__name__ == "keras"
    saving = importlib.import_module(f"{keras.__name__}.src.saving.saving_lib")
    layer, model = called_layer(keras, name, arguments)
    number_weights(layer)
    with tempfile.TemporaryDirectory() as place:
        paths = stored_paths(saving, layer, Path(place))
        h5 = [] if dialect3 or model is None else h5_names(model, Path(place))
    trainable = {id(weight) for weight in layer.trainable_weights}
    entries = []
    for index, weight in enumerate(layer.weights):
        entry = {
            "name": weight.name if dialect3 else weight.name.split("/")[-1].removesuffix(":0"),
            "path": weight.path if dialect3 else weight.name,
            "shape": [int(size) for size in weight.shape],
            "dtype": dtype_of(weight),
            "trainable": id(weight) in trainable,
            "keras_path": paths[index],
        }
        if h5:
            entry["h5_name"] = h5[index]
        entries.append(entry)
    return entries


def dialect_of(keras: Any) -> str:
    return "keras3" if keras.__name__ == "keras" else "keras2"


def known(keras: Any, name: str, arguments: dict[str, Any]) -> bool:
    """Whether this dialect's class has all of the arguments (score_mode, groups...)."""
    dialect = dialect_of(keras)
    vocabulary = json.loads((DATA / f"{dialect}.json").read_text(encoding="utf-8"))
    return set(arguments) <= set(vocabulary["layers"][name]["keys"])


def table(keras: Any) -> dict[str, Any]:
    result: dict[str, Any] = {}
    dialect = dialect_of(keras)
    for name in sorted(SHAPES):
        if not hasattr(keras.layers, name) or (dialect, name) in BROKEN:
            continue
        plain = VARIANTS.get(name, {})
        for label in ("", *plain, *composed_variants(name, keras)):
            # Inner layers are made after the counters of automatic names are set back.
            keras.backend.clear_session()
            arguments = sample_arguments(name, keras.layers, dialect) | plain.get(label, {})
            arguments |= composed_variants(name, keras).get(label, {})
            if not known(keras, name, arguments):
                continue
            entries = weight_entries(keras, name, arguments)
            if entries:
                result[f"{name}:{label}" if label else name] = entries
    return result


def main() -> None:
    result: dict[str, Any] = {"meta": {"made_by": "tools/facts/keras_weights.py"}}
    for module in ("keras", "tf_keras"):
        keras = importlib.import_module(module)
        dialect = dialect_of(keras)
        result["meta"][dialect] = {"library": module, "version": keras.__version__}
        result[dialect] = table(keras)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
