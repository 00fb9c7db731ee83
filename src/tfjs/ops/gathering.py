"""Operations that read from, or write to, places that another value names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import Kernel, constant_input, declare, of_constants
from tfjs.ops.passing import variable_shape
from tfjs.ops.shapes import axis_in, free, same_shape, scalar_input, sizes_input
from tfjs.ops.shaping import integers


def check_places(places: Array, size: int) -> None:
    """Raise ValueError where a place lies outside of a size; none are counted from the end."""
    if places.dtype.kind not in "iu":
        raise ValueError("an input should hold integers")
    if np.any(places < 0) or np.any(places >= size):
        raise ValueError(f"an index lies outside of {size}")


# Gather ------------------------------------------------------------------------------------------


def _gathered(shape: Shape, indices: Shape, axis: int | None, batch: int) -> Shape:
    if shape is None or indices is None:
        return None
    if batch < 0:
        batch = axis_in(batch, len(indices))
    if batch > len(indices):
        raise ValueError(f"{batch} axes of a batch are more than {list(indices)} has")
    if axis is None:
        return free(len(shape) + len(indices) - 1 - batch)
    axis = axis_in(axis, len(shape))
    if axis < batch:
        raise ValueError(f"axis {axis} belongs to the batch")
    before = same_shape(shape[:batch], indices[:batch]) or ()
    return (*before, *shape[batch:axis], *indices[batch:], *shape[axis + 1 :])


def _gather_v2_shape(node: Node) -> list[Shape]:
    shape, indices = (value.shape for value in node.inputs[:2])
    return [_gathered(shape, indices, scalar_input(node, 2), node.attrs.get("batch_dims", 0))]


def take(x: Array, indices: Array, axis: int, batch: int = 0) -> Array:
    """The parts of `x` at places along an axis, row by row of a batch.

    Raises:
        ValueError: a place lies outside, or the shapes do not go together.
    """
    axis = axis_in(axis, x.ndim)
    batch = batch if batch >= 0 else axis_in(batch, indices.ndim)
    check_places(indices, x.shape[axis])
    if not batch:
        return np.take(x, indices, axis=axis)
    if x.shape[:batch] != indices.shape[:batch] or axis < batch:
        raise ValueError("the batches should be equal")
    # The axis comes right behind the batch for the reading, and its place after.
    moved = np.moveaxis(x, axis, batch)
    rows = np.ogrid[tuple(slice(size) for size in indices.shape[:batch])]
    grown = [row.reshape(row.shape + (1,) * (indices.ndim - batch)) for row in rows]
    read = moved[(*grown, indices)]
    sources = range(batch, indices.ndim)
    return np.moveaxis(read, list(sources), [at + axis - batch for at in sources])


declare(
    "Gather",
    infer=lambda node: [_gathered(node.inputs[0].shape, node.inputs[1].shape, 0, 0)],
    kernel=lambda attrs, x, indices: take(x, indices, 0),
)
declare(
    "GatherV2",
    infer=_gather_v2_shape,
    kernel=lambda attrs, x, indices, axis: take(
        x, indices, integers(axis)[0], attrs.get("batch_dims", 0)
    ),
)


def _resource_gather_shape(node: Node) -> list[Shape]:
    batch = node.attrs.get("batch_dims", 0)
    return [_gathered(variable_shape(node), node.inputs[1].shape, batch, batch)]


declare("ResourceGather", infer=_resource_gather_shape)


def _nd_shape(shape: Shape, indices: Shape) -> Shape:
    if indices is None or not indices or shape is None or indices[-1] is None:
        return None
    if indices[-1] > len(shape):
        raise ValueError(f"{indices[-1]} axes are indexed of {len(shape)}")
    return (*indices[:-1], *shape[indices[-1] :])


def _places(indices: Array, shape: Sequence[int]) -> tuple[Array, ...]:
    """Rows of indices as one array an axis."""
    if not indices.ndim or indices.shape[-1] > len(shape):
        raise ValueError(f"indices {indices.shape} do not go into {list(shape)}")
    for axis in range(indices.shape[-1]):
        check_places(indices[..., axis], shape[axis])
    return tuple(np.moveaxis(indices, -1, 0))


def _gather_nd(attrs: Attrs, x: Array, indices: Array) -> Array:
    places = _places(indices, x.shape)
    if not places:
        return np.broadcast_to(x, indices.shape[:-1] + x.shape)
    return x[places]


declare(
    "GatherNd",
    infer=lambda node: [_nd_shape(node.inputs[0].shape, node.inputs[1].shape)],
    kernel=_gather_nd,
)
declare(
    "ResourceGatherNd",
    infer=lambda node: [_nd_shape(variable_shape(node), node.inputs[1].shape)],
)


# Scatter -----------------------------------------------------------------------------------------


def _scatter(result: Array, indices: Array, updates: Array, how: str) -> Array:
    """Write into an array, in place; what is named twice gets both."""
    places = _places(indices, result.shape)
    wanted = indices.shape[:-1] + result.shape[len(places) :]
    if updates.shape != wanted:
        raise ValueError(f"updates {updates.shape} should have shape {wanted}")
    if not indices.size and indices.shape[-1]:
        return result
    if not places:
        # Each row is the whole.
        for update in updates.reshape((-1, *result.shape)):
            result[...] = update if how == "update" else _COMBINE[how](result, update)
        return result
    if how == "update":
        result[places] = updates
    else:
        _COMBINE[how].at(result, places, updates)
    return result


_COMBINE: dict[str, Any] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
}


def _scatter_nd(attrs: Attrs, indices: Array, updates: Array, shape: Array) -> Array:
    return _scatter(np.zeros(integers(shape), updates.dtype), indices, updates, "add")


declare("ScatterNd", infer=lambda node: [sizes_input(node, 2)], kernel=_scatter_nd)


def _into(how: str) -> Kernel:
    def kernel(attrs: Attrs, x: Array, indices: Array, updates: Array) -> Array:
        return _scatter(x.copy(), indices, updates, how)

    return kernel


for _name, _how in {
    "ScatterNdNonAliasingAdd": "add",
    "TensorScatterAdd": "add",
    "TensorScatterMax": "max",
    "TensorScatterMin": "min",
    "TensorScatterSub": "sub",
    "TensorScatterUpdate": "update",
}.items():
    declare(_name, infer=lambda node: [node.inputs[0].shape], kernel=_into(_how))

declare(
    *("ScatterAdd", "ScatterDiv", "ScatterMax", "ScatterMin", "ScatterMul", "ScatterSub"),
    *("ScatterUpdate", "ScatterNdAdd", "ScatterNdSub", "ScatterNdUpdate"),
    infer=lambda node: [node.inputs[0].shape],
)
declare(
    *("ResourceScatterAdd", "ResourceScatterDiv", "ResourceScatterMax", "ResourceScatterMin"),
    *("ResourceScatterMul", "ResourceScatterSub", "ResourceScatterUpdate"),
    *("ResourceScatterNdAdd", "ResourceScatterNdSub", "ResourceScatterNdUpdate"),
    infer=lambda node: [],
)


def _inplace(how: str) -> Kernel:
    def kernel(attrs: Attrs, x: Array, rows: Array, values: Array) -> Array:
        check_places(rows % max(1, len(x)), len(x))
        return _scatter(x.copy(), rows[..., np.newaxis] % max(1, len(x)), values, how)

    return kernel


for _name, _how in {"InplaceAdd": "add", "InplaceSub": "sub", "InplaceUpdate": "update"}.items():
    declare(_name, infer=lambda node: [node.inputs[0].shape], kernel=_inplace(_how))


def _sparse_to_dense(
    attrs: Attrs, indices: Array, shape: Array, values: Array, default: Array
) -> Array:
    sizes = integers(shape)
    rows = indices.reshape((-1, max(1, len(sizes)))) if indices.ndim < 2 else indices
    result = np.full(sizes, default.reshape(())[()], values.dtype)
    if rows.size:
        result[_places(rows, sizes)] = values
    return result


declare("SparseToDense", infer=lambda node: [sizes_input(node, 1)], kernel=_sparse_to_dense)


# Stitch and partition ----------------------------------------------------------------------------


def _stitch_shape(node: Node) -> list[Shape]:
    count = node.attrs["N"]
    rest: Shape = None
    for index, data in zip(node.inputs[:count], node.inputs[count:], strict=True):
        if index.shape is not None and data.shape is not None:
            if len(data.shape) < len(index.shape):
                raise ValueError("data should have the shape of the indices, and more")
            rest = same_shape(rest, data.shape[len(index.shape) :])
    if rest is None:
        return [None]
    indices = [constant_input(node, index) for index in range(count)]
    known = [index for index in indices if index is not None]
    return [(_stitched_size(known) if len(known) == count else None, *rest)]


def _stitched_size(indices: Sequence[Array]) -> int:
    return max((int(index.max()) + 1 for index in indices if index.size), default=0)


def _stitch(attrs: Attrs, *inputs: Array) -> Array:
    count = attrs["N"]
    indices, data = inputs[:count], inputs[count:]
    size = _stitched_size(indices)
    rest = data[0].shape[indices[0].ndim :]
    if size > sum(index.size for index in indices):
        raise ValueError("an index lies outside of what is told")
    result = np.zeros((size, *rest), data[0].dtype)
    for index, part in zip(indices, data, strict=True):
        check_places(index, size)
        result[index.reshape(-1)] = part.reshape((-1, *rest))
    return result


declare("DynamicStitch", "ParallelDynamicStitch", infer=_stitch_shape, kernel=_stitch)


def _partition_shape(node: Node) -> list[Shape]:
    data, parts = (value.shape for value in node.inputs)
    count = node.attrs["num_partitions"]
    if data is None or parts is None:
        return [None] * count
    return [(None, *data[len(parts) :])] * count


def _partition(attrs: Attrs, data: Array, parts: Array) -> tuple[Array, ...]:
    check_places(parts, attrs["num_partitions"])
    flat = data.reshape((-1, *data.shape[parts.ndim :]))
    return tuple(flat[parts.reshape(-1) == part] for part in range(attrs["num_partitions"]))


declare("DynamicPartition", infer=of_constants(_partition, _partition_shape), kernel=_partition)
