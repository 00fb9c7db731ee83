"""Whatever stands in the configuration of RNNs, wrappers and operations: only tfjs's errors."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest

from tfjs.errors import TfjsError
from tfjs.ir.layers_model import Call, Layer, LayersModel, TensorRef, Weight
from tfjs.ir.tensor import DerivedTensor
from tfjs.layers.dialects.read import read_model
from tfjs.layers.legalize import legalize
from tfjs.layers.slots import model_places
from tfjs.layers.vocabulary import defaults

VALUES: list[Any] = [
    None,
    0,
    -1,
    10**12,
    10**400,
    1e308,
    float("nan"),
    "abc",
    True,
    [],
    [1, 2, 3],
    [[1, 2], [3]],
    ["x"],
    [None],
    {},
    {"class_name": "ELU", "config": {}},
]
CELL = {"class_name": "LSTMCell", "config": {"units": 2, "name": "c"}}
OTHER = {"class_name": "GRUCell", "config": {"units": 2, "name": "d"}}
STACK = {"class_name": "StackedRNNCells", "config": {"name": "s", "cells": [CELL, OTHER]}}
LSTM = {"class_name": "LSTM", "config": {"units": 2, "name": "l", "return_sequences": True}}
GRU = {"class_name": "GRU", "config": {"units": 2, "name": "l", "return_sequences": True}}
SERIES = (5, 4)

LAYERS: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("SimpleRNN", {"units": 3}, SERIES),
    ("LSTM", {"units": 3}, SERIES),
    ("GRU", {"units": 3}, SERIES),
    ("CuDNNGRU", {"units": 3}, SERIES),
    ("RNN", {"cell": STACK, "return_state": True}, SERIES),
    ("ConvLSTM1D", {"filters": 2, "kernel_size": 2}, (3, 6, 4)),
    ("ConvLSTM2D", {"filters": 2, "kernel_size": 2}, (3, 6, 6, 4)),
    ("Bidirectional", {"layer": LSTM}, SERIES),
    ("Bidirectional", {"layer": GRU}, SERIES),
    ("TimeDistributed", {"layer": LSTM}, (3, 5, 4)),
]


@pytest.mark.parametrize(("kind", "config", "shape"), LAYERS, ids=lambda item: str(item)[:20])
def test_layers(kind: str, config: dict[str, Any], shape: tuple[int, ...]) -> None:
    assert _error(kind, config, shape) is None
    inner = {key: value for key, value in config.items() if isinstance(value, dict)}
    for value in VALUES:
        for key in {**defaults("keras3", kind), **config}:
            _error(kind, {**config, key: value}, shape)
        for wrapped, entry in inner.items():
            for key in {**defaults("keras3", entry["class_name"]), **entry["config"]}:
                changed = {**entry, "config": {**entry["config"], key: value}}
                _error(kind, {**config, wrapped: changed}, shape)
    for other in [(), (None,), (None, None), (0, 4), (5, None), (1, 2, 3, 4, 5, 6)]:
        _error(kind, config, other)


def _error(kind: str, config: dict[str, Any], shape: Any) -> TfjsError | None:
    """The layer without weights of its own, read and expressed."""
    entry = {"batch_shape": [None, *shape], "name": "input"}
    layers = [
        {"class_name": "InputLayer", "config": entry},
        {"class_name": kind, "config": {**config, "name": "probe"}},
    ]
    data = {"class_name": "Sequential", "config": {"name": "model", "layers": layers}}
    try:
        model = read_model(data, "keras3", "test")
        for _, places in model_places(model):
            for place in places:
                sizes = [3 if size is None else size for size in place.slot.shape]
                tensor = DerivedTensor("float32", sizes, lambda: np.zeros(0, np.float32))
                place.layer.weights.append(Weight(place.slot.name, tensor))
        legalize(model)
    except TfjsError as error:
        return error
    return None


# Operations: class, configuration, arguments ("X" is the input) ------------------------------

WHOLE = slice(None)
OPERATIONS: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("Add", {}, ["X", 2.0]),
    ("Divide", {}, ["X", 2]),
    ("Maximum", {}, ["X", 2]),
    ("Power", {}, ["X", 2]),
    ("Clip", {"x_min": 0, "x_max": 1}, ["X"]),
    ("Cast", {"dtype": "float32"}, ["X"]),
    ("Elu", {"alpha": 1.0}, ["X"]),
    ("LeakyRelu", {"negative_slope": 0.2}, ["X"]),
    ("Threshold", {"threshold": 1, "default_value": 0}, ["X"]),
    ("Softmax", {"axis": 1}, ["X"]),
    ("LogSoftmax", {"axis": 1}, ["X"]),
    ("Concatenate", {"axis": 1}, [["X", "X"]]),
    ("Stack", {"axis": 1}, [["X", "X"]]),
    ("Tile", {"repeats": [1, 2, 1]}, ["X"]),
    ("Reshape", {"newshape": [-1, 24]}, ["X"]),
    ("ExpandDims", {"axis": 1}, ["X"]),
    ("Squeeze", {"axis": None}, ["X"]),
    ("Transpose", {"axes": [0, 2, 1]}, ["X"]),
    ("Swapaxes", {"axis1": 1, "axis2": 2}, ["X"]),
    ("Moveaxis", {"source": 1, "destination": 2}, ["X"]),
    ("GetItem", {}, ["X", [WHOLE, 1]]),
    ("Slice", {"shape": [1, 2, 2]}, ["X", [0, 1, 1]]),
    ("Split", {"indices_or_sections": 2, "axis": 2}, ["X"]),
    ("Unstack", {"num": None, "axis": 1}, ["X"]),
    ("Take", {"axis": 1}, ["X", [0, 1]]),
    ("Flip", {"axis": 1}, ["X"]),
    ("Pad", {"pad_width": [[0, 0], [1, 1], [0, 0]], "mode": "constant"}, ["X"]),
    ("Mean", {"axis": 1, "keepdims": False}, ["X"]),
    ("Matmul", {}, ["X", "X"]),
    ("Einsum", {"subscripts": "abc,abd->acd"}, ["X", "X"]),
    ("MaxPool", {"pool_size": 2, "strides": 1, "padding": "same"}, ["X"]),
    ("Nonsense", {}, ["X"]),
]
SHAPES: list[Any] = [
    *([None, None, 6], [None, 4], [None, 4, 6, 3], [None], [2, 0, 3], [None, None, None]),
    None,
]


@pytest.mark.parametrize(("kind", "config", "args"), OPERATIONS, ids=lambda item: str(item)[:20])
def test_operations(kind: str, config: dict[str, Any], args: list[Any]) -> None:
    for shape in SHAPES:
        _express(kind, config, args, shape)
    for value in [*VALUES, slice("a", None, 0)]:
        for key in config:
            _express(kind, {**config, key: value}, args)
        for place in range(len(args)):
            for other in (value, ["X", value], [value] * 3):
                _express(kind, config, [*args[:place], other, *args[place + 1 :]])
        _express(kind, config, [*args, value])
    _express(kind, {}, args)
    _express(kind, config, [])


def _express(kind: str, config: dict[str, Any], args: list[Any], shape: Any = (None, 4, 6)) -> None:
    entry = Layer("InputLayer", "x", {"batch_shape": shape, "dtype": "float32"}, calls=[Call()])
    layer = Layer(kind, "op", dict(config), module="keras.src.ops.numpy")
    layer.calls = [Call(args=tuple(_with_input(item) for item in args))]
    model = LayersModel("m", "Functional", [entry, layer], TensorRef("x"), TensorRef("op"))
    with contextlib.suppress(TfjsError):
        legalize(model)


def _with_input(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_input(item) for item in value]
    return TensorRef("x") if isinstance(value, str) and value == "X" else value
