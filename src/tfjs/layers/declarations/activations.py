"""Activation layers, and the activations that other layers carry within them.

TF.js knows 15 activations by name (`runtime_contract.md` 3.4). Others are composed of its layers,
with the same formula; `split_activation` does so for a layer that carries one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from tfjs.errors import CorruptFileError
from tfjs.ir.graph import Value
from tfjs.ir.layers_model import KERAS2_HARD_SIGMOID, Config, Layer
from tfjs.layers.base import Apply, LayerSpec, Shape, Slot
from tfjs.layers.declarations.activations_graph import (
    elu,
    leaky_relu,
    masked_softmax,
    prelu,
    relu,
    softmax,
)
from tfjs.layers.declarations.compose import (
    activate,
    check_axes,
    check_numbers,
    clip,
    derived,
    identity,
    join,
    permute,
    scale,
    with_axis_last,
)
from tfjs.layers.declarations.space import number

if TYPE_CHECKING:
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

# Names of the normal form that TF.js computes alike (the writer puts silu down as swish).
_NATIVE = frozenset(
    {"linear", "elu", "selu", "relu", "relu6", "sigmoid", "softplus", "softsign", "tanh"}
    | {"softmax", "log_softmax", "gelu", "mish", "silu", KERAS2_HARD_SIGMOID}
)

# Keras's default arguments: activations that are stored by name have no others.
_LEAKY_RELU_SLOPE = 0.2
_LEAKY_RELU_LAYER_SLOPE = 0.3
_SHRINK_THRESHOLD = 0.5

# What the configurations of activation layers hold in numbers.
_NUMBERS = ("negative_slope", "alpha", "max_value", "threshold", "theta")

_REFUSED = {
    "exponential": "no layer of TF.js computes exp(x) for positive x",
    "glu": "no layer of TF.js splits a tensor in two",
    "sparsemax": "no layer of TF.js sorts",
    "squareplus": "no layer of TF.js computes a square root",
    "threshold": "the file does not hold its arguments",
}


def _is_native(value: Any) -> bool:
    return isinstance(value, str) and value in _NATIVE


def split_activation(
    layer: Layer, build: Builder, key: str = "activation"
) -> tuple[Config, Apply | None]:
    """What a layer keeps of an activation, and what is to be applied to its output instead.

    Use as `build.chain(build.keep(layer, changes), after)`, or as `keep_and_activate` does. An
    activation that cannot be expressed is refused here.

    Args:
        layer: the layer that carries the activation, in the model that `build` works on.
        build: the builder.
        key: the configuration key of the activation.

    Returns:
        Changes for `Builder.keep`, and the composed activation; `{}` and None where TF.js has it.
    """
    value = layer.config.get(key, "linear")
    if _is_native(value):
        return {}, None
    return {key: "linear"}, _compose(layer, value, build, None)


def keep_and_activate(
    layer: Layer, build: Builder, config: Config | None = None, **options: Any
) -> Apply:
    """Keep a layer as `Builder.keep` does, its activation made one that TF.js has.

    Args:
        layer: the layer; its activation stands under `activation`.
        build: the builder.
        config: further configuration keys to change.
        options: as for `Builder.keep`.
    """
    changes, after = split_activation(layer, build)
    kept = build.keep(layer, {**(config or {}), **changes}, **options)
    return kept if after is None else build.chain(kept, after)


def express_activation(layer: Layer, build: Builder) -> Apply:
    """What an Activation layer computes; the last layer bears its name."""
    value = layer.config["activation"]
    if _is_native(value):
        return build.keep(layer)
    composed = _compose(layer, value, build, layer.name)
    return identity if composed is None else composed


def _compose(layer: Layer, value: Any, build: Builder, name: str | None) -> Apply | None:
    if isinstance(value, dict):
        return _compose_layer(layer, value, build, name)
    if value in _COMPOSED:
        build.note(layer, f"activation {value} composed of layers that TF.js has")
        return _COMPOSED[value](build, name)
    why = _REFUSED.get(value)
    if why is None:
        build.refuse(layer, f"the activation {value!r} is a function that the file does not hold")
    else:
        build.refuse(layer, f"TF.js lacks the activation {value}: {why}")
    return None


def _limited(config: Config) -> Config:
    """Without a highest value of infinity, which limits nothing."""
    return {**config, "max_value": None} if config.get("max_value") == math.inf else config


def _compose_layer(layer: Layer, value: Config, build: Builder, name: str | None) -> Apply | None:
    """An activation given as a layer object."""
    kind, config = value["class_name"], _limited(value["config"])
    try:
        check_numbers(config, *_NUMBERS)
        check_axes(config)
    except ValueError as error:
        raise CorruptFileError(f"its activation {kind}: {error}", where=layer.name) from error
    expressed: Apply | str
    if kind == "Activation":
        inner = config.get("activation", "linear")
        if _is_native(inner):
            return build.apply(activate(build, inner, name=name), 1)
        return _compose(layer, inner, build, name)
    if kind == "ReLU":
        expressed = build.chain(*_relu(config, build, name))
    elif kind == "LeakyReLU":
        slope = config.get("negative_slope", config.get("alpha"))
        expressed = _leaky_relu(
            build, name, _LEAKY_RELU_LAYER_SLOPE if slope is None else float(slope)
        )
    elif kind == "ThresholdedReLU":
        theta = config.get("theta")
        expressed = build.apply(_above(build, 1.0 if theta is None else float(theta), name), 1)
    elif kind == "ELU":
        alpha = config.get("alpha")
        expressed = _elu(build, name, 1.0 if alpha is None else float(alpha))
    elif kind == "Softmax":
        expressed = _softmax(config.get("axis", -1), build.output_shape(layer), build, name)
    elif kind == "Identity":
        return None if name is None else build.apply(activate(build, "linear", name=name), 1)
    else:
        expressed = f"its activation is the layer {kind}, which cannot stand within a layer"
    if isinstance(expressed, str):
        build.refuse(layer, expressed)
        return None
    build.note(layer, f"activation {kind} as a layer of its own")
    return expressed


# Formulas ------------------------------------------------------------------------------------


def _leaky_relu(build: Builder, name: str | None, slope: float = _LEAKY_RELU_SLOPE) -> Apply:
    config = {"negative_slope": slope}
    return build.apply(build.new("LeakyReLU", config, suffix="leaky_relu", name=name), 1)


def _above(build: Builder, theta: float, name: str | None = None) -> Layer:
    """x where x > theta, else 0."""
    return build.new("ThresholdedReLU", {"theta": theta}, suffix="above", name=name)


def _minus(build: Builder, suffix: str = "minus") -> Layer:
    return scale(build, -1.0, suffix=suffix)


def _sum(build: Builder, name: str | None, suffix: str) -> Layer:
    return build.new("Add", {}, suffix=suffix, name=name)


def _elu(build: Builder, name: str | None, alpha: float = 1.0) -> Apply:
    """relu(x) + alpha * elu(-relu(-x)): elu is exp(x) - 1 below 0."""
    if alpha == 1.0:
        return build.apply(activate(build, "elu", name=name), 1)
    negative = build.chain(
        _minus(build),
        clip(build, None, suffix="negative"),
        _minus(build),
        activate(build, "elu"),
        scale(build, alpha),
    )
    positive = clip(build, None, suffix="positive")
    return join(build, _sum(build, name, "elu_sum"), positive, negative)


def _hard_sigmoid(build: Builder, name: str | None) -> Apply:
    """clip(x / 6 + 1/2, 0, 1) by TF.js's clip(0.2 x + 1/2, 0, 1)."""
    step = activate(build, KERAS2_HARD_SIGMOID, suffix="hard_sigmoid", name=name)
    return build.chain(scale(build, 5.0 / 6.0), step)


