"""What a plan is made of: steps that read values from numbered slots and put others into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfjs.ir.graph import Attrs, Node, Value
from tfjs.ir.tensor import Array
from tfjs.runtime.deadline import check_time
from tfjs.runtime.values import DEAD, Handle, Kernel

if TYPE_CHECKING:
    from tfjs.runtime.plan import Plan

Slots = list[Any]
# The slot of an output that nobody reads.
UNREAD = -1


class Step:
    """One node, or one loop of TF1.

    Attributes:
        node: the node; of a loop, one that leads into it.
        inputs: the slots that it reads.
        outputs: the slots that it fills; `UNREAD` for what nobody reads.
        values: the value that each output is.
        guard: the slots that may be dead, and make all that it gives dead.
        mark: the slot that tells those who wait for it whether it is dead; `UNREAD` for none.
        drops: the slots that nobody reads after it.
    """

    __slots__ = ("drops", "guard", "inputs", "mark", "node", "outputs", "values")

    def __init__(
        self,
        node: Node,
        inputs: Sequence[int],
        outputs: Sequence[int],
        values: Sequence[Value],
        guard: Sequence[int] = (),
    ) -> None:
        self.node = node
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.values = tuple(values)
        self.guard = tuple(guard)
        self.mark = UNREAD
        self.drops: tuple[int, ...] = ()

    def run(self, slots: Slots) -> None:
        """Fill the outputs, and drop what is not read any more."""
        for slot in self.guard:
            if slots[slot] is DEAD:
                self.die(slots)
                break
        else:
            self.work(slots)
            if self.mark != UNREAD:
                slots[self.mark] = True
        for slot in self.drops:
            slots[slot] = None

    def work(self, slots: Slots) -> None:
        """Fill the outputs.

        Raises:
            ValueError: the inputs do not fit.
        """
        raise NotImplementedError

    def die(self, slots: Slots) -> None:
        """Fill the outputs with what says that they are not computed."""
        for slot in self.outputs:
            if slot != UNREAD:
                slots[slot] = DEAD
        if self.mark != UNREAD:
            slots[self.mark] = DEAD

    def store(self, slots: Slots, found: Any) -> None:
        """Put what was computed into the outputs."""
        items = found if isinstance(found, tuple | list) else (found,)
        for index, slot in enumerate(self.outputs):
            if slot == UNREAD:
                continue
            if index >= len(items):
                raise ValueError(f"gives no output {index}")
            slots[slot] = _as_value(items[index])

    def take(self, slots: Slots) -> list[Any]:
        """The inputs, which nobody else holds where this is the last to read them."""
        found = [slots[slot] for slot in self.inputs]
        for slot in self.drops:
            slots[slot] = None
        return found


def _as_value(item: Any) -> Any:
    if isinstance(item, np.ndarray | Handle):
        return item
    # One string alone would become an array of characters.
    return np.asarray(item, object if isinstance(item, bytes) else None)


class KernelStep(Step):
    """A node that a kernel computes; TF.js has integers of 32 bits only."""

    __slots__ = ("attrs", "kernel", "short")

    def __init__(
        self, kernel: Kernel, attrs: Attrs, *args: Any, as_tfjs: bool, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.kernel = kernel
        self.attrs = attrs
        self.short = as_tfjs

    def run(self, slots: Slots) -> None:
        if self.guard or self.mark != UNREAD:
            super().run(slots)
            return
        self.work(slots)
        for slot in self.drops:
            slots[slot] = None

    def work(self, slots: Slots) -> None:
        found = self.kernel(self.attrs, *[slots[slot] for slot in self.inputs])
        if type(found) is np.ndarray and len(self.outputs) == 1:
            # Nearly all steps end here.
            if self.short and found.dtype.kind in "iu":
                found = found.astype(np.int32, copy=False)
            if self.outputs[0] != UNREAD:
                slots[self.outputs[0]] = found
            return
        self.store(slots, found)
        for slot in self.outputs if self.short else ():
            value = slots[slot] if slot != UNREAD else None
            if isinstance(value, np.ndarray) and value.dtype.kind in "iu":
                slots[slot] = value.astype(np.int32, copy=False)


class PassStep(Step):
    """A node that gives nothing, and of which only matters whether it is dead."""

    def work(self, slots: Slots) -> None:
        pass


class DefaultStep(Step):
    """What is fed, or else a default: the inputs are the default and the slot that is fed."""

    def work(self, slots: Slots) -> None:
        default, fed = (slots[slot] for slot in self.inputs)
        slots[self.outputs[0]] = default if fed is None else fed


class SwitchStep(Step):
    """A Switch: one of its outputs is alive."""

    def work(self, slots: Slots) -> None:
        data, chosen = (slots[slot] for slot in self.inputs)
        if self.node.op == "_SwitchN":
            place = int(_first(chosen))
            last = len(self.outputs) - 1
            place = place if 0 <= place <= last else last
        else:
            place = int(bool(_first(chosen)))
        for index, slot in enumerate(self.outputs):
            if slot != UNREAD:
                slots[slot] = data if index == place else DEAD


class MergeStep(Step):
    """A Merge: the input that is alive, and which one it was."""

    def work(self, slots: Slots) -> None:
        for index, slot in enumerate(self.inputs):
            if slots[slot] is not DEAD:
                self.store(slots, (slots[slot], np.array(index, np.int32)))
                return
        self.die(slots)


class _FunctionStep(Step):
    """A node that runs functions."""

    __slots__ = ("_plans", "as_tfjs", "names")

    def __init__(
        self,
        plans: Mapping[str, Plan],
        names: Sequence[str],
        *args: Any,
        as_tfjs: bool,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        # The plans of all functions; those of these are made after this step.
        self._plans = plans
        self.names = list(names)
        self.as_tfjs = as_tfjs

    def plan(self, index: int) -> Plan:
        return self._plans[self.names[index]]


class CallStep(_FunctionStep):
    """A call of a function."""

    def work(self, slots: Slots) -> None:
        self.store(slots, self.plan(0).call(self.take(slots)))


class ChoiceStep(_FunctionStep):
    """If and Case: the first input tells which function runs."""

    def work(self, slots: Slots) -> None:
        chosen = slots[self.inputs[0]]
        if self.node.op in ("Case", "StatelessCase"):
            last = len(self.names) - 1
            place = int(_first(chosen))
            place = place if 0 <= place <= last else last
        else:
            place = 0 if is_true(chosen, as_tfjs=self.as_tfjs) else 1
        self.store(slots, self.plan(place).call(self.take(slots)[1:]))


class WhileStep(_FunctionStep):
    """While: the condition, then the body, until the condition does not hold."""

    def work(self, slots: Slots) -> None:
        condition, body = self.plan(0), self.plan(1)
        values = self.take(slots)
        while is_true(condition.call(list(values))[0], as_tfjs=self.as_tfjs):
            check_time()
            values = body.call(values)
        self.store(slots, values)


class LoopStep(Step):
    """A loop of TF1.

    Attributes:
        body: what runs in each step.
        entering: for each input the slot of the body; of some the first step alone knows it.
        first: which inputs these are.
        backs: the slots of the body that go over to the next step, and from where they come there.
        leaving: the slots of the body that the outputs come from.
    """

    __slots__ = ("backs", "body", "entering", "first", "leaving")

    body: Plan
    entering: list[int]
    first: list[int]
    backs: list[tuple[int, int]]
    leaving: list[int]

    def work(self, slots: Slots) -> None:
        base = list(self.body.template)
        for slot, outer in zip(self.entering, self.inputs, strict=True):
            base[slot] = slots[outer]
        # Nobody else shall hold what the first step gets.
        self.take(slots)
        inner = list(base)
        for slot in self.first:
            base[slot] = DEAD
        for _, slot in self.backs:
            inner[slot] = DEAD
        results: list[Any] = [DEAD] * len(self.outputs)
        alive = True
        while alive:
            check_time()
            self.body.execute(inner)
            for index, slot in enumerate(self.leaving):
                if inner[slot] is not DEAD:
                    results[index] = inner[slot]
            following = list(base)
            alive = False
            for source, slot in self.backs:
                following[slot] = inner[source]
                alive = alive or inner[source] is not DEAD
            inner = following
        for slot, found in zip(self.outputs, results, strict=True):
            slots[slot] = found


def _first(value: Array) -> Any:
    if value.size < 1:
        raise ValueError("a choice was expected, and nothing is given")
    return value.reshape(-1)[0]


def is_true(value: Array, *, as_tfjs: bool) -> bool:
    """Whether a condition holds.

    TF.js looks at the first element; in TensorFlow anything that is no scalar holds unless it is
    empty (tensorflow/core/kernels/functional_ops.cc: ToBool).
    """
    if as_tfjs:
        return bool(value.size and value.reshape(-1)[0])
    return bool(value.item()) if value.ndim == 0 else value.size > 0
