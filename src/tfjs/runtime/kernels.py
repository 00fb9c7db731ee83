"""What computes a node, looked up once when a plan is made."""

from __future__ import annotations

from tfjs.ir.graph import Node
from tfjs.ops.base import find
from tfjs.runtime import variables
from tfjs.runtime.arrays import array_kernels
from tfjs.runtime.lists import list_kernels
from tfjs.runtime.modes import Mode
from tfjs.runtime.randoms import random_kernels
from tfjs.runtime.tables import Tables
from tfjs.runtime.values import Kernel


class Kernels:
    """The kernels of all operations in one mode.

    Args:
        mode: how the model is computed.
        tables: its tables.
    """

    def __init__(self, mode: Mode, tables: Tables) -> None:
        self._mode = mode
        self._tables = tables
        self._own: dict[str, Kernel] = {
            **list_kernels(as_tfjs=mode.as_tfjs),
            **array_kernels(as_tfjs=mode.as_tfjs),
            **random_kernels(as_tfjs=mode.as_tfjs),
            **variables.KERNELS,
        }

    def of(self, node: Node) -> Kernel | None:
        """What computes a node, from its attributes and inputs; None where nothing does."""
        own = self._own.get(node.op)
        if own is not None:
            return own
        declared = find(node.op)
        if declared is None or declared.kernel is None:
            return self._tables.kernel(node)
        if self._mode.as_tfjs and declared.tfjs_kernel is not None:
            return declared.tfjs_kernel
        return declared.kernel
