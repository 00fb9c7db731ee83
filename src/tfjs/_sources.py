"""Open what is converted, run or verified: files, addresses, live models and loaded ones."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tfjs.errors import UnsupportedError, UsageError
from tfjs.formats.base import Content, Format, ReadOptions
from tfjs.formats.registry import named, reader_of
from tfjs.ir.graph import GraphModel
from tfjs.live import is_live_model, saved

_PROBLEMS_TOLD = 3
# What the options of readers are called in the command and in `convert`.
_OPTION = {
    "weights": "a weights file",
    "signature": "a signature",
    "tags": "a tag of metagraphs",
    "output_node_names": "a list of output nodes",
}


class Opened(NamedTuple):
    """A source that is being read.

    Attributes:
        content: what it holds; writing a graph changes it.
        label: what the report calls it.
        format: the name of its format, or what kind of live object it is.
        own_graph: opens the graph that a SavedModel holds beside these layers, given what is in
            the way of the layers, which its notes tell; None where there is no graph, or the
            source is to be read in a certain format.
        beside: reads that graph, to be held against the layers, whatever format is asked for.
    """

    content: Content
    label: str
    format: str
    own_graph: Callable[[UnsupportedError], Opened] | None = None
    beside: Callable[[], GraphModel] | None = None


@contextmanager
def opened(
    source: Any, from_: str | None, to: str | None, options: ReadOptions
) -> Iterator[Opened]:
    """Read a source, of any kind that `convert` takes; its weights last as long as the context.

    Raises:
        UsageError: it is an object of another kind, or an option means nothing to it.
        FormatError: it is missing, damaged or unsafe.
        UnsupportedError: it holds what no file can say, such as the code of a class.
    """
    source = local(source)
    loaded = getattr(source, "content", None)
    if isinstance(loaded, Content):
        _only(options, "loaded model", set())
        yield Opened(kept(loaded), type(source).__name__, source.format)
        return
    if isinstance(source, Path):
        yield opened_path(source, from_, to, options)
        return
    kind = type(source).__name__
    if is_live_model(source):
        with tempfile.TemporaryDirectory(prefix="tfjs-") as folder:
            path = saved(source, Path(folder))
            reader = reader_of(path, from_)
            yield Opened(_read(path, reader, options), kind, reader.name)
        return
    _only(options, kind, {"signature"})
    from tfjs.live_tensorflow import is_live_function, live_graph  # noqa: PLC0415

    if not is_live_function(source):
        raise UsageError(
            f"cannot convert an object of type {kind}",
            hint="give the path of a model, a model of Keras 3 or tf_keras, or a function or "
            "module of TensorFlow",
        )
    yield Opened(live_graph(source, options.signature), kind, "tensorflow")


def opened_path(path: Path, from_: str | None, to: str | None, options: ReadOptions) -> Opened:
    """Read a file or folder; `from_` and `to` are those of `convert`.

    Raises:
        UsageError: there is no such format, or an option means nothing to it.
        FormatError: it is missing, damaged or unsafe.
        UnsupportedError: it holds what no file can say, such as the code of a class.
    """
    reader, label = reader_for(path, from_, to, options), os.fspath(path)
    if reader.name != "keras-saved-model":
        return Opened(_read(path, reader, options), label, reader.name)
    beside = partial(_graph_of, path)
    if from_ is not None or to is not None:
        return Opened(_read(path, reader, options), label, reader.name, beside=beside)
    own_graph = partial(_own_graph, path)
    try:
        return Opened(_read(path, reader, options), label, reader.name, own_graph, beside)
    except UnsupportedError as refusal:
        return own_graph(refusal)


def reader_for(path: Path, from_: str | None, to: str | None, options: ReadOptions) -> Format:
    """What reads a path: of a SavedModel that holds a Keras model too, the layers or the graph.

    A signature or tags ask for the graph, and a graph model as the result does.

    Raises:
        UsageError: there is no format of that name.
        FormatError: there is nothing at the path, or no reader recognises it.
    """
    reader = reader_of(path, from_)
    asked = to == "tfjs-graph" or options.signature is not None or options.tags is not None
    if from_ is None and reader.name == "keras-saved-model" and asked:
        return named("saved-model")
    return reader


def _own_graph(path: Path, refusal: UnsupportedError) -> Opened:
    """The graph of a SavedModel in place of its layers; its notes tell what is in their way."""
    try:
        content = _graph_of(path)
    except UnsupportedError as error:
        problems = [*refusal.problems, f"the SavedModel's own graph: {error.message}"]
        raise UnsupportedError(
            refusal.message, problems=problems, where=os.fspath(path), hint=error.hint
        ) from None
    why = few(refusal.problems or [refusal.message])
    content.notes.insert(0, f"made of the SavedModel's own graph instead of its layers: {why}")
    return Opened(content, os.fspath(path), "saved-model")


def _graph_of(path: Path) -> GraphModel:
    """The graph of a SavedModel's usual signature."""
    content = _read(path, named("saved-model"), ReadOptions())
    assert isinstance(content, GraphModel)
    return content


def few(problems: Collection[str]) -> str:
    """The first problems in one line, and how many more there are."""
    told, more = "; ".join([*problems][:_PROBLEMS_TOLD]), len(problems) - _PROBLEMS_TOLD
    return f"{told} (and {more} more)" if more > 0 else told


def graph_hint(format_: str) -> str | None:
    """What to do where the layers of a format are of no use; None where nothing can be done."""
    if format_ != "keras-saved-model":
        return None
    from tfjs.formats.keras_saved_model.read import OWN_GRAPH  # noqa: PLC0415 - it is loaded

    return OWN_GRAPH


def _read(path: Path, reader: Format, options: ReadOptions) -> Content:
    _only(options, reader.title, reader.options)
    return reader.read(path, options)


def local(source: Any) -> Any:
    """The path of a source on this machine, where it is a path or an address; else the object.

    Raises:
        UsageError: the path is empty.
        FormatError: the address cannot be downloaded.
    """
    if not isinstance(source, str | os.PathLike):
        return source
    text = os.fspath(source)
    if not text:
        raise UsageError("the source path is empty")
    if isinstance(text, str) and "://" in text:
        from tfjs.formats import web_model  # noqa: PLC0415 - few need it
        from tfjs.formats.tf_hub.remote import fetched, is_handle  # noqa: PLC0415

        if web_model.is_address(text):
            return web_model.fetched(text)
        if is_handle(text):
            return fetched(text)
    return Path(source)


def _only(options: ReadOptions, what: str, allowed: Collection[str]) -> None:
    """Refuse options that mean nothing to a source."""
    for field in fields(options):
        if getattr(options, field.name) not in (None, ()) and field.name not in allowed:
            raise UsageError(f"{_OPTION[field.name]} means nothing to {what}s")


def kept(content: Content) -> Content:
    """A copy of a graph, which writing would change; anything else as it is."""
    if not isinstance(content, GraphModel):
        return content
    from tfjs.passes.inline import copied_model  # noqa: PLC0415 - layers models need none of it

    return copied_model(content)
