"""Carry models between Python and TensorFlow.js, without TensorFlow.

The public API; everything is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfjs._combine import combine
    from tfjs._convert import Report, convert
    from tfjs._verify import Comparison, verify
    from tfjs.errors import (
        ConversionError,
        CorruptFileError,
        FormatError,
        MissingDependencyError,
        TfjsError,
        UnknownFormatError,
        UnsafeFileError,
        UnsupportedError,
        UsageError,
        VerificationError,
    )
    from tfjs.ir.graph import Signature
    from tfjs.model import GraphModel, LayersModel, Model, freeze, load, load_weights, weights

__all__ = [
    "Comparison",
    "ConversionError",
    "CorruptFileError",
    "FormatError",
    "GraphModel",
    "LayersModel",
    "MissingDependencyError",
    "Model",
    "Report",
    "Signature",
    "TfjsError",
    "UnknownFormatError",
    "UnsafeFileError",
    "UnsupportedError",
    "UsageError",
    "VerificationError",
    "__version__",
    "combine",
    "convert",
    "freeze",
    "load",
    "load_weights",
    "verify",
    "weights",
]

__version__ = "0.1.0"

_HOMES = {
    "combine": "tfjs._combine",
    "convert": "tfjs._convert",
    "Comparison": "tfjs._verify",
    "verify": "tfjs._verify",
    "freeze": "tfjs.model",
    "GraphModel": "tfjs.model",
    "LayersModel": "tfjs.model",
    "load_weights": "tfjs.model",
    "weights": "tfjs.model",
    "Signature": "tfjs.ir.graph",
    "Report": "tfjs._convert",
    "load": "tfjs.model",
    "Model": "tfjs.model",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'tfjs' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - nothing is imported before it is used

    value = getattr(import_module(_HOMES.get(name, "tfjs.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
