"""Operations that make values from sizes and bounds; random numbers, of which only shapes."""

from __future__ import annotations

import math

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import Kernel, as_first, constant_input, declare, unknown
from tfjs.ops.elementwise import numpy_dtype
from tfjs.ops.shapes import partial_scalar, scalar_input, sizes_input, with_rank


def _dims(shape: Array) -> tuple[int, ...]:
    if shape.ndim != 1 or shape.dtype.kind not in "iu" or np.any(shape < 0):
        raise ValueError("a shape should be a vector of sizes")
    return tuple(int(size) for size in shape.reshape(-1))


declare(
    "Fill",
    infer=lambda node: [sizes_input(node, 0)],
    kernel=lambda attrs, dims, value: np.full(_dims(dims), value.reshape(())[()], value.dtype),
)
declare(
    "Empty",
    infer=lambda node: [sizes_input(node, 0)],
    # What TensorFlow leaves in it is nobody's promise.
    kernel=lambda attrs, dims: np.zeros(_dims(dims), numpy_dtype(attrs["dtype"])),
)


def _ones(attrs: Attrs, x: Array) -> Array:
    return np.ones(x.shape, x.dtype)


def _zeros(attrs: Attrs, x: Array) -> Array:
    # A string of zeros is the empty one.
    return np.full(x.shape, b"", object) if x.dtype == object else np.zeros(x.shape, x.dtype)


declare("OnesLike", infer=as_first, kernel=_ones)
declare("ZerosLike", infer=as_first, kernel=_zeros)


def _filled(number: int) -> Kernel:
    def kernel(attrs: Attrs, dims: Array) -> Array:
        return np.full(_dims(dims), number, numpy_dtype(attrs.get("T", "float32")))

    return kernel


# TF.js's own: TensorFlow has no such operations.
declare("Ones", infer=lambda node: [sizes_input(node, 0)], kernel=_filled(1))
declare("Zeros", infer=lambda node: [sizes_input(node, 0)], kernel=_filled(0))


# Ranges ------------------------------------------------------------------------------------------


