"""Pixels that are repeated, as the operation that TF.js has for it.

Measured in Node: of an image of 64 x 64 x 32 that becomes twice as high and wide, wasm makes 60 ms
with a `Tile` and 0.9 ms with `ResizeNearestNeighbor`, cpu 81 ms and 2.3 ms. With half pixel centers
each place that is read from lies in the middle of its pixel, so that rounding moves none.

Left alone, for wasm is faster at them: ones that an image is multiplied with, and rows beside
themselves in one step. Integers, for wasm gives floats for them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tfjs.ir.graph import Node, Shape, Value, constant_of
from tfjs.passes.optimize.engine import Match, Rules

RULES = Rules()

_VIEWS = ("Reshape", "ExpandDims", "Squeeze")
_SPREADS = ("Tile", "BroadcastTo")
_JOINS = ("ConcatV2", "Pack")
_SPLITS = ("Split", "SplitV")
_RESIZE = "ResizeNearestNeighbor"
_STEPS = (*_VIEWS, *_SPREADS, *_JOINS, "GatherV2", _RESIZE)
# So far a chain of steps is followed, that the cost of long ones stays linear.
_MOST_STEPS = 12
# Up to here floats tell where the middle of a pixel lies, whichever way a backend computes it.
MOST_PIXELS = 1 << 20
RESIZED = {"T": "float32", "align_corners": False, "half_pixel_centers": True}

# What an axis is made of, from the outside in: how many, and which axis of the image; a repetition
# is of axis -1. Axes of one element are made of nothing.
_Part = tuple[int | None, int]
_Parts = list[list[_Part]]
_REPEATED = -1


@RULES.rule("recognise/upsampling", *_VIEWS, *_SPREADS, *_JOINS, "GatherV2", _RESIZE)
def upsampling(node: Node, match: Match) -> Sequence[Value] | None:
    """Pixels that are repeated in steps, an axis at a time perhaps."""
    shape = node.output.shape
    if node.output.dtype != "float32" or shape is None or len(shape) != 4:
        return None
    steps = _chain(node, match)
    for first in range(len(steps)):
        source = steps[first][1]
        if first == len(steps) - 1 and node.op == _RESIZE:
            break
        factors = _factors(source, [step for step, _ in steps[first:]])
        if factors is None or factors == (1, 1) or source.shape is None:
            continue
        if 1 in (factors[1], source.shape[2]) and _is_one_join(steps[first:]):
            continue
        sizes = zip(source.shape[1:3], factors, strict=True)
        size = np.array([(before or 0) * factor for before, factor in sizes], np.int32)
        made = match.op(_RESIZE, source, size, attrs=RESIZED)
        made.shape = shape
        return [made]
    return None


def _chain(node: Node, match: Match) -> list[tuple[Node, Value]]:
    """The steps that end in a node, the first of them first, with what each reads."""
    steps: list[tuple[Node, Value]] = []
    step: Node | None = node
    while step is not None and len(steps) < _MOST_STEPS:
        read = _read(step, match)
        if read is None:
            break
        value, reads = read
        steps.insert(0, (step, value))
        step = match.inner(value, *_STEPS, reads=reads)
    return steps


def _is_one_join(steps: Sequence[tuple[Node, Value]]) -> bool:
    """Whether a value is put together with itself, once, and nothing else is done to numbers."""
    doing = [(step, value) for step, value in steps if step.op not in _VIEWS]
    return len(doing) == 1 and doing[0][0].op in _JOINS and doing[0][1] in doing[0][0].inputs


def _read(step: Node, match: Match) -> tuple[Value, int] | None:
    """What a step repeats or gives another shape, and how often it reads that."""
    if step.op not in _JOINS:
        return step.inputs[0], 1
    parts = step.inputs if step.op == "Pack" else step.inputs[:-1]
    if all(part is parts[0] for part in parts):
        return parts[0], len(parts)
    split = match.inner(parts[0], *_SPLITS, reads=len(parts))
    if split is None or step.op == "Pack" or not _repeats(step, split):
        return None
    return split.inputs[1 if split.op == "Split" else 0], 1


def _repeats(join: Node, split: Node) -> bool:
    """Whether parts of one element each are put together again, each as often, in their order."""
    whole = split.inputs[1 if split.op == "Split" else 0].shape
    cut, joined = (
        _number(split.inputs[0 if split.op == "Split" else 2]),
        _number(join.inputs[-1]),
    )
    if whole is None or cut is None or joined is None:
        return False
    axis, count = cut % len(whole), len(split.outputs)
    if joined % len(whole) != axis or whole[axis] != count:
        return False
    if any(part.shape is None or part.shape[axis] != 1 for part in split.outputs):
        return False
    parts = join.inputs[:-1]
    factor, rest = divmod(len(parts), count)
    if rest:
        return False
    return all(part is split.outputs[at // factor] for at, part in enumerate(parts))


def _number(value: Value) -> int | None:
    numbers = Match.numbers(value)
    return int(numbers.reshape(-1)[0]) if numbers is not None and numbers.size == 1 else None


# What steps do to axes ---------------------------------------------------------------------------


def _factors(source: Value, steps: Sequence[Node]) -> tuple[int, int] | None:
    """How often steps repeat each row and each column of an image, where they do nothing else."""
    shape = source.shape
    if source.dtype != "float32" or shape is None or len(shape) != 4 or 0 in shape:
        return None
    if shape[1] is None or shape[2] is None:
        return None
    parts: _Parts | None = [[] if size == 1 else [(size, axis)] for axis, size in enumerate(shape)]
    for step in steps:
        parts = None if parts is None else _stepped(step, parts)
    if parts is None or len(parts) != 4:
        return None
    counts = []
    for axis, part in enumerate(parts):
        own = [] if shape[axis] == 1 else [(shape[axis], axis)]
        repeats = [size or 0 for size, of in part[len(own) :] if of == _REPEATED]
        if part[: len(own)] != own or len(own) + len(repeats) != len(part):
            return None
        counts.append(math.prod(repeats))
    if counts[0] != 1 or counts[3] != 1:
        return None
    rows, columns = counts[1:3]
    return (rows, columns) if max(shape[1] * rows, shape[2] * columns) <= MOST_PIXELS else None


def _stepped(step: Node, parts: _Parts) -> _Parts | None:
    """What axes are made of behind a step; None where it does anything else."""
    made = step.output.shape
    if made is None or 0 in made:
        return None
    if step.op in _VIEWS:
        return _regrouped([part for group in parts for part in group], made)
    if step.op in _SPREADS:
        return _spread(step, parts, made)
    if step.op == _RESIZE:
        return _resized(step, parts)
    if step.op == "GatherV2":
        return _gathered(step, parts)
    axis = _axis(step, len(made))
    if axis is None:
        return None
    count = made[axis]
    if step.op == "Pack":
        return [*parts[:axis], _times(len(step.inputs)), *parts[axis:]]
    if step.inputs[0] is step.inputs[len(step.inputs) - 2]:
        return _with(parts, axis, [*_times(len(step.inputs) - 1), *parts[axis]])
    size = _size(parts[axis])
    if size is None or count is None:
        return None
    return _with(parts, axis, [*parts[axis], *_times(count // size)])


def _axis(step: Node, rank: int) -> int | None:
    if step.op == "Pack":
        return int(step.attrs.get("axis", 0)) % rank
    told = _number(step.inputs[2 if step.op == "GatherV2" else -1])
    return None if told is None else told % rank


def _times(count: int) -> list[_Part]:
    return [] if count == 1 else [(count, _REPEATED)]


def _with(parts: _Parts, axis: int, group: list[_Part]) -> _Parts:
    return [*parts[:axis], group, *parts[axis + 1 :]]


def _size(group: Sequence[_Part]) -> int | None:
    """How long an axis is."""
    sizes = [size for size, _ in group]
    return None if None in sizes else math.prod(size for size in sizes if size is not None)


def _spread(step: Node, parts: _Parts, made: Shape) -> _Parts | None:
    if made is None:
        return None
    if step.op == "Tile":
        told = Match.numbers(step.inputs[1])
        if told is None or told.size != len(parts) or (told < 1).any():
            return None
        pairs = zip(told.reshape(-1).tolist(), parts, strict=True)
        return [[*_times(int(count)), *group] for count, group in pairs]
    # A free size may be one, or not, of what is spread.
    new: _Parts = [[] for _ in range(len(made) - len(parts))]
    spread: _Parts = []
    for size, group in zip(made, [*new, *parts], strict=True):
        if not group and size is not None:
            spread.append(_times(size))
        elif size is not None and _size(group) == size:
            spread.append(group)
        else:
            return None
    return spread


def _gathered(step: Node, parts: _Parts) -> _Parts | None:
    axis, tensor = _axis(step, len(parts)), constant_of(step.inputs[1])
    size = None if axis is None else _size(parts[axis])
    if axis is None or size is None or tensor is None or step.attrs.get("batch_dims"):
        return None
    if len(tensor.shape) != 1 or tensor.size % size or tensor.size > MOST_PIXELS:
        return None
    factor = tensor.size // size
    if not np.array_equal(tensor.array(), np.arange(size).repeat(factor)):
        return None
    return _with(parts, axis, [*parts[axis], *_times(factor)])


def _resized(step: Node, parts: _Parts) -> _Parts | None:
    """Sizes that are whole multiples, where TF.js repeats each pixel exactly as often."""
    wanted = Match.numbers(step.inputs[1])
    if wanted is None or wanted.size != 2 or step.attrs.get("align_corners"):
        return None
    for axis, size in enumerate(wanted.reshape(-1).tolist(), 1):
        before = _size(parts[axis])
        if before is None or size % before or size < before or size > MOST_PIXELS:
            return None
        factor = int(size) // before
        # From a corner, a third of three is one only if rounding has it so.
        if not step.attrs.get("half_pixel_centers") and factor & (factor - 1):
            return None
        parts = _with(parts, axis, [*parts[axis], *_times(factor)])
    return parts


def _regrouped(parts: list[_Part], shape: Sequence[int | None]) -> _Parts | None:
    """Parts in their order as the axes of a shape, of which one may be free."""
    free = [axis for axis, size in enumerate(shape) if size is None]
    if len(free) > 1 or sum(size is None for size, _ in parts) != len(free):
        return None
    left = list(parts)
    before = _taken(left, shape[: free[0]] if free else shape)
    if before is None:
        return None
    if not free:
        return None if left else before
    left.reverse()
    behind = _taken(left, shape[: free[0] : -1])
    if behind is None:
        return None
    return [*before, left[::-1], *[group[::-1] for group in behind[::-1]]]


def _taken(left: list[_Part], sizes: Sequence[int | None]) -> _Parts | None:
    """The first of some parts for each size; they are taken away."""
    groups: _Parts = []
    for wanted in sizes:
        size, group = 1, []
        while size != wanted:
            if not left or wanted is None or left[0][0] is None or size > wanted:
                return None
            group.append(left.pop(0))
            size *= group[-1][0] or 1
        groups.append(group)
    return groups
