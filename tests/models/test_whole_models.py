"""Whole models of Keras 3 and tf_keras, converted and run by the real TF.js."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.weights import randomise

APPLICATIONS: dict[str, dict[str, Any]] = {
    "MobileNet": {"alpha": 0.25},
    "MobileNetV2": {"alpha": 0.35},
    "MobileNetV3Small": {"minimalistic": False},
    "EfficientNetB0": {},
    "EfficientNetV2B0": {},
    "DenseNet121": {},
    "NASNetMobile": {},
    "ResNet50": {},
    "ResNet50V2": {},
    "Xception": {},
    "InceptionV3": {},
}
# NASNet's cells have no size below its own; the others are small to be fast.
SIZES = {"NASNetMobile": 224, "InceptionV3": 96, "Xception": 96}


@pytest.mark.parametrize("name", sorted(APPLICATIONS))
def test_an_application_of_keras_3(
    name: str, keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    size = SIZES.get(name, 64)
    build = getattr(keras.applications, name)
    model = build(weights=None, input_shape=(size, size, 3), classes=10, **APPLICATIONS[name])
    randomise(model)
    x = np.random.default_rng(1).uniform(0, 255, (2, size, size, 3)).astype(np.float32)
    model.save(tmp_path / "model.keras")
    tfjs.convert(tmp_path / "model.keras", tmp_path / "web")
    (answer,) = tfjs_runtime.predict_layers(tmp_path / "web", [x], backend="wasm")
    _assert_close(answer, model.predict(x, verbose=0), 1e-4)


def _assert_close(answer: Any, expected: Any, bound: float) -> None:
    assert answer.shape == expected.shape
    assert np.abs(answer - expected).max() / np.abs(expected).max() < bound


def branches(k: ModuleType) -> Any:
    """Two inputs of one shape, three outputs in no alphabetical order."""
    left, right = k.Input((4,), name="zeta"), k.Input((4,), name="alpha")
    shared = k.layers.Dense(5, activation="tanh", name="shared")
    a, b = shared(left), shared(right)
    both = k.layers.Concatenate(name="both")([a, b])
    minus = k.layers.Subtract(name="minus")([a, b])
    outputs = [
        k.layers.Dense(3, name="third")(both),
        k.layers.Dense(2, name="first")(minus),
        k.layers.Dense(1, name="second")(a),
    ]
    return k.Model([left, right], outputs)


def nested(k: ModuleType) -> Any:
    """Models in models, with layers of the same name in each, one of them called three times."""
    lowest = k.Sequential([k.Input((6,)), k.layers.Dense(6, name="low")], name="lowest")
    deep_in = k.Input((6,))
    deep = k.Model(deep_in, k.layers.Dense(6, name="mid")(lowest(deep_in)), name="deep")
    inner = k.Sequential([k.Input((6,)), k.layers.Dense(6, name="twin")], name="inner")
    other = k.Sequential([k.Input((6,)), k.layers.Dense(6, name="twin_b")], name="other")
    x = k.Input((6,))
    y = k.layers.Add()([deep(inner(x)), inner(inner(other(x)))])
    return k.Model(x, k.layers.Dense(2, name="top")(y))


def recurrent(k: ModuleType) -> Any:
    """Stacked, bidirectional, with states handed from an encoder to a decoder."""
    encoded, decoded = k.Input((5, 3), name="encoded"), k.Input((4, 2), name="decoded")
    x = k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True))(encoded)
    _, h, c = k.layers.LSTM(6, return_state=True)(x)
    y = k.layers.LSTM(6, return_sequences=True)(decoded, initial_state=[h, c])
    y = k.layers.TimeDistributed(k.layers.Dense(5, activation="relu"))(y)
    z = k.layers.GRU(3, reset_after=False)(y)
    return k.Model([encoded, decoded], [k.layers.Dense(2)(z), y])


def masked(k: ModuleType) -> Any:
    """A masked branch and a plain one, both with RNNs: masks must not leak."""
    words, numbers = k.Input((7,), dtype="int32", name="words"), k.Input((7, 2), name="numbers")
    x = k.layers.Embedding(20, 6, mask_zero=True)(words)
    x = k.layers.LSTM(5, return_sequences=True)(x)
    x = k.layers.LSTM(4)(x)
    y = k.layers.LSTM(3)(numbers)
    return k.Model([words, numbers], k.layers.Dense(2)(k.layers.Concatenate()([y, x])))


def gru_after(k: ModuleType) -> Any:
    """The GRU of today's default, in both directions."""
    x = k.Input((6, 3))
    y = k.layers.Bidirectional(k.layers.GRU(4, return_sequences=True))(x)
    return k.Model(x, k.layers.GRU(3)(y))


