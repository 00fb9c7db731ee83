"""Loops of TF1 whose bodies read values from outside, as TF.js allows."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.support.tensorflow_files import Building, frozen, run_frozen
from tfjs.errors import CorruptFileError
from tfjs.ir.graph import Node, Value
from tfjs.passes.to_tensorflow import to_tensorflow


def loop(
    building: Building, start: Value, limit: Value, factor: Value, frame: bytes
) -> tuple[Node, Node]:
    """`while x < limit: x = x * factor`; gives the Switch and the Exit."""
    name = frame.decode()
    enter = building.node("Enter", start, name=f"{name}/enter", frame_name=frame)
    merge = building.node(
        "Merge", enter.output, enter.output, name=f"{name}/merge", dtypes=[None] * 2
    )
    less = building.node("Less", merge.output, limit, name=f"{name}/less")
    test = building.node("LoopCond", less.output, name=f"{name}/test")
    switch = building.node(
        "Switch", merge.output, test.output, name=f"{name}/switch", dtypes=[None] * 2
    )
    product = building.node("Mul", switch.outputs[1], factor, name=f"{name}/mul")
    following = building.node("NextIteration", product.output, name=f"{name}/next")
    building.graph.set_input(merge, 1, following.output)
    return switch, building.node("Exit", switch.outputs[0], name=f"{name}/exit")


def test_constants_and_inputs_go_into_a_loop(tensorflow: ModuleType, tmp_path: Path) -> None:
    building = Building()
    x, limit = building.input("x", ()), building.input("limit", ())
    _, end = loop(building, x, limit, building.constant(np.float32(3)), b"frame")
    model = building.model(end.output)
    frozen(model, tmp_path / "m.pb")
    enters = [node for node in model.graph.nodes.values() if node.op == "Enter"]
    assert sorted(node.attrs["is_constant"] for node in enters) == [False, True, True]
    fed = {"x": np.float32(2), "limit": np.float32(50)}
    name = model.graph.outputs[0].node.name
    assert run_frozen(tensorflow, tmp_path / "m.pb", fed, [name])[name] == 54


def test_a_loop_in_a_loop(tensorflow: ModuleType, tmp_path: Path) -> None:
    building = Building()
    x, limit = building.input("x", ()), building.constant(np.float32(100), "limit")
    factor = building.constant(np.float32(2), "factor")
    switch, end = loop(building, x, limit, factor, b"outer")
    # The inner loop takes the value of the outer one, and doubles it past 10 each time.
    ten = building.constant(np.float32(10), "ten")
    _, inner = loop(building, switch.outputs[1], ten, factor, b"inner")
    building.graph.set_input(building.graph.nodes["outer/mul"], 0, inner.output)
    model = building.model(end.output)
    frozen(model, tmp_path / "m.pb")
    name = model.graph.outputs[0].node.name
    # 3, then 12 and 24, then 48, 96, 192.
    fed = {"x": np.float32(3)}
    assert run_frozen(tensorflow, tmp_path / "m.pb", fed, [name])[name] == 192
    entered = [node for node in model.graph.nodes.values() if node.name.startswith("factor/Enter")]
    assert [node.attrs["frame_name"] for node in entered].count(b"inner") == 1


def test_a_graph_without_loops_gets_none() -> None:
    building = Building()
    x = building.input("x", ())
    model = building.model(building.node("Neg", x).output)
    to_tensorflow(model)
    assert sorted(model.graph.nodes) == ["Neg", "x"]


def test_loops_that_reach_into_each_other() -> None:
    building = Building()
    x, limit = building.input("x", ()), building.input("limit", ())
    one, _ = loop(building, x, limit, limit, b"one")
    two, end = loop(building, x, limit, limit, b"two")
    mixed = building.node("AddV2", one.outputs[1], two.outputs[1], name="mixed")
    building.graph.set_input(building.graph.nodes["two/mul"], 0, mixed.output)
    with pytest.raises(CorruptFileError, match="'mixed' reads values of two loops"):
        to_tensorflow(building.model(end.output))
