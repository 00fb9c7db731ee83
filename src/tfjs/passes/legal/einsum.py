"""Einsum as transpositions, reshapes and matrix products.

TF.js's own takes two operands at most, no `...` and no label twice, lower-cases the equation, and
is missing on wasm. Sums may be taken in another order than TensorFlow's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.ops.build import Builder
from tfjs.passes.legal.common import (
    Size,
    check_table,
    expand,
    make,
    reshape,
    shape_of,
    size_at,
    sizes_of,
    times,
    transpose,
)
from tfjs.passes.rules import CannotExpress, RuleSet

RULES = RuleSet()


@dataclass(slots=True)
class _Operand:
    """A value with a label for each axis."""

    value: Value
    labels: list[str]


@RULES.rule("Einsum")
def einsum(node: Node, build: Builder) -> list[Value]:
    """The operands are taken together one after the other."""
    equation = bytes(node.attrs["equation"]).decode().replace(" ", "")
    operands, wanted = _parse(equation, node.inputs)
    sizes = _sizes(build, operands)
    operands = [_without_repeats(build, operand) for operand in operands]
    result = _summed(build, operands[0], {*wanted, *_labels(operands[1:])})
    for index in range(1, len(operands)):
        kept = {*wanted, *_labels(operands[index + 1 :])}
        other = _summed(build, operands[index], {*kept, *result.labels})
        result = _summed(build, result, {*kept, *other.labels})
        result = _product(build, result, other, kept, sizes)
    return [_in_order(build, result, wanted)]


def _labels(operands: list[_Operand]) -> set[str]:
    return {label for operand in operands for label in operand.labels}


def _parse(equation: str, values: list[Value]) -> tuple[list[_Operand], list[str]]:
    """The operands, and the labels of the result; axes of `...` are called "0", "1" and so on.

    They are counted from the last, as broadcasting aligns them.
    """
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if not arrow or len(terms) != len(values):
        raise CannotExpress(f"its equation {equation!r} does not fit its inputs")
    operands = []
    most = 0
    for term, value in zip(terms, values, strict=True):
        rank = len(shape_of(value))
        dots = rank - len(term.replace("...", "")) if "..." in term else 0
        most = max(most, dots)
        labels = _expanded(term, dots)
        if len(labels) != rank:
            raise CannotExpress(f"its equation {equation!r} does not fit its inputs")
        operands.append(_Operand(value, labels))
    return operands, _expanded(right, most)


def _expanded(term: str, dots: int) -> list[str]:
    before, found, after = term.partition("...")
    middle = [str(number) for number in reversed(range(dots))] if found else []
    return [*before, *middle, *after]


def _sizes(build: Builder, operands: list[_Operand]) -> dict[str, Size]:
    """The size of each label; of those that are broadcast the larger one."""
    result: dict[str, Size] = {}
    for operand in operands:
        shape = shape_of(operand.value)
        for axis, label in enumerate(operand.labels):
            size = shape[axis]
            known = result.get(label)
            if known is None or (isinstance(known, int) and known == 1):
                result[label] = size_at(build, operand.value, axis)
            elif isinstance(known, Value) and size is not None and size != 1:
                result[label] = size
            elif isinstance(known, Value) and size is None and label.isdigit():
                other = size_at(build, operand.value, axis)
                result[label] = make(build, "Maximum", known, other)
    return result


def _without_repeats(build: Builder, operand: _Operand) -> _Operand:
    """The diagonal, where an operand has a label twice."""
    value, labels = operand.value, list(operand.labels)
    while len(set(labels)) < len(labels):
        label = next(item for item in labels if labels.count(item) > 1)
        first = labels.index(label)
        second = labels.index(label, first + 1)
        size = shape_of(value)[first]
        if size is None:
            raise CannotExpress("it takes a diagonal of unknown size")
        order = [axis for axis in range(len(labels)) if axis not in (first, second)]
        value = transpose(build, value, [*order, first, second])
        lead = sizes_of(build, value)[:-2]
        flat = reshape(build, value, [*lead, size * size])
        check_table(size, size)  # the places in it are counted in int32 too
        places = np.arange(size, dtype=np.int32) * (size + 1)
        value = make(build, "GatherV2", flat, places, np.int32(-1))
        known = [item if isinstance(item, int) else None for item in lead]
        value.shape = (*known, size)
        labels = [labels[axis] for axis in order] + [label]
    return _Operand(value, labels)


def _summed(build: Builder, operand: _Operand, needed: set[str]) -> _Operand:
    """Axes that nothing else has are summed up first."""
    axes = [axis for axis, label in enumerate(operand.labels) if label not in needed]
    if not axes:
        return operand
    shape = shape_of(operand.value)
    value = make(build, "Sum", operand.value, axes)
    value.shape = tuple(size for axis, size in enumerate(shape) if axis not in axes)
    return _Operand(value, [label for label in operand.labels if label in needed])


def _product(
    build: Builder, x: _Operand, y: _Operand, kept: set[str], sizes: dict[str, Size]
) -> _Operand:
    """Two operands as one: labels that are not kept are summed up."""
    shared = [label for label in x.labels if label in y.labels]
    batch = [label for label in shared if label in kept]
    summed = [label for label in shared if label not in kept]
    free_x = [label for label in x.labels if label not in shared]
    free_y = [label for label in y.labels if label not in shared]
    labels = [*batch, *free_x, *free_y]
    if not summed:
        return _Operand(_outer(build, x, y, labels), labels)
    left = _matrix(build, x, batch, free_x, summed)
    right = _matrix(build, y, batch, summed, free_y)
    left_swapped = not _is_ordered(x, [*batch, *free_x, *summed])
    left_swapped = left_swapped and _is_ordered(x, [*batch, *summed, *free_x])
    right_swapped = not _is_ordered(y, [*batch, *summed, *free_y])
    right_swapped = right_swapped and _is_ordered(y, [*batch, *free_y, *summed])
    if left_swapped:
        left = _matrix(build, x, batch, summed, free_x)
    if right_swapped:
        right = _matrix(build, y, batch, free_y, summed)
    if batch:
        flags = {"adj_x": left_swapped, "adj_y": right_swapped}
        value = make(build, "BatchMatMulV2", left, right, **flags)
    else:
        flags = {"transpose_a": left_swapped, "transpose_b": right_swapped}
        value = make(build, "MatMul", left, right, **flags)
    if len(free_x) == 1 and len(free_y) == 1:
        value.shape = _known(labels, sizes)
        return _Operand(value, labels)
    return _Operand(reshape(build, value, [sizes[label] for label in labels]), labels)


def _known(labels: list[str], sizes: dict[str, Size]) -> tuple[int | None, ...]:
    found = (sizes[label] for label in labels)
    return tuple(size if isinstance(size, int) else None for size in found)


def _is_ordered(operand: _Operand, labels: list[str]) -> bool:
    return operand.labels == labels


def _matrix(
    build: Builder, operand: _Operand, batch: list[str], rows: list[str], columns: list[str]
) -> Value:
    """An operand with its axes brought to batches of matrices."""
    wanted = [*batch, *rows, *columns]
    value = _in_order(build, operand, wanted)
    if len(rows) == 1 and len(columns) == 1:
        return value
    sizes = sizes_of(build, value)
    split = len(batch) + len(rows)
    lead, first, second = sizes[: len(batch)], sizes[len(batch) : split], sizes[split:]
    return reshape(build, value, [*lead, times(build, *first), times(build, *second)])


def _outer(build: Builder, x: _Operand, y: _Operand, labels: list[str]) -> Value:
    """The product without any sum: each operand with axes of size 1 where it has none."""
    spread = []
    for operand in (x, y):
        own = [label for label in labels if label in operand.labels]
        value = _in_order(build, operand, own)
        missing = [axis for axis, label in enumerate(labels) if label not in operand.labels]
        if len(missing) == 1:
            value = expand(build, value, missing[0])
        elif missing:
            sizes = sizes_of(build, value)
            by_label = dict(zip(own, sizes, strict=True))
            value = reshape(build, value, [by_label.get(label, 1) for label in labels])
        spread.append(value)
    value = make(build, "Mul", *spread)
    if value.shape is None:
        shapes = [shape_of(item) for item in spread]
        value.shape = tuple(
            first if second == 1 else second for first, second in zip(*shapes, strict=True)
        )
    return value


def _in_order(build: Builder, operand: _Operand, wanted: list[str]) -> Value:
    """An operand with its axes in an order of labels; one that comes twice makes a diagonal."""
    value, labels = operand.value, operand.labels
    unknown = [label for label in wanted if label not in labels]
    if any(not label.isdigit() for label in unknown):
        raise CannotExpress("its result has an axis that no input has")
    for label in unknown:
        # No operand has as many axes in its `...` only where none has this one.
        value, labels = expand(build, value, 0), [label, *labels]
    once = list(dict.fromkeys(wanted))
    value = transpose(build, value, [labels.index(label) for label in once])
    while len(once) < len(wanted):
        value, once = _spread_diagonal(build, value, once, wanted)
    return value


def _spread_diagonal(
    build: Builder, value: Value, labels: list[str], wanted: list[str]
) -> tuple[Value, list[str]]:
    label = next(item for item in labels if wanted.count(item) > labels.count(item))
    axis = labels.index(label)
    order = [index for index in range(len(labels)) if index != axis]
    moved = transpose(build, value, [*order, axis])
    matrix = make(build, "MatrixDiag", moved)
    size = shape_of(moved)[-1]
    matrix.shape = (*shape_of(moved), size)
    if wanted.count(label) > 2:
        raise CannotExpress("its result has an axis three times")
    others = [labels[index] for index in order]
    places = {item: index for index, item in enumerate(others)}
    first = len(others)
    turn, seen = [], 0
    partial = [item for item in wanted if item in others or item == label]
    for item in partial:
        turn.append(places[item] if item != label else first + seen)
        seen += item == label
    return transpose(build, matrix, turn), partial
