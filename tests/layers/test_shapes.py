from __future__ import annotations

import pytest

from tfjs.errors import CorruptFileError
from tfjs.ir.layers_model import Call, Layer, LayersModel, TensorRef
from tfjs.layers.shapes import common_shapes, infer_shapes


def test_sizes_that_differ_between_calls_are_unknown() -> None:
    calls = [[(None, 9, 4), (2, 3)], [(None, 6, 4), (2, 3)]]
    assert common_shapes(calls) == [(None, None, 4), (2, 3)]


def test_shapes_that_differ_in_rank_or_are_unknown() -> None:
    assert common_shapes([[(None, 9, 4), (2, 3)], [(None, 9), None]]) == [None, None]


def test_one_call_keeps_its_shapes() -> None:
    assert common_shapes([[(None, 9), None]]) == [(None, 9), None]


def test_a_size_that_is_no_number() -> None:
    entry = Layer("InputLayer", "x", {"batch_shape": [None, 4]}, calls=[Call()])
    config = {"shape": [1, "a"]}
    calls = [Call(args=(TensorRef("x"), [0, 0]))]
    cut = Layer("Slice", "cut", config, calls=calls, module="keras.src.ops.core")
    model = LayersModel("m", "Functional", [entry, cut], TensorRef("x"), TensorRef("cut"))
    with pytest.raises(CorruptFileError, match=r"layer 'cut': .* a size that is no number: a str"):
        infer_shapes(model)
