"""From TF.js back to TensorFlow: trained models, and each operation by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import tfjs
from tests.models.raw_op_tables import DIFFERENT, RANDOM, REFUSED_CASES
from tests.models.test_raw_ops import CASES
from tests.support.golden import tfjs_golden
from tests.support.op_cases import Case
from tests.support.op_oracle import run_tensorflow
from tests.support.protocol import Array
from tests.support.raw_ops import convert, difference
from tests.support.real_graphs import RUNS, fed, golden_of, source_of
from tests.support.tensorflow_files import frozen, run_frozen, run_signature
from tfjs.formats.base import ReadOptions
from tfjs.formats.registry import detect
from tfjs.formats.tfjs_graph.read import read

# Those of TF.js: what it answers, in single precision.
GRAPHS = {
    "human_blazeface": "blazeface.json",
    "human_handtrack": "handtrack.json",
    "human_iris": "iris.json",
    "style_transformer_separable": "model.json",
    "tfjs_e2e_load_predict": "model.json",
    "tfjs_move_lstm": "model.json",
}
# Tables have no place in a frozen graph.
WITH_TABLES = {"saved_model__guesslang_2020_06__predict"}
BOUND = 1e-4


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_model_of_tfjs(
    name: str, tensorflow: ModuleType, shared_models: Path, tmp_path: Path
) -> None:
    source = shared_models / "tfjs_graph" / name / GRAPHS[name]
    report = tfjs.convert(source, tmp_path / "m", to="saved-model")
    tfjs.convert(source, tmp_path / "m.pb")
    assert detect(tmp_path / "m").name == "saved-model"
    inputs, outputs = tfjs_golden(name)
    given = {port.name: inputs[port.name.removesuffix(":0")] for port in report.inputs}
    saved = run_signature(tensorflow, tmp_path / "m", given)
    names = [output.name for output in outputs]
    plain = run_frozen(tensorflow, tmp_path / "m.pb", inputs, names)
    for output in outputs:
        key = output.name if output.name in saved else f"{output.name}:0"
        for answer in (saved[key], plain[output.name]):
            assert answer.shape == output.shape
            found = answer.reshape(-1)[: output.values.size].astype(np.float64)
            scale = max(1e-6, float(np.abs(output.values).max()))
            assert np.abs(found - output.values.reshape(-1)).max() / scale < BOUND, key


@pytest.mark.parametrize("name", sorted(RUNS))
def test_there_and_back(
    name: str, tensorflow: ModuleType, shared_models: Path, tmp_path: Path
) -> None:
    source, signature = source_of(shared_models, name)
    inputs, outputs = golden_of(shared_models, name)
    web, saved = tmp_path / "web", tmp_path / "saved"
    tfjs.convert(source, web, signature=signature, to="tfjs-graph")
    tfjs.convert(web, saved, to="saved-model")
    narrow = {key: fed(array) for key, array in inputs.items()}
    _compare(run_signature(tensorflow, saved, narrow), outputs)
    if name not in WITH_TABLES:
        tfjs.convert(web, tmp_path / "m.pb")
        _compare(run_frozen(tensorflow, tmp_path / "m.pb", narrow, list(outputs)), outputs)


@pytest.mark.parametrize("name", sorted(RUNS))
def test_from_tensorflow_to_tensorflow(
    name: str, tensorflow: ModuleType, shared_models: Path, tmp_path: Path
) -> None:
    source, signature = source_of(shared_models, name)
    inputs, outputs = golden_of(shared_models, name)
    tfjs.convert(source, tmp_path / "saved", signature=signature, to="saved-model")
    _compare(run_signature(tensorflow, tmp_path / "saved", inputs), outputs, same_dtypes=True)
    if name not in WITH_TABLES:
        tfjs.convert(source, tmp_path / "m.pb", signature=signature)
        answers = run_frozen(tensorflow, tmp_path / "m.pb", inputs, list(outputs))
        _compare(answers, outputs, same_dtypes=True)


def test_tables_from_files(tensorflow: ModuleType, shared_models: Path, tmp_path: Path) -> None:
    name = "saved_model__tfx_taxi_serving_export__predict"
    source, signature = source_of(shared_models, name)
    inputs, outputs = golden_of(shared_models, name)
    tfjs.convert(source, tmp_path / "saved", signature=signature, to="saved-model")
    assert any((tmp_path / "saved/assets").iterdir())
    _compare(run_signature(tensorflow, tmp_path / "saved", inputs), outputs, same_dtypes=True)


def _compare(
    answers: Mapping[str, Array], outputs: Mapping[str, Array], *, same_dtypes: bool = False
) -> None:
    assert set(answers) == set(outputs)
    for key, wanted in outputs.items():
        found = answers[key]
        assert found.shape == wanted.shape, key
        if found.dtype == object:
            assert found.reshape(-1).tolist() == [_bytes(item) for item in wanted.reshape(-1)]
            continue
        assert found.dtype == wanted.dtype or not same_dtypes
        scale = max(1e-6, float(np.abs(wanted).max()))
        assert np.abs(found.astype(np.float64) - wanted).max() / scale < BOUND, key


def _bytes(item: object) -> object:
    return item.encode() if isinstance(item, str) else item


def _first_of_each(cases: Sequence[Case]) -> list[Case]:
    found: dict[str, Case] = {}
    for case in cases:
        if case.id not in {**DIFFERENT, **REFUSED_CASES} and case.op not in RANDOM:
            found.setdefault(case.op, case)
    return list(found.values())


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A fresh folder each time that it is asked, all within one."""
    root = tmp_path_factory.mktemp("raw_ops")
    return (root / str(number) for number in count())


@pytest.mark.parametrize("case", _first_of_each(CASES), ids=lambda case: case.id)
def test_an_operation_by_way_of_tfjs(
    case: Case, tensorflow: ModuleType, folders: Iterator[Path]
) -> None:
    raw = convert(case, next(folders))
    model = read(raw.folder, ReadOptions())
    keys = list(model.signature.outputs)
    inputs = dict(zip(model.signature.inputs, raw.fed, strict=True))
    file = next(folders).with_suffix(".pb")
    frozen(model, file)
    answers = run_frozen(tensorflow, file, inputs, keys)
    wanted = run_tensorflow(tensorflow, case)
    for key, index in zip(keys, raw.outputs, strict=True):
        # A session gives a single text as such.
        found = answers[key].astype(object) if answers[key].dtype.kind == "S" else answers[key]
        expected = wanted[index]
        if found.dtype == np.float16:
            # The signature keeps the dtypes of the source: two units in the last place of a half.
            assert np.allclose(found.astype(np.float32), expected, rtol=2e-3, atol=1e-7), key
            continue
        if found.dtype.kind in "iu":
            found = found.astype(np.int32)
        assert difference(found, expected) is None, key
