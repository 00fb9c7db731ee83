"""Reading modules of TensorFlow Hub.

A module of TF 1 is a SavedModel beside `tfhub_module.pb`, whose metagraph for inference has no tags
and whose usual signature is `default`; one of TF 2 is a plain SavedModel.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from tfjs.errors import FormatError
from tfjs.formats.base import ReadOptions
from tfjs.formats.meta_graph import find, read_saved_model
from tfjs.formats.meta_graph import signatures as names
from tfjs.ir.graph import GraphModel

_MODULE = "tfhub_module.pb"
_GZIP_MAGIC = b"\x1f\x8b"
_SUFFIXES = (".tar.gz", ".tgz")
_TAGS: tuple[tuple[str, ...], ...] = ((), ("serve",))
_MOST_LEVELS = 4  # folders around the module in an archive


def sniff(path: Path) -> bool:
    """Whether the path is the folder of a TF 1 module, or an archive."""
    if not path.is_file():
        return (path / _MODULE).is_file() and find(path) is not None
    if not path.name.lower().endswith(_SUFFIXES):
        return False
    try:
        with path.open("rb") as file:
            return file.read(2) == _GZIP_MAGIC
    except OSError:
        return False


def read(path: Path, options: ReadOptions) -> GraphModel:
    """Read one signature of a module: the one asked for, else `default` or `serving_default`.

    The contents of an archive lie in a temporary folder until Python ends, because weights are
    read from there when they are needed.

    Raises:
        UnsafeFileError: an archive holds links, leads outside, or expands beyond reason.
        TfjsError: those of `read_saved_model`.
    """
    usual = ("default", "serving_default")
    return read_saved_model(_folder(path), options, usual_signatures=usual, usual_tags=_TAGS)


def signatures(path: Path, options: ReadOptions) -> list[str]:
    """The names of its signatures, sorted."""
    return names(_folder(path), options, usual_tags=_TAGS)


def _folder(path: Path) -> Path:
    if not path.is_file() or find(path) is not None:
        return path
    from tfjs.formats.tf_hub.archive import extract

    try:
        made = tempfile.mkdtemp(prefix="tfjs-hub-")
    except OSError as error:
        raise FormatError(f"cannot be unpacked: {error.strerror}", where=str(path)) from None
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    extract(path, Path(made))
    return module_in(Path(made), str(path))


def module_in(folder: Path, where: str) -> Path:
    """The module in an unpacked archive, which may lie in a folder of its own.

    Raises:
        FormatError: there is none.
    """
    here = folder
    for _ in range(_MOST_LEVELS):
        if find(here) is not None:
            return here
        entries = list(os.scandir(here))
        if len(entries) != 1 or not entries[0].is_dir(follow_symlinks=False):
            break
        here = Path(entries[0].path)
    raise FormatError("holds no SavedModel", where=where)
