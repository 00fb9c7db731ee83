"""Small files of Keras made by hand, with whatever is to be wrong in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.support.protocol import Array, JsonObject

# Layers with the names and values of their weights, in order.
Stored = Mapping[str, Sequence[tuple[str, Array]]]


def entry(class_name: str, name: str, **config: Any) -> JsonObject:
    """A layer in a configuration."""
    return {"class_name": class_name, "config": {"name": name, **config}}


def sequential(*layers: JsonObject, shape: Sequence[int | None] = (4,)) -> JsonObject:
    """The configuration of a Sequential model of Keras 2."""
    first = entry("InputLayer", "entry", batch_input_shape=[None, *shape])
    return {"class_name": "Sequential", "config": {"name": "m", "layers": [first, *layers]}}


def counted(*shape: int, start: int = 0) -> Array:
    """The numbers from `start` on in a shape."""
    size = int(np.prod(shape))
    return np.arange(start, start + size, dtype=np.float32).reshape(shape)


def dense(name: str, inputs: int, units: int, start: int = 0) -> list[tuple[str, Array]]:
    """What a file of Keras 2 has for a Dense layer."""
    kernel, bias = counted(inputs, units, start=start), counted(units, start=start)
    return [(f"{name}/kernel:0", kernel), (f"{name}/bias:0", bias)]


def write_weights(group: h5py.Group, stored: Stored) -> None:
    """The layers of a model in the layout of Keras 1 and 2."""
    group.attrs["layer_names"] = [name.encode() for name in stored]
    for name, weights in stored.items():
        below = group.create_group(name)
        below.attrs["weight_names"] = [key.encode() for key, _ in weights]
        for key, value in weights:
            below[key] = value


def write_h5(
    path: Path,
    config: Any,
    stored: Stored,
    *,
    version: str | None = "2.15.0",
    backend: str = "tensorflow",
    **attributes: Any,
) -> Path:
    """A whole model in HDF5."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["backend"] = backend.encode()
        if version is not None:
            file.attrs["keras_version"] = version.encode()
        for key, value in attributes.items():
            file.attrs[key] = value
        write_weights(file.create_group("model_weights"), stored)
    return path
