from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.declared import classes, from_keras, one_layer, shape_out
from tests.support.protocol import Array
from tests.support.roundtrip import check_roundtrip, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.layers.legalize import legalize
from tfjs.layers.vocabulary import Dialect

Options = dict[str, Any]
Sizes = list[int | None]

FIRST = "channels_first"
# Class, options, shape of the input, and whether it is rewritten.
CASES: list[tuple[str, Options, Sizes, bool]] = [
    ("Reshape", {"target_shape": (3, -1)}, [4, 6], False),
    ("Reshape", {"target_shape": (24,)}, [4, 6], False),
    ("Reshape", {"target_shape": (-1, 3, 2)}, [None, 6], False),
    ("Flatten", {}, [3, 4], False),
    ("Flatten", {}, [3, 4, 5, 2], False),
    ("Flatten", {"data_format": FIRST}, [3, 4, 5], False),
    ("Flatten", {}, [5], True),
    ("Flatten", {}, [None, 3], True),
    ("Flatten", {"data_format": FIRST}, [3, None, 4], True),
    ("Permute", {"dims": (2, 3, 1)}, [4, 6, 2], False),
    ("Permute", {"dims": (2, 1)}, [None, 2], False),
    ("RepeatVector", {"n": 3}, [4], False),
    ("ZeroPadding1D", {"padding": 2}, [5, 3], True),
    ("ZeroPadding1D", {"padding": (0, 2)}, [None, 3], True),
    ("ZeroPadding1D", {"padding": (1, 2), "data_format": FIRST}, [3, 5], True),
    ("ZeroPadding1D", {"padding": 0}, [5, 3], True),
    ("ZeroPadding2D", {"padding": 1}, [5, 4, 3], False),
    ("ZeroPadding2D", {"padding": ((1, 0), (0, 3))}, [5, None, 3], False),
    ("ZeroPadding2D", {"padding": (2, 0), "data_format": FIRST}, [3, 5, 4], False),
    ("ZeroPadding3D", {"padding": ((1, 2), (0, 3), (1, 1))}, [5, 4, 6, 3], True),
    ("ZeroPadding3D", {"padding": ((0, 0), (0, 0), (1, 2))}, [5, None, 6, 3], True),
    ("ZeroPadding3D", {"padding": (1, 2, 0), "data_format": FIRST}, [3, 5, 4, 6], True),
    ("ZeroPadding3D", {"padding": (1, 0, 0), "data_format": FIRST}, [3, 5, 4, None], True),
    ("Cropping1D", {"cropping": (1, 2)}, [8, 3], True),
    ("Cropping1D", {"cropping": 1}, [None, 3], True),
    ("Cropping2D", {"cropping": ((1, 2), (0, 1))}, [5, 4, 3], False),
    ("Cropping2D", {"cropping": (1, 0), "data_format": FIRST}, [3, 5, 4], False),
    ("Cropping2D", {"cropping": 1}, [None, 4, 3], True),
    ("Cropping2D", {"cropping": (1, 2), "data_format": FIRST}, [3, None, None], True),
    ("Cropping3D", {"cropping": ((1, 2), (0, 1), (2, 0))}, [5, 4, 6, 3], True),
    ("Cropping3D", {"cropping": (1, 0, 2), "data_format": FIRST}, [3, None, 4, 6], True),
    ("UpSampling1D", {"size": 3}, [8, 3], True),
    ("UpSampling1D", {"size": 100}, [None, 3], True),
    ("UpSampling2D", {"size": (2, 3)}, [5, 4, 3], False),
    ("UpSampling2D", {"size": 2}, [None, None, 3], False),
    ("UpSampling2D", {"size": (3, 1), "data_format": FIRST}, [3, 5, 4], False),
    # TF.js by itself takes a neighbour's pixel here.
    ("UpSampling2D", {"size": (49, 2)}, [4, 2, 1], True),
    ("UpSampling2D", {"size": (2, 64)}, [4, 3, 1], False),
    ("UpSampling2D", {"size": (2, 3), "interpolation": "bilinear"}, [5, 4, 3], True),
    ("UpSampling2D", {"size": 2, "interpolation": "bicubic"}, [5, 4, 3], True),
    (
        "UpSampling2D",
        {"size": (2, 1), "interpolation": "lanczos3", "data_format": FIRST},
        [3, 5, 4],
        True,
    ),
    ("UpSampling2D", {"size": 1, "interpolation": "bilinear"}, [5, 4, 3], True),
    ("UpSampling3D", {"size": (2, 1, 3)}, [5, 4, 6, 3], True),
    ("UpSampling3D", {"size": (1, 49, 2)}, [2, 3, 2, 1], True),
    ("UpSampling3D", {"size": 2, "data_format": FIRST}, [3, 5, 4, None], True),
]


