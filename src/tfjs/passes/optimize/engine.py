"""The engine of the optimizer: rules by the operation of their root, applied to the fixpoint."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tfjs.errors import ConversionError, CorruptFileError
from tfjs.ir.graph import Graph, Node, Value, constant_of, origins
from tfjs.ir.tensor import Array
from tfjs.ops.base import UNFIT
from tfjs.ops.build import Builder

# What a rule may do to the numbers: nothing, or compute the same sums in another order.
Numerics = Literal["exact", "reassociating"]
_MOST_REWRITES_EACH = 30
_MERGES = frozenset({"Merge", "RefMerge"})
_SMALL = 1 << 16


class Match(Builder):
    """A node that a rule looks at, and what the rule builds in its place.

    What `inner` and `only` give takes part in the rewrite: the new nodes stand for it too.
    """

    def __init__(self, graph: Graph, root: Node) -> None:
        super().__init__(graph, root.name, root.origin)

    def inner(self, value: Value, *ops: str, reads: int = 1) -> Node | None:
        """The node that makes a value, if only the matched part reads it.

        Args:
            value: what the root, or an inner node, reads.
            ops: what the node may be.
            reads: how often the matched part reads it.

        Returns:
            None for another operation, and where anything else reads one of its values, it is an
            output of the graph, or something waits for it.
        """
        node = value.node
        if node.op not in ops or node.controls:
            return None
        found = 0
        for output in node.outputs:
            found += len(output.uses)
        if found != reads or self.graph.is_output(node):
            return None
        return self._taken(node)

    def maker(self, value: Value, *ops: str) -> Node | None:
        """The node that makes a value, whoever else reads it; it stays."""
        node = value.node
        if node.op not in ops or node.controls or value.index:
            return None
        return node

    def _taken(self, node: Node) -> Node:
        self.origin = origins([*node.origin, *self.origin])
        return node

    @staticmethod
    def numbers(value: Value) -> Array | None:
        """The elements of a small constant."""
        tensor = constant_of(value)
        return None if tensor is None or tensor.size > _SMALL else tensor.array()


Rewrite = Callable[[Node, Match], Sequence[Value] | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        id: what users call it, such as "fuse/bias".
        ops: the operations of its root.
        numerics: what it may do to the numbers.
        rewrite: gives what takes the place of the root's outputs, or None where it does not apply;
            then it has built nothing.
    """

    id: str
    ops: tuple[str, ...]
    numerics: Numerics
    rewrite: Rewrite


class Rules:
    """The rules of a module."""

    def __init__(self) -> None:
        self.all: list[Rule] = []

    def rule(
        self, ident: str, *ops: str, numerics: Numerics = "exact"
    ) -> Callable[[Rewrite], Rewrite]:
        """Register a rule for roots of some operations; see `Rule`."""

        def register(function: Rewrite) -> Rewrite:
            self.all.append(Rule(ident, ops, numerics, function))
            return function

        return register


def apply(graph: Graph, rules: Iterable[Rule], hits: Counter[str]) -> int:
    """Apply rules to a graph until none applies; what nothing reads any more goes.

    Args:
        graph: the graph, changed in place.
        rules: those that come first are tried first.
        hits: counts what each did, by its id.

    Returns:
        How often a rule applied.

    Raises:
        ConversionError: the rules never come to an end.
        CorruptFileError: a node has attributes or inputs that it cannot have.
    """
    by_op: dict[str, list[Rule]] = {}
    for rule in rules:
        for op in rule.ops:
            by_op.setdefault(op, []).append(rule)
    work = _Work(graph, by_op.keys())
    left = _MOST_REWRITES_EACH * (len(graph.nodes) + 10)
    count = 0
    for node in work:
        fired = _first(graph, node, by_op[node.op], work)
        if fired is None:
            continue
        hits[fired.id] += 1
        count += 1
        if count > left:
            raise ConversionError(f"the rule {fired.id} never comes to an end", where=node.name)
    if work.branches:
        graph.prune()  # what was built and not taken
    return count


def _first(graph: Graph, node: Node, rules: Sequence[Rule], work: _Work) -> Rule | None:
    """Apply the first rule that takes a node."""
    if node.controls:
        return None
    match = Match(graph, node)
    for rule in rules:
        # A rule that did not apply may have looked inside.
        match.origin = node.origin
        try:
            values = rule.rewrite(node, match)
        except UNFIT as error:  # a rule reckons with a node that can be
            text = f"node {node.name!r} ({node.op}): does not take such attributes or inputs"
            raise CorruptFileError(f"{text}: {error!r}") from error
        if values is None:
            continue
        if work.branches and any(map(constant_of, values)):
            match = Match(graph, node)
            continue
        work.swap(node, values, match.made)
        return rule
    return None


class _Work:
    """The nodes to look at: all of some operations, and again those around what changed.

    Attributes:
        branches: whether the graph has branches of TF1, where a constant is there even if its
            branch is not taken: none may take the place of what a branch computes.
    """

    def __init__(self, graph: Graph, ops: Collection[str]) -> None:
        self._graph = graph
        self._ops = ops
        self._queue = deque([node for node in graph.ordered() if node.op in ops])
        self.branches = any(node.op in _MERGES for node in graph.nodes.values())
        self._waiting = set(self._queue)
        self._kept = {*graph.targets}

    def __iter__(self) -> Iterator[Node]:
        while self._queue:
            node = self._queue.popleft()
            self._waiting.discard(node)
            if self._graph.nodes.get(node.name) is node:
                yield node

    def swap(self, node: Node, values: Sequence[Value], made: Sequence[Node]) -> None:
        """Put values in the place of a node's outputs."""
        readers = [reader for value in node.outputs for reader, _ in value.uses]
        for old, new in zip(node.outputs, values, strict=True):
            self._graph.replace(old, new)
        name, first = node.name, values[0].node if values else None
        self._drop(node)
        if first is not None and first in made and name not in self._graph.nodes:
            self._graph.rename(first, name)
        self._again([*made, *(value.node for value in values), *readers])

    def _again(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if node.op in self._ops and node not in self._waiting:
                self._waiting.add(node)
                self._queue.append(node)

    def _drop(self, node: Node) -> None:
        """Remove a node that nothing reads, and what only it read; their neighbours come again."""
        graph, left = self._graph, [node]
        while left:
            node = left.pop()
            if graph.nodes.get(node.name) is not node or node in self._kept:
                continue
            sources = node.inputs
            if not graph.erase_unread(node):
                continue
            for value in dict.fromkeys(sources):
                left.append(value.node)
                # What has one reader left may be part of a match now.
                if len(value.uses) == 1:
                    self._again([value.node, *(reader for reader, _ in value.uses)])
