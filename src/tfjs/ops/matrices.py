"""Products of matrices, and their parts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import as_first, broadcast_shapes, constant_input, declare
from tfjs.ops.elementwise import numpy_dtype
from tfjs.ops.shapes import (
    Sizes,
    at_least,
    partial_scalar,
    same_size,
    with_rank,
)
from tfjs.ops.shaping import integers


def _flag(attrs: Attrs, *keys: str) -> bool:
    return any(attrs.get(key, False) for key in keys)


def _swapped(shape: Sizes, swap: bool) -> Sizes:
    return (*shape[:-2], shape[-1], shape[-2]) if swap else shape


# Products ----------------------------------------------------------------------------------------


def matmul_shape(node: Node) -> list[Shape]:
    """The shape of a product of two matrices."""
    first, second = (with_rank(value.shape, 2) for value in node.inputs[:2])
    first = _swapped(first, bool(node.attrs.get("transpose_a")))
    second = _swapped(second, bool(node.attrs.get("transpose_b")))
    same_size(first[1], second[0])
    return [(first[0], second[1])]


def product(first: Array, second: Array) -> Array:
    """The product of matrices, in their dtype; an array of its own."""
    if first.dtype == np.float16:
        # Halves are added up in single precision.
        wide = np.matmul(first.astype(np.float32), second.astype(np.float32))
        return np.asarray(wide).astype(np.float16)
    return np.asarray(np.matmul(first, second))


def _matmul(attrs: Attrs, a: Array, b: Array) -> Array:
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError("matrices are multiplied")
    first = a.T if _flag(attrs, "transpose_a") else a
    second = b.T if _flag(attrs, "transpose_b") else b
    return product(first, second)


declare("MatMul", infer=matmul_shape, kernel=_matmul)
declare("SparseMatMul", infer=matmul_shape, kernel=_matmul)


def _batch_matmul_shape(node: Node) -> list[Shape]:
    first, second = (at_least(value.shape, 2) for value in node.inputs)
    if first is None or second is None:
        return [None]
    first = _swapped(first, _flag(node.attrs, "adj_x"))
    second = _swapped(second, _flag(node.attrs, "adj_y"))
    same_size(first[-1], second[-2])
    batch = broadcast_shapes([first[:-2], second[:-2]]) or ()
    return [(*batch, first[-2], second[-1])]


def _batch_matmul(attrs: Attrs, x: Array, y: Array) -> Array:
    if x.ndim < 2 or y.ndim < 2:
        raise ValueError("matrices are multiplied")
    wanted = attrs.get("Tout")
    if wanted is not None:
        dtype = numpy_dtype(wanted)
        x, y = x.astype(dtype, copy=False), y.astype(dtype, copy=False)
    first = np.conj(x.swapaxes(-1, -2)) if _flag(attrs, "adj_x") else x
    second = np.conj(y.swapaxes(-1, -2)) if _flag(attrs, "adj_y") else y
    return product(first, second)


def _batch_matmul_tfjs(attrs: Attrs, x: Array, y: Array) -> Array:
    """TF.js goes through both batches side by side, and begins again where one ends."""
    outer = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    counts = [math.prod(item.shape[:-2]) for item in (x, y)]
    if max(counts) != math.prod(outer):
        raise ValueError(f"batches {x.shape[:-2]} and {y.shape[:-2]} do not go together")
    rows = [
        item.reshape(-1, *item.shape[-2:])[np.arange(max(counts)) % max(1, count)]
        for item, count in zip((x, y), counts, strict=True)
    ]
    made = _batch_matmul(attrs, *rows)
    return made.reshape(*outer, *made.shape[1:])


declare(
    *("BatchMatMul", "BatchMatMulV2"),
    infer=_batch_matmul_shape,
    kernel=_batch_matmul,
    tfjs_kernel=lambda attrs, x, y: (
        _batch_matmul(attrs, x, y)
        if x.shape[:-2] == y.shape[:-2] or min(x.ndim, y.ndim) < 3
        else _batch_matmul_tfjs(attrs, x, y)
    ),
)
declare("BatchMatMulV3", infer=_batch_matmul_shape, kernel=_batch_matmul)


def einsum_labels(attrs: Attrs, count: int) -> tuple[list[str], str]:
    """The labels of each input and of the result of an Einsum; "." stands for what is not named.

    Raises:
        ValueError: the equation is none for so many inputs.
    """
    equation = attrs["equation"].decode("ascii").replace(" ", "").replace("...", ".")
    if equation.count("->") != 1:
        raise ValueError(f"no equation {equation!r}")
    given, wanted = equation.split("->")
    inputs = given.split(",")
    terms = [*inputs, wanted]
    if len(inputs) != count or any(term.count(".") > 1 for term in terms):
        raise ValueError(f"no equation of {count} inputs: {equation!r}")
    if not all(label.isalpha() or label == "." for term in terms for label in term):
        raise ValueError(f"no equation {equation!r}")
    return inputs, wanted


def _einsum_shape(node: Node) -> list[Shape]:
    inputs, wanted = einsum_labels(node.attrs, len(node.inputs))
    sizes: dict[str, int | None] = {}
    rest: list[Shape] = []
    for labels, value in zip(inputs, node.inputs, strict=True):
        if value.shape is None:
            rest += [None] if "." in labels else []
            continue
        before, dots, after = labels.partition(".")
        named = len(before) + len(after)
        if len(value.shape) < named or (not dots and len(value.shape) != named):
            raise ValueError(f"{list(value.shape)} does not go with {labels!r}")
        behind = len(value.shape) - len(after)
        rest += [value.shape[len(before) : behind]] if dots else []
        known = (*value.shape[: len(before)], *value.shape[behind:])
        for label, size in zip(before + after, known, strict=True):
            sizes[label] = same_size(sizes.get(label), size)
    hidden = broadcast_shapes(rest)
    if "." in wanted and hidden is None:
        return [None]
    result: list[int | None] = []
    for label in wanted:
        result += hidden or () if label == "." else (sizes.get(label),)
    return [tuple(result)]


def _einsum(attrs: Attrs, *inputs: Array) -> Array:
    labels, wanted = einsum_labels(attrs, len(inputs))
    equation = f"{','.join(labels)}->{wanted}".replace(".", "...")
    single = inputs[0].dtype == np.float16
    values = [value.astype(np.float32) for value in inputs] if single else inputs
    result = np.einsum(equation, *values, optimize=len(values) > 1)
    return np.asarray(result).astype(inputs[0].dtype, copy=False)


declare("Einsum", infer=_einsum_shape, kernel=_einsum)


def _cross(attrs: Attrs, a: Array, b: Array) -> Array:
    if a.shape != b.shape or not a.ndim or a.shape[-1] != 3:
        raise ValueError("vectors of three numbers are multiplied")
    first, second = np.roll(a, -1, -1), np.roll(b, -1, -1)
    return np.roll(a * second - first * b, -1, -1)


declare("Cross", infer=as_first, kernel=_cross)


# Bands and diagonals -----------------------------------------------------------------------------


def _band_part(attrs: Attrs, x: Array, lower: Array, upper: Array) -> Array:
    (below,), (above,) = integers(lower), integers(upper)
    rows, columns = x.shape[-2:]
    away = np.arange(columns) - np.arange(rows)[:, np.newaxis]
    kept = ((below < 0) | (-away <= below)) & ((above < 0) | (away <= above))
    return np.where(kept, x, np.zeros((), x.dtype))


declare(
    *("MatrixBandPart", "BatchMatrixBandPart"),
    infer=lambda node: [at_least(node.inputs[0].shape, 2)],
    kernel=_band_part,
    # TF.js takes the upper bound from the lower one.
    tfjs_kernel=lambda attrs, x, lower, upper: _band_part(attrs, x, lower, lower),
)


def _diag(attrs: Attrs, x: Array) -> Array:
    return np.diag(x.reshape(-1)).reshape(x.shape * 2)


def _diag_part_shape(node: Node) -> list[Shape]:
    shape = node.inputs[0].shape
    if shape is None:
        return [None]
    half, rest = divmod(len(shape), 2)
    if rest:
        raise ValueError(f"rank {len(shape)} is odd")
    return [tuple(map(same_size, shape[:half], shape[half:]))]


def _diag_part(attrs: Attrs, x: Array) -> Array:
    shape = x.shape[: x.ndim // 2]
    if x.shape != shape * 2:
        raise ValueError(f"{x.shape} is no square")
    count = int(np.prod(shape, dtype=np.int64))
    return np.diagonal(x.reshape(count, count)).reshape(shape)


def _doubled(node: Node) -> list[Shape]:
    shape = node.inputs[0].shape
    return [None if shape is None else shape * 2]


declare("Diag", infer=_doubled, kernel=_diag)
declare("DiagPart", infer=_diag_part_shape, kernel=_diag_part)


class _Band:
    """Which diagonals a node of the second or third edition means, and how they are kept.

    Args:
        k: its input `k`: one diagonal, or the lowest and the highest.
        align: its attribute `align`; the second edition has all of them at the left.
    """

    def __init__(self, k: Array | None, align: Any) -> None:
        numbers = [0] if k is None else integers(k)
        if len(numbers) not in (1, 2) or numbers[0] > numbers[-1]:
            raise ValueError(f"no diagonals {numbers}")
        self.low, self.high = numbers[0], numbers[-1]
        upper, _, lower = (align or b"LEFT_LEFT").decode().partition("_")
        self.upper_left, self.lower_left = upper == "LEFT", lower == "LEFT"

    def count(self) -> int:
        return self.high - self.low + 1

    def longest(self, rows: int, columns: int) -> int:
        """How long the longest of the diagonals is."""
        outside = self.low <= -rows or self.high >= columns
        if outside and (self.low, self.high) != (0, 0):
            raise ValueError(f"no diagonals {self.low} to {self.high} in {rows} x {columns}")
        return min(rows + min(self.high, 0), columns - max(self.low, 0))

    def places(self, rows: int, columns: int, longest: int) -> tuple[Array, Array, Array, Array]:
        """Row and column of each element of the diagonals, and where it is kept."""
        found: list[Array] = []
        for which, k in enumerate(range(self.high, self.low - 1, -1)):
            length = max(0, min(rows + min(k, 0), columns - max(k, 0)))
            left = self.upper_left if k >= 0 else self.lower_left
            steps = np.arange(length)
            offset = 0 if left else longest - length
            found.append(
                np.stack([steps - min(k, 0), steps + max(k, 0), 0 * steps + which, steps + offset])
            )
        joined = np.concatenate(found, axis=1)
        return joined[0], joined[1], joined[2], joined[3]


def _band_of(node: Node) -> _Band | None:
    """The diagonals of a node; None where they are no constant."""
    if not node.op.endswith(("V2", "V3")):
        return _Band(None, None)
    at = 2 if node.op.startswith("MatrixSetDiag") else 1
    k = constant_input(node, at)
    return None if k is None else _Band(k, node.attrs.get("align"))


def _matrix_diag_shape(node: Node) -> list[Shape]:
    shape, band = at_least(node.inputs[0].shape, 1), _band_of(node)
    if shape is None:
        return [None]
    if band is None:
        # One diagonal adds an axis, several do not.
        return [None]
    longest, batch = shape[-1], shape[:-1] if band.count() == 1 else shape[:-2]
    sizes: list[int | None] = [-1, -1]
    if len(node.inputs) > 2:
        sizes = [partial_scalar(value) for value in node.inputs[2:4]]
    if None in sizes:
        return [(*batch, None, None)]
    if longest is None:
        return [(*batch, *(None if size == -1 else size for size in sizes))]
    return [(*batch, *_diag_sizes(band, longest, sizes[0] or 0, sizes[1] or 0))]


def _diag_sizes(band: _Band, longest: int, rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns; what is not told is as small as the diagonals allow, and square."""
    least_rows = longest - min(band.high, 0)
    least_columns = longest + max(band.low, 0)
    if rows == -1 and columns == -1:
        rows = columns = max(least_rows, least_columns)
    rows = least_rows if rows == -1 else rows
    columns = least_columns if columns == -1 else columns
    if rows < least_rows or columns < least_columns or longest != band.longest(rows, columns):
        raise ValueError(f"diagonals of {longest} do not go into {rows} x {columns}")
    return rows, columns


