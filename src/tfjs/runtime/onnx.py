"""Runs a graph model with ONNX Runtime, and with NumPy what that has no operations for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec

import numpy.typing as npt

from tfjs.errors import MissingDependencyError
from tfjs.ir.graph import GraphModel, Value
from tfjs.ir.tensor import Array
from tfjs.runtime.engine import Runner
from tfjs.runtime.modes import Precision
from tfjs.runtime.plan import Plan


def require_onnxruntime() -> None:
    """See that ONNX Runtime is installed.

    Raises:
        MissingDependencyError: it is not.
    """
    if find_spec("onnxruntime") is None:
        raise MissingDependencyError(
            "the engine onnxruntime is not installed", hint="pip install 'tfjs[run]'"
        )


class OnnxRunner(Runner):
    """Runs one model as `Runner` does; what ONNX has operations for is computed by ONNX Runtime.

    Strings, lists, tables, and what lies in loops and branches is computed by NumPy, and so is all
    in double precision. Sums are added up in another order than NumPy's.

    Args:
        model: see `Runner`.
        dtype: see `Runner`.
        as_tfjs: see `Runner`.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        UnsupportedError: see `Runner`.
        CorruptFileError: see `Runner`.
    """

    def __init__(
        self, model: GraphModel, *, dtype: Precision = "float32", as_tfjs: bool = True
    ) -> None:
        require_onnxruntime()
        super().__init__(model, dtype=dtype, as_tfjs=as_tfjs)
        self._outputs = self._with_islands(self._outputs)

    def trace(self, feeds: Mapping[str, npt.ArrayLike]) -> Iterator[tuple[Value, Array]]:
        """Every value on the way, which NumPy computes; see `Runner.trace`."""
        mode = self._mode
        return Runner(self._model, dtype=mode.precision, as_tfjs=mode.as_tfjs).trace(feeds)

    def _plan(self, values: Sequence[Value]) -> Plan:
        key = tuple(values)
        known = key in self._plans
        plan = super()._plan(values)
        if not known:
            plan = self._plans[key] = self._with_islands(plan)
        return plan

    def _with_islands(self, plan: Plan) -> Plan:
        from tfjs.runtime.onnx_islands import with_islands  # noqa: PLC0415 - needs ONNX Runtime

        return with_islands(plan, self._mode) if self._mode.precision == "float32" else plan
