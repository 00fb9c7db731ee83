"""Bidirectional and TimeDistributed as graphs, against Keras and TF.js in Node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.lowered import check_lowered
from tests.support.protocol import Array
from tests.support.roundtrip import randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime

SHAPE = (4, 3)
FRAMEWORKS = ["keras", "tf_keras"]
SUFFIXES = {"keras": ".keras", "tf_keras": ".h5"}

Build = Callable[..., Any]


class Checker:
    """Checks models of a framework."""

    def __init__(self, k: ModuleType, runtime: TfjsRuntime, folder: Path) -> None:
        self.k = k
        self.layers = k.layers
        self._runtime = runtime
        self._folder = folder

    def model(self, build: Build, *shapes: tuple[int | None, ...]) -> dict[str, int]:
        """A model of what `build` makes of inputs of some shapes; free sizes are 5."""
        inputs = [self.k.Input(shape) for shape in shapes]
        model = self.k.Model(inputs if len(inputs) > 1 else inputs[0], flat(build(*inputs)))
        known = [[5 if size is None else size for size in shape] for shape in shapes]
        arrays = [sample((2, *shape), seed) for seed, shape in enumerate(known)]
        return self.check(model, arrays)

    def row(self, array: Array, *layers: Any) -> dict[str, int]:
        """Layers in a row, on an array."""
        inputs = self.k.Input(array.shape[1:], dtype=str(array.dtype))
        return self.check(self.k.Sequential([inputs, *layers]), [array])

    def check(self, model: Any, arrays: list[Array]) -> dict[str, int]:
        suffix = SUFFIXES[self.k.__name__]
        return check_lowered(randomised(model), arrays, self._runtime, self._folder, suffix=suffix)


@pytest.fixture(params=FRAMEWORKS)
def checker(request: pytest.FixtureRequest, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> Checker:
    """For each framework."""
    return Checker(request.getfixturevalue(request.param), tfjs_runtime, tmp_path)


def flat(outputs: Any) -> list[Any]:
    if not isinstance(outputs, list | tuple):
        return [outputs]
    return [item for part in outputs for item in flat(part)]


def tokens(*shape: int) -> Array:
    """Numbers of words; 0 at the ends of sequences, at a beginning, and one throughout."""
    found = np.random.default_rng(0).integers(1, 9, (2, *shape)).astype(np.int32)
    found[0, ..., -2:] = 0
    found[1, ..., 0] = 0
    return found


# Bidirectional -------------------------------------------------------------------------------


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("mode", ["concat", "sum", "ave", "mul", None])
def test_merges(checker: Checker, mode: str | None, sequences: bool) -> None:
    inner = checker.layers.LSTM(4, return_sequences=sequences, return_state=True)
    checker.model(checker.layers.Bidirectional(inner, merge_mode=mode), SHAPE)


def test_what_is_wrapped(checker: Checker) -> None:
    layers = checker.layers

    def build(x: Any, planes: Any, *states: Any) -> Any:
        cell = layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)], return_sequences=True)
        back = layers.GRU(4, return_sequences=True, go_backwards=True, activation="relu")
        front = layers.LSTM(4, return_sequences=True)
        turned = layers.SimpleRNN(4, return_sequences=True, go_backwards=True)
        return [
            layers.Bidirectional(cell)(x),
            layers.Bidirectional(front, backward_layer=back)(x),
            layers.Bidirectional(turned, backward_layer=layers.SimpleRNN(4, return_sequences=True))(
                x
            ),
            layers.Bidirectional(layers.GRU(4))(x, initial_state=list(states)),
            layers.Bidirectional(layers.ConvLSTM2D(2, 2, return_sequences=True))(planes),
        ]

    checker.model(build, SHAPE, (3, 4, 4, 1), (4,), (4,))


@pytest.mark.parametrize("mode", ["concat", "ave"])
def test_masks_both_ways(checker: Checker, mode: str) -> None:
    layers = checker.layers
    inner = layers.LSTM(4, return_sequences=True)
    checker.row(
        tokens(5),
        layers.Embedding(9, 3, mask_zero=True),
        layers.Bidirectional(inner, merge_mode=mode),
        layers.Bidirectional(layers.GRU(3)),
        layers.Dense(2),
    )


# TimeDistributed -----------------------------------------------------------------------------


def test_a_dense_layer_each_step(checker: Checker) -> None:
    ops = checker.model(checker.layers.TimeDistributed(checker.layers.Dense(5)), SHAPE)
    assert ops == {"Reshape": 2, "MatMul": 1, "BiasAdd": 1}


def test_free_steps(checker: Checker) -> None:
    layers = checker.layers

    def build(x: Any, images: Any) -> Any:
        return [
            layers.TimeDistributed(layers.Dense(5))(x),
            layers.TimeDistributed(layers.Conv2D(3, 2))(images),
        ]

    checker.model(build, (None, 3), (None, 5, 5, 2))


def test_recurrent_layers_each_step(checker: Checker) -> None:
    layers = checker.layers

    def build(x: Any) -> Any:
        return [
            layers.TimeDistributed(layers.LSTM(3, return_sequences=True))(x),
            layers.TimeDistributed(layers.Bidirectional(layers.GRU(3)))(x),
            layers.TimeDistributed(layers.TimeDistributed(layers.Dense(2)))(x),
        ]

    checker.model(build, (2, 4, 3))


def test_models_each_step(checker: Checker) -> None:
    k, layers = checker.k, checker.layers
    images = k.Input((6, 6, 1))
    x = layers.MaxPooling2D()(layers.Conv2D(3, 3, activation="relu")(images))
    reader = k.Model(images, layers.Flatten()(x), name="reader")
    outer = k.Sequential([k.Input((6, 6, 1)), reader, layers.Dense(4)], name="outer")

    def build(frames: Any) -> Any:
        return layers.LSTM(3)(layers.TimeDistributed(outer)(frames))

    checker.model(build, (3, 6, 6, 1))


def test_a_mask_passes_by_what_each_step_is(checker: Checker) -> None:
    layers = checker.layers
    checker.row(
        tokens(5),
        layers.Embedding(9, 3, mask_zero=True),
        layers.TimeDistributed(layers.Dense(4)),
        layers.LSTM(3),
    )


@pytest.mark.parametrize("inside", [False, True])
def test_masks_within_steps(checker: Checker, inside: bool) -> None:
    """Keras 2 takes the mask of an Embedding within TimeDistributed on, Keras 3 does not."""
    layers = checker.layers
    words = layers.Embedding(9, 3, mask_zero=True)
    texts = tokens(3, 5)
    ops = checker.row(
        texts,
        layers.TimeDistributed(words) if inside else words,
        layers.TimeDistributed(layers.Bidirectional(layers.LSTM(4))),
        layers.Dense(2),
    )
    assert ("SelectV2" in ops) is not (inside and checker.k.__name__ == "keras")


def test_a_model_with_a_mask_each_step(checker: Checker) -> None:
    k, layers = checker.k, checker.layers
    encoder = k.Sequential(
        [k.Input((5,), dtype="int32"), layers.Embedding(9, 3, mask_zero=True), layers.GRU(4)]
    )
    checker.row(tokens(3, 5), layers.TimeDistributed(encoder), layers.LSTM(3))
