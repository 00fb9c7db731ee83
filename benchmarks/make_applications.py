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
import numpy as np
import numpy.typing as npt
import tf_keras


def random_weight(path: str, shape: tuple[int, ...], rng: np.random.Generator) -> npt.NDArray[Any]:
    """Values as of a trained model: kernels that keep the scale, scales near 1, the rest near 0."""
    if "gamma" in path or "variance" in path:
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    if len(shape) > 1:
        fan_in = np.prod(shape[:-1])
        return rng.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32)
    return rng.normal(0, 0.1, shape).astype(np.float32)


def make(framework: Any, name: str) -> Any:
    """Builds the model in a framework."""
    model = getattr(framework.applications, name)(weights=None)
    rng = np.random.default_rng(0)
    # Keras 3 has the paths of the weights, tf_keras full names.
    paths = [getattr(weight, "path", weight.name) for weight in model.weights]
    shapes = [tuple(weight.shape) for weight in model.weights]
    model.set_weights([random_weight(p, s, rng) for p, s in zip(paths, shapes, strict=True)])
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
