"""Reading whole Keras models from HDF5.

The root has the attributes `model_config`, `training_config`, `keras_version` and `backend`, and
the groups `model_weights` and `optimizer_weights`. Source: keras/engine/saving.py of Keras 1 and 2,
keras/src/legacy/saving/legacy_h5_format.py of Keras 3.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfjs.errors import CorruptFileError, TfjsError
from tfjs.formats.base import ReadOptions
from tfjs.formats.hdf5 import has_signature
from tfjs.formats.keras_config import fill_input_shape, major_version, read_architecture
from tfjs.formats.keras_legacy import load_weights, read_named
from tfjs.formats.keras_matching import Origin
from tfjs.io.json import parse_json
from tfjs.ir.layers_model import LayersModel, OptimizerWeight, Training
from tfjs.layers.dialects.read import damaged
from tfjs.layers.training import from_keras2

if TYPE_CHECKING:
    from tfjs.wire.hdf5 import Hdf5File


def sniff(path: Path) -> bool:
    """Whether the path is an HDF5 file with a model's configuration, or one that is damaged."""
    if not has_signature(path):
        return False
    from tfjs.wire.hdf5 import Hdf5File

    try:
        with Hdf5File.open(path) as file:
            return "model_config" in file.attrs("")
    except TfjsError:
        return True


def read(path: Path, options: ReadOptions) -> LayersModel:
    """Read a whole model.

    Raises:
        CorruptFileError: the file is damaged, or its weights are not those of its model.
        UnsafeFileError: it reaches into other files.
        UnsupportedError: the model is a class of the user's own, or is quantised.
    """
    from tfjs.wire.hdf5 import Hdf5File

    file = Hdf5File.open(path)
    attributes = file.attrs("")
    where = str(path)
    config = _json(attributes.get("model_config"), where, "model_config")
    version, backend = _origin(file, attributes)
    origin = Origin(major_version(version, config), backend)
    model = read_architecture(config, origin.major, where)
    if file.is_group("model_weights"):
        load_weights(model, file, "model_weights", origin)
    else:
        raise CorruptFileError("has no group model_weights", where=where)
    fill_input_shape(model)
    model.producer = f"keras {version}" if version else None
    model.training = _training(file, attributes.get("training_config"))
    return model


def _origin(file: Hdf5File, attributes: dict[str, Any]) -> tuple[str | None, str | None]:
    """Version and backend of the Keras that wrote the file; some releases tell them twice."""
    weights = file.attrs("model_weights") if file.is_group("model_weights") else {}
    found = []
    for key in ("keras_version", "backend"):
        told = (attributes.get(key), weights.get(key))
        found.append(next((value for value in told if isinstance(value, str)), None))
    return found[0], found[1]


def _json(text: Any, where: str, attribute: str) -> Any:
    if not isinstance(text, str):
        raise CorruptFileError(f"its attribute {attribute} is no text", where=where)
    data = text.encode("utf-8", "surrogatepass")
    return parse_json(data, where=f"{where}, {attribute}", by_python=True)


def _training(file: Hdf5File, text: Any) -> Training | None:
    if text is None:
        return None
    where = str(file.path)
    config = _json(text, where, "training_config")
    if not isinstance(config, dict):
        return None
    state = [
        OptimizerWeight(item.name, item.tensor) for item in read_named(file, "optimizer_weights")
    ]
    with damaged(where):
        return Training(from_keras2(config), state, "keras-h5")
