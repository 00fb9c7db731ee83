"""Operations that put values together, or cut one into several."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape, Value
from tfjs.ir.tensor import Array
from tfjs.ops.base import as_first, constant_input, declare
from tfjs.ops.passing import attr_shape
from tfjs.ops.shapes import (
    Sizes,
    axis_in,
    free,
    partial_shape,
    plus,
    same_shape,
    same_size,
    scalar_input,
    times,
)
from tfjs.ops.shaping import axes_input, integers


def _without(shape: Sizes, axis: int) -> Sizes:
    return (*shape[:axis], *shape[axis + 1 :])


# Concatenation -----------------------------------------------------------------------------------


def _concat_shape(node: Node, values: Sequence[Value], axis_at: int) -> list[Shape]:
    known = [value.shape for value in values if value.shape is not None]
    if not known:
        return [None]
    rank = len(known[0])
    if any(len(shape) != rank for shape in known):
        raise ValueError(f"ranks of {[list(shape) for shape in known]} should be equal")
    axis = scalar_input(node, axis_at)
    if axis is None:
        return [free(rank)]
    axis = axis_in(axis, rank)
    shapes = [free(rank) if value.shape is None else value.shape for value in values]
    joined = reduce(plus, (shape[axis] for shape in shapes))
    others: list[Shape] = [_without(shape, axis) for shape in shapes]
    rest = reduce(same_shape, others) or ()
    return [(*rest[:axis], joined, *rest[axis:])]


def _concat(axis: Array, values: Sequence[Array]) -> Array:
    (where,) = integers(axis)
    if any(value.ndim == 0 for value in values):
        raise ValueError("scalars are not concatenated")
    return np.concatenate(values, axis=axis_in(where, values[0].ndim))


declare(
    "ConcatV2",
    infer=lambda node: _concat_shape(node, node.inputs[:-1], len(node.inputs) - 1),
    kernel=lambda attrs, *inputs: _concat(inputs[-1], inputs[:-1]),
)
declare(
    "Concat",
    infer=lambda node: _concat_shape(node, node.inputs[1:], 0),
    kernel=lambda attrs, *inputs: _concat(inputs[0], inputs[1:]),
)


def _concat_offset(attrs: Attrs, axis: Array, *shapes: Array) -> tuple[Array, ...]:
    (where,) = integers(axis)
    offset, result = 0, []
    for shape in shapes:
        start = np.zeros_like(shape)
        start[where] = offset
        offset += int(shape[where])
        result.append(start)
    return tuple(result)


declare(
    "ConcatOffset",
    infer=lambda node: [value.shape for value in node.inputs[1:]],
    kernel=_concat_offset,
)
declare("ParallelConcat", infer=lambda node: [attr_shape(node.attrs, "shape")])


# Pack and unpack ---------------------------------------------------------------------------------


def _pack_shape(node: Node) -> list[Shape]:
    shape = reduce(same_shape, (value.shape for value in node.inputs))
    if shape is None:
        return [None]
    axis = axis_in(node.attrs.get("axis", 0), len(shape) + 1)
    return [(*shape[:axis], len(node.inputs), *shape[axis:])]


def _pack(attrs: Attrs, *values: Array) -> Array:
    return np.stack(values, axis=axis_in(attrs.get("axis", 0), values[0].ndim + 1))


declare("Pack", infer=_pack_shape, kernel=_pack)


def _unpack_shape(node: Node) -> list[Shape]:
    shape, count = node.inputs[0].shape, node.attrs["num"]
    if shape is None or not count:
        return [None] * count
    axis = axis_in(node.attrs.get("axis", 0), len(shape))
    same_size(shape[axis], count)
    return [_without(shape, axis)] * count


def _unpack(attrs: Attrs, x: Array) -> tuple[Array, ...]:
    axis = axis_in(attrs.get("axis", 0), x.ndim)
    if attrs["num"]:
        same_size(x.shape[axis], attrs["num"])
    return tuple(np.moveaxis(x, axis, 0)[index] for index in range(attrs["num"]))


declare("Unpack", infer=_unpack_shape, kernel=_unpack)


# Split -------------------------------------------------------------------------------------------


def _split_shape(node: Node) -> list[Shape]:
    shape, axis, count = node.inputs[1].shape, scalar_input(node, 0), node.attrs["num_split"]
    if shape is None or count < 1:
        return [None] * count
    if axis is None:
        return [free(len(shape))] * count
    axis = axis_in(axis, len(shape))
    size = shape[axis]
    if size is not None and size % count:
        raise ValueError(f"size {size} is not split in {count}")
    part = None if size is None else size // count
    return [(*shape[:axis], part, *shape[axis + 1 :])] * count


def _split(attrs: Attrs, axis: Array, x: Array) -> tuple[Array, ...]:
    (where,) = integers(axis)
    return tuple(np.split(x, attrs["num_split"], axis=axis_in(where, x.ndim)))


declare("Split", infer=_split_shape, kernel=_split)


def _split_sizes(sizes: Sequence[int | None], whole: int | None) -> list[int | None]:
    """The size of each part; -1 stands for what is left."""
    if any(size is not None and size < -1 for size in sizes) or sizes.count(-1) > 1:
        raise ValueError(f"no sizes {list(sizes)}")
    if None in sizes:
        return [None if size == -1 else size for size in sizes]
    told = sum(size for size in sizes if size is not None and size >= 0)
    if whole is not None and (told > whole or (told < whole and -1 not in sizes)):
        raise ValueError(f"size {whole} is not split in {list(sizes)}")
    left = None if whole is None else whole - told
    return [left if size == -1 else size for size in sizes]


def _split_v_shape(node: Node) -> list[Shape]:
    shape, axis, count = node.inputs[0].shape, scalar_input(node, 2), node.attrs["num_split"]
    if shape is None:
        return [None] * count
    if axis is None:
        return [free(len(shape))] * count
    axis = axis_in(axis, len(shape))
    sizes = partial_shape(node.inputs[1]) or free(count) if count <= 254 else _constant(node, count)
    if len(sizes) != count:
        raise ValueError(f"{len(sizes)} sizes are told for {count} parts")
    parts = _split_sizes(sizes, shape[axis])
    return [(*shape[:axis], size, *shape[axis + 1 :]) for size in parts]


def _constant(node: Node, count: int) -> Sizes:
    array = constant_input(node, 1)
    return (None,) * count if array is None else tuple(integers(array))


def _split_v(attrs: Attrs, x: Array, sizes: Array, axis: Array) -> tuple[Array, ...]:
    (where,) = integers(axis)
    where = axis_in(where, x.ndim)
    parts = [size or 0 for size in _split_sizes(integers(sizes), x.shape[where])]
    return tuple(np.split(x, np.cumsum(parts[:-1], dtype=np.int64), axis=where))


declare("SplitV", infer=_split_v_shape, kernel=_split_v)


# Tile, pad ---------------------------------------------------------------------------------------


def _tile_shape(node: Node) -> list[Shape]:
    shape, counts = node.inputs[0].shape, partial_shape(node.inputs[1])
    if counts is None or shape is None:
        known = counts if shape is None else shape
        return [None if known is None else free(len(known))]
    if len(counts) != len(shape) or any(count is not None and count < 0 for count in counts):
        raise ValueError(f"{list(shape)} is not repeated {list(counts)} times")
    return [tuple(0 if 0 in pair else times(*pair) for pair in zip(shape, counts, strict=True))]


def _tile(attrs: Attrs, x: Array, multiples: Array) -> Array:
    counts = integers(multiples)
    if len(counts) != x.ndim or any(count < 0 for count in counts):
        raise ValueError(f"{list(x.shape)} is not repeated {counts} times")
    return np.tile(x, counts)


declare("Tile", infer=_tile_shape, kernel=_tile)


def _pad_shape(node: Node) -> list[Shape]:
    shape, edges = node.inputs[0].shape, constant_input(node, 1)
    if shape is None:
        told = node.inputs[1].shape
        return [None if told is None or not told or told[0] is None else free(told[0])]
    if edges is None:
        return [free(len(shape))]
    _check_edges(edges, len(shape))
    grown = zip(shape, edges.tolist(), strict=True)
    return [tuple(None if size is None else size + low + high for size, (low, high) in grown)]


def _check_edges(edges: Array, rank: int) -> None:
    if edges.shape != (rank, 2) or edges.dtype.kind not in "iu" or np.any(edges < 0):
        raise ValueError(f"no paddings {edges.tolist()} for rank {rank}")


def _pad(attrs: Attrs, x: Array, paddings: Array, value: Array | None = None) -> Array:
    _check_edges(paddings, x.ndim)
    empty = b"" if x.dtype == object else 0
    fill = empty if value is None else value.reshape(())[()]
    grown = [size + int(edge.sum()) for size, edge in zip(x.shape, paddings, strict=True)]
    result = np.full(grown, fill, x.dtype)
    inner = [
        slice(low, low + size) for size, (low, _) in zip(x.shape, paddings.tolist(), strict=True)
    ]
    result[tuple(inner)] = x
    return result


declare("Pad", "PadV2", infer=_pad_shape, kernel=_pad)


def _mirror_pad(attrs: Attrs, x: Array, paddings: Array) -> Array:
    _check_edges(paddings, x.ndim)
    reflect = attrs["mode"] == b"REFLECT"
    most = np.array(x.shape) - (1 if reflect else 0)
    if np.any((paddings > most[:, np.newaxis]) & (paddings > 0)):
        raise ValueError(f"paddings {paddings.tolist()} are more than there is to mirror")
    return np.pad(x, paddings, mode="reflect" if reflect else "symmetric")


declare("MirrorPad", infer=_pad_shape, kernel=_mirror_pad)


# Order along an axis -----------------------------------------------------------------------------


def _reverse(attrs: Attrs, x: Array, dims: Array) -> Array:
    if dims.shape != (x.ndim,):
        raise ValueError("a boolean is needed for each axis")
    return np.flip(x, tuple(axis for axis in range(x.ndim) if dims[axis]))


def _reverse_v2_shape(node: Node) -> list[Shape]:
    shape = node.inputs[0].shape
    if shape:
        axes_input(node, 1, len(shape))
    return [shape]


def _reverse_v2(attrs: Attrs, x: Array, axes: Array) -> Array:
    if not x.ndim:
        return x
    return np.flip(x, tuple(axis_in(axis, x.ndim) for axis in integers(axes)))


declare("Reverse", infer=as_first, kernel=_reverse)
declare("ReverseV2", infer=_reverse_v2_shape, kernel=_reverse_v2)


def _roll(attrs: Attrs, x: Array, shift: Array, axis: Array) -> Array:
    return np.roll(x, integers(shift), [axis_in(at, x.ndim) for at in integers(axis)])


declare("Roll", infer=as_first, kernel=_roll)


def _reverse_sequence(attrs: Attrs, x: Array, lengths: Array) -> Array:
    along = axis_in(attrs["seq_dim"], x.ndim)
    batch = axis_in(attrs.get("batch_dim", 0), x.ndim)
    if lengths.shape != (x.shape[batch],) or along == batch:
        raise ValueError("a length is needed for each entry of the batch")
    if np.any(lengths < 0) or np.any(lengths > x.shape[along]):
        raise ValueError("a length lies outside")
    result = x.copy()
    source, target = (np.moveaxis(item, (batch, along), (0, 1)) for item in (x, result))
    for row, length in enumerate(integers(lengths)):
        target[row, :length] = source[row, :length][::-1]
    return result


declare("ReverseSequence", infer=as_first, kernel=_reverse_sequence)
