from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.roundtrip import check_roundtrip, sample
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import UnsupportedError

Shape = tuple[int | None, ...]


def _check(
    keras: ModuleType,
    runtime: TfjsRuntime,
    folder: Path,
    layer: Any,
    shapes: list[Shape],
) -> Any:
    inputs = [keras.Input(shape) for shape in shapes]
    model = keras.Model(inputs, layer(inputs))
    arrays = [
        sample((3, *(size or 4 for size in shape)), seed=index)
        for index, shape in enumerate(shapes)
    ]
    return check_roundtrip(model, arrays, runtime, folder)


@pytest.mark.parametrize("kind", ["Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"])
@pytest.mark.parametrize(
    "shapes",
    [
        [(4, 5), (4, 5)],
        [(4, 5), (1, 5)],
        [(5,), (4, 5)],
        [(4, 1, 5), (4, 5)],
        [(None, 5), (4, 5)],
    ],
    ids=str,
)
def test_element_wise(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    kind: str,
    shapes: list[Shape],
) -> None:
    layer = getattr(keras.layers, kind)(name="merged")
    report = _check(keras, tfjs_runtime, tmp_path, layer, shapes)
    assert [port.name for port in report.outputs] == ["merged"]


def test_three_tensors(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    _check(keras, tfjs_runtime, tmp_path, keras.layers.Average(), [(4,), (4,), (4,)])


def test_a_single_tensor(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    one = keras.Input((4,))
    model = keras.Model(one, keras.layers.Add(name="alone")([one]))
    report = check_roundtrip(model, [sample((2, 4))], tfjs_runtime, tmp_path)
    assert report.rewrites == {"left out: it merges a single tensor": ["alone"]}


@pytest.mark.parametrize(
    ("shapes", "axis"),
    [
        ([(4, 5), (4, 3)], -1),
        ([(4, 5), (2, 5)], 1),
        ([(4, 5), (2, 5)], -2),
        ([(2, 4, 5), (1, 4, 5), (3, 4, 5)], -3),
        ([(None, 5), (4, 5)], -1),
        ([(None, 5), (None, 5)], 1),
        ([(None, 5), (2, 5)], 1),
    ],
    ids=str,
)
def test_concatenate(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    shapes: list[Shape],
    axis: int,
) -> None:
    _check(keras, tfjs_runtime, tmp_path, keras.layers.Concatenate(axis=axis), shapes)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    ("shapes", "axes"),
    [
        ([(5,), (5,)], 1),
        ([(5,), (5,)], -1),
        ([(4, 5), (3, 5)], 2),
        ([(4, 5), (3, 5)], -1),
        ([(4, 5), (5, 3)], (2, 1)),
        ([(5, 4), (5, 3)], 1),
        ([(5, 4), (3, 5)], (1, 2)),
        ([(5, 4), (3, 5)], (-2, -1)),
        ([(4, 5), (5,)], (2, 1)),
        ([(5, 4), (5,)], 1),
        ([(5,), (4, 5)], (1, 2)),
        ([(5,), (5, 4)], (1, 1)),
        ([(None, 5), (3, 5)], 2),
    ],
    ids=str,
)
def test_dot(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    shapes: list[Shape],
    axes: Any,
    normalize: bool,
) -> None:
    _check(keras, tfjs_runtime, tmp_path, keras.layers.Dot(axes, normalize=normalize), shapes)


def test_dot_of_four_axes_is_refused(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedError, match="three axes at most"):
        _check(keras, tfjs_runtime, tmp_path, keras.layers.Dot(3), [(2, 4, 5), (2, 4, 5)])


def test_merged_layer_that_is_shared(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    inputs = [keras.Input((4,)) for _ in range(3)]
    subtract = keras.layers.Subtract()
    model = keras.Model(inputs, [subtract(inputs[:2]), subtract(inputs[1:])])
    arrays = [np.full((2, 4), number, np.float32) for number in (1.0, 10.0, 100.0)]
    check_roundtrip(model, arrays, tfjs_runtime, tmp_path)