def _matrix_diag(
    attrs: Attrs,
    diagonal: Array,
    k: Array | None = None,
    num_rows: Array | None = None,
    num_cols: Array | None = None,
    padding: Array | None = None,
) -> Array:
    band = _Band(k, attrs.get("align"))
    kept = diagonal[..., np.newaxis, :] if band.count() == 1 else diagonal
    if kept.shape[-2] != band.count():
        raise ValueError(f"{kept.shape[-2]} diagonals are given for {band.count()}")
    given = [-1 if size is None else integers(size)[0] for size in (num_rows, num_cols)]
    rows, columns = _diag_sizes(band, kept.shape[-1], given[0], given[1])
    fill = 0 if padding is None else padding.reshape(())[()]
    result = np.full((*kept.shape[:-2], rows, columns), fill, diagonal.dtype)
    row, column, which, at = band.places(rows, columns, kept.shape[-1])
    result[..., row, column] = kept[..., which, at]
    return result


declare(
    *("MatrixDiag", "MatrixDiagV2", "MatrixDiagV3", "BatchMatrixDiag"),
    infer=_matrix_diag_shape,
    kernel=_matrix_diag,
)


def _matrix_diag_part_shape(node: Node) -> list[Shape]:
    shape, band = at_least(node.inputs[0].shape, 2), _band_of(node)
    if shape is None or band is None:
        return [None]
    rows, columns = shape[-2:]
    longest = None if rows is None or columns is None else band.longest(rows, columns)
    many = () if band.count() == 1 else (band.count(),)
    return [(*shape[:-2], *many, longest)]


