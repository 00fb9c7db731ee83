"""Small TF.js layers models written by hand, for the tests of the harness itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.support.protocol import Array, JsonObject


def dense_layer(name: str, units: int, inputs: int | None = None) -> JsonObject:
    """A Dense layer's entry in a Sequential; `inputs` makes it the first."""
    config: JsonObject = {"name": name, "units": units, "activation": "relu", "use_bias": True}
    if inputs is not None:
        config |= {"batch_input_shape": [None, inputs], "dtype": "float32"}
    return {"class_name": "Dense", "config": config}


def sequential(layers: list[JsonObject]) -> JsonObject:
    """The modelTopology of a Sequential."""
    config = {"name": "tiny", "layers": layers}
    return {"class_name": "Sequential", "keras_version": "2.15.0", "config": config}


def write_layers_model(folder: Path, topology: JsonObject, weights: dict[str, Array]) -> Path:
    """Writes a model in two shards, cut inside a number where there are several.

    Returns:
        Its folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = b"".join(array.tobytes() for array in weights.values())
    # Of shards that are alike but for the last, TF.js reads the last wrongly where it is longer.
    cut = len(data) // 2 + 1
    shards = {"group1-shard1of2.bin": data[:cut], "group1-shard2of2.bin": data[cut:]}
    specs = [
        {"name": name, "shape": array.shape, "dtype": str(array.dtype)}
        for name, array in weights.items()
    ]
    model = {
        "format": "layers-model",
        "modelTopology": topology,
        "weightsManifest": [{"paths": list(shards), "weights": specs}],
    }
    (folder / "model.json").write_text(json.dumps(model))
    for name, shard in shards.items():
        (folder / name).write_bytes(shard)
    return folder


def dense_weights(name: str, inputs: int, units: int, seed: int = 0) -> dict[str, Array]:
    """Random kernel and bias of a Dense layer under the names that TF.js looks for."""
    rng = np.random.default_rng(seed)
    return {
        f"{name}/kernel": rng.normal(size=(inputs, units)).astype(np.float32),
        f"{name}/bias": rng.normal(size=units).astype(np.float32),
    }


def write_dense_model(folder: Path) -> tuple[Path, dict[str, Array]]:
    """A model of one Dense layer, 3 inputs to 2 outputs with relu; its folder and weights."""
    weights = dense_weights("d", 3, 2)
    return write_layers_model(folder, sequential([dense_layer("d", 2, inputs=3)]), weights), weights


def dense_answer(x: Array, weights: dict[str, Array], name: str = "d") -> Array:
    """What a relu Dense layer answers."""
    answer: Array = np.maximum(x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"], 0)
    return answer


def hanging_model(folder: Path) -> Path:
    """A model that refers to a layer which is not there: TF.js's loader waits for it for ever."""
    dense = {**dense_layer("d", 2), "name": "d", "inbound_nodes": [[["ghost", 0, 0, {}]]]}
    config = {"name": "x", "batch_input_shape": [None, 3], "dtype": "float32"}
    source = {"class_name": "InputLayer", "name": "x", "config": config, "inbound_nodes": []}
    topology = {
        "class_name": "Model",
        "config": {
            "name": "m",
            "layers": [source, dense],
            "input_layers": [["x", 0, 0]],
            "output_layers": [["d", 0, 0]],
        },
    }
    return write_layers_model(folder, topology, dense_weights("d", 3, 2))
