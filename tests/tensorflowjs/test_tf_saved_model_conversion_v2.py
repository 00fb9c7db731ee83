"""The official functions for SavedModels, frozen graphs and hub modules."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorflowjs import converters
from tensorflowjs.converters import tf_saved_model_conversion_v2 as conversion
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import FormatError, TfjsError, UnsupportedError

KERNEL = np.arange(6, dtype=np.float32).reshape(2, 3)
X = np.array([[1, -2], [0.5, 4]], np.float32)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, tensorflow: Any) -> Path:
    """A SavedModel with two signatures: `x @ kernel + 1`, its sum, and `2 x`."""
    tf = tensorflow
    folder = tmp_path_factory.mktemp("saved")
    module = tf.Module()
    module.kernel = tf.Variable(KERNEL)
    spec = tf.TensorSpec([None, 2], tf.float32, name="x")

    def scores(x: Any) -> Any:
        y = tf.matmul(x, module.kernel) + 1.0
        return {"scores": y, "all": tf.reduce_sum(y)}

    def twice(x: Any) -> Any:
        return {"twice": x * 2.0}

    signatures = {
        "serving_default": tf.function(scores, input_signature=[spec]),
        "twice": tf.function(twice, input_signature=[spec]),
    }
    tf.saved_model.save(module, str(folder), signatures)
    return folder


def test_the_arguments_are_those_of_the_official_functions() -> None:
    names = [
        *("quantization_dtype_map", "skip_op_check", "strip_debug_ops"),
        *("use_structured_outputs_names", "weight_shard_size_bytes", "control_flow_v2"),
        *("experiments", "metadata"),
    ]
    fewer = [name for name in names if "structured" not in name and "control" not in name]
    expected = {
        "convert_tf_saved_model": [
            *("saved_model_dir", "output_dir", "signature_def", "saved_model_tags", *names),
            "frozen_graph_dir",
        ],
        "convert_tf_frozen_model": [
            *("frozen_model_path", "output_node_names", "output_dir", *fewer)
        ],
        "convert_tf_hub_module": [
            *("module_handle", "output_dir", "signature", "saved_model_tags", *names)
        ],
    }
    for name, wanted in expected.items():
        function = getattr(converters, name)
        assert function is getattr(conversion, name)
        assert list(inspect.signature(function).parameters) == wanted


def test_a_saved_model(saved: Path, tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    converters.convert_tf_saved_model(
        str(saved), str(tmp_path), weight_shard_size_bytes=10, metadata={"a": 1}
    )
    run = tfjs_runtime.run_graph(tmp_path, [X])
    signature = json.loads((tmp_path / "model.json").read_text())["signature"]
    found = dict(zip(signature["outputs"], run.answers, strict=True))
    np.testing.assert_allclose(found["scores"], X @ KERNEL + 1, rtol=1e-6)
    np.testing.assert_allclose(found["all"], (X @ KERNEL + 1).sum(), rtol=1e-6)
    assert len(list(tmp_path.glob("group1-shard*.bin"))) > 2
    metadata = json.loads((tmp_path / "model.json").read_text())["userDefinedMetadata"]
    assert metadata["a"] == 1


def test_names_of_outputs_and_quantisation(
    saved: Path, tmp_path: Path, tfjs_runtime: TfjsRuntime
) -> None:
    converters.convert_tf_saved_model(
        saved,
        tmp_path,
        quantization_dtype_map={"uint8": True},
        use_structured_outputs_names=True,
    )
    by_name = tfjs_runtime.run_graph(tmp_path, [X]).by_name
    assert set(by_name) == {"scores", "all"}
    np.testing.assert_allclose(by_name["scores"], X @ KERNEL + 1, atol=0.05)
    weights = json.loads((tmp_path / "model.json").read_text())["weightsManifest"][0]["weights"]
    assert "uint8" in [entry.get("quantization", {}).get("dtype") for entry in weights]


def test_another_signature(saved: Path, tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    converters.convert_tf_saved_model(saved, tmp_path, "twice")
    np.testing.assert_array_equal(tfjs_runtime.predict_graph(tmp_path, [X])[0], X * 2)
    with pytest.raises(TfjsError, match="thrice"):
        converters.convert_tf_saved_model(saved, tmp_path, "thrice")
    with pytest.raises(TfjsError, match="train"):
        converters.convert_tf_saved_model(saved, tmp_path, saved_model_tags="train")


def test_a_hub_module_of_tf2(saved: Path, tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    for signature, wanted in (("default", X @ KERNEL + 1), ("twice", X * 2)):
        converters.convert_tf_hub_module(str(saved), tmp_path, signature)
        answers = tfjs_runtime.predict_graph(tmp_path, [X])
        assert any(
            array.shape == wanted.shape and np.allclose(array, wanted, rtol=1e-6)
            for array in answers
        )


def test_a_frozen_graph(tmp_path: Path, tensorflow: Any, tfjs_runtime: TfjsRuntime) -> None:
    tf1 = tensorflow.compat.v1
    with tf1.Graph().as_default() as graph:
        x = tf1.placeholder(tf1.float32, [None, 2], name="x")
        tf1.add(tf1.matmul(x, KERNEL), 1.0, name="scores")
        tf1.multiply(x, 2.0, name="twice")
    (tmp_path / "frozen.pb").write_bytes(graph.as_graph_def().SerializeToString())
    converters.convert_tf_frozen_model(
        str(tmp_path / "frozen.pb"), "twice, scores", str(tmp_path / "web")
    )
    twice, scores = tfjs_runtime.predict_graph(tmp_path / "web", [X])
    np.testing.assert_array_equal(twice, X * 2)
    np.testing.assert_allclose(scores, X @ KERNEL + 1, rtol=1e-6)
    with pytest.raises(TfjsError, match="nothing"):
        converters.convert_tf_frozen_model(tmp_path / "frozen.pb", "nothing", tmp_path / "web")


def test_what_is_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="frozen_graph_dir is not supported"):
        converters.convert_tf_saved_model(saved, tmp_path / "web", frozen_graph_dir=tmp_path)
    with pytest.raises(FormatError):
        converters.convert_tf_saved_model(tmp_path / "none", tmp_path / "web")
    assert not (tmp_path / "web").exists()
