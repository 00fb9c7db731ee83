"""Inputs, dense layers, embeddings, masks, and what runs code of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tfjs.ir.layers_model import Config, Layer, Weight
from tfjs.ir.tensor import DerivedTensor
from tfjs.layers.base import Apply, CannotLower, LayerSpec, Shape, Slot, dim
from tfjs.layers.declarations.activations import express_activation, keep_and_activate
from tfjs.layers.declarations.activations_graph import activated
from tfjs.layers.declarations.compose import activate, check_numbers, scale, weight_of
from tfjs.layers.declarations.space import number
from tfjs.layers.declarations.space_graph import reshape

if TYPE_CHECKING:
    from tfjs.ir.graph import Value
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

# Dtypes of inputs and what TF.js is fed instead; it has float32, int32, bool and complex64.
_FED_AS = {
    **dict.fromkeys(("float32", "int32", "bool", "complex64")),
    **dict.fromkeys(("float16", "bfloat16", "float64"), "float32"),
    **dict.fromkeys(("int8", "int16", "int64", "uint8", "uint16", "uint32", "uint64"), "int32"),
}


class InputLayer(LayerSpec):
    name = "InputLayer"
    aliases = ("Input",)
    keras2_keys: ClassVar[dict[str, str]] = {"batch_shape": "batch_input_shape"}
    inert: ClassVar[frozenset[str]] = frozenset({"input_tensor", "type_spec"})

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        shape = layer.config.get("batch_shape")
        return [None if shape is None else tuple(shape)]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        shape = build.output_shape(layer)
        if shape is None:
            return build.refuse(
                layer,
                "the file does not tell its shape: call the model once, or build it with an "
                "Input, before it is saved",
            )
        if len(shape) < 2:
            return build.refuse(
                layer,
                f"has the shape {list(shape)}, and TF.js feeds no tensors of less than two axes: "
                "give the input an axis of size 1",
            )
        if layer.config.get("ragged"):
            return build.refuse(layer, "is a ragged tensor, which TF.js does not have")
        dtype = str(layer.config.get("dtype") or "float32")
        if dtype == "string":
            return build.refuse(
                layer,
                "is of strings, which a layers model cannot be fed: do the look-up before the "
                "model, in JavaScript",
            )
        if dtype not in _FED_AS:
            return build.refuse(layer, f"has the dtype {dtype}, which TF.js does not have")
        fed = _FED_AS[dtype]
        if fed is not None:
            build.note(layer, f"input of {dtype} fed as {fed}")
        changes: Config = {"dtype": fed or dtype, "batch_shape": list(shape)}
        if layer.config.get("sparse"):
            build.note(layer, "sparse input fed as a dense tensor")
            changes["sparse"] = False
        return build.keep(layer, changes)


class Dense(LayerSpec):
    name = "Dense"
    supports_masking = True

    def normalize(self, config: Config, dialect: str) -> None:
        config["units"] = number(config.get("units"), "units")

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        units = layer.config.get("units")
        kernel = Slot("kernel", (dim(inputs[0] if inputs else None, -1), units))
        return [kernel, Slot("bias", (units,))] if layer.config.get("use_bias", True) else [kernel]

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        shape = inputs[0] if inputs else None
        return [None if shape is None else (*shape[:-1], layer.config["units"])]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        return keep_and_activate(layer, build)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        result = _times(build, build.floats(build.inputs[0]), build.weight("kernel"))
        if layer.config.get("use_bias", True):
            result = build.op("BiasAdd", result, build.weight("bias"))
        return [build.activate(result, layer.config.get("activation"))]


def _times(build: Lowering, x: Value, matrix: Value, *, turned: bool = False) -> Value:
    """The last axis multiplied by a matrix, which may lie on its side."""
    rank, last = build.rank(x), int(turned)
    flat = x if rank == 2 else build.reshaped(x, [-1, build.fixed(matrix, last)])
    result = build.op("MatMul", flat, matrix, attrs={"transpose_b": turned})
    if rank == 2:
        return result
    sizes = [build.size(x, axis) for axis in range(rank - 1)]
    return reshape(build, result, [*sizes, build.fixed(matrix, 1 - last)])


class Embedding(LayerSpec):
    name = "Embedding"
    inert: ClassVar[frozenset[str]] = frozenset({"use_one_hot_matmul"})

    def normalize(self, config: Config, dialect: str) -> None:
        _check_table(config)

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        return [Slot("embeddings", (layer.config.get("input_dim"), layer.config["output_dim"]))]

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        shape = inputs[0] if inputs else None
        return [None if shape is None else (*shape, layer.config["output_dim"])]

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        ids = build.inputs[0]
        result = _looked_up(build, ids)
        if layer.config.get("mask_zero"):
            build.set_mask(result, build.op("NotEqual", ids, 0))
        return [result]


def _looked_up(build: Lowering, ids: Value) -> Value:
    whole = ids if ids.dtype in ("int32", "int64") else build.cast(ids, "int32")
    return build.op("GatherV2", build.weight("embeddings"), whole, np.array(0, np.int32))


def _check_table(config: Config) -> None:
    for key in ("input_dim", "output_dim"):
        config[key] = number(config.get(key), key)


class ReversibleEmbedding(LayerSpec):
    name = "ReversibleEmbedding"

    def normalize(self, config: Config, dialect: str) -> None:
        _check_table(config)
        check_numbers(config, "logit_soft_cap")

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        rows, columns = layer.config.get("input_dim"), layer.config["output_dim"]
        slots = [Slot("embeddings", (rows, columns))]
        if not layer.config.get("tie_weights", True):
            slots.append(Slot("reverse_embeddings", (columns, rows)))
        return slots

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        shape = inputs[0] if inputs else None
        if shape is None:
            return [None]
        if _is_reverse(layer) is False:
            return [(*shape, layer.config["output_dim"])]
        # Calls of both kinds are told apart nowhere but in the call itself.
        return [(*shape[:-1], layer.config.get("input_dim"))] if _is_reverse(layer) else [None]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        reverse = _is_reverse(layer)
        if reverse is None:
            return build.refuse(
                layer, "is used in both directions, for which TF.js has no layer that shares"
            )
        extra = ("logit_soft_cap", "reverse_dtype", "tie_weights")
        unused: Config = dict.fromkeys(extra, ...)
        first = weight_of(layer, "embeddings")
        if not reverse:
            return build.keep(layer, unused, class_name="Embedding", weights=[first])
        build.note(layer, "ReversibleEmbedding in reverse as Dense")
        kernel = Weight("kernel", _transposed(first), first.trainable)
        if not layer.config.get("tie_weights", True):
            reversed_table = weight_of(layer, "reverse_embeddings")
            kernel = Weight("kernel", reversed_table.tensor, first.trainable)
        config = {"units": layer.config["input_dim"], "use_bias": False, "activation": "linear"}
        cap = layer.config.get("logit_soft_cap")
        dense = build.new("Dense", config, name=layer.name, weights=[kernel])
        if not cap:
            return build.apply(dense)
        return build.chain(
            dense, scale(build, 1.0 / cap), activate(build, "tanh"), scale(build, cap)
        )

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        if not _reverse_argument(build.call.args, build.call.kwargs):
            return [_looked_up(build, build.inputs[0])]
        tied = bool(layer.config.get("tie_weights", True))
        table = build.weight("embeddings" if tied else "reverse_embeddings")
        result = _times(build, build.floats(build.inputs[0]), table, turned=tied)
        cap = layer.config.get("logit_soft_cap")
        if not cap:
            return [result]
        bounded = build.op("Tanh", build.op("Mul", result, 1.0 / cap))
        return [build.op("Mul", bounded, float(cap))]


def _is_reverse(layer: Layer) -> bool | None:
    """Whether all calls turn embeddings back into logits; None where some do."""
    found = {_reverse_argument(call.args, call.kwargs) for call in layer.calls}
    return next(iter(found)) if len(found) == 1 else None


def _reverse_argument(args: Sequence[Any], kwargs: Config) -> bool:
    return bool(args[1] if len(args) > 1 else kwargs.get("reverse", False))


def _transposed(weight: Weight) -> DerivedTensor:
    tensor = weight.tensor
    dtype = "float32" if tensor.dtype == "bfloat16" else tensor.dtype
    rows, columns = tensor.shape
    return DerivedTensor(dtype, (columns, rows), lambda: np.ascontiguousarray(tensor.array().T))


class Masking(LayerSpec):
    name = "Masking"
    supports_masking = True

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        x = build.floats(build.inputs[0])
        told = build.op("NotEqual", x, float(layer.config.get("mask_value") or 0.0))
        kept = build.op("Any", told, np.array([-1], np.int32), attrs={"keep_dims": True})
        result = build.op("Mul", x, build.floats(kept))
        build.set_mask(result, build.op("Squeeze", kept, attrs={"squeeze_dims": [-1]}))
        return [result]


class Activation(LayerSpec):
    name = "Activation"
    supports_masking = True

    def normalize(self, config: Config, dialect: str) -> None:
        if "activation" not in config:
            raise ValueError("it has no activation")

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        return express_activation(layer, build)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        value, x = layer.config["activation"], build.inputs[0]
        # One such layer may be the activation of another, and so on.
        while isinstance(value, dict) and value.get("class_name") == self.name:
            value = (value.get("config") or {}).get("activation")
        if isinstance(value, str):
            return [activated(build, x, value)]
        return [build.activate(x, value)]


class Identity(LayerSpec):
    name = "Identity"
    supports_masking = True

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        return build.drop(layer, "left out: does nothing")

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return build.inputs[:1]


class AddLoss(LayerSpec):
    """Keras 2's record of `model.add_loss`; hands its input on."""

    name = "AddLoss"

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        return build.drop(layer, "left out: counts in training only")

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return build.inputs[:1]


