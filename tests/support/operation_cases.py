"""Functions of `keras.ops` with inputs: what functional models of operations are tested with.

Each case is named after the class of the operation that it makes; what stands behind a space tells
the cases of one class apart. A case gets `keras.ops` and its tensors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.support.operation_inputs import Case, Function, Of

ROWS = Of((3, 4, 6))
FLAT = Of((3, 6))
INTS = Of((3, 6), "signed")
IMAGE = Of((2, 6, 8, 3), "pixels")
MATRIX = np.random.default_rng(5).normal(size=(6, 5)).astype(np.float32)
CUBE = np.random.default_rng(6).normal(size=(6, 4, 2)).astype(np.float32)
LIST = np.arange(6, dtype=np.float32) - 2

CASES: dict[str, Case] = {}


def _add(
    name: str, function: Function, *inputs: Of, told: Function | None = None, fixed: bool = False
) -> None:
    assert name not in CASES, name
    CASES[name] = Case(function, inputs or (FLAT,), told, fixed)


def _named(ops: Any, name: str) -> Any:
    for part in name.split("."):
        ops = getattr(ops, part)
    return ops


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def _plain(text: str, *inputs: Of) -> None:
    """Classes with the functions of `keras.ops`, which take the inputs alone."""
    for item in text.split():
        name, _, told = item.partition("=")
        short = told or _snake(name)
        _add(name, lambda ops, *x, _short=short: _named(ops, _short)(*x), *inputs)


_plain("Add Subtract Multiply Divide TrueDivide Maximum Minimum Arctan2 Equal", FLAT, FLAT)
_plain("NotEqual Greater GreaterEqual Less LessEqual Hypot Logaddexp Logaddexp2", FLAT, FLAT)
_plain("Heaviside Mod Fmod FloorDivide Isclose DivideNoNan=divide_no_nan", FLAT, FLAT)
_plain("Power", Of((3, 6), "positive"), FLAT)
_plain("Fmax Fmin", Of((3, 6), "ends"), FLAT)
_plain("LogicalAnd LogicalOr LogicalXor", Of((3, 6), "bool"), Of((3, 6), "bool"))
_plain("BitwiseAnd BitwiseOr BitwiseXor", INTS, INTS)
_plain("BitwiseLeftShift LeftShift BitwiseRightShift RightShift", INTS, Of((3, 6), "int"))
_plain("BitwiseInvert BitwiseNot", INTS)
_plain("LogicalNot", Of((3, 6), "bool"))
_plain("Ldexp", FLAT, INTS)
_plain("Absolute Abs Fabs Negative Square Sign Floor Ceil Trunc Round Sin Cos Tan Sinh Cosh Tanh")
_plain("Exp Expm1 Exp2 Erf Arctan Arcsinh Cbrt Sinc Deg2rad Rad2deg Signbit Copy Angle Real Imag")
_plain("Conj Conjugate Isreal Erfc ZerosLike OnesLike Ravel Flip Fliplr Flipud")
_plain("Log Log2 Log10 Log1p Sqrt Rsqrt Reciprocal", Of((3, 6), "positive"))
_plain("Arccos Arcsin Arctanh Erfinv", Of((3, 6), "share"))
_plain("Arccosh", Of((3, 6), "above"))
_plain("Isfinite Isinf Isnan Isneginf Isposinf NanToNum", Of((3, 6), "ends"))
_plain("StopGradient Ndim Size")
for _name in ("Absolute", "Negative", "Square", "Sign", "Floor", "Round", "Sqrt", "Exp", "Mean"):
    _add(f"{_name} of ints", lambda ops, x, _n=_name: _named(ops, _snake(_n))(ops.abs(x)), INTS)
_add("AllClose", lambda ops, x: ops.allclose(x, x + 1e-7))
_add("Isclose of ends", lambda ops, x: ops.isclose(x, x, equal_nan=True), Of((3, 6), "ends"))
_add("Add to a list", lambda ops, x: x + LIST)
_add("Add of ints and floats", lambda ops, x, y: x + y, INTS, FLAT)
_add("Add of ints and a number", lambda ops, x: x + 2, INTS)
_add("Add of ints and a fraction", lambda ops, x: x + 0.5, INTS)
_add("Add of bools", lambda ops, x, y: ops.add(x, y), Of((3, 6), "bool"), Of((3, 6), "bool"))
_add("Add of a bool and ints", lambda ops, x, y: ops.add(x, y), Of((3, 6), "bool"), INTS)
_add("Multiply by a column", lambda ops, x, y: x * y, ROWS, Of((3, 4, 1)))
_add("Subtract from a number", lambda ops, x: 1 - x)
_add("Divide of ints", lambda ops, x: x / 2, INTS)
_add("FloorDivide of ints", lambda ops, x: x // 3, INTS)
_add("Mod of ints", lambda ops, x: x % 3, INTS)
_add("Power of a number", lambda ops, x: x**3)
_add("Round to decimals", lambda ops, x: ops.round(x, 2))
_add("Clip", lambda ops, x: ops.clip(x, -0.5, 0.5))
_add("Clip of ints", lambda ops, x: ops.clip(x, -1, 2), INTS)
_add("Where", lambda ops, c, x, y: ops.where(c, x, y), Of((3, 6), "bool"), FLAT, FLAT)
_add("Where with a number", lambda ops, x: ops.where(x > 0, x, -1))
_add("Select", lambda ops, x: ops.select([x > 1, x > 0], [x, x * 2], 7.0))
_add("Cast", lambda ops, x: ops.cast(x * 3, "int32"))
_add("Cast to bool", lambda ops, x: ops.cast(x, "bool"), INTS)
_add("SaturateCast", lambda ops, x: ops.saturate_cast(x * 300, "uint8"))
_add("ConvertToTensor", lambda ops, x: ops.convert_to_tensor(x, "float32"))
_add("Array", lambda ops, x: ops.array(x))
_add("Polar", lambda ops, r, a: ops.real(ops.polar(r, a)), Of((3, 6), "positive"), FLAT)
_add("ViewAsComplex", lambda ops, x: ops.imag(ops.view_as_complex(x)), Of((3, 5, 2)))
_add("ViewAsReal", lambda ops, x: ops.view_as_real(ops.view_as_complex(x)), Of((3, 5, 2)))
_add("Imag of complex", lambda ops, x: ops.angle(ops.conj(ops.view_as_complex(x))), Of((3, 5, 2)))

# Activations and normalisations
_plain("Relu=nn.relu Relu6=nn.relu6 Sigmoid=nn.sigmoid Softplus=nn.softplus Silu=nn.silu")
_plain("Softsign=nn.softsign SparseSigmoid=nn.sparse_sigmoid SparsePlus=nn.sparse_plus")
_plain("Squareplus=nn.squareplus LogSigmoid=nn.log_sigmoid LeakyRelu=nn.leaky_relu Elu=nn.elu")
_plain("HardSigmoid=nn.hard_sigmoid HardSilu=nn.hard_silu Selu=nn.selu Gelu=nn.gelu Glu=nn.glu")
_plain("Celu=nn.celu TanhShrink=nn.tanh_shrink HardTanh=nn.hard_tanh HardShrink=nn.hard_shrink")
_plain("SoftShrink=nn.soft_shrink Softmax=nn.softmax LogSoftmax=nn.log_softmax")
_plain("Sparsemax=nn.sparsemax")
_add("Gelu exact", lambda ops, x: ops.gelu(x, approximate=False))
_add("Celu 2", lambda ops, x: ops.celu(x, 2.0))
_add("Elu 2", lambda ops, x: ops.elu(x, 2.0))
_add("Glu 1", lambda ops, x: ops.glu(x, axis=1), ROWS)
_add("HardShrink 1", lambda ops, x: ops.hard_shrink(x, 1.0))
_add("SoftShrink 1", lambda ops, x: ops.soft_shrink(x, 1.0))
_add("Squareplus 1", lambda ops, x: ops.squareplus(x, 1))
_add("Threshold", lambda ops, x: ops.threshold(x, 0.5, -3.0))
_add("Softmax 1", lambda ops, x: ops.softmax(x, axis=1), ROWS)
_add("Softmax of two axes", lambda ops, x: ops.softmax(x, axis=(1, 2)), ROWS)
_add("LogSoftmax 1", lambda ops, x: ops.log_softmax(x, axis=1), ROWS)
_add("LogSoftmax of two axes", lambda ops, x: ops.log_softmax(x, axis=(1, 2)), ROWS)
_add("Sparsemax 1", lambda ops, x: ops.sparsemax(x, axis=1), ROWS)
_add("Normalize", lambda ops, x: ops.normalize(x))
_add("Normalize 1", lambda ops, x: ops.normalize(x, axis=1, order=1), ROWS)
_add("Normalize 3", lambda ops, x: ops.normalize(x, order=3), ROWS)
_add("LayerNorm", lambda ops, x: ops.layer_normalization(x, LIST, LIST + 1), ROWS)
_add("LayerNorm alone", lambda ops, x: ops.layer_normalization(x, axis=-1, epsilon=0.1), ROWS)
_add("RMSNorm", lambda ops, x: ops.rms_normalization(x, LIST), ROWS)
_add(
    "BatchNorm",
    lambda ops, x: ops.batch_normalization(x, LIST, LIST**2 + 1, -1, LIST + 1, LIST - 1, 0.01),
    ROWS,
)
_add(
    "BatchNorm 1",
    lambda ops, x: ops.batch_normalization(x, LIST[:4], LIST[:4] ** 2 + 1, axis=1),
    ROWS,
)
_plain("BinaryCrossentropy=nn.binary_crossentropy", Of((3, 6), "pixels"), Of((3, 6), "pixels"))
_plain(
    "CategoricalCrossentropy=nn.categorical_crossentropy",
    Of((3, 6), "pixels"),
    Of((3, 6), "pixels"),
)
_add(
    "BinaryCrossentropy of logits",
    lambda ops, t, x: ops.binary_crossentropy(t, x, True),
    Of((3, 6), "pixels"),
    FLAT,
)
_add(
    "SparseCategoricalCrossentropy",
    lambda ops, t, x: ops.sparse_categorical_crossentropy(t, x, True),
    Of((3,), "int"),
    FLAT,
)
_plain("PSNR=nn.psnr", FLAT, FLAT)
CASES["PSNR"] = Case(lambda ops, x, y: ops.psnr(x, y, 2.0), (FLAT, FLAT))

# Reductions
for _name in ("Sum", "Prod", "Max", "Min", "Mean", "Std", "Var", "Argmax", "Argmin", "Ptp"):
    _short = _snake(_name)
    _add(_name, lambda ops, x, _s=_short: _named(ops, _s)(x, axis=-1), ROWS)
    _add(f"{_name} of all", lambda ops, x, _s=_short: _named(ops, _s)(x), ROWS)
    _add(f"{_name} kept", lambda ops, x, _s=_short: _named(ops, _s)(x, axis=1, keepdims=True), ROWS)
for _name in ("Nansum", "Nanprod", "Nanmax", "Nanmin", "Nanmean", "Nanstd", "Nanvar"):
    _add(_name, lambda ops, x, _s=_name: _named(ops, _s.lower())(x, axis=-1), Of((3, 4, 6), "gaps"))
    _add(
        f"{_name} kept",
        lambda ops, x, _s=_name: _named(ops, _s.lower())(x, axis=(1, 2), keepdims=True),
        Of((3, 4, 6), "gaps"),
    )
for _name in ("Nanargmax", "Nanargmin", "Nanmedian", "Nancumsum", "Nancumprod"):
    _add(_name, lambda ops, x, _s=_name: _named(ops, _s.lower())(x, axis=1), Of((3, 4, 6), "gaps"))
_add(
    "Nanquantile",
    lambda ops, x: ops.nanquantile(x, 0.3, axis=-1, keepdims=True),
    Of((3, 4, 6), "gaps"),
)
_add("Nanpercentile", lambda ops, x: ops.nanpercentile(x, 30, axis=(1, 2)), Of((3, 4, 6), "gaps"))
_plain("Amax Amin", ROWS)
_add("All", lambda ops, x: ops.all(x > -1, axis=-1), ROWS)
_add("Any", lambda ops, x: ops.any(x > 1, axis=(1, 2), keepdims=True), ROWS)
_add("Sum of bools", lambda ops, x: ops.sum(x > 0, axis=-1), ROWS)
_add("Sum of two axes", lambda ops, x: ops.sum(x, axis=(1, 2)), ROWS)
_add("Max with a start", lambda ops, x: ops.max(x, axis=-1, initial=0.5), ROWS)
_add("CountNonzero", lambda ops, x: ops.count_nonzero(x, axis=-1), INTS)
_add("Average", lambda ops, x: ops.average(x, axis=-1), ROWS)
_add("Average weighted", lambda ops, x: ops.average(x, axis=1, weights=LIST[:4] + 3), ROWS)
_add("Moments", lambda ops, x: ops.moments(x, axes=[1, 2], keepdims=True), ROWS)
_add("Logsumexp", lambda ops, x: ops.logsumexp(x, axis=-1), ROWS)
_add("Logsumexp kept", lambda ops, x: ops.logsumexp(x, axis=(1, 2), keepdims=True), ROWS)
_add("Trapezoid", lambda ops, x: ops.trapezoid(x, dx=0.5, axis=1), ROWS)
_add("Diff", lambda ops, x: ops.diff(x, n=2), ROWS)
_add("Diff 1", lambda ops, x: ops.diff(x, axis=1), ROWS)
_add("Cumsum", lambda ops, x: ops.cumsum(x, axis=1), ROWS)
_add("Cumsum of all", lambda ops, x: ops.cumsum(x), ROWS)
_add("Cumprod", lambda ops, x: ops.cumprod(x, axis=-1), ROWS)
_add("Sort", lambda ops, x: ops.sort(x), ROWS)
_add("Sort 1", lambda ops, x: ops.sort(x, axis=1), ROWS)
_add("Argsort", lambda ops, x: ops.argsort(x), INTS)
_add("Argsort 1", lambda ops, x: ops.argsort(x, axis=1), ROWS)
_add("TopK", lambda ops, x: ops.top_k(x, 3), ROWS)
_add("InTopK", lambda ops, t, x: ops.in_top_k(t, x, 2), Of((5,), "int"), Of((5, 6)))
_add("Median", lambda ops, x: ops.median(x, axis=-1), ROWS)
_add("Median kept", lambda ops, x: ops.median(x, axis=(1, 2), keepdims=True), ROWS)
_add("Percentile", lambda ops, x: ops.percentile(x, 40.0, axis=-1), ROWS)
_add(
    "SearchSorted",
    lambda ops, x: ops.searchsorted(np.array([-1.0, 0, 0.5, 1], np.float32), x),
    Of((7,)),
)
_add("Digitize", lambda ops, x: ops.digitize(x, np.array([-1.0, 0, 0.5, 1], np.float32)), FLAT)
_add("IsIn", lambda ops, x: ops.isin(x, np.array([1, 3, -2], np.int32)), INTS)
_add("IsIn not", lambda ops, x: ops.isin(x, np.array([1, 3], np.int32), invert=True), INTS)

# Shapes
_add("Reshape", lambda ops, x: ops.reshape(x, (-1, 8, 3)), ROWS)
_add("ExpandDims", lambda ops, x: ops.expand_dims(x, 1), ROWS)
_add("ExpandDims twice", lambda ops, x: ops.expand_dims(x, (1, -1)), ROWS)
_add("Squeeze", lambda ops, x: ops.squeeze(x, 1), Of((3, 1, 4)))
_add("Squeeze all", lambda ops, x: ops.squeeze(x), Of((3, 1, 4, 1)))
_add("BroadcastTo", lambda ops, x: ops.broadcast_to(ops.reshape(x, (1, 1, -1)), (2, 3, 18)), FLAT)
_add("Transpose", lambda ops, x: ops.transpose(x, (0, 2, 1)), ROWS)
_add("Transpose all", lambda ops, x: ops.transpose(x), ROWS)
_add("Swapaxes", lambda ops, x: ops.swapaxes(x, 1, -1), ROWS)
_add("Moveaxis", lambda ops, x: ops.moveaxis(x, (0, 1), (-1, 0)), ROWS)
_add("Tile", lambda ops, x: ops.tile(x, (1, 2, 3)), ROWS)
_add("Tile more", lambda ops, x: ops.tile(x, (2, 1, 1, 1)), ROWS)
_add("Repeat", lambda ops, x: ops.repeat(x, 2, axis=1), ROWS)
_add("Repeat batch", lambda ops, x: ops.repeat(x, 3, axis=0), ROWS)
_add("Flip 1", lambda ops, x: ops.flip(x, axis=1), ROWS)
for _k in (1, 2, 3):
    _add(f"Rot90 {_k}", lambda ops, x, _k=_k: ops.rot90(x, _k, axes=(1, 2)), ROWS)
_add("Roll", lambda ops, x: ops.roll(x, 2, axis=1), ROWS)
_add("Roll all", lambda ops, x: ops.roll(x, 5), ROWS)
_add("Pad", lambda ops, x: ops.pad(x, ((0, 0), (1, 2), (0, 1))), ROWS)
_add(
    "Pad by a number", lambda ops, x: ops.pad(x, ((0, 0), (1, 2), (0, 1)), constant_values=7), ROWS
)
_add("Pad reflect", lambda ops, x: ops.pad(x, ((0, 0), (1, 2), (0, 1)), mode="reflect"), ROWS)
_add("Pad symmetric", lambda ops, x: ops.pad(x, ((0, 0), (1, 2), (0, 1)), mode="symmetric"), ROWS)
_add("Concatenate", lambda ops, x, y: ops.concatenate([x, y], axis=-1), ROWS, ROWS)
_add("Concatenate of kinds", lambda ops, x, y: ops.concatenate([x, y], axis=1), FLAT, INTS)
_add("Append", lambda ops, x, y: ops.append(x, y, axis=1), ROWS, ROWS)
_add("Append flat", lambda ops, x, y: ops.append(x, y), ROWS, ROWS)
_add("Stack", lambda ops, x, y: ops.stack([x, y], axis=-1), ROWS, ROWS)
_add("Hstack", lambda ops, x, y: ops.hstack([x, y]), FLAT, FLAT)
_add("Vstack", lambda ops, x, y: ops.vstack([x, y]), FLAT, FLAT)
_add("Dstack", lambda ops, x, y: ops.dstack([x, y]), FLAT, FLAT)
_add("Meshgrid", lambda ops, x, y: ops.meshgrid(x, y), Of((3,)), Of((4,)))
_add("Meshgrid ij", lambda ops, x, y: ops.meshgrid(x, y, indexing="ij"), Of((3,)), Of((4,)))
_add("Split", lambda ops, x: ops.split(x, 3, axis=-1), ROWS)
_add("Split at", lambda ops, x: ops.split(x, [1, 4], axis=-1), ROWS)
_add("ArraySplit", lambda ops, x: ops.array_split(x, 4, axis=-1), ROWS)
_add("Hsplit", lambda ops, x: ops.hsplit(x, 2), ROWS)
_add("Dsplit", lambda ops, x: ops.dsplit(x, 3), ROWS)
_add("Vsplit", lambda ops, x: ops.vsplit(ops.transpose(x), 3), FLAT)
_add("Unstack", lambda ops, x: ops.unstack(x, axis=1), ROWS)
_add("FullLike", lambda ops, x: ops.full_like(x, 3), ROWS)
_add("EmptyLike", lambda ops, x: ops.zeros_like(x, "int32"), ROWS)
_add("Linspace", lambda ops, x, y: ops.linspace(x, y, 5), FLAT, FLAT)
_add("Linspace 1", lambda ops, x, y: ops.linspace(x, y, 5, endpoint=False, axis=1), FLAT, FLAT)
_add("Logspace", lambda ops, x, y: ops.logspace(x, y, 4), FLAT, FLAT)
_add(
    "Geomspace",
    lambda ops, x, y: ops.geomspace(x, y, 4),
    Of((3, 6), "positive"),
    Of((3, 6), "above"),
)
_add("Vander", lambda ops, x: ops.vander(x, 4), Of((5,)))
_add("OneHot", lambda ops, x: ops.one_hot(x, 5), Of((3, 6), "int"))
_add("OneHot 1", lambda ops, x: ops.one_hot(x, 5, axis=1, dtype="int32"), Of((3, 6), "int"))
_add("MultiHot", lambda ops, x: ops.multi_hot(x, 5), Of((3, 6), "int"))
_add("UnravelIndex", lambda ops, x: ops.unravel_index(x, (2, 2)), Of((3, 6), "int"))

# Parts
_KEYS: dict[str, Function] = {
    "int": lambda x: x[:, 1],
    "last": lambda x: x[:, -1],
    "range": lambda x: x[:, 1:3],
    "from the end": lambda x: x[:, -3:-1],
    "steps": lambda x: x[..., ::2],
    "backwards": lambda x: x[:, ::-1],
    "backwards from": lambda x: x[:, 2:0:-1, ::-2],
    "new": lambda x: x[:, None, ..., None],
    "dots": lambda x: x[..., 2],
    "batch": lambda x: x[1:, :],
    "batch backwards": lambda x: x[::-1, 0],
    "first": lambda x: x[0],
    "beyond": lambda x: x[:, 1:99],
}
for _name, _key in _KEYS.items():
    _add(f"GetItem {_name}", lambda ops, x, _k=_key: _k(x), ROWS)
_add("Take", lambda ops, x: ops.take(x, np.array([0, 3, -1]), axis=1), ROWS)
_add("Take of tensor", lambda ops, x, i: ops.take(x, i, axis=1), ROWS, Of((3, 2), "int"))
_add("Take of a table", lambda ops, i: ops.take(MATRIX, i, axis=0), Of((3, 2), "int"))
_add("Take flat", lambda ops, x, i: ops.take(x, i), ROWS, Of((3, 2), "int"))
_add(
    "TakeAlongAxis",
    lambda ops, x, i: ops.take_along_axis(x, i, axis=-1),
    ROWS,
    Of((3, 4, 2), "int"),
)
_add(
    "TakeAlongAxis 1",
    lambda ops, x, i: ops.take_along_axis(x, i, axis=1),
    ROWS,
    Of((3, 2, 6), "int"),
)
_add("Slice", lambda ops, x: ops.slice(x, (0, 1), (2, 3)), FLAT)
_add("SliceUpdate", lambda ops, x, y: ops.slice_update(x, (0, 1, 2), y), ROWS, Of((3, 2, 3)))
_add("Scatter", lambda ops, i, x: ops.scatter(i, x, (4, 2)), Of((5, 1), "int"), Of((5, 2)))
for _how in (None, "add", "max", "min"):
    _add(
        f"ScatterUpdate {_how}",
        lambda ops, x, _h=_how: ops.scatter_update(
            x, np.array([[0], [2]]), np.ones((2, 4), "float32"), reduction=_h
        ),
        Of((3, 4)),
    )
_add("ExtractSequences", lambda ops, x: ops.extract_sequences(x, 4, 2), Of((3, 10)))
_add(
    "Unfold",
    lambda ops, x: ops.unfold(x, (2, 3), dilation=1, padding=1, stride=2),
    Of((2, 3, 6, 7)),
)
_add("Fold", lambda ops, x: ops.fold(x, (4, 5), (2, 2), padding=1, stride=1), Of((2, 12, 30)))
_add("DepthToSpace", lambda ops, x: ops.depth_to_space(x, 2), Of((2, 3, 4, 8)))
_add("SpaceToDepth", lambda ops, x: ops.space_to_depth(x, 2), Of((2, 4, 6, 3)))

# Matrices
_add("Matmul", lambda ops, x: ops.matmul(x, MATRIX), FLAT)
_add("Matmul of batches", lambda ops, x, y: ops.matmul(x, y), ROWS, Of((3, 6, 2)))
_add("Matmul by a matrix", lambda ops, x: ops.matmul(x, MATRIX), ROWS)
_add("Matmul by a vector", lambda ops, x: ops.matmul(x, LIST), ROWS)
_add("Matmul of ints", lambda ops, x: ops.matmul(x, np.ones((6, 2), np.int32)), INTS)
_add("Dot", lambda ops, x: ops.dot(x, MATRIX), ROWS)
_add("Dot of cubes", lambda ops, x: ops.dot(x, np.swapaxes(CUBE, 0, 1)), ROWS)
_add("Inner", lambda ops, x: ops.inner(x, MATRIX.T), ROWS)
_add("Outer", lambda ops, x, y: ops.outer(x, y), FLAT, FLAT)
_add("Vdot", lambda ops, x, y: ops.vdot(x, y), FLAT, FLAT)
_add("Tensordot", lambda ops, x: ops.tensordot(x, CUBE, axes=1), ROWS)
_add("Tensordot of axes", lambda ops, x: ops.tensordot(x, CUBE, axes=[[1, 2], [1, 0]]), ROWS)
_add("Einsum", lambda ops, x, y: ops.einsum("bij,bkj->bik", x, y), ROWS, ROWS)
_add("Einsum of one", lambda ops, x: ops.einsum("bij->bji", x), ROWS)
_add("Einsum of three", lambda ops, x, y: ops.einsum("bij,bkj,jl->bikl", x, y, MATRIX), ROWS, ROWS)
_add("Kron", lambda ops, x: ops.kron(x, MATRIX), FLAT)
_plain("Cross", Of((3, 4, 3)), Of((3, 4, 3)))
_add("Cross of two", lambda ops, x, y: ops.cross(x, y), Of((4, 2)), Of((4, 2)))
for _mode in ("valid", "same", "full"):
    _add(
        f"Correlate {_mode}",
        lambda ops, x, _m=_mode: ops.correlate(ops.reshape(x, (18,)), LIST, _m),
        FLAT,
    )
_add("Corrcoef", lambda ops, x: ops.corrcoef(x), FLAT)
_add("CDist", lambda ops, x, y: ops.cdist(x, y), FLAT, Of((5, 6)))
_add("Diag", lambda ops, x: ops.diag(ops.reshape(x, (18,)), 2), FLAT)
_add("Diag of a matrix", lambda ops, x: ops.diag(ops.reshape(x, (3, 6)), -1), FLAT)
_add("Diagflat", lambda ops, x: ops.diagflat(ops.reshape(x, (3, 6))), FLAT)
_add("Diagonal", lambda ops, x: ops.diagonal(x, 1, 1, 2), ROWS)
_add("Trace", lambda ops, x: ops.trace(x, -1, 1, 2), ROWS)
_add("Tril", lambda ops, x: ops.tril(x, 1), ROWS)
_add("Triu", lambda ops, x: ops.triu(x), ROWS)
_SQUARE = Of((3, 4, 4))
_add("Inv", lambda ops, x: ops.inv(x), _SQUARE)
_add("Det", lambda ops, x: ops.det(x), _SQUARE)
_add("Slogdet", lambda ops, x: ops.slogdet(x), _SQUARE)
_add("Solve", lambda ops, x, y: ops.solve(x, y), _SQUARE, Of((3, 4, 2)))
_add(
    "SolveTriangular",
    lambda ops, x, y: ops.solve_triangular(x, y, lower=True),
    _SQUARE,
    Of((3, 4, 2)),
)
_add(
    "Cholesky",
    lambda ops, x: ops.cholesky(x @ ops.swapaxes(x, 1, 2) + np.eye(4, dtype="float32")),
    _SQUARE,
)
_add(
    "Logdet",
    lambda ops, x: ops.logdet(x @ ops.swapaxes(x, 1, 2) + np.eye(4, dtype="float32")),
    _SQUARE,
)
_PAIR = (Of((3, 4, 8)), Of((3, 4, 8)))
_add("FFT", lambda ops, x, y: ops.fft((x, y)), *_PAIR)
_add("FFT2", lambda ops, x, y: ops.fft2((x, y)), *_PAIR)
_add("IFFT2", lambda ops, x, y: ops.ifft2((x, y)), *_PAIR)
_add("RFFT", lambda ops, x: ops.rfft(x), Of((3, 8)))
_add("RFFT 16", lambda ops, x: ops.rfft(x, fft_length=16), Of((3, 8)))
_add("IRFFT", lambda ops, x: ops.irfft(ops.rfft(x)), Of((3, 8)))
_add("STFT", lambda ops, x: ops.stft(x, 8, 4, 8), Of((2, 32)))
_add("ISTFT", lambda ops, x: ops.istft(ops.stft(x, 8, 4, 8), 8, 4, 8), Of((2, 32)))

# Networks
_KERNEL = np.random.default_rng(7).normal(size=(3, 2, 3, 4)).astype(np.float32)
_add("Conv", lambda ops, x: ops.conv(x, _KERNEL, padding="same"), IMAGE)
_add("Conv strides", lambda ops, x: ops.conv(x, _KERNEL, strides=2), IMAGE)
_add("Conv 1", lambda ops, x: ops.conv(x, MATRIX.reshape(1, 6, 5), dilation_rate=2), ROWS)
_add(
    "Conv of a tensor",
    lambda ops, x, k: ops.conv(x, ops.reshape(k, (3, 2, 3, 4))),
    IMAGE,
    Of((8, 9)),
)
_add("DepthwiseConv", lambda ops, x: ops.depthwise_conv(x, _KERNEL), IMAGE)
_add(
    "SeparableConv",
    lambda ops, x: ops.separable_conv(
        x, _KERNEL, np.ones((1, 1, 12, 2), "float32"), padding="same"
    ),
    IMAGE,
)
_add("AveragePool", lambda ops, x: ops.average_pool(x, 2, strides=1, padding="same"), IMAGE)
_add("AdaptiveMaxPool", lambda ops, x: ops.adaptive_max_pool(x, (3, 3)), IMAGE)
_HEADS = Of((2, 5, 2, 4))
_add(
    "DotProductAttention",
    lambda ops, q, k, v: ops.dot_product_attention(q, k, v),
    _HEADS,
    _HEADS,
    _HEADS,
)
_add(
    "DotProductAttention causal",
    lambda ops, q, k, v: ops.dot_product_attention(q, k, v, is_causal=True, scale=0.3),
    _HEADS,
    _HEADS,
    _HEADS,
)

# Images
_plain("RGBToGrayscale=image.rgb_to_grayscale RGBToHSV=image.rgb_to_hsv", IMAGE)
_plain("HSVToRGB=image.hsv_to_rgb", IMAGE)
# At the borders, the backends of Keras differ.
_add("SobelEdges", lambda ops, x: ops.image.sobel_edges(x)[:, 1:-1, 1:-1], IMAGE)
_plain("GaussianBlur=image.gaussian_blur", IMAGE)
_add("GaussianBlur 5", lambda ops, x: ops.image.gaussian_blur(x, (5, 5), (0.7, 1.5)), IMAGE)
_add("Resize", lambda ops, x: ops.image.resize(x, (9, 5)), IMAGE)
_add("Resize nearest", lambda ops, x: ops.image.resize(x, (12, 16), "nearest"), IMAGE)
_add("Resize cropped", lambda ops, x: ops.image.resize(x, (5, 5), crop_to_aspect_ratio=True), IMAGE)
_add("Resize bicubic", lambda ops, x: ops.image.resize(x, (9, 12), "bicubic"), IMAGE)
_add("PadImages", lambda ops, x: ops.image.pad_images(x, 1, 2, 3, 0), IMAGE)
_add(
    "PadImages to",
    lambda ops, x: ops.image.pad_images(x, 1, 2, target_height=9, target_width=12),
    IMAGE,
)
_add(
    "CropImages",
    lambda ops, x: ops.image.crop_images(x, 1, 2, target_height=4, target_width=4),
    IMAGE,
)
_add("ExtractPatches", lambda ops, x: ops.image.extract_patches(x, 2), IMAGE)
_add(
    "ExtractPatches same",
    lambda ops, x: ops.image.extract_patches(x, (3, 2), strides=2, padding="same"),
    IMAGE,
)
_add(
    "AffineTransform",
    lambda ops, x: ops.image.affine_transform(
        x, np.array([[1, 0.1, 0.5, -0.1, 1, 0.3, 0, 0]] * 2, "float32")
    ),
    IMAGE,
)

# What Keras on JAX cannot compute of its own models, NumPy tells.
_add(
    "Quantile",
    lambda ops, x: ops.quantile(x, 0.3, axis=1),
    ROWS,
    told=lambda x: np.quantile(x, 0.3, axis=1),
)
_add(
    "Quantile of several",
    lambda ops, x: ops.quantile(x, [0.1, 0.9], axis=-1, keepdims=True),
    ROWS,
    told=lambda x: np.quantile(x, [0.1, 0.9], axis=-1, keepdims=True),
)
_add(
    "Quantile lower",
    lambda ops, x: ops.quantile(x, 0.3, axis=1, method="lower"),
    ROWS,
    told=lambda x: np.quantile(x, 0.3, axis=1, method="lower"),
)
_add(
    "Histogram",
    lambda ops, x: ops.histogram(x, bins=5, range=(-1, 1)),
    Of((40,)),
    told=lambda x: list(np.histogram(x, bins=5, range=(-1, 1))),
)
_add(
    "Histogram of all",
    lambda ops, x: ops.histogram(x, bins=5),
    Of((40,)),
    told=lambda x: list(np.histogram(x, bins=5)),
)
for _vector in (None, 1, 2, 3, 0):
    _add(
        f"Norm {_vector}",
        lambda ops, x, _o=_vector: ops.norm(x, ord=_o, axis=-1),
        ROWS,
        told=lambda x, _o=_vector: np.linalg.norm(x, ord=_o, axis=-1),
    )
for _matrix in ("fro", 1, -1):
    _add(
        f"Norm of a matrix {_matrix}",
        lambda ops, x, _o=_matrix: ops.norm(x, ord=_o, axis=(1, 2)),
        ROWS,
        told=lambda x, _o=_matrix: np.linalg.norm(x, ord=_o, axis=(1, 2)),
    )
_add("Norm of all", lambda ops, x: ops.norm(x), ROWS, told=np.linalg.norm)
_SEGMENTS = np.array([2, 0, 1, 1, 3, 0, 2, 3, 3, 1, 0, 2], np.int32)
for _name in ("Sum", "Max"):
    CASES[f"Segment{_name}"] = Case(
        lambda ops, x, _s=_name: getattr(ops, f"segment_{_s.lower()}")(x, _SEGMENTS, 4),
        (Of((12, 2)),),
    )
_add(
    "Rearrange",
    lambda ops, x: ops.rearrange(x, "b s (h d) -> b h (s d)", h=2),
    ROWS,
    fixed=True,
)
_add(
    "Repeat list",
    lambda ops, x: ops.repeat(x, [1, 0, 2, 3], axis=1),
    ROWS,
    told=lambda x: np.repeat(x, [1, 0, 2, 3], axis=1),
)
_add(
    "CholeskyInverse",
    lambda ops, x: ops.cholesky_inverse(ops.tril(x) + np.eye(4, dtype="float32") * 3),
    Of((4, 4)),
    fixed=True,
)


def _spread(x: np.ndarray) -> np.ndarray:
    """A transposed convolution with steps of 2."""
    made = np.zeros((2, 13, 16, 4), np.float32)
    for i, j in np.ndindex(6, 8):
        for a, b in np.ndindex(3, 2):
            made[:, 2 * i + a, 2 * j + b] += x[:, i, j] @ _KERNEL[a, b]
    return made


_add(
    "ConvTranspose",
    lambda ops, x: ops.conv_transpose(x, np.swapaxes(_KERNEL, 2, 3), 2),
    IMAGE,
    told=_spread,
)
_add("MaxPool", lambda ops, x: ops.max_pool(x, (2, 2), (2, 2)), IMAGE)
_add("AdaptiveAveragePool", lambda ops, x: ops.adaptive_average_pool(x, (2, 2)), IMAGE)
