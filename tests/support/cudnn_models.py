"""Models of the recurrent layers of old Keras that only a GPU runs."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.support.roundtrip import randomised


def cudnn_pair(tf_keras: ModuleType, kind: str, folder: Path, suffix: str) -> tuple[Path, Any]:
    """A file with layers that only a GPU runs, and the model of plain ones that tf_keras makes.

    Its loader of HDF5 weights knows how to put those of the one into the other.
    """
    module = import_module(f"tf_keras.src.layers.rnn.cudnn_{kind.lower()}")
    layers = tf_keras.layers
    usual = {"reset_after": True} if kind == "GRU" else {}

    def stack(make: Any) -> Any:
        inner = tf_keras.Sequential([layers.Input((4, 6)), make(3, name="deep")], name="inner")
        steps = layers.Input((4, 5), name="steps")
        x = make(3, return_sequences=True, go_backwards=True, name="back")(steps)
        x = layers.Bidirectional(make(3, return_sequences=True), name="both")(x)
        last, *states = make(6, return_sequences=True, return_state=True, name="states")(x)
        return tf_keras.Model(steps, [inner(last), *states])

    file, weights = folder / f"cudnn{suffix}", folder / "weights.h5"
    source = randomised(stack(getattr(module, f"CuDNN{kind}")))
    source.save(file)
    source.save_weights(weights)
    model = stack(lambda *args, **options: getattr(layers, kind)(*args, **usual, **options))
    model.load_weights(weights)
    return file, model
