"""The walk over all variables of a model, and the paths that Keras 3 gives them."""

from __future__ import annotations

import json

import pytest

from tests.support.protocol import JsonObject
from tests.support.tools import REPO
from tfjs.ir.layers_model import LayersModel
from tfjs.layers.dialects.read import read_model
from tfjs.layers.slots import in_training_order, layer_groups, model_places, snake_case

STORED = json.loads((REPO / "tests" / "data" / "vocabulary_weights.json").read_text())


def entry(class_name: str, name: str, **config: object) -> JsonObject:
    return {"class_name": class_name, "config": {"name": name, **config}}


def sequential(*layers: JsonObject, shape: tuple[int | None, ...], name: str = "m") -> JsonObject:
    first = entry("InputLayer", f"{name}_input", batch_shape=[None, *shape])
    return {"class_name": "Sequential", "config": {"name": name, "layers": [first, *layers]}}


def model(config: JsonObject) -> LayersModel:
    return read_model(config, "keras3", "here")


def paths(read: LayersModel) -> list[str]:
    return [place.path for _, places in model_places(read) for place in places]


@pytest.mark.parametrize(
    ("class_name", "expected"),
    [
        ("Conv2D", "conv2d"),
        ("Conv2DTranspose", "conv2d_transpose"),
        ("GRUCell", "gru_cell"),
        ("LSTM", "lstm"),
        ("RNN", "rnn"),
        ("SimpleRNN", "simple_rnn"),
        ("PReLU", "p_re_lu"),
        ("ReLU", "re_lu"),
        ("MultiHeadAttention", "multi_head_attention"),
        ("ConvLSTM2D", "conv_lstm2d"),
        ("GlobalAveragePooling1D", "global_average_pooling1d"),
        ("StackedRNNCells", "stacked_rnn_cells"),
        ("My<Layer>2", "my_layer2"),
    ],
)
def test_snake_case(class_name: str, expected: str) -> None:
    assert snake_case(class_name) == expected


def test_layers_are_counted_by_class() -> None:
    read = model(
        sequential(
            entry("Dense", "a", units=3),
            entry("Dropout", "d", rate=0.5),
            entry("Dense", "b", units=2, use_bias=False),
            entry("Dense", "c", units=2),
            shape=(4,),
        )
    )
    assert [path for _, path in layer_groups(read)] == [
        "layers/input_layer",
        "layers/dense",
        "layers/dropout",
        "layers/dense_1",
        "layers/dense_2",
    ]
    assert paths(read) == [
        "layers/dense/vars/0",
        "layers/dense/vars/1",
        "layers/dense_1/vars/0",
        "layers/dense_2/vars/0",
        "layers/dense_2/vars/1",
    ]


def test_shapes_come_from_the_input() -> None:
    read = model(
        sequential(
            entry("Dense", "a", units=3),
            entry("BatchNormalization", "n"),
            entry("Dense", "b", units=2),
            shape=(4,),
        )
    )
    shapes = [place.slot.shape for _, places in model_places(read) for place in places]
    assert shapes == [(4, 3), (3,), (3,), (3,), (3,), (3,), (3, 2), (2,)]


def test_nested_models_nest_their_paths_and_know_their_shapes() -> None:
    inner = sequential(entry("Dense", "x", units=5), shape=(3,), name="inner")
    outer = sequential(
        entry("Dense", "a", units=3), inner, entry("Dense", "b", units=2), shape=(4,)
    )
    read = model(outer)
    assert paths(read) == [
        "layers/dense/vars/0",
        "layers/dense/vars/1",
        "layers/sequential/layers/dense/vars/0",
        "layers/sequential/layers/dense/vars/1",
        "layers/dense_1/vars/0",
        "layers/dense_1/vars/1",
    ]
    _, places = model_places(read)[2]
    assert [place.owners for place in places] == [("inner", "x"), ("inner", "x")]
    assert [place.models for place in places] == [1, 1]
    assert [place.slot.shape for place in places] == [(3, 5), (5,)]


def test_wrapped_layers_stand_under_the_attribute_that_holds_them() -> None:
    both = entry("Bidirectional", "both", layer=entry("LSTM", "lstm", units=2), merge_mode="sum")
    each = entry("TimeDistributed", "each", layer=entry("Dense", "dense", units=3))
    read = model(sequential(both, each, shape=(5, 4)))
    # The last layer sees one vector, so TimeDistributed gets no shape to speak of here.
    assert paths(read) == [
        *(f"layers/bidirectional/forward_layer/cell/vars/{index}" for index in range(3)),
        *(f"layers/bidirectional/backward_layer/cell/vars/{index}" for index in range(3)),
        "layers/time_distributed/layer/vars/0",
        "layers/time_distributed/layer/vars/1",
    ]


def test_stacked_cells_are_counted_by_class_too() -> None:
    cells = [
        entry("LSTMCell", "p", units=2),
        entry("GRUCell", "q", units=3),
        entry("LSTMCell", "r", units=4),
    ]
    stack = {"class_name": "StackedRNNCells", "config": {"name": "cells", "cells": cells}}
    read = model(sequential(entry("RNN", "rnn", cell=stack), shape=(5, 4)))
    found = [place for _, places in model_places(read) for place in places]
    assert [place.path for place in found] == [
        *(f"layers/rnn/cell/cells/lstm_cell/vars/{index}" for index in range(3)),
        *(f"layers/rnn/cell/cells/gru_cell/vars/{index}" for index in range(3)),
        *(f"layers/rnn/cell/cells/lstm_cell_1/vars/{index}" for index in range(3)),
    ]
    assert [place.slot.shape for place in found if place.slot.name == "kernel"] == [
        (4, 8),
        (2, 9),
        (3, 16),
    ]


def test_flags_above_a_layer_count() -> None:
    inner = sequential(
        entry("Dense", "x", units=2),
        entry("Dense", "y", units=2, trainable=False),
        entry("BatchNormalization", "n"),
        shape=(2,),
        name="inner",
    )
    read = model(sequential(inner, shape=(2,)))
    _, places = model_places(read)[1]
    order = [f"{p.layer.name}/{p.slot.name}" for p in in_training_order(places)]
    assert order == [
        *("x/kernel", "x/bias", "n/gamma", "n/beta"),
        *("y/kernel", "y/bias", "n/moving_mean", "n/moving_variance"),
    ]
    inner["config"]["trainable"] = False
    _, places = model_places(model(sequential(inner, shape=(2,))))[1]
    assert not any(place.trainable for place in places)
    assert in_training_order(places) == places


def test_classes_of_the_user_have_no_places() -> None:
    read = model(sequential(entry("Mine", "mine", layer=entry("Dense", "d", units=2)), shape=(2,)))
    assert [places for _, places in model_places(read)] == [[], []]


@pytest.mark.parametrize("class_name", ["LSTM", "GRU", "SimpleRNN", "BatchNormalization", "PReLU"])
def test_paths_are_those_that_keras_writes(class_name: str) -> None:
    arguments = {"units": 3} if class_name in ("LSTM", "GRU", "SimpleRNN") else {}
    shape = (4,) if class_name == "BatchNormalization" else (5, 4)
    read = model(sequential(entry(class_name, "probe", **arguments), shape=shape))
    _, places = model_places(read)[1]
    group = f"layers/{snake_case(class_name)}/"
    stored = STORED["keras3"][class_name]
    assert [place.path.removeprefix(group) for place in places] == [w["keras_path"] for w in stored]
    assert [list(place.slot.shape) for place in places] == [weight["shape"] for weight in stored]