def _hard_silu(build: Builder, name: str | None) -> Apply:
    product = build.new("Multiply", {}, suffix="hard_silu", name=name)
    return join(build, product, identity, _hard_sigmoid(build, None))


def _log_sigmoid(build: Builder, name: str | None) -> Apply:
    last = scale(build, -1.0, suffix="log_sigmoid", name=name)
    return build.chain(_minus(build), activate(build, "softplus"), last)


def _hard_tanh(build: Builder, name: str | None) -> Apply:
    """clip(x + 1, 0, 2) - 1."""
    last = scale(build, 1.0, -1.0, suffix="hard_tanh", name=name)
    return build.chain(scale(build, 1.0, 1.0, suffix="shift"), clip(build, 2.0), last)


def _tanh_shrink(build: Builder, name: str | None) -> Apply:
    tanh = build.chain(activate(build, "tanh"), _minus(build))
    return join(build, _sum(build, name, "tanh_shrink"), identity, tanh)


def _soft_shrink(build: Builder, name: str | None) -> Apply:
    """relu(x - t) - relu(-x - t)."""
    above = build.chain(scale(build, 1.0, -_SHRINK_THRESHOLD), clip(build, None, suffix="above"))
    below = build.chain(
        scale(build, -1.0, -_SHRINK_THRESHOLD),
        clip(build, None, suffix="below"),
        _minus(build),
    )
    return join(build, _sum(build, name, "soft_shrink"), above, below)


