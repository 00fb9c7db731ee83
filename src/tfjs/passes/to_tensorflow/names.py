"""Names of nodes become such as TensorFlow accepts (tensorflow/core/framework/node_def_util.cc)."""

from __future__ import annotations

import re

from tfjs.ir.graph import Graph, GraphModel

_ACCEPTED = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
_OTHERS = re.compile(r"[^A-Za-z0-9_.\\/>-]")


def sanitize(model: GraphModel) -> None:
    """Rename nodes, and results of functions, whose names TensorFlow does not accept.

    The keys of the signature stay as they are.
    """
    renamed = _sanitize(model.graph)
    if model.initializer is not None:
        # A table has one name in both.
        for old, new in renamed.items():
            if old in model.initializer.nodes:
                model.initializer.rename(model.initializer.nodes[old], new)
        _sanitize(model.initializer)
    model.variables = {renamed.get(name, name): value for name, value in model.variables.items()}
    for body in model.functions.values():
        _sanitize(body)
        body.output_names = _distinct([accepted(name) for name in body.output_names])


def accepted(name: str) -> str:
    """The name, with what TensorFlow does not accept replaced."""
    if _ACCEPTED.fullmatch(name):
        return name
    found = _OTHERS.sub("_", name)
    return found if _ACCEPTED.fullmatch(found) else f"n{found}"


def _sanitize(graph: Graph) -> dict[str, str]:
    renamed = {}
    for node in list(graph.nodes.values()):
        old, new = node.name, accepted(node.name)
        if new != old:
            graph.rename(node, new)
            renamed[old] = node.name
    return renamed


def _distinct(names: list[str]) -> list[str]:
    found: dict[str, None] = {}
    for name in names:
        free, count = name, 0
        while free in found:
            count += 1
            free = f"{name}_{count}"
        found[free] = None
    return list(found)
