"""Convolutional LSTMs as graphs, against Keras and TF.js in Node."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.lowered import check_lowered
from tests.support.roundtrip import randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime

SHAPES = {1: (4, 7, 2), 2: (3, 6, 5, 2), 3: (2, 4, 3, 5, 2)}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"padding": "same", "return_sequences": True, "return_state": True},
    {"strides": 2, "go_backwards": True, "return_sequences": True, "use_bias": False},
    {"dilation_rate": 2, "padding": "same", "recurrent_activation": "hard_sigmoid"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("rank", SHAPES)
def test_options(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    rank: int,
    options: dict[str, Any],
) -> None:
    inputs = keras.Input(SHAPES[rank])
    window = 2 if rank == 3 else 3
    layer = getattr(keras.layers, f"ConvLSTM{rank}D")(4, window, **options)
    model = randomised(keras.Model(inputs, layer(inputs)))
    ops = check_lowered(model, [sample((2, *SHAPES[rank]))], tfjs_runtime, tmp_path)
    convolutions = ops.get("Conv2D", 0) + ops.get("Conv3D", 0)
    assert convolutions == 1 + SHAPES[rank][0]


@pytest.mark.parametrize("rank", [1, 2])
def test_channels_first_with_states(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, rank: int
) -> None:
    space = (6, 5)[:rank]
    shapes = [(3, 2, *space), (4, *space), (4, *space)]
    inputs = [keras.Input(shape) for shape in shapes]
    layer = getattr(keras.layers, f"ConvLSTM{rank}D")(
        4,
        3,
        padding="same",
        data_format="channels_first",
        return_sequences=True,
        return_state=True,
    )
    model = randomised(keras.Model(inputs, layer(inputs[0], initial_state=inputs[1:])))
    arrays = [sample((2, *shape), seed) for seed, shape in enumerate(shapes)]
    check_lowered(model, arrays, tfjs_runtime, tmp_path)


def test_a_free_length(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    inputs = keras.Input((None, 6, 5, 2))
    layer = keras.layers.ConvLSTM2D(4, 3, return_sequences=True)
    model = randomised(keras.Model(inputs, layer(inputs)))
    array = sample((2, 3, 6, 5, 2))
    check_lowered(model, [array], tfjs_runtime, tmp_path, method="executeAsync")


@pytest.mark.parametrize("backwards", [False, True])
def test_a_mask(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, backwards: bool
) -> None:
    inputs = [tf_keras.Input((4, 3, 3, 2)), tf_keras.Input((4,), dtype="bool")]
    layer = tf_keras.layers.ConvLSTM2D(
        2, 2, padding="same", return_sequences=True, return_state=True, go_backwards=backwards
    )
    model = randomised(tf_keras.Model(inputs, layer(inputs[0], mask=inputs[1])))
    mask = np.array([[True, True, False, False], [False, True, False, True]])
    fed = [sample((2, 4, 3, 3, 2)), mask]
    check_lowered(model, fed, tfjs_runtime, tmp_path, suffix=".h5")


def test_tf_keras(tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    inputs = tf_keras.Input((3, 6, 5, 2))
    layer = tf_keras.layers.ConvLSTM2D(4, 3, strides=2, return_sequences=True, return_state=True)
    model = randomised(tf_keras.Model(inputs, layer(inputs)))
    check_lowered(model, [sample((2, 3, 6, 5, 2))], tfjs_runtime, tmp_path, suffix=".h5")
