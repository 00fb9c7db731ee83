"""All formats, and which one a path is."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from tfjs import formats
from tfjs.errors import FormatError, UnknownFormatError, UnsupportedError, UsageError
from tfjs.formats.base import Content, Format
from tfjs.io.mistaken import mistaken_file
from tfjs.ir.graph import GraphModel
from tfjs.ir.weights import WeightsOnly

_HEAD = 512
_NO_OUTPUT = (".json", ".pb", ".keras", ".h5", ".hdf5", ".tflite", ".onnx", ".bin", ".zip")


@cache
def all_formats() -> dict[str, Format]:
    """Every format by name. A format is a package in `tfjs.formats` with a `FORMAT`."""
    found = [_loaded(package) for package in _packages()]
    return {entry.name: entry for entry in found}


@cache
def _packages() -> list[str]:
    return [module.name for module in iter_modules(formats.__path__) if module.ispkg]


def _loaded(package: str) -> Format:
    found: Format = import_module(f"{formats.__name__}.{package}").FORMAT
    return found


def named(name: str) -> Format:
    """The format that `--from` or `--to` names.

    Raises:
        UsageError: there is none of that name.
    """
    package = name.replace("-", "_")
    if package in _packages():
        # Most packages are called as their formats are: no other has to be loaded then.
        entry = _loaded(package)
        if entry.name == name:
            return entry
    found = all_formats().get(name)
    if found is None:
        raise UsageError(
            f"there is no format {name!r}", hint=f"formats: {', '.join(sorted(all_formats()))}"
        )
    return found


def reader_of(path: Path, name: str | None) -> Format:
    """The format to read a path with: the one of that name, else by the contents.

    Raises:
        UsageError: there is no format of that name.
        FormatError: there is nothing at the path, or a pipe or device.
        UnknownFormatError: no reader recognises it.
    """
    chosen = None if name is None else named(name)
    if not os.path.exists(path):  # Path.exists raises for a name that is too long
        raise FormatError("does not exist", where=str(path))
    if not path.is_file() and not path.is_dir():
        raise FormatError("is neither a file nor a folder", where=str(path))
    return chosen or detect(path)


def detect(path: Path) -> Format:
    """The format of a file or folder, from its contents.

    Raises:
        FormatError: it cannot be read.
        UnknownFormatError: no reader recognises it.
    """
    for package in _packages():
        entry = _loaded(package)  # those behind it need not be loaded
        if entry.sniff(path):
            return entry
    model_json = path / "model.json"
    file = model_json if model_json.is_file() else path
    other = mistaken_file(file) if file.is_file() else None
    if other is not None:
        raise UnknownFormatError(f"is {other.what}", where=str(file), hint=other.hint)
    raise UnknownFormatError(
        f"is no model that tfjs reads: {_describe(file)}",
        where=str(file),
        hint=f"formats: {', '.join(sorted(all_formats()))}; name one with --from",
    )


def for_output(path: Path, content: Content) -> Format:
    """The format that an output path means by its ending.

    Args:
        path: the output path.
        content: what is to be written.

    Raises:
        UsageError: the ending means no format that can be written.
        UnsupportedError: it means one that cannot hold this content.
    """
    suffix = path.suffix.lower()
    weights_only = isinstance(content, WeightsOnly)
    if isinstance(content, GraphModel):
        if suffix == ".pb" and path.name != "saved_model.pb":
            return named("frozen-graph")
        if suffix in _NO_OUTPUT:
            raise UnsupportedError(
                f"the source is a graph, of which no {suffix} file can be made",
                hint="a folder makes a TF.js graph model, or with --to saved-model a SavedModel; "
                "a file that ends in .pb is a frozen graph",
            )
        return named("tfjs-graph")
    if weights_only and path.name.endswith("weights_manifest.json"):
        return named("tfjs-weights")
    if path.name.lower().endswith(".weights.h5"):
        raise UsageError(
            "Keras looks for another layout in files that end in .weights.h5",
            where=str(path),
            hint="let the name end in .h5 only: load_weights() of Keras 2 and 3 takes it",
        )
    if suffix in (".h5", ".hdf5"):
        return named("h5-weights" if weights_only else "keras-h5")
    if suffix == ".keras" and not weights_only:
        return named("keras")
    if suffix in _NO_OUTPUT:
        raise UsageError(
            f"no format to write ends in {suffix}",
            where=str(path),
            hint="a folder makes a TF.js model, .keras and .h5 make Keras models; or use --to",
        )
    return named("tfjs-weights" if weights_only else "tfjs-layers")


def _describe(path: Path) -> str:
    try:
        if path.is_dir():
            return _describe_folder(path)
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if not head:
        return "an empty file"
    if head.startswith(b"PK\x03\x04"):
        return "a zip archive without a Keras model in it (unzip it first)"
    return f"a file that begins with {head[:8]!r}"


def _describe_folder(path: Path) -> str:
    names = sorted(entry.name for entry in path.iterdir())
    if not names:
        return "an empty folder"
    return f"a folder with {', '.join(names[:5])}" + (" ..." if len(names) > 5 else "")
