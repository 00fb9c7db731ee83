"""Layers of ended classes, wherever they are in a model."""

from __future__ import annotations

import numpy as np

from tests.support.declared import one_layer
from tfjs.ir.layers_model import Layer, LayersModel, OptimizerWeight, Training
from tfjs.ir.tensor import ArrayTensor
from tfjs.layers.successors import with_successors


def trained(class_name: str, **config: object) -> LayersModel:
    model = one_layer(class_name, config, (4, 5), "keras2")
    state = [OptimizerWeight("m", ArrayTensor(np.zeros(3, np.float32)))]
    model.training = Training({"optimizer": "adam"}, state, "keras-h5")
    return model


def test_nothing_changes_where_no_layer_has_ended() -> None:
    model = trained("LSTM", units=3)
    result, told = with_successors(model)
    assert (result, told) == (model, [])


def test_nested_and_wrapped_layers() -> None:
    inner = trained("CuDNNGRU", units=2)
    wrapped = trained("TimeDistributed", layer={"class_name": "ThresholdedReLU", "config": {}})
    layers = [Layer("Sequential", "model", model=inner), *wrapped.layers]
    model = LayersModel("m", "Functional", layers, [], [])
    result, told = with_successors(model)
    found = [layer.class_name for _, layer in result.walk()]
    assert found == ["Sequential", "InputLayer", "GRU", "InputLayer", "TimeDistributed", "ReLU"]
    assert told == ["CuDNNGRU as GRU: probe", "ThresholdedReLU as ReLU: "]
    assert result.layers[-1].children["layer"].config["threshold"] == 1.0
    # What was read stays as it is.
    assert inner.layers[1].class_name == "CuDNNGRU"


def test_optimizer_state_goes_where_variables_change() -> None:
    result, told = with_successors(trained("CuDNNLSTM", units=3))
    assert result.training is not None
    assert result.training.optimizer_weights == []
    assert told[1:] == ["optimizer state left out: it is that of other variables"]
    result, told = with_successors(trained("ThresholdedReLU", theta=2.0))
    assert result.training is not None
    assert len(result.training.optimizer_weights) == 1
    assert told == ["ThresholdedReLU as ReLU: probe"]