def _range_size(start: Array, limit: Array, delta: Array) -> int:
    if any(item.size != 1 for item in (start, limit, delta)):
        raise ValueError("bounds and step should be scalars")
    if start.dtype.kind in "iu":
        first, last, step = (int(item.reshape(())[()]) for item in (start, limit, delta))
        if not step or (first > last if step > 0 else first < last):
            raise ValueError(f"no range from {first} to {last} by steps of {step}")
        return -(-abs(last - first) // abs(step))
    low, high, by = (float(item.reshape(())[()]) for item in (start, limit, delta))
    if not by or not all(map(math.isfinite, (low, high, by))) or (high - low) / by < 0:
        raise ValueError(f"no range from {low} to {high} by steps of {by}")
    return math.ceil(abs((high - low) / by))


def _range_shape(node: Node) -> list[Shape]:
    values = [constant_input(node, index) for index in range(3)]
    start, limit, delta = values
    if start is not None and limit is not None and delta is not None:
        return [(_range_size(start, limit, delta),)]
    sizes = [partial_scalar(value) for value in node.inputs]
    if any(size is None for size in sizes):
        return [(None,)]
    return [(_range_size(*(np.array(size, np.int64) for size in sizes)),)]


def _range(attrs: Attrs, start: Array, limit: Array, delta: Array) -> Array:
    count = _range_size(start, limit, delta)
    first, step = start.reshape(()), delta.reshape(())
    if start.dtype.kind == "f":
        # TensorFlow adds the step again and again, in the dtype of the result.
        steps = np.full(count, step, start.dtype)
        steps[:1] = first
        return np.asarray(np.add.accumulate(steps, dtype=start.dtype))
    numbers = first + np.arange(count, dtype=start.dtype) * step
    return np.asarray(numbers).astype(start.dtype, copy=False)


def _range_tfjs(attrs: Attrs, *bounds: Array) -> Array:
    """Of floats, unless the attribute says integers."""
    dtype = numpy_dtype(attrs.get("Tidx", "float32"))
    return _range(attrs, *(bound.astype(dtype) for bound in bounds))


declare("Range", infer=_range_shape, kernel=_range, tfjs_kernel=_range_tfjs)


def _linspace_shape(node: Node) -> list[Shape]:
    count = scalar_input(node, 2)
    if count is not None and count <= 0:
        raise ValueError(f"{count} numbers are asked for")
    return [(count,)]


def _linspace(attrs: Attrs, start: Array, stop: Array, num: Array) -> Array:
    count = int(num.reshape(())[()])
    if count <= 0:
        raise ValueError(f"{count} numbers are asked for")
    if count == 1:
        return start.reshape(1)
    step = ((stop - start) / np.asarray(count - 1).astype(start.dtype)).astype(start.dtype)
    result = np.asarray(start + step * np.arange(count).astype(start.dtype)).astype(start.dtype)
    result[-1] = stop
    return result


declare("LinSpace", infer=_linspace_shape, kernel=_linspace)


# One-hot -----------------------------------------------------------------------------------------


def _one_hot_axis(attrs: Attrs, rank: int) -> int:
    axis = attrs.get("axis", -1)
    if not -1 <= axis <= rank:
        raise ValueError(f"axis {axis} lies outside of rank {rank + 1}")
    return rank if axis == -1 else int(axis)


def _one_hot_shape(node: Node) -> list[Shape]:
    depth = scalar_input(node, 1)
    if depth is not None and depth < 0:
        raise ValueError(f"depth {depth} is negative")
    shape = node.inputs[0].shape
    if shape is None:
        return [None]
    axis = _one_hot_axis(node.attrs, len(shape))
    return [(*shape[:axis], depth, *shape[axis:])]


def _one_hot(attrs: Attrs, indices: Array, depth: Array, on: Array, off: Array) -> Array:
    axis = _one_hot_axis(attrs, indices.ndim)
    count = int(depth.reshape(())[()])
    if not indices.size:
        return np.zeros((*indices.shape[:axis], count, *indices.shape[axis:]), on.dtype)
    steps = np.arange(count)
    steps = steps.reshape((-1,) + (1,) * (indices.ndim - axis))
    return np.where(np.expand_dims(indices, axis) == steps, on, off)


def _one_hot_last(attrs: Attrs, indices: Array, depth: Array, on: Array, off: Array) -> Array:
    """As TF.js has it: the last axis, whatever is told."""
    if depth.reshape(()) < 2:
        raise ValueError("the depth should be 2 or more")
    return _one_hot({}, indices, depth, on, off)


declare("OneHot", infer=_one_hot_shape, kernel=_one_hot, tfjs_kernel=_one_hot_last)


# Random numbers ----------------------------------------------------------------------------------

declare(
    *("RandomStandardNormal", "RandomUniform", "RandomUniformInt", "TruncatedNormal"),
    *("ParameterizedTruncatedNormal", "StatelessRandomNormal", "StatelessRandomNormalV2"),
    *("StatelessRandomUniform", "StatelessRandomUniformV2", "StatelessRandomUniformInt"),
    *("StatelessRandomUniformIntV2", "StatelessRandomUniformFullInt"),
    *("StatelessRandomUniformFullIntV2", "StatelessTruncatedNormal"),
    *("StatelessTruncatedNormalV2", "StatelessRandomBinomial", "StatelessRandomPoisson"),
    *("StatelessParameterizedTruncatedNormal", "StatelessRandomGammaV2"),
    infer=lambda node: [sizes_input(node, 0)],
)
declare(
    *("StatefulStandardNormalV2", "StatefulTruncatedNormal", "StatefulUniform"),
    *("StatefulUniformFullInt", "StatefulUniformInt", "StatefulRandomBinomial"),
    infer=lambda node: [sizes_input(node, 2)],
)
declare("StatefulStandardNormal", infer=lambda node: [sizes_input(node, 1)])


def _after_shape(node: Node) -> list[Shape]:
    shape, rates = sizes_input(node, 0), node.inputs[1].shape
    return [None if shape is None or rates is None else shape + rates]


declare("RandomGamma", "RandomPoisson", "RandomPoissonV2", infer=_after_shape)
declare("RandomShuffle", "StatelessShuffle", infer=as_first)
declare("RandomCrop", infer=lambda node: [sizes_input(node, 1)])


def _multinomial(node: Node) -> list[Shape]:
    return [(with_rank(node.inputs[0].shape, 2)[0], scalar_input(node, 1))]


declare("Multinomial", "StatelessMultinomial", infer=_multinomial)
declare("StatelessRandomGetAlg", infer=lambda node: [()])
declare("StatelessRandomGetKeyCounter", infer=lambda node: [(1,), (2,)])
declare("StatelessRandomGetKeyCounterAlg", infer=lambda node: [(1,), (2,), ()])
declare("RngReadAndSkip", infer=lambda node: [(None,)])
declare("RandomIndexShuffle", infer=unknown())
