"""What flows through a graph at run time beside arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfjs.ir.graph import Shape
from tfjs.ir.tensor import Array

# Gets the attributes and the inputs; gives one value, or a tuple for none or several.
Kernel = Callable[..., Any]


class Handle:
    """A list, an array of tensors, a table or a variable: what no array is."""

    __slots__ = ()


class _Dead:
    """What a branch of TF1's control flow gives that is not taken."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<dead>"


DEAD = _Dead()


def dtype_of(value: Any) -> str:
    """Our name of the dtype of a value."""
    if isinstance(value, np.ndarray):
        return "string" if value.dtype.kind == "O" else value.dtype.name
    return "variant"


def described(value: Any) -> str:
    """Dtype and shape of a value, for messages: `float32[2,3]`."""
    if not isinstance(value, np.ndarray):
        return repr(value) if value is DEAD else type(value).__name__
    return f"{dtype_of(value)}[{','.join(map(str, value.shape))}]"


def number(value: Array) -> int:
    """The number that a scalar, or an array of one element, holds.

    Raises:
        ValueError: it holds none, or several.
    """
    if value.size != 1:
        raise ValueError(f"one number was expected, and {value.size} are given")
    return int(value.reshape(-1)[0])


def numbers(value: Array) -> list[int]:
    """The numbers that an array holds, in row-major order."""
    return [int(item) for item in value.reshape(-1).tolist()]


def told_shape(value: Array) -> Shape:
    """The shape that a tensor tells: -1 is free, a scalar says that any rank is."""
    if value.ndim == 0:
        return None
    return tuple(None if size < 0 else size for size in numbers(value))


def merged(one: Shape, other: Shape) -> Shape:
    """What two statements about a shape say together.

    Raises:
        ValueError: they contradict.
    """
    if one is None or other is None:
        return other if one is None else one
    if len(one) != len(other):
        raise ValueError(f"shapes {shown(one)} and {shown(other)} differ in rank")
    result = []
    for a, b in zip(one, other, strict=True):
        if a is not None and b is not None and a != b:
            raise ValueError(f"shapes {shown(one)} and {shown(other)} do not fit together")
        result.append(b if a is None else a)
    return tuple(result)


def known(shape: Shape) -> tuple[int, ...] | None:
    """A shape without free sizes; None for any other."""
    if shape is None:
        return None
    sizes = tuple(size for size in shape if size is not None)
    return sizes if len(sizes) == len(shape) else None


def shown(shape: Shape) -> str:
    """A shape for messages; `?` is free."""
    if shape is None:
        return "[...]"
    return f"[{','.join('?' if size is None else str(size) for size in shape)}]"


def must_know(shape: Shape) -> tuple[int, ...]:
    """The shape of items of a list or array.

    Raises:
        ValueError: nothing tells it.
    """
    found = known(shape)
    if found is None:
        raise ValueError(f"nothing tells the shape of the items, only {shown(shape)}")
    return found


def zeros(shape: tuple[int, ...] | None, dtype: str) -> Array:
    """What an item is that was never written.

    Raises:
        ValueError: its shape is not known, or such items are no arrays.
    """
    if shape is None or dtype in ("variant", "resource"):
        raise ValueError("an item was read that was never written")
    if dtype == "string":
        return np.full(shape, b"", object)
    return np.zeros(shape, "float32" if dtype == "bfloat16" else dtype)
