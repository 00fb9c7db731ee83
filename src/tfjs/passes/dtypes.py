"""Dtypes that TF.js lacks become those that it has.

TF.js computes in float32, int32, bool, string and complex64 (`runtime_contract.md` 1.3). Narrower
integers become int32, and what wraps around in them is made to wrap around; wider ones become
int32 too, where their constants fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tfjs.errors import UnsupportedError
from tfjs.io.files import CHUNK
from tfjs.ir.graph import Graph, GraphModel, Node, Value
from tfjs.ir.tensor import Array, CastTensor, Tensor
from tfjs.ops.base import MOST_LOOKED_AT
from tfjs.ops.build import Builder
from tfjs.passes.rules import Problem

MAPPED = {
    "int64": "int32",
    "int8": "int32",
    "uint8": "int32",
    "int16": "int32",
    "uint16": "int32",
    "uint32": "int32",
    "float64": "float32",
    "float16": "float32",
    "bfloat16": "float32",
    "complex128": "complex64",
}
_ABSENT = frozenset({"uint64", "qint8", "quint8", "qint16", "quint16", "qint32"})
# Bits, and whether negative numbers are among them.
_NARROW = {"int8": (8, True), "uint8": (8, False), "int16": (16, True), "uint16": (16, False)}
# What is computed in these is looked at closely.
_TOLD_APART = frozenset({"uint32", *_NARROW})
_INTEGERS = frozenset({"int32", "int64", "uint32", *_NARROW})
# Operations whose result may leave the range of a narrow dtype, by steps that stay exact in int32
# modulo 2^32: the result modulo 2^16 or 2^8 is then exact too.
_WRAPPING = frozenset(
    {"Add", "AddV2", "AddN", "Sub", "Mul", "Neg", "Abs", "Square", "Sum", "Cumsum", "MatMul"}
    | {"BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "SquaredDifference", "BiasAdd"}
    | {"Invert", "LeftShift", "Cross", "ScatterNd", "SegmentSum", "UnsortedSegmentSum"}
    | {"TensorScatterAdd", "TensorScatterSub", "AccumulateNV2", "BiasAddV1", "SegmentSumV2"}
)
# Those whose way to the result matters, not only its last bits.
_NOT_WRAPPING = frozenset(
    {"Prod", "Cumprod", "Pow", "Mean", "AvgPool", "LinSpace", "SegmentProd", "UnsortedSegmentProd"}
    | {"SegmentProdV2"}
)
# What they give for nothing is the largest or smallest number of the dtype.
_BOUNDED = frozenset({"UnsortedSegmentMax", "UnsortedSegmentMin", "SegmentMaxV2", "SegmentMinV2"})
# Where a number beyond all sizes means "to the end": by operation, the inputs.
_BOUNDS = {
    "StridedSlice": frozenset({1, 2}),
    "Slice": frozenset({1, 2}),
    "Minimum": frozenset({0, 1}),
    "Maximum": frozenset({0, 1}),
    "ClipByValue": frozenset({1, 2}),
}
_CARRYING = frozenset({"Pack", "ConcatV2", "Identity", "ExpandDims", "Reshape", "Squeeze"})


class _FittingTensor(Tensor):
    """Integers as int32; those that do not fit are refused, or clamped.

    Args:
        source: the integers.
        node: the name of the constant, for the message.
        clamp: whether what does not fit becomes the nearest number that does.
    """

    __slots__ = ("clamp", "node", "source")

    def __init__(self, source: Tensor, node: str, clamp: bool) -> None:
        super().__init__("int32", source.shape)
        self.source = source
        self.node = node
        self.clamp = clamp

    def array(self) -> Array:
        return self._fit(self.source.array())

    def blocks(self, size: int = CHUNK) -> Iterator[Array]:
        for block in self.source.blocks(size):
            yield self._fit(block)

    def _fit(self, block: Array) -> Array:
        info = np.iinfo(np.int32)
        if self.clamp:
            return np.clip(block, info.min, info.max).astype(np.int32)
        found = block[(block < info.min) | (block > info.max)]
        if found.size:
            raise UnsupportedError(
                f"the constant holds {int(found.flat[0])}, which does not fit TF.js's int32",
                where=self.node,
                hint="TF.js has no integers of 64 bits; keep such numbers out of the model",
            )
        return block.astype(np.int32)


class _SingleTensor(CastTensor):
    """float64 as float32; what is finite stays finite."""

    __slots__ = ()

    def __init__(self, source: Tensor) -> None:
        super().__init__(source, "float32")

    def array(self) -> Array:
        return self._narrow(self.source.array())

    def blocks(self, size: int = CHUNK) -> Iterator[Array]:
        for block in self.source.blocks(size):
            yield self._narrow(block)

    def _narrow(self, block: Array) -> Array:
        # The largest float64 stands for "more than anything": an infinity would make NaN of it.
        most = np.finfo(np.float32).max
        with np.errstate(over="ignore"):
            single = block.astype(np.float32)
        return np.where(np.isinf(single) & np.isfinite(block), np.copysign(most, single), single)


def remember_dtypes(model: GraphModel) -> None:
    """Keep in the signature which dtypes inputs and outputs have before they are mapped."""
    signature, graph = model.signature, model.graph
    fed = [node.output for node in graph.inputs]
    for keys, values, told in (
        (signature.inputs, fed, signature.input_dtypes),
        (signature.outputs, graph.outputs, signature.output_dtypes),
    ):
        for key, value in zip(keys, values, strict=True):
            if value.dtype in MAPPED:
                told[key] = value.dtype


def map_dtypes(graph: Graph) -> list[Problem]:
    """Bring all dtypes of a graph to those of TF.js: attributes, constants, values.

    Integers that are cast to 8 or 16 bits, or computed in them, wrap around as in TensorFlow. A
    large constant is checked when it is written.

    Returns:
        The nodes that cannot be expressed: 64-bit constants that do not fit (except where they
        only bound something), unsigned 64-bit and quantised numbers.
    """
    problems: list[Problem] = []
    for node in graph.ordered():
        reason = _reason(node)
        if reason is not None:
            where = f"{graph.name}/{node.name}" if graph.name else node.name
            problems.append(Problem(node.op, where, *reason))
            continue
        wraps = _wraps(node)
        if node.op == "Const":
            problems += _map_constant(graph, node)
        for name, attr in node.attrs.items():
            if type(attr) is list or (type(attr) is str and attr in MAPPED):
                node.attrs[name] = _map_attr(attr)
        for value in node.outputs:
            if value.dtype in MAPPED:
                value.dtype = MAPPED[value.dtype]
        if wraps is not None:
            _wrap(graph, node, *wraps)
    return problems


def _reason(node: Node) -> tuple[str, str | None] | None:
    """Why a node cannot be expressed, and what to do."""
    absent = [value.dtype for value in node.outputs if value.dtype in _ABSENT]
    if absent:
        return f"TF.js has no numbers of dtype {min(map(str, absent))}", None
    made = node.outputs[0].dtype if node.outputs else None
    if made not in _TOLD_APART and node.op != "Bitcast":
        return None
    source = node.attrs.get("SrcT")
    if made == "uint32" and node.op == "Cast" and source in ("int32", "int64"):
        return "numbers of dtype uint32 may not fit TF.js's int32", "use int32"
    if made == "uint32" and node.op in _WRAPPING | _NOT_WRAPPING:
        return "arithmetic in uint32 may not fit TF.js's int32", "compute in int32"
    if made in _NARROW and node.op in _NOT_WRAPPING:
        return f"{node.op} in {made} wraps around, which TF.js cannot follow", "compute in int32"
    if made in _NARROW and node.op in _BOUNDED:
        return f"{node.op} of nothing is a bound of {made}", "compute in int32"
    if node.op == "Bitcast" and node.attrs.get("T") != node.attrs.get("type"):
        return "TF.js cannot look at the bits of numbers", None
    return None


def _map_attr(value: Any) -> Any:
    if isinstance(value, str):
        return MAPPED.get(value, value)
    if isinstance(value, list):
        return [_map_attr(item) for item in value]
    return value


def _map_constant(graph: Graph, node: Node) -> list[Problem]:
    tensor = node.attrs.get("value")
    if not isinstance(tensor, Tensor) or tensor.dtype not in MAPPED:
        return []
    if tensor.dtype == "float64":
        node.attrs["value"] = _SingleTensor(tensor)
        return []
    if tensor.dtype not in ("int64", "uint32"):
        node.attrs["value"] = CastTensor(tensor, MAPPED[tensor.dtype])
        return []
    fitting = _FittingTensor(tensor, node.name, False)
    if tensor.size <= MOST_LOOKED_AT:
        try:
            fitting.array()
        except UnsupportedError as error:
            if not _only_bounds(graph, node.output):
                where = f"{graph.name}/{node.name}" if graph.name else node.name
                return [Problem("Const", where, error.message, error.hint)]
            fitting = _FittingTensor(tensor, node.name, True)
    node.attrs["value"] = fitting
    return []


def _only_bounds(graph: Graph, value: Value) -> bool:
    """Whether numbers only bound others, so that all beyond int32 are alike."""
    left, seen = [value], {value}
    while left:
        current = left.pop()
        if graph.is_output(current):
            return False
        for node, index in current.uses:
            if node.op in _CARRYING and node.output not in seen:
                seen.add(node.output)
                left.append(node.output)
            elif node.op not in _CARRYING and index not in _BOUNDS.get(node.op, ()):
                return False
    return True


def _wraps(node: Node) -> tuple[int, bool] | None:
    """Bits and sign of a node whose result must be made to wrap around."""
    dtype = node.outputs[0].dtype if node.outputs else None
    narrow = _NARROW.get(dtype or "")
    if narrow is None:
        return None
    if node.op == "Cast":
        source = str(node.attrs.get("SrcT"))
        # A float out of range has no defined result in TensorFlow.
        return narrow if source in _INTEGERS and not _within(source, str(dtype)) else None
    return narrow if node.op in _WRAPPING else None


def _within(source: str, target: str) -> bool:
    if source not in _NARROW:
        return False
    first, second = np.iinfo(source), np.iinfo(target)
    return bool(first.min >= second.min and first.max <= second.max)


def _wrap(graph: Graph, node: Node, bits: int, signed: bool) -> None:
    """Let all readers of an integer see it modulo 2^bits."""
    build = Builder(graph, node.name, node.origin)
    old = node.output
    readers = list(old.uses)
    value, half, attrs = old, 1 << (bits - 1), {"T": "int32"}
    if signed:
        value = build.op("AddV2", value, np.int32(half), attrs=attrs)
    value = build.op("FloorMod", value, np.int32(1 << bits), attrs=attrs)
    if signed:
        value = build.op("Sub", value, np.int32(half), attrs=attrs)
    for reader, index in readers:
        graph.set_input(reader, index, value)
    graph.outputs = [value if item is old else item for item in graph.outputs]
