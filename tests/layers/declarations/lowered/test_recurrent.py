"""Recurrent layers as graphs, against Keras and TF.js in Node.

Masks are held against tf_keras where Keras 3 on JAX computes otherwise than on TensorFlow: what it
repeats at masked steps of stacked cells, or with initial states, and zeros of unrolled layers.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.cudnn_models import cudnn_pair
from tests.support.declared import one_layer
from tests.support.lowered import check_lowered
from tests.support.protocol import Array
from tests.support.roundtrip import error_of, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import UnsupportedError
from tfjs.formats.base import ReadOptions
from tfjs.formats.keras_h5 import FORMAT as HDF5
from tfjs.ir.layers_model import Call, LayersModel
from tfjs.layers.lowering import lower

KINDS = {"SimpleRNN": 1, "LSTM": 2, "GRU": 1}
STEPS, FEATURES = 5, 3
SHAPE = (STEPS, FEATURES)

Build = Callable[..., Any]


def model_of(k: ModuleType, build: Build, *shapes: tuple[int | None, ...]) -> Any:
    """A model of what `build` makes of inputs; all outputs, however nested, in a row."""
    inputs = [k.Input(shape) for shape in shapes or [SHAPE]]
    return randomised(k.Model(inputs if len(inputs) > 1 else inputs[0], flat(build(*inputs))))


def flat(outputs: Any) -> list[Any]:
    if not isinstance(outputs, list | tuple):
        return [outputs]
    return [item for part in outputs for item in flat(part)]


def masked(seed: int = 0) -> Array:
    """Sequences that Masking finds steps in: at the end of one, at the beginning and within."""
    x = sample((3, STEPS, FEATURES), seed)
    x[0, -2:] = 0
    x[1, 0] = x[1, 2] = 0
    return x


# Kinds and options ---------------------------------------------------------------------------

OPTIONS: list[dict[str, Any]] = [
    {},
    {"return_sequences": True, "go_backwards": True, "return_state": True},
    {"use_bias": False, "activation": "relu", "return_state": True, "unroll": True},
    {"activation": "softmax", "dropout": 0.5, "recurrent_dropout": 0.2},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_options(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    kind: str,
    options: dict[str, Any],
) -> None:
    layer = getattr(keras.layers, kind)
    check_lowered(
        model_of(keras, layer(4, **options)), [sample((2, *SHAPE))], tfjs_runtime, tmp_path
    )


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("gate", ["sigmoid", "hard_sigmoid", "softmax"])
@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_gates(
    request: pytest.FixtureRequest,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    framework: str,
    gate: str,
    after: bool,
) -> None:
    k = request.getfixturevalue(framework)
    gru = k.layers.GRU(4, recurrent_activation=gate, reset_after=after, return_sequences=True)
    plain = k.layers.GRU(4, recurrent_activation=gate, reset_after=after, use_bias=False)
    lstm = k.layers.LSTM(4, recurrent_activation=gate, go_backwards=True)
    model = model_of(k, lambda x: [plain(gru(x)), lstm(x)])
    suffix = ".keras" if framework == "keras" else ".h5"
    check_lowered(model, [sample((2, *SHAPE))], tfjs_runtime, tmp_path, suffix=suffix)


@pytest.mark.parametrize("kind", KINDS)
def test_tf_keras(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, kind: str
) -> None:
    layer = getattr(tf_keras.layers, kind)

    def build(x: Any, *states: Any) -> Any:
        options = {"return_sequences": True, "return_state": True, "go_backwards": True}
        return layer(4, **options)(x), layer(4)(x, initial_state=list(states))

    model = model_of(tf_keras, build, SHAPE, *[(4,)] * KINDS[kind])
    arrays = [sample((2, *SHAPE)), *[sample((2, 4)) for _ in range(KINDS[kind])]]
    check_lowered(model, arrays, tfjs_runtime, tmp_path, suffix=".h5")


def test_time_major(tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    layer = tf_keras.layers.GRU(4, time_major=True, return_sequences=True)
    inputs = tf_keras.Input((2, 3), batch_size=5)
    model = randomised(tf_keras.Model(inputs, layer(inputs)))
    check_lowered(model, [sample((5, 2, 3))], tfjs_runtime, tmp_path, suffix=".h5")


# Nodes and free sizes ------------------------------------------------------------------------


def test_an_lstm_of_known_length_is_few_nodes(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    model = model_of(keras, keras.layers.LSTM(32), (20, 8))
    ops = Counter(check_lowered(model, [sample((2, 20, 8))], tfjs_runtime, tmp_path))
    each = {"MatMul": 1, "AddV2": 2, "Sigmoid": 1, "Split": 1, "Slice": 1, "Tanh": 2, "Mul": 3}
    once = Counter(["MatMul", "BiasAdd", "Transpose", "Unpack", "Reshape", "Reshape", "Fill"])
    once += Counter(["Shape", "StridedSlice", "Pack"])
    assert ops == once + Counter({op: 20 * count for op, count in each.items()})


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_free_length(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, kind: str, sequences: bool
) -> None:
    layer = getattr(keras.layers, kind)(4, return_sequences=sequences, go_backwards=sequences)
    model = model_of(keras, layer, (None, FEATURES))
    array = sample((2, 7, FEATURES))
    ops = check_lowered(model, [array], tfjs_runtime, tmp_path, method="executeAsync")
    assert ops["StatelessWhile"] == 1
    assert ops["MatMul"] == 2


def test_a_fixed_batch(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    inputs = keras.Input(batch_shape=(2, None, FEATURES))
    model = randomised(keras.Model(inputs, keras.layers.LSTM(4, return_sequences=True)(inputs)))
    array = sample((2, 3, FEATURES))
    check_lowered(model, [array], tfjs_runtime, tmp_path, method="executeAsync")


def test_a_shared_layer_has_one_set_of_weights(keras: ModuleType, tmp_path: Path) -> None:
    layer = keras.layers.LSTM(8)
    model = model_of(keras, lambda x, y: [layer(x), layer(y)], SHAPE, (2, FEATURES))
    model.save(tmp_path / "model.keras")
    report = tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to="tfjs-graph")
    count = model.count_params()
    assert count <= report.parameters < 1.2 * count


# Masks ---------------------------------------------------------------------------------------

MASKED: list[dict[str, Any]] = [
    {},
    {"return_sequences": True},
    {"return_sequences": True, "go_backwards": True},
    {"zero_output_for_mask": True, "go_backwards": True},
    {"zero_output_for_mask": True, "return_sequences": True},
    {"zero_output_for_mask": True, "return_sequences": True, "go_backwards": True},
]


@pytest.mark.parametrize("options", MASKED, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_masks(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    kind: str,
    options: dict[str, Any],
) -> None:
    layers = [keras.Input(SHAPE), keras.layers.Masking(), getattr(keras.layers, kind)(4, **options)]
    if options.get("return_sequences"):
        layers.append(keras.layers.GRU(3))
    model = randomised(keras.Sequential(layers))
    check_lowered(model, [masked()], tfjs_runtime, tmp_path)


def test_a_mask_that_the_file_tells(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    """Keras 3 writes down the operation that makes the mask, and which layers are given it."""
    layers = keras.layers
    words = keras.Input((STEPS,), dtype="int32")
    x = layers.Embedding(9, 3, mask_zero=True)(words)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    model = randomised(keras.Model(words, layers.GRU(3)(x)))
    tokens = np.array([[3, 1, 2, 0, 0], [0, 4, 0, 8, 1]], np.int32)
    ops = check_lowered(model, [tokens], tfjs_runtime, tmp_path)
    assert "NotEqual" in ops


@pytest.mark.parametrize("kind", KINDS)
def test_masks_of_tf_keras(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, kind: str
) -> None:
    layers = tf_keras.layers

    def build(x: Any, *states: Any) -> Any:
        x = layers.Masking()(x)
        own = getattr(layers, kind)
        # From states that are not zeros, a masked step puts out what none of the states is.
        told = own(4, return_sequences=True, return_state=True)(x, initial_state=list(states))
        zeros = own(4, return_sequences=True, zero_output_for_mask=True, unroll=True)
        return told, zeros(x, initial_state=list(states))

    model = model_of(tf_keras, build, SHAPE, *[(4,)] * KINDS[kind])
    arrays = [masked(), *(sample((3, 4), seed) for seed in range(KINDS[kind]))]
    check_lowered(model, arrays, tfjs_runtime, tmp_path, suffix=".h5")


def test_a_mask_of_a_free_length(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = tf_keras.layers
    rnn = layers.LSTM(4, return_sequences=True, zero_output_for_mask=True, go_backwards=True)
    model = tf_keras.Sequential(
        [tf_keras.Input((None, FEATURES)), layers.Masking(), rnn, layers.GRU(3)]
    )
    check_lowered(
        randomised(model),
        [masked()],
        tfjs_runtime,
        tmp_path,
        suffix=".h5",
        method="executeAsync",
    )


def test_with_states_keras_3_takes_no_mask_that_is_not_told(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    def build(x: Any, state: Any) -> Any:
        return keras.layers.GRU(4)(keras.layers.Masking()(x), initial_state=state)

    model = model_of(keras, build, SHAPE, (4,))
    ops = check_lowered(model, [masked(), sample((3, 4))], tfjs_runtime, tmp_path)
    assert "SelectV2" not in ops


# States and cells ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_initial_state(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, kind: str
) -> None:
    layer = getattr(keras.layers, kind)(4, return_state=True)
    states = [(4,)] * KINDS[kind]
    model = model_of(keras, lambda x, *own: layer(x, initial_state=list(own)), SHAPE, *states)
    arrays = [sample((2, *shape), seed) for seed, shape in enumerate([SHAPE, *states])]
    check_lowered(model, arrays, tfjs_runtime, tmp_path)


def test_a_stateful_layer_starts_from_zeros(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    inputs = keras.Input(batch_shape=(2, *SHAPE))
    model = randomised(keras.Model(inputs, keras.layers.LSTM(4, stateful=True)(inputs)))
    model.layers[-1].reset_state()
    check_lowered(model, [sample((2, *SHAPE))], tfjs_runtime, tmp_path)
    report = tfjs.convert(tmp_path / "model.keras", tmp_path / "again", to="tfjs-graph")
    assert any("is stateful, and a graph keeps no states" in note for note in report.notes)


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_cells(
    request: pytest.FixtureRequest, tfjs_runtime: TfjsRuntime, tmp_path: Path, framework: str
) -> None:
    k = request.getfixturevalue(framework)
    layers = k.layers

    def build(x: Any, *states: Any) -> Any:
        cells = [layers.LSTMCell(4), layers.GRUCell(3), layers.SimpleRNNCell(5)]
        stacked = layers.RNN(cells, return_sequences=True, return_state=True)(x)
        one = layers.RNN(layers.GRUCell(4, reset_after=False), go_backwards=True)(x)
        pair = [layers.GRUCell(4), layers.SimpleRNNCell(3)]
        told = layers.RNN(pair, return_state=True)(x, initial_state=list(states))
        return stacked, one, told

    model = model_of(k, build, SHAPE, (4,), (3,))
    arrays = [sample((2, *shape), seed) for seed, shape in enumerate([SHAPE, (4,), (3,)])]
    suffix = ".keras" if framework == "keras" else ".h5"
    check_lowered(model, arrays, tfjs_runtime, tmp_path, suffix=suffix)


def test_a_cell_by_itself(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    layers = keras.layers

    def build(x: Any, state: Any, carry: Any) -> Any:
        return layers.LSTMCell(4)(x, [state, carry]), layers.GRUCell(4)(x, state)

    model = model_of(keras, build, (3,), (4,), (4,))
    arrays = [sample((2, size), size) for size in (3, 4, 4)]
    check_lowered(model, arrays, tfjs_runtime, tmp_path)


def test_masks_of_stacked_cells(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = tf_keras.layers

    def build(x: Any) -> Any:
        cells = [layers.LSTMCell(4), layers.SimpleRNNCell(3)]
        run = layers.RNN(cells, return_sequences=True, return_state=True, go_backwards=True)
        return run(layers.Masking()(x))

    model = model_of(tf_keras, build)
    check_lowered(model, [masked()], tfjs_runtime, tmp_path, suffix=".h5")


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_layers_for_a_gpu(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, kind: str
) -> None:
    file, model = cudnn_pair(tf_keras, kind, tmp_path, ".h5")
    tfjs.convert(file, tmp_path / "web", to="tfjs-graph")
    x = sample((2, 4, 5))
    answers = tfjs_runtime.predict_graph(tmp_path / "web", [x])
    for answer, wanted in zip(answers, model(x), strict=True):
        assert error_of(answer, np.asarray(wanted)) <= 1e-5


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("depth", ["plain", "wrapped", "nested"])
def test_cudnn_layers_share_their_weights(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, kind: str, depth: str
) -> None:
    module = importlib.import_module(f"tf_keras.src.layers.rnn.cudnn_{kind.lower()}")
    usual = {"reset_after": True} if kind == "GRU" else {}

    def twice(make: Build) -> Any:
        layer = make(3, name="own")
        if depth == "wrapped":
            layer = tf_keras.layers.Bidirectional(layer, name="both")
        if depth == "nested":
            layer = tf_keras.Sequential([tf_keras.Input(SHAPE), layer], name="inner")
        inputs = [tf_keras.Input(SHAPE, name=name) for name in "ab"]
        return tf_keras.Model(inputs, [layer(each) for each in inputs])

    source = randomised(twice(getattr(module, f"CuDNN{kind}")))
    source.save(tmp_path / "cudnn.h5")
    source.save_weights(tmp_path / "weights.h5")
    model = twice(
        lambda *args, **options: getattr(tf_keras.layers, kind)(*args, **usual, **options)
    )
    model.load_weights(tmp_path / "weights.h5")
    read = HDF5.read(tmp_path / "cudnn.h5", ReadOptions())
    assert isinstance(read, LayersModel)
    assert len(lower(read).variables) == (6 if depth == "wrapped" else 3)
    tfjs.convert(tmp_path / "cudnn.h5", tmp_path / "web", to="tfjs-graph")
    x = [sample((2, *SHAPE), seed) for seed in (0, 1)]
    answers = tfjs_runtime.predict_graph(tmp_path / "web", x)
    for answer, wanted in zip(answers, model(x), strict=True):
        assert error_of(answer, np.asarray(wanted)) <= 1e-5


# What is refused -----------------------------------------------------------------------------


def refusal(model: LayersModel) -> str:
    with pytest.raises(UnsupportedError) as caught:
        lower(model)
    return str(caught.value)


def test_a_cell_of_ones_own() -> None:
    cell = {"class_name": "MyCell", "config": {"name": "cell"}, "registered_name": "mine>MyCell"}
    found = refusal(one_layer("RNN", {"cell": cell}, SHAPE))
    assert "probe (RNN): runs a cell of the class MyCell, whose code is not in the file" in found


def test_constants() -> None:
    model = one_layer("LSTM", {"units": 4}, SHAPE)
    ref = model.layer("probe").calls[0].inputs()[0]
    model.layer("probe").calls[0] = Call((ref,), {"constants": [ref]})
    assert "is called with constants, which no cell of Keras takes" in refusal(model)


def test_states_that_are_not_those_of_the_cells() -> None:
    model = one_layer("LSTM", {"units": 4}, SHAPE)
    ref = model.layer("probe").calls[0].inputs()[0]
    model.layer("probe").calls[0] = Call((ref,), {"initial_state": [ref]})
    assert "is given 1 states, which are not those of its cells" in refusal(model)


def test_states_in_reverse_order() -> None:
    own = {"class_name": "GRUCell", "config": {"name": "own", "units": 2}}
    stacked = {"name": "cells", "cells": [own, own], "reverse_state_order": True}
    cell = {"class_name": "StackedRNNCells", "config": stacked}
    model = one_layer("RNN", {"cell": cell, "return_state": True}, SHAPE)
    assert "its cells put their states in reverse order" in refusal(model)
