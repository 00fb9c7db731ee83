from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import tfjs
from tests.support.roundtrip import check_roundtrip, randomised, sample
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.ir.layers_model import Layer, LayersModel, TensorRef
from tfjs.layers.dialects.read import read_model

SHAPE = (2, 4, 6)
LIST = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def read(
    class_name: str, config: dict[str, Any], node: Any, inputs: tuple[str, ...] = ("x", "y")
) -> LayersModel:
    """A model of inputs and one layer named `op`."""
    layers: list[dict[str, Any]] = [
        {
            "class_name": "InputLayer",
            "name": name,
            "config": {"batch_input_shape": [None, 4, 6], "dtype": "float32", "name": name},
            "inbound_nodes": [],
        }
        for name in inputs
    ]
    entry = {"class_name": class_name, "name": "op", "config": {"name": "op", **config}}
    layers.append({**entry, "inbound_nodes": [node]})
    ends = {
        "input_layers": [[name, 0, 0] for name in inputs],
        "output_layers": [["op", 0, 0]],
    }
    data = {"class_name": "Functional", "config": {"name": "m", "layers": layers, **ends}}
    return read_model(data, "keras2", "test")


def function(name: str, node: Any) -> Layer:
    kind = "SlicingOpLambda" if name.endswith("getitem") else "TFOpLambda"
    return read(kind, {"function": name, "trainable": True}, node).layer("op")


X, Y = TensorRef("x"), TensorRef("y")


@pytest.mark.parametrize(
    ("name", "node", "class_name", "config", "args"),
    [
        ("math.multiply", ["x", 0, 0, {"y": 2.0, "name": None}], "Multiply", {}, (X, 2.0)),
        ("math.multiply", ["x", 0, 0, {"y": ["y", 0, 0]}], "Multiply", {}, (X, Y)),
        (
            "math.subtract",
            ["_CONSTANT_VALUE", -1, 3.5, {"y": ["x", 0, 0]}],
            "Subtract",
            {},
            (3.5, X),
        ),
        (
            "compat.v1.math.scalar_mul",
            ["_CONSTANT_VALUE", -1, 2, {"x": ["x", 0, 0]}],
            "Multiply",
            {},
            (2, X),
        ),
        (
            "math.reduce_mean",
            ["x", 0, 0, {"axis": 1, "keepdims": True}],
            "Mean",
            {"axis": 1, "keepdims": True},
            (X,),
        ),
        (
            "concat",
            [["x", 0, 0, {"axis": -1}], ["y", 0, 0, {"axis": -1}]],
            "Concatenate",
            {"axis": -1},
            ([X, Y],),
        ),
        (
            "compat.v1.squeeze",
            ["x", 0, 0, {"axis": 1, "name": None}],
            "Squeeze",
            {"axis": 1},
            (X,),
        ),
        (
            "split",
            ["x", 0, 0, {"num_or_size_splits": [1, 2, 3], "axis": 2}],
            "Split",
            {"indices_or_sections": [1, 3], "axis": 2},
            (X,),
        ),
        (
            "__operators__.getitem",
            ["x", 0, 0, {"slice_spec": [{"start": None, "stop": None, "step": None}, -1]}],
            "GetItem",
            {},
            (X, [slice(None), -1]),
        ),
        (
            "__operators__.getitem",
            ["x", 0, 0, {"slice_spec": [{"class_name": "__ellipsis__"}, 0]}],
            "GetItem",
            {},
            (X, [..., 0]),
        ),
        (
            "slice",
            ["x", 0, 0, {"begin": [0, 1, 2], "size": [-1, 2, 3]}],
            "GetItem",
            {},
            (X, [slice(0, None), slice(1, 3), slice(2, 5)]),
        ),
        (
            "strided_slice",
            ["x", 0, 0, {"begin": [0, 1], "end": [0, 3], "begin_mask": 1, "end_mask": 1}],
            "GetItem",
            {},
            (X, [slice(None, None, 1), slice(1, 3, 1)]),
        ),
        (
            "linalg.matmul",
            ["x", 0, 0, {"b": ["y", 0, 0], "transpose_b": True}],
            "Einsum",
            {"subscripts": "...ij,...kj->...ik"},
            (X, Y),
        ),
        ("nn.gelu", ["x", 0, 0, {}], "Gelu", {"approximate": False}, (X,)),
        ("nn.leaky_relu", ["x", 0, 0, {}], "LeakyRelu", {"negative_slope": 0.2}, (X,)),
        ("cast", ["x", 0, 0, {"dtype": "float16"}], "Cast", {"dtype": "float16"}, (X,)),
    ],
)
def test_functions(
    name: str, node: Any, class_name: str, config: dict[str, Any], args: tuple[Any, ...]
) -> None:
    layer = function(name, node)
    assert (layer.class_name, layer.config, layer.calls[0].args) == (class_name, config, args)
    assert (layer.module or "").startswith("keras.src.ops.")
    assert not layer.calls[0].kwargs


