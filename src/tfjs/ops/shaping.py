"""Operations that give the same elements another shape or order of axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import Infer, Kernel, as_first, broadcast_shapes, constant_input, declare
from tfjs.ops.shapes import (
    Sizes,
    axis_in,
    free,
    partial_shape,
    product,
    scalar_input,
    sizes_input,
    times,
    with_rank,
)


def integers(array: Array) -> list[int]:
    """The numbers of an input that holds axes or sizes.

    Raises:
        ValueError: it holds no integers.
    """
    if array.dtype.kind not in "iu":
        raise ValueError("an input should hold integers")
    return [int(item) for item in array.reshape(-1)]


def axes_input(node: Node, index: int, rank: int) -> tuple[int, ...] | None:
    """The axes that an input names, counted from the front; None where it is not constant.

    Raises:
        ValueError: an axis lies outside of the rank, or is named twice.
    """
    array = constant_input(node, index)
    if array is None:
        sizes = partial_shape(node.inputs[index])
        named = [] if sizes is None else [size for size in sizes if size is not None]
        if sizes is None or len(named) < len(sizes):
            return None
    else:
        named = integers(array)
    axes = tuple(axis_in(axis, rank) for axis in named)
    if len(set(axes)) < len(axes):
        raise ValueError(f"an axis is named twice in {named}")
    return axes


# Reshape -----------------------------------------------------------------------------------------


def _reshape_shape(node: Node) -> list[Shape]:
    wanted = partial_shape(node.inputs[1])
    if wanted is None:
        return [None]
    if wanted.count(-1) > 1 or any(size is not None and size < -1 for size in wanted):
        raise ValueError(f"no shape {list(wanted)}")
    shape = tuple(None if size == -1 else size for size in wanted)
    given = node.inputs[0].shape
    if given is None or product(given) is None or shape.count(None) > 1:
        return [shape]
    known = [size for size in shape if size is not None]
    if len(known) < len(shape):
        # What is not known may be any number where there are no elements on both sides.
        any_size = -1 not in wanted and 0 in known
        left = None if any_size else _left(given, known)
        return [tuple(left if size is None else size for size in shape)]
    if product(given) != product(known):
        raise ValueError(f"{list(given)} makes no shape {list(wanted)}")
    return [shape]


def _left(given: Sizes, known: Sequence[int]) -> int | None:
    """The one size that is not told; None where it is not for us to say.

    Raises:
        ValueError: no size makes as many elements on both sides.
    """
    if 0 in known and 0 in given:
        # TensorFlow then leaves sizes of 0 out on both sides, and asks no more.
        total, rest = (product([size for size in sizes if size != 0]) for sizes in (given, known))
        return None if total is None or rest is None else total // rest
    total, rest = product(given), product(known)
    if total is None:
        return None
    if not rest or total % rest:
        raise ValueError(f"{list(given)} makes no shape of {list(known)} and another size")
    return total // rest


def _reshape(attrs: Attrs, x: Array, shape: Array) -> Array:
    sizes = integers(shape)
    if shape.ndim != 1 or any(size < -1 for size in sizes) or sizes.count(-1) > 1:
        raise ValueError(f"no shape {sizes}")
    if -1 in sizes:
        left = _left(x.shape, [size for size in sizes if size >= 0]) or 0
        sizes = [left if size == -1 else size for size in sizes]
    return x.reshape(sizes)


declare("Reshape", infer=_reshape_shape, kernel=_reshape)


def _expand_shape(node: Node) -> list[Shape]:
    shape, axis = node.inputs[0].shape, scalar_input(node, 1)
    if shape is None:
        return [None]
    if axis is None:
        return [free(len(shape) + 1)]
    axis = axis_in(axis, len(shape) + 1)
    return [(*shape[:axis], 1, *shape[axis:])]


def _expand(attrs: Attrs, x: Array, axis: Array) -> Array:
    (where,) = integers(axis)
    return np.expand_dims(x, axis_in(where, x.ndim + 1))


declare("ExpandDims", infer=_expand_shape, kernel=_expand)


def _squeeze_shape(node: Node) -> list[Shape]:
    shape = node.inputs[0].shape
    if shape is None:
        return [None]
    axes = {axis_in(axis, len(shape)) for axis in node.attrs.get("squeeze_dims") or ()}
    if not axes:
        # Which axes go depends on all sizes.
        return [None if None in shape else tuple(size for size in shape if size != 1)]
    if any(shape[axis] not in (None, 1) for axis in axes):
        raise ValueError(f"axes {sorted(axes)} of {list(shape)} are not all of size 1")
    return [tuple(size for axis, size in enumerate(shape) if axis not in axes)]


def _squeeze(attrs: Attrs, x: Array) -> Array:
    axes = {axis_in(axis, x.ndim) for axis in attrs.get("squeeze_dims") or ()}
    return np.squeeze(x, tuple(sorted(axes)) if axes else None)


declare("Squeeze", infer=_squeeze_shape, kernel=_squeeze)


# Order of axes -----------------------------------------------------------------------------------


def _permutation(order: Sequence[int], rank: int) -> tuple[int, ...]:
    axes = tuple(axis_in(axis, rank) for axis in order)
    if len(axes) != rank or len(set(axes)) != rank:
        raise ValueError(f"{list(order)} is no order of {rank} axes")
    return axes


def _transpose_shape(node: Node) -> list[Shape]:
    shape, order = node.inputs[0].shape, partial_shape(node.inputs[1])
    if order is None:
        return [None if shape is None else free(len(shape))]
    known = [axis for axis in order if axis is not None]
    if shape is None or len(known) < len(order):
        return [free(len(order))]
    return [tuple(shape[axis] for axis in _permutation(known, len(shape)))]


def _transpose(attrs: Attrs, x: Array, order: Array) -> Array:
    return np.transpose(x, _permutation(integers(order), x.ndim))


declare("Transpose", infer=_transpose_shape, kernel=_transpose)
declare(
    "ConjugateTranspose",
    infer=_transpose_shape,
    kernel=lambda attrs, x, order: np.conj(_transpose(attrs, x, order)),
)


def _invert_permutation(attrs: Attrs, x: Array) -> Array:
    if sorted(x.tolist()) != list(range(x.size)):
        raise ValueError("no permutation")
    result = np.empty_like(x)
    result[x] = np.arange(x.size, dtype=x.dtype)
    return result


declare("InvertPermutation", infer=as_first, kernel=_invert_permutation)


# Broadcasting ------------------------------------------------------------------------------------


def _broadcast_to_shape(node: Node) -> list[Shape]:
    wanted = sizes_input(node, 1)
    given = node.inputs[0].shape
    if wanted is not None and given is not None:
        if len(given) > len(wanted):
            raise ValueError(f"{list(given)} is not broadcast to {list(wanted)}")
        pairs = zip(reversed(given), reversed(wanted), strict=False)
        if any(new is not None and old not in (None, 1, new) for old, new in pairs):
            raise ValueError(f"{list(given)} is not broadcast to {list(wanted)}")
    return [wanted]


declare(
    "BroadcastTo",
    infer=_broadcast_to_shape,
    kernel=lambda attrs, x, shape: np.broadcast_to(x, integers(shape)),
)


def _broadcast_args_shape(node: Node) -> list[Shape]:
    sizes = [value.shape for value in node.inputs]
    if any(shape is None or None in shape for shape in sizes):
        return [(None,)]
    lengths = [shape[0] or 0 for shape in sizes if shape]
    return [(max(lengths, default=0),)]


def _broadcast_args(attrs: Attrs, first: Array, second: Array) -> Array:
    shape = broadcast_shapes([tuple(integers(first)), tuple(integers(second))])
    return np.array(shape, first.dtype)


declare("BroadcastArgs", infer=_broadcast_args_shape, kernel=_broadcast_args)
declare("BroadcastGradientArgs", infer=lambda node: [(None,), (None,)])


# Blocks between space and batch or depth ---------------------------------------------------------


def _blocks(node: Node) -> tuple[list[int] | None, Array | None]:
    edges = constant_input(node, len(node.inputs) - 1)
    if "block_size" in node.attrs:
        return [int(node.attrs["block_size"])] * 2, edges
    sizes = constant_input(node, 1)
    return None if sizes is None else integers(sizes), edges


def _check_blocks(sizes: Sequence[int], edges: Array, rank: int) -> None:
    if edges.shape != (len(sizes), 2) or np.any(edges < 0) or min(sizes, default=1) < 1:
        raise ValueError("blocks and edges do not go together")
    if rank <= len(sizes):
        raise ValueError(f"{len(sizes)} blocks are too many for rank {rank}")


def _space_to_batch_shape(node: Node) -> list[Shape]:
    shape = node.inputs[0].shape
    sizes, edges = _blocks(node)
    if shape is None:
        return [None]
    if sizes is None or edges is None:
        return [free(len(shape))]
    _check_blocks(sizes, edges, len(shape))
    result = list(shape)
    result[0] = times(shape[0], product(sizes))
    for axis, (block, (low, high)) in enumerate(zip(sizes, edges.tolist(), strict=True), start=1):
        size = shape[axis]
        if size is None:
            continue
        if (size + low + high) % block:
            raise ValueError(f"size {size + low + high} is no multiple of {block}")
        result[axis] = (size + low + high) // block
    return [tuple(result)]


def _space_to_batch(attrs: Attrs, x: Array, blocks: Array, paddings: Array) -> Array:
    sizes = integers(blocks)
    _check_blocks(sizes, paddings, x.ndim)
    count = len(sizes)
    rest = x.ndim - 1 - count
    padded = np.pad(x, [(0, 0), *paddings.tolist(), *[(0, 0)] * rest])
    split: list[int] = [x.shape[0]]
    for size, block in zip(padded.shape[1:], sizes, strict=False):
        if size % block:
            raise ValueError(f"size {size} is no multiple of {block}")
        split += [size // block, block]
    inner = padded.shape[1 + count :]
    order = [
        *range(2, 2 * count + 1, 2),
        0,
        *range(1, 2 * count + 1, 2),
        *range(2 * count + 1, 2 * count + 1 + rest),
    ]
    outer = tuple(size // block for size, block in zip(padded.shape[1:], sizes, strict=False))
    moved = padded.reshape([*split, *inner]).transpose(order)
    return moved.reshape((x.shape[0] * int(np.prod(sizes, dtype=np.int64)), *outer, *inner))


def _batch_to_space_shape(node: Node) -> list[Shape]:
    shape = node.inputs[0].shape
    sizes, edges = _blocks(node)
    if shape is None:
        return [None]
    if sizes is None or edges is None:
        return [free(len(shape))]
    _check_blocks(sizes, edges, len(shape))
    result = list(shape)
    if shape[0] is not None:
        count = product(sizes) or 1
        if shape[0] % count:
            raise ValueError(f"batch {shape[0]} is no multiple of {count}")
        result[0] = shape[0] // count
    for axis, (block, (low, high)) in enumerate(zip(sizes, edges.tolist(), strict=True), start=1):
        size = shape[axis]
        if size is None:
            continue
        if low + high > size * block:
            raise ValueError(f"size {size * block} is cropped by {low + high}")
        result[axis] = size * block - low - high
    return [tuple(result)]


def _batch_to_space(attrs: Attrs, x: Array, blocks: Array, crops: Array) -> Array:
    sizes = integers(blocks)
    _check_blocks(sizes, crops, x.ndim)
    count = len(sizes)
    batch = x.shape[0] // int(np.prod(sizes, dtype=np.int64))
    split = x.reshape((*sizes, batch, *x.shape[1:]))
    order = [count]
    for axis in range(count):
        order += [count + 1 + axis, axis]
    order += range(2 * count + 1, split.ndim)
    spatial = [size * block for size, block in zip(x.shape[1:], sizes, strict=False)]
    joined = split.transpose(order).reshape((batch, *spatial, *x.shape[1 + count :]))
    keep = tuple(
        slice(low, size - high) for size, (low, high) in zip(spatial, crops.tolist(), strict=True)
    )
    return joined[(slice(None), *keep)]


declare("SpaceToBatchND", infer=_space_to_batch_shape, kernel=_space_to_batch)
declare("BatchToSpaceND", infer=_batch_to_space_shape, kernel=_batch_to_space)


def _of_images(infer: Infer) -> Infer:
    return lambda node: [with_rank(shape, 4) for shape in infer(node)]


def _by_squares(kernel: Kernel) -> Kernel:
    """The kernel with the attribute of the older editions, which is the size of all blocks."""

    def by_squares(attrs: Attrs, x: Array, edges: Array) -> Array:
        return np.asarray(kernel(attrs, x, np.full(2, int(attrs["block_size"])), edges))

    return by_squares


declare(
    "SpaceToBatch", infer=_of_images(_space_to_batch_shape), kernel=_by_squares(_space_to_batch)
)
declare(
    "BatchToSpace", infer=_of_images(_batch_to_space_shape), kernel=_by_squares(_batch_to_space)
)


def _depth_format(attrs: Attrs, shape: Sizes) -> tuple[int, bool]:
    """The size of blocks, and whether channels come first."""
    block, layout = int(attrs["block_size"]), attrs.get("data_format", b"NHWC")
    if block < 1 or layout not in (b"NHWC", b"NCHW"):
        raise ValueError(f"no blocks of {block} in {layout!r}")
    return block, layout == b"NCHW"


def _divided(size: int | None, by: int) -> int | None:
    if size is not None and size % by:
        raise ValueError(f"size {size} is no multiple of {by}")
    return None if size is None else size // by


def _blocked_shape(node: Node) -> list[Shape]:
    if node.attrs.get("data_format") == b"NCHW_VECT_C":
        return [free(5)]
    shape = with_rank(node.inputs[0].shape, 4)
    block, first = _depth_format(node.attrs, shape)
    batch, height, width, depth = (shape[i] for i in ((0, 2, 3, 1) if first else (0, 1, 2, 3)))
    if node.op == "SpaceToDepth":
        height, width = _divided(height, block), _divided(width, block)
        depth = times(depth, block * block)
    else:
        height, width = times(height, block), times(width, block)
        depth = _divided(depth, block * block)
    return [(batch, depth, height, width) if first else (batch, height, width, depth)]


def _space_to_depth(attrs: Attrs, x: Array) -> Array:
    block, first = _depth_format(attrs, x.shape)
    image = x.transpose(0, 2, 3, 1) if first else x
    batch, height, width, depth = image.shape
    split = image.reshape(batch, height // block, block, width // block, block, depth)
    result = split.transpose(0, 1, 3, 2, 4, 5).reshape(
        batch, height // block, width // block, block * block * depth
    )
    return result.transpose(0, 3, 1, 2) if first else result


def _depth_to_space(attrs: Attrs, x: Array) -> Array:
    block, first = _depth_format(attrs, x.shape)
    image = x.transpose(0, 2, 3, 1) if first else x
    batch, height, width, depth = image.shape
    inner = depth // (block * block)
    split = image.reshape(batch, height, width, block, block, inner)
    result = split.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height * block, width * block, inner)
    return result.transpose(0, 3, 1, 2) if first else result


declare("SpaceToDepth", infer=_blocked_shape, kernel=_space_to_depth)
declare("DepthToSpace", infer=_blocked_shape, kernel=_depth_to_space)
