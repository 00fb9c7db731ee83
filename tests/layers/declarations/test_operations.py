"""Operations of keras.ops; several share a model, since most of a test's time goes to the start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.roundtrip import check_roundtrip, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.ir.layers_model import Call, Layer, LayersModel, TensorRef
from tfjs.layers.legalize import legalize

STEPS = (2, 4, 6)
FLAT = (2, 6)
IMAGE = (2, 4, 6, 3)

LIST = np.arange(6, dtype=np.float32) - 2
TABLE = np.arange(24, dtype=np.float32).reshape(4, 6) / 7
COLUMN = np.arange(4, dtype=np.float32).reshape(4, 1)
MATRIX = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)

# Functions of `keras.ops` and the tensors.
Case = Callable[..., Any]


def model_of(k: ModuleType, cases: Sequence[Case], shapes: Sequence[Sequence[int | None]]) -> Any:
    inputs = [k.Input(tuple(shape)[1:]) for shape in shapes]
    outputs = k.tree.flatten([case(k.ops, *inputs) for case in cases])
    return k.Model(inputs if len(inputs) > 1 else inputs[0], outputs)


def check(
    k: ModuleType,
    runtime: TfjsRuntime,
    folder: Path,
    cases: Sequence[Case],
    *shapes: Sequence[int],
) -> None:
    arrays = [sample(shape, seed=at) for at, shape in enumerate(shapes)]
    check_roundtrip(model_of(k, cases, shapes), arrays, runtime, folder)


def refusal(k: ModuleType, folder: Path, case: Case, *shapes: Sequence[int | None]) -> str:
    model_of(k, [case], shapes).save(folder / "model.keras")
    with pytest.raises(UnsupportedError) as caught:
        tfjs.convert(folder / "model.keras", folder / "web", to="tfjs-layers")
    return str(caught.value)


# Arithmetic ----------------------------------------------------------------------------------

CONSTANTS: dict[str, Case] = {
    "x + 2": lambda ops, x: x + 2,
    "2 + x": lambda ops, x: 2 + x,
    "x + list": lambda ops, x: x + LIST,
    "x + table": lambda ops, x: x + TABLE,
    "x + column": lambda ops, x: x + COLUMN,
    "x - 1.5": lambda ops, x: x - 1.5,
    "1 - x": lambda ops, x: 1 - x,
    "list - x": lambda ops, x: ops.subtract(ops.convert_to_tensor(LIST), x),
    "x * 2": lambda ops, x: x * 2.0,
    "x * list": lambda ops, x: x * LIST,
    "x / 3": lambda ops, x: x / 3,
    "-x": lambda ops, x: -x,
    "x ** 1": lambda ops, x: x**1,
    "x ** 2": lambda ops, x: x**2,
    "x ** 3": lambda ops, x: ops.power(x, 3),
    "square": lambda ops, x: ops.square(x),
    "abs": lambda ops, x: ops.abs(x),
    "maximum": lambda ops, x: ops.maximum(x, 0.5),
    "maximum 0": lambda ops, x: ops.maximum(0.0, x),
    "minimum": lambda ops, x: ops.minimum(x, 0.5),
    "minimum, far": lambda ops, x: ops.minimum(x, 1e9),
    "clip": lambda ops, x: ops.clip(x, -1, 1.5),
    "clip at 0": lambda ops, x: ops.clip(x, 0, 0.7),
    "zeros": lambda ops, x: ops.zeros_like(x),
    "ones": lambda ops, x: ops.ones_like(x),
    "cast": lambda ops, x: ops.cast(x, "float32"),
    "stop_gradient": lambda ops, x: ops.stop_gradient(x),
}


def test_constants(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    check(keras, tfjs_runtime, tmp_path, list(CONSTANTS.values()), STEPS)


TENSORS: dict[str, Case] = {
    "add": lambda ops, x, y: x + y,
    "subtract": lambda ops, x, y: x - y,
    "multiply": lambda ops, x, y: x * y,
    "maximum": lambda ops, x, y: ops.maximum(x, y),
    "minimum": lambda ops, x, y: ops.minimum(x, y),
    "spread": lambda ops, x, y: x + ops.mean(y, axis=1, keepdims=True),
    "spread behind": lambda ops, x, y: x[:, :, :1] * y,
    "concatenate": lambda ops, x, y: ops.concatenate([x, y], axis=-1),
    "concatenate before": lambda ops, x, y: ops.concatenate([x, y, x], axis=-2),
    "stack": lambda ops, x, y: ops.stack([x, y], axis=1),
    "stack between": lambda ops, x, y: ops.stack([x, y], axis=2),
    "stack behind": lambda ops, x, y: ops.stack([x, y], axis=-1),
    "stack of one": lambda ops, x, y: ops.stack([x], axis=2),
    "matmul": lambda ops, x, y: ops.matmul(x, ops.transpose(y, (0, 2, 1))),
    "einsum": lambda ops, x, y: ops.einsum("abc,abd->acd", x, y),
    "einsum, turned": lambda ops, x, y: ops.einsum("bij,bkj->bki", x, y),
    "einsum, ellipsis": lambda ops, x, y: ops.einsum("...ij,...kj->...ik", x, y),
}


def test_tensors(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    check(keras, tfjs_runtime, tmp_path, list(TENSORS.values()), STEPS, STEPS)


ACTIVATIONS: dict[str, Case] = {
    "relu": lambda ops, x: ops.relu(x),
    "relu6": lambda ops, x: ops.relu6(x * 4),
    "sigmoid": lambda ops, x: ops.sigmoid(x),
    "tanh": lambda ops, x: ops.tanh(x),
    "gelu, approximate": lambda ops, x: ops.gelu(x),
    "gelu": lambda ops, x: ops.gelu(x, approximate=False),
    "leaky_relu": lambda ops, x: ops.leaky_relu(x, 0.3),
    "elu": lambda ops, x: ops.elu(x, alpha=0.5),
    "selu": lambda ops, x: ops.selu(x),
    "celu": lambda ops, x: ops.celu(x),
    "silu": lambda ops, x: ops.silu(x),
    "softplus": lambda ops, x: ops.softplus(x),
    "softsign": lambda ops, x: ops.softsign(x),
    "hard_sigmoid": lambda ops, x: ops.hard_sigmoid(x),
    "hard_silu": lambda ops, x: ops.hard_silu(x),
    "hard_tanh": lambda ops, x: ops.hard_tanh(x),
    "hard_shrink": lambda ops, x: ops.hard_shrink(x),
    "soft_shrink": lambda ops, x: ops.soft_shrink(x),
    "tanh_shrink": lambda ops, x: ops.tanh_shrink(x),
    "log_sigmoid": lambda ops, x: ops.log_sigmoid(x),
    "log_softmax": lambda ops, x: ops.log_softmax(x),
    "log_softmax 1": lambda ops, x: ops.log_softmax(x, axis=1),
    "softmax": lambda ops, x: ops.softmax(x),
    "softmax 1": lambda ops, x: ops.softmax(x, axis=1),
    "sparse_plus": lambda ops, x: ops.sparse_plus(x),
    "sparse_sigmoid": lambda ops, x: ops.sparse_sigmoid(x),
    "threshold": lambda ops, x: ops.threshold(x, 0.3, 0.0),
}


def test_activations(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    check(keras, tfjs_runtime, tmp_path, list(ACTIVATIONS.values()), STEPS)


# Shapes and parts ----------------------------------------------------------------------------

SHAPES: dict[str, Case] = {
    "reshape": lambda ops, x: ops.reshape(x, (-1, 24)),
    "reshape to three": lambda ops, x: ops.reshape(x, (-1, 3, 8)),
    "transpose": lambda ops, x: ops.transpose(x, (0, 2, 1)),
    "swapaxes": lambda ops, x: ops.swapaxes(x, 1, 2),
    "moveaxis": lambda ops, x: ops.moveaxis(x, 1, -1),
    "expand_dims": lambda ops, x: ops.expand_dims(x, 1),
    "expand_dims, twice": lambda ops, x: ops.expand_dims(x, (1, -1)),
    "squeeze": lambda ops, x: ops.squeeze(ops.expand_dims(x, 1), 1),
    "squeeze all": lambda ops, x: ops.squeeze(ops.expand_dims(x, 2)),
    "tile": lambda ops, x: ops.tile(x, (1, 2, 3)),
    "tile last": lambda ops, x: ops.tile(x, 2),
    "split": lambda ops, x: ops.split(x, 2, axis=2),
    "split at": lambda ops, x: ops.split(x, [1, 3], axis=1),
    "unstack": lambda ops, x: ops.unstack(x, axis=1),
    "unstack last": lambda ops, x: ops.unstack(x, axis=2),
    "take one": lambda ops, x: ops.take(x, 2, axis=1),
    "take several": lambda ops, x: ops.take(x, [0, 3, 3], axis=2),
    "flip": lambda ops, x: ops.flip(x, axis=1),
    "pad": lambda ops, x: ops.pad(x, [[0, 0], [1, 2], [0, 0]]),
    "pad both": lambda ops, x: ops.pad(x, [[0, 0], [1, 2], [3, 0]]),
    "pad last": lambda ops, x: ops.pad(x, [[0, 0], [0, 0], [2, 1]]),
}

SLICES: dict[str, Case] = {
    "[:, 1:3]": lambda ops, x: x[:, 1:3],
    "[:, -1]": lambda ops, x: x[:, -1],
    "[..., 0]": lambda ops, x: x[..., 0],
    "[:, 1:, None, :]": lambda ops, x: x[:, 1:, None, :],
    "[:, :, 3:5]": lambda ops, x: x[:, :, 3:5],
    "[:, 1:3, 2:-1]": lambda ops, x: x[:, 1:3, 2:-1],
    "[:, ::2]": lambda ops, x: x[:, ::2],
    "[:, 1::2, ::3]": lambda ops, x: x[:, 1::2, ::3],
    "[:, 2, 3]": lambda ops, x: x[:, 2, 3],
    "[:, None]": lambda ops, x: x[:, None],
    "[..., 1:2]": lambda ops, x: x[..., 1:2],
    "[:, -3:-1, -2]": lambda ops, x: x[:, -3:-1, -2],
    "[:, :100]": lambda ops, x: x[:, :100],
}

REDUCTIONS: dict[str, Case] = {
    "mean 1": lambda ops, x: ops.mean(x, axis=1),
    "mean 1, kept": lambda ops, x: ops.mean(x, axis=1, keepdims=True),
    "mean -1": lambda ops, x: ops.mean(x, axis=-1),
    "mean 2, kept": lambda ops, x: ops.mean(x, axis=2, keepdims=True),
    "sum of both": lambda ops, x: ops.sum(x, axis=[1, 2]),
    "sum of both, kept": lambda ops, x: ops.sum(x, axis=[1, 2], keepdims=True),
    "max": lambda ops, x: ops.max(x, axis=-1),
    "amax": lambda ops, x: ops.amax(x, axis=2, keepdims=True),
    "min": lambda ops, x: ops.min(x, axis=1),
    "average": lambda ops, x: ops.average(x, axis=1),
    "times a matrix": lambda ops, x: ops.matmul(x, MATRIX),
    "max_pool": lambda ops, x: ops.max_pool(x, 2, strides=1, padding="same"),
    "average_pool": lambda ops, x: ops.average_pool(x, 2, strides=2),
}

IMAGES: dict[str, Case] = {
    "mean": lambda ops, x: ops.mean(x, axis=[1, 2]),
    "mean, kept": lambda ops, x: ops.mean(x, axis=(1, 2), keepdims=True),
    "max of channels": lambda ops, x: ops.max(x, axis=3),
    "sum of two apart": lambda ops, x: ops.sum(x, axis=[1, 3]),
    "cut": lambda ops, x: x[:, 1:3, 2:, :2],
    "every other": lambda ops, x: x[:, ::2, 1::2],
    "single": lambda ops, x: x[:, 0, :, 1],
    "channels": lambda ops, x: x[..., ::2],
    "pad": lambda ops, x: ops.pad(x, [[0, 0], [1, 1], [2, 0], [0, 1]]),
    "split": lambda ops, x: ops.split(x, 3, axis=-1),
    "transpose": lambda ops, x: ops.transpose(x, (0, 3, 1, 2)),
}

VECTORS: dict[str, Case] = {
    "[:, -1:]": lambda ops, x: x[:, -1:],
    "[:, 2]": lambda ops, x: x[:, 2],
    "[:, 1:3]": lambda ops, x: x[:, 1:3],
    "sum": lambda ops, x: ops.sum(x, axis=-1),
    "sum, kept": lambda ops, x: ops.sum(x, axis=-1, keepdims=True),
    "sum, widened": lambda ops, x: ops.expand_dims(ops.sum(x, axis=-1), -1),
    "max": lambda ops, x: ops.max(x, axis=1),
    "reshape": lambda ops, x: ops.reshape(x, (-1, 2, 3)),
    "unstack": lambda ops, x: ops.unstack(x, axis=1),
    "split": lambda ops, x: ops.split(x, 3, axis=1),
    "pad": lambda ops, x: ops.pad(x, [[0, 0], [1, 2]]),
}


@pytest.mark.parametrize(
    ("cases", "shape"),
    [
        (SHAPES, STEPS),
        (SLICES, STEPS),
        (REDUCTIONS, STEPS),
        (IMAGES, IMAGE),
        (VECTORS, FLAT),
    ],
    ids=["shapes", "slices", "reductions", "images", "vectors"],
)
def test_moved_and_reduced(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    cases: dict[str, Case],
    shape: Sequence[int],
) -> None:
    check(keras, tfjs_runtime, tmp_path, list(cases.values()), shape)


UNKNOWN: dict[str, Case] = {
    "last": lambda ops, x: x[:, -1],
    "last, whole": lambda ops, x: x[:, -1, :],
    "first": lambda ops, x: x[:, 0],
    "edges": lambda ops, x: x[:, 1:-1],
    "features": lambda ops, x: x[:, :, 1:3],
    "one feature": lambda ops, x: x[..., 0],
    "every other": lambda ops, x: x[:, ::2],
    "mean": lambda ops, x: ops.mean(x, axis=1),
    "mean of features": lambda ops, x: ops.mean(x, axis=2),
    "max, kept": lambda ops, x: ops.max(x, axis=1, keepdims=True),
    "expand_dims": lambda ops, x: ops.expand_dims(x, 1),
    "expand_dims behind": lambda ops, x: ops.expand_dims(x, -1),
    "flip": lambda ops, x: ops.flip(x, 1),
    "pad": lambda ops, x: ops.pad(x, [[0, 0], [1, 0], [0, 0]]),
    "split": lambda ops, x: ops.split(x, 2, axis=-1),
    "stack": lambda ops, x: ops.stack([x, x], axis=2),
}


def test_unknown_length(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    model = model_of(keras, list(UNKNOWN.values()), [(2, None, 6)])
    check_roundtrip(model, [sample(STEPS)], tfjs_runtime, tmp_path)


def test_between_layers(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    layers, ops = keras.layers, keras.ops
    inputs = keras.Input((None, 6))
    sequence = layers.LSTM(3, return_sequences=True)(inputs[:, 1:] * 2 + 1)
    ends = [sequence[:, -1], ops.max(sequence, axis=1)]
    outputs = layers.Dense(2)(ops.concatenate(ends, axis=-1))
    model = randomised(keras.Model(inputs, outputs))
    check_roundtrip(model, [sample(STEPS)], tfjs_runtime, tmp_path)


def test_names_and_report(keras: ModuleType, tmp_path: Path) -> None:
    inputs = keras.Input((4,))
    keras.Model(inputs, inputs * 2).save(tmp_path / "model.keras")
    report = tfjs.convert(tmp_path / "model.keras", tmp_path / "web")
    assert report.outputs[0].name.startswith("multiply")
    assert list(report.rewrites) == ["operation Multiply as layers of TF.js"]


# What cannot be expressed --------------------------------------------------------------------

REFUSED: dict[str, tuple[Case, str]] = {
    "2 / x": (lambda ops, x: 2 / x, "no layer of TF.js divides by a tensor"),
    "x / 0": (lambda ops, x: x / 0.0, "it divides by zero"),
    "x ** 0.5": (lambda ops, x: x**0.5, "no layer of TF.js computes such a power"),
    "x ** 0": (lambda ops, x: x**0, "raises to the power of 0"),
    "sqrt": (lambda ops, x: ops.sqrt(x), "TF.js has no layer for the operation Sqrt"),
    "x > 0": (lambda ops, x: x > 0, "TF.js has no layer for the operation Greater"),
    "to int": (lambda ops, x: ops.cast(x, "int32"), "no layer of TF.js casts to int32"),
    "celu": (lambda ops, x: ops.celu(x, 2.0), "TF.js has no celu with alpha=2.0"),
    "threshold": (lambda ops, x: ops.threshold(x, 1.0, 2.0), "by 0 only"),
    "wider": (lambda ops, x: x[:, :, :1] + LIST, "would change the shape of the tensor"),
    "sum of all": (lambda ops, x: ops.sum(x), "it works on the axis of the batch"),
    "across": (lambda ops, x: ops.reshape(x, (-1, 6)), "across the axis of the batch"),
    "transpose": (lambda ops, x: ops.transpose(x), "it works on the axis of the batch"),
    "x[0]": (lambda ops, x: x[0], "it works on the axis of the batch"),
    "in front": (lambda ops, x: ops.expand_dims(x, 0), "it works on the axis of the batch"),
    "reversed": (lambda ops, x: x[:, ::-1], "it takes elements in reverse order"),
    "ones around": (
        lambda ops, x: ops.pad(x, [[0, 0], [1, 1], [0, 0]], constant_values=1.0),
        "TF.js pads with zeros only",
    ),
    "flip": (lambda ops, x: ops.flip(x, axis=2), "turns round the steps of a sequence only"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(keras: ModuleType, tmp_path: Path, name: str) -> None:
    case, why = REFUSED[name]
    assert why in refusal(keras, tmp_path, case, STEPS)


def test_refused_of_two(keras: ModuleType, tmp_path: Path) -> None:
    assert "divides by a tensor" in refusal(keras, tmp_path, lambda ops, x, y: x / y, STEPS, STEPS)
    assert "of 4 and 4 axes" in refusal(
        keras, tmp_path, lambda ops, x, y: ops.matmul(x, y), (2, 5, 4, 4), (2, 5, 4, 4)
    )
    assert "no layer of TF.js computes einsum" in refusal(
        keras, tmp_path, lambda ops, x, y: ops.einsum("abc,abc->ab", x, y), STEPS, STEPS
    )


def test_refused_of_unknown_length(keras: ModuleType, tmp_path: Path) -> None:
    shape = (2, None, 6)
    assert "an unknown number of elements" in refusal(
        keras, tmp_path, lambda ops, x: ops.sum(x, axis=1), shape
    )
    assert "counts from the other end of an axis" in refusal(
        keras, tmp_path, lambda ops, x: x[:, -2:], shape
    )


def test_all_are_listed(keras: ModuleType, tmp_path: Path) -> None:
    message = refusal(keras, tmp_path, lambda ops, x: ops.log(ops.sin(x)), STEPS)
    assert "2 layers cannot be expressed" in message
    assert "(Sin)" in message
    assert "(Log)" in message


def test_constants_that_differ_from_call_to_call() -> None:
    entry = Layer("InputLayer", "x", {"batch_shape": [None, 3], "dtype": "float32"}, calls=[Call()])
    calls = [Call(args=(TensorRef("x"), number)) for number in (1, 2)]
    layer = Layer("Add", "add", {}, calls=calls, module="keras.src.ops.numpy")
    outputs = [TensorRef("add"), TensorRef("add", 1)]
    model = LayersModel("m", "Functional", [entry, layer], [TensorRef("x")], outputs)
    with pytest.raises(UnsupportedError, match="its calls have different constants"):
        legalize(model)


@pytest.mark.parametrize(
    ("class_name", "config", "args"),
    [
        ("Concatenate", {"axis": 7}, ([TensorRef("x"), TensorRef("x")],)),
        ("Reshape", {}, (TensorRef("x"),)),
        ("Split", {"axis": 1, "indices_or_sections": "all"}, (TensorRef("x"),)),
        ("Split", {"axis": 2, "indices_or_sections": 10**12}, (TensorRef("x"),)),
        ("Unstack", {"axis": 2}, (TensorRef("x"),)),
        ("Mean", {"axis": "last"}, (TensorRef("x"),)),
        ("GetItem", {}, (TensorRef("x"), [slice(None), 9])),
        ("Pad", {"pad_width": [[1, 2, 3]]}, (TensorRef("x"),)),
        ("Add", {}, (TensorRef("x"), 1, 2)),
    ],
)
def test_senseless_arguments(
    class_name: str, config: dict[str, Any], args: tuple[Any, ...]
) -> None:
    shape = [None, 3, 10**12] if config.get("axis") == 2 else [None, 3]
    entry = Layer("InputLayer", "x", {"batch_shape": shape, "dtype": "float32"}, calls=[Call()])
    layer = Layer(class_name, "op", config, calls=[Call(args=args)], module="keras.src.ops.numpy")
    model = LayersModel("m", "Functional", [entry, layer], [TensorRef("x")], [TensorRef("op")])
    with pytest.raises(CorruptFileError, match="arguments that make no sense"):
        legalize(model)
