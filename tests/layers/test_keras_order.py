"""Keras's order of layers, against what Keras 3 itself makes of a model."""

from __future__ import annotations

import random
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.keras_models import KINDS, made
from tfjs.formats.base import ReadOptions
from tfjs.formats.keras_v3 import FORMAT
from tfjs.ir.layers_model import Call, Layer, LayersModel, TensorRef
from tfjs.layers.keras_order import in_keras_order


def functional(*layers: Layer, outputs: list[TensorRef]) -> LayersModel:
    inputs = [TensorRef(layer.name) for layer in layers if layer.class_name == "InputLayer"]
    return LayersModel("m", "Functional", list(layers), inputs, outputs)


def entry(name: str) -> Layer:
    return Layer("InputLayer", name, {"batch_shape": [None, 2]}, calls=[Call()])


def called(name: str, *on: str | TensorRef, class_name: str = "Add") -> Layer:
    refs = [TensorRef(item) if isinstance(item, str) else item for item in on]
    return Layer(class_name, name, calls=[Call(args=(refs,))])


def names(model: LayersModel) -> list[str]:
    return [layer.name for layer in in_keras_order(model).layers]


def test_by_distance_from_the_output() -> None:
    model = functional(
        called("out", "late", "early"),
        called("late", "middle"),
        called("middle", "a"),
        called("early", "b"),
        entry("b"),
        entry("a"),
        outputs=[TensorRef("out")],
    )
    # `b` is two calls away from the end, as `middle` is, which the walk meets first.
    assert names(model) == ["a", "middle", "b", "late", "early", "out"]


def test_a_layer_counts_by_its_call_that_is_farthest() -> None:
    shared = Layer(
        "Dense",
        "shared",
        calls=[Call(args=(TensorRef("a"),)), Call(args=(TensorRef("between"),))],
    )
    model = functional(
        entry("a"),
        called("between", TensorRef("shared", 0)),
        shared,
        outputs=[TensorRef("shared", 1)],
    )
    assert names(model) == ["a", "shared", "between"]


def test_layers_that_lead_nowhere_are_left_out() -> None:
    model = functional(
        entry("a"), called("lost", "a"), called("out", "a"), outputs=[TensorRef("out")]
    )
    assert names(model) == ["a", "out"]


def test_unused_inputs_stay() -> None:
    model = functional(entry("a"), entry("unused"), called("out", "a"), outputs=[TensorRef("out")])
    assert names(model) == ["a", "unused", "out"]


def test_arguments_by_name_come_last_and_sorted() -> None:
    refs = {"z": TensorRef("c"), "k": TensorRef("b")}
    layer = Layer("Any", "out", calls=[Call(args=(TensorRef("a"),), kwargs=refs)])
    model = functional(entry("c"), entry("b"), entry("a"), layer, outputs=[TensorRef("out")])
    assert names(model) == ["a", "b", "c", "out"]


def test_a_long_chain_needs_no_deep_recursion() -> None:
    layers = [entry("l0")]
    layers += [called(f"l{index}", f"l{index - 1}") for index in range(1, 5000)]
    model = functional(*reversed(layers), outputs=[TensorRef("l4999")])
    assert names(model) == [f"l{index}" for index in range(5000)]


def test_the_model_itself_is_not_changed() -> None:
    model = functional(called("out", "a"), entry("a"), outputs=[TensorRef("out")])
    in_keras_order(model)
    assert [layer.name for layer in model.layers] == ["out", "a"]


@pytest.mark.parametrize("kind", KINDS)
def test_as_keras_3_orders_them(kind: str, keras: ModuleType, tmp_path: Path) -> None:
    live = made(kind, keras)
    live.save(tmp_path / "m.keras")
    model = FORMAT.read(tmp_path / "m.keras", ReadOptions())
    assert isinstance(model, LayersModel)
    wanted = [layer.name for layer in model.layers]
    if model.class_name != "Sequential":
        random.Random(0).shuffle(model.layers)
    assert [layer.name for layer in in_keras_order(model).layers] == wanted
