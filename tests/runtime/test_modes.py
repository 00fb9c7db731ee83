"""In which dtypes a graph is computed."""

from __future__ import annotations

import numpy as np
import pytest

from tfjs.ir.tensor import ArrayTensor
from tfjs.runtime.modes import Mode


@pytest.mark.parametrize(
    ("dtype", "single", "double", "in_tfjs"),
    [
        ("float16", "float16", "float64", "float32"),
        ("float32", "float32", "float64", "float32"),
        ("float64", "float64", "float64", "float32"),
        ("bfloat16", "float32", "float64", "float32"),
        ("complex64", "complex64", "complex128", "complex64"),
        ("int64", "int64", "int64", "int32"),
        ("uint8", "uint8", "uint8", "int32"),
        ("bool", "bool", "bool", "bool"),
    ],
)
def test_dtypes(dtype: str, single: str, double: str, in_tfjs: str) -> None:
    assert Mode("float32", as_tfjs=False).dtype(dtype) == single
    # The reference that tells of rounding must round nothing itself.
    assert Mode("float64", as_tfjs=False).dtype(dtype) == double
    assert Mode("float32", as_tfjs=True).dtype(dtype) == in_tfjs


def test_attributes_and_constants_follow() -> None:
    mode = Mode("float64", as_tfjs=False)
    assert mode.attrs({"DstT": "float16", "T": "int32", "N": 2}) == {
        "DstT": "float64",
        "T": "int32",
        "N": 2,
    }
    assert mode.constant(ArrayTensor(np.ones(2, np.float16))).dtype == np.float64
