"""Compile configuration in TF.js: what it has is written, what it lacks is said."""

from __future__ import annotations

from typing import Any

import pytest

from tfjs.layers.training import from_keras2, from_tfjs, to_keras2, to_tfjs

ADAM = {"class_name": "Adam", "config": {"learning_rate": 0.01, "beta_1": 0.8, "name": "adam"}}


def compiled(**changes: Any) -> dict[str, Any]:
    return {"optimizer": ADAM, "loss": "mse", "metrics": ["accuracy"], **changes}


def test_what_tfjs_has() -> None:
    config, notes = to_tfjs(compiled(), ["out"])
    assert config == {
        "loss": "mean_squared_error",
        "metrics": ["accuracy"],
        "optimizer_config": {
            "class_name": "Adam",
            "config": {"beta_1": 0.8, "learning_rate": 0.01},
        },
    }
    assert notes == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"loss": "huber"}, "TF.js has no loss huber"),
        ({"optimizer": {"class_name": "AdamW", "config": {}}}, "TF.js has no optimizer AdamW"),
        ({"optimizer": None}, "it names no optimizer"),
        ({"loss_weights": [1.0]}, "TF.js has no loss_weights"),
        ({"loss": {"other": "mse"}}, "its losses are named after other outputs"),
        (
            {"optimizer": {"class_name": "Adam", "config": {"clipnorm": 1.0}}},
            "TF.js's Adam has no clipnorm",
        ),
        (
            {"loss": {"class_name": "BinaryCrossentropy", "config": {"from_logits": True}}},
            "TF.js's BinaryCrossentropy has no options",
        ),
        (
            {
                "optimizer": {
                    "class_name": "Adam",
                    "config": {"learning_rate": {"class_name": "CosineDecay"}},
                }
            },
            "settings of the optimizer Adam change while it trains",
        ),
    ],
)
def test_what_tfjs_lacks(changes: dict[str, Any], reason: str) -> None:
    assert to_tfjs(compiled(**changes), ["out"]) == (
        None,
        [f"compile configuration left out: {reason}"],
    )


def test_metrics_that_would_stop_the_loader_are_left_out() -> None:
    metrics = ["accuracy", {"class_name": "Recall", "config": {}}, [["mae"]]]
    config, notes = to_tfjs(compiled(metrics=metrics), ["out"])
    assert config is not None
    assert config["metrics"] == ["accuracy", "mae"]
    assert notes == ["metrics left out, which TF.js does not have: Recall"]


@pytest.mark.parametrize(
    "loss",
    [
        "categorical_crossentropy",
        {"class_name": "CategoricalCrossentropy", "config": {"from_logits": False}},
        {"class_name": "function", "config": "categorical_crossentropy"},
    ],
)
def test_forms_of_a_loss(loss: Any) -> None:
    config, _ = to_tfjs(compiled(loss=loss), ["out"])
    assert config is not None
    assert config["loss"] == "categorical_crossentropy"


def test_sgd_with_momentum_is_a_class_of_its_own() -> None:
    settings = {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}
    config, _ = to_tfjs(compiled(optimizer={"class_name": "SGD", "config": settings}), ["out"])
    assert config is not None
    expected = {"learning_rate": 0.1, "momentum": 0.9, "use_nesterov": True}
    assert config["optimizer_config"] == {"class_name": "Momentum", "config": expected}
    assert from_tfjs(config)["optimizer"] == {"class_name": "SGD", "config": settings}


def test_rho_of_rmsprop_is_decay_in_tfjs() -> None:
    settings = {"learning_rate": 0.1, "rho": 0.8}
    config, _ = to_tfjs(compiled(optimizer={"class_name": "RMSprop", "config": settings}), ["out"])
    assert config is not None
    assert config["optimizer_config"]["class_name"] == "RMSProp"
    assert config["optimizer_config"]["config"] == {"decay": 0.8, "learning_rate": 0.1}
    assert from_tfjs(config)["optimizer"] == {"class_name": "RMSprop", "config": settings}


def test_keras_2_and_back() -> None:
    config = from_keras2({"optimizer_config": ADAM, "loss": "mse", "metrics": ["accuracy"]})
    assert config["optimizer"] == ADAM
    assert to_keras2(config)["optimizer_config"] == ADAM
    assert to_keras2(config)["loss"] == "mse"
