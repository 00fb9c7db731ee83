"""Kernels of convolutions in another form that computes the same.

All are computed when they are written, one at a time. A kernel that grows, by zeros, grows to
`LARGEST` at most.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from tfjs.errors import CorruptFileError
from tfjs.ir.layers_model import Weight
from tfjs.ir.tensor import Array, DerivedTensor

LARGEST = 16 * 1024 * 1024  # bytes


def fits(shape: Sequence[int]) -> bool:
    """Whether a float32 kernel of that shape is small enough to write."""
    return math.prod(shape) * 4 <= LARGEST


def check(weight: Weight, shape: Sequence[int | None], where: str) -> None:
    """Hold a weight against the shape that the configuration asks for.

    Raises:
        CorruptFileError: they differ.
    """
    found = weight.tensor.shape
    if len(found) != len(shape) or any(
        want not in (None, size) for size, want in zip(found, shape, strict=True)
    ):
        wanted = ", ".join("?" if size is None else str(size) for size in shape)
        raise CorruptFileError(
            f"{weight.name} has the shape {list(found)}, the configuration asks for [{wanted}]",
            where=where,
        )


def reshaped(weight: Weight, shape: Sequence[int]) -> Weight:
    """The same elements in another shape."""
    return _derived(weight, shape, lambda array: array.reshape(shape))


def spread(weight: Weight, dilation: Sequence[int], after: Sequence[int]) -> Weight:
    """A kernel with its gaps filled in by zeros.

    Args:
        weight: the kernel; its first axes are those of space.
        dilation: distance of neighbours along each axis of space.
        after: zeros to add behind it along each.
    """
    shape = spread_shape(weight.tensor.shape, dilation, after)
    inside = tuple(
        slice(0, (size - 1) * step + 1, step)
        for size, step in zip(weight.tensor.shape, dilation, strict=False)
    )

    def compute(array: Array) -> Array:
        result = np.zeros(shape, array.dtype)
        result[inside] = array
        return result

    return _derived(weight, shape, compute)


def spread_shape(
    shape: Sequence[int], dilation: Sequence[int], after: Sequence[int]
) -> tuple[int, ...]:
    """The shape of a `spread` kernel."""
    sizes = [
        (size - 1) * step + 1 + more
        for size, step, more in zip(shape, dilation, after, strict=False)
    ]
    return (*sizes, *shape[len(sizes) :])


def ungrouped(weight: Weight, groups: int) -> Weight:
    """The kernel of a grouped convolution as that of an ordinary one: zeros between groups.

    Args:
        weight: kernel of shape `[..., in / groups, out]`.
        groups: how many groups.
    """
    *space, inner, outer = weight.tensor.shape
    each = outer // groups
    shape = (*space, inner * groups, outer)

    def compute(array: Array) -> Array:
        result = np.zeros(shape, array.dtype)
        for group in range(groups):
            rows = slice(group * inner, (group + 1) * inner)
            columns = slice(group * each, (group + 1) * each)
            result[..., rows, columns] = array[..., columns]
        return result

    return _derived(weight, shape, compute)


def _derived(weight: Weight, shape: Sequence[int], compute: Callable[[Array], Array]) -> Weight:
    tensor = weight.tensor
    # `array()` widens bfloat16.
    dtype = "float32" if tensor.dtype == "bfloat16" else tensor.dtype
    derived = DerivedTensor(dtype, shape, lambda: compute(tensor.array()))
    return Weight(weight.name, derived, weight.trainable)
