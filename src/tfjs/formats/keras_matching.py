"""Which stored array is which variable of a layer, in HDF5 files that only list them in order.

Files of Keras list the arrays of a top-level layer as `trainable_weights + non_trainable_weights`,
under names that have changed over the years. Whoever reads them must know which layers were
trainable when the file was written, so the order is found by what agrees: names and shapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tfjs.errors import CorruptFileError
from tfjs.ir.layers_model import Layer, Weight
from tfjs.ir.tensor import Tensor
from tfjs.layers.dialects import keras1_layouts
from tfjs.layers.dialects.layouts import Layout, StoredArray, last_component, plain_layout
from tfjs.layers.slots import Place, weight_of

_UNIQUE_SUFFIX = re.compile(r"_\d+$")


class StoredWeight(NamedTuple):
    """An array of a file under its name there, without TensorFlow's `:0`."""

    name: str
    tensor: Tensor


@dataclass(frozen=True, slots=True)
class Origin:
    """Who wrote a file, as far as it matters for the order of weights.

    Attributes:
        major: the major version of Keras.
        backend: the backend that it ran on, where told.
    """

    major: int
    backend: str | None = None


class _Owner(NamedTuple):
    """A layer with variables of its own."""

    layer: Layer
    places: list[Place]
    layout: Layout


class _Expected(NamedTuple):
    """One array that the file should have."""

    array: StoredArray
    place: Place
    trainable: bool

    @property
    def label(self) -> str:
        return f"{self.place.layer.name}/{self.place.slot.name}"


def assign_weights(
    layer: Layer,
    places: Sequence[Place],
    stored: Sequence[StoredWeight],
    origin: Origin,
    where: str,
) -> None:
    """Give the stored arrays of one top-level layer to the layers that own them.

    Args:
        layer: the layer, for messages.
        places: the places of the layer and of all below it.
        stored: the arrays in the file's order.
        origin: who wrote the file.
        where: the file, for messages.

    Raises:
        CorruptFileError: they are not what the layer has.
    """
    here = f"{where}, layer {layer.name!r} ({layer.class_name})"
    owners = _owners(places, origin)
    expected = [entry for owner in owners for entry in _expected(owner)]
    shared = [place for place in places if place.shared]
    if len(stored) != len(expected):
        raise CorruptFileError(_count_problem(expected, stored), where=here)
    order = _by_name(expected, stored) or _by_order(expected, stored)
    if order is None:
        raise CorruptFileError(_problem(_orders(expected)[0], stored), where=here)
    found = {id(entry.array): item for entry, item in zip(order, stored, strict=True)}
    arrays = iter([found[id(entry.array)].tensor for entry in expected])
    for owner in owners:
        tensors = owner.layout.build([next(arrays) for _ in owner.layout.arrays])
        for place, tensor in zip(owner.places, tensors, strict=True):
            owner.layer.weights.append(weight_of(place, tensor, here))
    for place in shared:
        _share(place)


def _share(place: Place) -> None:
    """Give a wrapper the variable of the wrapped layer that it uses as its own, in its place."""
    layer, name = place.layer, place.slot.name
    weight = next(item for item in layer.children["layer"].weights if item.name == name)
    layer.weights.insert(place.index, weight)


def keep_weights(layer: Layer, stored: Sequence[StoredWeight]) -> None:
    """Give a layer of a class that is not Keras's all that the file has for it, as it is named.

    A weight is called by the last component of its stored name, or by all that follows the name
    of the layer where those would be the same.
    """
    names = [last_component(item.name) for item in stored]
    if len(set(names)) < len(names):
        names = [_below(item.name, layer.name) for item in stored]
    layer.weights += [Weight(name, item.tensor) for name, item in zip(names, stored, strict=True)]


def _below(name: str, layer: str) -> str:
    return name.removeprefix(f"{layer}/")


def _owners(places: Sequence[Place], origin: Origin) -> list[_Owner]:
    grouped: dict[int, list[Place]] = {}
    for place in places:
        if place.shared:
            continue  # files have such a variable once
        grouped.setdefault(id(place.layer), []).append(place)
    make = keras1_layouts.layout if origin.major == 1 else plain_layout
    return [
        _Owner(own[0].layer, own, make(own[0].layer, [p.slot for p in own], origin.backend))
        for own in grouped.values()
    ]


