"""Loops and branches of TF1 in forms that no tool of today makes, or that are damaged.

What the usual forms give is held against TensorFlow in `test_control_flow.py`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.support.live_graphs import placeholder
from tfjs.errors import CorruptFileError, UnsupportedError, UsageError
from tfjs.ir.graph import Graph, GraphModel, Signature, Value
from tfjs.ops.build import Builder
from tfjs.runtime.engine import Runner

_FLOAT, _INT = {"T": "float32"}, {"T": "int32"}


class Loops:
    """Builds graphs with loops of TF1."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.build = Builder(self.graph, "b", ())

    def enter(self, value: Value, frame: str, *, constant: bool = False) -> Value:
        attrs = {"T": value.dtype, "frame_name": frame.encode(), "is_constant": constant}
        return self.build.op("Enter", value, attrs=attrs)

    def number(self, value: int) -> Value:
        return self.build.constant(np.array(value, np.int32))

    def add(self, one: Value, other: Value | float) -> Value:
        return self.build.op("AddV2", one, other, attrs={"T": one.dtype})

    def loop(
        self,
        frame: str,
        limit: Value,
        start: Value,
        step: Callable[[Value, Value], Value],
    ) -> Value:
        """`for i in range(limit): x = step(i, x)`; the limit enters unless it is read inside."""
        starts = [self.number(0), start]
        merges, count = [], 2
        for value in starts:
            entered = self.enter(value, frame)
            attrs = {"T": value.dtype, "N": count}
            merges.append(self.build.op("Merge", entered, entered, attrs=attrs))
        test = self.build.op("LoopCond", self.build.op("Less", merges[0], limit, attrs=_INT))
        switches = [
            self.build.ops("Switch", merge, test, attrs={"T": merge.dtype}) for merge in merges
        ]
        i, x = (switch[1] for switch in switches)
        following = [self.add(i, self.number(1)), step(i, x)]
        for merge, value in zip(merges, following, strict=True):
            back = self.build.op("NextIteration", value, attrs={"T": value.dtype})
            self.graph.set_input(merge.node, 1, back)
        return self.build.op("Exit", switches[1][0], attrs={"T": start.dtype})

    def runner(self, *outputs: Value, as_tfjs: bool = True) -> Runner:
        self.graph.outputs = list(outputs)
        self.graph.output_names = [f"out{index}" for index in range(len(outputs))]
        keys = [node.name for node in self.graph.inputs]
        signature = Signature(keys, list(self.graph.output_names))
        return Runner(GraphModel(self.graph, signature), as_tfjs=as_tfjs)


def _answers(runner: Runner, **feeds: Any) -> list[Any]:
    return [array.tolist() for array in runner.run(feeds)]


def test_loops_of_one_name_one_after_the_other() -> None:
    """Copies of a function with a loop in it: what leaves the first enters the second."""
    loops = Loops()
    x = placeholder(loops.graph, "x", "float32", ()).output
    once = loops.loop("while", loops.number(3), x, lambda i, y: loops.add(y, 1.0))
    twice = loops.loop("while", loops.number(2), once, lambda i, y: loops.add(y, y))
    assert _answers(loops.runner(once, twice), x=1.0) == [4.0, 16.0]


def test_loops_of_one_name_side_by_side() -> None:
    """They share a constant that enters both, and take different numbers of steps."""
    loops = Loops()
    x = placeholder(loops.graph, "x", "float32", ()).output
    step = loops.enter(loops.build.constant(np.float32(0.5)), "while", constant=True)
    short = loops.loop("while", loops.number(2), x, lambda i, y: loops.add(y, step))
    long = loops.loop("while", loops.number(5), x, lambda i, y: loops.add(y, step))
    assert _answers(loops.runner(short, long), x=1.0) == [2.0, 3.5]


