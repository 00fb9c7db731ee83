from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.declared import classes, from_keras, one_layer, shape_out
from tests.support.protocol import Array
from tests.support.roundtrip import check_roundtrip, sample
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.layers.legalize import legalize

Options = dict[str, Any]

SPACE = (9, 8, 7)
CHANNELS = 3
WASM = "MaxPooling3D takes negative values for 0 on the wasm backend of TF.js 4.22"
LAYOUTS = ["channels_last", "channels_first"]
KINDS = ["Max", "Average"]
# pool_size, strides, padding.
WINDOWS: list[tuple[int, int | None, str]] = [
    (2, None, "valid"),
    (2, 1, "same"),
    (3, 2, "same"),
    (2, 3, "same"),
    (1, 3, "same"),
]


def shape_of(rank: int, data_format: str, *, unknown: bool = False) -> list[int | None]:
    space: list[int | None] = [None if unknown else size for size in SPACE[:rank]]
    return [CHANNELS, *space] if data_format == "channels_first" else [*space, CHANNELS]


def sample_of(rank: int, data_format: str) -> Array:
    return sample([2, *(size or 0 for size in shape_of(rank, data_format))])


def keras_model(
    keras: ModuleType, class_name: str, options: Options, shape: list[int | None]
) -> Any:
    layer = getattr(keras.layers, class_name)(**options, name="probe")
    return keras.Sequential([keras.layers.Input(shape), layer])


# Over windows ----------------------------------------------------------------------------------


