"""Layers that put several tensors together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tfjs.ir.graph import Value
from tfjs.ir.layers_model import Config, Layer, TensorRef
from tfjs.layers.base import Apply, CannotLower, LayerSpec, Shape
from tfjs.layers.declarations.compose import check_axes, is_static, reshape, scale
from tfjs.layers.declarations.normalization_graph import to_unit_length
from tfjs.layers.declarations.space_graph import order_axes
from tfjs.layers.declarations.space_graph import product as count
from tfjs.layers.declarations.space_graph import reshape as reshape_to

if TYPE_CHECKING:
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

_ALONE = "left out: it merges a single tensor"
# What Keras takes for the length of a vector that is shorter.
_LEAST_LENGTH = 1e-7
_COUNT = "is called with another number of tensors than it merges"


def _all_shapes(layer: Layer, build: Builder) -> list[list[Shape | None]]:
    return [build.input_shapes(layer, call) for call in range(len(layer.calls))]


def _batch(shapes: Sequence[Shape]) -> int | None:
    known = {shape[0] for shape in shapes if shape} - {None}
    return known.pop() if len(known) == 1 else None


def _broadcast(first: Shape, second: Shape) -> Shape:
    """Sizes of an element-wise result, without the batch; aligned at the end."""
    longer, shorter = (first, second) if len(first) >= len(second) else (second, first)
    sizes = list(longer[: len(longer) - len(shorter)])
    for one, other in zip(longer[len(sizes) :], shorter, strict=True):
        if one is None or other is None:
            sizes.append(None)
        else:
            sizes.append(other if one == 1 else one)
    return tuple(sizes)


class _ElementWise(LayerSpec):
    """Arithmetic on tensors that broadcast.

    Attributes:
        op: the operation of TensorFlow on two of them.
    """

    supports_masking = True
    op: ClassVar[str] = ""

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        known = [shape for shape in inputs if shape is not None]
        if not known or len(known) < len(inputs):
            return [None]
        result = known[0][1:]
        for shape in known[1:]:
            result = _broadcast(result, shape[1:])
        return [(_batch(known), *result)]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        counts = {len(shapes) for shapes in _all_shapes(layer, build)}
        if counts == {1}:
            return build.drop(layer, _ALONE)
        if min(counts) < 2:
            return build.refuse(layer, _COUNT)
        return self.express(layer, build)

    def express(self, layer: Layer, build: Builder) -> Apply:
        """The layer for two tensors or more."""
        return build.keep(layer)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        values = _of_one_rank(build)
        result = self.merged(build, values)
        if len(values) > 1:
            build.set_mask(result, _joint_mask(build))
        return [result]

    def merged(self, build: Lowering, values: list[Value]) -> Value:
        """The tensors of one rank as one."""
        result = values[0]
        for value in values[1:]:
            result = build.op(self.op, result, value)
        return result


class Add(_ElementWise):
    name = "Add"
    op = "AddV2"

    def merged(self, build: Lowering, values: list[Value]) -> Value:
        shapes = {value.shape for value in values}
        if len(values) > 2 and len(shapes) == 1 and is_static(values[0].shape):
            return build.op("AddN", *values)
        return super().merged(build, values)


class Multiply(_ElementWise):
    name = "Multiply"
    op = "Mul"


class Average(Add):
    name = "Average"

    def merged(self, build: Lowering, values: list[Value]) -> Value:
        total = super().merged(build, [build.floats(value) for value in values])
        return build.op("Mul", total, 1.0 / len(values))


class Maximum(_ElementWise):
    name = "Maximum"
    op = "Maximum"


class Minimum(_ElementWise):
    name = "Minimum"
    op = "Minimum"


class Subtract(_ElementWise):
    name = "Subtract"
    op = "Sub"

    def express(self, layer: Layer, build: Builder) -> Apply:
        if any(len(shapes) != 2 for shapes in _all_shapes(layer, build)):
            return build.refuse(layer, _COUNT)
        build.note(layer, "Subtract as Add of the negated second tensor")
        minus = build.apply(scale(build, -1.0, suffix="minus"), 1)
        total = build.apply(build.new("Add", {}, name=layer.name), 1)

        def call(tensors: list[TensorRef]) -> list[TensorRef]:
            first, second = tensors
            return total([first, *minus([second])])

        return call


class Concatenate(LayerSpec):
    name = "Concatenate"
    supports_masking = True

    def normalize(self, config: Config, dialect: str) -> None:
        check_axes(config)

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        known = [shape for shape in inputs if shape is not None]
        ranks = {len(shape) for shape in known}
        if len(known) < len(inputs) or len(ranks) != 1 or ranks == {0}:
            return [None]
        rank, axis = len(known[0]), layer.config.get("axis", -1)
        if isinstance(axis, list):
            return [None]
        axis %= rank
        sizes = [_agreed(known, place) for place in range(rank)]
        along = [shape[axis] for shape in known]
        sizes[axis] = None if None in along else sum(size or 0 for size in along)
        return [tuple(sizes)]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        calls, axis = _all_shapes(layer, build), layer.config.get("axis", -1)
        counts = {len(shapes) for shapes in calls}
        if counts == {1}:
            return build.drop(layer, _ALONE)
        if min(counts) < 2 or isinstance(axis, list):
            return build.refuse(layer, _COUNT)
        ranks = {len(shape) if shape else None for shapes in calls for shape in shapes}
        if axis < -1:
            if len(ranks) > 1 or None in ranks:
                return build.refuse(
                    layer, f"the rank of its input, for its axis {axis}, is unknown"
                )
            axis += next(rank for rank in ranks if rank is not None)
        if axis == 0:
            return build.refuse(layer, "it goes over the batch")
        kept = build.keep(layer, {"axis": axis})
        alike = len(ranks) == 1 and None not in ranks
        return self._completed(layer, build, calls, kept) if alike else kept

    def _completed(
        self, layer: Layer, build: Builder, calls: list[list[Shape | None]], kept: Apply
    ) -> Apply:
        """Sizes that one tensor knows and another does not: TF.js wants them alike."""
        if len(calls) > 1:
            return kept
        shapes = [shape for shape in calls[0] if shape is not None]
        axis = layer.config.get("axis", -1) % len(shapes[0])
        agreed = [_agreed(shapes, place) for place in range(len(shapes[0]))]
        steps: dict[int, Apply] = {}
        for index, shape in enumerate(shapes):
            whole = [
                size if place == axis else agreed[place]
                for place, size in enumerate(shape)
                if place
            ]
            if whole != list(shape[1:]) and whole.count(None) <= 1:
                steps[index] = build.apply(reshape(build, whole, suffix="size"), 1)
        if not steps:
            return kept
        build.note(layer, "sizes written out that TF.js wants to know")
        return lambda tensors: kept(
            [steps[i]([ref])[0] if i in steps else ref for i, ref in enumerate(tensors)]
        )

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        values, axis = build.inputs, layer.config.get("axis", -1)
        if len(values) == 1:
            return values
        if isinstance(axis, list):
            raise CannotLower(_COUNT)
        place = int(axis) % build.rank(values[0])
        if len({value.dtype for value in values}) > 1:
            values = [build.floats(value) for value in values]
        result = build.op("ConcatV2", *values, np.array(place, np.int32))
        build.set_mask(result, _joint_mask(build, place))
        return [result]


def _agreed(shapes: Sequence[Shape], place: int) -> int | None:
    """The size that the shapes which know it have at a place."""
    known = [shape[place] for shape in shapes if shape[place] is not None]
    return known[0] if known else None


def _of_one_rank(build: Lowering) -> list[Value]:
    """The inputs; those of fewer axes get axes of size 1 behind the batch, as in Keras."""
    rank = max(build.rank(value) for value in build.inputs)
    dtypes = {value.dtype for value in build.inputs}
    found = []
    for value in build.inputs:
        missing = rank - build.rank(value)
        sizes = [build.size(value, axis) for axis in range(build.rank(value))]
        shape = [*sizes[:1], *[1] * missing, *sizes[1:]]
        whole = reshape_to(build, value, shape) if missing else value
        found.append(whole if len(dtypes) == 1 else build.floats(whole))
    return found


def _joint_mask(build: Lowering, axis: int | None = None) -> Value | None:
    """The steps that all masks let through; one behind the other along the axis of the steps.

    With Keras 3 those that any mask lets through, and none is masked where a tensor has no mask.
    Facts: keras/src/layers/merging of both, compute_mask.
    """
    masks = [build.mask(index) for index in range(len(build.inputs))]
    known = [mask for mask in masks if mask is not None]
    if not known:
        return None
    if axis == 1:
        parts = [
            _all_steps(build, value) if mask is None else mask
            for value, mask in zip(build.inputs, masks, strict=True)
        ]
        return build.op("ConcatV2", *parts, np.array(1, np.int32))
    if build.keras3 and len(known) < len(masks):
        return None
    result = known[0]
    for mask in known[1:]:
        result = build.op("LogicalOr" if build.keras3 else "LogicalAnd", result, mask)
    return result


def _all_steps(build: Lowering, value: Value) -> Value:
    sizes = build.sizes([build.size(value, 0), build.size(value, 1)])
    return build.op("Fill", sizes, np.array(True))


class Dot(LayerSpec):
    name = "Dot"

    def normalize(self, config: Config, dialect: str) -> None:
        check_axes(config, "axes")
        if isinstance(config["axes"], list) and len(config["axes"]) != 2:
            raise ValueError(f"axes is {config['axes']}, an axis of each tensor was expected")

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        if len(inputs) != 2 or not inputs[0] or not inputs[1]:
            return [None]
        places = _dot_axes(layer, inputs[0], inputs[1])
        first = [size for place, size in enumerate(inputs[0]) if place != places[0]]
        second = [size for place, size in enumerate(inputs[1]) if place not in (0, places[1])]
        sizes = (*first, *second)
        return [sizes if len(sizes) > 1 else (*sizes, 1)]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        for shapes in _all_shapes(layer, build):
            first, second = shapes if len(shapes) == 2 else (None, None)
            if not first or not second:
                return build.refuse(layer, "the rank of its inputs is unknown")
            if len(first) > 3 or len(second) > 3:
                return build.refuse(
                    layer, "TF.js multiplies tensors of three axes at most, with the batch"
                )
            if 0 in _dot_axes(layer, first, second):
                return build.refuse(layer, "it goes over the batch")
        return build.keep(layer)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        first, second = (build.floats(value) for value in build.inputs)
        one, other = _dot_axes(layer, build.shape(first), build.shape(second))
        if 0 in (one, other):
            raise CannotLower("it goes over the batch")
        if layer.config.get("normalize"):
            first = to_unit_length(build, first, [one], _LEAST_LENGTH)
            second = to_unit_length(build, second, [other], _LEAST_LENGTH)
        if build.rank(first) == build.rank(second) == 2:
            product = build.op("Mul", first, second)
            axis = np.array([1], np.int32)
            return [build.op("Sum", product, axis, attrs={"keep_dims": True})]
        before = [build.size(first, axis) for axis in range(build.rank(first)) if axis != one]
        behind = [build.size(second, axis) for axis in range(build.rank(second))]
        del behind[other], behind[0]
        rows, columns = _matrix(build, first, one), _matrix(build, second, other)
        turned = {"adj_x": rows is first and one == 1, "adj_y": columns is not second or other == 2}
        product = build.op("BatchMatMulV2", rows, columns, attrs=turned)
        plain = build.rank(first) == build.rank(second) == 3
        return [product if plain else reshape_to(build, product, [*before, *behind])]


def _matrix(build: Lowering, x: Value, axis: int) -> Value:
    """[batch, all other axes, the axis]; a tensor of three axes stays as it is."""
    rank = build.rank(x)
    if rank == 3:
        return x
    x = order_axes(build, x, [*(place for place in range(rank) if place != axis), axis])
    sizes = [build.size(x, place) for place in range(rank)]
    if rank == 2:
        return reshape_to(build, x, [sizes[0], 1, sizes[1]])
    return reshape_to(build, x, [sizes[0], count(sizes[1:-1]), sizes[-1]])


def _dot_axes(layer: Layer, first: Shape, second: Shape) -> tuple[int, int]:
    axes = layer.config["axes"]
    one, other = axes if isinstance(axes, list | tuple) else (axes, axes)
    return int(one) % len(first), int(other) % len(second)
