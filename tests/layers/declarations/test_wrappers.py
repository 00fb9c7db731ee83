from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import tfjs
from tests.support.declared import one_layer
from tests.support.roundtrip import as_list, check_roundtrip, error_of, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.layers.legalize import legalize

SHAPE = (2, 4, 3)
VIDEO = (2, 3, 6, 6, 2)
MERGES = ["concat", "sum", "mul", "ave", None]


def check(
    k: ModuleType,
    runtime: TfjsRuntime,
    folder: Path,
    layer: Any,
    shape: tuple[int, ...],
    **how: Any,
) -> tfjs.Report:
    inputs = k.Input(shape[1:])
    model = randomised(k.Model(inputs, layer(inputs)))
    return check_roundtrip(model, [sample(shape)], runtime, folder, **how)


# Bidirectional -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize(
    "config", [{"return_sequences": True}, {"return_state": True}], ids=["sequences", "state"]
)
def test_merge_modes(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    kind: str,
    config: dict[str, Any],
) -> None:
    inputs = keras.Input(SHAPE[1:])
    outputs = [
        keras.layers.Bidirectional(
            getattr(keras.layers, kind)(5, **config), merge_mode=mode, name=f"{mode}"
        )(inputs)
        for mode in MERGES
    ]
    model = randomised(keras.Model(inputs, keras.tree.flatten(outputs)))
    report = check_roundtrip(model, [sample(SHAPE)], tfjs_runtime, tmp_path)
    assert ("Bidirectional as two layers and a merge" in report.rewrites) == (kind == "GRU")
    names = {port.name for port in report.outputs}
    assert {str(mode) for mode in MERGES if mode is not None} <= names


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_of_tf_keras(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, kind: str, suffix: str
) -> None:
    inner = getattr(tf_keras.layers, kind)(5, return_sequences=True)
    layer = tf_keras.layers.Bidirectional(inner)
    check(tf_keras, tfjs_runtime, tmp_path, layer, SHAPE, suffix=suffix)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_initial_states(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, kind: str
) -> None:
    count = 4 if kind == "LSTM" else 2
    inputs, states = keras.Input((4, 3)), [keras.Input((5,)) for _ in range(count)]
    layer = keras.layers.Bidirectional(getattr(keras.layers, kind)(5))
    model = keras.Model([inputs, *states], layer(inputs, initial_state=states))
    arrays = [sample(SHAPE), *(sample((2, 5), seed=at + 1) for at in range(count))]
    check_roundtrip(randomised(model), arrays, tfjs_runtime, tmp_path)


