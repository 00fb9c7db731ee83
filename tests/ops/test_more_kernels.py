"""Kernels against TensorFlow's for what `tests.support.op_cases` has no case of.

Those cases also go through the whole pipeline, where many of these are refused.
"""

from __future__ import annotations

import itertools
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.support.one_op import assert_same
from tests.support.op_cases import Case, case
from tests.support.op_cases.case import Numbers, float32, int64
from tests.support.op_oracle import run_tensorflow
from tfjs.ir.tensor import Array
from tfjs.ops.base import evaluate

_n = Numbers(53)


def _texts(*items: bytes) -> Array:
    result = np.empty(len(items), object)
    result[:] = items
    return result


def _boxes(count: int, *rest: int) -> Array:
    """Boxes of which many overlap; some have their corners in another order."""
    return _n.floats(count, *rest, 4, low=0, high=1)


_IMAGE = _n.floats(2, 6, 5, 3)
_TRANSFORMS = float32(
    [
        [1, 0, 0, 0, 1, 0, 0, 0],
        [0.5, 0.3, -4.2, -0.4, 1.6, 3.1, 0.01, -0.02],
        [-2, 0, 9.5, 0, -3, 11.5, 0, 0],
        [1, 0, 0.5, 0, 1, 1.5, -0.5, 0],
    ]
)
_FILLS = (b"CONSTANT", b"REFLECT", b"WRAP", b"NEAREST")
_SPLIT = _texts(b"a b  c ", b"", b" x", b"one,two;three", b"a--b--", b",;")
_ROWS = int64([[0, 1], [0, 3], [2, 0], [2, 0], [5, 2]])
_COLOURS = _n.floats(3, 4, 5, 3, low=0, high=1)
_FAR = float32([-9, -4, -3.9999, -1, -0.5, -1e-8, 0, 1e-30, 1e-3, 0.7, 2.5, 3.99, 4.01, 7, np.inf])
_SHORT: dict[str, Any] = {"left_pad": b"<", "right_pad": b">", "separator": b"_"}

_SAMPLED = (
    *(b"lanczos1", b"lanczos3", b"lanczos5", b"gaussian", b"box", b"triangle", b"keyscubic"),
    b"mitchellcubic",
)
_QUANTIZED: list[tuple[float, float, int, dict[str, Any]]] = [
    (-1.0, 1.5, 8, {"range_given": True}),
    (-2.0, 0.5, 3, {"range_given": True, "round_mode": b"HALF_UP"}),
    (-1.0, 1.0, 4, {"range_given": True, "narrow_range": True}),
    (0.0, 1.5, 4, {"range_given": True, "signed_input": False}),
    (0.0, 0.0, 4, {"range_given": False}),
    (0.0, 0.0, 4, {"range_given": False, "axis": 1}),
]

