"""Fourier transforms and what is near to sound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import Array
from tfjs.ops.base import Infer, Kernel, as_first, declare, unknown
from tfjs.ops.shapes import at_least, free, partial_shape
from tfjs.ops.shaping import integers


def _transform(function: Callable[..., Any], rank: int) -> Kernel:
    def kernel(attrs: Attrs, x: Array) -> Array:
        if x.ndim < rank:
            raise ValueError(f"rank {x.ndim} is less than {rank}")
        return np.asarray(function(x, axes=tuple(range(-rank, 0)))).astype(x.dtype)

    return kernel


def _rank(rank: int) -> Infer:
    return lambda node: [at_least(node.inputs[0].shape, rank)]


for _count, _suffix in ((1, ""), (2, "2D"), (3, "3D")):
    _infer = _rank(_count)
    declare(f"FFT{_suffix}", infer=_infer, kernel=_transform(np.fft.fftn, _count))
    declare(f"IFFT{_suffix}", infer=_infer, kernel=_transform(np.fft.ifftn, _count))
    declare(f"BatchFFT{_suffix}", infer=_infer, kernel=_transform(np.fft.fftn, _count))
    declare(f"BatchIFFT{_suffix}", infer=_infer, kernel=_transform(np.fft.ifftn, _count))


def _real_shape(rank: int, *, inverse: bool) -> Infer:
    def infer(node: Node) -> list[Shape]:
        shape, lengths = at_least(node.inputs[0].shape, rank), partial_shape(node.inputs[1])
        if shape is None:
            return [None]
        sizes = free(rank) if lengths is None else lengths
        if len(sizes) != rank or any(size is not None and size < 0 for size in sizes):
            raise ValueError(f"no lengths {list(sizes)}")
        last = sizes[-1]
        if not inverse and last is not None:
            last = last // 2 + 1 if last else 0
        return [(*shape[:-rank], *sizes[:-1], last)]

    return infer


def _real(rank: int) -> Kernel:
    def kernel(attrs: Attrs, x: Array, lengths: Array) -> Array:
        sizes = integers(lengths)
        if x.ndim < rank or len(sizes) != rank or min(sizes) < 1:
            raise ValueError(f"no lengths {sizes} for {x.shape}")
        if any(size > given for size, given in zip(sizes, x.shape[-rank:], strict=True)):
            raise ValueError(f"lengths {sizes} are more than {x.shape} has")
        result = np.fft.rfftn(x, sizes, tuple(range(-rank, 0)))
        return result.astype(np.complex128 if x.dtype == np.float64 else np.complex64)

    return kernel


def _real_inverse(rank: int) -> Kernel:
    def kernel(attrs: Attrs, x: Array, lengths: Array) -> Array:
        sizes = integers(lengths)
        if x.ndim < rank or len(sizes) != rank or min(sizes) < 1:
            raise ValueError(f"no lengths {sizes} for {x.shape}")
        given = (*sizes[:-1], sizes[-1] // 2 + 1)
        if any(size > had for size, had in zip(given, x.shape[-rank:], strict=True)):
            raise ValueError(f"lengths {sizes} are more than {x.shape} has")
        result = np.fft.irfftn(x, sizes, tuple(range(-rank, 0)))
        return result.astype(np.float64 if x.dtype == np.complex128 else np.float32)

    return kernel


def _real_tfjs(attrs: Attrs, x: Array, lengths: Array) -> Array:
    """TF.js does not look at the length."""
    return np.asarray(np.fft.rfft(x)).astype(np.result_type(x, np.complex64))


def _real_inverse_tfjs(attrs: Attrs, x: Array, lengths: Array) -> Array:
    """Nor here; and but for rank 3 it gives a matrix."""
    rows = x.reshape(-1, x.shape[-1])
    # One or two numbers are taken for a whole transform.
    found = np.fft.irfft(rows) if x.shape[-1] > 2 else np.fft.ifft(rows).real
    shape = (*x.shape[:2], -1) if x.ndim == 3 and len(x) else found.shape
    return np.asarray(found.reshape(shape)).astype(x.real.dtype)


for _count, _suffix in ((1, ""), (2, "2D"), (3, "3D")):
    declare(
        f"RFFT{_suffix}",
        infer=_real_shape(_count, inverse=False),
        kernel=_real(_count),
        tfjs_kernel=_real_tfjs if _count == 1 else None,
    )
    declare(
        f"IRFFT{_suffix}",
        infer=_real_shape(_count, inverse=True),
        kernel=_real_inverse(_count),
        tfjs_kernel=_real_inverse_tfjs if _count == 1 else None,
    )

declare("FFTND", "IFFTND", "RFFTND", "IRFFTND", infer=unknown())


# Sound -------------------------------------------------------------------------------------------


def _spectrogram_shape(node: Node) -> list[Shape]:
    shape, size = node.inputs[0].shape, node.attrs["window_size"]
    if shape is None or size < 2:
        return [None]
    samples, channels = shape
    stride = node.attrs["stride"]
    steps = None
    if samples is not None:
        steps = 0 if samples < size else 1 + (samples - size) // stride
    # The transform is as long as the next power of two.
    return [(channels, steps, 1 + (1 << (size - 1).bit_length()) // 2)]


def _mfcc_shape(node: Node) -> list[Shape]:
    shape = node.inputs[0].shape
    count = node.attrs.get("dct_coefficient_count", 13)
    return [None if shape is None else (*shape[:2], count)]


def _wave_shape(node: Node) -> list[Shape]:
    samples, channels = (node.attrs.get(f"desired_{what}", -1) for what in ("samples", "channels"))
    return [(None if samples < 0 else samples, None if channels < 0 else channels), ()]


declare("AudioSpectrogram", infer=_spectrogram_shape)
declare("Mfcc", infer=_mfcc_shape)
declare("DecodeWav", infer=_wave_shape)
declare("EncodeWav", infer=lambda node: [()])


# Order of axes as numbers ------------------------------------------------------------------------


def _formats(attrs: Attrs) -> tuple[str, str]:
    source, target = attrs.get("src_format", b"NHWC"), attrs.get("dst_format", b"NCHW")
    if sorted(source) != sorted(target):
        raise ValueError(f"{source!r} and {target!r} do not go together")
    return source.decode(), target.decode()


def _format_map(attrs: Attrs, x: Array) -> Array:
    source, target = _formats(attrs)
    order = np.array([target.index(letter) for letter in source])
    if np.any(x < -len(order)) or np.any(x >= len(order)):
        raise ValueError("an axis lies outside")
    return np.asarray(order[x % len(order)]).astype(x.dtype)


def _format_permute(attrs: Attrs, x: Array) -> Array:
    source, target = _formats(attrs)
    if len(x) == len(source) - 2:
        source, target = (text.replace("N", "").replace("C", "") for text in (source, target))
    if len(x) != len(source):
        raise ValueError(f"{len(x)} entries do not go with {source}")
    return x[[source.index(letter) for letter in target]]


declare("DataFormatDimMap", infer=as_first, kernel=_format_map)
declare("DataFormatVecPermute", infer=as_first, kernel=_format_permute)
