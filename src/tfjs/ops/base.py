"""How an operation is declared: its shapes, and what it computes.

Signatures and dtypes come from `definitions`; what TF.js supports from `support`. A declaration
adds what no table tells: which shapes come out, and a kernel in NumPy, with which constants are
folded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import numpy as np

import tfjs.ops
from tfjs.ir.graph import Node, Shape, Type, Value, constant_of
from tfjs.ir.tensor import Array
from tfjs.ops.definitions import Definition, definition

Infer = Callable[[Node], Sequence[Shape]]
# Gets the attributes and the inputs as arrays; gives one array, or a tuple for several outputs.
Kernel = Callable[..., Any]

# What Python and NumPy raise over attributes and inputs of a kind or number that no node has.
UNFIT = (ArithmeticError, AttributeError, LookupError, TypeError)
# A constant beyond this many elements is data, not a shape or an axis; nothing looks into it.
MOST_LOOKED_AT = 1 << 12
# TF.js holds sizes in int32.
MOST_IN_AXIS = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Op:
    """The declaration of an operation.

    Attributes:
        name: TensorFlow's name.
        infer: the shape of each output of a node; it may look at constants that go in. A shape
            of None is always right. Raises ValueError for inputs that cannot be.
        kernel: what it computes as TensorFlow does, `kernel(attrs, *inputs)`; None for what
            needs more than its inputs (tables, control flow).
        tfjs_kernel: what TF.js computes, where that is something else; None where it is not.
        folds: whether constants are folded with the kernel; not where that may take long.
    """

    name: str
    infer: Infer
    kernel: Kernel | None = None
    tfjs_kernel: Kernel | None = None
    folds: bool = True


_OPS: dict[str, Op] = {}


def declare(
    *names: str,
    infer: Infer,
    kernel: Kernel | None = None,
    tfjs_kernel: Kernel | None = None,
    folds: bool = True,
) -> None:
    """Declare operations that have shapes and kernels in common; see `Op`."""
    for name in names:
        if name in _OPS:
            raise ValueError(f"{name} is declared twice")
        _OPS[name] = Op(name, infer, kernel, tfjs_kernel, folds)


def find(op: str) -> Op | None:
    """The declaration of an operation; None where there is none."""
    _load()
    return _OPS.get(op)


def all_ops() -> dict[str, Op]:
    """Every declaration by name, sorted."""
    _load()
    return dict(sorted(_OPS.items()))


@cache
def _load() -> None:
    # Every module in this package may declare operations.
    for module in iter_modules(tfjs.ops.__path__):
        import_module(f"{tfjs.ops.__name__}.{module.name}")


def infer_types(node: Node, known: Definition | None = None) -> list[Type]:
    """The type of each output of a node, from its attributes and inputs.

    Args:
        node: the node; its own outputs are not looked at.
        known: its signature, for an operation that TensorFlow does not have.

    Raises:
        ValueError: attributes or inputs make no sense.
    """
    found = definition(node.op) or known
    if found is None:
        raise ValueError(f"{node.op} has no signature")
    dtypes = found.output_dtypes(node.attrs)
    op = find(node.op)
    try:
        shapes = op.infer(node) if op is not None else [None] * len(dtypes)
    except UNFIT as error:
        raise ValueError(f"{node.op} does not take such attributes or inputs: {error!r}") from error
    for shape in shapes:
        if shape is None:
            continue
        for size in shape:
            if size is not None and size > MOST_IN_AXIS:
                raise ValueError(f"{node.op} makes the absurd shape {list(shape)}")
    return [Type(dtype, shape) for dtype, shape in zip(dtypes, shapes, strict=True)]


def evaluate(node: Node, inputs: Sequence[Array], *, as_tfjs: bool = False) -> list[Array]:
    """What a node gives for some inputs, as TensorFlow computes it.

    Args:
        node: the node; only its operation and attributes are looked at.
        inputs: what goes in.
        as_tfjs: as the cpu backend of TF.js computes it. Floats stay as wide as they come;
            integers are int32.

    Raises:
        ValueError: the operation has no kernel, or refuses the inputs.
    """
    op = find(node.op)
    kernel = op and ((op.tfjs_kernel if as_tfjs else None) or op.kernel)
    if not kernel:
        raise ValueError(f"{node.op} has no kernel")
    try:
        with np.errstate(all="ignore"):
            result = kernel(node.attrs, *inputs)
    except UNFIT as error:
        raise ValueError(f"{node.op} does not take such attributes or inputs: {error!r}") from error
    except MemoryError as error:
        raise ValueError(f"{node.op} needs more memory than there is") from error
    items = result if isinstance(result, tuple) else (result,)
    # One string alone would become an array of characters.
    made = [np.asarray(item, object if isinstance(item, bytes) else None) for item in items]
    if not as_tfjs:
        return made
    return [item.astype(np.int32, copy=False) if item.dtype.kind in "iu" else item for item in made]


# For declarations --------------------------------------------------------------------------------


def constant_input(node: Node, index: int) -> Array | None:
    """The numbers of an input that is a small constant; None for any other input."""
    return constant_array(node.inputs[index]) if index < len(node.inputs) else None


def constant_array(value: Value) -> Array | None:
    """The numbers of a value that is a small constant; None for any other."""
    tensor = constant_of(value)
    return None if tensor is None or tensor.size > MOST_LOOKED_AT else tensor.array()


def as_first(node: Node) -> list[Shape]:
    """One output, of the shape of the first input."""
    return [node.inputs[0].shape]


def broadcast(node: Node) -> list[Shape]:
    """One output, of the shape that all inputs are broadcast to."""
    return [broadcast_shapes([value.shape for value in node.inputs])]


def broadcast_shapes(shapes: Sequence[Shape]) -> Shape:
    """The shape that others are broadcast to; a free size stays free unless another fixes it.

    Raises:
        ValueError: they do not go together.
    """
    if None in shapes:
        return None
    if not shapes or shapes.count(shapes[0]) == len(shapes):
        return shapes[0] if shapes else ()
    known = [shape for shape in shapes if shape is not None]
    rank = max((len(shape) for shape in known), default=0)
    result: list[int | None] = []
    for axis in range(rank):
        sizes = {
            shape[axis - rank + len(shape)] for shape in known if axis - rank + len(shape) >= 0
        }
        fixed = {size for size in sizes if size is not None and size != 1}
        if len(fixed) > 1:
            raise ValueError(f"shapes {known} do not go together")
        # A free size may be 1 or what another input has; without another it stays free.
        result.append(next(iter(fixed)) if fixed else (None if None in sizes else 1))
    return tuple(result)


def unknown(count: int = 1) -> Infer:
    """Outputs of which nothing is known."""
    return lambda node: [None] * count


def of_constants(kernel: Kernel, infer: Infer) -> Infer:
    """Shapes that depend on numbers: exact where these are small constants.

    Args:
        kernel: what the operation computes; what comes out is no larger than what goes in.
        infer: the shapes for anything else.
    """

    def exact(node: Node) -> list[Shape]:
        arrays = [constant_input(node, index) for index in range(len(node.inputs))]
        if any(array is None for array in arrays):
            return list(infer(node))
        result = kernel(node.attrs, *arrays)
        return [item.shape for item in (result if isinstance(result, tuple) else (result,))]

    return exact
