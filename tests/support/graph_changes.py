"""Graphs whose messages are whole, and which mean nothing: wrong operations, edges, functions."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from random import Random
from typing import Any

from tfjs.ops.definitions import all_definitions

SIZES = (
    *(-(2**63), -(2**31), -7, -2, -1, 0, 1, 2, 3, 5, 100, 4097, 70_000, 2**31 - 1),
    *(2**31, 2**32, 2**40, 2**62, 2**63 - 1),
)
_SMALL = tuple(size for size in SIZES if -(2**31) <= size < 2**31)
_INTEGERS = {3: ("<i4", "i", _SMALL), 9: ("<i8", "q", SIZES)}
_TYPES = (0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 14, 17, 19, 20, 21, 22, 23, 101, 120, 999)
_STRINGS = (
    *(b"", b"x", b"SAME", b"VALID", b"EXPLICIT", b"NHWC", b"NCHW", b"\xff\xfe", b"ij,jk->ik"),
    *(b"...,->...", b"a" * 300, b"\0", b"bilinear", b"Relu", b"\xed\xa0\x80"),
)
_NAMES = ("", "^", ":", "a:b:c", "x:999999", "x:99999999999", "nothing", "é\0", "x:-1", "^x:0")


def change_graph(graph_def: Any, rng: Random) -> str:
    """Change one thing in a GraphDef or in a function of it; tells what."""
    bodies = [(graph_def.node, None)]
    bodies += [(function.node_def, function) for function in graph_def.library.function]
    bodies = [body for body in bodies if body[0]]
    if not bodies:
        return "nothing"
    # Function bodies and the main graph alike: by the number of nodes.
    nodes, function = rng.choices(bodies, [len(body[0]) for body in bodies])[0]
    if function is not None and rng.random() < 0.15:
        return f"{function.signature.name}: {_change_function(function, graph_def, rng)}"
    node = rng.choice(nodes)
    change = rng.choice((_operation, _attribute, _attribute, _attribute, _input, _input, _node))
    constants = [entry for entry in nodes if entry.op == "Const"]
    if constants and rng.random() < 0.35:
        node, change = rng.choice(constants), _constant
    return f"{node.name} ({node.op}): {change(node, nodes, graph_def, rng)}"


_Change = Callable[[Any, Any, Any, Random], str]


def _operation(node: Any, nodes: Any, graph_def: Any, rng: Random) -> str:
    functions = [entry.signature.name for entry in graph_def.library.function]
    choices = [rng.choice(nodes).op, rng.choice(_operations()), rng.choice(_operations())]
    if functions:
        choices.append(rng.choice(functions))
    node.op = rng.choice(choices)
    return f"is now {node.op}"


def _attribute(node: Any, nodes: Any, graph_def: Any, rng: Random) -> str:
    if not node.attr:
        node.attr["T"].type = rng.choice(_TYPES)
        return "T"
    name = rng.choice(sorted(node.attr))
    what = rng.random()
    if what < 0.1:
        del node.attr[name]
        return f"{name} removed"
    if what < 0.2:
        other = rng.choice(nodes)
        if other.attr:
            node.attr[name].CopyFrom(other.attr[rng.choice(sorted(other.attr))])
        return f"{name} is of {other.name}"
    value = node.attr[name]
    kind = value.WhichOneof("value") if what < 0.9 else rng.choice(("i", "shape", "s", "list"))
    _set_value(value, kind or "i", graph_def, rng)
    return f"{name} is {str(value)[:60]!r}"


def _set_value(value: Any, kind: str, graph_def: Any, rng: Random) -> None:
    functions = [entry.signature.name for entry in graph_def.library.function]
    if kind == "i":
        value.i = rng.choice(SIZES)
    elif kind == "f":
        value.f = rng.choice((0.0, -1.0, 1e38, float("nan"), float("inf")))
    elif kind == "b":
        value.b = not value.b
    elif kind == "s":
        value.s = rng.choice(_STRINGS)
    elif kind == "type":
        value.type = rng.choice(_TYPES)
    elif kind == "shape":
        _set_shape(value.shape, rng)
    elif kind == "func":
        value.func.name = rng.choice((*functions, "nothing", ""))
    elif kind == "tensor":
        _set_tensor(value.tensor, rng)
    elif kind == "list":
        _set_list(value.list, rng)


def _set_list(values: Any, rng: Random) -> None:
    found = values.ListFields()
    if not found:
        field = rng.choice(("i", "type", "shape", "func"))
        if field == "i":
            values.i.extend(rng.choices(SIZES, k=4))
        elif field == "type":
            values.type.extend(rng.choices(_TYPES, k=2))
        else:
            getattr(values, field).add()
        return
    field, items = rng.choice(found)
    place = rng.randrange(len(items))
    what = rng.random()
    if what < 0.25:
        del items[place]
    elif what < 0.4:
        del items[place:]
    elif field.message_type is not None:
        if field.name == "shape" and what < 0.7:
            _set_shape(items[place], rng)
        elif what < 0.85:
            items.add().CopyFrom(items[place])
        else:
            items[place].Clear()
    elif what < 0.55:
        items.append(items[place])
    else:
        choices: dict[str, tuple[Any, ...]] = {"i": SIZES, "type": _TYPES, "s": _STRINGS}
        items[place] = rng.choice(choices.get(field.name, (0,)))


def _set_shape(shape: Any, rng: Random) -> None:
    what = rng.random()
    if what < 0.15:
        shape.unknown_rank = True
        return
    if what < 0.6 and shape.dim:
        rng.choice(shape.dim).size = rng.choice(SIZES)
        return
    if what < 0.75 and shape.dim:
        del shape.dim[rng.randrange(len(shape.dim))]
        return
    for _ in range(rng.choice((1, 1, 2, 3, 7, 40, 300))):
        shape.dim.add(size=rng.choice(SIZES) if what < 0.9 else 1)


def _constant(node: Any, nodes: Any, graph_def: Any, rng: Random) -> str:
    tensor = node.attr["value"].tensor
    kind = _INTEGERS.get(tensor.dtype)
    if kind is None or rng.random() < 0.3:
        _set_tensor(tensor, rng)
        return "another tensor"
    # Other numbers in the same shape: sizes, axes and bounds.
    _, letter, choices = kind
    values = tensor.int_val if letter == "i" else tensor.int64_val
    count = len(tensor.tensor_content) // struct.calcsize(f"<{letter}")
    if count:
        numbers = list(struct.unpack(f"<{count}{letter}", tensor.tensor_content))
        numbers[rng.randrange(count)] = rng.choice(choices)
        tensor.tensor_content = struct.pack(f"<{count}{letter}", *numbers)
    elif values:
        values[rng.randrange(len(values))] = rng.choice(choices)
    else:
        values.append(rng.choice(choices))
    return "other numbers"


def _set_tensor(tensor: Any, rng: Random) -> None:
    what = rng.randrange(6)
    if what == 0:
        tensor.dtype = rng.choice(_TYPES)
    elif what == 1:
        tensor.tensor_content = tensor.tensor_content[: rng.randrange(9)]
    elif what == 2:
        tensor.ClearField("tensor_content")
    elif what == 3:  # one value that is repeated
        for field in ("tensor_content", "float_val", "int_val", "int64_val"):
            tensor.ClearField(field)
        tensor.float_val.append(0.5)
        tensor.int_val.append(rng.choice((0, 1, -1, 2, 2**31 - 1)))
        _set_shape(tensor.tensor_shape, rng)
    elif what == 4:
        tensor.float_val.extend([0.5] * 5)
    else:
        _set_shape(tensor.tensor_shape, rng)


def _input(node: Any, nodes: Any, graph_def: Any, rng: Random) -> str:
    what = rng.choice(
        ("other", "other", "other", "name", "output", "removed", "doubled", "control")
    )
    other = rng.choice(nodes).name
    if what == "control":
        node.input.append(f"^{other}")
    elif not node.input:
        node.input.append(other)
    else:
        place = rng.randrange(len(node.input))
        if what == "other":
            node.input[place] = other + _suffix(node.input[place])
        elif what == "name":
            node.input[place] = rng.choice(_NAMES)
        elif what == "output":
            head = node.input[place].rpartition(":")[0] or node.input[place]
            node.input[place] = f"{head}:{rng.choice((0, 1, 2, 3, 999999))}"
        elif what == "removed":
            del node.input[place]
        else:
            node.input.append(node.input[place])
    return f"input {what}"


def _suffix(text: str) -> str:
    """What names an output, so that it stands behind another name too."""
    return text[len(text.partition(":")[0]) :]


def _node(node: Any, nodes: Any, graph_def: Any, rng: Random) -> str:
    what = rng.choice(("removed", "doubled", "renamed", "swapped", "copied"))
    other = rng.choice(nodes)
    if what == "removed":
        nodes.remove(node)
    elif what == "doubled":
        nodes.add().CopyFrom(node)
    elif what == "renamed":
        node.name = rng.choice((other.name, *_NAMES))
    elif what == "swapped":
        node.name, other.name = other.name, node.name
    else:
        name = node.name
        node.CopyFrom(other)
        node.name = name
    return what


def _change_function(function: Any, graph_def: Any, rng: Random) -> str:
    signature = function.signature
    arguments = rng.choice((signature.input_arg, signature.output_arg))
    what = rng.choice(("lost", "doubled", "type", "ret", "unreturned", "name", "other", "order"))
    if what == "name":
        signature.name = rng.choice(
            (rng.choice(graph_def.library.function).signature.name, "", "Add")
        )
    elif what == "other":
        name = signature.name
        function.CopyFrom(rng.choice(graph_def.library.function))
        function.signature.name = name
    elif what in ("ret", "unreturned"):
        if not function.ret:
            return "nothing"
        key = rng.choice(sorted(function.ret))
        if what == "unreturned":
            del function.ret[key]
        else:
            entry = rng.choice(function.node_def).name
            function.ret[key] = rng.choice((f"{entry}:output:0", entry, "nothing:x:0", ""))
    elif not arguments:
        return "nothing"
    elif what == "lost":
        del arguments[rng.randrange(len(arguments))]
    elif what == "doubled":
        entry = arguments.add()
        entry.CopyFrom(arguments[0])
        entry.name += rng.choice(("", "_more"))
    elif what == "type":
        rng.choice(arguments).type = rng.choice(_TYPES)
    else:
        arguments.sort(key=lambda _: rng.random())
    return what


@functools.cache
def _operations() -> list[str]:
    return sorted(entry.name for entry in all_definitions())
