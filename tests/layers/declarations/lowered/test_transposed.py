"""Transposed convolutions as graphs, against Keras and TF.js in Node."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import tfjs
from tests.support.lowered import Case
from tests.support.tfjs_runtime import TfjsRuntime

SHAPES = {1: (7, 4), 2: (6, 5, 4), 3: (3, 4, 5, 4)}
# Kernel size and options.
OPTIONS = [
    (3, {}),
    (3, {"strides": 2, "padding": "same", "activation": "relu"}),
    (3, {"strides": 4}),
    (2, {"strides": 3, "padding": "same", "use_bias": False}),
    (3, {"strides": 2, "output_padding": 1}),
    (3, {"strides": 2, "output_padding": 1, "padding": "same"}),
    # TensorFlow has no such transposed convolution in one operation.
    (2, {"strides": 2, "output_padding": 0, "padding": "same"}),
    (3, {"dilation_rate": 2, "padding": "same"}),
    (3, {"data_format": "channels_first", "strides": 2, "activation": "softmax"}),
]


@pytest.mark.parametrize(("size", "options"), OPTIONS, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_transposed_convolution(
    rank: int,
    size: int,
    options: dict[str, Any],
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
) -> None:
    case = Case(f"Conv{rank}DTranspose", SHAPES[rank], 6, size, **options)
    case.run(keras, tfjs_runtime, tmp_path)


@pytest.mark.parametrize(
    ("size", "options"),
    [
        (3, {"strides": 2}),
        (2, {"strides": 2, "output_padding": 0, "padding": "same"}),
        (3, {"dilation_rate": 2}),
    ],
    ids=str,
)
@pytest.mark.parametrize("rank", [1, 2])
def test_of_free_sizes(
    rank: int,
    size: int,
    options: dict[str, Any],
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
) -> None:
    case = Case(f"Conv{rank}DTranspose", SHAPES[rank], 6, size, free=rank, **options)
    case.run(keras, tfjs_runtime, tmp_path)


def test_three_axes_of_free_sizes_are_refused(keras: ModuleType, tmp_path: Path) -> None:
    fed = keras.Input((None, None, None, 4))
    keras.Model(fed, keras.layers.Conv3DTranspose(2, 3)(fed)).save(tmp_path / "a.keras")
    with pytest.raises(tfjs.UnsupportedError, match=r"Conv3DBackpropInputV2: the size of its"):
        tfjs.convert(tmp_path / "a.keras", tmp_path / "web", to="tfjs-graph")
