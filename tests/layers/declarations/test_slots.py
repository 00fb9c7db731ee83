"""The weights that declarations tell, held against those that live layers make."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest

from tfjs.ir.layers_model import flatten
from tfjs.layers.dialects.read import read_model
from tfjs.layers.registry import spec_of
from tfjs.layers.shapes import infer_shapes
from tfjs.layers.vocabulary import Dialect

Shapes = list[tuple[int, ...]]
CASES: list[tuple[str, dict[str, Any], Shapes]] = [
    ("AdditiveAttention", {}, [(5, 4), (5, 4)]),
    ("AdditiveAttention", {"use_scale": False}, [(5, 4), (5, 4)]),
    ("Attention", {"use_scale": True}, [(5, 4), (5, 4)]),
    ("Attention", {"use_scale": True, "score_mode": "concat"}, [(5, 4), (5, 4)]),
    ("BatchNormalization", {}, [(3, 4)]),
    ("BatchNormalization", {"axis": 1}, [(3, 4)]),
    ("BatchNormalization", {"scale": False}, [(4,)]),
    ("BatchNormalization", {"center": False}, [(4,)]),
    ("Dense", {"units": 3}, [(5, 4)]),
    ("Dense", {"units": 3, "use_bias": False}, [(4,)]),
    ("EinsumDense", {"equation": "abc,cd->abd", "output_shape": (None, 3)}, [(5, 4)]),
    (
        "EinsumDense",
        {"equation": "...x,xyz->...yz", "output_shape": (3, 2), "bias_axes": "z"},
        [(5, 4)],
    ),
    (
        "EinsumDense",
        {"equation": "ab...,bc->ac...", "output_shape": 3, "bias_axes": "c"},
        [(5, 4)],
    ),
    ("Embedding", {"input_dim": 7, "output_dim": 3}, [(5,)]),
    ("GroupNormalization", {"groups": 2}, [(5, 4)]),
    ("GroupNormalization", {"groups": 2, "axis": 1}, [(4, 5)]),
    (
        "GroupQueryAttention",
        {"head_dim": 2, "num_query_heads": 4, "num_key_value_heads": 2},
        [
            (5, 4),
            (6, 4),
        ],
    ),
    ("LayerNormalization", {}, [(5, 4)]),
    ("LayerNormalization", {"axis": [1, 2]}, [(5, 4)]),
    ("LayerNormalization", {"center": False}, [(4,)]),
    ("LayerNormalization", {"rms_scaling": True}, [(4,)]),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, [(5, 4), (6, 3)]),
    (
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 3, "value_dim": 5},
        [(5, 4), (6, 3), (6, 2)],
    ),
    (
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 3, "output_shape": (6, 2)},
        [(5, 4), (5, 4)],
    ),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "use_gate": True}, [(5, 4), (5, 4)]),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "use_bias": False}, [(5, 4), (5, 4)]),
    ("Normalization", {}, [(5, 4)]),
    ("Normalization", {"axis": (1, 2)}, [(5, 4)]),
    ("Normalization", {"axis": None}, [(5, 4)]),
    ("Normalization", {"mean": 1.0, "variance": 2.0}, [(5, 4)]),
    ("PReLU", {}, [(5, 4, 3)]),
    ("PReLU", {"shared_axes": [1, 2]}, [(5, 4, 3)]),
    ("RMSNormalization", {}, [(5, 4)]),
    ("ReversibleEmbedding", {"input_dim": 7, "output_dim": 3}, [(5,)]),
    ("ReversibleEmbedding", {"input_dim": 7, "output_dim": 3, "tie_weights": False}, [(5,)]),
    ("STFTSpectrogram", {"frame_length": 8, "mode": "imag"}, [(50, 1)]),
    ("STFTSpectrogram", {"frame_length": 8, "fft_length": 16}, [(50, 1)]),
    ("Dropout", {"rate": 0.5, "seed": 3}, [(5, 4)]),
    ("RandomFlip", {}, [(5, 4, 3)]),
]


@pytest.mark.filterwarnings("ignore:You passed `rms_scaling=True`")
@pytest.mark.parametrize(("kind", "options", "shapes"), CASES, ids=str)
@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_slots(
    request: pytest.FixtureRequest,
    framework: str,
    kind: str,
    options: dict[str, Any],
    shapes: Shapes,
) -> None:
    keras: ModuleType = request.getfixturevalue(framework)
    live, model = _live(keras, kind, options, shapes)
    config = json.loads(model.to_json())
    dialect: Dialect = "keras3" if framework == "keras" else "keras2"
    read = read_model({"class_name": config["class_name"], "config": config["config"]}, dialect, "")
    layer, known = read.layer(live.name), infer_shapes(read)
    spec = spec_of(layer)
    assert spec is not None
    slots = spec.slots(layer, [known[ref] for ref in layer.calls[0].inputs()])
    assert [(slot.name, slot.shape, slot.trainable) for slot in slots] == [
        (_name(weight, live.name), tuple(weight.shape), weight.trainable) for weight in live.weights
    ]
    # Names are asked for where nothing is known of the input.
    assert [slot.name for slot in spec.slots(layer, [])] == [slot.name for slot in slots]
    assert len(flatten(read.outputs)) == 1


def _live(keras: ModuleType, kind: str, options: dict[str, Any], shapes: Shapes) -> tuple[Any, Any]:
    if not hasattr(keras.layers, kind):
        pytest.skip(f"no {kind} in Keras 2")
    try:
        live = getattr(keras.layers, kind)(**options)
    except (TypeError, ValueError):
        pytest.skip("an option of Keras 3")
    dtype = "int32" if "Embedding" in kind else "float32"
    inputs = [keras.Input(shape, dtype=dtype) for shape in shapes]
    by_argument = "Attention" in kind and kind not in ("Attention", "AdditiveAttention")
    output = live(*inputs) if by_argument else live(inputs if len(inputs) > 1 else inputs[0])
    return live, keras.Model(inputs, output)


def _name(weight: Any, layer: str) -> str:
    path: str = weight.path if hasattr(weight, "path") else weight.name
    return path.partition(":")[0].removeprefix(f"{layer}/")