def text(k: ModuleType) -> Any:
    """Embedding, Conv1D, pooling: a text classifier."""
    layers = [
        k.Input((20,), dtype="int32"),
        k.layers.Embedding(50, 8),
        k.layers.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="relu"),
        k.layers.MaxPooling1D(2),
        k.layers.SeparableConv1D(5, 3, activation="leaky_relu"),
        k.layers.GlobalAveragePooling1D(),
        k.layers.Dense(4, activation="softmax"),
    ]
    return k.Sequential(layers)


def images(k: ModuleType) -> Any:
    """Augmentation, normalisation, transposed convolutions, upsampling."""
    x = k.Input((12, 12, 3))
    y = k.layers.RandomFlip("horizontal")(x)
    y = k.layers.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.2, 0.3, 0.1])(y)
    y = k.layers.Rescaling(2.0, offset=-1.0)(y)
    y = k.layers.Conv2D(6, 3, strides=2, padding="same", kernel_regularizer="l2")(y)
    y = k.layers.BatchNormalization()(y)
    y = k.layers.ReLU(max_value=6.0)(y)
    y = k.layers.DepthwiseConv2D(3, padding="same", dilation_rate=2)(y)
    y = k.layers.SpatialDropout2D(0.3)(y)
    y = k.layers.Conv2DTranspose(4, 3, strides=2, padding="same")(y)
    y = k.layers.UpSampling2D(2, interpolation="bilinear")(y)
    return k.Model(x, k.layers.Conv2D(1, 1, activation="sigmoid")(y))


def twins(k: ModuleType) -> Any:
    """Two nested models whose layers have one name: TF.js would see one weight twice."""
    models = [
        k.Sequential([k.Input((6,)), k.layers.Dense(6, name="twin")], name=name)
        for name in ("left", "right")
    ]
    x = k.Input((6,))
    return k.Model(x, k.layers.Add()([models[0](x), models[1](x)]))


MODELS: list[Callable[[ModuleType], Any]] = [
    branches,
    nested,
    recurrent,
    masked,
    gru_after,
    text,
    images,
]
SOURCES = [
    ("keras", ".keras"),
    ("keras", ".h5"),
    ("keras", "live"),
    ("tf_keras", ".keras"),
    ("tf_keras", ".h5"),
    ("tf_keras", "saved_model"),
    ("tf_keras", "live"),
]


@pytest.mark.parametrize("build", MODELS)
@pytest.mark.parametrize(("library", "form"), SOURCES)
def test_a_model_from_every_form(
    build: Callable[[ModuleType], Any],
    library: str,
    form: str,
    request: pytest.FixtureRequest,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
) -> None:
    module: ModuleType = request.getfixturevalue(library)
    model = build(module)
    randomise(model)
    source: Any = model
    if form != "live":
        source = tmp_path / (f"model{form}" if form.startswith(".") else form)
        model.save(source)
    tfjs.convert(source, tmp_path / "web")
    inputs = _inputs(model)
    answers = tfjs_runtime.predict_layers(tmp_path / "web", inputs)
    for answer, want in zip(answers, _predict(model, inputs), strict=True):
        _assert_close(answer, want, 1e-5)


