"""Convolutions over arrays that have their channels last, as fast as NumPy computes them.

What lies under the window is copied into rows, and each block of rows is one product of matrices.
A block stays small: what does not fit in a processor's cache is slower, and takes memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tfjs.ir.tensor import Array
from tfjs.ops.windows import Window

# So many bytes of what lies under the window are copied at a time.
_PATCHES = 8 << 20
# A depthwise convolution goes over so many bytes of its result at a time, and so many numbers of a
# row: each element of the window reads and writes them again.
_TILE, _RUN = 256 << 10, 8 << 10


def convolved(image: Array, filters: Array, moving: Sequence[Window]) -> Array:
    """A convolution, in groups where the filters take fewer channels than the image has.

    Args:
        image: [batch, *sizes, channels].
        filters: [*window, channels of a group, channels of the result].
        moving: how the window goes along each of the sizes.

    Returns:
        [batch, *steps, channels of the result], an array of its own.

    Raises:
        ValueError: the channels do not go into groups, or the window is larger than the image.
    """
    steps = _steps(image, moving)
    taken, made = filters.shape[-2:]
    groups, rest = divmod(image.shape[-1], max(1, taken))
    if not taken or rest or not groups or made % groups:
        raise ValueError(f"{image.shape[-1]} channels do not go into {filters.shape}")
    if taken == 1 and groups > 1 and len(moving) == 2:
        window, each = filters.shape[:-2], made // groups
        return convolved_each(image, filters.reshape(*window, groups, each), moving)
    image, filters = _alike(image, filters)
    result = np.empty((len(image), *steps, made), image.dtype)
    if not result.size or 0 in filters.shape or 0 in image.shape:
        result[...] = 0
        return result
    rows, out = filters.reshape(-1, made), result.reshape(-1, made)
    if _is_product(moving, image.shape[1:-1]) and groups == 1:
        np.matmul(image.reshape(-1, taken), rows, out=out)
        return result
    seen = _windows(_padded(image, moving, steps), moving)
    each = made // groups
    for group in range(groups):
        wanted = slice(group * each, (group + 1) * each)
        part = seen[..., group * taken : (group + 1) * taken]
        for places, patches in _blocks(part, len(rows)):
            np.matmul(patches, rows[:, wanted], out=out[places, wanted])
    return result


def convolved_each(image: Array, filters: Array, moving: Sequence[Window]) -> Array:
    """A convolution of each channel with filters of its own.

    Args:
        image: [batch, height, width, channels].
        filters: [height, width, channels, filters a channel].
        moving: how the window goes along height and width.

    Returns:
        [batch, *steps, channels * filters a channel], an array of its own.

    Raises:
        ValueError: the window is larger than the image.
    """
    steps = _steps(image, moving)
    image, filters = _alike(image, filters)
    each = filters.shape[-1]
    if each != 1:
        image = np.repeat(image, each, axis=-1)
    kernel = filters.reshape(*filters.shape[:2], -1)
    result = np.empty((len(image), *steps, kernel.shape[-1]), image.dtype)
    if not result.size or 0 in filters.shape or 0 in image.shape:
        result[...] = 0
        return result
    padded = _padded(image, moving, steps)
    stride = moving[1].stride
    # Columns that are read together lie side by side.
    used = {column * moving[1].dilation % stride for column in range(kernel.shape[1])}
    phases = {at: np.ascontiguousarray(padded[:, :, at::stride]) for at in used}
    for number, whole in enumerate(result):
        _fill_each(whole, {at: phase[number] for at, phase in phases.items()}, kernel, moving)
    return result


def _fill_each(
    result: Array, phases: dict[int, Array], kernel: Array, moving: Sequence[Window]
) -> None:
    """Compute one image of a depthwise convolution, tile by tile."""
    height, width, channels = result.shape
    down, across = moving
    columns = min(width, max(1, _RUN // channels))
    rows = min(height, max(1, _TILE // (columns * channels * result.itemsize)))
    spread = np.tile(kernel, (1, 1, columns))
    spare = np.empty((rows, columns * channels), result.dtype)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        for left in range(0, width, columns):
            right = min(width, left + columns)
            # Columns and channels lie side by side: a view.
            total = result[top:bottom, left:right].reshape(bottom - top, -1)
            count = total.shape[1]
            product = spare[: bottom - top, :count]
            for row, column in np.ndindex(kernel.shape[:2]):
                over, phase = divmod(column * across.dilation, across.stride)
                first = top * down.stride + row * down.dilation
                last = first + (bottom - top - 1) * down.stride + 1
                read = phases[phase][first : last : down.stride, left + over : right + over]
                line = read.reshape(bottom - top, -1)
                if row == column == 0:
                    np.multiply(line, spread[row, column, :count], out=total)
                else:
                    np.multiply(line, spread[row, column, :count], out=product)
                    np.add(total, product, out=total)


def _alike(image: Array, filters: Array) -> tuple[Array, Array]:
    """Both in the wider of their dtypes."""
    dtype = np.result_type(image, filters)
    return image.astype(dtype, copy=False), filters.astype(dtype, copy=False)


def _steps(image: Array, moving: Sequence[Window]) -> list[int]:
    sizes = image.shape[1:-1]
    return [window.steps(size) or 0 for window, size in zip(moving, sizes, strict=True)]


def _is_product(moving: Sequence[Window], sizes: Sequence[int]) -> bool:
    """Whether the window is a single element that visits every place."""
    return all(
        window.size == 1 and window.stride == 1 and window.steps(size) == size
        for window, size in zip(moving, sizes, strict=True)
    )


def _padded(image: Array, moving: Sequence[Window], steps: Sequence[int]) -> Array:
    """The image with zeros around it, as far as the windows reach."""
    edges: list[tuple[int, int]] = []
    for window, size, count in zip(moving, image.shape[1:-1], steps, strict=True):
        low = window.before(size)
        edges.append((low, max(0, (count - 1) * window.stride + window.reach - size - low)))
    if not any(map(any, edges)):
        return np.ascontiguousarray(image)
    sizes = [size + sum(edge) for size, edge in zip(image.shape[1:-1], edges, strict=True)]
    result = np.zeros((len(image), *sizes, image.shape[-1]), image.dtype)
    inner = [
        slice(low, low + size) for (low, _), size in zip(edges, image.shape[1:-1], strict=True)
    ]
    result[:, *inner] = image
    return result


def _windows(padded: Array, moving: Sequence[Window]) -> Array:
    """A view of what lies under the window: [batch, *steps, *window, channels]."""
    axes = tuple(range(1, padded.ndim - 1))
    every = sliding_window_view(padded, [window.reach for window in moving], axes)
    strides = [slice(None, None, window.stride) for window in moving]
    apart = [slice(None, None, window.dilation) for window in moving]
    return np.moveaxis(every[:, *strides, :, *apart], padded.ndim - 1, -1)


def _blocks(seen: Array, length: int) -> Iterator[tuple[slice, Array]]:
    """What lies under the window, copied into rows, block by block.

    Args:
        seen: [batch, *steps, *window, channels].
        length: how long a row is.

    Yields:
        Which places, counted over batch and steps, and their rows.
    """
    outer = seen.shape[: seen.ndim // 2]
    most = max(1, _PATCHES // (length * seen.itemsize))
    # Along this axis it is cut; what comes behind it is whole.
    axis = next(at for at in range(len(outer)) if math.prod(outer[at + 1 :]) <= most)
    inner = math.prod(outer[axis + 1 :])
    count = min(outer[axis], max(1, most // inner))
    spare = np.empty((count, *seen.shape[axis + 1 :]), seen.dtype)
    start = 0
    for lead in np.ndindex(outer[:axis]):
        for first in range(0, outer[axis], count):
            part = seen[*lead, first : first + count]
            patches = spare[: len(part)]
            np.copyto(patches, part)
            stop = start + len(part) * inner
            yield slice(start, stop), patches.reshape(stop - start, length)
            start = stop
