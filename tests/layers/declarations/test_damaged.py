"""Whatever stands in a configuration, only errors of tfjs come out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tfjs.errors import TfjsError
from tfjs.ir.layers_model import LayersModel, Weight
from tfjs.ir.tensor import ArrayTensor
from tfjs.layers.dialects.read import read_model
from tfjs.layers.dialects.write import ConfigWriter
from tfjs.layers.legalize import legalize
from tfjs.layers.naming import tfjs_weights
from tfjs.layers.slots import model_places
from tfjs.layers.vocabulary import defaults

VALUES: list[Any] = [
    None,
    0,
    -1,
    3,
    10**12,
    2.5,
    float("nan"),
    "abc",
    True,
    [],
    [0],
    [1, 2, 3],
    ["x"],
    [None],
    {},
    {"class_name": "ReLU", "config": {"max_value": "x"}},
    {"class_name": "Softmax", "config": {"axis": 9}},
    "hard_silu",
]
_VECTOR, _SERIES, _IMAGE = [None, 4], [None, 5, 4], [None, 6, 6, 4]
CASES: dict[str, tuple[dict[str, Any], list[list[int | None]]]] = {
    "Activation": ({"activation": "relu"}, [_VECTOR]),
    "Add": ({}, [_SERIES, _SERIES]),
    "AdditiveAttention": ({}, [_SERIES, _SERIES]),
    "Attention": ({"use_scale": True}, [_SERIES, _SERIES]),
    "BatchNormalization": ({"renorm": True}, [_IMAGE]),
    "CategoryEncoding": ({"num_tokens": 5}, [_VECTOR]),
    "CenterCrop": ({"height": 3, "width": 8}, [_IMAGE]),
    "Concatenate": ({}, [_SERIES, _SERIES]),
    "Dense": ({"units": 3}, [_SERIES]),
    "Dot": ({"axes": 1}, [_SERIES, _SERIES]),
    "Dropout": ({"rate": 0.5}, [_SERIES]),
    "ELU": ({"alpha": 0.5}, [_SERIES]),
    "EinsumDense": (
        {"equation": "abc,cde->abed", "output_shape": [None, 2, 3], "bias_axes": "d"},
        [_SERIES],
    ),
    "Embedding": ({"input_dim": 7, "output_dim": 3}, [_VECTOR]),
    "GroupNormalization": ({"groups": 2}, [_IMAGE]),
    "GroupedQueryAttention": (
        {"head_dim": 2, "num_query_heads": 4, "num_key_value_heads": 2},
        [_SERIES, _SERIES],
    ),
    "InputLayer": ({"batch_shape": _VECTOR}, []),
    "LayerNormalization": ({}, [_IMAGE]),
    "LeakyReLU": ({}, [_SERIES]),
    "LocallyConnected1D": (
        {"filters": 2, "kernel_size": 3, "implementation": 3, "padding": "same", "strides": 1},
        [_SERIES],
    ),
    "LocallyConnected2D": (
        {"filters": 2, "kernel_size": 3, "implementation": 2, "padding": "same", "strides": 1},
        [_IMAGE],
    ),
    "MultiHeadAttention": ({"num_heads": 2, "key_dim": 3}, [_SERIES, _SERIES]),
    "Normalization": ({"mean": 1.0, "variance": 2.0}, [_IMAGE]),
    "PReLU": ({"shared_axes": [2]}, [_IMAGE]),
    "Pipeline": ({"layers": []}, [_IMAGE]),
    "RMSNormalization": ({}, [_IMAGE]),
    "RandomCrop": ({"height": 6, "width": 6}, [_IMAGE]),
    "ReLU": ({"negative_slope": 0.1}, [_SERIES]),
    "Rescaling": ({"scale": 0.5}, [_IMAGE]),
    "Resizing": ({"height": 3, "width": 8}, [_IMAGE]),
    "ReversibleEmbedding": ({"input_dim": 7, "output_dim": 3}, [_VECTOR]),
    "STFTSpectrogram": ({"frame_length": 4}, [[None, 20, 1]]),
    "Softmax": ({"axis": 1}, [_SERIES]),
    "Subtract": ({}, [_SERIES, _SERIES]),
    "ThresholdedReLU": ({"theta": 0.5}, [_SERIES]),
    "UnitNormalization": ({}, [_IMAGE]),
}
# What TF.js has no layer for, whatever the configuration.
REFUSED = {"STFTSpectrogram"}
_FEW = 1 << 20


def document(kind: str, config: dict[str, Any], shapes: list[list[int | None]]) -> dict[str, Any]:
    names = [f"in{index}" for index in range(len(shapes))]
    layers: list[dict[str, Any]] = [
        {
            "class_name": "InputLayer",
            "name": name,
            "config": {"name": name, "batch_shape": shape},
            "inbound_nodes": [],
        }
        for name, shape in zip(names, shapes, strict=True)
    ]
    nodes = [[[name, 0, 0, {}] for name in names]] if names else []
    entry = {"module": "keras.layers", "class_name": kind, "name": "x", "inbound_nodes": nodes}
    layers.append({**entry, "config": {**config, "name": "x"}})
    inputs = [[name, 0, 0] for name in names or ["x"]]
    whole = {"layers": layers, "input_layers": inputs, "output_layers": [["x", 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "m", **whole}}


def fill(model: LayersModel) -> None:
    """Weights of ones, as a reader would have found them."""
    for _, places in model_places(model):
        for place in places:
            shape = [3 if size is None else size for size in place.slot.shape]
            if np.prod(shape, dtype=float) < _FEW:
                tensor = ArrayTensor(np.ones(shape, np.float32))
                place.layer.weights.append(Weight(place.slot.name, tensor))


def _convert(document: dict[str, Any]) -> int:
    model = read_model(document, "keras3", "file")
    fill(model)
    legal = legalize(model).model
    ConfigWriter("tfjs").write(legal)
    tensors = [item.tensor for group in tfjs_weights(legal) for item in group.tensors]
    return sum(tensor.array().size for tensor in tensors if tensor.size < _FEW)


def _error_of(document: dict[str, Any]) -> TfjsError | None:
    try:
        _convert(document)
    except TfjsError as error:
        return error
    return None


@pytest.mark.parametrize("kind", CASES)
def test_damaged_configuration(kind: str) -> None:
    config, shapes = CASES[kind]
    assert _error_of(document(kind, config, shapes)) is None or kind in REFUSED
    for key in {**defaults("keras3", kind), **config}:
        for value in VALUES:
            error = _error_of(document(kind, {**config, key: value}, shapes))
            assert error is None or str(error)


@pytest.mark.parametrize("kind", [kind for kind in CASES if CASES[kind][1]])
def test_damaged_inputs(kind: str) -> None:
    config, shapes = CASES[kind]
    damaged: list[Any] = [[], [None], [None, None], [None, 0], [None, 10**12], [2, 3, 4, 5, 6]]
    for shape in [*damaged, None]:
        for count in range(1, 4):
            error = _error_of(document(kind, config, [shape, *shapes][:count]))
            assert error is None or str(error)
