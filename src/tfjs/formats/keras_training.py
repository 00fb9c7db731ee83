"""Compile configuration as each Keras loads it.

A Keras refuses the whole model when it does not know an argument of the optimizer, a loss or a
metric, so only what it knows is written. Files in the dialect of Keras 2 are for Keras 3 too.

tf_keras has every optimizer twice, and takes the legacy one unless it is told otherwise by an
argument that Keras 3 refuses; under the name `Custom>Adam` Keras 3 takes the class alone and leaves
the arguments. So the legacy form is written, which both read whole, except for what only the new
optimizers are or have state of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from tfjs.ir.layers_model import Config, Training
from tfjs.layers.vocabulary import facts

Target = Literal["keras2", "keras3"]

_TARGETS: dict[Target, str] = {"keras2": "Keras 2", "keras3": "Keras 3"}
# Arguments of the constructors that `get_config()` does not have, or that only TensorFlow takes.
_NEVER = frozenset({"mesh", "jit_compile", "is_legacy_optimizer", "decay", "adaptive_epsilon"})
_LEGACY_CLIPPING = frozenset({"clipnorm", "clipvalue", "global_clipnorm"})
_SCHEDULES = frozenset(
    {"CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay"}
    | {"PiecewiseConstantDecay", "PolynomialDecay"}
)
# Names that `compile()` resolves by the loss and the shape of the output.
_SHORTHANDS = frozenset({"accuracy", "acc", "crossentropy", "ce"})
_OTHER_NAMES = {
    "bce": "binary_crossentropy",
    "BCE": "binary_crossentropy",
    "logcosh": "log_cosh",
    "kullback_leibler_divergence": "kl_divergence",
    "cosine_proximity": "cosine_similarity",
}
_REDUCTIONS = {"auto": "sum_over_batch_size"}
_PLAIN = (str, int, float, bool, type(None))


class _UnknownError(Exception):
    """Something that the target does not have."""


def compile_config(training: Training, target: Target) -> tuple[Config | None, list[str]]:
    """The compile configuration for a target, with Keras 3's keys.

    Returns:
        The configuration, None where the target cannot have it, and what was left out and why.
    """
    told = training.config
    try:
        result = {
            "optimizer": _optimizer(told.get("optimizer"), target),
            "loss": _each(told.get("loss"), lambda value: _loss(value, target)),
            "loss_weights": told.get("loss_weights"),
        }
    except _UnknownError as error:
        return None, [f"compile configuration left out: {_TARGETS[target]} has no {error}"]
    notes: list[str] = []
    for key in ("metrics", "weighted_metrics"):
        try:
            result[key] = _each(told.get(key), lambda value: _metric(value, target))
        except _UnknownError as error:
            result[key] = None
            notes.append(f"{key} left out: {_TARGETS[target]} has no {error}")
    return result, notes


def training_config(training: Training | None, notes: list[str]) -> Config | None:
    """The `training_config` of Keras 2's files; None where there is nothing to tell.

    Args:
        training: what the model was compiled with.
        notes: gets what was left out and why.
    """
    if training is None:
        return None
    config, problems = compile_config(training, "keras2")
    notes += problems
    if config is None:
        return None
    optimizer = config.pop("optimizer")
    return {**config, "optimizer_config": optimizer}


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    """Apply to each object in lists and in dicts by output."""
    if isinstance(value, list | tuple):
        return [_each(item, change) for item in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _each(item, change) for key, item in value.items()}
    return None if value is None else change(value)


def _optimizer(value: Any, target: Target) -> Config:
    known = facts(target)["optimizers"]
    if isinstance(value, str):
        value = {"class_name": value, "config": {}}
    if not isinstance(value, dict) or not isinstance(value.get("class_name"), str):
        raise _UnknownError(f"optimizer {value!r}")
    given = value["class_name"].rsplit(">", 1)[-1]
    name = {item.lower(): item for item in known}.get(given.lower())
    if name is None or not isinstance(value.get("config"), dict):
        raise _UnknownError(f"optimizer {given}")
    # Keras 1 and the first releases of Keras 2 call it `lr`.
    settings = {"learning_rate" if k == "lr" else k: v for k, v in value["config"].items()}
    if target == "keras3":
        return _object(name, _settings(settings, known[name]["keys"]), "optimizers", target)
    legacy = facts("keras2")["legacy_optimizers"].get(name)
    if legacy is None or settings.get("is_legacy_optimizer") is False:
        config = _settings(settings, known[name]["keys"])
        # By this name Keras 3 finds the class.
        config |= {"name": name, "is_legacy_optimizer": False}
        return {"class_name": f"Custom>{name}", "config": config}
    both = set(legacy["keys"]) | _LEGACY_CLIPPING
    both &= set(facts("keras3")["optimizers"][name]["keys"])
    config = _settings(settings, both)
    # The legacy optimizers take no argument to be None.
    config = {key: item for key, item in config.items() if item is not None}
    return {"class_name": name, "config": config}


def _settings(settings: Config, keys: Iterable[str]) -> Config:
    """The arguments among `keys`; a schedule in place of the learning rate included."""
    allowed = set(keys) - _NEVER
    config: Config = {k: v for k, v in settings.items() if k in allowed and isinstance(v, _PLAIN)}
    rate = settings.get("learning_rate")
    return {**config, "learning_rate": _schedule(rate)} if isinstance(rate, dict) else config


def _schedule(value: Config) -> Config:
    name = str(value.get("class_name"))
    config = value.get("config")
    if name not in _SCHEDULES or not isinstance(config, dict):
        raise _UnknownError(f"learning rate schedule {name}")
    # Keras 3 looks for the module of this one in every dialect.
    return _object(name, config, "optimizers.schedules", "keras3")


def _loss(value: Any, target: Target) -> Any:
    known = _names("loss_names", target)
    if isinstance(value, str):
        name = _word(value, known, "loss")
        # Keras 3 takes the short names for metrics, where it loads HDF5.
        return facts("keras2")["loss_names"][name] if target == "keras2" else name
    name, config = _parts(value, "loss")
    if name == "LossFunctionWrapper":
        return _loss(config.get("fn"), target)
    if name not in known:
        raise _UnknownError(f"loss {name}")
    kept = {k: v for k, v in config.items() if k not in ("dtype", "fn") and isinstance(v, _PLAIN)}
    if "reduction" in kept:
        kept["reduction"] = _REDUCTIONS.get(str(kept["reduction"]), kept["reduction"])
    return _object(name, kept, "losses", target)


def _metric(value: Any, target: Target) -> Any:
    known = _names("metric_names", target)
    if isinstance(value, str):
        return _word(value, known | _SHORTHANDS, "metric")
    name, config = _parts(value, "metric")
    if name in ("MeanMetricWrapper", "function"):
        # What `compile()` made of a name; the name says it to every Keras.
        shown = config.get("name")
        return _metric(shown if shown in _SHORTHANDS else config.get("fn"), target)
    if name not in known:
        raise _UnknownError(f"metric {name}")
    kept = {k: v for k, v in config.items() if k != "fn" and not isinstance(v, dict)}
    if isinstance(config.get("dtype"), dict):
        kept["dtype"] = "float32"
    return _object(name, kept, "metrics", target)


def _names(kind: str, target: Target) -> frozenset[str]:
    """The names that the target knows, and Keras 3 where the file is for it too."""
    return frozenset(facts(target)[kind]) & frozenset(facts("keras3")[kind])


def _word(name: str, known: frozenset[str], what: str) -> str:
    word = name if name in known else _OTHER_NAMES.get(name, name)
    if word not in known:
        raise _UnknownError(f"{what} {name}")
    return word


def _parts(value: Any, what: str) -> tuple[str, Config]:
    if not isinstance(value, dict) or not isinstance(value.get("class_name"), str):
        raise _UnknownError(f"{what} {value!r}")
    config = value.get("config")
    if value["class_name"] == "function":
        config = {"fn": config}
    return value["class_name"].rsplit(">", 1)[-1], config if isinstance(config, dict) else {}


def _object(name: str, config: Config, package: str, target: Target) -> Config:
    if target == "keras2":
        return {"class_name": name, "config": config}
    return {
        "module": f"keras.{package}",
        "class_name": name,
        "config": config,
        "registered_name": None,
    }
