"""Plausible inputs: what a model is likely to be fed."""

from __future__ import annotations

import numpy as np
import pytest

from tfjs.ir.graph import Dims, Graph, Shape, Type
from tfjs.ops.build import Builder
from tfjs.verification.inputs import plausible_inputs


def graph_of(dtype: str, shape: Shape) -> tuple[Graph, Builder]:
    graph = Graph()
    attrs = {"dtype": dtype, "shape": Dims(shape)}
    graph.inputs = [graph.add("Placeholder", [], attrs, [Type(dtype, shape)], name="x")]
    return graph, Builder(graph, "net", [])


@pytest.mark.parametrize("dtype", ["float32", "int32", "bool", "string", "complex64", "int64"])
def test_shape_and_dtype(dtype: str) -> None:
    graph, _ = graph_of(dtype, (None, 5))
    (found,) = plausible_inputs(graph, 3)
    assert found["x"].shape == (3, 5)
    assert found["x"].dtype == (object if dtype == "string" else np.dtype(dtype))


def test_ids_lie_within_their_table() -> None:
    graph, build = graph_of("int32", (None, 400))
    ids = build.op("Identity", graph.inputs[0].output, attrs={"T": "int32"})
    table = np.zeros((7, 2), np.float32)
    attrs = {"Tparams": "float32", "Tindices": "int32", "Taxis": "int32", "batch_dims": 0}
    build.op("GatherV2", build.constant(table), ids, np.array(0, np.int32), attrs=attrs)
    (found,) = plausible_inputs(graph, 2)
    assert set(np.unique(found["x"])) == set(range(7))


def test_images_lie_in_their_range() -> None:
    (found,) = plausible_inputs(graph_of("float32", (None, 8, 8, 3))[0], 1)
    assert 0 <= found["x"].min() < 0.1 < 0.9 < found["x"].max() <= 1


def test_free_sizes_are_tried_and_bounded() -> None:
    sizes = [
        found["x"].shape for found in plausible_inputs(graph_of("float32", (None, None))[0], 1)
    ]
    assert sizes[0] == (1, 16)
    assert len(set(sizes)) == len(sizes) > 5
    wide = plausible_inputs(graph_of("float32", (None, None, None, None, 3))[0], 2)
    assert all(found["x"].size <= 1 << 20 for found in wide)


def test_inputs_differ_from_each_other_and_not_from_run_to_run() -> None:
    graph, _ = graph_of("float32", (4,))
    attrs = {"dtype": "float32", "shape": Dims((4,))}
    graph.inputs.append(graph.add("Placeholder", [], attrs, [Type("float32", (4,))], name="y"))
    (first,), (second,) = list(plausible_inputs(graph, 1)), list(plausible_inputs(graph, 1))
    assert not np.array_equal(first["x"], first["y"])
    assert all(np.array_equal(first[name], second[name]) for name in ("x", "y"))