def sample_of(shape: Sizes) -> Array:
    return sample([2, *(size or 6 for size in shape)])


def keras_model(keras: ModuleType, class_name: str, options: Options, shape: Sizes) -> Any:
    layer = getattr(keras.layers, class_name)(**options, name="probe")
    return keras.Sequential([keras.layers.Input(shape), layer])


@pytest.mark.parametrize(("class_name", "options", "shape", "rewritten"), CASES, ids=str)
def test_same_answers(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    class_name: str,
    options: Options,
    shape: Sizes,
    rewritten: bool,
) -> None:
    model = keras_model(keras, class_name, options, shape)
    report = check_roundtrip(model, [sample_of(shape)], tfjs_runtime, tmp_path)
    assert bool(report.rewrites) == rewritten
    assert [port.name for port in report.outputs] == ["probe"]


@pytest.mark.parametrize(
    ("class_name", "options", "shape"),
    [(name, options, shape) for name, options, shape, rewritten in CASES if rewritten],
    ids=str,
)
def test_same_answers_on_wasm(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    class_name: str,
    options: Options,
    shape: Sizes,
) -> None:
    model = keras_model(keras, class_name, options, shape)
    check_roundtrip(model, [sample_of(shape)], tfjs_runtime, tmp_path, backend="wasm")


@pytest.mark.parametrize(("class_name", "options", "shape", "rewritten"), CASES, ids=str)
def test_shapes_are_those_of_keras(
    keras: ModuleType, class_name: str, options: Options, shape: Sizes, rewritten: bool
) -> None:
    layer = getattr(keras.layers, class_name)(**options)
    expected = tuple(layer.compute_output_shape((None, *shape)))
    assert shape_out(from_keras(keras, layer, shape)) == expected


def test_layers_behind_unknown_sizes_are_built(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((None, None, 4)),
            layers.Cropping2D(1),
            layers.Conv2D(3, 2),
            layers.ZeroPadding2D(1),
            layers.UpSampling2D(2),
            layers.GlobalMaxPooling2D(keepdims=True),
            layers.Flatten(),
            layers.Dense(2),
            layers.RepeatVector(3),
            layers.UpSampling1D(2),
            layers.Reshape((-1,)),
            layers.Dense(2),
        ]
    )
    check_roundtrip(randomised(model), [sample((2, 7, 6, 4))], tfjs_runtime, tmp_path)


