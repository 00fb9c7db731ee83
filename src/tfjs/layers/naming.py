"""Names: of weights in TF.js, and of layers as TF.js accepts them.

The rules are those of `runtime_contract.md` 3.2: a weight is `<layer>/<weight>`; nested models
and the layers that `TimeDistributed` wraps contribute no name of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tfjs.ir.layers_model import Layer, LayersModel, TensorRef, map_refs
from tfjs.ir.weights import NamedTensor, WeightGroup
from tfjs.layers.registry import spec_of

# A tensor name in TF.js: ^[A-Za-z0-9][-A-Za-z0-9._/]*$.
_REFUSED = re.compile(r"[^A-Za-z0-9._/-]")
# Members of every JavaScript object, which TF.js takes for layers that are already there.
_JAVASCRIPT = frozenset(
    {"constructor", "toString", "toLocaleString", "valueOf", "hasOwnProperty"}
    | {"isPrototypeOf", "propertyIsEnumerable"}
)


def tfjs_weights(model: LayersModel) -> list[WeightGroup]:
    """The weights of a legalised model under the names that TF.js looks for, a group a layer."""
    groups = []
    for layer in model.layers:
        tensors = [
            NamedTensor(f"{scope}/{_legacy(owner).get(weight.name, weight.name)}", weight.tensor)
            for scope, owner in tfjs_scopes(layer)
            for weight in owner.weights
        ]
        if tensors:
            groups.append(WeightGroup(layer.name, tensors))
    return groups


def tfjs_scopes(layer: Layer) -> Iterator[tuple[str, Layer]]:
    """All layers from `layer` down that may own variables, each with TF.js's scope for them."""
    if layer.model is not None:
        for inner in layer.model.layers:
            yield from tfjs_scopes(inner)
        return
    yield from _below(layer, layer.name)


def _below(layer: Layer, scope: str) -> Iterator[tuple[str, Layer]]:
    yield scope, layer
    for attribute, child in layer.children.items():
        if child.model is not None:
            yield from tfjs_scopes(child)
        elif layer.class_name == "Bidirectional":
            yield from _below(child, f"{scope}/{child.name}")
        else:
            yield from _below(child, _scope(scope, attribute))


def _scope(scope: str, attribute: str) -> str:
    """Cells of stacked RNNs are numbered; other wrapped layers add no name."""
    kind, _, index = attribute.partition("/")
    return f"{scope}/RNNCell_{index}" if kind == "cells" else scope


def _legacy(layer: Layer) -> dict[str, str]:
    spec = spec_of(layer)
    return {slot.name: slot.legacy_name for slot in spec.slots(layer, [])} if spec else {}


def rename_for_tfjs(model: LayersModel) -> dict[str, str]:
    """Rename, in place, layers whose names TF.js would refuse or whose weights would collide.

    Weights carry no name of the model that they are in, so two nested models with a layer of the
    same name would claim the same weight names.

    Returns:
        The old names, with the path of nested models, and the new ones.
    """
    renamed: dict[str, str] = {}
    _rename(model, set(), "", renamed)
    return renamed


def _rename(model: LayersModel, taken: set[str], path: str, renamed: dict[str, str]) -> None:
    own = {layer.name for layer in model.layers}
    mapping: dict[str, str] = {}
    for layer in model.layers:
        name = _acceptable(layer.name)
        if name != layer.name or (name in taken and _weighs(layer)):
            name = _unused(name, taken | own, path)
        if name != layer.name:
            renamed[path + layer.name] = name
            mapping[layer.name] = name
            layer.name = name
        taken.add(name)
    if mapping:
        _rewire(model, mapping)
    for layer in model.layers:
        for inner in _models(layer):
            _rename(inner, taken, f"{path}{layer.name}/", renamed)
    model.name = _acceptable(model.name)


def _models(layer: Layer) -> Iterator[LayersModel]:
    if layer.model is not None:
        yield layer.model
    for child in layer.children.values():
        yield from _models(child)


def _weighs(layer: Layer) -> bool:
    return bool(layer.weights or layer.children)


def _rewire(model: LayersModel, mapping: dict[str, str]) -> None:
    def change(ref: TensorRef) -> TensorRef:
        return ref._replace(layer=mapping.get(ref.layer, ref.layer))

    for layer in model.layers:
        for call in layer.calls:
            call.args = map_refs(call.args, change)
            call.kwargs = map_refs(call.kwargs, change)
    model.inputs = map_refs(model.inputs, change)
    model.outputs = map_refs(model.outputs, change)


def _acceptable(name: str) -> str:
    clean = _REFUSED.sub("_", name)
    sound = clean[:1].isalnum() and clean not in _JAVASCRIPT
    return clean if sound else f"layer_{clean.lstrip('_')}"


def _unused(name: str, taken: set[str], path: str) -> str:
    prefix = path.rstrip("/").rsplit("/", 1)[-1]
    candidate = f"{prefix}_{name}" if prefix and name in taken else name
    base, count = candidate, 1
    while candidate in taken:
        count += 1
        candidate = f"{base}_{count}"
    return candidate
