"""Convolutions as graphs, against Keras and TF.js in Node."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import tfjs
from tests.support.lowered import Case, check_lowered
from tests.support.roundtrip import sample
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.weights import randomise

LINE, IMAGE, SPACE = (9, 4), (9, 8, 4), (7, 8, 6, 4)
ON_ROW = {"ExpandDims": 1, "BiasAdd": 1, "Squeeze": 1}

CASES = [
    Case("Conv1D", LINE, 6, 3, ops={**ON_ROW, "Conv2D": 1}),
    Case("Conv1D", LINE, 6, 3, padding="causal", dilation_rate=2, ops={**ON_ROW, "Conv2D": 1}),
    Case("Conv1D", LINE, 6, 3, padding="same", strides=5, activation="relu"),
    Case("Conv1D", LINE, 6, 3, data_format="channels_first", groups=3, activation="softmax"),
    Case("Conv1D", LINE, 6, 3, free=1, padding="causal", strides=2),
    Case("Conv2D", IMAGE, 6, 3, ops={"Conv2D": 1, "BiasAdd": 1}),
    Case("Conv2D", IMAGE, 6, 3, free=2, padding="same", strides=2),
    Case("Conv2D", IMAGE, 6, (3, 2), padding="same", dilation_rate=(2, 1), use_bias=False),
    Case("Conv2D", IMAGE, 6, 3, groups=2, padding="same"),
    Case("Conv2D", IMAGE, 8, 3, groups=4, ops={"DepthwiseConv2dNative": 1, "BiasAdd": 1}),
    Case("Conv2D", IMAGE, 6, 3, data_format="channels_first", activation="log_softmax"),
    Case("Conv2D", IMAGE, 6, 3, data_format="channels_first", activation="gelu"),
    Case("Conv3D", SPACE, 6, 3, padding="same", strides=2),
    Case("Conv3D", SPACE, 6, 3, groups=2, dilation_rate=2, activation="tanh"),
    Case("Conv3D", SPACE, 6, 2, padding="same", strides=5),
    Case("Conv3D", SPACE, 6, 3, data_format="channels_first"),
    Case("DepthwiseConv1D", LINE, 3, strides=2, padding="same", depth_multiplier=2),
    Case("DepthwiseConv1D", LINE, 2, data_format="channels_first", dilation_rate=2),
    Case("DepthwiseConv2D", IMAGE, 3, ops={"DepthwiseConv2dNative": 1, "BiasAdd": 1}),
    Case("DepthwiseConv2D", IMAGE, 3, padding="same", dilation_rate=2, depth_multiplier=2),
    Case("DepthwiseConv2D", IMAGE, 3, strides=2, data_format="channels_first"),
    Case("SeparableConv1D", LINE, 6, 3, strides=2, depth_multiplier=2, activation="relu6"),
    Case("SeparableConv1D", LINE, 6, 2, data_format="channels_first", dilation_rate=2),
    Case("SeparableConv2D", IMAGE, 6, 3, padding="same", strides=2, free=2),
    Case("SeparableConv2D", IMAGE, 6, 3, data_format="channels_first", use_bias=False),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_convolution(
    case: Case, keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    case.run(keras, tfjs_runtime, tmp_path)


@pytest.mark.parametrize(
    "case",
    [
        Case("SeparableConv1D", LINE, 6, 3, padding="causal", dilation_rate=2),
        Case("Conv2D", IMAGE, 6, 3, activation="hard_sigmoid"),
        Case("DepthwiseConv2D", IMAGE, 3, padding="same"),
    ],
    ids=str,
)
def test_a_convolution_of_keras_2(
    case: Case, tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    case.run(tf_keras, tfjs_runtime, tmp_path, suffix=".h5")


def test_channels_that_are_first_are_moved_once(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    first: dict[str, Any] = {"data_format": "channels_first"}
    fed = keras.Input((3, 9, 8))
    made = keras.layers.Conv2D(4, 3, activation="relu", **first)(fed)
    made = keras.layers.BatchNormalization(axis=1)(made)
    made = keras.layers.MaxPooling2D(**first)(made)
    model = keras.Model(fed, keras.layers.Conv2D(5, 2, **first)(made))
    randomise(model)
    ops = check_lowered(model, [sample((2, 3, 9, 8))], tfjs_runtime, tmp_path)
    assert ops["Transpose"] == 2


def test_an_activation_that_is_a_layer(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    options: dict[str, Any] = {
        "activation": keras.layers.Softmax(axis=1),
        "data_format": "channels_first",
    }
    Case("Conv2D", (3, 5, 6), 4, 3, **options).run(keras, tfjs_runtime, tmp_path)


def test_an_activation_that_the_file_does_not_hold(keras: ModuleType, tmp_path: Path) -> None:
    fed = keras.Input(LINE)
    made = keras.layers.Conv1D(4, 3, activation="threshold", name="steps")(fed)
    keras.Model(fed, made).save(tmp_path / "a.keras")
    with pytest.raises(tfjs.UnsupportedError) as caught:
        tfjs.convert(tmp_path / "a.keras", tmp_path / "web", to="tfjs-graph")
    assert list(caught.value.problems) == [
        "steps (Conv1D): has the activation threshold, whose arguments the file does not hold"
    ]
