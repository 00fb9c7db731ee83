"""Which weights are stored in fewer bytes, and how their values become those bytes.

The rules and the arithmetic are those of the official converter (`official_converter.md` 1c),
computed in double precision as it does with NumPy 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

import numpy as np

from tfjs.errors import UsageError
from tfjs.formats.base import QuantizationMap, QuantizedDtype
from tfjs.ir.tensor import Array, Quantization, Tensor

BLOCK = 1 << 16  # values quantised at a time
MAX_FLOAT16 = 65504.0
# What float32 still rounds to its largest finite value; beyond, it is infinity.
FLOAT32_LIMIT = float(np.finfo(np.float32).max) * (1 + 2.0**-25)

_QUANTIZED_DTYPES = ("float16", "uint8", "uint16")
_LARGEST = {"uint8": 255, "uint16": 65535}


def choose_dtypes(
    names: Sequence[str], rules: QuantizationMap
) -> tuple[dict[str, QuantizedDtype], list[str]]:
    """Decide which weights the rules want stored in which dtype.

    A pattern is an `fnmatch` pattern of the whole name, case-sensitive; `*` crosses `/`. A weight
    that a pattern matches is not taken by the rule for all others (True).

    Args:
        names: names of all weights.
        rules: patterns, a single pattern, or True by dtype.

    Returns:
        The dtype of each weight that a rule takes, and a line for each pattern without a match.

    Raises:
        UsageError: an unknown dtype, a weight that two dtypes claim, or two rules for the rest.
    """
    chosen: dict[str, QuantizedDtype] = {}
    notes: list[str] = []
    rest: QuantizedDtype | None = None
    for dtype, patterns in rules.items():
        if dtype not in _QUANTIZED_DTYPES:
            raise UsageError(
                f"weights cannot be quantised to {dtype!r}",
                hint=f"choose among {', '.join(_QUANTIZED_DTYPES)}",
            )
        if patterns is True:
            if rest is not None:
                raise UsageError(
                    f"both {rest} and {dtype} are to take all other weights",
                    hint="give weight name patterns to all but one of them",
                )
            rest = dtype
            continue
        for pattern in _patterns(dtype, patterns):
            matched = [name for name in names if fnmatchcase(name, pattern)]
            for name in matched:
                _claim(chosen, name, dtype)
            if not matched:
                notes.append(f"quantisation to {dtype}: no weight is named like {pattern!r}")
    if rest is not None:
        chosen = {name: chosen.get(name, rest) for name in names}
    return chosen, notes


def _patterns(dtype: str, patterns: object) -> Sequence[str]:
    if isinstance(patterns, str):
        return [patterns]
    if isinstance(patterns, Sequence) and all(isinstance(entry, str) for entry in patterns):
        return patterns
    raise UsageError(
        f"quantisation to {dtype} wants weight name patterns or True, not {patterns!r}"
    )


def _claim(chosen: dict[str, QuantizedDtype], name: str, dtype: QuantizedDtype) -> None:
    if chosen.setdefault(name, dtype) != dtype:
        raise UsageError(
            f"both {chosen[name]} and {dtype} are to store the weight {name!r}",
            hint="make the patterns narrower, so that each weight is matched by one dtype",
        )


def value_range(blocks: Iterable[Array]) -> tuple[float, float] | None:
    """Smallest and largest value over all blocks; None where one is NaN or infinite.

    Nothing at all counts as a single zero.
    """
    low, high = np.inf, -np.inf
    for block in blocks:
        if block.size == 0:
            continue
        smallest, largest = float(block.min()), float(block.max())
        if not np.isfinite(smallest) or not np.isfinite(largest):
            return None  # NaN wins every comparison in NumPy
        low, high = min(low, smallest), max(high, largest)
    return (0.0, 0.0) if low > high else (low, high)


def affine_quantization(low: float, high: float, dtype: QuantizedDtype) -> Quantization:
    """Scale and minimum that spread the range from `low` to `high` over uint8 or uint16.

    Where the range holds 0 it is shifted by up to half a step, so that 0 is stored exactly
    (unless that would leave the range of float32).
    """
    steps = _LARGEST[dtype]
    scale = (high - low) / steps
    if scale == 0.0:  # one value only, or values that differ by less than can be told
        return Quantization(dtype, scale=1.0, min=low + 0.0)  # no -0.0
    if low <= 0.0 <= high:
        shifted = -round(-low / scale) * scale
        if abs(shifted) < FLOAT32_LIMIT and abs(steps * scale + shifted) < FLOAT32_LIMIT:
            low = shifted
    return Quantization(dtype, scale=scale, min=low)


def quantize_block(block: Array, quantization: Quantization) -> Array:
    """The stored integers of values that lie in the quantization's range (little-endian)."""
    steps = _LARGEST[quantization.dtype]
    values = block.astype(np.float64)
    np.clip(values, quantization.min, steps * quantization.scale + quantization.min, out=values)
    values -= quantization.min
    values /= quantization.scale
    np.rint(values, out=values)
    return values.astype(np.dtype(quantization.dtype).newbyteorder("<"))


def float32_blocks(tensor: Tensor) -> Iterable[Array]:
    """The values of a floating-point tensor as float32, `BLOCK` at a time."""
    for block in tensor.blocks(BLOCK * 4):
        with np.errstate(over="ignore", invalid="ignore"):
            values = block.astype(np.float32, copy=False)
        yield values
