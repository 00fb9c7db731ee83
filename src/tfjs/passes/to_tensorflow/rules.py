"""Operations that only TF.js has, and fused ones, as TensorFlow computes them.

TensorFlow has `_FusedConv2D` and `_FusedMatMul` for itself: its optimizer makes them, of the parts
that they become here. What TF.js makes of each: `runtime_contract.md` 2 and the executors of
tfjs-converter 4.22.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs, Dims, Node, Shape, Value
from tfjs.ops.build import Builder
from tfjs.ops.definitions import definition
from tfjs.passes.rules import CannotExpress, RuleSet

RULES = RuleSet()

_PARTS = {
    "_FusedConv2D": "Conv2D",
    "_FusedMatMul": "MatMul",
    "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
}
_ACTIVATIONS = {
    "relu": "Relu",
    "relu6": "Relu6",
    "elu": "Elu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
}
_LEAK = 0.2  # what both take where nothing is told
# Of 1-D convolutions: the layout -> that of the 2-D one, the axis that is added, width and batch.
_LAYOUTS = {b"NWC": (b"NHWC", 1), b"NCW": (b"NCHW", 2)}


@RULES.rule(*_PARTS)
def _fused(node: Node, build: Builder) -> Sequence[Value]:
    given = list(node.inputs[2:])
    value = build.op(_PARTS[node.op], *node.inputs[:2], attrs=_shared(node, _PARTS[node.op]))
    for text in node.attrs.get("fused_ops") or ():
        step = text.decode(errors="replace").lower()
        if step == "biasadd":
            value = _biased(node, build, value, _next(given, step))
        elif step == "prelu":
            value = _prelu_of(build, value, _next(given, step))
        elif step == "leakyrelu":
            alpha = node.attrs.get("leakyrelu_alpha", _LEAK)
            value = build.op("LeakyRelu", value, attrs={"T": value.dtype, "alpha": alpha})
        elif step in _ACTIVATIONS:
            value = build.op(_ACTIVATIONS[step], value, attrs={"T": value.dtype})
        elif step != "linear":
            raise CannotExpress(f"{text.decode(errors='replace')!r} is fused into it")
    if given:
        raise CannotExpress(f"has {len(given)} inputs that nothing fused into it takes")
    return [value]


def _next(given: list[Value], step: str) -> Value:
    if not given:
        raise CannotExpress(f"has no input for the {step!r} that is fused into it")
    return given.pop(0)


def _biased(node: Node, build: Builder, value: Value, bias: Value) -> Value:
    if bias.shape is not None and len(bias.shape) != 1:
        return build.op("AddV2", value, bias, attrs={"T": value.dtype})
    attrs = {"T": value.dtype, "data_format": node.attrs.get("data_format", b"NHWC")}
    return build.op("BiasAdd", value, bias, attrs=attrs)


@RULES.rule("Prelu")
def _prelu(node: Node, build: Builder) -> Sequence[Value]:
    return [_prelu_of(build, *node.inputs)]


def _prelu_of(build: Builder, value: Value, slope: Value) -> Value:
    """In the form by which TFLite's converter knows a PReLU."""
    attrs = {"T": value.dtype}
    below = build.op("Relu", build.op("Neg", value, attrs=attrs), attrs=attrs)
    falling = build.op("Mul", build.op("Neg", slope, attrs=attrs), below, attrs=attrs)
    return build.op("AddV2", build.op("Relu", value, attrs=attrs), falling, attrs=attrs)


@RULES.rule("DepthwiseConv2d")
def _depthwise(node: Node, build: Builder) -> Sequence[Value]:
    attrs = _shared(node, "DepthwiseConv2dNative")
    return [build.op("DepthwiseConv2dNative", *node.inputs, attrs=attrs)]


@RULES.rule("DepthwiseConv2dNative", "Conv3D", "Conv2DBackpropInput", "Conv3DBackpropInputV2")
def _undilated(node: Node, build: Builder) -> Sequence[Value] | None:
    """TensorFlow's kernels on the CPU have no dilations; zeros within the filter do the same."""
    kernel = node.inputs[1]
    channels_last = not node.attrs.get("data_format", b"N..C").startswith(b"NC")
    dilations = node.attrs.get("dilations") or [1]
    if max(dilations) == 1:
        return None
    steps = dilations[1:-1] if channels_last else dilations[2:]
    attrs = {**node.attrs, "dilations": [1] * len(dilations)}
    inputs = [node.inputs[0], _spread(build, kernel, steps), *node.inputs[2:]]
    return [build.op(node.op, *inputs, attrs=attrs)]


