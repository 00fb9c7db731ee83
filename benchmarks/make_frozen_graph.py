"""Makes a frozen graph of a given number of nodes, as TensorFlow 1 freezes dense layers.

.venv-test/bin/python benchmarks/make_frozen_graph.py NODES DEST_WITHOUT_SUFFIX
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import numpy.typing as npt
from tensorflow.core.framework import graph_pb2, node_def_pb2, types_pb2
from tensorflow.python.framework import tensor_util

UNITS = 8
NODES_A_LAYER = 10


def add(
    graph: graph_pb2.GraphDef, name: str, op: str, inputs: Sequence[str] = (), dtype: str = "T"
) -> node_def_pb2.NodeDef:
    """Adds a node of one dtype."""
    node = graph.node.add(name=name, op=op, input=inputs)
    node.attr[dtype].type = types_pb2.DT_FLOAT
    return node


def add_weight(graph: graph_pb2.GraphDef, name: str, value: npt.NDArray[np.float32]) -> str:
    """Adds what a variable becomes: a constant, and the node that read it."""
    node = add(graph, name, "Const", dtype="dtype")
    node.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(value))
    add(graph, f"{name}/read", "Identity", [name])
    return f"{name}/read"


def make(nodes: int) -> graph_pb2.GraphDef:
    """Layers of ten nodes each, every one with a way around it."""
    rng = np.random.default_rng(0)
    graph = graph_pb2.GraphDef()
    last = add(graph, "x", "Placeholder", dtype="dtype").name
    for size in (-1, UNITS):
        graph.node[0].attr["shape"].shape.dim.add(size=size)
    for layer in range(nodes // NODES_A_LAYER):
        scope = f"layer_{layer}"
        kernel = rng.standard_normal((UNITS, UNITS), np.float32) / np.float32(UNITS)
        read = add_weight(graph, f"{scope}/kernel", kernel)
        bias = add_weight(graph, f"{scope}/bias", rng.standard_normal(UNITS, np.float32))
        scale = add_weight(graph, f"{scope}/scale", np.full(UNITS, 0.1, np.float32))
        add(graph, f"{scope}/MatMul", "MatMul", [last, read])
        add(graph, f"{scope}/BiasAdd", "BiasAdd", [f"{scope}/MatMul", bias])
        add(graph, f"{scope}/mul", "Mul", [f"{scope}/BiasAdd", scale])
        add(graph, f"{scope}/add", "AddV2", [last, f"{scope}/mul"])
        last = f"{scope}/add"
    add(graph, "output", "Relu", [last])
    return graph


def main(nodes: int, dest: str) -> None:
    """Writes the graph; under another name first, so that a model in the cache is whole."""
    whole = Path(f"{dest}.pb")
    part = whole.with_name(f"part-{whole.name}")
    part.write_bytes(make(nodes).SerializeToString())
    part.rename(whole)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
