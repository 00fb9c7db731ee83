"""Operations of `keras.ops` that move whole tensors: joining, reshaping, permuting.

The batch must stay the first axis, since every layer of TF.js takes it for the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfjs.ir.layers_model import Config, Layer
from tfjs.layers.base import Apply, Shape
from tfjs.layers.declarations import cuts
from tfjs.layers.declarations.compose import permute
from tfjs.layers.declarations.operation import (
    MOST_PARTS,
    NO_SHAPE,
    OVER_BATCH,
    Given,
    Operation,
    Outcome,
    row,
    shape_of,
)
from tfjs.layers.declarations.operation_graph import axes_in, axis_in
from tfjs.layers.declarations.space import Size, product, reshape

if TYPE_CHECKING:
    from tfjs.layers.legalize import Builder


def reshaped(build: Builder, sizes: Sequence[Size], name: str | None) -> Outcome:
    """A Reshape to known sizes, one of which may be unknown."""
    if list(sizes).count(None) > 1:
        return cuts.UNKNOWN
    return row(build, [reshape(sizes, "reshape")], name)


# Joining -------------------------------------------------------------------------------------


class _Joining(Operation):
    parameters = ("xs",)

    def tensors(self, given: dict[str, Any]) -> list[Given] | None:
        """The tensors that are joined; None where constants are among them."""
        items = given[self.parameters[0]]
        items = list(items) if isinstance(items, list | tuple) else [items]
        return items if items and all(isinstance(item, Given) for item in items) else None


class Concatenate(_Joining):
    name = "ops.Concatenate"

    def shapes(self, config: Config, given: dict[str, Any]) -> list[Shape | None]:
        tensors = self.tensors(given) or []
        shapes = [item.shape for item in tensors if item.shape is not None]
        if not shapes or len(shapes) != len(tensors):
            return [None]
        axis = axis_in(config.get("axis", 0), len(shapes[0]))
        sizes = [shape[axis] for shape in shapes]
        whole = None if None in sizes else sum(size for size in sizes if size is not None)
        return [(*shapes[0][:axis], whole, *shapes[0][axis + 1 :])]

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        tensors = self.tensors(given)
        if tensors is None:
            return "it joins constants to tensors"
        if len(tensors) == 1:
            return build.drop(layer, "joining of a single tensor left out")
        if tensors[0].shape is None:
            return NO_SHAPE
        axis = axis_in(layer.config.get("axis", 0), len(tensors[0].shape))
        if axis == 0:
            return OVER_BATCH
        return build.apply(build.new("Concatenate", {"axis": axis}, name=layer.name), 1)


class Stack(_Joining):
    name = "ops.Stack"
    parameters = ("x",)

    def shapes(self, config: Config, given: dict[str, Any]) -> list[Shape | None]:
        tensors = self.tensors(given) or []
        shape = tensors[0].shape if tensors else None
        if shape is None:
            return [None]
        axis = axis_in(config.get("axis", 0), len(shape) + 1)
        return [(*shape[:axis], len(tensors), *shape[axis:])]

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        tensors = self.tensors(given)
        if tensors is None:
            return "it joins constants to tensors"
        shape = tensors[0].shape
        if shape is None:
            return NO_SHAPE
        axis = axis_in(layer.config.get("axis", 0), len(shape) + 1)
        if axis == 0:
            return OVER_BATCH
        single = [*shape[1:axis], 1, *shape[axis:]]
        widen = reshaped(build, single, layer.name if len(tensors) == 1 else None)
        if isinstance(widen, str) or len(tensors) == 1:
            return widen
        joined = build.apply(build.new("Concatenate", {"axis": axis}, name=layer.name), 1)
        return lambda refs: joined([widen([ref])[0] for ref in refs])


class Tile(Operation):
    name = "ops.Tile"

    def shapes(self, config: Config, given: dict[str, Any]) -> list[Shape | None]:
        shape = shape_of(given)
        if shape is None:
            return [None]
        repeats = _repeats(config, len(shape))
        if len(repeats) != len(shape):
            return [None]
        return [
            tuple(
                None if size is None else size * count
                for size, count in zip(shape, repeats, strict=True)
            )
        ]

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        shape = shape_of(given)
        if shape is None:
            return NO_SHAPE
        repeats = _repeats(layer.config, len(shape))
        if len(repeats) != len(shape) or repeats[0] != 1:
            return OVER_BATCH
        if any(not 1 <= count <= MOST_PARTS for count in repeats):
            return f"it repeats its input {max(repeats)} times"
        axes = [axis for axis, count in enumerate(repeats) if count > 1]
        if not axes:
            return build.drop(layer, "operation Tile that repeats nothing left out")
        steps = []
        for axis in axes:
            name = layer.name if axis == axes[-1] else None
            joined = build.new("Concatenate", {"axis": axis}, suffix="tile", name=name)
            steps.append(_several(build.apply(joined, 1), repeats[axis]))
        return build.chain(*steps)


def _repeats(config: Config, rank: int) -> list[int]:
    value = config["repeats"]
    items = list(value) if isinstance(value, list | tuple) else [value]
    if any(type(item) is not int for item in items):
        raise ValueError(f"repeats is {value!r}")
    return [1] * (rank - len(items)) + items


def _several(joined: Apply, count: int) -> Apply:
    return lambda tensors: joined(tensors[:1] * count)


# Reshaping -----------------------------------------------------------------------------------


class _Reshaping(Operation):
    """An operation that keeps the order of the elements."""

    def sizes(self, config: Config, shape: Shape) -> list[Size] | str:
        """The sizes that come out, without the batch; or why it cannot be."""
        raise NotImplementedError

    def shapes(self, config: Config, given: dict[str, Any]) -> list[Shape | None]:
        shape = shape_of(given, self.parameters[0])
        sizes = None if shape is None else self.sizes(config, shape)
        return [None if shape is None or not isinstance(sizes, list) else (shape[0], *sizes)]

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        shape = shape_of(given, self.parameters[0])
        if shape is None:
            return NO_SHAPE
        sizes = self.sizes(layer.config, shape)
        return sizes if isinstance(sizes, str) else reshaped(build, sizes, layer.name)


class Reshape(_Reshaping):
    name = "ops.Reshape"

    def sizes(self, config: Config, shape: Shape) -> list[Size] | str:
        value = config["newshape"]
        target = list(value) if isinstance(value, list | tuple) else [value]
        target = [-1 if size is None else size for size in target]
        if any(type(size) is not int for size in target):
            return "its shape is computed when the model runs"
        inner, batch = product(shape[1:]), shape[0]
        if not target or inner is None:
            return "the number of its elements is unknown" if target else OVER_BATCH
        rest = target[1:]
        known = product([size for size in rest if size != -1]) or 0
        if -1 in rest:
            if target[0] != batch or not known or inner % known:
                return OVER_BATCH
            return [inner // known if size == -1 else size for size in rest]
        if known != inner or target[0] not in (-1, batch):
            return "it takes elements across the axis of the batch"
        return list(rest)


class ExpandDims(_Reshaping):
    name = "ops.ExpandDims"

    def sizes(self, config: Config, shape: Shape) -> list[Size] | str:
        value = config["axis"]
        count = len(value) if isinstance(value, list | tuple) else 1
        places = axes_in(value, len(shape) + count)
        if 0 in places:
            return OVER_BATCH
        sizes = list(shape)
        for place in places:
            sizes.insert(place, 1)
        return sizes[1:]


class Squeeze(_Reshaping):
    name = "ops.Squeeze"

    def sizes(self, config: Config, shape: Shape) -> list[Size] | str:
        value = config.get("axis")
        if value is None:
            places = [place for place, size in enumerate(shape) if size == 1]
        else:
            places = axes_in(value, len(shape))
        if 0 in places:
            return OVER_BATCH
        if any(shape[place] not in (1, None) for place in places):
            raise ValueError(f"axes {places} of {list(shape)} are not all of size 1")
        return [size for place, size in enumerate(shape) if place and place not in places]


# Permuting -----------------------------------------------------------------------------------


class _Permuting(Operation):
    def order(self, config: Config, rank: int) -> list[int]:
        """The axes in their new order."""
        raise NotImplementedError

    def shapes(self, config: Config, given: dict[str, Any]) -> list[Shape | None]:
        shape = shape_of(given)
        if shape is None:
            return [None]
        return [tuple(shape[axis] for axis in self.order(config, len(shape)))]

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        shape = shape_of(given)
        if shape is None:
            return NO_SHAPE
        order = self.order(layer.config, len(shape))
        if sorted(order) != list(range(len(shape))):
            raise ValueError(f"{order} is no permutation of the axes")
        if order[0] != 0:
            return OVER_BATCH
        if order == list(range(len(shape))):
            return build.drop(layer, "permutation that changes nothing left out")
        return build.apply(permute(build, order, name=layer.name), 1)


class Transpose(_Permuting):
    name = "ops.Transpose"

    def order(self, config: Config, rank: int) -> list[int]:
        axes = config.get("axes")
        return list(range(rank))[::-1] if axes is None else [axis_in(item, rank) for item in axes]


class Swapaxes(_Permuting):
    name = "ops.Swapaxes"

    def order(self, config: Config, rank: int) -> list[int]:
        first, second = (axis_in(config[key], rank) for key in ("axis1", "axis2"))
        order = list(range(rank))
        order[first], order[second] = second, first
        return order


class Moveaxis(_Permuting):
    name = "ops.Moveaxis"

    def order(self, config: Config, rank: int) -> list[int]:
        pairs = []
        for key in ("destination", "source"):
            value = config[key]
            items = value if isinstance(value, list | tuple) else [value]
            pairs.append([axis_in(item, rank) for item in items])
        moved = dict(zip(*pairs, strict=True))
        others = iter([axis for axis in range(rank) if axis not in pairs[1]])
        return [moved[place] if place in moved else next(others) for place in range(rank)]
