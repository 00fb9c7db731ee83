"""Products and matrices of `keras.ops` as graphs, and Fourier transforms."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters

import numpy as np

from tfjs.ir.graph import Value
from tfjs.layers.base import CannotLower
from tfjs.layers.declarations.kernels import fits
from tfjs.layers.declarations.operation_graph import (
    Operands,
    axis_in,
    computes,
    int32,
    scalar,
)
from tfjs.layers.declarations.operation_graph_parts import sequences
from tfjs.layers.declarations.space_graph import keep_part, order_axes

_MOST_SIZE = 1 << 12


def _name(given: Operands) -> str:
    return given.build.layer.class_name


# Products ------------------------------------------------------------------------------------


@computes("Matmul", given="x1 x2")
def _matmul(given: Operands) -> Value:
    build, (x, y) = given.build, given.together("x1", "x2", least="int32")
    drop = []
    if build.rank(x) == 1:
        x, drop = build.op("ExpandDims", x, scalar(0)), [-2]
    if build.rank(y) == 1:
        y, drop = build.op("ExpandDims", y, scalar(1)), [*drop, -1]
    made = matrix_product(given, x, y)
    axes = [build.rank(made) + axis for axis in drop]
    return build.op("Squeeze", made, attrs={"squeeze_dims": axes}) if drop else made


def matrix_product(given: Operands, x: Value, y: Value) -> Value:
    """The product of matrices in the last two axes."""
    build = given.build
    if build.rank(x) == build.rank(y) == 2:
        return build.op("MatMul", x, y)
    return build.op("BatchMatMulV2", x, y)


@computes("Einsum", given="*operands")
def _einsum(given: Operands) -> Value:
    equation = str(given["subscripts"]).replace(" ", "")
    if "->" not in equation:
        letters = sorted({letter for letter in equation if letter.isalpha()})
        once = [letter for letter in letters if equation.count(letter) == 1]
        dots = "..." if "..." in equation else ""
        equation = f"{equation}->{dots}{''.join(once)}"
    values = given.alike(given["operands"])
    sides, result = equation.split("->")
    terms = sides.split(",")
    if len(terms) != len(values):
        raise ValueError(f"{len(values)} tensors for {equation}")
    # TensorFlow's operation takes two at most: the others are multiplied in one after another.
    while len(values) > 2:
        first, second, *rest = terms
        kept = set(result) | set("".join(rest))
        joint = "".join(dict.fromkeys(item for item in first + second if item in kept))
        if "." in joint:
            raise CannotLower("multiplies more than two tensors with an ellipsis")
        made = _contracted(given, f"{first},{second}->{joint}", values[:2])
        values, terms = [made, *values[2:]], [joint, *rest]
    return _contracted(given, f"{','.join(terms)}->{result}", values)


def _contracted(given: Operands, equation: str, values: Sequence[Value]) -> Value:
    attrs = {"equation": equation.encode(), "N": len(values), "T": values[0].dtype}
    return given.build.op("Einsum", *values, attrs=attrs)


def _summed(
    given: Operands, x: Value, y: Value, left: Sequence[int], right: Sequence[int]
) -> Value:
    """The sum of products over pairs of axes; the others stay in order."""
    build = given.build
    names = iter(ascii_letters)
    first = [next(names) for _ in range(build.rank(x))]
    second = [next(names) for _ in range(build.rank(y))]
    for one, other in zip(left, right, strict=True):
        second[other] = first[one]
    over = {first[axis] for axis in left}
    result = [name for name in [*first, *second] if name not in over]
    return _contracted(given, f"{''.join(first)},{''.join(second)}->{''.join(result)}", [x, y])


@computes("Tensordot", given="x1 x2")
def _tensordot(given: Operands) -> Value:
    build, (x, y) = given.build, given.together("x1", "x2", least="int32")
    ranks, axes = (build.rank(x), build.rank(y)), given.get("axes", 2)
    if isinstance(axes, int):
        if not 0 <= axes <= min(ranks):
            raise ValueError(f"{axes} axes of {ranks}")
        return _summed(given, x, y, range(ranks[0] - axes, ranks[0]), range(axes))
    sides = []
    for side, rank in zip(axes, ranks, strict=True):
        items = side if isinstance(side, list | tuple) else [side]
        sides.append([axis_in(item, rank) for item in items])
    return _summed(given, x, y, *sides)


@computes("Dot", given="x1 x2")
def _dot(given: Operands) -> Value:
    build, (x, y) = given.build, given.together("x1", "x2", least="int32")
    ranks = build.rank(x), build.rank(y)
    if 0 in ranks:
        return build.op("Mul", x, y)
    if ranks == (2, 2):
        return build.op("MatMul", x, y)
    return _summed(given, x, y, [ranks[0] - 1], [max(0, ranks[1] - 2)])


@computes("Inner", given="x1 x2")
def _inner(given: Operands) -> Value:
    build, (x, y) = given.build, given.together("x1", "x2", least="int32")
    ranks = build.rank(x), build.rank(y)
    if 0 in ranks:
        return build.op("Mul", x, y)
    return _summed(given, x, y, [ranks[0] - 1], [ranks[1] - 1])


@computes("Outer", given="x1 x2")
def _outer(given: Operands) -> Value:
    build, (x, y) = given.build, given.together("x1", "x2", least="int32")
    return build.op("Mul", build.reshaped(x, [-1, 1]), build.reshaped(y, [1, -1]))


@computes("Vdot", given="x1 x2")
def _vdot(given: Operands) -> Value:
    build, (x, y) = given.build, given.together("x1", "x2", least="int32")
    if x.dtype == "complex64":
        x = build.op("Conj", x)
    flat = [build.reshaped(item, [-1]) for item in (x, y)]
    return build.op("Sum", build.op("Mul", *flat), int32(0))


@computes("Kron", given="x1 x2")
def _kron(given: Operands) -> Value:
    build, (x, y) = given.build, given.together("x1", "x2", least="int32")
    rank = max(build.rank(x), build.rank(y))
    sizes = []
    for place, item in enumerate((x, y)):
        own = [build.size(item, axis) for axis in range(build.rank(item))]
        sizes.append([*[1] * (rank - len(own)), *own])
        between = [
            part for size in sizes[place] for part in ((size, 1) if not place else (1, size))
        ]
        if place:
            y = build.reshaped(item, between)
        else:
            x = build.reshaped(item, between)
    joint: list[int | Value] = []
    for one, other in zip(*sizes, strict=True):
        known = isinstance(one, int) and isinstance(other, int)
        joint.append(one * other if known else -1)
    return build.reshaped(build.op("Mul", x, y), joint)


@computes("Cross", given="x1 x2")
def _cross(given: Operands) -> Value:
    build, (x, y) = given.build, given.together("x1", "x2", least="int32")
    whole = given.get("axis")
    names = ("axisa", "axisb", "axisc")
    told = [given.get(name, -1) if whole is None else whole for name in names]
    moved = []
    for value, axis in zip((x, y), told, strict=False):
        rank = build.rank(value)
        at = axis_in(axis, rank)
        moved.append(order_axes(build, value, [*(i for i in range(rank) if i != at), at]))
    parts = [
        build.ops(
            "Unpack", item, attrs={"num": build.fixed(item, -1), "axis": build.rank(item) - 1}
        )
        for item in moved
    ]
    if any(len(part) not in (2, 3) for part in parts):
        raise ValueError("vectors have two or three numbers")

    def difference(i: int, j: int) -> Value:
        first, second = (_times(given, parts, *pair) for pair in ((i, j), (j, i)))
        if first is None and second is not None:
            return build.op("Neg", second)
        return build.op("Sub", first, second) if first and second else _present(first)

    if len(parts[0]) == len(parts[1]) == 2:
        return difference(0, 1)
    made = [difference(1, 2), difference(2, 0), difference(0, 1)]
    rank = build.rank(made[0])
    at = axis_in(told[2], rank + 1)
    return build.op("Pack", *made, attrs={"axis": at, "N": 3})


def _times(given: Operands, parts: Sequence[Sequence[Value]], i: int, j: int) -> Value | None:
    """A product of coordinates; None where one is the third of a vector of two."""
    if i >= len(parts[0]) or j >= len(parts[1]):
        return None
    return given.build.op("Mul", parts[0][i], parts[1][j])


def _present(value: Value | None) -> Value:
    if value is None:
        raise ValueError("two vectors of two numbers have no third axis")
    return value


@computes("Correlate", given="x1 x2")
def _correlate(given: Operands) -> Value:
    build, (x, y) = given.build, given.together("x1", "x2", least="float32")
    long, short = build.fixed(x, 0), build.fixed(y, 0)
    mode = given.get("mode", "valid")
    if short > long and mode == "valid":
        made = _slid(given, y, x, 0, 0)
        return build.op("ReverseV2", made, int32(0))
    if mode == "valid":
        return _slid(given, x, y, 0, 0)
    full = _slid(given, x, y, short - 1, short - 1)
    if mode == "full":
        return full
    size, whole = max(long, short), long + short - 1
    start = (short - 1) // 2 if long >= short else whole - size - (long - 1) // 2
    return keep_part(build, full, 0, start, size)


def _slid(given: Operands, x: Value, y: Value, before: int, behind: int) -> Value:
    build = given.build
    if before or behind:
        x = build.op("Pad", x, np.array([[before, behind]], np.int32))
    image, kernel = build.reshaped(x, [1, 1, -1, 1]), build.reshaped(y, [1, -1, 1, 1])
    attrs = {"strides": [1, 1, 1, 1], "padding": b"VALID"}
    return build.reshaped(build.op("Conv2D", image, kernel, attrs=attrs), [-1])


@computes("Corrcoef")
def _corrcoef(given: Operands) -> Value:
    build, x = given.build, given.floats()
    if build.rank(x) == 1:
        x = build.op("ExpandDims", x, scalar(0))
    mean = build.op("Mean", x, int32(1), attrs={"keep_dims": True})
    centred = build.op("Sub", x, mean)
    square = build.op("Sum", build.op("Square", centred), int32(1), attrs={"keep_dims": True})
    unit = build.op("Mul", centred, build.op("Rsqrt", square))
    made = build.op("MatMul", unit, unit, attrs={"transpose_b": True})
    return made if build.rank(given.tensor()) > 1 else build.reshaped(made, [])


@computes("CDist", given="x y")
def _cdist(given: Operands) -> Value:
    build, (x, y) = given.build, given.together("x", "y", least="float32")
    rank = build.rank(x)
    rows, columns = (
        build.op("ExpandDims", x, scalar(rank - 1)),
        build.op("ExpandDims", y, scalar(build.rank(y) - 2)),
    )
    square = build.op("SquaredDifference", rows, columns)
    return build.op("Sqrt", build.op("Sum", square, int32(rank)))


# Diagonals -----------------------------------------------------------------------------------


@computes("Diag", "Diagflat")
def _diag(given: Operands) -> Value:
    build, x, offset = given.build, given.tensor(), int(given.get("k", 0))
    if _name(given) == "Diagflat":
        x = build.reshaped(x, [-1])
    if abs(offset) > _MOST_SIZE:
        raise ValueError(f"diagonal {offset}")
    if build.rank(x) == 2:
        return _diagonal_of(given, x, offset)
    made = build.op("MatrixDiag", x)
    if not offset:
        return made
    pads = [[0, offset], [offset, 0]] if offset > 0 else [[-offset, 0], [0, -offset]]
    return build.op("Pad", made, np.array(pads, np.int32))


def _diagonal_of(given: Operands, x: Value, offset: int) -> Value:
    """A diagonal of the last two axes: every so many of their numbers in one row."""
    build, rank = given.build, given.build.rank(x)
    rows, columns = build.fixed(x, rank - 2), build.fixed(x, rank - 1)
    start = offset if offset >= 0 else -offset * columns
    count = max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns))
    sizes = [build.size(x, axis) for axis in range(rank - 2)]
    flat = build.reshaped(x, [*sizes, rows * columns])
    places = np.arange(count, dtype=np.int32) * (columns + 1) + np.int32(start)
    return build.op("GatherV2", flat, places, scalar(rank - 2))


@computes("Diagonal", "Trace")
def _diagonal(given: Operands) -> Value:
    build, x = given.build, given.tensor()
    rank = build.rank(x)
    first = given.axis(rank, "axis1", 0)
    second = given.axis(rank, "axis2", 1)
    order = [axis for axis in range(rank) if axis not in (first, second)]
    moved = order_axes(build, x, [*order, first, second])
    made = _diagonal_of(given, moved, int(given.get("offset", 0)))
    if _name(given) == "Diagonal":
        return made
    made = build.cast(made, "int32") if made.dtype == "bool" else made
    return build.op("Sum", made, int32(rank - 2))


@computes("Tril", "Triu")
def _triangle(given: Operands) -> Value:
    build, x, offset = given.build, given.tensor(), int(given.get("k", 0))
    rank = build.rank(x)
    rows, columns = build.fixed(x, rank - 2), build.fixed(x, rank - 1)
    if not fits([rows, columns]):
        raise CannotLower("has matrices too large to mark a half of")
    whole = np.ones((rows, columns), np.bool_)
    mask = np.tril(whole, offset) if _name(given) == "Tril" else np.triu(whole, offset)
    return build.op("SelectV2", build.constant(mask), x, np.array(0, x.dtype))


# Systems of equations ------------------------------------------------------------------------


@computes("Cholesky")
def _cholesky(given: Operands) -> Value:
    made = given.build.op("Cholesky", given.floats())
    return _turned(given, made) if given.get("upper", False) else made


def _turned(given: Operands, x: Value) -> Value:
    rank = given.build.rank(x)
    return order_axes(given.build, x, [*range(rank - 2), rank - 1, rank - 2])


@computes("CholeskyInverse")
def _cholesky_inverse(given: Operands) -> Value:
    """Of the matrix whose factor is given: the inverse of the factor times itself."""
    build, x = given.build, given.floats()
    half = build.op("MatrixInverse", _turned(given, x) if given.get("upper", False) else x)
    return build.op("BatchMatMulV2", half, half, attrs={"adj_x": True})


@computes("Det", "Inv")
def _determinant(given: Operands) -> Value:
    op = "MatrixDeterminant" if _name(given) == "Det" else "MatrixInverse"
    return given.build.op(op, given.floats())


@computes("Slogdet", "Logdet")
def _logdet(given: Operands) -> Value | list[Value]:
    sign, logarithm = given.build.ops("LogMatrixDeterminant", given.floats())
    return logarithm if _name(given) == "Logdet" else [sign, logarithm]


@computes("Solve", "SolveTriangular", given="a b")
def _solve(given: Operands) -> Value:
    build, (matrix, right) = given.build, given.together("a", "b", least="float32")
    vector = build.rank(right) == build.rank(matrix) - 1
    if vector:
        right = build.op("ExpandDims", right, scalar(build.rank(right)))
    if _name(given) == "Solve":
        made = build.op("MatrixSolve", matrix, right)
    else:
        attrs = {"lower": bool(given.get("lower", False))}
        made = build.op("MatrixTriangularSolve", matrix, right, attrs=attrs)
    last = build.rank(made) - 1
    return build.op("Squeeze", made, attrs={"squeeze_dims": [last]}) if vector else made


# Fourier transforms --------------------------------------------------------------------------


def _complex(given: Operands) -> Value:
    parts = [given.value(item, "float32") for item in given["x"]]
    return given.build.op("Complex", *parts)


def _parts(given: Operands, x: Value) -> list[Value]:
    return [given.build.op(op, x) for op in ("Real", "Imag")]


@computes("FFT", "FFT2", "IFFT2")
def _fft(given: Operands) -> list[Value]:
    op = {"FFT2": "FFT2D", "IFFT2": "IFFT2D"}.get(_name(given), "FFT")
    return _parts(given, given.build.op(op, _complex(given)))


@computes("RFFT")
def _rfft(given: Operands) -> list[Value]:
    build, x = given.build, given.floats()
    length = given.get("fft_length", build.shape(x)[-1])
    if length is None:
        raise CannotLower("the length of its transform is unknown")
    more = int(length) - build.fixed(x, -1)
    if more > 0:
        pads = np.zeros((build.rank(x), 2), np.int32)
        pads[-1, 1] = more
        x = build.op("Pad", x, pads)
    return _parts(given, build.op("RFFT", x, int32(int(length))))


@computes("IRFFT")
def _irfft(given: Operands) -> Value:
    build, x = given.build, _complex(given)
    length = given.get("fft_length")
    if length is None:
        length = 2 * (build.fixed(x, -1) - 1)
    return build.op("IRFFT", x, int32(int(length)))


def window_of(name: object, length: int) -> np.ndarray:
    """A window of a spectrum, as one that goes round."""
    if isinstance(name, list | tuple):
        return np.asarray(name, np.float32)
    turn = 2 * np.pi * np.arange(length) / length
    if name == "hann":
        return (0.5 - 0.5 * np.cos(turn)).astype(np.float32)
    if name == "hamming":
        return (0.54 - 0.46 * np.cos(turn)).astype(np.float32)
    if name is None:
        return np.ones(length, np.float32)
    raise CannotLower(f"has the window {name!r}, which is not known here")


@computes("STFT")
def _stft(given: Operands) -> list[Value]:
    return _parts(given, spectrum(given))


def spectrum(given: Operands) -> Value:
    """[..., frames, bins] of complex64: the transform of each window of a sound."""
    build, x = given.build, given.floats()
    length, step = int(given["sequence_length"]), int(given["sequence_stride"])
    bins, rank = int(given["fft_length"]), build.rank(x)
    if given.named.get("center", True):
        pads = np.zeros((rank, 2), np.int32)
        pads[-1] = bins // 2
        x = build.op("MirrorPad", x, pads, attrs={"mode": b"REFLECT"})
    window = window_of(given.named.get("window", "hann"), length)
    before = (bins - length) // 2
    window = np.pad(window, (before, bins - length - before))
    frames = sequences(given, x, bins, step)
    return build.op("RFFT", build.op("Mul", frames, window), int32(bins))


@computes("ISTFT")
def _istft(given: Operands) -> Value:
    """Windows put over one another, by the sum of the squares of the windows."""
    build = given.build
    length, step = int(given["sequence_length"]), int(given["sequence_stride"])
    bins, x = int(given["fft_length"]), _complex(given)
    frames = build.fixed(x, -2)
    before = (bins - length) // 2
    window = window_of(given.named.get("window", "hann"), length)
    window = np.pad(window, (before, bins - length - before))
    whole = (frames - 1) * step + bins
    if not fits([frames * bins, whole]):
        raise CannotLower("is too long to be put together by a matrix")
    matrix = np.zeros((frames, bins, whole), np.float32)
    for frame in range(frames):
        at = frame * step
        matrix[frame, np.arange(bins), at + np.arange(bins)] = window
    weight = np.square(matrix).sum(axis=(0, 1))
    weight = np.where(weight > np.finfo(np.float32).tiny, weight, 1.0)
    flat = (matrix.reshape(-1, whole) / weight).astype(np.float32)
    start = bins // 2 if given.named.get("center", True) else 0
    end = start + int(given["length"]) if given.get("length") is not None else whole - start
    sound = build.op("IRFFT", x, int32(bins))
    sizes = [build.size(sound, axis) for axis in range(build.rank(sound) - 2)]
    rows = build.reshaped(sound, [-1, frames * bins])
    end = min(end, whole)
    made = build.op("MatMul", rows, np.ascontiguousarray(flat[:, start:end]))
    return build.reshaped(made, [*sizes, end - start] if sizes else [end - start])
