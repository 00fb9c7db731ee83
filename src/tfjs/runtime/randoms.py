"""Random numbers, as TF.js draws them: with a seed the same at each call, without one always new.

Which numbers come from a seed, no two implementations agree on.
"""

from __future__ import annotations

import math

import numpy as np

from tfjs.ir.graph import Attrs
from tfjs.ir.tensor import Array
from tfjs.runtime.values import Kernel, number, numbers

_MOST = 1 << 28
# TensorFlow and TF.js draw again what lies farther out.
_TRUNCATED_AT = 2.0


def random_kernels(*, as_tfjs: bool) -> dict[str, Kernel]:
    """What operations that draw random numbers compute."""
    return {
        "Multinomial": _classes,
        "RandomStandardNormal": _normal,
        "RandomUniform": _uniform,
        "RandomUniformInt": _integers_tfjs if as_tfjs else _integers,
        "TruncatedNormal": _truncated,
    }


def _source(attrs: Attrs) -> np.random.Generator:
    seeds = [int(attrs.get(name) or 0) for name in ("seed", "seed2")]
    return np.random.default_rng([abs(seed) for seed in seeds] if any(seeds) else None)


def _sizes(shape: Array) -> list[int]:
    found = numbers(shape)
    if any(size < 0 for size in found) or math.prod(found) > _MOST:
        raise ValueError(f"random numbers of shape {found}")
    return found


def _uniform(attrs: Attrs, shape: Array) -> Array:
    low, high = attrs.get("minval", 0.0), attrs.get("maxval", 1.0)
    drawn = _source(attrs).random(_sizes(shape), np.float32)
    return np.asarray(low + drawn * (high - low), attrs["dtype"])


def _normal(attrs: Attrs, shape: Array) -> Array:
    return np.asarray(_source(attrs).standard_normal(_sizes(shape)), attrs["dtype"])


def _truncated(attrs: Attrs, shape: Array) -> Array:
    source = _source(attrs)
    drawn = np.asarray(source.standard_normal(_sizes(shape)))
    far = np.abs(drawn) > _TRUNCATED_AT
    while far.any():
        drawn[far] = source.standard_normal(int(far.sum()))
        far = np.abs(drawn) > _TRUNCATED_AT
    return np.asarray(drawn, attrs["dtype"])


def _integers(attrs: Attrs, shape: Array, low: Array, high: Array) -> Array:
    bounds = number(low), number(high)
    return _source(attrs).integers(*bounds, size=_sizes(shape), dtype=low.dtype)


def _integers_tfjs(attrs: Attrs, shape: Array, *unread: Array) -> Array:
    """TF.js looks for the bounds among the attributes."""
    bounds = int(attrs.get("minval", 0)), int(attrs.get("maxval", 1))
    return _source(attrs).integers(*bounds, size=_sizes(shape), dtype=np.int32)


def _classes(attrs: Attrs, logits: Array, count: Array) -> Array:
    if logits.ndim != 2 or 0 in logits.shape:
        raise ValueError(f"logits of shape {list(logits.shape)}")
    (samples,) = _sizes(np.asarray(number(count)))
    # The largest of logits with Gumbel noise is a draw from their softmax.
    drawn = np.empty((len(logits), samples), attrs.get("output_dtype", "int32"))
    source = _source(attrs)
    for index in range(samples):
        drawn[:, index] = np.argmax(logits + source.gumbel(size=logits.shape), axis=1)
    return drawn
