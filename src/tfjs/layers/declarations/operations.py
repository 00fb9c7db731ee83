"""Arithmetic of `keras.ops`, element by element, and operations that change nothing.

TF.js's layers add, multiply and compare tensors; a constant comes in by Rescaling. Nothing in them
divides by a tensor, takes a root, an exponential or a logarithm, or compares to give booleans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tfjs.ir.layers_model import Layer, TensorRef
from tfjs.ir.tensor import Array
from tfjs.layers.base import Apply, LayerSpec, Shape
from tfjs.layers.declarations.compose import clip, identity, join, scale
from tfjs.layers.declarations.operation import (
    NO_SHAPE,
    Given,
    Operation,
    Outcome,
    constant,
    of,
    plain,
    spreads,
)
from tfjs.layers.declarations.tf_functions import lower_function, lower_node

if TYPE_CHECKING:
    from tfjs.ir.graph import Value
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

_MOST_FACTORS = 16
_FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})
_WIDENS = "its constant would change the shape of the tensor"
_RANKS = "its tensors have different ranks, which TF.js would match otherwise"


class _Binary(Operation):
    """An operation of two tensors, or of a tensor and a constant."""

    parameters = ("x1", "x2")

    def shapes(self, config: dict[str, Any], given: dict[str, Any]) -> list[Shape | None]:
        sizes: list[Shape | None] = []
        for item in (given[name] for name in self.parameters):
            if isinstance(item, Given):
                sizes.append(item.shape)
            else:
                array = constant(item)
                sizes.append(None if array is None else array.shape)
        return [broadcast(sizes[0], sizes[1])]

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        first, second = (given[name] for name in self.parameters)
        if isinstance(first, Given) and isinstance(second, Given):
            if first.shape is None or second.shape is None:
                return NO_SHAPE
            if len(first.shape) != len(second.shape):
                return _RANKS
            return self.tensors(layer, build, first, second)
        tensor, other = (first, second) if isinstance(first, Given) else (second, first)
        value = constant(other)
        if not isinstance(tensor, Given) or value is None:
            return f"it works on {other!r}, which is no number"
        if tensor.shape is None and value.ndim:
            return NO_SHAPE
        if tensor.shape is not None and not spreads(value, tensor.shape):
            return _WIDENS
        expressed = self.with_constant(layer, build, value, reverse=tensor is second)
        return expressed if isinstance(expressed, str) else of(tensor, expressed)

    def tensors(self, layer: Layer, build: Builder, first: Given, second: Given) -> Outcome:
        """Both are tensors of the same rank."""
        return super().express(layer, build, {})

    def with_constant(
        self, layer: Layer, build: Builder, value: Array, *, reverse: bool
    ) -> Outcome:
        """One is a constant; with `reverse` the first."""
        return super().express(layer, build, {})


def broadcast(first: Shape | None, second: Shape | None) -> Shape | None:
    """The shape of what NumPy's rules make of two shapes; None where unknown."""
    if first is None or second is None:
        return None
    longer, shorter = (first, second) if len(first) >= len(second) else (second, first)
    offset = len(longer) - len(shorter)
    sizes = list(longer)
    for place, size in enumerate(shorter, offset):
        if sizes[place] == 1 or (sizes[place] is None and size not in (1, None)):
            sizes[place] = size
    return tuple(sizes)


def _merge(build: Builder, layer: Layer, class_name: str) -> Apply:
    return build.apply(build.new(class_name, {}, name=layer.name), 1)


class Add(_Binary):
    name = "ops.Add"

    def tensors(self, layer: Layer, build: Builder, first: Given, second: Given) -> Outcome:
        return _merge(build, layer, "Add")

    def with_constant(
        self, layer: Layer, build: Builder, value: Array, *, reverse: bool
    ) -> Outcome:
        return build.apply(scale(build, 1.0, plain(value), name=layer.name), 1)


class Subtract(_Binary):
    name = "ops.Subtract"

    def tensors(self, layer: Layer, build: Builder, first: Given, second: Given) -> Outcome:
        minus = build.apply(scale(build, -1.0, suffix="minus"), 1)
        merged = _merge(build, layer, "Add")

        def call(tensors: list[TensorRef]) -> list[TensorRef]:
            return merged([tensors[first.at], *minus([tensors[second.at]])])

        return call

    def with_constant(
        self, layer: Layer, build: Builder, value: Array, *, reverse: bool
    ) -> Outcome:
        factor, offset = (-1.0, value) if reverse else (1.0, -value)
        return build.apply(scale(build, factor, plain(offset), name=layer.name), 1)


class Multiply(_Binary):
    name = "ops.Multiply"

    def tensors(self, layer: Layer, build: Builder, first: Given, second: Given) -> Outcome:
        return _merge(build, layer, "Multiply")

    def with_constant(
        self, layer: Layer, build: Builder, value: Array, *, reverse: bool
    ) -> Outcome:
        return build.apply(scale(build, plain(value), name=layer.name), 1)


class Divide(_Binary):
    name = "ops.Divide"
    aliases = ("ops.TrueDivide",)

    def tensors(self, layer: Layer, build: Builder, first: Given, second: Given) -> Outcome:
        return "no layer of TF.js divides by a tensor"

    def with_constant(
        self, layer: Layer, build: Builder, value: Array, *, reverse: bool
    ) -> Outcome:
        if reverse:
            return "no layer of TF.js divides by a tensor"
        if not np.all(value):
            return "it divides by zero"
        return build.apply(scale(build, plain(1.0 / value), name=layer.name), 1)


