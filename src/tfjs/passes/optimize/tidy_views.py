"""Steps that give a value another shape and nothing else, as a Reshape, which TF.js has for free.

For slices, picks and reductions it copies each element, and reads back on GPUs where to slice.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfjs.ir.graph import Node, Value
from tfjs.passes.optimize.engine import Match, Rules
from tfjs.passes.optimize.tidy_pieces import integers, whole_slice
from tfjs.passes.optimize.tidy_shapes import target_of

RULES = Rules()

_REDUCTIONS = ("Max", "Min", "Mean", "Sum", "Prod")
_DTYPES = ("float32", "int32")
# They tell 0.0 from -0.0, of which a Sum or Mean makes 0.0.
_TELLING = frozenset({"Div", "RealDiv", "Reciprocal", "Inv", "Rsqrt", "Atan2", "Pow"})


@RULES.rule("tidy/view", "StridedSlice")
def sliced(node: Node, match: Match) -> Sequence[Value] | None:
    """A strided slice of everything, which leaves out axes of one element, or makes new ones."""
    plan = whole_slice(node)
    if plan is None or all(item.kind == "take" for item in plan):
        return None
    return _reshaped(node, match)


@RULES.rule("tidy/view", "Unpack")
def unpacked(node: Node, match: Match) -> Sequence[Value] | None:
    """One part, which is all there is."""
    return _reshaped(node, match) if len(node.outputs) == 1 else None


@RULES.rule("tidy/view", "Pack")
def packed(node: Node, match: Match) -> Sequence[Value] | None:
    """One part in a new axis."""
    return _reshaped(node, match) if len(node.inputs) == 1 else None


@RULES.rule("tidy/view", "GatherV2")
def gathered(node: Node, match: Match) -> Sequence[Value] | None:
    """The one element of an axis."""
    value, (indices, axis) = node.inputs[0], (integers(item) for item in node.inputs[1:3])
    if indices is None or axis is None or value.shape is None or node.attrs.get("batch_dims"):
        return None
    if indices.size != 1 or indices.any() or value.shape[int(axis.reshape(-1)[0])] != 1:
        return None
    return _reshaped(node, match)


@RULES.rule("tidy/view", *_REDUCTIONS)
def reduced(node: Node, match: Match) -> Sequence[Value] | None:
    """The sum or largest of one element."""
    value, axes = node.inputs[0], integers(node.inputs[1])
    if axes is None or value.shape is None or value.dtype not in _DTYPES:
        return None
    if any(value.shape[int(axis)] != 1 for axis in axes.reshape(-1)):
        return None
    if node.op in ("Sum", "Mean") and any(reader.op in _TELLING for reader, _ in node.output.uses):
        return None
    return _reshaped(node, match)


def _reshaped(node: Node, match: Match) -> Sequence[Value] | None:
    """What a node reads, in the shape that it gives, where that is known."""
    output, target = node.output, target_of(node.output.shape)
    value = node.inputs[0]
    if target is None or output.dtype != value.dtype or output.dtype not in (*_DTYPES, "bool"):
        return None
    made = match.reshape(value, target)
    made.shape = output.shape
    return [made]
