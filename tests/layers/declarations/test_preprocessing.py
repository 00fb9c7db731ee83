from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.roundtrip import check_roundtrip, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import UnsupportedError


@pytest.mark.parametrize(
    "options",
    [
        {"scale": 1 / 255},
        {"scale": 0.5, "offset": -1.0},
        {"scale": [0.5, 2.0, -1.0], "offset": [1.0, 0.0, 3.0]},
        {"scale": 2.0, "offset": [1.0, 0.0, 3.0]},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_rescaling(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    options: dict[str, Any],
    dtype: str,
) -> None:
    layers = keras.layers
    model = keras.Sequential([layers.Input((4, 4, 3), dtype=dtype), layers.Rescaling(**options)])
    x = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3)).astype(dtype)
    check_roundtrip(model, [x], tfjs_runtime, tmp_path)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((5,), {"mean": 3.0, "variance": 4.0}),
        ((5,), {"mean": [1.0, 2.0, 3.0, 4.0, 5.0], "variance": [1.0, 4.0, 9.0, 0.0, 0.1]}),
        ((5,), {"mean": 3.0, "variance": 4.0, "invert": True}),
        ((5,), {"axis": None, "mean": 3.0, "variance": 4.0}),
        ((4, 5), {"mean": [1.0, 2.0, 3.0, 4.0, 5.0], "variance": [1.0, 4.0, 9.0, 2.0, 0.1]}),
        ((3, 5), {"axis": 1, "mean": [1.0, 2.0, 3.0], "variance": [1.0, 4.0, 9.0]}),
        ((3, 2), {"axis": (1, 2), "mean": [1.0, 2.0], "variance": [1.0, 4.0]}),
        ((5,), {"mean": 1000.0, "variance": 1.0}),
        ((5,), {"mean": 1000.0, "variance": 0.0}),
    ],
    ids=str,
)
def test_normalization_with_given_moments(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    shape: tuple[int, ...],
    options: dict[str, Any],
) -> None:
    layers = keras.layers
    model = keras.Sequential([layers.Input(shape), layers.Normalization(**options)])
    mean = options["mean"] if isinstance(options["mean"], float) else 1.0
    check_roundtrip(model, [mean + sample((3, *shape))], tfjs_runtime, tmp_path)


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), (1, 3), None], ids=str)
@pytest.mark.parametrize("invert", [False, True])
def test_normalization_with_stored_moments(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, axis: Any, invert: bool
) -> None:
    layers = keras.layers
    layer = layers.Normalization(axis=axis, invert=invert)
    model = randomised(keras.Sequential([layers.Input((2, 3, 4)), layer]))
    layer.finalize_state()
    check_roundtrip(model, [sample((3, 2, 3, 4))], tfjs_runtime, tmp_path)


@pytest.mark.parametrize(
    ("mode", "length"),
    [("one_hot", 1), ("one_hot", 3), ("multi_hot", 1), ("multi_hot", 4), ("count", 4)],
)
@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_category_encoding(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    mode: str,
    length: int,
    dtype: str,
) -> None:
    layers = keras.layers
    layer = layers.CategoryEncoding(num_tokens=6, output_mode=mode)
    model = keras.Sequential([layers.Input((length,), dtype=dtype), layer])
    x = np.random.default_rng(1).integers(0, 6, (5, length)).astype(dtype)
    check_roundtrip(model, [x], tfjs_runtime, tmp_path)


def test_category_encoding_of_too_many_tokens_is_refused(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    layer = layers.CategoryEncoding(num_tokens=100_000, output_mode="one_hot")
    model = keras.Sequential([layers.Input((1,), dtype="int32"), layer])
    with pytest.raises(UnsupportedError, match=r"2048 at most.*tf\.oneHot"):
        check_roundtrip(model, [np.ones((1, 1), np.int32)], tfjs_runtime, tmp_path)


def test_discretization_is_refused(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    model = keras.Sequential([layers.Input((3,)), layers.Discretization([0.0, 1.0], name="bins")])
    with pytest.raises(UnsupportedError, match=r"bins \(Discretization\): .*in JavaScript"):
        check_roundtrip(model, [sample((2, 3))], tfjs_runtime, tmp_path)
