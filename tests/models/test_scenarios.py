"""What users suffered from with the official converter, by the numbers of `user_pains.md`.

Scenarios 1, 2, 27 and 28 are tested with the commands, 4 to 7 with the whole models, 30 with the
way back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.roundtrip import check_roundtrip, sample
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.weights import randomise
from tfjs.io.json import write_json


def gru_of_today(k: ModuleType) -> Any:
    """10: GRU with reset_after, the default."""
    return k.Sequential([k.Input((5, 3)), k.layers.GRU(4)])


def attention(k: ModuleType) -> Any:
    """12: a block with MultiHeadAttention."""
    x = k.Input((5, 8))
    return k.Model(x, k.layers.MultiHeadAttention(2, 4)(x, x))


def grouped(k: ModuleType) -> Any:
    """17: a convolution with groups."""
    return k.Sequential([k.Input((8, 8, 4)), k.layers.Conv2D(6, 3, groups=2)])


def one_normalization(k: ModuleType) -> Any:
    """18: Normalization."""
    return k.Sequential([k.Input((3,)), k.layers.Normalization(mean=[1, 2, 3], variance=[4, 5, 6])])


def two_normalizations(k: ModuleType) -> Any:
    """18: Normalization, twice."""
    x = k.Input((3,))
    y = k.layers.Normalization(mean=[1, 2, 3], variance=[4, 5, 6])(x)
    return k.Model(x, k.layers.Normalization(mean=[0, 1, 0], variance=[1, 2, 1])(y))


def slices(k: ModuleType) -> Any:
    """19: a slice and arithmetic on tensors."""
    x = k.Input((4,))
    return k.Model(x, k.layers.Dense(6)(x)[:, 3:5] * 2 + 1)


def augmented(k: ModuleType) -> Any:
    """20: augmentation and rescaling before a CNN."""
    layers = [k.layers.RandomFlip(), k.layers.Rescaling(1 / 127.5, offset=-1)]
    return k.Sequential([k.Input((8, 8, 3)), *layers, k.layers.Conv2D(4, 3)])


def regularised(k: ModuleType) -> Any:
    """21: an L2 regularizer."""
    return k.Sequential([k.Input((4,)), k.layers.Dense(3, kernel_regularizer=k.regularizers.L2())])


def leaky(k: ModuleType) -> Any:
    """22: an activation that TF.js has as a layer only."""
    return k.Sequential([k.Input((4,)), k.layers.Dense(3, activation="leaky_relu")])


def padded(k: ModuleType) -> Any:
    """23: ZeroPadding1D and Subtract."""
    x = k.Input((5, 3))
    y = k.layers.ZeroPadding1D(2)(x)
    return k.Model(x, k.layers.Subtract()([y, k.layers.Conv1D(3, 1)(y)]))


@pytest.mark.parametrize(
    "build",
    [
        gru_of_today,
        attention,
        grouped,
        one_normalization,
        two_normalizations,
        slices,
        augmented,
        regularised,
        leaky,
        padded,
    ],
)
@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_what_the_official_converter_breaks(
    library: str,
    build: Callable[[ModuleType], Any],
    request: pytest.FixtureRequest,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
) -> None:
    model = build(request.getfixturevalue(library))
    if "normalization" not in build.__name__:  # theirs are given, and no weights
        randomise(model)
    inputs = [sample((2, *tensor.shape[1:])) for tensor in model.inputs]
    check_roundtrip(model, inputs, tfjs_runtime, tmp_path, suffix=".keras")


def test_22_an_activation_without_an_equal_goes_into_a_graph(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="exponential")])
    model.save(tmp_path / "model.keras")
    with pytest.raises(tfjs.UnsupportedError, match="exponential") as caught:
        tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to="tfjs-layers")
    assert "graph model" in str(caught.value)
    assert not (tmp_path / "web").exists()
    report = tfjs.convert(tmp_path / "model.keras", tmp_path / "web")
    assert report.dest_format == "tfjs-graph"
    assert "exponential" in report.notes[0]
    x = sample((2, 4))
    (answer,) = tfjs_runtime.predict_graph(tmp_path / "web", [x])
    expected = np.asarray(model(x))
    assert np.abs(answer - expected).max() <= 1e-5 * np.abs(expected).max()


def test_39_a_model_that_tfjs_saved_with_leaky_relu(
    tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    kernel = np.array([[1.0, -2.0], [0.5, 1.0]], np.float32)
    (tmp_path / "w.bin").write_bytes(kernel.tobytes())
    dense = {"units": 2, "activation": "leakyReLU", "use_bias": False, "name": "d"}
    layer = {"class_name": "Dense", "config": {**dense, "batch_input_shape": [None, 2]}}
    model = {
        "modelTopology": {"class_name": "Sequential", "config": {"name": "s", "layers": [layer]}},
        "weightsManifest": [
            {
                "paths": ["w.bin"],
                "weights": [{"name": "d/kernel", "shape": [2, 2], "dtype": "float32"}],
            }
        ],
    }
    write_json(tmp_path / "model.json", model)
    tfjs.convert(tmp_path, tmp_path / "web")
    x = np.array([[1.0, 1.0], [-3.0, 2.0]], np.float32)
    (answer,) = tfjs_runtime.predict_layers(tmp_path / "web", [x])
    product = x @ kernel
    np.testing.assert_allclose(answer, np.where(product > 0, product, 0.2 * product), rtol=1e-6)


def test_40_a_model_without_weights(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.MaxPooling2D()])
    check_roundtrip(model, [sample((2, 4, 4, 1))], tfjs_runtime, tmp_path, suffix=".keras")
    manifest = json.loads((tmp_path / "web" / "model.json").read_text())["weightsManifest"]
    assert [(tmp_path / "web" / path).stat().st_size for path in manifest[0]["paths"]] == [0]
