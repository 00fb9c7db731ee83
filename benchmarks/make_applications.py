"""Makes a model of keras.applications with random weights, by tf_keras and by Keras 3.

tf_keras writes the .h5 and, with `model.export`, the SavedModel; Keras 3 writes the .keras.

.venv-test/bin/python benchmarks/make_applications.py MobileNetV2 DEST_WITHOUT_SUFFIX
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import tf_keras
from random_weights import randomize


def make(framework: Any, name: str) -> Any:
    """Builds the model in a framework."""
    model = getattr(framework.applications, name)(weights=None)
    randomize(model)
    return model


def write(save: Callable[[str], None], dest: Path) -> None:
    """Writes a model under another name first: a model in the cache is whole."""
    part = dest.with_name(f"part-{dest.name}")
    save(str(part))
    part.rename(dest)


if __name__ == "__main__":
    _, class_name, target = sys.argv
    made = make(tf_keras, class_name)
    write(made.save, Path(f"{target}.h5"))
    write(made.export, Path(f"{target}_saved_model"))
    write(make(keras, class_name).save, Path(f"{target}.keras"))
