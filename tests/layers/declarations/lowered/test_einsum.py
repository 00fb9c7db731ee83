"""EinsumDense as a graph, against Keras and TF.js in Node."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.lowered import check_lowered
from tests.support.roundtrip import randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime

# Equation, output_shape, bias_axes, shape of an example, and how many nodes it takes.
CASES: list[tuple[str, Any, str | None, tuple[int, ...], int]] = [
    ("ab,bc->ac", 7, "c", (6,), 3),
    ("ab,bc->ac", 7, None, (6,), 2),
    ("abc,cd->abd", (None, 7), "d", (5, 6), 5),
    ("abc,cde->abde", (None, 2, 3), "de", (5, 6), 5),
    ("abc,cde->abde", (None, 2, 3), "e", (5, 6), 5),
    ("abcd,cde->abe", (None, 7), "e", (5, 2, 3), 5),
    ("abc,cd->adb", (7, None), "d", (5, 6), 6),
    # An axis that stays is multiplied along.
    ("abc,bcd->abd", (5, 7), "bd", (5, 6), 5),
    ("...x,xy->...y", 7, "y", (3, 5, 6), 5),
    ("...bc,bcd->...d", 7, None, (3, 4, 6), 4),
    ("abc...,cde->abde...", (5, 2, 3), "d", (5, 6), 5),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_equations(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, case: Any) -> None:
    equation, shape, bias, example, nodes = case
    layer = keras.layers.EinsumDense(equation, shape, bias_axes=bias, activation="relu")
    inputs = keras.Input(example)
    model = randomised(keras.Model(inputs, layer(inputs)))
    ops = check_lowered(model, [sample((2, *example))], tfjs_runtime, tmp_path)
    assert sum(ops.values()) == nodes


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_free_sizes(
    request: pytest.FixtureRequest, tfjs_runtime: TfjsRuntime, tmp_path: Path, framework: str
) -> None:
    k = request.getfixturevalue(framework)
    layer = k.layers.EinsumDense("abc,cd->abd", (None, 7), bias_axes="d", activation="softmax")
    inputs = k.Input((None, 6))
    model = randomised(k.Model(inputs, layer(inputs)))
    suffix = ".keras" if framework == "keras" else ".h5"
    check_lowered(model, [sample((2, 5, 6))], tfjs_runtime, tmp_path, suffix=suffix)
