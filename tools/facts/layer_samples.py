"""Hand tables: the least arguments and a plausible input for each Keras layer class.

Both dialects share one table; a class that a dialect lacks is simply not asked for. Shapes are
without the batch axis; a list of shapes means several inputs.
"""

from __future__ import annotations

from typing import Any

Shape = tuple[int, ...]

ARGUMENTS: dict[str, dict[str, Any]] = {
    "Activation": {"activation": "relu"},
    "AdaptiveAveragePooling1D": {"output_size": 2},
    "AdaptiveAveragePooling2D": {"output_size": 2},
    "AdaptiveAveragePooling3D": {"output_size": 2},
    "AdaptiveMaxPooling1D": {"output_size": 2},
    "AdaptiveMaxPooling2D": {"output_size": 2},
    "AdaptiveMaxPooling3D": {"output_size": 2},
    "AlphaDropout": {"rate": 0.5},
    "AveragePooling1D": {"pool_size": 2},
    "AveragePooling2D": {"pool_size": 2},
    "AveragePooling3D": {"pool_size": 2},
    "CategoryEncoding": {"num_tokens": 4},
    "CenterCrop": {"height": 3, "width": 3},
    "Conv1D": {"filters": 3, "kernel_size": 2},
    "Conv1DTranspose": {"filters": 3, "kernel_size": 2},
    "Conv2D": {"filters": 3, "kernel_size": 2},
    "Conv2DTranspose": {"filters": 3, "kernel_size": 2},
    "Conv3D": {"filters": 3, "kernel_size": 2},
    "Conv3DTranspose": {"filters": 3, "kernel_size": 2},
    "ConvLSTM1D": {"filters": 3, "kernel_size": 2},
    "ConvLSTM2D": {"filters": 3, "kernel_size": 2},
    "ConvLSTM3D": {"filters": 3, "kernel_size": 2},
    "CuDNNGRU": {"units": 3},
    "CuDNNLSTM": {"units": 3},
    "Dense": {"units": 3},
    "DepthwiseConv1D": {"kernel_size": 2},
    "DepthwiseConv2D": {"kernel_size": 2},
    "Discretization": {"bin_boundaries": [0.0, 1.0]},
    "Dot": {"axes": 1},
    "Dropout": {"rate": 0.5},
    "EinsumDense": {"equation": "ab,bc->ac", "output_shape": 3, "bias_axes": "c"},
    "Embedding": {"input_dim": 7, "output_dim": 3},
    "GRU": {"units": 3},
    "GRUCell": {"units": 3},
    "GaussianDropout": {"rate": 0.5},
    "GaussianNoise": {"stddev": 0.5},
    "GroupedQueryAttention": {"head_dim": 2, "num_query_heads": 4, "num_key_value_heads": 2},
    "HashedCrossing": {"num_bins": 4},
    "Hashing": {"num_bins": 4},
    "InputLayer": {"shape": (4,)},
    "LSTM": {"units": 3},
    "LSTMCell": {"units": 3},
    "LayerScale": {"init_values": 0.1, "projection_dim": 4},
    "LocallyConnected1D": {"filters": 3, "kernel_size": 2},
    "LocallyConnected2D": {"filters": 3, "kernel_size": 2},
    "MaxNumBoundingBoxes": {"max_number": 2},
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 3},
    "Permute": {"dims": (2, 1)},
    "RandomBrightness": {"factor": 0.5},
    "RandomColorDegeneration": {"factor": 0.5},
    "RandomContrast": {"factor": 0.5},
    "RandomCrop": {"height": 3, "width": 3},
    "RandomHeight": {"factor": 0.5},
    "RandomHue": {"factor": 0.5},
    "RandomPosterization": {"factor": 4},
    "RandomRotation": {"factor": 0.5},
    "RandomSaturation": {"factor": 0.5},
    "RandomSharpness": {"factor": 0.5},
    "RandomTranslation": {"height_factor": 0.5, "width_factor": 0.5},
    "RandomWidth": {"factor": 0.5},
    "RandomZoom": {"height_factor": 0.5},
    "RandomFourierFeatures": {"output_dim": 3},
    "RepeatVector": {"n": 2},
    "Rescaling": {"scale": 0.5},
    "Reshape": {"target_shape": (2, 2)},
    "Resizing": {"height": 3, "width": 3},
    "ReversibleEmbedding": {"input_dim": 7, "output_dim": 3},
    "SeparableConv1D": {"filters": 3, "kernel_size": 2},
    "SeparableConv2D": {"filters": 3, "kernel_size": 2},
    "SimpleRNN": {"units": 3},
    "SimpleRNNCell": {"units": 3},
    "SpatialDropout1D": {"rate": 0.5},
    "SpatialDropout2D": {"rate": 0.5},
    "SpatialDropout3D": {"rate": 0.5},
    "StochasticDepth": {"drop_path_rate": 0.5},
    "TensorFlowOpLayer": {"node_def": b"", "name": "probe"},
}

