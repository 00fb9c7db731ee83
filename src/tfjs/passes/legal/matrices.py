"""Products of matrices, and matrices made of diagonals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfjs.errors import UnsupportedError
from tfjs.ir.graph import Node, Value
from tfjs.ir.graph import constant_of as tensor_of
from tfjs.ir.tensor import Array, DerivedTensor
from tfjs.ops.build import Builder
from tfjs.passes.legal.common import (
    Size,
    check_table,
    constant,
    expand,
    make,
    reshape,
    shape_of,
    size_at,
    sizes_of,
    times,
    vector,
)
from tfjs.passes.rules import CannotExpress, RuleSet

RULES = RuleSet()
# Products of integers are laid out whole; more elements than this are not.
_MOST_PRODUCTS = 1 << 22


@RULES.rule("BatchMatMulV3")
def product_of_two_dtypes(node: Node, build: Builder) -> list[Value]:
    """Both factors in the dtype of the result. Exact."""
    dtype = str(node.attrs["Tout"])
    x, y = (build.cast(value, dtype) for value in node.inputs)
    flags = {name: node.attrs.get(name, False) for name in ("adj_x", "adj_y")}
    return [make(build, "BatchMatMulV2", x, y, **flags)]


@RULES.rule("SparseMatMul")
def sparse_product(node: Node, build: Builder) -> list[Value]:
    """Sparse only in how it is computed. Exact."""
    x, y = (build.cast(value, "float32") for value in node.inputs)
    return [make(build, "MatMul", x, y, **_flags(node))]


@RULES.rule("MatMul", "BatchMatMul", "BatchMatMulV2")
def product_not_of_floats(node: Node, build: Builder) -> list[Value] | None:
    """Integers by products and sums, exact; complex numbers by their parts."""
    if node.inputs[0].dtype == "complex64":
        return [_complex_product(node, build)]
    if node.inputs[0].dtype != "int32":
        return None
    x, y = node.inputs
    first, second = ("transpose_a", "transpose_b") if node.op == "MatMul" else ("adj_x", "adj_y")
    left = _swapped(build, x) if node.attrs.get(first) else x
    right = _swapped(build, y) if node.attrs.get(second) else y
    shapes = [shape_of(left), shape_of(right)]
    sizes = [size for size in [*shapes[0], shapes[1][-1]] if size is not None]
    if math.prod(sizes) > _MOST_PRODUCTS or max(len(shape) for shape in shapes) > 5:
        raise CannotExpress(
            "TF.js multiplies matrices of integers on some backends only, and this one is too "
            "large to be taken apart",
            "cast to float32 before the product",
        )
    products = make(build, "Mul", expand(build, left, -1), expand(build, right, -3))
    return [make(build, "Sum", products, [-2])]


@RULES.rule("BatchMatMulV2")
def product_of_broadcast_batches(node: Node, build: Builder) -> list[Value] | None:
    """TF.js takes the larger number of matrices for that of the result. Exact.

    That is right where the batches are alike, or one has those that the other ends with. Where
    they may be neither, they are brought to the same sizes, which costs nothing if they have them.
    """
    shapes = [value.shape for value in node.inputs]
    if shapes[0] is None or shapes[1] is None or node.inputs[0].dtype != "float32":
        return None
    batches = [shape[:-2] for shape in shapes if shape is not None]
    if _repeats(batches[0], batches[1]):
        return None
    together = _together(build, *node.inputs)
    spread = []
    for value, batch in zip(node.inputs, batches, strict=True):
        sizes = [*together, *sizes_of(build, value)[-2:]]
        known = tuple(size if isinstance(size, int) else None for size in sizes)
        if batch != known[:-2] or None in batch:
            value = make(build, "BroadcastTo", value, vector(build, sizes))
            value.shape = known
        spread.append(value)
    first, second = (shape_of(value)[:-2] for value in spread)
    if _repeats(first, second):
        return [make(build, "BatchMatMulV2", *spread, **_flags(node))]
    # Of one axis it is known that they are alike.
    count = times(build, *together)
    flat = [reshape(build, value, [count, *sizes_of(build, value)[-2:]]) for value in spread]
    for value, whole in zip(flat, spread, strict=True):
        value.shape = (None, *shape_of(whole)[-2:])
    made = make(build, "BatchMatMulV2", *flat, **_flags(node))
    return [reshape(build, made, [*together, *sizes_of(build, made)[-2:]])]


def _together(build: Builder, x: Value, y: Value) -> list[Size]:
    """The sizes that two batches are broadcast to."""
    first, second = (sizes_of(build, value)[:-2] for value in (x, y))
    rank = max(len(first), len(second))
    first, second = ([*[1] * (rank - len(batch)), *batch] for batch in (first, second))
    result: list[Size] = []
    for mine, other in zip(first, second, strict=True):
        fixed = [size for size in (mine, other) if isinstance(size, int) and size != 1]
        if fixed:
            result.append(fixed[0])
        elif isinstance(mine, int) or isinstance(other, int):
            result.append(other if isinstance(mine, int) else mine)
        else:
            result.append(make(build, "Maximum", mine, other))
    return result


def _repeats(first: Sequence[int | None], second: Sequence[int | None]) -> bool:
    """Whether batches are alike or one repeats as it stands, whatever the unknown sizes are."""
    rank = max(len(first), len(second))
    pairs = zip(
        *([*[1] * (rank - len(batch)), *batch] for batch in (first, second)),
        strict=True,
    )
    before: set[str] = set()
    for mine, other in pairs:
        spread = _spread(mine, other)
        # What is spread along an axis must be so along all axes before it.
        if any(before - {side} for side in spread & {"first", "second"}):
            return False
        before |= spread
    return True


def _spread(mine: int | None, other: int | None) -> set[str]:
    """Which of two batches may be spread along an axis: "first", "second", "none"."""
    found = set()
    if mine in (1, None) and other != 1:
        found.add("first")
    if other in (1, None) and mine != 1:
        found.add("second")
    if mine != 1 and other != 1:
        found.add("none")
    return found


def _flags(node: Node) -> dict[str, Any]:
    names = ("transpose_a", "transpose_b", "adj_x", "adj_y")
    return {name: node.attrs[name] for name in names if name in node.attrs}


def _swapped(build: Builder, value: Value) -> Value:
    rank = len(shape_of(value))
    order = list(range(rank))
    order[-2:] = [rank - 1, rank - 2]
    return build.transpose(value, order)


def _complex_product(node: Node, build: Builder) -> Value:
    x, y = (
        [make(build, part, value, Tout="float32") for part in ("Real", "Imag")]
        for value in node.inputs
    )
    flags = _flags(node)
    if flags.get("adj_x"):
        x[1] = make(build, "Neg", x[1])
    if flags.get("adj_y"):
        y[1] = make(build, "Neg", y[1])

    def times(left: Value, right: Value) -> Value:
        return make(build, node.op, left, right, **flags)

    real = make(build, "Sub", times(x[0], y[0]), times(x[1], y[1]))
    imaginary = make(build, "AddV2", times(x[0], y[1]), times(x[1], y[0]))
    return make(build, "Complex", real, imaginary, Tout="complex64")


@RULES.rule(
    *("MatrixTriangularSolve", "MatrixSolve"),
    *("BatchMatrixTriangularSolve", "BatchMatrixSolve"),
)
def solved_with_constants(node: Node, build: Builder) -> list[Value] | None:
    """A product with the inverse of a constant matrix, computed in float64; reassociates."""
    matrix, right = node.inputs
    tensor = tensor_of(matrix)
    if tensor is None or matrix.dtype != "float32":
        return None
    triangular = node.op.endswith("TriangularSolve")
    lower = bool(node.attrs.get("lower", True))

    def inverse() -> Array:
        whole = tensor.array().astype(np.float64)
        if triangular:
            whole = np.tril(whole) if lower else np.triu(whole)
        try:
            return np.linalg.inv(whole).astype(np.float32)
        except np.linalg.LinAlgError:
            raise UnsupportedError("its matrix has no inverse", where=node.name) from None

    inverted = build.constant(DerivedTensor("float32", tensor.shape, inverse))
    adjoint = bool(node.attrs.get("adjoint", False))
    if len(tensor.shape) == 2 and len(shape_of(right)) == 2:
        return [make(build, "MatMul", inverted, right, transpose_a=adjoint)]
    return [make(build, "BatchMatMulV2", inverted, right, adj_x=adjoint)]


@RULES.rule("MatrixBandPart", "BatchMatrixBandPart")
def band(node: Node, build: Builder) -> list[Value]:
    """TF.js reads one number for both sides: a mask of the band. Exact."""
    x, below, above = node.inputs
    shape = shape_of(x)
    numbers = [constant(value) for value in (below, above)]
    rows, columns = shape[-2:]
    if rows is None or columns is None or numbers[0] is None or numbers[1] is None:
        mask = _running_mask(build, x, below, above)
    else:
        check_table(rows, columns)
        down = np.arange(rows)[:, None] - np.arange(columns)
        low, high = (int(number) for number in numbers if number is not None)
        mask = build.constant(((low < 0) | (down <= low)) & ((high < 0) | (-down <= high)))
    zero = build.constant(np.zeros((), str(x.dtype)))
    return [make(build, "SelectV2", mask, x, zero)]


def _running_mask(build: Builder, x: Value, below: Value, above: Value) -> Value:
    rows = make(build, "Range", 0, size_at(build, x, -2), 1)
    columns = make(build, "Range", 0, size_at(build, x, -1), 1)
    down = make(build, "Sub", expand(build, rows, 1), expand(build, columns, 0))
    sides = []
    for limit, distance in ((below, down), (above, make(build, "Neg", down))):
        all_of_it = make(build, "Less", limit, 0)
        near = make(build, "LessEqual", distance, limit)
        sides.append(make(build, "LogicalOr", all_of_it, near))
    return make(build, "LogicalAnd", *sides)


@RULES.rule("Cross")
def cross(node: Node, build: Builder) -> list[Value]:
    """The products of the other two axes. Exact."""
    x, y = node.inputs
    turns = np.array([1, 2, 0], np.int32), np.array([2, 0, 1], np.int32)
    (x1, y1), (x2, y2) = (
        [make(build, "GatherV2", value, turn, np.int32(-1)) for value in (x, y)] for turn in turns
    )
    return [make(build, "Sub", make(build, "Mul", x1, y2), make(build, "Mul", x2, y1))]


# Diagonals: every element of the result is looked up in those that there are ------------------


def _look_up(
    build: Builder, sources: Sequence[tuple[Value, int]], places: Array, padding: Value | None
) -> Value:
    """Gather from the last axes of values, taken together.

    Args:
        build: the builder.
        sources: values with how many of their last axes are looked into; they have the other axes
            in common.
        places: for each element of the result's last axes, its place in the sources one after
            the other; -1 for the padding.
        padding: what stands where nothing is looked up; 0 where None.
    """
    flat: list[Value] = []
    lead: list[Size] = []
    total = 0
    for value, count in sources:
        sizes = sizes_of(build, value)
        lead, inner = sizes[: len(sizes) - count], sizes[len(sizes) - count :]
        known = [size for size in inner if isinstance(size, int)]
        if len(known) < len(inner):
            raise CannotExpress(
                "the size of its matrices is unknown", "convert with inputs of fixed shape"
            )
        total += math.prod(known)
        flat.append(reshape(build, value, [*lead, math.prod(known)]))
    joined = flat[0] if len(flat) == 1 else make(build, "ConcatV2", *flat, -1)
    if (places < 0).any():
        places = np.where(places < 0, total, places)
        widths = np.zeros((len(lead) + 1, 2), np.int32)
        widths[-1, 1] = 1
        filler = build.constant(np.zeros((), str(joined.dtype))) if padding is None else padding
        joined = make(build, "PadV2", joined, widths, filler)
    return make(build, "GatherV2", joined, places.astype(np.int32), np.int32(-1))


class _Diagonals:
    """Which diagonals of matrices of a size, and how they are laid out.

    Attributes:
        low: number of the lowest diagonal; the main one is 0, those above are positive.
        high: number of the highest.
        width: length of the longest.
    """

    def __init__(self, node: Node, rows: int, columns: int, index: int | None) -> None:
        numbers = None if index is None else constant(node.inputs[index])
        if index is not None and numbers is None:
            raise CannotExpress("which diagonals it takes is not constant")
        found = [0] if numbers is None else [int(item) for item in numbers.reshape(-1)]
        self.low, self.high = found[0], found[-1]
        self.rows, self.columns = rows, columns
        check_table(rows, columns)
        if self.low <= -rows - columns or self.high >= rows + columns:
            raise CannotExpress(f"it has no diagonals {self.low} to {self.high}")
        self.width = max(self._length(k) for k in range(self.low, self.high + 1))
        self.align = bytes(node.attrs.get("align", b"LEFT_LEFT")).decode()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the diagonals: a single one has no axis of its own."""
        count = self.high - self.low + 1
        return (self.width,) if count == 1 else (count, self.width)

    def _length(self, k: int) -> int:
        return max(min(self.rows + min(k, 0), self.columns - max(k, 0)), 0)

    def _offset(self, k: int) -> int:
        sides = self.align.split("_")
        side = sides[0] if k > 0 else sides[-1] if k < 0 else "LEFT"
        return self.width - self._length(k) if side == "RIGHT" else 0

    def place(self) -> Array:
        """For each element of the matrix, its place among the diagonals; -1 where on none."""
        result = np.full((self.rows, self.columns), -1)
        for k in range(self.low, self.high + 1):
            steps = np.arange(self._length(k))
            row = (self.high - k) * self.width + self._offset(k)
            result[steps + max(-k, 0), steps + max(k, 0)] = row + steps
        return result

    def origin(self) -> Array:
        """For each element of the diagonals, its place in the matrix; -1 where there is none."""
        check_table(self.high - self.low + 1, self.width)
        result = np.full((self.high - self.low + 1, self.width), -1)
        for k in range(self.low, self.high + 1):
            steps = np.arange(self._length(k))
            places = (steps + max(-k, 0)) * self.columns + steps + max(k, 0)
            result[self.high - k, self._offset(k) + steps] = places
        return result.reshape(self.shape)


