"""Operations on each element by itself: mathematics and activations."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial
from statistics import NormalDist
from typing import Any

import numpy as np

from tfjs.ir.graph import Attrs, Node, Shape
from tfjs.ir.tensor import ITEM_SIZES, Array, widen_bfloat16
from tfjs.ops import javascript
from tfjs.ops.base import Kernel, as_first, declare
from tfjs.ops.runs import RUN, by_function, in_runs

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def numpy_dtype(name: Any) -> np.dtype[Any]:
    """The dtype of the arrays that hold a TensorFlow dtype; bfloat16 is held in float32.

    Raises:
        ValueError: NumPy has none.
    """
    if name == "string":
        return np.dtype(object)
    if name not in ITEM_SIZES:
        raise ValueError(f"no numbers of dtype {name}")
    return np.dtype(np.float32 if name == "bfloat16" else name)


def unary(function: Callable[..., Any]) -> Kernel:
    """A kernel that computes each element, in the dtype of its input."""

    def kernel(attrs: Attrs, x: Array) -> Array:
        if x.size > RUN and not isinstance(function, np.ufunc):
            return in_runs(x, np.empty(x.shape, x.dtype), [by_function(function)])
        return np.asarray(function(x)).astype(x.dtype, copy=False)

    return kernel


def by_element(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """A function of Python's floats for arrays; computed in double precision."""

    def compute(x: Array) -> Array:
        return np.array([function(float(item)) for item in x.reshape(-1)]).reshape(x.shape)

    return compute


# Where the error function is known, for what lies near: so many places to 1, up to where it is 1.
_ERF_STEPS, _ERF_LAST = 64, 4


def _erf(x: Array) -> Array:
    """The error function; that of single precision by three terms of its series."""
    if x.dtype == np.float64:
        return by_element(math.erf)(x)
    places, values, slopes = _erf_table()
    wide = np.clip(x.astype(np.float64), -_ERF_LAST, _ERF_LAST)
    near = np.nan_to_num(np.rint(wide * _ERF_STEPS)).astype(np.intp) + len(places) // 2
    place = places[near]
    part = wide - place
    # Of Taylor's series around the place, to the fourth derivative.
    square = place * place
    third = (2 * square - 1) / 3
    fourth = place * (3 - 2 * square) / 6
    series = ((fourth * part + third) * part - place) * part + 1
    return np.asarray(values[near] + slopes[near] * part * series)


@cache
def _erf_table() -> tuple[Array, Array, Array]:
    """Places, the error function there, and its slope."""
    count = _ERF_STEPS * _ERF_LAST
    places = np.arange(-count, count + 1) / _ERF_STEPS
    values = by_element(math.erf)(places)
    return places, values, 2 / math.sqrt(math.pi) * np.exp(-places * places)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), in the dtype of x."""
    powers = np.asarray(np.exp(-x))
    powers += 1
    return np.asarray(np.divide(1, powers, out=powers)).astype(x.dtype, copy=False)


def _sign(x: Array) -> Array:
    if x.dtype.kind != "c":
        return np.sign(x)
    size = np.abs(x)
    return np.where(size == 0, 0, x / np.where(size == 0, 1, size))


def _lgamma(item: float) -> float:
    if math.isnan(item):
        return item
    if math.isinf(item) or (item <= 0 and item == math.floor(item)):
        return math.inf
    return math.lgamma(item)


def _ndtri(item: float) -> float:
    if item in (0.0, 1.0):
        return math.inf if item else -math.inf
    return NormalDist().inv_cdf(item) if 0 < item < 1 else math.nan


def _erfinv(item: float) -> float:
    if abs(item) >= 1 or math.isnan(item):
        return math.copysign(math.inf, item) if abs(item) == 1 else math.nan
    if item == 0:
        return item
    found = NormalDist().inv_cdf((item + 1) / 2) / math.sqrt(2)
    # One step of Newton's, for what 1 + x lost near 0.
    return found - (math.erf(found) - item) * math.sqrt(math.pi) / 2 * math.exp(found * found)


def _reciprocal(x: Array) -> Array:
    if x.dtype.kind in "iu":
        raise ValueError("integers have no reciprocals")
    return np.asarray(1 / x)


_UNARY: dict[str, Callable[..., Any]] = {
    "Abs": np.abs,
    "Acos": np.arccos,
    "Acosh": np.arccosh,
    "Asin": np.arcsin,
    "Asinh": np.arcsinh,
    "Atan": np.arctan,
    "Atanh": np.arctanh,
    "Ceil": np.ceil,
    "Conj": np.conj,
    "Cos": np.cos,
    "Cosh": np.cosh,
    "Erf": _erf,
    "Erfc": by_element(math.erfc),
    "Erfinv": by_element(_erfinv),
    "Exp": np.exp,
    "Expm1": np.expm1,
    "Floor": np.floor,
    "Inv": _reciprocal,
    "Lgamma": by_element(_lgamma),
    "Log": np.log,
    "Log1p": np.log1p,
    "Ndtri": by_element(_ndtri),
    "Neg": np.negative,
    "Reciprocal": _reciprocal,
    "Rint": np.rint,
    "Round": lambda x: x if x.dtype.kind in "iu" else np.round(x),
    "Rsqrt": lambda x: 1 / np.sqrt(x),
    "Sigmoid": sigmoid,
    "Sign": _sign,
    "Sin": np.sin,
    "Sinh": np.sinh,
    "Sqrt": np.sqrt,
    "Square": np.square,
    "Tan": np.tan,
    "Tanh": np.tanh,
    # Activations.
    "Elu": lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x),
    "Relu": lambda x: np.maximum(x, 0),
    "Relu6": lambda x: np.clip(x, 0, 6),
    "Selu": lambda x: _SELU_SCALE * np.where(x < 0, _SELU_ALPHA * np.expm1(np.minimum(x, 0)), x),
    "Softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "Softsign": lambda x: x / (1 + np.abs(x)),
}
_ACTIVATIONS = frozenset(
    {"Elu", "Relu", "Relu6", "Selu", "Sigmoid", "Softplus", "Softsign", "Tanh"}
)


def activation(name: str) -> Callable[[Array], Array]:
    """What an activation computes.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in _ACTIVATIONS:
        raise ValueError(f"no activation {name}")
    return _UNARY[name]


