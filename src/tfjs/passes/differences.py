"""What TF.js 4.22 itself answers otherwise than TensorFlow, where no rule can express it exactly.

Each kind has one line in the report of a conversion whose graph can meet it. What only numbers can
tell that hardly a model has, such as 1 to the power of NaN, stands in `docs/formats.md` alone.
Source: what the kernels of the npm packages do, seen by `tests/models/test_raw_ops.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tfjs.ir.graph import Graph, Node, Shape, Value
from tfjs.ops.base import constant_array
from tfjs.passes.legal.arithmetic import MOST_IN_DOUBLE, MOST_IN_SINGLE, divides_well
from tfjs.passes.ranges import range_of

_MOST_NAMED = 5
# What reductions in WebGL's shaders start from: 1 / 1e-20.
_MOST_ON_WEBGL = 1e20
_PRODUCTS = frozenset({"MatMul", "BatchMatMul", "BatchMatMulV2"})
_TOTALS = frozenset({"Sum", "Prod", "Mean", "Max", "Min", "All", "Any"})
# What finds the largest or the smallest number.
_EXTREMES = frozenset({"Max", "Min", "Softmax", "LogSoftmax"})
# What answers wrongly for infinities.
_OF_INFINITIES = frozenset({"TopKV2", "FloorMod"})
_ORDERING = _EXTREMES | _OF_INFINITIES
# What takes a bound or a filler, but hands it on to no reduction.
_BOUNDED = frozenset(
    {"PadV2", "Minimum", "Maximum", "ClipByValue", "Equal", "NotEqual"}
    | {"Less", "LessEqual", "Greater", "GreaterEqual"}
)
# Larger constants are weights, which are not read for this.
_MOST_LOOKED_AT = 256
_FIX = "give the model's inputs fixed shapes"


@dataclass(frozen=True, slots=True)
class Difference:
    """A kind of difference.

    Attributes:
        ops: the operations that show it.
        meets: whether a node of these may show it.
        text: the line for the report; the nodes are named behind it.
    """

    ops: frozenset[str]
    meets: Callable[[Node], bool]
    text: str


def difference_notes(graphs: Iterable[Graph]) -> list[str]:
    """What TF.js answers otherwise than TensorFlow in some graphs, one line for each kind.

    Args:
        graphs: all graphs of a model that TF.js runs.
    """
    graphs = list(graphs)
    by_op: dict[str, list[tuple[Graph, Node]]] = {}
    for graph in graphs:
        for node in graph.nodes.values():
            if node.op in _CONCERNED:
                by_op.setdefault(node.op, []).append((graph, node))
    kinds = list(_ALWAYS)
    # Nothing else asks for the constants, of which there may be many.
    if not _ORDERING.isdisjoint(by_op):
        every = (node for graph in graphs for node in graph.nodes.values())
        kinds += _with_large_constants(_largest(every))
    notes = []
    for kind in kinds:
        found = [
            _named(graph, node)
            for op in sorted(kind.ops & by_op.keys())
            for graph, node in by_op[op]
            if kind.meets(node)
        ]
        if found:
            more = ", ..." if len(found) > _MOST_NAMED else ""
            notes.append(f"{kind.text}: {', '.join(found[:_MOST_NAMED])}{more}")
    return notes


def rounding_notes(graphs: Iterable[Graph]) -> list[str]:
    """That nothing is rounded to narrow floats, where a graph asks for it.

    Args:
        graphs: all graphs of a model, before their dtypes become TF.js's.
    """
    found = {
        str(node.attrs["DstT"])
        for graph in graphs
        for node in graph.nodes.values()
        if node.op == "Cast"
        and node.attrs["DstT"] in ("float16", "bfloat16")
        and node.inputs[0].dtype in ("float32", "float64")
    }
    if not found:
        return []
    return [f"computed in float32, without being rounded: {', '.join(sorted(found))}"]


def _named(graph: Graph, node: Node) -> str:
    name = node.origin[0] if node.origin else node.name
    return f"{node.op} ({graph.name}/{name})" if graph.name else f"{node.op} ({name})"


# When a node meets them ------------------------------------------------------------------------


def _always(node: Node) -> bool:
    return True


def _may_be_empty(value: Value, axes: Iterable[int]) -> bool:
    """Whether one of the axes may turn out to have no element."""
    if value.shape is None:
        return True
    rank = len(value.shape)
    return any(not value.shape[axis] and not _is_filled(value, axis % rank) for axis in axes)


def _is_filled(value: Value, axis: int) -> bool:
    """Whether something is put beside what may be empty along an axis."""
    node = value.node
    if node.op != "ConcatV2":
        return False
    along = constant_array(node.inputs[-1])
    if along is None or value.shape is None or int(along) % len(value.shape) != axis:
        return False
    shapes = [item.shape for item in node.inputs[:-1]]
    return any(shape is not None and (shape[axis] or 0) > 0 for shape in shapes)


def _totals_nothing(node: Node) -> bool:
    x, axes = node.inputs[:2]
    known = constant_array(axes)
    if x.shape is None:
        return True
    rank = len(x.shape)
    every = range(rank) if known is None else [int(axis) % rank for axis in known.reshape(-1)]
    return _may_be_empty(x, every)


def _multiplies_nothing(node: Node) -> bool:
    first, second = node.inputs[:2]
    turned = [
        bool(node.attrs.get(f"transpose_{old}") or node.attrs.get(f"adj_{new}"))
        for old, new in (("a", "x"), ("b", "y"))
    ]
    inner = [
        None if value.shape is None else value.shape[place]
        for value, place in ((first, -2 if turned[0] else -1), (second, -1 if turned[1] else -2))
    ]
    return not any(inner)


def _has_free_groups(node: Node) -> bool:
    x, kernel = node.inputs[:2]
    return (x.shape is None or x.shape[-1] is None) and kernel.shape is not None


def _has_free_batches(node: Node) -> bool:
    """Whether the rank of a factor is unknown: else the batches are spread by a rule."""
    return any(value.shape is None for value in node.inputs[:2])


def _may_be_apart(node: Node) -> bool:
    """Whether operands that may not go together are to be unequal, instead of an error."""
    if node.attrs.get("incompatible_shape_error", True):
        return False
    shapes: list[Shape] = [value.shape for value in node.inputs]
    if () in shapes or node.inputs[0] is node.inputs[1]:
        return False
    if shapes[0] is None or shapes[1] is None:
        return True
    pairs = zip(reversed(shapes[0]), reversed(shapes[1]), strict=False)
    return any(None in pair and 1 not in pair for pair in pairs)


def _strides_over_window(node: Node) -> bool:
    """Whether SAME may have to pad by less than nothing; known sizes are rewritten."""
    x, kernel = node.inputs[:2]
    sizes = (None, None) if x.shape is None else x.shape[1:3]
    window = (None, None) if kernel.shape is None else kernel.shape[:2]
    if node.attrs["padding"] != b"SAME" or None not in sizes or window == (1, 1):
        return False
    steps = node.attrs["strides"][1:3]
    return any(step > (size or 1) for step, size in zip(steps, window, strict=True))


def _divides_large(node: Node) -> bool:
    if node.output.dtype != "int32" or divides_well(node):
        return False
    return any(range_of(value).most > MOST_IN_SINGLE for value in node.inputs)


def _multiplies_large(node: Node) -> bool:
    if node.output.dtype != "int32":
        return False
    x, y = (range_of(value).most for value in node.inputs)
    return x * y > MOST_IN_DOUBLE


def _may_wrap_around(node: Node) -> bool:
    if node.output.dtype != "int32":
        return False
    base, exponent = (range_of(value).most for value in node.inputs)
    # From 2 on, each power of 32 or more leaves int32.
    return base > 1 and base ** min(exponent, 32) >= 1 << 31


def _takes_nearest(node: Node) -> bool:
    return bool(node.attrs.get("method") == b"nearest")


def _is_of_floats(node: Node) -> bool:
    return node.inputs[0].dtype == "float32"


_ALWAYS = (
    Difference(
        _TOTALS | _PRODUCTS,
        lambda node: _multiplies_nothing(node) if node.op in _PRODUCTS else _totals_nothing(node),
        "TF.js answers otherwise where a reduction or product goes along an axis that turns out "
        f"empty; {_FIX}, or never feed them nothing",
    ),
    Difference(
        frozenset({"Conv2D"}),
        _has_free_groups,
        "a convolution over an unknown number of channels is taken for one of a single group, and "
        "throws for more; give the model's inputs a fixed number of channels",
    ),
    Difference(
        _PRODUCTS - {"MatMul"},
        _has_free_batches,
        "batches of unknown rank are taken to be alike; give the model's inputs shapes of known "
        "rank",
    ),
    Difference(
        frozenset({"Equal", "NotEqual"}),
        _may_be_apart,
        f"TF.js throws where shapes do not go together, which TensorFlow takes for unequal; {_FIX}",
    ),
    Difference(
        frozenset({"Conv2D", "DepthwiseConv2dNative"}),
        _strides_over_window,
        "wasm gives zeros for some sizes of what padding SAME and a stride over the window meet; "
        f"{_FIX}",
    ),
    Difference(
        frozenset({"Dilation2D"}),
        _always,
        f"wasm takes results below 0 for 0, as sizes are unknown or windows large; {_FIX}",
    ),
    Difference(
        frozenset({"MaxPoolWithArgmax"}),
        _always,
        "wasm takes results below 0 for 0, and the last of equal ones, as sizes are unknown or "
        f"windows large; {_FIX}",
    ),
    Difference(
        frozenset({"FloorDiv"}),
        _divides_large,
        "wasm divides integers in float32, which is exact up to 16777216",
    ),
    Difference(
        frozenset({"Mul"}),
        _multiplies_large,
        "the cpu backend loses the last bits of products of integers beyond 2^53",
    ),
    Difference(
        frozenset({"Pow"}),
        _may_wrap_around,
        "wasm does not let powers of integers beyond 2^31 wrap around",
    ),
    Difference(
        frozenset({"CropAndResize"}),
        _takes_nearest,
        "the cpu backend may take the other pixel where a place lies half way between two",
    ),
)


_CONCERNED = _ORDERING.union(*(kind.ops for kind in _ALWAYS))

# What constants tell ---------------------------------------------------------------------------


def _largest(nodes: Iterable[Node]) -> float:
    """The largest magnitude among the small constants that are more than bounds."""
    found = [np.zeros(1, np.float32)]
    for node in nodes:
        tensor = node.attrs["value"] if node.op == "Const" else None
        if tensor is None or tensor.dtype != "float32" or tensor.size > _MOST_LOOKED_AT:
            continue
        if all(user.op in _BOUNDED for user, _ in node.output.uses):
            continue
        found.append(tensor.array().reshape(-1))
    every = np.abs(np.concatenate(found))
    return float(every[~np.isnan(every)].max())


def _with_large_constants(most: float) -> Iterator[Difference]:
    if np.isinf(most):
        yield Difference(
            _OF_INFINITIES,
            _is_of_floats,
            "TF.js may order infinities wrongly on cpu and WebGL, and makes NaN of remainders by "
            "them; the graph has some, use large finite numbers",
        )
    if most > _MOST_ON_WEBGL:
        yield Difference(
            _EXTREMES,
            _is_of_floats,
            "WebGL finds no largest number below -1e20 and no smallest above 1e20; the graph has "
            f"{most:g}",
        )
