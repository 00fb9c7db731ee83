"""The vocabularies that layers have learned, which a `.keras` archive keeps beside its JSON.

Source: `save_assets` and `load_assets` of keras/src/layers/preprocessing/index_lookup.py; tf_keras
has the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tfjs.errors import CorruptFileError, UnsupportedError
from tfjs.formats.keras_store import Store
from tfjs.formats.keras_v3.archive import Archive
from tfjs.ir.layers_model import Layer, LayersModel
from tfjs.ir.tensor import ArrayTensor, Tensor
from tfjs.layers.base import CannotLower
from tfjs.layers.slots import layer_groups

_LOOKUPS = frozenset({"IntegerLookup", "StringLookup"})
_WEIGHTS = "idf_weights"


def read_vocabularies(model: LayersModel, archive: Archive, store: Store) -> None:
    """Give look-up layers the vocabulary and the weights of its tokens that they have learned.

    Args:
        model: the model; the configurations of its layers are changed.
        archive: the archive that it is from.
        store: all variables; the weights of tokens are taken out of it, being no variables.

    Raises:
        FormatError: a vocabulary is damaged.
    """
    for layer, group in _groups(model, ""):
        if layer.class_name == "TextVectorization":
            _taken(store, group)
            _taken(store, f"{group}/_lookup_layer")
        if layer.class_name not in _LOOKUPS:
            continue
        name = f"assets/{group}/vocabulary.txt"
        weights = _taken(store, group)
        if layer.config.get("vocabulary") is not None or not archive.has(name):
            continue
        layer.config["vocabulary"] = _tokens(layer, archive, name)
        layer.config[_WEIGHTS] = weights


def stored_weights(model: LayersModel) -> Iterator[tuple[str, Tensor]]:
    """The weights of tokens as an archive has them, by their paths.

    Raises:
        UnsupportedError: they do not fit the vocabulary.
    """
    # Whoever only looks what format a file has needs no declarations.
    from tfjs.layers.declarations.preprocessing_graph import token_weights

    for layer, group in _groups(model, ""):
        if layer.class_name not in _LOOKUPS or layer.config.get(_WEIGHTS) is None:
            continue
        try:
            weights = token_weights(layer.config)
        except CannotLower as refusal:
            raise UnsupportedError(f"the layer {layer.name!r} {refusal}") from refusal
        yield f"{group}/vars/{_WEIGHTS}", ArrayTensor(weights)


def _groups(model: LayersModel, group: str) -> Iterator[tuple[Layer, str]]:
    for layer, path in layer_groups(model, group):
        if layer.model is not None:
            yield from _groups(layer.model, path)
        else:
            yield layer, path


def _taken(store: Store, group: str) -> Any:
    tensor = store[group].tensors.pop(_WEIGHTS, None) if group in store else None
    return None if tensor is None else tensor.array().tolist()


def _tokens(layer: Layer, archive: Archive, name: str) -> list[Any]:
    """One a line, those that stand for others among them."""
    where = f"{archive.path}, {name}"
    try:
        lines = archive.read(name).decode().splitlines()
    except UnicodeDecodeError as error:
        raise CorruptFileError(f"is not UTF-8 text (byte {error.start})", where=where) from None
    while lines and not lines[-1]:
        lines.pop()
    if layer.class_name == "StringLookup":
        return lines
    try:
        return [int(line) for line in lines]
    except ValueError as error:
        raise CorruptFileError(f"holds what is no whole number: {error}", where=where) from None
