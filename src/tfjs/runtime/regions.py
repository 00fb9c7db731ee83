"""The plan of one graph: its loops of TF1 become steps with plans of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfjs.errors import CorruptFileError, UsageError
from tfjs.ir.graph import Graph, Node, Value, following, waiters_of
from tfjs.runtime.frames import ENTERS, EXITS, Frame, Frames
from tfjs.runtime.order import NEXTS, SWITCHES, in_order, needed, waits_for
from tfjs.runtime.plan import Plan
from tfjs.runtime.steps import (
    UNREAD,
    CallStep,
    ChoiceStep,
    DefaultStep,
    KernelStep,
    LoopStep,
    MergeStep,
    PassStep,
    Step,
    SwitchStep,
    WhileStep,
)
from tfjs.runtime.variables import HANDLES, REFERENCES

if TYPE_CHECKING:
    from tfjs.runtime.planner import Planner

_MERGES = frozenset({"Merge", "RefMerge"})
DEFAULT = "PlaceholderWithDefault"
# What they give may be dead though they run.
_ENDING = SWITCHES | EXITS
_GIVEN = frozenset({"Placeholder", "PlaceholderV2"})
_SOURCES = HANDLES | REFERENCES | {"Const"}
# Of those that begin with Scatter, these change no variable.
_PURE = frozenset({"ScatterNd", "ScatterNdNonAliasingAdd"})
# They do something that is no part of an answer.
_PASSING = frozenset({"Abort", "Assert", "ControlTrigger", "NoOp", "PrintV2"})
_STEPS: dict[str, type[CallStep] | type[ChoiceStep] | type[WhileStep]] = {
    "Case": ChoiceStep,
    "If": ChoiceStep,
    "PartitionedCall": CallStep,
    "StatefulPartitionedCall": CallStep,
    "StatelessCase": ChoiceStep,
    "StatelessIf": ChoiceStep,
    "StatelessWhile": WhileStep,
    "While": WhileStep,
}


class GraphPlanner:
    """Makes the plan of one graph.

    Args:
        planner: makes those of the model.
        graph: the graph; it is not changed.
        fetches: the values that are asked for.
        targets: nodes that run for what they do.
    """

    def __init__(
        self, planner: Planner, graph: Graph, fetches: Sequence[Value], targets: Sequence[Node]
    ) -> None:
        self.planner = planner
        self.graph = graph
        self.fetches = fetches
        self.targets = targets
        self.inputs = set(graph.inputs)
        self._read: set[Node] | None = None
        # Control inputs matter where they make what waits dead, and where nodes have effects.
        switches = any(node.op in SWITCHES for node in graph.nodes.values())
        self.controls = switches or planner.effects
        self.nodes = needed(fetches, targets, fed=self.is_fed, controls=self.controls)
        self.frames = Frames(self.nodes, controls=self.controls)
        self.has_loops = any(node.op in ENTERS for node in self.nodes)
        self.dead = self._dead() if switches or self.has_loops else set[Node]()

    def plan(self) -> Plan:
        """The plan.

        Raises:
            CorruptFileError: the graph makes no sense.
        """
        self._refuse_changes()
        regions = self._regions()
        root = regions[self.frames.root]
        plan = root.plan
        if root.nexts:
            raise CorruptFileError(f"node {root.nexts[0].name!r}: is a next step of no loop")
        for value in self.fetches:
            if self.frames.home(value) is not self.frames.root:
                raise UsageError(
                    f"{value.name!r} lies in a loop, and is another value in each step of it",
                    hint="ask for what leaves the loop",
                )
            plan.results.append(root.slot(value))
        plan.fed = dict.fromkeys(self.graph.inputs, UNREAD)
        for node in self.nodes:
            if self.is_fed(node):
                plan.fed[node] = root.slot(node.output)
        if not self.graph.name:  # nobody feeds what stands in a function
            plan.fed.update(root.given)
        root.settle(plan.results)
        plan.depth = max(len(frame.chain()) for frame in regions)
        return plan

    def is_fed(self, node: Node) -> bool:
        """Whether a node must be given."""
        return node.op != DEFAULT and (node in self.inputs or node.op in _GIVEN)

    def is_source(self, node: Node) -> bool:
        """Whether a node is a constant or variable that is there from the start."""
        return node.op in _SOURCES and not (self.controls and node.controls)

    def only_waited_for(self, node: Node) -> bool:
        """Whether nobody needs what a node gives, but only to know whether it is dead."""
        if self._read is None:
            found = needed(self.fetches, self.targets, fed=self.is_fed, controls=False)
            self._read = set(found)
        return node not in self._read

    def may_be_dead(self, value: Value) -> bool:
        """Whether a value is none where a branch is not taken."""
        return value.node in self.dead or value.node.op in _ENDING

    # Parts -----------------------------------------------------------------------------------

    def _dead(self) -> set[Node]:
        """The nodes that may not be computed: they wait for a branch, or belong to a loop."""
        found: set[Node] = set()
        for node in self.nodes:
            read = [value.node for value in node.inputs]
            waits = self.frames.of[node] is not self.frames.root
            waits = waits or any(other in found or other.op in _ENDING for other in read)
            if waits or any(other in found for other in node.controls):
                found.add(node)
        return found

    def _regions(self) -> dict[Frame, Region]:
        """What runs in each frame, inner ones first."""
        if not self.has_loops:
            only = Region(self, self.frames.root)
            only.build(self.nodes, {})
            return {self.frames.root: only}
        members: dict[Frame, dict[Node | Frame, None]] = {self.frames.root: {}}
        before: dict[Frame, dict[Node | Frame, list[Node | Frame]]] = {}
        for node in self.nodes:
            chain = self.frames.of[node].chain()
            item: Node | Frame = node
            for frame in chain:
                members.setdefault(frame, {})[item] = None
                item = frame
            for other in waits_for(node, controls=self.controls):
                if other in self.frames.of:
                    frame, one, two = _apart(node, chain, other, self.frames.of[other].chain())
                    if one is not two:
                        before.setdefault(frame, {}).setdefault(one, []).append(two)
        regions: dict[Frame, Region] = {}
        for frame in sorted(members, key=lambda entry: -len(entry.chain())):
            regions[frame] = Region(self, frame)
            regions[frame].build(_ordered(members[frame], before.get(frame, {})), regions)
        return regions

    def _refuse_changes(self) -> None:
        """A variable that is read after the graph has changed it would be read as it was."""
        writers = [node for node in self.graph.nodes.values() if _writes(node)]
        if not writers:
            return
        after = following(writers, waiters_of(self.graph.nodes.values()))
        changed = {_behind(node.inputs[0]) for node in writers}
        for node in self.nodes:
            read = node in after and not _writes(node) and node.inputs
            if read and any(_behind(value) in changed for value in node.inputs):
                reason = "reads a variable after the model has changed it"
                self.planner.problem(self.graph, node, reason)


class Region:
    """What runs in one frame: the plan, and how it hangs together with what lies around it.

    Attributes:
        plan: the plan.
        given: the slots of what may be fed, by node.
        captured: values from outside that are read in it, with their slots.
    """

    def __init__(self, whole: GraphPlanner, frame: Frame) -> None:
        self.whole = whole
        self.frame = frame
        self.plan = Plan(whole.graph.name)
        self.given: dict[Node, int] = {}
        self.captured: dict[Value, int] = {}
        self.enters: list[Node] = []
        self.exits: list[Node] = []
        self.nexts: list[Node] = []
        self._slots: dict[Value, int] = {}
        self._marks: dict[Node, int] = {}

    def slot(self, value: Value) -> int:
        """The slot in which a value is read."""
        found = self._slots.get(value)
        if found is not None:
            return found
        slot = self._slots[value] = self._new()
        node = value.node
        if self.whole.is_source(node):
            self.plan.template[slot] = self.whole.planner.source(self.whole.graph, node)
            self.plan.sources[value] = slot
            return slot
        home = self.whole.frames.home(value)
        if home is not self.frame:
            if home not in self.frame.chain():
                raise CorruptFileError(f"node {node.name!r}: is read outside of its loop")
            self.captured[value] = slot
        return slot

    def build(self, items: Sequence[Node | Frame], regions: dict[Frame, Region]) -> None:
        """Make the steps of nodes and inner frames."""
        for item in items:
            if isinstance(item, Frame):
                self.plan.steps.append(self._loop(regions[item]))
            elif item.op in ENTERS:
                self.enters.append(item)
            elif item.op in EXITS:
                self.exits.append(item)
            elif item.op in NEXTS:
                self.nexts.append(item)
            elif not self.whole.is_fed(item) and not self.whole.is_source(item):
                self._add(item)

    def settle(self, kept: Sequence[int]) -> None:
        """Tell each step what it fills, and what nobody reads after it.

        Args:
            kept: the slots that are read in the end.
        """
        alive = {*kept, *self.plan.sources.values()}
        for step in reversed(self.plan.steps):
            step.outputs = tuple(self._slots.get(value, UNREAD) for value in step.values)
            step.mark = self._marks.get(step.node, UNREAD)
            read = dict.fromkeys([*step.inputs, *step.guard])
            step.drops = tuple(slot for slot in read if slot not in alive)
            alive.update(step.drops)

    # Parts -----------------------------------------------------------------------------------

    def _new(self) -> int:
        self.plan.template.append(None)
        return len(self.plan.template) - 1

    def _add(self, node: Node) -> None:
        whole = self.whole
        inputs = [self.slot(value) for value in node.inputs]
        guard: list[int] = []
        if whole.dead:
            pairs = zip(inputs, node.inputs, strict=True)
            guard += [slot for slot, value in pairs if whole.may_be_dead(value)]
            guard += [self._mark(other) for other in node.controls if self._may_wait(other)]
        names = whole.planner.functions_of(node)
        shared: dict[str, Any] = {"node": node, "values": node.outputs, "outputs": ()}
        if node.op in _MERGES:
            step: Step = MergeStep(inputs=inputs, **shared)
        elif node.op in SWITCHES:
            step = SwitchStep(inputs=inputs, guard=guard, **shared)
        elif node.op == DEFAULT:
            self.given[node] = self._new()
            step = DefaultStep(inputs=[*inputs, self.given[node]], guard=guard, **shared)
        elif names:
            self.plan.calls += names
            planner = whole.planner
            step = _STEPS[node.op](
                planner.plans, names, as_tfjs=planner.mode.as_tfjs,
                inputs=inputs, guard=guard, **shared,
            )  # fmt: skip
        else:
            step = self._kernel_step(inputs=inputs, guard=guard, **shared)
        self.plan.steps.append(step)

    def _kernel_step(self, **shared: Any) -> Step:
        whole, planner = self.whole, self.whole.planner
        node: Node = shared["node"]
        as_tfjs = planner.mode.as_tfjs
        if node.op in _SOURCES:
            found = planner.source(whole.graph, node)
            return KernelStep(lambda attrs: found, {}, as_tfjs=as_tfjs, **shared)
        kernel = planner.kernels.of(node)
        if kernel is not None:
            attrs = planner.mode.attrs(node.attrs)
            return KernelStep(kernel, attrs, as_tfjs=as_tfjs, **shared)
        if node.op not in _PASSING and not whole.only_waited_for(node):
            planner.refuse(whole.graph, node)
        return PassStep(**shared)

    def _may_wait(self, other: Node) -> bool:
        """Whether a node that is waited for may be dead, and is known here."""
        whole = self.whole
        return other in whole.dead and whole.frames.of.get(other) is self.frame

    def _mark(self, node: Node) -> int:
        if node not in self._marks:
            self._marks[node] = self._new()
        return self._marks[node]

    def _loop(self, inner: Region) -> LoopStep:
        inputs: list[int] = []
        entering: list[int] = []
        first: list[int] = []
        for node in inner.enters:
            inputs.append(self.slot(node.inputs[0]))
            entering.append(inner.slot(node.output))
            if not node.attrs.get("is_constant"):
                first.append(entering[-1])
        backs = [(inner.slot(node.inputs[0]), inner.slot(node.output)) for node in inner.nexts]
        leaving = [inner.slot(node.inputs[0]) for node in inner.exits]
        # Only now is known what it reads from outside.
        for value, slot in inner.captured.items():
            inputs.append(self.slot(value))
            entering.append(slot)
        outputs = [node.output for node in inner.exits]
        for value in outputs:
            self.slot(value)
        step = LoopStep(inner.enters[0], inputs, (), outputs)
        step.body, step.entering, step.first = inner.plan, entering, first
        step.backs, step.leaving = backs, leaving
        inner.settle([*leaving, *(source for source, _ in backs)])
        return step


def _ordered(
    items: Iterable[Node | Frame], waits: Mapping[Node | Frame, Sequence[Node | Frame]]
) -> list[Node | Frame]:
    return in_order(items, lambda item: waits.get(item, ()))


def _apart(
    node: Node, chain: Sequence[Frame], other: Node, others: Sequence[Frame]
) -> tuple[Frame, Node | Frame, Node | Frame]:
    """The innermost frame that holds two nodes, and what stands in it for each of them."""
    there = set(others)
    one: Node | Frame = node
    for frame in chain:
        if frame in there:
            break
        one = frame
    two: Node | Frame = other
    for inner in others:
        if inner is frame:
            break
        two = inner
    return frame, one, two


def _writes(node: Node) -> bool:
    """Whether a node changes a variable, its first input."""
    changes = node.op.startswith(("Assign", "Scatter", "ResourceScatter", "ResourceApply"))
    return changes and node.op not in _PURE and bool(node.inputs)


def _behind(value: Value) -> Node:
    while value.node.op in ("Identity", "RefIdentity") and value.node.inputs:
        value = value.node.inputs[0]
    return value.node
