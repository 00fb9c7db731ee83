"""Preprocessing of numbers, categories, text and sound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tfjs.errors import CorruptFileError
from tfjs.ir.layers_model import Config, Layer
from tfjs.ir.tensor import Array
from tfjs.layers.base import Apply, CannotLower, LayerSpec, Shape, Slot, dim
from tfjs.layers.declarations.compose import Numbers, Step, constant, reshape, scale, weight_of
from tfjs.layers.declarations.kernels import fits
from tfjs.layers.declarations.preprocessing_graph import (
    encoded,
    hashed,
    looked_up,
    mel_spectrogram,
    stft_spectrogram,
    windows,
)
from tfjs.layers.declarations.space import number

if TYPE_CHECKING:
    from tfjs.ir.graph import Value
    from tfjs.layers.legalize import Builder
    from tfjs.layers.lowering import Lowering

# The least that Keras divides by.
_SMALLEST_DEVIATION = 1e-7
# Up to there `x / s - m / s` is as exact as `(x - m) / s`, about a digit aside.
_NEAR_MEAN = 10.0
# Most tokens that are encoded by a table of their square.
_MOST_TOKENS = 2048


class Rescaling(LayerSpec):
    name = "Rescaling"
    supports_masking = True

    def normalize(self, config: Config, dialect: str) -> None:
        for key, default in (("scale", None), ("offset", 0.0)):
            value = config.get(key)
            array = np.asarray(default if value is None else value)
            if array.dtype.kind not in "iuf":
                raise ValueError(f"{key} is {value!r}, numbers were expected")
            config[key] = array.tolist()

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        x = build.floats(build.inputs[0])
        scaled = build.op("Mul", x, np.asarray(layer.config["scale"], np.float32))
        offset = np.asarray(layer.config["offset"], np.float32)
        return [build.op("AddV2", scaled, offset) if offset.ndim or offset else scaled]


class Normalization(LayerSpec):
    name = "Normalization"
    supports_masking = True

    def normalize(self, config: Config, dialect: str) -> None:
        axis = config.get("axis")
        items = axis if isinstance(axis, list | tuple) else [] if axis is None else [axis]
        config["axis"] = [number(item, "axis", lowest=-32) for item in items]

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        if layer.config.get("mean") is not None:
            return []
        shape = inputs[0] if inputs else None
        axes = layer.config["axis"]
        sizes: Shape = (None,) * len(axes)
        if shape is not None:
            sizes = tuple(shape[axis] for axis in _kept_axes(axes, len(shape)))
        moments = [Slot(name, sizes, trainable=False) for name in ("mean", "variance")]
        return [*moments, Slot("count", (), trainable=False)]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        shape = build.input_shape(layer)
        if shape is None:
            return build.refuse(layer, "the rank of its input is unknown")
        if 0 in _kept_axes(layer.config["axis"], len(shape)):
            return build.refuse(layer, "it goes over the batch")
        if not fits([shape[axis] or 1 for axis in _kept_axes(layer.config["axis"], len(shape))]):
            return build.refuse(layer, "its mean and variance are too large for a model.json")
        mean, deviation = _moments(layer, shape)
        build.note(layer, "Normalization as Rescaling")
        if layer.config.get("invert"):
            return build.apply(scale(build, _listed(deviation), _listed(mean), name=layer.name))
        factor = (1.0 / deviation.astype(np.float64)).astype(np.float32)
        if np.all(np.abs(mean) <= _NEAR_MEAN * deviation):
            offset = (-mean.astype(np.float64) / deviation).astype(np.float32)
            return build.apply(scale(build, _listed(factor), _listed(offset), name=layer.name))
        centered = scale(build, 1.0, _listed(-mean), suffix="centered")
        return build.chain(centered, scale(build, _listed(factor), name=layer.name))

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        x = build.floats(build.inputs[0])
        if 0 in _kept_axes(layer.config["axis"], build.rank(x)):
            raise CannotLower("it goes over the batch")
        kept = [build.fixed(x, axis) for axis in _kept_axes(layer.config["axis"], build.rank(x))]
        if not fits(kept):
            raise CannotLower("its mean and variance are too large")
        mean, deviation = (item[None] for item in _moments(layer, build.shape(x)))
        if layer.config.get("invert"):
            return [build.op("AddV2", build.op("Mul", x, deviation), mean)]
        return [build.op("Mul", build.op("Sub", x, mean), np.float32(1) / deviation)]


def _kept_axes(axes: Sequence[int], rank: int) -> list[int]:
    return sorted({axis % rank for axis in axes}) if rank else []


def _moments(layer: Layer, shape: Shape) -> tuple[Array, Array]:
    """Mean and standard deviation, broadcastable to the input without its batch."""
    axes = _kept_axes(layer.config["axis"], len(shape))
    kept = [shape[axis] or 1 for axis in axes]
    whole = [shape[axis] or 1 if axis in axes else 1 for axis in range(1, len(shape))]
    given: list[Any] = [layer.config.get("mean"), layer.config.get("variance")]
    if given[0] is None:
        given = [weight_of(layer, name).tensor.array() for name in ("mean", "variance")]
    try:
        mean, variance = (
            np.broadcast_to(_fewer_axes(value, len(kept)), kept).reshape(whole) for value in given
        )
    except (TypeError, ValueError) as error:
        raise CorruptFileError(
            f"its mean and variance do not fit an input of {list(shape)}", where=layer.name
        ) from error
    if not np.all(np.isfinite(mean)) or not np.all((variance >= 0) & np.isfinite(variance)):
        raise CorruptFileError("its mean or variance is out of bounds", where=layer.name)
    deviation = np.maximum(np.sqrt(variance), np.float32(_SMALLEST_DEVIATION))
    return mean, deviation


def _fewer_axes(value: Any, rank: int) -> Array:
    """The array without leading axes of size 1 beyond `rank`."""
    array = np.asarray(value, dtype=np.float32)
    return array.reshape(array.shape[array.ndim - rank :]) if array.ndim > rank else array


def _listed(array: Array) -> Numbers:
    """As lists that broadcast alike, or one number where all are the same."""
    if array.size and np.all(array == array.flat[0]):
        return float(array.flat[0])
    own = (place for place, size in enumerate(array.shape) if size != 1)
    leading = next(own, array.ndim)
    listed: Numbers = array.reshape(array.shape[leading:]).tolist()
    return listed


class CategoryEncoding(LayerSpec):
    name = "CategoryEncoding"

    def normalize(self, config: Config, dialect: str) -> None:
        if config.get("output_mode") == "binary":
            config["output_mode"] = "multi_hot"
        tokens = config.pop("max_tokens", None)
        if config.get("num_tokens") is None:
            config["num_tokens"] = tokens
        if config["num_tokens"] is not None:
            config["num_tokens"] = number(config["num_tokens"], "num_tokens")

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        shape, tokens = inputs[0] if inputs else None, layer.config.get("num_tokens")
        if shape is None:
            return [None]
        if layer.config.get("output_mode") == "one_hot" and dim(shape, -1) != 1:
            return [(*shape, tokens)]
        return [(*shape[:-1], tokens)]

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        tokens, mode = layer.config.get("num_tokens"), layer.config.get("output_mode")
        if type(tokens) is not int:
            raise CannotLower("has no number of tokens")
        weights = build.argument("count_weights", 1)
        return [encoded(build, build.inputs[0], str(mode), tokens, weights=weights)]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        """The rows of an identity matrix, looked up by an Embedding."""
        shapes, tokens = build.input_shapes(layer), layer.config.get("num_tokens")
        mode, shape = layer.config.get("output_mode"), build.input_shape(layer)
        if len(shapes) != 1:
            return build.refuse(layer, "TF.js has no weighted counts")
        if dim(shape, -1) is None or shape is None:
            return build.refuse(layer, "the number of categories at a time is unknown")
        if type(tokens) is not int or not 0 < tokens <= _MOST_TOKENS:
            return build.refuse(
                layer,
                f"encodes {tokens} tokens, and its rewrite is made for {_MOST_TOKENS} at most: "
                "encode them in JavaScript, with tf.oneHot",
            )
        if mode not in ("one_hot", "multi_hot", "count") or (mode != "one_hot" and len(shape) > 2):
            return build.refuse(layer, f"TF.js has no output_mode {mode} for it")
        build.note(layer, "CategoryEncoding as Embedding of an identity matrix")
        table = constant("embeddings", np.eye(tokens), trainable=False)
        config = {"input_dim": tokens, "output_dim": tokens, "mask_zero": False, "trainable": False}
        alone = mode == "one_hot" and shape[-1] != 1
        looked_up = build.new(
            "Embedding",
            config,
            suffix="table",
            name=layer.name if alone else None,
            weights=[table],
        )
        return build.chain(looked_up, *_collected(layer, build, shape, tokens))


def _collected(layer: Layer, build: Builder, shape: Shape, tokens: int) -> list[Step]:
    """From the rows of single categories to what the layer gives."""
    mode, count = layer.config["output_mode"], shape[-1]
    pooling = {"data_format": "channels_last", "keepdims": False}
    if mode == "multi_hot":
        return [build.new("GlobalMaxPooling1D", pooling, name=layer.name)]
    if mode == "count":
        mean = build.new("GlobalAveragePooling1D", pooling, suffix="mean")
        return [mean, scale(build, float(count or 1), name=layer.name)]
    if count != 1:
        return []
    return [reshape(build, [*shape[1:-1], tokens], name=layer.name)]


class _Outside(LayerSpec):
    """A step of preprocessing that must be done before the model."""

    why: ClassVar[str] = ""

    def infer(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Shape | None]:
        return [None]

    def legalize(self, layer: Layer, build: Builder) -> Apply:
        return build.refuse(layer, self.why)


_IN_JAVASCRIPT = "do it in JavaScript before the model, and build the model without this layer"


class Discretization(_Outside):
    name = "Discretization"
    why = f"TF.js has no layer that sorts numbers into bins: {_IN_JAVASCRIPT}"

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        edges = layer.config.get("bin_boundaries")
        if edges is None:
            raise CannotLower("has no bin boundaries: adapt it to the data, and save it again")
        boundaries = [float(edge) for edge in np.asarray(edges, np.float32).reshape(-1)]
        attrs = {"boundaries": boundaries}
        places = build.op("Bucketize", build.floats(build.inputs[0]), attrs=attrs)
        mode = str(layer.config.get("output_mode", "int"))
        return [encoded(build, places, mode, len(boundaries) + 1)]


class Hashing(_Outside):
    name = "Hashing"
    why = f"TF.js has no hash: {_IN_JAVASCRIPT}"

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return [hashed(build)]


class HashedCrossing(_Outside):
    name = "HashedCrossing"
    why = f"TF.js has no hash: {_IN_JAVASCRIPT}"

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        raise CannotLower(
            "combines hashes of 64 bits, which TF.js cannot: find the bins before the model "
            "(tf.sparse.cross_hashed), and build it without this layer"
        )


class _Lookup(_Outside):
    """A vocabulary."""

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return [looked_up(build)]


class StringLookup(_Lookup):
    name = "StringLookup"
    why = f"TF.js layers know no strings: {_IN_JAVASCRIPT}"


class IntegerLookup(_Lookup):
    name = "IntegerLookup"
    why = f"TF.js has no layer with a look-up table: {_IN_JAVASCRIPT}"


class TextVectorization(_Outside):
    name = "TextVectorization"
    why = f"TF.js layers know no strings: {_IN_JAVASCRIPT}"

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        raise CannotLower(
            "takes texts apart, for which TF.js lacks operations (StringLower is one): split them "
            "into words in JavaScript, and build the model with a StringLookup of the same "
            "vocabulary, which layer.get_vocabulary() gives, as does vocabulary.txt in the assets "
            "of the .keras file, a zip"
        )


class FeatureSpace(_Outside):
    name = "FeatureSpace"
    why = f"is made of look-ups and hashes, which TF.js layers lack: {_IN_JAVASCRIPT}"

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        raise CannotLower(
            "is no layer of a Functional model: take its preprocessing layers instead"
        )


class MelSpectrogram(_Outside):
    name = "MelSpectrogram"
    why = f"TF.js has no layer for a Fourier transform: {_IN_JAVASCRIPT}, with tf.signal.stft"

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return [mel_spectrogram(build)]


class STFTSpectrogram(_Outside):
    name = "STFTSpectrogram"
    why = f"TF.js has no layer for a Fourier transform: {_IN_JAVASCRIPT}, with tf.signal.stft"

    def normalize(self, config: Config, dialect: str) -> None:
        config["frame_length"] = number(config.get("frame_length"), "frame_length")
        if config.get("fft_length") is not None:
            config["fft_length"] = number(config["fft_length"], "fft_length")

    def slots(self, layer: Layer, inputs: Sequence[Shape | None]) -> list[Slot]:
        length = layer.config["frame_length"]
        bins = windows(layer.config)[1] // 2 + 1
        mode = layer.config.get("mode")
        parts = [part for part in ("real", "imag") if mode not in ({"real", "imag"} - {part})]
        return [Slot(f"{part}_kernel", (length, 1, bins)) for part in parts]

    def lower(self, layer: Layer, build: Lowering) -> list[Value]:
        return [stft_spectrogram(build)]
