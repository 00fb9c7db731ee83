"""Trained SavedModels and frozen graphs of other people, run by the real TF.js."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tfjs
from tests.support.real_graphs import RUNS, fed, golden_of, source_of
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.errors import UnsupportedError

# Signatures that take serialized examples, and what names them.
REFUSED = {
    "saved_model__serving_half_plus_two_cpu__regress_x_to_y": "ParseExample",
    "saved_model__serving_half_plus_two_tf2_cpu__classify_x_to_y": "ParseExampleV2",
    "saved_model__tfx_taxi_serving_export__predict": "ParseExampleV2",
}
# Deep recurrences, and logarithms of spectra, in float32.
BOUNDS = {
    "frozen_graph__tf2onnx_lstm": 1e-5,
    "saved_model__basic_pitch_nmp__serving_default": 1e-4,
}


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@pytest.mark.parametrize("name", sorted(RUNS))
def test_a_graph(
    name: str, backend: str, shared_models: Path, tfjs_runtime: TfjsRuntime, tmp_path: Path
) -> None:
    source, signature = source_of(shared_models, name)
    report = tfjs.convert(source, tmp_path / "web", signature=signature, to="tfjs-graph")
    inputs, outputs = golden_of(shared_models, name)
    assert {port.name for port in report.outputs} == set(outputs)
    answers = tfjs_runtime.predict_graph(
        tmp_path / "web",
        [fed(inputs[port.name]) for port in report.inputs],
        backend=backend,
        method=RUNS[name],
    )
    for port, answer in zip(report.outputs, answers, strict=True):
        wanted = outputs[port.name]
        assert answer.shape == wanted.shape, port
        if answer.dtype == object:
            assert answer.tolist() == [_bytes(row) for row in wanted.tolist()]
            continue
        scale = max(1e-6, float(np.abs(wanted).max()))
        bound = BOUNDS.get(name, 2e-6)
        assert np.abs(answer.astype(np.float64) - wanted).max() / scale < bound, port


def _bytes(item: object) -> object:
    if isinstance(item, list):
        return [_bytes(inner) for inner in item]
    return item.encode() if isinstance(item, str) else item


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_takes_serialized_examples_is_refused_by_name(
    name: str, shared_models: Path, tmp_path: Path
) -> None:
    source, signature = source_of(shared_models, name)
    with pytest.raises(UnsupportedError) as caught:
        tfjs.convert(source, tmp_path / "web", signature=signature)
    assert any(
        problem.startswith(f"{REFUSED[name]}: TF.js reads no serialized examples")
        for problem in caught.value.problems
    )
    assert not (tmp_path / "web").exists()
