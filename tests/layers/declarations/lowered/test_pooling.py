"""Pooling as graphs, against Keras and TF.js in Node."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.lowered import Case, check_lowered
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.weights import randomise

SHAPES = {1: (9, 4), 2: (9, 8, 4), 3: (6, 9, 8, 4)}
OPTIONS: list[dict[str, Any]] = [
    {"pool_size": 2},
    {"pool_size": 2, "padding": "same", "strides": 1},
    {"pool_size": 3, "padding": "same", "strides": 4},
    {"pool_size": 2, "data_format": "channels_first"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", ["Max", "Average"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_over_windows(
    rank: int,
    kind: str,
    options: dict[str, Any],
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
) -> None:
    case = Case(f"{kind}Pooling{rank}D", SHAPES[rank], **options)
    case.run(keras, tfjs_runtime, tmp_path)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_of_free_sizes(
    rank: int, keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"pool_size": 2, "padding": "same"}
    case = Case(f"AveragePooling{rank}D", SHAPES[rank], free=rank, **options)
    case.run(keras, tfjs_runtime, tmp_path)


@pytest.mark.parametrize("options", [{}, {"keepdims": True, "data_format": "channels_first"}])
@pytest.mark.parametrize(("kind", "op"), [("Max", "Max"), ("Average", "Mean")])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_over_all(
    rank: int,
    kind: str,
    op: str,
    options: dict[str, Any],
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
) -> None:
    case = Case(f"Global{kind}Pooling{rank}D", SHAPES[rank], ops={op: 1}, **options)
    case.run(keras, tfjs_runtime, tmp_path)


@pytest.mark.parametrize(
    "case",
    [
        Case("AdaptiveMaxPooling1D", (9, 4), 3),
        Case("AdaptiveMaxPooling1D", (9, 4), 5, data_format="channels_first"),
        Case("AdaptiveMaxPooling2D", (9, 8, 4), (3, 5), ops={"GatherV2": 1, "MaxPool": 1}),
        Case("AdaptiveMaxPooling3D", (6, 9, 8, 4), (3, 5, 7)),
        Case("AdaptiveAveragePooling1D", (9, 4), 5),
        Case("AdaptiveAveragePooling2D", (9, 8, 4), (3, 4), ops={"AvgPool": 1}),
        Case("AdaptiveAveragePooling2D", (9, 8, 4), 5, data_format="channels_first"),
        Case("AdaptiveAveragePooling3D", (6, 9, 6, 4), (2, 5, 3)),
    ],
    ids=str,
)
def test_to_a_size(
    case: Case, keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    case.run(keras, tfjs_runtime, tmp_path)


@pytest.mark.parametrize("line", ["keras", "tf_keras"])
def test_means_of_what_a_mask_lets_through(
    line: str, request: pytest.FixtureRequest, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    keras = request.getfixturevalue(line)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            layers.Embedding(7, 4, mask_zero=True),
            layers.Dropout(0.5),
            layers.Dense(3),
            layers.GlobalAveragePooling1D(),
        ]
    )
    randomise(model)
    ids = np.array([[1, 2, 0, 0, 3], [4, 0, 0, 0, 0]], np.int32)
    suffix = ".keras" if line == "keras" else ".h5"
    check_lowered(model, [ids], tfjs_runtime, tmp_path, suffix=suffix)
