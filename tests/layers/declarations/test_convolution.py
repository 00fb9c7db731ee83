from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.declared import classes, from_keras, one_layer, shape_out, slots_of
from tests.support.protocol import Array
from tests.support.roundtrip import check_roundtrip, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.tools import REPO
from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.layers.legalize import Legalized, legalize
from tfjs.layers.vocabulary import Dialect

Options = dict[str, Any]

# Sizes of the space and channels of an input, by the number of axes.
SPACE = {1: (9,), 2: (9, 8), 3: (5, 6, 7)}
CHANNELS = 4
RANKS = {
    **{f"Conv{rank}D": rank for rank in (1, 2, 3)},
    **{f"DepthwiseConv{rank}D": rank for rank in (1, 2)},
    **{f"SeparableConv{rank}D": rank for rank in (1, 2)},
}


def shape_of(class_name: str, options: Options, *, unknown: bool = False) -> list[int | None]:
    space: list[int | None] = [None if unknown else size for size in SPACE[RANKS[class_name]]]
    if options.get("data_format") == "channels_first":
        return [CHANNELS, *space]
    return [*space, CHANNELS]


def least(class_name: str, options: Options) -> Options:
    """The options with those that the class cannot do without."""
    needed: Options = {"kernel_size": 3}
    if not class_name.startswith("Depthwise"):
        needed["filters"] = 8
    return {**needed, **options}


