"""One operation through the whole pipeline, run by TF.js, for a case of the table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.op_cases import Case
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.formats.base import WriteOptions
from tfjs.formats.tfjs_graph.write import write
from tfjs.ir.graph import Dims, Graph, GraphModel, Signature, Type, Value
from tfjs.ir.tensor import Array
from tfjs.ops.base import infer_types
from tfjs.ops.definitions import definition
from tfjs.passes.pipeline import legalize

BACKENDS = ("cpu", "wasm")
# Relative to the largest number; halves are computed in single precision by TF.js.
_CLOSE = 1e-5
_CLOSE_OF_HALVES = 4e-3


@dataclass(frozen=True)
class RawOp:
    """A case as a graph model that TF.js runs.

    Attributes:
        folder: where it is written.
        fed: what its inputs are given.
        outputs: which of the operation's outputs it gives.
        dynamic: whether only `executeAsync` runs it, as its notes say.
        missing: the backends on which it does not run, as its notes say.
        notes: what the report tells of it.
    """

    folder: Path
    fed: list[Array]
    outputs: list[int]
    dynamic: bool
    missing: frozenset[str]
    notes: tuple[str, ...]

    def run(self, runtime: TfjsRuntime, backend: str) -> list[Array]:
        """What the real TF.js answers."""
        method = "executeAsync" if self.dynamic else "predict"
        return runtime.predict_graph(self.folder, self.fed, backend=backend, method=method)


def convert(case: Case, folder: Path, *, free: bool = False) -> RawOp:
    """Write a model of placeholders, the operation, and an output for each that is compared.

    Args:
        case: the case; its inputs that are not `fixed` are fed.
        folder: where to write to.
        free: whether no size of what is fed is known, only its rank.

    Raises:
        UnsupportedError: TF.js cannot compute it.
    """
    model, chosen = model_of(case, free=free)
    notes = legalize(model).notes
    write(model, folder, WriteOptions())
    return RawOp(
        folder,
        [narrow(array) for array in fed(case)],
        chosen,
        any("only executeAsync" in note for note in notes),
        frozenset(name for name in BACKENDS for note in notes if f"on the {name} backend" in note),
        tuple(notes),
    )


def model_of(case: Case, *, free: bool = False) -> tuple[GraphModel, list[int]]:
    """The graph of a case as TensorFlow has it, and which of the operation's outputs it gives."""
    graph = Graph()
    values = [_input(graph, case, index, free=free) for index in range(len(case.inputs))]
    node = graph.add(case.op, values, case.attrs, [], name="node")
    node.outputs = [Value(node, index, type_) for index, type_ in enumerate(infer_types(node))]
    chosen = list(case.outputs if case.outputs is not None else range(len(node.outputs)))
    for index in chosen:
        value = node.outputs[index]
        copy = graph.add("Identity", [value], {"T": value.dtype}, [value.type], name=f"out{index}")
        graph.outputs.append(copy.output)
        graph.output_names.append(copy.name)
    signature = Signature([node.name for node in graph.inputs], list(graph.output_names))
    return GraphModel(graph, signature, {}), chosen


def fed(case: Case) -> list[Array]:
    """What the placeholders of a case are given."""
    return [array for index, array in enumerate(case.inputs) if index not in case.fixed]


def _input(graph: Graph, case: Case, index: int, *, free: bool) -> Value:
    array, name = case.inputs[index], f"x{index}"
    if index in case.fixed:
        return graph.constant(array, name=name)
    type_ = Type(case.dtype(index), tuple(None if free else size for size in array.shape))
    attrs = {"dtype": type_.dtype, "shape": Dims(type_.shape)}
    node = graph.add("Placeholder", [], attrs, [type_], name=name)
    graph.inputs.append(node)
    return node.output


_WITH_CHANNELS = frozenset(
    {"AvgPool", "AvgPool3D", "BiasAdd", "Conv2D", "Conv3D", "DepthToSpace", "SpaceToDepth"}
    | {"DepthwiseConv2dNative", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}
    | {"MaxPool", "MaxPool3D"}
)


