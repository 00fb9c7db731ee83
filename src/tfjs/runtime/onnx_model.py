"""ONNX models in the making: nodes, constants, and tensors in either order of their axes.

TensorFlow has the channels of images last, ONNX right behind the batch. A value is kept in the
order in which it was made, and transposed where another is asked for: once, and of constants
beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfjs.ir.graph import Shape, Type, Value
from tfjs.ir.tensor import Array
from tfjs.runtime.modes import Mode
from tfjs.wire.protobuf import message_class

# Our names of dtypes, with ONNX's numbers of them.
DTYPES = {"float32": 1, "uint8": 2, "int32": 6, "int64": 7, "bool": 9}
TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
# Versions of ONNX's operations that onnxruntime 1.20 has all of.
_OPSET, _IR_VERSION = 18, 9
# Constants up to so many bytes stand in the model: ONNX Runtime looks into these.
_MOST_INLINE = 1024

Make = Callable[[], Array]


class UnmappedError(Exception):
    """A node is left to NumPy."""


def check(told: object) -> None:
    """Leave a node to NumPy unless something holds.

    Raises:
        UnmappedError: it does not.
    """
    if not told:
        raise UnmappedError


@dataclass(slots=True)
class _Call:
    """A node of ONNX."""

    op: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attrs: Mapping[str, Any]


@dataclass(slots=True)
class Built:
    """A model that ONNX Runtime takes.

    Attributes:
        data: the serialized model.
        weights: the larger constants, by the name under which the model knows them.
        inputs: the names of what is fed.
        outputs: the names of what comes out.
    """

    data: bytes
    weights: dict[str, Array]
    inputs: list[str]
    outputs: list[str]


@dataclass(slots=True)
class OnnxGraph:
    """Collects what nodes become.

    Attributes:
        types: the types of values, as the graph tells them.
        constants: the elements of values that are constants.
        mode: in which dtypes the graph is computed.
        wanted: the values that are read.
    """

    types: Mapping[Value, Type]
    constants: Mapping[Value, Array]
    mode: Mode
    wanted: frozenset[Value]
    _calls: list[_Call] = field(default_factory=list)
    _initials: dict[str, Make] = field(default_factory=dict)
    _inputs: dict[Value, str] = field(default_factory=dict)
    _last: dict[Value, str] = field(default_factory=dict)
    _first: dict[Value, str] = field(default_factory=dict)
    _count: int = 0

    # What is known ---------------------------------------------------------------------------

    def known(self, value: Value) -> Array | None:
        """The elements of a constant; None for any other value."""
        return self.constants.get(value)

    def _type(self, value: Value) -> Type:
        return self.types.get(value, Type(None))

    def must_know(self, value: Value) -> Array:
        """The elements of a constant.

        Raises:
            UnmappedError: it is none.
        """
        found = self.constants.get(value)
        if found is None:
            raise UnmappedError
        return found

    def shape(self, value: Value) -> Shape:
        """What is known of the shape of a value."""
        known = self.constants.get(value)
        return self._type(value).shape if known is None else known.shape

    def rank(self, value: Value) -> int:
        """The rank of a value.

        Raises:
            UnmappedError: nothing tells it.
        """
        shape = self.shape(value)
        if shape is None:
            raise UnmappedError
        return len(shape)

    def dtype(self, value: Value) -> str:
        """The dtype in which a value is computed.

        Raises:
            UnmappedError: nothing tells it, or it is none for ONNX here.
        """
        known = self.constants.get(value)
        told = self._type(value).dtype if known is None else known.dtype.name
        found = None if told is None or told == "bfloat16" else self.mode.dtype(told)
        if found not in DTYPES:
            raise UnmappedError
        return found

    def are(self, values: Sequence[Value], *dtypes: str) -> None:
        """See that all values are of one dtype, which is one of some.

        Raises:
            UnmappedError: they are not.
        """
        check({self.dtype(value) for value in values} <= set(dtypes))
        check(len({self.dtype(value) for value in values}) == 1)

    # Names -----------------------------------------------------------------------------------

    def is_first(self, value: Value) -> bool:
        """Whether a value is at hand with the channels right behind the batch."""
        return value in self._first

    def last(self, value: Value) -> str:
        """The name of a value with its axes as TensorFlow has them."""
        found = self._last.get(value)
        if found is None:
            found = self._last[value] = self._named(value)
        return found

    def first(self, value: Value) -> str:
        """The name of a value of rank 4 with the channels right behind the batch."""
        found = self._first.get(value)
        if found is None:
            known = self.constants.get(value)
            if known is not None:
                array = known
                found = self.initial(lambda: array.transpose(TO_FIRST))
            else:
                found = self.put("Transpose", [self.last(value)], perm=list(TO_FIRST))
            self._first[value] = found
        return found

    def give(self, value: Value, name: str, *, first: bool = False) -> None:
        """Say under which name a value stands, and in which order of its axes."""
        (self._first if first else self._last)[value] = name

    def aligned(self, values: Sequence[Value]) -> tuple[list[str], bool]:
        """Operands that are broadcast against each other, all in one order.

        Returns:
            Their names, and whether channels stand right behind the batch.
        """
        any_first = any(self.is_first(value) for value in values)
        if not any_first or not all(self._fits(value) for value in values):
            return [self.last(value) for value in values], False
        return [self._operand(value) for value in values], True

    # Building --------------------------------------------------------------------------------

    def initial(self, make: Make) -> str:
        """A constant, which is made when the model is."""
        name = self._name()
        self._initials[name] = make
        return name

    def constant(self, array: Array) -> str:
        """A constant that is there already."""
        return self.initial(lambda: array)

    def numbers(self, *items: int) -> str:
        """A vector of int64."""
        return self.constant(np.array(items, np.int64))

    def put(self, op: str, inputs: Sequence[str], **attrs: Any) -> str:
        """Add a node of one output, and get that."""
        return self.put_many(op, inputs, 1, **attrs)[0]

    def put_many(self, op: str, inputs: Sequence[str], count: int, **attrs: Any) -> list[str]:
        """Add a node of several outputs, and get them."""
        outputs = [self._name() for _ in range(count)]
        self._calls.append(_Call(op, list(inputs), outputs, attrs))
        return outputs

    def cast(self, name: str, dtype: str) -> str:
        """A tensor in another dtype."""
        return self.put("Cast", [name], to=DTYPES[dtype])

    def long(self, value: Value) -> str:
        """A value as int64, which ONNX wants of shapes and places."""
        known = self.constants.get(value)
        if known is not None:
            array = known
            return self.initial(lambda: array.astype(np.int64))
        name = self.last(value)
        return name if self.dtype(value) == "int64" else self.cast(name, "int64")

    # Parts -----------------------------------------------------------------------------------

    def _name(self) -> str:
        self._count += 1
        return f"t{self._count}"

    def _named(self, value: Value) -> str:
        known = self.constants.get(value)
        if known is not None:
            return self.constant(known)
        if value in self._first:
            return self.put("Transpose", [self._first[value]], perm=list(TO_LAST))
        self.dtype(value)
        name = self._inputs[value] = self._name()
        return name

    def _fits(self, value: Value) -> bool:
        known = self.constants.get(value)
        if known is not None:
            return known.ndim <= 4
        shape = self.shape(value)
        return value in self._first or (shape is not None and len(shape) in (0, 4))

    def _operand(self, value: Value) -> str:
        known = self.constants.get(value)
        if known is None or known.ndim == 4:
            return self.first(value) if self.shape(value) != () else self.last(value)
        if known.ndim == 0:
            return self.last(value)
        whole = known.reshape((1,) * (4 - known.ndim) + known.shape)
        return self.initial(lambda: whole.transpose(TO_FIRST))

    # The model -------------------------------------------------------------------------------

    def build(self, outputs: Sequence[Value]) -> tuple[Built, list[Value]]:
        """The model that computes some values.

        Returns:
            The model, and the values that are fed to it in the order of its inputs.
        """
        model = message_class("onnx.ModelProto")()
        graph: Any = model.graph  # type: ignore[attr-defined]
        names = [self.last(value) for value in outputs]
        model.ir_version = _IR_VERSION  # type: ignore[attr-defined]
        model.opset_import.add(version=_OPSET)  # type: ignore[attr-defined]
        graph.name = "tfjs"
        for value, name in self._inputs.items():
            told = graph.input.add(name=name).type.tensor_type
            told.elem_type = DTYPES[self.dtype(value)]
            shape = self._type(value).shape
            if shape is None:
                continue
            told.shape.SetInParent()
            for size in shape:
                told.shape.dim.add(**({} if size is None else {"dim_value": size}))
        for value, name in zip(outputs, names, strict=True):
            told = graph.output.add(name=name).type.tensor_type
            told.elem_type = DTYPES[self.dtype(value)]
        for call in self._calls:
            node = graph.node.add(op_type=call.op, input=call.inputs, output=call.outputs)
            for key, item in call.attrs.items():
                _set(node.attribute.add(name=key), item)
        weights = self._hand_over(graph)
        built = Built(model.SerializeToString(), weights, list(self._inputs.values()), names)
        return built, list(self._inputs)

    def _hand_over(self, graph: Any) -> dict[str, Array]:
        """Put the constants that are read into the model; the large ones beside it."""
        read = {name for call in self._calls for name in call.inputs}
        weights: dict[str, Array] = {}
        for name, make in self._initials.items():
            if name not in read:
                continue
            array = np.asarray(make(), order="C")
            proto = graph.initializer.add(name=name, dims=array.shape)
            proto.data_type = DTYPES[array.dtype.name]
            if array.nbytes <= _MOST_INLINE:
                proto.raw_data = array.tobytes()
                continue
            proto.data_location = 1
            for key, text in (("location", name), ("offset", "0"), ("length", str(array.nbytes))):
                proto.external_data.add(key=key, value=text)
            weights[name] = array
        return weights


def _set(proto: Any, item: Any) -> None:
    """Fill an attribute."""
    if isinstance(item, float):
        proto.type, proto.f = 1, item
    elif isinstance(item, int):
        proto.type, proto.i = 2, item
    elif isinstance(item, str):
        proto.type, proto.s = 3, item.encode()
    elif item and isinstance(item[0], float):
        proto.type = 6
        proto.floats.extend(item)
    else:
        proto.type = 7
        proto.ints.extend(item)