for _name, _function in _UNARY.items():
    declare(
        _name,
        infer=as_first,
        kernel=unary(_function),
        tfjs_kernel=javascript.UNARY.get(_name),
    )

declare("IsFinite", infer=as_first, kernel=lambda attrs, x: np.isfinite(x))
declare("IsInf", infer=as_first, kernel=lambda attrs, x: np.isinf(x))
declare("IsNan", infer=as_first, kernel=lambda attrs, x: np.isnan(x))
declare("LogicalNot", infer=as_first, kernel=lambda attrs, x: np.logical_not(x))
declare("Invert", infer=as_first, kernel=lambda attrs, x: np.invert(x))

# What nobody folds: their graphs are refused, and their shapes help to say where.
declare(
    *("BesselI0", "BesselI0e", "BesselI1", "BesselI1e", "BesselJ0", "BesselJ1", "BesselK0"),
    *("BesselK0e", "BesselK1", "BesselK1e", "BesselY0", "BesselY1", "Dawsn", "Digamma", "Expint"),
    *("FresnelCos", "FresnelSin", "Spence"),
    infer=as_first,
)


def _population(attrs: Attrs, x: Array) -> Array:
    data = np.ascontiguousarray(x).reshape(-1)
    bits = np.unpackbits(data.view(np.uint8)).reshape((*x.shape, 8 * x.itemsize))
    return np.asarray(bits.sum(axis=-1, dtype=np.uint8))


declare("PopulationCount", infer=as_first, kernel=_population)


def _leaky(attrs: Attrs, x: Array) -> Array:
    # TensorFlow multiplies in the dtype of the input.
    alpha = np.asarray(attrs.get("alpha", 0.2), np.float32).astype(x.dtype)
    return in_runs(x, np.empty(x.shape, x.dtype), [by_function(lambda part: leaky(part, alpha))])


def leaky(x: Array, alpha: Array) -> Array:
    """Numbers of which the negative ones are multiplied."""
    return np.where(x > 0, x, alpha * x)


declare("LeakyRelu", infer=as_first, kernel=_leaky)

# Complex numbers ---------------------------------------------------------------------------------

declare("Real", infer=as_first, kernel=lambda attrs, x: np.real(x))
declare("Imag", infer=as_first, kernel=lambda attrs, x: np.imag(x))
declare("Angle", infer=as_first, kernel=lambda attrs, x: np.angle(x))
declare("ComplexAbs", infer=as_first, kernel=lambda attrs, x: np.abs(x))


# Dtypes ------------------------------------------------------------------------------------------


