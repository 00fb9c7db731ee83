"""Keras 3's encodings of Python values in JSON, into plain values; nothing is executed."""

from __future__ import annotations

from typing import Any

from tfjs.ir.layers_model import TensorRef


def plain(value: Any) -> Any:
    """Decode `__tuple__`, `__keras_tensor__`, slices and the like, however deep.

    Code (`__lambda__`) stays what it is in the file: data. Source of the encodings:
    keras/src/saving/serialization_lib.py (Keras 3).
    """
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("class_name")
    if kind == "__tuple__":
        return tuple(plain(item) for item in value["items"])
    if kind == "__keras_tensor__":
        layer, node, tensor = value["config"]["keras_history"]
        return TensorRef(str(layer), int(node), int(tensor))
    if kind in ("__tensor__", "__numpy__"):
        return plain(value["config"]["value"])
    if kind == "__ellipsis__":
        return ...
    if kind in ("__slice__", "slice"):
        parts = value.get("config", value)
        if isinstance(parts, dict):
            parts = [parts.get("start"), parts.get("stop"), parts.get("step")]
        return slice(*(plain(part) for part in parts))
    if kind == "__bytes__":
        return str(value["value"]).encode()
    return {key: plain(item) for key, item in value.items()}


def encode(value: Any) -> Any:
    """Plain values as Keras 3 writes them (tuples and slices; tensors are the caller's)."""
    if isinstance(value, tuple) and not isinstance(value, TensorRef):
        return {"class_name": "__tuple__", "items": [encode(item) for item in value]}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, slice):
        parts = {"start": value.start, "stop": value.stop, "step": value.step}
        return {"class_name": "__slice__", "config": {k: encode(v) for k, v in parts.items()}}
    if value is ...:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    return value
