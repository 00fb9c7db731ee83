"""Variables, which keep the values of the source while a model runs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfjs.ir.graph import Attrs
from tfjs.ir.tensor import Array
from tfjs.ops.base import find
from tfjs.runtime.values import Handle, Kernel

# What makes a variable: a handle, or in TF1 the values themselves.
HANDLES = frozenset({"VarHandleOp"})
REFERENCES = frozenset({"VariableV2", "Variable"})


class Variable(Handle):
    """A variable that is read through its handle.

    Args:
        read: gives its elements.
    """

    __slots__ = ("read",)

    def __init__(self, read: Callable[[], Array]) -> None:
        self.read = read


def _read(attrs: Attrs, variable: Variable) -> Array:
    return variable.read()


def _gather(attrs: Attrs, variable: Variable, indices: Array) -> Array:
    batch = int(attrs.get("batch_dims", 0))
    axis = np.array(batch, np.int32)
    found: Array = _kernel("GatherV2")({"batch_dims": batch}, variable.read(), indices, axis)
    return found


def _gather_nd(attrs: Attrs, variable: Variable, indices: Array) -> Array:
    found: Array = _kernel("GatherNd")({}, variable.read(), indices)
    return found


def _shape(attrs: Attrs, variable: Variable) -> Array:
    return np.array(variable.read().shape, attrs.get("out_type", "int32"))


def _kernel(op: str) -> Kernel:
    declared = find(op)
    if declared is None or declared.kernel is None:
        raise ValueError(f"{op} has no kernel")
    return declared.kernel


KERNELS: dict[str, Kernel] = {
    "DisableCopyOnRead": lambda attrs, variable: (),
    "IsVariableInitialized": lambda attrs, value: np.array(True),
    "ReadVariableOp": _read,
    "ResourceGather": _gather,
    "ResourceGatherNd": _gather_nd,
    "VarIsInitializedOp": lambda attrs, variable: np.array(True),
    "VariableShape": _shape,
}
