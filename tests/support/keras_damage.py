"""Damage to what a whole Keras model says of itself: its configuration, and its list of weights.

The files stay such as Keras could have written them: JSON that parses, HDF5 that opens.
"""

from __future__ import annotations

import contextlib
import copy
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np

from tests.support.protocol import JsonObject

# Numbers, sizes and texts that a careless reader computes with.
_SCALARS: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 7, 255, 2**31, 2**53, 2**63, 10**12, 10**400, -(10**400)),
    *(0.5, -2.5, 1e308, math.inf, -math.inf, "", "x", "3", "same", "causal", "channels_first"),
    *("relu", "softmax", "hard_sigmoid", "float16", "string", "LSTM", "\u0000", "a/b", ".."),
)
_CLASSES = (
    *("Dense", "Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "SeparableConv2D", "Embedding"),
    *("LSTM", "GRU", "SimpleRNN", "RNN", "LSTMCell", "GRUCell", "StackedRNNCells", "ConvLSTM2D"),
    *("Bidirectional", "TimeDistributed", "MultiHeadAttention", "Attention", "EinsumDense", "Dot"),
    *("BatchNormalization", "LayerNormalization", "GroupNormalization", "PReLU", "Reshape"),
    *("Flatten", "Permute", "MaxPooling2D", "UpSampling2D", "Cropping2D", "Resizing", "Lambda"),
    *("InputLayer", "Sequential", "Functional", "Concatenate", "SpectralNormalization", "Mine"),
    *("CuDNNLSTM", "CuDNNGRU", "Normalization", "DepthwiseConv1D", "Softmax", "RepeatVector"),
)
_KEYS = (
    *("units", "filters", "kernel_size", "strides", "dilation_rate", "groups", "padding", "axis"),
    *("data_format", "activation", "use_bias", "layer", "cell", "cells", "backward_layer"),
    *("trainable", "name", "dtype", "batch_shape", "batch_input_shape", "input_shape", "layers"),
    *("class_name", "config", "module", "registered_name", "build_config", "shared_axes"),
    *("reset_after", "return_state", "stateful", "merge_mode", "num_heads", "key_dim", "scale"),
)


# Of a kind of `whole_models`: the layer, the key, and what it is said to be; `...` is nothing.
WRONG: dict[str, tuple[str, str, str, Any]] = {
    "units are a list": ("dense", "a", "units", [3]),
    "units are nothing": ("dense", "a", "units", None),
    "units are missing": ("dense", "a", "units", ...),
    "units are negative": ("dense", "a", "units", -3),
    "units overflow": ("dense", "a", "units", 10**400),
    "units are infinite": ("dense", "a", "units", math.inf),
    "axis is no axis": ("dense", "norm", "axis", "x"),
    "input of absurd size": ("series", "x", "batch_shape", [None, 10**400, 4]),
    "filters are missing": ("series", "conv", "filters", ...),
    "window of two axes": ("series", "conv", "kernel_size", [3, 3]),
    "window of texts": ("series", "conv", "kernel_size", ["x"]),
    "step of no size": ("series", "transpose", "strides", [0]),
    "no layer to wrap": ("recurrent", "both", "layer", ...),
    "wraps a number": ("recurrent", "each", "layer", 3),
    "no cell": ("recurrent", "one", "cell", ...),
    "cell is a list of numbers": ("recurrent", "stack", "cell", [1, 2]),
}


def set_wrong(folder: Path, case: str) -> None:
    """Puts a case of `WRONG` into the model that is in a folder."""
    _, name, key, value = WRONG[case]

    def change(document: JsonObject) -> str:
        entry = next(item for item in _entries(document) if item["config"].get("name") == name)
        # Keras 2 calls the shape otherwise.
        own = key if key in entry["config"] else key.replace("batch_", "batch_input_")
        entry["config"][own] = value
        if value is ...:
            del entry["config"][own]
        return case

    _change_configuration(folder, change)


def damage_configuration(folder: Path, rng: Random) -> str:
    """Damages the configuration of a whole model in `.h5`, or in an unpacked `.keras` archive.

    Returns:
        What was done.
    """
    return _change_configuration(folder, lambda document: _damaged(document, rng))


def _change_configuration(folder: Path, change: Callable[[JsonObject], str]) -> str:
    archive = folder / "config.json"
    if archive.is_file():
        document = json.loads(archive.read_text())
        what = change(document)
        archive.write_text(_text(document))
        return what
    with h5py.File(_weights_file(folder), "r+") as file:
        document = json.loads(file.attrs["model_config"])
        what = change(document)
        file.attrs["model_config"] = _text(document)
    return what


def _text(document: JsonObject) -> str:
    # JSON has no infinity, but numbers that overflow to it.
    return json.dumps(document).replace("Infinity", "1e999")


def damage_listing(folder: Path, rng: Random) -> str:
    """Damages the groups, names and datasets in which such a model keeps its weights.

    Returns:
        What was done.
    """
    with h5py.File(_weights_file(folder), "r+") as file:
        return ", ".join(_damage_list(file, rng) for _ in range(rng.choice((1, 1, 2, 3))))


def _weights_file(folder: Path) -> Path:
    return next(iter(sorted(folder.glob("*.h5"))))


# The configuration -------------------------------------------------------------------------------


def _damaged(document: JsonObject, rng: Random) -> str:
    return ", ".join(_damage_document(document, rng) for _ in range(rng.choice((1, 1, 1, 2, 3))))


def _damage_document(document: JsonObject, rng: Random) -> str:
    entries = list(_entries(document))
    entry = rng.choice(entries)
    changes: list[_Change] = [_damage_entry, _damage_wiring]
    if isinstance(entry.get("config"), dict) and entry["config"]:
        changes += [_damage_config] * 6
    return rng.choice(changes)(entry, entries, rng)


_Change = Callable[[JsonObject, list[JsonObject], Random], str]


def _entries(value: Any) -> Iterator[JsonObject]:
    """Every layer and object in a document, the model itself among them."""
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            if "class_name" in item and item["class_name"] != "__keras_tensor__":
                yield item
            todo += item.values()
        elif isinstance(item, list):
            todo += item


def _damage_config(entry: JsonObject, entries: list[JsonObject], rng: Random) -> str:
    """One key of the configuration of a layer."""
    config = entry["config"]
    key = rng.choice(list(config))
    what = rng.choice(("value", "value", "value", "within", "lost", "more", "renamed", "another's"))
    if what == "value":
        config[key] = _value(rng)
    elif what == "within":
        config[key] = _within(config[key], rng)
    elif what == "lost":
        del config[key]
    elif what == "more":
        config[rng.choice(_KEYS)] = _value(rng)
    elif what == "renamed":
        config[rng.choice(_KEYS)] = config.pop(key)
    else:
        other = rng.choice(entries).get("config")
        if isinstance(other, dict) and other:
            config[key] = copy.deepcopy(other.get(key, rng.choice(list(other.values()))))
    return f"{entry['class_name']}: {what} {key}"


def _damage_entry(entry: JsonObject, entries: list[JsonObject], rng: Random) -> str:
    """The layer as a whole: its class, its name, what is beside its configuration."""
    before = entry["class_name"]
    what = rng.choice(("class", "class", "class", "config", "lost", "value", "another"))
    key = rng.choice(list(entry))
    if what == "class":
        entry["class_name"] = rng.choice(_CLASSES)
    elif what == "config":
        entry["config"] = copy.deepcopy(rng.choice(entries).get("config"))
    elif what == "lost":
        del entry[key]
        entry.setdefault("class_name", None)
    elif what == "value":
        entry[key] = _value(rng)
    else:
        other = copy.deepcopy(rng.choice(entries))
        entry.clear()
        entry.update(other)
    return f"{before}: {what} of the layer"


def _damage_wiring(entry: JsonObject, entries: list[JsonObject], rng: Random) -> str:
    """The list of layers of a model, and their calls."""
    models = [
        item["config"]
        for item in entries
        if isinstance(item.get("config"), dict) and isinstance(item["config"].get("layers"), list)
    ]
    if not models:
        return "nothing"
    config = rng.choice(models)
    layers = config["layers"]
    what = rng.choice(("lost", "twice", "moved", "ends", "nodes", "nodes", "shape"))
    if what == "lost" and layers:
        del layers[rng.randrange(len(layers))]
    elif what == "twice" and layers:
        layers.append(copy.deepcopy(rng.choice(layers)))
    elif what == "moved":
        rng.shuffle(layers)
    elif what == "ends":
        config[rng.choice(("input_layers", "output_layers"))] = _within(
            config.get("output_layers", []), rng
        )
    elif what == "nodes":
        wired = [item for item in layers if isinstance(item, dict) and item.get("inbound_nodes")]
        for item in wired[:1] and [rng.choice(wired)]:
            item["inbound_nodes"] = _within(item["inbound_nodes"], rng)
    else:
        _change_shape(layers, rng)
    return f"{what} of the model"


def _change_shape(layers: list[Any], rng: Random) -> None:
    """The shape of an input: of other sizes or rank, which all that follows must bear."""
    inputs = [
        item["config"]
        for item in layers
        if isinstance(item, dict)
        and item.get("class_name") == "InputLayer"
        and isinstance(item.get("config"), dict)
    ]
    for config in inputs:
        key = "batch_shape" if "batch_shape" in config else "batch_input_shape"
        sizes = [rng.choice((None, 0, 1, 2, 4, 10**12, 10**400)) for _ in range(rng.randrange(6))]
        config[key] = [None, *sizes] if rng.random() < 0.9 else sizes


def _value(rng: Random) -> Any:
    kind = rng.randrange(10)
    if kind < 5:
        return rng.choice(_SCALARS)
    if kind < 8:
        return [rng.choice(_SCALARS) for _ in range(rng.randrange(5))]
    if kind == 8:
        items = [rng.choice(_SCALARS) for _ in range(rng.randrange(4))]
        return rng.choice(
            (
                {"class_name": "__tuple__", "items": items},
                {"class_name": "__slice__", "config": {"start": items}},
                {"class_name": "__tensor__", "config": {"value": items, "dtype": "float32"}},
                {"class_name": "__keras_tensor__", "config": {"keras_history": items}},
                {"class_name": "__lambda__", "config": {"value": "4wEAAA=="}},
                {"class_name": "__ellipsis__"},
                {str(item): item for item in items},
                [items, items],
                [[items]],
                [None] * 300,
            )
        )
    config = {rng.choice(_KEYS): rng.choice(_SCALARS) for _ in range(rng.randrange(3))}
    return {"class_name": rng.choice((*_CLASSES, "L2", "MaxNorm", "relu")), "config": config}


def _within(value: Any, rng: Random) -> Any:
    """The value with a part of it changed: an item more, less or other, a number off by a bit."""
    value = copy.deepcopy(value)
    if type(value) in (int, float):
        nudged = rng.choice((value, -value, 2 * value, value // 2, 10**9 * value))
        return nudged + rng.choice((-1, 0, 0.5, 1) if abs(nudged) < 2**53 else (0, 1))
    if isinstance(value, list):
        at = rng.randrange(len(value) + 1)
        what = rng.choice(("more", "less", "within", "within"))
        if what == "more":
            value.insert(at, rng.choice((_value(rng), *value)))
        elif value[at:]:
            value[at : at + 1] = [] if what == "less" else [_within(value[at], rng)]
        return value
    if isinstance(value, dict) and value:
        key = rng.choice(list(value))
        value[key] = _within(value[key], rng)
        return value
    return _value(rng)


# The weights -------------------------------------------------------------------------------------


def _damage_list(file: h5py.File, rng: Random) -> str:
    names = sorted(_names(file))
    datasets = [name for name in names if isinstance(file[name], h5py.Dataset)]
    groups = [name for name in names if name not in datasets]
    listing = [group for group in groups if _lists(file[group])]
    change, chosen = rng.choice(
        (
            *[(_damage_dataset, datasets)] * 3,
            *[(_damage_names, listing)] * 4,
            (_damage_group, groups),
        )
    )
    return change(file, chosen, rng) if chosen else "nothing"


def _names(file: h5py.File) -> list[str]:
    found: list[str] = []
    file.visit(found.append)
    return found


def _lists(group: h5py.Group) -> list[str]:
    """The attributes that list layers or weights, or name an object."""
    return [key for key in ("layer_names", "weight_names", "name") if key in group.attrs]


def _damage_names(file: h5py.File, groups: list[str], rng: Random) -> str:
    """A list of names."""
    path = rng.choice(groups)
    group = file[path]
    key = rng.choice(_lists(group))
    told = group.attrs[key]
    names = _texts(told)
    what = rng.choice(("less", "more", "twice", "moved", "other", "renamed", "lost", "type"))
    if what == "less" and names:
        del names[rng.randrange(len(names))]
    elif what == "more":
        names.insert(rng.randrange(len(names) + 1), rng.choice((b"x", b"", b"kernel:0", b"../x")))
    elif what == "twice" and names:
        names.append(rng.choice(names))
    elif what == "moved":
        rng.shuffle(names)
    elif what == "other":
        other = file[rng.choice(groups)]
        names = _texts(other.attrs[rng.choice(_lists(other))])
    elif what == "renamed" and names:
        names[rng.randrange(len(names))] = rng.choice((b"y/kernel:0", b"bias:0", b"/", b"a" * 500))
    del group.attrs[key]
    if what == "type":
        group.attrs[key] = rng.choice((0, 0.5, b"x", [1, 2], np.zeros((2, 2)), h5py.Empty("S1")))
    elif what != "lost":
        group.attrs[key] = names
    return f"{path}: {what} {key}"


def _texts(value: Any) -> list[bytes]:
    return [item if isinstance(item, bytes) else str(item).encode() for item in np.ravel(value)]


def _damage_dataset(file: h5py.File, names: list[str], rng: Random) -> str:
    """An array: its shape, its dtype, its place."""
    name = rng.choice(names)
    value = file[name][()]
    what = rng.choice(("size", "size", "rank", "turned", "dtype", "lost", "swapped", "renamed"))
    if what == "swapped":
        other = rng.choice(names)
        found = file[other][()]
        del file[other]
        if other != name:
            file[other] = value
            del file[name]
        file[name] = found
        return f"{name}: swapped with {other}"
    del file[name]
    if what == "size":
        file[name] = np.ones([rng.choice((0, 1, size, size + 1)) for size in np.shape(value)])
    elif what == "rank":
        file[name] = np.ones(rng.choice(((), (1,), (3, 1), (2, 2, 2), (1,) * 7)), np.float32)
    elif what == "turned":
        file[name] = np.transpose(value)
    elif what == "dtype":
        dtype = rng.choice(("<f8", "<f2", "<i8", "<u1", "?", "<c8", "S3", "V2"))
        file.create_dataset(name, np.shape(value), dtype)
    elif what == "renamed":
        parent, _, last = name.rpartition("/")
        with contextlib.suppress(OSError):  # it is there
            file[f"{parent}/{rng.choice(('x', '0', '1', '99', f'{last}_1'))}"] = value
    return f"{name}: {what}"


def _damage_group(file: h5py.File, names: list[str], rng: Random) -> str:
    """A group: gone, elsewhere, or there twice."""
    name = rng.choice(names)
    what = rng.choice(("lost", "moved", "copied"))
    if what == "lost":
        del file[name]
        return f"{name}: lost"
    parent = rng.choice(names)
    target = f"{parent}/{rng.choice(('vars', 'cell', 'x', 'layers', 'dense', name.split('/')[-1]))}"
    with contextlib.suppress(ValueError, RuntimeError, OSError):  # it is there, or in itself
        file.copy(name, target)
        if what == "moved":
            del file[name]
    return f"{name}: {what} to {target}"
