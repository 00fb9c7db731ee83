"""In which order nodes are computed, and which of them at all."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Protocol, TypeVar

from tfjs.errors import CorruptFileError
from tfjs.ir.graph import Node, Value

NEXTS = frozenset({"NextIteration", "RefNextIteration"})
SWITCHES = frozenset({"Switch", "RefSwitch", "_SwitchN"})


class _Named(Hashable, Protocol):
    @property
    def name(self) -> str: ...


_Item = TypeVar("_Item", bound=_Named)


def in_order(roots: Iterable[_Item], before: Callable[[_Item], Iterable[_Item]]) -> list[_Item]:
    """Items, each after those that must come before it: what a root needs comes just before it.

    Raises:
        CorruptFileError: some wait for each other in a circle.
    """
    done: dict[_Item, None] = {}
    for root in roots:
        if root in done:
            continue
        path = [(root, iter(before(root)))]
        on_path = {root}
        while path:
            item, left = path[-1]
            other = next((entry for entry in left if entry not in done), None)
            if other is None:
                done[item] = None
                on_path.remove(item)
                path.pop()
            elif other in on_path:
                raise CorruptFileError(f"the graph has a cycle, at or before {other.name!r}")
            else:
                path.append((other, iter(before(other))))
                on_path.add(other)
    return list(done)


def waits_for(node: Node, *, controls: bool) -> list[Node]:
    """The nodes that must run before a node in the same step of a loop.

    Args:
        node: the node.
        controls: whether control inputs count.
    """
    found = [value.node for value in node.inputs if value.node.op not in NEXTS]
    if controls:
        found += [other for other in node.controls if other.op not in NEXTS]
    return found


def needed(
    fetches: Iterable[Value],
    targets: Iterable[Node],
    *,
    fed: Callable[[Node], bool],
    controls: bool,
) -> list[Node]:
    """The nodes that some values and nodes need, each after those that it waits for.

    Args:
        fetches: the values.
        targets: nodes that run for what they do.
        fed: whether a node is given, so that it needs nothing.
        controls: whether control inputs count.

    Raises:
        CorruptFileError: the graph has a cycle.
    """
    late: list[Node] = []

    def before(node: Node) -> list[Node]:
        if fed(node):
            return []
        # What comes back in the next step is computed in this one, though nothing here reads it.
        late.extend(value.node for value in node.inputs if value.node.op in NEXTS)
        return waits_for(node, controls=controls)

    def roots() -> Iterator[Node]:
        yield from (value.node for value in fetches)
        yield from targets
        yield from late  # grows meanwhile

    return in_order(roots(), before)
