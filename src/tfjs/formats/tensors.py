"""The weights of a model of any kind."""

from __future__ import annotations

from tfjs.formats.base import Content
from tfjs.ir.graph import GraphModel
from tfjs.ir.layers_model import LayersModel
from tfjs.ir.tensor import Tensor


def tensors_of(content: Content) -> dict[str, Tensor]:
    """The weights of a model by name (`dense/kernel`; nested layers by path)."""
    if isinstance(content, LayersModel):
        return {f"{path}/{weight.name}": weight.tensor for path, weight in content.weights()}
    if isinstance(content, GraphModel):
        constants = (n for n in content.graph.nodes.values() if n.op == "Const")
        return {**content.variables, **{node.name: node.attrs["value"] for node in constants}}
    return {entry.name: entry.tensor for entry in content.tensors()}
