"""EinsumDense: a product with a kernel, written as an equation of axes.

Where no axis is in input, kernel and output at once, it is a Dense layer on some axes taken
together, between reshapes and permutations.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tfjs.errors import CorruptFileError
from tfjs.ir.layers_model import Config, Layer, Weight
from tfjs.ir.tensor import Array
from tfjs.layers.base import Apply, LayerSpec, Shape, Slot
from tfjs.layers.declarations.activations import keep_and_activate, split_activation
from tfjs.layers.declarations.compose import (
    Step,
    activate,
    derived,
    permute,
    reshape,
    size_of,
    weight_of,
)
from tfjs.layers.declarations.space import number

if TYPE_CHECKING:
    from tfjs.ir.graph import Value
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

_EQUATION = re.compile(r"(\.\.\.)?([A-Za-z]+)(\.\.\.)?,([A-Za-z]+)->(\.\.\.)?([A-Za-z]+)(\.\.\.)?")
# Activations that depend on which axis is the last.
_ALONG_AXIS = frozenset({"softmax", "log_softmax"})
_OWN_KEYS = ("equation", "output_shape", "bias_axes", "gptq_unpacked_column_size")


@dataclass(frozen=True, slots=True)
class _Equation:
    """An equation for an input of a known rank; axes that `...` stands for have numbers as labels.

    Attributes:
        inputs: labels of the input's axes, the batch first.
        kernel: labels of the kernel's axes.
        outputs: labels of the output's axes.
        bias: labels of the axes that the bias has a size of its own for.
        sizes: sizes by label, as far as known.
        bias_shape: shape of the bias.
    """

    inputs: list[str]
    kernel: list[str]
    outputs: list[str]
    bias: list[str]
    sizes: dict[str, int | None]
    bias_shape: Shape

    def size(self, labels: Sequence[str]) -> Shape:
        """Sizes of several axes."""
        return tuple(self.sizes.get(label) for label in labels)

    @property
    def free(self) -> list[str]:
        """Axes that the product leaves alone, without the batch."""
        return [label for label in self.inputs[1:] if label in self.outputs]

    @property
    def summed(self) -> list[str]:
        """Axes that are multiplied and added up."""
        return [label for label in self.inputs if label in self.kernel]

    @property
    def made(self) -> list[str]:
        """Axes that the kernel adds, in the output's order."""
        return [label for label in self.outputs if label in self.kernel]

    def problem(self) -> str | None:
        """Why it is no Dense layer."""
        whole = [*self.inputs, *self.made]
        if len(set(whole)) < len(whole) or set(self.free) & set(self.kernel):
            return "it multiplies along an axis that stays, which TF.js has no layer for"
        if self.inputs[0] != self.outputs[0] or len(self.free) + len(self.summed) + 1 < len(
            self.inputs
        ):
            return "it adds up an axis that the kernel does not have"
        if not set(self.bias) <= set(self.made):
            return "its bias differs along an axis of the input"
        if self.size(self.free).count(None) > 1:
            return "more than one size of its input is unknown"
        return None


def _parse(layer: Layer, shape: Shape | None) -> _Equation:
    """The equation of a layer; with an unknown input, as if `...` stood for nothing."""
    text = str(layer.config.get("equation", "")).replace(" ", "")
    found = _EQUATION.fullmatch(text)
    if found is None:
        raise CorruptFileError(f"{text!r} is no equation", where=layer.name)
    left, given, right, kernel, _, result, _ = found.groups()
    rank = len(given) if shape is None else len(shape)
    dots = [str(number) for number in range(rank - len(given))]
    inputs = [*(dots if left else ()), *given, *(dots if right else ())]
    outputs = [*(dots if left else ()), *result, *(dots if right else ())]
    sizes: dict[str, int | None] = {}
    told = layer.config.get("output_shape", ())
    told = list(told) if isinstance(told, list | tuple) else [told]
    sizes.update(zip(reversed(result), reversed(told), strict=False))
    if shape is not None:
        sizes.update(zip(inputs, shape, strict=False))
    bias = list(layer.config.get("bias_axes") or "")
    first = min((result.find(label) for label in bias), default=len(result))
    bias_shape = [sizes.get(label) if label in bias else 1 for label in result[first:]]
    bias_shape += [1] * len(dots) if right else []
    return _Equation(inputs, list(kernel), outputs, bias, sizes, tuple(bias_shape))


