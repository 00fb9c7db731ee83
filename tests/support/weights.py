"""Weights that leave nothing at its default, so that a wrong one shows."""

from __future__ import annotations

from typing import Any

import numpy as np


def randomise(model: Any, seed: int = 0) -> None:
    """Give each weight of a live Keras model values of its own, of a plausible size."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        name = (getattr(weight, "path", None) or weight.name).rsplit("/", 1)[-1].partition(":")[0]
        shape, dtype = tuple(weight.shape), str(weight.dtype)
        if "float" not in dtype:
            continue
        if name in ("gamma", "moving_variance", "variance"):
            value = rng.uniform(0.5, 1.5, shape)
        elif len(shape) > 1:
            fan_in = int(np.prod(shape[:-1]))
            value = rng.normal(0, 1 / np.sqrt(max(1, fan_in)), shape)
        else:
            value = rng.normal(0, 0.1, shape)
        weight.assign(value.astype(np.float32))
