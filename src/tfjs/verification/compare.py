"""How far two answers are apart, and how far they may be.

The bound is taken from the source itself: what float32 makes of it, against float64, tells how much
rounding its own arithmetic does. Fixed bounds raise false alarms in deep models and miss wrong
answers in shallow ones (`formats_and_peers.md`, verification tolerance).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tfjs.ir.tensor import Array

# Another order of additions rounds otherwise; several times what the source itself shows.
_TIMES_OWN = 16.0
# Float32 has 24 bits: relative to the largest number of an output, what no model gets below.
_LEAST_RELATIVE = 2e-6
_LEAST = 1e-7


@dataclass(frozen=True, slots=True)
class Difference:
    """How one output of a result differs from the source's.

    Attributes:
        name: the output.
        shape: the shape that it has, for the inputs that were fed.
        dtype: its dtype.
        largest: the largest absolute difference; the number of elements that differ where they
            are no floating point numbers.
        relative: the same over the largest absolute value of the source's answer.
        bound: the largest absolute difference that rounding explains.
        problem: what is wrong in words; None where the output is as it should be.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    largest: float
    relative: float
    bound: float
    problem: str | None = None

    @property
    def ok(self) -> bool:
        """Whether rounding explains the difference."""
        return self.problem is None

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it, which has no infinite numbers: None stands for them."""
        told = asdict(self)
        for name in ("largest", "relative", "bound"):
            if not np.isfinite(told[name]):
                told[name] = None
        return told | {"shape": list(self.shape), "ok": self.ok}


def bound_of(single: Array, double: Array) -> float:
    """The largest absolute difference that rounding explains; infinite where it decides the answer.

    A choice between near equals (an index, a class, the boxes that are left) turns with rounding:
    where the source itself chooses otherwise in float64, any choice is right.

    Args:
        single: an output of the source, computed in float32.
        double: the same, computed in float64.
    """
    if single.shape != double.shape:
        return np.inf
    if double.dtype.kind not in "fc":
        return 0.0 if np.array_equal(single, double) else np.inf
    finite = np.isfinite(double) & np.isfinite(single)
    own = float(np.abs(single[finite] - double[finite]).max(initial=0.0))
    scale = float(np.abs(double[finite]).max(initial=0.0))
    return max(_TIMES_OWN * own, _LEAST_RELATIVE * scale, _LEAST)


def difference(name: str, given: Array, wanted: Array, bound: float) -> Difference:
    """Hold an output against what it should be.

    Args:
        name: the output.
        given: the result's answer.
        wanted: the source's.
        bound: the largest absolute difference that is right; infinite for any, whatever the dtype.
    """
    dtype = "string" if given.dtype.kind in "OSU" else given.dtype.name
    if given.shape != wanted.shape:
        told = bound != np.inf or given.ndim != wanted.ndim
        shapes = f"has the shape {list(given.shape)}, the source's has {list(wanted.shape)}"
        problem = shapes if told else None
        return Difference(name, given.shape, dtype, np.inf, np.inf, bound, problem)
    if wanted.dtype.kind not in "fc" or given.dtype.kind not in "fc":
        count = int(np.sum(given != wanted)) if given.size else 0
        told = bool(count) and bound != np.inf
        text = f"{count} of {given.size} elements differ" if told else None
        relative = count / max(1, given.size)
        return Difference(name, given.shape, dtype, float(count), relative, 0.0, text)
    return _of_floats(name, given, wanted, bound, dtype)


def _of_floats(name: str, given: Array, wanted: Array, bound: float, dtype: str) -> Difference:
    lost = np.isnan(given) & ~np.isnan(wanted)
    finite = np.isfinite(given) & np.isfinite(wanted)
    # What is infinite in both, or NaN in the source, is as it should be.
    odd = ~finite & ~np.isnan(wanted) & (given != wanted)
    with np.errstate(all="ignore"):
        apart = np.abs(given[finite].astype(np.complex128) - wanted[finite])
    largest = float(apart.max(initial=0.0))
    scale = float(np.abs(wanted[finite]).max(initial=0.0))
    relative = largest / scale if scale else (np.inf if largest else 0.0)
    problem = None
    if lost.any():
        problem = f"{int(lost.sum())} of {given.size} elements are NaN, the source's are not"
    elif odd.any():
        problem = f"{int(odd.sum())} of {given.size} elements are infinite otherwise"
    elif largest > bound:
        where = np.flatnonzero(finite.reshape(-1))[int(np.argmax(apart))]
        place = [int(index) for index in np.unravel_index(int(where), given.shape)]
        problem = (
            f"differs by {largest:.3g} at {place}: {given[tuple(place)]:.7g}, the source answers "
            f"{wanted[tuple(place)]:.7g}, at most {bound:.2g} is right"
        )
    return Difference(name, given.shape, dtype, largest, relative, bound, problem)
