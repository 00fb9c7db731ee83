"""A user's own Keras model, as a file that the readers take.

Keras is never imported here: the object brings its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfjs.errors import ConversionError


def is_live_model(value: Any) -> bool:
    """Whether the object is a model of Keras 3 or tf_keras."""
    return _library(value) is not None and callable(getattr(value, "save", None))


def saved(model: Any, folder: Path) -> Path:
    """Have the model save itself into `folder`; gives the file.

    Raises:
        ConversionError: the model cannot be saved (it is not built, say).
    """
    path = folder / ("model.keras" if _library(model) == "keras" else "model.h5")
    options = {} if path.suffix == ".keras" else {"save_format": "h5"}
    try:
        model.save(str(path), **options)
    except Exception as error:
        raise ConversionError(
            f"the model cannot be saved by its own save(): {error}", where=type(model).__name__
        ) from error
    return path


def _library(value: Any) -> str | None:
    for base in type(value).__mro__:
        package = base.__module__.partition(".")[0]
        if base.__name__ == "Model" and package in ("keras", "tf_keras"):
            return package if hasattr(value, "compute_output_spec") else "tf_keras"
    return None
