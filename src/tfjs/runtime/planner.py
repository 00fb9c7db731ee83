"""Plans for the graphs of a model: the main graph, its functions, and the initializer."""

from __future__ import annotations

from collections.abc import Sequence

from tfjs.errors import CorruptFileError, TfjsError, UnsupportedError
from tfjs.ir.graph import FuncRef, Graph, GraphModel, Node, Value
from tfjs.ir.tensor import Array, Tensor
from tfjs.ops.definitions import definition
from tfjs.runtime.kernels import Kernels
from tfjs.runtime.modes import Mode
from tfjs.runtime.order import in_order
from tfjs.runtime.plan import Plan
from tfjs.runtime.regions import GraphPlanner
from tfjs.runtime.variables import REFERENCES, Variable

# Functions and loops in each other; each takes some frames of Python's stack.
_MOST_DEEP = 100
_MOST_NAMED = 5
# The attributes that hold the functions of an operation.
FUNCTIONS = {
    "Case": ("branches",),
    "If": ("then_branch", "else_branch"),
    "PartitionedCall": ("f",),
    "StatefulPartitionedCall": ("f",),
    "StatelessCase": ("branches",),
    "StatelessIf": ("then_branch", "else_branch"),
    "StatelessWhile": ("cond", "body"),
    "While": ("cond", "body"),
}
_LOOPS = frozenset({"While", "StatelessWhile"})
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})


class Planner:
    """Makes the plans of a model.

    Args:
        model: the model.
        mode: how it is computed.
        kernels: what computes its nodes.
        effects: whether nodes run that give nothing, as those of an initializer do.
    """

    def __init__(
        self, model: GraphModel, mode: Mode, kernels: Kernels, *, effects: bool = False
    ) -> None:
        self.mode = mode
        self.kernels = kernels
        self.effects = effects
        # The plans of functions, by name.
        self.plans: dict[str, Plan] = {}
        self._model = model
        self._arrays: dict[Tensor, Array] = {}
        self._problems: dict[tuple[str, str], dict[str, None]] = {}
        self._wanted: list[str] = []

    def plan(self, graph: Graph, fetches: Sequence[Value], targets: Sequence[Node] = ()) -> Plan:
        """The plan for some values and nodes of a graph, with those of all functions that it runs.

        Raises:
            UnsupportedError: nothing computes a node; all such nodes are listed.
            CorruptFileError: the graph makes no sense.
        """
        self._problems.clear()
        before = set(self.plans)
        try:
            found = GraphPlanner(self, graph, fetches, targets).plan()
            self._plan_functions(found.calls)
            self._complain()
            self._check_depth(found)
        except TfjsError:
            # Whoever asks again shall hear of it again.
            for name in set(self.plans) - before:
                del self.plans[name]
            raise
        return found

    def _plan_functions(self, calls: Sequence[str]) -> None:
        left = list(calls)
        while left:
            name = left.pop()
            if name in self.plans:
                continue
            body = self._model.functions[name]
            targets = body.targets if self.effects else ()
            plan = GraphPlanner(self, body, body.outputs, targets).plan()
            if len(plan.fed) != len(body.inputs):
                raise CorruptFileError(f"the function {name!r} needs more than its arguments")
            self.plans[name] = plan
            left += plan.calls

    def array(self, tensor: Tensor) -> Array:
        """The elements of a constant, prepared once."""
        found = self._arrays.get(tensor)
        if found is None:
            found = self._arrays[tensor] = self.mode.constant(tensor)
        return found

    def source(self, graph: Graph, node: Node) -> object:
        """What a constant or a variable is at run time; None where nothing tells its value."""
        if node.op == "Const":
            tensor = node.attrs.get("value")
            if not isinstance(tensor, Tensor):
                raise CorruptFileError(f"node {node.name!r}: is a constant without a value")
            return self.array(tensor)
        tensor = self._model.variables.get(node.name)
        if tensor is None:
            self.problem(graph, node, "is a variable without a value in the source")
            return None
        if node.op in REFERENCES:
            return self.array(tensor)
        return Variable(lambda: self.array(tensor))

    def functions_of(self, node: Node) -> list[str]:
        """The functions that a node runs; none for most nodes.

        Raises:
            CorruptFileError: a function is missing, or takes or gives something else.
        """
        keys = FUNCTIONS.get(node.op)
        if keys is None:
            return []
        names = []
        for key in keys:
            held = node.attrs.get(key)
            for entry in held if isinstance(held, list) else [held]:
                name = entry.name if isinstance(entry, FuncRef) else ""
                if not _fits(node, key, self._model.functions.get(name)):
                    raise CorruptFileError(
                        f"node {node.name!r} ({node.op}): does not fit the functions that it runs"
                    )
                names.append(name)
        if not names:
            raise CorruptFileError(f"node {node.name!r} ({node.op}): has no branches")
        return names

    def problem(self, graph: Graph, node: Node, reason: str) -> None:
        """Note why a node cannot be computed."""
        name = f"{graph.name}/{node.name}" if graph.name else node.name
        self._problems.setdefault((node.op, reason), {})[name] = None

    def refuse(self, graph: Graph, node: Node) -> None:
        """Note that nothing computes a node."""
        known = definition(node.op)
        if known is None:
            reason = "is an operation of neither TensorFlow nor TF.js"
        elif known.stateful:
            reason = "keeps or changes something between runs, or reads it from outside"
        else:
            reason = "there is no kernel for it"
        self.problem(graph, node, reason)

    def _complain(self) -> None:
        if not self._problems:
            return
        count = sum(map(len, self._problems.values()))
        raise UnsupportedError(
            f"{count} node{'s' if count > 1 else ''} of the graph cannot be computed here",
            problems=[_line(*key, list(self._problems[key])) for key in sorted(self._problems)],
            hint="ask for values that do not depend on them, or run the model where it was made",
        )

    def _check_depth(self, main: Plan) -> None:
        """See that functions do not call each other in a circle, or too deep."""
        depths: dict[str, int] = {}
        for plan in in_order([main], lambda plan: [self.plans[name] for name in plan.calls]):
            inner = max((depths[name] for name in plan.calls), default=0)
            depths[plan.name] = plan.depth + inner
            if depths[plan.name] > _MOST_DEEP:
                raise UnsupportedError(
                    f"functions call each other more than {_MOST_DEEP} deep, at {plan.name!r}"
                )


def _fits(node: Node, key: str, body: Graph | None) -> bool:
    """Whether a function takes what a node hands over, and gives what the node gives."""
    if body is None:
        return False
    takes = len(node.inputs) - (node.op not in _LOOPS and node.op not in _CALLS)
    gives = 1 if key == "cond" else len(node.outputs)
    if node.op in _LOOPS and len(node.outputs) != len(node.inputs):
        return False
    return len(body.inputs) == takes and len(body.outputs) == gives


def _line(op: str, reason: str, nodes: Sequence[str]) -> str:
    named = ", ".join(nodes[:_MOST_NAMED]) + (" ..." if len(nodes) > _MOST_NAMED else "")
    return f"{f'{len(nodes)} × ' if len(nodes) > 1 else ''}{op}: {reason} ({named})"
