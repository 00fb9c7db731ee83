"""Models of layers as graphs: how they are wired, fed and named; against Keras and TF.js."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.lowered import answer_of, check_lowered
from tests.support.roundtrip import sample
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.weights import randomise
from tfjs.errors import CorruptFileError
from tfjs.formats.base import ReadOptions
from tfjs.formats.registry import named
from tfjs.ir.layers_model import Call, Layer, LayersModel, TensorRef
from tfjs.layers.lowering import lower


def sequential(k: ModuleType) -> Any:
    """Layers in a row."""
    layers = k.layers
    return k.Sequential(
        [
            k.Input((8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(5, activation="softmax"),
        ]
    )


def shared(k: ModuleType) -> Any:
    """A layer that is called three times, once on another rank."""
    one, other = k.Input((4,)), k.Input((3, 4))
    dense = k.layers.Dense(4, activation="tanh")
    return k.Model([one, other], [dense(dense(one)), dense(other)])


def nested(k: ModuleType) -> Any:
    """A model within a model within a model, called twice; the innermost has two outputs."""
    fed = k.Input((4,))
    dense = k.layers.Dense(3, name="dense")(fed)
    inner = k.Model(fed, [dense, k.layers.ReLU(name="relu")(dense)], name="inner")
    middle = k.Sequential([k.Input((4,)), k.layers.Dense(4, name="dense")], name="middle")
    x = k.Input((4,))
    first, second = inner(middle(middle(x)))
    return k.Model(x, k.layers.Subtract()([first, second]))


def branches(k: ModuleType) -> Any:
    """Two inputs, three outputs: one of them an input, one asked for twice."""
    left, right = k.Input((4,), name="zeta"), k.Input((4,), name="alpha")
    both = k.layers.Concatenate(name="both")([left, right])
    made = k.layers.Dense(2, name="made")(both)
    return k.Model([left, right], [made, both, made])


def free(k: ModuleType) -> Any:
    """No size is known but those that weights need."""
    layers = k.layers
    fed = k.Input((None, None, 3))
    made = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(fed)
    made = layers.Conv2DTranspose(4, 3, strides=2, padding="same")(made)
    made = layers.UpSampling2D(2)(layers.AveragePooling2D(2)(made))
    made = layers.GroupNormalization(2)(made)
    made = layers.Reshape((-1, 4))(made)
    return k.Model(fed, layers.Dense(2)(made))


SHAPES: dict[Callable[[ModuleType], Any], list[tuple[int, ...]]] = {
    sequential: [(2, 8, 8, 3)],
    shared: [(2, 4), (2, 3, 4)],
    nested: [(2, 4)],
    branches: [(2, 4), (2, 4)],
    free: [(2, 9, 6, 3)],
}


@pytest.mark.parametrize("line", ["keras", "tf_keras"])
@pytest.mark.parametrize("build", SHAPES, ids=lambda build: build.__name__)
def test_a_model(
    build: Callable[[ModuleType], Any],
    line: str,
    request: pytest.FixtureRequest,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
) -> None:
    k = request.getfixturevalue(line)
    model = build(k)
    randomise(model)
    inputs = [sample(shape, seed) for seed, shape in enumerate(SHAPES[build])]
    suffix = ".keras" if line == "keras" else ".h5"
    check_lowered(model, inputs, tfjs_runtime, tmp_path, suffix=suffix)


def test_another_batch(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    model = free(keras)
    randomise(model)
    for shape in ((1, 4, 4, 3), (3, 7, 8, 3)):
        check_lowered(model, [sample(shape)], tfjs_runtime, tmp_path)


def test_keys_of_inputs_and_outputs(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    one, other = keras.Input((4,), name="left"), keras.Input((3,), name="right")
    made = keras.layers.Concatenate(name="both")([one, other])
    outputs = {"scores": keras.layers.Dense(2, name="head")(made), "all": made}
    model = keras.Model({"left": one, "right": other}, outputs)
    randomise(model)
    model.save(tmp_path / "model.keras")
    tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to="tfjs-graph", verify=False)
    signature = json.loads((tmp_path / "web" / "model.json").read_text())["signature"]
    assert list(signature["inputs"]) == ["left", "right"]
    assert sorted(signature["outputs"]) == ["all", "scores"]
    fed = {"left": sample((2, 4)), "right": sample((2, 3))}
    names = {key: entry["name"] for key, entry in signature["inputs"].items()}
    run = tfjs_runtime.run_graph(tmp_path / "web", {names[key]: x for key, x in fed.items()})
    wanted = {key: np.asarray(item) for key, item in model(fed).items()}
    assert [answer.shape for answer in run.answers] == [
        wanted[key].shape for key in signature["outputs"]
    ]
    for answer, key in zip(run.answers, signature["outputs"], strict=True):
        np.testing.assert_allclose(answer, wanted[key], rtol=1e-5, atol=1e-6)


def test_weights_are_variables_once_each(keras: ModuleType, tmp_path: Path) -> None:
    shared(keras).save(tmp_path / "model.keras")
    model = named("keras").read(tmp_path / "model.keras", ReadOptions())
    assert isinstance(model, LayersModel)
    graph = lower(model)
    assert sorted(tensor.shape for tensor in graph.variables.values()) == [(4,), (4, 4)]
    assert {graph.graph.nodes[name].op for name in graph.variables} == {"VarHandleOp"}


def test_numbers_of_another_precision(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    fed = keras.Input((4,), dtype="float16")
    model = keras.Model(fed, keras.layers.Dense(3, dtype="bfloat16")(fed))
    randomise(model)
    x = sample((2, 4)).astype(np.float16)
    check_lowered(model, [x], tfjs_runtime, tmp_path, tolerance=2e-2)


def test_all_that_cannot_be_expressed_is_listed(keras: ModuleType, tmp_path: Path) -> None:
    fed = keras.Input((6, 7, 3))
    crop = keras.layers.RandomCrop(3, 3, name="crop")
    made = keras.layers.Activation("threshold", name="steps")(crop(crop(fed)))
    inner = keras.Model(fed, made, name="inner")
    x = keras.Input((6, 7, 3))
    keras.Model(x, inner(keras.layers.ReLU()(x))).save(tmp_path / "model.keras")
    with pytest.raises(tfjs.UnsupportedError, match="2 layers cannot be expressed") as caught:
        tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to="tfjs-graph")
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "inner/crop (RandomCrop)",
        "inner/steps (Activation)",
    ]
    assert not (tmp_path / "web").exists()


def _wired(*layers: Layer) -> LayersModel:
    source = Layer("InputLayer", "x", {"batch_shape": [None, 4], "dtype": "float32"})
    source.calls.append(Call())
    last = layers[-1].name
    return LayersModel("m", "Functional", [source, *layers], TensorRef("x"), TensorRef(last))


def test_a_layer_without_its_weights() -> None:
    layer = Layer("Dense", "dense", {"units": 3}, calls=[Call((TensorRef("x"),))])
    with pytest.raises(CorruptFileError, match="has no weight 'kernel'"):
        lower(_wired(layer))


def test_an_output_that_a_layer_does_not_have() -> None:
    first = Layer("ReLU", "first", {}, calls=[Call((TensorRef("x"),))])
    second = Layer("ReLU", "second", {}, calls=[Call((TensorRef("first", 0, 1),))])
    with pytest.raises(CorruptFileError, match="refers to output 1 of layer 'first'"):
        lower(_wired(first, second))


def test_arguments_that_make_no_sense() -> None:
    layer = Layer("Dense", "dense", {"units": 3}, calls=[Call(("text",))])
    with pytest.raises(CorruptFileError, match=r"'dense' \(Dense\) has a configuration or"):
        lower(_wired(layer))


def test_a_class_that_is_not_known() -> None:
    layer = Layer("Mine", "own", {}, calls=[Call((TensorRef("x"),))])
    with pytest.raises(tfjs.UnsupportedError) as caught:
        lower(_wired(layer))
    assert list(caught.value.problems) == [
        "own (Mine): is no Keras layer, and its code is not in the file"
    ]


@pytest.mark.parametrize("line", ["keras", "tf_keras"])
def test_a_mask_that_a_row_of_layers_hands_on(
    line: str, request: pytest.FixtureRequest, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    """From an Embedding in a nested model through to a mean outside."""
    k = request.getfixturevalue(line)
    layers = k.layers
    table = k.Sequential([k.Input((5,), dtype="int32"), layers.Embedding(9, 4, mask_zero=True)])
    rows = [table, layers.Dropout(0.1), layers.Dense(3), layers.LayerNormalization()]
    model = k.Sequential([k.Input((5,), dtype="int32"), *rows, layers.GlobalAveragePooling1D()])
    randomise(model)
    ids = np.array([[1, 0, 8, 0, 0], [3, 4, 5, 6, 0]], np.int32)
    suffix = ".keras" if line == "keras" else ".h5"
    check_lowered(model, [ids], tfjs_runtime, tmp_path, suffix=suffix)


@pytest.mark.parametrize(
    ("name", "size"),
    # ConvNeXt has a layer class of its own, LayerScale, that is none of keras.layers.
    [("MobileNetV2", 64), ("EfficientNetB0", 64), ("NASNetMobile", 224)],
)
def test_an_application(
    name: str, size: int, keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    build = getattr(keras.applications, name)
    model = build(weights=None, input_shape=(size, size, 3), classes=10)
    randomise(model)
    x = np.random.default_rng(1).uniform(0, 255, (2, size, size, 3)).astype(np.float32)
    model.save(tmp_path / "model.keras")
    tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to="tfjs-graph", verify=False)
    (answer,) = tfjs_runtime.predict_graph(tmp_path / "web", [x], backend="wasm")
    (expected,) = answer_of(model, [x])
    assert answer.shape == expected.shape
    assert np.abs(answer - expected).max() <= 1e-4 * np.abs(expected).max()