class _Extreme(_Binary):
    """The greater or the smaller of two; a constant is made a tensor by Rescaling with 0."""

    merge: ClassVar[str]

    def tensors(self, layer: Layer, build: Builder, first: Given, second: Given) -> Outcome:
        return _merge(build, layer, self.merge)

    def with_constant(
        self, layer: Layer, build: Builder, value: Array, *, reverse: bool
    ) -> Outcome:
        return bounded(build, self.merge, plain(value), layer.name)


class Maximum(_Extreme):
    name = "ops.Maximum"
    aliases = ("ops.Fmax",)
    merge = "Maximum"


class Minimum(_Extreme):
    name = "ops.Minimum"
    aliases = ("ops.Fmin",)
    merge = "Minimum"


def bounded(build: Builder, merge: str, value: Any, name: str | None) -> Apply:
    """Maximum or minimum of a tensor and a constant, exactly for all finite numbers."""
    if merge == "Maximum" and value == 0.0:
        return build.apply(clip(build, None, name=name, suffix="above"), 1)
    limit = scale(build, 0.0, value, suffix="limit")
    return join(build, build.new(merge, {}, name=name, suffix="bound"), identity, limit)


class Clip(Operation):
    name = "ops.Clip"

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        low, high = given.get("x_min"), given.get("x_max")
        bounds = [
            None if value is None else constant(value)
            for value in (layer.config.get("x_min", low), layer.config.get("x_max", high))
        ]
        lowest, highest = (None if item is None else plain(item) for item in bounds)
        if isinstance(lowest, list) or isinstance(highest, list):
            return "its limits differ from element to element"
        if lowest is None and highest is None:
            return "it has no limits that are numbers"
        if lowest == 0.0 and (highest is None or highest >= 0):
            return build.apply(clip(build, highest, name=layer.name), 1)
        if lowest is None or highest is None:
            merge, value = ("Minimum", highest) if lowest is None else ("Maximum", lowest)
            return bounded(build, merge, value, layer.name)
        above = bounded(build, "Maximum", lowest, None)
        return build.chain(above, bounded(build, "Minimum", highest, layer.name))


class Negative(Operation):
    name = "ops.Negative"

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        return build.apply(scale(build, -1.0, name=layer.name), 1)


class Absolute(Operation):
    """relu(x) + relu(-x)."""

    name = "ops.Absolute"
    aliases = ("ops.Abs", "ops.Fabs")

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        minus = scale(build, -1.0, suffix="minus")
        below = build.chain(minus, clip(build, None, suffix="below"))
        above = clip(build, None, suffix="above")
        return join(build, build.new("Add", {}, name=layer.name), above, below)


class Square(Operation):
    name = "ops.Square"

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        return power(build, 2, layer.name)


class Power(_Binary):
    name = "ops.Power"

    def with_constant(
        self, layer: Layer, build: Builder, value: Array, *, reverse: bool
    ) -> Outcome:
        exponent = plain(value)
        if reverse or not isinstance(exponent, float) or not exponent.is_integer():
            return "no layer of TF.js computes such a power"
        if not 1 <= exponent <= _MOST_FACTORS:
            return f"it raises to the power of {exponent:g}"
        return power(build, int(exponent), layer.name)

    def tensors(self, layer: Layer, build: Builder, first: Given, second: Given) -> Outcome:
        return "no layer of TF.js raises to the power of a tensor"


def power(build: Builder, exponent: int, name: str | None) -> Apply:
    """A tensor multiplied by itself."""
    if exponent == 1:
        return build.apply(scale(build, 1.0, name=name), 1)
    product = build.apply(build.new("Multiply", {}, name=name, suffix="power"), 1)
    return lambda tensors: product(tensors[:1] * exponent)


class _Constant(Operation):
    """A tensor of the shape of another with one value everywhere."""

    value: ClassVar[float]

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        return build.apply(scale(build, 0.0, self.value, name=layer.name), 1)


class ZerosLike(_Constant):
    name = "ops.ZerosLike"
    value = 0.0


class OnesLike(_Constant):
    name = "ops.OnesLike"
    value = 1.0


class StopGradient(Operation):
    name = "ops.StopGradient"
    aliases = ("ops.Copy", "ops.Identity", "ops.Positive")

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        return build.drop(layer, f"operation {layer.class_name} left out")


class Cast(Operation):
    """To a float; Rescaling makes float32 of integers and booleans too."""

    name = "ops.Cast"
    aliases = ("ops.SaturateCast", "ops.ConvertToTensor")

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        dtype = layer.config.get("dtype")
        if dtype is not None and dtype not in _FLOATS:
            return f"no layer of TF.js casts to {dtype}"
        return build.apply(scale(build, 1.0, name=layer.name), 1)


class TFOpLambda(LayerSpec):
    """A TensorFlow function that `dialects/lambdas.py` knows no operation for."""

    name = "TFOpLambda"
    aliases = ("SlicingOpLambda",)

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        function = layer.config.get("function")
        return build.refuse(layer, f"calls tf.{function}, for which no layer of TF.js stands")

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return lower_function(layer, build)


class TensorFlowOpLayer(LayerSpec):
    """A TensorFlow op within a Keras model of TensorFlow 2.0 to 2.3."""

    name = "TensorFlowOpLayer"

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        node = layer.config.get("node_def")
        op = node.get("op") if isinstance(node, dict) else None
        return build.refuse(layer, f"runs the TensorFlow op {op}, for which no layer stands")

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return lower_node(layer, build)
