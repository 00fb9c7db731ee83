"""Variables and tables of TF1, and constants that become variables."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.saved_models import save_v1
from tests.support.tensorflow_files import Building, frozen, run_frozen, run_signature, saved
from tfjs.errors import UnsupportedError
from tfjs.formats.base import ReadOptions
from tfjs.formats.saved_model.read import read
from tfjs.passes.to_tensorflow import freeze_variables, store_constants, to_tensorflow


@pytest.fixture(scope="module")
def of_tf1(tensorflow: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel with a reference variable that two nodes read, one of them a Switch."""

    def build(v1: Any) -> Any:
        x = v1.placeholder(v1.float32, [None], name="x")
        v = v1.get_variable("v", initializer=[1.0, 2.0], use_resource=False)
        y = v1.cond(v1.reduce_sum(x) > 0, lambda: x * v, lambda: x - v)
        return {"x": x}, {"y": y + v}

    tensorflow.compat.v1.disable_control_flow_v2()
    try:
        return save_v1(tensorflow, tmp_path_factory.mktemp("v1") / "saved", build)
    finally:
        tensorflow.compat.v1.enable_control_flow_v2()


def test_references_become_resources(tensorflow: ModuleType, of_tf1: Path, tmp_path: Path) -> None:
    model = read(of_tf1, ReadOptions())
    assert {"VariableV2"} < {node.op for node in model.graph.nodes.values()}
    saved(model, tmp_path / "m")
    ops = {node.op for node in model.graph.nodes.values()}
    assert {"VarHandleOp", "ReadVariableOp"} < ops
    assert not {op for op in ops if op.startswith("Ref") or op == "VariableV2"}
    for x, wanted in (([3.0, 4.0], [4, 10]), ([-3.0, -4.0], [-3, -4])):
        assert run_signature(tensorflow, tmp_path / "m", {"x": x})["y"].tolist() == wanted


def test_references_become_constants(tensorflow: ModuleType, of_tf1: Path, tmp_path: Path) -> None:
    model = read(of_tf1, ReadOptions())
    freeze_variables(model)
    frozen(model, tmp_path / "m.pb")
    fed = {"x": np.array([3, 4], np.float32)}
    assert run_frozen(tensorflow, tmp_path / "m.pb", fed, ["y"])["y"].tolist() == [4, 10]


def test_a_variable_that_the_model_changes() -> None:
    building = Building()
    x = building.input("x", (2,))
    variable = building.node("VariableV2", name="v", dtypes=["float32"], dtype="float32")
    node = building.node("AssignAdd", variable.output, x, name="more", T="float32")
    with pytest.raises(UnsupportedError) as caught:
        to_tensorflow(building.model(node.output))
    assert caught.value.problems == (
        "VariableV2: is changed by 'more' when the model runs; export the model for inference (v)",
    )


def test_large_floats_become_variables() -> None:
    building = Building()
    x = building.input("x", (None, 1024))
    large = building.constant(np.ones((1024,), np.float32), "large")
    small = building.constant(np.ones((1023,), np.float32), "small")
    whole = building.constant(np.ones((1024,), np.int32), "whole")
    waiting = building.constant(np.ones((1024,), np.float32), "waiting")
    waiting.node.controls = [x.node]
    values = [building.node("AddV2", x, large).output, small, whole, waiting]
    model = building.model(*values)
    assert store_constants(model) == 1
    assert list(model.variables) == ["large"]
    assert model.graph.nodes["large"].op == "VarHandleOp"
    assert values[0].node.inputs[1].node.op == "ReadVariableOp"
    assert {value.node.op for value in values[1:]} == {"Const"}
