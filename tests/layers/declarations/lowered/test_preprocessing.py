"""Preprocessing of categories, texts and sound as graphs, against Keras and TF.js in Node."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.protocol import Array
from tests.support.tfjs_runtime import TfjsRuntime

INTS = np.array([[1, 5, 9, 7], [2, 2, 100, 0]], np.int32)
FLOATS = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
SOUND = np.random.default_rng(1).normal(size=(2, 600)).astype(np.float32)
CHANNELS = np.random.default_rng(1).normal(size=(2, 300, 2)).astype(np.float32)
TEXTS = np.array([["a", "b"], ["zz", "c"]], object)
BINS = {"bin_boundaries": [-0.5, 0.0, 0.7]}
WORDS = {"vocabulary": ["a", "b", "c"]}
NUMBERS = {"vocabulary": [5, 7, 9, 2]}
SPREAD = {**WORDS, "num_oov_indices": 2}
MEL = {"fft_length": 128, "sequence_stride": 64, "num_mel_bins": 16}
STFT = {"frame_length": 50, "frame_step": 20}

Sample = tuple[str, dict[str, Any], Array]
CASES: list[Sample] = [
    ("Discretization", BINS, FLOATS),
    *(
        ("Discretization", {**BINS, "output_mode": mode}, FLOATS)
        for mode in ("one_hot", "multi_hot", "count")
    ),
    *(
        ("CategoryEncoding", {"num_tokens": 101, "output_mode": mode}, INTS)
        for mode in ("one_hot", "multi_hot", "count")
    ),
    ("IntegerLookup", NUMBERS, INTS),
    ("IntegerLookup", {**NUMBERS, "mask_token": 0, "num_oov_indices": 3}, INTS),
    ("IntegerLookup", {**NUMBERS, "output_mode": "multi_hot"}, INTS),
    ("IntegerLookup", {**NUMBERS, "output_mode": "multi_hot", "mask_token": 1}, INTS),
    (
        "IntegerLookup",
        {**NUMBERS, "output_mode": "count", "max_tokens": 9, "pad_to_max_tokens": True},
        INTS,
    ),
    ("IntegerLookup", {**NUMBERS, "invert": True}, INTS % 5),
    ("IntegerLookup", {**NUMBERS, "output_mode": "one_hot"}, INTS[:, :1]),
    ("MelSpectrogram", MEL, SOUND),
    ("MelSpectrogram", {**MEL, "sequence_length": 100, "mag_exp": 1.0, "top_db": 20.0}, SOUND),
    *(
        ("STFTSpectrogram", {**STFT, "mode": mode}, CHANNELS)
        for mode in ("log", "magnitude", "psd", "real", "imag", "stft")
    ),
    ("STFTSpectrogram", {**STFT, "mode": "stft", "expand_dims": True}, CHANNELS),
    ("STFTSpectrogram", {**STFT, "padding": "same", "fft_length": 128}, CHANNELS),
    (
        "STFTSpectrogram",
        {**STFT, "data_format": "channels_first", "mode": "real"},
        CHANNELS.transpose(0, 2, 1).copy(),
    ),
]


def saved(k: ModuleType, sample: Sample, folder: Path) -> tuple[Path, Any]:
    name, options, array = sample
    layer = getattr(k.layers, name)(**options)
    dtype = "string" if array.dtype == object else array.dtype.name
    x = k.Input(array.shape[1:], dtype=dtype)
    k.Model(x, layer(x)).save(folder / "model.keras")
    return folder / "model.keras", layer


@pytest.mark.filterwarnings("ignore:.*int64 requested:UserWarning")
@pytest.mark.parametrize("sample", CASES, ids=lambda sample: f"{sample[0]}-{sample[1]}")
def test_a_layer(
    sample: Sample, keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    path, layer = saved(keras, sample, tmp_path)
    wanted = np.asarray(layer(sample[2]))
    tfjs.convert(path, tmp_path / "web", to="tfjs-graph")
    run = tfjs_runtime.run_graph(tmp_path / "web", [sample[2]], method="predict")
    (answer,) = run.answers
    assert answer.shape == wanted.shape
    scale = max(float(np.max(np.abs(wanted))), 1e-6)
    np.testing.assert_allclose(answer, wanted, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (WORDS, [[1, 2], [0, 3]]),
        ({**WORDS, "mask_token": "zz"}, [[2, 3], [0, 4]]),
        ({**WORDS, "output_mode": "multi_hot"}, [[0, 1, 1, 0], [1, 0, 0, 1]]),
    ],
    ids=str,
)
def test_words(
    options: dict[str, Any],
    wanted: list[Any],
    keras: ModuleType,
    tensorflow: ModuleType,
    tmp_path: Path,
) -> None:
    path, layer = saved(keras, ("StringLookup", options, TEXTS), tmp_path)
    np.testing.assert_array_equal(layer(tensorflow.constant(TEXTS.astype("S"))), wanted)
    np.testing.assert_array_equal(tfjs.load(path)(TEXTS), wanted)


def test_words_of_places(keras: ModuleType, tmp_path: Path) -> None:
    options = {**WORDS, "invert": True}
    path, layer = saved(keras, ("StringLookup", options, INTS % 4), tmp_path)
    words = [word.encode() for word in layer.get_vocabulary()]
    found = np.asarray(tfjs.load(path)(INTS % 4))
    np.testing.assert_array_equal(found, np.array(words, object)[INTS % 4])


def test_words_in_tfjs(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    path, _ = saved(keras, ("StringLookup", WORDS, TEXTS), tmp_path)
    tfjs.convert(path, tmp_path / "web", to="tfjs-graph")
    run = tfjs_runtime.run_graph(tmp_path / "web", [TEXTS], method="executeAsync")
    np.testing.assert_array_equal(run.answers[0], [[1, 2], [0, 3]])


def test_hashed_words(keras: ModuleType, tensorflow: ModuleType, tmp_path: Path) -> None:
    path, layer = saved(keras, ("Hashing", {"num_bins": 5}, TEXTS), tmp_path)
    wanted = layer(tensorflow.constant(TEXTS.astype("S")))
    np.testing.assert_array_equal(tfjs.load(path)(TEXTS), wanted)


@pytest.mark.parametrize(
    ("name", "options", "array", "reason"),
    [
        ("Discretization", {"num_bins": 3}, FLOATS, "has no bin boundaries"),
        ("Hashing", {"num_bins": 5}, INTS, "hashes numbers as texts"),
        ("Hashing", {"num_bins": 5, "salt": 3}, TEXTS, "hashes with a salt"),
        ("IntegerLookup", {}, INTS, "has no vocabulary in the file"),
        ("StringLookup", {**SPREAD, "salt": 3}, TEXTS, "hashes what is not in its vocabulary"),
        ("StringLookup", {}, TEXTS, "has no vocabulary in the file: adapt it"),
        ("TextVectorization", {}, TEXTS[:, :1], "takes texts apart"),
    ],
    ids=str,
)
def test_a_refusal(
    name: str, options: dict[str, Any], array: Array, reason: str, keras: ModuleType, tmp_path: Path
) -> None:
    x = keras.Input(array.shape[1:], dtype="string" if array.dtype == object else array.dtype.name)
    layer = getattr(keras.layers, name)(**options)
    if options == {"num_bins": 3}:
        layer.bin_boundaries = None
    keras.Model(x, layer(x)).save(tmp_path / "model.keras")
    with pytest.raises(tfjs.UnsupportedError) as caught:
        tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to="tfjs-graph")
    assert f"({name}): {reason}" in caught.value.problems[0]
