"""Shapes of every tensor of a model, from the shapes of its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from tfjs.errors import CorruptFileError
from tfjs.ir.layers_model import Layer, LayersModel, TensorRef, flatten
from tfjs.layers.base import Shape
from tfjs.layers.registry import spec_of
from tfjs.layers.structure import ordered_calls

Shapes = dict[TensorRef, Shape | None]


def infer_shapes(model: LayersModel, inputs: Sequence[Shape | None] | None = None) -> Shapes:
    """The shape of each tensor in the model (not of those inside nested models).

    Args:
        model: the model.
        inputs: shapes of the model's inputs in order, where a caller knows better than the
            `batch_shape` of the InputLayers.

    Raises:
        CorruptFileError: the configuration of a layer makes no shape.
    """
    shapes: Shapes = {}
    fed = dict(zip(flatten(model.inputs), inputs, strict=False)) if inputs is not None else {}
    for layer, index in ordered_calls(model):
        arriving = [shapes.get(ref) for ref in layer.calls[index].inputs()]
        leaving = output_shapes(layer, arriving)
        _check_sizes(layer, leaving)
        for tensor, shape in enumerate(leaving):
            ref = TensorRef(layer.name, index, tensor)
            shapes[ref] = fed.get(ref) or shape or model.told_shapes.get(ref)
    return shapes


def _check_sizes(layer: Layer, shapes: Sequence[Shape | None]) -> None:
    """Hold what a configuration makes of shapes to numbers, before others compute with them."""
    for shape in shapes:
        for size in shape or ():
            if size is not None and type(size) is not int:
                raise CorruptFileError(
                    f"its configuration makes a size that is no number: a {type(size).__name__}",
                    where=f"layer {layer.name!r}",
                )


def output_shapes(layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
    """Shapes that come out of one call of a layer; unknown for classes that are not Keras's."""
    if layer.model is not None:
        inner = infer_shapes(layer.model, inputs)
        return [inner.get(ref) for ref in flatten(layer.model.outputs)]
    spec = spec_of(layer)
    return [None] if spec is None else spec.infer(layer, inputs)


def common_shapes(calls: Sequence[Sequence[Shape | None]]) -> list[Shape | None]:
    """The shapes that hold for all calls of a layer; sizes that differ are unknown.

    Args:
        calls: the shapes of the tensors that go into each call; a shared Add, say, may take two
            tensors in one call and three in another.
    """
    return [_common(shapes) for shapes in zip_longest(*calls)]


def _common(shapes: Sequence[Shape | None]) -> Shape | None:
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes) or len({len(shape) for shape in known}) != 1:
        return None
    return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*known, strict=True))
