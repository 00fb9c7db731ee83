"""What would hang TF.js for ever is found before."""

from __future__ import annotations

import pytest

from tfjs.errors import CorruptFileError
from tfjs.ir.layers_model import Call, Layer, LayersModel, TensorRef
from tfjs.layers.structure import check, ordered_calls

Edge = tuple[str, list[TensorRef]]


def chain(*edges: Edge, output: TensorRef | None = None) -> LayersModel:
    calls = [(name, Call(args=(refs,) if refs else ())) for name, refs in edges]
    layers = [
        Layer("Dense" if call.args else "InputLayer", name, calls=[call]) for name, call in calls
    ]
    last = output or TensorRef(edges[-1][0])
    return LayersModel("m", "Functional", layers, TensorRef(edges[0][0]), last)


def test_a_sound_model_passes_and_is_ordered() -> None:
    edges: list[Edge] = [("c", [TensorRef("b")]), ("a", []), ("b", [TensorRef("a")])]
    model = chain(*edges, output=TensorRef("c"))
    check(model, "f")
    assert [layer.name for layer, _ in ordered_calls(model)] == ["a", "b", "c"]


def test_a_missing_layer() -> None:
    with pytest.raises(CorruptFileError, match="layer 'ghost' that is not there"):
        check(chain(("a", []), ("b", [TensorRef("ghost")])), "f")


def test_a_call_that_does_not_exist() -> None:
    with pytest.raises(CorruptFileError, match="call 1 of layer 'a', which has 1"):
        check(chain(("a", []), ("b", [TensorRef("a", 1)])), "f")


def test_a_cycle() -> None:
    model = chain(("a", []), ("b", [TensorRef("c")]), ("c", [TensorRef("b")]))
    with pytest.raises(CorruptFileError, match="b, c wait for each other"):
        check(model, "f")


def test_a_layer_that_feeds_itself() -> None:
    with pytest.raises(CorruptFileError, match="cycle"):
        check(chain(("a", []), ("b", [TensorRef("b")])), "f")


@pytest.mark.parametrize("call", [Call(), Call(args=([],)), Call(kwargs={"mask": TensorRef("a")})])
def test_a_layer_that_is_called_on_nothing(call: Call) -> None:
    model = chain(("a", []), ("b", [TensorRef("a")]))
    model.layers[1].calls = [call]
    with pytest.raises(CorruptFileError, match="calls the layer 'b' on nothing"):
        check(model, "f")


def test_two_layers_of_one_name() -> None:
    with pytest.raises(CorruptFileError, match="2 layers are named 'a'"):
        check(chain(("a", []), ("a", [TensorRef("a")])), "f")


def test_an_output_that_is_not_there() -> None:
    with pytest.raises(CorruptFileError, match="inputs and outputs"):
        check(chain(("a", []), output=TensorRef("z")), "f")


def test_problems_in_nested_models_are_found() -> None:
    inner = chain(("a", []), ("b", [TensorRef("ghost")]))
    model = chain(("x", []), ("y", [TensorRef("x")]))
    model.layers[1].children["layer"] = Layer("Functional", "inner", model=inner)
    with pytest.raises(CorruptFileError, match="ghost"):
        check(model, "f")


def test_a_hundred_thousand_layers_are_linear() -> None:
    count = 100_000
    edges: list[Edge] = [("0", [])]
    edges += [(str(i), [TensorRef(str(i - 1))]) for i in range(1, count)]
    assert len(ordered_calls(chain(*edges))) == count