def channels_first(case: Case) -> Case | None:
    """The case with its channels before the other axes; None where it has no such form.

    TensorFlow's CPU has hardly a kernel for it: its answer is that for the case, moved likewise.
    """
    if case.op not in _WITH_CHANNELS or case.inputs[0].ndim < 4:
        return None
    if bytes(case.attrs.get("data_format") or b"").startswith(b"NC"):
        return None
    rank = case.inputs[0].ndim
    order = first_order(rank)
    attrs = dict(case.attrs)
    for name in {"strides", "dilations", "ksize"} & set(attrs):
        attrs[name] = [attrs[name][axis] for axis in order]
    pads = attrs.get("explicit_paddings")
    if pads:
        attrs["explicit_paddings"] = [
            number for axis in order for number in pads[2 * axis : 2 * axis + 2]
        ]
    attrs["data_format"] = b"NCHW" if rank == 4 or case.op == "BiasAdd" else b"NCDHW"
    moved = np.transpose(case.inputs[0], order)
    inputs = (moved, *case.inputs[1:])
    return replace(case, attrs=attrs, inputs=inputs, outputs=(0,), label=f"{case.label}/first")


def first_order(rank: int) -> list[int]:
    """The order of axes that brings channels from the end to place 1."""
    return [0, rank - 1, *range(1, rank - 1)]


def retyped(case: Case, dtype: str) -> Case | None:
    """The case with other numbers in the place of its float32; None where it has none.

    Args:
        case: the case.
        dtype: "int32", "uint8", "bool", "complex64" or "string".
    """
    known = definition(case.op)
    assert known is not None
    extra = len(case.inputs) - len(known.inputs) + 1
    names: list[str | None] = []
    for argument in known.inputs:
        several = argument.number_attr is not None or argument.dtypes_attr is not None
        names += [argument.dtype_attr] * (extra if several else 1)
    if len(names) != len(case.inputs):
        return None
    pairs = list(zip(names, case.inputs, strict=True))
    main = next((name for name, item in pairs if name and item.dtype == np.float32), None)
    if main is None:
        return None
    inputs = tuple(_other(item, dtype) if name == main else item for name, item in pairs)
    attrs = {**case.attrs, main: dtype}
    return replace(case, attrs=attrs, inputs=inputs, label=f"{case.label}/{dtype}")


def _other(array: Array, dtype: str) -> Array:
    near = np.clip(np.nan_to_num(array), -99, 99)
    whole = (near * 3).astype(np.int32)
    if dtype == "complex64":
        return np.array(near + 1j * (0.5 - near), np.complex64)
    if dtype == "bool":
        return np.array(array > 0.2)
    if dtype != "string":
        return whole if dtype == "int32" else np.array(np.minimum(abs(whole), 250), dtype)
    texts = np.empty(array.shape, object)
    for place in np.ndindex(array.shape):
        texts[place] = b"%d" % whole[place]
    return texts


def narrow(array: Array) -> Array:
    """An array in the dtype that TF.js has for its own."""
    kind = {"f": np.float32, "i": np.int32, "u": np.int32, "c": np.complex64}.get(array.dtype.kind)
    with np.errstate(over="ignore"):
        return array if kind is None else array.astype(kind)


def difference(ours: Array, theirs: Array) -> str | None:
    """In what an answer of TF.js differs from one of TensorFlow; None where in nothing."""
    close = _CLOSE_OF_HALVES if theirs.dtype == np.float16 else _CLOSE
    wanted = narrow(theirs)
    if ours.dtype != wanted.dtype or ours.shape != wanted.shape:
        return f"{ours.dtype} {ours.shape} for {wanted.dtype} {wanted.shape}"
    if ours.dtype.kind not in "fc":
        same: Any = np.array(ours == wanted)
    else:
        finite = np.abs(wanted[np.isfinite(wanted)])
        scale = float(finite.max()) if finite.size else 1.0
        same = np.isclose(ours, wanted, rtol=close, atol=close * scale, equal_nan=True)
    if np.all(same):
        return None
    return f"{ours[~same][:5]} for {wanted[~same][:5]}"
