"""Frozen graphs: a GraphDef of TensorFlow whose variables are constants."""

from __future__ import annotations

from tfjs.formats.base import Format
from tfjs.formats.frozen_graph.read import read, sniff
from tfjs.formats.frozen_graph.write import write

FORMAT = Format(
    name="frozen-graph",
    title="frozen TensorFlow graph",
    sniff=sniff,
    read=read,
    write=write,
    options=frozenset({"output_node_names"}),
)