CASES: list[Case] = [
    *(
        case(
            "CropAndResize",
            _IMAGE,
            _n.floats(7, 4, low=-0.3, high=1.3),
            [0, 1, 1, 0, 0, 1, 0],
            size,
            method=method,
            extrapolation_value=7.5,
            label=f"{method.decode()}{size}",
        )
        for method in (b"bilinear", b"nearest")
        for size in ([1, 1], [4, 1], [3, 7])
    ),
    *(
        case(
            "ImageProjectiveTransformV3",
            _IMAGE[:1],
            _TRANSFORMS[which : which + 1],
            [9, 8],
            -5.0,
            interpolation=interpolation,
            fill_mode=mode,
            label=f"{interpolation.decode()}{mode.decode()}{which}",
        )
        for interpolation in (b"NEAREST", b"BILINEAR")
        for mode in _FILLS
        for which in range(4)
    ),
    *(
        case(
            "ImageProjectiveTransformV3",
            _n.floats(2, 1, 1, 2),
            _TRANSFORMS[1:3],
            [3, 3],
            1.0,
            interpolation=b"NEAREST",
            fill_mode=mode,
            label=f"one{mode.decode()}",
        )
        for mode in _FILLS
    ),
    case(
        "ImageProjectiveTransformV3",
        _n.ints(2, 4, 4, 1, low=0, high=255, dtype="uint8"),
        _TRANSFORMS[1:3],
        [4, 5],
        3.0,
        interpolation=b"BILINEAR",
    ),
    # Many boxes.
    *(
        case(
            "NonMaxSuppressionV3",
            _boxes(60),
            _n.floats(60, low=-1, high=1),
            most,
            overlap,
            score,
            label=f"{most},{overlap},{score}",
        )
        for most, overlap, score in itertools.product((5, 100), (0.0, 0.2, 0.6, 1.0), (-2.0, 0.3))
    ),
    case("NonMaxSuppressionV3", _boxes(20), np.round(_n.floats(20)), 20, 0.3, -9.0, label="ties"),
    case("NonMaxSuppressionV3", _boxes(0), _n.floats(0), 5, 0.3, 0.0, label="none"),
    *(
        case(
            "NonMaxSuppressionV5",
            _boxes(40),
            _n.floats(40, low=0, high=1),
            25,
            overlap,
            0.05,
            sigma,
            label=f"{overlap},{sigma}",
        )
        for overlap, sigma in ((1.0, 0.5), (0.4, 0.2), (0.5, 0.0))
    ),
    *(
        case(
            "CombinedNonMaxSuppression",
            _boxes(30 * boxes).reshape(1, 30, boxes, 4) * 1.2,
            _n.floats(1, 30, 3, low=0, high=1),
            4,
            total,
            0.3,
            0.2,
            pad_per_class=pad,
            clip_boxes=clip,
            label=f"{boxes},{total},{pad},{clip}",
        )
        for boxes, total, pad, clip in [
            (1, 9, False, True),
            (3, 20, False, False),
            (3, 9, True, True),
            (3, 40, True, False),
        ]
    ),
    # Texts.
    *(
        case("StringSplit", _SPLIT, delimiter, skip_empty=skip, label=f"{delimiter!r},{skip}")
        for delimiter in (b"", b" ", b",;", b"-")
        for skip in (True, False)
    ),
    *(
        case("StringSplitV2", _SPLIT, mark, maxsplit=most, label=f"{mark!r},{most}")
        for mark in (b"", b" ", b"--")
        for most in (-1, 0, 1, 2)
    ),
    *(
        case(
            "StringNGrams",
            _texts(b"a", b"b", b"", b"d", b"e", b"f"),
            np.array([0, 4, 4, 5, 6], dtype),
            ngram_widths=widths,
            pad_width=pad,
            preserve_short_sequences=keep,
            label=f"{widths},{pad},{keep},{dtype}",
            **_SHORT,
        )
        for widths, pad, dtype in [([1, 3], 0, "int64"), ([4], 1, "int32"), ([2, 5], -1, "int64")]
        for keep in (True, False)
    ),
    case(
        "StringNGrams",
        _texts(),
        int64([]),
        ngram_widths=[2],
        pad_width=0,
        preserve_short_sequences=False,
        label="empty",
        **_SHORT,
    ),
    case("StringToHashBucketFast", _texts(b"", b"abc", b"x" * 70, "ä".encode()), num_buckets=97),
    # Sparse tensors.
    case("SparseFillEmptyRows", _ROWS, _n.floats(5), int64([7, 4]), -1.0),
    case("SparseFillEmptyRows", _ROWS[[4, 0, 2]], _n.ints(3), int64([6, 4]), 9, label="any order"),
    case("SparseFillEmptyRows", _ROWS[:0], _n.floats(0), int64([3, 4]), 1.0, label="no entries"),
    case("SparseFillEmptyRows", _ROWS[:0], _n.floats(0), int64([0, 4]), 1.0, label="no rows"),
    *(
        case("SparseReshape", _ROWS, int64([7, 4]), int64(shape), label=str(shape))
        for shape in ([28], [-1, 2], [2, 7, -1], [4, 7])
    ),
    case("SparseReorder", _ROWS[[4, 1, 2, 0]], _n.floats(4), int64([7, 4])),
    # Colours.
    case("RGBToHSV", _COLOURS),
    case("RGBToHSV", float32([[0, 0, 0], [1, 1, 1], [0.2, 0.2, 0.1], [0.1, 0.2, 0.2]])),
    case("HSVToRGB", _COLOURS),
    *(case("AdjustHue", _COLOURS, delta, label=str(delta)) for delta in (-0.7, 0.0, 0.4, 1.0)),
    *(case("AdjustSaturation", _COLOURS, scale, label=str(scale)) for scale in (0.0, 0.5, 3.0)),
    *(case("AdjustContrastv2", _COLOURS, factor, label=str(factor)) for factor in (0.0, 2.5)),
    # Other sizes.
    *(
        case("ResizeArea", _IMAGE, size, align_corners=corners, label=f"{size}{corners}")
        for size in ([3, 2], [6, 5], [13, 7], [1, 1])
        for corners in (False, True)
    ),
    *(
        case(
            "ScaleAndTranslate",
            _IMAGE,
            [4, 9],
            float32([4 / 6, 9 / 5]),
            float32([0.3, -1.2]),
            kernel_type=kernel,
            antialias=antialias,
            label=f"{kernel.decode()}{antialias}",
        )
        for kernel in _SAMPLED
        for antialias in (True, False)
    ),
    # Few bits.
    *(
        case(
            "QuantizeAndDequantizeV4",
            _n.floats(4, 5),
            low,
            high,
            num_bits=bits,
            label=f"{low},{high},{bits},{attrs}",
            **attrs,
        )
        for low, high, bits, attrs in _QUANTIZED
    ),
    case("QuantizeAndDequantizeV3", _n.floats(4, 5), -1.0, 1.5, 6, range_given=True),
    case("QuantizeAndDequantizeV2", _n.floats(4, 5), -1.0, 1.5, num_bits=5),
    # Long enough for several runs.
    *(
        case(op, _n.floats(3, 7, 1000, low=-6, high=6))
        for op in ("Elu", "Erf", "LeakyRelu", "Rsqrt", "Selu", "Sigmoid", "Softplus", "Relu6")
    ),
    case("Erf", _FAR, rtol=2e-7),
    # Of infinity TensorFlow makes NaN in double precision.
    case("Erf", _FAR[:-1].astype(np.float64)),
    case("BiasAdd", _n.floats(5, 40, 30, 7), _n.floats(7)),
    case("BiasAdd", _n.floats(3, 20_000), _n.floats(20_000), label="wide"),
    case("BiasAdd", _n.floats(0, 3), _n.floats(3), label="empty"),
    case("BiasAdd", _n.ints(2, 3), _n.ints(3), label="integers"),
    *(
        case(
            "FusedBatchNormV3",
            _n.floats(*shape, low=999, high=1001),
            _n.floats(shape[-1]),
            _n.floats(shape[-1]),
            _n.floats(shape[-1], low=999, high=1001),
            _n.floats(shape[-1], low=0.5),
            is_training=False,
            outputs=[0],
            label="x".join(map(str, shape)),
        )
        for shape in ((2, 50, 40, 7), (1, 1, 2, 20_000), (0, 2, 2, 3))
    ),
    # Windows over several axes.
    *(
        case(
            op,
            _n.floats(2, 9, 8, 6, low=-3, high=-1),
            ksize=[1, *sizes, 1],
            strides=[1, *steps, 1],
            padding=padding,
            label=f"{padding.decode()}{sizes}{steps}",
        )
        for op in ("MaxPool", "AvgPool")
        for padding in (b"SAME", b"VALID")
        for sizes, steps in (([3, 2], [2, 3]), ([1, 4], [1, 1]), ([5, 1], [2, 1]), ([9, 8], [1, 1]))
    ),
]


