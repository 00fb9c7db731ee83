"""Graphs in TensorFlow's op names and attributes: what TF.js executes.

Edges are `Value` objects with lists of their uses, which the graph keeps; names such as `node:1`
and `^node` exist only in readers and writers. A body of a function is a graph too, whose inputs are
`Placeholder` nodes named as its arguments.

Attributes are Python values: int, float, bool, bytes (a string), str (a dtype such as "float32"),
`Dims` (a shape), `FuncRef` (a function), `Tensor`, or a list of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tfjs.errors import CorruptFileError
from tfjs.ir.layers_model import LayersModel
from tfjs.ir.tensor import Array, ArrayTensor, Tensor

Shape = tuple[int | None, ...] | None
Attrs = dict[str, Any]

# A chain that becomes one node would make the work grow with the square of its length.
_MOST_ORIGINS = 100
# A Merge starts a loop; what comes back to it comes from a later step.
_BACK = frozenset({"NextIteration", "RefNextIteration"})


class Dims(NamedTuple):
    """A shape as an attribute; `dims` is None where the rank is unknown."""

    dims: Shape


@dataclass(frozen=True, slots=True)
class FuncRef:
    """A function as an attribute.

    Attributes:
        name: its name in `GraphModel.functions`.
    """

    name: str


class Type(NamedTuple):
    """What is known of a value before it is computed.

    Attributes:
        dtype: a key of `ITEM_SIZES`, "string", "resource" or "variant"; None where unknown.
        shape: the sizes, None where free; None where the rank is unknown.
    """

    dtype: str | None
    shape: Shape = None


class Value:
    """One output of a node.

    Attributes:
        node: the node that makes it.
        index: which of its outputs it is.
        dtype: see `Type`.
        shape: see `Type`.
        uses: who reads it: nodes with the index of their input, in order of registration.
    """

    __slots__ = ("dtype", "index", "node", "shape", "uses")

    def __init__(self, node: Node, index: int, type_: Type) -> None:
        self.node = node
        self.index = index
        self.dtype, self.shape = type_
        self.uses: dict[tuple[Node, int], None] = {}

    @property
    def type(self) -> Type:
        """Dtype and shape together."""
        return Type(self.dtype, self.shape)

    @property
    def name(self) -> str:
        """As TF.js and TensorFlow write it: `node`, or `node:1`."""
        return f"{self.node.name}:{self.index}" if self.index else self.node.name

    def __repr__(self) -> str:
        return f"<{self.name} {self.dtype} {self.shape}>"


class Node:
    """One operation.

    Attributes:
        op: TensorFlow's name of the operation.
        name: unique in the graph.
        inputs: what it reads; change it by `Graph.set_input` only.
        outputs: what it makes.
        attrs: its attributes.
        controls: nodes that must run before it.
        origin: names of the nodes of the source that it stands for; see `origins`.
    """

    __slots__ = ("attrs", "controls", "inputs", "name", "op", "origin", "outputs")

    def __init__(self, op: str, name: str, attrs: Attrs, origin: tuple[str, ...]) -> None:
        self.op = op
        self.name = name
        self.attrs = attrs
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.controls: list[Node] = []
        self.origin = origin

    @property
    def output(self) -> Value:
        """Its first output."""
        return self.outputs[0]

    def __repr__(self) -> str:
        return f"<{self.op} {self.name}>"


_Port = TypeVar("_Port", Node, Value)


class _Ports(list[_Port]):
    """Inputs or outputs of a graph: a list that is fast to search, however long it is."""

    _places: dict[_Port, list[int]] | None = None

    def __contains__(self, item: object) -> bool:
        return item in self.places()

    def replace(self, old: _Port, new: _Port) -> None:
        """Put an item in all places of another."""
        places = self.places()
        for index in places.get(old, ()):
            list.__setitem__(self, index, new)
            places.setdefault(new, []).append(index)
        places.pop(old, None)

    def places(self) -> dict[_Port, list[int]]:
        """Where each item is."""
        if self._places is None:
            self._places = {}
            for index, item in enumerate(self):
                self._places.setdefault(item, []).append(index)
        return self._places


def _forgetting(change: Callable[..., Any]) -> Callable[..., Any]:
    """A method of lists that lets go of what was found before."""

    def changed(ports: _Ports[Any], *arguments: Any) -> Any:
        ports._places = None
        return change(ports, *arguments)

    return changed


for _name in ("__delitem__", "__iadd__", "__imul__", "__setitem__", "append", "clear", "extend"):
    setattr(_Ports, _name, _forgetting(getattr(list, _name)))
for _name in ("insert", "pop", "remove", "reverse"):
    setattr(_Ports, _name, _forgetting(getattr(list, _name)))


class Graph:
    """Nodes, and which of their values go in and out.

    Attributes:
        name: the name of a function; "" for the main graph.
        nodes: all nodes by name, in no particular order.
        output_names: what each output is called, in the same order.
        targets: nodes that run for what they do, not for what they give.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.nodes: dict[str, Node] = {}
        self._inputs: _Ports[Node] = _Ports()
        self._outputs: _Ports[Value] = _Ports()
        self.output_names: list[str] = []
        self.targets: list[Node] = []
        self._counts: dict[str, int] = {}

    @property
    def inputs(self) -> list[Node]:
        """The `Placeholder` nodes that are fed, in order."""
        return self._inputs

    @inputs.setter
    def inputs(self, nodes: list[Node]) -> None:
        self._inputs = _Ports(nodes)

    @property
    def outputs(self) -> list[Value]:
        """The values that are asked for, in order."""
        return self._outputs

    @outputs.setter
    def outputs(self, values: list[Value]) -> None:
        self._outputs = _Ports(values)

    # Building --------------------------------------------------------------------------------

    def unique(self, name: str) -> str:
        """The name, or where it is taken `name_1`, `name_2` and so on."""
        if name not in self.nodes:
            return name
        count = self._counts.get(name, 0)
        while True:
            count += 1
            found = f"{name}_{count}"
            if found not in self.nodes:
                self._counts[name] = count
                return found

    def add(
        self,
        op: str,
        inputs: Sequence[Value],
        attrs: Mapping[str, Any],
        types: Sequence[Type],
        *,
        name: str,
        origin: Iterable[str] = (),
    ) -> Node:
        """Add a node.

        Args:
            op: its operation.
            inputs: what it reads.
            attrs: its attributes.
            types: the type of each output.
            name: its name; made unique where it is taken.
            origin: names of the source's nodes that it stands for; its own where empty.
        """
        if name in self.nodes:
            name = self.unique(name)
        named = origins(origin) if origin else ()
        node = Node(op, name, dict(attrs), named or (name,))
        # Nearly all nodes have one output.
        if len(types) == 1:
            node.outputs = [Value(node, 0, types[0])]
        else:
            node.outputs = [Value(node, index, type_) for index, type_ in enumerate(types)]
        if inputs:
            node.inputs = list(inputs)
            for index, value in enumerate(inputs):
                value.uses[node, index] = None
        self.nodes[name] = node
        return node

    def constant(
        self, value: Tensor | Array | np.generic, *, name: str, origin: Iterable[str] = ()
    ) -> Value:
        """Add a constant."""
        tensor = value if isinstance(value, Tensor) else ArrayTensor(value)
        type_ = Type(tensor.dtype, tensor.shape)
        attrs = {"value": tensor, "dtype": tensor.dtype}
        return self.add("Const", [], attrs, [type_], name=name, origin=origin).output

    # Changing --------------------------------------------------------------------------------

    def set_input(self, node: Node, index: int, value: Value) -> None:
        """Let a node read another value."""
        del node.inputs[index].uses[node, index]
        node.inputs[index] = value
        value.uses[node, index] = None

    def set_inputs(self, node: Node, values: Sequence[Value]) -> None:
        """Let a node read other values, more or fewer than before."""
        for index, value in enumerate(node.inputs):
            del value.uses[node, index]
        node.inputs = list(values)
        for index, value in enumerate(node.inputs):
            value.uses[node, index] = None

    def replace(self, old: Value, new: Value) -> None:
        """Let all that read `old`, and the outputs of the graph, take `new` instead.

        The node of `new` itself may go on to read `old`.
        """
        if old is new:
            return
        maker = new.node
        for use in list(old.uses):
            node, index = use
            if node is not maker:
                del old.uses[use]
                node.inputs[index] = new
                new.uses[use] = None
        self._outputs.replace(old, new)

    def erase(self, node: Node) -> None:
        """Remove a node.

        Raises:
            ValueError: something still reads it, or it is an input of the graph.
        """
        if not self.erase_unread(node):
            raise ValueError(f"{node.name} is still read, or an input of the graph")

    def erase_unread(self, node: Node) -> bool:
        """Remove a node if nothing reads it and it is no input of the graph.

        Returns:
            Whether it went.
        """
        asked_for = self._outputs.places()
        for value in node.outputs:
            if value.uses or value in asked_for:
                return False
        if node in self._inputs.places():
            return False
        for index, value in enumerate(node.inputs):
            del value.uses[node, index]
        node.inputs = []
        del self.nodes[node.name]
        return True

    def rename(self, node: Node, name: str) -> None:
        """Give a node another name, made unique where it is taken."""
        del self.nodes[node.name]
        node.name = self.unique(name)
        self.nodes[node.name] = node

    def is_output(self, item: Value | Node) -> bool:
        """Whether a value, or any value of a node, is asked for."""
        places = self._outputs.places()
        if isinstance(item, Value):
            return item in places
        return not places.keys().isdisjoint(item.outputs)

    def prune(self) -> int:
        """Remove all that neither outputs nor targets need; inputs stay.

        Returns:
            How many nodes went.
        """
        left = [*[value.node for value in self.outputs], *self.targets, *self.inputs]
        kept = set(left)
        for node in left:
            for value in node.inputs:
                source = value.node
                if source not in kept:
                    kept.add(source)
                    left.append(source)
            for other in node.controls:
                if other not in kept:
                    kept.add(other)
                    left.append(other)
        if len(kept) == len(self.nodes):
            return 0
        gone = [node for node in self.nodes.values() if node not in kept]
        for node in gone:
            self.set_inputs(node, [])
            del self.nodes[node.name]
        return len(gone)

    # Looking ---------------------------------------------------------------------------------

    def ordered(self) -> list[Node]:
        """All nodes, each after those that it reads or must wait for.

        The order of `nodes` is kept as far as it is such an order. Loops of TF1's control flow
        are cut at `NextIteration`.

        Raises:
            CorruptFileError: the graph has a cycle.
        """
        done: set[Node] = set()
        result: list[Node] = []
        # Of nodes that come too early: how many they wait for, and who waits for each.
        counts: dict[Node, int] = {}
        waiting: dict[Node, list[Node]] = {}
        for node in self.nodes.values():
            for value in node.inputs:
                if value.node not in done:
                    break
            else:
                if not node.controls and node not in waiting:
                    done.add(node)
                    result.append(node)
                    continue
            missing = _missing(node, done)
            counts[node] = len(missing)
            for other in missing:
                waiting.setdefault(other, []).append(node)
            ready = [] if missing else [node]
            for each in ready:
                for reader in waiting.pop(each, ()):
                    counts[reader] -= 1
                    if not counts[reader]:
                        ready.append(reader)
            done.update(ready)
            result += ready
        if len(result) < len(self.nodes):
            stuck = next(node for node in self.nodes.values() if node not in done)
            raise CorruptFileError(f"the graph has a cycle, at or before the node {stuck.name!r}")
        return result

    def constants(self) -> Iterator[Tensor]:
        """The tensors of all constants."""
        for node in self.nodes.values():
            tensor = node.attrs.get("value")
            if node.op == "Const" and isinstance(tensor, Tensor):
                yield tensor

    def __repr__(self) -> str:
        return f"<Graph {self.name!r}, {len(self.nodes)} nodes>"


