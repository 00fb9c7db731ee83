from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.graph_roundtrip import Case, Converted, integers
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import UnsupportedError

TEXTS = np.array([b"a b  c", b"", b" \thello world "], object)
MARKS = np.array([b'a!b"c(d)[e]\\f', b"x-y_z~"], object)
GRID = np.array([[b"a", b"\xc3\xa9", b""], [b"b b", b"", b"a"]], object)
# What Keras's TextVectorization takes away.
PUNCTUATION = r'[!"#$%&()\*\+,-\./:;<=>?@\[\\\]^_`{|}~\']'

CASES = {
    "split at white space": Case(
        lambda tf, x: tuple(tf.raw_ops.StringSplitV2(input=x, sep="")),
        TEXTS,
        rule="split_at_white_space",
    ),
    "replaced": Case(
        lambda tf, x: tf.strings.regex_replace(x, PUNCTUATION, ""), MARKS, backends=["cpu"]
    ),
    "replaced by an input": Case(
        lambda tf, x: tf.raw_ops.RegexReplace(input=x, pattern="[aeiou]+", rewrite="x"),
        TEXTS,
        backends=["cpu"],
        rule="replaced_by_constant_pattern",
    ),
    "hashed": Case(lambda tf, x: tf.strings.to_hash_bucket_fast(x, 100), TEXTS),
    "one gathered": Case(lambda tf, x, i: tf.gather(x, i), TEXTS, 1, rule="moved_texts"),
    "some gathered": Case(lambda tf, x: tf.gather(x, [[2, 0], [0, 1]]), TEXTS),
    "gathered along the last axis": Case(
        lambda tf, x, i: tf.gather(x, i, axis=1), GRID, np.array([2, 0], np.int32)
    ),
    "any number gathered": Case(
        lambda tf, x, i: tf.gather(x, i),
        TEXTS,
        integers(0, 3, 100),
        free=[[None], [None]],
        dynamic=True,
    ),
    "none of any number gathered": Case(
        lambda tf, x, i: tf.gather(x, i),
        TEXTS,
        np.zeros(0, np.int32),
        free=[[None], [None]],
        dynamic=True,
    ),
    "gathered behind a test": Case(
        lambda tf, x: tf.boolean_mask(x, tf.not_equal(x, "")), GRID, dynamic=True
    ),
    "gathered to be hashed": Case(
        lambda tf, x, i: tf.strings.to_hash_bucket_fast(tf.gather(x, i), 100),
        TEXTS,
        integers(0, 3, 100),
        free=[[None], [None]],
        rule="numbers_before_gathering",
    ),
    "one gathered to be hashed": Case(
        lambda tf, x, i: tf.strings.to_hash_bucket_fast(tf.gather(x, i), 100),
        TEXTS,
        np.array(2, np.int32),
        rule="moved_texts",
    ),
    "turned": Case(lambda tf, x: tf.transpose(x), GRID),
    "reversed": Case(lambda tf, x: x[::-1, ::2], GRID),
    "chosen": Case(lambda tf, c, x: tf.where(c, x, "no"), np.array([[True], [False]]), GRID),
    "broadcast": Case(lambda tf, x: tf.broadcast_to(x, [2, 3]), TEXTS),
    "split": Case(lambda tf, x: tuple(tf.split(x, 3, 1)), GRID, rule="texts_cut_apart"),
    "split unevenly": Case(lambda tf, x: tuple(tf.split(x, [1, -1], 1)), GRID),
    "equal": Case(lambda tf, x, y: tf.equal(x, y), GRID, TEXTS, rule="texts_compared"),
    "not equal to a constant": Case(
        lambda tf, x: tf.not_equal(x, ""), TEXTS, free=[[None]], rule="texts_compared"
    ),
    "joined": Case(lambda tf, x, y: tf.concat([x, y[None]], 0), GRID, TEXTS),
}


def test_texts_that_wasm_cannot_repeat_are_told(tensorflow: ModuleType) -> None:
    tf = tensorflow
    spec = tf.TensorSpec([None, 3], tf.string)
    converted = Converted(tf, lambda x: tf.tile(x, [2, 1]), [spec])
    assert converted.ops["Tile"] == 1
    assert converted.outcome.notes == [
        "does not run on the wasm backend, which lacks Tile of texts"
    ]


