"""Pieces that rewrites are built of: small layers of TF.js put side by side or in a row."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfjs.errors import CorruptFileError
from tfjs.ir.layers_model import Config, Layer, TensorRef, Weight
from tfjs.ir.tensor import Array, ArrayTensor, DerivedTensor
from tfjs.layers.base import Apply, Shape
from tfjs.layers.declarations.space import number

if TYPE_CHECKING:
    from tfjs.layers.legalize import Builder

# A layer to call, or something that calls several.
Step = Layer | Apply
# A number, or lists of them that broadcast against the last axes of a tensor.
Numbers = float | list[Any]


def identity(tensors: list[TensorRef]) -> list[TensorRef]:
    """The tensors as they are; a branch that changes nothing."""
    return tensors


def join(build: Builder, merge: Layer, *branches: Step) -> Apply:
    """Branches that start from the same tensors, put together by a merge layer."""
    applies = [build.apply(step, 1) if isinstance(step, Layer) else step for step in branches]
    merged = build.apply(merge, 1)

    def call(tensors: list[TensorRef]) -> list[TensorRef]:
        return merged([apply(tensors)[0] for apply in applies])

    return call


def scale(
    build: Builder,
    factor: Numbers,
    offset: Numbers = 0.0,
    *,
    suffix: str = "scale",
    name: str | None = None,
) -> Layer:
    """`x * factor + offset`."""
    return build.new("Rescaling", {"scale": factor, "offset": offset}, suffix=suffix, name=name)


def activate(
    build: Builder, activation: str, *, suffix: str = "", name: str | None = None
) -> Layer:
    """An activation that TF.js has, by its name in the normal form."""
    config = {"activation": activation}
    return build.new("Activation", config, suffix=suffix or activation, name=name)


def clip(
    build: Builder, highest: float | None, *, suffix: str = "clip", name: str | None = None
) -> Layer:
    """`min(max(x, 0), highest)`."""
    return build.new("ReLU", {"max_value": highest}, suffix=suffix, name=name)


def reshape(
    build: Builder,
    shape: Sequence[int | None],
    *,
    suffix: str = "reshape",
    name: str | None = None,
) -> Layer:
    """A Reshape to a shape without the batch; one unknown size at most."""
    return build.new("Reshape", {"target_shape": list(shape)}, suffix=suffix, name=name)


def permute(
    build: Builder, order: Sequence[int], *, suffix: str = "permute", name: str | None = None
) -> Layer:
    """A Permute of the axes; `order` counts from the batch (0), which stays the first."""
    return build.new("Permute", {"dims": list(order[1:])}, suffix=suffix, name=name)


def axis_last(rank: int, axis: int) -> tuple[list[int], list[int]]:
    """The permutation that moves an axis to the end, and the one that moves it back."""
    order = [item for item in range(rank) if item != axis] + [axis]
    return order, [order.index(item) for item in range(rank)]


def with_axis_last(
    build: Builder, rank: int, axis: int, *steps: Step, name: str | None = None
) -> Apply:
    """Steps that work on the last axis, made to work on another."""
    if axis == rank - 1:
        return build.chain(*steps)
    there, back = axis_last(rank, axis)
    first = permute(build, there, suffix="axis_last")
    return build.chain(first, *steps, permute(build, back, suffix="axis_back", name=name))


def check_axes(config: Config, key: str = "axis") -> None:
    """Bring an axis, or several, into an int or a list of ints, in place; a missing one into -1.

    Raises:
        ValueError: it is something else.
    """
    value = config.get(key)
    items = value if isinstance(value, list | tuple) else [-1 if value is None else value]
    found = [number(item, key, lowest=-32) for item in items]
    config[key] = found[0] if len(found) == 1 else found


def check_numbers(config: Config, *keys: str) -> None:
    """See that keys, where they are there, hold numbers that a float can be.

    Raises:
        ValueError: one does not.
    """
    for key in keys:
        value = config.get(key)
        if value is not None and not _is_finite(value):
            raise ValueError(f"{key} is {value!r}, a number was expected")


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max


def is_static(shape: Shape | None) -> bool:
    """Whether all sizes but the batch are known."""
    return shape is not None and None not in shape[1:]


def size_of(shape: Sequence[int | None]) -> int:
    """Number of elements; all sizes must be known."""
    return math.prod(size for size in shape if size is not None)


def weight_of(layer: Layer, name: str) -> Weight:
    """The weight of that name.

    Raises:
        CorruptFileError: the layer has none.
    """
    for weight in layer.weights:
        if weight.name == name:
            return weight
    raise CorruptFileError(f"the file has no weight {name!r} for it", where=layer.name)


def constant(name: str, value: Array, *, trainable: bool = True) -> Weight:
    """A float32 weight with a value made here."""
    return Weight(name, ArrayTensor(np.ascontiguousarray(value, np.float32)), trainable)


def derived(
    weight: Weight,
    name: str,
    shape: Sequence[int],
    compute: Callable[[Array], Array],
) -> Weight:
    """A weight computed from another when it is written.

    Args:
        weight: the weight that it comes from.
        name: name of the result.
        shape: shape of the result; its dtype is the weight's.
        compute: gives the result's elements.
    """
    tensor = weight.tensor
    # `array()` widens bfloat16.
    dtype = "float32" if tensor.dtype == "bfloat16" else tensor.dtype
    result = DerivedTensor(
        dtype, shape, lambda: np.ascontiguousarray(compute(tensor.array()), dtype)
    )
    return Weight(name, result, weight.trainable)


def flattened(
    build: Builder,
    shape: Shape,
    axes: Sequence[int],
    *steps: Step,
    suffix: str = "flat",
    name: str | None = None,
) -> Apply:
    """Steps that work on the last of few axes, made to work on several axes of any tensor.

    The steps see `[batch, all other axes as one, the given axes as one]` (without the middle one
    where there are no others) and must give that shape.

    Args:
        build: the builder.
        shape: shape of the tensor with the batch; `can_flatten` must hold.
        axes: the axes, sorted, counted from the batch (0), which is not among them.
        steps: what to do in between.
        suffix: what the added layers are called.
        name: name of the last layer, where one is added.
    """
    rank = len(shape)
    order = [0, *(axis for axis in range(1, rank) if axis not in axes), *axes]
    sizes = [shape[axis] for axis in order[1:]]
    flat = flat_sizes(shape, axes)
    before: list[Step] = []
    after: list[Step] = []
    moved = order != sorted(order)
    if moved:
        before.append(permute(build, order, suffix=f"{suffix}_permute"))
    if flat != sizes:
        before.append(reshape(build, flat, suffix=suffix))
        last = None if moved else name
        after.append(reshape(build, sizes, suffix=f"{suffix}_back", name=last))
    if moved:
        back = [order.index(axis) for axis in range(rank)]
        after.append(permute(build, back, suffix=f"{suffix}_permute_back", name=name))
    return build.chain(*before, *steps, *after)


def flat_sizes(shape: Shape, axes: Sequence[int]) -> list[int | None]:
    """The sizes, without the batch, that the steps of `flattened` see."""
    others = [size for axis, size in enumerate(shape) if axis and axis not in axes]
    inner = size_of([shape[axis] for axis in axes])
    outer = None if None in others else size_of(others)
    return [outer, inner] if others else [inner]


def is_flat(shape: Shape, axes: Sequence[int]) -> bool:
    """Whether `flattened` need not change the tensor at all."""
    return list(axes) == [len(shape) - 1] and flat_sizes(shape, axes) == list(shape[1:])


def can_flatten(shape: Shape, axes: Sequence[int]) -> bool:
    """Whether the sizes of the axes are known, and all others but one; none may be 0."""
    others = [size for axis, size in enumerate(shape) if axis and axis not in axes]
    return all(shape[axis] for axis in axes) and others.count(None) <= 1 and 0 not in others
