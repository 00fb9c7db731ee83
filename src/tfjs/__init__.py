"""Carry models between Python and TensorFlow.js, without TensorFlow.

The public API; everything is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfjs._convert import Report, convert, freeze
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
    from tfjs.ir.graph import GraphModel, Signature
    from tfjs.model import Model, load

__all__ = [
    "ConversionError",
    "CorruptFileError",
    "FormatError",
    "GraphModel",
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
    "convert",
    "freeze",
    "load",
]

__version__ = "0.1.0"

_HOMES = {
    "convert": "tfjs._convert",
    "freeze": "tfjs._convert",
    "GraphModel": "tfjs.ir.graph",
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
