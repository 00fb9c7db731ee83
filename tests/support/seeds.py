"""Small valid models of every format that tfjs reads, made without a framework where possible."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import tfjs
from tests.support import graph_seeds
from tests.support.protocol import Array, JsonObject
from tests.support.tiny_models import sequential, write_layers_model

Seed = Callable[[Path], Path]


def _weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def _layer(class_name: str, name: str, **config: Any) -> JsonObject:
    return {"class_name": class_name, "config": {"name": name, **config}}


def recurrent(folder: Path) -> Path:
    """A TF.js Sequential with an embedding, a wrapper and a normalization, compiled."""
    lstm = _layer("LSTM", "lstm", units=3, return_sequences=True, recurrent_activation="sigmoid")
    layers = [
        _layer("Embedding", "embed", input_dim=9, output_dim=4, batch_input_shape=[None, 5]),
        _layer("Bidirectional", "both", layer=lstm, merge_mode="concat"),
        _layer("BatchNormalization", "norm", axis=-1),
        _layer("TimeDistributed", "each", layer=_layer("Dense", "inner", units=2)),
        _layer("Flatten", "flat"),
        _layer("Dense", "out", units=2, activation="softmax"),
    ]
    cell: dict[str, tuple[int, ...]]
    cell = {"kernel": (4, 12), "recurrent_kernel": (3, 12), "bias": (12,)}
    shapes: dict[str, tuple[int, ...]] = {"embed/embeddings": (9, 4)}
    for side in ("forward", "backward"):
        shapes |= {f"both/{side}_lstm/{name}": s for name, s in cell.items()}
    norms = ("gamma", "beta", "moving_mean", "moving_variance")
    shapes |= {f"norm/{name}": (6,) for name in norms}
    shapes |= {"each/kernel": (6, 2), "each/bias": (2,), "out/kernel": (10, 2), "out/bias": (2,)}
    weights = _weights(shapes)
    weights["norm/moving_variance"] **= 2
    return write_layers_model(folder, sequential(layers), weights)


def branching(folder: Path) -> Path:
    """A TF.js Functional model: two inputs and outputs, a layer and a model that are shared."""
    inner = sequential([_layer("Dense", "t", units=3, batch_input_shape=[None, 3])])
    inner["config"]["name"] = "twice"
    del inner["keras_version"]

    def node(entry: JsonObject, *calls: list[tuple[str, int]]) -> JsonObject:
        inbound = [[[name, index, 0, {}] for name, index in call] for call in calls]
        return {**entry, "name": entry["config"]["name"], "inbound_nodes": inbound}

    source = {"batch_input_shape": [None, 4], "dtype": "float32", "sparse": False}
    layers = [
        node(_layer("InputLayer", "left", **source)),
        node(_layer("InputLayer", "right", **source)),
        node(_layer("Dense", "one", units=3), [("left", 0)], [("right", 0)]),
        node(inner, [("one", 0)], [("one", 1)]),
        node(_layer("Concatenate", "join", axis=-1), [("twice", 1), ("twice", 2)]),
        node(_layer("Dense", "u", units=2), [("join", 0)]),
        node(_layer("Dense", "v", units=1, activation="sigmoid"), [("join", 0)]),
    ]
    config = {
        "name": "branching",
        "layers": layers,
        "input_layers": [["left", 0, 0], ["right", 0, 0]],
        "output_layers": [["u", 0, 0], ["v", 0, 0]],
    }
    shapes = {"one/kernel": (4, 3), "one/bias": (3,), "t/kernel": (3, 3), "t/bias": (3,)}
    shapes |= {"u/kernel": (6, 2), "u/bias": (2,), "v/kernel": (6, 1), "v/bias": (1,)}
    topology = {"class_name": "Model", "keras_version": "2.15.0", "config": config}
    write_layers_model(folder, topology, _weights(shapes))
    document = json.loads((folder / "model.json").read_text())
    document["trainingConfig"] = {
        "loss": "mse",
        "metrics": ["acc"],
        "optimizer_config": {"class_name": "Adam", "config": {"learning_rate": 0.01}},
    }
    document["userDefinedMetadata"] = {"labels": ["a", "b"]}
    (folder / "model.json").write_text(json.dumps(document))
    return folder


def quantized(folder: Path) -> Path:
    """A TF.js layers model as tfjs writes it: quantised, cut small, a group a layer."""
    source = branching(folder / "source")
    rules = {"uint8": ["one/*"], "float16": ["t/*"], "uint16": ["u/kernel"]}
    tfjs.convert(
        *(source, folder / "web"),
        quantize=rules,  # type: ignore[arg-type]
        shard_size=16,
        split_weights_by_layer=True,
    )
    return folder / "web"


def downloads(folder: Path) -> Path:
    """The pair of files that `downloads://` leaves, named in camelCase as TF.js does."""
    folder.mkdir(parents=True)
    dense = _layer("Dense", "d", units=2, useBias=True, batchInputShape=[None, 3])
    conv = {"class_name": "Activation", "config": {"name": "e", "activation": "hardSigmoid"}}
    names = {"d/kernel": [3, 2], "d/bias": [2]}
    specs = [{"name": name, "shape": s, "dtype": "float32"} for name, s in names.items()]
    document = {
        "modelTopology": {
            "className": "Sequential",
            "kerasVersion": "tfjs-layers 4.22.0",
            "config": {"name": "s", "layers": [dense, conv]},
        },
        "weightsManifest": [{"paths": ["./my.weights.bin"], "weights": specs}],
        "format": "layers-model",
        "generatedBy": "TensorFlow.js tfjs-layers v4.22.0",
        "convertedBy": None,
    }
    (folder / "my.json").write_text(json.dumps(document))
    (folder / "my.weights.bin").write_bytes(np.arange(8, dtype="<f4").tobytes())
    return folder / "my.json"


def manifest(folder: Path) -> Path:
    """TF.js weights alone, of all dtypes, one of them strings."""
    folder.mkdir(parents=True)
    specs = [
        {"name": "a", "shape": [2, 3], "dtype": "float32"},
        {"name": "b", "shape": [3], "dtype": "int32"},
        {"name": "c", "shape": [], "dtype": "bool"},
        {"name": "d", "shape": [2], "dtype": "string"},
        {"name": "e", "shape": [2], "dtype": "complex64"},
        {
            "name": "f",
            "shape": [4],
            "dtype": "float32",
            "quantization": {"dtype": "uint8", "scale": 0.1, "min": -1.0},
        },
    ]
    data = np.arange(6, dtype="<f4").tobytes() + np.arange(3, dtype="<i4").tobytes() + b"\1"
    data += b"\2\0\0\0hi\0\0\0\0" + np.arange(2, dtype="<c8").tobytes() + bytes(range(4))
    (folder / "x-shard1").write_bytes(data[:11])
    (folder / "x-shard2").write_bytes(data[11:])
    groups = [{"paths": ["x-shard1", "x-shard2"], "weights": specs}]
    (folder / "x-weights_manifest.json").write_text(json.dumps(groups))
    return folder / "x-weights_manifest.json"


def _converted(model: Seed, name: str) -> Seed:
    def build(folder: Path) -> Path:
        source = model(folder.with_name(f"{folder.name}-source"))
        tfjs.convert(source, folder / name)
        return folder / name

    return build


def packed_h5(folder: Path) -> Path:
    """A Keras HDF5 model with chunked, compressed and big-endian datasets, and long names."""
    source = _converted(recurrent, "model.h5")(folder / "source")
    path = folder / "model.h5"
    with h5py.File(source) as old, h5py.File(path, "w") as new:

        def copy(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                value = item[()].astype(">f4")
                packing = {"chunks": True, "compression": "gzip"} if value.ndim else {}
                made = new.create_dataset(name, data=value, **packing)
            else:
                made = new.require_group(name)
            for key, text in item.attrs.items():
                made.attrs[key] = text

        old.visititems(copy)
        for key, value in old.attrs.items():
            made = value.decode() if isinstance(value, bytes) else value
            new.attrs[key] = made  # as text of any length
        group = new["model_weights"]
        names = list(group.attrs["layer_names"])
        del group.attrs["layer_names"]
        group.attrs["layer_names0"], group.attrs["layer_names1"] = names[:2], names[2:]
    (folder / "source" / "model.h5").unlink()
    return path


def keras1_h5(folder: Path) -> Path:
    """A model as Keras 1 saved it."""
    folder.mkdir(parents=True)
    dense = _layer("Dense", "d", output_dim=2, input_dim=3, batch_input_shape=[None, 3])
    dense["config"] |= {"activation": "relu", "init": "glorot_uniform", "bias": True}
    dense["config"] |= {"W_regularizer": None, "trainable": True}
    with h5py.File(folder / "model.h5", "w") as file:
        config = {"class_name": "Sequential", "config": [dense]}
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["keras_version"] = b"1.2.2"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"d"]
        group.create_group("d").attrs["weight_names"] = [b"d_W", b"d_b"]
        group["d"]["d_W"] = np.ones((3, 2), "<f4")
        group["d"]["d_b"] = np.ones(2, "<f4")
    return folder / "model.h5"


def stored_weights(folder: Path) -> Path:
    """`NAME.weights.h5` of Keras 3."""
    folder.mkdir(parents=True)
    archive = _converted(recurrent, "model.keras")(folder.with_name(f"{folder.name}-archive"))
    with zipfile.ZipFile(archive) as file:
        (folder / "my.weights.h5").write_bytes(file.read("model.weights.h5"))
    return folder / "my.weights.h5"


def sharded_weights(folder: Path) -> Path:
    """`NAME.weights.json` of Keras 3, with two files beside it."""
    folder.mkdir(parents=True)
    paths = {
        "my_00000.weights.h5": "layers/dense/vars/0",
        "my_00001.weights.h5": "layers/dense/vars/1",
    }
    for name, path in paths.items():
        with h5py.File(folder / name, "w") as file:
            file[path] = np.ones((2, 2), "<f4")
    index = {
        "metadata": {"total_size": 32},
        "weight_map": {f"/{path}": name for name, path in paths.items()},
    }
    (folder / "my.weights.json").write_text(json.dumps(index))
    return folder / "my.weights.json"


def legacy_weights(folder: Path) -> Path:
    """A weights file of Keras 2."""
    source = recurrent(folder.with_name(f"{folder.name}-source"))
    tfjs.convert(source, folder / "weights.h5", to="h5-weights")
    return folder / "weights.h5"


def architecture(folder: Path) -> Path:
    """An architecture JSON with its weights beside it."""
    model = _converted(branching, "model.h5")(folder.with_name(f"{folder.name}-model"))
    tfjs.convert(model, folder / "my.h5", to="h5-weights")
    with h5py.File(model) as file:
        config = json.loads(file.attrs["model_config"])
    (folder / "my.json").write_text(json.dumps({**config, "keras_version": "2.15.0"}))
    return folder / "my.json"


def packed_archive(folder: Path) -> Path:
    """A `.keras` archive that somebody has compressed."""
    source = _converted(recurrent, "model.keras")(folder.with_name(f"{folder.name}-archive"))
    folder.mkdir(parents=True)
    path = folder / "model.keras"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return path


def unpacked_archive(folder: Path) -> Path:
    """A `.keras` archive that was unpacked."""
    source = _converted(branching, "model.keras")(folder.with_name(f"{folder.name}-archive"))
    with zipfile.ZipFile(source) as archive:
        archive.extractall(folder)
    return folder


# By name: the format that it must be recognised as, and what makes it.
GRAPHS: dict[str, tuple[str, Seed]] = {
    "frozen-small": ("frozen-graph", graph_seeds.frozen),
    "frozen-text": ("frozen-graph", graph_seeds.frozen_text),
    "saved-table": ("saved-model", graph_seeds.saved),
    "saved-text": ("saved-model", graph_seeds.saved_text),
    "hub-module": ("tf-hub", graph_seeds.hub_module),
    "hub-archive": ("tf-hub", graph_seeds.hub_archive),
    "graph-small": ("tfjs-graph", graph_seeds.web_graph),
    "graph-table": ("tfjs-graph", graph_seeds.web_table),
}
SEEDS: dict[str, tuple[str, Seed]] = {
    "layers-recurrent": ("tfjs-layers", recurrent),
    "layers-branching": ("tfjs-layers", branching),
    "layers-quantized": ("tfjs-layers", quantized),
    "layers-downloads": ("tfjs-layers", downloads),
    "weights-manifest": ("tfjs-weights", manifest),
    "h5-recurrent": ("keras-h5", _converted(recurrent, "model.h5")),
    "h5-branching": ("keras-h5", _converted(branching, "model.h5")),
    "h5-packed": ("keras-h5", packed_h5),
    "h5-keras1": ("keras-h5", keras1_h5),
    "h5-weights-legacy": ("h5-weights", legacy_weights),
    "h5-weights-stored": ("h5-weights", stored_weights),
    "h5-weights-sharded": ("h5-weights", sharded_weights),
    "keras-recurrent": ("keras", _converted(recurrent, "model.keras")),
    "keras-branching": ("keras", _converted(branching, "model.keras")),
    "keras-packed": ("keras", packed_archive),
    "keras-unpacked": ("keras", unpacked_archive),
    "json-branching": ("keras-json", architecture),
    **GRAPHS,
}
