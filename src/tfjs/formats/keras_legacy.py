"""Weights in the HDF5 layout that Keras 1, 2 and, for `.h5` files, Keras 3 share.

A group has the names of the layers in the attribute `layer_names`, and a group for each, whose
attribute `weight_names` lists its arrays in order. Source: keras/src/legacy/saving/
legacy_h5_format.py; before Keras 1.0 it was `nb_layers`, `layer_0`, `param_0`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.formats.hdf5 import Hdf5Writer, tensor_at
from tfjs.formats.keras_matching import Origin, StoredWeight, assign_weights, keep_weights
from tfjs.formats.keras_target import is_custom
from tfjs.ir.layers_model import Layer, LayersModel
from tfjs.ir.tensor import Tensor
from tfjs.layers.dialects.read import damaged
from tfjs.layers.registry import is_operation, spec_of
from tfjs.layers.slots import Place, model_places, snake_case

if TYPE_CHECKING:
    from tfjs.wire.hdf5 import Hdf5File

MODEL_WEIGHTS = "top_level_model_weights"
_MOST_LAYERS = 100_000


class StoredLayer(NamedTuple):
    """What a file has for one layer."""

    name: str
    weights: list[StoredWeight]


def weights_group(file: Hdf5File) -> str | None:
    """Where the layers are listed: `model_weights` in whole models, the root in weights files."""
    for group in ("model_weights", ""):
        if file.is_group(group) and (
            file.text_list(group, "layer_names") is not None or "nb_layers" in file.attrs(group)
        ):
            return group
    return None


def read_layers(file: Hdf5File, group: str) -> list[StoredLayer]:
    """All layers of a file in its order, with their arrays.

    Raises:
        FormatError: names or arrays are missing or damaged.
    """
    names = file.text_list(group, "layer_names")
    if names is None:
        return _read_numbered(file, group)
    where = str(file.path)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise CorruptFileError(f"lists the layer {twice!r} twice", where=where)
    return [StoredLayer(name, _read_weights(file, _join(group, name))) for name in names]


def read_named(file: Hdf5File, group: str) -> list[StoredWeight]:
    """The arrays that a group lists, such as those of an optimizer; none where there is none."""
    return _read_weights(file, group) if file.is_group(group) else []


def load_weights(model: LayersModel, file: Hdf5File, group: str, origin: Origin) -> None:
    """Give the weights of a file to the layers of a model.

    Layers are found by name; where the names are others, as in weights of another run of the same
    program, the layers with weights are taken in order, as Keras does.

    Raises:
        CorruptFileError: the file does not fit the model.
        UnsupportedError: the model has variables that belong to no layer.
    """
    where = str(file.path)
    if origin.major == 1 and origin.backend is None:
        origin = Origin(1, _backend_of(file, group))
    stored = [entry for entry in read_layers(file, group) if entry.weights]
    if read_named(file, _join(group, MODEL_WEIGHTS)):
        raise UnsupportedError("the model has variables that belong to no layer", where=where)
    with damaged(where):
        places = model_places(model)
    by_name = {entry.name: entry for entry in stored}
    if not _names_agree(places, by_name):
        by_name = _in_order(places, stored, where)
    for layer, own in places:
        entry = by_name.pop(layer.name, None)
        if entry is None and own:
            raise CorruptFileError(
                f"has no weights for the layer {layer.name!r} ({layer.class_name})", where=where
            )
        if entry is not None:
            left = _keep_custom(layer, own, entry.weights)
            if own or left:
                with damaged(where):
                    assign_weights(layer, own, left, origin, where)
    if by_name:
        raise CorruptFileError(
            f"has weights for layers that the model lacks: {', '.join(list(by_name)[:5])}",
            where=where,
        )


def legacy_weights(model: LayersModel) -> list[StoredLayer]:
    """The weights of a model as both tf_keras and Keras 3 expect them in a file, by layer."""
    layers = []
    for layer in model.layers:
        if is_operation(layer):
            continue
        found = list(_walk(layer, _Above((), (), True)))
        found.sort(key=lambda item: not item.trainable)
        names = [item.short for item in found]
        if len(set(names)) < len(names):
            names = [item.full for item in found]
        weights = [StoredWeight(name, item.tensor) for name, item in zip(names, found, strict=True)]
        layers.append(StoredLayer(layer.name, weights))
    return layers


def write_layers(file: Hdf5Writer, group: str, layers: Sequence[StoredLayer]) -> None:
    """Write the weights of all layers below a group."""
    file.group(group)
    file.names(group, "layer_names", [layer.name for layer in layers])
    # Sorted, so that a layer called `a` comes before one called `a/b`.
    for layer in sorted(layers, key=lambda layer: layer.name):
        write_named(file, _join(group, layer.name), layer.weights)


def write_named(file: Hdf5Writer, group: str, weights: Sequence[StoredWeight]) -> None:
    """Write arrays that a group lists by name; names end in `:0`, as TensorFlow has them."""
    names = [item.name if item.name.endswith(":0") else f"{item.name}:0" for item in weights]
    file.group(group)
    file.names(group, "weight_names", names)
    for name, item in zip(names, weights, strict=True):
        file.dataset(_join(group, name), item.tensor)


class _Above(NamedTuple):
    """Names and flags of what is above a layer; `scope` begins anew in each nested model."""

    scope: tuple[str, ...]
    path: tuple[str, ...]
    trainable: bool


class _Found(NamedTuple):
    short: str
    full: str
    tensor: Tensor
    trainable: bool


def _walk(layer: Layer, above: _Above) -> Iterator[_Found]:
    """Variables of a layer and all below it, layer by layer, as `layer.weights` has them."""
    trainable = above.trainable and layer.config.get("trainable", True) is not False
    scope, path = (*above.scope, layer.name), (*above.path, layer.name)
    if layer.model is not None:
        here = _Above((), path, trainable and layer.model.trainable)
        for inner in layer.model.layers:
            yield from _walk(inner, here)
        return
    spec = spec_of(layer)
    slots = {slot.name: slot for slot in spec.slots(layer, [])} if spec else {}
    child = layer.children.get("layer")
    wrapped = {item.name for item in child.weights} if child is not None else set()
    for weight in layer.weights:
        if weight.name in wrapped:
            continue  # a variable of the wrapped layer, which files have once
        slot = slots.get(weight.name)
        name = weight.name if slot is None else slot.legacy_name
        if slot is not None and slot.holder.endswith("cell"):
            name = f"{snake_case(layer.class_name)}_cell/{name}"
        yield _Found(
            "/".join((*scope, name)),
            "/".join((*path, name)),
            weight.tensor,
            trainable and weight.trainable,
        )
    for child in layer.children.values():
        yield from _walk(child, _Above(scope, path, trainable))


def _read_weights(file: Hdf5File, group: str) -> list[StoredWeight]:
    where = str(file.path)
    if not file.is_group(group):
        raise CorruptFileError(f"has no group {group!r}, though it lists it", where=where)
    names = file.text_list(group, "weight_names")
    if names is None:
        raise CorruptFileError(f"does not tell the names of the weights in {group!r}", where=where)
    if len(set(names)) < len(names):
        raise CorruptFileError(f"lists a weight of {group!r} twice", where=where)
    return [
        StoredWeight(name.removesuffix(":0"), tensor_at(file, _join(group, name))) for name in names
    ]


def _backend_of(file: Hdf5File, group: str) -> str | None:
    """The backend of a Keras 1, which files do not tell: TensorFlow's names end in `:0`."""
    names = [
        name
        for layer in file.text_list(group, "layer_names") or ()
        for name in file.text_list(_join(group, layer), "weight_names") or ()
    ]
    if not names:
        return None
    return "tensorflow" if any(name.endswith(":0") for name in names) else "theano"


