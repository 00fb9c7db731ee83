"""Recurrent layers as a graph: what a cell computes, and the loop over the steps.

What depends on the input alone is computed for all steps at once, before the loop: a step is then
as few operations as can be, and is written out where the number of steps is known.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tfjs.ir.graph import Value
from tfjs.ir.tensor import Array
from tfjs.layers.base import CannotLower
from tfjs.layers.declarations import gates
from tfjs.layers.declarations.space_graph import order_axes

if TYPE_CHECKING:
    from tfjs.layers.lowering import Lowering

# Activations that look at each number by itself, so that gates side by side can share one.
_ELEMENTWISE = frozenset(
    {"sigmoid", "hard_sigmoid", "keras2_hard_sigmoid", "tanh", "relu", "linear", "elu", "selu"}
    | {"softplus", "softsign", "exponential", "swish", "silu", "gelu"}
)


class Cell(ABC):
    """One step of an RNN.

    Args:
        build: the layer or cell that owns the weights.

    Attributes:
        count: how many states it has; the first is what it puts out.
    """

    count: ClassVar[int] = 1

    def __init__(self, build: Lowering) -> None:
        self._activation = build.config.get("activation")
        self._gate = build.config.get("recurrent_activation")

    def enter(self, build: Lowering, value: Value) -> Value:
        """A sequence or a state with its axes as the cell takes them."""
        return value

    def leave(self, build: Lowering, value: Value) -> Value:
        """A sequence or a state with its axes as Keras has them."""
        return value

    @abstractmethod
    def project(self, build: Lowering, x: Value) -> list[Value]:
        """What depends on the input alone.

        Args:
            build: what builds it.
            x: the input of a step, or of all steps with an axis of them before the batch.
        """

    @abstractmethod
    def step(self, build: Lowering, parts: Sequence[Value], states: Sequence[Value]) -> list[Value]:
        """The next states, from what `project` gave for a step and the states."""

    @abstractmethod
    def sizes(self, build: Lowering, parts: Sequence[Value]) -> list[list[int | Value]]:
        """Sizes of each state without the batch, from what `project` gave for all steps."""


class _Plain(Cell):
    """A cell whose states are vectors."""

    def __init__(self, build: Lowering) -> None:
        super().__init__(build)
        self._kernel = build.weight("kernel")
        self._recurrent = build.weight("recurrent_kernel")
        self._bias = build.weight("bias") if build.config.get("use_bias", True) else None
        self._units = build.fixed(self._recurrent, 0)

    def sizes(self, build: Lowering, parts: Sequence[Value]) -> list[list[int | Value]]:
        return [[self._units]] * self.count

    def _projected(self, build: Lowering, x: Value) -> Value:
        rank = build.rank(x)
        flat = x if rank == 2 else build.reshaped(x, [-1, build.fixed(self._kernel, 0)])
        result = build.op("MatMul", flat, self._kernel)
        if self._bias is not None:
            result = build.op("BiasAdd", result, self._bias)
        if rank == 2:
            return result
        return build.reshaped(result, [*leading(build, x), build.fixed(self._kernel, 1)])


def leading(build: Lowering, x: Value) -> list[int | Value]:
    """Sizes of steps and batch; -1 for one that is free."""
    steps, batch = build.shape(x)[:2]
    if batch is None:
        return [build.size(x, 0), -1]
    return [-1 if steps is None else steps, batch]


class _Simple(_Plain):
    def project(self, build: Lowering, x: Value) -> list[Value]:
        return [self._projected(build, x)]

    def step(self, build: Lowering, parts: Sequence[Value], states: Sequence[Value]) -> list[Value]:
        total = build.op("AddV2", parts[0], build.op("MatMul", states[0], self._recurrent))
        return [build.activate(total, self._activation)]


class _LSTM(_Plain):
    count = 2

    def project(self, build: Lowering, x: Value) -> list[Value]:
        return [self._projected(build, x)]

    def step(self, build: Lowering, parts: Sequence[Value], states: Sequence[Value]) -> list[Value]:
        total = build.op("AddV2", parts[0], build.op("MatMul", states[0], self._recurrent))
        return remembered(build, total, states[1], self._gate, self._activation)


def remembered(
    build: Lowering, total: Value, carry: Value, gate: Any, activation: Any
) -> list[Value]:
    """Output and carry of an LSTM from the sums of its gates, which lie along the last axis."""
    axis = build.rank(total) - 1
    if _is_elementwise(gate):
        units = build.fixed(total, axis) // 4
        # One activation too many by a quarter is less than three of them.
        enter, forget, _, leave = _split(build, build.activate(total, gate), 4)
        start, size = np.zeros(axis + 1, np.int32), np.full(axis + 1, -1, np.int32)
        start[axis], size[axis] = 2 * units, units
        new = build.op("Slice", total, start, size)
    else:
        sums = _split(build, total, 4)
        enter, forget, leave = (build.activate(sums[index], gate) for index in (0, 1, 3))
        new = sums[2]
    kept = build.op("Mul", forget, carry)
    carry = build.op("AddV2", kept, build.op("Mul", enter, build.activate(new, activation)))
    return [build.op("Mul", leave, build.activate(carry, activation)), carry]


class _GRU(_Plain):
    def __init__(self, build: Lowering) -> None:
        super().__init__(build)
        self._after = bool(build.config.get("reset_after"))
        self._recurrent_bias: Value | None = None
        if self._after and self._bias is not None:
            self._bias, self._recurrent_bias = build.ops(
                "Unpack", self._bias, attrs={"num": 2, "axis": 0}
            )
        if not self._after:
            self._recurrent, self._last = _two(build, self._recurrent, self._units)

    def project(self, build: Lowering, x: Value) -> list[Value]:
        return _two(build, self._projected(build, x), self._units)

    def step(self, build: Lowering, parts: Sequence[Value], states: Sequence[Value]) -> list[Value]:
        (state,) = states
        inner = build.op("MatMul", state, self._recurrent)
        if not self._after:
            update, reset = self._gates(build, build.op("AddV2", parts[0], inner))
            recalled = build.op("MatMul", build.op("Mul", reset, state), self._last)
        else:
            if self._recurrent_bias is not None:
                inner = build.op("BiasAdd", inner, self._recurrent_bias)
            both, last = _two(build, inner, self._units)
            update, reset = self._gates(build, build.op("AddV2", parts[0], both))
            recalled = build.op("Mul", reset, last)
        new = build.activate(build.op("AddV2", parts[1], recalled), self._activation)
        # z * h + (1 - z) * n, in fewer operations.
        change = build.op("Mul", update, build.op("Sub", state, new))
        return [build.op("AddV2", new, change)]

    def _gates(self, build: Lowering, total: Value) -> list[Value]:
        """Update and reset."""
        if _is_elementwise(self._gate):
            return _split(build, build.activate(total, self._gate), 2)
        return [build.activate(part, self._gate) for part in _split(build, total, 2)]


def _is_elementwise(activation: Any) -> bool:
    return activation is None or (isinstance(activation, str) and activation in _ELEMENTWISE)


def _split(build: Lowering, value: Value, count: int) -> list[Value]:
    """Equal parts along the last axis."""
    axis = np.array(build.rank(value) - 1, np.int32)
    return build.ops("Split", axis, value, attrs={"num_split": count, "T": value.dtype})


def _two(build: Lowering, value: Value, units: int) -> list[Value]:
    """The two gates of a GRU, and what it computes of its new state, along the last axis."""
    sizes, axis = np.array([2 * units, units], np.int32), np.array(build.rank(value) - 1, np.int32)
    attrs = {"num_split": 2, "T": value.dtype, "Tlen": "int32"}
    return build.ops("SplitV", value, sizes, axis, attrs=attrs)


def cell_of(build: Lowering) -> Cell | None:
    """What a SimpleRNN, LSTM, GRU or a cell of them computes in a step; None for others."""
    try:
        found = gates.gates_of(build.layer)
    except KeyError:
        return None
    kinds: dict[gates.Gates, Callable[[Lowering], Cell]] = {
        gates.SIMPLE: _Simple,
        gates.LSTM: _LSTM,
        gates.GRU: _GRU,
    }
    return kinds[found](build)


# The loop ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Steps:
    """How the steps of a sequence are run.

    Attributes:
        backwards: whether the last one is taken first; outputs come in the order of taking.
        sequences: whether the outputs of all steps are wanted.
        mask: which steps count, [steps, batch]; None where all do.
        zeros: whether zeros are put out at masked steps, and not what came before.
    """

    backwards: bool = False
    sequences: bool = False
    mask: Value | None = None
    zeros: bool = False


def run(
    build: Lowering, cells: Sequence[Cell], x: Value, given: Sequence[Value], steps: Steps
) -> list[Value]:
    """Run cells, each on what the one before puts out, over the steps of a sequence.

    Args:
        build: what builds it.
        cells: the cells.
        x: the sequence, with its steps before the batch.
        given: the initial states of all cells; none for zeros.
        steps: how to run.

    Returns:
        The output, [steps, batch, ...] or of the last step [batch, ...], and the states.

    Raises:
        CannotLower: there are other states than those of the cells.
    """
    parts = cells[0].project(build, x)
    states = list(given) or _zeros(build, cells, parts)
    _check_states(states, cells)
    # From zeros, what a masked step repeats is the state itself.
    apart = steps.mask is not None and not steps.zeros and bool(given)
    return _Loop(build, cells, parts, steps, apart=apart).run(states)


def _check_states(states: Sequence[Value], cells: Sequence[Cell]) -> None:
    if len(states) != sum(cell.count for cell in cells):
        raise CannotLower(f"is given {len(states)} states, which are not those of its cells")


def _zeros(build: Lowering, cells: Sequence[Cell], parts: Sequence[Value]) -> list[Value]:
    batch = build.size(parts[0], 1)
    made: dict[tuple[int | Value, ...], Value] = {}
    found = []
    for cell in cells:
        for sizes in cell.sizes(build, parts):
            key = tuple(sizes)
            if key not in made:
                made[key] = build.op("Fill", build.sizes([batch, *sizes]), np.float32(0))
            found.append(made[key])
    return found


class _Loop:
    """A loop over the steps of a sequence; see `run`.

    Args:
        build: what builds it.
        cells: the cells.
        parts: what the first cell makes of the whole input.
        steps: how to run.
        apart: whether what is put out is kept apart from the state.
    """

    def __init__(
        self,
        build: Lowering,
        cells: Sequence[Cell],
        parts: Sequence[Value],
        steps: Steps,
        *,
        apart: bool,
    ) -> None:
        self._build = build
        self._cells = cells
        self._steps = steps
        self._apart = apart
        self._count = build.size(parts[0], 0)
        self._size = sum(cell.count for cell in cells)
        # The first state of the last cell is what comes out.
        self._first = self._size - cells[-1].count
        self._read = [_List(build, part) for part in parts]
        if steps.mask is not None:
            missing = build.rank(parts[0]) - build.rank(steps.mask)
            sizes = [*leading(build, steps.mask), *[1] * missing]
            self._mask = build.reshaped(steps.mask, sizes)
            self._read.append(_List(build, self._mask))
        self._last: Value | np.int32 = np.int32(0)
        if steps.backwards and isinstance(self._count, Value):
            self._last = build.op("Sub", self._count, np.int32(1))
        elif steps.backwards and isinstance(self._count, int):
            self._last = np.int32(self._count - 1)

    def run(self, states: Sequence[Value]) -> list[Value]:
        """The output and the states after all steps."""
        build, sequences, first = self._build, self._steps.sequences, states[self._first]
        carried = list(states)
        if self._apart:
            carried.append(build.op("ZerosLike", first))
        element = _sizes(build.shape(first))
        attrs: dict[str, Any] = {"element_dtype": "float32"}
        if sequences:
            count = self._count if isinstance(self._count, Value) else np.int32(self._count)
            carried.append(build.op("TensorListReserve", element, count, attrs=attrs))
        after = build.loop(self._count, carried, self._body)
        output = after[self._size if self._apart else self._first]
        if sequences:
            number = self._count if isinstance(self._count, int) else -1
            attrs = {**attrs, "num_elements": number}
            output = build.op("TensorListStack", after[-1], element, attrs=attrs)
        if self._steps.zeros and self._steps.mask is not None:
            output = self._zeroed(output)
        return [output, *after[: self._size]]

    def _body(self, build: Lowering, step: Value, carried: list[Value]) -> list[Value]:
        index = build.op("Sub", self._last, step) if self._steps.backwards else step
        parts = [item.read(build, index) for item in self._read]
        mask = None if self._steps.mask is None else parts.pop()
        old = carried[: self._size]
        states = self._step(build, parts, old)
        output = states[self._first]
        if mask is not None:
            states = [
                build.op("SelectV2", mask, new, before)
                for new, before in zip(states, old, strict=True)
            ]
            if self._apart:
                output = build.op("SelectV2", mask, output, carried[self._size])
            else:
                output = states[self._first]
        result = [*states, output] if self._apart else states
        if self._steps.sequences:
            result.append(build.op("TensorListSetItem", carried[-1], step, output))
        return result

    def _step(self, build: Lowering, parts: list[Value], old: Sequence[Value]) -> list[Value]:
        """The states of all cells after a step."""
        made: list[Value] = []
        states: list[Value] = []
        for cell in self._cells:
            if states:
                parts = cell.project(build, states[0])
            states = cell.step(build, parts, old[len(made) : len(made) + cell.count])
            made += states
        return made

    def _zeroed(self, output: Value) -> Value:
        """What was put out, with zeros at masked steps."""
        build, mask = self._build, self._mask
        if not self._steps.sequences:
            # Of the step that was taken last.
            start = np.zeros(1, np.int32) if self._steps.backwards else np.array([-1], np.int32)
            one, attrs = np.array([1], np.int32), {"shrink_axis_mask": 1}
            mask = build.op("StridedSlice", mask, start, start + one, one, attrs=attrs)
        elif self._steps.backwards:
            mask = build.op("ReverseV2", mask, np.array([0], np.int32))
        return build.op("SelectV2", mask, output, np.float32(0))


class _List:
    """The steps of a tensor, as a list of tensors to read in a loop."""

    def __init__(self, build: Lowering, value: Value) -> None:
        self._dtype = value.dtype
        self._element = _sizes(build.shape(value)[1:])
        self._list = build.op("TensorListFromTensor", value, self._element)

    def read(self, build: Lowering, index: Value) -> Value:
        """One step, in the body of the loop."""
        attrs = {"element_dtype": self._dtype}
        return build.op("TensorListGetItem", self._list, index, self._element, attrs=attrs)


def _sizes(shape: Sequence[int | None]) -> Array:
    """A shape as `TensorList` operations take it."""
    return np.array([-1 if size is None else size for size in shape], np.int32)


# Layers --------------------------------------------------------------------------------------


def one_step(build: Lowering, owners: Sequence[Lowering]) -> list[Value]:
    """A cell, or cells on top of each other, called by itself: the output and the states.

    Args:
        build: what builds the call.
        owners: what gives the weights of each cell.

    Raises:
        CannotLower: the states are missing, or some cell is not Keras's.
    """
    cells = _cells(owners)
    x, *states = [build.floats(value) for value in build.inputs]
    _check_states(states, cells)
    made: list[Value] = []
    for cell in cells:
        parts = cell.project(build, x)
        made += cell.step(build, parts, states[len(made) : len(made) + cell.count])
        x = made[-cell.count]
    return [x, *made]


def sequence(build: Lowering, owners: Sequence[Lowering]) -> list[Value]:
    """A layer that runs cells over the steps of its input.

    Args:
        build: what builds the call.
        owners: what gives the weights of each cell.

    Raises:
        CannotLower: it is called with constants, or some cell is not Keras's.
    """
    if values_of(build.call.kwargs.get("constants")) or build.config.get("num_constants"):
        raise CannotLower("is called with constants, which no cell of Keras takes")
    return run_layer(build, _cells(owners))


def run_layer(build: Lowering, cells: Sequence[Cell]) -> list[Value]:
    """As `sequence`, with the cells themselves."""
    config = build.config
    first = cells[0]
    x, *given = [first.enter(build, build.floats(value)) for value in build.inputs]
    if config.get("stateful") and not given:
        build.note("is stateful, and a graph keeps no states: each run starts from zeros")
    mask = mask_of_call(build)
    major = bool(config.get("time_major"))
    wanted = bool(config.get("return_sequences"))
    steps = Steps(
        backwards=bool(config.get("go_backwards")),
        sequences=wanted,
        mask=mask if mask is None or major else build.transpose(mask, [1, 0]),
        zeros=bool(config.get("zero_output_for_mask")),
    )
    if not major:
        x = _swapped(build, x)
    output, *states = run(build, cells, x, given, steps)
    if wanted and not major:
        output = _swapped(build, output)
    output = first.leave(build, output)
    build.set_mask(output, mask if wanted else None)
    if not config.get("return_state"):
        return [output]
    return [output, *(first.leave(build, state) for state in states)]


def mask_of_call(build: Lowering) -> Value | None:
    """The mask of steps that a recurrent layer is called with, as booleans.

    With initial states, Keras 3 takes the mask that the call names, be it none.
    """
    told = "mask" in build.call.kwargs and values_of(build.call.kwargs.get("initial_state"))
    mask = build.call.kwargs["mask"] if told else build.mask()
    if isinstance(mask, list | tuple):
        mask = mask[0] if mask else None
    return build.cast(mask, "bool") if isinstance(mask, Value) else None


def _cells(owners: Sequence[Lowering]) -> list[Cell]:
    found = [cell_of(owner) for owner in owners]
    for owner, cell in zip(owners, found, strict=True):
        if cell is None:
            raise CannotLower(
                f"runs a cell of the class {owner.layer.class_name}, whose code is not in the file"
            )
    return [cell for cell in found if cell is not None]


def _swapped(build: Lowering, value: Value) -> Value:
    """Steps and batch in the opposite order."""
    return order_axes(build, value, [1, 0, *range(2, build.rank(value))])


def values_of(structure: Any) -> list[Value]:
    """The tensors in a list of arguments, however nested."""
    if isinstance(structure, list | tuple):
        return [value for item in structure for value in values_of(item)]
    return [structure] if isinstance(structure, Value) else []
