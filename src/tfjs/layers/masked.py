"""Where masks arrive: which layers are called with one, and which operations only make them.

Keras 2, Sequential models and TF.js hand masks on from layer to layer without a word in the file.
Keras 3 writes them down as `mask` arguments, and the operations that compute them (`NotEqual`,
`Any`) as layers of the model; TF.js makes such masks itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfjs.ir.layers_model import Call, Layer, LayersModel, TensorRef, flatten
from tfjs.layers.registry import is_operation, spec_of
from tfjs.layers.structure import ordered_calls

_RETURNS_SEQUENCES = "return_sequences"


def masked_layers(model: LayersModel) -> set[int]:
    """`id()` of each layer, those of nested models too, that is called with a mask at least once.

    Classes that are not Keras's are taken to hand a mask on.
    """
    found: set[int] = set()
    _walk(model, [], found)
    return found


def _walk(model: LayersModel, fed: Sequence[bool], found: set[int]) -> list[bool]:
    """Adds to `found`; gives for each output of the model whether it has a mask."""
    masks: dict[TensorRef, bool] = dict(zip(flatten(model.inputs), fed, strict=False))
    for layer, index in ordered_calls(model):
        call = layer.calls[index]
        kwargs = {key: value for key, value in call.kwargs.items() if key != "mask"}
        arriving = [masks.get(ref, False) for ref in [*flatten(call.args), *flatten(kwargs)]]
        given = bool(flatten(call.kwargs.get("mask")))
        if not _tells_mask(call):
            given = given or any(arriving[: max(1, len(flatten(call.args)))])
        if given and not is_operation(layer):
            found.add(id(layer))
        for tensor, leaving in enumerate(_leaving(layer, arriving, given, found)):
            masks.setdefault(TensorRef(layer.name, index, tensor), leaving)
    return [masks.get(ref, False) for ref in flatten(model.outputs)]


def _tells_mask(call: Call) -> bool:
    """Whether the mask, or that there is none, is written down (an RNN with initial states)."""
    return "mask" in call.kwargs and bool(flatten(call.kwargs.get("initial_state")))


def _leaving(layer: Layer, arriving: list[bool], given: bool, found: set[int]) -> list[bool]:
    if layer.model is not None:
        return _walk(layer.model, arriving, found)
    if layer.class_name == "Masking" or layer.config.get("mask_zero"):
        return [True]
    if is_operation(layer):
        return [False]
    spec = spec_of(layer)
    return [given and (spec is None or spec.supports_masking) and _returns_sequences(layer)]


def _returns_sequences(layer: Layer) -> bool:
    inner = layer.children.get("forward_layer", layer)
    return bool(inner.config.get(_RETURNS_SEQUENCES, True))


def mask_operations(model: LayersModel) -> set[str]:
    """Names of the operations whose results are masks and nothing else."""
    users: dict[str, set[str]] = {}
    wanted = {ref.layer for ref in flatten(model.outputs)}
    for layer in model.layers:
        for call in layer.calls:
            for ref in flatten(call.args):
                users.setdefault(ref.layer, set()).add(layer.name)
            for key, value in call.kwargs.items():
                for ref in flatten(value):
                    users.setdefault(ref.layer, set()).add("" if key == "mask" else layer.name)
    found = {layer.name for layer in model.layers if is_operation(layer) and layer.name in users}
    found -= wanted
    # An operation that something outside the set uses is no mere mask; until nothing changes.
    while True:
        used = {name for name in found if not users[name] <= found | {""}}
        if not used:
            return found
        found -= used
