"""How a graph is computed: made once for what is asked of it, then run any number of times.

The nodes that are needed stand in order, each with the numbers of the slots that it reads and
fills, and of those that nobody reads after it. A loop of TF1 is one step with a plan of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tfjs.ir.graph import Node, Value
from tfjs.ops.base import UNFIT
from tfjs.runtime.steps import UNREAD, Slots, Step
from tfjs.runtime.values import DEAD, described


class NodeError(Exception):
    """A node cannot be computed from what it is given.

    Args:
        message: why.
        where: the node.
    """

    def __init__(self, message: str, where: str) -> None:
        super().__init__(message)
        self.message = message
        self.where = where


@dataclass(slots=True, eq=False)
class Plan:
    """What runs to compute some values.

    Attributes:
        name: the function that it belongs to; "" for the main graph.
        template: the slots before a run: constants stand where they are read.
        steps: what runs, in order.
        fed: the slot of each node that is given, in the order of the graph's inputs; `UNREAD` for
            one that nothing needs.
        results: the slots of what was asked for.
        sources: constants and handles, with their slots.
        calls: the functions that it runs.
        depth: how deep the loops of TF1 in it lie in each other.
    """

    name: str
    template: Slots = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    fed: dict[Node, int] = field(default_factory=dict)
    results: list[int] = field(default_factory=list)
    sources: dict[Value, int] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    depth: int = 1

    def execute(self, slots: Slots) -> None:
        """Run all steps.

        Raises:
            NodeError: a node cannot be computed.
        """
        step: Step | None = None
        try:
            for step in self.steps:
                step.run(slots)
        except (ValueError, MemoryError, *UNFIT) as error:
            assert step is not None
            raise self.failure(step, slots, error) from error

    def call(self, arguments: list[Any]) -> list[Any]:
        """Run it as a function; the list of arguments is emptied.

        Raises:
            NodeError: a node cannot be computed.
        """
        slots = list(self.template)
        for slot, value in zip(self.fed.values(), arguments, strict=True):
            if slot != UNREAD:
                slots[slot] = value
        arguments.clear()
        self.execute(slots)
        found = [slots[slot] for slot in self.results]
        if any(value is DEAD for value in found):
            raise ValueError(f"the function {self.name!r} gives what lies in no branch taken")
        return found

    def failure(self, step: Step, slots: Slots, error: Exception) -> NodeError:
        """What to say of a step that failed."""
        given = [slots[slot] for slot in step.inputs]
        shapes = ", ".join(described(value) for value in given if value is not None)
        if isinstance(error, MemoryError):
            told = "it needs more memory than there is"
        elif isinstance(error, ValueError):
            told = str(error)
        else:
            told = f"it does not take such attributes or inputs ({error!r})"
        name = f"{self.name}/{step.node.name}" if self.name else step.node.name
        return NodeError(f"{told}; its inputs are {shapes or 'none'}", f"{name} ({step.node.op})")
