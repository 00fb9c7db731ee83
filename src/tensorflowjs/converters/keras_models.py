"""Live Keras models to TF.js and back.

Only these functions need Keras: Keras 3 where it can be imported, else tf_keras.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py

import tfjs
from tensorflowjs.read_weights import buffered_groups
from tfjs.errors import CorruptFileError, MissingDependencyError, UsageError
from tfjs.formats.base import DEFAULT_SHARD_SIZE
from tfjs.formats.manifest import blank_weights, read_manifest, write_weights
from tfjs.io.json import parse_json, read_json, write_json
from tfjs.ir.weights import WeightGroup

_WHERE = "config_json"


def save_keras_model(
    model: Any,
    artifacts_dir: str | os.PathLike[str],
    quantization_dtype_map: Mapping[Any, Any] | None = None,
    weight_shard_size_bytes: int = DEFAULT_SHARD_SIZE,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write a model of Keras 3 or tf_keras as a TF.js layers model.

    Args:
        model: the model.
        artifacts_dir: folder for `model.json` and the weight files.
        quantization_dtype_map: which weights to store in fewer bytes.
        weight_shard_size_bytes: largest size of a weight file.
        metadata: user-defined metadata.

    Raises:
        UsageError: the folder is a file, or the options make no sense.
        UnsupportedError: TF.js cannot express the model; every layer is listed.
    """
    tfjs.convert(
        model,
        artifacts_dir,
        to="tfjs-layers",
        quantize=quantization_dtype_map,
        shard_size=weight_shard_size_bytes,
        metadata=metadata,
    )


def load_keras_model(
    config_json_path: str | os.PathLike[str],
    weights_path_prefix: str | os.PathLike[str] | None = None,
    weights_data_buffers: Any = None,
    load_weights: bool = True,
    use_unique_name_scope: bool = False,
) -> Any:
    """Load a TF.js layers model as a Keras model.

    Args:
        config_json_path: path of `model.json`.
        weights_path_prefix: folder of the weight files, where it is another.
        weights_data_buffers: the bytes of each weight group, instead of files.
        load_weights: whether to load weights; Keras initialises them otherwise.
        use_unique_name_scope: taken and not needed: Keras models no longer share a graph, in
            which names could clash.

    Returns:
        A model of Keras 3, or of tf_keras where there is no Keras 3; not compiled.

    Raises:
        UsageError: both buffers and a folder are given.
        FormatError: files are missing, damaged or unsafe.
        MissingDependencyError: there is no Keras.
    """
    path = Path(config_json_path)
    if weights_path_prefix is not None and weights_data_buffers is not None:
        raise UsageError("give weights_path_prefix or weights_data_buffers, not both")
    if load_weights and weights_path_prefix is None and weights_data_buffers is None:
        return _live(path)
    config = _checked(read_json(path), str(path))
    if not load_weights:
        return _architecture(config, str(path))
    if weights_data_buffers is not None:
        return _with_buffers(config, weights_data_buffers, str(path))
    folder = Path(os.fspath(weights_path_prefix or ""))
    if not folder.is_dir():
        raise UsageError("weights_path_prefix is no folder", where=str(folder))
    return _with_weights(config, read_manifest(config["weightsManifest"], folder, str(path)))


def deserialize_keras_model(
    config_json: Any, weight_data: Sequence[Any] | None = None, use_unique_name_scope: bool = False
) -> Any:
    """Make a Keras model of the contents of a TF.js layers model.

    Args:
        config_json: the contents of `model.json`: a dict, JSON text (str or bytes) or an open file.
        weight_data: for each weight group its bytes or an open binary file; None for a model
            whose weights Keras initialises.
        use_unique_name_scope: as in `load_keras_model`.

    Returns:
        As `load_keras_model`.

    Raises:
        UsageError: `weight_data` is no list, or has another length than there are groups.
        FormatError: the contents are damaged.
        MissingDependencyError: there is no Keras.
    """
    if hasattr(config_json, "read"):
        config_json = config_json.read()
    if isinstance(config_json, str):
        config_json = config_json.encode()
    if isinstance(config_json, bytes):
        config_json = parse_json(config_json, where=_WHERE)
    config = _checked(config_json, _WHERE)
    if weight_data is None:
        return _architecture(config, _WHERE)
    return _with_buffers(config, weight_data, _WHERE)


def _checked(config: Any, where: str) -> dict[str, Any]:
    if not isinstance(config, dict):
        raise CorruptFileError("an object was expected in the JSON", where=where)
    for key in ("modelTopology", "weightsManifest"):
        if key not in config:
            raise CorruptFileError(f"has no {key}", where=where)
    return config


def _with_buffers(config: dict[str, Any], buffers: Any, where: str) -> Any:
    if not isinstance(buffers, list | tuple):
        raise UsageError(f"weight data must be a list of buffers, not {type(buffers).__name__}")
    with tempfile.TemporaryDirectory(prefix="tfjs-") as folder:
        return _with_weights(
            config, buffered_groups(config["weightsManifest"], buffers, Path(folder), where)
        )


def _with_weights(config: dict[str, Any], groups: list[WeightGroup]) -> Any:
    with tempfile.TemporaryDirectory(prefix="tfjs-") as folder:
        return _live(_staged(config, groups, Path(folder)))


def _architecture(config: dict[str, Any], where: str) -> Any:
    blank = blank_weights(config["weightsManifest"], where)
    with tempfile.TemporaryDirectory(prefix="tfjs-") as folder:
        return _live(_staged(config, blank, Path(folder)), with_weights=False)


def _staged(config: dict[str, Any], groups: list[WeightGroup], folder: Path) -> Path:
    """The same model with these weights, written to a folder; gives its `model.json`."""
    manifest, _, _ = write_weights(
        groups,
        folder,
        shard_size=DEFAULT_SHARD_SIZE,
        quantize={},
        dequantize=False,
        progress=lambda done, total: None,
    )
    write_json(folder / "model.json", {**config, "weightsManifest": manifest})
    return folder / "model.json"


def _live(model_json: Path, *, with_weights: bool = True) -> Any:
    keras = _keras()
    is_keras_3 = int(keras.__version__.partition(".")[0]) >= 3
    with tempfile.TemporaryDirectory(prefix="tfjs-") as folder:
        path = Path(folder) / ("model.keras" if is_keras_3 else "model.h5")
        # What a custom class is, Keras knows from the user's registration, or says so.
        tfjs.convert(model_json, path, from_="tfjs-layers", custom_layers="keep")
        if with_weights:
            return keras.models.load_model(str(path), compile=False)
        return keras.models.model_from_json(_config(path))


def _config(path: Path) -> str:
    """The architecture in a Keras file that was just written."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            return archive.read("config.json").decode()
    with h5py.File(path) as file:
        config = file.attrs["model_config"]
        return config.decode() if isinstance(config, bytes) else str(config)


def _keras() -> ModuleType:
    causes = []
    for name in ("keras", "tf_keras"):
        try:
            return import_module(name)
        except ImportError as error:
            causes.append(str(error))
    raise MissingDependencyError(
        f"a live model needs Keras ({'; '.join(causes)})",
        hint="pip install keras jax (or tf_keras); `tfjs convert` needs neither",
    )
