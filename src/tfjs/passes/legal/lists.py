"""Lists that loops fill at run time (`runtime_contract.md` A3)."""

from __future__ import annotations

import math

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.ops.build import Builder
from tfjs.passes.legal.common import constant, make
from tfjs.passes.rules import RuleSet

RULES = RuleSet()

_NUMBERS = frozenset({"float32", "int32", "bool"})
# Zeros for one item; more elements than this are not laid out for what is mostly overwritten.
_MOST_ELEMENTS = 1 << 16


@RULES.rule("TensorListReserve")
def reserved_zeros(node: Node, build: Builder) -> list[Value] | None:
    """TF.js reserves nothing: items of zeros, as TensorFlow reads what was never written. Exact.

    Left alone where the shape of the items is not known: there every item must be written.
    """
    told, count = constant(node.inputs[0]), node.inputs[1]
    dtype = str(node.attrs["element_dtype"])
    if told is None or told.ndim != 1 or (told < 0).any() or dtype not in _NUMBERS:
        return None
    if math.prod(int(size) for size in told) > _MOST_ELEMENTS:
        return None
    sizes = told.astype(np.int32)
    shape = make(build, "ConcatV2", build.reshape(count, [1]), sizes, 0)
    zeros = make(build, "Fill", shape, build.constant(np.zeros((), dtype)))
    if zeros.shape is None:
        zeros.shape = (None, *(int(size) for size in told))
    attrs = {"element_dtype": dtype, "shape_type": "int32"}
    return [make(build, "TensorListFromTensor", zeros, sizes, **attrs)]


@RULES.rule("TensorListGather")
def gathered_repeatedly(node: Node, build: Builder) -> list[Value] | None:
    """TF.js gathers no more items than the list has: from a copy that is long enough. Exact."""
    items, places = node.inputs[:2]
    if items.node.op == "TensorListResize":
        return None
    length = make(build, "TensorListLength", items)
    enough = make(build, "AddV2", length, make(build, "Size", places, out_type="int32"))
    copy = make(build, "TensorListResize", items, enough)
    attrs = {"element_dtype": node.attrs["element_dtype"]}
    return [make(build, "TensorListGather", copy, *node.inputs[1:], **attrs)]
