"""Sparse and ragged tensors, cells of recurrent networks: only what shapes they give."""

from __future__ import annotations

from tfjs.ir.graph import Node, Shape
from tfjs.ops.base import declare, unknown
from tfjs.ops.shapes import partial_shape, with_rank

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


declare("SparseFillEmptyRows", infer=_filled_rows)
declare("SparseReshape", infer=_sparse_reshaped)
declare("SparseReorder", infer=lambda node: [value.shape for value in node.inputs[:2]])
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
