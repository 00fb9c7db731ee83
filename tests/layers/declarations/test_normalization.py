from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.roundtrip import check_roundtrip, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime

Shape = tuple[int | None, ...]


def _check(
    keras: ModuleType,
    runtime: TfjsRuntime,
    folder: Path,
    layer: Any,
    shape: Shape,
    *,
    backend: str = "cpu",
) -> Any:
    model = randomised(keras.Sequential([keras.layers.Input(shape), layer]))
    x = sample((3, *(size or 4 for size in shape)))
    return check_roundtrip(model, [x], runtime, folder, backend=backend)


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((5,), {}),
        ((4, 5), {"epsilon": 0.1}),
        ((4, 3, 5), {"center": False}),
        ((4, 3, 5), {"scale": False}),
        ((4, 3, 5), {"scale": False, "center": False}),
        ((4, 3, 5), {"axis": 1}),
        ((4, 3, 5), {"axis": -2}),
        ((4, 3), {"axis": 1}),
        ((None, 3), {"axis": -1}),
        ((2, 3, 4, 5), {}),
        ((2, 3, 4, 5), {"axis": 1}),
        ((2, None, 4, 5), {"axis": 1}),
    ],
    ids=str,
)
def test_batch_normalization(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    shape: Shape,
    options: dict[str, Any],
    backend: str,
) -> None:
    layer = keras.layers.BatchNormalization(**options)
    _check(keras, tfjs_runtime, tmp_path, layer, shape, backend=backend)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((5,), {}),
        ((4, 5), {"epsilon": 0.1}),
        ((None, 5), {}),
        ((4, 3, 5), {"center": False}),
        ((4, 3, 5), {"scale": False}),
        ((4, 3, 5), {"axis": 1}),
        ((4, 3, 5), {"axis": [1, 2]}),
        ((4, 3, 5), {"axis": [-1, -2]}),
        ((4, 3, 5), {"axis": [1, 2, 3]}),
        ((2, 3, 4, 5), {}),
        ((2, 3, 4, 5), {"axis": [1, 3]}),
        ((2, 3, 4, 5), {"axis": [1, 2, 3, 4]}),
    ],
    ids=str,
)
def test_layer_normalization(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    shape: Shape,
    options: dict[str, Any],
) -> None:
    layer = keras.layers.LayerNormalization(**options)
    _check(keras, tfjs_runtime, tmp_path, layer, shape)


@pytest.mark.parametrize("kind", ["RMSNormalization", "UnitNormalization"])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((6,), -1),
        ((4, 6), -1),
        ((None, 6), -1),
        ((4, 3, 6), -1),
        ((2, 4, 3, 6), -1),
        ((4, 3), 1),
    ],
    ids=str,
)
def test_unit_of_mean_squares(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    kind: str,
    shape: Shape,
    axis: Any,
) -> None:
    if kind == "RMSNormalization" and axis != -1:
        pytest.skip("Keras 3.15 multiplies its scale along the last axis whatever the axis")
    layer = getattr(keras.layers, kind)(axis=axis)
    _check(keras, tfjs_runtime, tmp_path, layer, shape)


def test_unit_normalization_of_several_axes(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layer = keras.layers.UnitNormalization(axis=[1, 3])
    _check(keras, tfjs_runtime, tmp_path, layer, (4, 3, 5))


def test_unit_normalization_of_zeros_and_extremes(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    model = keras.Sequential([layers.Input((3,)), layers.UnitNormalization()])
    x = np.array([[0, 0, 0], [1e-6, 2e-6, 0], [1e6, -1e6, 1]], np.float32)
    check_roundtrip(model, [x], tfjs_runtime, tmp_path)


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((6,), {"groups": 2}),
        ((4, 6), {"groups": 3}),
        ((None, 6), {"groups": 3}),
        ((4, 3, 6), {"groups": 2}),
        ((4, 3, 6), {"groups": -1}),
        ((4, 3, 6), {"groups": 1}),
        ((4, 3, 6), {"groups": 2, "scale": False}),
        ((4, 3, 6), {"groups": 2, "center": False}),
        ((4, 3, 6), {"groups": 2, "center": False, "scale": False}),
        ((6, 4, 3), {"groups": 2, "axis": 1}),
        ((2, 4, 3, 6), {"groups": 2}),
    ],
    ids=str,
)
def test_group_normalization(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    shape: Shape,
    options: dict[str, Any],
    backend: str,
) -> None:
    layer = keras.layers.GroupNormalization(**options)
    _check(keras, tfjs_runtime, tmp_path, layer, shape, backend=backend)


def test_spectral_normalization(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    for index, inner in enumerate(
        [layers.Conv2D(3, 2), layers.Dense(4, activation="hard_silu", name="inner")]
    ):
        folder = tmp_path / str(index)
        folder.mkdir()
        layer = layers.SpectralNormalization(inner)
        _check(keras, tfjs_runtime, folder, layer, (5, 5, 2))
