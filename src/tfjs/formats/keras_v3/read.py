"""Reading `.keras` archives of Keras 3 and of tf.keras 2.12 to 2.15.

The latter have the configuration of Keras 2 in the same files; `metadata.json` tells the version.
Source: keras/src/saving/saving_lib.py; see `formats_and_peers.md` B.5.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from tfjs.errors import CorruptFileError, TfjsError, UnsafeFileError
from tfjs.formats.base import ReadOptions
from tfjs.formats.keras_config import fill_input_shape, major_version, read_architecture
from tfjs.formats.keras_store import Store, load_store, read_store, shard_names
from tfjs.formats.keras_v3.archive import (
    CONFIG,
    METADATA,
    WEIGHTS_H5,
    WEIGHTS_INDEX,
    WEIGHTS_NPZ,
    Archive,
    open_archive,
)
from tfjs.formats.keras_v3.vocabularies import read_vocabularies
from tfjs.ir.layers_model import LayersModel, OptimizerWeight, Training
from tfjs.layers.dialects.plain import plain
from tfjs.layers.dialects.read import damaged

_WEIGHTS = (WEIGHTS_H5, WEIGHTS_INDEX, WEIGHTS_NPZ)
_COMPILE_KEYS = ("optimizer", "loss", "loss_weights", "metrics", "weighted_metrics")


def sniff(path: Path) -> bool:
    """Whether the path is a zip or a folder with the files of such an archive."""
    try:
        if path.is_dir():
            return (path / CONFIG).is_file() and any(
                (path / name).is_file() for name in (METADATA, *_WEIGHTS)
            )
        if path.suffix != ".keras" and not zipfile.is_zipfile(path):
            return False
        if not zipfile.is_zipfile(path):
            return _begins_as_zip(path)
        with open_archive(path) as archive:
            return any(archive.has(name) for name in (METADATA, *_WEIGHTS))
    except TfjsError:
        return path.suffix == ".keras"
    except OSError:
        return False


def _begins_as_zip(path: Path) -> bool:
    """Whether it was an archive before its end got lost."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def read(path: Path, options: ReadOptions) -> LayersModel:
    """Read a model.

    Raises:
        CorruptFileError: the archive is damaged, or its weights are not those of its model.
        UnsafeFileError: it expands beyond reason, or would run code.
        UnsupportedError: the model is a class of the user's own, or is quantised.
    """
    where = str(path)
    with open_archive(path) as archive:
        config = archive.json(CONFIG)
        metadata = archive.json(METADATA) if archive.has(METADATA) else {}
        version = metadata.get("keras_version") if isinstance(metadata, dict) else None
        model = read_architecture(config, major_version(version, config), where)
        store = _read_weights(archive)
        read_vocabularies(model, archive, store)
    state = load_store(model, store, where)
    fill_input_shape(model)
    model.producer = f"keras {version}" if isinstance(version, str) else None
    with damaged(where):
        model.training = _training(config, state)
    return model


def _read_weights(archive: Archive) -> Store:
    where = str(archive.path)
    if archive.has(WEIGHTS_H5):
        names = [WEIGHTS_H5]
    elif archive.has(WEIGHTS_INDEX):
        names = shard_names(archive.json(WEIGHTS_INDEX), f"{where}, {WEIGHTS_INDEX}")
    elif archive.has(WEIGHTS_NPZ):
        raise UnsafeFileError(
            f"its weights are in {WEIGHTS_NPZ}, a pickle of Python, which can run any code",
            where=where,
            hint="load it with the Keras that wrote it and save it anew as .keras",
        )
    else:
        raise CorruptFileError(f"has no {WEIGHTS_H5}", where=where)
    mapped = all(archive.is_mapped(name) for name in names)
    return read_store((archive.open_hdf5(name) for name in names), mapped=mapped)


def _training(config: dict[str, Any], state: list[OptimizerWeight]) -> Training | None:
    """`compile_config` as it is; it has no order of its own in older releases."""
    told = config.get("compile_config")
    # A model that was never compiled has an empty one.
    if not isinstance(told, dict) or told.get("optimizer") is None:
        return None
    kept = {key: _plain_object(plain(told.get(key))) for key in _COMPILE_KEYS}
    return Training(kept, state, "keras")


def _plain_object(value: Any) -> Any:
    """Objects as `{class_name, config}`, functions by name, whatever is around them."""
    if isinstance(value, list | tuple):
        return [_plain_object(item) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("class_name"), str) and "config" in value:
        if value["class_name"] == "function":
            return value["config"]
        return {"class_name": value["class_name"], "config": _plain_object(value["config"])}
    return {key: _plain_object(item) for key, item in value.items()}
