"""Simulated quantisation, as arithmetic.

The nudged ranges are those of tensorflow/core/kernels/fake_quant_ops_functor.h and
quantize_and_dequantize_op.h, as facts.
"""

from __future__ import annotations

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.ir.tensor import Array
from tfjs.ops.build import Builder
from tfjs.passes.legal.common import constant, constant_of, make, shape_of
from tfjs.passes.rules import CannotExpress, RuleSet

RULES = RuleSet()

_F = np.float32


@RULES.rule(
    "FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel"
)
def fake_quantization(node: Node, build: Builder) -> list[Value]:
    """TF.js passes the numbers on: clip and round to TensorFlow's nudged range. Exact."""
    x = node.inputs[0]
    if node.op == "FakeQuantWithMinMaxArgs":
        low, high = (np.array(node.attrs[name], _F) for name in ("min", "max"))
    else:
        low = constant_of(node, 1, "the start of its range").astype(_F)
        high = constant_of(node, 2, "the end of its range").astype(_F)
    bits = _bits(node)
    least = 1 if node.attrs.get("narrow_range") else 0
    start, end, scale = _nudged(low, high, least, (1 << bits) - 1)
    clipped = make(build, "Minimum", make(build, "Maximum", x, start), end)
    moved = make(build, "Sub", clipped, start)
    steps = make(build, "RealDiv", moved, np.where(scale == 0, _F(1), scale))
    rounded = make(build, "Floor", make(build, "AddV2", steps, _F(0.5)))
    result = make(build, "AddV2", make(build, "Mul", rounded, scale), start)
    return [make(build, "Mul", result, _F(0))] if not (low.any() or high.any()) else [result]


def _nudged(low: Array, high: Array, least: float, most: float) -> tuple[Array, Array, Array]:
    """Start, end and step of a range that holds 0 exactly."""
    with np.errstate(all="ignore"):
        scale = ((high - low) / _F(most - least)).astype(_F)
        zero = _F(least) - low / scale
        # Halves away from zero, as C rounds; the numbers are not negative here.
        nudged = np.clip(np.floor(zero + _F(0.5)), least, most)
        nudged = np.where(zero < least, least, np.where(zero > most, most, nudged)).astype(_F)
        start, end = (_F(least) - nudged) * scale, (_F(most) - nudged) * scale
    empty = scale == 0
    zeros = [np.where(empty, _F(0), item).astype(_F) for item in (start, end, scale)]
    return zeros[0], zeros[1], zeros[2]


@RULES.rule(
    "QuantizeAndDequantize",
    "QuantizeAndDequantizeV2",
    "QuantizeAndDequantizeV3",
    "QuantizeAndDequantizeV4",
)
def quantization_and_back(node: Node, build: Builder) -> list[Value]:
    """Scale, round and scale back by a constant range. Exact."""
    if not node.attrs.get("range_given", True):
        raise CannotExpress(
            "it takes its range from the numbers themselves", "export with a fixed range"
        )
    x = node.inputs[0]
    if node.op == "QuantizeAndDequantize":
        low, high = (np.array(node.attrs[name], _F) for name in ("input_min", "input_max"))
    else:
        low = constant_of(node, 1, "the start of its range").astype(_F)
        high = constant_of(node, 2, "the end of its range").astype(_F)
    start, end, scale, back = _symmetric(low, high, _bits(node), node)
    axis = int(node.attrs.get("axis", -1))
    if axis >= 0 and low.ndim:
        shape = [1] * len(shape_of(x))
        shape[axis] = -1
        start, end, scale, back = (item.reshape(shape) for item in (start, end, scale, back))
    clipped = make(build, "Minimum", make(build, "Maximum", x, start), end)
    scaled = make(build, "Mul", clipped, scale)
    if bytes(node.attrs.get("round_mode") or b"HALF_TO_EVEN") == b"HALF_UP":
        rounded = make(build, "Floor", make(build, "AddV2", scaled, _F(0.5)))
    else:
        rounded = make(build, "Round", scaled)
    return [make(build, "Mul", rounded, back)]


def _bits(node: Node) -> int:
    if node.op != "QuantizeAndDequantizeV3":
        bits = int(node.attrs.get("num_bits", 8))
    else:
        told = constant(node.inputs[3])
        if told is None:
            raise CannotExpress("its number of bits is not constant")
        bits = int(told)
    if not 1 <= bits < 64:
        raise ValueError(f"it has {bits} bits")
    return bits


def _symmetric(low: Array, high: Array, bits: int, node: Node) -> tuple[Array, Array, Array, Array]:
    """Start and end of a range, the scale there and the one back."""
    signed = bool(node.attrs.get("signed_input", True))
    narrow = bool(node.attrs.get("narrow_range", False))
    least = _F(-(1 << (bits - 1)) + narrow if signed else 0)
    most = _F((1 << (bits - 1)) - 1 if signed else (1 << bits) - 1)
    huge = np.finfo(_F).max
    with np.errstate(all="ignore"):
        from_low = np.where(least * low > 0, least / low, huge).astype(_F)
        from_high = np.where(most * high > 0, most / high, huge).astype(_F)
        by_low = from_low < from_high
        scale = np.where(by_low, from_low, from_high)
        back = np.where(by_low, low / least, high / most).astype(_F)
        end = np.where(by_low, most * back, high).astype(_F)
        start = np.where(by_low, low, least * back).astype(_F)
    return start, end, scale, back
