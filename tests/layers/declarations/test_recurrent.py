from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support import keras_models
from tests.support.cudnn_models import cudnn_pair
from tests.support.declared import one_layer, slots_of
from tests.support.roundtrip import check_roundtrip, error_of, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.ir.layers_model import KERAS2_HARD_SIGMOID, Weight
from tfjs.ir.tensor import ArrayTensor
from tfjs.layers.declarations.recurrent import plain_rnn
from tfjs.layers.legalize import legalize
from tfjs.layers.shapes import infer_shapes

SHAPE = (2, 4, 3)
STATES = {"SimpleRNN": 1, "LSTM": 2, "GRU": 1}
KINDS = list(STATES)

Build = Callable[..., Any]


def model_of(keras: ModuleType, build: Build, *shapes: tuple[int | None, ...]) -> Any:
    """A functional model; all outputs, however nested, in a row."""
    inputs = [keras.Input(shape[1:]) for shape in shapes]
    outputs = build(*inputs)
    if isinstance(outputs, list | tuple):
        outputs = [item for part in outputs for item in (part if _many(part) else [part])]
    return randomised(keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs))


def _many(part: Any) -> bool:
    return isinstance(part, list | tuple)


def check(
    keras: ModuleType,
    runtime: TfjsRuntime,
    folder: Path,
    build: Build,
    *shapes: tuple[int, ...],
    **options: Any,
) -> tfjs.Report:
    arrays = [sample(shape, seed=at) for at, shape in enumerate(shapes or [SHAPE])]
    model = model_of(keras, build, *(shapes or [SHAPE]))
    return check_roundtrip(model, arrays, runtime, folder, **options)


def refusal(keras: ModuleType, folder: Path, model: Any) -> str:
    source = folder / "model.keras"
    model.save(source)
    with pytest.raises(UnsupportedError) as caught:
        tfjs.convert(source, folder / "web", to="tfjs-layers")
    assert not (folder / "web").exists()
    return str(caught.value)


# What TF.js has ------------------------------------------------------------------------------

PLAIN = [
    {},
    {"return_sequences": True, "go_backwards": True},
    {"return_sequences": True, "return_state": True},
    {"use_bias": False, "activation": "relu"},
    {"dropout": 0.5, "recurrent_dropout": 0.5, "unroll": True},
]


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("config", PLAIN, ids=str)
@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM"])
def test_plain(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    kind: str,
    config: dict[str, Any],
    suffix: str,
) -> None:
    layer = getattr(keras.layers, kind)(5, name="rnn", **config)
    report = check(keras, tfjs_runtime, tmp_path, layer, suffix=suffix)
    assert not report.rewrites
    assert report.outputs[0].name == "rnn"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_plain_of_tf_keras(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, kind: str, suffix: str
) -> None:
    options = {"reset_after": False} if kind == "GRU" else {}
    layer = getattr(tf_keras.layers, kind)(5, return_state=True, **options)
    check(tf_keras, tfjs_runtime, tmp_path, layer, suffix=suffix)


@pytest.mark.parametrize("kind", KINDS)
def test_initial_state(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, kind: str
) -> None:
    options = {"reset_after": False} if kind == "GRU" else {}
    layer = getattr(keras.layers, kind)(5, **options)
    states = [(2, 5)] * STATES[kind]
    check(
        keras,
        tfjs_runtime,
        tmp_path,
        lambda x, *given: layer(x, initial_state=list(given)),
        SHAPE,
        *states,
    )


def test_initial_state_of_another_layer_in_tf_keras(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = tf_keras.layers

    def build(x: Any) -> Any:
        _, *states = layers.LSTM(5, return_state=True)(x)
        return layers.LSTM(5, return_sequences=True)(x, initial_state=states)

    check(tf_keras, tfjs_runtime, tmp_path, build, suffix=".h5")


def test_unknown_length(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    inputs = keras.Input((None, 3))
    layers = keras.layers
    sequence = layers.LSTM(4, return_sequences=True)(inputs)
    model = randomised(keras.Model(inputs, layers.SimpleRNN(2)(sequence)))
    check_roundtrip(model, [sample((3, 7, 3))], tfjs_runtime, tmp_path)


# Activations ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("SimpleRNN", {"activation": "hard_sigmoid"}),
        ("LSTM", {"recurrent_activation": "hard_sigmoid"}),
        ("GRU", {"recurrent_activation": "hard_sigmoid", "activation": "hard_sigmoid"}),
    ],
)
def test_hard_sigmoid_of_keras3(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    kind: str,
    config: dict[str, Any],
) -> None:
    options = {"reset_after": False} if kind == "GRU" else {}
    layer = getattr(keras.layers, kind)(5, **config, **options)
    model = randomised(keras.Sequential([keras.Input((4, 3)), layer]))
    for weight in layer.weights:
        weight.assign(weight * 4)  # far enough for the ends of the ramp
    report = check_roundtrip(model, [sample(SHAPE)], tfjs_runtime, tmp_path)
    assert any("hard_sigmoid" in note for note in report.rewrites)


