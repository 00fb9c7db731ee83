from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import tfjs
from tests.support.declared import one_layer, slots_of
from tests.support.roundtrip import check_roundtrip, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import UnsupportedError
from tfjs.ir.layers_model import KERAS2_HARD_SIGMOID
from tfjs.layers.legalize import legalize

SHAPES = {1: (2, 3, 6, 2), 2: (2, 3, 6, 5, 2)}
FIRST = {1: (2, 3, 2, 6), 2: (2, 3, 2, 6, 5)}

CONFIGS = [
    {},
    {"return_sequences": True, "return_state": True},
    {"padding": "same", "strides": 2, "return_sequences": True},
    {"dilation_rate": 2, "use_bias": False},
    {"recurrent_activation": "hard_sigmoid", "go_backwards": True},
    {"data_format": "channels_first", "return_sequences": True, "return_state": True},
    {"activation": "relu", "dropout": 0.2, "unroll": True},
]


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_conv_lstm(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    rank: int,
    config: dict[str, Any],
) -> None:
    shape = (FIRST if "data_format" in config else SHAPES)[rank]
    inputs = keras.Input(shape[1:])
    layer = getattr(keras.layers, f"ConvLSTM{rank}D")(4, 3, **config)
    model = randomised(keras.Model(inputs, layer(inputs)))
    check_roundtrip(model, [sample(shape)], tfjs_runtime, tmp_path)


@pytest.mark.parametrize("rank", [1, 2])
def test_of_tf_keras(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, rank: int
) -> None:
    # Its recurrent activation is Keras 2's hard_sigmoid.
    layer = getattr(tf_keras.layers, f"ConvLSTM{rank}D")(4, 3, return_sequences=True)
    model = randomised(tf_keras.Sequential([tf_keras.Input(SHAPES[rank][1:]), layer]))
    check_roundtrip(model, [sample(SHAPES[rank])], tfjs_runtime, tmp_path, suffix=".h5")


def test_unknown_length_on_one_column(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    inputs = keras.Input((None, 6, 2))
    layer = keras.layers.ConvLSTM1D(4, 3, return_sequences=True)
    model = randomised(keras.Model(inputs, layer(inputs)))
    check_roundtrip(model, [sample((2, 3, 6, 2))], tfjs_runtime, tmp_path)


def test_defaults_differ_by_dialect() -> None:
    config = {"filters": 4, "kernel_size": 3}
    old = one_layer("ConvLSTM2D", config, (3, 6, 5, 2), "keras2").layer("probe").config
    assert old["recurrent_activation"] == KERAS2_HARD_SIGMOID
    new = one_layer("ConvLSTM2D", config, (3, 6, 5, 2)).layer("probe").config
    assert (new["recurrent_activation"], new["kernel_size"]) == ("sigmoid", [3, 3])


def test_slots() -> None:
    config = {"filters": 4, "kernel_size": 3, "data_format": "channels_first"}
    slots = slots_of(one_layer("ConvLSTM2D", config, (3, 2, 6, 5)))
    assert [slot.shape for slot in slots] == [(3, 3, 2, 16), (3, 3, 4, 16), (16,)]
    assert {slot.holder for slot in slots} == {"cell"}


def test_three_axes() -> None:
    config = {"filters": 2, "kernel_size": 2}
    with pytest.raises(UnsupportedError, match="no convolutional LSTM over volumes"):
        legalize(one_layer("ConvLSTM3D", config, (2, 3, 3, 3, 1)))


def test_unknown_size_on_one_column() -> None:
    config = {"filters": 2, "kernel_size": 2}
    with pytest.raises(UnsupportedError, match="the size of its input is unknown"):
        legalize(one_layer("ConvLSTM1D", config, (3, None, 1)))


def test_initial_state(keras: ModuleType, tmp_path: Path) -> None:
    inputs = keras.Input(SHAPES[2][1:])
    states = [keras.Input((6, 5, 4)), keras.Input((6, 5, 4))]
    outputs = keras.layers.ConvLSTM2D(4, 3, padding="same")(inputs, initial_state=states)
    keras.Model([inputs, *states], outputs).save(tmp_path / "model.keras")
    with pytest.raises(UnsupportedError, match="called with an initial state"):
        tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to="tfjs-layers")
