"""HDF5 files for the tests, made with h5py."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t

KERNEL = np.arange(12, dtype=np.float32).reshape(3, 4)
LONG = np.arange(2000, dtype=np.int32).reshape(200, 10)
CONFIG = json.dumps({"class_name": "Sequential", "config": [1] * 20})


def write(path: Path, fill: Callable[[Any], object], **options: Any) -> Path:
    """Make a file with h5py; `fill` gets the open file."""
    with h5py.File(path, "w", **options) as file:
        fill(file)
    return path


def compact(group: Any, name: str, data: np.ndarray[Any, Any]) -> None:
    """A dataset whose bytes stand in its object header."""
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_layout(h5d.COMPACT)
    space = h5s.create_simple(data.shape)
    dataset = h5d.create(group.id, name.encode(), h5t.py_create(data.dtype), space, plist)
    dataset.write(h5s.ALL, h5s.ALL, data)


def fill_model(file: Any) -> None:
    """A bit of everything that model files have."""
    file.attrs["model_config"] = CONFIG.encode()
    file.attrs["keras_version"] = "2.15.0"
    file.attrs["layer_names"] = np.array([b"dense", b"conv"])
    file.attrs["step"] = 3
    group = file.create_group("dense/dense")
    group.attrs["name"] = "dense"
    group["kernel:0"] = KERNEL
    group["scale"] = np.float64(0.5)
    group["empty"] = np.ones((0, 3), np.float32)
    group["text"] = np.array(["ab", "", "ü"], h5py.string_dtype())
    group["bits"] = np.array([True, False])
    group.create_dataset("long", data=LONG, chunks=(64, 4), compression="gzip", shuffle=True)
    compact(group, "compact", np.array([1.5, 2.5], np.float32))
    file["link"] = h5py.SoftLink("/dense/dense")
    file["dense/loop"] = file["dense"]
