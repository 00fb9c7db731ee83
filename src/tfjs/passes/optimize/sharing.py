"""Values that are computed twice, and weights that are stored twice."""

from __future__ import annotations

from collections import Counter

from tfjs.ir.graph import Graph


def share(graph: Graph, hits: Counter[str]) -> None:
    """Let readers of equal values read one of them."""
