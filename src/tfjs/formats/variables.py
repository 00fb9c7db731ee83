"""The values of the variables of a SavedModel."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from tfjs.errors import CorruptFileError
from tfjs.formats.checkpoint import variable_of
from tfjs.formats.graph_def import GraphReader
from tfjs.formats.restored import Restored, Stored, restored
from tfjs.ir.graph import Dims, Graph, Node, Shape
from tfjs.ir.tensor import Tensor
from tfjs.wire.bundle import Bundle, read_bundle
from tfjs.wire.protobuf import parse

MAKERS = frozenset({"VarHandleOp", "VariableV2", "Variable"})
_TABLES = frozenset({"MutableHashTable", "MutableHashTableV2", "MutableDenseHashTableV2"})
_COLLECTION = "variables"
_VALUE = "VARIABLE_VALUE"


class Variables:
    """Finds the values of variables; nothing is read before one is asked for.

    Args:
        meta_graph: the MetaGraphDef.
        reader: its graph.
        prefix: path of the checkpoint, without `.index`.
    """

    def __init__(self, meta_graph: Any, reader: GraphReader, prefix: Path) -> None:
        self._meta_graph = meta_graph
        self._reader = reader
        self._prefix = prefix

    def of(self, graphs: Iterable[Graph]) -> dict[str, Tensor]:
        """The values of the variables that graphs have, by the node that makes each.

        Those that the checkpoint does not hold are left out.

        Raises:
            FormatError: the checkpoint is missing.
            CorruptFileError: it is damaged, or holds another dtype or shape than the graph tells.
        """
        found: dict[str, Tensor] = {}
        for graph in graphs:
            for node in graph.nodes.values():
                if node.op in MAKERS and node.name not in found:
                    stored = self._stored(node)
                    if stored is not None:
                        found[node.name] = self._tensor(node, stored)
        return found

    def contents(self, graph: Graph) -> dict[str, tuple[Tensor, Tensor]]:
        """Keys and values of the mutable tables of a graph, by the node that makes each.

        Raises:
            FormatError: the checkpoint is missing.
            CorruptFileError: it is damaged.
        """
        found = {}
        for node in graph.nodes.values():
            table = self._restored.tables.get(node.name) if node.op in _TABLES else None
            if table is not None:
                keys, values = (variable_of(self._bundle, part.key, part.spec) for part in table)
                found[node.name] = (keys, values)
        return found

    def _stored(self, node: Node) -> Stored | None:
        direct = self._restored.variables.get(node.name)
        if direct is not None:
            return direct
        name = _shared_name(node)
        return self._by_name.get(name) or next(
            (Stored(key) for key in (node.name, name) if key in self._bundle), None
        )

    def _tensor(self, node: Node, stored: Stored) -> Tensor:
        tensor = variable_of(self._bundle, stored.key, stored.spec)
        dtype, shape = node.attrs.get("dtype"), node.attrs.get("shape")
        own = "float32" if dtype == "bfloat16" else dtype
        if dtype is not None and tensor.dtype not in (dtype, own):
            raise self._misfit(node, f"is {dtype}, the checkpoint has {tensor.dtype}")
        if isinstance(shape, Dims) and not _fits(tensor.shape, shape.dims):
            raise self._misfit(node, f"is {shape.dims}, the checkpoint has {tensor.shape}")
        return tensor

    def _misfit(self, node: Node, problem: str) -> CorruptFileError:
        return CorruptFileError(f"the variable {node.name!r} {problem}", where=self._reader.where)

    @cached_property
    def _bundle(self) -> Bundle:
        return read_bundle(self._prefix)

    @cached_property
    def _restored(self) -> Restored:
        return restored(self._reader, self._meta_graph.saver_def.restore_op_name)

    @cached_property
    def _by_name(self) -> dict[str, Stored]:
        """Where variables stand by their shared names; ambiguous names are left out."""
        named: dict[str, set[Stored]] = {}
        for name, stored in [*self._shared(), *self._collected(), *self._objects()]:
            named.setdefault(name, set()).add(stored)
        return {name: next(iter(found)) for name, found in named.items() if len(found) == 1}

    def _shared(self) -> Iterable[tuple[str, Stored]]:
        """Two nodes with one shared name make one variable; the restoring may know only one."""
        for name, stored in self._restored.variables.items():
            if name in self._reader:
                shared = self._reader.record(name).attrs["shared_name"].s
                yield shared.decode(errors="replace") or name, stored

    def _collected(self) -> Iterable[tuple[str, Stored]]:
        """Parts of partitioned variables, as TF 1 lists them for a saver to be made later."""
        collection = self._meta_graph.collection_def.get(_COLLECTION)
        for data in [] if collection is None else collection.bytes_list.value:
            proto = parse("tensorflow.VariableDef", data, self._reader.where)
            part = proto.save_slice_info_def
            if part.full_name in self._bundle:
                sizes = zip(part.var_offset, part.var_shape, strict=False)
                extents = ":".join(f"{start},{size}" for start, size in sizes)
                spec = " ".join([*map(str, part.full_shape), extents])
                yield proto.variable_name.partition(":")[0], Stored(part.full_name, spec)

    def _objects(self) -> Iterable[tuple[str, Stored]]:
        """The full names in the object graph of a checkpoint of TF 2."""
        data = self._bundle.object_graph()
        if data is None:
            return
        message = parse("tensorflow.TrackableObjectGraph", data, str(self._bundle.index_path))
        for node in message.nodes:
            for entry in node.attributes:
                if (
                    entry.name == _VALUE
                    and entry.full_name
                    and entry.checkpoint_key in self._bundle
                ):
                    yield entry.full_name, Stored(entry.checkpoint_key)


def _shared_name(node: Node) -> str:
    name = node.attrs.get("shared_name")
    return (name.decode(errors="replace") if isinstance(name, bytes) else "") or node.name


def _fits(found: tuple[int, ...], told: Shape) -> bool:
    if told is None:
        return True
    return len(found) == len(told) and all(
        size is None or size == other for other, size in zip(found, told, strict=True)
    )
