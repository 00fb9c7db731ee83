"""Sparse and ragged tensors, cells of recurrent networks; of most only what shapes they give."""

from __future__ import annotations

import math

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import declare, unknown
from tfjs.ops.shapes import partial_shape, with_rank
from tfjs.ops.shaping import integers

# A sparse tensor may state any number of rows; no more are filled.
_MOST_ROWS = 1 << 27

# Sparse ------------------------------------------------------------------------------------------


def _columns(shape: Shape) -> int | None:
    """How many axes a sparse tensor has, by the shape of its indices."""
    return with_rank(shape, 2)[1]


def _filled_rows(node: Node) -> list[Shape]:
    dense = partial_shape(node.inputs[2])
    rows = dense[0] if dense else None
    entries = with_rank(node.inputs[0].shape, 2)[0]
    return [(None, _columns(node.inputs[0].shape)), (None,), (rows,), (entries,)]


def _sparse_reshaped(node: Node) -> list[Shape]:
    entries = with_rank(node.inputs[0].shape, 2)[0]
    (rank,) = with_rank(node.inputs[2].shape, 1)
    return [(entries, rank), (rank,)]


def _check_entries(indices: Array, values: Array | None, sizes: list[int]) -> None:
    if indices.ndim != 2 or indices.shape[1] != len(sizes) or min(sizes, default=0) < 0:
        raise ValueError(f"{indices.shape} are no indices of a tensor of {sizes}")
    if values is not None and values.shape != indices.shape[:1]:
        raise ValueError(f"{values.shape} are no values at {indices.shape} indices")
    if np.any(indices < 0) or np.any(indices >= np.array(sizes)):
        raise ValueError(f"an index lies outside of {sizes}")


def _fill_rows(
    attrs: Attrs, indices: Array, values: Array, shape: Array, default: Array
) -> tuple[Array, ...]:
    sizes = integers(shape)
    if not sizes or sizes[0] > _MOST_ROWS:
        raise ValueError(f"the rows of {sizes} are not filled")
    _check_entries(indices, values, sizes)
    empty = np.bincount(indices[:, 0], minlength=sizes[0]) == 0
    added = np.zeros((int(empty.sum()), len(sizes)), indices.dtype)
    added[:, 0] = np.flatnonzero(empty)
    every = np.concatenate([indices, added])
    order = np.argsort(every[:, 0], kind="stable")
    filled = np.concatenate([values, np.full(len(added), default.reshape(())[()], values.dtype)])
    # Where each entry has gone.
    places = np.empty(len(every), indices.dtype)
    places[order] = np.arange(len(every))
    return every[order], filled[order], empty, places[: len(indices)]


