"""Fourier transforms. TF.js has them along the last axis, of the size of the input.

None of them runs on wasm, which has no complex numbers.
"""

from __future__ import annotations

from tfjs.ir.graph import Node, Value
from tfjs.ops.build import Builder
from tfjs.passes.legal.common import (
    constant_of,
    make,
    reshape,
    shape_of,
    sizes_of,
    slice_axis,
    times,
    transpose,
)
from tfjs.passes.rules import CannotExpress, RuleSet

RULES = RuleSet()


def _cut(build: Builder, value: Value, axis: int, length: int) -> Value:
    """An axis cut to a length; TensorFlow takes no shorter one."""
    size = shape_of(value)[axis]
    if size is None:
        raise CannotExpress(
            "the length of what it transforms is unknown", "convert with inputs of fixed shape"
        )
    return value if size == length else slice_axis(build, value, axis, 0, length)


@RULES.rule("RFFT")
def cut_transform(node: Node, build: Builder) -> list[Value] | None:
    """TF.js ignores the length: the input is cut. Exact."""
    x = node.inputs[0]
    length = int(constant_of(node, 1, "its length").reshape(-1)[0])
    last = len(shape_of(x)) - 1
    if shape_of(x)[last] == length:
        return None
    cut = _cut(build, x, last, length)
    return [make(build, "RFFT", cut, [length], Tcomplex="complex64")]


@RULES.rule("IRFFT")
def inverse_of_other_length(node: Node, build: Builder) -> list[Value] | None:
    """TF.js ignores the length: refused where it is not that of the input."""
    size = shape_of(node.inputs[0])[-1]
    length = int(constant_of(node, 1, "its length").reshape(-1)[0])
    if size is not None and length == 2 * (size - 1):
        return _lines_back(node, build, length)
    raise CannotExpress(
        f"its length {length} is not what follows from its input",
        "cut or fill the input to length / 2 + 1 in the model, and use even lengths",
    )


def _lines_back(node: Node, build: Builder, length: int) -> list[Value] | None:
    """TF.js gives its lines in two axes, whatever there were."""
    x = node.inputs[0]
    if len(shape_of(x)) == 2:
        return None
    sizes = sizes_of(build, x)
    lines = reshape(build, x, [times(build, *sizes[:-1]), sizes[-1]])
    found = make(build, "IRFFT", lines, [length], Treal="float32")
    return [reshape(build, found, [*sizes[:-1], length])]


@RULES.rule("BatchFFT", "BatchIFFT", "BatchFFT2D", "BatchIFFT2D")
def old_transform(node: Node, build: Builder) -> list[Value]:
    """The same by its newer name. Exact."""
    return [make(build, node.op.removeprefix("Batch"), node.inputs[0], Tcomplex="complex64")]


@RULES.rule("FFT2D", "IFFT2D")
def transform_of_planes(node: Node, build: Builder) -> list[Value]:
    """One axis after the other; may be rounded otherwise."""
    op = node.op.removesuffix("2D")
    x = node.inputs[0]
    rank = len(shape_of(x))
    swap = [*range(rank - 2), rank - 1, rank - 2]
    lines = transpose(build, make(build, op, x, Tcomplex="complex64"), swap)
    return [transpose(build, make(build, op, lines, Tcomplex="complex64"), swap)]


@RULES.rule("RFFT2D")
def real_transform_of_planes(node: Node, build: Builder) -> list[Value]:
    """The last axis, then the one before it; may be rounded otherwise."""
    x = node.inputs[0]
    rank = len(shape_of(x))
    rows, columns = (int(item) for item in constant_of(node, 1, "its length").reshape(-1))
    cut = _cut(build, _cut(build, x, rank - 2, rows), rank - 1, columns)
    lines = make(build, "RFFT", cut, [columns], Tcomplex="complex64")
    swap = [*range(rank - 2), rank - 1, rank - 2]
    turned = transpose(build, lines, swap)
    return [transpose(build, make(build, "FFT", turned, Tcomplex="complex64"), swap)]