def test_sum_of_many_is_a_layer() -> None:
    layer = function("math.add_n", [["x", 0, 0, {}], ["y", 0, 0, {}]])
    assert (layer.class_name, layer.module, layer.calls[0].args) == ("Add", None, ([X, Y],))


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("math.l2_normalize", ["x", 0, 0, {}]),
        ("nn.swish", ["x", 0, 0, {"beta": 2.0}]),
        ("math.multiply", ["x", 0, 0, {}]),
        ("gather", ["x", 0, 0, {"indices": [0], "batch_dims": 1}]),
        ("reshape", ["x", 0, 0, {"shape": [["y", 0, 0], 24]}]),
    ],
)
def test_what_is_not_known_stays(name: str, node: Any) -> None:
    layer = function(name, node)
    assert (layer.class_name, layer.config["function"]) == ("TFOpLambda", name)


def test_unknown_function_is_named(
    tf_keras: ModuleType, tensorflow: ModuleType, tmp_path: Path
) -> None:
    inputs = tf_keras.Input((4,))
    tf_keras.Model(inputs, tensorflow.sqrt(inputs)).save(tmp_path / "model.h5")
    with pytest.raises(UnsupportedError, match=r"calls tf\.math\.sqrt, for which no layer"):
        tfjs.convert(tmp_path / "model.h5", tmp_path / "web", to="tfjs-layers")


def test_senseless_arguments() -> None:
    with pytest.raises(CorruptFileError):
        function("slice", ["x", 0, 0, {"begin": [0], "size": [1, 2]}])


# Nodes of TensorFlow 2.0 to 2.3 --------------------------------------------------------------


def node(op: str, constants: dict[str, Any], attr: dict[str, Any], inputs: list[str]) -> Layer:
    config = {"node_def": {"name": "n", "op": op, "attr": attr}, "constants": constants}
    refs = [[name, 0, 0, {}] for name in inputs]
    return read("TensorFlowOpLayer", config, refs).layer("op")


