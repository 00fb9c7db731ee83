from __future__ import annotations

from tfjs.ir.layers_model import Call, Layer, LayersModel, Structure, TensorRef
from tfjs.layers.rnn_runs import repeated_layers, spilled_states


def rnn(name: str, source: str, *states: TensorRef) -> Layer:
    kwargs: dict[str, Structure] = {"initial_state": list(states)} if states else {}
    return Layer("LSTM", name, calls=[Call(args=(TensorRef(source),), kwargs=kwargs)])


def model_of(*layers: Layer, outputs: Structure) -> LayersModel:
    names = ("x", "h")
    entries = [Layer("InputLayer", name, {"batch_shape": [None, 4, 3]}) for name in names]
    for entry in entries:
        entry.calls = [Call()]
    return LayersModel(
        "m", "Functional", [*entries, *layers], [TensorRef(name) for name in names], outputs
    )


def spilled(model: LayersModel, *, masked: bool = True) -> set[str]:
    found = spilled_states(model, masked=masked)
    return {layer.name for _, layer in model.walk() if id(layer) in found}


H = TensorRef("h")


def test_a_later_rnn_would_get_the_state() -> None:
    model = model_of(rnn("a", "x", H), rnn("b", "a"), outputs=TensorRef("b"))
    assert spilled(model) == {"a"}
    assert spilled(model, masked=False) == set()


def test_an_earlier_rnn_does_not() -> None:
    encoder = rnn("encoder", "x")
    model = model_of(
        encoder,
        rnn("decoder", "x", TensorRef("encoder", 0, 1), TensorRef("encoder", 0, 2)),
        outputs=TensorRef("decoder"),
    )
    assert spilled(model) == set()


def test_an_rnn_beside_it_may_run_later() -> None:
    outputs = [TensorRef("a"), TensorRef("b")]
    assert spilled(model_of(rnn("a", "x", H), rnn("b", "x"), outputs=outputs)) == {"a"}


def test_a_second_output_runs_it_again() -> None:
    outputs = [TensorRef("a"), TensorRef("a", 0, 1)]
    model = model_of(rnn("a", "x", H), outputs=outputs)
    assert spilled(model) == {"a"}
    assert {id(model.layer("a"))} == repeated_layers(model)


def test_within_another_model() -> None:
    inner = model_of(rnn("a", "x", H), rnn("b", "a"), outputs=TensorRef("b"))
    nested = Layer("Functional", "nested", calls=[Call(args=([TensorRef("x"), H],))], model=inner)
    model = model_of(nested, outputs=TensorRef("nested"))
    assert spilled(model, masked=False) == {"a"}


def test_out_of_another_model() -> None:
    inner = model_of(rnn("a", "x", H), outputs=TensorRef("a"))
    nested = Layer("Functional", "nested", calls=[Call(args=([TensorRef("x"), H],))], model=inner)
    model = model_of(nested, rnn("b", "nested"), outputs=TensorRef("b"))
    assert spilled(model) == {"a"}
    assert spilled(model, masked=False) == set()


def test_one_output_is_no_repetition() -> None:
    model = model_of(rnn("a", "x"), rnn("b", "a"), outputs=[TensorRef("b"), TensorRef("b")])
    assert repeated_layers(model) == set()
