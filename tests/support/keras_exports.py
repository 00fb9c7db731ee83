"""SavedModels as `model.export` of Keras 3 writes them on TensorFlow, with Keras's answers.

The tests run Keras on JAX, and a process has one backend: this file is run as a program.
`python -m tests.support.keras_exports NAME FOLDER` writes FOLDER/model and FOLDER/golden.npz.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.protocol import Array
from tests.support.tools import REPO


def _image(batch: int = 2, size: int = 32, channels: int = 3) -> Array:
    rng = np.random.default_rng(1)
    return rng.normal(size=(batch, size, size, channels)).astype(np.float32)


def _steps(batch: int = 2, steps: int = 7, size: int = 4) -> Array:
    return np.random.default_rng(2).normal(size=(batch, steps, size)).astype(np.float32)


def _tokens() -> Array:
    tokens = np.random.default_rng(3).integers(1, 20, size=(2, 9)).astype(np.int32)
    tokens[0, 5:] = 0
    return tokens


def cnn(k: Any) -> tuple[Any, list[Array]]:
    layers = k.layers
    model = k.Sequential(
        [
            k.Input((32, 32, 3)),
            layers.Conv2D(8, 3, strides=2, activation="relu", padding="same"),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, dilation_rate=2),
            layers.LeakyReLU(0.3),
            layers.SeparableConv2D(6, 3, activation="swish"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(5, activation="softmax"),
        ]
    )
    return model, [_image()]


def grouped(k: Any) -> tuple[Any, list[Array]]:
    model = k.Sequential(
        [
            k.Input((32, 32, 4)),
            k.layers.Conv2D(8, 3, groups=2),
            k.layers.Conv2DTranspose(3, 3, strides=2, output_padding=1),
            k.layers.UpSampling2D(2, interpolation="bilinear"),
            k.layers.GlobalMaxPooling2D(keepdims=True),
        ]
    )
    return model, [_image(channels=4)]


def lstm(k: Any) -> tuple[Any, list[Array]]:
    layers = [k.layers.LSTM(5, return_sequences=True), k.layers.LSTM(3)]
    return k.Sequential([k.Input((7, 4)), *layers]), [_steps()]


def lstm_of_any_length(k: Any) -> tuple[Any, list[Array]]:
    return k.Sequential([k.Input((None, 4)), k.layers.LSTM(5)]), [_steps()]


def gru(k: Any) -> tuple[Any, list[Array]]:
    layer = k.layers.Bidirectional(k.layers.GRU(5, return_sequences=True))
    return k.Sequential([k.Input((7, 4)), layer]), [_steps()]


def masked(k: Any) -> tuple[Any, list[Array]]:
    layers = [k.layers.Embedding(20, 6, mask_zero=True), k.layers.LSTM(5), k.layers.Dense(2)]
    return k.Sequential([k.Input((9,), dtype="int32"), *layers]), [_tokens()]


def conv_lstm(k: Any) -> tuple[Any, list[Array]]:
    frames = np.random.default_rng(5).normal(size=(2, 3, 8, 8, 2)).astype(np.float32)
    return k.Sequential([k.Input((3, 8, 8, 2)), k.layers.ConvLSTM2D(3, 3)]), [frames]


def transformer(k: Any) -> tuple[Any, list[Array]]:
    layers = k.layers
    tokens = k.Input((9,), dtype="int32")
    x = layers.Embedding(20, 8)(tokens)
    heads = layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)
    x = layers.LayerNormalization()(x + heads)
    wide = layers.Dense(16, activation="gelu")(x)
    x = layers.LayerNormalization()(x + layers.Dense(8)(wide))
    return k.Model(tokens, layers.Dense(20)(x)), [_tokens()]


def two_inputs_of_one_shape(k: Any) -> tuple[Any, list[Array]]:
    right, left = k.Input((3,), name="right"), k.Input((3,), name="left")
    sums = k.layers.Dense(2, name="sums")(left + 2.0 * right)
    model = k.Model([right, left], {"zeta": sums, "alpha": left - right})
    rng = np.random.default_rng(4)
    return model, [rng.normal(size=(2, 3)).astype(np.float32) for _ in range(2)]


def mobilenet(k: Any) -> tuple[Any, list[Array]]:
    shape = (32, 32, 3)
    return k.applications.MobileNetV2(shape, weights=None, classes=10), [_image()]


def efficientnet(k: Any) -> tuple[Any, list[Array]]:
    shape = (32, 32, 3)
    return k.applications.EfficientNetB0(weights=None, input_shape=shape, classes=10), [
        _image() * 50 + 100
    ]


def convnext(k: Any) -> tuple[Any, list[Array]]:
    shape = (32, 32, 3)
    return k.applications.ConvNeXtTiny(weights=None, input_shape=shape, classes=10), [
        _image() * 50 + 100
    ]


MODELS: dict[str, Callable[[Any], tuple[Any, list[Array]]]] = {
    made.__name__: made
    for made in (
        *(cnn, grouped, lstm, lstm_of_any_length, gru, masked, conv_lstm, transformer),
        *(two_inputs_of_one_shape, mobilenet, efficientnet, convnext),
    )
}


def exported(name: str, folder: Path) -> Path:
    """Have another process export a model into a folder; gives the folder."""
    command = [sys.executable, "-m", "tests.support.keras_exports", name, str(folder)]
    subprocess.run(command, cwd=REPO, check=True, capture_output=True, timeout=300)
    return folder


def main(name: str, folder: Path) -> None:
    """Makes one model and writes it with its answers."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras

    from tests.support.weights import randomise

    keras.utils.set_random_seed(0)
    model, inputs = MODELS[name](keras)
    randomise(model)
    model.export(str(folder / "model"), verbose=False)
    answers = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    named = answers if isinstance(answers, dict) else {"": answers}
    golden: dict[str, Any] = {f"in:{index}": array for index, array in enumerate(inputs)}
    golden |= {f"out:{key}": np.asarray(value) for key, value in named.items()}
    np.savez(folder / "golden.npz", **golden)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