# What TF.js computes as it stands.
PLAIN: list[tuple[str, Options]] = [
    ("Conv1D", {}),
    ("Conv1D", {"strides": 2, "padding": "same", "activation": "relu", "use_bias": False}),
    ("Conv1D", {"dilation_rate": 2, "padding": "same", "kernel_size": 2}),
    ("Conv2D", {"kernel_size": (2, 3), "strides": (2, 1), "padding": "same"}),
    ("Conv2D", {"kernel_size": (2, 3), "dilation_rate": (2, 1), "activation": "softmax"}),
    ("Conv2D", {"data_format": "channels_first", "activation": "softmax"}),
    ("Conv3D", {"kernel_size": (1, 2, 3), "strides": (1, 2, 3), "padding": "same"}),
    ("Conv3D", {"kernel_size": 2, "dilation_rate": 2, "data_format": "channels_first"}),
    ("Conv3D", {"kernel_size": 1, "strides": 2}),
    ("DepthwiseConv2D", {"depth_multiplier": 2, "padding": "same", "activation": "gelu"}),
    ("DepthwiseConv2D", {"strides": (2, 1), "data_format": "channels_first"}),
    ("SeparableConv2D", {"depth_multiplier": 2, "strides": (2, 1), "activation": "elu"}),
    ("SeparableConv2D", {"dilation_rate": 2, "padding": "same", "use_bias": False}),
]
# What has to be rewritten, with the classes that come of it.
REWRITTEN: list[tuple[str, Options, list[str]]] = [
    (
        "Conv1D",
        {"padding": "causal", "dilation_rate": 2},
        ["Reshape", "ZeroPadding2D", "Reshape", "Conv1D"],
    ),
    (
        "Conv1D",
        {"padding": "causal", "strides": 2, "data_format": "channels_first"},
        ["Permute", "Reshape", "ZeroPadding2D", "Reshape", "Conv1D", "Permute"],
    ),
    ("Conv1D", {"padding": "causal", "kernel_size": 1}, ["Conv1D"]),
    (
        "Conv1D",
        {"data_format": "channels_first", "activation": "softmax"},
        ["Permute", "Conv1D", "Permute", "Activation"],
    ),
    (
        "Conv1D",
        {"data_format": "channels_first", "activation": "leaky_relu"},
        ["Permute", "Conv1D", "Permute", "LeakyReLU"],
    ),
    ("Conv1D", {"groups": 2, "dilation_rate": 2}, ["Conv1D"]),
    ("Conv1D", {"groups": 4, "strides": 2}, ["Reshape", "DepthwiseConv2D", "Reshape"]),
    (
        "Conv1D",
        {"groups": 4, "padding": "causal", "dilation_rate": 2, "data_format": "channels_first"},
        ["Permute", "Reshape", "ZeroPadding2D", "DepthwiseConv2D", "Reshape", "Permute"],
    ),
    ("Conv2D", {"groups": 2, "strides": 2, "padding": "same"}, ["Conv2D"]),
    ("Conv2D", {"groups": 2, "data_format": "channels_first"}, ["Conv2D"]),
    ("Conv2D", {"groups": 4, "kernel_size": (2, 3), "padding": "same"}, ["DepthwiseConv2D"]),
    ("Conv2D", {"groups": 4, "dilation_rate": (1, 2)}, ["DepthwiseConv2D"]),
    ("Conv2D", {"groups": 4, "data_format": "channels_first"}, ["DepthwiseConv2D"]),
    ("Conv3D", {"groups": 2, "kernel_size": 2}, ["Conv3D"]),
    ("Conv3D", {"groups": 4, "kernel_size": 2, "data_format": "channels_first"}, ["Conv3D"]),
    ("Conv3D", {"kernel_size": 1, "strides": 2, "padding": "same"}, ["Conv3D"]),
    (
        "Conv3D",
        {
            "kernel_size": (1, 1, 2),
            "strides": 4,
            "padding": "same",
            "data_format": "channels_first",
        },
        ["Conv3D"],
    ),
    ("DepthwiseConv2D", {"dilation_rate": (2, 3), "depth_multiplier": 2}, ["DepthwiseConv2D"]),
    (
        "DepthwiseConv2D",
        {"dilation_rate": 2, "padding": "same", "data_format": "channels_first"},
        ["DepthwiseConv2D"],
    ),
    (
        "DepthwiseConv1D",
        {"strides": 2, "padding": "same", "depth_multiplier": 2, "activation": "tanh"},
        ["Reshape", "DepthwiseConv2D", "Reshape"],
    ),
    (
        "DepthwiseConv1D",
        {"dilation_rate": 2, "data_format": "channels_first", "use_bias": False},
        ["Permute", "Reshape", "DepthwiseConv2D", "Reshape", "Permute"],
    ),
    (
        "SeparableConv2D",
        {"data_format": "channels_first", "activation": "softmax", "strides": 2},
        ["Permute", "SeparableConv2D", "Permute", "Activation"],
    ),
    (
        "SeparableConv1D",
        {"strides": 2, "padding": "same", "activation": "softmax"},
        ["Reshape", "SeparableConv2D", "Reshape"],
    ),
    (
        "SeparableConv1D",
        {"dilation_rate": 2, "data_format": "channels_first", "depth_multiplier": 2},
        ["Permute", "Reshape", "SeparableConv2D", "Reshape", "Permute"],
    ),
]
ALL = [*PLAIN, *((name, options) for name, options, _ in REWRITTEN)]


def legal(class_name: str, options: Options, shape: list[int | None]) -> Legalized:
    return legalize(one_layer(class_name, least(class_name, options), shape))


def keras_model(keras: ModuleType, class_name: str, options: Options, shape: Any) -> Any:
    layer = getattr(keras.layers, class_name)(**least(class_name, options))
    return randomised(keras.Sequential([keras.layers.Input(shape), layer]))


def sample_of(shape: list[int | None]) -> Array:
    return sample([2, *(size or 0 for size in shape)])


# Against Keras and TF.js -----------------------------------------------------------------------


