"""Graphs and functions as GraphDef and FunctionDef messages; `graph_def` reads them.

Attributes that are their operation's default are left out, as TensorFlow does in SavedModels: an
older release then loads what it could not name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tfjs.errors import ConversionError
from tfjs.formats.attr_kinds import FIELDS, kind_of
from tfjs.formats.tensor_proto import shape_proto, tensor_proto
from tfjs.ir.dtypes import TO_NUMBER
from tfjs.ir.graph import Dims, FuncRef, Graph, Node, Value
from tfjs.ir.tensor import Tensor
from tfjs.ops.definitions import Argument, Definition, definition
from tfjs.wire.protobuf import message_class

# The numbers of TensorFlow 2.21 (tensorflow/core/public/version.h), whose operations we speak;
# bodies of functions in their form of today have been read since version 12.
PRODUCER, MIN_CONSUMER = 2474, 12
# How a node calls a value that it reads.
Reference = Callable[[Value], str]


def fill_graph_def(message: Any, graph: Graph, functions: Iterable[Graph]) -> None:
    """Fill a GraphDef with a graph and the functions that it reaches.

    Raises:
        ConversionError: an attribute is of another type than its operation wants, or a function
            takes or gives a value of unknown dtype.
    """
    message.versions.CopyFrom(versions())
    message.node.extend(node_proto(node) for node in graph.ordered())
    message.library.function.extend(function_proto(function) for function in functions)


def dtype_number(value: Value) -> int:
    """The number of a value's dtype.

    Raises:
        ConversionError: it is unknown.
    """
    number = TO_NUMBER.get(value.dtype or "")
    if number is None:
        raise ConversionError(f"has a value of unknown dtype: {value.name!r}")
    return number


def versions() -> Any:
    """The VersionDef of what is written."""
    return message_class("tensorflow.VersionDef")(producer=PRODUCER, min_consumer=MIN_CONSUMER)


def node_proto(node: Node, reference: Reference = lambda value: value.name) -> Any:
    """A NodeDef.

    Args:
        node: the node; it has all attributes that its operation needs.
        reference: how a value that it reads is called.

    Raises:
        ConversionError: an attribute is of another type than its operation wants.
    """
    message: Any = message_class("tensorflow.NodeDef")(name=node.name, op=node.op)
    message.input.extend(reference(value) for value in node.inputs)
    message.input.extend(f"^{other.name}" for other in node.controls)
    known = definition(node.op)
    for name, value in node.attrs.items():
        if value is None or (known is not None and known.defaults.get(name, _NONE) == value):
            continue
        if node.op == "Const" and isinstance(value, Tensor):
            message.attr[name].tensor.CopyFrom(tensor_proto(value, node.attrs["dtype"]))
            continue
        try:
            _set(message.attr[name], value, kind_of(name, value, known))
        except (KeyError, TypeError, ValueError) as error:
            raise ConversionError(
                f"the attribute {name!r} of {node.op} cannot be {value!r}", where=node.name
            ) from error
    return message


_NONE = object()


def function_proto(graph: Graph) -> Any:
    """A FunctionDef."""
    arguments = set(graph.inputs)

    def reference(value: Value) -> str:
        return value.node.name if value.node in arguments else _reference(value)

    message: Any = message_class("tensorflow.FunctionDef")()
    signature = message.signature
    signature.name = graph.name
    for index, node in enumerate(graph.inputs):
        signature.input_arg.add(name=node.name, type=dtype_number(node.output))
        if node.output.shape is not None:
            shapes = message.arg_attr[index].attr["_output_shapes"].list.shape
            shapes.append(shape_proto(node.output.shape))
    for name, value in zip(graph.output_names, graph.outputs, strict=True):
        signature.output_arg.add(name=name, type=dtype_number(value))
        message.ret[name] = reference(value)
    for node in graph.targets:
        signature.control_output.append(node.name)
        message.control_ret[node.name] = node.name
    nodes = [node for node in graph.ordered() if node not in arguments]
    signature.is_stateful = any(
        known.stateful for node in nodes if (known := definition(node.op)) is not None
    )
    message.node_def.extend(node_proto(node, reference) for node in nodes)
    return message


def _reference(value: Value) -> str:
    """`node:argument:index`, as bodies of functions name values."""
    node = value.node
    known = definition(node.op)
    if known is None:
        raise ConversionError(
            f"{node.op} is no operation of TensorFlow, so a function cannot name what it gives",
            where=node.name,
        )
    argument, index = _argument(known, node, value.index)
    return f"{node.name}:{argument.name}:{index}"


def _argument(known: Definition, node: Node, index: int) -> tuple[Argument, int]:
    for argument in known.outputs:
        count = len(argument.dtypes(node.attrs))
        if index < count:
            return argument, index
        index -= count
    raise ConversionError(f"{node.op} has no output {index}", where=node.name)


def _set(message: Any, value: Any, kind: str) -> None:
    """Fill an AttrValue."""
    if not kind.startswith("list("):
        _set_scalar(message, value, kind)
        return
    field, items = getattr(message.list, FIELDS[kind[5:-1]]), list(value)
    message.list.SetInParent()  # an empty list is a list too
    if kind in ("list(shape)", "list(func)", "list(tensor)"):
        for item in items:
            field.add().CopyFrom(_message(item, kind[5:-1]))
    else:
        field.extend(_plain(item, kind[5:-1]) for item in items)


def _set_scalar(message: Any, value: Any, kind: str) -> None:
    if kind in ("shape", "func", "tensor"):
        getattr(message, FIELDS[kind]).CopyFrom(_message(value, kind))
    else:
        setattr(message, FIELDS[kind], _plain(value, kind))


def _message(value: Any, kind: str) -> Any:
    if kind == "shape" and isinstance(value, Dims):
        return shape_proto(value.dims)
    if kind == "func" and isinstance(value, FuncRef):
        return message_class("tensorflow.NameAttrList")(name=value.name)
    if kind == "tensor" and isinstance(value, Tensor):
        return tensor_proto(value, value.dtype)
    raise TypeError(f"is no {kind}")


def _plain(value: Any, kind: str) -> Any:
    return TO_NUMBER[value] if kind == "type" else value
