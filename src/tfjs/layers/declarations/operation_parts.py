"""Operations of `keras.ops` that take parts of tensors, turn them round, or pad them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tfjs.ir.layers_model import Config, Layer
from tfjs.layers.base import Apply, Shape
from tfjs.layers.declarations import cuts, recurrent
from tfjs.layers.declarations.compose import is_static
from tfjs.layers.declarations.cuts import Cut
from tfjs.layers.declarations.operation import (
    MOST_PARTS,
    NO_SHAPE,
    OVER_BATCH,
    Given,
    Operation,
    Outcome,
    of,
    row,
    shape_of,
)
from tfjs.layers.declarations.operation_graph import axes_in, axis_in
from tfjs.layers.declarations.space import Piece, Size, product, reshape

if TYPE_CHECKING:
    from tfjs.layers.legalize import Builder

# Far more than any model has, and few enough to list.
_MOST_ENDS = 1 << 16


# Slicing -------------------------------------------------------------------------------------


class GetItem(Operation):
    """Slices, single elements, new axes and an ellipsis; all other axes stay whole."""

    name = "ops.GetItem"
    parameters = ("x", "key")

    def shapes(self, config: Config, given: dict[str, Any]) -> list[Shape | None]:
        shape = shape_of(given)
        parts = None if shape is None else _parts(given["key"], shape)
        if shape is None or parts is None or parts.why:
            step = None if shape is None else _end_of_sequence(given["key"], shape)
            return [None if shape is None or step is None else (shape[0], shape[2])]
        return [(shape[0], *parts.final)]

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        shape = shape_of(given)
        if shape is None:
            return NO_SHAPE
        step = _end_of_sequence(given["key"], shape)
        if step is not None:
            return of(given["x"], _one_step(build, int(shape[2] or 0), step, layer.name))
        parts = _parts(given["key"], shape)
        if parts is None:
            return OVER_BATCH
        if parts.why:
            return parts.why
        pieces = cuts.pieces(shape[1:], parts.cuts, parts.final)
        if pieces is None:
            return cuts.UNKNOWN
        if not pieces:
            return build.drop(layer, "slice that takes everything left out")
        return of(given["x"], row(build, pieces, layer.name))


class _Parts:
    """What a key takes of a tensor.

    Attributes:
        cuts: of the axes, counted behind the batch.
        final: sizes that come out, without the batch.
        why: why it cannot be done, empty where it can.
    """

    def __init__(self) -> None:
        self.cuts: dict[int, Cut] = {}
        self.final: list[Size] = []
        self.why = ""

    def take(self, axis: int, item: Any, size: Size) -> None:
        """Read what stands for one axis in a key."""
        if isinstance(item, slice):
            cut = cuts.cut_of(item, size)
            kept = isinstance(cut, Cut)
        elif type(item) is int:
            cut, kept = cuts.element(item, size), False
        else:
            cut, kept = "it is indexed by a tensor or a list", False
        if isinstance(cut, str):
            self.why = cut
            return
        self.cuts[axis - 1] = cut
        if kept:
            self.final.append(cut.size(size))


def _parts(key: Any, shape: Shape) -> _Parts | None:
    """What a key takes; None where it touches the axis of the batch."""
    items = list(key) if isinstance(key, list | tuple) else [key]
    real = sum(1 for item in items if item is not None and item is not ...)
    if real > len(shape) or sum(1 for item in items if item is ...) > 1:
        raise IndexError(f"{items} of {len(shape)} axes")
    if ... not in items:
        items.append(...)
    at = items.index(...)
    items[at : at + 1] = [slice(None)] * (len(shape) - real)
    first = items.pop(0)
    whole = isinstance(first, slice) and first.step in (None, 1) and first.start in (None, 0)
    if not whole or first.stop is not None:
        return None
    parts = _Parts()
    axis = 1
    for item in items:
        if item is None:
            parts.final.append(1)
            continue
        parts.take(axis, item, shape[axis])
        axis += 1
    return parts


def _end_of_sequence(key: Any, shape: Shape) -> int | None:
    """0 or -1 for the first or last step of a sequence of unknown length; else None."""
    if len(shape) != 3 or shape[1] is not None or not isinstance(shape[2], int):
        return None
    items = list(key) if isinstance(key, list | tuple) else [key]
    whole = slice(None)
    if len(items) < 2 or items[0] != whole or any(item not in (whole, ...) for item in items[2:]):
        return None
    return items[1] if type(items[1]) is int and items[1] in (0, -1) else None


def _one_step(build: Builder, size: int, step: int, name: str) -> Apply:
    """The last step of a sequence, or the first, by an RNN that keeps nothing."""
    layer = recurrent.passing(
        build, size, name=name, sequences=False, backwards=step == 0, suffix="step"
    )
    return build.apply(layer, 1)


class Slice(Operation):
    name = "ops.Slice"
    parameters = ("inputs", "start_indices")

    def shapes(self, config: Config, given: dict[str, Any]) -> list[Shape | None]:
        shape = shape_of(given, "inputs")
        return [None if shape is None else (shape[0], *config["shape"][1:])]

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        shape, starts = shape_of(given, "inputs"), given["start_indices"]
        sizes = layer.config["shape"]
        if shape is None or not is_static(shape):
            return NO_SHAPE
        if any(type(start) is not int for start in starts):
            return "its start is computed when the model runs"
        if starts[0] != 0 or sizes[0] != shape[0]:
            return OVER_BATCH
        taken = {
            axis: cuts.cut_of(slice(start, start + size), whole)
            for axis, (start, size, whole) in enumerate(
                zip(starts[1:], sizes[1:], shape[1:], strict=True)
            )
        }
        known = {axis: cut for axis, cut in taken.items() if isinstance(cut, Cut)}
        pieces = cuts.pieces(shape[1:], known, list(sizes[1:]))
        if not pieces:
            return build.drop(layer, "slice that takes everything left out")
        return of(given["inputs"], row(build, pieces, layer.name))


# Splitting -----------------------------------------------------------------------------------


class _Splitting(Operation):
    """Several parts along one axis."""

    keeps_axis: ClassVar[bool] = True

    def ends(self, config: Config, size: int) -> list[int]:
        """Where the parts end."""
        raise NotImplementedError

    def shapes(self, config: Config, given: dict[str, Any]) -> list[Shape | None]:
        shape = shape_of(given)
        axis = None if shape is None else axis_in(config.get("axis", 0), len(shape))
        if shape is None or axis is None or shape[axis] is None:
            return [None] * self.count(config)
        ends = self.ends(config, shape[axis] or 0)
        return [
            (*shape[:axis], *((end - start,) if self.keeps_axis else ()), *shape[axis + 1 :])
            for start, end in zip([0, *ends], ends, strict=False)
        ]

    def count(self, config: Config) -> int:
        """How many parts there are, as far as the configuration tells."""
        raise NotImplementedError

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        shape = shape_of(given)
        if shape is None:
            return NO_SHAPE
        axis = axis_in(layer.config.get("axis", 0), len(shape))
        size = shape[axis]
        if axis == 0:
            return OVER_BATCH
        if size is None:
            return "the axis that it splits is of unknown size"
        ends = self.ends(layer.config, size)
        if not 1 <= len(ends) <= MOST_PARTS:
            return f"it splits its input into {len(ends)} parts"
        parts = []
        for start, end in zip([0, *ends], ends, strict=False):
            middle = [end - start] if self.keeps_axis else []
            final = [*shape[1:axis], *middle, *shape[axis + 1 :]]
            pieces = cuts.pieces(shape[1:], {axis - 1: Cut(start, size - end)}, final)
            if pieces is None:
                return cuts.UNKNOWN
            parts.append(row(build, pieces, None))
        return lambda tensors: [part(tensors[:1])[0] for part in parts]


def _even_ends(count: int, size: int) -> list[int]:
    """Where parts of one size end, so many as a file may state before it is believed."""
    if count > _MOST_ENDS:
        raise ValueError(f"{count} parts")
    return [size * (part + 1) for part in range(count)]


class Split(_Splitting):
    name = "ops.Split"

    def ends(self, config: Config, size: int) -> list[int]:
        value = config["indices_or_sections"]
        if isinstance(value, list | tuple):
            ends = [*value, size]
            if any(type(end) is not int or not 0 <= end <= size for end in ends):
                raise ValueError(f"indices {value!r} of {size}")
            if sorted(ends) != ends:
                raise ValueError(f"indices {value!r} do not rise")
            return ends
        if type(value) is not int or value < 1 or size % value:
            raise ValueError(f"{value!r} parts of {size}")
        return _even_ends(value, size // value)

    def count(self, config: Config) -> int:
        value = config["indices_or_sections"]
        return len(value) + 1 if isinstance(value, list | tuple) else min(int(value), MOST_PARTS)


class Unstack(_Splitting):
    name = "ops.Unstack"
    keeps_axis = False

    def ends(self, config: Config, size: int) -> list[int]:
        return _even_ends(size, 1)

    def count(self, config: Config) -> int:
        return min(int(config.get("num") or 1), MOST_PARTS)


# Taking, turning, padding --------------------------------------------------------------------


class Take(Operation):
    """Elements at constant places along one axis."""

    name = "ops.Take"
    parameters = ("x", "indices")

    def shapes(self, config: Config, given: dict[str, Any]) -> list[Shape | None]:
        shape, indices = shape_of(given), given["indices"]
        if shape is None or config.get("axis") is None or isinstance(indices, Given):
            return [None]
        axis = axis_in(config["axis"], len(shape))
        count = [len(indices)] if isinstance(indices, list | tuple) else []
        return [(*shape[:axis], *count, *shape[axis + 1 :])]

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        shape, indices = shape_of(given), given["indices"]
        if shape is None:
            return NO_SHAPE
        single = type(indices) is int
        places = [indices] if single else indices
        if not isinstance(places, list | tuple) or any(type(item) is not int for item in places):
            return "its indices are no plain list of whole numbers"
        if layer.config.get("axis") is None or not places or len(places) > MOST_PARTS:
            return "it takes elements of the flattened tensor, or none, or very many"
        axis = axis_in(layer.config["axis"], len(shape))
        if axis == 0:
            return OVER_BATCH
        parts = []
        for place in places:
            cut = cuts.element(place, shape[axis])
            if isinstance(cut, str):
                return cut
            final = [*shape[1:axis], *([] if single else [1]), *shape[axis + 1 :]]
            pieces = cuts.pieces(shape[1:], {axis - 1: cut}, final)
            if pieces is None:
                return cuts.UNKNOWN
            parts.append(row(build, pieces, layer.name if len(places) == 1 else None))
        if len(parts) == 1:
            return parts[0]
        joined = build.apply(build.new("Concatenate", {"axis": axis}, name=layer.name), 1)
        return lambda tensors: joined([part(tensors[:1])[0] for part in parts])


class Flip(Operation):
    """A sequence turned round, by an RNN that goes backwards and keeps nothing."""

    name = "ops.Flip"

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        shape = shape_of(given)
        if shape is None:
            return NO_SHAPE
        axes = axes_in(layer.config.get("axis"), len(shape))
        if axes != [1] or len(shape) != 3 or shape[2] is None:
            return "TF.js turns round the steps of a sequence only"
        turned = recurrent.passing(build, shape[2], name=layer.name)
        return build.apply(turned, 1)


class Pad(Operation):
    """Zeros around the axes, two of them at a time by ZeroPadding2D."""

    name = "ops.Pad"

    def shapes(self, config: Config, given: dict[str, Any]) -> list[Shape | None]:
        shape = shape_of(given)
        if shape is None:
            return [None]
        widths = _widths(config["pad_width"], len(shape))
        return [
            tuple(
                None if size is None else size + before + after
                for size, (before, after) in zip(shape, widths, strict=True)
            )
        ]

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        shape = shape_of(given)
        if shape is None:
            return NO_SHAPE
        value = given.get("constant_values", layer.config.get("constant_values"))
        if layer.config.get("mode", "constant") != "constant" or value:
            return "TF.js pads with zeros only"
        widths = _widths(layer.config["pad_width"], len(shape))
        if any(widths[0]):
            return OVER_BATCH
        if not any(any(pair) for pair in widths):
            return build.drop(layer, "operation Pad that adds nothing left out")
        pieces = _padding(list(shape[1:]), widths[1:])
        return cuts.UNKNOWN if pieces is None else row(build, pieces, layer.name)


def _widths(value: Any, rank: int) -> list[list[int]]:
    if type(value) is int:
        value = [[value, value]] * rank
    items = [list(item) if isinstance(item, list | tuple) else [item, item] for item in value]
    if len(items) == 1:
        items *= rank
    flat = [number for item in items for number in item]
    if len(items) != rank or len(flat) != 2 * rank:
        raise ValueError(f"pad_width {value!r} of {rank} axes")
    if any(type(number) is not int or number < 0 for number in flat):
        raise ValueError(f"pad_width {value!r}")
    return items


def _padding(sizes: list[Size], widths: list[list[int]]) -> list[Piece] | None:
    """One padding for each axis, or for the first two together; None: too much is unknown."""
    pieces: list[Piece] = []
    view, axis = sizes, 0
    while axis < len(sizes):
        pair = [widths[axis], [0, 0]]
        shape = [sizes[axis], *([1] if len(sizes) == 1 else [sizes[1]]), product(sizes[2:])]
        if axis:
            pair = [[0, 0], widths[axis]]
            shape = [product(sizes[:axis]), sizes[axis], product(sizes[axis + 1 :])]
        elif len(sizes) > 1:
            pair[1] = widths[1]
        if any(any(width) for width in pair):
            if shape.count(None) > 1:
                return None
            if shape != view:
                pieces.append(reshape(shape, "view"))
            config = {"padding": pair, "data_format": "channels_last"}
            pieces.append(Piece("ZeroPadding2D", config, "pad"))
            view = [_grown(size, width) for size, width in zip(shape, [*pair, [0, 0]], strict=True)]
        done = 2 if not axis and len(sizes) > 1 else 1
        sizes = [
            _grown(size, widths[at]) if axis <= at < axis + done else size
            for at, size in enumerate(sizes)
        ]
        axis += done
    if sizes.count(None) > 1:
        return None
    if sizes != view:
        pieces.append(reshape(sizes, "padded"))
    return pieces


def _grown(size: Size, width: Sequence[int]) -> Size:
    return None if size is None else size + sum(width)
