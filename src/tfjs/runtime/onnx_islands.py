"""Parts of a plan that ONNX Runtime computes.

Each step gets a stage: those that ONNX can do an odd one, all others an even one, none before what
it reads. What of one odd stage there is becomes an island: it reads from earlier stages only, so
that no two islands can wait for each other.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tfjs.ir.graph import Node, Type, Value
from tfjs.ir.tensor import Array
from tfjs.ops.base import UNFIT, find, infer_types
from tfjs.ops.definitions import definition
from tfjs.runtime import onnx_shapes, onnx_windows  # noqa: F401 - they register operations
from tfjs.runtime.modes import Mode
from tfjs.runtime.onnx_model import Built, OnnxGraph, UnmappedError
from tfjs.runtime.onnx_ops import MAPS
from tfjs.runtime.plan import Plan
from tfjs.runtime.steps import UNREAD, KernelStep, Slots, Step, SwitchStep

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

# An island of fewer steps is not worth the way there and back, unless one of them is heavy.
LEAST_STEPS = 8
# What depends on more branches than that is left alone.
_MOST_ROOTS = 8
_HEAVY = frozenset(
    {"AvgPool", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Conv2D", "Conv2DBackpropInput"}
    | {"DepthwiseConv2d", "DepthwiseConv2dNative", "Einsum", "FusedDepthwiseConv2dNative"}
    | {"MatMul", "MaxPool", "ResizeBilinear", "_FusedConv2D", "_FusedMatMul"}
)


# The slots that make a step dead: what branches and loops give.
_Roots = frozenset[int]
_NONE: _Roots = frozenset()
# Where steps come in the order: stage, number of roots, number of these roots.
_Place = tuple[int, int, int]


class IslandStep(Step):
    """Steps that ONNX Runtime computes together; NumPy does where it refuses what is fed.

    Attributes:
        session: what computes them.
        built: what the session was made of.
        steps: the steps.
        plan: the plan that they come from.
    """

    __slots__ = ("_inner", "_refusals", "built", "plan", "session", "steps")

    def __init__(
        self,
        session: InferenceSession,
        built: Built,
        steps: Sequence[Step],
        plan: Plan,
        **options: Any,
    ) -> None:
        super().__init__(steps[0].node, **options)
        self.session = session
        self.built = built
        self.steps = [_without_drops(step) for step in steps]
        self.plan = plan
        self._refusals = refusals()
        made = [slot for step in steps for slot in step.outputs if slot != UNREAD]
        self._inner = tuple(slot for slot in made if slot not in self.outputs)

    def work(self, slots: Slots) -> None:
        feeds = {
            name: slots[slot] for name, slot in zip(self.built.inputs, self.inputs, strict=True)
        }
        try:
            found = self.session.run(self.built.outputs, feeds)
        except self._refusals:
            # NumPy can, or says which node cannot be computed and why.
            self._without_session(slots)
            return
        for slot, array in zip(self.outputs, found, strict=True):
            slots[slot] = array

    def _without_session(self, slots: Slots) -> None:
        for step in self.steps:
            try:
                with np.errstate(all="ignore"):
                    step.run(slots)
            except (ValueError, MemoryError, *UNFIT) as error:
                raise self.plan.failure(step, slots, error) from error
        for slot in self._inner:
            slots[slot] = None


def refusals() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises over models and inputs."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415

    return (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.NotImplemented,
        state.RuntimeException,
        RuntimeError,
        TypeError,
        ValueError,
    )


def with_islands(plan: Plan, mode: Mode) -> Plan:
    """The same plan, with islands in place of what ONNX Runtime can compute."""
    steps = [copy.copy(step) for step in _Maker(plan, mode).steps()]
    _settle(steps, [*plan.results, *plan.sources.values()])
    return replace(plan, steps=steps)


class _Maker:
    """Makes the islands of one plan."""

    def __init__(self, plan: Plan, mode: Mode) -> None:
        self.plan = plan
        self.mode = mode
        self.constants: dict[Value, Array] = {}
        for value, slot in plan.sources.items():
            found = plan.template[slot]
            if isinstance(found, np.ndarray):
                self.constants[value] = found
        for step in plan.steps:
            # In a branch: what reads it is dead where it would be.
            if isinstance(step, KernelStep) and step.node.op == "Const":
                self.constants[step.values[0]] = step.kernel(step.attrs)
        self.types = _types(plan, as_tfjs=mode.as_tfjs)
        self.slots = _slots(plan)
        self.wanted = frozenset(
            value
            for step in plan.steps
            for value, slot in zip(step.values, step.outputs, strict=True)
            if slot != UNREAD
        )

    def steps(self) -> list[Step]:
        """All steps in order, islands for those that ONNX Runtime computes."""
        found: list[Step] = []
        for (stage, _, _), (roots, steps) in sorted(self._stages().items()):
            island = self._island(steps, roots) if stage % 2 else None
            found += [island] if island is not None else steps
        return found

    def _stages(self) -> dict[_Place, tuple[_Roots, list[Step]]]:
        """The steps of each stage; those of an odd one by what makes them dead.

        What a step gives is dead for all that makes its inputs dead, and more: in the order of
        how many these are, no step comes before one that it reads.
        """
        stages: dict[_Place, tuple[_Roots, list[Step]]] = {}
        numbers: dict[_Roots, int] = {}
        stage_of: dict[int, int] = {}
        roots_of: dict[int, _Roots] = {}
        probe = self._graph()
        for step in self.plan.steps:
            roots = _NONE.union(*(roots_of.get(slot, {slot}) for slot in step.guard))
            few = isinstance(step, KernelStep) and len(roots) <= _MOST_ROOTS
            maps = few and _maps(step, probe)
            stage = max((stage_of.get(slot, 0) for slot in (*step.inputs, *step.guard)), default=0)
            stage += stage % 2 != int(maps)
            for slot in (*step.outputs, step.mark):
                stage_of[slot] = stage
                if few:
                    roots_of[slot] = roots
            stage_of.pop(UNREAD, None)
            place = (stage, len(roots), numbers.setdefault(roots, len(numbers)))
            place = place if maps else (stage, 0, 0)
            stages.setdefault(place, (roots, []))[1].append(step)
        return stages

    def _graph(self) -> OnnxGraph:
        return OnnxGraph(self.types, self.constants, self.mode, self.wanted)

    def _island(self, steps: list[Step], roots: _Roots) -> Step | None:
        """A step for several; None where they are better left alone."""
        if len(steps) < LEAST_STEPS and not any(step.node.op in _HEAVY for step in steps):
            return None
        values = self._leaving(steps)
        graph = self._graph()
        try:
            for step in steps:
                MAPS[step.node.op](graph, step.node)
            built, fed = graph.build(values)
        except UnmappedError:
            return None
        session = _session(built)
        if session is None:
            return None
        return IslandStep(
            session, built, steps, self.plan,
            inputs=[self.slots[value] for value in fed],
            outputs=[self.slots[value] for value in values],
            values=values,
            guard=sorted(roots),
        )  # fmt: skip

    def _leaving(self, steps: list[Step]) -> list[Value]:
        """What others read of that which steps make."""
        inside = set(map(id, steps))
        read = set(self.plan.results)
        for step in self.plan.steps:
            if id(step) not in inside:
                read.update((*step.inputs, *step.guard))
        return [
            value
            for step in steps
            for value, slot in zip(step.values, step.outputs, strict=True)
            if slot in read
        ]


def _maps(step: Step, probe: OnnxGraph) -> bool:
    """Whether ONNX can do a step."""
    if not isinstance(step, KernelStep) or step.mark != UNREAD:
        return False
    function = MAPS.get(step.node.op)
    if function is None:
        return False
    try:
        function(probe, step.node)
    except (UnmappedError, ValueError, *UNFIT):  # what makes no sense is for the kernels to refuse
        return False
    return True


def _session(built: Built) -> InferenceSession | None:
    """What runs a model; None where ONNX Runtime does not take it."""
    import onnxruntime  # noqa: PLC0415 - an extra

    options = onnxruntime.SessionOptions()
    # Who waits in a loop takes the processor from those that have something to do.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    if built.weights:
        values = [
            onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in built.weights.values()
        ]
        options.add_external_initializers(list(built.weights), values)
    try:
        return onnxruntime.InferenceSession(built.data, options, providers=["CPUExecutionProvider"])
    except refusals():
        return None


def _without_drops(step: Step) -> Step:
    found = copy.copy(step)
    found.drops = ()
    return found


def _settle(steps: Sequence[Step], kept: Iterable[int]) -> None:
    """Tell each step what nobody reads after it."""
    alive = set(kept)
    for step in reversed(steps):
        read = dict.fromkeys([*step.inputs, *step.guard])
        step.drops = tuple(slot for slot in read if slot not in alive)
        alive.update(step.drops)


def _slots(plan: Plan) -> dict[Value, int]:
    """The slot of each value that is read."""
    found = {node.output: slot for node, slot in plan.fed.items()}
    found.update(plan.sources)
    for step in plan.steps:
        found.update(zip(step.values, step.outputs, strict=True))
        if isinstance(step, KernelStep):
            found.update(zip(step.node.inputs, step.inputs, strict=True))
    return found


# What is known of values -------------------------------------------------------------------------


def _types(plan: Plan, *, as_tfjs: bool) -> dict[Value, Type]:
    """The types of all values, from those that are fed and from constants."""
    shadows: dict[Value, Value] = {}
    types: dict[Value, Type] = {value: value.type for value in plan.sources}
    for node in plan.fed:
        shape = node.output.shape
        # Old graphs of TensorFlow say so where nothing is known.
        unknown = shape == () and node.op == "Placeholder" and not as_tfjs
        types[node.output] = Type(node.output.dtype, None if unknown else shape)
        if unknown:
            shadows[node.output] = Value(node, 0, types[node.output])
    for step in plan.steps:
        node = step.node
        told_by_inputs = isinstance(step, KernelStep | SwitchStep)
        found = _inferred(node, shadows) if told_by_inputs else None
        for value in step.values:
            told = value.type if found is None else _joined(found[value.index], value.type)
            types[value] = told
            shadows[value] = Value(node, value.index, told)
    return types


def _inferred(node: Node, shadows: Mapping[Value, Value]) -> list[Type] | None:
    """The types of the outputs of a node; None where nothing tells them."""
    shadow = Node(node.op, node.name, node.attrs, node.origin)
    shadow.inputs = [shadows.get(value, value) for value in node.inputs]
    declared = find(node.op)
    try:
        if definition(node.op) is not None or declared is None:
            return infer_types(shadow)
        # TF.js's own operations keep the dtype.
        return [Type(shadow.inputs[0].dtype, shape) for shape in declared.infer(shadow)]
    except (ValueError, *UNFIT):
        return None


def _joined(one: Type, other: Type) -> Type:
    shape = other.shape if one.shape is None else one.shape
    return Type(other.dtype if one.dtype is None else one.dtype, shape)
