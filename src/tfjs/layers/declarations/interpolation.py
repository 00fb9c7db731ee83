"""Resizing of images as TF.js can compute it: each axis multiplied by a constant matrix.

Interpolation is linear in the image, so resizing an axis from n to m sizes is a matrix of
[n, m]: a Dense layer with the axis moved last. That is exact for every method and any static
size, where TF.js's own layers are broken or half a pixel off (`runtime_contract.md` 3.5).

The weights are those of `keras.ops.image.resize` (pixel centres at half), which TensorFlow,
JAX and Keras share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tfjs.ir.layers_model import Layer, Weight
from tfjs.ir.tensor import Array, ArrayTensor
from tfjs.layers.base import Apply, Shape
from tfjs.layers.declarations.compose import permute

if TYPE_CHECKING:
    from tfjs.layers.legalize import Builder

# A weight by its distance from the sample, in pixels.
_Kernel = Callable[[Array], Array]


def _linear(x: Array) -> Array:
    return np.maximum(0.0, 1.0 - x)


def _cubic(x: Array) -> Array:
    """Keys's cubic with a = -1/2."""
    near = ((1.5 * x - 2.5) * x) * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


def _mitchell(x: Array) -> Array:
    """The cubic of Mitchell and Netravali with B = C = 1/3."""
    near = (7.0 / 6.0 * x - 2.0) * x * x + 8.0 / 9.0
    far = ((-7.0 / 18.0 * x + 2.0) * x - 10.0 / 3.0) * x + 16.0 / 9.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


def _gaussian(x: Array) -> Array:
    """A radius of 1.5 pixels, three standard deviations."""
    return np.where(x < 1.5, np.exp(-2.0 * x * x), 0.0)


def _lanczos(radius: float) -> _Kernel:
    def kernel(x: Array) -> Array:
        return np.where(x <= radius, np.sinc(x) * np.sinc(x / radius), 0.0)

    return kernel


_KERNELS: dict[str, _Kernel] = {
    "bilinear": _linear,
    "bicubic": _cubic,
    "mitchellcubic": _mitchell,
    "gaussian": _gaussian,
    "lanczos3": _lanczos(3.0),
    "lanczos5": _lanczos(5.0),
}
# Beyond that, TF.js's rounding takes a neighbour's pixel now and then.
_MOST_REPEATS = 40
METHODS = frozenset({"nearest", "area", *_KERNELS})


def interpolation_matrix(
    size_in: int, size_out: int, method: str, *, antialias: bool = False
) -> Array:
    """The matrix that resizes an axis: `resized = axis @ matrix`.

    Args:
        size_in: size of the axis.
        size_out: size that it gets.
        method: one of `METHODS`; "area", "gaussian" and "mitchellcubic" are Keras 2's only.
        antialias: whether the kernel widens where the axis shrinks.

    Returns:
        float32 of shape [size_in, size_out].
    """
    if method == "nearest":
        # floor((i + 1/2) * in / out) in whole numbers.
        source = (2 * np.arange(size_out) + 1) * size_in // (2 * size_out)
        nearest: Array = np.eye(size_in, dtype=np.float32)[:, source]
        return nearest
    if method == "area":
        return _overlaps(size_in, size_out)
    step = size_in / size_out
    widened = max(step, 1.0) if antialias else 1.0
    centres = (np.arange(size_out) + 0.5) * step - 0.5
    distances = np.abs(centres[None, :] - np.arange(size_in)[:, None]) / widened
    weights = _KERNELS[method](distances)
    normalized: Array = (weights / weights.sum(axis=0)).astype(np.float32)
    return normalized


def _overlaps(size_in: int, size_out: int) -> Array:
    """The part of each new pixel that each old one covers."""
    step = size_in / size_out
    starts = np.arange(size_out)[None, :] * step
    pixels = np.arange(size_in)[:, None]
    covered = np.minimum(starts + step, pixels + 1) - np.maximum(starts, pixels)
    parts: Array = (np.maximum(covered, 0.0) / step).astype(np.float32)
    return parts


