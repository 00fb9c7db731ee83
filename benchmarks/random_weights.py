"""Random weights for models of Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def random_weight(path: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Values as of a trained model: kernels that keep the scale, scales near 1, the rest near 0.

    Args:
        path: the path or full name of the weight.
        shape: its shape.
        rng: gives the numbers.
    """
    if "gamma" in path or "variance" in path:
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    if len(shape) > 1 and "embedding" not in path:
        # A depthwise kernel sums over its window alone.
        fan_in = np.prod(shape[:2] if "depthwise" in path else shape[:-1])
        return rng.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32)
    return rng.normal(0, 0.1, shape).astype(np.float32)


def randomize(model: Any, seed: int = 0) -> None:
    """Gives every weight of a model but its counters random values.

    Args:
        model: of Keras 3 or tf_keras.
        seed: of the numbers.
    """
    rng = np.random.default_rng(seed)
    old = model.get_weights()
    # Keras 3 has the paths of the weights, tf_keras full names.
    paths = [getattr(weight, "path", weight.name) for weight in model.weights]
    model.set_weights(
        [
            random_weight(path, value.shape, rng) if value.dtype.kind == "f" else value
            for path, value in zip(paths, old, strict=True)
        ]
    )


def calibrate(model: Any, batch: Array) -> None:
    """Lets batch norms know the means and variances of a batch, so that activations stay near 1.

    Args:
        model: of Keras 3 or tf_keras, its weights random.
        batch: what the model is given.
    """
    norms = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    # Each is told its batch's in training, and passes on what it has normalised by them.
    model(batch, training=True)
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum
