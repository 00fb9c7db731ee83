"""Graphs built by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfjs.ir.graph import Dims, Graph, GraphModel, Shape, Signature, Type, Value


class Drawing:
    """A graph that is being drawn.

    Args:
        name: the name of a function; "" for a main graph.
    """

    def __init__(self, name: str = "") -> None:
        self.graph = Graph(name)

    def feed(self, name: str, dtype: str = "float32", shape: Shape = None) -> Value:
        """An input."""
        attrs = {"dtype": dtype, "shape": Dims(shape)}
        node = self.graph.add("Placeholder", [], attrs, [Type(dtype, shape)], name=name)
        self.graph.inputs.append(node)
        return node.output

    def constant(self, name: str, value: npt.ArrayLike, dtype: str | None = None) -> Value:
        """A constant; Python's floats become float32, its ints int32."""
        array = np.asarray(value, dtype)
        if dtype is None and not isinstance(value, np.ndarray):
            array = array.astype({"f": "float32", "i": "int32"}.get(array.dtype.kind, array.dtype))
        return self.graph.constant(array, name=name)

    def op(self, op: str, name: str, *inputs: Value, dtype: str = "float32", **attrs: Any) -> Value:
        """A node with one output of unknown shape."""
        return self.ops(op, name, *inputs, dtypes=[dtype], **attrs)[0]

    def ops(
        self, op: str, name: str, *inputs: Value, dtypes: Sequence[str], **attrs: Any
    ) -> list[Value]:
        """A node with any outputs of unknown shapes."""
        types = [Type(dtype) for dtype in dtypes]
        return self.graph.add(op, inputs, attrs, types, name=name).outputs

    def gives(self, **outputs: Value) -> Graph:
        """The graph, with these outputs."""
        self.graph.outputs = list(outputs.values())
        self.graph.output_names = list(outputs)
        return self.graph


def model_of(graph: Graph, *functions: Graph, structured: bool = False) -> GraphModel:
    """A model whose signature has the names of the graph's inputs and outputs."""
    keys = [node.name for node in graph.inputs]
    return GraphModel(
        graph,
        Signature(keys, list(graph.output_names), structured),
        {function.name: function for function in functions},
    )
