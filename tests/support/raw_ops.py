"""One operation through the whole pipeline, run by TF.js, for a case of the table."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.support.op_cases import Case
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.formats.base import WriteOptions
from tfjs.formats.tfjs_graph.write import write
from tfjs.ir.graph import Dims, Graph, GraphModel, Node, Signature, Type, Value
from tfjs.ir.tensor import Array
from tfjs.ops.base import infer_types
from tfjs.passes.pipeline import legalize

BACKENDS = ("cpu", "wasm")


@dataclass(frozen=True)
class RawOp:
    """A case as a graph model that TF.js runs.

    Attributes:
        folder: where it is written.
        fed: what its inputs are given.
        outputs: which of the operation's outputs it gives.
        dynamic: whether only `executeAsync` runs it.
        missing: the backends on which it does not run, as its notes say.
    """

    folder: Path
    fed: list[Array]
    outputs: list[int]
    dynamic: bool
    missing: frozenset[str]

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
    graph = Graph()
    values: list[Value] = []
    for index, array in enumerate(case.inputs):
        if index in case.fixed:
            values.append(graph.constant(array, name=f"x{index}"))
            continue
        shape = tuple(None if free else size for size in array.shape)
        dtype = case.dtype(index)
        node = graph.add(
            "Placeholder",
            [],
            {"dtype": dtype, "shape": Dims(shape)},
            [Type(dtype, shape)],
            name=f"x{index}",
        )
        graph.inputs.append(node)
        values.append(node.output)
    node = graph.add(case.op, values, case.attrs, [], name="node")
    node.outputs = [Value(node, index, type_) for index, type_ in enumerate(infer_types(node))]
    chosen = list(case.outputs if case.outputs is not None else range(len(node.outputs)))
    graph.outputs = [_identity(graph, node.outputs[index], index) for index in chosen]
    graph.output_names = [f"out{index}" for index in chosen]
    signature = Signature([node.name for node in graph.inputs], list(graph.output_names))
    model = GraphModel(graph, signature, {})
    notes = legalize(model).notes
    write(model, folder, WriteOptions())
    fed = [narrow(array) for index, array in enumerate(case.inputs) if index not in case.fixed]
    return RawOp(
        folder,
        fed,
        chosen,
        any("executeAsync" in note for note in notes),
        frozenset(
            backend for backend in BACKENDS for note in notes if f"on the {backend} backend" in note
        ),
    )


def _identity(graph: Graph, value: Value, index: int) -> Value:
    attrs = {"T": value.dtype}
    return graph.add("Identity", [value], attrs, [value.type], name=f"out{index}").output


def narrow(array: Array) -> Array:
    """An array in the dtype that TF.js has for its own."""
    kind = {"f": np.float32, "i": np.int32, "u": np.int32, "c": np.complex64}.get(array.dtype.kind)
    return array if kind is None else array.astype(kind)