def _predict(model: Any, inputs: list[Any]) -> list[Any]:
    answer = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    return list(answer) if isinstance(answer, list | tuple) else [answer]


def _inputs(model: Any) -> list[Any]:
    rng = np.random.default_rng(2)
    found: list[Any] = []
    for tensor in model.inputs:
        shape = (3, *tensor.shape[1:])
        if "int" in str(tensor.dtype):
            found.append(rng.integers(0, 5, shape).astype(np.int32))
        else:
            found.append(rng.normal(size=shape).astype(np.float32))
    return found


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_two_nested_models_with_layers_of_one_name(
    library: str, request: pytest.FixtureRequest, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    model = twins(request.getfixturevalue(library))
    randomise(model)
    model.save(tmp_path / "model.keras")
    report = tfjs.convert(tmp_path / "model.keras", tmp_path / "web")
    assert report.rewrites["renamed, as TF.js needs it"] == ["right/twin -> right_twin"]
    inputs = _inputs(model)
    (answer,) = tfjs_runtime.predict_layers(tmp_path / "web", inputs)
    _assert_close(answer, _predict(model, inputs)[0], 1e-5)


def wrapped(k: ModuleType) -> Any:
    """What wraps other layers, and a nested model that is called once."""
    inner = k.Sequential([k.Input((4,)), k.layers.Dense(3, name="low")], name="inner")
    x = k.Input((5, 3))
    y = k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True))(x)
    y = k.layers.TimeDistributed(k.layers.Dense(4, activation="elu"))(y)
    y = k.layers.RNN([k.layers.LSTMCell(3), k.layers.LSTMCell(4)])(y)
    return k.Model(x, k.layers.LeakyReLU(0.2)(k.layers.BatchNormalization()(inner(y))))


@pytest.mark.filterwarnings("ignore:Argument `alpha` is deprecated")
@pytest.mark.parametrize(
    ("library", "suffix", "build"),
    [
        ("keras", ".keras", branches),
        ("keras", ".keras", nested),
        ("keras", ".keras", recurrent),
        ("keras", ".keras", wrapped),
        ("keras", ".h5", branches),
        ("keras", ".h5", wrapped),
        ("tf_keras", ".h5", branches),
        ("tf_keras", ".h5", nested),
        ("tf_keras", ".h5", recurrent),
        ("tf_keras", ".h5", wrapped),
    ],
)
def test_keras_to_tfjs_to_keras_is_the_same_model(
    library: str,
    suffix: str,
    build: Callable[[ModuleType], Any],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    module: ModuleType = request.getfixturevalue(library)
    model = build(module)
    randomise(model)
    model.save(tmp_path / f"model{suffix}")
    tfjs.convert(tmp_path / f"model{suffix}", tmp_path / "web")
    tfjs.convert(tmp_path / "web", tmp_path / f"back{suffix}")
    back = module.models.load_model(tmp_path / f"back{suffix}", compile=False)
    if build is not branches:  # Subtract is an Add of the negated input in TF.js
        assert _comparable(back.get_config()) == _comparable(model.get_config())
        for ours, theirs in zip(back.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs, strict=True)
    inputs = _inputs(model)
    for answer, want in zip(_predict(back, inputs), _predict(model, inputs), strict=True):
        np.testing.assert_allclose(answer, want, rtol=1e-6, atol=1e-6)


def _comparable(config: Any) -> Any:
    """A configuration without what has no meaning: tuples against lists, registrations."""
    if isinstance(config, dict):
        skipped = ("build_config", "registered_name", "module", "shared_object_id")
        # HDF5 in the Keras 2 dialect has a list of one where Keras 3 has the one.
        ends = {k: config[k] for k in ("input_layers", "output_layers") if k in config}
        single = {k: v[0] for k, v in ends.items() if len(v) == 1}
        return {k: _comparable(v) for k, v in {**config, **single}.items() if k not in skipped}
    if isinstance(config, list | tuple):
        return [_comparable(item) for item in config]
    return config
