"""Parts of tensors: ranges, single elements and every n-th, along any axes.

TF.js cuts along two axes only (Cropping2D), so the axes beside the one that is cut are merged by a
Reshape meanwhile. Every n-th element is what MaxPooling2D leaves with a window of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfjs.layers.declarations.space import Piece, Size, product, reshape

UNKNOWN = "too many sizes of its input are unknown"
STEPS_BACK = "it takes elements in reverse order"


@dataclass(frozen=True, slots=True)
class Cut:
    """What is kept of an axis.

    Attributes:
        before: how many elements go at its beginning.
        after: how many go at its end.
        step: of the rest, each `step`-th stays.
    """

    before: int = 0
    after: int = 0
    step: int = 1

    def size(self, size: Size) -> Size:
        """How many elements stay."""
        if size is None:
            return None
        return max(0, -(-(size - self.before - self.after) // self.step))


def cut_of(item: slice, size: Size) -> Cut | str:
    """A slice as a cut, or why it cannot be one."""
    step = 1 if item.step is None else item.step
    if step < 1:
        return STEPS_BACK
    if size is not None:
        start, stop, _ = item.indices(size)
        return Cut(start, size - max(start, stop), step)
    start, stop = item.start or 0, item.stop
    if start < 0 or (stop is not None and stop >= 0):
        return "it counts from the other end of an axis of unknown size"
    return Cut(start, -(stop or 0), step)


def element(index: int, size: Size) -> Cut | str:
    """One element of an axis as a cut, or why it cannot be one.

    Raises:
        IndexError: there is no such element.
    """
    if size is None:
        return "it takes one element of an axis of unknown size"
    if not -size <= index < size:
        raise IndexError(f"element {index} of {size}")
    return Cut(index % size, size - 1 - index % size)


def pieces(
    sizes: Sequence[Size], cuts: Mapping[int, Cut], final: Sequence[Size]
) -> list[Piece] | None:
    """Layers that keep parts of the axes.

    Args:
        sizes: of all axes but the batch.
        cuts: what to keep, by place in `sizes`.
        final: the shape that comes out.

    Returns:
        The layers; None where too many sizes are unknown for it.
    """
    wanted = {axis: cut for axis, cut in cuts.items() if cut != Cut()}
    current, made = list(sizes), []
    view: list[Size] = current
    while wanted:
        axis = min(wanted)
        first = wanted.pop(axis)
        second = wanted.pop(1, Cut()) if axis == 0 else Cut()
        if axis == 0:
            shape = [current[0], product(current[1:2]), product(current[2:])]
            row, column = first, second
        else:
            shape = [product(current[:axis]), current[axis], product(current[axis + 1 :])]
            row, column = Cut(), first
        if shape.count(None) > 1:
            return None
        if shape != view:
            made.append(reshape(shape, "view"))
        made += _cut(row, column)
        view = [row.size(shape[0]), column.size(shape[1]), shape[2]]
        current[axis] = first.size(current[axis])
        if axis == 0 and second != Cut():
            current[1] = second.size(current[1])
    if list(final).count(None) > 1:
        return None
    # Cropping2D forgets that a size is unknown; a Reshape tells it again.
    if list(final) != view or (made and None in view):
        made.append(reshape(final, "part"))
    return made


def _cut(row: Cut, column: Cut) -> list[Piece]:
    made: list[Piece] = []
    edges = [[row.before, row.after], [column.before, column.after]]
    if any(any(pair) for pair in edges):
        config: dict[str, Any] = {"cropping": edges, "data_format": "channels_last"}
        made.append(Piece("Cropping2D", config, "crop"))
    if row.step > 1 or column.step > 1:
        config = {"pool_size": [1, 1], "strides": [row.step, column.step], "padding": "valid"}
        made.append(Piece("MaxPooling2D", {**config, "data_format": "channels_last"}, "every"))
    return made
