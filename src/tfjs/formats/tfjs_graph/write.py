"""Writing TF.js graph models: `model.json` and its weight files.

The layout is that of the official converter (`official_converter.md` 1b); what TF.js 4.22 makes of
it stands in `runtime_contract.md` 1.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfjs import __version__
from tfjs.errors import UnsupportedError, UsageError
from tfjs.formats.base import Content, Port, WriteOptions, Written
from tfjs.formats.manifest import write_weights
from tfjs.formats.tfjs_graph.checks import check, reached
from tfjs.formats.tfjs_graph.topology import graph_def, port_json
from tfjs.io.atomic import atomic_folder
from tfjs.io.files import CHUNK
from tfjs.io.json import write_json
from tfjs.ir.graph import Graph, GraphModel, Node, Value
from tfjs.ir.weights import NamedTensor, WeightGroup
from tfjs.ops.support import read_on_host, tfjs_op

_SHARD = re.compile(r"group\d+-shard\d+of\d+(\.bin)?")
# The files of a decision forest, for the package tfjs-tfdf.
_ASSETS = "assets.zip"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
# What TF.js itself reads in the metadata.
_RESERVED = ("signature", "structuredOutputKeys")


def write(content: Content, path: Path, options: WriteOptions) -> Written:
    """Write `model.json` and its weight files into the folder `path`.

    The graph is one that TF.js can run: the passes have seen to that.

    Raises:
        UsageError: the path is a file, or the metadata have a key that TF.js reads itself.
        UnsupportedError: a number cannot be written, or the source is no graph.
        ConversionError: the graph is none that TF.js runs, or the system refused the write.
    """
    if not isinstance(content, GraphModel):
        raise UnsupportedError("the source is no graph")
    functions = reached([content.graph], content.functions)
    graphs = [content.graph, *functions]
    started: list[Graph] = []
    if content.initializer is not None:
        called = reached([content.initializer], content.functions)
        started = [content.initializer, *(entry for entry in called if entry not in functions)]
    check(content, [*graphs, *started], skip_op_check=options.skip_op_check)
    data = _document(content, functions, options)
    if content.initializer is not None:
        data["modelInitializer"] = graph_def(content.initializer, called)
    weights, exact = _weights([*graphs, *started])
    with atomic_folder(path, replaces=_is_ours, check=options.check) as folder:
        manifest, files, notes = write_weights(
            [WeightGroup("", weights)],
            folder,
            shard_size=options.shard_size,
            quantize=options.quantize,
            dequantize=options.dequantize,
            progress=options.progress,
            exact=exact,
        )
        size = write_json(folder / "model.json", {**data, "weightsManifest": manifest})
        files = [("model.json", size), *files]
        if any(map(_needs_assets, {node.op for graph in graphs for node in graph.nodes.values()})):
            files.append((_ASSETS, _write_assets(folder / _ASSETS, content.assets)))
    return Written(
        files=files,
        notes=[*_order_notes(content), *notes],
        inputs=_ports(content.signature.inputs, [node.output for node in content.graph.inputs]),
        outputs=_ports(content.signature.outputs, content.graph.outputs),
    )


def _document(
    model: GraphModel, functions: Iterable[Graph], options: WriteOptions
) -> dict[str, Any]:
    signature, graph = model.signature, model.graph
    metadata = {**model.metadata, **options.metadata}
    for key in _RESERVED:
        if key in metadata:
            raise UsageError(f"TF.js reads {key!r} in the metadata itself: give yours another name")
    if signature.structured:
        metadata["structuredOutputKeys"] = _in_javascript(signature.outputs)
    inputs = [node.output for node in graph.inputs]
    data: dict[str, Any] = {
        "format": "graph-model",
        "generatedBy": model.producer,
        "convertedBy": f"tfjs {__version__}",
        "signature": {
            "inputs": _ports_json(signature.inputs, inputs, signature.input_dtypes),
            "outputs": _ports_json(signature.outputs, graph.outputs, signature.output_dtypes),
        },
        "modelTopology": graph_def(graph, functions),
    }
    if metadata:
        data["userDefinedMetadata"] = metadata
    return data


def _ports_json(
    keys: Iterable[str], values: Iterable[Value], dtypes: Mapping[str, str]
) -> dict[str, Any]:
    ports = zip(keys, values, strict=True)
    return {key: port_json(value, dtypes.get(key)) for key, value in ports}


def _weights(graphs: Iterable[Graph]) -> tuple[list[NamedTensor], set[str]]:
    """The constants, and the names of those that must not lose precision."""
    found: dict[str, NamedTensor] = {}
    exact: set[str] = set()
    for graph in graphs:
        for node in graph.nodes.values():
            if node.op == "Const" and node.name not in found:
                found[node.name] = NamedTensor(node.name, node.attrs["value"])
                if _is_parameter(node):
                    exact.add(node.name)
    return list(found.values()), exact


def _is_parameter(node: Node) -> bool:
    """Whether TF.js reads a constant as a number or a shape everywhere, and never as data."""
    for user, index in node.output.uses:
        if not read_on_host(user.op, index, len(user.inputs)):
            return False
    return bool(node.output.uses)


def _needs_assets(name: str) -> bool:
    op = tfjs_op(name)
    return op is not None and op.category == "tfdf"


def _write_assets(target: Path, assets: Mapping[str, Path]) -> int:
    """Write files into an archive, as the official converter names them; gives its size."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(assets.items()):
            # A time of its own would change the bytes from run to run.
            entry = zipfile.ZipInfo(f"./{name}", _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as file:
                shutil.copyfileobj(source, file, CHUNK)
    return target.stat().st_size


def _in_javascript(keys: Sequence[str]) -> list[str]:
    """Keys in the order of a JavaScript object: numbers come first, by their size."""
    indices = [key for key in keys if key.isascii() and key.isdigit() and str(int(key)) == key]
    return [*sorted(indices, key=int), *(key for key in keys if key not in indices)]


def _order_notes(model: GraphModel) -> list[str]:
    signature = model.signature
    return [
        f"TF.js takes {what} called by numbers first: {', '.join(_in_javascript(keys))}"
        for what, keys in (("inputs", signature.inputs), ("outputs", signature.outputs))
        if _in_javascript(keys) != list(keys)
    ]


def _ports(keys: Iterable[str], values: Iterable[Value]) -> list[Port]:
    return [
        Port(key, value.dtype or "unknown", value.shape)
        for key, value in zip(keys, values, strict=True)
    ]


def _is_ours(name: str) -> bool:
    """Files of an earlier conversion that a new one replaces."""
    return name in ("model.json", _ASSETS) or _SHARD.fullmatch(name) is not None
