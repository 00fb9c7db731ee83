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
whose numbers are not written. Names with other characters than `A-Z a-z 0-9 _ . / -` stand in
quotes, as in JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tfjs.errors import FormatError
from tfjs.ir.graph import Dims, FuncRef, Graph, Node, Shape, Type, Value
from tfjs.ir.tensor import ArrayTensor, Tensor

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


# Writing -----------------------------------------------------------------------------------------


def graph_text(graph: Graph) -> str:
    """A graph as text; numbers of tensors with more than 64 elements are left out."""
    lines = [f"graph {_name(graph.name or _MAIN)}"]
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
        text = repr(float(value))
        return text if _NUMBER.match(text) else "nan"
    return str(value)


def _tensor(tensor: Tensor) -> str:
    head = f"{tensor.dtype}[{', '.join(map(str, tensor.shape))}]"
    if tensor.size > _MOST_WRITTEN:
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
    for number, line in enumerate(text.splitlines(), 1):
        place = 0
        while line[place:].strip():
            found = _TOKEN.match(line, place)
            if found is None:
                raise _problem(number, f"has {line[place:].strip()[:20]!r}, which is none")
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
            return str(json.loads(token))
        if kind != "word":
            raise _problem(self._line, f"has {token!r} where a name is wanted")
        return token

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
        name = self._word()
        graph = Graph("" if name == _MAIN else name)
        self._want_end()
        read: dict[Node, list[tuple[str, int, bool]]] = {}
        while self.peek() not in (None, "graph"):
            if self._is("inputs"):
                graph.inputs = [self._at(graph, key) for key in self._several(self._word, "end")]
            elif self._is("targets"):
                graph.targets = [self._at(graph, key) for key in self._several(self._word, "end")]
            elif self._is("outputs"):
                ports = self._several(self._output, "end")
                graph.outputs = [self._value_at(graph, name, index) for _, name, index in ports]
                graph.output_names = [key for key, _, _ in ports]
            else:
                node, references = self._node(graph, self._word())
                read[node] = references
        self._connect(graph, read)
        return graph

    def _want_end(self) -> None:
        if not self._ends():
            raise _problem(self._line, "goes on where the line should end")

    def _node(self, graph: Graph, name: str) -> tuple[Node, list[tuple[str, int, bool]]]:
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

    def _connect(self, graph: Graph, read: Mapping[Node, list[tuple[str, int, bool]]]) -> None:
        for node, references in read.items():
            values = [self._value_at(graph, name, at) for name, at, wait in references if not wait]
            graph.set_inputs(node, values)
            node.controls = [self._at(graph, name) for name, _, wait in references if wait]

    def _at(self, graph: Graph, name: str) -> Node:
        if name not in graph.nodes:
            raise _problem(self._line, f"has no node {name!r}")
        return graph.nodes[name]

    def _value_at(self, graph: Graph, name: str, index: int) -> Value:
        node = self._at(graph, name)
        if index >= len(node.outputs):
            raise _problem(self._line, f"has no value {name}:{index}")
        return node.outputs[index]

    def _reference(self) -> tuple[str, int, bool]:
        wait = self._is("^")
        name = self._word()
        return name, int(self._number()) if self._is(":") else 0, wait

    def _output(self) -> tuple[str, str, int]:
        key = self._word()
        self._want("=")
        name, index, _ = self._reference()
        return key, name, index

    def _pair(self, node: str) -> tuple[str, Any]:
        key = self._word()
        self._want(":")
        return key, self._attr(node)

    def _type(self) -> Type:
        dtype = None if self._is("?") else self._word()
        self._want("[")
        return Type(dtype, self._sizes("]"))

    def _sizes(self, end: str) -> Shape:
        if self._is("*"):
            self._want(end)
            return None
        return tuple(self._several(lambda: None if self._is("?") else int(self._number()), end))

    def _number(self) -> float | int:
        kind, token = self._next()
        try:
            return int(token) if re.fullmatch(r"[+-]?\d+", token) else float(token)
        except ValueError:
            told = "the end of the line" if kind == "end" else repr(token)
            raise _problem(self._line, f"has {told} where a number is wanted") from None

    def _attr(self, node: str) -> Any:
        if self._is("<"):
            return Dims(self._sizes(">"))
        if self._is("["):
            return self._several(lambda: self._attr(node), "]")
        if self._is("@"):
            return FuncRef(self._word())
        if self._left and self._left[-1][0] == "word" and _NUMBER.match(self._left[-1][1]):
            return self._number()
        kind, token = self._next()
        if kind == "bytes":
            return str(json.loads(token[1:])).encode("latin-1")
        words = {"true": True, "false": False, "none": None}
        if kind == "word" and token == "tensor" and self._is("("):
            return self._tensor(node)
        if kind != "word":
            raise _problem(self._line, f"has {token!r} where an attribute is wanted")
        return words.get(token, token)

    def _tensor(self, node: str) -> Tensor:
        type_ = self._type()
        shape = tuple(size or 0 for size in type_.shape or ())
        if not self._is(":"):
            self._want(")")
            tensor = self._weights.get(node)
            if tensor is None or (tensor.dtype, tensor.shape) != (type_.dtype, shape):
                raise _problem(self._line, f"leaves out the numbers of {node!r}")
            return tensor
        items = self._several(lambda: self._attr(node), ")")
        return ArrayTensor(_array(items, type_.dtype or "float32", shape))


def _array(items: Iterable[Any], dtype: str, shape: tuple[int, ...]) -> Any:
    if dtype == "string":
        found = np.empty(shape, object)
        found.reshape(-1)[:] = list(items)
        return found
    numbers = list(items)
    if dtype.startswith("complex"):
        numbers = [complex(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
    try:
        return np.array(numbers, dtype).reshape(shape)
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(f"the text of the graph has no {dtype} tensor: {error}") from None
