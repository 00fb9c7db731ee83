"""What goes into a model and comes out, as reports show it."""

from __future__ import annotations

from tfjs.ir.layers_model import LayersModel, Structure, TensorRef, flatten
from tfjs.layers.base import Shape
from tfjs.layers.shapes import infer_shapes


def inputs_of(model: LayersModel) -> list[tuple[str, str, Shape | None]]:
    """Name, dtype and shape of each input in the source's order."""
    shapes = infer_shapes(model)
    found = []
    for name, ref in _named(model.inputs):
        dtype = str(model.layer(ref.layer).config.get("dtype") or "float32")
        found.append((name, dtype, shapes.get(ref)))
    return found


def outputs_of(model: LayersModel) -> list[tuple[str, str, Shape | None]]:
    """Name, dtype and shape of each output in the source's order."""
    shapes = infer_shapes(model)
    names = names_of(model.outputs)
    return [
        (name, "float32", shapes.get(ref))
        for name, ref in zip(names, flatten(model.outputs), strict=True)
    ]


def names_of(structure: Structure) -> list[str]:
    """A name for each tensor of a model's inputs or outputs: its key, or its layer's name."""
    found: dict[str, None] = {}
    for name, _ in _named(structure):
        unique, count = name, 0
        while unique in found:
            count += 1
            unique = f"{name}_{count}"
        found[unique] = None
    return list(found)


def _named(structure: Structure) -> list[tuple[str, TensorRef]]:
    if isinstance(structure, dict):
        return [(key, ref) for key, item in structure.items() for ref in flatten(item)]
    return [(ref.layer, ref) for ref in flatten(structure)]
