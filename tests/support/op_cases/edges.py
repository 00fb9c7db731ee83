"""Cases at the edges of what kernels, rules and TF.js take: ranks, axes, signs, ties, nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.support.op_cases.case import Case, Numbers, case, float32, int32, int64
from tfjs.ir.tensor import Array

_n = Numbers(31)
_FIVE = (2, 1, 3, 2, 2)
_SIX = (2, 1, 2, 3, 1, 2)
_BIG = int32([2**24 + 1, -(2**30) - 1, 2**31 - 1, 0])
_NONE = np.zeros(0, np.int32)
_SIGNS = (int32([7, -7, 7, -7, 6, -6, 0]), int32([3, 3, -3, -3, 3, -3, 5]))
_TIES = float32([[[1, 3], [3, 3], [3, 1]], [[-2, 0], [-2, 0], [-3, 0]]])
_PLAIN: dict[str, Any] = {"strides": [1, 1, 1, 1], "padding": b"VALID"}


def _strided(x: Array, begin: list[int], end: list[int], by: list[int], **masks: int) -> Case:
    label = ",".join(f"{name[:3]}{mask}" for name, mask in masks.items())
    attrs: dict[str, Any] = dict(masks)
    return case("StridedSlice", x, begin, end, by, fixed=[1, 2, 3], label=label, **attrs)


_ELEMENTWISE: list[Case] = [
    *(case(op, _BIG, label="big") for op in ("Abs", "Neg", "Relu", "Sign", "Square")),
    *(
        case(op, _BIG, int32([3, 2**24 + 3, 5, -7]), label="big")
        for op in ("AddV2", "Sub", "Mul", "Maximum", "Minimum", "SquaredDifference", "FloorMod")
    ),
    *(
        case(op, _BIG, int32([2**24 + 2, -(2**30) - 2, 5, 0]), label="big")
        for op in ("Equal", "Less", "GreaterEqual")
    ),
    *(case(op, *_SIGNS, label="signs") for op in ("Div", "FloorDiv", "FloorMod", "Mod")),
    *(case(op, *_SIGNS, label="signs") for op in ("TruncateDiv", "TruncateMod")),
    *(
        case(op, float32([5.5, -5.5, 5.5, -5.5]), float32([2, 2, -2, -2]), label="signs")
        for op in ("FloorDiv", "FloorMod", "Mod", "TruncateMod")
    ),
    *(case(op, _n.floats(*_FIVE), _n.floats(2, 1, 1, 2, 1)) for op in ("AddV2", "Mul", "Less")),
    *(case(op, _n.ints(*_SIX), _n.ints(3, 1, 1)) for op in ("Sub", "Maximum", "Equal")),
    case("Sign", float32([1e-30, -1e-10, 1e-6, -1e-6, 0, np.inf, -np.inf]), label="small"),
    case("Cast", float32([0.3, -0.3, 0, 1e-20, np.nan]), DstT="bool", label="small"),
    case("Cast", _n.bools(2, 3), DstT="int32", label="int32"),
    case("ClipByValue", _n.floats(2, 3), 1.0, -0.5, fixed=[1, 2], label="crossed"),
    case("SelectV2", _n.bools(*_FIVE), _n.floats(*_FIVE), 2.5),
    case("SelectV2", _n.bools(2, 1), _n.bools(2, 3), np.array(True)),
    case("Select", _n.bools(3), _n.floats(3, 2, 2), _n.floats(3, 2, 2)),
    case("LeftShift", int32([1, -3, 7]), int32([2, 2, 2]), fixed=[1]),
    case("RightShift", int32([64, -3, 7]), int32([2, 2, 2]), fixed=[1]),
    case("AddN", [_n.ints(2, 2), _n.ints(2, 2)]),
    case("LogicalAnd", _n.bools(*_FIVE), _n.bools(2)),
]
_SHAPED: list[Case] = [
    *(
        case(op, _n.any(dtype, *_FIVE), [0, 3], keep_dims=keep, fixed=[1], label=f"{keep}")
        for op, dtype in [("Sum", "int32"), ("Max", "int32"), ("Mean", "float32"), ("All", "bool")]
        for keep in (False, True)
    ),
    *(
        case(op, np.zeros((2, 0, 3), np.float32), [1], keep_dims=True, fixed=[1])
        for op in ("Sum", "Max", "Min", "Prod")
    ),
    *(case(op, np.zeros((2, 0), np.int32), [1], fixed=[1]) for op in ("Max", "Min", "Sum")),
    *(case(op, np.zeros((0, 3), np.float32), [1], fixed=[1]) for op in ("Sum", "Max", "Mean")),
    *(
        case(op, _TIES, axis, fixed=[1], label=f"ties{axis}")
        for op in ("ArgMax", "ArgMin")
        for axis in (0, 1, -1)
    ),
    *(
        case(op, _n.floats(*_FIVE), axis, exclusive=ex, reverse=rev, fixed=[1], label=f"{ex}{rev}")
        for op in ("Cumsum", "Cumprod")
        for axis, ex, rev in [(-1, False, True), (2, True, False), (-3, True, True)]
    ),
    case("Cumsum", _n.floats(2, 3), -2, fixed=[1]),
    *(
        case("Transpose", _n.any(d, 2, 3, 1, 2, 2, 1), [5, 1, 4, 0, 3, 2], fixed=[1])
        for d in ("float32", "int32", "bool")
    ),
    case("ConcatV2", [_n.floats(*_FIVE), _n.floats(*_FIVE)], -2, fixed=[2]),
    case("ConcatV2", [np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)], 1, fixed=[2]),
    case("Pack", [_n.bools(2, 2), _n.bools(2, 2)], axis=-1),
    case("Unpack", _n.floats(2, 3, 2, 1), axis=-3, num=3),
    case("Split", -2, _n.ints(2, 4, 3), num_split=2, fixed=[0]),
    *(
        case("Tile", _n.any(d, 2, 1, 3, 1, 2), [1, 2, 1, 3, 1], fixed=[1])
        for d in ("int32", "bool")
    ),
    case("Pad", _n.floats(*_FIVE), [[0, 0], [1, 0], [0, 0], [0, 2], [0, 0]], fixed=[1]),
    case("Pad", _n.floats(2, 2), [[0, 0], [0, 0]], fixed=[1]),
    case("PadV2", _n.ints(2, 3), [[1, 0], [0, 2]], int32(-7), fixed=[1]),
    case(
        "MirrorPad",
        _n.floats(*_FIVE),
        [[0, 0], [0, 0], [1, 2], [1, 1], [0, 0]],
        mode=b"SYMMETRIC",
        fixed=[1],
    ),
    case("ReverseV2", _n.floats(*_SIX), [-3, 2], fixed=[1]),
    case("ReverseV2", _n.bools(2, 3), [1], fixed=[1]),
    case("Reverse", _n.bools(2, 3), [True, False], fixed=[1]),
    case("Roll", _n.floats(2, 5), 7, -1, fixed=[1, 2]),
    case("Roll", _n.ints(3, 4), [1, -1], [0, 1], fixed=[1, 2]),
    case("ExpandDims", _n.floats(*_FIVE), -1, fixed=[1]),
    case("Squeeze", _n.bools(1, 2, 1)),
    case("BroadcastTo", _n.floats(2, 1, 3), [2, 2, 4, 3], fixed=[1]),
    case("Fill", [2, 0], 1.0, fixed=[0]),
    case("OneHot", [[0, 1], [1, 0]], 1, 1.0, 0.0, fixed=[1, 2, 3], label="one class"),
    case("OneHot", [2, -1, 0], 3, 1.0, 0.0, axis=0, fixed=[1, 2, 3], label="first"),
    case("OneHot", [2, -1, 0], 3, 2.0, 0.5, fixed=[1, 2, 3], label="others"),
    *(_strided(_n.any(d, 5, 4), [4, 0], [0, 4], [-2, 3]) for d in ("int32", "bool", "float32")),
    *(
        _strided(_n.any(d, 2, 3, 2, 2, 4), [0, 0], [2, 4], [1, 2], ellipsis_mask=1)
        for d in ("int32", "float32")
    ),
    _strided(_n.floats(2, 3, 2, 2, 4), [1, 0, 0], [2, 3, 1], [1, 2, 1], shrink_axis_mask=1),
    _strided(_n.ints(4, 3), [0, 0, 0], [1, 4, 3], [1, 2, 1], new_axis_mask=1),
    _strided(_n.ints(4), [-9], [99], [3]),
    _strided(_n.floats(4, 3), [3, 0], [1, 0], [1, 1], end_mask=2),
    case("Slice", _n.bools(2, 3, 2), [0, 1, 0], [-1, 2, -1], fixed=[1, 2]),
]
_CHOSEN: list[Case] = [
    case("TopKV2", float32([[1, 3, 3, 2, 3]]), 4, fixed=[1], label="ties"),
    case("TopKV2", float32([-np.inf, 1, np.inf]), 2, fixed=[1], label="infinite"),
    case("GatherV2", _n.bools(3, 2), [2, 2, 0], 0, fixed=[2]),
    case("GatherV2", _n.ints(*_FIVE), [[1, 0]], -1, fixed=[2]),
    case("GatherV2", _n.floats(3, 2), np.zeros((0, 2), np.int32), 0, fixed=[2]),
    *(
        case(f"TensorScatter{how}", _n.floats(4, 2), [[1], [3]], _n.floats(2, 2), fixed=[1])
        for how in ("Max", "Min", "Add", "Update")
    ),
    case("ScatterNd", [[1], [1], [1]], _n.ints(3), [4], fixed=[2], label="thrice"),
    case("DynamicStitch", [[0, 2], [1, 3]], [_n.floats(2, 2), _n.floats(2, 2)], fixed=[0, 1]),
    case(
        "ParallelDynamicStitch",
        [[0, 2], [1, 3]],
        [_n.floats(2, 2), _n.floats(2, 2)],
        fixed=[0, 1],
    ),
    *(
        case(op, _n.floats(4, 2), [0, 0, 2, 2], *number, fixed=[1, 2][: len(number) + 1])
        for op, number in [("UnsortedSegmentSum", [3]), ("UnsortedSegmentMax", [2 + 1])]
    ),
    case("Bincount", [[1, 3, 1], [0, 0, 8]], 5, np.zeros(0, np.float32), fixed=[1]),
    case("DenseBincount", [3, 3, 0], 4, float32([0.5, 2, 1]), fixed=[1]),
    case("Unique", int32([5, 5, 5]), dynamic=True),
    case("InTopKV2", float32([[1, 2, 2], [3, 1, 2]]), [2, 1], 2),
]
_MATRICES: list[Case] = [
    *(
        case("BatchMatMulV2", _n.floats(*x, 2, 3), _n.floats(*y, 3, 2))
        for x, y in [((2, 1), (3,)), ((2, 3), (3,)), ((2, 3), (2, 1)), ((1, 1), (2, 3)), ((4,), ())]
    ),
    case("BatchMatMulV2", _n.floats(3, 1, 2, 3), _n.floats(2, 2, 3), adj_y=True),
    case("BatchMatMulV2", _n.ints(2, 1, 2, 3), _n.ints(3, 3, 2)),
    case("BatchMatMulV3", _n.floats(2, 1, 2, 3), _n.floats(3, 3, 2), Tout="float32"),
    case("MatMul", np.zeros((0, 3), np.float32), _n.floats(3, 2)),
    case("MatMul", np.zeros((2, 0), np.float32), np.zeros((0, 2), np.float32)),
    case("Einsum", [_n.floats(2, 3), _n.floats(3, 4)], equation=b"Aa,aB->BA"),
    case("Einsum", [_n.floats(2, 3, 4)], equation=b"...ij->...ji"),
    *(case(op, _n.floats(*_FIVE)) for op in ("Softmax", "LogSoftmax")),
    case("LogSoftmax", float32([[1000, 0, -1000], [-np.inf, 0, 1]]), label="far"),
    case(
        "Conv2D",
        _n.floats(1, 6, 6, 2),
        _n.floats(2, 2, 2, 3),
        strides=[1, 3, 3, 1],
        padding=b"SAME",
        label="over",
    ),
    case(
        "Conv2D",
        _n.floats(1, 7, 6, 2),
        _n.floats(2, 1, 2, 3),
        strides=[1, 2, 2, 1],
        padding=b"SAME",
        label="over",
    ),
    case(
        "DepthwiseConv2dNative",
        _n.floats(1, 6, 6, 2),
        _n.floats(2, 2, 2, 2),
        strides=[1, 3, 3, 1],
        padding=b"SAME",
        label="over",
    ),
    case(
        "DepthwiseConv2dNativeBackpropInput",
        [2, 6, 7, 3],
        _n.floats(3, 2, 3, 1),
        _n.floats(2, 3, 4, 3),
        strides=[1, 2, 2, 1],
        padding=b"SAME",
        fixed=[0],
    ),
    case(
        "MaxPool",
        _n.floats(1, 4, 4, 2, low=-3, high=-1),
        ksize=[1, 2, 2, 1],
        strides=[1, 1, 1, 1],
        padding=b"SAME",
        label="negative",
    ),
    case(
        "MaxPoolWithArgmax",
        np.ones((2, 4, 4, 2), np.float32),
        ksize=[1, 2, 2, 1],
        label="ties",
        **_PLAIN,
    ),
    case(
        "MaxPool3D",
        _n.floats(1, 3, 4, 4, 2, low=-3, high=-1),
        ksize=[1, 2, 2, 2, 1],
        strides=[1, 1, 1, 1, 1],
        padding=b"VALID",
        label="negative",
    ),
    case(
        "Dilation2D",
        _n.floats(1, 4, 4, 2, low=-3, high=-1),
        np.zeros((2, 2, 2), np.float32),
        rates=[1, 1, 1, 1],
        label="negative",
        **_PLAIN,
    ),
    case("IRFFT", _n.complexes(4), [6], fixed=[1]),
    case("IRFFT", _n.complexes(2, 4), [6], fixed=[1]),
    case("RFFT", _n.floats(6), [6], fixed=[1]),
    case("HSVToRGB", _n.floats(2, 2, 3, low=0, high=1)),
    case("QuantizeAndDequantizeV2", _n.floats(3, 4), -2.0, 2.0, range_given=True, fixed=[1, 2]),
    case("FakeQuantWithMinMaxVars", _n.floats(9), -1.5, 1.0, fixed=[1, 2], label="constant"),
    case(
        "FakeQuantWithMinMaxVarsPerChannel",
        _n.floats(4, 3),
        [-1.0, -2.0, 0.0],
        [1.0, 0.5, 3.0],
        fixed=[1, 2],
        label="constant",
    ),
    case(
        "CombinedNonMaxSuppression",
        _n.floats(2, 4, 2, 4),
        _n.floats(2, 4, 2, low=0),
        2,
        3,
        0.5,
        0.3,
        pad_per_class=True,
        fixed=[2, 3, 4, 5],
        label="constant",
    ),
    case(
        "ScaleAndTranslate",
        _n.floats(1, 4, 4, 2),
        [6, 6],
        float32([1.5, 1.5]),
        float32([0, 0]),
        kernel_type=b"lanczos3",
        fixed=[1, 2, 3],
    ),
    case("RegexReplace", ["a-b", "b-b"], "b", "x", fixed=[1, 2], label="constant"),
    case("StringSplitV2", ["a b", "c"], "", fixed=[1], dynamic=True, label="white"),
    case("Empty", [2, 3], dtype="float32", init=True, fixed=[0]),
    case("Where", np.zeros((2, 2), bool), dynamic=True),
    case("ShapeN", [_n.floats(2, 3), _n.floats(0, 1)]),
    case("InvertPermutation", _NONE),
    case("Range", int64(3), int64(-3), int64(-2), fixed=[0, 1, 2]),
]

CASES: list[Case] = [*_ELEMENTWISE, *_SHAPED, *_CHOSEN, *_MATRICES]
