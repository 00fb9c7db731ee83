"""Initial states of RNNs that TF.js 4.22 would hand on to RNNs that run later.

TF.js keeps the initial state of a call in an object that all layers of an execution share as soon
as the model has a mask, or when it runs within another model. The next RNN then finds two states
and throws "When inputs is an array, neither initialState or constants should be provided".
"""

from __future__ import annotations

from tfjs.ir.layers_model import Call, Layer, LayersModel, flatten
from tfjs.layers.registry import spec_of

_Node = tuple[str, int]


def spilled_states(model: LayersModel, *, masked: bool) -> set[int]:
    """`id()` of the layers called with an initial state that would reach another RNN.

    Args:
        model: the whole model.
        masked: whether some layer in it is called with a mask.
    """
    found: set[int] = set()
    _walk(model, masked, found)
    return found


def _walk(model: LayersModel, shared: bool, found: set[int]) -> None:
    """`shared`: whether the layers of this model share one object; those of nested ones do."""
    running = [
        (layer, index)
        for layer in model.layers
        if _runs_rnn(layer)
        for index in range(len(layer.calls))
    ]
    for layer, index in running:
        if not shared or not _takes_state(layer, layer.calls[index]):
            continue
        earlier = _ancestors(model, (layer.name, index))
        others = {(other.name, at) for other, at in running} - earlier - {(layer.name, index)}
        if others:
            found.update(_stateful(layer))
    for layer in model.layers:
        if layer.model is not None:
            _walk(layer.model, True, found)


def _runs_rnn(layer: Layer) -> bool:
    if layer.model is not None:
        return any(_runs_rnn(inner) for inner in layer.model.layers)
    spec = spec_of(layer)
    return spec is not None and spec.takes_initial_state


def _takes_state(layer: Layer, call: Call) -> bool:
    if layer.model is not None:
        return bool(_stateful(layer))
    return len(flatten(call.args)) > 1 or bool(flatten(call.kwargs.get("initial_state")))


def _stateful(layer: Layer) -> set[int]:
    """The layers, in a nested model too, that are called with an initial state."""
    if layer.model is None:
        return {id(layer)}
    return {
        found
        for inner in layer.model.layers
        if _runs_rnn(inner) and any(_takes_state(inner, call) for call in inner.calls)
        for found in _stateful(inner)
    }


def _ancestors(model: LayersModel, node: _Node) -> set[_Node]:
    calls = {layer.name: layer.calls for layer in model.layers}
    found: set[_Node] = set()
    waiting = [node]
    while waiting:
        name, index = waiting.pop()
        for ref in calls[name][index].inputs():
            if (ref.layer, ref.node) not in found:
                found.add((ref.layer, ref.node))
                waiting.append((ref.layer, ref.node))
    return found
