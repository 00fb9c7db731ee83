"""Reading an architecture and the weights that belong to it.

The JSON is `{"class_name", "config", "keras_version", "backend"}`; the weights are what
`save_weights`, or `save` for a whole model, wrote.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tfjs.errors import CorruptFileError, FormatError, TfjsError
from tfjs.formats.base import ReadOptions
from tfjs.formats.hdf5 import has_signature
from tfjs.formats.keras_config import fill_input_shape, major_version, read_architecture
from tfjs.formats.keras_legacy import load_weights, weights_group
from tfjs.formats.keras_matching import Origin
from tfjs.formats.keras_store import load_store, open_store
from tfjs.io.json import parse_json, read_json
from tfjs.ir.layers_model import LayersModel

_SNIFF_LIMIT = 64 << 20
_WEIGHTS = ("*.h5", "*.hdf5", "*.weights.json")
_ARCHITECTURE_ENDS = re.compile(r"[-_.](architecture|arch|model|config|json)$", re.IGNORECASE)
_WEIGHTS_ENDS = re.compile(r"[-_.](weights?|model)$", re.IGNORECASE)


def sniff(path: Path) -> bool:
    """Whether the path is the JSON of a Keras model without its weights."""
    try:
        if not path.is_file() or path.stat().st_size > _SNIFF_LIMIT:
            return False
        with path.open("rb") as file:
            if file.read(1) not in (b"{", b'"', b"\xef", b" ", b"\n", b"\r", b"\t"):
                return False
        return _is_architecture(_parse(path))
    except (TfjsError, OSError):
        return False


def read(path: Path, options: ReadOptions) -> LayersModel:
    """Read a model.

    Raises:
        FormatError: there is no file of weights, or more than one that may be meant.
        CorruptFileError: a file is damaged, or the weights are not those of the model.
        UnsupportedError: the model is a class of the user's own, or is quantised.
    """
    data = _parse(path)
    where = str(path)
    if not _is_architecture(data):
        raise CorruptFileError("is no architecture of a Keras model", where=where)
    weights = options.weights or _find_weights(path)
    version = data.get("keras_version")
    major = major_version(version, data)
    model = read_architecture(data, major, where)
    _load(model, weights, major, data.get("backend"))
    fill_input_shape(model)
    model.producer = f"keras {version}" if isinstance(version, str) else None
    return model


def _parse(path: Path) -> Any:
    data = read_json(path, by_python=True)
    # `json.dump(model.to_json(), file)` makes JSON of what is JSON already.
    if isinstance(data, str):
        return parse_json(data.encode(), where=str(path), by_python=True)
    return data


def _is_architecture(data: Any) -> bool:
    return (
        isinstance(data, dict)
        and isinstance(data.get("class_name"), str)
        and isinstance(data.get("config"), dict | list)
        and "modelTopology" not in data
    )


def _load(model: LayersModel, path: Path, major: int, backend: Any) -> None:
    from tfjs.wire.hdf5 import Hdf5File

    where = str(path)
    if path.suffix == ".json":
        load_store(model, open_store(path), where)
        return
    if path.exists() and not has_signature(path):
        raise FormatError("is no HDF5 file of weights", where=where)
    file = Hdf5File.open(path)
    group = weights_group(file)
    if group is None:
        load_store(model, open_store(path), where)
        return
    told = {**file.attrs(""), **file.attrs(group)}
    version = told.get("keras_version")
    if isinstance(version, str):
        major = major_version(version, None)
    backend = told.get("backend") or backend
    origin = Origin(major, backend if isinstance(backend, str) else None)
    load_weights(model, file, group, origin)


def _find_weights(path: Path) -> Path:
    """The file of weights beside an architecture: of the same name, or the only one."""
    found = sorted({file for pattern in _WEIGHTS for file in path.parent.glob(pattern)})
    stem = _ARCHITECTURE_ENDS.sub("", path.stem)
    alike = [file for file in found if _weights_stem(file) in (stem, path.stem)]
    chosen = alike or found
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(file.name for file in chosen[:5])
    problem = (
        f"has several files of weights beside it: {names}"
        if chosen
        else "is an architecture without weights, and no file of weights is beside it"
    )
    raise FormatError(problem, where=str(path), hint="name the file with --weights")


def _weights_stem(file: Path) -> str:
    return _WEIGHTS_ENDS.sub("", re.sub(r"\.weights\.(h5|json)$|\.[^.]*$", "", file.name))
