"""Activations as operations of `keras.ops`: what the Activation layer makes of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from tfjs.ir.layers_model import Layer
from tfjs.layers.base import Apply
from tfjs.layers.declarations.activations import express_activation
from tfjs.layers.declarations.compose import activate, identity, join, scale, with_axis_last
from tfjs.layers.declarations.operation import NO_SHAPE, Given, Operation, Outcome
from tfjs.layers.declarations.operation_graph import axis_in
from tfjs.layers.declarations.operations import power

if TYPE_CHECKING:
    from tfjs.layers.legalize import Builder

# Settings for which an activation without arguments stands.
_USUAL = {"threshold": 0.5, "alpha": 1.0}


class _Activation(Operation):
    """An operation that an activation of Keras is, under that name.

    Attributes:
        activation: the activation.
        setting: the key of its only setting; others than the activation's are refused.
    """

    activation: ClassVar[str]
    setting: ClassVar[str] = ""

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        value = layer.config.get(self.setting, _USUAL.get(self.setting))
        if self.setting and value != _USUAL[self.setting]:
            return f"TF.js has no {self.activation} with {self.setting}={value!r}"
        return _as_layer(layer, build, self.activation)


def _as_layer(layer: Layer, build: Builder, activation: Any) -> Apply:
    stand_in = Layer("Activation", layer.name, {"activation": activation})
    return express_activation(stand_in, build)


class Relu(_Activation):
    name = "ops.Relu"
    activation = "relu"


class Relu6(_Activation):
    name = "ops.Relu6"
    activation = "relu6"


class Sigmoid(_Activation):
    name = "ops.Sigmoid"
    activation = "sigmoid"


class Tanh(_Activation):
    name = "ops.Tanh"
    activation = "tanh"


class Softplus(_Activation):
    name = "ops.Softplus"
    activation = "softplus"


class Softsign(_Activation):
    name = "ops.Softsign"
    activation = "softsign"


class Silu(_Activation):
    name = "ops.Silu"
    activation = "silu"


class Selu(_Activation):
    name = "ops.Selu"
    activation = "selu"


class Celu(_Activation):
    name = "ops.Celu"
    activation = "celu"
    setting = "alpha"


class HardSigmoid(_Activation):
    name = "ops.HardSigmoid"
    activation = "hard_sigmoid"


class HardSilu(_Activation):
    name = "ops.HardSilu"
    aliases = ("ops.HardSwish",)
    activation = "hard_silu"


class HardTanh(_Activation):
    name = "ops.HardTanh"
    activation = "hard_tanh"


class HardShrink(_Activation):
    name = "ops.HardShrink"
    activation = "hard_shrink"
    setting = "threshold"


class SoftShrink(_Activation):
    name = "ops.SoftShrink"
    activation = "soft_shrink"
    setting = "threshold"


class TanhShrink(_Activation):
    name = "ops.TanhShrink"
    activation = "tanh_shrink"


class LogSigmoid(_Activation):
    name = "ops.LogSigmoid"
    activation = "log_sigmoid"


class SparsePlus(_Activation):
    name = "ops.SparsePlus"
    activation = "sparse_plus"


class SparseSigmoid(_Activation):
    name = "ops.SparseSigmoid"
    activation = "sparse_sigmoid"


class Elu(Operation):
    name = "ops.Elu"

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        config = {"alpha": float(layer.config.get("alpha", 1.0))}
        return _as_layer(layer, build, {"class_name": "ELU", "config": config})


class LeakyRelu(Operation):
    name = "ops.LeakyRelu"

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        config = {"negative_slope": float(layer.config.get("negative_slope", 0.2))}
        return _as_layer(layer, build, {"class_name": "LeakyReLU", "config": config})


class Threshold(Operation):
    """x where it is above the threshold, else a value that must be 0 for TF.js."""

    name = "ops.Threshold"

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        if layer.config.get("default_value"):
            return "TF.js replaces what is below a threshold by 0 only"
        theta = float(layer.config["threshold"])
        return build.apply(build.new("ThresholdedReLU", {"theta": theta}, name=layer.name), 1)


class Softmax(Operation):
    name = "ops.Softmax"

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        axis = layer.config.get("axis", -1)
        if axis is None:
            return "it goes over all axes at once"
        return _as_layer(layer, build, {"class_name": "Softmax", "config": {"axis": axis}})


class LogSoftmax(Operation):
    name = "ops.LogSoftmax"

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        x, axis = given["x"], layer.config.get("axis", -1)
        if axis == -1:
            return _as_layer(layer, build, "log_softmax")
        if not isinstance(x, Given) or x.shape is None:
            return NO_SHAPE
        rank = len(x.shape)
        place = axis_in(axis, rank)
        if place == 0:
            return "it goes over the batch"
        last = layer.name if place == rank - 1 else None
        step = activate(build, "log_softmax", name=last)
        return with_axis_last(build, rank, place, step, name=layer.name)


class Gelu(Operation):
    name = "ops.Gelu"

    def express(self, layer: Layer, build: Builder, given: dict[str, Any]) -> Outcome:
        if not layer.config.get("approximate", True):
            return _as_layer(layer, build, "gelu")
        return approximate_gelu(build, layer.name)


def approximate_gelu(build: Builder, name: str | None) -> Apply:
    """0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))."""
    cubed = build.chain(power(build, 3, None), scale(build, 0.044715, suffix="cubic"))
    inner = join(build, build.new("Add", {}, suffix="inner"), identity, cubed)
    gate = build.chain(
        inner,
        scale(build, math.sqrt(2.0 / math.pi), suffix="inner_scale"),
        activate(build, "tanh"),
        scale(build, 0.5, 0.5, suffix="gate"),
    )
    return join(build, build.new("Multiply", {}, name=name, suffix="gelu"), identity, gate)
