from __future__ import annotations

from typing import Any

from tfjs.ir.layers_model import Call, Layer, LayersModel, Structure, TensorRef
from tfjs.layers.masked import mask_operations, masked_layers

OPS = "keras.src.ops.numpy"


def layer(name: str, class_name: str, *args: Structure, **config: Any) -> Layer:
    return Layer(class_name, name, config, calls=[Call(args=args)])


def model_of(*layers: Layer, outputs: Structure = None) -> LayersModel:
    entry = Layer("InputLayer", "x", {"batch_shape": [None, 5]}, calls=[Call()])
    last = TensorRef(layers[-1].name)
    return LayersModel("m", "Functional", [entry, *layers], TensorRef("x"), outputs or last)


def masked_names(model: LayersModel) -> set[str]:
    found = masked_layers(model)
    return {item.name for _, item in model.walk() if id(item) in found}


EMBEDDING = layer("words", "Embedding", TensorRef("x"), mask_zero=True)


def test_masks_are_handed_on() -> None:
    model = model_of(
        EMBEDDING,
        layer("dense", "Dense", TensorRef("words")),
        layer("first", "LSTM", TensorRef("dense"), return_sequences=True),
        layer("second", "LSTM", TensorRef("first"), return_sequences=False),
        layer("last", "Dense", TensorRef("second")),
    )
    assert masked_names(model) == {"dense", "first", "second"}


def test_masks_end_at_layers_that_drop_them() -> None:
    model = model_of(
        EMBEDDING,
        layer("conv", "Conv1D", TensorRef("words")),
        layer("lstm", "LSTM", TensorRef("conv")),
    )
    assert masked_names(model) == {"conv"}


def test_masking() -> None:
    model = model_of(
        layer("masking", "Masking", TensorRef("x")), layer("gru", "GRU", TensorRef("masking"))
    )
    assert masked_names(model) == {"gru"}


def test_bidirectional_hands_on_what_its_layer_does() -> None:
    both = layer("both", "Bidirectional", TensorRef("words"))
    both.children["forward_layer"] = Layer("LSTM", "f", {"return_sequences": True})
    model = model_of(EMBEDDING, both, layer("lstm", "LSTM", TensorRef("both")))
    assert masked_names(model) == {"both", "lstm"}
    both.children["forward_layer"].config["return_sequences"] = False
    assert masked_names(model) == {"both"}


def test_operations_have_no_masks() -> None:
    doubled = layer("doubled", "Multiply", TensorRef("words"), 2.0)
    doubled.module = OPS
    model = model_of(EMBEDDING, doubled, layer("lstm", "LSTM", TensorRef("doubled")))
    assert masked_names(model) == set()


def test_masks_reach_into_nested_models_and_come_out() -> None:
    inner = model_of(layer("inside", "LSTM", TensorRef("x"), return_sequences=True))
    nested = layer("nested", "Functional", TensorRef("words"))
    nested.model = inner
    model = model_of(EMBEDDING, nested, layer("after", "LSTM", TensorRef("nested")))
    assert masked_names(model) == {"nested", "inside", "after"}


def test_unknown_classes_may_hand_masks_on() -> None:
    model = model_of(
        EMBEDDING,
        layer("mine", "MyLayer", TensorRef("words")),
        layer("lstm", "LSTM", TensorRef("mine")),
    )
    assert masked_names(model) == {"mine", "lstm"}


def test_mask_that_is_written_down() -> None:
    lstm = layer("lstm", "LSTM", TensorRef("x"))
    lstm.calls[0].kwargs["mask"] = TensorRef("not_equal")
    test = layer("not_equal", "NotEqual", TensorRef("x"), 0)
    test.module = OPS
    model = model_of(test, lstm)
    assert masked_names(model) == {"lstm"}
    assert mask_operations(model) == {"not_equal"}


def test_initial_states_of_keras3_come_without_a_mask() -> None:
    lstm = layer("lstm", "LSTM", TensorRef("words"))
    lstm.calls[0].kwargs = {"initial_state": [TensorRef("x"), TensorRef("x")], "mask": None}
    assert masked_names(model_of(EMBEDDING, lstm)) == set()
    del lstm.calls[0].kwargs["mask"]
    assert masked_names(model_of(EMBEDDING, lstm)) == {"lstm"}


def test_operations_that_feed_more_than_masks() -> None:
    test, both = (
        layer("test", "NotEqual", TensorRef("x"), 0),
        layer("any", "Any", TensorRef("test")),
    )
    test.module = both.module = OPS
    lstm = layer("lstm", "LSTM", TensorRef("x"))
    lstm.calls[0].kwargs["mask"] = TensorRef("any")
    assert mask_operations(model_of(test, both, lstm)) == {"test", "any"}
    used = layer("used", "Dense", TensorRef("any"))
    assert mask_operations(model_of(test, both, lstm, used)) == set()
    shown = model_of(test, both, lstm, outputs=[TensorRef("lstm"), TensorRef("any")])
    assert mask_operations(shown) == set()
