"""Types are inferred, constants folded, and nodes that pass their input on removed.

One walk over the nodes in order does all three: what a node's inputs are is settled when it is met.
"""

from __future__ import annotations

import math

import numpy as np

from tfjs.errors import CorruptFileError
from tfjs.ir.graph import Graph, GraphModel, Node, Type, constant_of
from tfjs.ir.tensor import ITEM_SIZES, Array, DerivedTensor, Tensor
from tfjs.ops.base import evaluate, find, infer_types
from tfjs.ops.definitions import definition

# A folded constant may be larger than what it is made of, but not beyond this many bytes.
MOST_GROWTH = 100 * 1024
# All of a graph may be larger than what they are made of by this, and this for each node.
_ALL_GROWTH, _GROWTH_EACH = 1 << 18, 1 << 12
# What is larger than this is computed when it is written, and not before.
_LAZY = 1 << 16
# Through no more operations than this, one counted as often as it is read.
_MOST_STEPS = 64
# Operations that do more than a step for each number, and how many numbers they are given at most.
_COSTLY = frozenset(
    {"MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum", "Conv2D", "Conv3D"}
    | {"Conv2DBackpropInput", "DepthwiseConv2dNative", "MatrixInverse", "Cholesky", "MatrixSolve"}
    | {"NonMaxSuppressionV3", "NonMaxSuppressionV4", "NonMaxSuppressionV5"}
)
_MOST_COSTLY = 1 << 20
_MOST_TEXT = 1 << 20  # bytes that operations on strings may make, in one go
# They give what they are given; what they check or stop concerns training and debugging.
_PASSES_ON = frozenset(
    {"Identity", "StopGradient", "PreventGradient", "Snapshot", "CheckNumerics", "EnsureShape"}
    | {"CheckNumericsV2", "DebugIdentity", "PlaceholderWithDefault", "Print"}
)
_NEVER = frozenset({"Const", "Placeholder"})
_OF_SHAPES = frozenset({"Shape", "ShapeN", "Size", "Rank"})


def fold(model: GraphModel, *, keep: frozenset[str] = frozenset()) -> None:
    """Infer types and fold constants in the main graph and in all functions.

    Args:
        model: the model.
        keep: operations that are kept though they pass their input on.

    Raises:
        CorruptFileError: a node cannot take the inputs that it has.
    """
    graphs = [model.graph, *model.functions.values()]
    for graph in graphs if model.initializer is None else [*graphs, model.initializer]:
        fold_graph(graph, keep=keep)


def fold_graph(graph: Graph, *, keep: frozenset[str] = frozenset()) -> None:
    """Infer types and fold constants in one graph; see `fold`."""
    inputs = set(graph.inputs)
    left = _ALL_GROWTH + _GROWTH_EACH * len(graph.nodes)
    for node in graph.ordered():
        op = node.op
        if op in _NEVER or node in inputs:
            continue
        if op in _PASSES_ON and op not in keep and node.inputs:
            _pass_on(graph, node)
            continue
        if op == "IdentityN":
            for old, new in zip(node.outputs, node.inputs, strict=True):
                graph.replace(old, new)
            graph.erase(node)
            continue
        infer(node)
        if op == "Reshape":
            _fold_target(graph, node)
        if op not in _OF_SHAPES or not _fold_shape(graph, node):
            left -= _fold_constant(graph, node, left)
    graph.prune()


def infer(node: Node) -> None:
    """Bring the types of a node's outputs up to date.

    Raises:
        CorruptFileError: the node cannot take the inputs that it has.
    """
    if definition(node.op) is None:
        return
    try:
        found = infer_types(node)
    except ValueError as error:
        raise CorruptFileError(f"node {node.name!r} ({node.op}): {error}") from None
    for value, type_ in zip(node.outputs, found, strict=False):
        # What a source told of a shape stays where nothing better is known.
        shape = value.shape if type_.shape is None else type_.shape
        # A dtype stays what TF.js's dtypes have made of it.
        value.dtype, value.shape = value.dtype or type_.dtype, shape


def _pass_on(graph: Graph, node: Node) -> None:
    source = node.inputs[0]
    told = node.attrs.get("shape")
    if node.op == "EnsureShape" and source.shape is None and told is not None:
        source.shape = told.dims
    graph.replace(node.output, source)
    graph.erase(node)


def _fold_shape(graph: Graph, node: Node) -> bool:
    """Shape, Size and Rank of values whose shape is known."""
    dtype = node.attrs.get("out_type", "int32")
    if dtype not in ("int32", "int64"):
        raise CorruptFileError(f"node {node.name!r}: gives its sizes as {dtype}")
    folded = False
    for output, value in zip(node.outputs, node.inputs, strict=True):
        shape = value.shape
        if shape is None or (node.op != "Rank" and None in shape):
            continue
        sizes = [size for size in shape if size is not None]
        number = len(shape) if node.op == "Rank" else math.prod(sizes)
        if max(number, *sizes, 0) > np.iinfo(dtype).max:
            continue
        array = np.array(sizes if node.op in ("Shape", "ShapeN") else number, dtype)
        graph.replace(output, graph.constant(array, name=f"{node.name}/folded", origin=node.origin))
        folded = True
    return folded


