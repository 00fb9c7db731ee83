"""How windows move over axes: what convolution and pooling have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product as every
from typing import Any, NamedTuple

import numpy as np

from tfjs.ir.tensor import Array

Slices = tuple[slice, ...]


class Window(NamedTuple):
    """How a window moves along one axis.

    Attributes:
        size: how many elements it has; None where that is free.
        stride: how far it moves in a step.
        dilation: how far its elements are apart.
        padding: b"VALID", b"SAME" or b"EXPLICIT".
        low: how much there is before the first element, with b"EXPLICIT".
        high: how much there is behind the last.
    """

    size: int | None
    stride: int = 1
    dilation: int = 1
    padding: bytes = b"VALID"
    low: int = 0
    high: int = 0

    @property
    def reach(self) -> int:
        """From its first element to behind its last; that of a window of free size is unknown."""
        return ((self.size or 0) - 1) * self.dilation + 1

    def steps(self, size: int | None) -> int | None:
        """How many places the window has along an axis of some size.

        Raises:
            ValueError: it is larger than the axis.
        """
        if self.stride < 1 or self.dilation < 1 or (self.size is not None and self.size < 0):
            raise ValueError(f"no window of {self.size} by {self.stride} and {self.dilation}")
        if size is None:
            return None
        if self.padding == b"SAME":
            return -(-size // self.stride)
        if self.size is None:
            # A window of one element in steps of one leaves the size as it is.
            return None
        low, high = (self.low, self.high) if self.padding == b"EXPLICIT" else (0, 0)
        left = size + low + high - self.reach + self.stride
        if left <= -self.stride:
            raise ValueError(f"a window of {self.reach} is larger than {size}")
        return max(0, left) // self.stride

    def before(self, size: int) -> int:
        """How much padding there is before an axis of some size."""
        if self.padding != b"SAME":
            return self.low if self.padding == b"EXPLICIT" else 0
        steps = -(-size // self.stride)
        return max(0, (steps - 1) * self.stride + self.reach - size) // 2

    def taps(self, size: int, steps: int) -> Iterator[tuple[int, slice, slice]]:
        """Each element of the window: where it reads from the axis, and for which places.

        Args:
            size: the size of the axis.
            steps: how many places the window has.

        Yields:
            The element, a slice of the places, and as long a slice of the axis. An element that
            always lies in the padding is left out.
        """
        low, stride = self.before(size), self.stride
        first = max(0, -(-(low - (steps - 1) * stride) // self.dilation))
        last = min((self.size or 0) - 1, (size - 1 + low) // self.dilation)
        for element in range(first, last + 1):
            offset = element * self.dilation - low
            start = max(0, -(offset // stride))
            stop = min(steps, (size - 1 - offset) // stride + 1)
            if start < stop:
                begin = start * stride + offset
                end = (stop - 1) * stride + offset + 1
                yield element, slice(start, stop), slice(begin, end, stride)


def channels_first(attrs: Mapping[str, Any]) -> bool:
    """Whether channels come right behind the batch.

    Raises:
        ValueError: the order of the axes is another one.
    """
    layout = attrs.get("data_format") or b"N"
    if layout not in (b"N", b"NHWC", b"NCHW", b"NDHWC", b"NCDHW", b"NWC", b"NCW"):
        raise ValueError(f"no order of axes {layout!r}")
    return bool(layout.startswith(b"NC"))


def spatial_axes(attrs: Mapping[str, Any], rank: int) -> range:
    """Which axes are neither batch nor channels."""
    return range(2, rank) if channels_first(attrs) else range(1, rank - 1)


def windows(
    attrs: Mapping[str, Any], sizes: Sequence[int | None], rank: int, strides: str = "strides"
) -> list[Window]:
    """The windows over the spatial axes, in their order.

    Args:
        attrs: `strides`, `dilations`, `padding`, `explicit_paddings` and `data_format` of a node.
        sizes: the size of the window along each spatial axis.
        rank: the rank of the input.
        strides: the attribute that holds the steps.

    Raises:
        ValueError: the attributes do not go together.
    """
    axes = spatial_axes(attrs, rank)
    padding = attrs.get("padding", b"VALID")
    steps = attrs[strides]
    apart = attrs.get("dilations") or attrs.get("rates") or [1] * rank
    edges = attrs.get("explicit_paddings") or [0] * (2 * rank)
    if padding not in (b"VALID", b"SAME", b"EXPLICIT") or len(sizes) != len(axes):
        raise ValueError(f"no windows of {list(sizes)} with padding {padding!r}")
    if len(steps) != rank or len(apart) != rank or len(edges) != 2 * rank:
        raise ValueError(f"strides and the like should have an entry for each of {rank} axes")
    return [
        Window(size, steps[at], apart[at], padding, edges[2 * at], edges[2 * at + 1])
        for size, at in zip(sizes, axes, strict=True)
    ]


def all_taps(
    moving: Sequence[Window], sizes: Sequence[int], steps: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], Slices, Slices]]:
    """Each element of windows over several axes; see `Window.taps`."""
    along = [
        list(window.taps(size, count))
        for window, size, count in zip(moving, sizes, steps, strict=True)
    ]
    for combined in every(*along):
        yield (
            tuple(element for element, _, _ in combined),
            tuple(places for _, places, _ in combined),
            tuple(read for _, _, read in combined),
        )


def to_last(attrs: Mapping[str, Any], x: Array) -> Array:
    """An array with its channels last."""
    return np.moveaxis(x, 1, -1) if channels_first(attrs) else x


def from_last(attrs: Mapping[str, Any], x: Array) -> Array:
    """An array that has its channels last, in the order that attributes tell."""
    return np.moveaxis(x, -1, 1) if channels_first(attrs) else x
