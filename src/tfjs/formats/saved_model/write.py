"""Writing SavedModels: a MetaGraphDef, its variables in a checkpoint, and its assets.

The form is that of TensorFlow 1, one graph whose values the signatures name: TensorFlow 1 and 2,
TF Serving and TFLite's converter take it, and it asks for no objects of Python behind the graph
(tensorflow/python/saved_model/{builder_impl,load_v1_in_v2}.py, tensorflow/cc/saved_model). A model
of layers that Keras 2 can have back is in the form of TensorFlow 2, with Keras's objects; see
`keras`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tfjs.errors import ConversionError, UnsupportedError, UsageError
from tfjs.formats.base import Content, Port, WriteOptions, Written
from tfjs.formats.graph_proto import dtype_number, fill_graph_def
from tfjs.formats.keras_target import Progress, refuse_options
from tfjs.formats.meta_graph import BINARY, TEXT
from tfjs.formats.saved_model.assembly import Assembly, Ports
from tfjs.formats.saved_model.keras import KerasParts
from tfjs.formats.saved_model.keras_objects import CannotCarry
from tfjs.formats.saved_model.saver import add_collections, add_saver
from tfjs.formats.signature_def import INIT_OP
from tfjs.formats.tensor_proto import encoded, shape_proto
from tfjs.io.atomic import atomic_folder
from tfjs.io.files import CHUNK
from tfjs.io.paths import inside
from tfjs.ir.graph import Graph, GraphModel, Node, Value
from tfjs.ir.tensor import Tensor
from tfjs.passes.to_tensorflow import store_constants
from tfjs.wire.bundle import OBJECT_GRAPH_KEY
from tfjs.wire.bundle_write import BundleWriter
from tfjs.wire.protobuf import message_class

_USUAL = "serving_default"
_METHOD = "tensorflow/serving/predict"
_TAG = "serve"
_ASSETS, _VARIABLES, _METADATA = "assets", "variables", "keras_metadata.pb"
# What TensorFlow and Keras put into the folder of a SavedModel.
_OURS = frozenset({BINARY, TEXT, _ASSETS, _VARIABLES, "fingerprint.pb", _METADATA})
_LARGEST = (2 << 30) - 1  # protobuf's own limit


def write(content: Content, path: Path, options: WriteOptions) -> Written:
    """Write a graph as the signature `serving_default` of a SavedModel in the folder `path`.

    Where it was made from layers that Keras 2 can have, Keras loads a model of layers from it; else
    a note says why not.

    Raises:
        UsageError: the path is a file, or an option that SavedModels cannot have.
        UnsupportedError: see `write_signatures`; or the source is no graph.
        ConversionError: the system refused the write.
    """
    if not isinstance(content, GraphModel):
        raise UnsupportedError("the source is no graph")
    if content.layers is None:
        return write_signatures({_USUAL: content}, path, options)
    try:
        keras = KerasParts(content, content.layers)
    except CannotCarry as why:
        written = write_signatures({_USUAL: content}, path, options)
        written.notes.append(f"without Keras metadata, Keras loads no layers from it: {why}")
        return written
    return _write({_USUAL: content}, path, options, keras)


def write_signatures(
    models: Mapping[str, GraphModel], path: Path, options: WriteOptions
) -> Written:
    """Write several graphs as the signatures of one SavedModel.

    Nodes of a graph whose names are taken go into a scope with the name of its signature. Variables
    that have the same name and the same bytes in the same file are written once.

    Args:
        models: the graphs by the names of their signatures, such as `to_tensorflow` leaves them;
            writing takes them apart.
        path: the folder.
        options: `progress` and no others.

    Raises:
        UsageError: the path is a file, there are no models, or an option that SavedModels cannot
            have.
        UnsupportedError: a variable that is read has no value, a function makes one, two assets
            have one name, or the graph is larger than 2 GB.
        ConversionError: two keys are the same, or the system refused the write.
    """
    return _write(models, path, options, None)


def _write(
    models: Mapping[str, GraphModel], path: Path, options: WriteOptions, keras: KerasParts | None
) -> Written:
    refuse_options(options, "SavedModels")
    _check_keys(models)
    notes = [
        "user-defined metadata left out: a SavedModel has no place for it"
        for model in models.values()
        if model.metadata
    ][:1]
    assets = _all_assets(models.values())
    assembly = Assembly()
    for key, model in models.items():
        if keras is None:
            store_constants(model)
        _check_variables(model)
        assembly.add(key, model)
    message, stored = _message(assembly, assets, keras), _stored(assembly, keras)
    progress = Progress([tensor for _, tensor in stored.values()], options.progress)
    placing = atomic_folder(path, replaces=_OURS.__contains__, check=options.check, last=BINARY)
    with placing as folder:
        files = _write_message(message, folder)
        if keras is not None:
            files += _write_bytes(folder / _METADATA, keras.metadata())
        if stored or keras is not None:
            objects = None if keras is None else keras.checkpoint()
            files += _write_variables(stored, objects, folder / _VARIABLES, progress)
        files += _write_assets(assets, folder / _ASSETS)
    ports = next(iter(assembly.signatures.values()))
    return Written(
        files=files,
        notes=notes if keras is None else [*notes, *keras.notes],
        inputs=_ports(ports.inputs),
        outputs=_ports(ports.outputs),
    )


def _check_keys(models: Mapping[str, GraphModel]) -> None:
    if not models:
        raise UsageError("there is no graph to write")
    for model in models.values():
        for keys in (model.signature.inputs, model.signature.outputs):
            if len(set(keys)) < len(keys):
                raise ConversionError(f"two ports of the signature have one name: {keys}")


def _ports(values: Mapping[str, Value]) -> list[Port]:
    return [Port(key, value.dtype or "unknown", value.shape) for key, value in values.items()]


def _check_variables(model: GraphModel) -> None:
    """See that each variable has a value, and that the main graph makes it."""
    graphs = [model.graph] if model.initializer is None else [model.graph, model.initializer]
    problems = [
        f"{body.name}/{node.name}: a function makes the variable, it must be handed over"
        for body in model.functions.values()
        for node in body.nodes.values()
        if node.op == "VarHandleOp"
    ]
    problems += [
        f"{node.name}: has no value in the source"
        for graph in graphs
        for node in graph.nodes.values()
        if node.op == "VarHandleOp" and node.output.uses and node.name not in model.variables
    ]
    if problems:
        raise UnsupportedError("the model has variables without values", problems=problems)
    made = {name for graph in graphs for name in graph.nodes}
    model.variables = {name: tensor for name, tensor in model.variables.items() if name in made}


# The message -------------------------------------------------------------------------------------


def _message(assembly: Assembly, assets: Mapping[str, Path], keras: KerasParts | None) -> Any:
    message: Any = message_class("tensorflow.SavedModel")(saved_model_schema_version=1)
    meta_graph = message.meta_graphs.add()
    meta_graph.meta_info_def.tags.append(_TAG)
    meta_graph.meta_info_def.stripped_default_attrs = True
    if keras is not None:
        keys = keras.fill(meta_graph, assembly, _USUAL)
        add_saver(assembly.graph, keys, meta_graph)
    elif assembly.variables:
        add_saver(assembly.graph, {name: name for name in assembly.variables}, meta_graph)
        add_collections(assembly.graph, assembly.variables, meta_graph)
    for key, ports in assembly.signatures.items():
        _fill_signature(meta_graph.signature_def[key], ports)
    if assembly.fills:
        start = assembly.graph.add("NoOp", [], {}, [], name="init")
        start.controls = assembly.fills
        meta_graph.signature_def[INIT_OP].outputs[INIT_OP].name = start.name
        meta_graph.signature_def[INIT_OP].outputs[INIT_OP].tensor_shape.unknown_rank = True
    for node in _naming_assets(assembly.graph, assets):
        entry = meta_graph.asset_file_def.add(filename=_text_of(node))
        entry.tensor_info.name = f"{node.name}:0"
    fill_graph_def(meta_graph.graph_def, assembly.graph, assembly.functions.values())
    return message


def _fill_signature(message: Any, ports: Ports) -> None:
    message.method_name = _METHOD
    for infos, values in ((message.inputs, ports.inputs), (message.outputs, ports.outputs)):
        for key, value in values.items():
            info = infos[key]
            info.name = f"{value.node.name}:{value.index}"
            info.dtype = dtype_number(value)
            info.tensor_shape.CopyFrom(shape_proto(value.shape))


def _write_message(message: Any, folder: Path) -> list[tuple[str, int]]:
    size = message.ByteSize()
    if size > _LARGEST:
        raise UnsupportedError(
            f"the graph has {size} bytes without its variables, a {BINARY} holds {_LARGEST}"
        )
    return _write_bytes(folder / BINARY, message.SerializeToString(deterministic=True))


def _write_bytes(file: Path, data: bytes) -> list[tuple[str, int]]:
    file.write_bytes(data)
    return [(file.name, len(data))]


# Variables ---------------------------------------------------------------------------------------


def _stored(assembly: Assembly, keras: KerasParts | None) -> dict[str, tuple[str, Tensor]]:
    """Dtype and values of all variables by their keys in the checkpoint."""
    if keras is not None:
        return {key: (tensor.dtype, tensor) for key, tensor in keras.variables().items()}
    nodes, variables = assembly.graph.nodes, assembly.variables
    return {name: (str(nodes[name].attrs["dtype"]), variables[name]) for name in variables}


def _write_variables(
    stored: Mapping[str, tuple[str, Tensor]],
    objects: bytes | None,
    folder: Path,
    progress: Progress,
) -> list[tuple[str, int]]:
    folder.mkdir()
    with BundleWriter(folder / _VARIABLES) as bundle:
        if objects is not None:
            bundle.add_strings(OBJECT_GRAPH_KEY, (), [objects])
        for name in sorted(stored):
            dtype, tensor = stored[name]
            if dtype == "string":
                bundle.add_strings(name, tensor.shape, tensor.array().reshape(-1).tolist())
                continue
            bundle.add(name, dtype, tensor.shape, encoded(tensor, dtype))
            progress.add(tensor.nbytes)
    return [(f"{_VARIABLES}/{file.name}", file.stat().st_size) for file in sorted(folder.iterdir())]


# Assets ------------------------------------------------------------------------------------------


def _all_assets(models: Iterable[GraphModel]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for model in models:
        for name, path in model.assets.items():
            if found.setdefault(name, path) != path:
                raise UnsupportedError(
                    f"two files are called {name!r} in the sources",
                    hint="a SavedModel has one folder of assets",
                )
    return found


def _naming_assets(graph: Graph, assets: Mapping[str, Path]) -> list[Node]:
    """The constants that are the path of a file: TensorFlow tells them where it is."""
    return [node for node in graph.nodes.values() if assets and _text_of(node) in assets]


def _text_of(node: Node) -> str | None:
    tensor = node.attrs.get("value") if node.op == "Const" else None
    if tensor is None or tensor.dtype != "string" or tensor.size != 1:
        return None
    return bytes(tensor.array().reshape(-1)[0]).decode(errors="replace")


def _write_assets(assets: Mapping[str, Path], folder: Path) -> list[tuple[str, int]]:
    files = []
    for name, path in sorted(assets.items()):
        target = inside(folder, name, where=str(path))
        if target == folder:
            raise UsageError(f"an asset cannot be called {name!r}")
        target.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, CHUNK)
        files.append((f"{_ASSETS}/{name}", target.stat().st_size))
    return files
