"""Tables, lists, arrays of tensors and initializers, against TensorFlow and the real TF.js."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import tfjs
from tests.models import test_raw_stateful
from tests.passes import test_tables
from tests.runtime.graphs import assert_answers
from tests.support.protocol import Array
from tests.support.saved_models import save_v1
from tfjs.formats.base import ReadOptions
from tfjs.formats.registry import named
from tfjs.ir.graph import GraphModel
from tfjs.runtime.engine import Runner


def read(path: Path, format_: str) -> GraphModel:
    model = named(format_).read(path, ReadOptions())
    assert isinstance(model, GraphModel)
    return model


def _both(saved: Path, folder: Path, **options: Any) -> list[tuple[Runner, list[str]]]:
    """What runs the source, and what it becomes in TF.js."""
    tfjs.convert(saved, folder, **options)
    source, result = read(saved, "saved-model"), read(folder, "tfjs-graph")
    return [
        (Runner(source, as_tfjs=False), source.signature.inputs),
        (Runner(source, as_tfjs=False, dtype="float64"), source.signature.inputs),
        (Runner(result), result.signature.inputs),
        (Runner(result, dtype="float64"), result.signature.inputs),
    ]


@pytest.mark.parametrize("name", [*test_tables.CASES, "buckets"])
def test_tables_find_what_they_find_in_tensorflow(
    name: str, tensorflow: ModuleType, tmp_path: Path
) -> None:
    array = test_tables.NUMBERS if name == "of numbers" else test_tables.WORDS
    make = test_tables.CASES.get(name, test_tables._buckets)
    wanted = test_tables.save(tensorflow, make, tmp_path, array)
    for runner, inputs in _both(tmp_path / "saved", tmp_path / "web"):
        for _ in range(2):  # the tables are there from the first run on
            assert_answers(runner, {inputs[0]: array}, [wanted])


@pytest.mark.parametrize("name", test_raw_stateful.CASES)
def test_what_holds_something_during_a_run(
    name: str, tensorflow: ModuleType, tmp_path: Path
) -> None:
    case = test_raw_stateful.CASES[name]
    answers: list[Array] = []
    found: dict[str, Any] = {}

    def build(v1: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        for array in case.fed:
            dtype = tensorflow.string if array.dtype == object else tensorflow.as_dtype(array.dtype)
            found.setdefault("feeds", {})[v1.placeholder(dtype, array.shape)] = array
        found["outputs"], found["fill"] = case.build(tensorflow, *found["feeds"])
        inputs = {f"in{index}": tensor for index, tensor in enumerate(found["feeds"])}
        return inputs, {f"out{index}": tensor for index, tensor in enumerate(found["outputs"])}

    def prepare(v1: Any, session: Any) -> Any:
        if found["fill"] is not None:
            session.run(found["fill"])
        answers.extend(session.run(found["outputs"], found["feeds"]))
        return found["fill"]

    save_v1(tensorflow, tmp_path / "source", build, prepare=prepare)
    for runner, inputs in _both(tmp_path / "source", tmp_path / "web", **case.options):
        assert_answers(runner, dict(zip(inputs, case.fed, strict=False)), answers)
