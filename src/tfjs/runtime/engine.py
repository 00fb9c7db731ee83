"""Runs a graph model with NumPy."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from tfjs.errors import CorruptFileError, UsageError
from tfjs.ir.graph import GraphModel, Value
from tfjs.ir.tensor import Array
from tfjs.ops.base import UNFIT
from tfjs.runtime.feeds import Inputs
from tfjs.runtime.kernels import Kernels
from tfjs.runtime.modes import Mode, Precision
from tfjs.runtime.plan import NodeError, Plan
from tfjs.runtime.planner import Planner
from tfjs.runtime.regions import DEFAULT
from tfjs.runtime.steps import UNREAD, Slots
from tfjs.runtime.tables import Tables
from tfjs.runtime.values import DEAD

Fetches = Sequence[str | Value] | None
# Plans for other values than the outputs that are kept.
_MOST_PLANS = 16


class Runner:
    """Runs one model; tables are filled before the first run, and kept.

    Args:
        model: the model; it is not changed, and must not be while it is run.
        dtype: "float64" computes in double precision what the graph has in single.
        as_tfjs: whether dtypes and operations are those of TF.js; TensorFlow's where not.

    Raises:
        UnsupportedError: nothing computes a node that the outputs need; all of them are listed.
        CorruptFileError: the graph makes no sense.
    """

    def __init__(
        self, model: GraphModel, *, dtype: Precision = "float32", as_tfjs: bool = True
    ) -> None:
        self._model = model
        self._mode = Mode(dtype, as_tfjs=as_tfjs)
        tables = Tables(self._mode, model.assets)
        self._kernels = Kernels(self._mode, tables)
        self._planner = Planner(model, self._mode, self._kernels)
        self._inputs = Inputs(model, self._mode)
        self._outputs = self._planner.plan(model.graph, model.graph.outputs)
        # What fills the tables, until it has run.
        self._first: Plan | None = None
        start = model.initializer
        if start is not None:
            planner = Planner(model, self._mode, self._kernels, effects=True)
            self._first = planner.plan(start, start.outputs, start.targets)
        self._plans: OrderedDict[tuple[Value, ...], Plan] = OrderedDict()

    def run(self, feeds: Mapping[str, npt.ArrayLike], fetches: Fetches = None) -> list[Array]:
        """Compute outputs, or other values.

        Args:
            feeds: for each input an array, by its key in the signature or the name of its node.
            fetches: values of the main graph, or their names as `node` and `node:1`, or keys of
                outputs; all outputs in the signature's order when None.

        Returns:
            An array for each; strings as arrays of objects of type bytes. Some may be views of
            what was fed, or of constants, which are read-only.

        Raises:
            UsageError: the feeds do not fit the model, or a fetch is not there.
            UnsupportedError: nothing computes a node that is needed.
            CorruptFileError: the model cannot be computed, whatever is fed.
        """
        values = self._values(fetches)
        plan = self._outputs if fetches is None else self._plan(values)
        slots = self._start(plan, feeds)
        with _telling(feeds), np.errstate(all="ignore"):
            plan.execute(slots)
        return [
            self._result(value, slots[slot])
            for value, slot in zip(values, plan.results, strict=True)
        ]

    def trace(self, feeds: Mapping[str, npt.ArrayLike]) -> Iterator[tuple[Value, Array]]:
        """Every value of the main graph that the outputs need, as it is computed.

        What is fed and constants come first. What lies in loops, in functions, or in a branch that
        is not taken does not come at all.

        Raises:
            TfjsError: as `run`.
        """
        plan = self._outputs
        slots = self._start(plan, feeds)
        for node, slot in plan.fed.items():
            if slot != UNREAD and node.op != DEFAULT:
                yield node.output, slots[slot]
        for value, slot in plan.sources.items():
            if isinstance(slots[slot], np.ndarray):
                yield value, slots[slot]
        for step in plan.steps:
            with _telling(feeds), np.errstate(all="ignore"):
                try:
                    step.run(slots)
                except (ValueError, MemoryError, *UNFIT) as error:
                    raise plan.failure(step, slots, error) from error
            for value, slot in zip(step.values, step.outputs, strict=True):
                if slot != UNREAD and isinstance(slots[slot], np.ndarray):
                    yield value, slots[slot]

    # Parts -----------------------------------------------------------------------------------

    def _values(self, fetches: Fetches) -> list[Value]:
        if fetches is None:
            return self._model.graph.outputs
        return [self._value(fetch) for fetch in fetches]

    def _value(self, fetch: str | Value) -> Value:
        graph = self._model.graph
        if isinstance(fetch, Value):
            if graph.nodes.get(fetch.node.name) is not fetch.node:
                raise UsageError(f"{fetch.name!r} is no value of the model's main graph")
            return fetch
        keys = self._model.signature.outputs
        if fetch in keys[: len(graph.outputs)]:
            return graph.outputs[keys.index(fetch)]
        name, _, index = fetch.partition(":")
        node = graph.nodes.get(name)
        if node is None:
            raise UsageError(
                f"the model has no output and no node {fetch!r}",
                hint=f"its outputs are {', '.join(map(repr, keys))}",
            )
        place = int(index) if index.isdecimal() and len(index) < 6 else 0 if not index else -1
        if not 0 <= place < len(node.outputs):
            raise UsageError(f"the node {name!r} ({node.op}) has no output {index or 0}")
        return node.outputs[place]

    def _plan(self, values: Sequence[Value]) -> Plan:
        key = tuple(values)
        plan = self._plans.pop(key, None) or self._planner.plan(self._model.graph, values)
        self._plans[key] = plan
        if len(self._plans) > _MOST_PLANS:
            self._plans.popitem(last=False)
        return plan

    def _start(self, plan: Plan, feeds: Mapping[str, npt.ArrayLike]) -> Slots:
        """The slots of a run, with what is fed."""
        wanted = {node: node.op == DEFAULT for node, slot in plan.fed.items() if slot != UNREAD}
        taken = self._inputs.take(feeds, wanted)
        self._initialize()
        slots = list(plan.template)
        for node, array in taken.items():
            slot = plan.fed.get(node, UNREAD)
            if slot != UNREAD:
                slots[slot] = array
        return slots

    def _initialize(self) -> None:
        """Fill the tables, before the first run."""
        if self._first is None:
            return
        with _telling({}), np.errstate(all="ignore"):
            self._first.execute(list(self._first.template))
        self._first = None

    def _result(self, value: Value, found: object) -> Array:
        if found is DEAD:
            raise UsageError(
                f"{value.name!r} is not computed for what is fed: it lies in a branch not taken"
            )
        if not isinstance(found, np.ndarray):
            raise UsageError(f"{value.name!r} is a {type(found).__name__}, which is no array")
        return found


@contextmanager
def _telling(feeds: Mapping[str, npt.ArrayLike]) -> Iterator[None]:
    """Say of a node that cannot be computed whose fault that is likely to be."""
    try:
        yield
    except NodeError as error:
        if not feeds:
            raise CorruptFileError(error.message, where=error.where) from error
        raise UsageError(
            f"cannot be computed from what is fed: {error.message}",
            where=error.where,
            hint="sizes that the model leaves free, and numbers such as indices, must be ones "
            "that it can take",
        ) from error
