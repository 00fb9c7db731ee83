"""What a case of an operation is: its name, attributes and inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfjs.ir.graph import Graph, Node, Type
from tfjs.ir.tensor import Array, ArrayTensor
from tfjs.ops.definitions import Argument, definition


@dataclass(frozen=True)
class Case:
    """An operation with all attributes and the values of its inputs.

    Attributes:
        op: TensorFlow's name.
        attrs: all attributes, as nodes have them.
        inputs: the arrays that go in, those of lists one after the other.
        fixed: which inputs are constants in graphs, such as shapes and axes.
        outputs: which outputs are compared; the others depend on the runtime.
        dynamic: whether shapes depend on numbers that are no constants.
        rtol: how far numbers may be off; by dtype where 0.
        label: what is told apart.
    """

    op: str
    attrs: Mapping[str, Any]
    inputs: tuple[Array, ...]
    fixed: frozenset[int]
    outputs: tuple[int, ...] | None = None
    dynamic: bool = False
    rtol: float = 0.0
    label: str = ""

    @property
    def id(self) -> str:
        """As pytest prints it."""
        shapes = ",".join("x".join(map(str, item.shape)) or "_" for item in self.inputs)
        dtype = self.inputs[0].dtype.name if self.inputs else ""
        return "-".join(filter(None, [self.op, dtype, shapes, self.label]))

    def node(self, types: Mapping[int, Type] | None = None) -> Node:
        """The case as a node of a new graph.

        Args:
            types: inputs that are placeholders of a type; all others are constants.
        """
        graph, values = Graph(), []
        for index, array in enumerate(self.inputs):
            name = f"x{index}"
            if types is not None and index in types:
                placeholder = graph.add("Placeholder", [], {}, [types[index]], name=name)
                values.append(placeholder.output)
            else:
                values.append(graph.constant(array, name=name))
        return graph.add(self.op, values, self.attrs, [], name="node")

    def dtype(self, index: int) -> str:
        """The dtype of an input, by our name."""
        return ArrayTensor(self.inputs[index]).dtype


def case(
    op: str,
    *inputs: Any,
    fixed: Sequence[int] = (),
    outputs: Sequence[int] | None = None,
    dynamic: bool = False,
    rtol: float = 0.0,
    label: str = "",
    **attrs: Any,
) -> Case:
    """A case; attributes for dtypes and numbers of inputs are those of the inputs.

    Args:
        op: TensorFlow's name.
        inputs: arrays, or what makes one: ints become int32, floats float32; a list of arrays for
            an argument that takes several.
        fixed: see `Case`; counts flat inputs.
        outputs: see `Case`.
        dynamic: see `Case`.
        rtol: see `Case`.
        label: see `Case`.
        attrs: the other attributes that have no default, or another value.
    """
    known = definition(op)
    assert known is not None, op
    found: dict[str, Any] = {**known.defaults}
    flat: list[Array] = []
    assert len(inputs) == len(known.inputs), (op, known.inputs)
    for argument, given in zip(known.inputs, inputs, strict=True):
        several = argument.number_attr is not None or argument.dtypes_attr is not None
        arrays = [_array(item) for item in given] if several else [_array(given)]
        found.update(_attrs_of(argument, arrays))
        flat += arrays
    found.update(attrs)
    chosen = None if outputs is None else tuple(outputs)
    return Case(op, found, tuple(flat), frozenset(fixed), chosen, dynamic, rtol, label)


def _array(given: Any) -> Array:
    if isinstance(given, np.ndarray | np.generic):
        return np.asarray(given)
    array = np.asarray(given)
    if array.dtype.kind in "SU":
        result = np.empty(array.shape, object)
        for place in np.ndindex(array.shape):
            item = array[place]
            result[place] = item.encode() if isinstance(item, str) else bytes(item)
        return result
    return array.astype({"i": np.int32, "f": np.float32}.get(array.dtype.kind, array.dtype))


def _attrs_of(argument: Argument, arrays: Sequence[Array]) -> dict[str, Any]:
    dtypes = [ArrayTensor(array).dtype for array in arrays]
    found: dict[str, Any] = {}
    if argument.dtypes_attr is not None:
        found[argument.dtypes_attr] = dtypes
    if argument.dtype_attr is not None:
        found[argument.dtype_attr] = dtypes[0]
    if argument.number_attr is not None:
        found[argument.number_attr] = len(arrays)
    return found


def int32(numbers: Any) -> Array:
    """An array of int32."""
    return np.array(numbers, np.int32)


def int64(numbers: Any) -> Array:
    """An array of int64."""
    return np.array(numbers, np.int64)


def uint8(numbers: Any) -> Array:
    """An array of uint8."""
    return np.array(numbers, np.uint8)


def float32(numbers: Any) -> Array:
    """An array of float32."""
    return np.array(numbers, np.float32)


def float64(numbers: Any) -> Array:
    """An array of float64."""
    return np.array(numbers, np.float64)


class Numbers:
    """Arrays of numbers that are always the same.

    Args:
        seed: which.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def floats(
        self, *shape: int, low: float = -2.0, high: float = 2.0, dtype: str = "float32"
    ) -> Array:
        """Numbers between two bounds."""
        return self._rng.uniform(low, high, shape).astype(dtype)

    def ints(self, *shape: int, low: int = -9, high: int = 10, dtype: str = "int32") -> Array:
        """Integers from `low` to before `high`."""
        return self._rng.integers(low, high, shape).astype(dtype)

    def bools(self, *shape: int) -> Array:
        """True and false."""
        return self._rng.integers(0, 2, shape).astype(bool)

    def complexes(self, *shape: int, dtype: str = "complex64") -> Array:
        """Complex numbers."""
        real, imag = self._rng.uniform(-2, 2, (2, *shape))
        return np.asarray(real + 1j * imag).astype(dtype)

    def strings(self, *shape: int) -> Array:
        """Short byte strings."""
        result = np.empty(shape, object)
        for place in np.ndindex(shape):
            letters = self._rng.integers(97, 123, self._rng.integers(0, 6))
            result[place] = bytes(letters.astype(np.uint8))
        return result

    def order(self, count: int) -> Array:
        """The numbers below another, in any order."""
        return self._rng.permutation(count).astype(np.int32)

    def any(self, dtype: str, *shape: int) -> Array:
        """Numbers of some dtype."""
        if dtype == "string":
            return self.strings(*shape)
        if dtype == "bool":
            return self.bools(*shape)
        if dtype.startswith("complex"):
            return self.complexes(*shape, dtype=dtype)
        if dtype.startswith("float"):
            return self.floats(*shape, dtype=dtype)
        return self.ints(*shape, low=0 if dtype.startswith("u") else -9, dtype=dtype)
