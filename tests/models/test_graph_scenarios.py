"""What users suffered from with graph models, each as they met it (`user_pains.md`, by number)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tfjs
from tests.support.protocol import Array
from tests.support.tfjs_runtime import TfjsRuntime

RNG = np.random.default_rng(5)


def floats(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


def saved(tf: ModuleType, folder: Path, function: Any, specs: Sequence[Any], **held: Any) -> Any:
    """A SavedModel of a function; gives the function."""
    module = tf.Module()
    for name, value in held.items():
        setattr(module, name, value)
    module.run = tf.function(function, input_signature=specs)
    tf.saved_model.save(module, str(folder), signatures=module.run)
    return module.run


def check(
    folder: Path,
    wanted: dict[str, Any],
    fed: Sequence[Array],
    runtime: TfjsRuntime,
    tmp_path: Path,
    method: str = "predict",
) -> tfjs.Report:
    """Convert and compare all outputs, by name, on both backends of Node."""
    report = tfjs.convert(folder, tmp_path / "web", to="tfjs-graph")
    for backend in ("cpu", "wasm"):
        answers = runtime.predict_graph(tmp_path / "web", fed, backend=backend, method=method)
        names = [port.name for port in report.outputs]
        assert sorted(names) == sorted(wanted)
        for name, answer in zip(names, answers, strict=True):
            expected = np.asarray(wanted[name])
            assert answer.shape == expected.shape, name
            np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-5, err_msg=name)
    return report


def test_11_layer_norm_of_tf_keras(
    tf_keras: ModuleType, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    k = tf_keras
    model = k.Sequential([k.Input((7, 6)), k.layers.LayerNormalization(), k.layers.Dense(3)])
    fed = floats(2, 7, 6)
    tensorflow.saved_model.save(model, str(tmp_path / "saved"))
    wanted = {"dense": model(fed)}
    name = model.output_names[0]
    check(tmp_path / "saved", {name: wanted["dense"]}, [fed], tfjs_runtime, tmp_path)


def test_13_two_inputs_of_one_shape(
    tf_keras: ModuleType, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    k = tf_keras
    left, right = k.Input((4,), name="left"), k.Input((4,), name="right")
    inner = k.layers.Dense(3)(left) - 2.0 * k.layers.Dense(3)(right)
    model = k.Model([left, right], inner)
    fed = {"left": floats(2, 4), "right": floats(2, 4)}
    tensorflow.saved_model.save(model, str(tmp_path / "saved"))
    report = check(
        tmp_path / "saved",
        {model.output_names[0]: model([fed["left"], fed["right"]])},
        [fed["left"], fed["right"]],
        tfjs_runtime,
        tmp_path,
    )
    assert [port.name for port in report.inputs] == ["left", "right"]


def test_14_outputs_by_name(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    tf = tensorflow

    def heads(x: Any) -> Any:
        return {"zeta": x + 1.0, "alpha": x * 2.0, "mid": x - 3.0}

    run = saved(tf, tmp_path / "saved", heads, [tf.TensorSpec([None, 3], name="x")])
    fed = floats(2, 3)
    check(tmp_path / "saved", run(fed), [fed], tfjs_runtime, tmp_path)


@pytest.mark.parametrize("value", [2**40, -(2**31) - 1])
def test_15_numbers_beyond_int32(value: int, tensorflow: ModuleType, tmp_path: Path) -> None:
    tf = tensorflow
    spec = [tf.TensorSpec([2], tf.int64)]
    saved(tf, tmp_path / "saved", lambda x: {"y": x + tf.constant(value, tf.int64)}, spec)
    with pytest.raises(tfjs.UnsupportedError, match=str(value)):
        tfjs.convert(tmp_path / "saved", tmp_path / "web")
    assert not (tmp_path / "web").exists()


def test_15_numbers_within_int32(
    tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    tf = tensorflow
    spec = [tf.TensorSpec([2], tf.int64)]
    run = saved(tf, tmp_path / "saved", lambda x: {"y": x * tf.constant(-7, tf.int64)}, spec)
    fed = np.array([3, -5])
    wanted = run(tf.constant(fed, tf.int64))
    check(tmp_path / "saved", wanted, [fed.astype(np.int32)], tfjs_runtime, tmp_path)


def test_16_bfloat16(tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    tf = tensorflow
    w = tf.Variable(tf.cast(floats(3, 2), tf.bfloat16))

    def mixed(x: Any) -> Any:
        return {"y": tf.matmul(x, tf.cast(w, tf.float32)) + tf.cast(w[0], tf.float32)}

    run = saved(tf, tmp_path / "saved", mixed, [tf.TensorSpec([None, 3])], w=w)
    fed = floats(4, 3)
    check(tmp_path / "saved", run(fed), [fed], tfjs_runtime, tmp_path)


def test_16_mixed_precision(
    tf_keras: ModuleType, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    k = tf_keras
    layers = [
        k.layers.Conv2D(4, 3, dtype="mixed_float16"),
        k.layers.Flatten(),
        k.layers.Dense(3, dtype="mixed_float16"),
    ]
    model = k.Sequential([k.Input((6, 6, 2)), *layers])
    tensorflow.saved_model.save(model, str(tmp_path / "saved"))
    fed = floats(2, 6, 6, 2)
    tfjs.convert(tmp_path / "saved", tmp_path / "web", to="tfjs-graph")
    (answer,) = tfjs_runtime.predict_graph(tmp_path / "web", [fed])
    # TF.js computes in float32 what was rounded to 11 bits on the way.
    np.testing.assert_allclose(answer, model(fed).numpy(), rtol=0.02, atol=0.02)


def test_17_grouped_convolution(
    tf_keras: ModuleType, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    k = tf_keras
    model = k.Sequential([k.Input((8, 8, 4)), k.layers.Conv2D(6, 3, groups=2, strides=2)])
    tensorflow.saved_model.save(model, str(tmp_path / "saved"))
    fed = floats(2, 8, 8, 4)
    # TensorFlow has no gradient of it on the CPU, but XLA computes it.
    wanted = tensorflow.function(model, jit_compile=True)(fed)
    check(tmp_path / "saved", {model.output_names[0]: wanted}, [fed], tfjs_runtime, tmp_path)


def test_24_assertions(tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    tf = tensorflow

    def checked(x: Any) -> Any:
        tf.debugging.assert_all_finite(x, "finite")
        tf.debugging.assert_greater(tf.shape(x)[0], 0)
        tf.debugging.Assert(tf.reduce_any(x < 1e9), [x])
        tf.print(x)
        return {"y": tf.debugging.check_numerics(x, "numbers") + 1.0}

    run = saved(tf, tmp_path / "saved", checked, [tf.TensorSpec([None, 3])])
    fed = floats(2, 3)
    report = check(tmp_path / "saved", run(fed), [fed], tfjs_runtime, tmp_path)
    assert sorted(report.ops) == ["AddV2", "Const", "Placeholder"]


def _reverse(tf: Any, x: Any) -> Any:
    return tf.reverse_sequence(x, [2, 3], seq_axis=1, batch_axis=0)


def _roll(tf: Any, x: Any) -> Any:
    return tf.roll(x, [1, -2], [1, 2])


def _resize(tf: Any, x: Any) -> Any:
    return tf.compat.v1.image.resize_bicubic(x, [7, 9], half_pixel_centers=True)


@pytest.mark.parametrize("function", [_reverse, _roll, _resize])
def test_25_operations_that_tfjs_lacks(
    function: Any, tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    tf = tensorflow
    fed = floats(2, 5, 4, 3)
    run = saved(
        tf, tmp_path / "saved", lambda x: {"y": function(tf, x)}, [tf.TensorSpec([2, 5, 4, 3])]
    )
    report = check(tmp_path / "saved", run(fed), [fed], tfjs_runtime, tmp_path)
    assert report.rewrites


def test_32_a_detector(tensorflow: ModuleType, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    """Named outputs of combined non-maximum suppression."""
    tf = tensorflow
    w = tf.Variable(floats(6, 5 * 4) * 0.1)
    v = tf.Variable(floats(6, 5 * 3))

    def detect(x: Any) -> Any:
        corners = tf.reshape(tf.matmul(x, w), [1, 5, 1, 4])
        low, size = corners[..., :2], tf.abs(corners[..., 2:]) + 0.05
        boxes = tf.concat([low, low + size], axis=-1)
        scores = tf.reshape(tf.sigmoid(tf.matmul(x, v)), [1, 5, 3])
        found = tf.image.combined_non_max_suppression(boxes, scores, 3, 4, 0.5, 0.1)
        return {
            "detection_boxes": found[0],
            "detection_scores": found[1],
            "detection_classes": found[2],
            "num_detections": found[3],
        }

    run = saved(tf, tmp_path / "saved", detect, [tf.TensorSpec([1, 6])], w=w, v=v)
    fed = floats(1, 6)
    check(tmp_path / "saved", run(fed), [fed], tfjs_runtime, tmp_path, "executeAsync")
