"""Operations that pass on what they are given, make nothing, or ask for a shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs, Dims, Node, Shape, constant_of
from tfjs.ir.tensor import Array
from tfjs.ops.base import as_first, declare
from tfjs.ops.elementwise import numpy_dtype
from tfjs.ops.shapes import common_shape, same_shape


def attr_shape(attrs: Attrs, key: str) -> Shape:
    """The shape that an attribute tells; None where it tells none."""
    told = attrs.get(key)
    return told.dims if isinstance(told, Dims) else None


def attr_shapes(attrs: Attrs, key: str, count: int) -> list[Shape]:
    """The shapes that an attribute tells, one an output; unknown ones where it tells none."""
    told = attrs.get(key)
    if not isinstance(told, list) or len(told) != count:
        return [None] * count
    return [item.dims if isinstance(item, Dims) else None for item in told]


def _pass(attrs: Attrs, x: Array, *rest: Array) -> Array:
    return x


declare(
    *("Copy", "CopyHost", "DebugGradientIdentity", "DebugGradientRefIdentity", "DebugIdentity"),
    *("DebugIdentityV2", "DebugIdentityV3", "DeepCopy", "GuaranteeConst", "Identity"),
    *("LoopCond", "PreventGradient", "Print", "RefIdentity", "SleepIdentityOp", "Snapshot"),
    "StopGradient",
    infer=as_first,
    kernel=_pass,
)


def _check(attrs: Attrs, x: Array) -> Array:
    if not np.all(np.isfinite(x)):
        raise ValueError("not every number is finite")
    return x


declare("CheckNumerics", "CheckNumericsV2", infer=as_first, kernel=_check)


def _ensured(node: Node) -> list[Shape]:
    return [same_shape(node.inputs[0].shape, attr_shape(node.attrs, "shape"))]


def _ensure(attrs: Attrs, x: Array) -> Array:
    same_shape(x.shape, attr_shape(attrs, "shape"))
    return x


declare("EnsureShape", infer=_ensured, kernel=_ensure)
declare(
    "IdentityN",
    infer=lambda node: [value.shape for value in node.inputs],
    kernel=lambda attrs, *values: values,
)


# Where values come from --------------------------------------------------------------------------


def _told(node: Node) -> list[Shape]:
    return [attr_shape(node.attrs, "shape")]


def _placeholder(node: Node) -> list[Shape]:
    shape = attr_shape(node.attrs, "shape")
    # Old graphs say () where nothing is known; what a reader knows better stays.
    return [shape or None]


def _constant(node: Node) -> list[Shape]:
    tensor = constant_of(node.output) if node.outputs else node.attrs.get("value")
    return [getattr(tensor, "shape", None)]


declare("Const", infer=_constant)
declare("Placeholder", infer=_placeholder)
declare("PlaceholderWithDefault", infer=_told, kernel=_pass)
declare("PlaceholderV2", "FakeParam", "ImmutableConst", infer=_told)
declare("Variable", "VariableV2", "TemporaryVariable", infer=_told)


def _scalars(count: int) -> Any:
    return lambda node: [()] * count


declare("VarHandleOp", "VarIsInitializedOp", "IsVariableInitialized", infer=_scalars(1))


def variable_shape(node: Node) -> Shape:
    """The shape of the variable that the first input of a node stands for, where told."""
    maker = node.inputs[0].node
    return attr_shape(maker.attrs, "shape") if maker.op == "VarHandleOp" else None


def _variable_rank(node: Node) -> list[Shape]:
    shape = variable_shape(node)
    return [(None if shape is None else len(shape),)]


declare("ReadVariableOp", infer=lambda node: [variable_shape(node)])
declare("VariableShape", infer=_variable_rank)
declare(
    *("Assign", "AssignAdd", "AssignSub"),
    infer=lambda node: [same_shape(node.inputs[0].shape, node.inputs[1].shape)],
)
declare(
    *("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp", "Assert", "ControlTrigger"),
    *("DestroyResourceOp", "NoOp", "PrintV2"),
    infer=lambda node: [],
)


# Shapes ------------------------------------------------------------------------------------------


def _rank(shape: Shape) -> int | None:
    return None if shape is None else len(shape)


def _size(attrs: Attrs, x: Array) -> Array:
    return np.array(x.size, numpy_dtype(attrs.get("out_type", "int32")))


def _shape(attrs: Attrs, x: Array) -> Array:
    return np.array(x.shape, numpy_dtype(attrs.get("out_type", "int32")))


declare("Rank", infer=_scalars(1), kernel=lambda attrs, x: np.array(x.ndim, np.int32))
declare("Size", infer=_scalars(1), kernel=_size)
declare("Shape", infer=lambda node: [(_rank(node.inputs[0].shape),)], kernel=_shape)
declare(
    "ShapeN",
    infer=lambda node: [(_rank(value.shape),) for value in node.inputs],
    kernel=lambda attrs, *values: tuple(_shape(attrs, value) for value in values),
    # TF.js gives them as floats.
    tfjs_kernel=lambda attrs, *values: tuple(np.array(v.shape, np.float32) for v in values),
)


# Control flow of TF1 -----------------------------------------------------------------------------


def _twice(node: Node) -> list[Shape]:
    return [node.inputs[0].shape] * 2


def _merged(node: Node) -> list[Shape]:
    return [common_shape([value.shape for value in node.inputs]), ()]


declare("Switch", "RefSwitch", infer=_twice)
declare("Merge", "RefMerge", infer=_merged)
declare("Enter", "Exit", "NextIteration", infer=as_first)
declare("RefEnter", "RefExit", "RefNextIteration", infer=as_first)
declare("RefSelect", infer=lambda node: [common_shape([v.shape for v in node.inputs[1:]])])


# Control flow of functions -----------------------------------------------------------------------


def _branches(node: Node) -> list[Shape]:
    return attr_shapes(node.attrs, "output_shapes", len(node.attrs["Tout"]))


def _loop(node: Node) -> list[Shape]:
    # What goes round may change its shape: only what the source tells of it holds.
    return attr_shapes(node.attrs, "output_shapes", len(node.attrs["T"]))


declare("If", "StatelessIf", "Case", "StatelessCase", infer=_branches)
declare("While", "StatelessWhile", infer=_loop)
declare(
    *("PartitionedCall", "StatefulPartitionedCall", "RemoteCall", "SymbolicGradient"),
    infer=lambda node: [None] * len(node.attrs["Tout"]),
)
declare("For", infer=lambda node: [None] * len(node.attrs["T"]))