@pytest.mark.parametrize(
    ("op", "constants", "attr", "inputs", "class_name", "config", "args"),
    [
        ("AddV2", {"1": 2.5}, {}, ["x"], "Add", {}, (X, 2.5)),
        ("Sub", {"0": 1.0}, {}, ["x"], "Subtract", {}, (1.0, X)),
        ("Mul", {}, {}, ["x", "y"], "Multiply", {}, (X, Y)),
        (
            "Mean",
            {"1": [1, 2]},
            {"keep_dims": {"b": True}},
            ["x"],
            "Mean",
            {"axis": [1, 2], "keepdims": True},
            (X,),
        ),
        ("ConcatV2", {"2": -1}, {}, ["x", "y"], "Concatenate", {"axis": -1}, ([X, Y],)),
        ("Pack", {}, {"axis": {"i": "1"}}, ["x", "y"], "Stack", {"axis": 1}, ([X, Y],)),
        ("Reshape", {"1": [-1, 24]}, {}, ["x"], "Reshape", {"newshape": [-1, 24]}, (X,)),
        (
            "Squeeze",
            {},
            {"squeeze_dims": {"list": {"i": ["1"]}}},
            ["x"],
            "Squeeze",
            {"axis": [1]},
            (X,),
        ),
        (
            "StridedSlice",
            {"1": [0, 3], "2": [0, 4], "3": [1, 1]},
            {
                "begin_mask": {"i": "1"},
                "end_mask": {"i": "1"},
                "shrink_axis_mask": {"i": "2"},
            },
            ["x"],
            "GetItem",
            {},
            (X, [slice(None, None, 1), 3]),
        ),
        (
            "BatchMatMulV2",
            {},
            {"adj_y": {"b": True}},
            ["x", "y"],
            "Einsum",
            {"subscripts": "...ij,...kj->...ik"},
            (X, Y),
        ),
    ],
)
def test_nodes(
    op: str,
    constants: dict[str, Any],
    attr: dict[str, Any],
    inputs: list[str],
    class_name: str,
    config: dict[str, Any],
    args: tuple[Any, ...],
) -> None:
    layer = node(op, constants, attr, inputs)
    assert (layer.class_name, layer.config, layer.calls[0].args) == (class_name, config, args)


def test_unknown_node_stays() -> None:
    assert node("Sqrt", {}, {}, ["x"]).class_name == "TensorFlowOpLayer"


# In the real tf.keras ------------------------------------------------------------------------

Case = Callable[[Any, Any], Any]

ONE: dict[str, Case] = {
    "x + 1": lambda tf, x: x + 1,
    "1 - x": lambda tf, x: 1 - x,
    "x * 2": lambda tf, x: x * 2.0,
    "x / 2": lambda tf, x: x / 2,
    "-x": lambda tf, x: -x,
    "x ** 2": lambda tf, x: x**2,
    "x + list": lambda tf, x: x + tf.constant(LIST),
    "maximum": lambda tf, x: tf.maximum(x, 0.5),
    "clip": lambda tf, x: tf.clip_by_value(x, -1, 1),
    "abs": lambda tf, x: tf.abs(x),
    "square": lambda tf, x: tf.square(x),
    "relu": lambda tf, x: tf.nn.relu(x),
    "gelu": lambda tf, x: tf.nn.gelu(x),
    "gelu, approximate": lambda tf, x: tf.nn.gelu(x, approximate=True),
    "leaky_relu": lambda tf, x: tf.nn.leaky_relu(x, alpha=0.3),
    "silu": lambda tf, x: tf.nn.silu(x),
    "softmax 1": lambda tf, x: tf.nn.softmax(x, axis=1),
    "bias_add": lambda tf, x: tf.nn.bias_add(x, LIST),
    "scalar_mul": lambda tf, x: tf.math.scalar_mul(2.0, x),
    "identity": lambda tf, x: tf.identity(x),
    "[:, 3:5]": lambda tf, x: x[:, 3:5],
    "[:, -1]": lambda tf, x: x[:, -1],
    "[..., 0]": lambda tf, x: x[..., 0],
    "[:, 1:, None, ::1]": lambda tf, x: x[:, 1:, None, ::1],
    "split": lambda tf, x: tf.split(x, 2, axis=2),
    "split by sizes": lambda tf, x: tf.split(x, [1, 2, 3], axis=2),
    "unstack": lambda tf, x: tf.unstack(x, axis=1),
    "slice": lambda tf, x: tf.slice(x, [0, 1, 0], [-1, 2, 3]),
    "gather": lambda tf, x: tf.gather(x, [0, 2], axis=1),
    "reverse": lambda tf, x: tf.reverse(x, [1]),
    "reduce_mean": lambda tf, x: tf.reduce_mean(x, axis=1, keepdims=True),
    "reduce_sum": lambda tf, x: tf.reduce_sum(x, axis=[1, 2]),
    "reduce_max": lambda tf, x: tf.reduce_max(x, axis=-1),
    "reshape": lambda tf, x: tf.reshape(x, (-1, 24)),
    "reshape by the batch": lambda tf, x: tf.reshape(x, (tf.shape(x)[0], 24)),
    "transpose": lambda tf, x: tf.transpose(x, (0, 2, 1)),
    "squeeze": lambda tf, x: tf.squeeze(tf.expand_dims(x, 1), 1),
    "tile": lambda tf, x: tf.tile(x, [1, 2, 1]),
    "pad": lambda tf, x: tf.pad(x, [[0, 0], [1, 1], [0, 0]]),
    "cast": lambda tf, x: tf.cast(x, "float32"),
}
TWO: dict[str, Callable[[Any, Any, Any], Any]] = {
    "x + y": lambda tf, x, y: x + y,
    "x - y": lambda tf, x, y: x - y,
    "concat": lambda tf, x, y: tf.concat([x, y], axis=-1),
    "stack": lambda tf, x, y: tf.stack([x, y], axis=1),
    "matmul": lambda tf, x, y: tf.matmul(x, tf.transpose(y, (0, 2, 1))),
    "matmul, turned": lambda tf, x, y: tf.matmul(x, y, transpose_b=True),
    "add_n": lambda tf, x, y: tf.add_n([x, y, x]),
}


