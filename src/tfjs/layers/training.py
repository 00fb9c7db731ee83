"""Compile configuration in each dialect: optimizer, loss, metrics.

The normal form is Keras 3's `compile_config`. TF.js reads `trainingConfig` at the top level of
`model.json`; losses there have their long names (`runtime_contract.md` 3.2 and 3.4).
"""

from __future__ import annotations

import re
from typing import Any

from tfjs.io.json import first_not_finite
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
# `metricsMap` of tfjs-layers 4.22 and the words that it handles besides; an unknown one makes
# loadLayersModel throw. Its precision is left out: it is not Keras's.
_TFJS_METRICS = frozenset(
    {"accuracy", "acc", "crossentropy", "ce", "binary_accuracy", "categorical_accuracy"}
    | {"categorical_crossentropy", "sparse_categorical_crossentropy", "mse", "mae", "mape"}
    | {"cosine"}
)
_METRIC_ALIASES = {
    "mean_squared_error": "mse",
    "mean_absolute_error": "mae",
    "mean_absolute_percentage_error": "mape",
}
# Class in TF.js, and Keras's settings with TF.js's names for them (`facts/layers.json`).
_TFJS_OPTIMIZERS: dict[str, tuple[str, dict[str, str]]] = {
    "SGD": ("SGD", {"learning_rate": "learning_rate"}),
    "Adam": ("Adam", {key: key for key in ("learning_rate", "beta_1", "beta_2", "epsilon")}),
    "Adamax": ("Adamax", {key: key for key in ("learning_rate", "beta_1", "beta_2", "epsilon")}),
    "Adagrad": ("Adagrad", {key: key for key in ("learning_rate", "initial_accumulator_value")}),
    "Adadelta": ("Adadelta", {key: key for key in ("learning_rate", "rho", "epsilon")}),
    "RMSprop": (
        "RMSProp",
        {"rho": "decay"} | {k: k for k in ("learning_rate", "momentum", "epsilon", "centered")},
    ),
}
# TF.js has a class of its own for SGD with momentum.
_MOMENTUM = (
    "Momentum",
    {"learning_rate": "learning_rate", "momentum": "momentum", "nesterov": "use_nesterov"},
)
_OPTIMIZER_NAMES = {tfjs: keras for keras, (tfjs, _) in _TFJS_OPTIMIZERS.items()}
# Settings that change how an optimizer steps and that TF.js's optimizers do not have.
_LACKING = frozenset(
    {"weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "use_ema", "decay"}
    | {"amsgrad", "nesterov", "gradient_accumulation_steps"}
)


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
        given = str(optimizer["class_name"])
        name = "SGD" if given == _MOMENTUM[0] else _OPTIMIZER_NAMES.get(given, given)
        entry = _MOMENTUM if given == _MOMENTUM[0] else _TFJS_OPTIMIZERS.get(name, ("", {}))
        keras = {tfjs: key for key, tfjs in entry[1].items()}
        settings = {keras.get(key, key): value for key, value in optimizer["config"].items()}
        optimizer = {"class_name": name, "config": settings}
    return {**result, "optimizer": optimizer}


def to_tfjs(config: Config, outputs: list[str]) -> tuple[Config | None, list[str]]:
    """`compile_config` as TF.js's `trainingConfig`.

    Args:
        config: the compile configuration.
        outputs: names of the model's outputs in TF.js.

    Returns:
        The configuration, None where TF.js cannot have it, and what was left out and why.
    """
    notes: list[str] = []
    try:
        result: Config = {
            "loss": _tfjs_losses(config.get("loss"), outputs),
            "metrics": _tfjs_metrics(config.get("metrics"), outputs, notes),
            "optimizer_config": _tfjs_optimizer(_object(config.get("optimizer"))),
        }
    except _LackingError as lacking:
        return None, [f"compile configuration left out: {lacking}"]
    if any(weight is not None for weight in _flat(config.get("loss_weights"))):
        return None, ["compile configuration left out: TF.js has no loss_weights"]
    place = first_not_finite(result)
    if place is not None:
        return None, [f"compile configuration left out: {place} is infinite or NaN"]
    return result, notes


class _LackingError(Exception):
    """TF.js has no such thing."""


def _tfjs_optimizer(optimizer: Config | None) -> Config:
    if optimizer is None:
        raise _LackingError("it names no optimizer")
    if optimizer["class_name"] not in _TFJS_OPTIMIZERS:
        raise _LackingError(f"TF.js has no optimizer {optimizer['class_name']}")
    settings = optimizer["config"]
    with_momentum = optimizer["class_name"] == "SGD" and settings.get("momentum")
    name, keys = _MOMENTUM if with_momentum else _TFJS_OPTIMIZERS[optimizer["class_name"]]
    lacking = [key for key in sorted(_LACKING) if settings.get(key) and key not in keys]
    if lacking:
        raise _LackingError(f"TF.js's {name} has no {', '.join(lacking)}")
    given = {tfjs: settings[key] for key, tfjs in keys.items() if settings.get(key) is not None}
    if not all(isinstance(value, int | float) for value in given.values()):
        raise _LackingError(f"settings of the optimizer {name} change while it trains")
    return {"class_name": name, "config": dict(sorted(given.items()))}


def _tfjs_losses(value: Any, outputs: list[str]) -> Any:
    if isinstance(value, list | tuple) and len(value) == len(outputs):
        return [_tfjs_loss(item) for item in value]
    if isinstance(value, dict) and "class_name" not in value:
        if set(value) != set(outputs):
            raise _LackingError("its losses are named after other outputs")
        return {key: _tfjs_loss(item) for key, item in value.items()}
    return _tfjs_loss(value)


def _tfjs_metrics(value: Any, outputs: list[str], notes: list[str]) -> list[str]:
    metrics = _flat(value)
    if len(outputs) > 1 and metrics:
        notes.append("metrics left out: TF.js keeps none for single outputs of several")
        return []
    known = [(metric, _tfjs_metric(metric)) for metric in metrics]
    lost = [_name_of(metric) for metric, name in known if name is None]
    if lost:
        notes.append(f"metrics left out, which TF.js does not have: {', '.join(lost)}")
    return [name for _, name in known if name]


def _object(value: Any) -> Config | None:
    if isinstance(value, dict) and isinstance(value.get("class_name"), str):
        config = value.get("config")
        class_name = value["class_name"].rsplit(">", 1)[-1]
        return {"class_name": class_name, "config": dict(config) if config else {}}
    if isinstance(value, str):
        known = {name.lower(): name for name in facts("keras3")["optimizers"]}
        return {"class_name": known.get(value.lower(), value), "config": {}}
    return None


def _tfjs_loss(value: Any) -> str:
    given = value
    if isinstance(value, dict):
        config = value.get("config")
        if isinstance(config, dict) and (
            config.get("from_logits") or config.get("label_smoothing")
        ):
            raise _LackingError(f"TF.js's {value.get('class_name')} has no options")
        value = config if value.get("class_name") == "function" else value.get("class_name")
    name = _words(value) if isinstance(value, str) else ""
    name = _LOSS_ALIASES.get(name, name)
    if name not in _TFJS_LOSSES:
        raise _LackingError(f"TF.js has no loss {_name_of(given)}")
    return name


def _tfjs_metric(value: Any) -> str | None:
    name = _words(_name_of(value))
    name = _METRIC_ALIASES.get(name, name)
    return name if name in _TFJS_METRICS else None


def _name_of(value: Any) -> str:
    if isinstance(value, dict):
        config = value.get("config")
        if value.get("class_name") == "function":
            return str(config)
        wrapped = config.get("fn") if isinstance(config, dict) else None
        return _name_of(wrapped) if wrapped else str(value.get("class_name"))
    return str(value)


def _flat(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [inner for item in value for inner in _flat(item)]
    if isinstance(value, dict) and "class_name" not in value:
        return [inner for item in value.values() for inner in _flat(item)]
    return [] if value is None else [value]


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
