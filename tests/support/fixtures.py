"""The small model files in tests/data, written by many releases of Keras, with their weights.

Made by tools/fixtures/old_keras.py and tools/fixtures/new_keras.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.protocol import Array
from tests.support.tools import REPO
from tfjs.ir.layers_model import Layer, LayersModel, Weight

DATA = REPO / "tests" / "data"


def expected(file: Path) -> dict[str, Array]:
    """The weights that Keras has after loading a file, `LAYER/0`, by the layer's own name."""
    with np.load(file.with_suffix(".npz")) as arrays:
        return {key: arrays[key] for key in arrays if ":" not in key}


def leaves(model: LayersModel) -> Iterator[tuple[Layer, list[Weight]]]:
    """The layers that have weights, those of nested models too; wrappers with all in them."""
    for layer in model.layers:
        if layer.model is not None:
            yield from leaves(layer.model)
            continue
        weights = [weight for _, inner in layer.walk() for weight in inner.weights]
        if weights:
            yield layer, weights


def assert_weights(model: LayersModel, file: Path) -> None:
    """Every weight is where Keras has it, bit for bit, and none is missing."""
    wanted = expected(file)
    found = {
        f"{layer.name}/{index}": weight.tensor.array()
        for layer, weights in leaves(model)
        for index, weight in enumerate(weights)
    }
    assert sorted(found) == sorted(wanted)
    for name, value in wanted.items():
        assert found[name].dtype == value.dtype, name
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def assert_same_configs(model: LayersModel, other: LayersModel) -> None:
    """The layers say the same under every key that both have; None says nothing."""
    assert [layer.name for layer in model.layers] == [layer.name for layer in other.layers]
    for one, two in zip(model.layers, other.layers, strict=True):
        assert one.class_name == two.class_name
        shared = set(one.config) & set(two.config)
        for key in shared:
            assert _told(one.config[key]) == _told(two.config[key]), f"{one.name}, {key}"


def _told(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _told(item) for key, item in value.items() if item is not None}
    return value
