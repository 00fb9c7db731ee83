"""Look-ups of what was learned from data, against Keras and TF.js in Node."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.protocol import Array
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import CorruptFileError, UnsupportedError

SEEN_TEXTS = np.array([["a", "b"], ["b", "ö x"], ["c", "b"], ["", "a"]])
TEXTS = np.array([["a", "b"], ["zz", "ö x"], ["", "b"], ["b", "nothing"]])
SEEN_NUMBERS = np.array([[5, 7, 5], [9, -3, 0], [5, 0, 2**31 - 1]])
NUMBERS = np.array([[5, 7, 5], [8, -3, 0], [11, 9, 2**31 - 1]], np.int32)
TF_IDF = {"output_mode": "tf_idf"}

CASES: list[dict[str, Any]] = [
    {},
    {"num_oov_indices": 3},
    {"max_tokens": 4},
    *({"output_mode": mode} for mode in ("one_hot", "multi_hot", "count", "tf_idf")),
    {**TF_IDF, "num_oov_indices": 2, "max_tokens": 5},
    {"output_mode": "count", "max_tokens": 9, "pad_to_max_tokens": True},
]
MASK = {"StringLookup": "", "IntegerLookup": 0}


def learned(k: ModuleType, name: str, options: dict[str, Any], path: Path) -> tuple[Any, Array]:
    """A layer that has seen data, saved in a nested model; and what to look up."""
    texts = name == "StringLookup"
    seen, asked = (SEEN_TEXTS, TEXTS) if texts else (SEEN_NUMBERS, NUMBERS)
    layer = getattr(k.layers, name)(mask_token=MASK[name], **options)
    layer.adapt(seen)
    shape, dtype = asked.shape[1:], "string" if texts else "int32"
    inner, outer = (k.Input(shape, dtype=dtype) for _ in range(2))
    nested = k.Model(inner, layer(inner), name="nested")
    k.Model(outer, nested(outer)).save(path)
    return layer, asked


def asked_of(tensorflow: ModuleType, layer: Any, asked: Array) -> Array:
    return np.asarray(layer(tensorflow.constant(asked)))


def check(runtime: TfjsRuntime, path: Path, folder: Path, asked: Array, wanted: Array) -> None:
    tfjs.convert(path, folder / "web", to="tfjs-graph")
    fed = asked.astype(object) if asked.dtype.kind == "U" else asked
    (answer,) = runtime.run_graph(folder / "web", [fed], method="executeAsync").answers
    assert answer.shape == wanted.shape
    if wanted.dtype == object:
        assert answer.reshape(-1).tolist() == wanted.reshape(-1).tolist()
    else:
        np.testing.assert_allclose(answer, wanted, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:.*int64 requested:UserWarning")
@pytest.mark.parametrize("options", CASES, ids=str)
@pytest.mark.parametrize("name", MASK)
def test_what_was_learned(
    name: str,
    options: dict[str, Any],
    keras: ModuleType,
    tensorflow: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
) -> None:
    layer, asked = learned(keras, name, options, tmp_path / "model.keras")
    wanted = asked_of(tensorflow, layer, asked)
    check(tfjs_runtime, tmp_path / "model.keras", tmp_path, asked, wanted)


@pytest.mark.filterwarnings("ignore:.*int64 requested:UserWarning")
@pytest.mark.parametrize("name", MASK)
def test_back_from_places(
    name: str,
    keras: ModuleType,
    tensorflow: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
) -> None:
    seen = SEEN_TEXTS if name == "StringLookup" else SEEN_NUMBERS
    there = getattr(keras.layers, name)(mask_token=MASK[name])
    there.adapt(seen)
    vocabulary = tmp_path / "vocabulary.txt"
    words = there.get_vocabulary(include_special_tokens=False)
    vocabulary.write_text("\n".join(map(str, words)))
    # Its config leaves a vocabulary out that comes from a file.
    back = getattr(keras.layers, name)(
        mask_token=MASK[name], vocabulary=str(vocabulary), invert=True
    )
    places = np.array([[0, 1, 2], [3, 4, 77]], np.int32)
    x = keras.Input((3,), dtype="int32")
    keras.Model(x, back(x)).save(tmp_path / "model.keras")
    wanted = asked_of(tensorflow, back, places)
    check(tfjs_runtime, tmp_path / "model.keras", tmp_path, places, wanted)


@pytest.mark.parametrize("told", [[0.5, 2.0, 0.25], [9.0, 0.5, 2.0, 0.25]], ids=str)
@pytest.mark.parametrize("options", [{}, {"max_tokens": 7, "pad_to_max_tokens": True}], ids=str)
def test_weights_that_are_told(
    told: list[float],
    options: dict[str, Any],
    keras: ModuleType,
    tensorflow: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
) -> None:
    words = ["b", "a", "zz"] if len(told) == 3 else ["[UNK]", "b", "a", "zz"]
    layer = keras.layers.StringLookup(vocabulary=words, idf_weights=told, **TF_IDF, **options)
    x = keras.Input((2,), dtype="string")
    keras.Model(x, layer(x)).save(tmp_path / "model.keras")
    wanted = asked_of(tensorflow, layer, TEXTS)
    check(tfjs_runtime, tmp_path / "model.keras", tmp_path, TEXTS, wanted)


def test_tf_keras(
    tf_keras: ModuleType, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layer, asked = learned(tf_keras, "StringLookup", TF_IDF, tmp_path / "model.keras")
    wanted = asked_of(tensorflow, layer, asked)
    check(tfjs_runtime, tmp_path / "model.keras", tmp_path, asked, wanted)


def test_keras_loads_what_was_learned_from_another_file(
    keras: ModuleType, tensorflow: ModuleType, tmp_path: Path
) -> None:
    layer, asked = learned(keras, "StringLookup", TF_IDF, tmp_path / "model.keras")
    tfjs.convert(tmp_path / "model.keras", tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras").layers[-1].layers[-1]
    assert again.get_vocabulary() == layer.get_vocabulary()
    wanted = asked_of(tensorflow, layer, asked)
    np.testing.assert_allclose(asked_of(tensorflow, again, asked), wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "words"),
    [(b"-1\n5\nfive", "holds what is no whole number"), (b"-1\n\xff", "is not UTF-8 text")],
)
def test_a_damaged_vocabulary(text: bytes, words: str, keras: ModuleType, tmp_path: Path) -> None:
    learned(keras, "IntegerLookup", {}, tmp_path / "model.keras")
    with (
        zipfile.ZipFile(tmp_path / "model.keras") as source,
        zipfile.ZipFile(tmp_path / "damaged.keras", "w") as target,
    ):
        for name in source.namelist():
            damaged = name.endswith("vocabulary.txt")
            target.writestr(name, text if damaged else source.read(name))
    with pytest.raises(CorruptFileError, match=words) as caught:
        tfjs.load(tmp_path / "damaged.keras")
    assert "vocabulary.txt" in str(caught.value)


@pytest.mark.filterwarnings("ignore:Skipping nested container:UserWarning")
def test_a_text_that_got_lost(keras: ModuleType, tmp_path: Path) -> None:
    layer = keras.layers.StringLookup(output_mode="tf_idf")
    layer.adapt(np.array([["b", "b"], ["b", ""]]))
    x = keras.Input((2,), dtype="string")
    keras.Model(x, layer(x)).save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="could not be loaded"):
        keras.models.load_model(tmp_path / "model.keras")
    with pytest.raises(UnsupportedError) as caught:
        tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to="tfjs-graph")
    assert "has 3 idf_weights for 2 tokens, which Keras does not load" in caught.value.problems[0]


def test_text_vectorization_tells_where_its_words_are(keras: ModuleType, tmp_path: Path) -> None:
    layer = keras.layers.TextVectorization(output_mode="tf_idf")
    layer.adapt(["a b", "c"])
    x = keras.Input((), dtype="string")
    keras.Model(x, layer(x)).save(tmp_path / "model.keras")
    with pytest.raises(UnsupportedError) as caught:
        tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to="tfjs-graph")
    (problem,) = caught.value.problems
    assert "takes texts apart" in problem
    assert "vocabulary.txt in the assets" in problem
