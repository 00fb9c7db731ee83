"""Frozen graphs: a GraphDef of TensorFlow whose variables are constants."""

from __future__ import annotations

from pathlib import Path

from tfjs.formats.base import Content, Format, WriteOptions, Written
from tfjs.formats.frozen_graph.read import read, sniff


def _write(content: Content, path: Path, options: WriteOptions) -> Written:
    # The passes behind it take long to import, and most conversions need none of them.
    from tfjs.formats.frozen_graph.write import write

    return write(content, path, options)


FORMAT = Format(
    name="frozen-graph",
    title="frozen TensorFlow graph",
    sniff=sniff,
    read=read,
    write=_write,
    options=frozenset({"output_node_names"}),
)