def test_hard_sigmoid_of_keras2(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layer = tf_keras.layers.LSTM(5, recurrent_activation="hard_sigmoid")
    report = check(tf_keras, tfjs_runtime, tmp_path, layer, suffix=".h5")
    assert not report.rewrites


def test_scaled_columns() -> None:
    model = one_layer("LSTM", {"units": 2, "recurrent_activation": "hard_sigmoid"}, (4, 3))
    before = {weight.name: weight.tensor.array() for weight in model.layer("probe").weights}
    layer = legalize(model).model.layer("probe")
    assert layer.config["recurrent_activation"] == KERAS2_HARD_SIGMOID
    for weight in layer.weights:
        scaled = np.array([5 / 6] * 4 + [1] * 2 + [5 / 6] * 2)
        expected = before[weight.name] * scaled
        np.testing.assert_allclose(weight.tensor.array(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"activation": "hard_sigmoid"}, "Keras 3's hard_sigmoid"),
        ({"activation": "leaky_relu"}, "TF.js has no activation leaky_relu"),
        ({"recurrent_activation": "exponential"}, "no recurrent_activation exponential"),
        (
            {"activation": {"class_name": "ELU", "config": {"alpha": 2.0}}},
            "its activation is the layer ELU",
        ),
    ],
)
def test_activations_that_tfjs_lacks(config: dict[str, Any], why: str) -> None:
    model = one_layer("LSTM", {"units": 2, **config}, (4, 3))
    with pytest.raises(UnsupportedError, match=why):
        legalize(model)


# State ---------------------------------------------------------------------------------------


def test_stateful(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    inputs = keras.Input(batch_shape=(2, 4, 3))
    model = randomised(keras.Model(inputs, keras.layers.LSTM(5, stateful=True)(inputs)))
    model.save(tmp_path / "model.keras")
    tfjs.convert(tmp_path / "model.keras", tmp_path / "web")
    first, second = sample(SHAPE), sample(SHAPE, seed=1)
    run = tfjs_runtime.run_layers(tmp_path / "web", [first], [second], batch_size=2)
    model.layers[1].reset_states()
    for array, answers in zip((first, second), run.calls, strict=True):
        assert error_of(answers[0], np.asarray(model(array))) < 1e-5


def test_stateful_needs_a_fixed_batch() -> None:
    model = one_layer("LSTM", {"units": 2, "stateful": True}, (4, 3))
    with pytest.raises(UnsupportedError, match=r"fixed batch size: build the model with\s+Input"):
        legalize(model)


def test_stateful_with_several_outputs(keras: ModuleType, tmp_path: Path) -> None:
    inputs = keras.Input(batch_shape=(2, 4, 3))
    layer = keras.layers.LSTM(5, stateful=True, return_state=True)
    assert "for each of which TF.js would move its state on" in refusal(
        keras, tmp_path, keras.Model(inputs, layer(inputs))
    )


def test_time_major(tf_keras: ModuleType, tmp_path: Path) -> None:
    inputs = tf_keras.Input((4, 3))
    model = tf_keras.Model(inputs, tf_keras.layers.LSTM(2, time_major=True)(inputs))
    model.save(tmp_path / "model.h5")
    with pytest.raises(UnsupportedError, match="steps before the batch"):
        tfjs.convert(tmp_path / "model.h5", tmp_path / "web", to="tfjs-layers")


# Masks ---------------------------------------------------------------------------------------

IDS = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 8], [3, 0, 2, 0, 0]], np.int32)


def translator(k: ModuleType, decoders: int) -> Any:
    """An encoder with a mask and decoders that start from its state."""
    source, target = k.Input((5,), dtype="int32"), k.Input((5,), dtype="int32")
    words = k.layers.Embedding(9, 4, mask_zero=True)(source)
    _, *states = k.layers.LSTM(3, return_state=True)(words)
    sequence = k.layers.Embedding(9, 4, mask_zero=True)(target)
    for _ in range(decoders):
        sequence = k.layers.LSTM(3, return_sequences=True)(sequence, initial_state=states)
    return randomised(k.Model([source, target], k.layers.Dense(4)(sequence)))


