from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.declared import classes, from_keras, one_layer, shape_out, slots_of
from tests.support.protocol import Array
from tests.support.roundtrip import check_roundtrip, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.layers.legalize import legalize

Options = dict[str, Any]

SPACE = (4, 3, 5)
CHANNELS = 2
WASM = "Conv3DTranspose computes wrong numbers on the wasm backend of TF.js 4.22"
# kernel, strides, output_padding, padding: all the ways in which sizes come about.
WINDOWS: list[tuple[int, int, int | None, str]] = [
    (3, 2, 1, "same"),
    (3, 2, 0, "same"),
    (2, 2, 1, "same"),
    (4, 3, 2, "same"),
    (1, 3, 2, "same"),
    (5, 3, 0, "same"),
    (5, 2, 1, "same"),
    (3, 2, 1, "valid"),
    (1, 3, 2, "valid"),
    (1, 3, 0, "valid"),
    (2, 4, 1, "valid"),
    (3, 2, None, "same"),
    (1, 3, None, "same"),
    (1, 3, None, "valid"),
]
LAYOUTS = ["channels_last", "channels_first"]


def shape_of(rank: int, data_format: str, *, unknown: bool = False) -> list[int | None]:
    space: list[int | None] = [None if unknown else size for size in SPACE[:rank]]
    return [CHANNELS, *space] if data_format == "channels_first" else [*space, CHANNELS]


def sample_of(rank: int, data_format: str) -> Array:
    return sample([2, *(size or 0 for size in shape_of(rank, data_format))])


def options_of(window: tuple[int, int, int | None, str], data_format: str) -> Options:
    kernel, strides, output_padding, padding = window
    return {
        "filters": 3,
        "kernel_size": kernel,
        "strides": strides,
        "output_padding": output_padding,
        "padding": padding,
        "data_format": data_format,
        "activation": "softmax",
    }


def keras_model(keras: ModuleType, rank: int, options: Options, shape: Any) -> Any:
    layer = getattr(keras.layers, f"Conv{rank}DTranspose")(**options)
    return randomised(keras.Sequential([keras.layers.Input(shape), layer]))


@pytest.mark.parametrize("data_format", LAYOUTS)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_windows(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    window: tuple[int, int, int | None, str],
    rank: int,
    data_format: str,
) -> None:
    options = options_of(window, data_format)
    model = keras_model(keras, rank, options, shape_of(rank, data_format))
    values = sample_of(rank, data_format)
    report = check_roundtrip(model, [values], tfjs_runtime, tmp_path)
    native = rank == 2 or (rank == 3 and not (window[3] == "same" and window[0] < window[1]))
    assert bool(report.rewrites) == (window[2] is not None or not native)
    assert (WASM in report.notes) == (rank == 3)


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("window", [(3, 2, 1, "same"), (2, 4, 1, "valid")], ids=str)
def test_windows_on_wasm(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    window: tuple[int, int, int | None, str],
    rank: int,
) -> None:
    options = options_of(window, "channels_last")
    model = keras_model(keras, rank, options, shape_of(rank, "channels_last"))
    values = sample_of(rank, "channels_last")
    check_roundtrip(model, [values], tfjs_runtime, tmp_path, backend="wasm")


@pytest.mark.parametrize("data_format", LAYOUTS)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_dilation(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    padding: str,
    rank: int,
    data_format: str,
) -> None:
    options = {"filters": 3, "kernel_size": 3, "dilation_rate": 2, "padding": padding}
    options["data_format"] = data_format
    model = keras_model(keras, rank, options, shape_of(rank, data_format))
    values = sample_of(rank, data_format)
    assert check_roundtrip(model, [values], tfjs_runtime, tmp_path).rewrites


@pytest.mark.parametrize("rank", [1, 2])
def test_sizes_may_be_unknown(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, rank: int
) -> None:
    options = options_of((3, 2, 1, "same"), "channels_last")
    model = keras_model(keras, rank, options, shape_of(rank, "channels_last", unknown=True))
    check_roundtrip(model, [sample_of(rank, "channels_last")], tfjs_runtime, tmp_path)


def test_what_tf_keras_writes(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    options = options_of((3, 2, 1, "same"), "channels_last")
    model = keras_model(tf_keras, 2, options, shape_of(2, "channels_last"))
    values = sample_of(2, "channels_last")
    check_roundtrip(model, [values], tfjs_runtime, tmp_path, suffix=".h5")


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("data_format", LAYOUTS)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_shapes_and_slots_are_those_of_keras(
    keras: ModuleType,
    window: tuple[int, int, int | None, str],
    rank: int,
    data_format: str,
    unknown: bool,
) -> None:
    options = options_of(window, data_format)
    layer = getattr(keras.layers, f"Conv{rank}DTranspose")(**options)
    shape = shape_of(rank, data_format, unknown=unknown)
    model = from_keras(keras, layer, shape)
    assert shape_out(model) == tuple(layer.compute_output_shape((None, *shape)))
    layer.build((None, *shape))
    declared = [(slot.name, slot.shape) for slot in slots_of(model)]
    assert declared == [(weight.name, tuple(weight.shape)) for weight in layer.weights]


def test_what_comes_of_output_padding() -> None:
    options = options_of((3, 2, 0, "same"), "channels_last")
    found = legalize(one_layer("Conv2DTranspose", options, [4, 3, 2])).model
    assert classes(found) == ["Conv2DTranspose", "Cropping2D"]
    kept = found.layer("probe")
    assert kept.config["padding"] == "valid"
    assert kept.weights[0].tensor.shape == (3, 3, 3, 2)
    # (4 - 1) * 2 + 3 = 9 rows, of which Keras keeps (4 - 1) * 2 + 1.
    assert found.layers[-1].config["cropping"] == [[1, 1], [1, 1]]


def test_zeros_behind_the_kernel_reach_further() -> None:
    options = options_of((2, 3, 2, "valid"), "channels_last")
    found = legalize(one_layer("Conv2DTranspose", options, [4, 3, 2])).model
    assert classes(found) == ["Conv2DTranspose"]
    kernel = found.layer("probe").weights[0].tensor.array()
    assert kernel.shape == (4, 4, 3, 2)
    assert not kernel[2:].any()
    assert not kernel[:, 2:].any()
    assert kernel[:2, :2].all()


def test_cropping_needs_all_sizes_but_one_over_three_axes() -> None:
    options = options_of((3, 2, 0, "same"), "channels_last")
    assert legalize(one_layer("Conv3DTranspose", options, [None, 4, 4, 2])).model
    with pytest.raises(UnsupportedError, match="more than one of the sizes of its input"):
        legalize(one_layer("Conv3DTranspose", options, [None, None, 4, 2]))


def test_a_kernel_that_would_grow_too_large_is_refused() -> None:
    options = {"filters": 3, "kernel_size": 3, "dilation_rate": 2000}
    with pytest.raises(UnsupportedError, match="its kernel would have more than 16 MiB"):
        legalize(one_layer("Conv2DTranspose", options, [4, 3, 2]))


def test_damaged_output_padding() -> None:
    options = {"filters": 3, "kernel_size": 3, "output_padding": [1, -1]}
    with pytest.raises(CorruptFileError, match="output_padding is -1"):
        one_layer("Conv2DTranspose", options, [4, 3, 2])