def test_a_constant_enters_an_inner_loop_past_the_outer_one() -> None:
    """As constants do once the control inputs that held them in the outer loop are gone."""
    loops = Loops()
    x = placeholder(loops.graph, "x", "float32", ()).output
    most = placeholder(loops.graph, "most", "int32", ()).output
    step = loops.build.constant(np.float32(0.25))

    def outer(i: Value, y: Value) -> Value:
        entered = loops.enter(step, "inner", constant=True)
        limit = loops.enter(most, "inner", constant=True)
        return loops.loop("inner", limit, y, lambda j, z: loops.add(loops.add(z, entered), 1.0))

    runner = loops.runner(loops.loop("outer", loops.number(3), x, outer))
    assert _answers(runner, x=1.0, most=np.int32(2)) == [8.5]
    assert _answers(runner, x=1.0, most=np.int32(0)) == [1.0]


def test_values_from_outside_are_read_without_entering() -> None:
    loops = Loops()
    x = placeholder(loops.graph, "x", "float32", ()).output
    double = loops.add(x, x)

    def outer(i: Value, y: Value) -> Value:
        big = loops.add(y, double)
        return loops.loop("inner", i, big, lambda j, z: loops.add(loops.add(z, big), double))

    runner = loops.runner(loops.loop("outer", loops.number(3), x, outer), double)
    y = x_ = 1.0
    for i in range(3):
        big = y + 2 * x_
        y = big
        for _ in range(i):
            y = y + big + 2 * x_
    assert _answers(runner, x=1.0) == [y, 2.0]


def test_a_loop_in_a_branch_that_is_not_taken() -> None:
    loops = Loops()
    x = placeholder(loops.graph, "x", "float32", ()).output
    taken = placeholder(loops.graph, "taken", "bool", ()).output
    other, inner = loops.build.ops("Switch", x, taken, attrs=_FLOAT)
    looped = loops.loop("while", loops.number(3), inner, lambda i, y: loops.add(y, 1.0))
    merged, which = loops.build.ops("Merge", other, looped, attrs={**_FLOAT, "N": 2})
    runner = loops.runner(merged, which)
    assert _answers(runner, x=1.0, taken=True) == [4.0, 1]
    assert _answers(runner, x=1.0, taken=False) == [1.0, 0]
    assert runner.run({"x": 1.0, "taken": True}, [looped])[0] == 4.0
    with pytest.raises(UsageError, match="lies in a branch not taken"):
        runner.run({"x": 1.0, "taken": False}, [looped])
    told = [value for value, _ in runner.trace({"x": 1.0, "taken": False})]
    assert merged in told
    assert looped not in told


def test_only_control_inputs_hold_a_constant_in_its_branch() -> None:
    loops = Loops()
    taken = placeholder(loops.graph, "taken", "bool", ()).output
    pivots = loops.build.ops("Switch", taken, taken, attrs={"T": "bool"})
    constants = []
    for pivot, number in zip(pivots, (2.0, 1.0), strict=True):
        held = loops.build.op("Identity", pivot, attrs={"T": "bool"})
        nothing = loops.graph.add("NoOp", [], {}, [], name="nothing")
        nothing.controls = [held.node]
        constant = loops.build.constant(np.float32(number))
        constant.node.controls = [nothing]
        constants.append(constant)
    merged = loops.build.op("Merge", *constants, attrs={**_FLOAT, "N": 2})
    runner = loops.runner(merged)
    assert _answers(runner, taken=True) == [1.0]
    assert _answers(runner, taken=False) == [2.0]


def test_a_value_in_a_loop_is_none_to_ask_for() -> None:
    loops = Loops()
    x = placeholder(loops.graph, "x", "float32", ()).output
    inside: list[Value] = []

    def step(i: Value, y: Value) -> Value:
        inside.append(loops.add(y, 1.0))
        return inside[0]

    runner = loops.runner(loops.loop("while", loops.number(3), x, step))
    with pytest.raises(UsageError, match="lies in a loop, and is another value in each step"):
        runner.run({"x": 1.0}, inside)


def test_many_steps_take_no_memory() -> None:
    import tracemalloc

    loops = Loops()
    x = placeholder(loops.graph, "x", "float32", (1 << 16,)).output
    runner = loops.runner(loops.loop("while", loops.number(50), x, lambda i, y: loops.add(y, 1.0)))
    given = np.zeros(1 << 16, np.float32)
    tracemalloc.start()
    try:
        (found,) = runner.run({"x": given})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found[0] == 50
    assert peak < 4 * given.nbytes


