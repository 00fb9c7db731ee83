"""Inputs and outputs of a result in the order of its source: a SavedModel keeps none."""

from __future__ import annotations

from collections.abc import Sequence

from tfjs.ir.graph import GraphModel


def reorder(model: GraphModel, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Bring the inputs and outputs of a model into an order of their keys, in place.

    Where it has other keys than those, their order stays.
    """
    graph, signature = model.graph, model.signature
    places = places_of(inputs, signature.inputs)
    if places is not None:
        graph.inputs = [graph.inputs[place] for place in places]
        signature.inputs = list(inputs)
    places = places_of(outputs, signature.outputs)
    if places is not None:
        graph.outputs = [graph.outputs[place] for place in places]
        graph.output_names = [graph.output_names[place] for place in places]
        signature.outputs = list(outputs)


def places_of(wanted: Sequence[str], found: Sequence[str]) -> list[int] | None:
    """Where each wanted key is among those found; None where they are not the same keys."""
    if sorted(found) != sorted(wanted) or len(set(found)) < len(found):
        return None
    places = {key: place for place, key in enumerate(found)}
    return [places[key] for key in wanted]