def matrix_steps(
    build: Builder,
    rank: int,
    matrices: dict[int, Array],
    *,
    suffix: str = "resize",
    name: str | None = None,
) -> list[Layer | Apply]:
    """Layers that multiply axes by constant matrices.

    Args:
        build: the builder.
        rank: rank of the tensor, with the batch.
        matrices: by axis (1 is the first after the batch), each of shape [old size, new size].
            Identities are left out.
        suffix: what the layers are called after the current one.
        name: name of the last layer, where there is any.

    Returns:
        The steps in order; none where nothing changes.
    """
    steps: list[Layer | Apply] = []
    order = list(range(rank))
    changing = {axis: matrix for axis, matrix in matrices.items() if not _is_identity(matrix)}
    for axis, matrix in changing.items():
        wanted = [item for item in order if item != axis] + [axis]
        steps += _to_order(build, order, wanted, f"{suffix}_permute", None)
        order = wanted
        in_place = axis == list(changing)[-1] and order == list(range(rank))
        steps.append(_multiply(build, matrix, suffix, name if in_place else None))
    return steps + _to_order(build, order, list(range(rank)), f"{suffix}_permute", name)


def resize_steps(
    build: Builder,
    shape: Shape,
    height: int,
    width: int,
    method: str,
    data_format: str,
    *,
    antialias: bool = False,
    name: str | None = None,
) -> list[Layer | Apply]:
    """Layers that resize images.

    Args:
        build: the builder.
        shape: shape of the images, rank 4 with the batch; their height and width must be known.
        height: new height.
        width: new width.
        method: one of `METHODS`.
        data_format: "channels_last" or "channels_first".
        antialias: as for `interpolation_matrix`.
        name: name of the last layer.

    Returns:
        The steps in order; none where nothing changes.
    """
    first = 1 if data_format == "channels_last" else 2
    old_height, old_width = shape[first], shape[first + 1]
    if old_height is None or old_width is None:
        raise ValueError("the height and width of the images must be known")
    grown = _repeats(build, shape, (height, width), method, data_format, name)
    if grown is not None:
        return grown
    matrices = {
        first: interpolation_matrix(old_height, height, method, antialias=antialias),
        first + 1: interpolation_matrix(old_width, width, method, antialias=antialias),
    }
    return matrix_steps(build, len(shape), matrices, name=name)


def _repeats(
    build: Builder,
    shape: Shape,
    size: tuple[int, int],
    method: str,
    data_format: str,
    name: str | None,
) -> list[Layer | Apply] | None:
    """Growing by whole factors to the nearest pixel: what TF.js's UpSampling2D does well."""
    first = 1 if data_format == "channels_last" else 2
    old = [item or 1 for item in shape[first : first + 2]]
    factors = [new // item for new, item in zip(size, old, strict=True)]
    grown = [item * factor for item, factor in zip(old, factors, strict=True)]
    if method != "nearest" or grown != list(size) or max(factors) > _MOST_REPEATS:
        return None
    if factors == [1, 1]:
        return []
    config = {"size": factors, "interpolation": "nearest", "data_format": data_format}
    return [build.new("UpSampling2D", config, suffix="resize", name=name)]


def _is_identity(matrix: Array) -> bool:
    rows, columns = matrix.shape
    return rows == columns and bool(np.array_equal(matrix, np.eye(rows, dtype=matrix.dtype)))


def _to_order(
    build: Builder, order: list[int], wanted: list[int], suffix: str, name: str | None
) -> list[Layer | Apply]:
    if order == wanted:
        return []
    return [permute(build, [order.index(axis) for axis in wanted], suffix=suffix, name=name)]


def _multiply(build: Builder, matrix: Array, suffix: str, name: str | None) -> Layer:
    config = {
        "units": matrix.shape[1],
        "activation": "linear",
        "use_bias": False,
        "trainable": False,
    }
    kernel = Weight("kernel", ArrayTensor(np.ascontiguousarray(matrix)))
    return build.new("Dense", config, suffix=suffix, name=name, weights=[kernel])
