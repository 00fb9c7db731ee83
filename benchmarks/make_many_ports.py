"""Makes a frozen graph of a given number of inputs, and as many outputs, with TensorFlow's protos.

    .venv-test/bin/python benchmarks/make_many_ports.py COUNT DEST_WITHOUT_SUFFIX

Between each input and its output stand nodes that a conversion takes out.
"""

from __future__ import annotations

import sys
from pathlib import Path

from make_frozen_graph import add
from tensorflow.core.framework import graph_pb2


def make(count: int) -> graph_pb2.GraphDef:
    """Rows of four nodes, each with an input and an output of its own."""
    graph = graph_pb2.GraphDef()
    for row in range(count):
        node = add(graph, f"x{row}", "Placeholder", dtype="dtype")
        node.attr["shape"].shape.dim.add(size=2)
        add(graph, f"read{row}", "Identity", [f"x{row}"])
        add(graph, f"relu{row}", "Relu", [f"read{row}"])
        add(graph, f"output{row}", "Identity", [f"relu{row}"])
    return graph


def main(count: int, dest: str) -> None:
    """Writes the graph; under another name first, so that a model in the cache is whole."""
    whole = Path(f"{dest}.pb")
    part = whole.with_name(f"part-{whole.name}")
    part.write_bytes(make(count).SerializeToString())
    part.rename(whole)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
