"""The order in which Keras lists the layers of a Functional model, whatever order a file has.

Keras orders them anew when it builds a model: by their distance from the outputs, and layers of
the same distance as a walk from the outputs first meets them. Files keep weights in that order.
Source: `map_graph` of keras/src/ops/function.py; `_map_graph_network` of tf_keras does the same.
"""

from __future__ import annotations

from dataclasses import replace

from tfjs.ir.layers_model import Call, Layer, LayersModel, Structure, TensorRef

_Node = tuple[str, int]


def in_keras_order(model: LayersModel) -> LayersModel:
    """The model, and those nested in it, with the layers in Keras's order.

    Layers that lead to no output are left out, as Keras does.
    """
    layers = [_ordered_below(layer) for layer in model.layers]
    if model.class_name != "Sequential":
        places = {name: place for place, name in enumerate(_names(model))}
        layers = [layer for layer in layers if layer.name in places]
        layers.sort(key=lambda layer: places[layer.name])
    return replace(model, layers=layers)


def _ordered_below(layer: Layer) -> Layer:
    if layer.model is not None:
        return replace(layer, model=in_keras_order(layer.model))
    children = {key: _ordered_below(child) for key, child in layer.children.items()}
    return replace(layer, children=children)


def _names(model: LayersModel) -> list[str]:
    """The names of the layers in order."""
    calls = {layer.name: layer.calls for layer in model.layers}
    nodes, met = _walk(model, calls)
    depths: dict[_Node, int] = {}
    distances: dict[str, int] = {}
    for node in reversed(nodes):
        name, index = node
        depth = max(depths.get(node, 0), distances.get(name, 0))
        depths[node] = distances[name] = depth
        for ref in _inputs(calls[name][index]):
            needed = (ref.layer, ref.node)
            depths[needed] = max(depth + 1, depths.get(needed, 0))
    for ref in _flatten(model.inputs):
        if ref.layer not in distances:  # an input that nothing uses
            distances[ref.layer] = 0
            met[ref.layer] = -1
    return sorted(distances, key=lambda name: (-distances[name], met[name]))


def _walk(model: LayersModel, calls: dict[str, list[Call]]) -> tuple[list[_Node], dict[str, int]]:
    """The calls, each after those that it needs, and when each layer is first met."""
    nodes: list[_Node] = []
    met: dict[str, int] = {}
    seen: set[_Node] = set()
    for output in _flatten(model.outputs):
        stack = [(output.layer, output.node, False)]
        while stack:
            name, index, done = stack.pop()
            if done:
                nodes.append((name, index))
                continue
            if (name, index) in seen:
                continue
            seen.add((name, index))
            met.setdefault(name, len(met))
            stack.append((name, index, True))
            needs = _inputs(calls[name][index])
            stack += [(ref.layer, ref.node, False) for ref in reversed(needs)]
    return nodes, met


def _inputs(call: Call) -> list[TensorRef]:
    return [*_flatten(call.args), *_flatten(call.kwargs)]


def _flatten(structure: Structure) -> list[TensorRef]:
    """The tensors of a structure; Keras goes through dicts by their sorted keys."""
    if isinstance(structure, TensorRef):
        return [structure]
    if isinstance(structure, dict):
        structure = [structure[key] for key in sorted(structure)]
    if isinstance(structure, list | tuple):
        return [ref for item in structure for ref in _flatten(item)]
    return []
