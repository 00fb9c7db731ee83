"""Which declaration a layer has."""

from __future__ import annotations

from tfjs.ir.layers_model import Layer
from tfjs.layers.base import LayerSpec, find


def is_operation(layer: Layer) -> bool:
    """Whether the layer is a bare operation of Keras 3 (`keras.ops`) and no layer."""
    return ".ops." in (layer.module or "")


def spec_of(layer: Layer) -> LayerSpec | None:
    """The declaration of a layer or of an operation; None for classes that are not Keras's.

    Operations are declared under names such as `ops.Add`, since some share a layer's name.
    """
    if is_operation(layer):
        return find(f"ops.{layer.class_name}") or find("ops.?")
    spec = find(layer.class_name)
    return spec if spec is None or spec.owns(layer) else None
