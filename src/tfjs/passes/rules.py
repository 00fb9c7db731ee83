"""Rules that rewrite single nodes, indexed by operation, and what applies them.

A rule is a function of the node and a `Builder`. It gives one value for each output of the node,
or None where it does not apply; it never changes the node itself. What it builds is looked at in
turn, so rules may build what other rules take apart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tfjs.errors import ConversionError, CorruptFileError
from tfjs.ir.graph import Graph, Node, Value
from tfjs.ops.base import UNFIT
from tfjs.ops.build import Builder

Rule = Callable[[Node, Builder], Sequence[Value] | None]

# Rewrites of one node lead to a bounded number of others; more than this is a rule that circles.
_MOST_REWRITES_EACH = 200


class CannotExpress(Exception):  # noqa: N818 - it is an answer of a rule, not a user's error
    """A rule's answer for a node that TF.js cannot compute as the source does.

    Args:
        reason: why, such as "its axis is not constant".
        advice: what to do instead, where something can be done.
    """

    def __init__(self, reason: str, advice: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Problem:
    """A node that cannot be converted.

    Attributes:
        op: its operation.
        node: its name, with the function that it stands in.
        reason: why it cannot be converted.
        advice: what to do instead, or None.
    """

    op: str
    node: str
    reason: str
    advice: str | None


class Rewrite(NamedTuple):
    """A node of the source that a rule has expressed otherwise.

    Attributes:
        rule: the name of the rule.
        op: the operation of the node.
        node: its name, with the function that it stands in.
        made: the operations that it became, each once.
    """

    rule: str
    op: str
    node: str
    made: tuple[str, ...]


class RuleSet:
    """Rules by the operation that each applies to."""

    def __init__(self) -> None:
        self.rules: dict[str, list[Rule]] = {}

    def rule(self, *ops: str) -> Callable[[Rule], Rule]:
        """Register a rule for operations; rules of one operation are tried in order."""

        def register(function: Rule) -> Rule:
            for op in ops:
                self.rules.setdefault(op, []).append(function)
            return function

        return register


def apply_rules(graph: Graph, sets: Sequence[RuleSet]) -> tuple[list[Rewrite], list[Problem]]:
    """Apply rules to a graph until none applies.

    Returns:
        What was rewritten, what the rules made themselves not again, and the nodes that cannot be
        expressed.

    Raises:
        CorruptFileError: a node cannot take the inputs that it has.
        ConversionError: the rules never come to an end.
    """
    # Only of what the graph has: a model may have thousands of small functions.
    rules: dict[str, list[Rule]] = {}
    rewrites: list[Rewrite] = []
    problems: list[Problem] = []
    own: set[Node] = set()
    waiting = deque(graph.ordered())
    left = _MOST_REWRITES_EACH * (len(waiting) + 10)
    while waiting:
        node = waiting.popleft()
        if graph.nodes.get(node.name) is not node:
            continue
        if node.op not in rules:
            rules[node.op] = [rule for entry in sets for rule in entry.rules.get(node.op, ())]
        left -= 1
        if not rules[node.op]:
            continue
        made = _first(graph, node, rules[node.op], [] if node in own else rewrites, problems)
        if left < 0:
            raise ConversionError(f"the rules for {node.op} never come to an end", where=node.name)
        own.update(made)
        waiting.extend(made)
    return rewrites, problems


def _first(
    graph: Graph,
    node: Node,
    rules: Sequence[Rule],
    rewrites: list[Rewrite],
    problems: list[Problem],
) -> list[Node]:
    """Apply the first rule that takes the node; the nodes to look at next."""
    build = Builder(graph, node.name, node.origin)
    for rule in rules:
        try:
            values = rule(node, build)
        except CannotExpress as refusal:
            problems.append(Problem(node.op, _place(graph, node), refusal.reason, refusal.advice))
            return []
        except UNFIT as error:  # a rule reckons with a node that can be
            text = f"node {node.name!r} ({node.op}): does not take such attributes or inputs"
            raise CorruptFileError(f"{text}: {error!r}") from error
        except ValueError as error:  # as `infer_types` raises it for what the rule builds
            raise CorruptFileError(f"node {node.name!r} ({node.op}): {error}") from error
        if values is None:
            continue
        made = tuple(dict.fromkeys(entry.op for entry in build.made))
        rewrites.append(Rewrite(rule.__name__.strip("_"), node.op, _place(graph, node), made))
        _swap(graph, node, values)
        return build.made
    return []


def _place(graph: Graph, node: Node) -> str:
    return f"{graph.name}/{node.name}" if graph.name else node.name


def _swap(graph: Graph, node: Node, values: Sequence[Value]) -> None:
    """Put values in the place of a node, and give the first its name where that is free."""
    for old, new in zip(node.outputs, values, strict=True):
        graph.replace(old, new)
    name, first = node.name, values[0].node if values else None
    if node in graph.inputs:
        return
    graph.erase(node)
    if first is not None and first.name.startswith(f"{name}/") and first.op != "Const":
        graph.rename(first, name)