def test_encoder_and_decoder_of_keras3(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    # Keras 3 hands no mask to an RNN with initial states; TF.js would.
    check_roundtrip(translator(keras, 1), [IDS, IDS], tfjs_runtime, tmp_path)


def test_encoder_and_decoder_of_keras2(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    model = translator(tf_keras, 1)
    report = check_roundtrip(model, [IDS, IDS], tfjs_runtime, tmp_path, suffix=".h5")
    assert any("at masked steps before the first other one" in note for note in report.notes)


def test_two_decoders_with_masks(keras: ModuleType, tmp_path: Path) -> None:
    message = refusal(keras, tmp_path, translator(keras, 2))
    assert "TF.js 4.22 would hand that state on to another RNN" in message


def test_zeros_for_masked_steps(keras: ModuleType, tmp_path: Path) -> None:
    inputs = keras.Input((5,), dtype="int32")
    masked = keras.layers.Embedding(9, 4, mask_zero=True)(inputs)
    layer = keras.layers.LSTM(3, zero_output_for_mask=True)
    message = refusal(keras, tmp_path, keras.Model(inputs, layer(masked)))
    assert "cannot answer zeros for masked steps" in message


def test_zero_output_without_a_mask(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    check(keras, tfjs_runtime, tmp_path, keras.layers.LSTM(3, zero_output_for_mask=True))


# RNNs of cells -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("config", [{}, {"return_sequences": True, "return_state": True}], ids=str)
def test_rnn_of_a_cell(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    kind: str,
    config: dict[str, Any],
) -> None:
    options = {"reset_after": False} if kind == "GRU" else {}
    cell = getattr(keras.layers, f"{kind}Cell")(5, **options)
    report = check(keras, tfjs_runtime, tmp_path, keras.layers.RNN(cell, **config))
    assert not report.rewrites


def test_rnn_of_a_cell_in_tf_keras(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = tf_keras.layers
    layer = layers.RNN([layers.LSTMCell(5), layers.SimpleRNNCell(3)])
    check(tf_keras, tfjs_runtime, tmp_path, layer, suffix=".h5")


def test_stacked_cells(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    layers = keras.layers
    layer = layers.RNN([layers.LSTMCell(5), layers.SimpleRNNCell(3)], return_sequences=True)
    report = check(keras, tfjs_runtime, tmp_path, layer)
    assert not report.rewrites


def test_states_of_stacked_cells(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    cells = [layers.GRUCell(4), layers.LSTMCell(3), layers.SimpleRNNCell(2)]
    layer = layers.RNN(cells, return_state=True, return_sequences=True, go_backwards=True)
    report = check(keras, tfjs_runtime, tmp_path, layer)
    assert {"RNN of a LSTMCell as LSTM", "RNN of a SimpleRNNCell as SimpleRNN"} <= set(
        report.rewrites
    )


def test_initial_states_of_stacked_cells(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = keras.layers
    layer = layers.RNN([layers.LSTMCell(5), layers.SimpleRNNCell(3)])
    check(
        keras,
        tfjs_runtime,
        tmp_path,
        lambda x, h, c, s: layer(x, initial_state=[[h, c], s]),
        SHAPE,
        (2, 5),
        (2, 5),
        (2, 3),
    )


def test_dropout_of_a_cell(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    # TF.js would keep the dropout mask of the cell, which has the size of the first batch.
    layers = keras.layers
    inputs = keras.Input((4, 3))
    model = randomised(
        keras.Model(inputs, layers.RNN(layers.LSTMCell(5, dropout=0.5, name="c"))(inputs))
    )
    check_roundtrip(model, [sample((33, 4, 3))], tfjs_runtime, tmp_path)


def test_unknown_cell() -> None:
    cell = {"class_name": "MyCell", "config": {"name": "mine", "units": 3}}
    model = one_layer("RNN", {"cell": cell}, (4, 3))
    with pytest.raises(UnsupportedError, match="a cell of the class MyCell"):
        legalize(model)


# CuDNN layers --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_cudnn_weights(tf_keras: ModuleType, kind: str) -> None:
    from tf_keras.src.saving.legacy.hdf5_format import (
        preprocess_weights_for_loading,
    )

    model = one_layer(f"CuDNN{kind}", {"units": 3}, (4, 5), "keras2")
    stored = [weight.tensor.array() for weight in model.layer("probe").weights]
    target = getattr(tf_keras.layers, kind)(3)
    expected = preprocess_weights_for_loading(target, stored)
    found = plain_rnn(model.layer("probe")).weights
    for weight, array in zip(found, expected, strict=True):
        np.testing.assert_allclose(weight.tensor.array(), array, rtol=1e-6)


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_cudnn_in_tfjs(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, kind: str, suffix: str
) -> None:
    file, model = cudnn_pair(tf_keras, kind, tmp_path, suffix)
    tfjs.convert(file, tmp_path / "web")
    x = sample((2, 4, 5))
    answers = tfjs_runtime.predict_layers(tmp_path / "web", [x])
    for answer, wanted in zip(answers, model(x), strict=True):
        np.testing.assert_allclose(answer, np.asarray(wanted), atol=1e-6)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_cudnn_in_keras(keras: ModuleType, tf_keras: ModuleType, tmp_path: Path, kind: str) -> None:
    file, model = cudnn_pair(tf_keras, kind, tmp_path, ".h5")
    x = sample((2, 4, 5))
    for target, readers in ((".keras", [keras]), ("-b.h5", [keras, tf_keras])):
        report = tfjs.convert(file, tmp_path / f"plain{target}")
        assert f"CuDNN{kind} as {kind}: back, forward_" in " ".join(report.notes)
        for reader in readers:
            loaded = reader.models.load_model(tmp_path / f"plain{target}", compile=False)
            for answer, wanted in zip(keras_models.answers(loaded, [x]), model(x), strict=True):
                np.testing.assert_allclose(answer, np.asarray(wanted), atol=1e-6)


def test_optimizer_state_of_cudnn_is_left_out(tf_keras: ModuleType, tmp_path: Path) -> None:
    from tf_keras.src.layers.rnn.cudnn_lstm import CuDNNLSTM

    layers = tf_keras.layers
    model = tf_keras.Sequential([layers.Input((4, 5)), CuDNNLSTM(3, name="rnn")])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "a.h5")
    report = tfjs.convert(tmp_path / "a.h5", tmp_path / "b.h5")
    told = ["CuDNNLSTM as LSTM: rnn", "optimizer state left out: it is that of other variables"]
    assert report.notes[:2] == told
    assert tf_keras.models.load_model(tmp_path / "b.h5").optimizer.name == "Adam"


def test_cudnn_lstm_becomes_an_lstm() -> None:
    model = one_layer("CuDNNLSTM", {"units": 3}, (4, 5), "keras2")
    layer = legalize(model).model.layer("probe")
    assert layer.class_name == "LSTM"
    assert (layer.config["activation"], layer.config["recurrent_activation"]) == ("tanh", "sigmoid")
    assert [weight.tensor.shape for weight in layer.weights] == [(5, 12), (3, 12), (12,)]


# What files leave out ------------------------------------------------------------------------


@pytest.mark.parametrize(("dialect", "expected"), [("keras2", False), ("keras3", True)])
def test_reset_after_that_is_not_told(dialect: Any, expected: bool) -> None:
    model = one_layer("GRU", {"units": 3}, (4, 5), dialect)
    assert model.layer("probe").config["reset_after"] is expected


def test_recurrent_activation_that_tfjs_does_not_tell() -> None:
    for kind in ("LSTM", "GRU", "LSTMCell", "GRUCell"):
        model = one_layer(kind, {"units": 3}, (4, 5), "tfjs")
        assert model.layer("probe").config["recurrent_activation"] == KERAS2_HARD_SIGMOID


def test_slots() -> None:
    shapes = {slot.name: slot.shape for slot in slots_of(one_layer("GRU", {"units": 3}, (4, 5)))}
    assert shapes == {"kernel": (5, 9), "recurrent_kernel": (3, 9), "bias": (2, 9)}
    without = one_layer("LSTM", {"units": 3, "use_bias": False}, (4, 5))
    assert [(slot.name, slot.holder) for slot in slots_of(without)] == [
        ("kernel", "cell"),
        ("recurrent_kernel", "cell"),
    ]


def test_senseless_units() -> None:
    model = one_layer("LSTM", {"units": 3}, (4, 5))
    model.layer("probe").config["units"] = "many"
    with pytest.raises(CorruptFileError, match="units is 'many'"):
        infer_shapes(model)


def test_weight_of_another_shape() -> None:
    model = one_layer("GRU", {"units": 3}, (4, 5))
    model.layer("probe").weights[2] = Weight("bias", ArrayTensor(np.zeros(9, np.float32)))
    with pytest.raises(CorruptFileError, match="bias has the shape"):
        legalize(model)
