"""Reading weights without their model from HDF5.

They are listed by layer (`keras_legacy`), or by object as Keras 3 does in `NAME.weights.h5` and
in the pieces that `NAME.weights.json` names (`keras_store`).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tfjs.errors import CorruptFileError, TfjsError
from tfjs.formats.base import ReadOptions
from tfjs.formats.hdf5 import has_signature
from tfjs.formats.keras_legacy import StoredLayer, read_layers, weights_group
from tfjs.formats.keras_store import NO_WEIGHTS, OPTIMIZER, Store, open_store, ordered
from tfjs.ir.weights import NamedTensor, WeightGroup, WeightsOnly

if TYPE_CHECKING:
    from tfjs.wire.hdf5 import Hdf5File


def sniff(path: Path) -> bool:
    """Whether the path is an HDF5 file without a model, or the index of several."""
    if path.name.endswith(".weights.json"):
        return path.is_file()
    if not has_signature(path):
        return False
    from tfjs.wire.hdf5 import Hdf5File

    try:
        with Hdf5File.open(path) as file:
            return "model_config" not in file.attrs("")
    except TfjsError:
        return False


def read(path: Path, options: ReadOptions) -> WeightsOnly:
    """Read all weights of a file.

    Raises:
        CorruptFileError: the file is damaged, or holds no weights of Keras.
        UnsafeFileError: it reaches into other files.
    """
    from tfjs.wire.hdf5 import Hdf5File

    if path.suffix == ".json":
        return WeightsOnly(_objects(open_store(path), str(path)))
    file = Hdf5File.open(path)
    group = weights_group(file)
    if group is None:
        return WeightsOnly(_objects(open_store(path), str(path)))
    return WeightsOnly(_layers(read_layers(file, group)), producer=_producer(file, group))


def _producer(file: Hdf5File, group: str) -> str | None:
    version = file.attrs(group).get("keras_version") or file.attrs("").get("keras_version")
    return f"keras {version}" if isinstance(version, str) else None


def _layers(layers: list[StoredLayer]) -> list[WeightGroup]:
    """Weights under their stored names, `dense/kernel`, which name the layer as a rule."""
    counts = Counter(item.name for layer in layers for item in layer.weights)
    groups = []
    for layer in layers:
        # Layers of nested models may be called alike, and old files only number the weights.
        tensors = [
            NamedTensor(
                item.name if counts[item.name] == 1 else f"{layer.name}/{item.name}", item.tensor
            )
            for item in layer.weights
        ]
        if tensors:
            groups.append(WeightGroup(layer.name, tensors))
    return groups


def _objects(store: Store, where: str) -> list[WeightGroup]:
    """Weights as `<layer>/<number>`, or by the path of the object where its name is not unique."""
    kept = {
        path: variables
        for path, variables in store.items()
        if path == OPTIMIZER or not NO_WEIGHTS & set(path.split("/"))
    }
    counts = Counter(variables.name for variables in kept.values())
    groups = []
    for path, variables in kept.items():
        name = variables.name
        label = name if name is not None and counts[name] == 1 else path or "model"
        marker = OPTIMIZER if path == OPTIMIZER else None
        tensors = [
            NamedTensor(f"{label}/{number}", tensor, marker)
            for number, tensor in ordered(variables)
        ]
        groups.append(WeightGroup(label, tensors))
    if not groups:
        raise CorruptFileError("holds no weights of Keras", where=where)
    return groups
