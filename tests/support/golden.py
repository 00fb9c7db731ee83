"""The real models of ../shared/models and their golden answers (its README.md tells the form)."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from tests.support.protocol import Array, JsonObject
from tests.support.tools import SHARED_MODELS


@dataclass(frozen=True)
class GoldenOutput:
    """One output: its values, of which only the first were kept where `truncated`."""

    name: str
    shape: tuple[int, ...]
    values: Array
    truncated: bool


def lcg(shape: list[int], low: float, high: float, dtype: str) -> Array:
    """The inputs of the golden answers: x = (1664525 x + 1013904223) mod 2^32, x0 = 1."""
    count = int(np.prod(shape))
    values = np.empty(count, dtype=np.float64)
    state = 1
    for i in range(count):
        state = (1664525 * state + 1013904223) % 2**32
        values[i] = low + (high - low) * state / 2**32
    return values.astype(dtype).reshape(shape)


def tfjs_golden(name: str) -> tuple[dict[str, Array], list[GoldenOutput]]:
    """The inputs by name and the answers of a TF.js model."""
    text = (SHARED_MODELS / "golden" / f"tfjs__{name}.json").read_text()
    golden: JsonObject = json.loads(text)
    inputs = {}
    for item in golden["inputs"]:
        low, high = item["lcg"]
        inputs[item["name"]] = lcg(item["shape"], low, high, item["dtype"])
    outputs = [
        GoldenOutput(
            name=item["name"],
            shape=tuple(item["shape"]),
            values=np.asarray(item["data"], dtype=item["dtype"]),
            truncated=item["truncated"],
        )
        for item in golden["outputs"]
    ]
    return inputs, outputs