def test_of_one_tensor(
    tf_keras: ModuleType, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    inputs = tf_keras.Input(SHAPE[1:])
    outputs = tensorflow.nest.flatten([case(tensorflow, inputs) for case in ONE.values()])
    model = tf_keras.Model(inputs, outputs)
    check_roundtrip(model, [sample(SHAPE)], tfjs_runtime, tmp_path, suffix=".h5")


def test_of_two_tensors(
    tf_keras: ModuleType, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    inputs = [tf_keras.Input(SHAPE[1:]), tf_keras.Input(SHAPE[1:])]
    model = tf_keras.Model(inputs, [case(tensorflow, *inputs) for case in TWO.values()])
    arrays = [sample(SHAPE), sample(SHAPE, seed=1)]
    check_roundtrip(model, arrays, tfjs_runtime, tmp_path, suffix=".h5")


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_slice_and_arithmetic_behind_a_layer(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path, suffix: str
) -> None:
    inputs = tf_keras.Input((6,))
    model = randomised(tf_keras.Model(inputs, tf_keras.layers.Dense(8)(inputs)[:, 3:5] * 2 + 1))
    report = check_roundtrip(model, [sample((3, 6))], tfjs_runtime, tmp_path, suffix=suffix)
    assert "operation GetItem as layers of TF.js" in report.rewrites


def test_size_of_the_batch_goes(tf_keras: ModuleType, tensorflow: ModuleType) -> None:
    inputs = tf_keras.Input((4, 6))
    outputs = tensorflow.reshape(inputs, (tensorflow.shape(inputs)[0], 24))
    config = json.loads(tf_keras.Model(inputs, outputs).to_json())
    model = read_model(config, "keras2", "test")
    assert [layer.class_name for layer in model.layers] == ["InputLayer", "Reshape"]
    assert model.layers[1].config == {"newshape": [-1, 24]}


def test_nodes_in_the_real_tf_keras(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    from tf_keras.src.engine.base_layer import TensorFlowOpLayer

    def run(op: str, x: Any, attr: dict[str, Any], constants: dict[int, Any]) -> Any:
        inputs = [f"in{place}" for place in range(1 + len(constants))]
        definition = {"name": op.lower(), "op": op, "input": inputs, "attr": attr}
        return TensorFlowOpLayer(definition, op.lower(), constants)(x)

    number = {"T": {"type": "DT_FLOAT"}}
    index = {"Tidx": {"type": "DT_INT32"}, "keep_dims": {"b": False}}
    inputs = tf_keras.Input(SHAPE[1:])
    outputs = run("Mean", run("Mul", inputs, number, {1: 3.0}), {**number, **index}, {1: [1]})
    model = tf_keras.Model(inputs, run("Relu", outputs, number, {}))
    check_roundtrip(model, [sample(SHAPE)], tfjs_runtime, tmp_path, suffix=".h5")
