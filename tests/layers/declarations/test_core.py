from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.roundtrip import check_roundtrip, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import UnsupportedError


@pytest.mark.parametrize("shape", [(5,), (4, 5), (2, 3, 5), (None, 5), (1, 2, 3, 5)], ids=str)
@pytest.mark.parametrize("use_bias", [True, False])
def test_dense(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    shape: tuple[int | None, ...],
    use_bias: bool,
) -> None:
    layers = keras.layers
    model = randomised(
        keras.Sequential([layers.Input(shape), layers.Dense(3, "relu", use_bias=use_bias)])
    )
    check_roundtrip(model, [sample((2, *(size or 4 for size in shape)))], tfjs_runtime, tmp_path)


def test_dense_with_regularizers_and_constraints(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    dense = layers.Dense(
        3,
        kernel_regularizer="l2",
        bias_regularizer=keras.regularizers.L1(0.1),
        activity_regularizer="l1",
        kernel_constraint="max_norm",
        kernel_initializer=keras.initializers.LecunNormal(seed=3),
        name="d",
    )
    model = randomised(keras.Sequential([layers.Input((5,)), dense]))
    report = check_roundtrip(model, [sample((2, 5))], tfjs_runtime, tmp_path)
    assert len(report.rewrites) == 4


@pytest.mark.parametrize("dtype", ["int32", "float32", "int64", "uint8"])
@pytest.mark.parametrize("shape", [(4,), (None,), (2, 3)], ids=str)
def test_embedding(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    dtype: str,
    shape: tuple[int | None, ...],
) -> None:
    layers = keras.layers
    model = randomised(keras.Sequential([layers.Input(shape, dtype=dtype), layers.Embedding(7, 3)]))
    x = np.random.default_rng(0).integers(0, 7, (2, *(size or 4 for size in shape)))
    check_roundtrip(model, [x.astype(dtype)], tfjs_runtime, tmp_path)


def test_masks_of_embedding_and_masking(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    tokens, series = keras.Input((4,), dtype="int32"), keras.Input((4, 3))
    masked = layers.LSTM(3)(layers.Embedding(7, 3, mask_zero=True)(tokens))
    skipped = layers.LSTM(3)(layers.Masking(2.0)(series))
    model = randomised(keras.Model([tokens, series], [masked, skipped]))
    ids = np.array([[1, 2, 0, 0], [3, 0, 0, 0]], np.int32)
    steps = sample((2, 4, 3))
    steps[:, 2:] = 2.0
    check_roundtrip(model, [ids, steps], tfjs_runtime, tmp_path)


@pytest.mark.parametrize("dtype", ["float16", "float64", "int64", "uint8", "bool"])
def test_dtype_of_input(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, dtype: str
) -> None:
    layers = keras.layers
    model = keras.Sequential([layers.Input((3,), dtype=dtype, name="x"), layers.Rescaling(2.0)])
    x = np.array([[0, 1, 1], [1, 0, 0]]).astype(dtype)
    fed = {"float16": "float32", "float64": "float32", "bool": "bool"}.get(dtype, "int32")
    expected = x.astype("float32" if fed == "float32" else x.dtype)
    report = check_roundtrip(model, [expected], tfjs_runtime, tmp_path)
    assert [port.dtype for port in report.inputs] == [fed]
    noted = {f"input of {dtype} fed as {fed}": ["x"]} if fed != dtype else {}
    assert report.rewrites == noted


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": (), "dtype": "float32"}, "no tensors of less than two axes"),
        ({"shape": (3,), "dtype": "string"}, "is of strings"),
    ],
    ids=str,
)
def test_inputs_that_are_refused(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    options: dict[str, Any],
    message: str,
) -> None:
    inputs = keras.Input(**options)
    model = keras.Model(inputs, keras.layers.Identity()(inputs))
    with pytest.raises(UnsupportedError, match=message):
        check_roundtrip(model, [np.zeros((2,), np.float32)], tfjs_runtime, tmp_path)


