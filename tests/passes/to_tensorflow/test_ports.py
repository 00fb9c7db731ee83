"""Dtypes that TF.js lacks, from a SavedModel to TF.js and back."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.tensorflow_files import run_frozen, run_signature
from tests.support.tfjs_runtime import TfjsRuntime

FED: dict[str, Any] = {
    "ids": np.array([[1, 2], [3, 2**31 - 1]], np.int64),
    "image": np.array([[250, 7], [0, 255]], np.uint8),
    "x": np.array([[0.5, 1.5], [2.5, -3.0]], np.float64),
}
# 3 * 200 wraps around in uint8.
WANTED = {
    "next": FED["ids"] // 2,
    "bright": FED["image"] * np.uint8(3),
    "scaled": FED["x"] * 0.25,
    "same": FED["ids"],
}


@pytest.fixture
def web(tensorflow: ModuleType, tmp_path: Path) -> Path:
    """A graph model of TF.js whose source has integers of 64 and 8 bits, and float64."""
    tf = tensorflow

    class Own(tf.Module):  # type: ignore[misc, name-defined]
        @tf.function(
            input_signature=[
                tf.TensorSpec((None, 2), tf.int64, "ids"),
                tf.TensorSpec((None, 2), tf.uint8, "image"),
                tf.TensorSpec((None, 2), tf.float64, "x"),
            ]
        )
        def __call__(self, ids: Any, image: Any, x: Any) -> dict[str, Any]:
            three = tf.constant(3, tf.uint8)
            return {"next": ids // 2, "bright": image * three, "scaled": x * 0.25, "same": ids}

    own = Own()
    tf.saved_model.save(own, str(tmp_path / "source"), signatures=own.__call__)
    tfjs.convert(tmp_path / "source", tmp_path / "web", to="tfjs-graph")
    return tmp_path / "web"


def test_a_saved_model_has_the_dtypes_of_the_source(
    tensorflow: ModuleType, web: Path, tmp_path: Path
) -> None:
    tfjs.convert(web, tmp_path / "back", to="saved-model")
    function = tensorflow.saved_model.load(str(tmp_path / "back")).signatures["serving_default"]
    specs = function.structured_input_signature[1]
    assert {key: spec.dtype.name for key, spec in specs.items()} == {
        key: array.dtype.name for key, array in FED.items()
    }
    _compare(run_signature(tensorflow, tmp_path / "back", FED))


def test_a_frozen_graph_has_them_under_the_same_names(
    tensorflow: ModuleType, web: Path, tmp_path: Path
) -> None:
    tfjs.convert(web, tmp_path / "m.pb")
    _compare(run_frozen(tensorflow, tmp_path / "m.pb", FED, list(WANTED)))


def test_tfjs_runs_a_model_whose_signature_tells_of_them(
    tfjs_runtime: TfjsRuntime, web: Path
) -> None:
    data = json.loads((web / "model.json").read_text())
    told = {key: entry["dtype"] for key, entry in data["signature"]["inputs"].items()}
    assert told == {"ids": "DT_INT64", "image": "DT_UINT8", "x": "DT_DOUBLE"}
    nodes = {node["name"]: node for node in data["modelTopology"]["node"]}
    for key, wanted in {"ids": "DT_INT32", "image": "DT_INT32", "x": "DT_FLOAT"}.items():
        node = nodes[data["signature"]["inputs"][key]["name"][:-2]]
        assert node["attr"]["dtype"] == {"type": wanted}
    fed = [FED["ids"].astype(np.int32), FED["image"].astype(np.int32)]
    by_key = dict(zip(("ids", "image", "x"), [*fed, FED["x"].astype(np.float32)], strict=True))
    run = tfjs_runtime.run_graph(web, [by_key[key] for key in told])
    keys = list(data["signature"]["outputs"])
    for key, answer in zip(keys, run.answers, strict=True):
        assert np.array_equal(answer, WANTED[key].astype(answer.dtype)), key


def test_they_outlive_a_conversion_from_tfjs_to_tfjs(web: Path, tmp_path: Path) -> None:
    tfjs.convert(web, tmp_path / "again", to="tfjs-graph")
    first, second = (
        json.loads((folder / "model.json").read_text())["signature"]
        for folder in (web, tmp_path / "again")
    )
    assert first == second


@pytest.mark.parametrize("dtype", [9, "DT_FLOAT", "DT_NONE", 9e9, None, {"a": 1}])
def test_a_dtype_that_fits_no_graph_is_passed_over(
    tensorflow: ModuleType, web: Path, tmp_path: Path, dtype: Any
) -> None:
    data = json.loads((web / "model.json").read_text())
    data["signature"]["inputs"]["ids"]["dtype"] = dtype
    (web / "model.json").write_text(json.dumps(data))
    tfjs.convert(web, tmp_path / "back", to="saved-model")
    function = tensorflow.saved_model.load(str(tmp_path / "back")).signatures["serving_default"]
    # The number of DT_INT64 is 9.
    wanted = "int64" if dtype == 9 else "int32"
    assert function.structured_input_signature[1]["ids"].dtype.name == wanted


def _compare(answers: dict[str, Any]) -> None:
    assert set(answers) == set(WANTED)
    for key, wanted in WANTED.items():
        assert answers[key].dtype == wanted.dtype, key
        assert np.array_equal(answers[key], wanted), key
