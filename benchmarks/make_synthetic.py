"""Makes a model of eight Dense layers and a given size, with h5py alone: NAME.h5 and NAME.keras.

    .venv-test/bin/python benchmarks/make_synthetic.py MEBIBYTES DEST_WITHOUT_SUFFIX

Both are files that Keras loads: the first as Keras 2 writes them, the second as Keras 3 does.
"""

from __future__ import annotations

import json
import math
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

LAYERS = 8
CHUNK_ROWS = 512

Config = dict[str, Any]


def layer_names() -> list[str]:
    """The names of the layers, as Keras would give them."""
    return ["dense"] + [f"dense_{i}" for i in range(1, LAYERS)]


def dense_config(name: str, units: int, dtype: object) -> Config:
    """The config of one layer."""
    return {
        "name": name,
        "trainable": True,
        "dtype": dtype,
        "units": units,
        "activation": "relu",
        "use_bias": True,
    }


def keras_2_config(units: int) -> Config:
    """The model_config of the HDF5 file."""
    source = {"batch_input_shape": [None, units], "dtype": "float32", "name": "dense_input"}
    layers: list[Config] = [{"class_name": "InputLayer", "config": source}]
    layers += [
        {"class_name": "Dense", "config": dense_config(name, units, "float32")}
        for name in layer_names()
    ]
    return {"class_name": "Sequential", "config": {"name": "synthetic", "layers": layers}}


def keras_3_config(units: int) -> Config:
    """The config.json of the .keras file."""
    policy = {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": "float32"},
        "registered_name": None,
    }
    parts: list[tuple[str, Config]] = [
        ("InputLayer", {"batch_shape": [None, units], "dtype": "float32", "name": "input_layer"})
    ]
    parts += [("Dense", dense_config(name, units, policy)) for name in layer_names()]
    layers = [
        {"module": "keras.layers", "class_name": kind, "config": config, "registered_name": None}
        for kind, config in parts
    ]
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "synthetic", "trainable": True, "layers": layers},
        "registered_name": "Sequential",
        "build_config": {"input_shape": [None, units]},
    }


def write_weights(group: h5py.Group, names: tuple[str, str], units: int, seed: int) -> None:
    """Writes a random kernel and bias, some rows at a time."""
    rng = np.random.default_rng(seed)
    kernel = group.create_dataset(names[0], (units, units), np.float32)
    for row in range(0, units, CHUNK_ROWS):
        rows = min(CHUNK_ROWS, units - row)
        kernel[row : row + rows] = rng.standard_normal((rows, units), np.float32) / units**0.5
    group.create_dataset(names[1], data=rng.standard_normal(units, np.float32))


def write_h5(dest: Path, units: int) -> None:
    """Writes the model as Keras 2 does."""
    with h5py.File(dest, "w") as file:
        file.attrs["keras_version"] = "2.15.0"
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = json.dumps(keras_2_config(units))
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [name.encode() for name in layer_names()]
        for seed, name in enumerate(layer_names()):
            names = (f"{name}/kernel:0", f"{name}/bias:0")
            group = weights.create_group(name)
            group.attrs["weight_names"] = [text.encode() for text in names]
            write_weights(group, names, units, seed)


def write_keras(dest: Path, units: int) -> None:
    """Writes the model as Keras 3 does: stored, not compressed."""
    weights = dest.with_suffix(".weights.h5")
    with h5py.File(weights, "w") as file:
        for seed, name in enumerate(layer_names()):
            write_weights(file.create_group(f"layers/{name}/vars"), ("0", "1"), units, seed)
    with zipfile.ZipFile(dest, "w") as archive:
        metadata = {"keras_version": "3.15.1", "date_saved": "2026-11-01@00:00:00"}
        archive.writestr("metadata.json", json.dumps(metadata))
        archive.writestr("config.json", json.dumps(keras_3_config(units)))
        archive.write(weights, "model.weights.h5")
    weights.unlink()


def main(mebibytes: int, dest: str) -> None:
    """Writes both files; each under another name first, so that a model in the cache is whole."""
    units = math.isqrt(mebibytes * 2**20 // 4 // LAYERS)
    for suffix, write in ((".h5", write_h5), (".keras", write_keras)):
        whole = Path(f"{dest}{suffix}")
        part = whole.with_name(f"part-{whole.name}")
        write(part, units)
        part.rename(whole)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
