from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.roundtrip import check_roundtrip, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import UnsupportedError

QUERY, VALUE, KEY = (4, 6), (5, 3), (5, 6)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_scale": True},
        {"score_mode": "concat"},
        {"score_mode": "concat", "use_scale": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["Attention", "AdditiveAttention"])
@pytest.mark.parametrize("causal", [False, True])
def test_attention(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    kind: str,
    options: dict[str, Any],
    causal: bool,
) -> None:
    if kind == "AdditiveAttention" and "score_mode" in options:
        pytest.skip("has no score_mode")
    inputs = [keras.Input(shape) for shape in (QUERY, VALUE, KEY)]
    layer = getattr(keras.layers, kind)(**options, name="attention")
    model = randomised(keras.Model(inputs, layer(inputs, use_causal_mask=causal)))
    arrays = [sample((2, *shape)) for shape in (QUERY, VALUE, KEY)]
    report = check_roundtrip(model, arrays, tfjs_runtime, tmp_path)
    assert [port.name for port in report.outputs] == ["attention"]


def test_attention_over_itself_of_unknown_length(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    inputs = keras.Input((None, 6))
    model = keras.Model(inputs, keras.layers.Attention()([inputs, inputs]))
    check_roundtrip(model, [sample((2, 4, 6))], tfjs_runtime, tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"num_heads": 1, "key_dim": 4},
        {"num_heads": 3, "key_dim": 2},
        # Without dropout Keras takes a path on JAX that has no value_dim of its own.
        {"num_heads": 2, "key_dim": 2, "value_dim": 5, "dropout": 0.1},
        {"num_heads": 2, "key_dim": 2, "use_bias": False},
        {"num_heads": 2, "key_dim": 2, "output_shape": (7,)},
        {"num_heads": 2, "key_dim": 2, "dropout": 0.5},
        {"num_heads": 2, "key_dim": 2, "value_dim": 3, "use_gate": True, "dropout": 0.1},
    ],
    ids=str,
)
@pytest.mark.parametrize("with_key", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_multi_head_attention(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    options: dict[str, Any],
    with_key: bool,
    causal: bool,
) -> None:
    shapes = [QUERY, VALUE, KEY][: 2 + with_key]
    inputs = [keras.Input(shape) for shape in shapes]
    layer = keras.layers.MultiHeadAttention(**options, name="heads")
    query, *others = inputs
    named = {"value": others[0], "key": others[-1]} if with_key else {"value": others[0]}
    output = layer(query, use_causal_mask=causal, **named)
    model = randomised(keras.Model(inputs, output))
    arrays = [sample((2, *shape)) for shape in shapes]
    report = check_roundtrip(model, arrays, tfjs_runtime, tmp_path)
    assert [port.name for port in report.outputs] == ["heads"]


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
def test_multi_head_attention_over_itself(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, backend: str
) -> None:
    inputs = keras.Input((None, 6))
    model = randomised(keras.Model(inputs, keras.layers.MultiHeadAttention(2, 3)(inputs, inputs)))
    check_roundtrip(model, [sample((2, 4, 6))], tfjs_runtime, tmp_path, backend=backend)


@pytest.mark.parametrize(
    "options", [{}, {"use_bias": False}, {"use_gate": True}, {"dropout": 0.2}], ids=str
)
def test_grouped_query_attention(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, options: dict[str, Any]
) -> None:
    inputs = [keras.Input((4, 6)), keras.Input((5, 6))]
    layer = keras.layers.GroupQueryAttention(
        head_dim=2, num_query_heads=4, num_key_value_heads=2, **options
    )
    model = randomised(keras.Model(inputs, layer(*inputs)))
    arrays = [sample((2, 4, 6)), sample((2, 5, 6))]
    check_roundtrip(model, arrays, tfjs_runtime, tmp_path)


def test_attention_of_keras_2(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = tf_keras.layers
    query, value = tf_keras.Input((4, 6)), tf_keras.Input((5, 6))
    heads = layers.MultiHeadAttention(2, 3)(query, value)
    one = layers.Attention(use_scale=True)([query, value])
    model = randomised(tf_keras.Model([query, value], [heads, one]))
    arrays = [sample((2, 4, 6)), sample((2, 5, 6))]
    for suffix in (".keras", ".h5"):
        folder = tmp_path / suffix[1:]
        folder.mkdir()
        check_roundtrip(model, arrays, tfjs_runtime, folder, suffix=suffix)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("mask", "uses a mask"),
        ("scores", "returns its scores"),
        ("axes", "three axes"),
        ("masked", "uses a mask"),
    ],
)
def test_attention_that_is_refused(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, case: str, message: str
) -> None:
    layers = keras.layers
    shape = (2, 4, 6) if case == "axes" else (4, 6)
    inputs = keras.Input(shape)
    query = layers.Masking()(inputs) if case == "masked" else inputs
    options: dict[str, Any] = {}
    feeds = [inputs]
    if case == "mask":
        feeds.append(keras.Input((4, 4), dtype="bool"))
        options["attention_mask"] = feeds[1]
    if case == "scores":
        options["return_attention_scores"] = True
    model = keras.Model(feeds, layers.MultiHeadAttention(2, 3)(query, query, **options))
    with pytest.raises(UnsupportedError, match=message):
        check_roundtrip(model, [np.zeros((1, *shape), np.float32)], tfjs_runtime, tmp_path)