def round_bfloat16(x: Array, *, truncate: bool = False) -> Array:
    """The nearest numbers that bfloat16 has, even where two are as near; held in float32."""
    single = np.asarray(x).astype(np.float32)
    bits = single.view(np.uint32)
    even = 0 if truncate else 0x7FFF + ((bits >> 16) & 1)
    kept = widen_bfloat16(((bits + even) >> 16).astype(np.uint16))
    return np.where(np.isnan(single), single, kept)


def _cast(attrs: Attrs, x: Array) -> Array:
    wanted = attrs["DstT"]
    dtype = numpy_dtype(wanted)
    if "O" in (dtype.kind, x.dtype.kind):
        raise ValueError("strings are not cast")
    if x.dtype.kind == "c" and dtype.kind not in "cb":
        x = np.real(x)
    if wanted == "bfloat16" and attrs.get("SrcT") != "bfloat16":
        return round_bfloat16(x, truncate=bool(attrs.get("Truncate", False)))
    if x.dtype.kind == "f" and dtype.kind in "iu" and dtype.itemsize < 4:
        # As processors do: to 32 bits, of which the last are kept.
        x = x.astype(np.int32)
    return x.astype(dtype)


declare("Cast", infer=as_first, kernel=_cast, tfjs_kernel=partial(javascript.cast, otherwise=_cast))


def _bitcast_shape(node: Node) -> list[Shape]:
    shape = node.inputs[0].shape
    old, new = (ITEM_SIZES.get(node.attrs.get(key, "")) for key in ("T", "type"))
    if shape is None or old is None or new is None:
        return [None]
    if new < old:
        return [(*shape, old // new)]
    if new == old:
        return [shape]
    if not shape or shape[-1] not in (None, new // old):
        raise ValueError(f"the last size of {list(shape)} should be {new // old}")
    return [shape[:-1]]


def _bitcast(attrs: Attrs, x: Array) -> Array:
    if "bfloat16" in (attrs.get("T"), attrs.get("type")):
        raise ValueError("no bits of bfloat16")
    dtype = numpy_dtype(attrs["type"])
    if "O" in (dtype.kind, x.dtype.kind):
        raise ValueError("strings have no bits")
    data = np.ascontiguousarray(x)
    if dtype.itemsize < x.itemsize:
        return data[..., np.newaxis].view(dtype)
    if dtype.itemsize > x.itemsize:
        return data.view(dtype)[..., 0]
    return data.view(dtype)


declare("Bitcast", infer=_bitcast_shape, kernel=_bitcast)


# Fake quantization -------------------------------------------------------------------------------


def fake_quant(x: Array, low: Array, high: Array, bits: int, narrow: bool) -> Array:
    """Numbers rounded to steps between two bounds, which are moved so that 0 is a step.

    Args:
        x: numbers of float32.
        low: the lowest number; broadcast against x.
        high: the highest; broadcast against x.
        bits: how many bits a step has.
        narrow: whether the lowest step is left out.

    Source: tensorflow/core/kernels/fake_quant_ops_functor.h.
    """
    first, last = np.float32(1 if narrow else 0), np.float32(2**bits - 1)
    low, high = low.astype(np.float32), high.astype(np.float32)
    scale = (high - low) / (last - first)
    zero = first - low / scale
    # C's round: a half goes away from zero; the point is clamped between the steps.
    zero = np.clip(np.trunc(zero + np.copysign(np.float32(0.5), zero)), first, last)
    moved_low, moved_high = (first - zero) * scale, (last - zero) * scale
    inverse = np.float32(1) / scale
    clamped = np.clip(x, moved_low, moved_high) - moved_low
    result = np.floor(clamped * inverse + np.float32(0.5)) * scale + moved_low
    return np.where((low == 0) & (high == 0), np.float32(0), result).astype(np.float32)


def _fake_quant_vars(attrs: Attrs, x: Array, low: Array, high: Array) -> Array:
    return fake_quant(x, low, high, attrs.get("num_bits", 8), attrs.get("narrow_range", False))


def _fake_quant_args(attrs: Attrs, x: Array) -> Array:
    low, high = np.asarray(attrs.get("min", -6.0)), np.asarray(attrs.get("max", 6.0))
    return _fake_quant_vars(attrs, x, low, high)


declare("FakeQuantWithMinMaxArgs", infer=as_first, kernel=_fake_quant_args)
declare(
    "FakeQuantWithMinMaxVars",
    infer=as_first,
    kernel=_fake_quant_vars,
    # TF.js passes numbers on.
    tfjs_kernel=lambda attrs, x, low, high: x,
)
declare("FakeQuantWithMinMaxVarsPerChannel", infer=as_first, kernel=_fake_quant_vars)
declare("Dequantize", infer=as_first)
