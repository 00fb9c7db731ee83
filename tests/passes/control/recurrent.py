"""Recurrent models of Keras 3 on TensorFlow, exported, with the answers of what was exported.

The tests run Keras on JAX, and a process has one backend: this file is run as a program.
`python -m tests.passes.control.recurrent FOLDER` writes FOLDER/NAME/model and FOLDER/NAME.npz.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.protocol import Array

Build = Callable[[Any], list[Any]]

MODELS: dict[str, Build] = {
    "lstm": lambda k: [k.LSTM(5, return_sequences=True), k.LSTM(4)],
    "gru": lambda k: [k.GRU(5, return_sequences=True)],
    "gru_reset_before": lambda k: [k.GRU(5, reset_after=False)],
    "simple": lambda k: [k.SimpleRNN(5, go_backwards=True)],
    "bidirectional": lambda k: [
        k.Bidirectional(k.LSTM(5, return_sequences=True)),
        k.Bidirectional(k.GRU(3)),
    ],
    "stacked": lambda k: [k.RNN([k.LSTMCell(4), k.GRUCell(3)], return_sequences=True)],
    "masked": lambda k: [k.Masking(0.0), k.LSTM(5, return_sequences=True), k.GRU(3)],
    "distributed": lambda k: [k.TimeDistributed(k.Dense(5)), k.LSTM(3)],
    "convolutional": lambda k: [k.ConvLSTM2D(3, 2)],
}


def build(keras: Any, name: str, steps: int | None) -> tuple[Any, Array]:
    """A model with some number of steps, or any, and what to call it with."""
    rng = np.random.default_rng(3)
    sizes = (5, 5, 2) if name == "convolutional" else (3,)
    fed = rng.normal(size=(2, 7, *sizes)).astype(np.float32)
    if name == "masked":
        fed[0, 5:] = 0.0
        fed[1, 3] = 0.0
    x = source = keras.Input((steps, *sizes))
    for layer in MODELS[name](keras.layers):
        x = layer(x)
    return keras.Model(source, x), fed


def names() -> list[str]:
    """Each model for a fixed number of steps and for any."""
    return [f"{name}_{steps}" for name in MODELS for steps in ("fixed", "any")]


def main(folder: Path) -> None:
    """Makes all models and writes them with their answers."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import tensorflow as tf

    for full in names():
        name, _, steps = full.rpartition("_")
        keras.utils.set_random_seed(0)
        model, fed = build(keras, name, 7 if steps == "fixed" else None)
        place = folder / full
        model.export(str(place), verbose=False)
        # What Keras 3.15 exports of TimeDistributed over any length differs from its own model.
        loaded = tf.saved_model.load(str(place))  # its variables live as long as it does
        answer = loaded.serve(fed)
        np.savez(folder / f"{full}.npz", fed=fed, answer=answer)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
