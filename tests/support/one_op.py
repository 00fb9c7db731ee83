"""One operation in the real TF.js, as it is: no pass of ours rewrites it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from tests.support.protocol import TfjsHost
from tfjs.formats.base import WriteOptions
from tfjs.formats.tfjs_graph.write import write
from tfjs.ir.graph import Attrs, Dims, Graph, GraphModel, Signature, Type, Value
from tfjs.ir.tensor import Array, ArrayTensor
from tfjs.ops.support import is_dynamic


def ask(
    runtime: TfjsHost,
    folder: Path,
    op: str,
    attrs: Attrs,
    inputs: Sequence[Array],
    *,
    fixed: Collection[int] = (),
    outputs: int = 1,
) -> list[Array]:
    """What TF.js's cpu backend gives.

    Args:
        runtime: the real TF.js.
        folder: where the graph is written to.
        op: the operation.
        attrs: its attributes.
        inputs: in TF.js's dtypes.
        fixed: which of them are constants of the graph; the others are fed.
        outputs: how many outputs are asked for.
    """
    graph = Graph()
    values: list[Value] = []
    for index, array in enumerate(inputs):
        tensor = ArrayTensor(array)
        if index in fixed:
            values.append(graph.constant(tensor, name=f"x{index}"))
            continue
        told = {"dtype": tensor.dtype, "shape": Dims(tensor.shape)}
        node = graph.add("Placeholder", [], told, [Type(tensor.dtype)], name=f"x{index}")
        graph.inputs.append(node)
        values.append(node.output)
    node = graph.add(op, values, attrs, [Type("float32")] * outputs, name="node")
    for index, value in enumerate(node.outputs):
        # It passes on what it gets, whatever its dtype.
        copy = graph.add("Identity", [value], {"T": "float32"}, [value.type], name=f"out{index}")
        graph.outputs.append(copy.output)
        graph.output_names.append(copy.name)
    signature = Signature([entry.name for entry in graph.inputs], list(graph.output_names))
    write(GraphModel(graph, signature, {}), folder, WriteOptions())
    fed = [array for index, array in enumerate(inputs) if index not in fixed]
    method = "executeAsync" if is_dynamic(op) else "predict"
    return runtime.predict_graph(folder, fed, backend="cpu", method=method)


def assert_same(ours: Sequence[Array], theirs: Sequence[Array]) -> None:
    """Assert that two answers have the same dtypes, shapes and numbers."""
    for index, (found, wanted) in enumerate(zip(ours, theirs, strict=True)):
        assert found.dtype == wanted.dtype, index
        assert found.shape == wanted.shape, index
        if found.dtype.kind in "fc":
            np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=1e-5)
        else:
            np.testing.assert_array_equal(found, wanted)
