"""Regions of a graph that stand between transposes, computed in the layout from before them.

A source with channels first has a Transpose before and behind each convolution, for TF.js takes
channels last. What lies between two of these treats all axes alike, or names them: it can be done
in the other layout as well, and the transposes on its borders cancel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tfjs.ir.graph import Graph, Node, Shape, Value, constant_of
from tfjs.ops.build import Builder
from tfjs.passes.optimize.engine import Match
from tfjs.passes.optimize.tidy_moves import ALONE, PAIRS
from tfjs.passes.optimize.tidy_shapes import composed, is_plain, moves_nothing, order_of

_ALIKE = frozenset({*ALONE, *PAIRS, "AddN", "ClipByValue"})
_PADS = frozenset({"Pad", "PadV2", "MirrorPad"})
_REDUCTIONS = frozenset({"Mean", "Sum", "Max", "Min", "Prod"})
# What tells the dtype of the axes or paddings that are written anew.
_INDEX = {
    **{op: {"Tidx": "int32"} for op in ("ConcatV2", *_REDUCTIONS)},
    **{op: {"Tpaddings": "int32"} for op in _PADS},
}
# Each costs one walk over the graph; the sources that there are have two.
_MOST_ORDERS = 4


def lay_out(graph: Graph, hits: Counter[str]) -> None:
    """Compute regions in another layout where that leaves fewer numbers to transpose.

    Args:
        graph: the graph, changed in place.
        hits: counts regions, as `layout/region`.
    """
    orders: Counter[tuple[int, ...]] = Counter()
    for node in graph.nodes.values():
        told = order_of(node) if node.op == "Transpose" else None
        if told is not None and not is_plain(told):
            orders[tuple(told)] += 1
    changed = False
    for order, _ in sorted(orders.items(), key=lambda item: (-item[1], item[0]))[:_MOST_ORDERS]:
        places = {node: place for place, node in enumerate(graph.ordered())}
        for region in _regions(graph, list(order), places):
            if region.gain > 0:
                _move(graph, region, hits)
                changed = True
    if changed:
        graph.prune()


@dataclass(slots=True)
class _Region:
    """Steps that one layout can do as well as another.

    Attributes:
        order: the order of the transposes before it.
        members: the steps, in the order of the graph.
        gain: how many numbers less are transposed if the layout from before them is kept.
    """

    order: list[int]
    members: dict[Node, None] = field(default_factory=dict)
    gain: int = 0


def _regions(graph: Graph, order: list[int], places: Mapping[Node, int]) -> Iterator[_Region]:
    """The regions behind the transposes of one order."""
    seen: set[Node] = set()
    targets = set(graph.targets)
    for start in places:
        here = graph.nodes.get(start.name) is start
        if not here or start.op != "Transpose" or order_of(start) != order:
            continue
        region, left = _Region(order), [node for node, _ in start.output.uses]
        for node in left:
            if node in seen or node not in places or node in targets or not _fits(node, order):
                continue
            seen.add(node)
            region.members[node] = None
            left += [value.node for value in _data(node)]
            left += [reader for value in node.outputs for reader, _ in value.uses]
        if region.members:
            region.members = dict.fromkeys(sorted(region.members, key=places.__getitem__))
            region.gain = _gain(graph, region)
            yield region


def _fits(node: Node, order: Sequence[int]) -> bool:
    """Whether a node can be done with the axes in another order."""
    if node.controls or len(node.outputs) != 1 or not _has_rank(node.output, order):
        return False
    data = _data(node)
    if not data or not all(_has_rank(value, order) for value in data):
        return False
    if any(constant_of(value) is not None for value in data):
        return False
    if node.op == "ConcatV2" or node.op in _PADS or node.op in _REDUCTIONS:
        return _told(node) is not None
    for value in node.inputs:
        numbers = Match.numbers(value)
        if value not in data and (numbers is None or numbers.ndim > len(order)):
            return False
    return node.op in _ALIKE


def _data(node: Node) -> list[Value]:
    """The inputs that are in the layout: none of what is told by constants."""
    if node.op in _PADS or node.op in _REDUCTIONS:
        return node.inputs[:1]
    if node.op == "ConcatV2":
        return node.inputs[:-1]
    return [value for value in node.inputs if constant_of(value) is None]


def _told(node: Node) -> list[int] | None:
    """The axes that a node names, or the paddings of each, as they are; None if not constant."""
    if node.op in _REDUCTIONS and not node.attrs.get("keep_dims"):
        return None
    numbers = Match.numbers(node.inputs[-1 if node.op == "ConcatV2" else 1])
    if numbers is None or numbers.dtype.kind != "i":
        return None
    if node.op in _PADS and numbers.shape != (len(node.output.shape or ()), 2):
        return None
    return [int(number) for number in numbers.reshape(-1)]


def _has_rank(value: Value, order: Sequence[int]) -> bool:
    return value.shape is not None and len(value.shape) == len(order)


# What it costs ----------------------------------------------------------------------------------


def _gain(graph: Graph, region: _Region) -> int:
    gain, members, back = 0, region.members, _back(region.order)
    for value in _entering(region):
        if not _is_turned(value, region.order):
            gain -= _numbers(value, back)
        elif all(node in members for node, _ in value.uses) and not graph.is_output(value):
            gain += _numbers(value, back)
    for node in members:
        value = node.output
        stays = graph.is_output(value)
        for reader, index in value.uses:
            if reader in members:
                continue
            if _turns(reader, index):
                gain += _numbers(value, back) if order_of(reader) == back else 0
            elif _reduced(reader, index, region.order) is None:
                stays = True
        gain -= _numbers(value, back) if stays else 0
    return gain


def _entering(region: _Region) -> list[Value]:
    """The values in the layout that a region reads and does not make."""
    read = [value for node in region.members for value in _data(node)]
    return [value for value in dict.fromkeys(read) if value.node not in region.members]


def _is_turned(value: Value, order: Sequence[int]) -> bool:
    return value.node.op == "Transpose" and order_of(value.node) == order


def _turns(reader: Node, index: int) -> bool:
    return reader.op == "Transpose" and index == 0 and order_of(reader) is not None


def _numbers(value: Value, order: Sequence[int]) -> int:
    """How many numbers a Transpose of a value moves, as far as that is known."""
    if moves_nothing(value.shape, order):
        return 0
    return int(np.prod([size or 1 for size in value.shape or ()], dtype=np.float64))


def _back(order: Sequence[int]) -> list[int]:
    return [order.index(axis) for axis in range(len(order))]


def _reduced(reader: Node, index: int, order: Sequence[int]) -> list[int] | None:
    """The axes of a reduction in the layout from before, if that leaves the others in order."""
    if reader.op not in _REDUCTIONS or index or reader.attrs.get("keep_dims") or reader.controls:
        return None
    numbers = Match.numbers(reader.inputs[1])
    if numbers is None or numbers.dtype.kind != "i":
        return None
    axes = {int(axis) % len(order) for axis in numbers.reshape(-1)}
    rest = [order[axis] for axis in range(len(order)) if axis not in axes]
    return sorted(order[axis] for axis in axes) if rest == sorted(rest) else None


# Moving it --------------------------------------------------------------------------------------


def _move(graph: Graph, region: _Region, hits: Counter[str]) -> None:
    """Compute a region in the layout from before the transposes."""
    order, back = region.order, _back(region.order)
    moved: dict[Value, Value] = {}
    for value in _entering(region):
        node = value.node
        if _is_turned(value, order):
            moved[value] = node.inputs[0]
        else:
            made = Builder(graph, node.name, node.origin).transpose(value, back)
            moved[value] = _shaped(made, value, back)
    for node in region.members:
        build = Builder(graph, node.name, node.origin)
        inputs = _named(node, [moved.get(value, value) for value in node.inputs], order, build)
        attrs = node.attrs if node.op in _ALIKE else {**node.attrs, **_INDEX[node.op]}
        moved[node.output] = _shaped(build.op(node.op, *inputs, attrs=attrs), node.output, back)
    for node in region.members:
        _leave(graph, node, moved[node.output], region)
    for node in reversed(region.members):
        graph.erase(node)
        graph.rename(moved[node.output].node, node.name)
    hits["layout/region"] += 1


def _named(
    node: Node, inputs: Sequence[Value], order: Sequence[int], build: Builder
) -> list[Value]:
    """The inputs of a step, with what names axes or lies along them as the other layout has it."""
    given, back = list(inputs), _back(order)
    if node.op == "ConcatV2":
        (axis,) = _told(node) or [0]
        given[-1] = build.constant(np.int32(order[axis % len(order)]))
    elif node.op in _REDUCTIONS:
        axes = sorted(order[axis % len(order)] for axis in _told(node) or ())
        given[1] = build.constant(np.array(axes, np.int32))
    elif node.op in _PADS:
        paddings = np.array(_told(node), np.int32).reshape(-1, 2)
        given[1] = build.constant(paddings[back])
    else:
        for at, value in enumerate(node.inputs):
            numbers = Match.numbers(value) if constant_of(value) is not None else None
            if numbers is not None and numbers.size > 1:
                wide = numbers.reshape((1,) * (len(order) - numbers.ndim) + numbers.shape)
                given[at] = build.constant(np.ascontiguousarray(wide.transpose(back)))
    return given


def _leave(graph: Graph, node: Node, made: Value, region: _Region) -> None:
    """Give those that read a value from outside what they need of it."""
    old, order = node.output, region.order
    for reader, index in list(old.uses):
        axes = _reduced(reader, index, order)
        if reader in region.members or not (_turns(reader, index) or axes is not None):
            continue
        build = Builder(graph, reader.name, reader.origin)
        if axes is None:
            both = composed(order, order_of(reader) or ())
            found = made if is_plain(both) else build.transpose(made, both)
        else:
            attrs = {**reader.attrs, **_INDEX[reader.op]}
            found = build.op(reader.op, made, np.array(axes, np.int32), attrs=attrs)
        found.shape = reader.output.shape
        graph.replace(reader.output, found)
        graph.erase_unread(reader)
    if graph.is_output(old) or any(reader not in region.members for reader, _ in old.uses):
        turned = Builder(graph, node.name, node.origin).transpose(made, order)
        turned.shape = old.shape
        graph.replace(old, turned)


def _shaped(made: Value, value: Value, order: Sequence[int]) -> Value:
    """A value with the shape of another whose axes are in another order."""
    shape: Shape = value.shape
    if shape is not None:
        made.shape = tuple(shape[axis] for axis in order)
    return made
