"""Preprocessing as graphs: categories, vocabularies and spectra of sound.

Sources: keras/src/layers/preprocessing/ (index_lookup.py, hashing.py, mel_spectrogram.py,
stft_spectrogram.py) and keras/src/utils/numerical_utils.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfjs.ir.graph import Value
from tfjs.ir.layers_model import Config
from tfjs.ir.tensor import Array
from tfjs.layers.base import CannotLower
from tfjs.layers.declarations.operation_graph import Operands, int32, scalar
from tfjs.layers.declarations.operation_graph_matrices import spectrum
from tfjs.layers.declarations.space_graph import order_axes, reshape

if TYPE_CHECKING:
    from tfjs.layers.lowering import Lowering

# Up to so many whole numbers are compared one by one, which runs without a table.
_MOST_COMPARED = 4096
_MEL_BREAK, _MEL_FACTOR = 700.0, 1127.0
_EPSILON = 1e-7
_MOST_BINS = 1 << 22
_NO_VOCABULARY = (
    "has no vocabulary in the file: adapt it and save it as .keras (HDF5 files hold none that is "
    "learned), or build it with vocabulary=[...]"
)
# A place beyond all others.
_DROPPED = 2**24


# Categories ----------------------------------------------------------------------------------


def encoded(
    build: Lowering, places: Value, mode: str, depth: int, *, weights: Value | None = None
) -> Value:
    """Whole numbers as Keras gives them out.

    Args:
        build: the builder.
        places: the numbers.
        mode: "int", "one_hot", "multi_hot" or "count".
        depth: how many there are.
        weights: what each counts, for "count".
    """
    places = build.cast(places, "int32")
    if mode == "int":
        return places
    rank = build.rank(places)
    if rank == 0:
        places, rank = build.op("ExpandDims", places, scalar(0)), 1
    if mode == "one_hot" and rank > 1 and build.shape(places)[-1] == 1:
        places = build.op("Squeeze", places, attrs={"squeeze_dims": [rank - 1]})
    on, off = np.float32(1), np.float32(0)
    attrs = {"axis": -1, "T": "float32", "TI": "int32"}
    ones = build.op("OneHot", places, scalar(depth), on, off, attrs=attrs)
    if mode == "one_hot":
        return ones
    axis = int32(1 if rank > 1 else 0)
    if mode == "multi_hot":
        return build.op("Max", ones, axis)
    if mode != "count":
        raise CannotLower(f"has the output_mode {mode!r}")
    if weights is not None:
        ones = build.op("Mul", ones, build.op("ExpandDims", build.floats(weights), scalar(rank)))
    return build.op("Sum", ones, axis)


def hashed(build: Lowering) -> Value:
    """Texts in bins, by the hash that TF.js has as well."""
    config, x = build.config, build.inputs[0]
    if config.get("salt") is not None:
        raise CannotLower("hashes with a salt, which TF.js has no hash for")
    if x.dtype != "string":
        raise CannotLower("hashes numbers as texts, which TF.js cannot: feed it with texts")
    if config.get("mask_value") is not None:
        raise CannotLower("compares texts with its mask_value, which TF.js cannot")
    bins = int(config["num_bins"])
    places = build.op("StringToHashBucketFast", x, attrs={"num_buckets": bins})
    return encoded(build, places, str(config.get("output_mode", "int")), bins)


# Vocabularies --------------------------------------------------------------------------------


def looked_up(build: Lowering) -> Value:
    """The place of each token in a vocabulary, or with `invert` the token of each place."""
    config, mode = build.config, str(build.config.get("output_mode") or "int")
    mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(mode, mode)
    tokens, masked = _tokens(config, mode), config.get("mask_token") is not None and mode == "int"
    unknown = _unknown(config)
    first = int(masked) + unknown
    size = first + len(tokens)
    if config.get("invert"):
        return _inverted(build, tokens, first)
    x = build.inputs[0]
    places = np.arange(first, first + len(tokens), dtype=np.int32)
    default = int(masked) if unknown else -1
    keys, numbers = tokens, places
    if config.get("mask_token") is not None:
        # Where tokens are counted, those that are masked are left out.
        keys = np.concatenate([_typed([config["mask_token"]], tokens), tokens])
        numbers = np.concatenate([int32(0 if masked else _DROPPED), places])
    default = default if unknown == 1 else -1
    if tokens.dtype == object:
        found = build.table(keys, numbers, default)(_texts(x))
    else:
        x = build.cast(x, "int32")
        found = _found(build, x, keys, numbers, default)
    if unknown > 1:
        spread = build.op("AddV2", _spread(build, x, unknown), np.int32(int(masked)))
        known = build.op("NotEqual", found, np.int32(-1))
        found = build.op("SelectV2", known, found, spread)
    depth = _depth(config, size)
    if mode == "tf_idf":
        return build.op("Mul", encoded(build, found, "count", depth), token_weights(config))
    return build.cast(encoded(build, found, mode, depth), "int32")


def _spread(build: Lowering, x: Value, places: int) -> Value:
    """Where tokens go that are not in the vocabulary, which has several places for them."""
    config = build.config
    if config.get("salt") is not None:
        raise CannotLower("hashes what is not in its vocabulary with a salt, which TF.js cannot")
    if x.dtype == "string":
        hashes = build.op("StringToHashBucketFast", x, attrs={"num_buckets": places})
        return build.cast(hashes, "int32")
    if config.get("oov_method") == "farmhash":
        raise CannotLower("hashes numbers as texts, which TF.js cannot: use one oov index")
    return build.op("FloorMod", x, np.int32(places))


def _depth(config: Config, size: int) -> int:
    return int(config.get("max_tokens") or size) if config.get("pad_to_max_tokens") else size


def token_weights(config: Config) -> Array:
    """The weight of each place of a look-up with `tf_idf`, as float32.

    Those of unknown tokens are the mean where none are told.

    Args:
        config: of the layer.

    Raises:
        CannotLower: there are not as many as tokens.
    """
    first = _unknown(config)
    size = first + len(_tokens(config, "tf_idf"))
    depth = _depth(config, size)
    told = np.asarray(config.get("idf_weights"), np.float64).reshape(-1)
    if told.size == size - first:
        told = np.pad(told, (first, 0), constant_values=float(np.mean(told)))
    if not size <= told.size <= depth:
        raise CannotLower(
            f"has {told.size} idf_weights for {size} tokens, which Keras does not load: the empty "
            "text among its tokens gets lost in a file, and is best its mask_token"
        )
    return np.pad(told, (0, depth - told.size)).astype(np.float32)


def _tokens(config: Config, mode: str) -> Array:
    """The vocabulary without the tokens that stand for others."""
    told = config.get("vocabulary")
    if not isinstance(told, list | tuple) or not told:
        raise CannotLower(_NO_VOCABULARY)
    special = [config["mask_token"]] if config.get("mask_token") is not None else []
    special = (special if mode == "int" else []) + [config.get("oov_token")] * _unknown(config)
    if list(told[: len(special)]) == special:
        told = told[len(special) :]
    if not told:
        raise CannotLower(_NO_VOCABULARY)
    if all(isinstance(item, str | bytes) for item in told):
        texts = [item.encode() if isinstance(item, str) else item for item in told]
        return np.array(texts, object)
    return np.array(told, np.int32)


def _unknown(config: Config) -> int:
    told = config.get("num_oov_indices")
    return 1 if told is None else int(told)


def _typed(items: Sequence[Any], like: Array) -> Array:
    if like.dtype != object:
        return np.array(items, np.int32)
    return np.array([str(item).encode() for item in items], object)


def _texts(x: Value) -> Value:
    if x.dtype != "string":
        raise CannotLower("looks up texts, and is fed with numbers")
    return x


def _found(build: Lowering, x: Value, keys: Array, values: Array, default: int) -> Value:
    """What stands for each number: by comparing with all, or by a table of many."""
    if len(keys) > _MOST_COMPARED:
        return build.table(keys, values, default)(x)
    each = build.op("ExpandDims", x, scalar(build.rank(x)))
    hits = build.cast(build.op("Equal", each, keys), "int32")
    change = (values - np.int32(default)).astype(np.int32)
    total = build.op("Sum", build.op("Mul", hits, change), int32(build.rank(x)))
    return build.op("AddV2", total, np.int32(default)) if default else total


def _inverted(build: Lowering, tokens: Array, first: int) -> Value:
    config, x = build.config, build.cast(build.inputs[0], "int32")
    places = np.arange(first, first + len(tokens), dtype=np.int32)
    default = _typed([config.get("oov_token")], tokens)
    if config.get("mask_token") is not None:
        places = np.concatenate([int32(0), places])
        tokens = np.concatenate([_typed([config["mask_token"]], tokens), tokens])
    if tokens.dtype == object:
        return build.table(places, tokens, default[0])(x)
    return _found(build, x, places, tokens, int(default[0]))


# Sound ---------------------------------------------------------------------------------------


def mel_spectrogram(build: Lowering) -> Value:
    """[..., mel bins, frames]: the power in each band, in decibels if told."""
    config = build.config
    given = Operands(build, ("x",))
    length = int(config.get("fft_length") or 2048)
    given.named = {
        "x": build.inputs[0],
        "sequence_length": config.get("sequence_length") or length,
        "sequence_stride": config.get("sequence_stride") or 512,
        "fft_length": length,
        "window": config.get("window", "hann"),
    }
    whole = spectrum(given)
    power, exponent = build.op("Square", build.op("Real", whole)), float(config.get("mag_exp", 2.0))
    power = build.op("AddV2", power, build.op("Square", build.op("Imag", whole)))
    if exponent != 2.0:
        power = build.op("Pow", power, exponent / 2)
    matrix = _mel_matrix(config, length // 2 + 1)
    rank = build.rank(power)
    sizes = [build.size(power, axis) for axis in range(rank - 1)]
    flat = build.op("MatMul", build.reshaped(power, [-1, matrix.shape[0]]), matrix)
    bands = reshape(build, flat, [*sizes, int(matrix.shape[1])])
    if config.get("power_to_db", True):
        bands = _decibels(build, bands)
    return order_axes(build, bands, [*range(rank - 2), rank - 1, rank - 2])


def _mel_matrix(config: Config, bins: int) -> Array:
    """[bins, bands]: triangles between equal steps of the mel scale; none holds the first bin."""
    rate, bands = float(config.get("sampling_rate") or 16000), int(config["num_mel_bins"])
    if bins * bands > _MOST_BINS:
        raise CannotLower("has more bands than can be written")
    least, most = float(config.get("min_freq") or 0.0), config.get("max_freq")
    ends = [least, float(most) if most else float(int(rate / 2))]
    mels = _mel(np.linspace(0.0, rate / 2, bins)[1:])[:, None]
    low_end, high_end = (float(end) for end in _mel(np.array(ends)))
    edges = np.linspace(low_end, high_end, bands + 2)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    slopes = np.minimum((mels - low) / (middle - low), (high - mels) / (high - middle))
    return np.pad(np.maximum(0.0, slopes), ((1, 0), (0, 0))).astype(np.float32)


def _mel(hertz: Array) -> Array:
    return np.asarray(_MEL_FACTOR * np.log(1.0 + hertz / _MEL_BREAK))


def _decibels(build: Lowering, x: Value) -> Value:
    """At most so far below the loudest of all."""
    config = build.config
    least = float(config.get("min_power", 1e-10))
    reference = 10.0 * math.log10(max(abs(float(config.get("ref_power", 1.0))), least))
    logarithm = build.op("Log", build.op("Maximum", x, least))
    level = build.op("Mul", logarithm, 10.0 / math.log(10))
    if reference:
        level = build.op("Sub", level, reference)
    loudest = build.op("Max", level, np.arange(build.rank(x), dtype=np.int32))
    return build.op("Maximum", level, build.op("Sub", loudest, float(config.get("top_db", 80.0))))


def windows(config: Config) -> tuple[int, int, int]:
    """The length and the step of the windows of an STFTSpectrogram, and that of its transform."""
    length = int(config["frame_length"])
    bins = config.get("fft_length") or 2 ** math.ceil(math.log2(max(1, length)))
    return length, int(bins), int(config.get("frame_step") or length // 2)


def stft_spectrogram(build: Lowering) -> Value:
    """A convolution of each channel with waves of all frequencies."""
    config, mode = build.config, build.config.get("mode", "log")
    first = config.get("data_format") == "channels_first"
    x = build.floats(build.inputs[0])
    if not first:
        x = order_axes(build, x, [0, 2, 1])
    channels, step = build.fixed(x, 1), windows(config)[2]
    row = build.reshaped(x, [-1, 1, build.size(x, 2), 1])
    kernels = [
        build.op("ExpandDims", build.weight(f"{part}_kernel"), scalar(0))
        for part in ("real", "imag")
        if mode not in ({"real", "imag"} - {part})
    ]
    attrs = {
        "strides": [1, 1, step, 1],
        "padding": str(config.get("padding", "valid")).upper().encode(),
    }
    if mode == "stft":
        kernels = [build.op("ConcatV2", *kernels, scalar(3))]
    parts = [build.op("Conv2D", row, kernel, attrs=attrs) for kernel in kernels]
    made = _of_parts(build, str(mode), parts)
    # [batch * channels, 1, frames, bins] -> [batch, channels, frames, bins]
    made = build.reshaped(made, [-1, channels, build.size(made, 2), build.fixed(made, 3)])
    bins, frames = build.fixed(made, 3), build.size(made, 2)
    if config.get("expand_dims"):
        return made if first else order_axes(build, made, [0, 2, 3, 1])
    if first:
        turned = order_axes(build, made, [0, 1, 3, 2])
        return build.reshaped(turned, [-1, channels * bins, frames])
    turned = order_axes(build, made, [0, 2, 1, 3])
    return reshape(build, turned, [build.size(turned, 0), frames, channels * bins])


def _of_parts(build: Lowering, mode: str, parts: Sequence[Value]) -> Value:
    if len(parts) == 1:
        return parts[0]
    if mode == "angle":
        return build.op("Atan2", parts[1], parts[0])
    squares = [build.op("Square", part) for part in parts]
    power = build.op("AddV2", *squares)
    if mode == "psd":
        # All but the first and the last frequency stand for two.
        twice = np.full(build.fixed(power, 3), 2.0, np.float32)
        twice[[0, -1]] = 1.0
        return build.op("Mul", power, twice)
    size = build.op("Sqrt", build.op("Maximum", power, _EPSILON))
    return size if mode == "magnitude" else build.op("Log", build.op("Maximum", size, _EPSILON))
