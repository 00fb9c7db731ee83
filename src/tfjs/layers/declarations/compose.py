"""Pieces that rewrites are built of: small layers of TF.js put side by side or in a row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tfjs.ir.layers_model import Layer, TensorRef
from tfjs.layers.base import Apply, Shape

if TYPE_CHECKING:
    from tfjs.layers.legalize import Builder

# A layer to call, or something that calls several.
Step = Layer | Apply


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
    factor: float | list[float],
    offset: float | list[float] = 0.0,
    *,
    suffix: str = "scale",
    name: str | None = None,
) -> Layer:
    """`x * factor + offset`; lists go along the last axis."""
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


def is_static(shape: Shape | None) -> bool:
    """Whether all sizes but the batch are known."""
    return shape is not None and None not in shape[1:]


def size_of(shape: Sequence[int | None]) -> int:
    """Number of elements; all sizes must be known."""
    return math.prod(size for size in shape if size is not None)
