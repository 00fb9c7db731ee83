"""Operations of `keras.ops` that reduce, sort, search, and add up, as graphs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfjs.ir.graph import Value
from tfjs.layers.base import CannotLower
from tfjs.layers.declarations.operation_graph import (
    Operands,
    axes_in,
    axis_in,
    computes,
    int32,
    scalar,
)
from tfjs.layers.declarations.space_graph import keep_part, order_axes

if TYPE_CHECKING:
    from tfjs.layers.lowering import Lowering

_LOWEST = np.float32(-np.inf)
_HIGHEST = np.float32(np.inf)


def _name(given: Operands) -> str:
    return given.build.layer.class_name


def _counted(given: Operands, x: Value) -> Value:
    """Booleans as whole numbers, which can be added."""
    return given.build.cast(x, "int32") if x.dtype == "bool" else x


def _reduced(given: Operands, op: str, x: Value) -> Value:
    axes = given.axes(given.build.rank(x))
    return given.build.op(op, x, int32(*axes), attrs=given.keep) if axes else x


# Sums, means and extremes --------------------------------------------------------------------

_EXTREMES = {"Max": "Max", "Min": "Min", "Amax": "Max", "Amin": "Min"}


@computes("Sum", "Prod")
def _sum(given: Operands) -> Value:
    x = _counted(given, given.tensor())
    dtype = given.get("dtype")
    if dtype is not None:
        x = given.build.cast(x, "float32" if "float" in str(dtype) else str(dtype))
    return _reduced(given, _name(given), x)


@computes(*_EXTREMES)
def _extreme(given: Operands) -> Value:
    x, op = given.tensor(), _EXTREMES[_name(given)]
    boolean = x.dtype == "bool"
    made = _reduced(given, {"Max": "Any", "Min": "All"}[op] if boolean else op, x)
    if given.get("initial") is None:
        return made
    limit = given.value(given["initial"], made.dtype)
    return given.build.op({"Max": "Maximum", "Min": "Minimum"}[op], made, limit)


@computes("All", "Any")
def _logical(given: Operands) -> Value:
    return _reduced(given, _name(given), given.tensor("x", "bool"))


@computes("Mean")
def _mean(given: Operands) -> Value:
    return _reduced(given, "Mean", given.floats())


@computes("CountNonzero")
def _count_nonzero(given: Operands) -> Value:
    ones = given.build.cast(given.tensor("x", "bool"), "int32")
    return _reduced(given, "Sum", ones)


@computes("Ptp")
def _ptp(given: Operands) -> Value:
    x = given.tensor()
    return given.build.op("Sub", _reduced(given, "Max", x), _reduced(given, "Min", x))


@computes("Average", given="x weights")
def _average(given: Operands) -> Value:
    build = given.build
    if given.get("weights") is None:
        return _reduced(given, "Mean", given.floats())
    x, weights = given.together("x", "weights", least="float32")
    axes = given.axes(build.rank(x))
    if build.rank(weights) == 1 and build.rank(x) > 1:
        if len(axes) != 1:
            raise ValueError("weights of another shape go with one axis")
        size = build.size(weights, 0)
        weights = build.reshaped(weights, [size, *[1] * (build.rank(x) - axes[0] - 1)])
    elif build.rank(weights) != build.rank(x):
        raise ValueError("weights of another shape go with one axis")
    total = build.op("Sum", build.op("Mul", x, weights), int32(*axes))
    places = [axis - build.rank(x) + build.rank(weights) for axis in axes]
    return build.op("RealDiv", total, build.op("Sum", weights, int32(*places)))


@computes("Var", "Std")
def _variance(given: Operands) -> Value:
    build, x = given.build, given.floats()
    made = variance(build, x, given.axes(build.rank(x)), keep=bool(given.get("keepdims", False)))
    return build.op("Sqrt", made) if _name(given) == "Std" else made


def variance(build: Lowering, x: Value, axes: Sequence[int], *, keep: bool) -> Value:
    """The mean square of what differs from the mean."""
    places = int32(*axes)
    mean = build.op("Mean", x, places, attrs={"keep_dims": True})
    square = build.op("SquaredDifference", x, mean)
    return build.op("Mean", square, places, attrs={"keep_dims": keep})


@computes("Moments")
def _moments(given: Operands) -> list[Value]:
    build, x = given.build, given.floats()
    axes = given.axes(build.rank(x), "axes")
    mean = build.op("Mean", x, int32(*axes), attrs=given.keep)
    return [mean, variance(build, x, axes, keep=given.keep["keep_dims"])]


@computes("Logsumexp")
def _logsumexp(given: Operands) -> Value:
    x = given.floats()
    axes = given.axes(given.build.rank(x))
    return logsumexp(given.build, x, axes, keep=bool(given.get("keepdims", False)))


def logsumexp(build: Lowering, x: Value, axes: Sequence[int], *, keep: bool) -> Value:
    """The logarithm of a sum of powers, none of which overflows."""
    places, kept = int32(*axes), {"keep_dims": True}
    most = build.op("Max", x, places, attrs=kept)
    # From an infinite number nothing can be taken.
    most = build.op("SelectV2", build.op("IsFinite", most), most, np.float32(0))
    total = build.op("Sum", build.op("Exp", build.op("Sub", x, most)), places, attrs=kept)
    made = build.op("AddV2", build.op("Log", total), most)
    return made if keep else build.op("Squeeze", made, attrs={"squeeze_dims": list(axes)})


@computes("Argmax", "Argmin")
def _arg(given: Operands) -> Value:
    return _arg_of(given, given.tensor(), "ArgMax" if _name(given) == "Argmax" else "ArgMin")


def _arg_of(given: Operands, x: Value, op: str) -> Value:
    build = given.build
    x, rank, attrs = _counted(given, x), build.rank(x), {"output_type": "int32"}
    if given.get("axis") is None:
        made = build.op(op, build.reshaped(x, [-1]), scalar(0), attrs=attrs)
        return build.reshaped(made, [1] * rank) if given.keep["keep_dims"] else made
    axis = given.axis(rank)
    made = build.op(op, x, scalar(axis), attrs=attrs)
    return build.op("ExpandDims", made, scalar(axis)) if given.keep["keep_dims"] else made


@computes("Trapezoid", given="y")
def _trapezoid(given: Operands) -> Value:
    build, y = given.build, given.floats("y")
    rank = build.rank(y)
    axis = given.axis(rank)
    pairs = build.op("AddV2", _without(build, y, axis, 0, 1), _without(build, y, axis, 1, 0))
    if given.get("x") is None:
        total = build.op("Sum", pairs, int32(axis))
        return build.op("Mul", total, float(given.get("dx", 1.0)) / 2)
    x = given.floats("x")
    along = axis if build.rank(x) == rank else 0
    steps = build.op("Sub", _without(build, x, along, 1, 0), _without(build, x, along, 0, 1))
    if build.rank(x) == 1:
        steps = build.reshaped(steps, [-1, *[1] * (rank - axis - 1)])
    total = build.op("Sum", build.op("Mul", pairs, steps), int32(axis))
    return build.op("Mul", total, 0.5)


def _without(build: Lowering, x: Value, axis: int, before: int, behind: int) -> Value:
    """A tensor without some of its first and last elements along an axis."""
    rank = build.rank(x)
    begin, end = np.zeros(rank, np.int32), np.zeros(rank, np.int32)
    begin[axis], end[axis] = before, -behind
    attrs = {
        "begin_mask": sum(1 << place for place in range(rank) if not begin[place]),
        "end_mask": sum(1 << place for place in range(rank) if not end[place]),
    }
    return build.op("StridedSlice", x, begin, end, np.ones(rank, np.int32), attrs=attrs)


@computes("Diff", given="a")
def _diff(given: Operands) -> Value:
    build, x = given.build, given.tensor("a")
    axis = given.axis(build.rank(x))
    for _ in range(_count(given.get("n", 1))):
        op = "NotEqual" if x.dtype == "bool" else "Sub"
        x = build.op(op, _without(build, x, axis, 1, 0), _without(build, x, axis, 0, 1))
    return x


def _count(number: object) -> int:
    if type(number) is not int or not 0 <= number <= 32:
        raise ValueError(f"{number!r} times")
    return number


@computes("Cumsum", "Cumprod", "Nancumsum", "Nancumprod")
def _cumulative(given: Operands) -> Value:
    build, name = given.build, _name(given)
    x = _counted(given, given.tensor())
    dtype = given.get("dtype")
    if dtype is not None:
        x = build.cast(x, "float32" if "float" in str(dtype) else str(dtype))
    if name.startswith("Nan"):
        x = _instead_of_nan(build, x, 0.0 if name == "Nancumsum" else 1.0)
    if given.get("axis") is None:
        x, axis = build.reshaped(x, [-1]), 0
    else:
        axis = given.axis(build.rank(x))
    return build.op("Cumsum" if name.endswith("sum") else "Cumprod", x, scalar(axis))


# What is no number left out ------------------------------------------------------------------


def _instead_of_nan(build: Lowering, x: Value, number: float | np.float32) -> Value:
    if x.dtype != "float32":
        return x
    return build.op("SelectV2", build.op("IsNan", x), np.float32(number), x)


@computes("Nansum", "Nanprod")
def _nan_sum(given: Operands) -> Value:
    op = _name(given).removeprefix("Nan").title()
    x = _instead_of_nan(given.build, _counted(given, given.tensor()), float(op == "Prod"))
    return _reduced(given, op, x)


@computes("Nanmax", "Nanmin")
def _nan_extreme(given: Operands) -> Value:
    build, x, op = given.build, given.tensor(), _name(given).removeprefix("Nan").title()
    if x.dtype != "float32":
        return _reduced(given, op, _counted(given, x))
    made = _reduced(given, op, _instead_of_nan(build, x, _LOWEST if op == "Max" else _HIGHEST))
    nothing = _reduced(given, "All", build.op("IsNan", x))
    return build.op("SelectV2", nothing, np.float32(np.nan), made)


@computes("Nanargmax", "Nanargmin")
def _nan_arg(given: Operands) -> Value:
    """-1 where nothing is a number."""
    build, x = given.build, given.tensor()
    most = _name(given) == "Nanargmax"
    op = "ArgMax" if most else "ArgMin"
    if x.dtype != "float32":
        return _arg_of(given, x, op)
    made = _arg_of(given, _instead_of_nan(build, x, _LOWEST if most else _HIGHEST), op)
    nothing = _reduced(given, "All", build.op("IsNan", x))
    return build.op("SelectV2", nothing, np.int32(-1), made)


@computes("Nanmean", "Nanvar", "Nanstd")
def _nan_mean(given: Operands) -> Value:
    build, x, name = given.build, given.floats(), _name(given)
    places, kept = int32(*given.axes(build.rank(x))), {"keep_dims": True}
    numbers = build.floats(build.op("LogicalNot", build.op("IsNan", x)))
    if name == "Nanmean":
        total = _reduced(given, "Sum", _instead_of_nan(build, x, 0.0))
        return build.op("RealDiv", total, _reduced(given, "Sum", numbers))
    count = build.op("Sum", numbers, places, attrs=kept)
    total = build.op("Sum", _instead_of_nan(build, x, 0.0), places, attrs=kept)
    square = build.op("SquaredDifference", x, build.op("RealDiv", total, count))
    squares = _reduced(given, "Sum", _instead_of_nan(build, square, 0.0))
    made = build.op("RealDiv", squares, _reduced(given, "Sum", numbers))
    return build.op("Sqrt", made) if name == "Nanstd" else made


# In order ------------------------------------------------------------------------------------


def _along_last(given: Operands, x: Value) -> tuple[Value, list[int]]:
    """The axis that is told at the end, and the order that brings it back."""
    build = given.build
    if given.named.get("axis", -1) is None:
        return build.reshaped(x, [-1]), [0]
    rank = build.rank(x)
    axis = given.axis(rank)
    order = [place for place in range(rank) if place != axis] + [axis]
    return order_axes(build, x, order), [order.index(place) for place in range(rank)]


def _largest(build: Lowering, x: Value) -> list[Value]:
    """All along the last axis from the greatest down, and where they were."""
    if x.dtype not in ("float32", "int32"):
        x = build.cast(x, "int32")
    return build.ops("TopKV2", x, scalar(build.fixed(x, -1)), attrs={"sorted": True})


def ascending(build: Lowering, x: Value) -> Value:
    """All along the last axis from the least up."""
    return build.op("ReverseV2", _largest(build, x)[0], int32(build.rank(x) - 1))


@computes("Sort")
def _sort(given: Operands) -> Value:
    x, back = _along_last(given, given.tensor())
    made = given.build.cast(ascending(given.build, x), str(x.dtype))
    return order_axes(given.build, made, back)


@computes("Argsort")
def _argsort(given: Operands) -> Value:
    """By the negative, of which the first of equals comes first too."""
    build = given.build
    x, back = _along_last(given, _counted(given, given.tensor()))
    return order_axes(build, _largest(build, build.op("Neg", x))[1], back)


@computes("Argpartition")
def _argpartition(given: Operands) -> Value:
    return _argsort(given)


@computes("TopK")
def _top_k(given: Operands) -> list[Value]:
    x, attrs = given.tensor(), {"sorted": bool(given.named.get("sorted", True))}
    return given.build.ops("TopKV2", x, scalar(int(given["k"])), attrs=attrs)


@computes("InTopK", given="targets predictions")
def _in_top_k(given: Operands) -> Value:
    targets, guesses = given.tensor("targets", "int32"), given.floats("predictions")
    return given.build.op("InTopKV2", guesses, targets, scalar(int(given["k"])))


_HALF_WAY = ("linear", "midpoint")


@computes("Median")
def _median(given: Operands) -> Value:
    return _quantiles(given, 0.5, "linear")


@computes("Quantile", "Percentile", given="x q")
def _quantile(given: Operands) -> Value:
    if given.is_tensor("q"):
        raise CannotLower("takes the quantiles from a tensor, not from constants")
    q = np.asarray(given["q"], np.float64)
    if _name(given) == "Percentile":
        q = q / 100
    return _quantiles(given, q, str(given.get("method", "linear")))


def _quantiles(given: Operands, q: float | np.ndarray, method: str) -> Value:
    """What lies at given places of all along some axes in order."""
    build, x = given.build, given.floats()
    rank = build.rank(x)
    axes = given.axes(rank)
    others = [axis for axis in range(rank) if axis not in axes]
    moved = order_axes(build, x, [*others, *axes])
    count = math.prod(build.fixed(x, axis) for axis in axes)
    flat = moved
    if len(axes) != 1:
        flat = build.reshaped(moved, [*(build.size(x, axis) for axis in others), count])
    wanted = np.asarray(q)
    if np.any((wanted < 0) | (wanted > 1)) or wanted.ndim > 1 or not count:
        raise ValueError(f"quantiles {q!r} of {count}")
    made = _at_places(build, ascending(build, flat), wanted.reshape(-1) * (count - 1), method)
    if given.get("keepdims", False):
        last = len(others)
        sizes = [1 if axis in axes else build.size(x, axis) for axis in range(rank)]
        made = order_axes(build, made, [last, *range(last)])
        made = build.reshaped(made, [int(wanted.size), *sizes])
    else:
        made = order_axes(build, made, [len(others), *range(len(others))])
    # A number instead of a list of them has no axis of its own.
    return made if wanted.ndim else build.op("Squeeze", made, attrs={"squeeze_dims": [0]})


def _at_places(build: Lowering, x: Value, places: np.ndarray, method: str) -> Value:
    """Elements along the last axis, also from between two."""
    axis = scalar(build.rank(x) - 1)
    low, high = np.floor(places).astype(np.int32), np.ceil(places).astype(np.int32)
    if method not in (*_HALF_WAY, "lower", "higher", "nearest"):
        raise ValueError(f"method {method!r}")
    if method not in _HALF_WAY or np.array_equal(low, high):
        nearest = np.round(places).astype(np.int32)
        return build.op("GatherV2", x, {"higher": high, "nearest": nearest}.get(method, low), axis)
    share = (places - low if method == "linear" else (high - low) / 2).astype(np.float32)
    below, above = (build.op("GatherV2", x, item, axis) for item in (low, high))
    return build.op(
        "AddV2", build.op("Mul", below, np.float32(1) - share), build.op("Mul", above, share)
    )


@computes("Nanmedian")
def _nan_median(given: Operands) -> Value:
    return _nan_quantiles(given, 0.5)


@computes("Nanquantile", "Nanpercentile", given="x q")
def _nan_quantile(given: Operands) -> Value:
    if given.is_tensor("q") or given.get("method", "linear") != "linear":
        raise CannotLower("takes no constant quantile between two numbers")
    share = np.asarray(given["q"], np.float64)
    if share.ndim:
        raise CannotLower("takes several quantiles of what is a number")
    return _nan_quantiles(given, float(share) / (100 if _name(given) == "Nanpercentile" else 1))


def _nan_quantiles(given: Operands, share: float) -> Value:
    """Where the quantile of the numbers lies, the numbers themselves tell."""
    build, x = given.build, given.floats()
    rank = build.rank(x)
    axes = given.axes(rank)
    others = [axis for axis in range(rank) if axis not in axes]
    count = math.prod(build.fixed(x, axis) for axis in axes)
    moved = order_axes(build, x, [*others, *axes])
    flat = build.reshaped(moved, [*(build.size(x, axis) for axis in others), count])
    last = int32(len(others))
    numbers = build.floats(build.op("LogicalNot", build.op("IsNan", flat)))
    most = build.op("Sub", build.op("Sum", numbers, last, attrs={"keep_dims": True}), 1.0)
    place = build.op("Mul", most, share)
    ordered = ascending(build, _instead_of_nan(build, flat, _HIGHEST))
    # How near each is to the place: 1 at it, 0 from the next on.
    away = build.op("Abs", build.op("Sub", np.arange(count, dtype=np.float32), place))
    near = build.op("Relu", build.op("Sub", np.float32(1), away))
    used = build.op("SelectV2", build.op("Greater", near, 0.0), ordered, np.float32(0))
    made = build.op("Sum", build.op("Mul", used, near), last)
    nothing = build.op(
        "Less", build.op("Squeeze", most, attrs={"squeeze_dims": [len(others)]}), 0.0
    )
    made = build.op("SelectV2", nothing, np.float32(np.nan), made)
    if not given.get("keepdims", False):
        return made
    return build.reshaped(
        made, [1 if axis in axes else build.size(x, axis) for axis in range(rank)]
    )


# Among others --------------------------------------------------------------------------------


@computes("SearchSorted", given="sorted_sequence values")
def _search_sorted(given: Operands) -> Value:
    build, (row, values) = given.build, given.together("sorted_sequence", "values")
    return _searched(build, row, values, right=given.get("side", "left") == "right")


def _searched(build: Lowering, row: Value, values: Value, *, right: bool) -> Value:
    """How many of a row in order come before each of some values."""
    sizes = [build.size(values, axis) for axis in range(build.rank(values))]
    both = [build.reshaped(item, [1, -1]) for item in (row, values)]
    op = "UpperBound" if right else "LowerBound"
    return build.reshaped(build.op(op, *both, attrs={"out_type": "int32"}), sizes)


@computes("Digitize", given="x bins")
def _digitize(given: Operands) -> Value:
    build = given.build
    if not given.is_tensor("bins"):
        edges = [float(edge) for edge in np.asarray(given["bins"], np.float32)]
        return build.op("Bucketize", given.tensor(), attrs={"boundaries": edges})
    x, bins = given.together("x", "bins", least="float32")
    return _searched(build, bins, x, right=True)


@computes("IsIn", given="x1 x2")
def _is_in(given: Operands) -> Value:
    build, (x, others) = given.build, given.together("x1", "x2")
    last = build.rank(x)
    each = build.op("ExpandDims", x, scalar(last))
    found = build.op("Any", build.op("Equal", each, build.reshaped(others, [-1])), int32(last))
    return build.op("LogicalNot", found) if given.get("invert", False) else found


@computes("Bincount", given="x")
def _bincount(given: Operands) -> Value:
    build, x = given.build, given.tensor("x", "int32")
    rank, least = build.rank(x), int(given.get("minlength", 0))
    most = build.op("Max", x, np.arange(rank, dtype=np.int32))
    size = build.op("AddV2", most, np.int32(1))
    if least:
        size = build.op("Maximum", size, np.int32(least))
    weights = given.get("weights")
    told = np.zeros(0, np.int32) if weights is None else given.floats("weights")
    dtype = "int32" if weights is None else "float32"
    return build.op("DenseBincount", x, size, told, attrs={"Tidx": "int32", "T": dtype})


@computes("Histogram", given="x")
def _histogram(given: Operands) -> list[Value]:
    """How many lie at or above each edge; the differences lie between them."""
    build, x = given.build, flat_floats(given)
    bins, ends = given.get("bins", 10), given.get("range")
    if type(bins) is not int or not 0 < bins <= 1 << 16:
        raise CannotLower("is no histogram of a fixed number of equal bins")
    if ends is None:
        low, high = (build.op(op, x, int32(0)) for op in ("Min", "Max"))
        step = build.op("Mul", build.op("Sub", high, low), 1.0 / bins)
        steps = build.op("Mul", np.arange(bins, dtype=np.float32), step)
        first = build.op("AddV2", steps, low)
        edges = build.op("ConcatV2", first, build.reshaped(high, [1]), scalar(0))
    else:
        least, most = (float(end) for end in ends)
        edges = build.constant(np.linspace(least, most, bins + 1, dtype=np.float32))
    each = build.op("ExpandDims", x, scalar(1))
    above = build.op("GreaterEqual", each, keep_part(build, edges, 0, 0, bins))
    from_low = build.op("Sum", build.cast(above, "int32"), int32(0))
    over = build.op("Greater", x, keep_part(build, edges, 0, bins, 1))
    beyond = build.op("Sum", build.cast(over, "int32"), int32(0), attrs={"keep_dims": True})
    next_ = build.op("ConcatV2", keep_part(build, from_low, 0, 1, bins - 1), beyond, scalar(0))
    return [build.op("Sub", from_low, next_), edges]


def flat_floats(given: Operands) -> Value:
    """The argument `x` in one row, as float32."""
    return given.build.reshaped(given.floats(), [-1])


# Lengths -------------------------------------------------------------------------------------


@computes("Norm")
def _norm(given: Operands) -> Value:
    build, x, order = given.build, given.floats(), given.get("ord")
    rank, axis = build.rank(x), given.get("axis")
    axes = axes_in(axis, rank)
    if order is None or (order == "fro" and len(axes) == 2) or (order == 2 and len(axes) == 1):
        if x.dtype == "complex64":
            x = build.op("ComplexAbs", x)
        square = build.op("Sum", build.op("Square", x), int32(*axes), attrs=given.keep)
        return build.op("Sqrt", square)
    size = build.op("Abs", x)
    if len(axes) == 1:
        return _vector_norm(given, size, order, int32(*axes))
    if len(axes) != 2 or order not in (1, -1, math.inf, -math.inf):
        raise CannotLower(f"is the norm {order!r} of a matrix, for which TF.js factors none")
    rows, columns = axes if axis is None else [axis_in(item, rank) for item in axis]
    over, of = (rows, columns) if abs(order) == 1 else (columns, rows)
    sums = build.op("Sum", size, int32(over), attrs={"keep_dims": True})
    most = build.op("Max" if order > 0 else "Min", sums, int32(of), attrs={"keep_dims": True})
    if given.keep["keep_dims"]:
        return most
    return build.op("Squeeze", most, attrs={"squeeze_dims": axes})


def _vector_norm(given: Operands, size: Value, order: object, axis: np.ndarray) -> Value:
    build, keep = given.build, given.keep
    if isinstance(order, str) or not isinstance(order, int | float):
        raise ValueError(f"norm {order!r} of a vector")
    if math.isinf(order):
        return build.op("Max" if order > 0 else "Min", size, axis, attrs=keep)
    if order == 0:
        return build.op("Sum", build.floats(build.op("NotEqual", size, 0.0)), axis, attrs=keep)
    if order == 1:
        return build.op("Sum", size, axis, attrs=keep)
    powers = build.op("Sum", build.op("Pow", size, float(order)), axis, attrs=keep)
    return build.op("Pow", powers, 1.0 / float(order))


# Segments ------------------------------------------------------------------------------------


@computes("SegmentSum", "SegmentMax", "SegmentMin", "SegmentProd", given="data segment_ids")
def _segment(given: Operands) -> Value:
    build, data, ids = given.build, given.tensor("data"), given.tensor("segment_ids", "int32")
    count = given.get("num_segments")
    if count is None:
        most = build.op("Max", ids, int32(0))
        size: Value | np.ndarray = build.op("AddV2", most, np.int32(1))
    else:
        size = scalar(int(count))
    return build.op(f"Unsorted{_name(given)}", data, ids, size)