def _read_numbered(file: Hdf5File, group: str) -> list[StoredLayer]:
    """The layout before Keras 1.0."""
    layers = []
    for index in range(_count(file, group, "nb_layers")):
        name = f"layer_{index}"
        path = _join(group, name)
        if not file.is_group(path):
            raise CorruptFileError(f"has no group {path!r}", where=str(file.path))
        weights = [
            StoredWeight(f"param_{number}", tensor_at(file, f"{path}/param_{number}"))
            for number in range(_count(file, path, "nb_params"))
        ]
        layers.append(StoredLayer(name, weights))
    return layers


def _count(file: Hdf5File, group: str, attribute: str) -> int:
    value = file.attrs(group).get(attribute)
    if type(value) is not int or not 0 <= value <= _MOST_LAYERS:
        raise CorruptFileError(f"{attribute} of {group!r} is {value!r}", where=str(file.path))
    return value


def _join(group: str, name: str) -> str:
    return f"{group}/{name}" if group else name


def _keep_custom(
    layer: Layer, own: Sequence[Place], stored: list[StoredWeight]
) -> list[StoredWeight]:
    """Give classes that are not Keras's, however deep, what is stored for them.

    Returns:
        What is left for the others.
    """
    custom = [inner for _, inner in layer.walk() if is_custom(inner)]
    if len(custom) == 1 and not own:
        keep_weights(custom[0], stored)
        return []
    left = stored
    for inner in custom:
        mine = [item for item in left if inner.name in item.name.split("/")[:-1]]
        keep_weights(inner, mine)
        left = [item for item in left if item not in mine]
    return left


def _has_custom(layer: Layer) -> bool:
    return any(is_custom(inner) for _, inner in layer.walk())


def _names_agree(
    places: Sequence[tuple[Layer, list[Place]]], by_name: dict[str, StoredLayer]
) -> bool:
    known = {layer.name for layer, _ in places}
    return set(by_name) <= known and all(layer.name in by_name for layer, own in places if own)


def _in_order(
    places: Sequence[tuple[Layer, list[Place]]], stored: Sequence[StoredLayer], where: str
) -> dict[str, StoredLayer]:
    weighed = [layer for layer, own in places if own]
    if len(weighed) != len(stored):
        # Classes that are not Keras's may have weights or not.
        weighed = [layer for layer, own in places if own or _has_custom(layer)]
    if len(weighed) != len(stored):
        names = {entry.name for entry in stored}
        missing = [layer.name for layer in weighed if layer.name not in names]
        extra = sorted(names - {layer.name for layer in weighed})
        raise CorruptFileError(
            f"the model has {len(weighed)} layers with weights, the file {len(stored)}"
            + (f"; not in the file: {', '.join(missing[:5])}" if missing else "")
            + (f"; not in the model: {', '.join(extra[:5])}" if extra else ""),
            where=where,
        )
    return {layer.name: entry for layer, entry in zip(weighed, stored, strict=True)}