def _reshape(attrs: Attrs, indices: Array, shape: Array, wanted: Array) -> tuple[Array, Array]:
    sizes, new = integers(shape), integers(wanted)
    _check_entries(indices, None, sizes)
    total = math.prod(sizes)
    known = math.prod(size for size in new if size != -1)
    if new.count(-1) == 1 and known and not total % known:
        new = [total // known if size == -1 else size for size in new]
    if math.prod(new) != total or min(new, default=0) < 0 or total >= 1 << 63:
        raise ValueError(f"a tensor of {sizes} is not reshaped to {integers(wanted)}")
    flat = np.ravel_multi_index(tuple(indices.T), sizes) if len(indices) else np.zeros(0, np.int64)
    made = np.array(np.unravel_index(flat, new), np.int64).reshape(len(new), len(indices))
    return made.T.astype(indices.dtype), np.array(new, wanted.dtype)


def _reorder(attrs: Attrs, indices: Array, values: Array, shape: Array) -> tuple[Array, Array]:
    _check_entries(indices, values, integers(shape))
    order = np.lexsort(indices.T[::-1])
    return indices[order], values[order]


declare("SparseFillEmptyRows", infer=_filled_rows, kernel=_fill_rows)
declare("SparseReshape", infer=_sparse_reshaped, kernel=_reshape)
declare(
    "SparseReorder",
    infer=lambda node: [value.shape for value in node.inputs[:2]],
    kernel=_reorder,
)
declare("SparseSoftmax", infer=lambda node: [node.inputs[1].shape])


def _dense_product(node: Node) -> list[Shape]:
    dense, sizes = with_rank(node.inputs[3].shape, 2), partial_shape(node.inputs[2])
    rows: int | None = None
    if sizes is not None and len(sizes) == 2:
        rows = sizes[1] if node.attrs.get("adjoint_a", False) else sizes[0]
    return [(rows, dense[0] if node.attrs.get("adjoint_b", False) else dense[1])]


declare("SparseTensorDenseMatMul", infer=_dense_product)
declare("SparseTensorDenseAdd", infer=lambda node: [node.inputs[3].shape])
declare(
    *("SparseDenseCwiseAdd", "SparseDenseCwiseDiv", "SparseDenseCwiseMul"),
    infer=lambda node: [node.inputs[1].shape],
)


def _same_columns(node: Node) -> list[Shape]:
    rank = _columns(node.inputs[0].shape)
    return [(None, rank), (None,), (rank,)]


declare("SparseAdd", "SparseConcat", "SparseSlice", infer=_same_columns)


def _sparse_split(node: Node) -> list[Shape]:
    count, rank = node.attrs["num_split"], _columns(node.inputs[1].shape)
    return [*[(None, rank)] * count, *[(None,)] * count, *[(rank,)] * count]


declare("SparseSplit", infer=_sparse_split)
declare("SparseCross", infer=lambda node: [(None, 2), (None,), (2,)])
declare("SparseReduceMax", "SparseReduceSum", infer=unknown())


def _set_operation(node: Node) -> list[Shape]:
    return [(None, None), (None,), (None,)]


declare("DenseToDenseSetOperation", "DenseToSparseSetOperation", infer=_set_operation)
declare("SparseToSparseSetOperation", infer=_set_operation)
declare("SetSize", "EditDistance", infer=unknown())


# Ragged ------------------------------------------------------------------------------------------


def _ragged_gathered(node: Node) -> list[Shape]:
    given, made = node.attrs["PARAMS_RAGGED_RANK"], node.attrs["OUTPUT_RAGGED_RANK"]
    values = node.inputs[given].shape
    rest: Shape = None if values is None else (None, *values[1:])
    return [*[(None,)] * made, rest]


declare("RaggedGather", infer=_ragged_gathered)


def _ragged_range(node: Node) -> list[Shape]:
    # Scalars go with any number of ranges.
    sizes = {value.shape[0] for value in node.inputs if value.shape}
    known = [size for size in sizes if size is not None]
    if any(value.shape is None for value in node.inputs) and not known:
        return [(None,), (None,)]
    rows = known[0] if known else (None if sizes else 1)
    return [(None if rows is None else rows + 1,), (None,)]


declare("RaggedRange", infer=_ragged_range)


def _ragged_to_dense(node: Node) -> list[Shape]:
    sizes, values = partial_shape(node.inputs[0]), node.inputs[1].shape
    if sizes is None:
        return [None]
    known = [None if size is None or size < 0 else size for size in sizes]
    rest = () if values is None else values[1:]
    if rest:
        # The last axes are those of the values, where the shape does not tell.
        for at in range(1, min(len(rest), len(known)) + 1):
            known[-at] = rest[-at] if known[-at] is None else known[-at]
    return [tuple(known)]


declare("RaggedTensorToTensor", infer=_ragged_to_dense)


def _ragged_to_sparse(node: Node) -> list[Shape]:
    values = node.inputs[-1].shape
    rank = None if values is None else node.attrs["RAGGED_RANK"] + len(values)
    return [(None, rank), (None,), (rank,)]


declare("RaggedTensorToSparse", infer=_ragged_to_sparse)
declare("RaggedCross", infer=lambda node: [(None,), (None,)])


# Cells of recurrent networks ---------------------------------------------------------------------


def _gru_shape(node: Node) -> list[Shape]:
    return [node.inputs[1].shape] * 4


def _lstm_shape(node: Node) -> list[Shape]:
    return [node.inputs[1].shape] * 7


def _block_lstm_shape(node: Node) -> list[Shape]:
    steps, batch, _ = with_rank(node.inputs[1].shape, 3)
    units = with_rank(node.inputs[2].shape, 2)[1]
    return [(steps, batch, units)] * 7


declare("GRUBlockCell", infer=_gru_shape)
declare("LSTMBlockCell", infer=_lstm_shape)
declare("BlockLSTM", "BlockLSTMV2", infer=_block_lstm_shape)


# Sequences ---------------------------------------------------------------------------------------


def _batch(node: Node) -> int | None:
    return with_rank(node.inputs[0].shape, 3)[1]


declare("CTCGreedyDecoder", infer=lambda n: [(None, 2), (None,), (2,), (_batch(n), 1)])
declare("CTCLoss", infer=lambda node: [(_batch(node),), node.inputs[0].shape])
