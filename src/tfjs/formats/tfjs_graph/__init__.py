"""TF.js graph models: a `model.json` with a graph and a manifest, and its weight files."""

from __future__ import annotations

from tfjs.formats.base import Format
from tfjs.formats.tfjs_graph.read import read, sniff
from tfjs.formats.tfjs_graph.write import write

FORMAT = Format(
    name="tfjs-graph",
    title="TF.js graph model",
    sniff=sniff,
    read=read,
    write=write,
)