def _hard_shrink(build: Builder, name: str | None) -> Apply:
    """x where x > t, less -x where -x > t."""
    below = build.chain(_minus(build), _above(build, _SHRINK_THRESHOLD), _minus(build))
    above = _above(build, _SHRINK_THRESHOLD)
    return join(build, _sum(build, name, "hard_shrink"), above, below)


def _sparse_sigmoid(build: Builder, name: str | None) -> Apply:
    last = clip(build, 1.0, suffix="sparse_sigmoid", name=name)
    return build.chain(scale(build, 0.5, 0.5), last)


def _sparse_plus(build: Builder, name: str | None) -> Apply:
    """s * s + relu(x - 1) where s is the sparse sigmoid: (x + 1)^2 / 4 between -1 and 1."""
    half = _sparse_sigmoid(build, None)
    product = build.apply(build.new("Multiply", {}, suffix="square"), 1)
    above = build.chain(scale(build, 1.0, -1.0), clip(build, None, suffix="above"))
    return join(
        build,
        _sum(build, name, "sparse_plus"),
        lambda tensors: product(half(tensors) * 2),
        above,
    )


_COMPOSED: dict[str, Callable[[Builder, str | None], Apply]] = {
    "leaky_relu": _leaky_relu,
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": _hard_silu,
    "celu": _elu,  # with its alpha of 1
    "log_sigmoid": _log_sigmoid,
    "hard_tanh": _hard_tanh,
    "tanh_shrink": _tanh_shrink,
    "soft_shrink": _soft_shrink,
    "hard_shrink": _hard_shrink,
    "sparse_sigmoid": _sparse_sigmoid,
    "sparse_plus": _sparse_plus,
}


def _relu(config: Config, build: Builder, name: str | None) -> list[Layer | Apply]:
    """`relu` with a slope below the threshold, a threshold and a highest value."""
    slope = float(config.get("negative_slope") or 0.0)
    threshold = float(config.get("threshold") or 0.0)
    highest = config.get("max_value")
    if slope and highest is None and not threshold:
        return [_leaky_relu(build, name, slope)]
    last = None if slope else name
    steps: list[Layer | Apply] = []
    if threshold:
        steps.append(_above(build, threshold, last if highest is None else None))
    if highest is not None or not threshold:
        steps.append(clip(build, highest, suffix="relu", name=last))
    if not slope:
        return steps
    below = build.chain(
        scale(build, -1.0, threshold),
        clip(build, None, suffix="below"),
        scale(build, -slope, suffix="slope"),
    )
    return [join(build, _sum(build, name, "relu_sum"), build.chain(*steps), below)]


def _softmax(axis: Any, shape: Shape | None, build: Builder, name: str | None) -> Apply | str:
    """Softmax along any one axis, or why not."""
    axes = list(axis) if isinstance(axis, list | tuple) else [axis]
    if axes == [-1]:
        return build.apply(activate(build, "softmax", name=name), 1)
    if shape is None:
        return f"the rank of its input is unknown, which its axis {axis} asks for"
    rank = len(shape)
    places = sorted({item % rank for item in axes}) if rank else [0]
    if not places:
        return "it goes along no axis"
    if 0 in places:
        return "it goes over the batch"
    if len(places) > 1:
        # TF.js has this form for several axes only.
        return build.apply(build.new("Softmax", {"axis": places}, suffix="softmax", name=name), 1)
    last = name if places[0] == rank - 1 else None
    step = activate(build, "softmax", name=last)
    return with_axis_last(build, rank, places[0], step, name=name)


# Layers --------------------------------------------------------------------------------------


class _Activation(LayerSpec):
    supports_masking = True

    def normalize(self, config: Config, dialect: str) -> None:
        check_numbers(config, *_NUMBERS)


class ReLU(_Activation):
    name = "ReLU"

    def normalize(self, config: Config, dialect: str) -> None:
        config.update(_limited(config))
        super().normalize(config, dialect)

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        if not layer.config.get("negative_slope") and not layer.config.get("threshold"):
            return build.keep(layer, {"negative_slope": ..., "threshold": ...})
        build.note(layer, "ReLU with a slope or a threshold composed of layers that TF.js has")
        return build.chain(*_relu(layer.config, build, layer.name))

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return [relu(build, build.floats(build.inputs[0]), layer.config)]