def test_an_endless_loop_can_be_interrupted() -> None:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    loops = Loops()
    x = placeholder(loops.graph, "x", "float32", ()).output
    limit = loops.number((1 << 31) - 1)
    runner = loops.runner(loops.loop("while", limit, x, lambda i, y: loops.add(y, 1.0)))
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            runner.run({"x": 1.0})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# Damage ------------------------------------------------------------------------------------------


def _overlapping(loops: Loops, x: Value) -> Value:
    return loops.add(loops.enter(x, "one"), loops.enter(x, "two"))


def _leading_out_of_nothing(loops: Loops, x: Value) -> Value:
    return loops.build.op("Exit", x, attrs=_FLOAT)


def _next_of_nothing(loops: Loops, x: Value) -> Value:
    merged = loops.build.op("Merge", x, x, attrs={**_FLOAT, "N": 2})
    back = loops.build.op("NextIteration", loops.add(merged, 1.0), attrs=_FLOAT)
    loops.graph.set_input(merged.node, 1, back)
    return merged


def _never_left(loops: Loops, x: Value) -> Value:
    return loops.add(loops.enter(x, "while"), 1.0)


def _leaving_before_entering(loops: Loops, x: Value) -> Value:
    """What leaves a loop leads into it."""
    left = loops.loop("while", loops.number(3), x, lambda i, y: loops.add(y, 1.0))
    enter = next(node for node in loops.graph.nodes.values() if node.op == "Enter")
    loops.graph.set_input(enter, 0, loops.build.cast(left, "int32"))
    return left


def _a_cycle(loops: Loops, x: Value) -> Value:
    one = loops.add(x, 1.0)
    other = loops.add(one, 1.0)
    loops.graph.set_input(one.node, 1, other)
    return other


def _a_merge_of_another_loop(loops: Loops, x: Value) -> Value:
    one = loops.loop("one", loops.number(3), x, lambda i, y: loops.add(y, 1.0))
    two = loops.loop("two", loops.number(3), x, lambda i, y: loops.add(y, 1.0))
    merges = [node for node in loops.graph.nodes.values() if node.op == "Merge"]
    loops.graph.set_input(merges[1], 1, merges[3].inputs[1])
    return loops.add(one, two)


@pytest.mark.parametrize(
    "damage",
    [
        *(_overlapping, _leading_out_of_nothing, _next_of_nothing, _leaving_before_entering),
        *(_a_cycle, _a_merge_of_another_loop),
    ],
    ids=lambda damage: damage.__name__,
)
def test_damaged_loops_are_refused(damage: Callable[[Loops, Value], Value]) -> None:
    loops = Loops()
    x = placeholder(loops.graph, "x", "float32", ()).output
    with pytest.raises(CorruptFileError):
        loops.runner(damage(loops, x))


def test_an_output_that_never_leaves_its_loop() -> None:
    loops = Loops()
    x = placeholder(loops.graph, "x", "float32", ()).output
    with pytest.raises(UsageError, match="lies in a loop"):
        loops.runner(_never_left(loops, x))


def test_loops_in_loops_beyond_reason() -> None:
    loops = Loops()
    x = placeholder(loops.graph, "x", "float32", ()).output
    for index in range(40):
        x = loops.enter(x, f"loop{index}")
    for _ in range(40):
        x = loops.build.op("Exit", x, attrs=_FLOAT)
    with pytest.raises(UnsupportedError, match="lies in more than 16 others"):
        loops.runner(x)


def test_a_loop_of_dead_values_ends() -> None:
    """Its condition waits for a branch that is not taken."""
    loops = Loops()
    x = placeholder(loops.graph, "x", "float32", ()).output
    taken = placeholder(loops.graph, "taken", "bool", ()).output
    limits = loops.build.ops("Switch", loops.number(3), taken, attrs=_INT)
    looped = loops.loop("while", limits[1], x, lambda i, y: loops.add(y, 1.0))
    runner = loops.runner(looped)
    assert _answers(runner, x=0.0, taken=True) == [3.0]
    with pytest.raises(UsageError, match="not taken"):
        runner.run({"x": 0.0, "taken": False})
