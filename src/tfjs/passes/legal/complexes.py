"""Complex numbers. TF.js's cpu backend moves few of them, and hardly computes with them.

What it does was run for every operation: it makes NaN of a broadcast sum or product, and ends at
most others. wasm has no complex numbers.
"""

from __future__ import annotations

from typing import Any

from tfjs.ir.graph import Node, Value
from tfjs.ops.build import Builder
from tfjs.ops.definitions import definition
from tfjs.ops.support import all_tfjs_ops
from tfjs.passes.legal.common import make, makes
from tfjs.passes.rules import CannotExpress, RuleSet

RULES = RuleSet()

# What TF.js does with complex numbers as TensorFlow does.
_WHOLE = frozenset(
    {"Cast", "Complex", "ComplexAbs", "Concat", "ConcatV2", "Const", "EnsureShape", "ExpandDims"}
    | {"FFT", "IFFT", "IRFFT", "RFFT", "Identity", "IdentityN", "Imag", "OnesLike", "Pack"}
    | {"Placeholder", "Print", "Rank", "Real", "Reshape", "Shape", "ShapeN", "Size", "Snapshot"}
    | {"Squeeze", "StopGradient", "Transpose", "ZerosLike"}
    # Rewritten by parts beside their real forms.
    | {"BatchMatMul", "BatchMatMulV2", "Einsum", "MatMul"}
    # Control flow passes them on.
    | {"Enter", "Exit", "If", "Merge", "NextIteration", "StatelessIf", "StatelessWhile", "Switch"}
    | {"While", "PlaceholderWithDefault", "NoOp"}
)
# The real part of the result is that of the real parts, and so is the imaginary one.
_BY_PARTS = (
    *("Add", "AddV2", "Sub", "AddN", "BiasAdd", "Neg", "Sum", "Mean", "Cumsum"),
    *("BroadcastTo", "Fill", "Gather", "GatherNd", "GatherV2", "MirrorPad", "Pad", "PadV2"),
    *("Reverse", "ReverseV2", "ScatterNd", "Select", "SelectV2", "Slice", "Split", "SplitV"),
    *("StridedSlice", "TensorScatterUpdate", "Tile", "Unpack", "SparseToDense", "DepthToSpace"),
)


def _parts(build: Builder, value: Value) -> tuple[Value, Value]:
    real = make(build, "Real", value, Tout="float32")
    return real, make(build, "Imag", value, Tout="float32")


def _whole(build: Builder, real: Value, imaginary: Value) -> Value:
    return make(build, "Complex", real, imaginary, Tout="complex64")


@RULES.rule(*_BY_PARTS)
def complex_by_parts(node: Node, build: Builder) -> list[Value] | None:
    """Real and imaginary numbers each by themselves. Exact."""
    if not _is_complex(node) or _adds_alike(node):
        return None
    halves = [
        _parts(build, value) if value.dtype == "complex64" else (value, value)
        for value in node.inputs
    ]
    attrs = {name: _real(item) for name, item in node.attrs.items()}
    results = [makes(build, node.op, *side, **attrs) for side in zip(*halves, strict=True)]
    return [_whole(build, *both) for both in zip(*results, strict=True)]


def _real(attr: Any) -> Any:
    return "float32" if attr == "complex64" else attr


def _is_complex(node: Node) -> bool:
    return any(value.dtype == "complex64" for value in [*node.inputs, *node.outputs])


def _adds_alike(node: Node) -> bool:
    """Whether TF.js's own is right: of two tensors of the same shape."""
    if node.op not in ("Add", "AddV2", "Sub", "Mul"):
        return False
    shapes = [value.shape for value in node.inputs]
    return shapes[0] is not None and None not in shapes[0] and shapes[0] == shapes[1]


def _product(build: Builder, x: Value, y: Value) -> Value:
    (a, b), (c, d) = _parts(build, x), _parts(build, y)
    real = make(build, "Sub", make(build, "Mul", a, c), make(build, "Mul", b, d))
    imaginary = make(build, "AddV2", make(build, "Mul", a, d), make(build, "Mul", b, c))
    return _whole(build, real, imaginary)


@RULES.rule("Mul", "Square", "SquaredDifference")
def complex_product(node: Node, build: Builder) -> list[Value] | None:
    """By the products of the parts; a squared difference is one with its conjugate."""
    if not _is_complex(node) or _adds_alike(node):
        return None
    if node.op == "SquaredDifference":
        real, imaginary = _parts(build, make(build, "Sub", *node.inputs))
        squares = [make(build, "Mul", part, part) for part in (real, imaginary)]
        length = make(build, "AddV2", *squares)
        return [_whole(build, length, make(build, "ZerosLike", length))]
    x, y = node.inputs if node.op == "Mul" else [node.inputs[0]] * 2
    return [_product(build, x, y)]


@RULES.rule("Div", "RealDiv", "Reciprocal")
def complex_quotient(node: Node, build: Builder) -> list[Value] | None:
    """The product with the conjugate, over the square of the length; may be rounded otherwise."""
    if not _is_complex(node):
        return None
    below = _parts(build, node.inputs[-1])
    squares = [make(build, "Mul", part, part) for part in below]
    length = make(build, "AddV2", *squares)
    conjugate = _whole(build, below[0], make(build, "Neg", below[1]))
    above = conjugate if node.op == "Reciprocal" else _product(build, node.inputs[0], conjugate)
    return [_whole(build, *(make(build, "RealDiv", part, length) for part in _parts(build, above)))]


@RULES.rule("Equal", "NotEqual")
def complex_compared(node: Node, build: Builder) -> list[Value] | None:
    """Both parts are compared. Exact."""
    if not _is_complex(node):
        return None
    x, y = (_parts(build, value) for value in node.inputs)
    sides = [make(build, node.op, *both) for both in zip(x, y, strict=True)]
    return [make(build, "LogicalAnd" if node.op == "Equal" else "LogicalOr", *sides)]


@RULES.rule("Exp")
def complex_power(node: Node, build: Builder) -> list[Value] | None:
    """By Euler's formula."""
    if not _is_complex(node):
        return None
    real, angle = _parts(build, node.inputs[0])
    length = make(build, "Exp", real)
    turned = (make(build, "Mul", length, make(build, op, angle)) for op in ("Cos", "Sin"))
    return [_whole(build, *turned)]


@RULES.rule("Complex")
def parts_of_one_shape(node: Node, build: Builder) -> list[Value] | None:
    """TF.js broadcasts neither part. Exact."""
    real, imaginary = node.inputs
    if real.shape == imaginary.shape and real.shape is not None:
        return None
    if real.shape is None or imaginary.shape is None:
        return None
    nothing = [make(build, "ZerosLike", value) for value in (imaginary, real)]
    both = [
        make(build, "AddV2", value, zeros)
        for value, zeros in zip(node.inputs, nothing, strict=True)
    ]
    if None in (both[0].shape or (None,)):
        both[1].shape = both[0].shape
    return [_whole(build, *both)] if both[0].shape == both[1].shape else None


_LEFT = [
    op.name for op in all_tfjs_ops() if op.name not in _WHOLE and definition(op.name) is not None
]


@RULES.rule(*_LEFT)
def complex_is_not_computed(node: Node, build: Builder) -> list[Value] | None:
    """Refused: TF.js would end there."""
    if _is_complex(node) and not _adds_alike(node):
        raise CannotExpress(
            f"TF.js has no {node.op} of complex numbers",
            "compute with their real and imaginary parts",
        )
    return None
