"""SavedModels: the file, the metagraph, and one of its signatures as a graph.

Layout: `formats_and_peers.md` B.1; tensorflow/core/protobuf/{saved_model,meta_graph}.proto.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tfjs.errors import CorruptFileError, FormatError, UsageError
from tfjs.formats import initialization, signature_def
from tfjs.formats.base import ReadOptions
from tfjs.formats.graph_def import GraphReader
from tfjs.formats.proto_file import read_message
from tfjs.formats.variables import Variables
from tfjs.ir.graph import Graph, GraphModel
from tfjs.ir.tensor import Tensor

BINARY, TEXT = "saved_model.pb", "saved_model.pbtxt"
_SERVE = "serve"


class Place(NamedTuple):
    """Where a SavedModel is.

    Attributes:
        file: `saved_model.pb` or `saved_model.pbtxt`.
        notes: which version was taken, where there are several.
    """

    file: Path
    notes: list[str]


def find(path: Path) -> Place | None:
    """The SavedModel at a path; None where there is none.

    Args:
        path: its folder, its file, or a folder with numbered versions; the newest is taken.
    """
    if path.is_file():
        return Place(path, []) if path.name in (BINARY, TEXT) else None
    file = _file_in(path)
    if file is not None:
        return Place(file, [])
    versions: dict[int, Path] = {}
    try:
        for entry in os.scandir(path):
            if entry.name.isdecimal() and len(entry.name) < 20 and entry.is_dir():
                found = _file_in(Path(entry.path))
                if found is not None:
                    versions[int(entry.name)] = found
    except OSError:
        return None
    if not versions:
        return None
    newest = max(versions)
    others = f", the newest of {len(versions)}" if len(versions) > 1 else ""
    name = versions[newest].parent.name
    return Place(versions[newest], [f"the model is the version in the folder {name}{others}"])


def _file_in(folder: Path) -> Path | None:
    return next((folder / name for name in (BINARY, TEXT) if (folder / name).is_file()), None)


def read_saved_model(
    path: Path,
    options: ReadOptions,
    *,
    usual_signatures: Sequence[str] = ("serving_default",),
    usual_tags: Sequence[tuple[str, ...]] = ((_SERVE,),),
) -> GraphModel:
    """Read one signature of a SavedModel.

    Args:
        path: its folder, its file, or a folder with numbered versions.
        options: signature and tags.
        usual_signatures: what to take when no signature is asked for: the first that is there,
            else the only one.
        usual_tags: the same of tags.

    Raises:
        FormatError: files are missing or unreadable.
        CorruptFileError: it is damaged.
        UnsupportedError: the signature is not one of dense tensors.
        UsageError: there is no such signature, or no metagraph with these tags.
    """
    place, meta_graph = _meta_graph(path, options, usual_tags)
    where = str(place.file)
    name = signature_def.choose(meta_graph, options.signature, usual_signatures, where)
    model = _Reading(meta_graph, place.file.parent, where).model(name)
    model.notes = [*place.notes, *model.notes]
    return model


def signatures(
    path: Path,
    options: ReadOptions,
    *,
    usual_tags: Sequence[tuple[str, ...]] = ((_SERVE,),),
) -> list[str]:
    """The signatures of a SavedModel, sorted; arguments and errors as `read_saved_model`."""
    return signature_def.names(_meta_graph(path, options, usual_tags)[1])


def _meta_graph(
    path: Path, options: ReadOptions, usual: Sequence[tuple[str, ...]]
) -> tuple[Place, Any]:
    place = find(path)
    if place is None:
        raise FormatError(f"holds no SavedModel: there is no {BINARY}", where=str(path))
    where = str(place.file)
    message = read_message("tensorflow.SavedModel", place.file)
    if message.saved_model_schema_version > 1:
        raise FormatError(
            f"has version {message.saved_model_schema_version} of the format, 1 is known",
            where=where,
        )
    if not message.meta_graphs:
        raise CorruptFileError("has no metagraph", where=where)
    return place, _tagged(message.meta_graphs, options.tags, usual, where)


def _tagged(
    meta_graphs: Sequence[Any],
    asked: tuple[str, ...] | None,
    usual: Sequence[tuple[str, ...]],
    where: str,
) -> Any:
    there = [frozenset(entry.meta_info_def.tags) for entry in meta_graphs]
    for tags in usual if asked is None else [asked]:
        if frozenset(tags) in there:
            return meta_graphs[there.index(frozenset(tags))]
    if asked is None and len(there) == 1:
        return meta_graphs[0]
    wanted = ", ".join(usual[0] if asked is None else asked) or "none"
    sets = " | ".join(", ".join(sorted(tags)) or "(none)" for tags in there)
    raise UsageError(f"has no metagraph with the tags {wanted}", where=where, hint=f"tags: {sets}")


class _Reading:
    """Reads one signature of a metagraph."""

    def __init__(self, meta_graph: Any, folder: Path, where: str) -> None:
        self._meta_graph = meta_graph
        self._where = where
        own = meta_graph.meta_info_def.stripped_op_list.op
        self._reader = GraphReader(meta_graph.graph_def, own, where)
        self._variables = Variables(meta_graph, self._reader, folder / "variables" / "variables")
        self._assets = initialization.Assets(meta_graph, folder, where)

    def model(self, name: str) -> GraphModel:
        signature = self._meta_graph.signature_def[name]
        part = signature_def.part(self._reader, signature, self._assets.put)
        initializer, settled = self._initializer(part.graph)
        graphs = [part.graph] if initializer is None else [part.graph, initializer]
        functions = self._reader.functions(graphs)
        made = {name for graph in graphs for name in graph.nodes}
        variables = self._variables.of(graphs)
        variables.update((name, tensor) for name, tensor in settled.items() if name in made)
        renames = signature_def.follow_function(part, functions)
        if initializer is not None:
            initialization.renamed(initializer, renames)
        constants = (tensor for graph in graphs for tensor in graph.constants())
        version = self._meta_graph.meta_info_def.tensorflow_version
        return GraphModel(
            graph=part.graph,
            signature=part.signature,
            functions=functions,
            variables={renames.get(name, name): tensor for name, tensor in variables.items()},
            initializer=initializer,
            producer=f"tensorflow {version}" if version else None,
            assets=self._assets.needed([*constants, *variables.values()]),
            notes=part.notes,
        )

    def _initializer(self, main: Graph) -> tuple[Graph | None, dict[str, Tensor]]:
        """What fills the tables of the main graph, and the variables that are set beside that."""
        operation = initialization.init_op(self._meta_graph)
        graph: Graph | None = None
        settled: dict[str, Tensor] = {}
        if operation is not None:
            graph = self._reader.graph((), [operation])
            self._assets.put(graph)
            settled = initialization.settle(graph)
            graph = graph if initialization.reduce(graph, main) else None
        return initialization.fill(graph, main, self._variables.contents(main)), settled
