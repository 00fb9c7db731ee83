"""How TF.js 4.22 runs recurrent layers, where that shows in what they answer.

* It runs a layer once for each of its outputs that is used. A stateful RNN so moves on several
  steps at once.
* It keeps the initial state of a call in an object that all layers of an execution share as soon
  as the model has a mask, or when it runs within another model. The RNN that runs next, be it the
  same one for its second output, finds two states and throws "When inputs is an array, neither
  initialState or constants should be provided".
"""

from __future__ import annotations

from collections.abc import Iterator

from tfjs.ir.layers_model import Call, Layer, LayersModel, TensorRef, flatten
from tfjs.layers.registry import spec_of

_Node = tuple[str, int]


def repeated_layers(model: LayersModel) -> set[int]:
    """`id()` of each layer, in nested models too, of which a call has several outputs in use."""
    several = {name for (name, _), tensors in _used_outputs(model).items() if len(tensors) > 1}
    found = {id(layer) for layer in model.layers if layer.name in several}
    for layer in model.layers:
        if layer.model is not None:
            found |= repeated_layers(layer.model)
    return found


def _used_outputs(model: LayersModel) -> dict[_Node, set[int]]:
    """The outputs in use of each call."""
    used: dict[_Node, set[int]] = {}
    for ref in _references(model):
        used.setdefault((ref.layer, ref.node), set()).add(ref.tensor)
    return used


def _references(model: LayersModel) -> Iterator[TensorRef]:
    for layer in model.layers:
        for call in layer.calls:
            yield from call.inputs()
    yield from flatten(model.outputs)


def spilled_states(model: LayersModel, *, masked: bool) -> set[int]:
    """`id()` of the layers called with an initial state that would reach another run of an RNN.

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
    used = _used_outputs(model)
    for layer, index in running:
        if not shared or not _takes_state(layer, layer.calls[index]):
            continue
        node = (layer.name, index)
        others = {(other.name, at) for other, at in running} - _ancestors(model, node) - {node}
        if others or len(used.get(node, ())) > 1:
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
