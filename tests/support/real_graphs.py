"""The trained SavedModels and frozen graphs among the shared models, with their golden answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.protocol import Array

# The golden answers by their file, with what runs the converted model.
RUNS = {
    "saved_model__basic_pitch_nmp__serving_default": "predict",
    "saved_model__guesslang_2020_06__classification": "executeAsync",
    "saved_model__guesslang_2020_06__predict": "executeAsync",
    "saved_model__mlperf_tiny_kws__serving_default": "predict",
    "saved_model__serving_half_plus_two_cpu__regress_x2_to_y3": "predict",
    "saved_model__serving_half_plus_two_cpu__serving_default": "predict",
    "saved_model__serving_half_plus_two_tf2_cpu__classify_x2_to_y3": "predict",
    "saved_model__serving_half_plus_two_tf2_cpu__regress_x2_to_y3": "predict",
    "saved_model__serving_half_plus_two_tf2_cpu__serving_default": "predict",
    "saved_model__tf2onnx_regression__serving_default": "predict",
    "saved_model__tfjs_node_int64_multiply__serving_default": "predict",
    "saved_model__tfjs_node_model_multi_output__serving_default": "predict",
    "saved_model__tfjs_node_module_with_multiple_signatures__serving_default": "predict",
    "saved_model__tfjs_node_module_with_multiple_signatures__timestwo": "predict",
    "frozen_graph__keras_sentiment_cnn_lstm": "executeAsync",
    "frozen_graph__tf2onnx_lstm": "predict",
}


def source_of(folder: Path, name: str) -> tuple[Path, str | None]:
    kind, model, *signature = name.split("__")
    found = folder / kind / model
    if kind == "frozen_graph":
        return next(found.glob("*.pb")), None
    return found, signature[0]


def golden_of(folder: Path, name: str) -> tuple[dict[str, Array], dict[str, Array]]:
    with np.load(folder / "golden" / f"{name}.npz", allow_pickle=True) as file:
        found: tuple[dict[str, Array], dict[str, Array]] = ({}, {})
        for key in file.files:
            which, _, port = key.partition(":")
            found[which == "out"][port.replace("|", "/").removesuffix(":0")] = file[key]
        return found


def fed(array: Array) -> Array:
    """An input in the dtype that TF.js has for it."""
    kinds = {"i": "int32", "f": "float32"}
    return array.astype(kinds.get(array.dtype.kind, array.dtype))
