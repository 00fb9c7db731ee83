"""In which dtypes a graph is computed."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from tfjs.ir.graph import Attrs
from tfjs.ir.tensor import Array, Tensor
from tfjs.ops.support import TAKEN_FOR

Precision = Literal["float32", "float64"]

_WIDER = {"float16": "float64", "float32": "float64", "complex64": "complex128"}


class Mode:
    """How a run differs from what the graph says.

    Args:
        precision: "float64" computes in double precision what the graph has in single.
        as_tfjs: whether dtypes and operations are those of TF.js; TensorFlow's where not.
    """

    def __init__(self, precision: Precision, *, as_tfjs: bool) -> None:
        self.precision = precision
        self.as_tfjs = as_tfjs
        self._dtypes: dict[str, str] = dict(TAKEN_FOR) if as_tfjs else {}
        if precision == "float64":
            for name in ("float16", "float64", "float32", "complex128", "complex64"):
                taken = self._dtypes.get(name, name)
                self._dtypes[name] = _WIDER.get(taken, taken)

    def dtype(self, name: str) -> str:
        """The dtype of the array that holds a value of a dtype."""
        # NumPy has no bfloat16: arrays hold it in single precision.
        name = "float32" if name == "bfloat16" else name
        return self._dtypes.get(name, name)

    def attrs(self, attrs: Attrs) -> Attrs:
        """Attributes with the dtypes in which a node is computed."""
        return {name: self._attr(value) for name, value in attrs.items()}

    def constant(self, tensor: Tensor) -> Array:
        """The elements of a constant; a view of its file where they can stay as they are."""
        return self.array(tensor.array(), tensor.dtype)

    def array(self, array: Array, dtype: str) -> Array:
        """An array in the dtype in which a value of a dtype is computed."""
        if dtype == "string":
            return array
        with np.errstate(all="ignore"):
            found = array.astype(self.dtype(dtype), copy=False)
        # What lies unevenly in its file is slow at every use.
        return np.require(found, requirements="A")

    def _attr(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._dtypes.get(value, value)
        if isinstance(value, list):
            return [self._attr(item) for item in value]
        return value