@pytest.mark.parametrize(("class_name", "options"), PLAIN, ids=str)
def test_plain_ones_stay(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    class_name: str,
    options: Options,
) -> None:
    shape = shape_of(class_name, options)
    model = keras_model(keras, class_name, options, shape)
    report = check_roundtrip(model, [sample_of(shape)], tfjs_runtime, tmp_path)
    assert report.rewrites == {}


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@pytest.mark.parametrize(("class_name", "options", "expected"), REWRITTEN, ids=str)
def test_rewritten_ones_compute_the_same(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    class_name: str,
    options: Options,
    expected: list[str],
    backend: str,
) -> None:
    shape = shape_of(class_name, options)
    model = keras_model(keras, class_name, options, shape)
    values = sample_of(shape)
    report = check_roundtrip(model, [values], tfjs_runtime, tmp_path, backend=backend)
    assert report.rewrites


@pytest.mark.parametrize(
    ("class_name", "options"),
    [
        ("Conv1D", {"padding": "causal"}),
        ("Conv1D", {"groups": 4}),
        ("Conv1D", {"padding": "causal", "data_format": "channels_first"}),
        ("DepthwiseConv1D", {"dilation_rate": 2}),
        ("SeparableConv1D", {"padding": "same"}),
        ("SeparableConv2D", {"data_format": "channels_first"}),
        ("Conv3D", {"groups": 2, "kernel_size": 2}),
    ],
    ids=str,
)
def test_sizes_may_be_unknown(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    class_name: str,
    options: Options,
) -> None:
    model = keras_model(keras, class_name, options, shape_of(class_name, options, unknown=True))
    values = sample_of(shape_of(class_name, options))
    check_roundtrip(model, [values], tfjs_runtime, tmp_path)


def test_layers_behind_ones_of_unknown_length_are_built(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((None, 4)),
            layers.Conv1D(4, 3, padding="causal"),
            layers.SeparableConv1D(6, 2),
            layers.DepthwiseConv1D(3, activation="relu"),
            layers.Conv1D(4, 2),
            layers.Dense(3),
            layers.GRU(2, reset_after=False),
        ]
    )
    check_roundtrip(randomised(model), [sample((2, 11, 4))], tfjs_runtime, tmp_path)


