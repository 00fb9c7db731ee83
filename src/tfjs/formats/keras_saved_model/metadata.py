"""The Keras metadata of a SavedModel: the configuration, and the names of its layers' objects.

From TF 2.5 on it lies in `keras_metadata.pb`; before, in the `metadata` of the user objects in
`saved_model.pb`. Both name an object by the edges that lead to it from the root, such as
`layer_with_weights-1`, `forward_layer`, `cell`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfjs.errors import CorruptFileError, TfjsError, UnsupportedError
from tfjs.io.files import FileSpan, file_size, read_bytes
from tfjs.wire.protobuf import parse
from tfjs.wire.protobuf_fields import first_field

SAVED_MODEL, KERAS_METADATA = "saved_model.pb", "keras_metadata.pb"
_KERAS_MESSAGE = "third_party.tensorflow.python.keras.protobuf.SavedMetadata"
# Fields of SavedModel, MetaGraphDef and SavedObjectGraph.
_META_GRAPHS, _OBJECT_GRAPH_DEF, _NODES = 2, 7, 1
_KERAS, _ROOT = "_tf_keras_", "root"
_LIMIT = 2 << 30  # protobuf's own limit
_LAYER_EDGE = re.compile(r"layer(_with_weights)?-\d+")

ObjectPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KerasMetadata:
    """What a SavedModel tells of its Keras model.

    Attributes:
        root: metadata of the model itself.
        layers: objects of layers by the path of their model and their name.
    """

    root: dict[str, Any]
    layers: dict[tuple[ObjectPath, str], ObjectPath]


def has_keras_metadata(folder: Path) -> bool:
    """Whether the root of a SavedModel is a Keras model with its metadata; reads little.

    A damaged file of metadata counts as one.
    """
    try:
        if (folder / KERAS_METADATA).is_file():
            return any(node.node_path == _ROOT for node in _keras_objects(folder / KERAS_METADATA))
    except TfjsError:
        return True
    try:
        return _root_has_metadata(folder / SAVED_MODEL)
    except TfjsError:
        return False


def _root_has_metadata(file: Path) -> bool:
    found: memoryview | None = FileSpan(file, 0, file_size(file)).view()
    # The root is the first of the objects. TensorFlow's own saving leaves the metadata out.
    for number in (_META_GRAPHS, _OBJECT_GRAPH_DEF, _NODES):
        if found is not None:
            found = first_field(found, number)
    if found is None:
        return False
    root = parse("tensorflow.SavedObject", found, str(file)).user_object
    return bool(root.identifier.startswith(_KERAS) and root.metadata)


def read_metadata(folder: Path) -> KerasMetadata:
    """Read the metadata of a SavedModel.

    Raises:
        CorruptFileError: it is damaged.
        UnsupportedError: the SavedModel holds no Keras model.
    """
    file = folder / KERAS_METADATA
    found = _from_keras_metadata(file) if file.is_file() else _from_saved_model(folder)
    if () not in found:
        raise UnsupportedError(
            "holds no Keras model: its root is no Keras object",
            where=str(folder),
            hint="convert it as a SavedModel to a graph model",
        )
    layers: dict[tuple[ObjectPath, str], ObjectPath] = {}
    for path, metadata in found.items():
        name = metadata.get("name")
        if path and _LAYER_EDGE.fullmatch(path[-1]) and isinstance(name, str):
            layers.setdefault((path[:-1], name), path)
    return KerasMetadata(found[()], layers)


def _from_keras_metadata(file: Path) -> dict[ObjectPath, dict[str, Any]]:
    return {
        tuple(node.node_path.split("."))[1:]: _json(node.metadata, str(file))
        for node in _keras_objects(file)
    }


def _keras_objects(file: Path) -> list[Any]:
    message: Any = parse(_KERAS_MESSAGE, read_bytes(file, limit=_LIMIT), str(file))
    return [node for node in message.nodes if node.identifier.startswith(_KERAS)]


def _from_saved_model(folder: Path) -> dict[ObjectPath, dict[str, Any]]:
    file = folder / SAVED_MODEL
    message: Any = parse("tensorflow.SavedModel", read_bytes(file, limit=_LIMIT), str(file))
    if not message.meta_graphs:
        raise CorruptFileError("has no meta graph", where=str(file))
    nodes = message.meta_graphs[0].object_graph_def.nodes
    found: dict[ObjectPath, dict[str, Any]] = {}
    paths: dict[int, ObjectPath] = {0: ()}
    queue = [0] if nodes else []
    for number in queue:
        node = nodes[number]
        if not node.user_object.identifier.startswith(_KERAS):
            continue
        if node.user_object.metadata:
            found[paths[number]] = _json(node.user_object.metadata, str(file))
        for child in node.children:
            known = child.node_id in paths or not 0 <= child.node_id < len(nodes)
            if not known and _may_lead_to_layers(child.local_name):
                paths[child.node_id] = (*paths[number], child.local_name)
                queue.append(child.node_id)
    return found


def _may_lead_to_layers(edge: str) -> bool:
    return _LAYER_EDGE.fullmatch(edge) is not None or edge in ("layer", "forward_layer")


def _json(text: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise CorruptFileError("the Keras metadata is no JSON", where=where) from None
    if not isinstance(value, dict):
        raise CorruptFileError("the Keras metadata is no JSON object", where=where)
    return value
