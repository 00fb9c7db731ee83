"""Reading frozen graphs: `.pb` in binary, `.pbtxt` as text."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfjs.errors import CorruptFileError, FormatError, UnsupportedError, UsageError
from tfjs.formats.base import ReadOptions
from tfjs.formats.graph_def import GraphReader
from tfjs.formats.proto_file import TEXT_SUFFIX, read_message
from tfjs.ir.graph import Dims, Graph, GraphModel, Node, Signature

_SUFFIXES = (".pb", TEXT_SUFFIX)
# Files of these names are protobufs of other kinds.
_OTHERS = frozenset(
    {"saved_model.pb", "saved_model.pbtxt", "keras_metadata.pb", "fingerprint.pb"}
    | {"tfhub_module.pb", "tensorflowjs_model.pb"}
)
_SAVED_MODEL = b"\x08\x01\x12"  # a SavedModel's version, and the start of its first metagraph
_MANIFEST = "weights_manifest.json"
# Operations without readers that are no results of a model.
_NO_RESULTS = frozenset(
    {"Const", "NoOp", "Assert", "CheckNumerics", "Print", "PrintV2", "SaveV2", "MergeV2Checkpoints"}
    | {"Assign", "AssignAdd", "AssignSub", "VarHandleOp", "Variable", "VariableV2", "RestoreV2"}
    | {"MergeSummary", "ScalarSummary", "HistogramSummary", "ImageSummary", "VarIsInitializedOp"}
    | {"IsVariableInitialized", "ReadVariableOp", "HashTable", "HashTableV2", "LookupTableSizeV2"}
)
_OF_ASSERTS = "AssertGuard"  # tf.Assert names its branches so, whose results nobody reads
_MOST_COMPARED = 5000
_MOST_LISTED = 10


def sniff(path: Path) -> bool:
    """Whether the path is a file that ends in .pb or .pbtxt, and is none of another format."""
    return path.suffix.lower() in _SUFFIXES and path.name not in _OTHERS and path.is_file()


def read(path: Path, options: ReadOptions) -> GraphModel:
    """Read a frozen graph.

    Raises:
        FormatError: the file is missing or unreadable.
        CorruptFileError: it is damaged, or is no GraphDef.
        UsageError: an output is asked for that is not there.
        UnsupportedError: nothing tells what the outputs are.
    """
    where = str(path)
    reader = GraphReader(_graph_def(path), (), where)
    outputs = list(dict.fromkeys(options.output_node_names))
    notes = []
    if outputs:
        _check(reader, outputs)
    else:
        outputs = _found(reader)
        notes.append(f"outputs found: {_listed(outputs)}")
    graph = reader.graph(outputs)
    notes += _settle_defaults(graph)
    inputs = [node.name for node in graph.inputs]
    return GraphModel(
        graph=graph,
        signature=Signature(inputs, [text.removesuffix(":0") for text in outputs]),
        functions=reader.functions([graph]),
        notes=notes,
    )


def _graph_def(path: Path) -> Any:
    if _begins_with(path, _SAVED_MODEL):
        raise CorruptFileError(
            "is a SavedModel, not a graph",
            where=str(path),
            hint="let the file be called saved_model.pb and give its folder",
        )
    message = read_message("tensorflow.GraphDef", path)
    if (path.parent / _MANIFEST).is_file():
        raise UnsupportedError(
            "is a TF.js model from before 1.0, whose weights are in other files",
            where=str(path),
            hint="convert its source again",
        )
    if not message.node:
        raise CorruptFileError("has no nodes", where=str(path))
    return message


def _begins_with(path: Path, mark: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(mark)) == mark
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror}", where=str(path)) from None


def _check(reader: GraphReader, outputs: Sequence[str]) -> None:
    for text in outputs:
        name = text.partition(":")[0]
        if name in reader:
            continue
        names = reader.node_names()
        lowered = name.lower()
        near = [other for other in names if lowered and lowered in other.lower()]
        near = sorted(near, key=len)[:_MOST_LISTED] or difflib.get_close_matches(
            name, names[:_MOST_COMPARED]
        )
        hint = f"nodes of a similar name: {', '.join(near)}" if near else _ends(reader)
        raise UsageError(f"has no node {name!r}", where=reader.where, hint=hint)


def _ends(reader: GraphReader) -> str | None:
    ends = _results(reader)
    return f"nodes that no other reads: {_listed(ends)}" if ends else None


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more


def _found(reader: GraphReader) -> list[str]:
    found = _results(reader)
    if not found:
        raise UnsupportedError(
            "every node is read by another, so nothing tells the outputs",
            where=reader.where,
            hint="name them with --output-node-names",
        )
    return found


def _results(reader: GraphReader) -> list[str]:
    """The nodes that no other reads, if they give something that a model may be asked for."""
    found = []
    for name in reader.unread():
        op = reader.record(name).op
        known = reader.definition_of(op)
        silent = known is not None and not known.outputs
        silent = silent or _OF_ASSERTS in name.split("/")
        if op not in _NO_RESULTS and not op.startswith("Placeholder") and not silent:
            found.append(name)
    return found


def _settle_defaults(graph: Graph) -> list[str]:
    """Let placeholders with a default be inputs, or where they are mere switches their default."""
    notes = []
    optional = [node for node in graph.nodes.values() if node.op == "PlaceholderWithDefault"]
    for node in optional:
        if _is_switch(node):
            graph.replace(node.output, node.inputs[0])
            notes.append(f"the placeholder {node.name!r} takes its default")
        else:
            node.op = "Placeholder"
            graph.set_inputs(node, [])
            shape = node.attrs.get("shape")
            node.attrs = {"dtype": node.output.dtype, "shape": shape or Dims(None)}
    if optional:
        graph.prune()
    graph.inputs = [node for node in graph.nodes.values() if node.op.startswith("Placeholder")]
    return notes


def _is_switch(node: Node) -> bool:
    default = node.inputs[0]
    return default.node.op == "Const" and default.shape == ()
