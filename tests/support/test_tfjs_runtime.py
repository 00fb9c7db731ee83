"""The harness that runs the real TF.js in Node, held against models whose answers are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.golden import tfjs_golden
from tests.support.protocol import JsError, TensorInfo
from tests.support.tfjs_runtime import TfjsRuntime
from tests.support.tiny_models import (
    dense_answer,
    dense_layer,
    dense_weights,
    hanging_model,
    sequential,
    write_dense_model,
    write_layers_model,
)

X = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.0]], dtype=np.float32)


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
def test_runs_a_layers_model(tmp_path: Path, tfjs_runtime: TfjsRuntime, backend: str) -> None:
    model, weights = write_dense_model(tmp_path)
    run = tfjs_runtime.run_layers(model, [X], [-X], backend=backend)
    np.testing.assert_allclose(run.calls[0][0], dense_answer(X, weights), rtol=1e-6)
    np.testing.assert_allclose(run.calls[1][0], dense_answer(-X, weights), rtol=1e-6)
    assert run.backend == backend
    assert run.inputs == [TensorInfo("d_input", (None, 3), "float32")]
    assert run.outputs == [TensorInfo("d", (None, 2), "float32")]
    assert [info.name for info in run.weights] == ["d/kernel", "d/bias"]
    assert run.leaked == 0
    assert run.log == []


def test_a_folder_name_with_odd_characters_is_served(
    tmp_path: Path, tfjs_runtime: TfjsRuntime
) -> None:
    model, weights = write_dense_model(tmp_path / "a b#c?%20")
    shard = model / "group1-shard1of2.bin"
    shard.rename(model / "first shard.bin")
    text = (model / "model.json").read_text().replace(shard.name, "first shard.bin")
    (model / "model.json").write_text(text)
    (answer,) = tfjs_runtime.predict_layers(model, [X])
    np.testing.assert_allclose(answer, dense_answer(X, weights), rtol=1e-6)


def test_tells_what_tfjs_says_of_a_bad_model(tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    weights = dense_weights("other", 3, 2)
    model = write_layers_model(tmp_path, sequential([dense_layer("d", 2, inputs=3)]), weights)
    with pytest.raises(JsError, match="Provided weight data has no target variable: other/kernel"):
        tfjs_runtime.run_layers(model, [X])
    run = tfjs_runtime.run_layers(model, [X], strict=False)
    assert run.answers[0].shape == (2, 2)


def test_a_missing_shard_is_the_404_page_that_a_server_sends(
    tmp_path: Path, tfjs_runtime: TfjsRuntime
) -> None:
    model, _ = write_dense_model(tmp_path)
    (model / "group1-shard2of2.bin").unlink()
    weights = tfjs_runtime.decode_weights(model)
    assert b"doctype html" in weights["d/kernel"].tobytes() + weights["d/bias"].tobytes()


def test_ends_a_job_that_hangs_and_goes_on(tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    with pytest.raises(JsError, match="did not answer within 1 s") as caught:
        tfjs_runtime.run_layers(hanging_model(tmp_path / "hanging"), [X], timeout=1)
    assert caught.value.timed_out
    model, weights = write_dense_model(tmp_path / "good")
    (answer,) = tfjs_runtime.predict_layers(model, [X])
    np.testing.assert_allclose(answer, dense_answer(X, weights), rtol=1e-6)


def test_a_custom_class_lasts_for_one_job(tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    custom = tmp_path / "twice.mjs"
    custom.write_text(
        "export default (tf) => {\n"
        "  class Twice extends tf.layers.Layer {\n"
        "    static get className() { return 'Twice'; }\n"
        "    call(x) { return tf.tidy(() => tf.mul(Array.isArray(x) ? x[0] : x, 2)); }\n"
        "    computeOutputShape(shape) { return shape; }\n"
        "  }\n"
        "  tf.serialization.registerClass(Twice);\n"
        "};\n"
    )
    layers = [dense_layer("d", 2, inputs=3), {"class_name": "Twice", "config": {"name": "t"}}]
    weights = dense_weights("d", 3, 2)
    model = write_layers_model(tmp_path / "model", sequential(layers), weights)
    run = tfjs_runtime.run_layers(model, [X], custom=custom)
    np.testing.assert_allclose(run.answers[0], 2 * dense_answer(X, weights), rtol=1e-6)
    with pytest.raises(JsError, match="Unknown layer: Twice"):
        tfjs_runtime.run_layers(model, [X])


@pytest.mark.parametrize(
    ("layout", "files"),
    [
        ("file", ["model.json", "weights.bin"]),
        ("downloads", ["mine.json", "mine.weights.bin"]),
    ],
)
def test_saves_as_tfjs_does(
    tmp_path: Path, tfjs_runtime: TfjsRuntime, layout: str, files: list[str]
) -> None:
    model, weights = write_dense_model(tmp_path / "model")
    saved = tfjs_runtime.save_layers(model, tmp_path / "saved", layout=layout, name="mine")
    assert sorted(path.name for path in saved.parent.iterdir()) == files
    manifest = json.loads(saved.read_text())["weightsManifest"]
    prefix = "./" if layout == "downloads" else ""
    assert [group["paths"] for group in manifest] == [[prefix + files[1]]]
    assert saved.with_name(files[1]).read_bytes() == b"".join(
        array.tobytes() for array in weights.values()
    )
    (answer,) = tfjs_runtime.predict_layers(saved, [X])
    np.testing.assert_allclose(answer, dense_answer(X, weights), rtol=1e-6)


def test_decodes_weights(tmp_path: Path, tfjs_runtime: TfjsRuntime) -> None:
    model, weights = write_dense_model(tmp_path)
    decoded = tfjs_runtime.decode_weights(model)
    assert list(decoded) == list(weights)
    for name, array in weights.items():
        np.testing.assert_array_equal(decoded[name], array, strict=True)


def test_tfjs_misreads_a_last_file_that_is_longer(
    tmp_path: Path, tfjs_runtime: TfjsRuntime
) -> None:
    # CompositeArrayBuffer takes files that are alike but for the last for files of one size, and
    # looks for byte n in file n // size: what begins in the last file beyond that size is zeros,
    # without an error. A writer must not lay out files so.
    model, weights = write_dense_model(tmp_path)
    data = b"".join(array.tobytes() for array in weights.values())
    for shard, part in (("1of2", data[:4]), ("2of2", data[4:])):
        (model / f"group1-shard{shard}.bin").write_bytes(part)
    decoded = tfjs_runtime.decode_weights(model)
    np.testing.assert_array_equal(decoded["d/kernel"], weights["d/kernel"])
    np.testing.assert_array_equal(decoded["d/bias"], np.zeros(2, np.float32))


def test_a_dead_node_is_told_and_replaced(tmp_path: Path) -> None:
    model, weights = write_dense_model(tmp_path)
    with TfjsRuntime() as runtime:
        runtime.run_layers(model)
        assert runtime._process is not None
        runtime._process.kill()
        runtime._process.wait()
        with pytest.raises(JsError, match="Node ended with code -9"):
            runtime.run_layers(model)
        (answer,) = runtime.predict_layers(model, [X])
    np.testing.assert_allclose(answer, dense_answer(X, weights), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("ml5_cvae_quickdraw", "tfjs_layers/ml5_cvae_quickdraw/models"),
        ("nsfwjs_mobilenet_v2", "tfjs_layers/nsfwjs_mobilenet_v2"),
    ],
)
def test_real_layers_models_give_their_golden_answers(
    shared_models: Path, tfjs_runtime: TfjsRuntime, name: str, path: str
) -> None:
    inputs, outputs = tfjs_golden(name)
    run = tfjs_runtime.run_layers(shared_models / path, list(inputs.values()), backend="wasm")
    assert run.output_names == [output.name for output in outputs]
    for answer, output in zip(run.answers, outputs, strict=True):
        assert answer.shape == output.shape
        np.testing.assert_allclose(answer.ravel(), output.values, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "path", "method"),
    [
        ("human_blazeface", "human_blazeface/blazeface.json", "predict"),
        ("human_handtrack", "human_handtrack/handtrack.json", "executeAsync"),
        ("human_iris", "human_iris/iris.json", "predict"),
        ("style_transformer_separable", "style_transformer_separable", "predict"),
        ("tfjs_e2e_load_predict", "tfjs_e2e_load_predict", "predict"),
        ("tfjs_move_lstm", "tfjs_move_lstm", "executeAsync"),
    ],
)
def test_real_graph_models_give_their_golden_answers(
    shared_models: Path, tfjs_runtime: TfjsRuntime, name: str, path: str, method: str
) -> None:
    inputs, outputs = tfjs_golden(name)
    model = shared_models / "tfjs_graph" / path
    run = tfjs_runtime.run_graph(model, inputs, method=method)
    answers = run.by_name
    for output in outputs:
        answer = answers[output.name]
        assert answer.shape == output.shape
        kept = answer.ravel()[: output.values.size]
        scale = float(np.abs(output.values).max())
        np.testing.assert_allclose(kept, output.values, atol=1e-5 * scale)
