"""Bits of integers, by arithmetic.

wasm divides integers in float32: all that is divided here has 24 bits at most, or enough zeros
behind. So all is exact on the cpu and wasm backends; WebGL and WebGPU compute integers in float32
throughout, and have no bits beyond the 24th.
"""

from __future__ import annotations

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.ops.build import Builder
from tfjs.passes.legal.common import constant_of, expand, make
from tfjs.passes.rules import CannotExpress, RuleSet

RULES = RuleSet()

_HALF = 1 << 16
_POWERS = np.array([1 << bit for bit in range(16)], np.int32)
# The last one is that of the sign.
_WEIGHTS = np.array([*(1 << bit for bit in range(31)), -(1 << 31)], np.int64)
_TWO_ROWS = _WEIGHTS.astype(np.int32).reshape(2, 16)


@RULES.rule("BitwiseAnd", "BitwiseOr", "BitwiseXor")
def bitwise(node: Node, build: Builder) -> list[Value]:
    """TF.js's only bitwise operation cannot be reached from a graph. Exact."""
    x, y = (_bits(build, value) for value in node.inputs)
    if node.op == "BitwiseAnd":
        both = make(build, "Mul", x, y)
    elif node.op == "BitwiseOr":
        both = make(build, "Maximum", x, y)
    else:
        both = make(build, "Abs", make(build, "Sub", x, y))
    return [make(build, "Sum", make(build, "Mul", both, _TWO_ROWS), [-2, -1])]


def _halves(build: Builder, value: Value) -> tuple[Value, Value]:
    """The lower 16 bits, and the upper 16 with the sign."""
    low = make(build, "FloorMod", value, _HALF)
    return low, make(build, "FloorDiv", make(build, "Sub", value, low), _HALF)


def _bits(build: Builder, value: Value) -> Value:
    """The 32 bits of integers along two more axes of sizes 2 and 16."""
    halves = make(build, "Pack", *_halves(build, value), axis=-1)
    shifted = make(build, "FloorDiv", expand(build, halves, -1), _POWERS)
    return make(build, "FloorMod", shifted, 2)


@RULES.rule("Invert")
def invert(node: Node, build: Builder) -> list[Value]:
    """All bits turned: -1 - x. Exact."""
    return [make(build, "Sub", -1, node.inputs[0])]


@RULES.rule("LeftShift")
def left_shift(node: Node, build: Builder) -> list[Value]:
    """A product, without the bits that would fall off. Exact."""
    x = node.inputs[0]
    shift = _shift(node)
    if shift == 0:
        return [x]
    low = x if shift == 1 else make(build, "FloorMod", x, 1 << (32 - shift))
    return [make(build, "Mul", low, np.array(1 << shift, np.int64).astype(np.int32))]


@RULES.rule("RightShift")
def right_shift(node: Node, build: Builder) -> list[Value]:
    """A quotient of each half, rounded down. Exact."""
    x = node.inputs[0]
    shift = _shift(node)
    if shift == 0:
        return [x]
    low, high = _halves(build, x)
    if shift >= 16:
        return [make(build, "FloorDiv", high, 1 << (shift - 16))]
    upper = make(build, "Mul", high, 1 << (16 - shift))
    return [make(build, "AddV2", upper, make(build, "FloorDiv", low, 1 << shift))]


def _shift(node: Node) -> int:
    shifts = np.unique(constant_of(node, 1, "how far it shifts"))
    if shifts.size != 1:
        raise CannotExpress("it shifts elements by different numbers of bits")
    return int(np.clip(shifts[0], 0, 31))
