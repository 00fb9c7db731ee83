"""Building what replaces a node, in TensorFlow's operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfjs.ir.graph import Graph, Node, Type, Value
from tfjs.ir.tensor import Tensor
from tfjs.ops.base import infer_types
from tfjs.ops.definitions import built_definition


class Builder:
    """Adds nodes for something: a node that they replace, say, with its name and origin.

    Args:
        graph: the graph.
        name: what they stand for; new nodes are called `<name>/<what>`.
        origin: names of the source's nodes that they stand for.

    Attributes:
        made: the nodes added so far, constants not among them.
    """

    def __init__(self, graph: Graph, name: str, origin: Iterable[str]) -> None:
        self.graph = graph
        self.name = name
        self.origin = tuple(origin)
        self.made: list[Node] = []

    def op(
        self,
        op: str,
        *inputs: Value | npt.ArrayLike,
        attrs: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> Value:
        """Add a node; what is no value becomes a constant.

        Numbers become constants of the dtype of the first value among the inputs; give an array
        for any other dtype.

        Returns:
            Its first output.
        """
        return self.ops(op, *inputs, attrs=attrs, name=name)[0]

    def ops(
        self,
        op: str,
        *inputs: Value | npt.ArrayLike,
        attrs: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> list[Value]:
        """Add a node with several outputs; see `op`. Attributes must hold the dtypes (`T` ...)."""
        like = next((value.dtype for value in inputs if isinstance(value, Value)), None)
        values = [self._value(item, like) for item in inputs]
        given = f"{self.name}/{name or op}"
        node = self.graph.add(op, values, attrs or {}, [], name=given, origin=self.origin)
        found = infer_types(node, built_definition(op))
        node.outputs = [Value(node, index, type_) for index, type_ in enumerate(found)]
        self.made.append(node)
        return node.outputs

    def constant(self, value: npt.ArrayLike | Tensor, dtype: str | None = None) -> Value:
        """Add a constant; Python's floats become float32, its ints int32."""
        name = f"{self.name}/Const"
        if isinstance(value, Tensor):
            return self.graph.constant(value, name=name, origin=self.origin)
        array = np.asarray(value, dtype=dtype)
        if dtype is None and not isinstance(value, np.ndarray | np.generic):
            array = array.astype(
                {"f": np.float32, "i": np.int32}.get(array.dtype.kind, array.dtype)
            )
        return self.graph.constant(array, name=name, origin=self.origin)

    def cast(self, value: Value, dtype: str) -> Value:
        """A value in another dtype; itself where it has that dtype already."""
        if value.dtype == dtype:
            return value
        return self.op("Cast", value, attrs={"SrcT": value.dtype, "DstT": dtype})

    def reshape(self, value: Value, shape: Value | Sequence[int]) -> Value:
        """A value in another shape; -1 stands for what is left."""
        wanted = shape if isinstance(shape, Value) else self.constant(np.array(shape, np.int32))
        return self.op("Reshape", value, wanted, attrs={"T": value.dtype, "Tshape": wanted.dtype})

    def transpose(self, value: Value, order: Sequence[int]) -> Value:
        """A value with its axes in another order."""
        axes = np.array(order, np.int32)
        return self.op("Transpose", value, axes, attrs={"T": value.dtype, "Tperm": "int32"})

    def _value(self, item: Value | npt.ArrayLike, like: str | None) -> Value:
        if isinstance(item, Value):
            return item
        typed = isinstance(item, np.ndarray | np.generic)
        return self.constant(item, None if typed or like in (None, "string") else like)


def retype(node: Node) -> None:
    """Bring the types of a node's outputs up to date with its attributes and inputs."""
    for value, type_ in zip(node.outputs, infer_types(node), strict=True):
        value.dtype, value.shape = Type(*type_)