@dataclass(slots=True)
class Signature:
    """What a model is called with, and what it gives back.

    Attributes:
        inputs: key of each input of the graph, in its order.
        outputs: key of each output, in its order.
        structured: whether `predict` of TF.js answers with an object by these keys.
        input_dtypes: those that the source has, by key, where the graph has what TF.js makes of
            them.
        output_dtypes: the same for the outputs.
    """

    inputs: list[str]
    outputs: list[str]
    structured: bool = False
    input_dtypes: dict[str, str] = field(default_factory=dict)
    output_dtypes: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class GraphModel:
    """A graph with all that it needs to run.

    Attributes:
        graph: the main graph.
        functions: bodies of functions by name.
        signature: the keys of inputs and outputs.
        variables: values of variables, by the name of the node that makes the variable.
        initializer: what runs once before the first call, to fill hash tables; a table in it is
            that of the node of the same name in the main graph.
        producer: what wrote the source, where told ("tensorflow 2.14.0").
        metadata: user-defined metadata, and what the source has of it.
        assets: files that the model needs, by the text under which the graph names each.
        notes: what a user should know about the reading, one line each.
        layers: the model of layers that it was made from and computes the same as, where a format
            can hold both.
    """

    graph: Graph
    signature: Signature
    functions: dict[str, Graph] = field(default_factory=dict)
    variables: dict[str, Tensor] = field(default_factory=dict)
    initializer: Graph | None = None
    producer: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    assets: dict[str, Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    layers: LayersModel | None = None


def _missing(node: Node, done: set[Node]) -> set[Node]:
    """What a node reads or waits for and is not done."""
    found = set()
    for value in node.inputs:
        source = value.node
        if source not in done and source.op not in _BACK:
            found.add(source)
    if node.controls:
        found.update(node.controls)
        found -= done
    return found


def waiters_of(nodes: Iterable[Node]) -> dict[Node, list[Node]]:
    """The nodes that wait for each node by a control input."""
    found: dict[Node, list[Node]] = {}
    for node in nodes:
        for other in node.controls:
            found.setdefault(other, []).append(node)
    return found


def following(nodes: Iterable[Node], waiters: Mapping[Node, Sequence[Node]]) -> set[Node]:
    """The nodes that run after others, by data or by control inputs.

    Args:
        nodes: the others.
        waiters: of the graph; see `waiters_of`.
    """
    seen: set[Node] = set()
    left = list(nodes)
    while left:
        node = left.pop()
        readers = [reader for value in node.outputs for reader, _ in value.uses]
        for other in [*readers, *waiters.get(node, ())]:
            if other not in seen:
                seen.add(other)
                left.append(other)
    return seen


def origins(names: Iterable[str]) -> tuple[str, ...]:
    """The origin of a node that stands for many: each name once, the first hundred of them."""
    return tuple(islice(dict.fromkeys(names), _MOST_ORIGINS))


def held(node: Node) -> list[FuncRef]:
    """The functions that a node holds, each place once, sorted by the attributes."""
    # Nearly all nodes hold none, and are asked often. All items of a list are of one kind.
    found = None
    for name, value in node.attrs.items():
        kind = type(value)
        if kind is FuncRef or (kind is list and value and type(value[0]) is FuncRef):
            found = [*(found or ()), name]
    if found is None:
        return []
    values = [node.attrs[name] for name in sorted(found)]
    return [item for value in values for item in (value if type(value) is list else [value])]


def constant_of(value: Value) -> Tensor | None:
    """The tensor of a value that a `Const` makes; None for any other value."""
    tensor = value.node.attrs.get("value") if value.node.op == "Const" else None
    return tensor if isinstance(tensor, Tensor) else None
