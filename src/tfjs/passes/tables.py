"""Hash tables and decision forests, and what fills them before the first call.

TF.js takes keys and values from constants, in a graph of their own (`runtime_contract.md` 1.7).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.io.files import read_bytes
from tfjs.ir.graph import Attrs, Graph, GraphModel, Node, constant_of
from tfjs.ir.tensor import Array
from tfjs.ops.base import constant_array

_FROM_FILES = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
# What gives a table all its keys and values at once, with what TF.js calls it.
_IMPORTS = {
    "InitializeTable": "LookupTableImport",
    "InitializeTableV2": "LookupTableImportV2",
    "LookupTableImport": "LookupTableImport",
    "LookupTableImportV2": "LookupTableImportV2",
    "LookupTableInsert": "LookupTableImport",
    "LookupTableInsertV2": "LookupTableImportV2",
}
_REMOVES = frozenset({"LookupTableRemoveV2"})
# It loads a decision forest; the package tfjs-tfdf does that from `assets.zip`, whatever the path.
_LOAD = "SimpleMLLoadModelFromPathWithHandle"
_TABLES = {
    "HashTable": "HashTable",
    "HashTableV2": "HashTableV2",
    "MutableHashTable": "HashTable",
    "MutableHashTableV2": "HashTableV2",
}
_LARGEST_FILE = 1 << 30
# Columns of a vocabulary file that are no columns.
_WHOLE_LINE, _LINE_NUMBER = -2, -1


def settle_tables(model: GraphModel) -> None:
    """Let the initializer fill the tables and load the forests of the main graph, and do no more.

    Raises:
        UnsupportedError: a table is filled from what the initializer computes.
        CorruptFileError: a vocabulary file does not fit.
    """
    tables = {node.name: node for node in model.graph.nodes.values() if node.op in _TABLES}
    for node in tables.values():
        node.op = _TABLES[node.op]
    graph = model.initializer
    if graph is None:
        return
    filled: list[Node] = []
    for node in list(graph.nodes.values()):
        if node.op == _LOAD:
            path = graph.constant(np.array(b"assets.zip", object), name=f"{node.name}/path")
            graph.set_input(node, 1, path)
            filled.append(node)
        if node.op not in _FROM_FILES and node.op not in _IMPORTS:
            continue
        table = node.inputs[0].node
        if table.name not in tables:
            continue
        filled.append(_import_of(model, graph, node, table))
        table.op = _TABLES.get(table.op, table.op)
    for node in graph.nodes.values():
        node.controls = []
    graph.targets = filled
    graph.prune()
    if not filled:
        model.initializer = None


def refuse_changed_tables(model: GraphModel) -> None:
    """See that only the initializer fills tables; control inputs must still be there.

    Raises:
        UnsupportedError: a run of the model changes a table.
    """
    changes = [
        f"{node.name} ({node.op})"
        for graph in [model.graph, *model.functions.values()]
        for node in graph.nodes.values()
        if node.op in _IMPORTS or node.op in _FROM_FILES or node.op in _REMOVES
    ]
    if changes:
        raise UnsupportedError(
            "the model changes hash tables each time it runs; TF.js fills them only before",
            problems=changes,
            hint="fill the table when the model is built, and export without what changes it",
        )


def _import_of(model: GraphModel, graph: Graph, node: Node, table: Node) -> Node:
    if node.op in _IMPORTS:
        node.op = _IMPORTS[node.op]
        if any(constant_of(value) is None for value in node.inputs[1:3]):
            raise UnsupportedError(
                f"the keys and values of the table {table.name!r} are computed, not constant"
            )
        return node
    name = constant_array(node.inputs[1])
    file = None if name is None else model.assets.get(bytes(name.item()).decode(errors="replace"))
    if file is None:
        raise CorruptFileError(f"the file of the table {table.name!r} is not among the assets")
    dtypes = (table.attrs["key_dtype"], table.attrs["value_dtype"])
    keys, values = read_vocabulary(file, node.attrs, dtypes)
    known = [
        node.inputs[0],
        graph.constant(keys, name=f"{node.name}/keys"),
        graph.constant(values, name=f"{node.name}/values"),
    ]
    attrs = {"Tin": table.attrs["key_dtype"], "Tout": table.attrs["value_dtype"]}
    return graph.add(
        "LookupTableImportV2", known, attrs, [], name=f"{node.name}/import", origin=node.origin
    )


def read_vocabulary(file: Path, attrs: Attrs, dtypes: tuple[str, str]) -> tuple[Array, Array]:
    """Keys and values from a vocabulary file.

    How lines are read: tensorflow/core/kernels/lookup_util.cc.

    Args:
        file: the file.
        attrs: the attributes of the node that reads it into a table.
        dtypes: those of keys and values.

    Raises:
        CorruptFileError: the file has too few lines or columns, or no numbers where these belong.
    """
    data = read_bytes(file, limit=_LARGEST_FILE).replace(b"\r", b"")
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    size = attrs.get("vocab_size", -1)
    if size >= 0:
        if len(lines) < size:
            raise CorruptFileError(f"has {len(lines)} lines, {size} were expected", where=str(file))
        lines = lines[:size]
    offset = attrs.get("offset", 0)
    delimiter = attrs.get("delimiter", b"\t")
    keys, values = (
        _column(lines, attrs[name], dtype, delimiter, offset, str(file))
        for name, dtype in zip(("key_index", "value_index"), dtypes, strict=True)
    )
    return keys, values


def _column(
    lines: Sequence[bytes], index: int, dtype: str, delimiter: bytes, offset: int, where: str
) -> Array:
    if index == _LINE_NUMBER:
        return np.arange(offset, offset + len(lines)).astype(dtype)
    try:
        found = lines if index == _WHOLE_LINE else [line.split(delimiter)[index] for line in lines]
        if dtype == "string":
            values = np.empty(len(found), object)
            values[:] = found
            return values
        return np.array([float(item) if "float" in dtype else int(item) for item in found], dtype)
    except (IndexError, ValueError, OverflowError) as error:
        raise CorruptFileError(f"is no such vocabulary: {error}", where=where) from None
