"""Operations of `keras.ops` that sum up: means, sums and extremes along axes, products of matrices.

TF.js's layers reduce the steps of a sequence (GlobalAveragePooling1D, GlobalMaxPooling1D), so the
axes are brought there by Permute and Reshape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tfjs.ir.layers_model import Config, Layer, Weight
from tfjs.ir.tensor import Array, ArrayTensor
from tfjs.layers.base import Apply, Shape, find
from tfjs.layers.declarations import compose, cuts
from tfjs.layers.declarations.operation import (
    NO_SHAPE,
    OVER_BATCH,
    Given,
    Operation,
    Outcome,
    constant,
    of,
    row,
    sensible,
    shape_of,
)
from tfjs.layers.declarations.operation_graph import axes_in
from tfjs.layers.declarations.space import Piece, Size, permute, product, reshape

if TYPE_CHECKING:
    from tfjs.layers.legalize import Builder


class _Reduction(Operation):
    """A reduction along some axes.

    Attributes:
        pooling: TF.js's layer.
        negated: whether the tensor is negated before and the outcome after.
        summed: whether the mean is multiplied by the number of elements.
    """

    pooling: ClassVar[str] = "GlobalAveragePooling1D"
    negated: ClassVar[bool] = False
    summed: ClassVar[bool] = False

    def shapes(self, config: Config, given: dict[str, Any]) -> list[Shape | None]:
        shape = shape_of(given)
        if shape is None:
            return [None]
        axes = axes_in(config.get("axis"), len(shape))
        return [tuple(_left(shape, axes, keepdims=bool(config.get("keepdims"))))]

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        shape = shape_of(given)
        if shape is None:
            return NO_SHAPE
        if given.get("weights") is not None or layer.config.get("initial") is not None:
            return "it has weights or an initial value"
        axes = axes_in(layer.config.get("axis"), len(shape))
        if 0 in axes:
            return OVER_BATCH
        count = product([shape[axis] for axis in axes])
        if self.summed and count is None:
            return "it sums up an unknown number of elements"
        pieces = _to_sequence(shape, axes)
        if pieces is None:
            return cuts.UNKNOWN
        if self.negated:
            pieces.append(_scale(-1.0, "minus"))
        config: Config = {"data_format": "channels_last", "keepdims": False}
        pieces.append(Piece(self.pooling, config, "pool"))
        if self.negated or self.summed:
            pieces.append(_scale(-1.0 if self.negated else float(count or 1), "scale"))
        left = _left(shape, axes, keepdims=bool(layer.config.get("keepdims")))[1:]
        if len(left) != 1 or len(axes) == len(shape) - 1:
            pieces.append(reshape(left, "left"))
        return cuts.UNKNOWN if left.count(None) > 1 else row(build, pieces, layer.name)


def _left(shape: Shape, axes: Sequence[int], *, keepdims: bool) -> list[Size]:
    return [
        1 if axis in axes else size
        for axis, size in enumerate(shape)
        if keepdims or axis not in axes
    ]


def _to_sequence(shape: Shape, axes: Sequence[int]) -> list[Piece] | None:
    """Layers that give `[batch, what is reduced, the rest]`; None: too many sizes are unknown."""
    rest = [axis for axis in range(1, len(shape)) if axis not in axes]
    order = [*axes, *rest]
    pieces = [] if order == sorted(order) else [permute(order, "reduced_first")]
    if len(axes) == 1 and len(rest) == 1:
        return pieces
    sizes = [product([shape[axis] for axis in group]) for group in (axes, rest)]
    return None if sizes.count(None) > 1 else [*pieces, reshape(sizes, "sequence")]


def _scale(factor: float, suffix: str) -> Piece:
    return Piece("Rescaling", {"scale": factor, "offset": 0.0}, suffix)


class Mean(_Reduction):
    name = "ops.Mean"


class Average(_Reduction):
    name = "ops.Average"


class Sum(_Reduction):
    name = "ops.Sum"
    summed = True


class Max(_Reduction):
    name = "ops.Max"
    aliases = ("ops.Amax",)
    pooling = "GlobalMaxPooling1D"


class Min(_Reduction):
    name = "ops.Min"
    aliases = ("ops.Amin",)
    pooling = "GlobalMaxPooling1D"
    negated = True


# Matrices ------------------------------------------------------------------------------------


class Matmul(Operation):
    name = "ops.Matmul"
    parameters = ("x1", "x2")

    def shapes(self, config: Config, given: dict[str, Any]) -> list[Shape | None]:
        first, second = given["x1"], given["x2"]
        matrix = constant(second)
        if not isinstance(first, Given) or first.shape is None:
            return [None]
        if matrix is not None:
            return [(*first.shape[:-1], matrix.shape[-1]) if matrix.ndim == 2 else None]
        other = second.shape if isinstance(second, Given) else None
        if other is None or len(other) != len(first.shape) or len(other) < 2:
            return [None]
        return [(*first.shape[:-1], other[-1])]

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        first, second = given["x1"], given["x2"]
        matrix = constant(second)
        if isinstance(first, Given) and matrix is not None:
            if matrix.ndim != 2:
                return "it multiplies by a constant that is no matrix"
            return of(first, _by_matrix(build, matrix, layer.name))
        if not isinstance(first, Given) or not isinstance(second, Given):
            return "it multiplies a constant by a tensor"
        if first.shape is None or second.shape is None:
            return NO_SHAPE
        if (len(first.shape), len(second.shape)) != (3, 3):
            return (
                f"it multiplies tensors of {len(first.shape)} and {len(second.shape)} axes, "
                "TF.js's Dot takes batches of matrices"
            )
        return build.apply(build.new("Dot", {"axes": [2, 1]}, name=layer.name), 1)


def _by_matrix(build: Builder, matrix: Array, name: str) -> Apply:
    kernel = Weight("kernel", ArrayTensor(matrix.astype(np.float32)))
    config = {"units": matrix.shape[1], "use_bias": False, "activation": "linear"}
    return build.apply(build.new("Dense", config, name=name, weights=[kernel]), 1)


class Einsum(Operation):
    """Products of two batches of matrices, by Dot and Permute."""

    name = "ops.Einsum"
    parameters = tuple(f"x{place}" for place in range(1, 33))

    def shapes(self, config: Config, given: dict[str, Any]) -> list[Shape | None]:
        terms = _terms(config, given)
        if terms is None:
            return [None]
        sizes = {
            letter: size
            for term, name in zip(terms, self.parameters, strict=False)
            for letter, size in zip(term, shape_of(given, name) or (), strict=False)
        }
        return [tuple(sizes.get(letter) for letter in terms[2])]

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        terms = _terms(layer.config, given)
        refusal = f"no layer of TF.js computes einsum {layer.config.get('subscripts')!r}"
        if terms is None:
            return refusal
        first, second, out = terms
        batch, shared = first[0], [item for item in first[1:] if item in second[1:]]
        if second[0] != batch or out[0] != batch or len(shared) != 1 or shared[0] in out:
            return refusal
        dot = [item for term in (first, second) for item in term[1:] if item != shared[0]]
        if sorted(dot) != sorted(out[1:]):
            return refusal
        axes = [first.index(shared[0]), second.index(shared[0])]
        if dot == list(out[1:]):
            return build.apply(build.new("Dot", {"axes": axes}, name=layer.name), 1)
        order = [0, *(dot.index(item) + 1 for item in out[1:])]
        product_of = build.new("Dot", {"axes": axes}, suffix="dot")
        return build.chain(product_of, compose.permute(build, order, name=layer.name))


def _terms(config: Config, given: dict[str, Any]) -> tuple[str, str, str] | None:
    """The letters of two operands of three axes and of the outcome; None for other forms."""
    left, arrow, out = str(config["subscripts"]).replace(" ", "").partition("->")
    operands = left.split(",")
    shapes = [shape_of(given, name) for name in ("x1", "x2")]
    if not arrow or len(operands) != 2 or any(shape is None or len(shape) != 3 for shape in shapes):
        return None
    # An ellipsis stands for the axes that have no letter, here the batch.
    first, second, out = (term.replace("...", "*") for term in (*operands, out))
    whole = len(first) == len(second) == len(out) == 3
    return (first, second, out) if whole and len(set(first)) == len(set(second)) == 3 else None


# Pooling -------------------------------------------------------------------------------------


class _Pooling(Operation):
    """Pooling as the layer that does it."""

    parameters = ("inputs",)
    layer: ClassVar[str]

    def stand_in(self, layer: Layer, shape: Shape | None) -> Layer | None:
        """The layer that the operation is; None where the rank is unknown."""
        rank = 0 if shape is None else len(shape) - 2
        spec = find(f"{self.layer}{rank}D")
        if spec is None:
            return None
        config = {key: value for key, value in layer.config.items() if key != "name"}
        config["strides"] = config.get("strides") or config["pool_size"]
        config["data_format"] = config.get("data_format") or "channels_last"
        spec.normalize(config, "keras3")
        return Layer(spec.name, layer.name, config, calls=layer.calls)

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        with sensible(layer):
            stand_in = self.stand_in(layer, inputs[0] if inputs else None)
        spec = find(stand_in.class_name) if stand_in else None
        return [None] if stand_in is None or spec is None else spec.infer(stand_in, inputs)

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        stand_in = self.stand_in(layer, shape_of(given, "inputs"))
        spec = find(stand_in.class_name) if stand_in else None
        return NO_SHAPE if stand_in is None or spec is None else spec.legalize(stand_in, build)


class MaxPool(_Pooling):
    name = "ops.MaxPool"
    layer = "MaxPooling"


class AveragePool(_Pooling):
    name = "ops.AveragePool"
    layer = "AveragePooling"
