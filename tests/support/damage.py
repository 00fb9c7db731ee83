"""Damaged copies of files: bytes changed, cut off, put in, taken out; always the same ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

from tfjs.errors import TfjsError


def damaged(data: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Copies of a file with something wrong in each, most of them with little."""
    rng = random.Random(seed)
    for _ in range(count):
        copy = bytearray(data)
        kind = rng.randrange(6)
        at = rng.randrange(len(copy))
        if kind == 0:
            del copy[at:]
        elif kind == 1:
            del copy[at : at + rng.randrange(1, 64)]
        elif kind == 2:
            copy[at:at] = rng.randbytes(rng.randrange(1, 64))
        else:
            for _ in range(rng.choice((1, 1, 2, 8, 64))):
                copy[rng.randrange(len(copy))] = rng.choice((0, 1, 0x7F, 0xFF, rng.randrange(256)))
        yield bytes(copy)


def survives(read: Callable[[Path], object], path: Path, copies: Iterator[bytes]) -> int:
    """Read damaged copies; whatever is not a TfjsError goes through to the test.

    Args:
        read: reads a file and all that is in it.
        path: where each copy is put, under the name that the reader expects.
        copies: the contents.

    Returns:
        How many were refused.
    """
    refused = 0
    for copy in copies:
        path.write_bytes(copy)
        try:
            read(path)
        except TfjsError:
            refused += 1
    return refused
