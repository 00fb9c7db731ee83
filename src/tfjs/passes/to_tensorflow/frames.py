"""Values from outside of a TF1 loop go into it through an Enter.

TF.js reads constants from anywhere. In TensorFlow a node runs in the frame of what it reads, and
no node may read from two (tensorflow/core/common_runtime/immutable_executor_state.cc).
"""

from __future__ import annotations

from tfjs.errors import CorruptFileError
from tfjs.ir.graph import Graph, Node, Value

_BACK = "NextIteration"
# Names of the frames around a node, the outermost first.
_Frame = tuple[bytes, ...]


def enter_frames(graph: Graph) -> None:
    """Add the Enter nodes that a graph lacks.

    Raises:
        CorruptFileError: loops reach into each other.
    """
    enters = {_name(node): node for node in graph.nodes.values() if node.op == "Enter"}
    if not enters:
        return
    frames: dict[Node, _Frame] = {}
    made: dict[tuple[Value, _Frame], Value] = {}
    for node in graph.ordered():
        read = [value for value in node.inputs if value.node.op != _BACK]
        around = [_given(frames, value.node) for value in read]
        around += [_given(frames, other) for other in node.controls]
        deepest = max(around, key=len, default=())
        frames[node] = (*deepest, _name(node)) if node.op == "Enter" else deepest
        for index, value in enumerate(node.inputs):
            if value.node.op == _BACK:
                continue
            own = _given(frames, value.node)
            if own != deepest[: len(own)]:
                raise CorruptFileError(f"node {node.name!r} reads values of two loops")
            for depth in range(len(own), len(deepest)):
                value = _entered(graph, made, enters, value, deepest[: depth + 1])
            graph.set_input(node, index, value)


def _name(node: Node) -> bytes:
    return bytes(node.attrs["frame_name"])


def _given(frames: dict[Node, _Frame], node: Node) -> _Frame:
    """The frame that what a node gives is in."""
    own = frames[node]
    return own[:-1] if node.op == "Exit" else own


def _entered(
    graph: Graph,
    made: dict[tuple[Value, _Frame], Value],
    enters: dict[bytes, Node],
    value: Value,
    frame: _Frame,
) -> Value:
    if (value, frame) not in made:
        attrs = {**enters[frame[-1]].attrs, "T": value.dtype, "is_constant": True}
        name = f"{value.node.name}/Enter"
        made[value, frame] = graph.add("Enter", [value], attrs, [value.type], name=name).output
    return made[value, frame]
