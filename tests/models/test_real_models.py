"""Trained models of other people, converted and run by the real TF.js, beside golden answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tfjs
from tests.support.golden import tfjs_golden
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.ir.tensor import QuantizedTensor

ATTENTION = """
export default function (tf) {
  class AttentionLayer extends tf.layers.Layer {
    static get className() { return 'AttentionLayer'; }
    build(shape) {
      const size = shape[2];
      const zeros = tf.initializers.zeros();
      this.w = this.addWeight('W', [size, size], 'float32', zeros);
      this.b = this.addWeight('b', [size], 'float32', zeros);
      this.u = this.addWeight('u', [size], 'float32', zeros);
      super.build(shape);
    }
    computeOutputShape(shape) { return [shape[0], shape[2]]; }
    call(inputs) {
      return tf.tidy(() => {
        const x = Array.isArray(inputs) ? inputs[0] : inputs;
        const [batch, steps, size] = x.shape;
        const product = tf.matMul(x.reshape([-1, size]), this.w.read());
        const flat = tf.tanh(tf.add(product, this.b.read()));
        const scores = tf.matMul(flat, this.u.read().reshape([size, 1])).reshape([batch, steps]);
        return tf.sum(tf.mul(x, tf.softmax(scores).reshape([batch, steps, 1])), 1);
      });
    }
  }
  tf.serialization.registerClass(AttentionLayer);
}
"""

KERAS = {
    "keras_h5__mlperf_tiny_str_ww": "keras_h5/mlperf_tiny_str_ww/str_ww_ref_model.h5",
    "keras_h5__mlperf_tiny_resnet": "keras_h5/mlperf_tiny_resnet/pretrainedResnet.h5",
    "keras_h5__face_mini_xception_fer2013": "keras_h5/face_mini_xception_fer2013/"
    "fer2013_mini_XCEPTION.102-0.66.hdf5",
    "keras_h5__sentiment_bidirectional_lstm_softmax": "keras_h5/"
    "sentiment_bidirectional_lstm_softmax/bidirectional_lstm_softmax_architecture.json",
    "keras_v3__autocdascorer_model_39_0": "keras_v3/autocdascorer_model_39_0/model_39_0.keras",
}
TFJS = {
    "nsfwjs_mobilenet_v2": "nsfwjs_mobilenet_v2",
    "ml5_cvae_quickdraw": "ml5_cvae_quickdraw/models",
}


def _golden(folder: Path, name: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    with np.load(folder / "golden" / f"{name}.npz") as file:
        inputs = [file[key] for key in file.files if key.startswith("in:")]
        return inputs, [file[key] for key in file.files if key.startswith("out:")]


def _assert_close(answers: list[np.ndarray], expected: list[np.ndarray], bound: float) -> None:
    assert len(answers) == len(expected)
    for answer, want in zip(answers, expected, strict=True):
        assert answer.shape == want.shape
        assert np.abs(answer - want).max() / max(1e-6, np.abs(want).max()) < bound


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@pytest.mark.parametrize("name", sorted(KERAS))
def test_a_keras_model(
    name: str, backend: str, shared_models: Path, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    tfjs.convert(shared_models / KERAS[name], tmp_path / "web")
    inputs, expected = _golden(shared_models, name)
    answers = tfjs_runtime.predict_layers(tmp_path / "web", inputs, backend=backend)
    _assert_close(answers, expected, 1e-5)


def test_a_custom_layer_that_the_page_registers(
    shared_models: Path, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    source = shared_models / "keras_v3/ecg_cnn_bilstm_attention/best_model.keras"
    with pytest.raises(tfjs.UnsupportedError, match=r"AttentionLayer.*is no Keras layer"):
        tfjs.convert(source, tmp_path / "web")
    assert not (tmp_path / "web").exists()
    report = tfjs.convert(source, tmp_path / "web", custom_layers="keep")
    assert any("registerClass" in note for note in report.notes)
    script = tmp_path / "attention.mjs"
    script.write_text(ATTENTION)
    inputs, expected = _golden(shared_models, "keras_v3__ecg_cnn_bilstm_attention")
    answers = tfjs_runtime.run_layers(tmp_path / "web", inputs, custom=script).answers
    _assert_close(answers, expected, 1e-5)


@pytest.mark.parametrize("name", sorted(TFJS))
def test_layers_to_layers_answers_the_same(
    name: str, shared_models: Path, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    source = shared_models / "tfjs_layers" / TFJS[name]
    tfjs.convert(source, tmp_path / "web", shard_size=100_000)
    inputs, expected = tfjs_golden(name)
    answers = tfjs_runtime.predict_layers(tmp_path / "web", list(inputs.values()))
    for answer, want in zip(answers, expected, strict=True):
        np.testing.assert_allclose(answer.reshape(-1)[: want.values.size], want.values, atol=1e-5)


def test_quantised_bytes_pass_through_unchanged(shared_models: Path, tmp_path: Path) -> None:
    source = shared_models / "tfjs_layers/nsfwjs_mobilenet_v2"
    tfjs.convert(source, tmp_path / "web")
    before, after = tfjs.load(source).weights, tfjs.load(tmp_path / "web").weights
    assert list(before) == list(after)
    for name in before:
        old, new = before.tensor(name), after.tensor(name)
        assert isinstance(old, QuantizedTensor)
        assert isinstance(new, QuantizedTensor)
        assert old.quantization == new.quantization
        np.testing.assert_array_equal(old.stored.array(), new.stored.array())


def test_dequantising_gives_what_tfjs_computes(
    shared_models: Path, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    source = shared_models / "tfjs_layers/nsfwjs_mobilenet_v2"
    tfjs.convert(source, tmp_path / "web", dequantize=True)
    assert sum(f.stat().st_size for f in (tmp_path / "web").glob("*.bin")) == 4 * 2_619_461
    inputs, expected = tfjs_golden("nsfwjs_mobilenet_v2")
    (answer,) = tfjs_runtime.predict_layers(tmp_path / "web", list(inputs.values()))
    np.testing.assert_allclose(answer.reshape(-1), expected[0].values, atol=1e-6)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", sorted(TFJS))
def test_layers_to_keras_and_back(
    name: str, suffix: str, shared_models: Path, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    source = shared_models / "tfjs_layers" / TFJS[name]
    tfjs.convert(source, tmp_path / f"model{suffix}")
    tfjs.convert(tmp_path / f"model{suffix}", tmp_path / "web")
    first, second = tfjs.load(source).weights, tfjs.load(tmp_path / "web").weights
    assert list(first) == list(second)
    for weight in first:
        np.testing.assert_array_equal(first[weight], second[weight])