@pytest.mark.parametrize(
    ("shape", "equation", "output_shape", "bias_axes"),
    [
        ((5,), "ab,bc->ac", 3, "c"),
        ((4, 5), "abc,cd->abd", (4, 3), "d"),
        ((None, 5), "abc,cd->abd", (None, 3), "d"),
        ((4, 5), "...x,xy->...y", 3, "y"),
        ((None, 5), "abc,cde->abde", (None, 2, 3), "de"),
        ((None, 5), "abc,cde->abde", (None, 2, 3), "e"),
        ((None, 5), "abc,cde->abde", (None, 2, 3), "d"),
        ((4, 2, 3), "abcd,cde->abe", (4, 6), "e"),
        ((None, 2, 3), "abcd,cde->abe", (None, 6), None),
        ((4, 5), "abc,bd->adc", (3, 5), None),
        ((4, 5), "abc,bd->adc", (3, 5), "d"),
        ((4, 5), "ab...,bc->ac...", 3, None),
        ((4, 5, 2), "abcd,cbe->aed", (7, 2), "e"),
        ((4, 5), "abc,cd->adb", (3, 4), None),
    ],
    ids=str,
)
def test_einsum_dense(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    shape: tuple[int | None, ...],
    equation: str,
    output_shape: Any,
    bias_axes: str | None,
) -> None:
    layers = keras.layers
    layer = layers.EinsumDense(equation, output_shape, activation="relu", bias_axes=bias_axes)
    model = randomised(keras.Sequential([layers.Input(shape), layer]))
    x = sample((2, *(size or 4 for size in shape)))
    check_roundtrip(model, [x], tfjs_runtime, tmp_path)


@pytest.mark.parametrize("activation", ["softmax", "hard_silu", "layer"])
def test_activation_of_einsum_dense_sees_its_output(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, activation: str
) -> None:
    layers = keras.layers
    value = layers.Softmax(axis=1) if activation == "layer" else activation
    layer = layers.EinsumDense("abc,cde->aedb", (3, 2, 4), activation=value, bias_axes="d")
    model = randomised(keras.Sequential([layers.Input((4, 5)), layer]))
    check_roundtrip(model, [sample((2, 4, 5))], tfjs_runtime, tmp_path)


@pytest.mark.parametrize(
    ("equation", "output_shape", "bias_axes"),
    [("abc,abd->abcd", (4, 5, 3), None), ("abc,cd->abd", (4, 3), "b")],
)
def test_einsum_dense_that_is_no_dense_is_refused(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    equation: str,
    output_shape: Any,
    bias_axes: str | None,
) -> None:
    layers = keras.layers
    layer = layers.EinsumDense(equation, output_shape, bias_axes=bias_axes)
    model = keras.Sequential([layers.Input((4, 5), batch_size=2), layer])
    with pytest.raises(UnsupportedError, match="EinsumDense"):
        check_roundtrip(model, [sample((2, 4, 5))], tfjs_runtime, tmp_path)


@pytest.mark.parametrize("options", [{}, {"tie_weights": False}, {"logit_soft_cap": 2.0}], ids=str)
def test_reversible_embedding_in_one_direction(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, options: dict[str, Any]
) -> None:
    layers = keras.layers
    for reverse in (False, True):
        folder = tmp_path / str(reverse)
        folder.mkdir()
        inputs = keras.Input((4, 3)) if reverse else keras.Input((4,), dtype="int32")
        layer = layers.ReversibleEmbedding(7, 3, **options)
        model = randomised(keras.Model(inputs, layer(inputs, reverse=reverse)))
        x = sample((2, 4, 3)) if reverse else np.array([[1, 2, 6, 0]], np.int32)
        check_roundtrip(model, [x], tfjs_runtime, folder)


def test_lambda_is_never_run(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    layers = keras.layers
    model = keras.Sequential([layers.Input((3,)), layers.Lambda(lambda x: x + 1, name="code")])
    with pytest.raises(UnsupportedError, match=r"code \(Lambda\): runs Python code"):
        check_roundtrip(model, [sample((2, 3))], tfjs_runtime, tmp_path)


def test_custom_activation_is_refused(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    def twice(x: Any) -> Any:
        return 2 * x

    layers = keras.layers
    model = keras.Sequential([layers.Input((3,)), layers.Dense(2, activation=twice)])
    with pytest.raises(UnsupportedError, match="is a function that the file does not hold"):
        check_roundtrip(model, [sample((2, 3))], tfjs_runtime, tmp_path)
