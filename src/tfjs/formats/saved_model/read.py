"""Reading SavedModels."""

from __future__ import annotations

from pathlib import Path

from tfjs.formats.base import ReadOptions
from tfjs.formats.meta_graph import find, read_saved_model
from tfjs.formats.meta_graph import signatures as names
from tfjs.ir.graph import GraphModel

_HUB_MODULE = "tfhub_module.pb"


def sniff(path: Path) -> bool:
    """Whether the path is a SavedModel: its folder, its file, or a folder with versions."""
    place = find(path)
    return place is not None and not (place.file.parent / _HUB_MODULE).is_file()


def read(path: Path, options: ReadOptions) -> GraphModel:
    """Read one signature of a SavedModel; errors are those of `read_saved_model`."""
    return read_saved_model(path, options)


def signatures(path: Path, options: ReadOptions) -> list[str]:
    """The names of its signatures, sorted."""
    return names(path, options)