def test_a_layer_called_on_two_lengths(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    first, second = keras.Input((9, 4)), keras.Input((6, 4))
    shared = layers.Conv1D(5, 3, padding="causal", activation="hard_silu")
    depthwise = layers.DepthwiseConv1D(2)
    flat = layers.Flatten()
    outputs = [
        layers.Dense(2)(flat(depthwise(shared(first)))),
        layers.Dense(3)(flat(depthwise(shared(second)))),
    ]
    model = randomised(keras.Model([first, second], outputs))
    values = [sample((2, 9, 4)), sample((2, 6, 4), seed=1)]
    check_roundtrip(model, values, tfjs_runtime, tmp_path)


def test_an_activation_that_is_a_layer(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    activation = layers.LeakyReLU(0.3)
    options = {"padding": "causal", "data_format": "channels_first", "activation": activation}
    model = keras.Sequential([layers.Input((4, 9)), layers.Conv1D(5, 3, **options)])
    check_roundtrip(randomised(model), [sample((2, 4, 9))], tfjs_runtime, tmp_path)


def test_a_wrapped_layer_becomes_several(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    inner = layers.Conv1D(6, 3, padding="causal", groups=2)
    model = keras.Sequential([layers.Input((5, 9, 4)), layers.TimeDistributed(inner)])
    check_roundtrip(randomised(model), [sample((2, 5, 9, 4))], tfjs_runtime, tmp_path)


@pytest.mark.parametrize(
    ("class_name", "options"),
    [
        ("SeparableConv1D", {"padding": "causal", "dilation_rate": 2}),
        ("SeparableConv2D", {"strides": 2}),
        ("DepthwiseConv2D", {"dilation_rate": 2}),
        ("DepthwiseConv1D", {"padding": "same"}),
        ("Conv2D", {"groups": 2}),
        ("Conv2D", {"groups": 4}),
    ],
    ids=str,
)
def test_what_tf_keras_writes(
    tf_keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    class_name: str,
    options: Options,
) -> None:
    shape = shape_of(class_name, options)
    model = keras_model(tf_keras, class_name, options, shape)
    values = sample_of(shape)
    check_roundtrip(model, [values], tfjs_runtime, tmp_path, suffix=".h5")


@pytest.mark.parametrize(("class_name", "options"), ALL, ids=str)
@pytest.mark.parametrize("unknown", [False, True])
def test_shapes_and_slots_are_those_of_keras(
    keras: ModuleType, class_name: str, options: Options, unknown: bool
) -> None:
    layer = getattr(keras.layers, class_name)(**least(class_name, options))
    shape = shape_of(class_name, options, unknown=unknown)
    model = from_keras(keras, layer, shape)
    assert shape_out(model) == tuple(layer.compute_output_shape((None, *shape)))
    layer.build((None, *shape))
    declared = [(slot.name, slot.shape, slot.trainable) for slot in slots_of(model)]
    assert declared == [(w.name, tuple(w.shape), w.trainable) for w in layer.weights]


# Without them ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("class_name", "options", "expected"), REWRITTEN, ids=str)
def test_what_comes_of_a_rewriting(class_name: str, options: Options, expected: list[str]) -> None:
    found = legal(class_name, options, shape_of(class_name, options))
    assert classes(found.model) == expected
    assert found.model.class_name == "Sequential"
    weighted = [layer.name for layer in found.model.layers if layer.weights]
    assert weighted == ["probe"]
    assert all(names == ["probe"] for names in found.rewrites.values())


def _weights(dialect: str) -> dict[str, Any]:
    file = REPO / "tests" / "data" / "vocabulary_weights.json"
    return dict(json.loads(file.read_text())[dialect])


VARIANTS: dict[str, Options] = {
    "": {"filters": 3},
    "no_bias": {"filters": 3, "use_bias": False},
    "grouped": {"filters": 4, "groups": 2},
    "multiplier": {"depth_multiplier": 2},
}


@pytest.mark.parametrize("dialect", ["keras2", "keras3"])
@pytest.mark.parametrize("class_name", sorted(RANKS))
def test_variables_are_named_as_in_files(class_name: str, dialect: Dialect) -> None:
    found = {
        entry: slots
        for entry, slots in _weights(dialect).items()
        if entry.partition(":")[0] == class_name
    }
    assert found
    for entry, expected in found.items():
        config = {"kernel_size": 2, **VARIANTS[entry.partition(":")[2]]}
        if class_name.startswith("Depthwise"):
            config.pop("filters", None)
        shape: list[int | None] = [*[6] * RANKS[class_name], 4]
        slots = slots_of(one_layer(class_name, config, shape, dialect))
        names = [slot.name if dialect == "keras3" else slot.legacy_name for slot in slots]
        assert names == [slot["name"] for slot in expected]
        assert [list(slot.shape) for slot in slots] == [slot["shape"] for slot in expected]


def test_groups_as_depthwise_keep_the_order_of_the_channels() -> None:
    found = legal("Conv2D", {"groups": 2, "filters": 6, "kernel_size": 1}, [5, 5, 2])
    kept = found.model.layer("probe")
    assert kept.class_name == "DepthwiseConv2D"
    assert kept.config["depth_multiplier"] == 3
    before = one_layer("Conv2D", {"groups": 2, "filters": 6, "kernel_size": 1}, [5, 5, 2])
    kernel = before.layer("probe").weights[0].tensor.array()
    assert kernel.shape == (1, 1, 1, 6)
    np.testing.assert_array_equal(kept.weights[0].tensor.array()[0, 0, 0], kernel[0, 0, 0, :3])
    np.testing.assert_array_equal(kept.weights[0].tensor.array()[0, 0, 1], kernel[0, 0, 0, 3:])


def test_a_kernel_with_zeros_between_groups_is_announced() -> None:
    found = legal("Conv2D", {"groups": 2}, [9, 8, 4])
    assert found.warnings == [
        "probe: the kernel of a convolution in 2 groups is written as an ordinary one, "
        "2 times as large and as slow"
    ]


def test_a_kernel_that_would_grow_too_large_is_refused() -> None:
    options: Options = {"groups": 2, "filters": 2048}
    with pytest.raises(UnsupportedError) as caught:
        legal("Conv2D", options, [4, 4, 512])
    assert "its kernel has 2 groups, which TF.js lacks; as one group it would have more than " in (
        str(caught.value)
    )


def test_a_dilation_that_would_grow_too_large_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="its kernel would have more than 16 MiB"):
        legal("DepthwiseConv2D", {"dilation_rate": 3000}, [None, None, 4])


def test_strides_beyond_the_kernel_need_a_known_size() -> None:
    with pytest.raises(UnsupportedError, match="greater than its kernel and the size of its input"):
        legal("Conv3D", {"kernel_size": 1, "strides": 2, "padding": "same"}, [None, 4, 4, 2])


def test_more_axes_than_the_layer_has_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="its input has 3 axes of space, not 2"):
        legal("Conv2D", {}, [3, 9, 8, 4])


def test_a_kernel_of_another_shape_is_a_damaged_file() -> None:
    model = one_layer("Conv2D", least("Conv2D", {"groups": 2}), [9, 8, 4])
    layer = model.layer("probe")
    other = one_layer("Conv2D", least("Conv2D", {}), [9, 8, 4])
    layer.weights[0] = other.layer("probe").weights[0]
    with pytest.raises(CorruptFileError, match=r"kernel has the shape \[3, 3, 4, 8\]"):
        legalize(model)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"filters": 0}, "filters is 0"),
        ({"filters": True}, "filters is True"),
        ({"filters": 2.5}, "filters is 2.5"),
        ({"kernel_size": [3, 3, 3]}, r"kernel_size is \[3, 3, 3\], 2 numbers"),
        ({"kernel_size": "3"}, "kernel_size is '3'"),
        ({"strides": [0, 1]}, "strides is 0"),
        ({"padding": "causal"}, "padding is 'causal', one of valid, same"),
        ({"data_format": "NHWC"}, "data_format is 'NHWC'"),
    ],
    ids=str,
)
def test_damaged_configurations(config: Options, message: str) -> None:
    with pytest.raises(CorruptFileError, match=message):
        one_layer("Conv2D", {"filters": 2, "kernel_size": 3, **config}, [9, 8, 4])


def test_a_missing_kernel_size_is_a_damaged_file() -> None:
    with pytest.raises(CorruptFileError, match="kernel_size"):
        one_layer("Conv2D", {"filters": 2}, [9, 8, 4])


def test_other_spellings_are_brought_into_one() -> None:
    config = {"filters": 2.0, "kernel_size": 3, "strides": None, "padding": "SAME"}
    found = one_layer("Convolution2D", config, [9, 8, 4], "keras2").layer("probe")
    assert found.class_name == "Conv2D"
    expected = {"filters": 2, "kernel_size": [3, 3], "strides": [1, 1], "padding": "same"}
    assert {key: found.config[key] for key in expected} == expected
    assert found.config["dilation_rate"] == [1, 1]
    assert found.config["data_format"] == "channels_last"


def test_what_throws_in_tfjs_is_not_written() -> None:
    config = {"filters": 3, "kernel_size": 2, "kernel_initializer": "glorot_uniform", "groups": 1}
    model = one_layer("SeparableConv2D", config, [9, 8, 4], "keras2")
    kept = legalize(model).model.layer("probe").config
    assert not {"kernel_initializer", "kernel_regularizer", "groups"} & set(kept)
    assert kept["depthwise_initializer"]["class_name"] == "GlorotUniform"
