"""What a SavedModel runs once before its first use, and the files that it needs for that.

The operation is named by the signature `__saved_model_init_op`, else by the collections
`saved_model_main_op` or `legacy_init_op` (tensorflow/cc/saved_model/loader_util.cc: GetInitOp).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfjs.errors import CorruptFileError
from tfjs.formats.restored import ASSIGNS, behind
from tfjs.formats.signature_def import INIT_OP
from tfjs.io.paths import inside
from tfjs.ir.graph import Graph, Node, constant_of, following, waiters_of
from tfjs.ir.tensor import ArrayTensor, Tensor
from tfjs.wire.protobuf import parse

_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
_ASSETS = "saved_model_assets"
_NO_TABLES = frozenset({"VarHandleOp", "Placeholder", "ReadVariableOp"})


def init_op(meta_graph: Any) -> str | None:
    """The node that initialises the model; None where there is none."""
    signature = meta_graph.signature_def.get(INIT_OP)
    info = None if signature is None else signature.outputs.get(INIT_OP)
    found = [] if info is None else [info.name]
    for name in _COLLECTIONS:
        collection = meta_graph.collection_def.get(name)
        if collection is not None:
            found += collection.node_list.value[:1]
    return next((name.removeprefix("^").partition(":")[0] for name in found if name), None)


class Assets:
    """The asset files of a SavedModel, and the nodes that hold their paths.

    A graph names a file by its path when it was saved. Here each such node becomes a constant with
    the file's name alone, which is the key in `files`.

    Args:
        meta_graph: the MetaGraphDef.
        folder: that of the SavedModel.
        where: the file, for messages.

    Raises:
        UnsafeFileError: a name leads outside of `assets/`.
        CorruptFileError: an entry is damaged.
    """

    def __init__(self, meta_graph: Any, folder: Path, where: str) -> None:
        self.files: dict[str, Path] = {}
        self._names: dict[str, str] = {}
        self._made: list[Tensor] = []
        self._where = where
        for entry in [*meta_graph.asset_file_def, *_collected(meta_graph, where)]:
            path = inside(folder / "assets", entry.filename, where=where)
            self.files[entry.filename] = path
            self._names[entry.tensor_info.name.partition(":")[0]] = entry.filename

    def put(self, graph: Graph) -> None:
        """Make constants of the nodes that hold paths."""
        for node_name, file in self._names.items():
            node = graph.nodes.get(node_name)
            if node is None or len(node.outputs) != 1:
                continue
            values = np.array([file.encode()], dtype=object)
            shape = (1,) if node.output.shape == (1,) else ()
            tensor = ArrayTensor(values.reshape(shape))
            self._made.append(tensor)
            graph.set_inputs(node, [])
            graph.inputs = [other for other in graph.inputs if other is not node]
            node.op, node.controls = "Const", []
            node.attrs = {"value": tensor, "dtype": "string"}
            node.output.dtype, node.output.shape = "string", shape

    def needed(self, tensors: Iterable[Tensor]) -> dict[str, Path]:
        """All files, where one of the tensors names one; no files else.

        Raises:
            CorruptFileError: a file is needed and missing.
        """
        if not {id(tensor) for tensor in self._made} & {id(tensor) for tensor in tensors}:
            return {}
        for path in self.files.values():
            if not path.is_file():
                raise CorruptFileError("needs this asset file, which is missing", where=str(path))
        return self.files


def _collected(meta_graph: Any, where: str) -> Iterable[Any]:
    """The assets of TF 1, which stand in a collection."""
    collection = meta_graph.collection_def.get(_ASSETS)
    for entry in [] if collection is None else collection.any_list.value:
        yield parse("tensorflow.AssetFileDef", entry.value, where)


def settle(graph: Graph) -> dict[str, Tensor]:
    """Take the variables that an initialiser sets to constants out of it.

    Returns:
        Their values by the node that makes the variable; TensorFlow would set them after it has
        restored the checkpoint.
    """
    found: dict[str, Tensor] = {}
    gone: set[Node] = set()
    for node in graph.nodes.values():
        if node.op in ASSIGNS and len(node.inputs) > 1:
            tensor = constant_of(behind(node.inputs[1]))
            if tensor is not None:
                found[behind(node.inputs[0]).node.name] = tensor
                gone.add(node)
    graph.targets = [node for node in graph.targets if node not in gone]
    for node in graph.nodes.values():
        node.controls = [other for other in node.controls if other not in gone]
    return found


def reduce(graph: Graph, main: Graph) -> bool:
    """Keep only what fills the tables of another graph.

    Returns:
        Whether there is anything.
    """
    tables = {node.name for node in graph.nodes.values() if _is_table(node)}
    shared = {graph.nodes[name] for name in tables if name in main.nodes}
    concerned = following(shared, waiters_of(graph.nodes.values()))
    targets: dict[Node, None] = {}
    left, seen = list(reversed(graph.targets)), set[Node]()
    while left:
        node = left.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op == "NoOp" and not node.inputs:
            left += reversed(node.controls)
        elif node in concerned and node not in shared:
            targets[node] = None
    graph.targets = list(targets)
    graph.prune()
    return bool(targets)


def fill(
    graph: Graph | None, main: Graph, contents: Mapping[str, tuple[Tensor, Tensor]]
) -> Graph | None:
    """Add to an initialiser what the checkpoint holds of mutable tables.

    Args:
        graph: the initialiser so far.
        main: the graph with the tables.
        contents: keys and values by the node that makes the table.
    """
    for name, (keys, values) in contents.items():
        graph = Graph() if graph is None else graph
        table = graph.nodes.get(name)
        if table is None:
            model = main.nodes[name]
            types = [value.type for value in model.outputs]
            table = graph.add(model.op, [], model.attrs, types, name=name)
        parts = [
            graph.constant(tensor, name=f"{name}/{part}")
            for part, tensor in (("keys", keys), ("values", values))
        ]
        attrs = {"Tin": keys.dtype, "Tout": values.dtype}
        inputs = [table.output, *parts]
        graph.targets.append(
            graph.add("LookupTableImportV2", inputs, attrs, [], name=f"{name}/import")
        )
    return graph


def _is_table(node: Node) -> bool:
    """Whether it makes a resource, unless that is a variable's."""
    if node.op in _NO_TABLES or not node.outputs:
        return False
    return node.output.dtype == "resource" or node.op.endswith("HashTable")


def renamed(graph: Graph, names: Mapping[str, str]) -> None:
    """Give nodes the names that they have in the main graph."""
    for old, new in names.items():
        node = graph.nodes.get(old)
        if node is not None:
            graph.rename(node, new)
