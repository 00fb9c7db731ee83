"""What the official converter gets wrong without a word, and what it cannot do by a mistake.

Its defects are those of `formats_and_peers.md` A.1 by their numbers, and of `official_converter.md`
2.3 and `user_pains.md`. TensorFlow's and Keras's numbers are the judge, on cpu and wasm.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest

import tfjs
from tests.support.graph_roundtrip import Case, floats
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.weights import randomise
from tfjs.errors import TfjsError, UnsupportedError

# Each defect of the table in A.1, with the tests here that it has, or where else it is seen to.
DEFECTS = {
    1: "shared convolution",
    2: "shared alpha",
    3: "residual sum",
    4: "test_an_archive_is_left_as_it_is",
    5: "test_an_archive_is_left_as_it_is",
    6: "test_long_lists_of_weights_in_hdf5",
    7: "test_flags_and_paths_of_the_command",
    8: "test_flags_and_paths_of_the_command",
    9: "test_texts_of_which_there_are_none",
    10: "names that begin alike",
    11: "test_the_real_error_is_told",
    12: "benchmarks/run.py: time linear in nodes and weights",
    13: "tests/test_api.py imports the modules that pyproject.toml packages by folder",
    14: "benchmarks/run.py: weights are never in a message of protobuf",
    15: "the conversion of JAX reads jaxprs, not what jax2tf writes",
}
CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5}
X = floats(2, 6, 6, 4)
ROWS = floats(3, 4)
KERNEL = floats(3, 3, 4, 4)
DEPTHWISE = floats(3, 3, 4, 1)
SQUARE = floats(4, 4, seed=3)
SCALE, OFFSET, MEAN = (floats(4, seed=seed) for seed in (1, 2, 3))
VARIANCE = np.abs(floats(4, seed=4)) + 0.1


def _conv(tf: Any, x: Any) -> Any:
    return tf.nn.conv2d(x, KERNEL, 1, "SAME")


def _depthwise(tf: Any, x: Any) -> Any:
    return tf.nn.depthwise_conv2d(x, DEPTHWISE, [1, 1, 1, 1], "SAME")


def _normalized(tf: Any, x: Any) -> Any:
    return tf.raw_ops.FusedBatchNormV3(
        x=x, scale=SCALE, offset=OFFSET, mean=MEAN, variance=VARIANCE, is_training=False
    ).y


def _spelled_out(tf: Any, x: Any) -> Any:
    """A normalisation as Keras 3 exports it."""
    factor = SCALE / np.sqrt(VARIANCE + 1e-3)
    return x * factor + (OFFSET - MEAN * factor)


def _shared(
    op: Callable[[Any, Any], Any], norm: Callable[[Any, Any], Any]
) -> Callable[[Any, Any], Any]:
    def graph(tf: Any, x: Any) -> Any:
        y = op(tf, x)
        return tf.nn.relu(norm(tf, y)), tf.nn.sigmoid(y)

    return graph


def _shared_bias(tf: Any, x: Any, op: Callable[[Any, Any], Any]) -> Any:
    y = tf.nn.bias_add(op(tf, x), OFFSET)
    return _normalized(tf, y), tf.nn.relu6(y), tf.tanh(y)


def _shared_kernel(tf: Any, x: Any) -> Any:
    kernel = tf.constant(KERNEL)
    first = _normalized(tf, tf.nn.conv2d(x, kernel, 1, "SAME"))
    return first, tf.nn.conv2d(x, kernel, 2, "VALID"), tf.reduce_sum(kernel, [0, 1])


def _shared_alpha(tf: Any, x: Any) -> Any:
    alpha = tf.constant(SCALE)
    prelu = tf.nn.relu(x) + -alpha * tf.nn.relu(-x)
    return prelu, x * -alpha, x * alpha


def _convolved_prelu(tf: Any, x: Any) -> Any:
    alpha = tf.constant(SCALE)
    y = _conv(tf, x) + OFFSET
    return tf.nn.relu(y) - alpha * tf.nn.relu(-y), alpha * 2.0


def _begin_alike(tf: Any, x: Any, n: Any) -> Any:
    """A body with constants `a` and `a_1`."""

    def body(i: Any, y: Any) -> Any:
        first = tf.constant(SCALE, name="a")
        second = tf.constant(OFFSET, name="a_1")
        third = tf.constant(MEAN, name="a_1_2")
        return i + 1, y * first + second - third

    return tf.while_loop(lambda i, y: i < n, body, (0, x))[1]


def _asserted(tf: Any, x: Any) -> Any:
    with tf.control_dependencies([tf.debugging.assert_less(x, 100.0, message="no")]):
        return x * 2.0


def _layer_norm(tf: Any, x: Any) -> Any:
    """tf_keras's way of a layer normalisation: a fused one over made up channels."""
    rows = x.shape[0]
    flat = tf.reshape(x, [1, rows, -1, 1])
    ones, zeros = tf.ones([rows]), tf.zeros([rows])
    fused = tf.raw_ops.FusedBatchNormV3(
        x=flat, scale=ones, offset=zeros, mean=[], variance=[], data_format="NCHW", epsilon=1e-3
    ).y
    return tf.reshape(fused, x.shape) * SCALE + OFFSET