# Classes whose least arguments are other layers: built by `sample_arguments`.
_INNER: dict[str, tuple[str, str]] = {
    "Bidirectional": ("layer", "LSTM"),
    "RNN": ("cell", "LSTMCell"),
    "SpectralNormalization": ("layer", "Dense"),
    "TimeDistributed": ("layer", "Dense"),
    "Wrapper": ("layer", "Dense"),
}

_VECTOR: Shape = (4,)
_SERIES: Shape = (5, 4)
_IMAGE: Shape = (6, 6, 4)
_VOLUME: Shape = (6, 6, 6, 4)

SHAPES: dict[str, Shape | list[Shape]] = {
    "AdditiveAttention": [_SERIES, _SERIES],
    "Attention": [_SERIES, _SERIES],
    "AdaptiveAveragePooling1D": _SERIES,
    "AdaptiveMaxPooling1D": _SERIES,
    "ConvLSTM1D": (5, 6, 4),
    "ConvLSTM2D": (5, 6, 6, 4),
    "ConvLSTM3D": (5, 6, 6, 6, 4),
    "CuDNNGRU": _SERIES,
    "CuDNNLSTM": _SERIES,
    "Embedding": (5,),
    "GRU": _SERIES,
    "GroupNormalization": (32,),
    "GroupedQueryAttention": [_SERIES, _SERIES],
    "LSTM": _SERIES,
    "LocallyConnected1D": _SERIES,
    "LocallyConnected2D": _IMAGE,
    "MultiHeadAttention": [_SERIES, _SERIES],
    "PReLU": _SERIES,
    "RNN": _SERIES,
    "Bidirectional": _SERIES,
    "TimeDistributed": _SERIES,
    "SimpleRNN": _SERIES,
    "ReversibleEmbedding": (5,),
    "Conv1D": _SERIES,
    "Conv1DTranspose": _SERIES,
    "DepthwiseConv1D": _SERIES,
    "SeparableConv1D": _SERIES,
    "Conv2D": _IMAGE,
    "Conv2DTranspose": _IMAGE,
    "DepthwiseConv2D": _IMAGE,
    "SeparableConv2D": _IMAGE,
    "Conv3D": _VOLUME,
    "Conv3DTranspose": _VOLUME,
    "BatchNormalization": _VECTOR,
    "SyncBatchNormalization": _VECTOR,
    "Dense": _VECTOR,
    "EinsumDense": _VECTOR,
    "GRUCell": _VECTOR,
    "LSTMCell": _VECTOR,
    "SimpleRNNCell": _VECTOR,
    "StackedRNNCells": _VECTOR,
    "LayerNormalization": _VECTOR,
    "Normalization": _VECTOR,
    "RMSNormalization": _VECTOR,
    "RandomFourierFeatures": _VECTOR,
    "SpectralNormalization": _VECTOR,
}
"""Only the classes that own weights or hold layers are listed: the others have none to record."""


_CALLABLE_LAYERS = (
    "ClassMethod",
    "InstanceMethod",
    "InstanceProperty",
    "SlicingOpLambda",
    "TFOpLambda",
)


def _callable_layer(name: str) -> dict[str, Any]:
    """Arguments of the layers that tf_keras wraps round a TensorFlow function or attribute."""
    import tensorflow

    if name in ("TFOpLambda", "SlicingOpLambda"):
        return {"function": tensorflow.math.multiply}
    if name == "ClassMethod":
        return {"cls_ref": tensorflow.RaggedTensor, "method_name": "from_row_splits"}
    return {"attr_name": "shape"}


def sample_arguments(name: str, layers: Any, dialect: str) -> dict[str, Any]:
    """The least keyword arguments with which class `name` of module `layers` can be made."""
    if name in _INNER:
        key, inner = _INNER[name]
        return {key: getattr(layers, inner)(**ARGUMENTS[inner])}
    if name == "StackedRNNCells":
        return {"cells": [layers.LSTMCell(3), layers.GRUCell(2)]}
    if name == "Pipeline":
        return {"layers": [layers.Dense(3)]}
    if name == "Lambda":
        return {"function": len}
    if name in _CALLABLE_LAYERS:
        return _callable_layer(name)
    if name == "InputLayer" and dialect == "keras2":
        return {"input_shape": (4,)}
    return dict(ARGUMENTS.get(name, {}))
