"""Conversion by command line arguments, and of live Keras models."""

from __future__ import annotations

from tensorflowjs.converters.converter import convert
from tensorflowjs.converters.keras_models import (
    deserialize_keras_model,
    load_keras_model,
    save_keras_model,
)

__all__ = ["convert", "deserialize_keras_model", "load_keras_model", "save_keras_model"]
