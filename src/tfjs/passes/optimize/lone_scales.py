"""Batch normalizations that no convolution takes in, as the kernel that is fastest for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.passes.optimize.engine import Match, Rules
from tfjs.passes.optimize.scales import BATCH_NORMS, normalization

RULES = Rules()

_ONES = [1, 1, 1, 1]


@RULES.rule("fold/lone-batch-norm", *BATCH_NORMS, numerics="reassociating")
def lone_batch_norm(node: Node, match: Match) -> Sequence[Value] | None:
    """A batch normalization as a depthwise convolution of one place, which takes an activation.

    Measured in Node, with 56 x 56 x 256 numbers and a Relu behind: wasm needs 1.2 ms in place of
    6.2 ms, cpu 24 in place of 38.
    """
    value = node.inputs[0]
    found = normalization(node, match)
    if found is None or value.dtype != "float32" or value.shape is None or len(value.shape) != 4:
        return None
    channels = value.shape[3]
    factor, shift = found
    if not channels or not {factor.size, shift.size} <= {1, channels}:
        return None
    if not (np.isfinite(factor).all() and np.isfinite(shift).all()):
        return None
    filters = np.broadcast_to(factor, (channels,)).astype(np.float32).reshape(1, 1, channels, 1)
    bias = np.broadcast_to(shift, (channels,)).astype(np.float32)
    attrs = {
        "T": "float32",
        "strides": _ONES,
        "dilations": _ONES,
        "padding": b"VALID",
        "explicit_paddings": [],
        "data_format": b"NHWC",
        "fused_ops": [b"BiasAdd"],
        "num_args": 1,
    }
    made = match.op("FusedDepthwiseConv2dNative", value, filters, bias, attrs=attrs)
    # Nobody reads the statistics.
    return [made] * len(node.outputs)