@RULES.rule("MatrixDiag", "MatrixDiagV2", "MatrixDiagV3", "BatchMatrixDiag")
def matrices_of_diagonals(node: Node, build: Builder) -> list[Value]:
    """Every element is looked up among the diagonals. Exact."""
    diagonal = node.inputs[0]
    several = len(node.inputs) > 1
    numbers = constant(node.inputs[1]) if several else np.array([0])
    if numbers is None:
        raise CannotExpress("which diagonals it makes is not constant")
    low, high = int(numbers.reshape(-1)[0]), int(numbers.reshape(-1)[-1])
    longest = shape_of(diagonal)[-1]
    if longest is None:
        raise CannotExpress("the length of the diagonal is unknown")
    rows, columns = _matrix_size(node, low, high, longest) if several else (longest, longest)
    found = _Diagonals(node, rows, columns, 1 if several else None)
    count = len(found.shape)
    padding = node.inputs[4] if several else None
    return [_look_up(build, [(diagonal, count)], found.place(), padding)]


def _matrix_size(node: Node, low: int, high: int, longest: int) -> tuple[int, int]:
    """The rows and columns of the smallest matrix that the diagonals fit, unless they are told."""
    told = [constant(node.inputs[index]) for index in (2, 3)]
    if told[0] is None or told[1] is None:
        raise CannotExpress("the size of its matrices is not constant")
    rows, columns = int(told[0]), int(told[1])
    if rows < 0 and columns < 0:
        size = longest + max(max(-high, 0), max(low, 0))
        return size, size
    least_rows, least_columns = longest - min(high, 0), longest + max(low, 0)
    return (least_rows if rows < 0 else rows), (least_columns if columns < 0 else columns)