class LeakyReLU(_Activation):
    name = "LeakyReLU"
    keras2_keys: ClassVar[dict[str, str]] = {"negative_slope": "alpha"}

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        return build.keep(layer)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        told = layer.config.get("negative_slope", layer.config.get("alpha"))
        slope = _LEAKY_RELU_LAYER_SLOPE if told is None else float(told)
        return [leaky_relu(build, build.floats(build.inputs[0]), slope)]


class ThresholdedReLU(_Activation):
    name = "ThresholdedReLU"

    def successor(self, layer: Layer) -> Layer:
        """ReLU with a threshold: all Kerases compute x where x > threshold, else 0.

        Their documents say "not below" for it, which their code does not do: `relu` of
        keras/src/activations/activations.py and of tf_keras/src/backend.py.
        """
        theta = layer.config.get("theta")
        config = {key: value for key, value in layer.config.items() if key != "theta"}
        config |= {"max_value": None, "negative_slope": 0.0}
        config["threshold"] = 1.0 if theta is None else theta
        return replace(layer, class_name="ReLU", config=config)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        config = self.successor(layer).config
        return [relu(build, build.floats(build.inputs[0]), config)]


class ELU(_Activation):
    name = "ELU"

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        told = layer.config.get("alpha")
        alpha = 1.0 if told is None else float(told)
        if alpha == 1.0:
            return build.keep(layer)
        build.note(layer, "ELU with alpha composed of layers that TF.js has")
        return _elu(build, layer.name, alpha)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        told = layer.config.get("alpha")
        return [elu(build, build.floats(build.inputs[0]), 1.0 if told is None else float(told))]


class PReLU(LayerSpec):
    name = "PReLU"
    supports_masking = True

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        shape = inputs[0] if inputs else None
        if shape is None:
            return [Slot("alpha", ())]
        shared = layer.config.get("shared_axes") or []
        sizes = [1 if axis in shared else size for axis, size in enumerate(shape)]
        return [Slot("alpha", tuple(sizes[1:]))]

    def normalize(self, config: Config, dialect: str) -> None:
        shared = config.get("shared_axes")
        if shared is not None:
            items = shared if isinstance(shared, list | tuple) else [shared]
            config["shared_axes"] = [number(item, "shared_axes") for item in items]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        shape = build.input_shape(layer)
        shared = sorted(layer.config.get("shared_axes") or [])
        if shape is None:
            return build.keep(layer)
        own = [axis for axis in range(1, len(shape)) if axis not in shared]
        if not all(shape[axis] for axis in own):
            return build.refuse(layer, "its alpha has a size that the file does not tell")
        order = [0, *shared, *own]
        if order == sorted(order):
            return build.keep(layer)
        # The wasm backend repeats alpha along leading axes only, and is wrong along others.
        build.note(layer, "its shared axes moved to the front, where every backend has them right")
        alpha = [*(1 for _ in shared), *(shape[axis] or 0 for axis in own)]
        weights = [
            derived(weight, weight.name, alpha, lambda array: array.reshape(alpha))
            for weight in layer.weights
        ]
        changes = {"shared_axes": list(range(1, len(shared) + 1))}
        kept = build.keep(layer, changes, weights=weights)
        back = [order.index(axis) for axis in range(len(shape))]
        there = permute(build, order, suffix="shared_first")
        return build.chain(there, kept, permute(build, back, suffix="shared_back"))

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return [prelu(build, build.floats(build.inputs[0]), build.weight("alpha"))]


class Softmax(LayerSpec):
    name = "Softmax"
    supports_masking = True
    uses_mask = True
    inert: ClassVar[frozenset[str]] = frozenset({"robust_masking"})

    def normalize(self, config: Config, dialect: str) -> None:
        check_axes(config)

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        axis, shape = layer.config.get("axis", -1), build.input_shape(layer)
        if axis == -1 or (shape is not None and axis == len(shape) - 1):
            return build.keep(layer)
        expressed = _softmax(axis, shape, build, layer.name)
        if isinstance(expressed, str):
            return build.refuse(layer, expressed)
        build.note(layer, "Softmax along an axis that is not the last, by moving it there")
        return expressed

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        x, axis = build.floats(build.inputs[0]), layer.config.get("axis", -1)
        told = build.argument("mask", 1)
        mask = told if isinstance(told, Value) else build.mask()
        return [softmax(build, x, axis) if mask is None else masked_softmax(build, x, mask, axis)]
