"""The layers of ConvNeXt, against Keras and TF.js in Node."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.lowered import check_lowered
from tests.support.roundtrip import check_roundtrip, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime

SHAPES = [(4, 4, 3), (None, None, 3), (5, 3), (3,), (2, 2, 2, 3)]


def _block(keras: ModuleType, shape: tuple[int | None, ...]) -> Any:
    own: Any = importlib.import_module(f"{keras.__name__}.src.applications.convnext")
    inputs = keras.Input(shape)
    scaled = own.LayerScale(0.1, 3, name="scale")(inputs)
    dropped = own.StochasticDepth(0.25, name="drop")(scaled)
    return randomised(keras.Model(inputs, keras.layers.Add()([inputs, dropped])))


def _images(shape: tuple[int | None, ...]) -> Any:
    return sample((2, *(size or 4 for size in shape)))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_block_in_layers_of_tfjs(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, shape: tuple[int | None, ...]
) -> None:
    report = check_roundtrip(_block(keras, shape), [_images(shape)], tfjs_runtime, tmp_path)
    assert set(report.rewrites) == {
        "LayerScale as DepthwiseConv2D of single pixels",
        "left out: identity in inference",
    }


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_a_block_as_a_graph(
    request: pytest.FixtureRequest,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    library: str,
    suffix: str,
) -> None:
    model = _block(request.getfixturevalue(library), SHAPES[0])
    inputs = [_images(SHAPES[0])]
    ops = check_lowered(model, inputs, tfjs_runtime, tmp_path, suffix=suffix)
    assert ops == {"Mul": 1, "AddV2": 1}


def test_a_block_goes_from_hdf5_to_a_keras_archive(keras: ModuleType, tmp_path: Path) -> None:
    model = _block(keras, SHAPES[0])
    model.save(tmp_path / "model.h5")
    tfjs.convert(tmp_path / "model.h5", tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras", compile=False)
    x = _images(SHAPES[0])
    assert np.array_equal(np.asarray(again(x)), np.asarray(model(x)))


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_class_of_the_user_may_have_the_same_name(
    keras: ModuleType, tmp_path: Path, suffix: str
) -> None:
    class LayerScale(keras.Layer):  # type: ignore[misc, name-defined]
        def call(self, inputs: Any) -> Any:
            return inputs * inputs

    model = keras.Sequential([keras.Input((3,)), LayerScale(name="square")])
    model.save(tmp_path / f"model{suffix}")
    with pytest.raises(tfjs.UnsupportedError) as caught:
        tfjs.convert(tmp_path / f"model{suffix}", tmp_path / "web", to="tfjs-graph")
    assert caught.value.problems == (
        "square (LayerScale): is no Keras layer, and its code is not in the file",
    )
    with pytest.raises(tfjs.UnsupportedError) as caught:
        tfjs.convert(tmp_path / f"model{suffix}", tmp_path / "web", to="tfjs-layers")
    assert "is no Keras layer" in caught.value.problems[0]
