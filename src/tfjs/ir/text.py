"""Graphs as text: to read, to compare in tests, and to parse back.

A graph is a head, a line a node, and what goes in and out:

    graph main
      x = Placeholder() {dtype: float32, shape: [?, 8]} -> float32[?, 8]
      w = Const() {dtype: float32, value: tensor(float32[8, 2])} -> float32[8, 2]
      y = MatMul(x, w) {T: float32, transpose_a: false} -> float32[?, 2]
      inputs x
      outputs y = y

A value is the name of its node, with `:1` for its second output; a control input has `^`. Of an
attribute, a bare word is a dtype, `b"..."` bytes, `@f` a function, `[1, 2]` a list, `<?, 2>` a
shape (`<*>` of any rank), `tensor(int32[2]: 1, 2)` a small tensor and `tensor(float32[8, 2])` one
whose numbers are not written. Names with other characters than `A-Z a-z 0-9 _ . / -`, and those
that would be something else, stand in quotes, as in JSON.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tfjs.errors import FormatError
from tfjs.ir.graph import Dims, FuncRef, Graph, Node, Shape, Type, Value
from tfjs.ir.tensor import ITEM_SIZES, Array, ArrayTensor, Tensor

_MOST_WRITTEN = 64
_MAIN = "main"
_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")
_HEADS = frozenset({"graph", "inputs", "outputs", "targets"})
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<bytes>b"(?:[^"\\]|\\.)*")
    | (?P<text>"(?:[^"\\]|\\.)*")
    | (?P<arrow>->)
    | (?P<word>[A-Za-z0-9_.+/-]+)
    | (?P<mark>[=(){}\[\]<>:,?*@^])
    )""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"[+-]?(\d|\.\d|inf$|nan$)")
_WHOLE = re.compile(r"\d+")
_WORDS = {"true": True, "false": False, "none": None}
# Attributes are no deeper than lists of lists.
_MOST_DEPTH = 8
# What an input, a control input or an output of a graph names, and the line in which it does.
_Reference = tuple[str, int, bool, int]


# Writing -----------------------------------------------------------------------------------------


def graph_text(graph: Graph) -> str:
    """A graph as text; numbers of tensors with more than 64 elements are left out."""
    name = json.dumps(_MAIN) if graph.name == _MAIN else _name(graph.name or _MAIN)
    lines = [f"graph {name}"]
    lines += [f"  {_node(node)}" for node in graph.ordered()]
    lines.append("  " + " ".join(["inputs", ", ".join(_name(node.name) for node in graph.inputs)]))
    outputs = zip(graph.output_names, graph.outputs, strict=True)
    named = ", ".join(f"{_name(key)} = {_value(value)}" for key, value in outputs)
    lines.append(f"  outputs {named}")
    if graph.targets:
        lines.append(f"  targets {', '.join(_name(node.name) for node in graph.targets)}")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _node(node: Node) -> str:
    read = [_value(value) for value in node.inputs]
    read += [f"^{_name(other.name)}" for other in node.controls]
    attrs = ", ".join(f"{_name(key)}: {_attr(item)}" for key, item in sorted(node.attrs.items()))
    types = ", ".join(_type(value.type) for value in node.outputs)
    told = f" {{{attrs}}}" if attrs else ""
    return f"{_name(node.name)} = {_name(node.op)}({', '.join(read)}){told} -> {types}"


def _name(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text not in _HEADS else json.dumps(text)


def _value(value: Value) -> str:
    name = _name(value.node.name)
    return f"{name}:{value.index}" if value.index else name


def _sizes(shape: Shape) -> str:
    if shape is None:
        return "*"
    return ", ".join("?" if size is None else str(size) for size in shape)


def _type(type_: Type) -> str:
    return f"{type_.dtype or '?'}[{_sizes(type_.shape)}]"


def _attr(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return "b" + json.dumps(value.decode("latin-1"))
    if isinstance(value, Dims):
        return f"<{_sizes(value.dims)}>"
    if isinstance(value, FuncRef):
        return f"@{_name(value.name)}"
    if isinstance(value, list):
        return f"[{', '.join(map(_attr, value))}]"
    if isinstance(value, Tensor):
        return f"tensor({_tensor(value)})"
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, str):
        other = value in _WORDS or value == "tensor" or _NUMBER.match(value)
        return json.dumps(value) if other else _name(value)
    return str(value)


def _tensor(tensor: Tensor) -> str:
    head = f"{tensor.dtype}[{', '.join(map(str, tensor.shape))}]"
    # NumPy has no bfloat16 to read numbers back into.
    if tensor.size > _MOST_WRITTEN or tensor.dtype == "bfloat16":
        return head
    items = tensor.array().reshape(-1).tolist()
    if tensor.dtype.startswith("complex"):
        items = [part for item in items for part in (item.real, item.imag)]
    return f"{head}: {', '.join(map(_attr, items))}"


# Reading -----------------------------------------------------------------------------------------


def parse_graphs(text: str, weights: Mapping[str, Tensor] | None = None) -> list[Graph]:
    """The graphs of a text.

    Args:
        text: as `graph_text` gives it, several one after the other.
        weights: by the name of the constant, the tensors whose numbers are not in the text.

    Raises:
        FormatError: the text is none of a graph, or a tensor is missing.
    """
    parser = _Parser(text, weights or {})
    graphs = []
    while parser.peek() is not None:
        graphs.append(parser.graph())
    return graphs


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    for number, padded in enumerate(text.splitlines(), 1):
        line, place = padded.rstrip(), 0
        while place < len(line):
            found = _TOKEN.match(line, place)
            if found is None:
                raise _problem(number, f"has {line[place : place + 20].strip()!r}, which is none")
            place = found.end()
            kind = str(found.lastgroup)
            yield kind, found[kind], number
        yield "end", "", number


def _problem(line: int, what: str) -> FormatError:
    return FormatError(f"the text of the graph {what}", where=f"line {line}")


class _Parser:
    def __init__(self, text: str, weights: Mapping[str, Tensor]) -> None:
        self._left = list(_tokens(text))
        self._left.reverse()
        self._weights = weights
        self._line = 1

    # Tokens

    def peek(self) -> str | None:
        """The next token that is no end of a line; None at the end of the text."""
        while self._left and self._left[-1][0] == "end":
            self._left.pop()
        return self._left[-1][1] if self._left else None

    def _next(self) -> tuple[str, str]:
        if not self._left:
            raise FormatError("the text of the graph ends too early")
        kind, token, self._line = self._left.pop()
        return kind, token

    def _is(self, token: str) -> bool:
        """Take a mark or word, if it comes next."""
        if self._left and self._left[-1][0] != "text" and self._left[-1][1] == token:
            self._next()
            return True
        return False

    def _want(self, token: str) -> None:
        if not self._is(token):
            kind, found = self._next()
            told = "the end of the line" if kind == "end" else repr(found)
            raise _problem(self._line, f"has {told} where {token!r} is wanted")

    def _word(self) -> str:
        kind, token = self._next()
        if kind == "text":
            return self._quoted(token)
        if kind != "word":
            told = "the end of the line" if kind == "end" else repr(token)
            raise _problem(self._line, f"has {told} where a name is wanted")
        return token

    def _quoted(self, token: str) -> str:
        try:
            return str(json.loads(token))
        except ValueError:
            raise _problem(self._line, f"has {token[:20]!r}, which is no text") from None

    def _several(self, item: Callable[[], Any], end: str) -> list[Any]:
        """Items with commas between them, up to a mark or the end of the line."""
        found: list[Any] = []
        while not (self._ends() if end == "end" else self._is(end)):
            if found:
                self._want(",")
            found.append(item())
        return found

    def _ends(self) -> bool:
        if self._left and self._left[-1][0] == "end":
            self._next()
            return True
        return not self._left

    # Parts

    def graph(self) -> Graph:
        self._want("graph")
        graph = Graph("" if self._is(_MAIN) else self._word())
        self._want_end()
        read: dict[Node, list[_Reference]] = {}
        while self.peek() not in (None, "graph"):
            if self._is("inputs"):
                graph.inputs = self._nodes(graph)
            elif self._is("targets"):
                graph.targets = self._nodes(graph)
            elif self._is("outputs"):
                ports = self._several(self._output, "end")
                graph.outputs = [self._value_at(graph, reference) for _, reference in ports]
                graph.output_names = [key for key, _ in ports]
            else:
                node, references = self._node(graph, self._word())
                read[node] = references
        self._connect(graph, read)
        return graph

    def _want_end(self) -> None:
        if not self._ends():
            raise _problem(self._line, "goes on where the line should end")

    def _nodes(self, graph: Graph) -> list[Node]:
        named = self._several(self._reference, "end")
        return [self._at(graph, reference) for reference in named]

    def _node(self, graph: Graph, name: str) -> tuple[Node, list[_Reference]]:
        self._want("=")
        op = self._word()
        self._want("(")
        read = self._several(self._reference, ")")
        attrs = {}
        if self._is("{"):
            attrs = dict(self._several(lambda: self._pair(name), "}"))
        self._want("->")
        types = self._several(self._type, "end")
        if name in graph.nodes:
            raise _problem(self._line, f"has two nodes called {name!r}")
        return graph.add(op, [], attrs, types, name=name), read

    def _connect(self, graph: Graph, read: Mapping[Node, list[_Reference]]) -> None:
        for node, references in read.items():
            values = [self._value_at(graph, item) for item in references if not item[2]]
            graph.set_inputs(node, values)
            node.controls = [self._at(graph, item) for item in references if item[2]]

    def _at(self, graph: Graph, reference: _Reference) -> Node:
        name, _, _, line = reference
        if name not in graph.nodes:
            raise _problem(line, f"has no node {name!r}")
        return graph.nodes[name]

    def _value_at(self, graph: Graph, reference: _Reference) -> Value:
        node = self._at(graph, reference)
        name, index, _, line = reference
        if index >= len(node.outputs):
            raise _problem(line, f"has no value {name}:{index}")
        return node.outputs[index]

    def _reference(self) -> _Reference:
        wait = self._is("^")
        name = self._word()
        index = self._whole() if self._is(":") else 0
        return name, index, wait, self._line

    def _output(self) -> tuple[str, _Reference]:
        key = self._word()
        self._want("=")
        return key, self._reference()

    def _pair(self, node: str) -> tuple[str, Any]:
        key = self._word()
        self._want(":")
        return key, self._attr(node, _MOST_DEPTH)

    def _type(self) -> Type:
        dtype = None if self._is("?") else self._word()
        self._want("[")
        return Type(dtype, self._sizes("]"))

    def _sizes(self, end: str) -> Shape:
        if self._is("*"):
            self._want(end)
            return None
        return tuple(self._several(lambda: None if self._is("?") else self._whole(), end))

    def _whole(self) -> int:
        number = self._number(_WHOLE)
        return int(number)

    def _number(self, form: re.Pattern[str] = _NUMBER) -> float | int:
        kind, token = self._next()
        try:
            if kind == "word" and (form is _NUMBER or form.fullmatch(token)):
                return int(token) if token.lstrip("+-").isdecimal() else float(token)
        except ValueError:
            pass
        told = "the end of the line" if kind == "end" else repr(token[:20])
        raise _problem(self._line, f"has {told} where a number is wanted")

    def _attr(self, node: str, depth: int) -> Any:
        if not depth:
            raise _problem(self._line, "has lists in lists, too deep")
        if self._is("<"):
            return Dims(self._sizes(">"))
        if self._is("["):
            return self._several(lambda: self._attr(node, depth - 1), "]")
        if self._is("@"):
            return FuncRef(self._word())
        if self._left and self._left[-1][0] == "word" and _NUMBER.match(self._left[-1][1]):
            return self._number()
        kind, token = self._next()
        if kind == "bytes":
            return self._bytes(token)
        if kind == "text":
            return self._quoted(token)
        if kind == "word" and token == "tensor" and self._is("("):
            return self._tensor(node)
        if kind != "word":
            told = "the end of the line" if kind == "end" else repr(token)
            raise _problem(self._line, f"has {told} where an attribute is wanted")
        return _WORDS.get(token, token)

    def _bytes(self, token: str) -> bytes:
        try:
            return self._quoted(token[1:]).encode("latin-1")
        except UnicodeEncodeError:
            raise _problem(self._line, f"has {token[:20]!r}, which is no text of bytes") from None

    def _tensor(self, node: str) -> Tensor:
        type_ = self._type()
        shape = tuple(size or 0 for size in type_.shape or ())
        if not self._is(":"):
            self._want(")")
            tensor = self._weights.get(node)
            if tensor is None or (tensor.dtype, tensor.shape) != (type_.dtype, shape):
                raise _problem(self._line, f"leaves out the numbers of {node!r}")
            return tensor
        items = self._several(lambda: self._attr(node, 1), ")")
        dtype = type_.dtype or "?"
        try:
            return ArrayTensor(_array(items, dtype, type_.shape))
        except (ValueError, TypeError, OverflowError) as error:
            raise _problem(self._line, f"has no {dtype} tensor: {error}") from None


def _array(items: list[Any], dtype: str, shape: Shape) -> Array:
    """Items as an array; raises ValueError, TypeError or OverflowError where they are none."""
    if shape is None or None in shape or dtype not in (*ITEM_SIZES, "string"):
        raise ValueError("it needs a dtype and all sizes")
    sizes = [size for size in shape if size is not None]
    wide = 2 if dtype.startswith("complex") else 1
    if len(items) != math.prod(sizes) * wide:
        raise ValueError(f"it has {len(items)} numbers")
    if dtype == "string":
        found = np.empty(len(items), object)
        found[:] = items
        return found.reshape(sizes)
    if not all(isinstance(item, bool | int | float) for item in items):
        raise TypeError("it has what is no number")
    if wide == 2:
        items = [complex(*pair) for pair in zip(items[::2], items[1::2], strict=True)]
    return np.array(items, dtype).reshape(sizes)
