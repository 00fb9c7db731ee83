#!/usr/bin/env python3
"""Makes examples/shapes_cnn.keras and the answers that Keras gives for five pictures.

Run it in the test environment: `.venv-test/bin/python tools/make_example.py`. The model tells
five drawn shapes apart; it is small, but of the parts of real classifiers: rescaling, convolution
with batch normalisation, a residual block of separable convolutions, pooling, dropout.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np
import numpy.typing as npt

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
CLASSES = ("circle", "cross", "ring", "square", "triangle")
SIZE = 32

Array = npt.NDArray[Any]


def draw(name: str, rng: np.random.Generator) -> Array:
    """A turned shape of random place, size and grey on a noisy ground, grey values 0 to 255."""
    centre = rng.uniform(13, SIZE - 13, size=2)
    radius, angle = rng.uniform(8, 11), rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    y, x = (rows - centre[0]) / radius, (columns - centre[1]) / radius
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    distance = np.hypot(u, v)
    inside = {
        "circle": distance < 1,
        "cross": (np.minimum(abs(u), abs(v)) < 0.25) & (np.maximum(abs(u), abs(v)) < 1),
        "ring": (distance < 1) & (distance > 0.6),
        "square": np.maximum(abs(u), abs(v)) < 0.8,
        "triangle": (v > -0.6) & (v < 1 - 1.8 * abs(u)),
    }[name]
    ground, ink = rng.uniform(0, 80), rng.uniform(140, 255)
    picture = np.where(inside, ink, ground) + rng.normal(0, 8, size=(SIZE, SIZE))
    return np.clip(np.rint(picture), 0, 255).astype(np.float32)


def draw_many(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """As many pictures of each class, and their class numbers."""
    pictures = [draw(name, rng) for name in CLASSES for _ in range(count)]
    return np.stack(pictures)[..., None], np.repeat(np.arange(len(CLASSES)), count)


def build_model() -> Any:
    """The untrained classifier."""
    layers = keras.layers
    pixels = keras.Input((SIZE, SIZE, 1), name="pixels")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(pixels)
    x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem")(x)
    x = layers.BatchNormalization(name="stem_norm")(x)
    x = layers.ReLU(name="stem_relu")(x)
    x = layers.MaxPooling2D(name="stem_pool")(x)
    block = layers.SeparableConv2D(24, 3, padding="same", name="block_conv1")(x)
    block = layers.BatchNormalization(name="block_norm1")(block)
    block = layers.Activation("relu", name="block_relu1")(block)
    block = layers.SeparableConv2D(24, 3, padding="same", name="block_conv2")(block)
    block = layers.BatchNormalization(name="block_norm2")(block)
    shortcut = layers.Conv2D(24, 1, name="shortcut")(x)
    x = layers.Add(name="block_add")([shortcut, block])
    x = layers.ReLU(name="block_relu2")(x)
    x = layers.MaxPooling2D(name="block_pool")(x)
    x = layers.Conv2D(32, 3, padding="same", activation="relu", name="top")(x)
    x = layers.GlobalMaxPooling2D(name="strongest")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    shape = layers.Dense(len(CLASSES), activation="softmax", name="shape")(x)
    return keras.Model(pixels, shape, name="shapes_cnn")


def main() -> None:
    """Trains the model, and writes it and its answers."""
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    pictures, numbers = draw_many(600, rng)
    model = build_model()
    optimizer = keras.optimizers.SGD(0.02, momentum=0.9)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(pictures, numbers, epochs=12, batch_size=64, verbose=2)
    test_pictures, test_numbers = draw_many(100, rng)
    _, accuracy = model.evaluate(test_pictures, test_numbers, verbose=0)
    print(f"accuracy on new pictures {accuracy:.3f}")

    EXAMPLES.mkdir(exist_ok=True)
    model.save(EXAMPLES / "shapes_cnn.keras")
    shown = np.stack([draw(name, rng) for name in CLASSES])
    answers = np.asarray(model.predict(shown[..., None], verbose=0))
    golden = {
        "model": "shapes_cnn.keras",
        "answered_by": f"Keras {keras.__version__} on {keras.backend.backend()}",
        "input": "grey values 0 to 255, float32, shape [5, 32, 32, 1]",
        "classes": CLASSES,
        "pictures": [
            {"name": name, "answer": answer.tolist(), "pixels": picture.astype(int).tolist()}
            for name, answer, picture in zip(CLASSES, answers, shown, strict=True)
        ],
    }
    (EXAMPLES / "shapes_cnn.json").write_text(json.dumps(golden) + "\n", "utf-8")


if __name__ == "__main__":
    main()
