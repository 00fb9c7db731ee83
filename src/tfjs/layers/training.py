"""Compile configuration in each dialect: optimizer, loss, metrics.

The normal form is Keras 3's `compile_config`. TF.js reads `trainingConfig` at the top level of
`model.json`; losses there have their long names (`runtime_contract.md` 3.2 and 3.4).
"""

from __future__ import annotations

import re
from typing import Any

from tfjs.ir.layers_model import Config
from tfjs.layers.vocabulary import facts

_TFJS_LOSSES = frozenset(
    {"mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error"}
    | {"mean_squared_logarithmic_error", "squared_hinge", "hinge", "categorical_hinge", "logcosh"}
    | {"categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy"}
    | {"kullback_leibler_divergence", "poisson", "cosine_proximity"}
)
_LOSS_ALIASES = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "kl_divergence": "kullback_leibler_divergence",
    "kld": "kullback_leibler_divergence",
    "log_cosh": "logcosh",
    "bce": "binary_crossentropy",
}
_TFJS_METRICS = frozenset(
    {"accuracy", "acc", "binary_accuracy", "categorical_accuracy", "precision", "recall"}
    | {"sparse_categorical_accuracy", "categorical_crossentropy", "binary_crossentropy"}
    | {"mse", "mae", "mape", "cosine", "mean_squared_error", "mean_absolute_error"}
)
# What the optimizers of TF.js read from their configuration (`facts/layers.json`).
_TFJS_OPTIMIZERS = {
    "SGD": ("SGD", {"learning_rate"}),
    "Adam": ("Adam", {"learning_rate", "beta_1", "beta_2", "epsilon"}),
    "Adamax": ("Adamax", {"learning_rate", "beta_1", "beta_2", "epsilon", "decay"}),
    "Adagrad": ("Adagrad", {"learning_rate", "initial_accumulator_value"}),
    "Adadelta": ("Adadelta", {"learning_rate", "rho", "epsilon"}),
    "RMSprop": ("RMSProp", {"learning_rate", "decay", "rho", "momentum", "epsilon", "centered"}),
}
_OPTIMIZER_NAMES = {tfjs: keras for keras, (tfjs, _) in _TFJS_OPTIMIZERS.items()}


def from_keras2(config: Config) -> Config:
    """Keras 2's `training_config` as `compile_config`."""
    optimizer = config.get("optimizer_config")
    return {
        "optimizer": optimizer if optimizer else config.get("optimizer"),
        "loss": config.get("loss"),
        "loss_weights": config.get("loss_weights"),
        "metrics": config.get("metrics"),
        "weighted_metrics": config.get("weighted_metrics"),
    }


def to_keras2(config: Config) -> Config:
    """`compile_config` as Keras 2's `training_config`, in words that Keras 3 reads too."""
    return {
        "loss": config.get("loss"),
        "metrics": config.get("metrics"),
        "weighted_metrics": config.get("weighted_metrics"),
        "loss_weights": config.get("loss_weights"),
        "optimizer_config": _object(config.get("optimizer")),
    }


def from_tfjs(config: Config) -> Config:
    """TF.js's `trainingConfig`, its keys in snake_case, as `compile_config`."""
    result = from_keras2(config)
    optimizer = _object(result["optimizer"])
    if optimizer is not None:
        name = optimizer["class_name"]
        optimizer["class_name"] = _OPTIMIZER_NAMES.get(name, name)
    return {**result, "optimizer": optimizer}


def to_tfjs(config: Config) -> tuple[Config | None, str]:
    """`compile_config` as TF.js's `trainingConfig`.

    Returns:
        The configuration and "", or None and the reason why TF.js cannot have it.
    """
    optimizer = _object(config.get("optimizer"))
    if optimizer is None:
        return None, "it names no optimizer"
    entry = _TFJS_OPTIMIZERS.get(optimizer["class_name"])
    if entry is None:
        return None, f"TF.js has no optimizer {optimizer['class_name']}"
    loss = _tfjs_loss(config.get("loss"))
    if loss is None:
        return None, f"TF.js has no loss {config.get('loss')!r}"
    name, keys = entry
    settings = optimizer["config"]
    if not all(isinstance(settings.get(k, 0), int | float | bool | None) for k in keys):
        return None, f"the optimizer {name} has settings that change while it trains"
    if name == "SGD" and settings.get("momentum"):
        return None, "TF.js's SGD has no momentum"
    result: Config = {
        "loss": loss,
        "metrics": [m for m in map(_tfjs_metric, _flat(config.get("metrics"))) if m],
        "optimizer_config": {
            "class_name": name,
            "config": {k: settings[k] for k in sorted(keys) if settings.get(k) is not None},
        },
    }
    return result, ""


def _object(value: Any) -> Config | None:
    if isinstance(value, dict) and isinstance(value.get("class_name"), str):
        config = value.get("config")
        class_name = value["class_name"].rsplit(">", 1)[-1]
        return {"class_name": class_name, "config": dict(config) if config else {}}
    if isinstance(value, str):
        known = {name.lower(): name for name in facts("keras3")["optimizers"]}
        return {"class_name": known.get(value.lower(), value), "config": {}}
    return None


def _tfjs_loss(value: Any) -> Any:
    if isinstance(value, list):
        losses = [_tfjs_loss(item) for item in value]
        return None if None in losses else losses
    if isinstance(value, dict) and "class_name" not in value:
        named = {key: _tfjs_loss(item) for key, item in value.items()}
        return None if None in named.values() else named
    if isinstance(value, dict):
        config = value.get("config")
        if isinstance(config, dict) and (
            config.get("from_logits") or config.get("label_smoothing")
        ):
            return None
        value = config if value["class_name"] == "function" else value["class_name"]
    if not isinstance(value, str):
        return None
    name = _words(value)
    name = _LOSS_ALIASES.get(name, name)
    return name if name in _TFJS_LOSSES else None


def _tfjs_metric(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("config", {}).get("name") or value.get("class_name")
    return value if isinstance(value, str) and value in _TFJS_METRICS else None


def _flat(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [inner for item in value for inner in _flat(item)]
    if isinstance(value, dict) and "class_name" not in value:
        return [inner for item in value.values() for inner in _flat(item)]
    return [] if value is None else [value]


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
