"""Attention as a graph, against Keras and TF.js in Node; transformers as whole models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.lowered import check_lowered
from tests.support.protocol import Array
from tests.support.roundtrip import randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime

QUERY, VALUE, KEY = (4, 6), (5, 3), (5, 6)
FRAMEWORKS = ["keras", "tf_keras"]
SUFFIXES = {"keras": ".keras", "tf_keras": ".h5"}

Build = Callable[..., Any]


def model_of(k: ModuleType, build: Build, shapes: Sequence[tuple[int | None, ...]]) -> Any:
    inputs = [k.Input(shape) for shape in shapes]
    outputs = build(*inputs)
    flat = [
        item
        for part in (outputs if isinstance(outputs, list | tuple) else [outputs])
        for item in (part if isinstance(part, list | tuple) else [part])
    ]
    return randomised(k.Model(inputs if len(inputs) > 1 else inputs[0], flat))


def arrays(*shapes: tuple[int, ...]) -> list[Array]:
    return [sample((2, *shape), seed) for seed, shape in enumerate(shapes)]


def with_gaps(array: Array) -> Array:
    """Steps of zeros, which Masking finds: at the end of one sequence, within the other."""
    array[0, -2:] = 0
    array[1, 1] = 0
    return array


# One head ------------------------------------------------------------------------------------


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
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_attention(
    request: pytest.FixtureRequest,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    framework: str,
    options: dict[str, Any],
) -> None:
    k = request.getfixturevalue(framework)

    def build(*given: Any) -> Any:
        plain, causal = k.layers.Attention(**options), k.layers.Attention(**options)
        query, _, key = given
        return plain([query, key]), causal(
            list(given), use_causal_mask=True, return_attention_scores=True
        )

    model = model_of(k, build, [QUERY, VALUE, KEY])
    fed = arrays(QUERY, VALUE, KEY)
    check_lowered(model, fed, tfjs_runtime, tmp_path, suffix=SUFFIXES[framework])


@pytest.mark.parametrize("scale", [False, True])
def test_additive_attention(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, scale: bool
) -> None:
    layer = keras.layers.AdditiveAttention(use_scale=scale)
    model = model_of(keras, lambda *given: layer(list(given)), [QUERY, VALUE, KEY])
    check_lowered(model, arrays(QUERY, VALUE, KEY), tfjs_runtime, tmp_path)


def test_attention_of_free_length(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layer = keras.layers.Attention()
    model = model_of(keras, lambda x: layer([x, x], use_causal_mask=True), [(None, 6)])
    check_lowered(model, arrays(QUERY), tfjs_runtime, tmp_path)


@pytest.mark.parametrize("kind", ["Attention", "AdditiveAttention"])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_masks_of_attention(
    request: pytest.FixtureRequest,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    framework: str,
    kind: str,
) -> None:
    k = request.getfixturevalue(framework)

    def build(query: Any, value: Any) -> Any:
        inputs = [k.layers.Masking()(query), k.layers.Masking()(value)]
        attend = getattr(k.layers, kind)()
        return attend(inputs, use_causal_mask=True, return_attention_scores=True)

    model = model_of(k, build, [QUERY, KEY])
    fed = [with_gaps(array) for array in arrays(QUERY, KEY)]
    # The first query sees the first key only, which must be there.
    check_lowered(model, fed, tfjs_runtime, tmp_path, suffix=SUFFIXES[framework])


# Many heads ----------------------------------------------------------------------------------

HEADS: list[dict[str, Any]] = [
    {"num_heads": 1, "key_dim": 4},
    {"num_heads": 3, "key_dim": 2, "use_bias": False},
    {"num_heads": 2, "key_dim": 2, "value_dim": 5, "dropout": 0.1},
    {"num_heads": 2, "key_dim": 2, "output_shape": (7, 2)},
]


@pytest.mark.parametrize("options", HEADS, ids=str)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_heads(
    request: pytest.FixtureRequest,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    framework: str,
    options: dict[str, Any],
) -> None:
    k = request.getfixturevalue(framework)

    def build(query: Any, value: Any, key: Any) -> Any:
        plain, causal = (k.layers.MultiHeadAttention(**options) for _ in range(2))
        return plain(query, value), causal(query, value=value, key=key, use_causal_mask=True)

    model = model_of(k, build, [QUERY, VALUE, KEY])
    fed = arrays(QUERY, VALUE, KEY)
    check_lowered(model, fed, tfjs_runtime, tmp_path, suffix=SUFFIXES[framework])


@pytest.mark.parametrize(
    "options",
    [{"use_gate": True, "value_dim": 3, "dropout": 0.1}, {"sliding_window": 2}],
    ids=str,
)
def test_heads_of_keras_3(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, options: dict[str, Any]
) -> None:
    def build(query: Any, value: Any) -> Any:
        plain, causal = (keras.layers.MultiHeadAttention(2, 3, **options) for _ in range(2))
        return plain(query, value), causal(query, value, use_causal_mask=True)

    model = model_of(keras, build, [QUERY, VALUE])
    check_lowered(model, arrays(QUERY, VALUE), tfjs_runtime, tmp_path)


def test_attention_over_itself_is_few_nodes(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layer = keras.layers.MultiHeadAttention(2, 3)
    model = model_of(keras, lambda x: layer(x, x, use_causal_mask=True), [QUERY])
    ops = check_lowered(model, arrays(QUERY), tfjs_runtime, tmp_path)
    products = {"MatMul": 4, "BiasAdd": 4, "BatchMatMulV2": 2}
    assert ops == {**products, "Reshape": 6, "Transpose": 4, "AddV2": 1, "Softmax": 1}


def test_heads_of_free_length(keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    def build(x: Any) -> Any:
        heads = keras.layers.MultiHeadAttention(2, 3)
        groups = keras.layers.GroupQueryAttention(3, 4, 2)
        return [
            heads(x, x, use_causal_mask=True),
            groups(x, x, use_causal_mask=True, return_attention_scores=True),
        ]

    model = model_of(keras, build, [(None, 6)])
    check_lowered(model, arrays(QUERY), tfjs_runtime, tmp_path)


@pytest.mark.parametrize("axes", [None, (1,), (2,), (-2,), (2, 1)])
def test_axes(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, axes: tuple[int, ...] | None
) -> None:
    layer = keras.layers.MultiHeadAttention(2, 3, attention_axes=axes)
    shapes = [(3, 4, 6), (3, 4, 5)]
    model = model_of(
        keras, lambda query, value: layer(query, value, return_attention_scores=True), shapes
    )
    check_lowered(model, arrays(*shapes), tfjs_runtime, tmp_path)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("kind", ["MultiHeadAttention", "GroupQueryAttention"])
def test_a_mask_of_the_call(
    keras: ModuleType,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    kind: str,
    scores: bool,
    causal: bool,
) -> None:
    sizes = (2, 3) if kind == "MultiHeadAttention" else (3, 4, 2)

    def build(query: Any, value: Any, mask: Any) -> Any:
        return getattr(keras.layers, kind)(*sizes)(
            query,
            value,
            attention_mask=mask,
            use_causal_mask=causal,
            return_attention_scores=scores,
        )

    model = model_of(keras, build, [QUERY, KEY, (4, 5)])
    mask = (np.random.default_rng(0).random((2, 4, 5)) > 0.5).astype(np.float32)
    mask[1, 2] = 0  # nothing at all to see
    check_lowered(model, [*arrays(QUERY, KEY), mask], tfjs_runtime, tmp_path)


@pytest.mark.parametrize(
    "options",
    [{}, {"use_causal_mask": True}, {"return_attention_scores": True}],
    ids=str,
)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_masks_of_steps(
    request: pytest.FixtureRequest,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    framework: str,
    options: dict[str, Any],
) -> None:
    k = request.getfixturevalue(framework)

    def build(query: Any, value: Any, key: Any) -> Any:
        masked = [k.layers.Masking()(item) for item in (query, value, key)]
        return k.layers.MultiHeadAttention(2, 3)(*masked, **options)

    model = model_of(k, build, [QUERY, VALUE, KEY])
    fed = [with_gaps(array) for array in arrays(QUERY, VALUE, KEY)]
    check_lowered(model, fed, tfjs_runtime, tmp_path, suffix=SUFFIXES[framework])


# Whole models --------------------------------------------------------------------------------


def block(k: ModuleType, x: Any, *, causal: bool, dropout: float) -> Any:
    """A block of a transformer: attention and two dense layers, each added to what came in."""
    layers = k.layers
    heads = layers.MultiHeadAttention(2, 4, dropout=dropout)
    told = {"use_causal_mask": True} if causal else {}
    x = layers.LayerNormalization()(layers.Add()([x, heads(x, x, **told)]))
    inner = layers.Dense(8)(layers.Dense(16, activation="gelu")(x))
    return layers.LayerNormalization()(layers.Add()([x, layers.Dropout(dropout)(inner)]))


def tokens(*shape: int) -> Array:
    found = np.random.default_rng(0).integers(1, 9, shape).astype(np.int32)
    found[0, -2:] = 0
    return found


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_an_encoder(
    request: pytest.FixtureRequest,
    tfjs_runtime: TfjsRuntime,
    tmp_path: Path,
    framework: str,
    dropout: float,
) -> None:
    k = request.getfixturevalue(framework)
    words = k.Input((6,), dtype="int32")
    x = k.layers.Embedding(9, 8, mask_zero=True)(words)
    for _ in range(2):
        x = block(k, x, causal=False, dropout=dropout)
    model = randomised(k.Model(words, k.layers.Dense(3)(x)))
    check_lowered(model, [tokens(2, 6)], tfjs_runtime, tmp_path, suffix=SUFFIXES[framework])


@pytest.mark.parametrize("length", [6, None])
def test_a_decoder(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, length: int | None
) -> None:
    layers = keras.layers
    words = keras.Input((length,), dtype="int32")
    x = layers.Embedding(9, 8)(words)
    for _ in range(2):
        x = block(keras, x, causal=True, dropout=0.1)
    logits = layers.Dense(9, use_bias=False)(x)
    model = randomised(keras.Model(words, layers.Softmax()(logits)))
    check_lowered(model, [tokens(2, 6)], tfjs_runtime, tmp_path)


def test_a_decoder_that_reads_an_encoder(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    layers = tf_keras.layers
    source, target = (tf_keras.Input((size,), dtype="int32") for size in (6, 5))
    read = block(
        tf_keras, layers.Embedding(9, 8, mask_zero=True)(source), causal=False, dropout=0.1
    )
    x = layers.Embedding(9, 8, mask_zero=True)(target)
    for _ in range(2):
        x = block(tf_keras, x, causal=True, dropout=0.1)
        x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, read)])
    model = randomised(tf_keras.Model([source, target], layers.Dense(9)(x)))
    fed = [tokens(2, 6), tokens(2, 5)]
    check_lowered(model, fed, tfjs_runtime, tmp_path, suffix=".h5")