@RULES.rule("DepthwiseConv2dNative")
def _one_stride(node: Node, build: Builder) -> None:
    at = slice(2, 4) if node.attrs.get("data_format") == b"NCHW" else slice(1, 3)
    if len(set((node.attrs.get("strides") or [])[at])) > 1:
        raise CannotExpress("its strides differ, for which TensorFlow has no kernel")


def _spread(build: Builder, kernel: Value, steps: Sequence[int]) -> Value:
    """A filter with zeros between its numbers."""
    shape, rank = kernel.shape or _stored_shape(kernel), len(steps)
    if shape is None or len(shape) != rank + 2 or None in shape:
        raise CannotExpress("it has dilations, and a filter of unknown shape")
    sizes = [size for size in shape if size is not None]
    value, dtype = kernel, kernel.dtype
    # One axis after the other: TensorFlow pads no more than six at once.
    for axis, step in enumerate(steps):
        before, size, after = math.prod(sizes[:axis]), sizes[axis], math.prod(sizes[axis + 1 :])
        behind = np.array([[0, 0], [0, step - 1], [0, 0]], np.int32)
        value = build.reshape(value, [before * size, 1, after])
        value = build.op("Pad", value, behind, attrs={"T": dtype, "Tpaddings": "int32"})
        value = build.reshape(value, [before, size * step, after])
        sizes[axis] = (size - 1) * step + 1
        kept = np.array([before, sizes[axis], after], np.int32)
        start = np.zeros(3, np.int32)
        value = build.op("Slice", value, start, kept, attrs={"T": dtype, "Index": "int32"})
    return build.reshape(value, sizes)


def _stored_shape(value: Value) -> Shape:
    """The shape of the variable that a value is read from."""
    made = value.node.inputs[0].node if value.node.op == "ReadVariableOp" else value.node
    told = made.attrs.get("shape")
    return told.dims if made.op == "VarHandleOp" and isinstance(told, Dims) else None


@RULES.rule("Conv1D")
def _conv1d(node: Node, build: Builder) -> Sequence[Value]:
    told = node.attrs.get("data_format", b"NWC")
    if told not in _LAYOUTS:
        raise CannotExpress(f"its data_format is {told!r}")
    layout, axis = _LAYOUTS[told]
    value, kernel = node.inputs
    dims = {"T": value.dtype, "Tdim": "int32"}
    image = build.op("ExpandDims", value, np.int32(axis), attrs=dims)
    plane = build.op("ExpandDims", kernel, np.int32(0), attrs={**dims, "T": kernel.dtype})
    attrs = _shared(node, "Conv2D")
    attrs["data_format"] = layout
    for name, single in (("strides", "stride"), ("dilations", "dilation")):
        attrs[name] = [1, 1, 1, 1]
        attrs[name][axis + 1] = node.attrs.get(single, 1)
    result = build.op("Conv2D", image, plane, attrs=attrs)
    return [build.op("Squeeze", result, attrs={"T": value.dtype, "squeeze_dims": [axis]})]


@RULES.rule("Ones", "Zeros")
def _filled(node: Node, build: Builder) -> Sequence[Value]:
    dtype = node.attrs.get("T") or "float32"
    number: Any = np.array(node.op == "Ones", dtype)
    (shape,) = node.inputs
    return [build.op("Fill", shape, number, attrs={"T": dtype, "index_type": shape.dtype})]


def _shared(node: Node, op: str) -> Attrs:
    """The attributes of a node that another operation has too."""
    known = definition(op)
    names = () if known is None else known.attr_types
    told = {name: value for name, value in node.attrs.items() if name in names}
    return {"T": node.inputs[0].dtype, **told}


def _renamed(op: str) -> Callable[[Node, Builder], Sequence[Value]]:
    def rename(node: Node, build: Builder) -> Sequence[Value]:
        return build.ops(op, *node.inputs, attrs=node.attrs)

    return rename


# References to variables of TF1 are gone by now; what passes them on passes values on.
for _name in ("Identity", "Switch", "Merge", "Enter", "Exit", "NextIteration", "Select"):
    if definition(f"Ref{_name}") is not None:
        RULES.rule(f"Ref{_name}")(_renamed(_name))