def pooling_options(window: tuple[int, int | None, str], data_format: str) -> Options:
    pool_size, strides, padding = window
    return {
        "pool_size": pool_size,
        "strides": strides,
        "padding": padding,
        "data_format": data_format,
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("data_format", LAYOUTS)
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_windows(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    kind: str,
    rank: int,
    data_format: str,
    window: tuple[int, int | None, str],
) -> None:
    options = pooling_options(window, data_format)
    name = f"{kind}Pooling{rank}D"
    model = keras_model(keras, name, options, shape_of(rank, data_format))
    report = check_roundtrip(model, [sample_of(rank, data_format)], tfjs_runtime, tmp_path)
    skips = rank == 3 and window in ((2, 3, "same"), (1, 3, "same"))
    assert bool(report.rewrites) == (skips or (rank == 1 and data_format == "channels_first"))
    assert report.notes == ([WASM] if name == "MaxPooling3D" else [])
    assert [port.name for port in report.outputs] == ["probe"]


def test_windows_of_both_kinds_in_one_layer(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    options = {"pool_size": (2, 3, 1), "strides": (3, 2, 4), "padding": "same"}
    for kind in KINDS:
        model = keras_model(keras, f"{kind}Pooling3D", options, shape_of(3, "channels_last"))
        folder = tmp_path / kind
        folder.mkdir()
        report = check_roundtrip(model, [sample_of(3, "channels_last")], tfjs_runtime, folder)
        assert report.rewrites == {
            "pooling without padding, where TF.js would pad by less than 0": ["probe"]
        }


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("data_format", LAYOUTS)
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_shapes_of_windows(
    keras: ModuleType,
    rank: int,
    data_format: str,
    window: tuple[int, int | None, str],
    unknown: bool,
) -> None:
    layer = getattr(keras.layers, f"MaxPooling{rank}D")(**pooling_options(window, data_format))
    shape = shape_of(rank, data_format, unknown=unknown)
    expected = tuple(layer.compute_output_shape((None, *shape)))
    assert shape_out(from_keras(keras, layer, shape)) == expected


def test_what_comes_of_padding_below_0() -> None:
    options = {"pool_size": (2, 3, 1), "strides": (3, 2, 4), "padding": "same"}
    found = legalize(one_layer("MaxPooling3D", options, [9, 8, 7, 3])).model
    assert classes(found) == ["MaxPooling3D", "MaxPooling3D"]
    padded, unpadded = found.layers[1:]
    assert (padded.config["padding"], padded.config["pool_size"]) == ("same", [1, 3, 1])
    assert padded.config["strides"] == [1, 2, 1]
    assert (unpadded.config["padding"], unpadded.config["pool_size"]) == ("valid", [2, 1, 1])
    assert unpadded.config["strides"] == [3, 1, 4]
    assert unpadded.name == "probe"


def test_strides_beyond_the_window_need_a_known_size() -> None:
    options = {"pool_size": 1, "strides": 2, "padding": "same"}
    with pytest.raises(UnsupportedError, match="greater than its windows and the size of its"):
        legalize(one_layer("MaxPooling3D", options, [None, 4, 4, 2]))


def test_strides_are_filled_in() -> None:
    found = one_layer("AvgPool2D", {"pool_size": 3, "strides": None}, [9, 8, 3], "tfjs")
    config = found.layer("probe").config
    assert (config["pool_size"], config["strides"]) == ([3, 3], [3, 3])


def test_damaged_windows() -> None:
    with pytest.raises(CorruptFileError, match="pool_size is 0"):
        one_layer("MaxPooling2D", {"pool_size": [2, 0]}, [9, 8, 3])


# Over all of the space -------------------------------------------------------------------------


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("data_format", LAYOUTS)
def test_global(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    kind: str,
    rank: int,
    data_format: str,
    keepdims: bool,
    unknown: bool,
) -> None:
    options = {"keepdims": keepdims, "data_format": data_format}
    name = f"Global{kind}Pooling{rank}D"
    model = keras_model(keras, name, options, shape_of(rank, data_format, unknown=unknown))
    report = check_roundtrip(model, [sample_of(rank, data_format)], tfjs_runtime, tmp_path)
    first = data_format == "channels_first"
    assert bool(report.rewrites) == (keepdims or rank == 3 or (rank == 1 and first))
    assert [port.name for port in report.outputs] == ["probe"]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("data_format", LAYOUTS)
def test_shapes_of_global(keras: ModuleType, rank: int, data_format: str, keepdims: bool) -> None:
    layer = getattr(keras.layers, f"GlobalMaxPooling{rank}D")(
        keepdims=keepdims, data_format=data_format
    )
    shape = shape_of(rank, data_format, unknown=True)
    expected = tuple(layer.compute_output_shape((None, *shape)))
    assert shape_out(from_keras(keras, layer, shape)) == expected


@pytest.mark.parametrize(
    ("class_name", "options", "shape", "expected"),
    [
        ("GlobalAveragePooling1D", {}, [9, 3], ["GlobalAveragePooling1D"]),
        ("GlobalMaxPooling2D", {"keepdims": True}, [9, 8, 3], ["GlobalMaxPooling2D", "Reshape"]),
        ("GlobalMaxPooling3D", {}, [None, None, 7, 3], ["Reshape", "GlobalMaxPooling1D"]),
        (
            "GlobalAveragePooling3D",
            {"data_format": "channels_first", "keepdims": True},
            [3, None, None, None],
            ["Reshape", "GlobalAveragePooling2D", "Reshape"],
        ),
    ],
)
def test_what_comes_of_global(
    class_name: str, options: Options, shape: list[int | None], expected: list[str]
) -> None:
    found = legalize(one_layer(class_name, options, shape)).model
    assert classes(found) == expected
    assert found.layers[-1].name == "probe"


def test_global_needs_the_channels() -> None:
    with pytest.raises(UnsupportedError, match="the number of its channels is unknown"):
        legalize(one_layer("GlobalMaxPooling1D", {"keepdims": True}, [4, None]))


# To a given size -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 4, 12])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("data_format", LAYOUTS)
def test_adaptive(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    kind: str,
    rank: int,
    data_format: str,
    size: int,
) -> None:
    options = {"output_size": size, "data_format": data_format}
    name = f"Adaptive{kind}Pooling{rank}D"
    model = keras_model(keras, name, options, shape_of(rank, data_format))
    report = check_roundtrip(model, [sample_of(rank, data_format)], tfjs_runtime, tmp_path)
    assert report.rewrites
    assert [port.name for port in report.outputs] == ["probe"]


def test_windows_of_one_size_need_no_matrix() -> None:
    found = legalize(one_layer("AdaptiveMaxPooling2D", {"output_size": [3, 4]}, [9, 8, 3])).model
    assert classes(found) == ["MaxPooling2D"]
    assert found.layer("probe").config["pool_size"] == [3, 2]


def test_windows_of_several_sizes_are_spelled_out() -> None:
    found = legalize(one_layer("AdaptiveMaxPooling1D", {"output_size": 3}, [4, 2])).model
    assert classes(found) == ["Permute", "Dense", "Permute", "MaxPooling1D"]
    matrix = found.layers[2].weights[0].tensor.array()
    # Windows 0-1, 1-2 and 2-3.
    np.testing.assert_array_equal(np.argmax(matrix, axis=0), [0, 1, 1, 2, 2, 3])
    np.testing.assert_array_equal(matrix.sum(axis=0), np.ones(6))


def test_adaptive_needs_the_size() -> None:
    with pytest.raises(UnsupportedError, match="the size of its input is unknown"):
        legalize(one_layer("AdaptiveMaxPooling1D", {"output_size": 3}, [None, 2]))


def test_adaptive_windows_can_be_too_many() -> None:
    with pytest.raises(UnsupportedError, match="too many to spell out"):
        legalize(one_layer("AdaptiveAveragePooling1D", {"output_size": 3001}, [5000, 2]))
    with pytest.raises(UnsupportedError, match="too many to spell out"):
        legalize(one_layer("AdaptiveMaxPooling1D", {"output_size": 10**12}, [5000, 2]))


@pytest.mark.parametrize("kind", ["Average", "Max"])
def test_adaptive_pooling_of_nothing(kind: str) -> None:
    with pytest.raises(UnsupportedError, match="its input is empty"):
        legalize(one_layer(f"Adaptive{kind}Pooling2D", {"output_size": 2}, [3, 0, 2]))


# Called more than once -------------------------------------------------------------------------


def test_layers_called_on_two_sizes(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    first, second = keras.Input((9, 8, 7, 3)), keras.Input((8, 5, 6, 3))
    outputs = []
    for layer in (
        keras.layers.AdaptiveMaxPooling3D(4),
        keras.layers.AveragePooling3D(1, strides=3, padding="same"),
        keras.layers.GlobalAveragePooling3D(),
    ):
        outputs += [layer(first), layer(second)]
    model = keras.Model([first, second], outputs)
    values = [sample((2, 9, 8, 7, 3)), sample((2, 8, 5, 6, 3), seed=1)]
    check_roundtrip(model, values, tfjs_runtime, tmp_path)
