"""What computes a node, looked up once when a plan is made."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs, Node
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
        kernel: Kernel = declared.kernel
        if self._mode.as_tfjs and declared.tfjs_kernel is not None:
            kernel = declared.tfjs_kernel
        return _widened(kernel) if self._mode.precision == "float64" else kernel


def _widened(kernel: Kernel) -> Kernel:
    """A kernel that gives double precision also where it computes in single, whatever it takes."""

    def widened(attrs: Attrs, *inputs: Any) -> Any:
        found = kernel(attrs, *inputs)
        return tuple(map(_wide, found)) if isinstance(found, tuple) else _wide(found)

    return widened


def _wide(value: Any) -> Any:
    single = isinstance(value, np.ndarray | np.generic) and value.dtype == np.float32
    return value.astype(np.float64) if single else value