def _layer_norm_by_hand(tf: Any, x: Any) -> Any:
    mean, variance = tf.nn.moments(x, [1], keepdims=True)
    return (x - mean) / tf.sqrt(variance + 1e-3) * SCALE + OFFSET


CASES = {
    "shared convolution": Case(_shared(_conv, _normalized), X, **CLOSE),
    "shared convolution, spelled out": Case(_shared(_conv, _spelled_out), X, **CLOSE),
    "shared depthwise convolution": Case(_shared(_depthwise, _normalized), X, **CLOSE),
    "shared depthwise convolution, spelled out": Case(
        _shared(_depthwise, _spelled_out), X, **CLOSE
    ),
    "shared product": Case(
        _shared(lambda tf, x: tf.matmul(x, SQUARE), _spelled_out), ROWS, **CLOSE
    ),
    "shared bias": Case(lambda tf, x: _shared_bias(tf, x, _conv), X, **CLOSE),
    "shared bias, depthwise": Case(lambda tf, x: _shared_bias(tf, x, _depthwise), X, **CLOSE),
    "shared kernel": Case(_shared_kernel, X, **CLOSE),
    "an output between": Case(
        lambda tf, x: (_conv(tf, x), _normalized(tf, _conv(tf, x) + OFFSET)), X, **CLOSE
    ),
    "shared alpha": Case(_shared_alpha, ROWS, **CLOSE),
    "shared alpha behind a convolution": Case(_convolved_prelu, X, **CLOSE),
    "residual sum": Case(lambda tf, x: tf.nn.relu(_conv(tf, x) + x), X, **CLOSE),
    "residual sum, depthwise": Case(lambda tf, x: tf.nn.relu(x + _depthwise(tf, x)), X, **CLOSE),
    "bias of rank 4": Case(lambda tf, x: tf.nn.relu(_conv(tf, x) + floats(6, 6, 4)), X, **CLOSE),
    "bias that is one number": Case(lambda tf, x: tf.nn.relu(_conv(tf, x) + 0.5), X, **CLOSE),
    "bias of one channel": Case(
        lambda tf, x: tf.nn.conv2d(x, KERNEL[..., :1], 1, "SAME") + OFFSET, X, **CLOSE
    ),
    "sum of products": Case(
        lambda tf, x: tf.matmul(x, SQUARE) + tf.matmul(x * 2.0, SQUARE), ROWS, **CLOSE
    ),
    "bias that is a column": Case(
        lambda tf, x: tf.nn.relu(tf.matmul(x, SQUARE) + floats(3, 1)), ROWS, **CLOSE
    ),
    "product, bias and tanh": Case(
        lambda tf, x: tf.tanh(tf.nn.bias_add(tf.matmul(x, SQUARE), OFFSET)), ROWS, **CLOSE
    ),
    "convolution, bias and a hard swish": Case(
        lambda tf, x: (lambda y: y * tf.nn.relu6(y + 3.0) / 6.0)(_conv(tf, x) + OFFSET), X, **CLOSE
    ),
    "names that begin alike": Case(
        _begin_alike, ROWS, np.array(3, np.int32), dynamic=True, rtol=1e-4, atol=1e-4
    ),
    "asserts": Case(_asserted, ROWS),
    "layer normalisation": Case(_layer_norm, ROWS, oracle=_layer_norm_by_hand, **CLOSE),
    "layer normalisation of any batch": Case(_layer_norm_by_hand, ROWS, free=[[None, 4]], **CLOSE),
    "half precision": Case(
        lambda tf, x: tf.cast(
            tf.matmul(tf.cast(x, tf.bfloat16), tf.constant(np.eye(4), tf.bfloat16) * 2), tf.float32
        ),
        np.array([[1, 2, 3, -4]], np.float32),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_numbers_are_those_of_tensorflow(
    name: str, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime
) -> None:
    converted = CASES[name].run(tensorflow, tfjs_runtime)
    # Whatever is fused, wasm takes a bias of rank 1 only.
    for node in converted.model.graph.nodes.values():
        if "Fused" in node.op and "Norm" not in node.op:
            assert len(node.inputs[2].shape or ()) == 1


def test_every_defect_is_seen_to() -> None:
    assert sorted(DEFECTS) == list(range(1, 16))
    elsewhere = {12, 13, 14, 15}
    for number, test in DEFECTS.items():
        assert test in CASES or test in globals() or number in elsewhere


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
def test_layer_normalisation_of_tf_keras(
    backend: str, tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    """The official tool's answers are NaN throughout."""
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [layers.Input((5, 8)), layers.LayerNormalization(), layers.Dense(3)]
    )
    randomise(model)
    tf_keras.models.save_model(model, tmp_path / "source", save_format="tf")
    tfjs.convert(tmp_path / "source", tmp_path / "web", to="tfjs-graph")
    inputs = floats(2, 5, 8)
    (answer,) = tfjs_runtime.predict_graph(tmp_path / "web", [inputs], backend=backend)
    np.testing.assert_allclose(answer, model.predict(inputs, verbose=0), **CLOSE)


def test_inputs_and_outputs_keep_order_and_names(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    """The official tool swaps inputs of one shape, and names outputs wrongly."""
    tf = tensorflow
    module = tf.Module()
    specs = [tf.TensorSpec([None, 4], tf.float32, name=name) for name in ("right", "left")]
    module.call = tf.function(
        lambda right, left: {"sum": left + right, "prod": left * right, "first": left - right},
        input_signature=specs,
    )
    tf.saved_model.save(module, str(tmp_path / "source"), signatures=module.call)
    feeds = {"left": ROWS, "right": ROWS * 2 + 1}
    wanted = {
        "sum": feeds["left"] + feeds["right"],
        "prod": feeds["left"] * feeds["right"],
        "first": feeds["left"] - feeds["right"],
    }
    for structured in (False, True):
        report = tfjs.convert(tmp_path / "source", tmp_path / "web", structured_outputs=structured)
        ordered = [feeds[port.name] for port in report.inputs]
        run = tfjs_runtime.run_graph(tmp_path / "web", ordered, feeds)
        names = [port.name for port in report.outputs]
        assert sorted(names) == sorted(wanted)
        if structured:
            assert run.output_names == names
        for call in run.calls:
            for name, answer in zip(names, call, strict=True):
                np.testing.assert_allclose(answer, wanted[name], rtol=1e-6)


def test_integers_of_64_bits_never_wrap(tensorflow: ModuleType, tmp_path: Path) -> None:
    tf = tensorflow
    module = tf.Module()
    module.large = tf.Variable(np.array([2**40 + 5, -1, 2**63 - 1]))
    module.call = tf.function(
        lambda x: x + module.large, input_signature=[tf.TensorSpec([None, 3], tf.int64)]
    )
    tf.saved_model.save(module, str(tmp_path / "source"), signatures=module.call)
    with pytest.raises(UnsupportedError) as caught:
        tfjs.convert(tmp_path / "source", tmp_path / "web")
    assert "does not fit TF.js's int32" in str(caught.value.problems)
    assert not (tmp_path / "web").exists()


def test_an_archive_is_left_as_it_is(
    keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    """The official tool unpacks it beside itself, and names weights as no layer is called."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="dense")])
    randomise(model)
    folder = tmp_path / "source"
    folder.mkdir()
    model.save(folder / "model.keras")
    before = (folder / "model.keras").read_bytes()
    tfjs.convert(folder / "model.keras", tmp_path / "web")
    assert [path.name for path in folder.iterdir()] == ["model.keras"]
    assert (folder / "model.keras").read_bytes() == before
    run = tfjs_runtime.run_layers(tmp_path / "web", [ROWS])
    assert [weight.name for weight in run.weights] == ["dense/kernel", "dense/bias"]
    np.testing.assert_allclose(run.answers[0], model.predict(ROWS, verbose=0), **CLOSE)


def test_long_lists_of_weights_in_hdf5(
    tf_keras: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    """Attributes beyond 64512 bytes are in pieces, on which the official tool ends."""
    width = 2
    x = tf_keras.Input((width,))
    inner = tf_keras.Sequential(
        [tf_keras.layers.Dense(width, name=f"{'long' * 40}_{index}") for index in range(220)],
        name="inner",
    )
    model = tf_keras.Model(x, inner(x))
    for weight in model.weights:
        weight.assign(np.eye(width) if len(weight.shape) > 1 else np.full(width, 0.5))
    model.save(tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5") as file:
        assert "weight_names0" in file["model_weights/inner"].attrs
    tfjs.convert(tmp_path / "model.h5", tmp_path / "web")
    inputs = floats(3, width)
    (answer,) = tfjs_runtime.predict_layers(tmp_path / "web", [inputs])
    np.testing.assert_allclose(answer, model.predict(inputs, verbose=0), rtol=1e-5)


@pytest.mark.parametrize(
    "flags",
    [
        ["--quantize_uint8", "IN", "OUT"],
        ["--control_flow_v2=False", "IN", "OUT"],
        ["IN", "OUT", "--quantize_float16"],
    ],
)
def test_flags_and_paths_of_the_command(
    flags: list[str], tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    """A flag takes no path for its value, and paths may have spaces."""
    tf = tensorflow
    module = tf.Module()
    module.call = tf.function(
        lambda x, n: tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, y + SCALE), (0, x))[1],
        input_signature=[tf.TensorSpec([None, 4], tf.float32), tf.TensorSpec([], tf.int32)],
    )
    source, dest = tmp_path / "my source", tmp_path / "a place"
    tf.saved_model.save(module, str(source), signatures=module.call)
    words = [{"IN": str(source), "OUT": str(dest)}.get(flag, flag) for flag in flags]
    command = [Path(sys.executable).with_name("tensorflowjs_converter")]
    subprocess.run([*command, *words], check=True, capture_output=True, timeout=120)
    feeds = {"x": ROWS, "n": np.array(2, np.int32)}
    run = tfjs_runtime.run_graph(dest, feeds, method="executeAsync")
    np.testing.assert_allclose(run.answers[0], ROWS + 2 * SCALE, atol=2e-2)


def test_texts_of_which_there_are_none(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    """An empty tensor of texts shifts nothing of what is written behind it."""
    tf = tensorflow

    def graph(tf: Any, x: Any, texts: Any) -> Any:
        return tf.concat([np.zeros([0], object).astype("S"), texts], 0), x * SCALE + OFFSET

    Case(graph, ROWS, np.array([b"a", b""], object), free=[[None, 4], [None]]).run(tf, tfjs_runtime)

    def constants(tf: Any, x: Any) -> Any:
        return tf.constant([], tf.string), tf.constant(["a", ""]), x * SCALE

    Case(constants, ROWS).run(tf, tfjs_runtime)


def _without_shards(folder: Path) -> str:
    next((folder / "variables").glob("variables.data*")).unlink()
    return "variables.data-00000-of-00001"


def _without_index(folder: Path) -> str:
    (folder / "variables" / "variables.index").unlink()
    return "variables"


def _cut(folder: Path) -> str:
    path = folder / "saved_model.pb"
    path.write_bytes(path.read_bytes()[:-40])
    return "saved_model.pb"


@pytest.mark.parametrize("damage", [_without_shards, _without_index, _cut])
def test_the_real_error_is_told(
    damage: Callable[[Path], str], tensorflow: ModuleType, tmp_path: Path
) -> None:
    """The official tool tries another way at any error, and tells of what goes wrong there."""
    tf = tensorflow
    module = tf.Module()
    module.scale = tf.Variable(SCALE)
    module.call = tf.function(
        lambda x: x * module.scale, input_signature=[tf.TensorSpec([None, 4], tf.float32)]
    )
    tf.saved_model.save(module, str(tmp_path / "whole"), signatures=module.call)
    shutil.copytree(tmp_path / "whole", tmp_path / "source")
    told = damage(tmp_path / "source")
    with pytest.raises(TfjsError) as caught:
        tfjs.convert(tmp_path / "source", tmp_path / "web", to="tfjs-graph")
    assert told in str(caught.value)
    assert not (tmp_path / "web").exists()


@pytest.mark.parametrize("infinite", [False, True])
def test_what_quantisation_would_spoil_is_refused(
    infinite: bool, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    """Empty weights end the official quantisation, and infinity makes NaN of its other numbers."""
    tf = tensorflow
    weights = np.array([-1, 0.5, 1, np.inf if infinite else 2], np.float32)
    module = tf.Module()
    module.empty = tf.Variable(np.zeros([0, 4], np.float32))
    module.call = tf.function(
        lambda x: tf.concat([x + weights, module.empty], 0),
        input_signature=[tf.TensorSpec([3, 4], tf.float32)],
    )
    tf.saved_model.save(module, str(tmp_path / "source"), signatures=module.call)
    if infinite:
        with pytest.raises(UnsupportedError, match="cannot hold"):
            tfjs.convert(tmp_path / "source", tmp_path / "web", quantize={"uint8": ["*"]})
        return
    tfjs.convert(tmp_path / "source", tmp_path / "web", quantize={"uint8": ["*"]})
    (answer,) = tfjs_runtime.predict_graph(tmp_path / "web", [ROWS])
    np.testing.assert_allclose(answer, ROWS + weights, atol=1e-2)
