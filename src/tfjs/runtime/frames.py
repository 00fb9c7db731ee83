"""Which nodes run in which loop of TF1.

A loop is a frame: `Enter` leads into it, `Exit` out of it. In TensorFlow nothing else reads across
its border; after control inputs are dropped, and in TF.js, constants and other values from outside
may be read inside. So a node runs in the innermost frame of those that its inputs come from, and a
frame lies in the innermost of those that its `Enter` nodes read from.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.ir.graph import Node, Value
from tfjs.runtime.order import waits_for

ENTERS = frozenset({"Enter", "RefEnter"})
EXITS = frozenset({"Exit", "RefExit"})
# Loops in loops; models have two or three.
MOST_NESTED = 16


class Frame:
    """A loop, or all that lies in none.

    Attributes:
        name: what its `Enter` nodes call it; "" for what lies in no loop.
        parent: what it lies in.
    """

    __slots__ = ("_same", "name", "parent")

    def __init__(self, name: str, parent: Frame | None) -> None:
        self.name = name
        self.parent = parent
        self._same: Frame | None = None

    def found(self) -> Frame:
        """The frame that stands for this one since it was found to be the same as another."""
        frame = self
        while frame._same is not None:
            # Each that is passed skips one of those behind it: who asks again gets there sooner.
            frame._same = frame._same._same or frame._same
            frame = frame._same
        return frame

    def chain(self) -> list[Frame]:
        """The frame, and all in which it lies, from the inside.

        Raises:
            UnsupportedError: these are too many.
        """
        result = [self.found()]
        while (parent := result[-1].parent) is not None:
            result.append(parent.found())
            if len(result) > MOST_NESTED + 1:
                raise UnsupportedError(
                    f"the loop {self.name!r} lies in more than {MOST_NESTED} others"
                )
        return result

    def unite(self, other: Frame) -> None:
        """Make another frame the same as this one."""
        other._same = self


class Frames:
    """The frame of each node.

    Args:
        nodes: the nodes, each after those that it waits for.
        controls: whether control inputs count.

    Attributes:
        root: what lies in no loop.
        of: the frame in which each node runs; `Enter` runs in the loop that it leads into, `Exit`
            in the one that it leads out of.

    Raises:
        CorruptFileError: loops overlap, or lead into themselves.
        UnsupportedError: loops lie in each other more than `MOST_NESTED` deep.
    """

    def __init__(self, nodes: Sequence[Node], *, controls: bool) -> None:
        self.root = Frame("", None)
        self.of: dict[Node, Frame] = {}
        self._strange: Node | None = None
        self._changed = bool(nodes)
        if not any(node.op in ENTERS for node in nodes):
            self.of = dict.fromkeys(nodes, self.root)
            return
        # Where a loop lies is known once all its Enter nodes are; what lies in it, after that.
        for _ in range(2 * MOST_NESTED):
            if not self._changed:
                break
            self._changed, self._strange = False, None
            for node in nodes:
                self._place(node, controls=controls)
        if self._strange is not None or self._changed:
            where = self._strange or nodes[0]
            raise CorruptFileError(f"node {where.name!r}: loops overlap there")
        self.of = {node: frame.found() for node, frame in self.of.items()}

    def home(self, value: Value) -> Frame:
        """The frame in which a value can be read."""
        return self._behind(value.node)

    def _behind(self, node: Node) -> Frame:
        frame = self.of[node].found()
        if node.op in EXITS:
            if frame.parent is None:
                raise CorruptFileError(f"node {node.name!r}: leads out of no loop")
            return frame.parent.found()
        return frame

    def _place(self, node: Node, *, controls: bool) -> None:
        frame = self.root
        for other in waits_for(node, controls=controls):
            if other in self.of:
                frame = self._inner(frame, self._behind(other), node)
        if node.op in ENTERS:
            frame = self._entered(node, frame)
        if self.of.get(node) is None or self.of[node].found() is not frame.found():
            self.of[node] = frame
            self._changed = True

    def _entered(self, node: Node, outer: Frame) -> Frame:
        frame = self.of.get(node)
        if frame is None:
            name = node.attrs.get("frame_name")
            told = name.decode(errors="replace") if isinstance(name, bytes) else ""
            return Frame(told, outer)
        frame = frame.found()
        parent = self.root if frame.parent is None else frame.parent.found()
        inner = self._inner(parent, outer, node)
        if frame in inner.chain():
            raise CorruptFileError(f"node {node.name!r}: leads into the loop that it is in")
        if inner is not parent:
            frame.parent = inner
            self._changed = True
        return frame

    def _inner(self, one: Frame, other: Frame, node: Node) -> Frame:
        """The inner one of two frames; two of one name that meet are one."""
        one, other = one.found(), other.found()
        ones = one.chain()
        if other in ones:
            return one
        others = other.chain()
        if one in others:
            return other
        if one.name == other.name and one.parent is not None and other.parent is not None:
            parent = self._inner(one.parent, other.parent, node)
            one.unite(other)
            one.parent = parent
            self._changed = True
            return one
        self._strange = node
        return one if len(ones) >= len(others) else other
