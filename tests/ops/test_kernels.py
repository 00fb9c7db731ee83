"""Kernels against TensorFlow's, and inferred shapes against kernels, for one table of cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType

import numpy as np
import pytest

from tests.support.op_cases import Case, all_cases
from tests.support.op_oracle import run_tensorflow
from tfjs.ir.graph import Node, Shape, Type
from tfjs.ir.tensor import Array
from tfjs.ops.base import evaluate, find, infer_types

CASES = all_cases()
_RTOL = {"float16": 4e-3, "float32": 2e-5, "float64": 1e-10, "complex64": 2e-5, "complex128": 1e-10}


def _has_kernel(case: Case) -> bool:
    op = find(case.op)
    assert op is not None, case.op
    return op.kernel is not None


COMPUTED = [case for case in CASES if _has_kernel(case)]
# What they give is not computed by us: only TensorFlow knows its shape.
ASKED = [case for case in CASES if not _has_kernel(case)]


@pytest.mark.parametrize("case", COMPUTED, ids=lambda case: case.id)
def test_kernel_computes_what_tensorflow_computes(case: Case, tensorflow: ModuleType) -> None:
    expected = run_tensorflow(tensorflow, case)
    found = evaluate(case.node(), case.inputs)
    assert len(found) == len(expected)
    for index, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        if case.outputs is None or index in case.outputs:
            _assert_equal(ours, theirs, case.rtol)


def _assert_equal(ours: Array, theirs: Array, rtol: float) -> None:
    if ours.dtype.kind in "fc":
        rtol = rtol or _RTOL[ours.dtype.name]
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol / 2)
    else:
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("case", COMPUTED, ids=lambda case: case.id)
def test_shapes_are_those_of_the_kernel(case: Case) -> None:
    arrays = evaluate(case.node(), case.inputs)
    real = [array.shape for array in arrays]
    if not case.dynamic:
        assert _shapes(case.node()) == real
    assert all(map(_compatible, _shapes(case.node()), real))
    _check_variants(case, real)


@pytest.mark.parametrize("case", ASKED, ids=lambda case: case.id)
def test_shapes_are_those_of_tensorflow(case: Case, tensorflow: ModuleType) -> None:
    real = [array.shape for array in run_tensorflow(tensorflow, case)]
    _check_variants(case, real)


def _check_variants(case: Case, real: list[tuple[int, ...]]) -> None:
    fed = [index for index in range(len(case.inputs)) if index not in case.fixed]
    if not case.dynamic:
        assert _shapes(case.node(_typed(case, fed, lambda shape: shape))) == real
    for types in _variants(case, fed):
        for told, found in zip(_shapes(case.node(types)), real, strict=True):
            assert _compatible(told, found), (types, told, found)


def _variants(case: Case, fed: list[int]) -> list[dict[int, Type]]:
    """Types of the inputs, of which less and less is known."""
    every = range(len(case.inputs))
    return [
        _typed(case, fed, lambda shape: (None, *shape[1:]) if shape else shape),
        _typed(case, fed, lambda shape: (*shape[:-1], None) if shape else shape),
        _typed(case, fed, lambda shape: (None,) * len(shape)),
        _typed(case, fed, lambda shape: None),
        _typed(case, every, lambda shape: shape),
        _typed(case, every, lambda shape: (None,) * len(shape)),
        _typed(case, every, lambda shape: None),
        *(_typed(case, [one], lambda shape: None) for one in every),
    ]


def _typed(
    case: Case, fed: Iterable[int], shape: Callable[[tuple[int, ...]], Shape]
) -> dict[int, Type]:
    return {index: Type(case.dtype(index), shape(case.inputs[index].shape)) for index in fed}


def _shapes(node: Node) -> list[Shape]:
    return [type_.shape for type_ in infer_types(node)]


def _compatible(told: Shape, found: tuple[int, ...]) -> bool:
    if told is None:
        return True
    return len(told) == len(found) and all(
        size in (None, real) for size, real in zip(told, found, strict=True)
    )
