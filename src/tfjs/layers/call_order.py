"""The order in which TF.js makes the calls of a layer, which decides what a reference means.

`loadLayersModel` makes a call as soon as its inputs are there, going through the layers again and
again (tfjs-layers 4.22, `Container.fromConfig`). The second call of a shared layer that is ready
before the first one so becomes call 0, and all that refers to the two takes one for the other,
without a word. So the calls are listed in the order in which they will be made.
"""

from __future__ import annotations

import heapq

from tfjs.errors import ConversionError
from tfjs.ir.layers_model import Layer, LayersModel, TensorRef, map_refs

_Node = tuple[str, int]

# Each round brings calls nearer to their place; one or two are enough as a rule.
_MOST_ROUNDS = 100


def settle_calls(model: LayersModel) -> None:
    """List the calls of each layer, of nested models too, as TF.js makes them; in place.

    Raises:
        ConversionError: no order was found.
    """
    for _ in range(_MOST_ROUNDS):
        made = _made(model)
        if all(order == sorted(order) for order in made.values()):
            break
        _reorder(model, made)
    else:
        raise ConversionError("the calls of the shared layers have no order that TF.js keeps to")
    for layer in model.layers:
        for inner in _models(layer):
            settle_calls(inner)


def _models(layer: Layer) -> list[LayersModel]:
    found = [] if layer.model is None else [layer.model]
    for child in layer.children.values():
        found += _models(child)
    return found


def _made(model: LayersModel) -> dict[str, list[int]]:
    """For each layer its calls in the order in which TF.js makes them."""
    place = {layer.name: at for at, layer in enumerate(model.layers)}
    waiting: dict[_Node, int] = {}
    users: dict[_Node, list[_Node]] = {}
    # Round, place of the layer, place of the call in its list: the order of the loader's loops.
    ready: list[tuple[int, int, int]] = []
    for layer in model.layers:
        for index, call in enumerate(layer.calls):
            needs = {(ref.layer, ref.node) for ref in call.inputs()}
            waiting[layer.name, index] = len(needs)
            for need in needs:
                users.setdefault(need, []).append((layer.name, index))
            if not needs:
                heapq.heappush(ready, (0, place[layer.name], index))
    made: dict[str, list[int]] = {layer.name: [] for layer in model.layers}
    while ready:
        turn, at, index = heapq.heappop(ready)
        name = model.layers[at].name
        made[name].append(index)
        for user in users.get((name, index), ()):
            waiting[user] -= 1
            if not waiting[user]:
                there = (place[user[0]], user[1])
                later = turn if there > (at, index) else turn + 1
                heapq.heappush(ready, (later, *there))
    return made


def _reorder(model: LayersModel, made: dict[str, list[int]]) -> None:
    new = {(name, index): at for name, order in made.items() for at, index in enumerate(order)}

    def change(ref: TensorRef) -> TensorRef:
        return ref._replace(node=new[ref.layer, ref.node])

    for layer in model.layers:
        layer.calls = [layer.calls[index] for index in made[layer.name]]
        for call in layer.calls:
            call.args = map_refs(call.args, change)
            call.kwargs = map_refs(call.kwargs, change)
    model.inputs = map_refs(model.inputs, change)
    model.outputs = map_refs(model.outputs, change)
