"""Layer normalization in its shortest form, and masks of attentions without what fills them up."""

from __future__ import annotations

from collections.abc import Sequence

from tfjs.ir.graph import Node, Shape, Value, constant_of
from tfjs.passes.optimize.engine import Match, Rules
from tfjs.passes.optimize.fusion import channels_of

RULES = Rules()

_SUMS = ("Add", "AddV2")
_MOST_STEPS = 8


@RULES.rule("recognise/normalization", *_SUMS, numerics="reassociating")
def normalization(node: Node, match: Match) -> Sequence[Value] | None:
    """`x * inv + (beta - mean * inv)` with `inv = r * gamma` as `(x - mean) * r * gamma + beta`.

    That is a product less of the size of x, and its last two steps can become part of what follows.
    """
    for first, second in (node.inputs, node.inputs[::-1]):
        scaled = match.inner(first, "Mul")
        rest = None if scaled is None else match.inner(second, "Sub", *_SUMS)
        if scaled is None or rest is None:
            continue
        for value, factor in (scaled.inputs, scaled.inputs[::-1]):
            found = _mean_and_offset(match, rest, factor)
            made = None if found is None else _normalized(match, value, factor, *found)
            if made is not None:
                return [made]
    return None


def _mean_and_offset(match: Match, node: Node, factor: Value) -> tuple[Value, Value] | None:
    """Of an offset less the mean times a factor, the mean and the offset."""
    offset, rest = node.inputs
    if node.op != "Sub" and constant_of(offset) is None:
        offset, rest = rest, offset
    product = match.inner(rest, "Mul")
    if product is None or factor not in product.inputs:
        return None
    mean = product.inputs[1 - product.inputs.index(factor)]
    if node.op == "Sub":
        return mean, offset
    opposite = match.inner(mean, "Neg")
    return None if opposite is None else (opposite.inputs[0], offset)


def _normalized(
    match: Match, value: Value, factor: Value, mean: Value, offset: Value
) -> Value | None:
    scale = match.inner(factor, "Mul", reads=2)
    if scale is None or value.dtype != "float32" or not value.shape:
        return None
    root, gamma = scale.inputs
    if constant_of(gamma) is None:
        root, gamma = gamma, root
    size = value.shape[-1]
    told = [channels_of(numbers, value) for numbers in (gamma, offset)]
    if size is None or any(numbers is None or numbers.size not in (1, size) for numbers in told):
        return None
    if not all(_is_statistic(statistic.shape, value.shape) for statistic in (mean, root)):
        return None
    chain = _from_variance(match, root, value, mean)
    attrs = {"T": "float32"}
    centred = match.op("Sub", value, mean, attrs=attrs)
    if chain:
        # The difference is there anyway.
        root = match.op("Square", centred, attrs=attrs)
    for step in reversed(chain):
        inputs = [root if at == 0 else given for at, given in enumerate(step.inputs)]
        root = match.op(step.op, *inputs, attrs=step.attrs)
        root.shape = step.output.shape
    scaled = match.op("Mul", match.op("Mul", centred, root, attrs=attrs), gamma, attrs=attrs)
    return match.op("AddV2", scaled, offset, attrs=attrs)


def _from_variance(match: Match, root: Value, value: Value, mean: Value) -> list[Node]:
    """The steps from the squared difference of a value and its mean to the root, the last first.

    Empty where something else is computed, or read by others.
    """
    found = []
    for ops in (("Rsqrt",), _SUMS, ("Mean",)):
        step = match.inner(root, *ops)
        if step is None or (step.op in _SUMS and constant_of(step.inputs[1]) is None):
            return []
        found.append(step)
        root = step.inputs[0]
    squares = match.inner(root, "SquaredDifference")
    return found if squares is not None and squares.inputs == [value, mean] else []


def _is_statistic(shape: Shape, value: Shape) -> bool:
    """Whether a shape is one of numbers that hold for the last axis of a value."""
    if shape is None or value is None or len(shape) != len(value) or shape[-1] != 1:
        return False
    pairs = zip(shape[:-1], value[:-1], strict=True)
    return all(mine in (1, size) for mine, size in pairs)


@RULES.rule("recognise/mask", "Select", "SelectV2")
def mask(node: Node, match: Match) -> Sequence[Value] | None:
    """A mask that is spread by the selection itself, and not by ones of its size before."""
    both = match.inner(node.inputs[0], "LogicalAnd")
    if both is None:
        return None
    for ones, other in (both.inputs, both.inputs[::-1]):
        filled = match.maker(ones, "Fill")
        number = None if filled is None else match.numbers(filled.inputs[1])
        measured = None if filled is None else match.maker(filled.inputs[0], "Shape")
        if measured is None or number is None or not bool(number.all()):
            continue
        if any(_has_sizes_of(side, measured.inputs[0]) for side in node.inputs[1:]):
            made = match.op("SelectV2", other, *node.inputs[1:], attrs={"T": node.output.dtype})
            made.shape = node.output.shape
            return [made]
    return None


def _has_sizes_of(value: Value, source: Value) -> bool:
    """Whether a value has the sizes of another: it is that one times numbers, or plus numbers."""
    for _ in range(_MOST_STEPS):
        if value is source:
            return True
        node = value.node
        operands = [operand for operand in node.inputs if constant_of(operand) is None]
        if node.op not in ("Mul", "RealDiv", "Sub", *_SUMS) or len(operands) != 1:
            return False
        value = operands[0]
        if any(_grows(operand.shape, value.shape) for operand in node.inputs if operand != value):
            return False
    return False


def _grows(shape: Shape, value: Shape) -> bool:
    """Whether numbers of a shape may spread a value."""
    if shape is None or any(size != 1 for size in shape):
        return True
    return bool(shape) and (value is None or len(shape) > len(value))
