"""Activations, initializers, regularizers and constraints in each dialect."""

from __future__ import annotations

from typing import Any

import pytest

from tfjs.errors import CorruptFileError
from tfjs.ir.layers_model import KERAS2_HARD_SIGMOID
from tfjs.layers.objects import for_keras2, for_keras3, for_tfjs, normalize
from tfjs.layers.vocabulary import Dialect


@pytest.mark.parametrize(
    ("value", "dialect", "expected"),
    [
        (None, "keras3", "linear"),
        ("swish", "keras2", "silu"),
        ("hard_sigmoid", "keras3", "hard_sigmoid"),
        ("hard_sigmoid", "keras2", KERAS2_HARD_SIGMOID),
        ("hardSigmoid", "tfjs", KERAS2_HARD_SIGMOID),
        ("leakyReLU", "tfjs", "leaky_relu"),
        ({"class_name": "function", "config": "relu"}, "keras3", "relu"),
        (
            {"class_name": "function", "config": "mine", "registered_name": "function"},
            "keras3",
            "mine",
        ),
        (
            {"module": "keras.layers", "class_name": "ReLU", "config": {"max_value": 3.0}},
            "keras3",
            {"class_name": "ReLU", "config": {"max_value": 3.0}},
        ),
    ],
)
def test_activations(value: Any, dialect: Dialect, expected: Any) -> None:
    assert normalize(value, "activation", dialect, "here") == expected


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("kernel_initializer", "glorot_uniform", "GlorotUniform"),
        ("kernel_initializer", "uniform", "RandomUniform"),
        ("kernel_initializer", {"class_name": "LeCunNormal", "config": {}}, "LecunNormal"),
        ("bias_regularizer", {"class_name": "L2", "config": {"l2": 0.1}}, "L2"),
        ("bias_regularizer", {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.1}, "L1L2"),
        ("kernel_constraint", "maxnorm", "MaxNorm"),
    ],
)
def test_names_of_all_releases(key: str, value: Any, expected: str) -> None:
    assert normalize(value, key, "keras2", "here")["class_name"] == expected


@pytest.mark.parametrize("value", [3, ["relu"], {"config": {}}])
def test_what_is_no_object(value: Any) -> None:
    with pytest.raises(CorruptFileError):
        normalize(value, "activation", "keras3", "here")
    with pytest.raises(CorruptFileError):
        normalize(value, "kernel_initializer", "keras3", "here")


def test_regularizers_in_tfjs() -> None:
    value = {"class_name": "L2", "config": {"l2": 0.25}}
    expected = {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.25}}
    assert for_tfjs(value, "kernel_regularizer") == expected
    other = {"class_name": "OrthogonalRegularizer", "config": {}}
    assert for_tfjs(other, "kernel_regularizer") is None


def test_initializers_in_tfjs() -> None:
    value = {"class_name": "LecunNormal", "config": {"seed": {"class_name": "SeedGenerator"}}}
    assert for_tfjs(value, "kernel_initializer") == {"class_name": "LeCunNormal", "config": {}}


def test_activations_in_each_dialect() -> None:
    assert for_tfjs("silu", "activation") == "swish"
    assert for_tfjs(KERAS2_HARD_SIGMOID, "activation") == "hard_sigmoid"
    assert for_keras2(KERAS2_HARD_SIGMOID, "activation") == "hard_sigmoid"
    relu = {"class_name": "ReLU", "config": {"max_value": 3.0}}
    assert for_keras3(relu, "activation")["module"] == "keras.layers"


def test_a_function_that_is_given_as_an_object() -> None:
    value = {"class_name": "relu", "config": {}}
    assert for_keras2(value, "activation") == value


def test_an_activation_that_has_ended_is_its_successor() -> None:
    value = {"class_name": "ThresholdedReLU", "config": {"theta": 0.5}}
    written = for_keras3(value, "activation")
    assert (written["class_name"], written["config"]) == ("ReLU", {"threshold": 0.5})
    assert for_keras2(value, "activation") == value
