from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.roundtrip import sample
from tfjs.layers.declarations.interpolation import interpolation_matrix

SIZES = [(4, 8), (5, 3), (7, 7), (3, 10), (9, 4), (1, 5), (6, 1), (8, 4)]


@pytest.mark.parametrize(("size_in", "size_out"), SIZES)
@pytest.mark.parametrize("method", ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"])
@pytest.mark.parametrize("antialias", [False, True])
def test_matrix_is_what_keras_3_does(
    keras: ModuleType, size_in: int, size_out: int, method: str, antialias: bool
) -> None:
    image = sample((1, size_in, 2, 3))
    expected = keras.ops.image.resize(
        image, (size_out, 2), interpolation=method, antialias=antialias
    )
    matrix = interpolation_matrix(size_in, size_out, method, antialias=antialias)
    assert matrix.shape == (size_in, size_out)
    assert matrix.dtype == np.dtype("float32")
    ours = np.einsum("bhwc,hn->bnwc", image, matrix)
    np.testing.assert_allclose(ours, np.asarray(expected), atol=2e-6 * np.abs(image).max())


@pytest.mark.parametrize(("size_in", "size_out"), SIZES)
@pytest.mark.parametrize("method", ["area", "gaussian", "mitchellcubic", "bilinear", "nearest"])
def test_matrix_is_what_tensorflow_does(
    tensorflow: ModuleType, size_in: int, size_out: int, method: str
) -> None:
    image = sample((1, size_in, 2, 3))
    expected: Any = tensorflow.image.resize(image, (size_out, 2), method=method)
    height = interpolation_matrix(size_in, size_out, method)
    # Some of these blur even where the size stays.
    width = interpolation_matrix(2, 2, method)
    ours = np.einsum("bhwc,hn,wm->bnmc", image, height, width)
    np.testing.assert_allclose(ours, expected.numpy(), atol=2e-6 * np.abs(image).max())


def test_rows_of_a_known_matrix() -> None:
    expected = [[1.0, 0.75, 0.25, 0.0], [0.0, 0.25, 0.75, 1.0]]
    np.testing.assert_allclose(interpolation_matrix(2, 4, "bilinear"), expected)
