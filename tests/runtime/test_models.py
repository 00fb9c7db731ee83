"""Real models with golden answers, and exports of Keras 3: the source, and what TF.js gets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tfjs
from tests.support.golden import tfjs_golden
from tests.support.keras_exports import exported
from tests.support.protocol import Array
from tests.support.real_graphs import RUNS, fed, golden_of, source_of
from tfjs.errors import UnsupportedError
from tfjs.formats.base import ReadOptions
from tfjs.formats.registry import named
from tfjs.ir.graph import GraphModel
from tfjs.runtime.engine import Runner

# Deep recurrences, and logarithms of spectra, in float32.
BOUNDS = {
    "frozen_graph__tf2onnx_lstm": 1e-5,
    "saved_model__basic_pitch_nmp__serving_default": 1e-4,
}
TFJS = [
    *("human_blazeface", "human_handtrack", "human_iris", "style_transformer_separable"),
    "tfjs_move_lstm",
]
EXPORTS = ["cnn", "lstm", "lstm_of_any_length", "gru", "masked", "two_inputs_of_one_shape"]


def _read(path: Path, format_: str, **options: object) -> GraphModel:
    model = named(format_).read(path, ReadOptions(**options))  # type: ignore[arg-type]
    assert isinstance(model, GraphModel)
    return model


def _same(ours: Array, wanted: Array, bound: float) -> None:
    assert ours.shape == wanted.shape
    if ours.dtype == object:
        given = [item.encode() if isinstance(item, str) else item for item in wanted.flat]
        assert ours.reshape(-1).tolist() == given
        return
    scale = max(1e-6, float(np.abs(wanted).max()))
    assert float(np.abs(ours.astype(np.float64) - wanted).max()) / scale < bound


@pytest.mark.parametrize("as_tfjs", [True, False], ids=["converted", "source"])
@pytest.mark.parametrize("name", sorted(RUNS))
def test_golden_answers_of_tensorflow(
    name: str, as_tfjs: bool, shared_models: Path, tmp_path: Path
) -> None:
    source, signature = source_of(shared_models, name)
    inputs, outputs = golden_of(shared_models, name)
    if as_tfjs:
        tfjs.convert(source, tmp_path / "web", signature=signature, to="tfjs-graph")
        model = _read(tmp_path / "web", "tfjs-graph")
    else:
        kind = "frozen-graph" if signature is None else "saved-model"
        model = _read(source, kind, signature=signature)
    runner = Runner(model, as_tfjs=as_tfjs)
    feeds = {key: fed(inputs[key]) if as_tfjs else inputs[key] for key in model.signature.inputs}
    found = dict(zip(model.signature.outputs, runner.run(feeds), strict=True))
    assert set(found) == set(outputs)
    for key, array in found.items():
        _same(array, outputs[key], BOUNDS.get(name, 2e-6))


@pytest.mark.parametrize("name", TFJS)
def test_golden_answers_of_tfjs(name: str, shared_models: Path) -> None:
    model = _read(shared_models / "tfjs_graph" / name, "tfjs-graph")
    inputs, outputs = tfjs_golden(name)
    runner = Runner(model)
    for array, output in zip(
        runner.run(inputs, [output.name for output in outputs]), outputs, strict=True
    ):
        assert array.shape == output.shape
        assert array.dtype == output.values.dtype
        _same(array.reshape(-1)[: output.values.size], output.values, 1e-5)


@pytest.mark.parametrize("name", EXPORTS)
def test_exports_of_keras(name: str, tensorflow: object, tmp_path: Path) -> None:
    exported(name, tmp_path)
    tfjs.convert(tmp_path / "model", tmp_path / "web")
    with np.load(tmp_path / "golden.npz") as golden:
        inputs = [golden[key] for key in golden.files if key.startswith("in:")]
        outputs = {key[4:]: golden[key] for key in golden.files if key.startswith("out:")}
    source = _read(tmp_path / "model", "saved-model")
    converted = _read(tmp_path / "web", "tfjs-graph")
    runners = [
        Runner(source, as_tfjs=False),
        Runner(source, as_tfjs=False, dtype="float64"),
        Runner(converted),
        Runner(converted, dtype="float64"),
    ]
    for model, runner in zip([source, source, converted, converted], runners, strict=True):
        found = runner.run(dict(zip(model.signature.inputs, inputs, strict=True)))
        for key, array in zip(model.signature.outputs, found, strict=True):
            _same(array, outputs[key if key in outputs else ""], 1e-5)


def test_serialized_examples_are_refused_by_name(shared_models: Path) -> None:
    source = shared_models / "saved_model" / "tfx_taxi_serving_export"
    model = _read(source, "saved-model", signature="predict")
    with pytest.raises(UnsupportedError) as caught:
        Runner(model, as_tfjs=False)
    assert any(problem.startswith("ParseExample") for problem in caught.value.problems)
