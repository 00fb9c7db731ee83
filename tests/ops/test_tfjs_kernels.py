"""What is said to be TF.js's answer, against the real TF.js on its cpu backend."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.one_op import ask, assert_same
from tests.support.op_cases import Case, all_cases, case
from tests.support.op_cases.case import Numbers, float32, int32, int64
from tests.support.protocol import JsError
from tests.support.raw_ops import narrow
from tests.support.tfjs_runtime import TfjsRuntime
from tfjs.ir.tensor import Array
from tfjs.ops.base import evaluate, find
from tfjs.ops.support import DTYPES, TAKEN_FOR, usable

# Outputs that TF.js gives, where it gives fewer than TensorFlow.
_GIVEN = {
    "FusedBatchNorm": 1,
    "FusedBatchNormV2": 1,
    "FusedBatchNormV3": 1,
    "NonMaxSuppressionV5": 2,
}

# Cases of operations with a kernel for TF.js -> why they are not compared.
_LEFT_OUT = {
    "DenseBincount-int32-_,_,0": "TF.js wants a row",
    "Mean-float16-0x3,1": "of nothing TF.js makes what lies beside it",
    "Mean-float32-0x3,1": "the same",
    "Select-bool-3,3,3": "TF.js does not choose among texts",
}


def _taken(value: Any) -> Any:
    """An attribute with the dtypes that TF.js has."""
    if isinstance(value, str):
        return TAKEN_FOR.get(value, value)
    return [_taken(item) for item in value] if isinstance(value, list) else value


def _as_taken(told: Case) -> Case:
    attrs = {key: _taken(value) for key, value in told.attrs.items()}
    return replace(told, attrs=attrs, inputs=tuple(narrow(item) for item in told.inputs))


def _has_own(told: Case) -> bool:
    op = find(told.op)
    if op is None or op.tfjs_kernel is None or not usable(told.op):
        return False
    # Complex numbers are refused by nearly all, or not broadcast.
    if told.inputs[0].dtype.kind == "c" and told.op != "IRFFT":
        return False
    dtypes = {_taken(value) for value in told.attrs.values() if isinstance(value, str)}
    return dtypes <= DTYPES


_n = Numbers(31)
_BOXES = float32([[0, 0, 1, 1], [0, 0, 1, 0.5], [0, 0.25, 1, 0.75], [0, 0, 0.5, 1], [2, 2, 3, 3]])
_SCORES = float32([0.9, 0.8, 0.7, 0.8, 0.1])
_WHOLE = int32([7, -7, 5, -2147483648, 0, 100_000])
_LETTERS = np.array([b"a", b"B", b"c", b"d"], object)
_STEPS: dict[str, Any] = {"strides": [1, 1, 1, 1], "padding": b"VALID"}

# What the table of all operations has no case of.
_MORE = [
    case("Abs", int32([16_777_217, -33_554_435, -5])),
    case("AvgPool", _n.floats(1, 4, 5, 3), ksize=[1, 2, 2, 1], data_format=b"NCHW", **_STEPS),
    case("BatchMatMulV2", _n.floats(3, 1, 2, 3), _n.floats(3, 3, 4)),
    case("BatchMatMulV2", _n.floats(2, 3, 2, 3), _n.floats(2, 1, 3, 4)),
    case("BiasAdd", _n.floats(2, 3, 4, 3), _n.floats(3), data_format=b"NCHW"),
    case("Cast", float32([np.nan, np.inf, -np.inf, 3e9, -3e9, 2.7, -2.7, 1e20]), DstT="int32"),
    case("ClipByValue", _n.floats(2, 3), float32([-0.5, 9]), float32([0.5, 9]), fixed=[1, 2]),
    case(
        "Conv2DBackpropInput",
        [2, 7, 6, 4],
        _n.floats(3, 2, 4, 6),
        _n.floats(2, 5, 5, 6),
        dilations=[1, 2, 2, 1],
        fixed=[0],
        **_STEPS,
    ),
    case("DenseBincount", int32([1, 1, 3]), 4, np.zeros(0, np.float32), binary_output=True),
    case("Div", _WHOLE, int32([2, 2, -2, 1, 3, 7])),
    case("FakeQuantWithMinMaxVars", _n.floats(3), -1.0, 1.0, fixed=[1, 2]),
    case("FloorDiv", _WHOLE, int32([2, 0, -2, -1, 0, 7])),
    case("FloorDiv", _n.floats(2, 3), _n.floats(2, 3)),
    case("FloorMod", _WHOLE, int32([2, 0, -2, -1, 0, 7])),
    case(
        "FusedBatchNormV3",
        _n.floats(2, 3, 4, 3),
        *[_n.floats(3, low=0.5) for _ in range(4)],
        data_format=b"NCHW",
        is_training=False,
    ),
    case(
        "ImageProjectiveTransformV3",
        _n.floats(3, 4, 5, 2),
        _n.floats(3, 8, low=0.1),
        [3, 6],
        7.0,
        interpolation=b"BILINEAR",
        fill_mode=b"REFLECT",
        fixed=[2, 3],
    ),
    case("Mod", _WHOLE, int32([2, 0, -2, -1, 0, 7])),
    case("Mod", _n.floats(2, 3), _n.floats(2, 3)),
    case("Mul", _WHOLE, int32([1_000_003, 3, -9, 2, 1, 99_999])),
    *(
        case("NonMaxSuppressionV3", _BOXES, _SCORES, 4, overlap, -1.0)
        for overlap in (0.0, 1 / 3, 0.5, 1.0)
    ),
    case("NonMaxSuppressionV4", _BOXES, _SCORES, 9, 0.4, -1.0, pad_to_max_output_size=True),
    case("NonMaxSuppressionV5", _BOXES, _SCORES, 4, 0.9, 0.2, 0.4),
    case("OneHot", [0, 2, 1], 3, 1.0, 0.0, axis=0, fixed=[1, 2, 3]),
    case("Pow", int32([2, 3, -2, 10, 7]), int32([10, 25, 31, 9, 0])),
    case("Select", np.array([True, False]), _n.floats(2, 2), _n.floats(2, 2)),
    case("Sign", float32([np.nan, -3, 0, 4])),
    case("Square", int32([5001, -46_341, 3])),
    case(
        "StaticRegexReplace",
        np.array([b"Say A b a", b"AAA aab", b"x"], object),
        pattern=b"(A)(b)?",
        rewrite=b"<$1$2$&$$>",
    ),
    case(
        "StringNGrams",
        _LETTERS,
        int64([0, 3, 3, 4]),
        ngram_widths=[2, 3],
        pad_width=1,
        left_pad=b"LP",
        right_pad=b"RP",
        separator=b"X",
        preserve_short_sequences=True,
    ),
]
_OWN = [told for told in [*all_cases(), *_MORE] if _has_own(told)]


def _answer(told: Case) -> list[Array] | str:
    try:
        return evaluate(told.node(), told.inputs, as_tfjs=True)
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize(
    "told", [told for told in _OWN if told.id not in _LEFT_OUT], ids=lambda told: told.id
)
def test_answers_are_those_of_tfjs(told: Case, tfjs_runtime: TfjsRuntime, tmp_path: Path) -> None:
    told = _as_taken(told)
    ours = _answer(told)
    outputs = _GIVEN.get(told.op, 1 if isinstance(ours, str) else len(ours))
    asked = (tfjs_runtime, tmp_path / "model", told.op, dict(told.attrs), told.inputs)
    if isinstance(ours, str):
        # It may also give an array that is smaller than its shape.
        with pytest.raises((JsError, ValueError)):
            ask(*asked, fixed=told.fixed)
        return
    assert_same(ours[:outputs], ask(*asked, fixed=told.fixed, outputs=outputs))


def test_what_is_left_out_has_a_case() -> None:
    assert set(_LEFT_OUT) <= {told.id for told in _OWN}


def test_every_case_of_this_module_is_run() -> None:
    assert all(map(_has_own, _MORE))
