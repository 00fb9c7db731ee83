"""Hash tables of all kinds, filled and asked in the real TF.js as in TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import CorruptFileError, UnsupportedError

WORDS = np.array([["b", "no"], ["ü", "a"]], object)
NUMBERS = np.array([7, -3, 5, 5], np.int32)
LINES = "a\t3\t0.5\nb\t-4\t1.5\nü\t5\t2.5\r\n"

Make = Callable[[Any, Path], tuple[Any, Any]]


def _file(folder: Path) -> str:
    path = folder / "lines.txt"
    path.write_bytes(LINES.encode())
    return str(path)


def _of_file(tf: Any, folder: Path, key: Any, value: Any, **options: Any) -> Any:
    start = tf.lookup.TextFileInitializer(_file(folder), *key, *value, **options)
    default = "" if value[0] == tf.string else -1
    return tf.lookup.StaticHashTable(start, default)


def _pairs(tf: Any, keys: Any, values: Any, default: Any) -> Any:
    start = tf.lookup.KeyValueTensorInitializer(tf.constant(keys), tf.constant(values))
    return tf.lookup.StaticHashTable(start, default)


def _line_numbers(tf: Any, folder: Path) -> tuple[Any, Any]:
    whole, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    table = _of_file(tf, folder, (tf.string, whole), (tf.int64, number))
    return table, lambda words: table.lookup(tf.strings.as_string(3) if words is None else words)


def _columns(tf: Any, folder: Path) -> tuple[Any, Any]:
    table = _of_file(tf, folder, (tf.string, 0), (tf.int64, 1), delimiter="\t")
    return table, table.lookup


def _part_of_a_file(tf: Any, folder: Path) -> tuple[Any, Any]:
    options = {"delimiter": "\t", "vocab_size": 2}
    table = _of_file(tf, folder, (tf.string, 0), (tf.int64, 1), **options)
    return table, table.lookup


def _buckets(tf: Any, folder: Path) -> tuple[Any, Any]:
    start = tf.lookup.KeyValueTensorInitializer(
        tf.constant(["a", "b"]), tf.constant([0, 1], tf.int64)
    )
    table = tf.lookup.StaticVocabularyTable(start, 4)
    return table, table.lookup


def _mutable(tf: Any, folder: Path) -> tuple[Any, Any]:
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, 0.25)
    table.insert(["a", "b"], [1.5, 2.5])
    return table, table.lookup


def _sized(tf: Any, folder: Path) -> tuple[Any, Any]:
    table = _pairs(tf, ["a", "b"], [1.0, 2.0], 0.0)
    return table, lambda words: table.lookup(words) * tf.cast(table.size(), tf.float32)


def _two(tf: Any, folder: Path) -> tuple[Any, Any]:
    there = _pairs(tf, ["a", "b", "ü"], [10, 20, 30], -1)
    back = _pairs(tf, [10, 20, 30], ["x", "y", "z"], "?")
    return (there, back), lambda words: back.lookup(there.lookup(words))


def _in_a_branch(tf: Any, folder: Path) -> tuple[Any, Any]:
    table = _pairs(tf, ["a", "b"], [1.0, 2.0], 0.5)

    def look(words: Any) -> Any:
        found = table.lookup(words)
        return tf.cond(tf.reduce_sum(found) > 1.0, lambda: found + 1.0, lambda: table.lookup(words))

    return table, look


def _of_numbers(tf: Any, folder: Path) -> tuple[Any, Any]:
    table = _pairs(tf, np.array([5, 7], np.int64), np.array([50.0, 70.0], np.float32), -1.0)
    return table, lambda numbers: table.lookup(tf.cast(numbers, tf.int64))


CASES: dict[str, Make] = {
    "line numbers": _line_numbers,
    "columns": _columns,
    "part of a file": _part_of_a_file,
    "mutable": _mutable,
    "with its size": _sized,
    "two, one after the other": _two,
    "in a branch": _in_a_branch,
    "of numbers": _of_numbers,
}


def save(tf: Any, make: Make, folder: Path, fed: Any) -> Any:
    """A SavedModel that looks up; gives what it answers in TensorFlow."""
    held, look = make(tf, folder)
    dtype = tf.string if fed.dtype == object else tf.int32
    module = tf.Module()
    module.held = held
    module.look = tf.function(look, input_signature=[tf.TensorSpec(fed.shape, dtype)])
    tf.saved_model.save(module, str(folder / "saved"), signatures=module.look)
    return module.look(tf.constant(fed)).numpy()


@pytest.mark.parametrize("name", CASES)
def test_it_answers_as_in_tensorflow(
    name: str, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    fed = NUMBERS if name == "of numbers" else WORDS
    wanted = save(tensorflow, CASES[name], tmp_path, fed)
    report = tfjs.convert(tmp_path / "saved", tmp_path / "web")
    assert any("executeAsync" in note for note in report.notes)
    (found,) = tfjs_runtime.predict_graph(tmp_path / "web", [fed], method="executeAsync")
    if wanted.dtype == object:
        assert found.tolist() == wanted.tolist()
    else:
        np.testing.assert_array_equal(found, wanted)


def test_buckets_of_unknown_words(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    wanted = save(tensorflow, _buckets, tmp_path, WORDS)
    tfjs.convert(tmp_path / "saved", tmp_path / "web")
    (found,) = tfjs_runtime.predict_graph(tmp_path / "web", [WORDS], method="executeAsync")
    np.testing.assert_array_equal(found, wanted)


def test_one_that_the_model_changes(tensorflow: ModuleType, tmp_path: Path) -> None:
    tf = tensorflow

    def make(tf: Any, folder: Path) -> tuple[Any, Any]:
        table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)

        def look(words: Any) -> Any:
            table.insert(words, tf.ones_like(words, tf.int64))
            return table.lookup(words)

        return table, look

    save(tf, make, tmp_path, WORDS)
    with pytest.raises(UnsupportedError, match="changes hash tables each time it runs"):
        tfjs.convert(tmp_path / "saved", tmp_path / "web")


@pytest.mark.parametrize("content", ["a\n", "a\tx\nb\t1\n", "a\t99999999999999999999\n"])
def test_a_file_that_does_not_fit(content: str, tensorflow: ModuleType, tmp_path: Path) -> None:
    save(tensorflow, _columns, tmp_path, WORDS)
    (file,) = (tmp_path / "saved" / "assets").iterdir()
    file.write_text(content)
    with pytest.raises(CorruptFileError, match="is no such vocabulary"):
        tfjs.convert(tmp_path / "saved", tmp_path / "web")
    assert not (tmp_path / "web").exists()
