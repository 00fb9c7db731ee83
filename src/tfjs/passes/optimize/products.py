"""Products of the steps of a loop that is laid out: what no step before is needed for, at once.

The steps of an LSTM read rows of one value, which an Unpack gives. One product of all rows, of
which an Unpack gives the rows, is as exact, and many kernels become one.

Measured in Node and headless Chromium: products with a bias need half of their time then in wasm,
plain ones three quarters, both three quarters in WebGL; products of rows that are put together
with the state three quarters, when they are taken apart. Fewer than six steps gain nothing. In wasm
each part that is taken of a value costs a copy of the whole value, so that a long Unpack is better
done in two stages; where that is too much copying still, products stay as they are.

For the same reason products of one value with several weights are not put together: the parts of
what one product gives cost more than the products do, in all sizes that were measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tfjs.ir.graph import Graph, Node, Value, constant_of, origins
from tfjs.ir.tensor import Array, DerivedTensor, QuantizedTensor, Tensor
from tfjs.ops.build import Builder
from tfjs.passes.optimize.engine import Match, Rules
from tfjs.passes.optimize.fusion import channels, channels_of, is_float, last
from tfjs.passes.optimize.sharing import share

RULES = Rules()

PRODUCTS = ("MatMul", "_FusedMatMul")
_SUMS = ("Add", "AddV2")
_BIAS = [b"BiasAdd"]
_FEWEST_STEPS = 6
# Elements of what all steps together are given; beyond them copying costs more than is won.
_MOST_ELEMENTS = 1 << 16
_MOST_SHARED = 1 << 14
_T = {"T": "float32"}


# Rules -------------------------------------------------------------------------------------------


@RULES.rule("steps/bias", "BiasAdd", *_SUMS, "Sub", numerics="reassociating")
def bias(node: Node, match: Match) -> Sequence[Value] | None:
    """A bias behind the sum of two products of a step goes to the one of what the step is fed."""
    first, second = node.inputs
    if node.op in _SUMS and channels_of(second, first) is None:
        first, second = second, first
    both = match.inner(first, *_SUMS)
    numbers = channels_of(second, first)
    if both is None or numbers is None or not last(node) or len(first.shape or ()) != 2:
        return None
    for index, value in enumerate(both.inputs):
        product = match.inner(value, "MatMul")
        if product is None or not _is_of_step(product.inputs[0]) or not is_float(product):
            continue
        if constant_of(product.inputs[1]) is None or numbers.size not in (1, channels(product)):
            continue
        inputs = list(both.inputs)
        inputs[index] = match.op(node.op, value, second, attrs=node.attrs)
        return [match.op(both.op, *inputs, attrs=both.attrs)]
    return None


def _is_of_step(value: Value) -> bool:
    return value.node.op == "Unpack" and len(value.node.outputs) >= _FEWEST_STEPS


# Walks -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Step:
    """A product that reads a part of an Unpack.

    Attributes:
        index: which part.
        product: the product.
        place: which of two parts it is of a ConcatV2 that the product reads instead, if it does.
    """

    index: int
    product: Node
    place: int | None


def share_in_steps(graph: Graph, hits: Counter[str]) -> None:
    """Let steps read one constant where they read equal ones; see `sharing.share`.

    What was folded into the weights of each step was made for each.
    """
    if _unpacks(graph):
        share(graph, hits)


def part_steps(graph: Graph, hits: Counter[str]) -> None:
    """Prepare steps, that `join_steps` finds more in them; reassociating.

    Products of rows that are put together with a state become the sum of two products, as
    `steps/parted-product`; constants that are added to parts of products go into their bias, as
    `steps/shift-of-part`.

    Args:
        graph: the graph, changed in place.
        hits: counts what was done.
    """
    kept = frozenset(graph.targets)
    _shift_parts(graph, kept, hits)
    for unpack in _unpacks(graph):
        for group in _groups(graph, unpack, kept, joined=True):
            weights = _weights_apart(unpack, group)
            if weights is not None:
                _part_products(graph, group, weights)
                hits["steps/parted-product"] += len(group)
    graph.prune()


def join_steps(graph: Graph, hits: Counter[str]) -> None:
    """Compute what all steps do to what they are fed before it is taken apart; exact.

    Args:
        graph: the graph, changed in place.
        hits: counts products as `steps/product`, splits of them as `steps/split`.
    """
    kept = frozenset(graph.targets)
    for unpack in _unpacks(graph):
        for group in _groups(graph, unpack, kept, joined=False):
            splits = _join_products(graph, unpack, group, kept)
            hits["steps/product"] += len(group)
            if splits:
                hits["steps/split"] += splits
    graph.prune()


def _unpacks(graph: Graph) -> list[Node]:
    """Those of a value of three axes, which is taken apart along one of the first two."""
    if not any(node.op == "Unpack" for node in graph.nodes.values()):
        return []
    return [
        node
        for node in graph.ordered()
        if node.op == "Unpack"
        and len(node.outputs) >= _FEWEST_STEPS
        and not node.controls
        and len(node.inputs[0].shape or ()) == 3
        and node.inputs[0].dtype == "float32"
        and _axis(node) in (0, 1)
    ]


def _groups(
    graph: Graph, unpack: Node, kept: Collection[Node], *, joined: bool
) -> Iterator[list[_Step]]:
    """The products of most parts with the same constants, where it pays to compute them at once."""
    groups: dict[Hashable, dict[int, _Step]] = {}
    for index, value in enumerate(unpack.outputs):
        for node, place in value.uses:
            product = _behind_join(graph, node) if joined else node
            key = None if product is None else alike(product)
            if product is None or key is None or product in kept:
                continue
            step = _Step(index, product, place if joined else None)
            groups.setdefault((place, key), {}).setdefault(index, step)
    for group in groups.values():
        steps = list(group.values())
        most = len(steps) >= _FEWEST_STEPS and len(steps) * 2 > len(unpack.outputs)
        fits = joined or _width(unpack) == (steps[0].product.inputs[1].shape or ())[0]
        if most and fits and _pays(unpack, steps[0].product):
            yield steps


def alike(node: Node) -> Hashable | None:
    """What two products have in common that differ in their first factor alone."""
    if node.op not in PRODUCTS or node.controls or not is_float(node):
        return None
    if node.attrs.get("transpose_a") or node.attrs.get("transpose_b"):
        return None
    if any(constant_of(value) is None for value in node.inputs[1:]):
        return None
    steps = tuple(node.attrs.get("fused_ops") or ())
    return node.op, steps, node.attrs.get("leakyrelu_alpha"), tuple(node.inputs[1:])


def _pays(unpack: Node, product: Node) -> bool:
    """Whether what all products give is not too much to be taken apart."""
    whole, weights = unpack.inputs[0].shape, product.inputs[1].shape
    if whole is None or weights is None or len(weights) != 2 or 0 in whole or 0 in weights:
        return False
    batch, given = whole[0 if _axis(unpack) else 1] or 1, weights[1] or 1
    return len(unpack.outputs) * batch * given <= _MOST_ELEMENTS


# All products at once ----------------------------------------------------------------------------


def _join_products(
    graph: Graph, unpack: Node, steps: Sequence[_Step], kept: Collection[Node]
) -> int:
    """Multiply all rows, and take the products apart.

    Parts that each of the products is split into are products of their own: a part of each row
    costs more than a product in wasm, and far more in the plain backend.

    Returns:
        How many splits went.
    """
    first = steps[0].product
    splits = _splits(graph, steps, kept)
    count = len(splits[0].outputs) if splits else 1
    build = _builder(graph, unpack, [*(step.product for step in steps), *splits])
    rows = build.reshape(unpack.inputs[0], [-1, _width(unpack) or -1])
    for index in range(count):
        constants = [columns(build, value, index, count) for value in first.inputs[1:]]
        made = build.op(first.op, rows, *constants, attrs=first.attrs)
        parts = _unpacked(build, unpack, made, constants[0])
        for place, step in enumerate(steps):
            old = splits[place].outputs[index] if splits else step.product.output
            new = parts[step.index]
            if new.shape is None:
                new.shape = old.shape
            graph.replace(old, new)
    for node in (*splits, *(step.product for step in steps)):
        graph.erase(node)
    return len(splits)


def _unpacked(build: Builder, unpack: Node, made: Value, weights: Value) -> list[Value]:
    """The products of the rows that an Unpack gives, of a product of all rows."""
    sizes = [-1 if size is None else size for size in (unpack.inputs[0].shape or ())[:2]]
    axis = _axis(unpack) or 0
    sizes[axis] = len(unpack.outputs)
    shaped = build.reshape(made, [*sizes, (weights.shape or ())[1] or 0])
    attrs = {**_T, "num": len(unpack.outputs), "axis": axis}
    return build.ops("Unpack", shaped, attrs=attrs)


def _splits(graph: Graph, steps: Sequence[_Step], kept: Collection[Node]) -> list[Node]:
    """The splits of all products, if they are the same and all that is done to them."""
    found: list[Node] = []
    weights = steps[0].product.inputs[1]
    tensor = constant_of(weights)
    if tensor is None or not is_own(weights, tensor, len(steps)):
        return []
    for step in steps:
        value = step.product.output
        node = _only_reader(graph, value)
        if node is None or node.op != "Split" or node.inputs[1] is not value or node.controls:
            return []
        same = len(node.outputs) == len((found or [node])[0].outputs)
        if not same or not is_last(node.inputs[0]) or node in kept:
            return []
        found.append(node)
    return found if has_columns(steps[0].product, len(found[0].outputs)) else []


def is_own(value: Value, weights: Tensor, readers: int) -> bool:
    """Whether parts of weights may be stored in their place, as nothing else reads them.

    Quantized ones would be stored in more bytes.
    """
    if isinstance(weights, QuantizedTensor):
        return False
    return len(value.uses) == readers or weights.size <= _MOST_SHARED


def has_columns(product: Node, count: int) -> bool:
    """Whether all constants of a product have a number a channel, of as many equal parts."""
    last_sizes = {(value.shape or (0,))[-1] for value in product.inputs[1:]}
    size = channels(product)
    return bool(size) and last_sizes == {size} and (size or 0) % count == 0


def columns(build: Builder, value: Value, index: int, count: int) -> Value:
    """One of as many parts of a constant along its last axis, taken when it is written."""
    tensor = constant_of(value)
    if count == 1 or tensor is None:
        return value
    size = tensor.shape[-1] // count
    start = index * size

    def taken(whole: Tensor = tensor) -> Array:
        return whole.array()[..., start : start + size]

    return build.constant(DerivedTensor("float32", (*tensor.shape[:-1], size), taken))


# Products of what is put together ----------------------------------------------------------------


def _behind_join(graph: Graph, node: Node) -> Node | None:
    """The product that alone reads a row put together with another value."""
    if node.op != "ConcatV2" or len(node.inputs) != 3 or node.controls:
        return None
    if not is_last(node.inputs[2]):
        return None
    # A row that is put together with another row would better be so before all are taken apart.
    if all(value.node.op == "Unpack" for value in node.inputs[:2]):
        return None
    return _only_reader(graph, node.output)


def _weights_apart(unpack: Node, steps: Sequence[_Step]) -> tuple[Tensor, Tensor] | None:
    """The weights of the rows, and those of what they are put together with."""
    product, place = steps[0].product, steps[0].place
    weights, inside = constant_of(product.inputs[1]), _width(unpack)
    if weights is None or not inside or not is_own(product.inputs[1], weights, len(steps)):
        return None
    if (product.attrs.get("fused_ops") or _BIAS) != _BIAS or len(weights.shape) != 2:
        return None
    if inside >= weights.shape[0]:
        return None
    cut = weights.shape[0] - inside if place else inside
    parts = _rows(weights, 0, cut), _rows(weights, cut, weights.shape[0])
    return parts[::-1] if place else parts


def _rows(weights: Tensor, start: int, end: int) -> Tensor:
    """Some rows of weights, taken when they are written."""
    shape = (end - start, weights.shape[1])
    return DerivedTensor("float32", shape, lambda: weights.array()[start:end])


def _part_products(graph: Graph, steps: Sequence[_Step], weights: tuple[Tensor, Tensor]) -> None:
    """Multiply rows, and what they were put together with, each with weights of its own."""
    build = _builder(graph, steps[0].product, [])
    row_weights, state_weights = (build.constant(tensor) for tensor in weights)
    for step in steps:
        old = step.product
        join = old.inputs[0].node
        build = _builder(graph, old, [join])
        row, state = join.inputs[step.place or 0], join.inputs[0 if step.place else 1]
        fed = build.op(old.op, row, row_weights, *old.inputs[2:], attrs=old.attrs)
        told = {**_T, "transpose_a": False, "transpose_b": False}
        kept = build.op("MatMul", state, state_weights, attrs=told)
        both = build.op("AddV2", fed, kept, attrs=_T)
        _take(graph, old, both)
        graph.erase(join)
        graph.rename(both.node, old.name)


# Constants behind parts --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Shift:
    """A constant that is added to a part, as all that is done to it.

    Attributes:
        index: which part.
        node: what adds it.
        value: the constant.
        numbers: its elements.
    """

    index: int
    node: Node
    value: Value
    numbers: Array


def _shift_parts(graph: Graph, kept: Collection[Node], hits: Counter[str]) -> None:
    """Constants that are added to parts of a product become part of its bias."""
    made: dict[Hashable, Value] = {}
    for split in [node for node in graph.nodes.values() if node.op == "Split"]:
        product = _product_of(graph, split)
        bias = None if product is None else constant_of(product.inputs[2])
        shifts = [] if product is None else _shifts(graph, split, kept)
        if product is None or bias is None or not shifts:
            continue
        # Steps have their bias in common, and go on to.
        told = [(each.index, each.value, each.node.op == "Sub") for each in shifts]
        key = product.inputs[2], len(split.outputs), tuple(told)
        if key not in made:
            build = _builder(graph, product, [])
            made[key] = build.constant(_shifted(bias, len(split.outputs), shifts))
        graph.set_input(product, 2, made[key])
        for each in shifts:
            _take(graph, each.node, split.outputs[each.index])
        hits["steps/shift-of-part"] += len(shifts)


def _product_of(graph: Graph, split: Node) -> Node | None:
    """The product with a constant bias that is split along its channels, and only that."""
    value = split.inputs[1]
    product = value.node
    if product.op != "_FusedMatMul" or product.attrs.get("fused_ops") != _BIAS:
        return None
    if product.controls or split.controls or _only_reader(graph, value) is not split:
        return None
    bias = constant_of(product.inputs[2])
    if not is_last(split.inputs[0]) or bias is None or not is_float(product):
        return None
    fits = bias.shape == (channels(product),) and bias.size % len(split.outputs) == 0
    return product if fits else None


def _shifts(graph: Graph, split: Node, kept: Collection[Node]) -> list[_Shift]:
    """Which parts have constants added, or taken away."""
    found = []
    for index, value in enumerate(split.outputs):
        node = _only_reader(graph, value)
        if node is None or node.op not in ("BiasAdd", "Sub", *_SUMS):
            continue
        turned = node.inputs[0] is not value
        shift = node.inputs[0 if turned else 1]
        numbers = channels_of(shift, value)
        if node.controls or node in kept or (turned and node.op not in _SUMS):
            continue
        if numbers is not None and value.shape and numbers.size in (1, value.shape[-1]):
            found.append(_Shift(index, node, shift, numbers))
    return found


def _shifted(bias: Tensor, count: int, shifts: Sequence[_Shift]) -> Tensor:
    """A bias and what is added to parts of it, computed when it is written."""
    told = [(each.index, each.numbers, each.node.op == "Sub") for each in shifts]

    def computed() -> Array:
        sums = np.array(bias.array(), np.float64)
        parts = sums.reshape(count, -1)
        for index, numbers, less in told:
            parts[index] += -numbers if less else numbers
        return sums.astype(np.float32)

    return DerivedTensor("float32", bias.shape, computed)


# Nodes -------------------------------------------------------------------------------------------


def _axis(unpack: Node) -> int | None:
    shape = unpack.inputs[0].shape
    return int(unpack.attrs.get("axis", 0)) % len(shape) if shape else None


def _width(unpack: Node) -> int | None:
    """How many numbers the rows have."""
    shape = unpack.inputs[0].shape
    return shape[2] if shape is not None else None


def _only_reader(graph: Graph, value: Value) -> Node | None:
    """The one node that reads a value, once, where it is no output."""
    if len(value.uses) != 1 or graph.is_output(value):
        return None
    return next(iter(value.uses))[0]


def is_last(axis: Value, rank: int = 2) -> bool:
    """Whether a constant is the last of some axes."""
    numbers = Match.numbers(axis)
    return numbers is not None and numbers.reshape(-1).tolist() in ([-1], [rank - 1])


def _builder(graph: Graph, node: Node, others: Sequence[Node]) -> Builder:
    """What builds the nodes that stand for a node and others."""
    names = (name for each in (*others, node) for name in each.origin)
    return Builder(graph, node.name, origins(names))


def _take(graph: Graph, old: Node, new: Value) -> None:
    """Put a value in the place of a node, which goes."""
    if new.shape is None:
        new.shape = old.output.shape
    graph.replace(old.output, new)
    graph.erase(old)