def _fold_target(graph: Graph, node: Node) -> None:
    """The shape that a Reshape is given, where at most one size of it is free."""
    shape = node.output.shape
    if shape is None or constant_of(node.inputs[1]) is not None:
        return
    # With a size of 0 in it, -1 would stand for anything.
    if shape.count(None) <= 1 and 0 not in shape:
        sizes = [-1 if size is None else size for size in shape]
        array = np.array(sizes, node.attrs.get("Tshape", "int32"))
        name = f"{node.name}/shape"
        graph.set_input(node, 1, graph.constant(array, name=name, origin=node.origin))


def _fold_constant(graph: Graph, node: Node, room: int) -> int:
    """Compute a node of constants, where it makes no more bytes than there is room for.

    Returns:
        By how many bytes the result is larger than what it is made of.
    """
    for value in node.inputs:
        if value.node.op != "Const":
            return 0
    if not node.inputs:
        return 0
    op = find(node.op)
    known = definition(node.op)
    if op is None or op.kernel is None or not op.folds or known is None or known.stateful:
        return 0
    tensors = [constant_of(value) for value in node.inputs]
    given = [tensor for tensor in tensors if tensor is not None]
    if len(given) < len(tensors):
        return 0
    size = sum(_bytes(tensor) for tensor in given)
    sizes = [_size(value.type) for value in node.outputs]
    made = sum(found or 0 for found in sizes)
    if None in sizes or made > max(size, MOST_GROWTH) or made - size > room:
        return 0
    if _is_dear(node, given, made):
        return 0
    if size > _LAZY and len(node.outputs) == 1:
        _fold_later(graph, node, given)
        return max(0, made - size)
    try:
        arrays = evaluate(node, [tensor.array() for tensor in given])
    except ValueError:
        return 0  # TF.js will say so itself, with the same inputs
    for value, array in zip(node.outputs, arrays, strict=True):
        if value.dtype is not None and value.dtype in ITEM_SIZES:
            array = array.astype(_stored(value.dtype), copy=False)
        folded = graph.constant(array, name=f"{node.name}/folded", origin=node.origin)
        graph.replace(value, folded)
    _take_name(graph, node)
    return max(0, made - size)


def _is_dear(node: Node, given: list[Tensor], made: int) -> bool:
    """Whether computing a node takes too long for what is won."""
    if node.op in _COSTLY and sum(tensor.size for tensor in given) > _MOST_COSTLY:
        return True
    text = sum(len(item) for t in given if t.dtype == "string" for item in t.array().flat)
    return text * max(1, made // 8) > _MOST_TEXT or _steps(given) > _MOST_STEPS


class _FoldedTensor(DerivedTensor):
    """A constant that is computed when it is written, through `steps` operations."""

    __slots__ = ("steps",)

    steps: int


def _steps(given: list[Tensor]) -> int:
    count = 1
    for tensor in given:
        found: Tensor | None = tensor
        while found is not None and not isinstance(found, _FoldedTensor):
            found = getattr(found, "source", None)  # what it is cast from
        count += 0 if found is None else found.steps
    return count


def _fold_later(graph: Graph, node: Node, given: list[Tensor]) -> None:
    value = node.output
    if value.shape is None or None in value.shape or value.dtype not in ITEM_SIZES:
        return
    shape = [size for size in value.shape if size is not None]
    dtype = _stored(value.dtype)
    frozen = _detached(node)
    derived = _FoldedTensor(
        dtype, shape, lambda: _computed(frozen, given).astype(dtype, copy=False)
    )
    derived.steps = _steps(given)
    folded = graph.constant(derived, name=f"{node.name}/folded", origin=node.origin)
    graph.replace(value, folded)
    _take_name(graph, node)


def _computed(node: Node, given: list[Tensor]) -> Array:
    try:
        return evaluate(node, [tensor.array() for tensor in given])[0]
    except ValueError as error:
        raise CorruptFileError(f"node {node.name!r} ({node.op}): {error}") from None


def _detached(node: Node) -> Node:
    """The operation and attributes alone, so that no graph is kept alive."""
    return Node(node.op, node.name, dict(node.attrs), node.origin)


def _take_name(graph: Graph, node: Node) -> None:
    """Let the constant of a folded node with one output have the name of the node."""
    if len(node.outputs) != 1:
        return
    name = node.name
    folded = graph.nodes.get(f"{name}/folded")
    graph.erase(node)
    if folded is not None:
        graph.rename(folded, name)


def _size(type_: Type) -> int | None:
    """The bytes of a value; None where that is not known."""
    if type_.shape is None or type_.dtype is None or None in type_.shape:
        return None
    count = math.prod(size for size in type_.shape if size is not None)
    return count * ITEM_SIZES.get(type_.dtype, 8)


def _bytes(tensor: Tensor) -> int:
    return tensor.size * ITEM_SIZES.get(tensor.dtype, 8)


def _stored(dtype: str) -> str:
    """The dtype in which arrays hold it: bfloat16 is widened."""
    return "float32" if dtype == "bfloat16" else dtype
