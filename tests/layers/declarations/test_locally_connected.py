"""LocallyConnected1D and 2D, held against tf_keras on the CPU and TF.js in Node."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.declared import classes, one_layer, slots_of
from tests.support.roundtrip import check_roundtrip, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.layers.legalize import legalize

Options = dict[str, Any]
SPACE = {1: (7,), 2: (6, 5)}

VALID: list[tuple[int, Options]] = [
    (1, {}),
    (1, {"strides": 2, "use_bias": False, "activation": "relu"}),
    (1, {"kernel_size": 1, "activation": "softmax"}),
    (2, {}),
    (2, {"kernel_size": (2, 3), "strides": (2, 1), "activation": "softmax"}),
    (2, {"kernel_size": (3, 1), "strides": 3, "activation": "hard_sigmoid"}),
    (2, {"kernel_size": (6, 5), "activation": "leaky_relu"}),
]
# The padding of these layers is not that of Conv2D: even windows and strides show it.
SAME: list[tuple[int, Options]] = [
    (1, {"kernel_size": 2, "strides": 2}),
    (1, {"kernel_size": 4, "strides": 3}),
    (2, {"strides": 2, "use_bias": False}),
    (2, {"kernel_size": (2, 5), "strides": (1, 2), "activation": "softmax"}),
    (2, {"kernel_size": (4, 7), "strides": (5, 1)}),
    (2, {"kernel_size": (1, 2), "strides": (4, 3)}),
]
CASES = [
    *((rank, {"implementation": kind, **options}) for rank, options in VALID for kind in (1, 2, 3)),
    *(
        (rank, {"implementation": kind, "padding": "same", **options})
        for rank, options in SAME
        for kind in (2, 3)
    ),
]


def made(tf_keras: ModuleType, rank: int, options: Options) -> Any:
    """A model of such a layer with three channels in and four out."""
    layers = tf_keras.layers
    first = options.get("data_format") == "channels_first"
    shape = (3, *SPACE[rank]) if first else (*SPACE[rank], 3)
    layer = getattr(layers, f"LocallyConnected{rank}D")
    options = {"filters": 4, "kernel_size": 3, **options}
    return randomised(tf_keras.Sequential([layers.Input(shape), layer(**options, name="local")]))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(("rank", "options"), CASES, ids=str)
def test_tfjs_computes_the_same(
    tf_keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    rank: int,
    options: Options,
    data_format: str,
) -> None:
    model = made(tf_keras, rank, {**options, "data_format": data_format})
    x = sample((2, *model.input_shape[1:]))
    report = check_roundtrip(model, [x], tfjs_runtime, tmp_path, suffix=".h5")
    told = f"LocallyConnected{rank}D as DepthwiseConv2D on a column for each window"
    assert report.rewrites[told] == ["local"]


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("options", [{}, {"implementation": 3, "padding": "same"}], ids=str)
def test_on_wasm_and_from_archives(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, rank: int, options: Options
) -> None:
    model = made(tf_keras, rank, options)
    x = sample((2, *model.input_shape[1:]))
    check_roundtrip(model, [x], tfjs_runtime, tmp_path, suffix=".keras", backend="wasm")


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("kind", [1, 2, 3])
@pytest.mark.parametrize("rank", [1, 2])
def test_tf_keras_reads_what_is_written(
    tf_keras: ModuleType, tmp_path: Path, rank: int, kind: int, padding: str
) -> None:
    if kind == 1 and padding == "same":
        return  # Keras refuses it
    options = {"implementation": kind, "padding": padding, "kernel_size": 2, "strides": 2}
    model = made(tf_keras, rank, {**options, "activation": "relu", "kernel_regularizer": "l2"})
    model.save(tmp_path / "a.h5")
    tfjs.convert(tmp_path / "a.h5", tmp_path / "b.h5")
    loaded = tf_keras.models.load_model(tmp_path / "b.h5")
    x = sample((2, *model.input_shape[1:]))
    np.testing.assert_array_equal(np.asarray(loaded(x)), np.asarray(model(x)))
    found, wanted = (item.layers[0].get_config() for item in (loaded, model))
    assert found == wanted


def test_keras_3_has_no_such_layer(tf_keras: ModuleType, tmp_path: Path) -> None:
    made(tf_keras, 1, {}).save(tmp_path / "a.h5")
    with pytest.raises(UnsupportedError) as caught:
        tfjs.convert(tmp_path / "a.h5", tmp_path / "b.keras")
    assert list(caught.value.problems) == [
        "local (LocallyConnected1D): is a layer that Keras 3 does not have: "
        "write an .h5 file and load it with tf_keras"
    ]


def test_on_several_inputs_and_in_time(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = tf_keras.layers
    inputs = [tf_keras.Input((6, 2)), tf_keras.Input((6, 2))]
    shared = layers.LocallyConnected1D(3, 2)
    summed = layers.Add()([shared(inputs[0]), shared(inputs[1])])
    parts = layers.Reshape((2, 3, 5, 1))(layers.Reshape((30,))(layers.Concatenate()([summed] * 2)))
    spread = layers.TimeDistributed(layers.LocallyConnected2D(2, (2, 3), activation="tanh"))(parts)
    model = randomised(tf_keras.Model(inputs, spread))
    arrays = [sample((3, 6, 2)), sample((3, 6, 2), seed=1)]
    check_roundtrip(model, arrays, tfjs_runtime, tmp_path, suffix=".h5")


def test_it_takes_no_more_numbers_than_keras() -> None:
    config = {"filters": 8, "kernel_size": [3, 3], "implementation": 2}
    built = legalize(one_layer("LocallyConnected2D", config, (14, 14, 4), "keras2")).model
    names = [layer.class_name for layer in built.layers[1:]]
    assert names == ["DepthwiseConv2D", "Reshape", "Permute", "DepthwiseConv2D", "Reshape"]
    sizes = [weight.tensor.shape for weight in built.layer("probe").weights]
    assert sizes == [(36, 1, 144, 8), (1152,)]
    assert [weight.tensor.shape for weight in built.layers[1].weights] == [(3, 3, 4, 9)]
    assert built.layers[1].config["trainable"] is False


def test_what_grows_is_refused() -> None:
    config = {"filters": 1, "kernel_size": 5000, "implementation": 3, "padding": "same"}
    model = one_layer("LocallyConnected1D", config, (1000, 1), "keras2")
    with pytest.raises(UnsupportedError) as caught:
        legalize(model)
    assert "its window holds too many numbers" in caught.value.problems[0]
    model = one_layer("LocallyConnected1D", {**config, "kernel_size": 2000}, (4, 900), "keras2")
    with pytest.raises(UnsupportedError) as caught:
        legalize(model)
    assert "its window holds too many numbers" in caught.value.problems[0]
    config = {**config, "kernel_size": 2000, "filters": 5000}
    model = one_layer("LocallyConnected1D", config, (4, 1), "keras2")
    with pytest.raises(UnsupportedError) as caught:
        legalize(model)
    assert "most of its window lies outside of its input" in caught.value.problems[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"implementation": 4}, "implementation is 4"),
        ({"implementation": "1"}, "implementation is '1'"),
        ({"padding": "same"}, "implementation 1 takes no padding"),
        ({"padding": "causal", "implementation": 2}, "padding is 'causal'"),
        ({"kernel_size": [3, 3]}, "kernel_size"),
    ],
)
def test_senseless_configuration(changes: Options, message: str) -> None:
    config = {"filters": 2, "kernel_size": 3, **changes}
    with pytest.raises(CorruptFileError, match=message):
        one_layer("LocallyConnected1D", config, (6, 2), "keras2")


def test_a_window_that_does_not_fit() -> None:
    model = one_layer("LocallyConnected1D", {"filters": 2, "kernel_size": 9}, (6, 2), "keras2")
    with pytest.raises(UnsupportedError) as caught:
        legalize(model)
    assert "none of its windows fits in" in caught.value.problems[0]


def test_strides_beyond_reason() -> None:
    config = {"filters": 2, "kernel_size": 3, "implementation": 3, "strides": 1 << 21}
    with pytest.raises(UnsupportedError) as caught:
        legalize(one_layer("LocallyConnected1D", config, (6, 2), "keras2"))
    assert "not known, or beyond reason" in caught.value.problems[0]


def test_sizes_beyond_reason_are_not_counted() -> None:
    config = {"filters": 2, "kernel_size": 3, "implementation": 3}
    model = one_layer("LocallyConnected1D", config, (6, 2), "keras2")
    assert [slot.shape for slot in slots_of(model)] == [(48,), (4, 2)]
    model.layers[0].config["batch_shape"] = [None, 10**12, 2]
    assert [slot.shape for slot in slots_of(model)] == [(None,), (10**12 - 2, 2)]
    assert classes(model) == ["LocallyConnected1D"]


def test_kernel_of_another_shape() -> None:
    model = one_layer("LocallyConnected1D", {"filters": 2, "kernel_size": 3}, (6, 2), "keras2")
    model.layer("probe").config["filters"] = 3
    with pytest.raises(CorruptFileError, match="kernel has the shape"):
        legalize(model)
