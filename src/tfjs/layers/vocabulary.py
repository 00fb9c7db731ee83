"""The machine-made facts about each dialect: classes, configuration keys, defaults, functions.

The files in `data/` are made by the scripts in `tools/facts/` from Keras 3, tf_keras and the
npm package of TF.js, and carry the version that they were made from.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any, Literal, cast

Dialect = Literal["keras2", "keras3", "tfjs"]

_FILES = {"keras2": "keras2.json", "keras3": "keras3.json", "tfjs": "tfjs_4_22.json"}
# The dialects of Keras, the present one first.
KERAS: tuple[Dialect, Dialect] = ("keras3", "keras2")


@cache
def facts(dialect: Dialect) -> dict[str, Any]:
    """The whole fact file of a dialect."""
    file = resources.files("tfjs.layers").joinpath("data", _FILES[dialect])
    return cast("dict[str, Any]", json.loads(file.read_text(encoding="utf-8")))


def has_layer(dialect: Dialect, class_name: str) -> bool:
    """Whether the dialect has a layer class of that name."""
    return class_name in facts(dialect)["layers"]


def layer_keys(dialect: Dialect, class_name: str) -> dict[str, Any]:
    """Configuration keys of a layer class and their defaults; `{"required": True}` for none.

    Keys of the TF.js dialect have no defaults here: the values are None.
    """
    entry = facts(dialect)["layers"].get(class_name, {})
    keys = entry.get("keys", {})
    return keys if isinstance(keys, dict) else dict.fromkeys(keys)


def defaults(dialect: Dialect, class_name: str) -> dict[str, Any]:
    """What a dialect writes by default, for keys that a configuration leaves out."""
    written = facts(dialect)["layers"].get(class_name, {}).get("written", [])
    keys = layer_keys(dialect, class_name)
    return {key: keys[key] for key in written if key != "name" and keys[key] != {"required": True}}


def says_nothing(class_name: str, key: str, value: Any) -> bool:
    """Whether a value under a key is None, or what a dialect of Keras has by default there."""
    known = [layer_keys(dialect, class_name) for dialect in KERAS]
    return value is None or any(key in keys and keys[key] == value for keys in known)
