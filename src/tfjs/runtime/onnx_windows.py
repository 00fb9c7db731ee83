"""What TensorFlow's operations on images are in ONNX: convolutions, pooling, other sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfjs.ir.graph import Node, Value
from tfjs.ops.base import evaluate
from tfjs.ops.shaping import integers
from tfjs.runtime.onnx_model import OnnxGraph, check
from tfjs.runtime.onnx_ops import FLOATS, activated, maps, multiplied
from tfjs.runtime.values import known

_LAYOUTS = (None, b"", b"N", b"NHWC")


def _spatial(attrs: Mapping[str, Any], key: str, graph: OnnxGraph) -> list[int]:
    """What an attribute tells of height and width."""
    told = attrs.get(key) or [1, 1, 1, 1]
    check(len(told) == 4)
    # TF.js looks at these two only.
    check(graph.mode.as_tfjs or (told[0] == told[3] == 1))
    check(told[1] > 0 and told[2] > 0)
    return [int(told[1]), int(told[2])]


def _check_layout(node: Node, graph: OnnxGraph) -> None:
    check(node.attrs.get("data_format") in _LAYOUTS)


def _padding(
    graph: OnnxGraph, node: Node, kernel: Sequence[int], steps: Sequence[int], apart: Sequence[int]
) -> dict[str, Any]:
    """The attributes that tell the padding of a window."""
    told = node.attrs["padding"]
    if told == b"VALID":
        return {}
    if told == b"EXPLICIT":
        edges = [int(edge) for edge in node.attrs["explicit_paddings"]]
        check(len(edges) == 8 and min(edges) >= 0)
        return {"pads": [edges[2], edges[4], edges[3], edges[5]]}
    check(told == b"SAME")
    if max(apart) == 1:
        return {"auto_pad": "SAME_UPPER"}
    # ONNX Runtime does not reckon with the dilation.
    sizes = (graph.shape(node.inputs[0]) or ())[1:3]
    if tuple(steps) == (1, 1):
        sizes = tuple(1 << 20 for _ in sizes)
    check(None not in sizes and len(sizes) == 2)
    lows, highs = [], []
    for size, count, step, gap in zip(sizes, kernel, steps, apart, strict=True):
        low, high = _same(int(size or 0), (count - 1) * gap + 1, step)
        lows.append(low)
        highs.append(high)
    return {"pads": [*lows, *highs]}


def _same(size: int, reach: int, step: int) -> tuple[int, int]:
    """The padding before and behind an axis, so that no size is lost but by the steps."""
    whole = max(0, (-(-size // step) - 1) * step + reach - size)
    return whole // 2, whole - whole // 2


# Convolutions ------------------------------------------------------------------------------------


def _filters(graph: OnnxGraph, value: Value, *, depthwise: bool) -> tuple[str, tuple[int, ...]]:
    """The filters as ONNX has them, and their sizes as TensorFlow has them."""
    sizes = known(graph.shape(value)) or ()
    check(len(sizes) == 4 and all(sizes))
    height, width, taken, made = sizes
    order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
    shape = (taken * made, 1, height, width) if depthwise else (made, taken, height, width)
    array = graph.known(value)
    if array is not None:
        return graph.initial(lambda: array.transpose(order).reshape(shape)), sizes
    turned = graph.put("Transpose", [graph.last(value)], perm=list(order))
    return graph.put("Reshape", [turned, graph.numbers(*shape)]), sizes


def _convolved(graph: OnnxGraph, node: Node, *, depthwise: bool = False) -> str:
    """The convolution of the first two inputs, with the channels right behind the batch."""
    x, filters = node.inputs[:2]
    graph.are([x, filters], *FLOATS)
    _check_layout(node, graph)
    name, (height, width, taken, made) = _filters(graph, filters, depthwise=depthwise)
    shape = graph.shape(x)
    check(shape is not None and len(shape) == 4)
    channels = (shape or ())[3]
    check(channels and channels % taken == 0)
    groups = (channels or 0) // taken
    if depthwise:
        check(groups == 1)
        groups = taken
    check(depthwise or made % groups == 0)
    steps = _spatial(node.attrs, "strides", graph)
    apart = _spatial(node.attrs, "dilations", graph)
    padding = _padding(graph, node, (height, width), steps, apart)
    return graph.put(
        "Conv", [graph.first(x), name],
        kernel_shape=[height, width], strides=steps, dilations=apart, group=groups, **padding,
    )  # fmt: skip


@maps("Conv2D")
def _conv(graph: OnnxGraph, node: Node) -> None:
    graph.give(node.output, _convolved(graph, node), first=True)


@maps("DepthwiseConv2dNative", "DepthwiseConv2d")
def _depthwise(graph: OnnxGraph, node: Node) -> None:
    graph.give(node.output, _convolved(graph, node, depthwise=True), first=True)


@maps("_FusedConv2D", "FusedDepthwiseConv2dNative", "_FusedMatMul")
def _fused(graph: OnnxGraph, node: Node) -> None:
    first = node.op != "_FusedMatMul"
    if first:
        made = _convolved(graph, node, depthwise=node.op.startswith("FusedDepthwise"))
        sizes = known(graph.shape(node.inputs[1])) or ()
        channels = sizes[3] * (sizes[2] if "Depth" in node.op else 1)
    else:
        made = multiplied(graph, node)
        turned = node.attrs.get("transpose_b", False)
        channels = (graph.shape(node.inputs[1]) or ())[0 if turned else 1] or 0
    left = list(node.inputs[2:])
    for part in _parts(graph, node):
        if part in ("BiasAdd", "Prelu"):
            check(left)
            each = _by_channel(graph, left.pop(0), channels, first=first)
            made = graph.put("Add" if part == "BiasAdd" else "PRelu", [made, each])
        elif part == "LeakyRelu":
            alpha = float(node.attrs.get("leakyrelu_alpha", 0.2))
            made = graph.put("LeakyRelu", [made], alpha=alpha)
        else:
            made = activated(graph, part, made)
    check(not left)
    graph.give(node.output, made, first=first)


def _parts(graph: OnnxGraph, node: Node) -> list[str]:
    """What follows the product; TF.js takes an activation from the second place only."""
    parts = [part.decode("ascii", "replace") for part in node.attrs.get("fused_ops") or []]
    if graph.mode.as_tfjs and parts[:1] != ["BiasAdd"]:
        parts = parts[1:2]
    check(all(part in _FOLLOWING for part in parts))
    return parts


_FOLLOWING = frozenset(
    {"BiasAdd", "Elu", "LeakyRelu", "Prelu", "Relu", "Relu6", "Selu", "Sigmoid", "Softplus"}
    | {"Softsign", "Tanh"}
)


def _by_channel(graph: OnnxGraph, value: Value, channels: int, *, first: bool) -> str:
    """Numbers of channels, of which there may be one for all."""
    graph.are([value], *FLOATS)
    sizes = graph.shape(value)
    check(sizes is not None and set(sizes[:-1]) <= {1} and sizes[-1:] in ((channels,), (1,), ()))
    shape = (-1, 1, 1) if first else (-1,)
    array = graph.known(value)
    if array is not None:
        return graph.initial(lambda: array.reshape(shape))
    return graph.put("Reshape", [graph.last(value), graph.numbers(*shape)])


@maps("Conv2DBackpropInput")
def _transposed(graph: OnnxGraph, node: Node) -> None:
    filters, given = node.inputs[1:]
    graph.are([filters, given], *FLOATS)
    _check_layout(node, graph)
    sizes, made = graph.shape(given), graph.shape(node.output)
    turned, kernel = _filters(graph, filters, depthwise=False)
    told = graph.shape(node.inputs[0])
    check(sizes and made and (told == (4,) or not graph.mode.as_tfjs))
    steps = _spatial(node.attrs, "strides", graph)
    check(max(_spatial(node.attrs, "dilations", graph)) == 1)
    there, wanted = known((sizes or ())[1:]), known((made or ())[1:])
    check(there and wanted)
    assert there
    assert wanted
    check(len(there) == len(wanted) == 3 and (wanted[2], there[2]) == kernel[2:])
    check(node.attrs["padding"] in (b"SAME", b"VALID"))
    lows, highs, more = [], [], []
    for axis in (0, 1):
        reach, step = kernel[axis], steps[axis]
        low = _same(wanted[axis], reach, step)[0] if node.attrs["padding"] == b"SAME" else 0
        whole = (there[axis] - 1) * step + reach
        # What is too much is cut off behind; what is too little is added there.
        lows.append(low)
        highs.append(max(0, whole - wanted[axis] - low))
        more.append(max(0, wanted[axis] + low - whole))
        check(more[-1] < step)
    name = graph.put(
        "ConvTranspose", [graph.first(given), turned],
        kernel_shape=list(kernel[:2]), strides=steps, pads=[*lows, *highs], output_padding=more,
    )  # fmt: skip
    graph.give(node.output, name, first=True)


# Normalization, pooling --------------------------------------------------------------------------


@maps("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def _batch_norm(graph: OnnxGraph, node: Node) -> None:
    graph.are(node.inputs, *FLOATS)
    _check_layout(node, graph)
    check(graph.mode.as_tfjs or not node.attrs.get("is_training", True))
    check(not any(value in graph.wanted for value in node.outputs[1:]))
    x, *numbers = node.inputs
    shape = graph.shape(x)
    check(shape is not None and len(shape) == 4 and shape[3])
    check(all(graph.shape(value) == (shape or ())[3:] for value in numbers))
    epsilon = float(node.attrs.get("epsilon", 1e-3 if graph.mode.as_tfjs else 1e-4))
    names = [graph.first(x), *(graph.last(value) for value in numbers)]
    graph.give(node.output, graph.put("BatchNormalization", names, epsilon=epsilon), first=True)


@maps("AvgPool", "MaxPool")
def _pool(graph: OnnxGraph, node: Node) -> None:
    x = node.inputs[0]
    graph.are([x], *FLOATS)
    _check_layout(node, graph)
    check(graph.rank(x) == 4 and node.attrs["padding"] in (b"SAME", b"VALID"))
    kernel, steps = (_spatial(node.attrs, key, graph) for key in ("ksize", "strides"))
    attrs = _padding(graph, node, kernel, steps, (1, 1))
    op = {"AvgPool": "AveragePool"}.get(node.op, node.op)
    # The padding does not count to an average; ONNX's default says the same.
    name = graph.put(op, [graph.first(x)], kernel_shape=kernel, strides=steps, **attrs)
    graph.give(node.output, name, first=True)


# Other sizes -------------------------------------------------------------------------------------


@maps("ResizeBilinear")
def _bilinear(graph: OnnxGraph, node: Node) -> None:
    x, size = node.inputs
    graph.are([x], *FLOATS)
    wanted = integers(graph.must_know(size))
    check(graph.rank(x) == 4 and len(wanted) == 2 and min(wanted) > 0)
    align, centers = (
        bool(node.attrs.get(key, False)) for key in ("align_corners", "half_pixel_centers")
    )
    # Both at once, and corners of a single row, are TensorFlow's own.
    check(not align or (not centers and min(wanted) > 1))
    places = "align_corners" if align else "half_pixel" if centers else "asymmetric"
    first = graph.first(x)
    # All four sizes: with axes named, ONNX Runtime moves a Transpose across wrongly.
    outer = graph.put("Shape", [first], start=0, end=2)
    sizes = graph.put("Concat", [outer, graph.numbers(*wanted)], axis=0)
    name = graph.put(
        "Resize", [first, "", "", sizes],
        mode="linear", coordinate_transformation_mode=places,
    )  # fmt: skip
    graph.give(node.output, name, first=True)


@maps("ResizeNearestNeighbor")
def _nearest(graph: OnnxGraph, node: Node) -> None:
    x, size = node.inputs
    graph.are([x], *FLOATS)
    wanted = integers(graph.must_know(size))
    sizes = (graph.shape(x) or ())[1:3]
    check(len(sizes) == len(wanted) == 2 and min(wanted) > 0 and all(sizes))
    name = graph.first(x)
    for axis, (there, count) in enumerate(zip(sizes, wanted, strict=True)):
        places = graph.numbers(*_nearest_places(int(there or 0), count, node))
        name = graph.put("Gather", [name, places], axis=2 + axis)
    graph.give(node.output, name, first=True)


def _nearest_places(there: int, count: int, node: Node) -> list[int]:
    """Which row each row is taken from: what becomes of an image of one column that counts."""
    image = np.arange(there, dtype=np.int64).reshape(1, there, 1, 1)
    (found,) = evaluate(node, [image, np.array([count, 1], np.int32)])
    return integers(found.reshape(-1))


@maps("DepthToSpace", "SpaceToDepth")
def _depth(graph: OnnxGraph, node: Node) -> None:
    x = node.inputs[0]
    graph.are([x], *FLOATS)
    _check_layout(node, graph)
    check(graph.rank(x) == 4)
    size = int(node.attrs["block_size"])
    name = graph.put(node.op, [graph.first(x)], blocksize=size)
    graph.give(node.output, name, first=True)
