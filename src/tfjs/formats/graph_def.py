"""GraphDef and FunctionDef, as protobuf messages, into graphs.

Source: tensorflow/core/framework/{graph,node_def,function,attr_value}.proto; how a body of a
function names values (`node:argument:index`): function.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from tfjs.errors import CorruptFileError
from tfjs.formats.node_checks import RUNS, check_attrs, check_functions, check_inputs
from tfjs.formats.node_record import NodeRecord, record_of
from tfjs.formats.tensor_proto import read_shape, read_tensor
from tfjs.ir.dtypes import of_number
from tfjs.ir.graph import Attrs, Dims, FuncRef, Graph, Node, Shape, Type, Value, held
from tfjs.ir.tensor import ITEM_SIZES, Tensor
from tfjs.ops.definitions import Argument, Definition, definition

# A constant may stand for more bytes than it has, all of a file for no more than this.
_MOST_EXPANDED = 1 << 29
_SMALL = 1 << 10
_MOST_OUTPUTS = 1 << 18


class _Kind(NamedTuple):
    """What nodes of one operation with the same attributes have in common.

    Attributes:
        op: the operation; for a function that is called by its name, a call.
        attrs: the attributes with their defaults.
        definition: the signature; None for an operation that nobody knows.
        types: of the outputs; none where there is no signature.
        inputs: the dtype of each input; none where there is no signature.
        has_tensors: whether tensors are among the attributes.
    """

    op: str
    attrs: Attrs
    definition: Definition | None
    types: list[Type]
    inputs: list[str | None]
    has_tensors: bool


_Entry = TypeVar("_Entry")
_RECORD_NAME: Callable[[NodeRecord], str] = attrgetter("name")


class GraphReader:
    """Builds graphs from a GraphDef and its library of functions.

    Args:
        graph_def: the message; nodes that nobody asks for are not built.
        nodes: the nodes of the main graph, where the message does not have them.
        op_list: signatures that the file brings for operations of its own.
        where: the file, for messages.
        complete: whether nodes have all attributes and exactly the dtypes of their signatures, as
            TensorFlow asks; TF.js's files leave out what TF.js does not read.

    Raises:
        CorruptFileError: two nodes or two functions have one name.
    """

    def __init__(
        self,
        graph_def: Any,
        op_list: Iterable[Any],
        where: str,
        *,
        nodes: Iterable[NodeRecord] | None = None,
        complete: bool = True,
    ) -> None:
        self.where = where
        self.complete = complete
        self._expanded = self._outputs = 0
        records = map(record_of, graph_def.node) if nodes is None else nodes
        self._nodes = self._by_name(records, "nodes", _RECORD_NAME)
        self._functions = self._by_name(
            graph_def.library.function, "functions", lambda entry: entry.signature.name
        )
        self._own = {entry.name: _definition(entry) for entry in op_list}
        self._kinds: dict[object, _Kind] = {}

    def __contains__(self, node: str) -> bool:
        return node in self._nodes

    def node_names(self) -> list[str]:
        """The nodes of the main graph, in the order of the file."""
        return list(self._nodes)

    def record(self, node: str) -> NodeRecord:
        """What the file says of the node of that name in the main graph.

        Raises:
            CorruptFileError: there is none.
        """
        found = self._nodes.get(node)
        if found is None:
            raise CorruptFileError(f"has no node {node!r}", where=self.where)
        return found

    def unread(self) -> list[str]:
        """The nodes of the main graph that no other reads, in the order of the file."""
        nodes = self._nodes
        read = {text for record in nodes.values() for text in record.inputs}
        read.update([_name_of(text) for text in read if text not in nodes])
        return [name for name in nodes if name not in read]

    def graph(self, fetches: Iterable[str], targets: Iterable[str] = ()) -> Graph:
        """The part of the main graph that some values and nodes need.

        Args:
            fetches: the values, as `node` or `node:1`; they become the outputs.
            targets: nodes that must run.

        Raises:
            CorruptFileError: something is missing or does not fit together.
        """
        graph = Graph()
        fetches, targets = list(fetches), list(targets)
        wanted = [_name_of(text) for text in [*fetches, *targets]]
        build = _Builder(graph, self, self._reachable(wanted, self._nodes))
        graph.outputs = [build.value(text) for text in fetches]
        graph.output_names = fetches
        graph.targets = [build.node(_name_of(text)) for text in targets]
        return graph

    def functions(self, graphs: Iterable[Graph]) -> dict[str, Graph]:
        """The bodies of all functions that graphs call, and that those call in turn.

        Raises:
            CorruptFileError: a function is missing or damaged, or functions call each other in
                a circle.
        """
        graphs = list(graphs)
        found: dict[str, Graph] = {}
        left = [name for graph in graphs for name in called(graph)]
        while left:
            name = left.pop()
            if name not in found:
                found[name] = self._function(name)
                left += called(found[name])
        _check_no_circle(found, self.where)
        for graph in [*graphs, *found.values()]:
            for node in [node for node in graph.nodes.values() if node.op in RUNS]:
                try:
                    check_functions(node, found, dtypes=self.complete)
                except ValueError as error:
                    raise self.error(node.name, error) from None
        return found

    def definition_of(self, op: str) -> Definition | None:
        """The signature of an operation: TensorFlow's, else the file's own."""
        return definition(op) or self._own.get(op)

    def _called_directly(self, op: str) -> Definition | None:
        """The signature of a function that TF1 graphs call by its name as the operation."""
        proto = self._functions.get(op)
        return None if proto is None or definition(op) else _definition(proto.signature)

    def count_outputs(self, more: int) -> None:
        """Count outputs of nodes beyond the first, which take no place in a file.

        Raises:
            CorruptFileError: all together are too many.
        """
        self._outputs += more
        if self._outputs > _MOST_OUTPUTS:
            raise CorruptFileError(
                f"has nodes with more than {_MOST_OUTPUTS} outputs", where=self.where
            )

    def kind(self, record: NodeRecord) -> _Kind:
        """Operation and attributes of a node, checked; nodes that have the same share them.

        Raises:
            ValueError: they do not fit the signature.
            CorruptFileError: a shape or tensor among them makes no sense.
        """
        kind = self._kinds.get(record.key)
        if kind is None:
            kind = self._kind(record.op, record.attrs)
            if record.key is not None and not kind.has_tensors:
                self._kinds[record.key] = kind
        return kind

    def _kind(self, op: str, protos: Mapping[str, Any]) -> _Kind:
        if op == "Const":
            return self._constant(protos)
        function = self._called_directly(op)
        known = function or self.definition_of(op)
        attrs: Attrs = dict(known.defaults) if known else {}
        attrs |= _attrs(protos)
        has_tensors = any(isinstance(value, Tensor) for value in attrs.values())
        if known is None:
            return _Kind(op, attrs, None, [], [], has_tensors)
        if function is None:
            check_attrs(op, known, attrs, complete=self.complete)
        dtypes = known.output_dtypes(attrs)
        shape = _output_shape(op, attrs)
        types = [Type(dtype, None if index else shape) for index, dtype in enumerate(dtypes)]
        if function is not None:
            op, attrs = "StatefulPartitionedCall", {"f": FuncRef(op), "Tout": dtypes}
        return _Kind(op, attrs, known, types, known.input_dtypes(attrs), has_tensors)

    def _constant(self, protos: Mapping[str, Any]) -> _Kind:
        """The kind of a constant: a third of all nodes, which take the most time."""
        known, attrs = definition("Const"), _attrs(protos)
        assert known is not None
        tensor, dtype = attrs.get("value"), attrs.get("dtype")
        # Nearly all are as they should be, and have nothing that is left to check.
        if len(attrs) > 2 or not isinstance(tensor, Tensor) or tensor.dtype != dtype:
            check_attrs("Const", known, attrs, complete=self.complete)
        shape = None if tensor is None else tensor.shape
        return _Kind("Const", attrs, known, [Type(dtype, shape)], [], shape is not None)

    def count(self, record: NodeRecord, attrs: Attrs) -> None:
        """Count by how much the constants of a node are larger than what the file has of them.

        Raises:
            CorruptFileError: all together are, beyond reason.
        """
        for value in attrs.values():
            if isinstance(value, Tensor) and value.size > _SMALL:
                nbytes = value.size * ITEM_SIZES.get(value.dtype, 8)
                self._expanded += max(0, nbytes - record.nbytes)
        if self._expanded > _MOST_EXPANDED:
            raise CorruptFileError(
                f"has constants that expand to more than {_MOST_EXPANDED} bytes", where=self.where
            )

    def error(self, name: str, problem: object) -> CorruptFileError:
        """An error at a node."""
        return CorruptFileError(f"node {name!r}: {problem}", where=self.where)

    def _function(self, name: str) -> Graph:
        proto = self._functions.get(name)
        if proto is None:
            raise CorruptFileError(
                f"has no function {name!r}, though it calls it", where=self.where
            )
        graph = Graph(name)
        records = map(record_of, proto.node_def)
        nodes = self._by_name(records, f"nodes of {name}", _RECORD_NAME)
        arguments = [
            _parameter(graph, entry.name, entry.type, _argument_shape(proto, index))
            for index, entry in enumerate(proto.signature.input_arg)
        ]
        graph.inputs = arguments
        wanted = [proto.ret.get(entry.name, "") for entry in proto.signature.output_arg]
        targets = sorted(set(proto.control_ret.values()))
        known = {node.name for node in arguments}
        start = [_name_of(text) for text in wanted if _name_of(text) not in known]
        build = _Builder(graph, self, self._reachable([*start, *targets], nodes, known))
        graph.outputs = [build.value(text) for text in wanted]
        graph.output_names = [entry.name for entry in proto.signature.output_arg]
        graph.targets = [build.node(target) for target in targets]
        return graph

    def _reachable(
        self, wanted: Iterable[str], nodes: Mapping[str, NodeRecord], known: Iterable[str] = ()
    ) -> list[NodeRecord]:
        left = list(wanted)
        seen = {*known, *left}
        found = set()
        for name in left:
            if name in known:
                continue
            record = nodes.get(name)
            if record is None:
                raise CorruptFileError(
                    f"refers to a node {name!r} that is not there", where=self.where
                )
            found.add(name)
            for text in record.inputs:
                source = text if text in nodes else _name_of(text)
                if source not in seen:
                    seen.add(source)
                    left.append(source)
        # In the order of the file, so that the result does not depend on who asks first.
        return [record for name, record in nodes.items() if name in found]

    def _by_name(
        self, entries: Iterable[_Entry], what: str, name_of: Callable[[_Entry], str]
    ) -> dict[str, _Entry]:
        found: dict[str, _Entry] = {}
        for entry in entries:
            name = name_of(entry)
            if name in found:
                raise CorruptFileError(f"has two {what} called {name!r}", where=self.where)
            found[name] = entry
        return found


class _Builder:
    """Makes the nodes of one graph, then connects them."""

    def __init__(self, graph: Graph, reader: GraphReader, records: Sequence[NodeRecord]) -> None:
        self.graph = graph
        self.reader = reader
        self._kinds: dict[str, _Kind] = {}
        # What a name alone refers to, which nearly all references are.
        self._first: dict[str, Value] = {}
        # Of operations without a signature: the number of each output name that was met.
        self._unknown: dict[str, dict[str, int]] = {}
        for record in records:
            self._make(record)
        for record in records:
            self._connect(record)

    def node(self, name: str) -> Node:
        node = self.graph.nodes.get(name)
        if node is None:
            raise CorruptFileError(f"has no node {name!r}", where=self.reader.where)
        return node

    def value(self, text: str) -> Value:
        """The value that `node`, `node:1` or `node:argument:0` names."""
        first = self._first.get(text)
        if first is not None:
            return first
        parts = text.split(":")
        node = self.node(parts[0])
        try:
            index = self._index(parts)
        except ValueError as error:
            raise self.reader.error(parts[0], error) from None
        kind = self._kinds.get(parts[0])
        if kind is not None and kind.definition is None:
            self.reader.count_outputs(max(0, index - len(node.outputs)))
            while len(node.outputs) <= index:
                node.outputs.append(Value(node, len(node.outputs), Type(None)))
        if index >= len(node.outputs):
            raise self.reader.error(parts[0], f"has no output {text!r}")
        return node.outputs[index]

    def _index(self, parts: list[str]) -> int:
        number = parts[-1] if len(parts) > 1 else "0"
        if len(parts) > 3 or not number.isascii() or not number.isdigit() or len(number) > 6:
            raise ValueError(f"is read as {':'.join(parts)!r}")
        index = int(number)
        if len(parts) < 3:
            return index
        kind = self._kinds.get(parts[0])
        if kind is None:
            raise ValueError(f"is read as {':'.join(parts)!r}, but is an argument")
        known = kind.definition
        if known is None:
            names = self._unknown.setdefault(parts[0], {})
            return names.setdefault(f"{parts[1]}:{index}", len(names))
        return known.first_output(parts[1], kind.attrs) + index

    def _make(self, record: NodeRecord) -> None:
        name, graph, reader = record.name, self.graph, self.reader
        if not name or ":" in name or name[0] == "^":
            raise reader.error(name, "is no name of a node")
        if name in graph.nodes:
            raise reader.error(name, "has the name of an argument")
        try:
            kind = reader.kind(record)
        except (ValueError, CorruptFileError) as error:
            raise reader.error(name, error) from None
        if kind.has_tensors:
            reader.count(record, kind.attrs)
        if len(kind.types) > 1:
            reader.count_outputs(len(kind.types) - 1)
        node = graph.add(kind.op, (), kind.attrs, kind.types, name=name)
        if not record.inputs and kind.op.startswith("Placeholder"):
            graph.inputs.append(node)
        self._kinds[name] = kind
        if node.outputs:
            self._first[name] = node.outputs[0]

    def _connect(self, record: NodeRecord) -> None:
        kind = self._kinds[record.name]
        if not record.inputs and not kind.inputs:
            return
        node = self.graph.nodes[record.name]
        texts = [text for text in record.inputs if text[:1] != "^"]
        values = list(map(self.value, texts))
        if len(texts) < len(record.inputs):
            controls = dict.fromkeys(text[1:] for text in record.inputs if text[:1] == "^")
            node.controls = [self.node(name) for name in controls]
        self.graph.set_inputs(node, values)
        # What is exactly as the signature tells needs no look at what else would do.
        if kind.definition is not None and [value.dtype for value in values] != kind.inputs:
            self._check_inputs(node, kind.inputs)

    def _check_inputs(self, node: Node, wanted: Sequence[str | None]) -> None:
        try:
            if len(node.inputs) != len(wanted):
                raise ValueError(f"{node.op} takes {len(wanted)} inputs and has {len(node.inputs)}")
            if self.reader.complete:
                check_inputs(node, wanted)
        except ValueError as error:
            raise self.reader.error(node.name, error) from None


def called(graph: Graph) -> list[str]:
    """The names of the functions that the nodes of a graph refer to."""
    return [reference.name for node in graph.nodes.values() for reference in held(node)]


def _check_no_circle(functions: Mapping[str, Graph], where: str) -> None:
    waiting = {
        name: {callee for callee in called(graph) if callee in functions}
        for name, graph in functions.items()
    }
    callers: dict[str, list[str]] = {}
    for name, callees in waiting.items():
        for callee in callees:
            callers.setdefault(callee, []).append(name)
    ready = [name for name, callees in waiting.items() if not callees]
    for name in ready:
        for caller in callers.get(name, ()):
            waiting[caller].discard(name)
            if not waiting[caller]:
                ready.append(caller)
    if len(ready) < len(functions):
        name = next(name for name, callees in waiting.items() if callees)
        raise CorruptFileError(f"the function {name!r} calls itself", where=where)


def _parameter(graph: Graph, name: str, dtype: int, shape: Shape) -> Node:
    own = of_number(dtype)
    attrs = {"dtype": own, "shape": Dims(shape)}
    return graph.add("Placeholder", [], attrs, [Type(own, shape)], name=name)


def _argument_shape(proto: Any, index: int) -> Shape:
    shapes = proto.arg_attr[index].attr["_output_shapes"] if index in proto.arg_attr else None
    return read_shape(shapes.list.shape[0]) if shapes and len(shapes.list.shape) == 1 else None


def _output_shape(op: str, attrs: Attrs) -> Shape:
    """The shape of what a source of values gives, which no rule infers."""
    told = attrs.get("shape")
    if op.startswith("Placeholder") and isinstance(told, Dims):
        return told.dims
    return None


def _attrs(protos: Mapping[str, Any]) -> Attrs:
    return {name: _attr(protos[name]) for name in protos if name[:1] != "_"}


def _attr(proto: Any) -> Any:
    kind = proto.WhichOneof("value")
    if kind == "list":
        return _list(proto.list)
    if kind is None:
        return None
    convert, value = _CONVERT.get(kind), getattr(proto, kind)
    return value if convert is None else convert(value)


def _list(proto: Any) -> list[Any]:
    for field, values in proto.ListFields():
        convert = _CONVERT.get(field.name)
        return list(values) if convert is None else [convert(value) for value in values]
    return []


_CONVERT: dict[str, Any] = {
    "type": of_number,
    "shape": lambda proto: Dims(read_shape(proto)),
    "tensor": read_tensor,
    "func": lambda proto: FuncRef(proto.name),
}


def _name_of(text: str) -> str:
    return text.removeprefix("^").partition(":")[0]


def _definition(proto: Any) -> Definition:
    return Definition(
        name=proto.name,
        inputs=tuple(_argument(entry) for entry in proto.input_arg),
        outputs=tuple(_argument(entry) for entry in proto.output_arg),
        attr_types={entry.name: entry.type for entry in proto.attr},
        defaults={
            entry.name: _attr(entry.default_value)
            for entry in proto.attr
            if entry.HasField("default_value")
        },
        stateful=proto.is_stateful,
    )


def _argument(proto: Any) -> Argument:
    return Argument(
        name=proto.name,
        dtype=of_number(proto.type) if proto.type else None,
        dtype_attr=proto.type_attr or None,
        number_attr=proto.number_attr or None,
        dtypes_attr=proto.type_list_attr or None,
    )
