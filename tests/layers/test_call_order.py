from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.formats.base import WriteOptions
from tfjs.formats.tfjs_layers.write import write
from tfjs.ir.layers_model import Call, Layer, LayersModel, TensorRef
from tfjs.layers.call_order import settle_calls


def network(order: list[str]) -> LayersModel:
    """A shared layer that is called on a deep branch first and on an input next.

    Args:
        order: names of the layers in the order of the file.
    """
    source = {"batch_shape": [None, 2], "dtype": "float32"}
    layers = {
        "x": Layer("InputLayer", "x", dict(source), calls=[Call()]),
        "y": Layer("InputLayer", "y", dict(source), calls=[Call()]),
        "deep": Layer("Rescaling", "deep", {"scale": 10.0, "offset": 0.0}),
        "deeper": Layer("Rescaling", "deeper", {"scale": 10.0, "offset": 0.0}),
        "shared": Layer("Rescaling", "shared", {"scale": 1.0, "offset": 1.0}),
    }
    layers["deep"].calls = [Call(args=(TensorRef("x"),))]
    layers["deeper"].calls = [Call(args=(TensorRef("deep"),))]
    layers["shared"].calls = [Call(args=(TensorRef("deeper"),)), Call(args=(TensorRef("y"),))]
    return LayersModel(
        "m",
        "Functional",
        [layers[name] for name in order],
        [TensorRef("x"), TensorRef("y")],
        [TensorRef("shared", 0), TensorRef("shared", 1)],
    )


def test_a_call_that_is_ready_first_comes_first() -> None:
    model = network(["x", "y", "shared", "deeper", "deep"])
    settle_calls(model)
    assert model.layer("shared").calls == [
        Call(args=(TensorRef("y"),)),
        Call(args=(TensorRef("deeper"),)),
    ]
    assert model.outputs == [TensorRef("shared", 1), TensorRef("shared", 0)]


def test_calls_that_are_ready_in_turn_stay() -> None:
    model = network(["x", "y", "deep", "deeper", "shared"])
    settle_calls(model)
    assert model.outputs == [TensorRef("shared", 0), TensorRef("shared", 1)]


def test_calls_that_follow_one_another_stay() -> None:
    model = network(["x", "y", "shared", "deep", "deeper"])
    model.layer("shared").calls = [
        Call(args=(TensorRef("x"),)),
        Call(args=(TensorRef("shared", 0),)),
        Call(args=(TensorRef("shared", 1),)),
    ]
    before = [Call(args=call.args) for call in model.layer("shared").calls]
    settle_calls(model)
    assert model.layer("shared").calls == before


def test_nested_models_are_settled_too() -> None:
    inner = network(["x", "y", "shared", "deeper", "deep"])
    outer = network(["x", "y", "deep", "deeper", "shared"])
    outer.layers[2] = Layer("Functional", "deep", calls=outer.layer("deep").calls, model=inner)
    settle_calls(outer)
    assert inner.outputs == [TensorRef("shared", 1), TensorRef("shared", 0)]


@pytest.mark.parametrize(
    "order", [["x", "y", "shared", "deeper", "deep"], ["x", "y", "deep", "deeper", "shared"]]
)
def test_in_tfjs(tfjs_runtime: TfjsRuntime, tmp_path: Path, order: list[str]) -> None:
    write(network(order), tmp_path / "web", WriteOptions())
    x, y = np.ones((1, 2), np.float32), np.full((1, 2), 7, np.float32)
    first, second = tfjs_runtime.predict_layers(tmp_path / "web", [x, y])
    np.testing.assert_allclose(first, [[101, 101]])
    np.testing.assert_allclose(second, [[8, 8]])
