"""What TensorFlow's operations are in ONNX: element by element, reductions, products.

A function is registered for each operation: it adds nodes to an `OnnxGraph` and says under which
names the outputs stand, or raises `UnmappedError`. What ONNX Runtime would answer otherwise, be it
to wrong inputs only, is left to NumPy.

Source: https://onnx.ai/onnx/operators, TensorFlow's raw operations.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.ops.shapes import axis_in
from tfjs.ops.shaping import integers
from tfjs.runtime.onnx_model import OnnxGraph, UnmappedError, check

Map = Callable[[OnnxGraph, Node], None]
MAPS: dict[str, Map] = {}

FLOATS = ("float32",)
NUMBERS = ("float32", "int32", "int64")
ANY = (*NUMBERS, "bool", "uint8")


def maps(*ops: str) -> Callable[[Map], Map]:
    """Register what operations become."""

    def register(function: Map) -> Map:
        for op in ops:
            MAPS[op] = function
        return function

    return register


# Each element by itself --------------------------------------------------------------------------

_SAME_NAME = (
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Elu"),
    *("Erf", "Exp", "Floor", "Log", "Neg", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sin"),
    *("Sinh", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh"),
)
_UNARY = {**{name: name for name in _SAME_NAME}, "Inv": "Reciprocal", "Rint": "Round"}


def activated(graph: OnnxGraph, op: str, name: str) -> str:
    """A tensor after an operation on each of its elements.

    Raises:
        UnmappedError: it is none that ONNX has.
    """
    if op == "Relu6":
        bounds = [np.array(bound, np.float32) for bound in (0, 6)]
        return graph.put("Clip", [name, *(graph.constant(bound) for bound in bounds)])
    if op == "Rsqrt":
        return graph.put("Reciprocal", [graph.put("Sqrt", [name])])
    if op == "Square":
        return graph.put("Mul", [name, name])
    check(op in _UNARY)
    return graph.put(_UNARY[op], [name])


@maps(*_UNARY, "Relu6", "Rsqrt", "Square")
def _unary(graph: OnnxGraph, node: Node) -> None:
    graph.are(node.inputs, *FLOATS)
    (name,), first = graph.aligned(node.inputs)
    graph.give(node.output, activated(graph, node.op, name), first=first)


@maps("LeakyRelu")
def _leaky_relu(graph: OnnxGraph, node: Node) -> None:
    graph.are(node.inputs, *FLOATS)
    (name,), first = graph.aligned(node.inputs)
    alpha = float(node.attrs.get("alpha", 0.2))
    graph.give(node.output, graph.put("LeakyRelu", [name], alpha=alpha), first=first)


@maps("Identity", "StopGradient", "PreventGradient", "Snapshot")
def _identity(graph: OnnxGraph, node: Node) -> None:
    graph.are(node.inputs, *ANY)
    (name,), first = graph.aligned(node.inputs)
    graph.give(node.output, graph.put("Identity", [name]), first=first)


@maps("LogicalNot")
def _not(graph: OnnxGraph, node: Node) -> None:
    graph.are(node.inputs, "bool")
    (name,), first = graph.aligned(node.inputs)
    graph.give(node.output, graph.put("Not", [name]), first=first)


@maps("Cast")
def _cast(graph: OnnxGraph, node: Node) -> None:
    source, target = graph.dtype(node.inputs[0]), graph.dtype(node.output)
    # Numbers that the other dtype does not have become one thing here and another there.
    check(source == target or source == "bool" or (target, source) in _CASTS)
    check(node.attrs.get("DstT") != "bfloat16")
    (name,), first = graph.aligned(node.inputs)
    graph.give(node.output, graph.cast(name, target), first=first)


_CASTS = {
    *(("float32", name) for name in ("int32", "int64", "uint8")),
    *(("int64", name) for name in ("int32", "uint8")),
    *(("int32", name) for name in ("int64", "uint8")),
}


@maps("ClipByValue")
def _clip(graph: OnnxGraph, node: Node) -> None:
    graph.are(node.inputs, *FLOATS)
    bounds = [graph.must_know(value) for value in node.inputs[1:]]
    check(all(bound.ndim == 0 for bound in bounds) and bounds[0] <= bounds[1])
    (name, *others), first = graph.aligned(node.inputs)
    graph.give(node.output, graph.put("Clip", [name, *others]), first=first)


# Several inputs ----------------------------------------------------------------------------------

_BINARY = {
    "Add": ("Add", NUMBERS),
    "AddV2": ("Add", NUMBERS),
    "Sub": ("Sub", NUMBERS),
    "Mul": ("Mul", NUMBERS),
    "RealDiv": ("Div", FLOATS),
    "Div": ("Div", FLOATS),
    "Maximum": ("Max", NUMBERS),
    "Minimum": ("Min", NUMBERS),
    "Pow": ("Pow", FLOATS),
    "LogicalAnd": ("And", ("bool",)),
    "LogicalOr": ("Or", ("bool",)),
    "Less": ("Less", NUMBERS),
    "LessEqual": ("LessOrEqual", NUMBERS),
    "Greater": ("Greater", NUMBERS),
    "GreaterEqual": ("GreaterOrEqual", NUMBERS),
    "Equal": ("Equal", (*NUMBERS, "bool")),
    "NotEqual": ("Equal", (*NUMBERS, "bool")),
}


@maps(*_BINARY)
def _binary(graph: OnnxGraph, node: Node) -> None:
    op, dtypes = _BINARY[node.op]
    # TF.js reckons integers in double precision.
    graph.are(node.inputs, *(FLOATS if node.op == "Mul" and graph.mode.as_tfjs else dtypes))
    check(node.op != "Pow" or not graph.mode.as_tfjs)
    check(node.attrs.get("incompatible_shape_error", True))
    names, first = graph.aligned(node.inputs)
    made = graph.put(op, names)
    made = graph.put("Not", [made]) if node.op == "NotEqual" else made
    graph.give(node.output, made, first=first)


@maps("SquaredDifference")
def _squared_difference(graph: OnnxGraph, node: Node) -> None:
    graph.are(node.inputs, *FLOATS)
    names, first = graph.aligned(node.inputs)
    difference = graph.put("Sub", names)
    graph.give(node.output, graph.put("Mul", [difference, difference]), first=first)


@maps("AddN")
def _add_n(graph: OnnxGraph, node: Node) -> None:
    graph.are(node.inputs, *FLOATS)
    shapes = {graph.shape(value) for value in node.inputs}
    check(len(shapes) == 1 and None not in shapes)
    names, first = graph.aligned(node.inputs)
    graph.give(node.output, graph.put("Sum", names), first=first)


@maps("BiasAdd", "BiasAddV1")
def _bias_add(graph: OnnxGraph, node: Node) -> None:
    graph.are(node.inputs, *FLOATS)
    x, bias = node.inputs
    check(graph.mode.as_tfjs or node.attrs.get("data_format", b"NHWC") == b"NHWC")
    shape, sizes = graph.shape(x), graph.shape(bias)
    # One number for all would be another operation.
    check(shape and len(shape) > 1 and sizes and shape[-1] == sizes[0])
    names, first = graph.aligned(node.inputs)
    graph.give(node.output, graph.put("Add", names), first=first)


@maps("Prelu")
def _prelu(graph: OnnxGraph, node: Node) -> None:
    graph.are(node.inputs, *FLOATS)
    ranks = [graph.rank(value) for value in node.inputs]
    # ONNX brings the slopes to the shape of the numbers only.
    shape, slopes = graph.shape(node.inputs[0]) or (), graph.shape(node.inputs[1]) or ()
    pairs = zip(shape[::-1], slopes[::-1], strict=False)
    check(ranks[0] >= ranks[1] and all(there in (1, size) for size, there in pairs))
    names, first = graph.aligned(node.inputs)
    graph.give(node.output, graph.put("PRelu", names), first=first)


@maps("Select", "SelectV2")
def _select(graph: OnnxGraph, node: Node) -> None:
    condition, *values = node.inputs
    graph.are([condition], "bool")
    graph.are(values, *NUMBERS)
    if node.op == "Select":
        shapes = {graph.shape(value) for value in node.inputs}
        check(len(shapes) == 1 and None not in shapes)
    names, first = graph.aligned(node.inputs)
    graph.give(node.output, graph.put("Where", names), first=first)


# Along axes --------------------------------------------------------------------------------------


def axes_of(graph: OnnxGraph, value: Value, rank: int) -> list[int]:
    """Axes that a constant names, counted from the front.

    Raises:
        UnmappedError: it is no constant, or names others.
    """
    try:
        axes = [axis_in(axis, rank) for axis in integers(graph.must_know(value))]
    except ValueError:
        raise UnmappedError from None
    check(len(set(axes)) == len(axes))
    return axes


def one_axis(graph: OnnxGraph, value: Value, rank: int) -> int:
    """An axis that a constant names, counted from the front; see `axes_of`."""
    axes = axes_of(graph, value, rank)
    check(len(axes) == 1)
    return axes[0]


# Where an axis of TensorFlow's order stands when channels come right behind the batch.
FIRST_AXES = (0, 2, 3, 1)

# ONNX Runtime lets sums of integers stop where TensorFlow's wrap around.
_REDUCTIONS = {
    "Max": ("ReduceMax", NUMBERS),
    "Mean": ("ReduceMean", FLOATS),
    "Min": ("ReduceMin", NUMBERS),
    "Prod": ("ReduceProd", FLOATS),
    "Sum": ("ReduceSum", FLOATS),
}


@maps(*_REDUCTIONS)
def _reduce(graph: OnnxGraph, node: Node) -> None:
    op, dtypes = _REDUCTIONS[node.op]
    x = node.inputs[0]
    graph.are([x], *dtypes)
    shape = graph.shape(x) or ()
    check(0 not in shape)
    axes = axes_of(graph, node.inputs[1], graph.rank(x))
    keep = bool(node.attrs.get("keep_dims", False))
    if not axes:
        graph.give(node.output, graph.put("Identity", [graph.last(x)]))
        return
    # Without the reduced axes the order is the same where the channels, or all after, remain.
    first = graph.is_first(x) and (keep or {1, 2} <= set(axes))
    where = graph.numbers(*(FIRST_AXES[axis] if first else axis for axis in axes))
    name = graph.first(x) if first else graph.last(x)
    if op == "ReduceMean" and any(shape[axis] is None for axis in axes):
        made = _mean(graph, name, where, keep=keep)
    else:
        made = graph.put(op, [name, where], keepdims=int(keep))
    graph.give(node.output, made, first=first and keep)


def _mean(graph: OnnxGraph, name: str, axes: str, *, keep: bool) -> str:
    """A mean over axes that may be empty, which ONNX Runtime takes for 0 and TensorFlow for NaN."""
    sizes = graph.put("Gather", [graph.put("Shape", [name]), axes])
    count = graph.cast(graph.put("ReduceProd", [sizes], keepdims=0), "float32")
    return graph.put("Div", [graph.put("ReduceSum", [name, axes], keepdims=int(keep)), count])


@maps("Softmax", "LogSoftmax")
def _softmax(graph: OnnxGraph, node: Node) -> None:
    graph.are(node.inputs, *FLOATS)
    graph.give(node.output, graph.put(node.op, [graph.last(node.inputs[0])], axis=-1))


@maps("ArgMax", "ArgMin")
def _arg(graph: OnnxGraph, node: Node) -> None:
    x = node.inputs[0]
    graph.are([x], *FLOATS)
    axis = one_axis(graph, node.inputs[1], graph.rank(x))
    check((graph.shape(x) or ())[axis] != 0)
    made = graph.put(node.op, [graph.last(x)], axis=axis, keepdims=0)
    graph.give(node.output, graph.cast(made, graph.dtype(node.output)))


@maps("Cumsum")
def _cumsum(graph: OnnxGraph, node: Node) -> None:
    x = node.inputs[0]
    graph.are([x], *NUMBERS)
    axis = one_axis(graph, node.inputs[1], graph.rank(x))
    where = graph.constant(np.array(axis, np.int64))
    flags = {key: int(bool(node.attrs.get(key, False))) for key in ("exclusive", "reverse")}
    graph.give(node.output, graph.put("CumSum", [graph.last(x), where], **flags))


@maps("TopKV2")
def _top_k(graph: OnnxGraph, node: Node) -> None:
    x = node.inputs[0]
    graph.are([x], *FLOATS)
    count = graph.must_know(node.inputs[1])
    check(count.ndim == 0 and graph.rank(x))
    k = graph.numbers(int(count))
    values, places = graph.put_many("TopK", [graph.last(x), k], 2, axis=-1)
    graph.give(node.outputs[0], values)
    graph.give(node.outputs[1], graph.cast(places, graph.dtype(node.outputs[1])))


# Products ----------------------------------------------------------------------------------------


def _matrix(graph: OnnxGraph, value: Value, swap: bool) -> str:
    """A value, with its last two axes swapped where that is asked for."""
    rank = graph.rank(value)
    check(rank >= 2)
    if not swap:
        return graph.last(value)
    known = graph.known(value)
    if known is not None:
        array = known
        return graph.initial(lambda: array.swapaxes(-1, -2))
    perm = [*range(rank - 2), rank - 1, rank - 2]
    return graph.put("Transpose", [graph.last(value)], perm=perm)


def multiplied(graph: OnnxGraph, node: Node) -> str:
    """The product of the first two inputs, which are matrices."""
    graph.are(node.inputs[:2], *FLOATS)
    a, b = node.inputs[:2]
    check(graph.rank(a) == graph.rank(b) == 2)
    swaps = [bool(node.attrs.get(key, False)) for key in ("transpose_a", "transpose_b")]
    return graph.put("MatMul", [_matrix(graph, a, swaps[0]), _matrix(graph, b, swaps[1])])


@maps("MatMul")
def _matmul(graph: OnnxGraph, node: Node) -> None:
    graph.give(node.output, multiplied(graph, node))


@maps("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
def _batch_matmul(graph: OnnxGraph, node: Node) -> None:
    graph.are([*node.inputs, node.output], *FLOATS)
    a, b = node.inputs
    if graph.mode.as_tfjs or node.op == "BatchMatMul":
        # Other batches are no broadcasting there.
        outer = [(graph.shape(value) or ())[:-2] for value in (a, b)]
        check(outer[0] == outer[1] or not all(outer))
    swaps = [bool(node.attrs.get(key, False)) for key in ("adj_x", "adj_y")]
    names = [_matrix(graph, a, swaps[0]), _matrix(graph, b, swaps[1])]
    graph.give(node.output, graph.put("MatMul", names))


@maps("Einsum")
def _einsum(graph: OnnxGraph, node: Node) -> None:
    graph.are(node.inputs, *FLOATS)
    equation = node.attrs["equation"].decode("ascii").replace(" ", "")
    check(len(node.inputs) == 2 and "." not in equation and equation.count("->") == 1)
    terms = equation.replace("->", ",").split(",")
    check(len(terms) == 3 and all(len(set(term)) == len(term) for term in terms))
    # One size of 1 would be broadcast.
    sizes: dict[str, int | None] = {}
    for labels, value in zip(terms[:2], node.inputs, strict=True):
        shape = graph.shape(value)
        check(shape is not None and len(shape) == len(labels))
        for label, size in zip(labels, shape or (), strict=True):
            check(sizes.setdefault(label, size) == size)
    names = [graph.last(value) for value in node.inputs]
    graph.give(node.output, graph.put("Einsum", names, equation=equation))