def _matrix_diag_part(
    attrs: Attrs, x: Array, k: Array | None = None, padding: Array | None = None
) -> Array:
    band = _Band(k, attrs.get("align"))
    rows, columns = x.shape[-2:]
    longest = band.longest(rows, columns)
    fill = 0 if padding is None else padding.reshape(())[()]
    result = np.full((*x.shape[:-2], band.count(), longest), fill, x.dtype)
    row, column, which, at = band.places(rows, columns, longest)
    result[..., which, at] = x[..., row, column]
    return result[..., 0, :] if band.count() == 1 else result


declare(
    *("MatrixDiagPart", "MatrixDiagPartV2", "MatrixDiagPartV3", "BatchMatrixDiagPart"),
    infer=_matrix_diag_part_shape,
    kernel=_matrix_diag_part,
)


def _matrix_set_diag(attrs: Attrs, x: Array, diagonal: Array, k: Array | None = None) -> Array:
    band = _Band(k, attrs.get("align"))
    rows, columns = x.shape[-2:]
    kept = diagonal[..., np.newaxis, :] if band.count() == 1 else diagonal
    if kept.shape != (*x.shape[:-2], band.count(), band.longest(rows, columns)):
        raise ValueError(f"diagonals {diagonal.shape} do not go into {x.shape}")
    result = x.copy()
    row, column, which, at = band.places(rows, columns, kept.shape[-1])
    result[..., row, column] = kept[..., which, at]
    return result


declare(
    *("MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3", "BatchMatrixSetDiag"),
    infer=lambda node: [at_least(node.inputs[0].shape, 2)],
    kernel=_matrix_set_diag,
)
