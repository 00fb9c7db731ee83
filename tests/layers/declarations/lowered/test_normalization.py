"""Normalisations as graphs, against Keras and TF.js in Node."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.support.lowered import Case, check_lowered
from tests.support.roundtrip import sample
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.weights import randomise

IMAGE = (5, 6, 4)


@pytest.mark.parametrize(
    "case",
    [
        Case("BatchNormalization", (6,), ops={"Mul": 1, "AddV2": 1}),
        Case("BatchNormalization", (5, 6), axis=1, ops={"Mul": 1, "AddV2": 1}),
        Case("BatchNormalization", IMAGE, ops={"FusedBatchNormV3": 1}),
        Case("BatchNormalization", IMAGE, scale=False, center=False, epsilon=0.1),
        Case("BatchNormalization", IMAGE, axis=1, center=False),
        Case("BatchNormalization", IMAGE, axis=3, free=2),
        Case("BatchNormalization", (3, *IMAGE), axis=2),
        Case("LayerNormalization", (5, 6)),
        Case("LayerNormalization", (5, 6), axis=1, scale=False, free=0),
        Case("LayerNormalization", IMAGE, axis=[1, 2], center=False),
        Case("LayerNormalization", IMAGE, axis=[1, 3]),
        Case("LayerNormalization", (5, 6), rms_scaling=True),
        Case("LayerNormalization", IMAGE, free=2),
        Case("RMSNormalization", (5, 6), free=1),
        Case("UnitNormalization", IMAGE, axis=[1, 2]),
        Case("GroupNormalization", (6,), 3),
        Case("GroupNormalization", (5, 6), 2, scale=False),
        Case("GroupNormalization", IMAGE, -1, axis=1),
        Case("GroupNormalization", IMAGE, 2, free=2),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:You passed `rms_scaling=True`:UserWarning")
def test_a_normalisation(
    case: Case, keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    case.run(keras, tfjs_runtime, tmp_path)


@pytest.mark.parametrize(
    "case",
    [
        Case("BatchNormalization", IMAGE, axis=[1, 3]),
        Case("BatchNormalization", (6,), renorm=True),
        Case("LayerNormalization", IMAGE),
        Case("UnitNormalization", (5, 6)),
    ],
    ids=str,
)
def test_a_normalisation_of_keras_2(
    case: Case, tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    case.run(tf_keras, tfjs_runtime, tmp_path, suffix=".h5")


def test_a_vector_of_no_length_stays(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    fed = keras.Input((3,))
    model = keras.Model(fed, keras.layers.UnitNormalization()(fed))
    rows = np.array([[0, 0, 0], [3e-9, 0, 4e-9], [3, 0, 4]], np.float32)
    check_lowered(model, [rows], tfjs_runtime, tmp_path)


def test_the_kernel_of_a_spectral_normalisation(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    fed = keras.Input(IMAGE)
    inner = keras.layers.Conv2D(3, 2, activation="relu")
    model = keras.Model(fed, keras.layers.SpectralNormalization(inner)(fed))
    randomise(model)
    ops = check_lowered(model, [sample((2, *IMAGE))], tfjs_runtime, tmp_path)
    assert ops == {"Conv2D": 1, "BiasAdd": 1, "Relu": 1}


@pytest.mark.parametrize(
    "case",
    [
        Case("Normalization", (5, 3), mean=[1.0, 2.0, 3.0], variance=[2.0, 0.0, 4.0]),
        Case("Normalization", (5, 3), axis=None, mean=1.0, variance=4.0, invert=True),
        Case("Normalization", (5, 3), axis=1, mean=np.arange(5.0), variance=np.ones(5)),
        Case("Rescaling", IMAGE, 2.0, offset=[1.0, 2.0, 3.0, 4.0]),
        Case("Rescaling", IMAGE, 1 / 255, dtype="uint8", ops={"Cast": 1, "Mul": 1}),
    ],
    ids=str,
)
def test_scales(case: Case, keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    case.run(keras, tfjs_runtime, tmp_path)


def test_statistics_that_were_adapted(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layer = keras.layers.Normalization()
    layer.adapt(sample((20, 3), 1))
    fed = keras.Input((3,))
    model = keras.Model(fed, layer(fed))
    check_lowered(model, [sample((2, 3))], tfjs_runtime, tmp_path)