def test_own_backward_layer(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = tf_keras.layers
    backward = layers.LSTM(5, go_backwards=True, name="mirror")
    layer = layers.Bidirectional(layers.LSTM(5, name="plain"), backward_layer=backward)
    report = check(tf_keras, tfjs_runtime, tmp_path, layer, SHAPE, suffix=".h5")
    assert not report.rewrites


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_unlike_backward_layer(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, kind: str
) -> None:
    rnn = getattr(keras.layers, kind)
    layer = keras.layers.Bidirectional(
        rnn(5, return_sequences=True, return_state=True),
        backward_layer=rnn(
            2, return_sequences=True, return_state=True, go_backwards=True, activation="sigmoid"
        ),
    )
    inputs = keras.Input(SHAPE[1:])
    model = randomised(keras.Model(inputs, layer(inputs)))
    model.save(tmp_path / "model.keras")
    report = tfjs.convert(tmp_path / "model.keras", tmp_path / "web")
    answers = tfjs_runtime.predict_layers(tmp_path / "web", [sample(SHAPE)])
    # Keras itself is wrong about the shape, so only the numbers are compared.
    for answer, expected in zip(answers, as_list(model(sample(SHAPE))), strict=True):
        assert error_of(answer, expected) < 1e-5
    assert "Bidirectional as two layers and a merge" in report.rewrites


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell"])
def test_rnn_of_a_cell(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, kind: str
) -> None:
    inner = keras.layers.RNN(getattr(keras.layers, kind)(5), return_sequences=True)
    check(keras, tfjs_runtime, tmp_path, keras.layers.Bidirectional(inner), SHAPE)


def test_conv_lstm(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    options = {"return_sequences": True, "recurrent_activation": "hard_sigmoid"}
    inner = keras.layers.ConvLSTM2D(3, 3, **options)
    check(keras, tfjs_runtime, tmp_path, keras.layers.Bidirectional(inner), VIDEO)


def test_hard_sigmoid(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    inner = keras.layers.LSTM(5, recurrent_activation="hard_sigmoid")
    check(keras, tfjs_runtime, tmp_path, keras.layers.Bidirectional(inner), SHAPE)


def test_with_masks(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    layers = keras.layers
    stack = [
        layers.Embedding(9, 4, mask_zero=True),
        layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
        layers.Bidirectional(layers.LSTM(3)),
    ]
    model = randomised(keras.Sequential([keras.Input((4,)), *stack]))
    ids = sample((3, 4)).round().clip(0, 8)
    check_roundtrip(model, [ids], tfjs_runtime, tmp_path)


def test_unlike_directions_with_masks(keras: ModuleType, tmp_path: Path) -> None:
    layers = keras.layers
    backward = layers.LSTM(2, go_backwards=True)
    layer = layers.Bidirectional(layers.LSTM(3), backward_layer=backward)
    stack = [keras.Input((4,)), layers.Embedding(9, 4, mask_zero=True), layer]
    keras.Sequential(stack).save(tmp_path / "model.keras")
    with pytest.raises(UnsupportedError, match="would not treat the mask alike"):
        tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to="tfjs-layers")


def test_names_of_the_directions() -> None:
    inner = {"class_name": "LSTM", "config": {"name": "x", "units": 2}}
    ahead = {"class_name": "LSTM", "config": {"name": "forward_x", "units": 2}}
    back = {"class_name": "LSTM", "config": {"name": "y", "units": 2, "go_backwards": True}}

    def names(config: dict[str, Any], dialect: Any) -> list[str]:
        layer = one_layer("Bidirectional", config, (4, 3), dialect).layer("probe")
        assert list(layer.children) == ["forward_layer", "backward_layer"]
        assert layer.children["backward_layer"].config["go_backwards"]
        return [child.name for child in layer.children.values()]

    assert names({"layer": inner}, "keras2") == ["forward_x", "backward_x"]
    assert names({"layer": inner}, "tfjs") == ["forward_x", "backward_x"]
    assert names({"layer": inner, "backward_layer": back}, "keras2") == ["forward_x", "backward_y"]
    assert names({"layer": ahead, "backward_layer": back}, "keras3") == ["forward_x", "y"]
    assert names({"layer": ahead}, "keras3") == ["forward_x", "backward_forward_x"]


def test_bidirectional_of_something_else() -> None:
    inner = {"class_name": "Dense", "config": {"name": "x", "units": 2}}
    with pytest.raises(UnsupportedError, match="wraps Dense, which TF"):
        legalize(one_layer("Bidirectional", {"layer": inner}, (4, 3)))


@pytest.mark.parametrize("class_name", ["Bidirectional", "TimeDistributed"])
def test_wraps_nothing(class_name: str) -> None:
    with pytest.raises(CorruptFileError, match="wraps no layer"):
        legalize(one_layer(class_name, {}, (4, 3)))


# TimeDistributed -----------------------------------------------------------------------------

INNER: dict[str, Callable[[Any], Any]] = {
    "conv": lambda layers: layers.Conv2D(3, 3, activation="leaky_relu"),
    "grouped": lambda layers: layers.Conv2D(4, 3, groups=2),
    "pooling": lambda layers: layers.MaxPooling2D(),
    "global": lambda layers: layers.GlobalAveragePooling2D(),
    "flatten": lambda layers: layers.Flatten(),
    "dropped": lambda layers: layers.RandomFlip(),
    "normalised": lambda layers: layers.BatchNormalization(),
    "nested": lambda layers: layers.TimeDistributed(layers.Dense(3)),
}


@pytest.mark.parametrize("name", INNER)
def test_over_pictures(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, name: str
) -> None:
    layer = keras.layers.TimeDistributed(INNER[name](keras.layers))
    check(keras, tfjs_runtime, tmp_path, layer, VIDEO)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_over_sequences(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, kind: str
) -> None:
    inner = keras.layers.Bidirectional(getattr(keras.layers, kind)(3))
    layer = keras.layers.TimeDistributed(inner)
    check(keras, tfjs_runtime, tmp_path, layer, (2, 3, 4, 3))


def test_of_a_model(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    layers = keras.layers
    inner = keras.Sequential([keras.Input((6, 6, 2)), layers.Conv2D(3, 3), layers.Flatten()])
    stack = [layers.TimeDistributed(inner), layers.LSTM(3)]
    model = randomised(keras.Sequential([keras.Input(VIDEO[1:]), *stack]))
    check_roundtrip(model, [sample(VIDEO)], tfjs_runtime, tmp_path)


def test_unknown_length(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    layers = keras.layers
    stack = [layers.TimeDistributed(layers.Dense(3, activation="hard_silu")), layers.LSTM(3)]
    model = randomised(keras.Sequential([keras.Input((None, 3)), *stack]))
    report = check_roundtrip(model, [sample(SHAPE)], tfjs_runtime, tmp_path)
    assert report.rewrites


def test_dense_in_tf_keras(tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    layer = tf_keras.layers.TimeDistributed(tf_keras.layers.Dense(3, name="inner"), name="steps")
    report = check(tf_keras, tfjs_runtime, tmp_path, layer, SHAPE, suffix=".h5")
    assert not report.rewrites


def test_reason_of_the_inner_layer(keras: ModuleType, tmp_path: Path) -> None:
    layer = keras.layers.TimeDistributed(keras.layers.Dense(3, activation="sparsemax"), name="td")
    keras.Sequential([keras.Input((4, 3)), layer]).save(tmp_path / "model.keras")
    with pytest.raises(UnsupportedError, match=r"td/dense\w* \(Dense\): TF.js lacks the"):
        tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to="tfjs-layers")
