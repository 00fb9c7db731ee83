"""Reading TF.js graph models: `model.json`, `NAME.json`, or the folder that holds one.

See `runtime_contract.md` 1.1, 1.2, 1.7 and 6.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tfjs.errors import CorruptFileError
from tfjs.formats.base import ReadOptions
from tfjs.formats.graph_def import GraphReader
from tfjs.formats.manifest import read_manifest
from tfjs.formats.model_json import json_head, read_model_json
from tfjs.formats.tfjs_graph.records import plain_library, records
from tfjs.ir.dtypes import BY_ENUM, BY_NUMBER
from tfjs.ir.graph import Graph, GraphModel, Node, Signature, Type, Value
from tfjs.ir.tensor import Tensor
from tfjs.ops.support import TAKEN_FOR, usable
from tfjs.passes.dtypes import MAPPED
from tfjs.wire.protobuf import parse_json

_NODES = re.compile(rb'"modelTopology"\s*:\s*\{\s*"(node|library|versions)"')
_IMPORTS = re.compile(r"InitializeTable(V2)?|LookupTableImport(V2)?")


def sniff(path: Path) -> bool:
    """Whether the path looks like a TF.js graph model."""
    head = json_head(path)
    told = re.search(rb'"format"\s*:\s*"([^"]*)"', head)
    return told[1] == b"graph-model" if told else _NODES.search(head) is not None


def read(path: Path, options: ReadOptions) -> GraphModel:
    """Read a TF.js graph model; weights stay in their files.

    Raises:
        FormatError: files are missing or unreadable.
        CorruptFileError: the topology, the manifest or the weight files are damaged.
        UnsafeFileError: a weight path leaves the folder.
    """
    file, data = read_model_json(path)
    where = str(file)
    topology = data.get("modelTopology") if isinstance(data, dict) else None
    if not isinstance(topology, dict) or not isinstance(topology.get("node"), list):
        raise CorruptFileError("has no modelTopology with nodes", where=where)
    groups = read_manifest(data.get("weightsManifest") or [], file.parent, where)
    weights = {entry.name: entry.tensor for group in groups for entry in group.tensors}
    return _Model(data, weights, where).read()


class _Model:
    """A model.json that is being read."""

    def __init__(self, data: dict[str, Any], weights: Mapping[str, Tensor], where: str) -> None:
        self._data = data
        self._weights = weights
        self._where = where
        metadata = data.get("userDefinedMetadata")
        self._metadata: dict[str, Any] = dict(metadata) if isinstance(metadata, dict) else {}
        # TF.js prefers the signature that converters before 1.5 put here.
        told = self._metadata.pop("signature", None) or data.get("signature")
        self._signature = told if isinstance(told, dict) else {}
        self._structured = self._metadata.pop("structuredOutputKeys", None)

    def read(self) -> GraphModel:
        reader = self._reader(self._data["modelTopology"])
        outputs = self._ports("outputs") or {name: name for name in reader.unread()}
        if not outputs:
            raise self._error("is a graph without outputs")
        inputs, tables = self._inputs(reader)
        graph = reader.graph([*outputs.values(), *inputs.values(), *tables])
        functions = reader.functions([graph])
        model = GraphModel(graph, self._keys(inputs, outputs), functions)
        _cut(graph, outputs, inputs)
        model.initializer = self._initializer(graph, tables, functions)
        started = [] if model.initializer is None else [model.initializer]
        for each in [graph, *functions.values(), *started]:
            self._fill(each)
            _use_own_dtypes(each)
        self._remember_dtypes(model, inputs, outputs)
        producer = self._data.get("generatedBy")
        model.producer = producer if isinstance(producer, str) else None
        model.metadata = self._metadata
        return model

    def _reader(self, topology: Any) -> GraphReader:
        if not isinstance(topology, dict):
            raise self._error("has a topology that is no object")
        library = parse_json("tensorflow.GraphDef", plain_library(topology), self._where)
        nodes = records(topology.get("node"), self._where)
        return GraphReader(library, [], self._where, nodes=nodes, complete=False)

    def _ports(self, what: str) -> dict[str, str]:
        """Key and value of the inputs or outputs in the signature; values as `node:0`."""
        entries = self._signature.get(what) or {}
        if not isinstance(entries, dict):
            raise self._error(f"has a signature whose {what} are no object")
        return {key: self._name(entry, f"{what} {key!r}") for key, entry in entries.items()}

    def _name(self, entry: Any, what: str) -> str:
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            raise self._error(f"has a signature without a name for its {what}")
        return name

    def _inputs(self, reader: GraphReader) -> tuple[dict[str, str], dict[str, int]]:
        """What is fed, by key, and the placeholders of tables with their resource ids."""
        entries = self._signature.get("inputs") or {}
        ports = self._ports("inputs")
        tables = {
            ports[key]: entry["resourceId"]
            for key, entry in entries.items()
            if type(entry.get("resourceId")) is int
        }
        # TF.js passes over inputs that the graph does not have.
        inputs = {
            key: name
            for key, name in ports.items()
            if name not in tables and name.partition(":")[0] in reader
        }
        if not ports:
            inputs = {
                name: name
                for name in reader.node_names()
                if reader.record(name).op == "Placeholder"
            }
        there = {name: ident for name, ident in tables.items() if name.partition(":")[0] in reader}
        return inputs, there

    def _keys(self, inputs: Iterable[str], outputs: Iterable[str]) -> Signature:
        keys = list(outputs)
        told = self._structured
        named = isinstance(told, list) and all(isinstance(key, str) for key in told)
        if named and len(told) == len(keys) and set(told) != set(keys):
            keys = told  # TF.js goes by the position
        return Signature(list(inputs), keys, structured=bool(named))

    def _initializer(
        self, graph: Graph, tables: Mapping[str, int], functions: dict[str, Graph]
    ) -> Graph | None:
        topology = self._data.get("modelInitializer")
        if not isinstance(topology, dict) or not topology.get("node"):
            if tables:
                raise self._error("has tables, but no initializer that fills them")
            return None
        reader = self._reader(topology)
        names = reader.node_names()
        imports = [name for name in names if _IMPORTS.fullmatch(reader.record(name).op)]
        handles = self._handles(reader)
        started = reader.graph([f"{name}:0" for name in handles.values()], imports)
        functions.update(reader.functions([started]))
        for placeholder, ident in tables.items():
            if ident not in handles:
                raise self._error(f"has no table with the resource id {ident}")
            _share(graph, placeholder, _source(started.nodes[handles[ident]]))
        started.outputs, started.output_names = [], []
        for node in started.nodes.values():
            node.controls = []
        started.prune()
        return started

    def _handles(self, reader: GraphReader) -> dict[int, str]:
        """The node of the initializer that gives each resource."""
        signature = self._data.get("initializerSignature")
        outputs = signature.get("outputs") if isinstance(signature, dict) else None
        found = {}
        for key, entry in (outputs if isinstance(outputs, dict) else {}).items():
            ident = entry.get("resourceId") if isinstance(entry, dict) else None
            name = self._name(entry, f"output {key!r} of the initializer").partition(":")[0]
            if type(ident) is int and name in reader:
                found[ident] = name
        return found

    def _remember_dtypes(
        self, model: GraphModel, inputs: Iterable[str], outputs: Iterable[str]
    ) -> None:
        """Keep what the signature tells of the dtypes of the source, where it fits the graph."""
        signature, graph = model.signature, model.graph
        fed = [node.output for node in graph.inputs]
        for what, ports, keys, values, found in (
            ("inputs", inputs, signature.inputs, fed, signature.input_dtypes),
            ("outputs", outputs, signature.outputs, graph.outputs, signature.output_dtypes),
        ):
            entries = self._signature.get(what) or {}
            for port, key, value in zip(ports, keys, values, strict=True):
                told = _dtype_of(entries.get(port))
                if told is not None and MAPPED.get(told) == value.dtype:
                    found[key] = told

    def _fill(self, graph: Graph) -> None:
        """Give constants their weights."""
        for node in graph.nodes.values():
            if node.op != "Const":
                continue
            tensor = self._weights.get(node.name)
            if tensor is None:
                raise self._error(f"has no weight for the constant {node.name!r}")
            node.attrs = {"value": tensor, "dtype": tensor.dtype}
            node.outputs = node.outputs or [Value(node, 0, Type(None))]
            node.output.dtype, node.output.shape = tensor.dtype, tensor.shape

    def _error(self, problem: str) -> CorruptFileError:
        return CorruptFileError(problem, where=self._where)


def _dtype_of(entry: Any) -> str | None:
    told = entry.get("dtype") if isinstance(entry, dict) else None
    if isinstance(told, str):
        return BY_ENUM.get(told)
    return BY_NUMBER.get(told) if type(told) is int else None


def _cut(graph: Graph, outputs: Mapping[str, str], inputs: Mapping[str, str]) -> None:
    """Let inputs and outputs be those of the signature, in its order."""
    count = len(outputs)
    fed = graph.outputs[count : count + len(inputs)]
    graph.inputs = [value.node for value in fed]
    graph.outputs = graph.outputs[:count]
    graph.output_names = list(outputs)


def _use_own_dtypes(graph: Graph) -> None:
    """Let a graph have the dtypes that TF.js computes it with."""
    for node in graph.nodes.values():
        if not usable(node.op):
            continue
        for value in node.outputs:
            value.dtype = TAKEN_FOR.get(value.dtype or "", value.dtype)
        for name, attr in node.attrs.items():
            if isinstance(attr, str):
                node.attrs[name] = TAKEN_FOR.get(attr, attr)
            elif isinstance(attr, list):
                node.attrs[name] = [
                    TAKEN_FOR.get(item, item) if isinstance(item, str) else item for item in attr
                ]


def _share(graph: Graph, placeholder: str, table: Node) -> None:
    """Put a table of the initializer, under its name, in the place of a placeholder."""
    old = graph.nodes[placeholder.partition(":")[0]]
    if table.name in graph.nodes:
        graph.rename(graph.nodes[table.name], f"{table.name}/inner")
    new = graph.add(table.op, [], table.attrs, [Type("resource", ())], name=table.name)
    graph.replace(old.output, new.output)
    graph.erase(old)


def _source(node: Node) -> Node:
    while node.op == "Identity" and node.inputs:
        node = node.inputs[0].node
    return node
