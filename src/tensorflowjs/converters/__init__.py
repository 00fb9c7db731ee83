"""Conversion by command line arguments, of live Keras models, and of TensorFlow's graphs."""

from __future__ import annotations

from tensorflowjs.converters.converter import convert
from tensorflowjs.converters.keras_models import (
    deserialize_keras_model,
    load_keras_model,
    save_keras_model,
)
from tensorflowjs.converters.tf_saved_model_conversion_v2 import (
    convert_tf_frozen_model,
    convert_tf_hub_module,
    convert_tf_saved_model,
)

__all__ = [
    "convert",
    "convert_tf_frozen_model",
    "convert_tf_hub_module",
    "convert_tf_saved_model",
    "deserialize_keras_model",
    "load_keras_model",
    "save_keras_model",
]
