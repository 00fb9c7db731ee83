"""Signatures of SavedModels: which one, in which order, and the part of the graph that it needs.

Rules: the official converter takes `serving_default` unless told otherwise
(`official_converter.md` 1a); the maps of a SignatureDef have no order of their own
(tensorflow/core/protobuf/meta_graph.proto).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tfjs.errors import CorruptFileError, UnsupportedError, UsageError
from tfjs.formats.graph_def import GraphReader
from tfjs.formats.restored import CALLS, behind
from tfjs.formats.tensor_proto import read_shape
from tfjs.ir.dtypes import of_number
from tfjs.ir.graph import Dims, FuncRef, Graph, Node, Signature, Type, Value

INIT_OP = "__saved_model_init_op"
_INTERNAL = frozenset({INIT_OP, "__saved_model_train_op"})
_MOST_LISTED = 20


class Entry(NamedTuple):
    """An input or output of a signature: its key, and the value that it is."""

    key: str
    tensor: str
    type: Type


def names(meta_graph: Any) -> list[str]:
    """The signatures that a user may choose, sorted."""
    return sorted(set(meta_graph.signature_def) - _INTERNAL)


def choose(meta_graph: Any, asked: str | None, usual: Sequence[str], where: str) -> str:
    """The signature to read.

    Args:
        meta_graph: the MetaGraphDef.
        asked: the one that the user names.
        usual: what to take when None, the first that is there; else the only one.
        where: the file, for messages.

    Raises:
        UsageError: there is no such signature, or none is the usual one.
        UnsupportedError: there are no signatures at all.
    """
    there = names(meta_graph)
    if not there:
        raise UnsupportedError(
            "has no signature, so nothing tells its inputs and outputs",
            where=where,
            hint="save it with tf.saved_model.save(module, folder, signatures=module.__call__)",
        )
    if asked is not None:
        if asked in there:
            return asked
        raise UsageError(f"has no signature {asked!r}", where=where, hint=_listed(there))
    found = next((name for name in usual if name in there), None)
    if found is None and len(there) > 1:
        raise UsageError(
            f"has {len(there)} signatures, of which none is called {usual[0]!r}",
            where=where,
            hint=_listed(there),
        )
    return found or there[0]


def _listed(there: Sequence[str]) -> str:
    more = f" and {len(there) - _MOST_LISTED} more" if len(there) > _MOST_LISTED else ""
    return f"signatures: {', '.join(there[:_MOST_LISTED])}{more}"


def entries(infos: Mapping[str, Any], what: str, where: str) -> list[Entry]:
    """The inputs or outputs of a signature, sorted by key.

    Raises:
        UnsupportedError: some are no plain tensors; all of these are named.
        CorruptFileError: one names no tensor.
    """
    kinds = {"coo_sparse": "a sparse tensor", "composite_tensor": "a composite tensor"}
    problems = []
    found = []
    for key in sorted(infos):
        info = infos[key]
        kind = info.WhichOneof("encoding")
        if kind in kinds:
            problems.append(f"{what} {key!r}: is {kinds[kind]}")
        elif not info.name:
            raise CorruptFileError(f"the {what} {key!r} names no tensor", where=where)
        else:
            type_ = Type(of_number(info.dtype), read_shape(info.tensor_shape))
            found.append(Entry(key, info.name, type_))
    if problems:
        raise UnsupportedError(
            "the signature has values that TF.js cannot take",
            problems=problems,
            where=where,
            hint="export a signature that takes and gives dense tensors",
        )
    return found


class Part(NamedTuple):
    """The part of a graph that a signature needs.

    Attributes:
        graph: the nodes, with inputs and outputs in the order of the keys.
        signature: the keys.
        notes: what a user should know.
    """

    graph: Graph
    signature: Signature
    notes: list[str]


def part(reader: GraphReader, signature: Any, prepare: Callable[[Graph], None]) -> Part:
    """Build what a signature needs, from the values that it is fed with.

    Inputs that the graph does not use stay. A placeholder that the signature does not feed becomes
    one more input at the end, as the graph cannot be run without it; one with a default takes that.

    Args:
        reader: the main graph.
        signature: the SignatureDef.
        prepare: called with the graph before placeholders are looked for.

    Raises:
        CorruptFileError: the signature and the graph do not fit together.
        UnsupportedError: an input or output is no plain tensor.
    """
    where = reader.where
    inputs = entries(signature.inputs, "input", where)
    outputs = entries(signature.outputs, "output", where)
    if not outputs:
        raise UnsupportedError("the signature has no outputs", where=where)
    graph = reader.graph([entry.tensor for entry in outputs], [entry.tensor for entry in inputs])
    graph.targets = []
    prepare(graph)
    notes: list[str] = []
    keys: list[str] = []
    graph.inputs = []
    for entry in inputs:
        value = value_of(graph, entry.tensor, where)
        if value.node in graph.inputs:
            notes.append(f"the input {entry.key!r} is the tensor of another, and is left out")
            continue
        graph.inputs.append(_fed(graph, value, entry))
        keys.append(entry.key)
    for node in [node for node in graph.nodes.values() if node.op == "PlaceholderWithDefault"]:
        graph.replace(node.output, node.inputs[0])
    graph.prune()
    fed = set(graph.inputs)
    for node in graph.nodes.values():
        if node.op.startswith("Placeholder") and node not in fed:
            graph.inputs.append(node)
            keys.append(node.name)
            notes.append(f"the placeholder {node.name!r} is no input of the signature, but needed")
    return Part(graph, Signature(keys, [entry.key for entry in outputs]), notes)


def value_of(graph: Graph, text: str, where: str) -> Value:
    """The value that `node:1` names.

    Raises:
        CorruptFileError: there is none.
    """
    name, _, number = text.partition(":")
    node = graph.nodes.get(name)
    index = int(number or 0) if (number or "0").isdecimal() and len(number) < 7 else -1
    if node is None or not 0 <= index < len(node.outputs):
        raise CorruptFileError(f"the signature names {text!r}, which is not there", where=where)
    return node.outputs[index]


def _fed(graph: Graph, value: Value, entry: Entry) -> Node:
    """A placeholder in place of a value that the signature feeds."""
    node = value.node
    known = value.type if value.dtype is not None else Type(entry.type.dtype, value.shape)
    if known.shape is None:
        known = Type(known.dtype, entry.type.shape)
    if node.op.startswith("Placeholder") and not node.inputs:
        value.dtype, value.shape = known
        node.attrs.update(dtype=known.dtype, shape=Dims(known.shape))
        return node
    name = node.name if value.index == 0 else f"{node.name}_{value.index}"
    graph.rename(node, f"{node.name}/fed")
    attrs = {"dtype": known.dtype, "shape": Dims(known.shape)}
    placeholder = graph.add("Placeholder", [], attrs, [known], name=name)
    graph.replace(value, placeholder.output)
    return placeholder


# Order and names of TF 2 ---------------------------------------------------------------------


def follow_function(part: Part, functions: Mapping[str, Graph]) -> dict[str, str]:
    """Give inputs and outputs the order and the names of the function behind the signature.

    A signature of TF 2 calls a wrapper whose arguments are sorted by key. The wrapper calls the
    user's function, and that has the order in which the arguments were written. The placeholders
    take the names of the wrapper's arguments (`x`, not `serving_default_x`), as in the graphs of
    the official converter.

    Returns:
        The new names of nodes that gave way, by the old ones.
    """
    graph, signature = part.graph, part.signature
    makers = {value.node for value in graph.outputs}
    call = next(iter(makers))
    reference = call.attrs.get("f")
    if len(makers) > 1 or call.op not in CALLS or not isinstance(reference, FuncRef):
        return {}
    wrapper = functions[reference.name]
    arguments = {value.node: i for i, value in reversed(list(enumerate(call.inputs)))}
    if len(wrapper.inputs) != len(call.inputs) or len(wrapper.outputs) != len(call.outputs):
        return {}
    named = {node: wrapper.inputs[arguments[node]] for node in graph.inputs if node in arguments}
    _order(graph, signature, named, wrapper)
    return _rename(graph, {node: parameter.name for node, parameter in named.items()})


def _order(graph: Graph, signature: Signature, named: Mapping[Node, Node], wrapper: Graph) -> None:
    results = [behind(wrapper.outputs[value.index]) for value in graph.outputs]
    inner = results[0].node
    if inner.op not in CALLS:
        return
    places = {value.node: i for i, value in reversed(list(enumerate(inner.inputs)))}
    last = len(places)
    inputs = sorted(
        zip(graph.inputs, signature.inputs, strict=True),
        key=lambda pair: places.get(named.get(pair[0], pair[0]), last),
    )
    graph.inputs = [node for node, _ in inputs]
    signature.inputs = [key for _, key in inputs]
    if all(value.node is inner for value in results):
        order = sorted(range(len(results)), key=lambda i: results[i].index)
        graph.outputs = [graph.outputs[i] for i in order]
        graph.output_names = [graph.output_names[i] for i in order]
        signature.outputs = [signature.outputs[i] for i in order]


def _rename(graph: Graph, wanted: Mapping[Node, str]) -> dict[str, str]:
    gave_way = {}
    for node, name in wanted.items():
        other = graph.nodes.get(name)
        if other is node:
            continue
        if other is not None:
            graph.rename(other, f"{name}/variable" if other.op == "VarHandleOp" else f"{name}_1")
            gave_way[name] = other.name
        graph.rename(node, name)
    return gave_way