def test_texts_are_repeated_on_wasm_where_nothing_is_lost_by_it(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime
) -> None:
    Case(
        lambda tf, x, i: (tf.tile(x, [3, 1]), tf.where(i > 0)),
        GRID,
        np.array([0, 1], np.int32),
        free=[[None, 3], [None]],
        dynamic=True,
        rule="moved_texts",
    ).run(tensorflow, tfjs_runtime)


def test_what_cannot_be_done_with_texts_is_refused(tensorflow: ModuleType) -> None:
    tf = tensorflow
    with pytest.raises(UnsupportedError) as caught:
        Converted(tf, lambda x: tf.pad(x, [[1, 1]], constant_values="no"), [TEXTS])
    assert caught.value.problems[0].startswith("PadV2: TF.js has no PadV2 of texts")


@pytest.mark.parametrize(
    ("pattern", "rewrite", "reason"),
    [
        ("[A-Z]", "", "has capitals"),
        ("a", "B", "has capitals"),
        ("(?i)a", "", "in another way"),
        ("(a)", r"\1", "in another way"),
        ("a", "$", "in another way"),
    ],
)
def test_patterns_that_tfjs_would_read_otherwise_are_refused(
    tensorflow: ModuleType, pattern: str, rewrite: str, reason: str
) -> None:
    tf = tensorflow
    with pytest.raises(UnsupportedError, match=reason):
        Converted(tf, lambda x: tf.strings.regex_replace(x, pattern, rewrite), [TEXTS])


@pytest.mark.parametrize("options", [{"sep": " "}, {"sep": "ab"}, {"sep": "", "maxsplit": 1}])
def test_other_splits_are_refused(tensorflow: ModuleType, options: dict[str, Any]) -> None:
    tf = tensorflow
    with pytest.raises(UnsupportedError, match="at white space only"):
        Converted(tf, lambda x: tuple(tf.raw_ops.StringSplitV2(input=x, **options)), [TEXTS])


def test_capitals_between_ngrams_are_refused(tensorflow: ModuleType) -> None:
    tf = tensorflow

    def joined(x: Any) -> Any:
        return tf.raw_ops.StringNGrams(
            data=x,
            data_splits=np.array([0, 3], np.int64),
            separator=b"X",
            ngram_widths=[2],
            left_pad=b"",
            right_pad=b"",
            pad_width=0,
            preserve_short_sequences=False,
        ).ngrams

    with pytest.raises(UnsupportedError, match="has capitals: X"):
        Converted(tf, joined, [TEXTS])


@pytest.mark.parametrize("shape", [[], [None], [None, 2], None])
def test_what_a_table_finds_has_the_shape_of_the_keys(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, shape: Any
) -> None:
    tf = tensorflow
    module = tf.Module()
    pairs = tf.lookup.KeyValueTensorInitializer(["a", "b"], [5, 6], tf.string, tf.int64)
    module.table = tf.lookup.StaticHashTable(pairs, -1)
    spec = tf.TensorSpec(shape, tf.string)
    module.call = tf.function(module.table.lookup, input_signature=[spec])
    tf.saved_model.save(module, str(tmp_path / "source"), signatures=module.call)
    tfjs.convert(tmp_path / "source", tmp_path / "model")
    keys = np.array([[b"a", b"z"], [b"b", b"a"]], object)
    keys = {0: keys[0, 0], 1: keys[0]}.get(-1 if shape is None else len(shape), keys)
    found = tfjs_runtime.predict_graph(
        tmp_path / "model", [np.asarray(keys)], method="executeAsync"
    )
    wanted = module.table.lookup(tf.constant(keys)).numpy()
    np.testing.assert_array_equal(found[0], wanted, strict=False)
    assert found[0].shape == wanted.shape


@pytest.mark.parametrize("name", CASES)
def test_answers_as_tensorflow(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, name: str
) -> None:
    CASES[name].run(tensorflow, tfjs_runtime)
