"""Activations, initializers, regularizers and constraints: normal form and dialects.

Keras writes each as a name or as `{class_name, config}`; Keras 3 adds `module` and
`registered_name`. The normal form has Keras 3's names; see `tfjs.ir.layers_model`.
"""

from __future__ import annotations

import re
from typing import Any

from tfjs.errors import CorruptFileError
from tfjs.ir.layers_model import KERAS2_HARD_SIGMOID, Config
from tfjs.layers.vocabulary import Dialect, facts

# Which objects a configuration key holds, by the end of the key.
_KINDS = {
    "_initializer": "initializers",
    "_regularizer": "regularizers",
    "_constraint": "constraints",
}

# Keras 1 and 2, and TF.js's own saves, have other names for a few.
_OLD_NAMES = {
    "initializers": {
        "uniform": "RandomUniform",
        "normal": "RandomNormal",
        "zero": "Zeros",
        "one": "Ones",
        "LeCunNormal": "LecunNormal",
        "LeCunUniform": "LecunUniform",
        "le_cun_normal": "LecunNormal",
        "le_cun_uniform": "LecunUniform",
    },
    "regularizers": {"WeightRegularizer": "L1L2", "ActivityRegularizer": "L1L2", "l1_l2": "L1L2"},
    "constraints": {
        "maxnorm": "MaxNorm",
        "nonneg": "NonNeg",
        "unitnorm": "UnitNorm",
        "max_norm": "MaxNorm",
        "min_max_norm": "MinMaxNorm",
        "non_neg": "NonNeg",
        "unit_norm": "UnitNorm",
    },
}
_TFJS_INITIALIZERS = {"LecunNormal": "LeCunNormal", "LecunUniform": "LeCunUniform"}


def kind_of(key: str) -> str | None:
    """What a configuration key holds: "activations", "initializers" ... or None."""
    if key == "activation" or key.endswith("_activation"):
        return "activations"
    return next((kind for end, kind in _KINDS.items() if key.endswith(end)), None)


def normalize(value: Any, key: str, dialect: Dialect, where: str) -> Any:
    """Bring the object under a configuration key into the normal form.

    Args:
        value: None, a name, or a dict with `class_name`.
        key: the configuration key, which tells the kind.
        dialect: the dialect that it was written in.
        where: the layer, for the message.

    Raises:
        CorruptFileError: the value is nothing that Keras writes there.
    """
    kind = kind_of(key)
    if kind == "activations":
        return _normalize_activation(value, dialect, f"{where}, {key}")
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return {"class_name": _class_name(value, str(kind)), "config": {}}
    if isinstance(value, dict) and isinstance(value.get("class_name"), str):
        config = value.get("config")
        return {
            "class_name": _class_name(value["class_name"], str(kind)),
            "config": dict(config) if isinstance(config, dict) else {},
        }
    if isinstance(value, dict) and kind == "regularizers" and set(value) <= {"name", "l1", "l2"}:
        # Keras 1 writes {"name": "WeightRegularizer", "l1": .., "l2": ..}.
        return {"class_name": "L1L2", "config": {"l1": value.get("l1"), "l2": value.get("l2")}}
    raise CorruptFileError(f"{key} is {value!r}, a name or an object was expected", where=where)


def _class_name(name: str, kind: str) -> str:
    known = facts("keras3")[_names_key(kind)]
    plain = name.rsplit(">", 1)[-1]
    return str(_OLD_NAMES[kind].get(plain) or known.get(plain) or plain)


def _names_key(kind: str) -> str:
    return f"{kind[:-1]}_names"


def _normalize_activation(value: Any, dialect: Dialect, where: str) -> Any:
    if value is None or value == "":
        return "linear"
    if isinstance(value, str):
        name = value if dialect != "tfjs" else _snake(value)
        return _activation_name(name, dialect)
    if isinstance(value, dict) and isinstance(value.get("class_name"), str):
        config = value.get("config")
        if value["class_name"] == "function" and isinstance(config, str):
            known = config in facts("keras3")["activations"]
            registered = value.get("registered_name")
            custom = str(config if registered in (None, "function") else registered)
            return _activation_name(config, dialect) if known else custom
        plain = {"class_name": value["class_name"], "config": config}
        return {**plain, "config": dict(config) if isinstance(config, dict) else {}}
    raise CorruptFileError(f"is {value!r}, a name or an object was expected", where=where)


def _activation_name(name: str, dialect: Dialect) -> str:
    if name == "hard_sigmoid" and dialect != "keras3":
        return KERAS2_HARD_SIGMOID
    known = facts("keras3")["activations"]
    if name not in known and dialect == "tfjs":
        # Pages of TF.js wrote `leakyReLU` and the like, which it saves and then cannot load.
        squashed = name.replace("_", "").lower()
        name = next((other for other in known if other.replace("_", "") == squashed), name)
    return str(known.get(name, name))


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def for_keras3(value: Any, key: str) -> Any:
    """The normal form as Keras 3 writes it."""
    if not isinstance(value, dict):
        return value
    kind = kind_of(key)
    package = "layers" if kind == "activations" else str(kind)
    class_name, config = value["class_name"], value["config"]
    if class_name == "ThresholdedReLU":  # ended; its successor computes the same
        class_name, config = "ReLU", {"threshold": config.get("theta", 1.0)}
    return {
        "module": f"keras.{package}",
        "class_name": class_name,
        "config": _without_default_none(config),
        "registered_name": None,
    }


def for_keras2(value: Any, key: str) -> Any:
    """The normal form as Keras 2 writes it, in words that Keras 3 reads too."""
    if not isinstance(value, dict):
        return "hard_sigmoid" if value == KERAS2_HARD_SIGMOID else value
    kind, config = kind_of(key), value["config"]
    # An activation given as an object is a layer; what is listed there are names of functions.
    classes = {} if kind == "activations" else facts("keras2").get(str(kind), {})
    known = classes.get(value["class_name"], {}).get("keys")
    if known is not None:
        config = {name: item for name, item in config.items() if name in known}
    return {"class_name": value["class_name"], "config": _without_default_none(config)}


def for_tfjs(value: Any, key: str) -> Any:
    """The normal form as TF.js reads it; regularizers are merged into its only one, L1L2.

    Values that TF.js has no object for become None: they play no part in inference.
    """
    kind = kind_of(key)
    if kind == "activations":
        if value == KERAS2_HARD_SIGMOID:
            return "hard_sigmoid"
        return "swish" if value == "silu" else value
    if value is None:
        return None
    name, config = value["class_name"], value["config"]
    if kind == "regularizers":
        return _tfjs_regularizer(name, config)
    if kind == "initializers":
        name = _TFJS_INITIALIZERS.get(name, name)
        seed = config.get("seed")
        config = {**config, "seed": seed if isinstance(seed, int) else None}
        config = {k: v for k, v in config.items() if k not in ("input_axes", "output_axes")}
    if name not in facts("tfjs")[str(kind)]:
        return None
    return {"class_name": name, "config": _without_default_none(config)}


def _tfjs_regularizer(name: str, config: Config) -> Config | None:
    if name not in ("L1", "L2", "L1L2"):
        return None
    return {
        "class_name": "L1L2",
        "config": {"l1": config.get("l1") or 0.0, "l2": config.get("l2") or 0.0},
    }


def _without_default_none(config: Config) -> Config:
    return {key: value for key, value in config.items() if value is not None}