class EinsumDense(LayerSpec):
    name = "EinsumDense"

    def normalize(self, config: Config, dialect: str) -> None:
        found = _EQUATION.fullmatch(str(config.get("equation", "")).replace(" ", ""))
        if found is None:
            raise ValueError(f"{config.get('equation')!r} is no equation")
        told = config.get("output_shape")
        items = list(told) if isinstance(told, list | tuple) else [told]
        sizes = [None if size is None else number(size, "output_shape") for size in items]
        config["output_shape"] = sizes
        bias = config.get("bias_axes")
        if bias is not None and not (isinstance(bias, str) and set(bias) <= set(found[6])):
            raise ValueError(f"bias_axes is {bias!r}, axes of the output were expected")

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        equation = _parse(layer, inputs[0] if inputs else None)
        kernel = Slot("kernel", equation.size(equation.kernel))
        return [kernel, Slot("bias", equation.bias_shape)] if equation.bias else [kernel]

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        if not inputs or inputs[0] is None:
            return [None]
        equation = _parse(layer, inputs[0])
        return [equation.size(equation.outputs)]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        shape = build.input_shape(layer)
        if shape is None:
            return build.refuse(layer, "the rank of its input is unknown")
        equation = _parse(layer, shape)
        problem = equation.problem()
        if problem:
            return build.refuse(layer, problem)
        kernel = weight_of(layer, "kernel")
        if len(kernel.tensor.shape) != len(equation.kernel):
            raise CorruptFileError("its kernel does not fit its equation", where=layer.name)
        equation.sizes.update(zip(equation.kernel, kernel.tensor.shape, strict=True))
        build.note(layer, "EinsumDense as Dense")
        return _dense(layer, build, equation)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        equation = str(layer.config["equation"]).replace(" ", "").encode()
        x, kernel = build.floats(build.inputs[0]), build.weight("kernel")
        result = build.op("Einsum", x, kernel, attrs={"equation": equation})
        if layer.config.get("bias_axes"):
            bias = build.weight("bias")
            result = build.op("BiasAdd" if build.rank(bias) == 1 else "AddV2", result, bias)
        return [build.activate(result, layer.config.get("activation"))]


def _dense(layer: Layer, build: Builder, equation: _Equation) -> Apply:
    free, summed, made = equation.free, equation.summed, equation.made
    # The batch is no part of a Reshape, but of a Permute.
    before = _turned(build, equation.inputs, [equation.inputs[0], *free, *summed], "permute")
    if len(summed) != 1:
        sizes = [*equation.size(free), size_of(equation.size(summed))]
        before.append(reshape(build, sizes, suffix="flat"))
    after: list[Step] = []
    if len(made) != 1:
        after.append(reshape(build, equation.size([*free, *made]), suffix="axes"))
    after += _turned(build, [equation.inputs[0], *free, *made], equation.outputs, "permute_back")
    changes: Config = {
        **dict.fromkeys(_OWN_KEYS, ...),
        "units": size_of(equation.size(made)),
        "use_bias": bool(equation.bias),
    }
    weights = _weights(layer, equation)
    if not after:
        kept = keep_and_activate(layer, build, changes, class_name="Dense", weights=weights)
        return build.chain(*before, kept)
    # What looks along an axis, or at the whole shape, must see the output as it is in the end.
    own, last = split_activation(layer, build)
    value = layer.config.get("activation")
    if isinstance(value, str) and value in _ALONG_AXIS:
        own, last = {"activation": "linear"}, build.apply(activate(build, value), 1)
    kept = build.keep(layer, {**changes, **own}, class_name="Dense", weights=weights)
    return build.chain(*before, kept, *after, *([last] if last else []))


def _turned(build: Builder, old: list[str], new: list[str], suffix: str) -> list[Step]:
    if old == new:
        return []
    return [permute(build, [old.index(label) for label in new], suffix=suffix)]


def _weights(layer: Layer, equation: _Equation) -> list[Weight]:
    """The kernel as a matrix, and the bias as a vector."""
    summed, made = equation.summed, equation.made
    order = [equation.kernel.index(label) for label in [*summed, *made]]
    rows, columns = size_of(equation.size(summed)), size_of(equation.size(made))

    def matrix(array: Array) -> Array:
        turned: Array = array.transpose(order).reshape(rows, columns)
        return turned

    weights = [derived(weight_of(layer, "kernel"), "kernel", [rows, columns], matrix)]
    if equation.bias:
        sizes = [size or 1 for size in equation.size(made)]
        own = [
            size if label in equation.bias else 1 for label, size in zip(made, sizes, strict=True)
        ]

        def vector(array: Array) -> Array:
            whole = np.broadcast_to(array.reshape(own), sizes)
            return np.ascontiguousarray(whole).reshape(columns)

        weights.append(derived(weight_of(layer, "bias"), "bias", [columns], vector))
    return weights
