"""Functions of TensorFlow that stand in tf.keras models as layers, as graphs."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.lowered import answer_of, check_lowered
from tests.support.roundtrip import error_of, sample
from tests.support.tfjs_runtime import TfjsRuntime

Case = Callable[[ModuleType, Any], Any]

# By the name of the function; each gets TensorFlow and a tensor of [batch, 4, 6].
CASES: dict[str, Case] = {
    "math.exp": lambda tf, x: tf.exp(x),
    "math.log1p": lambda tf, x: tf.math.log1p(tf.abs(x)),
    "math.sqrt": lambda tf, x: tf.sqrt(tf.abs(x)),
    "math.rsqrt": lambda tf, x: tf.math.rsqrt(tf.abs(x) + 1.0),
    "math.sin": lambda tf, x: tf.sin(x),
    "math.erf": lambda tf, x: tf.math.erf(x),
    "math.floor": lambda tf, x: tf.floor(x),
    "math.round": lambda tf, x: tf.round(x),
    "math.sign": lambda tf, x: tf.sign(x),
    "math.greater": lambda tf, x: tf.cast(x > 0.5, "float32"),
    "math.logical_and": lambda tf, x: tf.cast(tf.logical_and(x > 0, x < 1), "float32"),
    "math.logical_not": lambda tf, x: tf.cast(tf.logical_not(x > 0), "float32"),
    "math.floormod": lambda tf, x: x % 2.0,
    "floor_div": lambda tf, x: x // 2.0,
    "math.atan2": lambda tf, x: tf.atan2(x, x[:, :1]),
    "math.divide_no_nan": lambda tf, x: tf.math.divide_no_nan(x, tf.nn.relu(x)),
    "math.squared_difference": lambda tf, x: tf.math.squared_difference(x, x[:, :1]),
    "where": lambda tf, x: tf.where(x > 0.5, tf.exp(x), -1.0),
    "math.argmax": lambda tf, x: tf.one_hot(tf.argmax(x, -1), 6),
    "math.top_k": lambda tf, x: tf.math.top_k(x, 2).values,
    "math.cumsum": lambda tf, x: tf.cumsum(x, 1),
    "math.reduce_prod": lambda tf, x: tf.reduce_prod(x, -1),
    "math.reduce_variance": lambda tf, x: tf.math.reduce_variance(x, 1, keepdims=True),
    "math.reduce_std": lambda tf, x: tf.math.reduce_std(x, 1),
    "math.reduce_logsumexp": lambda tf, x: tf.reduce_logsumexp(x, -1),
    "math.reduce_any": lambda tf, x: tf.cast(tf.reduce_any(x > 1, -1), "float32"),
    "math.l2_normalize": lambda tf, x: tf.nn.l2_normalize(x, -1),
    "norm": lambda tf, x: tf.norm(x, axis=-1),
    "gather": lambda tf, x: tf.gather(x, tf.argmax(x[0, 0, :4]), axis=1),
    "gather_nd": lambda tf, x: tf.gather_nd(x, [[0, 1], [1, 0]]),
    "sort": lambda tf, x: tf.sort(x, axis=-1),
    "roll": lambda tf, x: tf.roll(x, 1, 1),
    "repeat": lambda tf, x: tf.repeat(x, 2, axis=1),
    "shape": lambda tf, x: tf.reshape(x, [tf.shape(x)[0] * 2, -1]),
    "broadcast_to": lambda tf, x: tf.broadcast_to(x[:, :1], tf.shape(x)),
    "tensordot": lambda tf, x: tf.tensordot(x, tf.ones((6, 2)), axes=1),
    "linalg.diag": lambda tf, x: tf.linalg.diag(x[:, 0]),
    "linalg.band_part": lambda tf, x: tf.linalg.band_part(x, 1, 0),
    "image.resize": lambda tf, x: tf.image.resize(x[..., None], (3, 3)),
    "image.flip_left_right": lambda tf, x: tf.image.flip_left_right(x[..., None]),
    "nn.max_pool2d": lambda tf, x: tf.nn.max_pool2d(x[..., None], 2, 2, "SAME"),
    "nn.avg_pool2d": lambda tf, x: tf.nn.avg_pool2d(x[..., None], [2, 3], 1, "VALID"),
    "nn.conv2d": lambda tf, x: tf.nn.conv2d(x[..., None], tf.ones((2, 2, 1, 3)), 1, "SAME"),
}


def model_of(k: ModuleType, tf: ModuleType, *names: str) -> Any:
    x = k.Input((4, 6))
    return k.Model(x, [CASES[name](tf, x) for name in names])


@pytest.mark.parametrize("name", CASES)
def test_a_function(
    name: str, tf_keras: ModuleType, tensorflow: ModuleType, tmp_path: Path
) -> None:
    model = model_of(tf_keras, tensorflow, name)
    functions = [
        item["config"].get("function") for item in json.loads(model.to_json())["config"]["layers"]
    ]
    assert {name, f"compat.v1.{name}", f"compat.v1.{name}_v2"} & set(functions)
    with warnings.catch_warnings():
        # tf_keras would rather write another format, which holds no Ellipsis.
        warnings.simplefilter("ignore")
        model.save(tmp_path / "model.h5")
    x = sample((2, 4, 6))
    answer = tfjs.load(tmp_path / "model.h5")(x)
    (wanted,) = answer_of(model, [x])
    found = answer[0] if isinstance(answer, list | tuple) else answer
    assert error_of(np.asarray(found), wanted) <= 1e-5


def test_functions_in_tfjs(
    tf_keras: ModuleType, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    model = model_of(tf_keras, tensorflow, *CASES)
    check_lowered(model, [sample((2, 4, 6))], tfjs_runtime, tmp_path, suffix=".h5")


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (lambda tf, x: tf.math.lgamma(x), "calls tf.math.lgamma, which is not known here"),
        (lambda tf, x: tf.cumsum(x, 1, reverse=True), "with reverse=True"),
        (lambda tf, x: tf.sort(x, direction="DESCENDING"), "with direction='DESCENDING'"),
    ],
)
def test_a_function_that_is_not_known(
    case: Case, reason: str, tf_keras: ModuleType, tensorflow: ModuleType, tmp_path: Path
) -> None:
    x = tf_keras.Input((4, 6))
    tf_keras.Model(x, case(tensorflow, x)).save(tmp_path / "model.keras")
    with pytest.raises(tfjs.UnsupportedError) as caught:
        tfjs.convert(tmp_path / "model.keras", tmp_path / "web", to="tfjs-graph")
    assert reason in caught.value.problems[0]


# Operations of TensorFlow 2.0 to 2.3 ----------------------------------------------------------


def _node(name: str, op: str, inputs: list[Any], constants: Any, attr: Any) -> dict[str, Any]:
    node = {"name": name, "op": op, "input": [], "attr": attr}
    return {
        "class_name": "TensorFlowOpLayer",
        "name": name,
        "config": {"name": name, "node_def": node, "constants": constants, "dtype": "float32"},
        "inbound_nodes": [[[item, 0, 0, {}] for item in inputs]],
    }


def _file(folder: Path, *nodes: dict[str, Any]) -> Path:
    first = {"name": "x", "batch_input_shape": [None, 4, 6], "dtype": "float32"}
    layers = [{"class_name": "InputLayer", "name": "x", "config": first, "inbound_nodes": []}]
    config = {
        "name": "model",
        "layers": [*layers, *nodes],
        "input_layers": [["x", 0, 0]],
        "output_layers": [[node["name"], 0, 0] for node in nodes],
    }
    topology = {"class_name": "Model", "config": config, "keras_version": "2.3.0-tf"}
    data = {"format": "layers-model", "modelTopology": topology, "weightsManifest": []}
    (folder / "model.json").write_text(json.dumps(data))
    return folder / "model.json"


def test_operations_as_layers(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        _node("a", "Exp", ["x"], {}, {"T": {"type": "DT_FLOAT"}}),
        _node("b", "ArgMax", ["x"], {"1": -1}, {"output_type": {"type": "DT_INT64"}}),
        _node("c", "Cumsum", ["x"], {"1": 1}, {"reverse": {"b": True}, "exclusive": {"b": False}}),
    )
    x = sample((2, 4, 6))
    exp, place, sums = (np.asarray(item) for item in tfjs.load(path)(x))
    np.testing.assert_allclose(exp, np.exp(x), rtol=1e-6)
    np.testing.assert_array_equal(place, x.argmax(-1))
    np.testing.assert_allclose(sums, x[:, ::-1].cumsum(1)[:, ::-1], rtol=1e-5, atol=1e-6)


def test_an_operation_that_is_not_known(tmp_path: Path) -> None:
    path = _file(tmp_path, _node("a", "RandomShuffle", ["x"], {}, {}))
    with pytest.raises(tfjs.UnsupportedError) as caught:
        tfjs.convert(path, tmp_path / "web", to="tfjs-graph")
    assert "runs the TensorFlow op RandomShuffle" in caught.value.problems[0]
