"""Convolutions, pooling and attention of `keras.ops` as graphs."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfjs.ir.graph import Value
from tfjs.ir.layers_model import Call, Layer
from tfjs.layers.base import CannotLower, find
from tfjs.layers.declarations.activations_graph import softmax
from tfjs.layers.declarations.convolution_graph import convolved, transposed
from tfjs.layers.declarations.operation_graph import Operands, computes, scalar
from tfjs.layers.declarations.operation_graph_images import stand_in
from tfjs.layers.declarations.space_graph import (
    as_image,
    as_steps,
    channels_first,
    channels_last,
)

_LEAST = -0.7 * float(np.finfo(np.float32).max)


def _several(value: Any, rank: int) -> list[int]:
    items = list(value) if isinstance(value, list | tuple) else [value] * rank
    if len(items) == 1:
        items *= rank
    return [int(item) for item in items]


# Pooling -------------------------------------------------------------------------------------


@computes("MaxPool", "AveragePool", given="inputs")
def _pool(given: Operands) -> Value:
    build, x = given.build, given.floats("inputs")
    rank = build.rank(x) - 2
    window = _several(given["pool_size"], rank)
    config = {
        "pool_size": window,
        "strides": _several(given.get("strides", window), rank),
        "padding": given.get("padding", "valid"),
        "data_format": given.get("data_format", "channels_last"),
    }
    kind = "Max" if build.layer.class_name == "MaxPool" else "Average"
    return stand_in(given, f"{kind}Pooling{rank}D", config, x)


@computes("AdaptiveMaxPool", "AdaptiveAveragePool", given="inputs")
def _adaptive_pool(given: Operands) -> Value:
    build, x = given.build, given.floats("inputs")
    rank = build.rank(x) - 2
    config = {
        "output_size": _several(given["output_size"], rank),
        "data_format": given.get("data_format", "channels_last"),
    }
    return stand_in(given, f"{build.layer.class_name}ing{rank}D", config, x)


# Convolutions --------------------------------------------------------------------------------


def _convolve(given: Operands, class_name: str, *names: str) -> Value:
    """A convolution with kernels from the call, by what a layer does with its own."""
    build, x = given.build, given.floats("inputs")
    rank = build.rank(x) - 2
    kernels = [given.floats(name) for name in names]
    sizes = [build.fixed(kernels[0], axis) for axis in range(rank)]
    config = {
        "kernel_size": sizes,
        "strides": _several(given.get("strides", 1), rank),
        "dilation_rate": _several(given.get("dilation_rate", 1), rank),
        "padding": str(given.get("padding", "valid")).lower(),
        "groups": 1,
    }
    first = given.get("data_format") == "channels_first"
    x = channels_last(build, x) if first else x
    if rank == 1:
        x = as_image(build, x)
        kernels = [build.op("ExpandDims", kernel, scalar(0)) for kernel in kernels]
    depthwise = class_name != "Conv"
    if not depthwise:
        config["groups"] = build.fixed(x, -1) // build.fixed(kernels[0], -2)
    inner = build.of(Layer("Conv2D", build.layer.name, config), Call((x,)))
    made = convolved(inner, x, kernels[0], depthwise=depthwise)
    if len(kernels) > 1:
        attrs = {"strides": [1] * 4, "padding": b"VALID"}
        made = build.op("Conv2D", made, kernels[1], attrs=attrs)
    made = as_steps(build, made) if rank == 1 else made
    return channels_first(build, made) if first else made


@computes("Conv", given="inputs kernel")
def _conv(given: Operands) -> Value:
    return _convolve(given, "Conv", "kernel")


@computes("DepthwiseConv", given="inputs kernel")
def _depthwise(given: Operands) -> Value:
    return _convolve(given, "DepthwiseConv", "kernel")


@computes("SeparableConv", given="inputs depthwise_kernel pointwise_kernel")
def _separable(given: Operands) -> Value:
    return _convolve(given, "SeparableConv", "depthwise_kernel", "pointwise_kernel")


@computes("ConvTranspose", given="inputs kernel")
def _conv_transpose(given: Operands) -> Value:
    build, x, kernel = given.build, given.floats("inputs"), given.floats("kernel")
    rank = build.rank(x) - 2
    config: dict[str, Any] = {
        "kernel_size": [build.fixed(kernel, axis) for axis in range(rank)],
        "strides": _several(given.get("strides", 1), rank),
        "dilation_rate": _several(given.get("dilation_rate", 1), rank),
        "padding": str(given.get("padding", "valid")).lower(),
        "output_padding": None,
    }
    if max(config["dilation_rate"]) > 1:
        raise CannotLower("transposes a dilated convolution, whose kernel is no weight")
    if given.get("output_padding") is not None:
        config["output_padding"] = _several(given["output_padding"], rank)
    spec: Any = find(f"Conv{rank}DTranspose")
    extra = [spec._extra(config, axis) for axis in range(rank)]
    told = config["output_padding"] is not None
    left = [spec._left(config, axis) if told else 0 for axis in range(rank)]
    first = given.get("data_format") == "channels_first"
    x = channels_last(build, x) if first else x
    if rank == 1:
        x, kernel = as_image(build, x), build.op("ExpandDims", kernel, scalar(0))
    inner = build.of(Layer("Conv2DTranspose", build.layer.name, config), Call((x,)))
    made = transposed(inner, x, kernel, extra, left)
    made = as_steps(build, made) if rank == 1 else made
    return channels_first(build, made) if first else made


# Attention -----------------------------------------------------------------------------------


@computes("DotProductAttention", given="query key value bias mask scale")
def _attention(given: Operands) -> Value:
    """[batch, steps, heads, depth] each; keys of fewer heads stand for several of the query's."""
    build = given.build
    query, key, value = (given.floats(name) for name in ("query", "key", "value"))
    depth, heads = build.fixed(key, -1), build.fixed(query, 2)
    scale = float(given.get("scale", depth**-0.5))
    key, value = (_as_many(given, item, heads) for item in (key, value))
    scores = build.op("Einsum", query, key, attrs={"equation": b"btnh,bsnh->bnts"})
    scores = build.op("Mul", scores, scale)
    if given.get("bias") is not None:
        scores = build.op("AddV2", scores, given.floats("bias"))
    if given.get("attn_logits_soft_cap") is not None:
        most = float(given["attn_logits_soft_cap"])
        scores = build.op("Mul", build.op("Tanh", build.op("Mul", scores, 1.0 / most)), most)
    if given.get("mask") is not None:
        mask = given.tensor("mask", "bool")
        scores = build.op("SelectV2", mask, scores, np.float32(_LEAST))
    if given.get("is_causal", False):
        steps, seen = build.fixed(query, 1), build.fixed(key, 1)
        mask_of = np.tril(np.ones((steps, seen), np.bool_))
        scores = build.op("SelectV2", build.constant(mask_of), scores, np.float32(_LEAST))
    return build.op(
        "Einsum", softmax(build, scores, -1), value, attrs={"equation": b"bnts,bsnh->btnh"}
    )


def _as_many(given: Operands, x: Value, heads: int) -> Value:
    own = given.build.fixed(x, 2)
    if own == heads:
        return x
    if heads % own:
        raise ValueError(f"{own} heads for {heads}")
    places = np.repeat(np.arange(own, dtype=np.int32), heads // own)
    return given.build.op("GatherV2", x, places, scalar(2))
