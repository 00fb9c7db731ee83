"""What rules share: making nodes with all their attributes, and sizes that may be free."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfjs.ir.graph import Graph, Node, Shape, Value
from tfjs.ir.tensor import Array
from tfjs.ops.base import MOST_IN_AXIS, constant_array, constant_input
from tfjs.ops.build import Builder
from tfjs.ops.definitions import Argument, Definition, definition
from tfjs.passes.dtypes import MAPPED
from tfjs.passes.rules import CannotExpress

# What a rule may write into a model beside what the source has.
MOST_IN_TABLE = 1 << 24

Item = Value | npt.ArrayLike
# A size that is known, or the scalar that holds it.
Size = int | Value


def make(build: Builder, op: str, *inputs: Item, **attrs: Any) -> Value:
    """Add a node; its dtypes, counts and defaults are filled in from its signature.

    Args:
        build: the builder.
        op: TensorFlow's name of it.
        inputs: values and constants; a Python number takes the dtype that its argument shares
            with a value, else int32 or float32.
        attrs: the other attributes.

    Returns:
        Its first output.
    """
    return makes(build, op, *inputs, **attrs)[0]


def makes(build: Builder, op: str, *inputs: Item, **attrs: Any) -> list[Value]:
    """Add a node with several outputs; see `make`."""
    known = definition(op)
    if known is None:
        raise KeyError(op)
    arguments = _arguments(known, len(inputs))
    filled = {**known.defaults, **_counts(known, arguments), **attrs}
    for argument, item in zip(arguments, inputs, strict=True):
        if isinstance(item, Value) and argument.dtype_attr is not None:
            filled[argument.dtype_attr] = item.dtype
    values = []
    for argument, item in zip(arguments, inputs, strict=True):
        value = item if isinstance(item, Value) else _constant(build, argument, item, filled)
        if argument.dtype_attr is not None:
            filled[argument.dtype_attr] = value.dtype
        values.append(value)
    lists = {argument.dtypes_attr for argument in arguments if argument.dtypes_attr is not None}
    for name in lists:
        filled[name] = [value.dtype for value in values]
    made = build.ops(op, *values, attrs=filled)
    for value in made:
        # Signatures say int64 where TF.js has int32.
        value.dtype = MAPPED.get(value.dtype or "", value.dtype)
    return made


def _arguments(known: Definition, count: int) -> list[Argument]:
    """The argument of each input; at most one of them stands for several."""
    extra = count - len(known.inputs) + 1
    result: list[Argument] = []
    for argument in known.inputs:
        several = argument.number_attr is not None or argument.dtypes_attr is not None
        result += [argument] * (extra if several else 1)
    return result


def _counts(known: Definition, arguments: Sequence[Argument]) -> dict[str, int]:
    return {
        argument.number_attr: sum(other == argument for other in arguments)
        for argument in known.inputs
        if argument.number_attr is not None
    }


def _constant(build: Builder, argument: Argument, item: Any, filled: dict[str, Any]) -> Value:
    if isinstance(item, np.ndarray | np.generic):
        return build.constant(item)
    shared = argument.dtype or filled.get(argument.dtype_attr or "")
    array = np.asarray(item)
    if argument.dtype_attr is not None and filled.get(argument.dtype_attr) is None:
        shared = None
    elif shared is not None:
        shared = MAPPED.get(shared, shared)
    if shared is None:
        shared = {"f": "float32", "b": "bool"}.get(array.dtype.kind, "int32")
    return build.constant(array.astype(shared))


# What is known of values ----------------------------------------------------------------------


def is_used(graph: Graph, value: Value) -> bool:
    """Whether anything reads a value."""
    return bool(value.uses) or graph.is_output(value)


def shape_of(value: Value, what: str = "its input") -> tuple[int | None, ...]:
    """The shape of a value whose rank must be known; raises CannotExpress."""
    if value.shape is None:
        raise CannotExpress(
            f"the rank of {what} is unknown", "give the model's inputs a shape of known rank"
        )
    return value.shape


def static_shape(value: Value, what: str = "its input") -> tuple[int, ...]:
    """The shape of a value that must be known wholly; raises CannotExpress."""
    shape = shape_of(value, what)
    found = tuple(size for size in shape if size is not None)
    if len(found) < len(shape):
        raise CannotExpress(
            f"the shape {_text(shape)} of {what} is not known wholly",
            "convert the model with inputs of fixed shape",
        )
    return found


def _text(shape: Shape) -> str:
    return "?" if shape is None else str(["?" if size is None else size for size in shape])


def constant_of(node: Node, index: int, what: str) -> Array:
    """The numbers of an input that must be a small constant; raises CannotExpress."""
    found = constant_input(node, index)
    if found is None:
        raise CannotExpress(f"{what} is not constant")
    return found


def axes_of(node: Node, index: int, rank: int, what: str = "its axis") -> list[int]:
    """Axes that a constant input tells, none of them negative; raises CannotExpress."""
    found = [int(axis) for axis in constant_of(node, index, what).reshape(-1)]
    if any(not -rank <= axis < rank for axis in found):
        raise CannotExpress(f"{what} is {found}, and its input has {rank} axes")
    return [axis % rank for axis in found]


# Sizes ----------------------------------------------------------------------------------------


def size_at(build: Builder, value: Value, axis: int) -> Size:
    """The size of an axis: known, or read at run time."""
    shape = shape_of(value)
    known = shape[axis]
    if known is not None:
        return known
    axis %= len(shape)
    sizes = make(build, "Shape", value, out_type="int32")
    return make(build, "StridedSlice", sizes, [axis], [axis + 1], [1], shrink_axis_mask=1)


def sizes_of(build: Builder, value: Value) -> list[Size]:
    """The size of each axis of a value of known rank; see `size_at`."""
    shape = shape_of(value)
    if None not in shape:
        return [size for size in shape if size is not None]
    sizes = make(build, "Shape", value, out_type="int32")
    return [
        make(build, "StridedSlice", sizes, [axis], [axis + 1], [1], shrink_axis_mask=1)
        if size is None
        else size
        for axis, size in enumerate(shape)
    ]


def check_table(*sizes: int) -> None:
    """Refuse to write numbers into the model that are more than its source can be meant to need.

    Raises:
        CannotExpress: a table of these sizes is too large.
    """
    if math.prod(max(size, 1) for size in sizes) > MOST_IN_TABLE:
        raise CannotExpress(f"it would take a table of {' x '.join(map(str, sizes))} numbers")


def vector(build: Builder, sizes: Sequence[Size]) -> Value:
    """Sizes as an int32 vector."""
    if all(isinstance(size, int) for size in sizes):
        return build.constant(np.array(sizes, np.int32))
    return make(build, "Pack", *[as_scalar(build, size) for size in sizes], axis=0)


def as_scalar(build: Builder, size: Size) -> Value:
    """A size as an int32 scalar."""
    return size if isinstance(size, Value) else build.constant(np.int32(size))


def times(build: Builder, *sizes: Size) -> Size:
    """The product of sizes."""
    result: Size = _fitting(math.prod(size for size in sizes if isinstance(size, int)))
    for size in sizes:
        if isinstance(size, Value):
            result = size if result == 1 else make(build, "Mul", size, result)
    return result


def _fitting(size: int) -> int:
    if abs(size) > MOST_IN_AXIS:
        raise CannotExpress(f"a size of {size} is more than TF.js can count")
    return size


def plus(build: Builder, *sizes: Size) -> Size:
    """The sum of sizes."""
    result: Size = _fitting(sum(size for size in sizes if isinstance(size, int)))
    for size in sizes:
        if isinstance(size, Value):
            is_nothing = isinstance(result, int) and result == 0
            result = size if is_nothing else make(build, "AddV2", size, result)
    return result


def reshape(build: Builder, value: Value, sizes: Sequence[Size]) -> Value:
    """A value in another shape; one size that is known only at run time becomes -1."""
    free = [index for index, size in enumerate(sizes) if isinstance(size, Value)]
    # With a size of 0 beside it, -1 would mean nothing.
    if len(free) == 1 and 0 not in [size for size in sizes if isinstance(size, int)]:
        told = [-1 if isinstance(size, Value) else size for size in sizes]
        result = build.reshape(value, told)
    else:
        result = build.reshape(value, vector(build, sizes))
    if result.shape is None:
        result.shape = tuple(size if isinstance(size, int) else None for size in sizes)
    return result


def transpose(build: Builder, value: Value, order: Sequence[int]) -> Value:
    """A value with its axes in another order; itself where the order is the old one."""
    if list(order) == list(range(len(order))):
        return value
    result = build.transpose(value, order)
    if result.shape is None and value.shape is not None:
        result.shape = tuple(value.shape[axis] for axis in order)
    return result


def constant(value: Value) -> Array | None:
    """The numbers of a value that is a small constant; None for any other."""
    return constant_array(value)


def expand(build: Builder, value: Value, axis: int) -> Value:
    """A value with an axis of size 1 more."""
    return make(build, "ExpandDims", value, axis)


def concat(build: Builder, values: Sequence[Value], axis: int) -> Value:
    """Values side by side; the only one as it is."""
    return values[0] if len(values) == 1 else make(build, "ConcatV2", *values, axis)


def slice_axis(build: Builder, value: Value, axis: int, start: Size, size: Size) -> Value:
    """A part of one axis; `size` -1 means up to its end."""
    rank = len(shape_of(value))
    starts: list[Size] = [0] * rank
    sizes: list[Size] = [-1] * rank
    starts[axis], sizes[axis] = start, size
    result = make(build, "Slice", value, vector(build, starts), vector(build, sizes))
    if result.shape is None and value.shape is not None:
        known = size if isinstance(size, int) and size >= 0 else None
        result.shape = tuple(
            known if place == axis else length for place, length in enumerate(value.shape)
        )
    return result
