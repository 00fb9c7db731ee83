"""Arithmetic on long arrays, in runs that stay in a processor's cache.

Several steps on one element cost little more than one where its run stays at hand between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tfjs.ir.tensor import Array

# Numbers of a run.
RUN = 16 << 10

# Reads the first array and writes the second, which is as long; both may be one.
Step = Callable[[Array, Array], object]


def in_runs(x: Array, result: Array, steps: Sequence[Step], channels: int = 1) -> Array:
    """Take some steps on each run of an array.

    Args:
        x: the numbers.
        result: what is written to, of the same shape and in C order; it may be x.
        steps: the first reads x, each other what the one before it wrote.
        channels: each run starts at the first of so many channels.

    Returns:
        The result.
    """
    given, made = x.reshape(-1), result.reshape(-1)
    length = max(1, RUN // max(1, channels)) * channels
    for start in range(0, given.size, max(1, length)):
        part = given[start : start + length]
        out = made[start : start + length]
        for step in steps:
            step(part, out)
            part = out
    return result


def by_channel(function: Callable[..., object], numbers: Array, size: int) -> Step:
    """A step that combines each element with the number of its channel.

    Args:
        function: such as `np.add`; it writes to `out`.
        numbers: one a channel.
        size: how many elements there are in all.
    """
    count = min(RUN, size) // max(1, numbers.size)
    spread = np.tile(numbers, max(1, count))
    return lambda given, out: function(given, spread[: given.size], out=out)


def by_function(function: Callable[[Array], Array]) -> Step:
    """A step that computes each element by itself."""
    return lambda given, out: np.copyto(out, function(given))
