from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import tfjs
from tests.support.tensorflow_files import Building
from tfjs.ir.graph import GraphModel
from tfjs.verification.ports import reorder


def model_of(*keys: str) -> GraphModel:
    """A model that gives its inputs."""
    building = Building()
    values = [building.input(f"node_{key}", ()) for key in keys]
    model = building.model(*values)
    model.signature.inputs, model.signature.outputs = list(keys), list(keys)
    return model


def test_another_order() -> None:
    model = model_of("a", "b", "c")
    reorder(model, ["c", "a", "b"], ["b", "c", "a"])
    assert [node.name for node in model.graph.inputs] == ["node_c", "node_a", "node_b"]
    assert [value.node.name for value in model.graph.outputs] == ["node_b", "node_c", "node_a"]
    assert model.graph.output_names == ["node_b", "node_c", "node_a"]
    assert model.signature.inputs == ["c", "a", "b"]
    assert model.signature.outputs == ["b", "c", "a"]


@pytest.mark.parametrize("keys", [["a"], ["a", "c"], ["a", "a"]])
def test_other_keys_tell_no_order(keys: list[str]) -> None:
    model = model_of("a", "b")
    reorder(model, keys, keys)
    assert model.signature.inputs == ["a", "b"]
    assert [value.node.name for value in model.graph.outputs] == ["node_a", "node_b"]


@pytest.mark.parametrize("target", ["m", "m.pb"])
def test_conversions_to_tensorflow_are_verified(
    target: str, tensorflow: ModuleType, tmp_path: Path
) -> None:
    tf = tensorflow

    @tf.function(input_signature=[tf.TensorSpec([None, 2]), tf.TensorSpec([None, 2])])
    def function(zeta: Any, alpha: Any) -> Any:
        return {"z": zeta - alpha, "a": tf.where(zeta > 0.0)}

    to = "saved-model" if target == "m" else None
    report = tfjs.convert(function, tmp_path / target, to=to)
    assert report.verification is not None
    assert report.verification.skipped is None
    assert len(report.verification.outputs) == 2
