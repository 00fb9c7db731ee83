from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.roundtrip import check_roundtrip, sample
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import UnsupportedError
from tfjs.layers.base import find
from tfjs.layers.declarations.images import AUGMENTATIONS


def _check(
    keras: ModuleType,
    runtime: TfjsRuntime,
    folder: Path,
    layer: Any,
    shape: tuple[int | None, ...],
    dtype: str = "float32",
) -> Any:
    model = keras.Sequential([keras.layers.Input(shape, dtype=dtype), layer])
    x = sample((2, *(size or 4 for size in shape)), scale=50.0)
    return check_roundtrip(model, [np.abs(x).astype(dtype)], runtime, folder)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((4, 6, 3), {"height": 8, "width": 6}),
        ((4, 6, 3), {"height": 7, "width": 3}),
        ((4, 6, 3), {"height": 7, "width": 3, "interpolation": "nearest"}),
        ((4, 6, 3), {"height": 8, "width": 12, "interpolation": "nearest"}),
        ((4, 6, 3), {"height": 2, "width": 3, "interpolation": "nearest"}),
        # TF.js's own repetition takes wrong pixels there.
        ((3, 2, 1), {"height": 141, "width": 94, "interpolation": "nearest"}),
        ((4, 6, 3), {"height": 9, "width": 4, "interpolation": "bicubic"}),
        ((4, 6, 3), {"height": 9, "width": 4, "interpolation": "lanczos3"}),
        ((9, 8, 3), {"height": 3, "width": 4, "antialias": True}),
        ((4, 6, 3), {"height": 6, "width": 6, "crop_to_aspect_ratio": True}),
        ((7, 4, 3), {"height": 5, "width": 6, "crop_to_aspect_ratio": True}),
        ((4, 6, 3), {"height": 6, "width": 6, "pad_to_aspect_ratio": True}),
        ((7, 4, 3), {"height": 5, "width": 6, "pad_to_aspect_ratio": True, "fill_value": 9.0}),
        ((8, 5, 3), {"height": 3, "width": 6, "pad_to_aspect_ratio": True}),  # by 5.5 on each side
        ((3, 4, 6), {"height": 7, "width": 5, "data_format": "channels_first"}),
        ((4, 6, None), {"height": 7, "width": 6}),
    ],
    ids=str,
)
def test_resizing(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    shape: tuple[int | None, ...],
    options: dict[str, Any],
) -> None:
    layer = keras.layers.Resizing(**options, name="resized")
    report = _check(keras, tfjs_runtime, tmp_path, layer, shape)
    assert [port.name for port in report.outputs] == ["resized"]


def test_resizing_to_the_same_size(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    report = _check(keras, tfjs_runtime, tmp_path, keras.layers.Resizing(4, 6), (4, 6, 3))
    assert list(report.rewrites)[-1] == "left out: same size"


def test_resizing_of_unknown_sizes_is_refused(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedError, match="height and width of its input are unknown"):
        _check(keras, tfjs_runtime, tmp_path, keras.layers.Resizing(4, 6), (None, None, 3))


def test_resizing_of_whole_numbers(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedError, match="rounds images of whole numbers"):
        _check(keras, tfjs_runtime, tmp_path, keras.layers.Resizing(4, 6), (3, 3, 3), "uint8")
    nearest = keras.layers.Resizing(4, 6, interpolation="nearest")
    _check(keras, tfjs_runtime, tmp_path, nearest, (3, 3, 3), "uint8")


@pytest.mark.parametrize(
    ("shape", "size", "data_format"),
    [
        ((6, 8, 3), (4, 4), "channels_last"),
        ((7, 6, 3), (4, 3), "channels_last"),
        ((3, 7, 6), (4, 3), "channels_first"),
        ((6, 8, 3), (6, 8), "channels_last"),
        ((5, 4, 3), (8, 8), "channels_last"),
        ((5, 12, 3), (8, 4), "channels_last"),
        ((3, 5, 12), (8, 4), "channels_first"),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_center_crop(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    shape: tuple[int, ...],
    size: tuple[int, int],
    data_format: str,
    dtype: str,
) -> None:
    layer = keras.layers.CenterCrop(*size, data_format=data_format, name="cropped")
    report = _check(keras, tfjs_runtime, tmp_path, layer, shape, dtype)
    assert [port.name for port in report.outputs] == ["cropped"]


ARGUMENTS: dict[str, dict[str, Any]] = {
    "MaxNumBoundingBoxes": {"max_number": 2},
    "RandomBrightness": {"factor": 0.5},
    "RandomColorDegeneration": {"factor": 0.5},
    "RandomContrast": {"factor": 0.5},
    "RandomHue": {"factor": 0.5},
    "RandomPosterization": {"factor": 4},
    "RandomRotation": {"factor": 0.5},
    "RandomSaturation": {"factor": 0.5},
    "RandomSharpness": {"factor": 0.5},
    "RandomTranslation": {"height_factor": 0.5, "width_factor": 0.5},
    "RandomZoom": {"height_factor": 0.5},
}


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_augmentation_is_left_out(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, name: str, dtype: str
) -> None:
    kind = getattr(keras.layers, name, None)
    if kind is None:
        pytest.skip("a layer of Keras 2")
    layer = kind(**ARGUMENTS.get(name, {}), name="augmented")
    report = _check(keras, tfjs_runtime, tmp_path, layer, (4, 6, 3), dtype)
    assert [names for why, names in report.rewrites.items() if why.startswith("left out")] == [
        ["augmented"]
    ]


@pytest.mark.parametrize("name", ["RandomHeight", "RandomWidth"])
def test_augmentation_of_keras_2(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, name: str
) -> None:
    layers = tf_keras.layers
    layer = getattr(layers, name)(0.3)
    model = tf_keras.Sequential([layers.Input((4, 6, 3)), layer, layers.GlobalMaxPooling2D()])
    check_roundtrip(model, [sample((2, 4, 6, 3))], tfjs_runtime, tmp_path)


def test_random_crop(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    _check(keras, tfjs_runtime, tmp_path, keras.layers.RandomCrop(4, 6), (4, 6, 3))
    with pytest.raises(UnsupportedError, match="put CenterCrop or Resizing in its place"):
        _check(keras, tfjs_runtime, tmp_path, keras.layers.RandomCrop(4, 5), (4, 6, 3))


def test_pipeline(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    layers = keras.layers
    flips = layers.Pipeline([layers.RandomFlip(), layers.RandomRotation(0.2)])
    _check(keras, tfjs_runtime, tmp_path, flips, (4, 6, 3))
    mixed = layers.Pipeline([layers.RandomFlip(), layers.Rescaling(0.5)])
    with pytest.raises(UnsupportedError, match="each as one of its own"):
        _check(keras, tfjs_runtime, tmp_path, mixed, (4, 6, 3))


def test_contrast_is_refused(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="works in inference too"):
        _check(keras, tfjs_runtime, tmp_path, keras.layers.AutoContrast(), (4, 6, 3))


def test_every_augmentation_is_declared() -> None:
    found = [spec for name in AUGMENTATIONS if (spec := find(name)) is not None]
    assert [spec.name for spec in found] == list(AUGMENTATIONS)
