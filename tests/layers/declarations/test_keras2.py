"""Layers as tf_keras saves them: other names, other defaults, other formulas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.roundtrip import check_roundtrip, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime

IMAGE = (4, 6, 4)
Make = Callable[[Any], Any]
CASES: dict[str, tuple[tuple[int, ...], Make]] = {
    "hard_sigmoid": ((5,), lambda k: k.Activation("hard_sigmoid")),
    "gelu": ((5,), lambda k: k.Dense(4, activation="gelu")),
    "swish": ((5,), lambda k: k.Dense(4, activation="swish")),
    "leaky_relu": ((5,), lambda k: k.Dense(4, activation=k.LeakyReLU(alpha=0.1))),
    "leaky": ((5,), lambda k: k.LeakyReLU(alpha=0.1)),
    "thresholded": ((5,), lambda k: k.ThresholdedReLU(theta=0.5)),
    "relu": ((5,), lambda k: k.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.5)),
    "elu": ((5,), lambda k: k.ELU(alpha=0.3)),
    "softmax": ((4, 5), lambda k: k.Softmax(axis=1)),
    "prelu": (IMAGE, lambda k: k.PReLU(shared_axes=[1, 2])),
    "batch": (IMAGE, lambda k: k.BatchNormalization()),
    "batch_first": (IMAGE, lambda k: k.BatchNormalization(axis=1)),
    "layer": (IMAGE, lambda k: k.LayerNormalization(axis=[1, 3])),
    "group": (IMAGE, lambda k: k.GroupNormalization(groups=2)),
    "unit": (IMAGE, lambda k: k.UnitNormalization()),
    "normalization": (IMAGE, lambda k: k.Normalization()),
    "given": (IMAGE, lambda k: k.Normalization(mean=[1.0, 2, 3, 4], variance=[4.0, 1, 2, 1])),
    "rescaling": (IMAGE, lambda k: k.Rescaling(1 / 127.5, -1)),
    "bilinear": (IMAGE, lambda k: k.Resizing(7, 5)),
    "area": (IMAGE, lambda k: k.Resizing(3, 4, interpolation="area")),
    "mitchell": (IMAGE, lambda k: k.Resizing(4, 9, interpolation="mitchellcubic")),
    "gaussian": (IMAGE, lambda k: k.Resizing(5, 9, interpolation="gaussian")),
    "aspect": (IMAGE, lambda k: k.Resizing(5, 5, crop_to_aspect_ratio=True)),
    "crop": (IMAGE, lambda k: k.CenterCrop(3, 3)),
    "crop_small": (IMAGE, lambda k: k.CenterCrop(6, 5)),
    "flip": (IMAGE, lambda k: k.RandomFlip()),
    "zoom": (IMAGE, lambda k: k.RandomZoom(0.3)),
    "random_crop": (IMAGE, lambda k: k.RandomCrop(4, 6)),
    "dropout": (IMAGE, lambda k: k.SpatialDropout2D(0.3)),
    "alpha_dropout": ((5,), lambda k: k.AlphaDropout(0.3)),
    "identity": ((5,), lambda k: k.Identity()),
    "einsum": ((4, 5), lambda k: k.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="e")),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_layer(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, case: str, suffix: str
) -> None:
    shape, make = CASES[case]
    layer = make(tf_keras.layers)
    model = randomised(tf_keras.Sequential([tf_keras.layers.Input(shape), layer]))
    if hasattr(layer, "finalize_state"):
        layer.finalize_state()
    check_roundtrip(model, [sample((2, *shape))], tfjs_runtime, tmp_path, suffix=suffix)


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_merging(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, suffix: str
) -> None:
    layers = tf_keras.layers
    inputs = [tf_keras.Input((4, 5)), tf_keras.Input((4, 5))]
    outputs = [
        layers.Subtract()(inputs),
        layers.Concatenate(axis=-2)(inputs),
        layers.Dot((2, 2))(inputs),
        layers.Average()(inputs),
    ]
    model = tf_keras.Model(inputs, outputs)
    arrays = [sample((2, 4, 5)), sample((2, 4, 5), seed=1)]
    check_roundtrip(model, arrays, tfjs_runtime, tmp_path, suffix=suffix)


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
def test_category_encoding(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, mode: str
) -> None:
    layers = tf_keras.layers
    length = 1 if mode == "one_hot" else 4
    encode = layers.CategoryEncoding(num_tokens=6, output_mode=mode)
    model = tf_keras.Sequential([layers.Input((length,), dtype="int64"), encode])
    x = np.random.default_rng(1).integers(0, 6, (5, length))
    check_roundtrip(model, [x], tfjs_runtime, tmp_path, suffix=".h5")