def test_what_is_cropped_from_unknown_sizes_can_be_put_together(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    inputs = keras.Input((None, None, 3))
    cropped, narrow = layers.Cropping2D(1)(inputs), layers.Conv2D(4, 3)(inputs)
    model = keras.Model(inputs, layers.Concatenate()([cropped, narrow]))
    check_roundtrip(randomised(model), [sample((2, 7, 6, 3))], tfjs_runtime, tmp_path)


def test_layers_called_on_two_sizes(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    first, second = keras.Input((4, 6, 2)), keras.Input((3, 2, 2))
    outputs = []
    for layer in (layers.Flatten(), layers.Reshape((-1,))):
        outputs += [layers.Dense(2)(layer(first)), layers.Dense(2)(layer(second))]
    smooth = layers.UpSampling2D(2, interpolation="bilinear")
    outputs += [smooth(first), smooth(second)]
    model = randomised(keras.Model([first, second], outputs))
    values = [sample((2, 4, 6, 2)), sample((2, 3, 2, 2), seed=1)]
    check_roundtrip(model, values, tfjs_runtime, tmp_path)


def test_a_nested_model_called_on_two_sizes(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    inside = keras.Input((None, 4))
    padded = layers.ZeroPadding1D(2)(layers.Conv1D(5, 3, padding="causal")(inside))
    encoder = keras.Model(inside, layers.GlobalMaxPooling1D()(padded))
    first, second = keras.Input((9, 4)), keras.Input((6, 4))
    outputs = [layers.Dense(2)(encoder(first)), layers.Dense(2)(encoder(second))]
    model = randomised(keras.Model([first, second], outputs))
    values = [sample((2, 9, 4)), sample((2, 6, 4), seed=1)]
    check_roundtrip(model, values, tfjs_runtime, tmp_path)


# Without Keras ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("class_name", "options", "shape", "expected"),
    [
        ("ZeroPadding1D", {"padding": 1}, [None, 3], ["Reshape", "ZeroPadding2D", "Reshape"]),
        ("UpSampling2D", {"size": [98, 1]}, [3, 3, 1], ["UpSampling2D", "UpSampling2D"]),
        ("Cropping3D", {"cropping": 1}, [5, 4, 6, 3], ["Reshape", "Cropping2D"] * 2 + ["Reshape"]),
        (
            "Cropping3D",
            {"cropping": [[1, 1], [0, 0], [0, 0]]},
            [5, 4, 6, 3],
            ["Reshape", "Cropping2D", "Reshape"],
        ),
        ("Flatten", {"data_format": FIRST}, [3, None, 4], ["Permute", "Reshape"]),
        ("UpSampling1D", {"size": 1}, [5, 4], ["Activation"]),
    ],
)
def test_what_comes_of_a_rewriting(
    class_name: str, options: Options, shape: Sizes, expected: list[str]
) -> None:
    found = legalize(one_layer(class_name, options, shape)).model
    assert classes(found) == expected
    assert found.layers[-1].name == "probe"


def test_interpolation_of_tfjs_stays_what_it_is() -> None:
    options = {"interpolation": "bilinear", "size": [2, 2]}
    found = legalize(one_layer("UpSampling2D", options, [None, 4, 3], "tfjs"))
    assert classes(found.model) == ["UpSampling2D"]
    assert found.rewrites == {}
    config = found.model.layer("probe").config
    assert config["interpolation"] == "bilinear"
    assert "half_pixel_centers" not in config


def test_a_size_to_be_found_is_written_out() -> None:
    found = legalize(one_layer("Reshape", {"target_shape": [3, None]}, [4, 6], "tfjs")).model
    assert found.layer("probe").config["target_shape"] == [3, 8]


@pytest.mark.parametrize(
    ("class_name", "options", "shape", "message"),
    [
        ("UpSampling1D", {"size": 41}, [5, 3], "it repeats more than 40 times"),
        ("UpSampling1D", {"size": 2}, [None, None], "more than one of the sizes of its input"),
        ("ZeroPadding3D", {}, [None, 4, None, 3], "more than one of the sizes of its input"),
        (
            "UpSampling2D",
            {"interpolation": "bilinear"},
            [None, 4, 3],
            "the size of its input is unknown; TF.js computes bilinear interpolation half a pixel",
        ),
        (
            "UpSampling2D",
            {"interpolation": "bilinear", "size": 10**9},
            [4, 4, 3],
            "its images are too large for the matrices that resize them",
        ),
    ],
)
def test_refused(class_name: str, options: Options, shape: Sizes, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        legalize(one_layer(class_name, options, shape))


@pytest.mark.parametrize(
    ("class_name", "options", "message"),
    [
        ("Reshape", {"target_shape": [-1, -1]}, "more than one unknown size"),
        ("Reshape", {"target_shape": [-2]}, "target_shape is -2"),
        ("Reshape", {}, "target_shape"),
        ("Permute", {"dims": [1, 3]}, "which is no permutation"),
        ("RepeatVector", {"n": 0}, "n is 0"),
        ("ZeroPadding2D", {"padding": [1, 2, 3]}, "2 pairs were expected"),
        ("Cropping2D", {"cropping": [[1, -1], [0, 0]]}, "cropping is -1"),
        ("UpSampling2D", {"interpolation": "cubic"}, "interpolation is 'cubic'"),
    ],
)
def test_damaged_configurations(class_name: str, options: Options, message: str) -> None:
    with pytest.raises(CorruptFileError, match=message):
        one_layer(class_name, options, [4, 6, 2])


@pytest.mark.parametrize(
    ("class_name", "options", "dialect", "expected"),
    [
        ("ZeroPadding2D", {"padding": 2}, "keras2", {"padding": [[2, 2], [2, 2]]}),
        ("ZeroPadding2D", {"padding": [1, 2]}, "tfjs", {"padding": [[1, 1], [2, 2]]}),
        ("ZeroPadding1D", {"padding": 3}, "keras2", {"padding": [3, 3]}),
        ("Cropping2D", {}, "keras3", {"cropping": [[0, 0], [0, 0]]}),
        ("UpSampling1D", {"size": [4]}, "keras3", {"size": 4}),
        ("UpSampling2D", {"size": 3}, "keras2", {"size": [3, 3], "interpolation": "nearest"}),
    ],
)
def test_one_spelling(
    class_name: str, options: Options, dialect: Dialect, expected: Options
) -> None:
    config = one_layer(class_name, options, [4, 6, 2], dialect).layer("probe").config
    assert {key: config[key] for key in expected} == expected