@pytest.mark.parametrize("told", CASES, ids=lambda told: told.id)
def test_kernel_computes_what_tensorflow_computes(told: Case, tensorflow: ModuleType) -> None:
    ours, theirs = evaluate(told.node(), told.inputs), run_tensorflow(tensorflow, told)
    chosen = told.outputs or range(len(theirs))
    if told.rtol:
        np.testing.assert_allclose(ours[0], theirs[0], rtol=told.rtol)
    assert_same([ours[index] for index in chosen], [theirs[index] for index in chosen])


# Refusals ----------------------------------------------------------------------------------------

_REFUSED = [
    case("CropAndResize", _IMAGE, _boxes(1), [2], [3, 3], label="no such image"),
    case("CropAndResize", _IMAGE, _boxes(2), [0], [3, 3], label="an image for each box"),
    case("CropAndResize", _IMAGE, _boxes(1), [0], [0, 3], label="no size"),
    case("NonMaxSuppressionV3", _boxes(3), _n.floats(2), 5, 0.3, 0.0, label="a score for each"),
    case("NonMaxSuppressionV3", _boxes(3), _n.floats(3), 5, 1.3, 0.0, label="overlap"),
    case("SparseFillEmptyRows", _ROWS, _n.floats(5), int64([4, 4]), 0.0, label="outside"),
    case("SparseFillEmptyRows", _ROWS, _n.floats(5), int64([1 << 60, 4]), 0.0, label="endless"),
    case("SparseFillEmptyRows", _ROWS, _n.floats(4), int64([7, 4]), 0.0, label="values"),
    case("SparseReshape", _ROWS, int64([7, 4]), int64([5, -1]), label="size"),
    case("SparseReshape", _ROWS, int64([7, 4]), int64([-1, -1]), label="two free"),
    case("StringSplit", _SPLIT, _texts(b"a", b"b"), label="two delimiters"),
    case(
        "StringNGrams",
        _SPLIT,
        int64([0, 3]),
        ngram_widths=[1],
        pad_width=0,
        preserve_short_sequences=False,
        label="splits",
        **_SHORT,
    ),
    case(
        "StringNGrams",
        _SPLIT,
        int64([0, 6]),
        ngram_widths=[1 << 30],
        pad_width=-1,
        preserve_short_sequences=False,
        label="too long",
        **_SHORT,
    ),
]


@pytest.mark.parametrize("told", _REFUSED, ids=lambda told: told.id)
def test_what_makes_no_sense_is_refused(told: Case) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        evaluate(told.node(), told.inputs)
