"""Lists that loops fill at run time (`runtime_contract.md` A3)."""

from __future__ import annotations

import math

import numpy as np

from tfjs.ir.graph import Dims, Node, Value
from tfjs.ops.build import Builder
from tfjs.passes.legal.common import constant, make, makes
from tfjs.passes.rules import CannotExpress, RuleSet

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


@RULES.rule("TensorArrayGatherV3")
def gathered_each_once(node: Node, build: Builder) -> list[Value] | None:
    """TF.js gathers no more items than the array has: each once, and then repeated. Exact."""
    array, places, flow = node.inputs
    if places.shape == (1,) or places.node.op in ("Range", "Unique"):
        return None
    known = constant(places)
    if known is None:
        once, which = makes(build, "Unique", places)
    else:
        different, inverse = np.unique(known, return_inverse=True)
        if different.size == known.size:
            return None
        once, which = (build.constant(item.astype(np.int32)) for item in (different, inverse))
    attrs = {name: node.attrs[name] for name in ("dtype", "element_shape")}
    items = make(build, node.op, array, once, flow, **attrs)
    return [make(build, "GatherV2", items, which, np.int32(0))]


@RULES.rule("TensorArraySplitV3")
def split_into_shapes(node: Node, build: Builder) -> list[Value] | None:
    """TF.js gives each part the shape that the array tells, and fails where it tells none."""
    array = node.inputs[0].node
    told = array.attrs.get("element_shape")
    if array.op != "TensorArrayV3" or not isinstance(told, Dims):
        return None
    if told.dims is not None and told.dims.count(None) <= 1:
        return None
    raise CannotExpress(
        "TF.js splits only into an array that tells the shape of its items",
        "give the TensorArray an element_shape",
    )


@RULES.rule("TensorListSplit")
def refused_parts(node: Node, build: Builder) -> list[Value]:
    """TF.js takes the parts for single rows. Those of known lengths are no list by now."""
    raise CannotExpress(
        "TF.js gives what it splits into a list other shapes", "let the lengths be constant"
    )
