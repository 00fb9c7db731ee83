"""Scales and shifts by constants, one behind the other: fewer of them, with the same result.

What is computed of the constants is computed in double precision. Where it would be infinite, or so
small that float32 has fewer digits for it, the steps stay as they are.

Left alone: a shift, a scale and a shift. Numbers of a million less their mean are small and exact,
and would not be were they scaled first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfjs.ir.graph import Node, Value, constant_of
from tfjs.ir.tensor import Array
from tfjs.passes.optimize.engine import Match, Rules
from tfjs.passes.optimize.fusion import is_float, last
from tfjs.passes.optimize.scales import weights_of
from tfjs.passes.optimize.tidy_noops import adds_no_size

RULES = Rules()

_SCALES = ("Mul", "RealDiv", "Div")
_SHIFTS = ("Add", "AddV2", "Sub", "BiasAdd")
_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative", "_FusedConv2D", "FusedDepthwiseConv2dNative")
_LEAST, _MOST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
_T = {"T": "float32"}


# A constant that stands beside a value, and what it stands for in double precision.
_Number = tuple[Value, Array]


@RULES.rule("merge/scales", *_SCALES, numerics="reassociating")
def scales(node: Node, match: Match) -> Sequence[Value] | None:
    """Two constant factors, or divisors, are one factor."""
    outer = _scaled(node) if _stands_behind(node, _SCALES) else None
    inner = None if outer is None else match.inner(outer[0], *_SCALES)
    before = None if inner is None else _scaled(inner)
    if outer is None or before is None or not _may_be_one(before, outer):
        return None
    factor = _narrow(before[1] * outer[1])
    return None if factor is None else [match.op("Mul", before[0], factor, attrs=_T)]


@RULES.rule("merge/shifts", *_SHIFTS, numerics="reassociating")
def shifts(node: Node, match: Match) -> Sequence[Value] | None:
    """Two constants that are added, or taken away, are one that is added."""
    outer = _shifted(node) if _stands_behind(node, _SHIFTS) else None
    inner = None if outer is None else match.inner(outer[0], *_SHIFTS)
    before = None if inner is None else _shifted(inner)
    if outer is None or before is None or not _may_be_one(before, outer):
        return None
    total = before[1] + outer[1]
    if (np.abs(total) > _MOST).any():
        return None
    return [match.op("AddV2", before[0], total.astype(np.float32), attrs=_T)]


@RULES.rule("merge/scale-of-shift", *_SCALES, numerics="reassociating")
def scale_of_shift(node: Node, match: Match) -> Sequence[Value] | None:
    """A scale, a shift and a scale are a scale and a shift."""
    outer = _scaled(node) if _stands_behind(node, _SHIFTS) else None
    middle = None if outer is None else match.inner(outer[0], *_SHIFTS)
    shift = None if middle is None else _shifted(middle)
    inner = None if shift is None else match.inner(shift[0], *_SCALES)
    before = None if inner is None else _scaled(inner)
    if outer is None or shift is None or before is None:
        return None
    if not (_may_be_one(before, outer) and _may_be_one(shift, outer)):
        return None
    factor, number = _narrow(before[1] * outer[1]), _narrow(shift[1] * outer[1])
    if factor is None or number is None:
        return None
    return [match.op("AddV2", match.op("Mul", before[0], factor, attrs=_T), number, attrs=_T)]


@RULES.rule("merge/scale-before-weights", *_SHIFTS, numerics="reassociating")
def scale_before_weights(node: Node, match: Match) -> Sequence[Value] | None:
    """A scale goes behind a shift, where weights can take it and padding keeps the shift out."""
    outer = _shifted(node) if _stands_behind(node, _SCALES) else None
    inner = None if outer is None else match.inner(outer[0], *_SCALES)
    before = None if inner is None else _scaled(inner)
    if outer is None or before is None or not _may_be_one(before, outer):
        return None
    value, factor = before
    shape, made = value.shape, node.output.shape
    if not shape or not made or shape[-1] != made[-1] or not _is_padded(node.output, match):
        return None
    if factor.size != (factor.shape[-1] if factor.ndim else 1) or not factor.all():
        return None
    number, scale = _narrow(outer[1] / factor), _narrow(factor)
    if number is None or scale is None:
        return None
    return [match.op("Mul", match.op("AddV2", value, number, attrs=_T), scale, attrs=_T)]


def _is_padded(value: Value, match: Match) -> bool:
    """Whether only a convolution with constant weights reads a value, with zeros around it."""
    reader, padded = _reader(value, match), False
    if reader is not None and reader.op in ("Pad", "PadV2"):
        if reader.op == "PadV2":
            filler = match.numbers(reader.inputs[2])
            if filler is None or filler.any():
                return False
        reader, padded = _reader(reader.output, match), True
    if reader is None or reader.op not in _CONVOLUTIONS or not (is_float(reader) and last(reader)):
        return False
    if not padded and reader.attrs.get("padding") == b"VALID":
        return False
    return weights_of(reader) is not None


def _reader(value: Value, match: Match) -> Node | None:
    """The one node that reads a value, as its first input."""
    if len(value.uses) != 1 or match.graph.is_output(value):
        return None
    ((reader, index),) = value.uses
    return None if index or reader.controls else reader


# Constants ---------------------------------------------------------------------------------------


def _stands_behind(node: Node, ops: tuple[str, ...]) -> bool:
    """Whether an input is made by one of some operations, which is seen without any number."""
    first, second = node.inputs
    return first.node.op in ops or second.node.op in ops


def _scaled(node: Node) -> _Number | None:
    """What a node scales, and with which factor."""
    found = _beside(node, commutes=node.op == "Mul")
    if found is None or node.op == "Mul":
        return found
    with np.errstate(divide="ignore"):
        return found[0], 1 / found[1]


def _shifted(node: Node) -> _Number | None:
    """What a node shifts, and what it adds to it."""
    if node.op == "BiasAdd" and not last(node):
        return None
    found = _beside(node, commutes=node.op in ("Add", "AddV2"))
    return (found[0], -found[1]) if found is not None and node.op == "Sub" else found


def _beside(node: Node, *, commutes: bool) -> _Number | None:
    """A value of float32, and the constant that stands beside it."""
    value, other = node.inputs
    if commutes and constant_of(other) is None:
        value, other = other, value
    if value.dtype != "float32" or other.dtype != "float32" or constant_of(value) is not None:
        return None
    numbers = Match.numbers(other)
    return None if numbers is None else (value, numbers.astype(np.float64))


def _may_be_one(first: _Number, second: _Number) -> bool:
    """Whether what is made of two constants is as large as one of them is, and finite."""
    shapes = first[1].shape, second[1].shape
    if not any(adds_no_size(one, other) for one, other in (shapes, shapes[::-1])):
        return False
    return all(bool(np.isfinite(numbers).all()) for _, numbers in (first, second))


def _narrow(numbers: Array) -> Array | None:
    """Numbers in float32, where that has all its digits for them."""
    sizes = np.abs(numbers)
    if ((sizes > _MOST) | ((sizes < _LEAST) & (sizes > 0))).any():
        return None
    return numbers.astype(np.float32)
