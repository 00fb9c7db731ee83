"""Reading TF.js graph models: `model.json`, `NAME.json`, or the folder that holds one.

The topology is a GraphDef in JSON, in either of two forms: as protobuf writes it, with names of
enumerations and base64, or as the pb2json tool of old did, with their numbers and with lists of
character codes (`runtime_contract.md` 1.1, 1.2, 1.7 and 6).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tfjs.errors import CorruptFileError
from tfjs.formats.base import ReadOptions
from tfjs.formats.graph_def import GraphReader
from tfjs.formats.manifest import read_manifest
from tfjs.formats.model_json import json_head, read_model_json
from tfjs.ir.graph import Graph, GraphModel, Node, Signature, Type, Value
from tfjs.ir.tensor import Tensor
from tfjs.ops.support import TAKEN_FOR, usable
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
        producer = self._data.get("generatedBy")
        model.producer = producer if isinstance(producer, str) else None
        model.metadata = self._metadata
        return model

    def _reader(self, topology: Any) -> GraphReader:
        plain = _plain_topology(topology, self._where)
        proto = parse_json("tensorflow.GraphDef", plain, self._where)
        return GraphReader(proto, [], self._where, complete=False)

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
                name: name for name in reader.node_names() if reader.proto(name).op == "Placeholder"
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
        imports = [name for name in names if _IMPORTS.fullmatch(reader.proto(name).op)]
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


def _plain_topology(topology: Any, where: str) -> Any:
    """The topology with bytes in base64 everywhere, and without the contents of constants."""
    if not isinstance(topology, dict):
        raise CorruptFileError("has a topology that is no object", where=where)
    library = topology.get("library")
    functions = library.get("function") if isinstance(library, dict) else None
    bodies = [
        {
            **{key: function[key] for key in ("signature", "ret") if key in function},
            "nodeDef": [_plain_node(node) for node in _list(function.get("nodeDef"))],
        }
        for function in _list(functions)
        if isinstance(function, dict)
    ]
    nodes = [_plain_node(node) for node in _list(topology.get("node"))]
    return {"node": nodes, "library": {"function": bodies}}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _plain_node(node: Any) -> Any:
    attrs = node.get("attr") if isinstance(node, dict) else None
    if not isinstance(attrs, dict):
        return node
    found = {name: _plain_attr(value) for name, value in attrs.items()}
    if node.get("op") == "Const":
        found.pop("value", None)
    if node.get("op") == "_FusedConv2D":
        found.setdefault("TArgs", _argument_dtypes(found))
    return {**node, "attr": found}


def _argument_dtypes(attrs: Mapping[str, Any]) -> Any:
    """What TensorFlow before 2.8 and TF.js leave out: the dtypes of bias and slope."""
    dtype, count = attrs.get("T"), attrs.get("num_args")
    told = count.get("i") if isinstance(count, dict) else None
    if not isinstance(dtype, dict) or str(told) not in ("1", "2"):
        return {"list": {}}
    return {"list": {"type": [dtype.get("type", "DT_FLOAT")] * int(str(told))}}


def _plain_attr(attr: Any) -> Any:
    if not isinstance(attr, dict):
        return attr
    found = {key: _plain_bytes(value) if key == "s" else value for key, value in attr.items()}
    listed = found.get("list")
    if isinstance(listed, dict) and isinstance(listed.get("s"), list):
        found["list"] = {**listed, "s": [_plain_bytes(item) for item in listed["s"]]}
    return found


def _plain_bytes(value: Any) -> Any:
    if isinstance(value, list) and all(type(code) is int and 0 <= code < 256 for code in value):
        return base64.b64encode(bytes(value)).decode("ascii")
    return value