class AddMetric(AddLoss):
    """Keras 2's record of `model.add_metric`; hands its input on."""

    name = "AddMetric"


class _Code(LayerSpec):
    """A layer whose computation is code, or lies outside of the file."""

    why: ClassVar[str] = ""

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        return [None]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        return build.refuse(layer, self.why)

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        raise CannotLower(self.why)


class Lambda(_Code):
    name = "Lambda"
    why = (
        "runs Python code, which is never executed from a file: put layers or keras.ops in its "
        "place, or export a graph model"
    )


class TFSMLayer(_Code):
    name = "TFSMLayer"
    why = "runs a SavedModel that lies outside of the file: convert that to a graph model"


class TorchModuleWrapper(_Code):
    name = "TorchModuleWrapper"
    why = "runs a module of PyTorch, which the file holds as pickled code"


class JaxLayer(_Code):
    name = "JaxLayer"
    why = "runs a function of JAX, whose code the file does not hold"


class FlaxLayer(_Code):
    name = "FlaxLayer"
    why = "runs a module of Flax, whose code the file does not hold"


class DenseFeatures(_Code):
    name = "DenseFeatures"
    aliases = ("SequenceFeatures",)
    why = "works on feature columns, which TF.js does not have"


class RandomFourierFeatures(_Code):
    name = "RandomFourierFeatures"
    why = "computes a cosine, for which TF.js has no layer"

    def normalize(self, config: Config, dialect: str) -> None:
        config["output_dim"] = number(config.get("output_dim"), "output_dim")

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        units = layer.config["output_dim"]
        kernel = (dim(inputs[0] if inputs else None, -1), units)
        return [
            Slot("kernel_scale", (1,)),
            Slot("unscaled_kernel", kernel, trainable=False),
            Slot("bias", (units,), trainable=False),
        ]

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        shape = inputs[0] if inputs else None
        return [None if shape is None else (*shape[:1], layer.config["output_dim"])]

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        scaled = build.op("RealDiv", build.weight("unscaled_kernel"), build.weight("kernel_scale"))
        result = build.op("MatMul", build.floats(build.inputs[0]), scaled)
        return [build.op("Cos", build.op("BiasAdd", result, build.weight("bias")))]
