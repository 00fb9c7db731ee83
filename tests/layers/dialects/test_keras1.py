"""Keras 1's configurations in the words of Keras 2, and its arrays as today's variables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.fixtures import DATA, assert_weights
from tests.support.protocol import Array, JsonObject
from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.formats import keras_h5, keras_json
from tfjs.formats.base import ReadOptions
from tfjs.ir.layers_model import LayersModel, flatten
from tfjs.ir.tensor import ArrayTensor, Tensor
from tfjs.layers.dialects.keras1 import to_keras2
from tfjs.layers.dialects.keras1_layouts import layout
from tfjs.layers.dialects.layouts import plain_layout
from tfjs.layers.dialects.read import read_model
from tfjs.layers.slots import model_places

FOLDER = DATA / "keras1"


def entry(class_name: str, **config: Any) -> JsonObject:
    return {"class_name": class_name, "config": {"name": class_name.lower(), **config}}


def converted(class_name: str, **config: Any) -> JsonObject:
    """The configuration of one layer of a Sequential, without its name."""
    model = {"class_name": "Sequential", "config": [entry(class_name, **config)]}
    layer = to_keras2(model, "here")["config"][0]
    result = dict(layer["config"])
    del result["name"]
    return {"class": layer["class_name"], **result}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (
            entry("Dense", output_dim=3, init="uniform", bias=True, input_dim=4, activation="relu"),
            {
                "class": "Dense",
                "units": 3,
                "kernel_initializer": "uniform",
                "use_bias": True,
                "activation": "relu",
            },
        ),
        (
            entry(
                "Convolution2D",
                nb_filter=4,
                nb_row=2,
                nb_col=3,
                border_mode="same",
                subsample=[1, 2],
                dim_ordering="th",
            ),
            {
                "class": "Conv2D",
                "filters": 4,
                "kernel_size": [2, 3],
                "padding": "same",
                "strides": [1, 2],
                "data_format": "channels_first",
            },
        ),
        (
            entry("AtrousConvolution1D", nb_filter=4, filter_length=2, atrous_rate=3),
            {"class": "Conv1D", "filters": 4, "kernel_size": 2, "dilation_rate": 3},
        ),
        (
            entry("Convolution3D", nb_filter=2, kernel_dim1=1, kernel_dim2=2, kernel_dim3=3),
            {"class": "Conv3D", "filters": 2, "kernel_size": [1, 2, 3]},
        ),
        (
            entry(
                "LSTM",
                output_dim=3,
                inner_init="orthogonal",
                inner_activation="hard_sigmoid",
                consume_less="gpu",
                dropout_W=0.1,
                dropout_U=0.2,
                forget_bias_init="one",
            ),
            {
                "class": "LSTM",
                "units": 3,
                "recurrent_initializer": "orthogonal",
                "recurrent_activation": "hard_sigmoid",
                "implementation": 2,
                "dropout": 0.1,
                "recurrent_dropout": 0.2,
            },
        ),
        (
            entry("GRU", output_dim=3, consume_less="cpu"),
            {"class": "GRU", "units": 3, "implementation": 0, "reset_after": False},
        ),
        (
            entry(
                "Embedding",
                input_dim=9,
                output_dim=4,
                input_dtype="int32",
                dropout=0.1,
                init="normal",
                W_constraint={"name": "MaxNorm", "m": 3, "axis": 0},
            ),
            {
                "class": "Embedding",
                "input_dim": 9,
                "output_dim": 4,
                "embeddings_initializer": "normal",
                "embeddings_constraint": {
                    "class_name": "MaxNorm",
                    "config": {"max_value": 3, "axis": 0},
                },
            },
        ),
        (
            entry("MaxPooling1D", pool_length=2, stride=1, border_mode="valid"),
            {"class": "MaxPooling1D", "pool_size": 2, "strides": 1, "padding": "valid"},
        ),
        (entry("Dropout", p=0.4), {"class": "Dropout", "rate": 0.4}),
        (entry("GaussianNoise", sigma=0.4), {"class": "GaussianNoise", "stddev": 0.4}),
        (entry("UpSampling1D", length=2), {"class": "UpSampling1D", "size": 2}),
        (
            entry("ZeroPadding2D", padding=[1, 2, 3, 4]),
            {
                "class": "ZeroPadding2D",
                "padding": [[1, 2], [3, 4]],
                "data_format": "channels_last",
            },
        ),
        (
            entry("ZeroPadding2D", padding={"top_pad": 1, "right_pad": 2}),
            {
                "class": "ZeroPadding2D",
                "padding": [[1, 0], [0, 2]],
                "data_format": "channels_last",
            },
        ),
        (
            entry("ZeroPadding1D", padding={"left_pad": 1}),
            {"class": "ZeroPadding1D", "padding": [1, 0]},
        ),
        (
            entry("BatchNormalization", mode=0, axis=1, epsilon=1e-3),
            {"class": "BatchNormalization", "axis": 1, "epsilon": 1e-3},
        ),
        (
            entry("TimeDistributedDense", output_dim=2, input_dim=3, input_length=4),
            {"class": "Dense", "units": 2},
        ),
        (
            entry("InputLayer", batch_input_shape=[None, 3], input_dtype="int32"),
            {"class": "InputLayer", "batch_input_shape": [None, 3], "dtype": "int32"},
        ),
    ],
    ids=lambda value: value.get("class_name", ""),
)
def test_arguments(given: JsonObject, wanted: JsonObject) -> None:
    config = {key: value for key, value in given["config"].items() if key != "name"}
    assert converted(given["class_name"], **config) == wanted


def test_the_usual_ordering_holds_where_a_layer_tells_none() -> None:
    config = [entry("Convolution2D", dim_ordering="th"), entry("UpSampling2D", size=[2, 2])]
    layers = to_keras2({"class_name": "Sequential", "config": config}, "here")["config"]
    assert layers[1]["config"]["data_format"] == "channels_first"


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ({"mode": "sum"}, ("Add", {})),
        ({"mode": "mul"}, ("Multiply", {})),
        ({"mode": "ave"}, ("Average", {})),
        ({"mode": "max"}, ("Maximum", {})),
        ({"mode": "concat", "concat_axis": 2}, ("Concatenate", {"axis": 2})),
        ({"mode": "dot", "dot_axes": [1, 2]}, ("Dot", {"axes": [1, 2], "normalize": False})),
    ],
)
def test_merges(mode: JsonObject, wanted: tuple[str, JsonObject]) -> None:
    result = converted("Merge", mode_type="raw", **mode)
    assert result == {"class": wanted[0], "trainable": True, **wanted[1]}


def test_what_ended_with_keras_1_is_refused_all_at_once() -> None:
    config = [
        entry("Highway"),
        entry("Dense", output_dim=1),
        entry("MaxoutDense"),
        entry("Merge", mode="cos", mode_type="raw"),
        entry("BatchNormalization", mode=2),
    ]
    with pytest.raises(UnsupportedError) as caught:
        to_keras2({"class_name": "Sequential", "config": config}, "here")
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "highway (Highway)",
        "maxoutdense (MaxoutDense)",
        "merge (Merge)",
        "batchnormalization (BatchNormalization)",
    ]


@pytest.mark.parametrize(
    "config",
    [
        None,
        [],
        {"class_name": "Graph"},
        {"class_name": "Sequential", "config": [{"name": "Dense"}]},
        {"class_name": "Model", "config": {"layers": 3}},
    ],
)
def test_what_is_no_configuration(config: Any) -> None:
    with pytest.raises(CorruptFileError):
        to_keras2(config, "here")


def test_deep_nesting_ends() -> None:
    config: JsonObject = entry("Dense", output_dim=1)
    for _ in range(200):
        config = {"class_name": "Sequential", "config": [config]}
    with pytest.raises(CorruptFileError, match="beyond reason"):
        to_keras2(config, "here")


# Genuine files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("stem", sorted(file.stem for file in FOLDER.glob("*.h5")))
def test_weights_of_genuine_files(stem: str) -> None:
    file = FOLDER / f"{stem}.json"
    if file.exists():
        model = keras_json.FORMAT.read(file, ReadOptions())
    else:
        file = FOLDER / f"{stem}.h5"
        model = keras_h5.FORMAT.read(file, ReadOptions())
    assert isinstance(model, LayersModel)
    assert_weights(model, file)
    assert model.producer == f"keras {stem.partition('-')[2]}"


def test_a_sequential_of_merged_branches_becomes_functional() -> None:
    model = keras_json.FORMAT.read(FOLDER / "merged-1.2.2.json", ReadOptions())
    assert isinstance(model, LayersModel)
    assert model.class_name == "Functional"
    assert [ref.layer for ref in flatten(model.inputs)] == ["l_input", "r_input"]
    shapes = [model.layer(ref.layer).config["batch_shape"] for ref in flatten(model.inputs)]
    assert shapes == [[None, 4], [None, 2]]
    assert [ref.layer for ref in model.layer("both").calls[0].inputs()] == ["l", "n"]
    assert [ref.layer for ref in flatten(model.outputs)] == ["out"]


def test_gru_of_keras_1_resets_before() -> None:
    model = keras_h5.FORMAT.read(FOLDER / "series-1.2.2.h5", ReadOptions())
    assert isinstance(model, LayersModel)
    assert model.layer("gru").config["reset_after"] is False
    assert model.layer("embed").config["dtype"] == "float32"
    assert model.layer("words").config["dtype"] == "int32"


# Arrays that no small file has -----------------------------------------------------------------


def built(config: JsonObject, arrays: list[Array], shape: list[int | None], *, old: bool) -> Any:
    """The variables of one layer made of stored arrays."""
    first = {"class_name": "InputLayer", "config": {"name": "i", "batch_input_shape": shape}}
    layers = {"name": "m", "layers": [first, config]}
    model = read_model({"class_name": "Sequential", "config": layers}, "keras2", "here")
    layer, places = model_places(model)[1]
    slots = [place.slot for place in places]
    made = layout(layer, slots) if old else plain_layout(layer, slots)
    tensors: list[Tensor] = [ArrayTensor(array) for array in arrays]
    for array, tensor in zip(made.arrays, tensors, strict=True):
        assert array.fits(tensor.shape), (array, tensor)
    results = made.build(tensors)
    assert [tensor.shape for tensor in results] == [slot.shape for slot in slots]
    return [tensor.array() for tensor in results]


def counted(*shape: int) -> Array:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def test_conv1d_of_both_ages() -> None:
    config = entry("Conv1D", filters=5, kernel_size=[3])
    kernel = counted(3, 1, 4, 5)
    new, _ = built(config, [kernel, counted(5)], [None, 7, 4], old=True)
    np.testing.assert_array_equal(new, kernel[:, 0])
    old = np.transpose(kernel, (3, 2, 0, 1))
    same, _ = built(config, [old, counted(5)], [None, 7, 4], old=True)
    np.testing.assert_array_equal(same, kernel[:, 0])


@pytest.mark.parametrize("class_name", ["SeparableConv2D", "Conv3D"])
def test_kernels_with_the_filters_first(class_name: str) -> None:
    sizes = [2, 3] if class_name == "SeparableConv2D" else [2, 3, 4]
    config = entry(class_name, filters=5, kernel_size=sizes, data_format="channels_first")
    shape = [None, 6, *[9] * len(sizes)]
    if class_name == "Conv3D":
        stored = counted(5, 6, 2, 3, 4)
        kernel, _ = built(config, [stored, counted(5)], shape, old=True)
        np.testing.assert_array_equal(kernel, np.transpose(stored, (2, 3, 4, 1, 0)))
        return
    depth, point = counted(1, 6, 2, 3), counted(5, 6, 1, 1)
    first, second, _ = built(config, [depth, point, counted(5)], shape, old=True)
    np.testing.assert_array_equal(first, np.transpose(depth, (2, 3, 1, 0)))
    np.testing.assert_array_equal(second, np.transpose(point, (2, 3, 1, 0)))


@pytest.mark.parametrize("first", [True, False])
def test_gates_of_convlstm(first: bool) -> None:
    config = entry(
        "ConvLSTM2D",
        filters=3,
        kernel_size=[2, 2],
        data_format="channels_first" if first else "channels_last",
    )
    shape = [None, 5, 4, 8, 8] if first else [None, 5, 8, 8, 4]
    gates = [
        array + 1000 * gate
        for gate in range(4)
        for array in (
            (counted(3, 4, 2, 2), counted(3, 3, 2, 2), counted(3))
            if first
            else (counted(2, 2, 4, 3), counted(2, 2, 3, 3), counted(3))
        )
    ]
    kernel, recurrent, bias = built(config, gates, shape, old=True)
    # Keras 1 has input, cell, forget, output; Keras 2 input, forget, cell, output.
    assert bias.tolist() == [0, 1, 2, 2000, 2001, 2002, 1000, 1001, 1002, 3000, 3001, 3002]
    wanted = np.transpose(gates[6], (2, 3, 1, 0)) if first else gates[6]
    np.testing.assert_array_equal(kernel[..., 3:6], wanted)
    assert recurrent.shape == (2, 2, 3, 12)


def test_weights_of_cudnn_in_an_lstm() -> None:
    """Each gate's matrix is transposed in memory; the two biases are added."""
    config = entry("LSTM", units=2)
    kernel, recurrent, bias = counted(3, 8), counted(2, 8), counted(16)
    new = built(config, [kernel, recurrent, bias], [None, 5, 3], old=False)
    gate = np.ascontiguousarray(kernel[:, 2:4])
    np.testing.assert_array_equal(new[0][:, 2:4], gate.reshape(2, 3).T)
    np.testing.assert_array_equal(new[1][:, 6:], recurrent[:, 6:].T)
    np.testing.assert_array_equal(new[2], bias[:8] + bias[8:])


def test_weights_of_cudnn_in_a_gru() -> None:
    config = entry("GRU", units=2, reset_after=True)
    kernel, recurrent, bias = counted(3, 6), counted(2, 6), counted(12)
    new = built(config, [kernel, recurrent, bias], [None, 5, 3], old=False)
    np.testing.assert_array_equal(new[0][:, :2], kernel[:, :2].reshape(2, 3).T)
    np.testing.assert_array_equal(new[2], bias.reshape(2, 6))
