"""A model of one layer for each class of Keras 3, with plausible inputs."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import numpy as np
from layer_samples import SHAPES, sample_arguments

from tfjs.layers.vocabulary import facts

_MERGES = ("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract")
_IMAGES = frozenset(
    {"AugMix", "AutoContrast", "CenterCrop", "CutMix", "Equalization", "MixUp", "RandAugment"}
    | {"Rescaling", "Resizing", "Solarization"}
)
_OTHER_SHAPES: dict[str, tuple[int, ...]] = {
    "Flatten": (3, 4),
    "Masking": (5, 4),
    "MelSpectrogram": (16000,),
    "Permute": (5, 4),
    "STFTSpectrogram": (512,),
    "UnitNormalization": (5, 4),
}
_RANKS: dict[str, tuple[int, ...]] = {"1D": (5, 4), "2D": (6, 6, 4), "3D": (6, 6, 6, 4)}
_ALIASES = {"GroupedQueryAttention": "GroupQueryAttention"}
# They are not called on tensors by themselves, or hold code or models of another framework.
LEFT_OUT = frozenset(
    {"FlaxLayer", "GRUCell", "InputLayer", "JaxLayer", "LSTMCell", "Lambda", "Layer"}
    | {"SimpleRNNCell", "StackedRNNCells", "TFSMLayer", "TorchModuleWrapper", "Wrapper"}
    | {
        "Equalization",
        "FeatureSpace",
        "HashedCrossing",
        "MaxNumBoundingBoxes",
        "Pipeline",
        "STFTSpectrogram",
    }
)


def sample_model(keras: ModuleType, name: str) -> tuple[Any, list[Any]]:
    """A Functional model of the layer class `name`, and an array for each of its inputs."""
    published = getattr(keras.layers, _ALIASES.get(name, name), None)
    layer = (published or _unpublished(keras, name))(
        **sample_arguments(name, keras.layers, "keras3")
    )
    shapes = _shapes(name)
    dtype = _dtype(name)
    inputs = [keras.Input(shape, dtype=dtype) for shape in shapes]
    if name in ("MultiHeadAttention", "GroupedQueryAttention"):
        outputs = layer(*inputs)
    else:
        outputs = layer(inputs if len(inputs) > 1 else inputs[0])
    rng = np.random.default_rng(0)
    arrays: list[Any] = []
    for shape in shapes:
        if dtype == "string":
            arrays.append(np.full((2, *shape), "a"))
        elif dtype == "int32":
            arrays.append(rng.integers(0, 3, (2, *shape)).astype(np.int32))
        else:
            arrays.append(rng.normal(size=(2, *shape)).astype(np.float32))
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs), arrays


def _unpublished(keras: ModuleType, name: str) -> Any:
    """A class that only a model of `keras.applications` has."""
    module = facts("keras3")["layers"][name]["module"].removeprefix("keras.")
    return getattr(importlib.import_module(f"{keras.__name__}.{module}"), name)


def _shapes(name: str) -> list[tuple[int, ...]]:
    if name in _MERGES:
        return [(4,), (4,)]
    found = SHAPES.get(name) or _OTHER_SHAPES.get(name)
    if found is None and (name in _IMAGES or name.startswith(("Random", "ContrastLimited"))):
        found = (6, 6, 3)
    found = found or _RANKS.get(name[-2:], (4,))
    return found if isinstance(found, list) else [found]


def _dtype(name: str) -> str:
    if name in ("StringLookup", "TextVectorization"):
        return "string"
    whole = name in ("CategoryEncoding", "Hashing", "IntegerLookup")
    return "int32" if whole or "Embedding" in name else "float32"
