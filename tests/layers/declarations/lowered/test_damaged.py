"""Whatever stands in a configuration, lowering lets only errors of tfjs out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.layers.declarations.test_damaged import CASES, VALUES, document, fill
from tfjs.errors import TfjsError
from tfjs.ir.graph import constant_of
from tfjs.layers.dialects.read import read_model
from tfjs.layers.lowering import lower
from tfjs.layers.vocabulary import defaults

_VECTOR, _SERIES, _IMAGE, _SPACE = [None, 4], [None, 5, 4], [None, 6, 6, 4], [None, 4, 4, 4, 2]
_MORE: dict[str, tuple[dict[str, Any], list[list[int | None]]]] = {
    "AdaptiveAveragePooling2D": ({"output_size": 4}, [_IMAGE]),
    "AdaptiveMaxPooling1D": ({"output_size": 4}, [_SERIES]),
    "AutoContrast": ({"value_range": [0, 1]}, [_IMAGE]),
    "AveragePooling2D": ({}, [_IMAGE]),
    "AveragePooling3D": ({"padding": "same", "strides": 3}, [_SPACE]),
    "Conv1D": ({"filters": 4, "kernel_size": 3}, [_SERIES]),
    "Conv1DTranspose": (
        {"filters": 4, "kernel_size": 3, "output_padding": 1, "strides": 2},
        [_SERIES],
    ),
    "Conv2D": ({"filters": 4, "kernel_size": 3}, [_IMAGE]),
    "Conv2DTranspose": ({"filters": 4, "kernel_size": 3, "dilation_rate": 2}, [_IMAGE]),
    "Conv3D": ({"filters": 2, "kernel_size": 2}, [_SPACE]),
    "Conv3DTranspose": ({"filters": 4, "kernel_size": 3}, [_SPACE]),
    "Cropping2D": ({"cropping": 1}, [_IMAGE]),
    "DepthwiseConv2D": ({"kernel_size": 3}, [_IMAGE]),
    "Flatten": ({}, [_IMAGE]),
    "GlobalAveragePooling1D": ({}, [_SERIES]),
    "GlobalMaxPooling2D": ({"keepdims": True}, [_IMAGE]),
    "Masking": ({}, [_SERIES]),
    "MaxPooling1D": ({}, [_SERIES]),
    "Permute": ({"dims": [2, 1]}, [_SERIES]),
    "RepeatVector": ({"n": 3}, [_VECTOR]),
    "Reshape": ({"target_shape": [-1, 2]}, [_SERIES]),
    "SeparableConv1D": ({"filters": 4, "kernel_size": 3}, [_SERIES]),
    "UpSampling1D": ({}, [_SERIES]),
    "UpSampling2D": ({"interpolation": "bicubic"}, [_IMAGE]),
    "UpSampling3D": ({}, [_SPACE]),
    "ZeroPadding2D": ({"padding": 1}, [_IMAGE]),
}
EVERY = {**CASES, **_MORE}
# Not yet there, or called with a list by the documents of these tests.
REFUSED = {"CategoryEncoding", "GroupedQueryAttention", "MultiHeadAttention", "STFTSpectrogram"}
_FEW = 1 << 20


def _error_of(data: dict[str, Any]) -> TfjsError | None:
    """What lowering raises; constants that it makes are computed too."""
    try:
        model = read_model(data, "keras3", "file")
        fill(model)
        for node in lower(model).graph.nodes.values():
            tensor = constant_of(node.output) if node.outputs else None
            if tensor is not None and tensor.size < _FEW:
                tensor.array()
    except TfjsError as error:
        return error
    return None


@pytest.mark.parametrize("kind", EVERY)
def test_damaged_configuration(kind: str) -> None:
    config, shapes = EVERY[kind]
    error = _error_of(document(kind, config, shapes))
    assert error is None or kind in REFUSED, error
    for key in {**defaults("keras3", kind), **config}:
        for value in VALUES:
            error = _error_of(document(kind, {**config, key: value}, shapes))
            assert error is None or str(error)


@pytest.mark.parametrize("kind", [kind for kind in EVERY if EVERY[kind][1]])
def test_damaged_inputs(kind: str) -> None:
    config, shapes = EVERY[kind]
    damaged: list[Any] = [[], [None], [None, None], [None, 0], [None, 10**12], [2, 3, 4, 5, 6]]
    for shape in [*damaged, [None, 10**12, 10**12, 4], None]:
        for count in range(1, 4):
            error = _error_of(document(kind, config, [shape, *shapes][:count]))
            assert error is None or str(error)
