"""Masks: where TF.js would hand them on, or use them, otherwise than Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfjs.ir.layers_model import LayersModel

if TYPE_CHECKING:
    from tfjs.layers.legalize import Builder


def check(model: LayersModel, build: Builder) -> None:
    """Refuse what would be computed without its mask, or with another, in TF.js."""
