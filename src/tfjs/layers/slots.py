"""Every place for a variable in a model: which layer owns it, and where Keras keeps it.

Keras 3's files name objects by their class and the attribute that holds them, not by their own
names: `layers/<class>[_n]` for the layers of a model, then attributes such as `forward_layer/cell`.
The algorithm is that of `keras/src/saving/saving_lib.py`; see `formats_and_peers.md` B.5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tfjs.errors import CorruptFileError
from tfjs.ir.layers_model import Layer, LayersModel, Weight
from tfjs.ir.tensor import Tensor
from tfjs.layers.base import Shape, Slot, dim
from tfjs.layers.registry import is_operation, spec_of
from tfjs.layers.shapes import infer_shapes, output_shapes

Shapes = Sequence[Shape | None]

_RECURRENT = frozenset({"RNN", "LSTM", "GRU", "SimpleRNN"})


@dataclass(frozen=True, slots=True)
class Place:
    """A place for one variable.

    Attributes:
        layer: the layer that owns it.
        slot: what is known of it.
        owners: names of the layers from the outermost one down to `layer`.
        models: how many of `owners`, from the front, are followed by a layer of a nested model.
        group: path of the object that holds it in a Keras 3 file, such as `layers/lstm/cell`.
        index: its number among the variables of that object.
        trainable: whether Keras would train it, with all `trainable` flags above it.
        shared: whether it is the same variable as one of the wrapped layer.
    """

    layer: Layer
    slot: Slot
    owners: tuple[str, ...]
    models: int
    group: str
    index: int
    trainable: bool
    shared: bool = False

    @property
    def path(self) -> str:
        """The variable in a Keras 3 file, such as `layers/lstm/cell/vars/0`."""
        return f"{self.group}/vars/{self.index}"


def weight_of(place: Place, tensor: Tensor, where: str) -> Weight:
    """The weight that a place has from a file.

    Raises:
        CorruptFileError: it is of text or of complex numbers, which no layer of Keras has.
    """
    if tensor.dtype in ("string", "complex64", "complex128"):
        raise CorruptFileError(
            f"{place.layer.name}/{place.slot.name} has the dtype {tensor.dtype}", where=where
        )
    return Weight(place.slot.name, tensor, place.slot.trainable)


def model_places(
    model: LayersModel, inputs: Shapes | None = None, group: str = ""
) -> list[tuple[Layer, list[Place]]]:
    """The places of each layer of a model, those of wrapped layers and nested models included.

    Classes that are not Keras's have none, since only their code knows what they hold.

    Args:
        model: the model.
        inputs: shapes of its inputs, where a caller knows better than its InputLayers.
        group: path of the model itself in a Keras 3 file.
    """
    # Files go by the flags of layers; that of the model itself changes no order.
    return [
        (layer, list(_places(layer, path, arriving, _Above((), 0, True))))
        for layer, path, arriving in _layers(model, inputs, group)
    ]


def check_shapes(model: LayersModel, where: str) -> None:
    """Check the weights of a model against what its configuration asks for.

    Raises:
        CorruptFileError: a weight has another shape.
    """
    for _, places in model_places(model):
        for place in places:
            for weight in place.layer.weights:
                known = place.slot.shape
                # A place of which nothing is known has the shape of a scalar.
                if (
                    weight.name == place.slot.name
                    and known
                    and not _fits(weight.tensor.shape, known)
                ):
                    raise CorruptFileError(
                        f"the weight {place.layer.name}/{place.slot.legacy_name} has the shape "
                        f"{list(weight.tensor.shape)}, the layer's configuration asks for "
                        f"{list(known)}",
                        where=where,
                    )


def _fits(found: Sequence[int], asked: Shape) -> bool:
    return len(found) == len(asked) and all(
        size is None or size == given for given, size in zip(found, asked, strict=True)
    )


def layer_groups(model: LayersModel, group: str = "") -> list[tuple[Layer, str]]:
    """The layers of a model with the path of each in a Keras 3 file.

    Operations of `keras.ops` are not layers there, and are left out.
    """
    below = f"{group}/layers/" if group else "layers/"
    used: dict[str, int] = {}
    return [
        (layer, below + _numbered(snake_case(layer.class_name), used))
        for layer in model.layers
        if not is_operation(layer)
    ]


def snake_case(class_name: str) -> str:
    """`Conv2D` as `conv2d`, `GRUCell` as `gru_cell`: how Keras names objects after their class."""
    name = re.sub(r"\W+", "", class_name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def in_training_order(places: Sequence[Place]) -> list[Place]:
    """As `layer.trainable_weights + layer.non_trainable_weights` has them, and so HDF5 files."""
    trained = [place for place in places if place.trainable]
    return trained + [place for place in places if not place.trainable]


@dataclass(frozen=True, slots=True)
class _Above:
    """What holds for all that is below a layer or model."""

    owners: tuple[str, ...]
    models: int
    trainable: bool


def _layers(
    model: LayersModel, inputs: Shapes | None, group: str
) -> Iterator[tuple[Layer, str, list[Shape | None]]]:
    shapes = infer_shapes(model, inputs)
    for layer, path in layer_groups(model, group):
        refs = layer.calls[0].inputs() if layer.calls else []
        yield layer, path, [shapes.get(ref) for ref in refs]


def _places(layer: Layer, group: str, inputs: Shapes, above: _Above) -> Iterator[Place]:
    trainable = above.trainable and layer.config.get("trainable", True) is not False
    owners = (*above.owners, layer.name)
    if layer.model is not None:
        here = _Above(owners, len(owners), trainable and layer.model.trainable)
        for inner, path, arriving in _layers(layer.model, inputs, group):
            yield from _places(inner, path, arriving, here)
        return
    spec = spec_of(layer)
    if spec is None:
        return  # a class of the user's own: only its code knows what it holds
    slots = spec.slots(layer, inputs)
    for slot, index in zip(slots, _indices(slots), strict=True):
        holder = f"{group}/{slot.holder}" if slot.holder else group
        kept = trainable and slot.trainable
        shared = slot.name in _wrapped_names(layer)
        yield Place(layer, slot, owners, above.models, holder, index, kept, shared)
    below = _Above(owners, above.models, trainable)
    for path, child, arriving in _children(layer, group, inputs):
        yield from _places(child, path, arriving, below)


def _wrapped_names(layer: Layer) -> set[str]:
    """The names of the variables of the layer that a layer wraps, which it may use as its own."""
    inner = layer.children.get("layer")
    spec = None if inner is None else spec_of(inner)
    return set() if inner is None or spec is None else {s.name for s in spec.slots(inner, [])}


def _indices(slots: Sequence[Slot]) -> list[int]:
    """The number of each variable in its holder, which lists those that are trained first."""
    indices = [0] * len(slots)
    counts: dict[str, int] = {}
    for position in sorted(range(len(slots)), key=lambda at: not slots[at].trainable):
        holder = slots[position].holder
        indices[position] = counts.get(holder, 0)
        counts[holder] = indices[position] + 1
    return indices


def _children(
    layer: Layer, group: str, inputs: Shapes
) -> Iterator[tuple[str, Layer, list[Shape | None]]]:
    """Wrapped layers with their paths and the shapes that they are called with."""
    used: dict[str, int] = {}
    arriving = [_inside(layer, shape) for shape in inputs[:1]]
    for attribute, child in layer.children.items():
        container, _, index = attribute.partition("/")
        name = (
            f"{container}/{_numbered(snake_case(child.class_name), used)}" if index else attribute
        )
        yield f"{group}/{name}", child, arriving
        if index:
            arriving = output_shapes(child, arriving)[:1]


def _inside(layer: Layer, shape: Shape | None) -> Shape | None:
    """What a wrapped layer sees of an input: one step of it where the wrapper walks in time."""
    if layer.class_name in _RECURRENT or layer.class_name == "TimeDistributed":
        return None if shape is None else (dim(shape, 0), *shape[2:])
    return shape


def _numbered(name: str, used: dict[str, int]) -> str:
    count = used.get(name, 0)
    used[name] = count + 1
    return f"{name}_{count}" if count else name