def _expected(owner: _Owner) -> Iterator[_Expected]:
    first = owner.places[0]
    frozen = not any(place.trainable for place in owner.places if place.slot.trainable)
    for index, array in enumerate(owner.layout.arrays):
        # Arrays that are not one to a variable share the flags of the layer.
        place = owner.places[index] if len(owner.layout.arrays) == len(owner.places) else first
        # Each place needs an array of its own to tell them apart, though they may be alike.
        own = StoredArray(array.names, array.shapes, array.trainable)
        yield _Expected(own, place, array.trainable and not frozen)


def _orders(expected: list[_Expected]) -> list[list[_Expected]]:
    """The orders in which a file may have the arrays, the likeliest first."""
    by_flags = sorted(expected, key=lambda entry: not entry.trainable)
    by_kind = sorted(expected, key=lambda entry: not entry.array.trainable)
    return [by_flags, by_kind, expected]


def _by_order(expected: list[_Expected], stored: Sequence[StoredWeight]) -> list[_Expected] | None:
    """The first order whose names and shapes agree; failing that, whose names do not disagree."""
    known = {name for entry in expected for name in entry.array.names}
    for strict in (True, False):
        for order in _orders(expected):
            if all(
                _fits(entry, item, known, strict) for entry, item in zip(order, stored, strict=True)
            ):
                return order
    return None


def _fits(entry: _Expected, item: StoredWeight, known: set[str], strict: bool) -> bool:
    if not entry.array.fits(item.tensor.shape):
        return False
    names = _possible_names(item.name)
    if names & set(entry.array.names):
        return True
    return not strict and not names & known


def _possible_names(name: str) -> set[str]:
    """`kernel` and, where TensorFlow has made it unique, what `kernel_1` was before."""
    last = last_component(name)
    return {last, _UNIQUE_SUFFIX.sub("", last)}


def _by_name(expected: list[_Expected], stored: Sequence[StoredWeight]) -> list[_Expected] | None:
    """The arrays of a nested model by the names of its layers, where the file has those names."""
    if not any(entry.place.models for entry in expected):
        return None
    order: list[_Expected] = []
    for item in stored:
        components = item.name.split("/")
        scores = [(_score(entry, item, components), entry) for entry in expected]
        best = max(score for score, _ in scores)
        found = [entry for score, entry in scores if score == best]
        if best == 0 or len(found) > 1:
            return None
        order.append(found[0])
    # The same array twice would leave another without values.
    return order if len({id(entry.array) for entry in order}) == len(expected) else None


def _score(entry: _Expected, item: StoredWeight, components: list[str]) -> int:
    """How many names of enclosing layers agree, if the layer inside the nested model is there."""
    place = entry.place
    if not place.models or components[-1] not in entry.array.names:
        return 0
    if place.owners[place.models] not in components[:-1]:
        return 0
    if not entry.array.fits(item.tensor.shape):
        return 0
    position, score = 0, 0
    for owner in place.owners:
        if owner in components[position:-1]:
            position = components.index(owner, position) + 1
            score += 1
    return score


def _count_problem(expected: list[_Expected], stored: Sequence[StoredWeight]) -> str:
    wanted = ", ".join(entry.label for entry in expected) or "none"
    found = ", ".join(item.name for item in stored) or "none"
    return (
        f"has {len(expected)} variables ({wanted}), but {len(stored)} are stored for it ({found})"
    )


def _problem(order: list[_Expected], stored: Sequence[StoredWeight]) -> str:
    for entry, item in zip(order, stored, strict=True):
        if not entry.array.fits(item.tensor.shape):
            wanted = " or ".join(_shape(shape) for shape in entry.array.shapes)
            return (
                f"{entry.label} has the shape {wanted}, but {item.name!r}, which stands in its "
                f"place, has {_shape(item.tensor.shape)}"
            )
    wanted = ", ".join(entry.label for entry in order)
    found = ", ".join(item.name for item in stored)
    return f"has the variables {wanted}, but what is stored for it is called {found}"


def _shape(shape: Sequence[int | None]) -> str:
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"
