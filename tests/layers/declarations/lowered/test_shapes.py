"""Layers that change shapes, and those of images, as graphs, against Keras and TF.js in Node."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import tfjs
from tests.support.lowered import Case
from tests.support.tfjs_runtime import TfjsRuntime

IMAGE = (5, 6, 3)
SPACE = (4, 5, 6, 3)
FIRST: dict[str, Any] = {"data_format": "channels_first"}


@pytest.mark.parametrize(
    "case",
    [
        Case("Reshape", (4, 3), (6, -1), ops={"Reshape": 1}),
        Case("Reshape", (4, 6), (-1, 3), free=1),
        Case("Flatten", (4, 3), ops={"Reshape": 1}),
        Case("Flatten", (3,)),
        Case("Flatten", IMAGE, "channels_first"),
        Case("Flatten", (4, 3), free=1),
        Case("Permute", (4, 3, 2), (3, 1, 2), ops={"Transpose": 1}),
        Case("RepeatVector", (4,), 3),
        Case("ZeroPadding1D", (5, 3), (1, 2)),
        Case("ZeroPadding2D", IMAGE, ((1, 2), (0, 3)), ops={"Pad": 1}),
        Case("ZeroPadding2D", IMAGE, 1, free=2, **FIRST),
        Case("ZeroPadding3D", SPACE, ((1, 2), (0, 3), (1, 1)), **FIRST),
        Case("Cropping1D", (5, 3), (1, 2), free=1),
        Case("Cropping2D", IMAGE, ((1, 2), (0, 3)), ops={"StridedSlice": 1}),
        Case("Cropping2D", IMAGE, ((1, 2), (0, 3)), free=2),
        Case("Cropping3D", SPACE, ((1, 0), (0, 1), (1, 1)), **FIRST),
        Case("UpSampling1D", (5, 3), 3),
        Case("UpSampling1D", (5, 3), 2, free=1),
        Case("UpSampling2D", IMAGE, (2, 3), ops={"ResizeNearestNeighbor": 1}),
        Case("UpSampling2D", IMAGE, (2, 3), free=2),
        Case("UpSampling2D", IMAGE, (2, 3), **FIRST),
        Case("UpSampling2D", IMAGE, (47, 49)),
        Case("UpSampling3D", SPACE, (2, 3, 4), ops={"Reshape": 3, "ResizeNearestNeighbor": 2}),
        Case("UpSampling3D", SPACE, (2, 1, 3), free=3),
        Case("UpSampling2D", IMAGE, (2, 3), interpolation="bilinear", free=2),
        Case("UpSampling2D", IMAGE, (2, 3), interpolation="bicubic", **FIRST),
        Case("UpSampling2D", IMAGE, (2, 3), interpolation="lanczos3"),
    ],
    ids=str,
)
def test_a_shape(case: Case, keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    case.run(keras, tfjs_runtime, tmp_path)


@pytest.mark.parametrize(
    "case",
    [
        Case("Resizing", IMAGE, 7, 4, ops={"ResizeBilinear": 1}),
        Case("Resizing", IMAGE, 7, 4, free=2),
        Case("Resizing", IMAGE, 7, 4, interpolation="nearest"),
        Case("Resizing", IMAGE, 7, 4, interpolation="bicubic", **FIRST),
        Case("Resizing", IMAGE, 7, 4, interpolation="lanczos5"),
        Case("Resizing", IMAGE, 3, 4, antialias=True),
        Case("Resizing", (8, 5, 3), 3, 6, crop_to_aspect_ratio=True),
        Case("Resizing", (8, 5, 3), 3, 6, pad_to_aspect_ratio=True, fill_value=0.5),
        # Exact in binary numbers: half of what is whole is rounded alike.
        Case("Resizing", (8, 4, 3), 4, 8, dtype="uint8"),
        Case("Resizing", (8, 4, 3), 11, 9, interpolation="bicubic", dtype="uint8"),
        Case("CenterCrop", (6, 7, 3), 3, 4),
        Case("CenterCrop", (3, 6, 7), 3, 4, **FIRST),
        Case("CenterCrop", (6, 7, 3), 8, 4),
        Case("CenterCrop", (6, 7, 3), 3, 4, dtype="uint8"),
        Case("RandomCrop", (6, 7, 3), 6, 7),
        Case("AutoContrast", (6, 7, 3), value_range=(-1, 2)),
        Case("RandomFlip", (6, 7, 3), dtype="uint8", ops={"Cast": 1}),
    ],
    ids=str,
)
def test_images(case: Case, keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    case.run(keras, tfjs_runtime, tmp_path)


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("RandomCrop", {"height": 3, "width": 3}, "releases of Keras differ"),
        ("Resizing", {"height": 3, "width": 3, "interpolation": "bicubic"}, "the size of axis 1"),
        ("CenterCrop", {"height": 3, "width": 3}, "the size of axis 1"),
    ],
)
def test_what_is_refused(
    name: str, options: dict[str, object], why: str, keras: ModuleType, tmp_path: Path
) -> None:
    free = None if name != "RandomCrop" else 6
    fed = keras.Input((free, free, 3))
    layer = getattr(keras.layers, name)(**options, name="image")
    keras.Model(fed, layer(fed)).save(tmp_path / "a.keras")
    with pytest.raises(tfjs.UnsupportedError) as caught:
        tfjs.convert(tmp_path / "a.keras", tmp_path / "web", to="tfjs-graph")
    (problem,) = caught.value.problems
    assert problem.startswith(f"image ({name}): {why}")
