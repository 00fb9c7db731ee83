"""Layers of classes that have ended, as the layers that compute the same today.

Files of Keras are written with these: Keras 3 knows no others, and tf_keras knows them all.
"""

from __future__ import annotations

from dataclasses import replace

from tfjs.ir.layers_model import Layer, LayersModel
from tfjs.layers.registry import spec_of


def with_successors(model: LayersModel) -> tuple[LayersModel, list[str]]:
    """The model, and those nested in it, without layers of ended classes.

    The optimizer's state goes where variables are other ones now.

    Returns:
        The model; and what was done, one line each.
    """
    found: list[tuple[Layer, Layer]] = []
    result = _renewed(model, found)
    notes: dict[str, list[str]] = {}
    for old, new in found:
        notes.setdefault(f"{old.class_name} as {new.class_name}", []).append(old.name)
    told = [f"{what}: {', '.join(names)}" for what, names in notes.items()]
    training = model.training
    if training and training.optimizer_weights and any(old.weights for old, _ in found):
        result.training = replace(training, optimizer_weights=[])
        told.append("optimizer state left out: it is that of other variables")
    return result, told


def _renewed(model: LayersModel, found: list[tuple[Layer, Layer]]) -> LayersModel:
    return replace(model, layers=[_successor(layer, found) for layer in model.layers])


def _successor(layer: Layer, found: list[tuple[Layer, Layer]]) -> Layer:
    if layer.model is not None:
        return replace(layer, model=_renewed(layer.model, found))
    spec = spec_of(layer)
    new = layer if spec is None else spec.successor(layer)
    if new is not layer:
        found.append((layer, new))
    children = {key: _successor(child, found) for key, child in new.children.items()}
    return replace(new, children=children)
