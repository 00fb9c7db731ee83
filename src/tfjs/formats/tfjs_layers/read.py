"""Reading TF.js layers models: `model.json`, `NAME.json`, or the folder that holds one.

Layout and rules: `runtime_contract.md` 3 to 5. Models saved by TF.js itself name things in
camelCase in places; models converted before TF.js 1.0 have no `format` key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfjs.errors import CorruptFileError, FormatError
from tfjs.formats.base import ReadOptions
from tfjs.formats.manifest import read_manifest
from tfjs.formats.model_json import json_head, read_model_json
from tfjs.ir.layers_model import Layer, LayersModel, OptimizerWeight, Training, Weight
from tfjs.ir.weights import NamedTensor
from tfjs.layers.base import Slot
from tfjs.layers.dialects.read import damaged, read_model
from tfjs.layers.naming import tfjs_scopes
from tfjs.layers.registry import spec_of
from tfjs.layers.slots import check_shapes
from tfjs.layers.training import from_tfjs

# String values that TF.js itself may write in camelCase ("hardSigmoid", "channelsLast").
_MOST_DIGITS = 9
_ENUM_KEYS = frozenset(
    {"activation", "recurrent_activation", "data_format", "mode", "distribution", "merge_mode"}
    | {"padding", "interpolation", "output_mode"}
)


def sniff(path: Path) -> bool:
    """Whether the path looks like a TF.js layers model."""
    head = json_head(path)
    if not head or re.search(rb'"modelTopology"\s*:\s*null', head):
        return False
    if b'"layers-model"' in head:
        return True
    has_topology = re.search(rb'"modelTopology"\s*:\s*\{', head) is not None
    names = (b'"model_config"', b'"modelConfig"', b'"class_name"', b'"className"')
    return has_topology and any(name in head for name in names)


def read(path: Path, options: ReadOptions) -> LayersModel:
    """Read a TF.js layers model.

    Raises:
        FormatError: files are missing or unreadable.
        CorruptFileError: the topology, the manifest or the weight files are damaged.
        UnsafeFileError: a weight path leaves the folder.
    """
    file, data = read_model_json(path)
    where = str(file)
    if not isinstance(data, dict) or not isinstance(data.get("modelTopology"), dict):
        raise CorruptFileError("has no modelTopology", where=where)
    if data.get("format") == "graph-model" or "node" in data["modelTopology"]:
        raise FormatError("is a TF.js graph model, not a layers model", where=where)
    with damaged(where):
        topology = _snake(data["modelTopology"])
    config = topology.get("model_config") or topology
    model = read_model(config, "tfjs", where)
    model.producer = _producer(data, topology)
    metadata = data.get("userDefinedMetadata")
    model.metadata = metadata if isinstance(metadata, dict) else None
    groups = read_manifest(data.get("weightsManifest") or [], file.parent, where)
    tensors = [tensor for group in groups for tensor in group.tensors]
    with damaged(where):
        _assign(model, [tensor for tensor in tensors if tensor.group is None], where)
        check_shapes(model, where)
    state = [OptimizerWeight(t.name, t.tensor) for t in tensors if t.group is not None]
    with damaged(where):
        model.training = _training(data.get("trainingConfig"), state)
    return model


def _producer(data: dict[str, Any], topology: dict[str, Any]) -> str | None:
    named = data.get("generatedBy")
    if isinstance(named, str):
        return named
    version = topology.get("keras_version")
    return f"keras {version}" if isinstance(version, str) else None


def _training(config: Any, state: list[OptimizerWeight]) -> Training | None:
    if not isinstance(config, dict):
        return None
    return Training(from_tfjs(_snake(config)), state, "tfjs-layers")


def _snake(value: Any, key: str = "") -> Any:
    """TF.js's camelCase keys, and the enumerations among its values, as Keras writes them."""
    if isinstance(value, dict):
        return {_snake_word(k): _snake(item, _snake_word(k)) for k, item in value.items()}
    if isinstance(value, list):
        return [_snake(item) for item in value]
    if isinstance(value, str) and key in _ENUM_KEYS:
        return _snake_word(value)
    return value


def _snake_word(word: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: f"_{found[1].lower()}", word)


def _assign(model: LayersModel, tensors: list[NamedTensor], where: str) -> None:
    """Give each layer its weights, by the names that TF.js looks for."""
    by_name = {tensor.name: tensor for tensor in tensors}
    by_short = {_without_cell(tensor.name): tensor for tensor in tensors}
    numbered = _numbered(tensors)
    missing: list[str] = []
    used: set[str] = set()
    custom: list[tuple[str, Layer]] = []
    for scope, layer in (pair for top in model.layers for pair in tfjs_scopes(top)):
        spec = spec_of(layer)
        if spec is None:
            custom.append((scope, layer))
            continue
        slots = spec.slots(layer, [])
        # Sorting keeps the order among those that are alike.
        by_number = dict(zip(sorted(slots, key=_is_fixed), numbered.get(scope, ()), strict=False))
        for slot in slots:
            name = f"{scope}/{slot.legacy_name}"
            found = by_name.get(name) or by_short.get(name) or by_number.get(slot)
            if found is None:
                missing.append(name)
                continue
            used.add(found.name)
            layer.weights.append(Weight(slot.name, found.tensor, slot.trainable))
    for scope, layer in custom:
        for name in [name for name in by_name if name.startswith(f"{scope}/")]:
            used.add(name)
            layer.weights.append(Weight(name.removeprefix(f"{scope}/"), by_name[name].tensor))
    _complain(missing, [name for name in by_name if name not in used], where)


def _numbered(tensors: Iterable[NamedTensor]) -> dict[str, list[NamedTensor]]:
    """Weights whose names are numbers, by the scope of their layer, in the order of the numbers.

    Files of models with custom layers have them: they count through a layer and all that it
    wraps, what is trained first.
    """
    found: dict[str, list[tuple[int, NamedTensor]]] = {}
    for tensor in tensors:
        scope, _, last = tensor.name.rpartition("/")
        if last.isascii() and last.isdigit() and len(last) < _MOST_DIGITS:
            found.setdefault(scope, []).append((int(last), tensor))
    return {
        scope: [tensor for _, tensor in sorted(items, key=lambda item: item[0])]
        for scope, items in found.items()
    }


def _is_fixed(slot: Slot) -> bool:
    return not slot.trainable


def _without_cell(name: str) -> str:
    """TF.js tries a name once more without its second-last part (`lstm/lstm_cell/kernel`)."""
    parts = name.split("/")
    return "/".join([*parts[:-2], parts[-1]]) if len(parts) > 2 else name


def _complain(missing: list[str], surplus: list[str], where: str) -> None:
    if missing:
        raise CorruptFileError(
            f"{len(missing)} weights are not in the manifest: {', '.join(missing[:6])}"
            + (" ..." if len(missing) > 6 else ""),
            where=where,
            hint="a model saved with trainableOnly, say, lacks the others",
        )
    if surplus:
        raise CorruptFileError(
            f"{len(surplus)} weights of the manifest belong to no layer: {', '.join(surplus[:6])}"
            + (" ..." if len(surplus) > 6 else ""),
            where=where,
        )