@RULES.rule("MatrixDiagPart", "MatrixDiagPartV2", "MatrixDiagPartV3", "BatchMatrixDiagPart")
def diagonals_of_matrices(node: Node, build: Builder) -> list[Value]:
    """Every element is looked up in the matrix. Exact."""
    x = node.inputs[0]
    rows, columns = _static_matrix(x)
    several = len(node.inputs) > 1
    found = _Diagonals(node, rows, columns, 1 if several else None)
    padding = node.inputs[2] if several else None
    return [_look_up(build, [(x, 2)], found.origin(), padding)]


@RULES.rule("MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3", "BatchMatrixSetDiag")
def matrices_with_new_diagonals(node: Node, build: Builder) -> list[Value]:
    """Every element is looked up in the matrix or among the diagonals. Exact."""
    x, diagonal = node.inputs[:2]
    rows, columns = _static_matrix(x)
    found = _Diagonals(node, rows, columns, 2 if len(node.inputs) > 2 else None)
    old = np.arange(rows * columns).reshape(rows, columns)
    new = found.place()
    places = np.where(new < 0, old, new + rows * columns)
    return [_look_up(build, [(x, 2), (diagonal, len(found.shape))], places, None)]


def _static_matrix(x: Value) -> tuple[int, int]:
    rows, columns = shape_of(x)[-2:]
    if rows is None or columns is None:
        raise CannotExpress(
            "the size of its matrices is unknown", "convert with inputs of fixed shape"
        )
    return rows, columns


@RULES.rule("Diag")
def tensor_of_diagonal(node: Node, build: Builder) -> list[Value]:
    """The diagonal of a matrix, taken apart into axes. Exact."""
    x = node.inputs[0]
    sizes = sizes_of(build, x)
    matrix = make(build, "MatrixDiag", build.reshape(x, [-1]))
    return [reshape(build, matrix, [*sizes, *sizes])]


@RULES.rule("DiagPart")
def diagonal_of_tensor(node: Node, build: Builder) -> list[Value]:
    """As of a matrix of half the axes by the other half. Exact."""
    x = node.inputs[0]
    sizes = [size for size in sizes_of(build, x) if isinstance(size, int)]
    half = sizes[: len(sizes) // 2]
    if len(sizes) < len(shape_of(x)):
        raise CannotExpress("its size is unknown", "convert with inputs of fixed shape")
    matrix = build.reshape(x, [math.prod(half), math.prod(half)])
    return [reshape(build, make(build, "MatrixDiagPart", matrix), half)]
